/* One level of Strassen's multiplication for a 1x1 convolution: pixels, input and output channels are halved, and 7
 * products of half-sized matrices replace 8 (Winograd's variant with 15 additions; N. Higham, "Accuracy and Stability
 * of Numerical Algorithms", 2002, section 23.2.2). Sums of weights are packed; sums of pixels are made for a pair of
 * tiles and serve all panels.
 *
 * Pixels are walked flat, so the input may have no halo. The image is cut into an even number of tiles; where it does
 * not divide, the last begin earlier and store only what is new.
 */
#include "choose.h"
#include "plan.h"
#include "strassen.h"

bool strassen_possible(const Plan *plan, const Node *n) {
    if (n->op != OP_CONV || n->nin != 1 || n->term[0].groups != 1 || n->epilogue.pool != POOL_NONE) return false;
    const Window *w = &n->term[0].window;
    const Epilogue *e = &n->epilogue;
    if (w->r * w->s != 1 || w->stride_h != 1 || w->stride_w != 1 || w->top || w->left || w->bottom || w->right)
        return false;
    if (e->addend && (e->addend_stride != 1 || e->addend_partial)) return false;
    const Shape in = n->in[0]->shape;
    if (!choose_fits_int(in) || !choose_fits_int(n->out->shape)) return false;
    return in.c % 32 == 0 && in.c >= 128 && n->features % 128 == 0 && in.h * in.w >= 2 &&
           !plan->values[plan->values[n->in[0]->id].root->id].windowed;
}

StrassenPlan *plan_strassen(Plan *plan, const Node *n, int tile) {
    StrassenPlan *s = arena_alloc(plan->arena, sizeof *s);
    const Shape in = n->in[0]->shape;
    s->pixels = in.h * in.w;
    s->tile = tile;
    s->pairs = (s->pixels + 2 * tile - 1) / (2 * tile);
    s->depth = in.c / 2;
    s->panels = n->features / 2 / RN_STRASSEN_PANEL;
    s->sum_pixel = s->depth + 16;
    s->sum_size = tile * s->sum_pixel + 16;
    s->product_size = tile * RN_STRASSEN_PANEL + 16;
    return s;
}
