/* net.c and net.h as a whole: the top that says where it comes from, the prelude, the tasks, the tables, one straight
 * line of calls (forward), and the API around it.
 */
#include <string.h>
#include "describe.h"
#include "forward.h"
#include "kernels.h"
#include "model.h"
#include "prelude.h"
#include "standalone.h"
#include "plan/training.h"
#include "trainer.h"
#include "wrap.h"
#include "graph/ops.h"
#include "rn.h"
#include "runtime/core/cpu.h"
#include "runtime/weights/xxh3.h"

/* The names of what stands in the file once for each instruction set differ. */
static const char *isa_suffix(const Target *target, int index) {
    if (target->count < 2) return "";
    return target->isa[index] == RN_ISA_X86_64_V4 ? "_v4" : "_v3";
}

/* ---- the frame ---- */
static Target emit_target(const EmitOptions *o, const Plan *plan) {
    return o->target.count ? o->target : (Target){KERNELS_JIT, {plan->options.isa}, 1};
}

static void emit_top(const EmitOptions *o, const Plan *plan, const char *what, Text *t) {
    Arena arena = {0};
    const Target target = emit_target(o, plan);
    text_printf(t, "/* %s of network %s, made by rnc %s for %s. Do not edit: compile the source again.\n", what,
                comment_c(&arena, plan->graph->name), RN_VERSION, target_text(&arena, &target));
    text_printf(t, " *     %s\n", comment_c(&arena, o->command));
    text_printf(t, " * source hash %s; on any machine the same with --target ", comment_c(&arena, o->source_hash));
    for (int i = 0; i < target.count; i++) text_printf(t, "%s%s", i ? "," : "", rn_isa_name((rn_isa)target.isa[i]));
    text_printf(t, " -mtune=%s\n", machine_spelling(&arena, plan->options.machine));
    arena_free(&arena);
}

static void emit_structs(Emit *e, Text *t) {
    text_printf(t, "struct %s {\n    rn_context rn;\n", e->options->name);
    if (e->target.kernels == KERNELS_JIT)
        text_printf(t, "    rn_kernel k[%d];\n", e->kernel_count ? e->kernel_count : 1);
    if (e->target.count > 1)
        text_printf(t, "    void (*forward)(%s); /* for this CPU */\n", emit_forward_parameters(e));
    text_puts(t, "};\n\n");
}

static void emit_create(Emit *e, Text *t) {
    const char *n = e->options->name, *N = upper_case(e->arena, n);
    text_printf(t,
                "rn_status %s_create(%s **net, void *arena, size_t size, const rn_weights *weights, const rn_options "
                "*options) {\n"
                "    void *made = NULL;\n"
                "    const size_t need = %s_arena_size(%s_BATCH, rn_options_threads(options));\n",
                n, n, n, N);
    if (e->target.kernels == KERNELS_JIT)
        text_printf(
            t,
            "    const rn_status status = rn_context_create_jit(&made, sizeof(struct %s), need, offsetof(struct "
            "%s, k), kernels, %d,\n"
            "                                                   &model, arena, size, weights, options);\n",
            n, n, e->kernel_count);
    else
        text_printf(t,
                    "    const rn_status status = rn_context_create(&made, sizeof(struct %s), need, &model, arena, "
                    "size, weights, options);\n",
                    n);
    text_puts(t, "    *net = made;\n");
    for (int i = 0; i < e->target.count && e->target.count > 1; i++) /* the strongest first */
        if (i + 1 < e->target.count)
            text_printf(t, "    %sif (*net && rn_cpu_runs(%s)) (*net)->forward = forward%s;\n", i ? "else " : "",
                        isa_c(e->target.isa[i]), isa_suffix(&e->target, i));
        else
            text_printf(t, "    else if (*net) (*net)->forward = forward%s; /* create has checked */\n",
                        isa_suffix(&e->target, i));
    text_puts(t, "    return status;\n}\n\n");
}

static const char *forward_name(const Emit *e) {
    return e->target.count > 1 ? "net->forward" : "forward";
}

static long long input_floats(const Emit *e) {
    return (long long)shape_size(e->plan->graph->input->shape);
}

