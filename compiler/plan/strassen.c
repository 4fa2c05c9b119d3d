/* One level of Strassen's multiplication for 1x1 convolutions: pixels, input and output channels are halved, and 7
 * products of half-sized matrices replace 8 (Winograd's variant with 15 additions; N. Higham, "Accuracy and Stability
 * of Numerical Algorithms", 2002, section 23.2.2). Sums of weights are packed; sums of pixels are made for a pair of
 * tiles and serve all panels. The products are linear: those of further terms add up in the first's.
 *
 * Pixels are counted through the rows. The image is cut into an even number of tiles; where it does not divide, the
 * last begin earlier and store only what is new.
 */
#include "strassen.h"

#include "gemm.h"
#include "graph/ops.h"
#include "step.h"
#include "weights.h"

static bool term_possible(const Node *n, int i) {
    const Window *w = &n->term[i].window;
    const Shape in = n->in[i]->shape;
    return n->term[i].groups == 1 && w->r * w->s == 1 && !w->top && !w->left && !w->bottom && !w->right &&
           in.c % 32 == 0 && in.c >= 128 && machine_fits_int(in);
}

bool strassen_may_be(const Node *n) {
    const Epilogue *e = &n->epilogue;
    if (n->op != OP_CONV || e->pool != POOL_NONE || n->features % 128) return false;
    if (e->addend && (e->addend_stride != 1 || e->addend_partial)) return false;
    for (int i = 0; i < n->nin; i++)
        if (!term_possible(n, i)) return false;
    const Shape out = n->out->shape;
    return machine_fits_int(out) && out.h * out.w >= 2;
}

bool strassen_is_flat(const Plan *plan, const Node *n, int i) {
    const Window *w = &n->term[i].window;
    return w->stride_h == 1 && w->stride_w == 1 && !plan->values[plan->values[n->in[i]->id].root->id].windowed;
}

int64_t strassen_term_bytes(const Node *node, int term) {
    const int *dim = node->term[term].weight->dim;
    return (int64_t)STRASSEN_PRODUCTS * (dim[0] / 2) * (dim[1] / 2) * (int64_t)sizeof(float);
}

const StrassenPlan *strassen_plan(const Step *step) {
    if (step->algorithm != ALG_STRASSEN) bug("%s is not by Strassen's method", step->name);
    return step->detail;
}

static StrassenPlan *make_plan(Plan *plan, const Node *n, int tile) {
    StrassenPlan *s = arena_alloc(plan->arena, sizeof *s);
    s->pixels = n->out->shape.h * n->out->shape.w;
    s->tile = tile;
    s->pairs = divide_up(s->pixels, 2 * tile);
    s->panel = plan->options.machine->panel;
    s->panels = n->features / 2 / s->panel;
    s->product_size = tile * s->panel + VECTOR;
    for (int i = 0; i < n->nin; i++) {
        StrassenTerm *t = &s->term[i];
        t->depth = n->in[i]->shape.c / 2;
        t->flat = strassen_is_flat(plan, n, i);
        t->sums = s->products;
        t->sum_pixel = t->depth + VECTOR;
        t->sum_size = tile * t->sum_pixel + VECTOR;
        s->products += (t->flat ? STRASSEN_SUMS : STRASSEN_OPERANDS) * t->sum_size;
    }
    return s;
}

void strassen_steps(Plan *plan, const Node *n) {
    Step *s = step_add(plan, ALG_STRASSEN, n, n->out);
    const StrassenPlan *p = make_plan(plan, n, plan->choices[n->id].block);
    s->detail = p;
    s->macs = node_cost(n);
    for (int i = 0; i < n->nin; i++)
        s->multiplications += (int64_t)STRASSEN_PRODUCTS * p->pairs * p->tile * p->term[i].depth * (n->features / 2);
    s->scratch = (int64_t)sizeof(float) * (p->products + (int64_t)STRASSEN_PRODUCT_BUFFERS * p->product_size);
    const Gemm product = {.m = p->panel, .n = p->tile, .k = p->term[0].depth, .columns = p->pairs * p->tile};
    s->woven = gemm_is_woven(plan->options.machine, &product);
    step_reads_inputs(plan, s);
    step_reads_addend(plan, s);
    step_writes_result(plan, s);
}

void strassen_pack(Plan *plan, Step *s) {
    const StrassenPlan *p = strassen_plan(s);
    weights_of_epilogue(plan, s);
    for (int i = 0; i < s->nin; i++) {
        const Tensor *w = s->term[i].weight;
        const int32_t dim[4] = {w->dim[0], w->dim[1], w->dim[2], w->dim[3]}, integer[4] = {p->panel};
        weights_pack(plan, s, (Role)(OPERAND_W + i), RN_PACK_STRASSEN, RN_F32, weights_tensor(plan, w), dim, integer);
    }
}

void strassen_describe(const Step *s, Text *text) {
    const StrassenPlan *p = strassen_plan(s);
    text_printf(text, " %d pairs of tiles of %d pixels, %d panels", p->pairs, p->tile, p->panels);
}
