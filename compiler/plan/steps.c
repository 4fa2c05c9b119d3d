/* Steps: of the input, of each node by its algorithm, and of each output as soon as its value is there. */
#include "steps.h"

#include "algorithms.h"
#include "plain.h"

void plan_steps(Plan *plan) {
    const Graph *g = plan->graph;
    input_step(plan);
    output_steps(plan, g->input);
    for (int i = 0; i < g->node_count; i++) {
        const Node *n = g->nodes[i];
        if (i == plan->last_node) plan->last_step = plan->step_count;
        algorithm_info(plan->choices[i].algorithm)->steps(plan, n);
        output_steps(plan, n->out);
    }
    if (plan->last_node >= g->node_count) plan->last_step = plan->step_count;
}