static void emit_arena_size(Emit *e, Text *t) {
    const char *n = e->options->name, *N = upper_case(e->arena, n);
    const ArenaPlaces at = emit_arena_places(e);
    text_printf(t,
                "size_t %s_arena_size(int batch, int threads) {\n"
                "    if (batch < 1 || batch > %s_BATCH || threads < 1) return 0;\n"
                "    /* instance, activations, scratch of each thread, %s */\n"
                "    return (sizeof(struct %s) + %d) / %d * %d + sizeof(float) * ((size_t)threads * %lld + %lld);\n"
                "}\n\n",
                n, N, emit_is_grouped(e) ? "pictures made ready" : "a picture made ready", n, CACHE_LINE - 1,
                CACHE_LINE, CACHE_LINE, at.each, at.all);
}

static void emit_run(Emit *e, Text *t) {
    const char *n = e->options->name, *forward = forward_name(e);
    const long long input = input_floats(e), outputs = (long long)output_floats(e->plan->graph);
    const int group = e->plan->group;
    text_printf(t,
                "rn_status %s_run(%s *net, int batch, const float *image, float *output) {\n"
                "    const rn_status status = check(net ? &net->rn : NULL, batch, image, output);\n"
                "    if (status) return status;\n",
                n, n);
    if (emit_is_grouped(e))
        text_printf(t,
                    "    for (int n = 0; n < batch; n += %d)\n"
                    "        %s(net, batch - n < %d ? batch - n : %d, image + (size_t)n * %lld, output + (size_t)n * "
                    "%lld);\n",
                    group, forward, group, group, input, outputs);
    else
        text_printf(
            t, "    for (int n = 0; n < batch; n++) %s(net, image + (size_t)n * %lld, output + (size_t)n * %lld);\n",
            forward, input, outputs);
    text_puts(t, "    return RN_OK;\n"
                 "}\n\n");
}

/* The beginning of run_rgb's call, up to the picture. */
static const char *preprocess_call(Emit *e) {
    const Tensor *mean = e->plan->graph->preprocess.mean_image;
    if (!mean) return "rn_preprocess_rgb(&model";
    const Shape s = e->plan->graph->input->shape;
    return arena_printf(e->arena,
                        "rn_preprocess_rgb_less(&model, (const float *)(const void *)(net->rn.weights + %lld), %d",
                        (long long)e->plan->mean_image, mean->ndim == 1 ? 1 : s.h * s.w);
}

static void emit_run_rgb(Emit *e, Text *t) {
    const char *n = e->options->name, *forward = forward_name(e);
    const long long input = input_floats(e), outputs = (long long)output_floats(e->plan->graph);
    const bool grouped = emit_is_grouped(e);
    const int group = e->plan->group;
    const char *place = grouped ? arena_printf(e->arena, "ready + (size_t)(n %% %d) * %lld", group, input) : "ready";
    text_printf(
        t,
        "rn_status %s_run_rgb(%s *net, int batch, const uint8_t *const *rgb, const int *height, const int "
        "*width, float *output) {\n"
        "    rn_status status = check(net ? &net->rn : NULL, batch, rgb && height && width ? rgb : NULL, output);\n"
        "    if (status) return status;\n"
        "    float *ready = %s;\n"
        "    for (int n = 0; n < batch; n++) {\n"
        "        status = %s, rgb[n], height[n], width[n], %s);\n"
        "        if (status) return rn_context_fail(&net->rn, status, \"%s: image %%d cannot be made an "
        "input\", n);\n",
        n, n, emit_arena_places(e).ready, preprocess_call(e), place, n);
    if (grouped)
        text_printf(t,
                    "        const int images = n %% %d + 1; /* ready, of this group */\n"
                    "        if (images == %d || n + 1 == batch)\n"
                    "            %s(net, images, ready, output + (size_t)(n + 1 - images) * %lld);\n",
                    group, group, forward, outputs);
    else
        text_printf(t, "        %s(net, ready, output + (size_t)n * %lld);\n", forward, outputs);
    text_puts(t, "    }\n"
                 "    return RN_OK;\n"
                 "}\n\n");
}

static void emit_api(Emit *e, Text *t) {
    const char *n = e->options->name;
    emit_arena_size(e, t);
    emit_create(e, t);
    emit_run(e, t);
    emit_run_rgb(e, t);
    text_printf(t, "const char *%s_message(const %s *net) { return net ? net->rn.message : \"\"; }\n\n", n, n);
    text_printf(t, "void %s_destroy(%s *net) {\n    if (net) rn_context_destroy(&net->rn);\n}\n", n, n);
}

