/* -O3 and the error budget: where the weights are given, the output's error is measured, since a network may do more
 * with its layers' rounding than the model knows (plan/error.h). Where it passes the tolerance, the choices are made
 * again with larger predictions.
 */
#include <math.h>
#include <string.h>
#include <xxhash.h>

#include "graph/irtext.h"
#include "verify_run.h"
#include "tune.h"

enum { ROUNDS = 5 };
static const double MARGIN = 1.2; /* a second measurement, of other choices, is not the first */

/* The cache keeps numbers in thousandths: scales as they are, errors in billionths. */
static const double BILLION = 1e9;

/* What the error depends on beside the machine and what the tuning measured. */
static const char *error_key(Compilation *c) {
    XXH3_state_t *state = XXH3_createState();
    if (!state) out_of_memory();
    XXH3_64bits_reset(state);
    Text graph = {0};
    irtext_print(c->source, &graph); /* not the source's text: -D and --output change it, too */
    XXH3_64bits_update(state, graph.s, graph.size);
    text_free(&graph);
    for (int i = 0; i < c->source->tensor_count; i++) {
        const Tensor *t = c->source->tensors[i];
        const bool given = t->op == RN_PARAM && c->weights.data[i];
        if (given) XXH3_64bits_update(state, c->weights.data[i], (size_t)tensor_size(t) * sizeof(float));
    }
    const unsigned long long hash = XXH3_64bits_digest(state);
    XXH3_freeState(state);
    Text passes = {0};
    for (int i = 0; i < PASS_COUNT; i++) text_puts(&passes, pass_enabled(&c->options->passes, (PassId)i) ? "1" : "0");
    const char *key =
        arena_printf(&c->arena, "error of %016llx, passes %s, tolerance %g", hash, passes.s, c->options->tolerance);
    text_free(&passes);
    return key;
}

static bool same_choices(const Plan *a, const Plan *b) {
    return !memcmp(a->choices, b->choices, (size_t)a->graph->node_count * sizeof *a->choices);
}

/* As the cache keeps it, so that a plan from there is the same. */
static double kept_scale(double scale) {
    return ceil(scale * 1000) / 1000;
}

/* Measures c->plan, and plans again: with larger predictions until it keeps the tolerance, then between the last that
 * did not and the first that did. Leaves the last that did, or where none does, the last. *error: its own. */
static bool measure_and_plan(Compilation *c, PlanOptions *options, double *error) {
    struct {
        Plan *plan;
        double scale, error;
    } kept = {0};
    double low = 1;
    options->error_scale = 1;
    for (int round = 1;; round++) {
        if (!verify_outputs(c, c->plan, error)) return false;
        const double scale = options->error_scale;
        if (!(*error <= c->options->tolerance))
            low = scale;
        else
            kept.plan = c->plan, kept.scale = scale, kept.error = *error;
        if (round == ROUNDS || !isfinite(*error) || kept.scale == 1 || !(c->plan->predicted_error > 0)) break;
        const double next = kept.plan ? sqrt(low * kept.scale) : scale * MARGIN * *error / c->plan->predicted_error;
        options->error_scale = kept_scale(next);
        const Plan *last = c->plan;
        c->plan = plan_make(&c->arena, c->graph, options);
        if (same_choices(last, c->plan) || (kept.plan && same_choices(kept.plan, c->plan))) break;
    }
    if (kept.plan) c->plan = kept.plan, options->error_scale = kept.scale, *error = kept.error;
    return true;
}

bool tune_error(Compilation *c, const PlanOptions *options) {
    PlanOptions scaled = *options;
    TuneCache cache;
    if (!tune_cache_open(&cache, c)) return false;
    const char *key = error_key(c);
    double error = tune_cache_get(&cache, key, "measured") / BILLION;
    scaled.error_scale = tune_cache_get(&cache, key, "scale");
    if (error > 0 && scaled.error_scale > 0) {
        c->plan = plan_make(&c->arena, c->graph, &scaled);
    } else {
        if (!measure_and_plan(c, &scaled, &error)) return false;
        if (!isfinite(error)) { /* weights that overflow: no choice of ours helps */
            diag_warning(&c->diag, (Place){0}, "-O3: the output has no finite error to measure: NaN or infinity");
            return true;
        }
        tune_cache_put(&cache, key, "scale", scaled.error_scale);
        error = tune_cache_put(&cache, key, "measured", error * BILLION) / BILLION;
    }
    if (error > c->options->tolerance)
        diag_warning(&c->diag, (Place){0},
                     "-O3: the output is off by %.2g, more than the tolerance of %g, and no choice that was measured "
                     "does better",
                     error, c->options->tolerance);
    c->plan->measured_error = error;
    return tune_cache_save(&cache, &c->diag);
}
