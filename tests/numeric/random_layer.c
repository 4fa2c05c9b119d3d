#include "random_layer.h"

#include <limits.h>
#include <stdio.h>

#include "../random_graph.h"

void suite_random_layer(void);
void suite_random_layer(void) {} /* a helper of the other suites */

enum { MOST_STEPS = 4 };
typedef struct Limits {
    int channels, side, floats; /* of a value */
    double products, weights;   /* of a layer */
} Limits;

static const Limits small = {300, 120, 60000, 2e7, 1e6}, large = {5000, 1000, 50000000, 1e13, 4e8};

typedef struct Layers {
    const Limits *most;
    Choices *choices;
    Random random; /* for what is no choice: slopes */
    Value *x;
} Layers;

/* ---- choices ---- */

static int choose(Choices *c, int count) {
    if (c->count >= CHOICES_MOST) return 0;
    Random random = {.state = c->state};
    int value = random_int(&random, 0, count - 1);
    c->state = random.state;
    if (c->given >= 0) value = c->count >= c->given ? 0 : c->value[c->count] < count ? c->value[c->count] : count - 1;
    c->value[c->count++] = value;
    return value;
}

static int pick(Layers *l, int count) {
    return choose(l->choices, count);
}

static bool chance(Layers *l, int percent) {
    return pick(l, 100) >= 100 - percent;
}

/* Around borders of vectors and panels, few, any. */
static int channels(Layers *l) {
    switch (pick(l, 4)) {
    case 0:
        return 1 + pick(l, 12);
    case 1:
        return 15 + 16 * pick(l, l->most->channels / 16) + pick(l, 3);
    default:
        return 1 + pick(l, l->most->channels);
    }
}

/* ---- layers ---- */

static int least(int a, int b) {
    return a < b ? a : b;
}

/* Whether the layer's rule accepts it, asked of a copy with a result of its own, and that is no larger than `most`. */
static bool fits(const Node *node, int64_t most) {
    Text messages = {0};
    Diag diag = {.capture = &messages};
    Value out = {.name = "trial"};
    Node trial = *node;
    trial.out = &out;
    trial.name = "trial";
    const bool yes = op_info(node->op)->infer(&trial, &diag) && shape_size(out.shape) <= most;
    text_free(&messages);
    return yes;
}

static bool accepted(const Layers *l, const Node *node) {
    return fits(node, 4 * (int64_t)l->most->floats);
}

static int gap(Layers *l) { /* a stride or dilation */
    const int kind = pick(l, 10);
    return kind < 6 ? 1 : kind < 8 ? 2 : 1 + pick(l, 4);
}

static Window window(Layers *l, bool pool) {
    Window w = {.r = 1, .s = 1, .stride_h = 1, .stride_w = 1, .dilate_h = 1, .dilate_w = 1};
    switch (pick(l, 4)) {
    case 0:
        w.r = w.s = pool ? 2 : 1;
        break;
    case 1:
        w.r = w.s = 3;
        break;
    case 2:
        w.r = w.s = 1 + pick(l, 7);
        break;
    default:
        w.r = 1 + pick(l, 7), w.s = 1 + pick(l, 7);
    }
    w.stride_h = w.stride_w = gap(l);
    if (chance(l, 20)) w.stride_w = gap(l);
    if (pool && chance(l, 40)) w.stride_h = w.r, w.stride_w = w.s;
    if (chance(l, 20)) w.dilate_h = gap(l), w.dilate_w = gap(l);
    switch (pick(l, 4)) {
    case 0:
        break;
    case 1:
        w.top = (w.r - 1) * w.dilate_h, w.left = (w.s - 1) * w.dilate_w;
        w.bottom = w.top - w.top / 2, w.right = w.left - w.left / 2, w.top /= 2, w.left /= 2;
        break;
    case 2:
        w.top = w.left = w.bottom = w.right = pick(l, 4);
        break;
    default:
        w.top = pick(l, 5), w.left = pick(l, 5), w.bottom = pick(l, 5), w.right = pick(l, 5);
    }
    if (pool) w.ceil = chance(l, 35);
    return w;
}

