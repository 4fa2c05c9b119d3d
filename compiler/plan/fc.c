/* Fully connected layers: panels of outputs, and the calls that a panel's inputs are divided into. */
#include "fc.h"
#include "core/dtype.h"

#include "conv.h"
#include "graph/ops.h"
#include "step.h"
#include "weights.h"

enum { FC_BLOCK = 512 /* inputs of a call: keeps the prefetchers of both streams busy (kernels.md) */ };

const FcPlan *fc_plan(const Step *step) {
    if (step->algorithm != ALG_FC) bug("%s is not fully connected", step->name);
    return step->detail;
}

bool fc_can(const Plan *plan, const Node *n) {
    (void)plan;
    return n->op == OP_FC;
}

/* Numbers of other types are packed as floats, rounded. */
rn_dtype fc_weight_type(const Node *node) {
    return node->term[0].weight->type == RN_BF16 ? RN_BF16 : RN_F32;
}

void fc_steps(Plan *plan, const Node *n) {
    Step *s = step_add(plan, ALG_FC, n, n->out);
    if (n->nin != 1) bug("%s: an fc of %d terms", n->name, n->nin);
    Value **source = arena_alloc(plan->arena, sizeof *source);
    *source = (Value *)step_source(plan, n->in[0]);
    s->in = source;
    FcPlan *f = arena_alloc(plan->arena, sizeof *f);
    s->detail = f;
    f->panels = panels_of(plan, n->features);
    const Layout *l = &plan_value(plan, *source)->layout;
    const Shape in = (*source)->shape;
    const bool contiguous = in.h * in.w == 1 || (l->pixel == in.c && l->row == in.w * in.c);
    const int run = contiguous ? (int)shape_size(in) : in.c; /* floats in one piece */
    f->block = conv_block(run, FC_BLOCK);
    f->blocks = run / f->block;
    f->rest = run % f->block;
    f->runs = contiguous ? 1 : in.h * in.w;
    f->panel_size = shape_size(in) * f->panels.width;
    f->type = fc_weight_type(n);
    s->macs = s->multiplications = node_cost(n);
    s->images = plan_images(plan, n);
    step_reads_inputs(plan, s);
    step_reads_addend(plan, s);
    step_writes_result(plan, s);
    if (s->images > 1) s->one = step_for_one(plan, s);
}

void fc_pack(Plan *plan, Step *s) {
    const FcPlan *f = fc_plan(s);
    const Tensor *w = s->term[0].weight;
    const Shape in = s->in[0]->shape;
    const int32_t dim[4] = {s->node->features, in.c, in.h, in.w}, integer[4] = {f->panels.width, in.c, 1};
    weights_of_epilogue(plan, s);
    if (w->op == RN_CAST && w->type == f->type) w = w->arg[0]; /* packing in a type rounds to it */
    weights_pack(plan, s, OPERAND_W, RN_PACK_PANELS, f->type, weights_tensor(plan, w), dim, integer);
}

void fc_describe(const Step *s, Text *text) {
    const FcPlan *f = fc_plan(s);
    text_printf(text, " panels %dx%d", f->panels.count, f->panels.width);
    if (f->type != RN_F32) text_printf(text, " of %s", rn_dtype_name(f->type));
}
