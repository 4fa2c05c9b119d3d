/* Layouts: which buffer each value lives in (its root), with what pixel stride and halo.
 *
 * A value's root is itself, or the root of: the concat it is placed in (home), the value it only renames (dropout,
 * identity, flatten), the image that it is some channels of (slice), the addend that it accumulates into (in-place). A
 * root's halo is the largest that any reader of any of its values needs.
 */
#include "layout.h"

#include "graph/ops.h"
#include "step.h"
#include "choose.h"

/* The value whose storage `v` shares directly, or NULL; *channel is advanced. */
static const Value *shares_with(const Plan *plan, const Value *v, int *channel) {
    const Node *n = v->producer;
    if (v->home) {
        *channel += v->home_channel;
        return v->home;
    }
    if (!n) return NULL;
    if ((op_info(n->op)->flags & OPF_COPY) && step_is_alias(plan, n)) return n->in[0];
    if (step_is_view(n)) {
        *channel += n->attr.first;
        return n->in[0];
    }
    if (n->epilogue.in_place) return n->epilogue.addend;
    return NULL;
}

static void find_root(const Plan *plan, const Value *v) {
    ValuePlan *p = &plan->values[v->id];
    int channel = 0;
    const Value *root = v;
    for (const Value *next; (next = shares_with(plan, root, &channel)) != NULL;) root = next;
    p->root = root;
    p->channel = channel;
}

static int larger(int a, int b) {
    return a > b ? a : b;
}

/* The halo that reading `in` through a window with output p x q needs. */
static void need_halo(Plan *plan, const Value *in, const Window *w, Shape out) {
    Layout *l = &plan->values[plan->values[in->id].root->id].layout;
    const Shape s = in->shape;
    l->top = larger(l->top, w->top);
    l->left = larger(l->left, w->left);
    l->bottom = larger(l->bottom, (out.h - 1) * w->stride_h + (w->r - 1) * w->dilate_h - w->top - (s.h - 1));
    l->right = larger(l->right, (out.w - 1) * w->stride_w + (w->s - 1) * w->dilate_w - w->left - (s.w - 1));
}

/* Every reader is an fc that flattens an image: then its rows of pixels are one contiguous vector. */
static bool only_fc_reads(const bool *read_by_other, const bool *read_by_fc, const Value *v) {
    return read_by_fc[v->id] && !read_by_other[v->id] && v->shape.h * v->shape.w > 1;
}

void plan_roots(Plan *plan) {
    const Graph *g = plan->graph;
    for (int i = 0; i < g->value_count; i++)
        if (g->values[i]->producer || g->values[i] == g->input) find_root(plan, g->values[i]);
    for (int i = 0; i < g->node_count; i++) {
        const Node *n = g->nodes[i];
        for (int k = 0; n->op == OP_CONV && k < n->nin; k++) {
            const Window *w = &n->term[k].window;
            const bool padded = w->top || w->left || w->bottom || w->right;
            if (w->r * w->s > 1 || padded) plan->values[plan->values[n->in[k]->id].root->id].windowed = true;
        }
    }
}

void plan_layouts(Plan *plan) {
    const Graph *g = plan->graph;
    bool *by_fc = arena_alloc(plan->arena, (size_t)g->value_count),
         *by_other = arena_alloc(plan->arena, (size_t)g->value_count);
    for (int i = 0; i < g->node_count; i++) {
        const Node *n = g->nodes[i];
        const bool alias = (op_info(n->op)->flags & OPF_COPY) && step_is_alias(plan, n);
        Value *reads[NODE_MAX_TERMS + 2];
        const int count = n->nin <= NODE_MAX_TERMS ? node_reads(n, reads) : 0;
        for (int k = 0; k < count; k++)
            if (!alias) (n->op == OP_FC && k == 0 ? by_fc : by_other)[plan->values[reads[k]->id].root->id] = true;
        if (!count) /* a wide concat */
            for (int k = 0; k < n->nin; k++) by_other[plan->values[n->in[k]->id].root->id] = true;
        if (n->op == OP_CONV)
            for (int k = 0; k < n->nin; k++) {
                Shape out = node_walked_shape(n);
                Window window = n->term[k].window;
                const Choice *c = &plan->choices[i];
                if (k == 0) choice_reach(c, &out, &window);
                need_halo(plan, n->in[k], &window, out);
            }
    }
    for (int i = 0; i < g->output_count; i++) by_other[plan->values[g->outputs[i]->id].root->id] = true;
    for (int i = 0; i < g->value_count; i++) {
        const Value *v = g->values[i];
        ValuePlan *p = &plan->values[i];
        p->buffer = -1;
        if (p->root != v) continue;
        const int c = v->shape.c;
        const bool plain = !p->layout.top && !p->layout.left && !p->layout.bottom && !p->layout.right;
        if (plain && only_fc_reads(by_other, by_fc, v))
            p->layout.pixel = c;
        else
            p->layout.pixel = plan_pixel(c);
        p->layout.row = (p->layout.left + v->shape.w + p->layout.right) * p->layout.pixel;
    }
    for (int i = 0; i < g->value_count; i++)
        if (plan->values[i].root) plan->values[i].layout = plan->values[plan->values[i].root->id].layout;
}