/* Until the rule takes it: no dilation, no padding, no more than the image, one pixel. */
static void make_fit(const Layers *l, Node *node, Window *w) {
    const Shape in = node->in[0]->shape;
    if (accepted(l, node)) return;
    w->dilate_h = w->dilate_w = 1;
    if (accepted(l, node)) return;
    w->r = least(w->r, in.h), w->s = least(w->s, in.w);
    if (accepted(l, node)) return;
    w->top = w->bottom = least(w->top, w->r / 2), w->left = w->right = least(w->left, w->s / 2);
    if (accepted(l, node)) return;
    w->top = w->left = w->bottom = w->right = 0;
    if (accepted(l, node)) return;
    w->r = w->s = 1;
}

static int divisor(int n, int at) { /* the at-th divisor from 1 on, of as many as there are */
    int count = 0, found[64];
    for (int d = 1; d <= n; d++)
        if (n % d == 0 && count < 64) found[count++] = d;
    return found[at % count];
}

static Value *conv_of(Layers *l, Value *x, int features, int groups, Window w) {
    Random *r = &l->random;
    Node *node = random_node(r, OP_CONV, &x, 1);
    const int size = (int)(2.0 * l->most->floats / x->shape.h / x->shape.w) / groups * groups;
    if (features > size) features = size > groups ? size : groups;
    node->features = features;
    node->term[0].groups = groups;
    node->term[0].window = w;
    if (w.r * w.s > 1 || w.stride_h * w.stride_w > 1 || w.top || w.left) make_fit(l, node, &node->term[0].window);
    const Window *fit = &node->term[0].window;
    double products = (double)shape_size(x->shape) / x->shape.c * (x->shape.c / groups) * fit->r * fit->s;
    products /= fit->stride_h * fit->stride_w;
    const double weights = (double)(x->shape.c / groups) * fit->r * fit->s;
    const int most = (int)fmin(l->most->products / products, l->most->weights / weights) / groups * groups;
    if (features > most) node->features = most > groups ? most : groups;
    if (!fits(node, INT_MAX)) bug("a random convolution does not fit"); /* the generator's own mistake */
    build_params(r->graph, node, pick(l, 2));
    return random_done(node);
}

static Value *conv(Layers *l, Value *x) {
    const int c = x->shape.c;
    int groups = 1, features = channels(l);
    const int kind = pick(l, 10);
    if (kind == 6 || kind == 7) groups = divisor(c, pick(l, 16));
    if (kind == 8) groups = c, features = c;
    if (kind == 9) groups = c, features = c * (1 + pick(l, 3));
    if (groups > 1 && groups < c) /* of a group: one, a few, any number */
        features = groups * (1 + pick(l, pick(l, 3) < 2 ? 3 : divide_up(l->most->channels, groups)));
    if (features % groups) features = round_up(features, groups);
    return conv_of(l, x, features, groups, window(l, false));
}

/* A transposed one, where its result is not too large. */
static Value *transposed(Layers *l, Value *x) {
    Node *node = random_node(&l->random, OP_CONVTRANSPOSE, &x, 1);
    Term *term = &node->term[0];
    node->features = least(channels(l), 64);
    if (chance(l, 20)) term->groups = divisor(x->shape.c, pick(l, 16));
    if (node->features % term->groups) node->features = round_up(node->features, term->groups);
    term->window = window(l, false);
    term->window.dilate_h = term->window.dilate_w = 1;
    if (pick(l, 2)) term->window.stride_h = term->window.stride_w = 2;
    node->attr.extra_rows = pick(l, term->window.stride_h), node->attr.extra_columns = pick(l, term->window.stride_w);
    if (!accepted(l, node)) term->window = (Window){1, 1, 1, 1, 1, 1, 0, 0, 0, 0, false};
    if (!accepted(l, node)) node->attr.extra_rows = node->attr.extra_columns = 0;
    if (node_cost(node) > l->most->products ||
        (double)node->features * x->shape.c * term->window.r * term->window.s > l->most->weights)
        node->features = term->groups;
    build_params(l->random.graph, node, pick(l, 2));
    return random_done(node);
}