/* What net.c itself defines at file scope, beside what comes from c/: no task and no network may be called so. */
static const char *const own_names[] = {"args",       "first_layers", "first_part",   "forward", "group",  "image_args",
                                        "kept_bytes", "kernels",      "last_layers",  "layers",  "main",   "model",
                                        "outputs",    "recipe",       "recipe_steps", "result",  "results"};

static void reserve_names(Emit *e) {
    for (size_t i = 0; i < sizeof own_names / sizeof *own_names; i++)
        map_put(&e->names, e->arena, own_names[i], (void *)own_names[i]);
    prelude_reserve_names(e);
}

bool emit_name_is_taken(const char *name) {
    const size_t n = strlen(name);
    if (!strncmp(name, "rn_", 3) || (n > 2 && !strcmp(name + n - 2, "_t")))
        return true; /* librn's, the C library's types */
    /* with a target's suffix too */
    const size_t stem = n > 3 && (!strcmp(name + n - 3, "_v3") || !strcmp(name + n - 3, "_v4")) ? n - 3 : n;
    for (size_t i = 0; i < sizeof own_names / sizeof *own_names; i++)
        if (strlen(own_names[i]) == stem && !strncmp(name, own_names[i], stem)) return true;
    return prelude_defines(name, stem);
}

/* All that depends on the instruction set: the line of calls, what it calls, and that with its vectors and kernels. */
typedef struct TargetText {
    Text declared, calls, trainer, tasks;
} TargetText;

static void emit_target_text(Emit *e, int index, TargetText *t) {
    e->isa = e->target.isa[index];
    e->machine = machine_with(e->plan->options.machine, e->isa);
    e->lanes = e->isa >= RN_ISA_X86_64_V4 ? 16 : e->isa >= RN_ISA_X86_64_V3 ? 8 : 4;
    e->suffix = isa_suffix(&e->target, index);
    Text code = {0};
    emit_forward(e, &t->calls); /* which finds out what kernels and functions there are */
    if (e->options->training) {
        const Plan *inference = e->plan;
        e->plan = e->options->training;
        emit_trainer_calls(e, &t->trainer);
        emit_trainer_values(e, &t->trainer);
        e->plan = inference;
    }
    emit_kernels_declared(e, &t->declared);
    emit_kernels(e, &code);
    if (e->functions.size) text_write(&code, e->functions.s, e->functions.size);
    const Items prelude = prelude_for(e, &code);
    emit_prelude(e, &prelude, &t->tasks);
    text_write(&t->tasks, code.s, code.size);
    emit_prelude_end(e, &prelude, &t->tasks);
    text_free(&code);
    text_free(&e->functions);
}

/* The text of every instruction set; what else is written depends on the kernels and names that it uses. */
static void emit_targets(Emit *e, TargetText *text) {
    reserve_names(e);
    map_put(&e->names, e->arena, e->options->name, (void *)e->options->name);
    if (e->options->standalone) standalone_reserve_names(e);
    for (int i = 0; i < e->target.count; i++) emit_target_text(e, i, text);
    text_write(&text->declared, e->prototypes.s, e->prototypes.size);
    text_puts(&text->declared, "\n");
    text_free(&e->prototypes);
}

static void target_text_free(TargetText *t) {
    text_free(&t->declared);
    text_free(&t->calls);
    text_free(&t->trainer);
    text_free(&t->tasks);
}

size_t emit_arena_bytes(const Plan *plan, const EmitOptions *options, int threads) {
    Arena arena = {0};
    Emit e = {.plan = plan, .options = options, .arena = &arena, .target = emit_target(options, plan)};
    TargetText text = {.calls = {0}};
    emit_targets(&e, &text);
    const ArenaPlaces at = emit_arena_places(&e);
    size_t instance = sizeof(rn_context);
    if (e.target.kernels == KERNELS_JIT) instance += sizeof(rn_kernel) * (size_t)(e.kernel_count ? e.kernel_count : 1);
    if (e.target.count > 1) instance += sizeof(void (*)(void));
    target_text_free(&text);
    arena_free(&arena);
    return (size_t)round_up_bytes((int64_t)instance) +
           sizeof(float) * ((size_t)threads * (size_t)at.each + (size_t)at.all);
}

