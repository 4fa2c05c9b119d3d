/* Steps whose plan is their operands alone: passes over activations, copies, and the input's and outputs' conversions.
 */
#ifndef RNC_PLAN_PLAIN_H
#define RNC_PLAN_PLAIN_H

#include "plan.h"

void input_step(Plan *plan);
void output_steps(Plan *plan, const Value *value); /* one for each output that the value is */

/* Channels of each group, in and out, where a vector holds whole groups of a convolution of one term (1: depthwise);
 * else 0. */
int grouped_channels(const Node *node);

/* A response norm's sums of squares: bands of rows, whatever the number of parts, and for each of these floats. */
int response_bands(const Node *node);
int response_stride(const Node *node);

/* ---- for algorithms.def ---- */
bool alias_can(const Plan *plan, const Node *node);
void alias_steps(Plan *plan, const Node *node);
bool copy_can(const Plan *plan, const Node *node);
void copy_steps(Plan *plan, const Node *node);
bool depthwise_can(const Plan *plan, const Node *node);
bool grouped_can(const Plan *plan, const Node *node);
void grouped_pack(Plan *plan, Step *step);
bool map_can(const Plan *plan, const Node *node);
void map_pack(Plan *plan, Step *step);
void affine_pack(Plan *plan, Step *step); /* the layer's own factor and summand of each channel */
bool pool_can(const Plan *plan, const Node *node);
bool lrn_can(const Plan *plan, const Node *node);
bool layernorm_can(const Plan *plan, const Node *node);
bool quantize_can(const Plan *plan, const Node *node);
bool spp_can(const Plan *plan, const Node *node);
bool pad_can(const Plan *plan, const Node *node);
bool softmax_can(const Plan *plan, const Node *node);
bool interleave_can(const Plan *plan, const Node *node);
bool groupnorm_can(const Plan *plan, const Node *node);
bool responsenorm_can(const Plan *plan, const Node *node);
void responsenorm_steps(Plan *plan, const Node *node); /* two: the sums, which all parts need; the result */
bool resize_can(const Plan *plan, const Node *node);
bool slice_can(const Plan *plan, const Node *node);
bool shuffle_can(const Plan *plan, const Node *node);
bool phases_can(const Plan *plan, const Node *node);
bool upsample_can(const Plan *plan, const Node *node);
void plain_steps(Plan *plan, const Node *node); /* one step: inputs, addend, result */

#endif
