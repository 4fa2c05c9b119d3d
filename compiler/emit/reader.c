#include "reader.h"

#include "describe.h"
#include "graph/act.h"
#include "graph/ops.h"
#include "plan/training.h"

void reader_image(const Emit *e, const Reader *r, int depth, Text *body) {
    for (int i = 0; i < r->count; i++)
        if (!r->entry[i].node)
            line(body, depth, "const float *x%d = a->x[%d] + (size_t)n * %lld;", i, r->entry[i].x,
                 (long long)plan_value(e->plan, r->entry[i].value)->apart);
}

static void affine_channels(const Emit *e, const Node *node, int i, int p, int depth, Text *body) {
    AffineParts parts;
    affine_parts(node, &parts);
    if (parts.var) {
        line(body, depth, "const V scale%d = div_(load(a->p[%d] + c), sqrt_(add(load(a->p[%d] + c), set1(%s))));", i, p,
             p + 1, float_c(e->arena, parts.eps));
        p++;
    } else
        line(body, depth, "const V scale%d = load(a->p[%d] + c);", i, p);
    if (parts.mean)
        line(body, depth, "const V shift%d = sub(load(a->p[%d] + c), mul(load(a->p[%d] + c), scale%d));", i, p + 1,
             p + 2, i);
    else if (parts.bias)
        line(body, depth, "const V shift%d = load(a->p[%d] + c);", i, p + 1);
}

/* Statistics, weights and gradients as the expression wants them; their names end in the entry's number. */
void reader_channels(const Emit *e, const Reader *r, int depth, Text *body) {
    for (int i = 0; i < r->count; i++) {
        const Node *node = r->entry[i].node;
        const int p = r->entry[i].p;
        if (!node) continue;
        const int row = round_up(node->out->shape.c, VECTOR);
        if (node->op == OP_NORMALISE) {
            line(body, depth, "const V mean%d = load(a->p[%d] + c), shift%d = load(a->p[%d] + c);", i, p, i, p + 2);
            line(body, depth, "const V scale%d = mul(load(a->p[%d] + c), load(a->p[%d] + (%d + c)));", i, p + 1, p,
                 3 * row);
        } else if (node->op == OP_AFFINE) {
            affine_channels(e, node, i, p, depth, body);
        } else if (node->op == OP_BN_GRADIENT) {
            line(body, depth, "const V mean%d = load(a->p[%d] + c), sum%d = load(a->p[%d] + (%d + c));", i, p, i, p + 1,
                 2 * row);
            line(body, depth, "const V scale%d = mul(load(a->p[%d] + c), load(a->p[%d] + (%d + c)));", i, p + 2, p,
                 3 * row);
            line(body, depth, "const V product%d = load(a->p[%d] + (%d + c));", i, p + 1, 3 * row);
        } else if (node->weight[WEIGHT]) {
            line(body, depth, "const V slope%d = load(a->p[%d] + c);", i, p);
        }
    }
}

/* dy times the derivative of an activation. */
static const char *gate(const Emit *e, const Node *node, const char *dy, const char *v, int i) {
    switch (node->attr.act) {
    case ACT_RELU:
        return arena_printf(e->arena, "where_less(zero(), %s, %s, zero())", v, dy);
    case ACT_RELU6:
        return arena_printf(e->arena, "where_less(zero(), %s, where_less(%s, set1(6.0f), %s, zero()), zero())", v, v,
                            dy);
    case ACT_LEAKYRELU:
        return arena_printf(e->arena, "where_less(zero(), %s, %s, mul(%s, set1(%s)))", v, dy, dy,
                            float_c(e->arena, node->attr.slope));
    case ACT_PRELU:
        return arena_printf(e->arena, "where_less(zero(), %s, %s, mul(%s, slope%d))", v, dy, dy, i);
    case ACT_SIGMOID:
        return arena_printf(e->arena, "mul(%s, mul(%s, sub(set1(1.0f), %s)))", dy, v, v);
    case ACT_TANH:
        return arena_printf(e->arena, "mul(%s, sub(set1(1.0f), mul(%s, %s)))", dy, v, v);
    case ACT_SWISH:
        return arena_printf(e->arena, "mul(%s, mul(sigmoid(%s), fma_(%s, sub(set1(1.0f), sigmoid(%s)), set1(1.0f))))",
                            dy, v, v, v);
    case ACT_CLIP:
        return arena_printf(e->arena, "where_less(set1(%s), %s, where_less(%s, set1(%s), %s, zero()), zero())",
                            float_c(e->arena, node->attr.low), v, v, float_c(e->arena, node->attr.high), dy);
    default: /* a function of batch.h in c/ */
        return arena_printf(e->arena, "mul(%s, %s)", dy,
                            emit_act(e, node->attr.act, "_slope", v, gate_numbers(node), NULL));
    }
}

static const char *expression(const Emit *e, const Reader *r, int i) {
    const Read *read = &r->entry[i];
    const Node *node = read->node;
    const char *a = arena_printf(e->arena, "v%d", read->arg[0]), *b = arena_printf(e->arena, "v%d", read->arg[1]);
    switch (node->op) {
    case OP_AFFINE: {
        AffineParts parts;
        affine_parts(node, &parts);
        return arena_printf(e->arena, parts.bias ? "fma_(%s, scale%d, shift%d)" : "mul(%s, scale%d)", a, i, i);
    }
    case OP_NORMALISE:
        return arena_printf(e->arena, "fma_(sub(%s, mean%d), scale%d, shift%d)", a, i, i, i);
    case OP_BN_GRADIENT:
        return arena_printf(e->arena, "mul(scale%d, sub(sub(%s, sum%d), mul(sub(%s, mean%d), product%d)))", i, a, i, b,
                            i, i);
    case OP_GATE:
        return gate(e, node, a, b, i);
    case OP_ADD:
        return arena_printf(e->arena, "add(%s, %s)", a, b);
    case OP_MUL:
        return arena_printf(e->arena, "mul(%s, %s)", a, b);
    default:
        return emit_act(e, node_act(node), "", a, node_act_numbers(node), arena_printf(e->arena, "slope%d", i));
    }
}

void reader_load(const Emit *e, const Reader *r, const char *at, int depth, Text *body) {
    for (int i = 0; i < r->count; i++)
        if (r->entry[i].node)
            line(body, depth, "const V v%d = %s;", i, expression(e, r, i));
        else
            line(body, depth, "const V v%d = load(x%d + (%s));", i, i, at);
}

const char *reader_value(const Emit *e, const Reader *r, int root) {
    return arena_printf(e->arena, "v%d", r->root[root]);
}

const char *reader_name(const Emit *e, const Reader *r) {
    const char *name = "";
    for (int i = 0; i < r->count; i++) {
        const Node *node = r->entry[i].node;
        if (!node) continue;
        const char *word = op_info(node->op)->word;
        if (node->op == OP_GATE) word = arena_printf(e->arena, "gate_%s", act_info(node->attr.act)->word);
        name = arena_printf(e->arena, "%s_%s", name, *word == '.' ? word + 1 : word);
    }
    return name;
}