/* Of what decides the bits of a step. The source alone does not tell the recipe, which may have parameters of the
 * network. */
static const char *hash_text(Emit *e, const TargetText *text) {
    Text recipe = {0};
    emit_train_recipe(e, &recipe);
    const uint64_t hash = rn_xxh3(text->tasks.s, text->tasks.size) ^ rn_xxh3(text->trainer.s, text->trainer.size) ^
                          rn_xxh3(recipe.s, recipe.size);
    text_free(&recipe);
    return arena_printf(e->arena, "%016llx", (unsigned long long)hash);
}

static void emit_whole_c(const Plan *plan, const EmitOptions *options, Text *c) {
    bug_context = "emission";
    Arena arena = {0};
    Emit e = {.plan = plan, .options = options, .arena = &arena, .target = emit_target(options, plan)};
    TargetText text = {.calls = {0}};
    emit_targets(&e, &text);
    emit_top(options, plan, "Code", c);
    text_printf(c, " *\n * A batch of at most %d; one arena of %lld bytes of activations%s, reused by lifetime. */\n",
                plan->options.batch, (long long)plan->arena_bytes,
                emit_is_grouped(&e) ? arena_printf(&arena, " a thread and %lld for each of %d images",
                                                   (long long)plan->kept_bytes, plan->group)
                                    : "");
    Text network = {0};
    emit_structs(&e, &network);
    emit_tables_declared(&e, &network);
    text_write(&network, text.declared.s, text.declared.size);
    Text calls = {0};
    text_write(&calls, text.calls.s, text.calls.size);
    emit_api(&e, &calls);
    if (options->training) {
        text_puts(&calls, "\n/* ==== training ==== */\n\n");
        emit_trainer_declared(&e, &calls);
        text_write(&calls, text.trainer.s, text.trainer.size);
    }
    emit_forward_frame(&e, &network);
    emit_calls_prelude(&e, &calls, &network);
    text_write(&network, calls.s, calls.size);
    text_free(&calls);
    text_puts(&network, "\n/* ==== the layers' tasks ==== */\n\n");
    text_write(&network, text.tasks.s, text.tasks.size);
    text_puts(&network, "/* ==== tables ==== */\n\n");
    emit_tables(&e, &network);
    emit_model(&e, &network);
    if (options->training) {
        e.trainer_hash = hash_text(&e, &text);
        text_puts(&network, "\n/* ==== the trainer ==== */\n\n");
        emit_trainer(&e, &network);
    }
    if (options->standalone) {
        emit_standalone(&e, &network, c);
    } else {
        text_printf(c, "#include \"%s\"\n#include \"rn_emitted.h\"\n#include \"rn_recipe.h\"\n%s\n",
                    options->header_name,
                    options->training  ? "#include \"rn_train_emitted.h\"\n"
                    : options->program ? "#include \"rn_tools.h\"\n"
                                       : "");
        if (options->program && options->training && options->training->training->ranks)
            text_puts(c, "#include \"rn_train_mpi.h\"\n");
        emit_includes(&e, c);
        text_write(c, network.s, network.size);
    }
    if (options->shared && !options->standalone) emit_loader(options->name, c);
    if (options->program)
        text_printf(c, "\nint main(int argc, char **argv) { return %s, argc, argv); }\n",
                    !options->training                   ? "rn_main(&model"
                    : options->training->training->ranks ? "rn_train_mpi_main(&train_model"
                                                         : "rn_train_main(&train_model");
    target_text_free(&text);
    text_free(&network);
    arena_free(&arena);
}

void emit_c(const Plan *plan, const EmitOptions *options, Text *c) {
    Text wide = {0};
    emit_whole_c(plan, options, &wide);
    wrap_lines(&wide, c);
    text_free(&wide);
}

static void export_names(const char *network, const char *const *functions, Text *t) {
    for (; *functions; functions++) text_printf(t, "    %s_%s;\n", network, *functions);
}

void emit_exports(const EmitOptions *options, Text *t) {
    text_puts(t, "{\n  global:\n");
    export_names(options->name, emit_api_functions, t);
    if (options->shared || options->standalone) export_names(options->name, emit_loader_functions, t);
    if (options->shared && !options->standalone) export_names(options->name, emit_image_functions, t);
    if (options->training) export_names(options->name, emit_trainer_functions, t);
    text_puts(t, "  local: *;\n};\n");
}

