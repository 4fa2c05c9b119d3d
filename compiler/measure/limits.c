#include "limits.h"

#include <math.h>

/* Of a layer's largest error, that is taken to reach an output: the model knows what is true of the mean, and the worst
 * places of a tile are four times as far off. */
static const double WORST_PLACES = 4, LEAST_SHARE = 1.0 / 30;

double limit_of_outputs(const Compilation *c, const Plan *plan) {
    return fmax(c->options->tolerance, plan->predicted_error);
}

void limits_of_layers(const Plan *plan, double of_outputs, Arena *arena, Map *limits) {
    for (int i = 0; i < plan->graph->value_count; i++) {
        if (!(plan->value_gains[i] > 0)) continue;
        double *limit = arena_alloc(arena, sizeof *limit);
        const double share = sqrt(plan->value_gains[i]) / WORST_PLACES;
        *limit = of_outputs / fmin(fmax(share, LEAST_SHARE), 1);
        map_put(limits, arena, plan->graph->values[i]->name, limit);
    }
}