/* Any kernel, whose result is as large as the image. */
static Value *same_conv(Layers *l, Value *x, int features) {
    Window w = {.r = 1, .s = 1, .stride_h = 1, .stride_w = 1, .dilate_h = 1, .dilate_w = 1};
    const int kind = pick(l, 4);
    if (kind) w.r = w.s = 3;
    if (kind == 3) w.r = 1 + pick(l, 7), w.s = 1 + pick(l, 7), w.dilate_h = w.dilate_w = 1 + chance(l, 20);
    w.top = (w.r - 1) * w.dilate_h / 2, w.bottom = (w.r - 1) * w.dilate_h - w.top;
    w.left = (w.s - 1) * w.dilate_w / 2, w.right = (w.s - 1) * w.dilate_w - w.left;
    int groups = 1;
    if (chance(l, 20)) groups = divisor(x->shape.c, pick(l, 16));
    if (features % groups) groups = 1;
    return conv_of(l, x, features, groups, w);
}

static Value *norm(Layers *l, Value *x) {
    static const Op norms[] = {OP_BN, OP_SCALE, OP_LAYERNORM, OP_GROUPNORM, OP_RESPONSENORM};
    const int kind = chance(l, 18) ? 3 + pick(l, 3) : pick(l, 3);
    return kind == 0 ? x : random_unary(&l->random, norms[kind - 1], x);
}

static Value *activation(Layers *l, Value *x) {
    Op acts[OP_COUNT];
    const int kind = pick(l, 3 + activation_ops(acts));
    return kind < 2 ? x : random_unary(&l->random, kind < 4 ? OP_RELU : acts[kind - 3], x);
}

static Value *pool(Layers *l, Value *x, Op op, Window w) {
    Node *node = random_node(&l->random, op, &x, 1);
    node->attr.window = w;
    node->attr.count_include_pad = op == OP_AVGPOOL && pick(l, 2);
    make_fit(l, node, &node->attr.window);
    return random_done(node);
}

static Value *any_pool(Layers *l, Value *x) {
    const Op op = pick(l, 2) ? OP_AVGPOOL : OP_MAXPOOL;
    return chance(l, 20) ? random_unary(&l->random, op, x) : pool(l, x, op, window(l, true));
}

static Value *fc(Layers *l, Value *x) {
    const int most = (int)(l->most->weights / (double)shape_size(x->shape)), features = channels(l);
    Node *node = random_node(&l->random, OP_FC, &x, 1);
    node->features = features < most ? features : most > 1 ? most : 1;
    build_params(l->random.graph, node, pick(l, 2));
    return random_done(node);
}

/* Pools that may join the layer before them. */
static Value *pooled(Layers *l, Value *x) {
    Window w = {3, 3, 2, 2, 1, 1, 1, 1, 1, 1, false};
    switch (pick(l, 5)) {
    case 0:
        return random_unary(&l->random, pick(l, 3) ? OP_AVGPOOL : OP_MAXPOOL, x);
    case 1: /* overlapping */
        return pool(l, x, OP_MAXPOOL, pick(l, 2) ? window(l, true) : w);
    case 2: /* as large as the image */
        w = (Window){x->shape.h, x->shape.w, 1, 1, 1, 1, 0, 0, 0, 0, false};
        return pool(l, x, OP_AVGPOOL, w);
    default: /* side by side */
        w = (Window){.r = 1 + pick(l, 4), .s = 1 + pick(l, 4), .dilate_h = 1, .dilate_w = 1, .ceil = pick(l, 2)};
        w.stride_h = w.r, w.stride_w = w.s;
        return pool(l, x, OP_MAXPOOL, w);
    }
}

static Value *layer(Layers *l, Value *x) {
    x = activation(l, norm(l, chance(l, 5) ? transposed(l, x) : conv(l, x)));
    return chance(l, 25) ? pooled(l, x) : x;
}

/* Zero-filled where the shapes differ. */
static int larger(int a, int b) {
    return a > b ? a : b;
}

/* Of values of any sizes, if their common one is not too large: then the first. */
static Value *sum(Layers *l, Value *a, Value *b) {
    const double floats =
        (double)larger(a->shape.c, b->shape.c) * larger(a->shape.h, b->shape.h) * larger(a->shape.w, b->shape.w);
    if (floats > (double)l->most->floats && !shape_equal(a->shape, b->shape)) return a;
    return random_binary(&l->random, OP_ADD, a, b, !shape_equal(a->shape, b->shape));
}