static void emit_whole_h(const Plan *plan, const EmitOptions *options, Text *h) {
    Arena arena = {0};
    const Graph *g = plan->graph;
    const char *n = options->name, *N = upper_case(&arena, n);
    emit_top(options, plan, "API", h);
    text_printf(h,
                " *\n * C99 and C++. An instance serves one thread at a time; any number of instances may share "
                "weights. %s */\n",
                options->standalone ? "Needs no librn."
                : options->shared   ? "Of a shared object that has its runtime inside."
                                    : "See rn.h.");
    text_printf(h, "#ifndef %s_H\n#define %s_H\n\n", N, N);
    const bool has_runtime = options->standalone || options->shared;
    if (has_runtime) emit_standalone_types(h);
    if (has_runtime && options->training) emit_train_types(h);
    if (!has_runtime) text_printf(h, "#include \"rn.h\"\n%s\n", options->training ? "#include \"rn_train.h\"\n" : "");
    text_puts(h, "#ifdef __cplusplus\nextern \"C\" {\n#endif\n\n");
    text_printf(h, "#define %s_BATCH %d /* most images of one run */\n", N, plan->options.batch);
    text_printf(h, "#define %s_INPUT_SIZE %lld /* floats of an image: %s */\n", N,
                (long long)shape_size(g->input->shape), memory_shape(&arena, g->input));
    text_printf(h, "#define %s_WEIGHTS_SIZE %llu /* bytes of packed weights */\n\n", N,
                (unsigned long long)plan->recipe.packed_size);
    emit_output_macros(g, N, &arena, h);
    text_puts(h, "\n");
    text_printf(h, "typedef struct %s %s; /* an instance; lives inside its arena */\n\n", n, n);
    text_printf(h, "/* Names, shapes, layers, hashes: what tools need. */\nconst rn_model *%s_model(void);\n\n", n);
    text_printf(h,
                "/* Bytes of an arena for at most `batch` images a run on `threads` threads; 0 where these are out of "
                "range. */\n"
                "size_t %s_arena_size(int batch, int threads);\n\n",
                n);
    text_printf(h,
                "/* Makes an instance in `arena` (64-byte aligned, of %s_arena_size bytes; NULL: create allocates it). "
                "weights:\n"
                " * from rn_weights_open, and must outlive the instance; NULL: those embedded in the object. options: "
                "NULL for one\n"
                " * thread and no error text. On an error *net is NULL and nothing is kept. */\n"
                "rn_status %s_create(%s **net, void *arena, size_t size, const rn_weights *weights, const rn_options "
                "*options);\n\n",
                n, n, n);
    text_printf(h, "/* image: batch x %s%s floats, already normalised. output: batch x %s_OUTPUT_SIZE floats",
                memory_shape(&arena, g->input), g->input->channels_last ? "," : "", N);
    text_puts(h, g->output_count > 1 ? ": each image's\n * outputs one after another. */\n" : ". */\n");
    text_printf(h, "rn_status %s_run(%s *net, int batch, const float *image, float *output);\n\n", n, n);
    text_printf(h,
                "/* The same from 8-bit RGB pictures of any size, height[i] x width[i] x 3 each, preprocessed as the "
                "source says. */\n"
                "rn_status %s_run_rgb(%s *net, int batch, const uint8_t *const *rgb, const int *height, const int "
                "*width, float *output);\n\n",
                n, n);
    text_printf(h,
                "/* What the last call that failed has to say; \"\" where none did. */\nconst char *%s_message(const "
                "%s *net);\n\n",
                n, n);
    text_printf(h,
                "/* Ends an instance; frees the arena where create allocated it. NULL is allowed. */\nvoid "
                "%s_destroy(%s *net);\n\n",
                n, n);
    if (options->training) emit_trainer_api(options, h);
    if (has_runtime) emit_loader_api(options, h);
    text_printf(h, "#ifdef __cplusplus\n}\n#endif\n#endif\n");
    arena_free(&arena);
}

void emit_h(const Plan *plan, const EmitOptions *options, Text *h) {
    Text wide = {0};
    emit_whole_h(plan, options, &wide);
    wrap_lines(&wide, h);
    text_free(&wide);
}
