/* What follows from the command line for the plan and for emission. */
#include "compilation.h"

static const double SMALL_TIME_SHARE = 0.1; /* what -Os may cost */

PlanOptions compilation_plan_options(const Compilation *c, const PassOptions *passes) {
    const Options *options = c->options;
    return (PlanOptions){.isa = options->target.isa[0],
                         .machine = c->machine,
                         .batch = options->batch,
                         .threads = options->tune_threads,
                         .reuse_memory = pass_enabled(passes, PASS_reuse_memory),
                         .whole_batch = pass_enabled(passes, PASS_whole_batch),
                         .winograd = pass_enabled(passes, PASS_winograd),
                         .fuse = passes->level >= 2,
                         .strassen = pass_enabled(passes, PASS_strassen),
                         .tolerance = options->tolerance,
                         .time_share = options->small ? SMALL_TIME_SHARE : 0,
                         .weights_limit = (int64_t)(options->weights_limit * 1e6)};
}

EmitOptions compilation_emit_options(Compilation *c) {
    return (EmitOptions){.name = c->name,
                         .target = c->options->target,
                         .command = c->options->command,
                         .source_hash = c->hash,
                         .header_name = arena_printf(&c->arena, "%s.h", c->name),
                         .training = c->training_plan,
                         .standalone = c->options->standalone};
}

const Sizes *compilation_sizes(Compilation *c, const Plan *plan, int level) {
    const Options *o = c->options;
    const EmitOptions options = compilation_emit_options(c);
    if (c->sized == plan) return &c->sizes;
    c->sized = plan;
    c->sizes = (Sizes){.weights = graph_weight_bytes(c->source),
                       .packed = (int64_t)plan->recipe.packed_size,
                       .arena = (int64_t)emit_arena_bytes(plan, &options, o->tune_threads),
                       .target = target_text(&c->arena, &o->target),
                       .tune = machine_spelling(&c->arena, plan->options.machine),
                       .level = level,
                       .batch = o->batch,
                       .threads = o->tune_threads};
    return &c->sizes;
}