/* A sum of a body and the value before it, in one of the ways that blocks have. */
static Value *residual(Layers *l, Value *x) {
    Value *body = x, *side = x;
    if (pick(l, 2)) body = activation(l, norm(l, conv(l, body)));
    switch (pick(l, 5)) {
    case 0: /* identity */
        body = norm(l, same_conv(l, body, x->shape.c));
        break;
    case 1: /* projected, each with a window of its own: any sizes, zero-filled where they differ */
        body = norm(l, conv(l, body));
        side = norm(l, conv_of(l, x, body->shape.c, 1, window(l, false)));
        break;
    case 2: { /* projected at a stride, both as large */
        const int at = gap(l), features = channels(l);
        const int kernel[2] = {1 + 2 * pick(l, 3), 1 + 2 * (pick(l, 3) == 2)};
        Window w[2];
        for (int i = 0; i < 2; i++)
            w[i] = (Window){kernel[i],     kernel[i],     at,   at, 1, 1, kernel[i] / 2, kernel[i] / 2,
                            kernel[i] / 2, kernel[i] / 2, false};
        side = norm(l, conv_of(l, x, features, 1, w[1]));
        if (pick(l, 2)) body = activation(l, norm(l, same_conv(l, x, channels(l))));
        body = norm(l, conv_of(l, body, side->shape.c, 1, w[0]));
        break;
    }
    case 3: { /* subsampled, with fewer channels or more */
        const int stride = 1 + pick(l, 3);
        Window w = {1, 1, stride, stride, 1, 1, 0, 0, 0, 0, false};
        side = stride > 1 ? pool(l, x, pick(l, 4) ? OP_MAXPOOL : OP_AVGPOOL, w) : x;
        w.r = w.s = 3, w.top = w.left = w.bottom = w.right = 1;
        body = norm(l, conv_of(l, x, channels(l), 1, w));
        break;
    }
    default: /* several branches that may become one kernel */
        body = norm(l, same_conv(l, x, x->shape.c));
        side = norm(l, same_conv(l, x, x->shape.c));
        if (pick(l, 2)) side = sum(l, side, norm(l, x));
    }
    x = activation(l, pick(l, 2) ? sum(l, side, body) : sum(l, body, side));
    return chance(l, 15) ? pooled(l, x) : x;
}

static Value *branches(Layers *l, Value *x) {
    Value *branch[4];
    const int count = 2 + pick(l, 3);
    for (int i = 0; i < count; i++) {
        static const Window three = {3, 3, 1, 1, 1, 1, 1, 1, 1, 1, false};
        const int kind = pick(l, 5);
        branch[i] = kind == 0   ? x
                    : kind == 1 ? pool(l, x, pick(l, 2) ? OP_AVGPOOL : OP_MAXPOOL, three)
                                : activation(l, norm(l, same_conv(l, x, least(channels(l), 100))));
    }
    for (int i = 0; i < count; i++) /* limited in size */
        if (branch[i]->shape.h != x->shape.h || branch[i]->shape.w != x->shape.w) branch[i] = x;
    return random_concat(&l->random, branch, count);
}

static Value *gate(Layers *l, Value *x) {
    Random *r = &l->random;
    static const Window one = {1, 1, 1, 1, 1, 1, 0, 0, 0, 0, false};
    Value *g = x;
    if (x->shape.c > l->most->channels) return layer(l, x);
    if (pick(l, 4)) {
        g = random_unary(r, OP_AVGPOOL, x);
        if (pick(l, 2)) g = activation(l, fc(l, g));
        g = pick(l, 2) ? random_fc(r, g, x->shape.c) : conv_of(l, g, x->shape.c, 1, one);
    } else
        g = same_conv(l, x, x->shape.c);
    if (!shape_equal(g->shape, x->shape) && g->shape.c != x->shape.c) return g; /* bounded by its products */
    return random_binary(r, OP_MUL, x, random_unary(r, OP_SIGMOID, g), false);
}

