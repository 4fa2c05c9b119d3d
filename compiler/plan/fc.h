/* Fully connected layers: GEMMs with one column (or one for each image of a group), panels streamed from memory. */
#ifndef RNC_PLAN_FC_H
#define RNC_PLAN_FC_H

#include "panels.h"

/* An image is read in runs of inputs that lie side by side: all of it, or pixel by pixel where gaps lie between its
 * pixels. */
typedef struct FcPlan {
    Panels panels;
    int runs;
    int block, blocks, rest; /* inputs of a call, full calls of a piece, inputs left over */
    int64_t panel_size;      /* weights from one full panel to the next */
    rn_dtype type;           /* of the weights */
} FcPlan;

const FcPlan *fc_plan(const Step *step);
rn_dtype fc_weight_type(const Node *node); /* what its weights are packed as: a type that there are kernels for */

/* ---- for algorithms.def ---- */
bool fc_can(const Plan *plan, const Node *node);
void fc_steps(Plan *plan, const Node *node);
void fc_pack(Plan *plan, Step *step);
void fc_describe(const Step *step, Text *text);

#endif