static Value *other(Layers *l, Value *x) {
    static const Op plain[] = {OP_IDENTITY, OP_DROPOUT, OP_FLATTEN, OP_SOFTMAX, OP_BN, OP_SCALE};
    Random *r = &l->random;
    const int kind = pick(l, 15);
    if (kind == 12) return random_beside(r, x);
    if (kind < 6) return random_unary(r, plain[kind], x);
    if (kind == 13) return random_unary(r, OP_QUANTIZE, x);
    if (kind == 14) {
        Node *node = random_node(r, OP_SOFTMAX, &x, 1);
        random_softmax_kind(node, 1 + pick(l, 3));
        return random_done(node);
    }
    if (kind == 6) return activation(l, x);
    if (kind == 7) return sum(l, x, l->random.graph->input);
    Node trial = {.in = &x, .nin = 1};
    Attr *attr = &trial.attr;
    if (kind == 8) {
        trial.op = OP_LRN;
        attr->size = 1 + pick(l, 9);
        attr->alpha = 0.01 * (1 + pick(l, 50)), attr->beta = 0.25 * (1 + pick(l, 5)), attr->k = 1 + pick(l, 3);
    } else if (kind == 9) {
        trial.op = OP_SPP;
        attr->levels.count = 1 + pick(l, 3);
        for (int i = 0; i < attr->levels.count; i++) attr->levels.item[i] = 1 + pick(l, 5);
    } else if (kind == 10) {
        trial.op = OP_PAD;
        attr->window.top = pick(l, 4), attr->window.left = pick(l, 4);
        attr->window.bottom = pick(l, 4), attr->window.right = pick(l, 4);
        attr->channels = pick(l, 3) * pick(l, 20);
        const int pads = pick(l, 5);
        if (pads == 4)
            attr->value = 0.5 * pick(l, 9) - 2;
        else if (pads)
            attr->channels = 0, random_pad_kind(&trial, pads % 3);
    } else {
        trial.op = OP_UPSAMPLE;
        attr->factor = 1 + pick(l, 4);
    }
    if (!accepted(l, &trial)) return random_unary(r, OP_IDENTITY, x); /* too large */
    Node *node = random_node(r, trial.op, &x, 1);
    node->attr = *attr;
    return random_done(node);
}

/* To a size, or as often both as feature pyramids have it: by a factor, another layer after it. */
static Value *resized(Layers *l, Value *x) {
    Node *node = random_node(&l->random, OP_RESIZE, &x, 1);
    Attr *attr = &node->attr;
    const int factor = 1 + pick(l, 4);
    attr->height = factor * x->shape.h, attr->width = factor * x->shape.w;
    if (pick(l, 2)) attr->height = 1 + pick(l, 3 * x->shape.h), attr->width = 1 + pick(l, 3 * x->shape.w);
    attr->bilinear = pick(l, 4);
    attr->align_corners = chance(l, 30);
    attr->asymmetric = !attr->align_corners && pick(l, 2);
    if (!accepted(l, node)) attr->height = x->shape.h, attr->width = x->shape.w;
    random_done(node);
    switch (pick(l, 3)) {
    case 0:
        return node->out;
    case 1:
        return activation(l, norm(l, node->out));
    default:
        return activation(l, norm(l, same_conv(l, node->out, least(channels(l), 64))));
    }
}

static Value *moved(Layers *l, Value *x) {
    return random_moved(&l->random, x, false);
}

static Value *step(Layers *l, Value *x) {
    const int kind = pick(l, 100);
    if (kind < 35) return layer(l, x);
    if (kind < 41) return pick(l, 3) ? moved(l, x) : activation(l, moved(l, moved(l, x)));
    if (kind < 45) return resized(l, x);
    if (kind < 67) return residual(l, x);
    if (kind < 72) return any_pool(l, x);
    if (kind < 80) return branches(l, x);
    if (kind < 84) return gate(l, x);
    if (kind < 87) return activation(l, norm(l, fc(l, x)));
    return other(l, x);
}

/* ---- how it is compiled ---- */

static const char *passes(Layers *l) {
    const char *list = "";
    if (chance(l, 15)) list = "store-bf16";
    if (!chance(l, 20)) return *list ? list : NULL;
    const PassId id = (PassId)pick(l, PASS_COUNT);
    if (pass_level(id) < 0 || id == PASS_store_bf16) return *list ? list : NULL;
    return arena_printf(l->random.arena, "%s%sno-%s", list, *list ? "," : "", pass_name(id));
}

static Variant variant(Layers *l, int isa) {
    Variant v = {.name = "layer", .threads = 1, .batch = 1};
    v.level = least(pick(l, 5), 2);
    v.isa = pick(l, 2) ? 3 : 4;
    if (isa >= 0) v.isa = isa;
    v.kernels = chance(l, 15) ? KERNELS_STATIC : KERNELS_JIT;
    if (chance(l, 10)) v.kernels = KERNELS_C, v.isa = 0;
    v.pass = passes(l);
    if (chance(l, 40)) v.threads = 1 + pick(l, 4);
    if (chance(l, 30)) v.batch = 1 + pick(l, 5);
    if (v.batch > 1) v.last_layers = pick(l, 6);
    const int way = pick(l, 10); /* direct sums, any tiles and blocks, the plan's own choice */
    if (way >= 4 && way < 8) v.winograd = 1 + pick(l, 10000);
    if (way >= 8) v.winograd = -1;
    /* the last two: memory so slow that all is woven that can be, and an L2 that holds next to nothing */
    static const char *const machines[] = {NULL, "emeraldrapids", "znver4", "generic,fetching=woven,streams=4,dram=0.1",
                                           "emeraldrapids,dram=0.1,l2_size=16K"};
    if (v.isa) v.machine = machines[pick(l, 5)];
    return v;
}

static Shape image(Layers *l) {
    const int sides[] = {6, 14, 30, l->most->side};
    const int kind = pick(l, 10);
    const int most = sides[kind < 4 ? 0 : kind < 8 ? 1 : kind < 9 ? 2 : 3];
    Shape s = {channels(l), 1 + pick(l, most), 0};
    s.w = chance(l, 70) ? 1 + pick(l, most) : s.h;
    while (shape_size(s) > l->most->floats) s.h = divide_up(s.h, 2), s.w = divide_up(s.w, 2);
    return s;
}

bool random_layer_is_large(uint64_t seed) {
    return seed >= LARGE_LAYERS;
}

Graph *random_layer(Arena *arena, Choices *choices, int isa, Variant *v) {
    Layers layers = {.most = random_layer_is_large(choices->state) ? &large : &small,
                     .choices = choices,
                     .random = {.arena = arena, .graph = graph_new(arena, "layer"), .state = choices->state}};
    Layers *l = &layers;
    Graph *graph = l->random.graph;
    choices->count = 0;
    *v = variant(l, isa);
    graph->input = graph_add_value(graph, "image", image(l));
    Value *x = graph->input, *made[MOST_STEPS];
    const int steps = 1 + (pick(l, 2) ? pick(l, MOST_STEPS) : 0);
    for (int i = 0; i < steps; i++) made[i] = x = step(l, x);
    for (int i = 0; i + 1 < steps; i++)
        if (chance(l, 15) && made[i]->producer && !made[i]->is_output && made[i] != x) graph_add_output(graph, made[i]);
    graph_add_output(graph, x);
    graph->input->channels_last = chance(l, 15);
    for (int i = 0; i < graph->output_count; i++) graph->outputs[i]->channels_last |= chance(l, 15);
    return graph;
}

const char *random_layer_options(Arena *arena, const Variant *v) {
    static const char *const targets[] = {"", "", "", " --target x86-64-v3", " --target x86-64-v4"};
    static const char *const kernels[] = {"", " --kernels=static", " --kernels=c"};
    Text text = {0};
    text_printf(&text, "-O%d%s%s", v->level, targets[v->isa], kernels[v->kernels]);
    if (v->batch > 1) text_printf(&text, " --batch %d", v->batch);
    if (v->threads > 1) text_printf(&text, " --threads %d", v->threads);
    for (const char *p = v->pass; p && *p;) {
        const size_t n = strcspn(p, ",");
        if (!strncmp(p, "store-bf16", n))
            text_puts(&text, " --store bf16");
        else
            text_printf(&text, " -f%.*s", (int)n, p);
        p += n + (p[n] == ',');
    }
    if (!v->winograd) text_puts(&text, " -fno-winograd -fno-strassen");
    if (v->machine) text_printf(&text, " -mtune=%s", v->machine);
    const char *options = arena_strdup(arena, text.s);
    text_free(&text);
    return options;
}
