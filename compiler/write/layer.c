/* One layer as a statement: its word, arguments and attributes, those that are not the default.
 *
 * The numbers that a block may have as parameters are its slots: features, odd square kernels, strides, dilations,
 * groups, rates. All else is the statement's form. layer_text writes both, and the form alone: so that form, slots and
 * text cannot differ.
 */
#include "inner.h"

#include <ctype.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>
#include <xxhash.h>

#include "graph/attrs.h"
#include "graph/ops.h"
#include "language/words.h"

uint64_t hash_text(const char *text) {
    return XXH3_64bits(text, strlen(text));
}

const char *number_text(Arena *arena, double value) {
    Text text = {0};
    if (value == floor(value) && fabs(value) < 1e15) return arena_printf(arena, "%.0f", value);
    text_real(&text, value);
    const char *result = arena_strndup(arena, text.s, text.size);
    text_free(&text);
    return result;
}

bool node_has_params(const Node *node) {
    ParamSpec spec[NODE_MAX_WEIGHTS];
    return op_info(node->op)->params(node, true, spec) > 0;
}

bool node_is_depthwise(const Node *node) {
    return node->op == OP_CONV && node->term[0].groups > 1 && node->term[0].groups == node->in[0]->shape.c;
}

/* ---- what the language cannot say ---- */
static bool is_dilated(const Window *window) {
    return window->dilate_h != 1 || window->dilate_w != 1;
}

const char *layer_form(const Node *node) {
    const Attr *attr = &node->attr;
    const Window *w = &attr->window;
    const bool pixels = node->op == OP_INTERLEAVE;
    if ((!pixels && node->op != OP_PHASES) || w->stride_h != w->stride_w || w->stride_h > attr_info("factor")->limit)
        return NULL;
    const Shape in = node->in[0]->shape, out = node->out->shape;
    if (pixels && (w->top || w->left || out.h != in.h * w->stride_h || out.w != in.w * w->stride_w)) return NULL;
    if (attr->channels == (pixels ? out : in).c) return pixels ? "depthtospace" : "spacetodepth";
    return attr->channels != 1 ? NULL : pixels ? "pixelshuffle" : "pixelunshuffle";
}

const char *layer_unsayable(const Node *node) {
    const Epilogue *e = &node->epilogue;
    const unsigned flags = op_info(node->op)->flags;
    const bool joins = node->op == OP_ADD || node->op == OP_MUL || node->op == OP_CONCAT;
    if (node->op >= OP_COUNT) return "it is of a training step";
    if (!joins && op_info(node->op)->word[0] == '.' && !layer_form(node)) return "the language has no such layer";
    if (e->addend || e->act != ACT_NONE || e->pool != POOL_NONE || (e->bias && !(flags & OPF_TERMS)))
        return "sums, activations or pools are fused into it; a source has the graph before the passes";
    if (node->nin > 1 && !joins) return "it has several inputs";
    if (node->out->home || node->out->type != RN_F32) return "passes have placed its result";
    if ((flags & OPF_WINDOW) && !node->attr.global && is_dilated(&node->attr.window))
        return "the language has no dilated pools";
    return NULL;
}

/* ---- windows ---- */
typedef enum Padding { PADDING_DEFAULT, PADDING_SAME, PADDING_SAID } Padding;

static bool is_padded(const Window *w, int top, int left, int bottom, int right) {
    return w->top == top && w->left == left && w->bottom == bottom && w->right == right;
}

static bool is_same_side(int size, int kernel, int stride, int before, int after) {
    const int out = (size - 1) / stride + 1, missing = (out - 1) * stride + kernel - size;
    const int wanted = missing > 0 ? missing / 2 : 0;
    return before == wanted && after == (missing > 0 ? missing - wanted : 0);
}

static bool is_padded_same(const Node *node) {
    const Window *w = &node->term[0].window;
    const Shape in = node->in[0]->shape;
    return is_same_side(in.h, w->dilate_h * (w->r - 1) + 1, w->stride_h, w->top, w->bottom) &&
           is_same_side(in.w, w->dilate_w * (w->s - 1) + 1, w->stride_w, w->left, w->right);
}

static bool is_padded_by_default(const Window *w) {
    const int h = w->dilate_h * (w->r - 1) / 2, v = w->dilate_w * (w->s - 1) / 2;
    return is_padded(w, h, v, h, v);
}

static Padding padding_of(const Writer *w, const Node *node) {
    const Window *window = &node->term[0].window;
    const bool usual = is_padded_by_default(window), same = is_padded_same(node);
    const bool prefers = window->r * window->s > 1 && (node_is_depthwise(node) ? w->same_depthwise : w->same_conv);
    if (usual && !(same && prefers)) return PADDING_DEFAULT;
    return same ? PADDING_SAME : PADDING_SAID;
}

void layer_find_padding(Writer *w) {
    for (int i = 0; i < w->graph->node_count; i++) {
        const Node *node = w->graph->nodes[i];
        if (node->op != OP_CONV || is_padded_by_default(&node->term[0].window) || !is_padded_same(node)) continue;
        *(node_is_depthwise(node) ? &w->same_depthwise : &w->same_conv) = true;
    }
}

/* ---- the statement ---- */
typedef struct Layout { /* of one statement, while it is written */
    const Writer *w;
    const Node *node;
    const char *const *texts;
    int taken;
    Text *out;
    Slots *slots; /* instead of text */
} Layout;

/* The slot's text; a mark where the form alone is written, NULL where slots are listed. */
static const char *take(Layout *l, Role role, double value) {
    if (l->slots) {
        const Slot slot = {role, value, l->node->in[0]->shape.c, false};
        ARENA_PUSH(l->w->arena, l->slots->item, l->slots->count, l->slots->capacity, slot);
        return NULL;
    }
    const int at = l->taken++;
    return l->texts ? l->texts[at] : "\1";
}

static bool is_simple(const char *text) {
    for (; *text; text++)
        if (!isalnum((unsigned char)*text) && *text != '_' && *text != '.' && *text != '\1') return false;
    return true;
}

/* An attribute's or stride's value is one word or in brackets. */
static void put_value(Layout *l, const char *before, const char *text) {
    if (!l->slots) text_printf(l->out, is_simple(text) ? "%s%s" : "%s(%s)", before, text);
}

static void put(Layout *l, const char *text) {
    if (!l->slots) text_puts(l->out, text);
}

static void put_int(Layout *l, const char *before, int value) {
    if (!l->slots) text_printf(l->out, "%s%d", before, value);
}

static void put_pair(Layout *l, const char *before, int h, int w) {
    put_int(l, before, h);
    if (h != w) put_int(l, "x", w);
}

static void put_number(Layout *l, const char *before, double value) {
    if (!l->slots) text_printf(l->out, "%s%s", before, number_text(l->w->arena, value));
}

static void put_stride(Layout *l, const Window *w) {
    if (w->stride_h != w->stride_w) return put_pair(l, " /", w->stride_h, w->stride_w);
    const char *text = take(l, ROLE_STRIDE, w->stride_h);
    if (text && strcmp(text, "1") != 0) put_value(l, " /", text);
}

static void put_padding(Layout *l, const Window *w) {
    if (w->top != w->bottom || w->left != w->right) {
        if (!l->slots) text_printf(l->out, " pad [%d, %d, %d, %d]", w->top, w->left, w->bottom, w->right);
    } else {
        put_pair(l, " pad ", w->top, w->left);
    }
}

static void put_kernel(Layout *l, const Window *w, bool may_vary) {
    if (may_vary && w->r == w->s && w->r % 2 && w->r > 1) {
        const char *text = take(l, ROLE_KERNEL, w->r);
        if (text) text_printf(l->out, isdigit((unsigned char)*text) ? "%sx%s" : "%s x %s", text, text);
    } else if (!l->slots) {
        text_printf(l->out, "%dx%d", w->r, w->s);
    }
}

static void put_conv(Layout *l) {
    const Node *node = l->node;
    const Window *w = &node->term[0].window;
    const Padding padding = padding_of(l->w, node);
    const bool depthwise = node_is_depthwise(node), point = w->r * w->s == 1;
    put(l, depthwise ? "depthwise " : "conv ");
    if (!depthwise || node->features != node->in[0]->shape.c) {
        const char *features = take(l, ROLE_FEATURES, node->features);
        if (features) text_printf(l->out, "%s, ", features);
    }
    put_kernel(l, w, padding != PADDING_SAID);
    put_stride(l, w);
    if (padding == PADDING_SAME) put(l, " pad same");
    if (padding == PADDING_SAID) put_padding(l, w);
    if (w->dilate_h != w->dilate_w || (point && w->dilate_h > 1)) {
        put_pair(l, " dilate ", w->dilate_h, w->dilate_w);
    } else if (!point) {
        const char *text = take(l, ROLE_DILATE, w->dilate_h);
        if (text && strcmp(text, "1") != 0) put_value(l, " dilate ", text);
    }
    if (!depthwise && node->term[0].groups > 1) {
        const char *text = take(l, ROLE_GROUPS, node->term[0].groups);
        if (text) put_value(l, " groups ", text);
    }
    if (node->epilogue.bias) put(l, " bias");
}

static void put_convtranspose(Layout *l) {
    const Node *node = l->node;
    const Window *w = &node->term[0].window;
    const char *features = take(l, ROLE_FEATURES, node->features);
    if (features) text_printf(l->out, "convtranspose %s, ", features);
    put_kernel(l, w, false);
    put_stride(l, w);
    if (!is_padded(w, 0, 0, 0, 0)) put_padding(l, w);
    if (node->attr.extra_rows || node->attr.extra_columns)
        put_pair(l, " output_pad ", node->attr.extra_rows, node->attr.extra_columns);
    if (is_dilated(w)) put_pair(l, " dilate ", w->dilate_h, w->dilate_w);
    if (node->term[0].groups > 1) put_int(l, " groups ", node->term[0].groups);
    if (node->epilogue.bias) put(l, " bias");
}

static void put_fc(Layout *l) {
    const char *features = take(l, ROLE_FEATURES, l->node->features);
    if (features) text_printf(l->out, "fc %s%s", features, l->node->epilogue.bias ? "" : " no bias");
}

static void put_pool(Layout *l) {
    const Attr *attr = &l->node->attr;
    const Window *w = &attr->window;
    put(l, op_info(l->node->op)->word);
    put(l, attr->global ? " global" : " ");
    if (!attr->global) {
        put_kernel(l, w, false);
        put_stride(l, w);
        if (!is_padded(w, 0, 0, 0, 0)) put_padding(l, w);
        if (w->ceil) put(l, " ceil");
    }
    if (attr->count_include_pad) put(l, " count_include_pad");
}

static void put_pad(Layout *l) {
    const Window *w = &l->node->attr.window;
    const int side[] = {w->top, w->left, w->bottom, w->right};
    static const char *const words[] = {" top ", " left ", " bottom ", " right "};
    const bool all = is_padded(w, w->top, w->top, w->top, w->top);
    put(l, "pad");
    if (all && (w->top || !l->node->attr.channels)) put_int(l, " ", w->top);
    for (int i = 0; i < 4 && !all; i++)
        if (side[i]) put_int(l, words[i], side[i]);
    if (l->node->attr.channels) put_int(l, " channels ", l->node->attr.channels);
    if (l->node->attr.reflect) put(l, " reflect");
    if (l->node->attr.edge) put(l, " edge");
    if (l->node->attr.value != 0 && !l->slots)
        text_printf(l->out, " value %s", number_text(l->w->arena, l->node->attr.value));
}

static void put_resize(Layout *l) {
    const Attr *attr = &l->node->attr;
    const Shape in = l->node->in[0]->shape;
    const int factor = attr->height / in.h;
    put(l, "resize ");
    if (factor > 0 && attr->height == factor * in.h && attr->width == factor * in.w)
        put_int(l, "", factor);
    else if (!l->slots)
        text_printf(l->out, "%dx%d", attr->height, attr->width);
    if (attr->bilinear) put(l, " bilinear");
    if (attr->align_corners) put(l, " align_corners");
    if (attr->asymmetric) put(l, " asymmetric");
}

static void put_slice(Layout *l) {
    const Attr *attr = &l->node->attr;
    const Shape in = l->node->in[0]->shape;
    put(l, "slice");
    if (!l->slots && (attr->height != in.h - attr->window.top || attr->width != in.w - attr->window.left))
        text_printf(l->out, " %dx%d", attr->height, attr->width);
    if (attr->first) put_int(l, " channel ", attr->first);
    if (attr->channels != in.c - attr->first) put_int(l, " channels ", attr->channels);
    if (attr->window.top) put_int(l, " top ", attr->window.top);
    if (attr->window.left) put_int(l, " left ", attr->window.left);
}

static void put_reshape(Layout *l) {
    const Attr *attr = &l->node->attr;
    if (!l->slots) text_printf(l->out, "reshape %dx%dx%d", attr->channels, attr->height, attr->width);
}

/* ---- all others, by the table of attributes ---- */
static void put_attr(Layout *l, const OpAttr *a, bool argument) {
    const AttrInfo *info = a->info;
    Attr *attr = (Attr *)(uintptr_t)&l->node->attr; /* only read */
    const char *word = argument ? " " : arena_printf(l->w->arena, " %s ", info->word);
    if (info->kind == ATTR_FLAG) {
        if (*attr_flag_of(info, attr) != (a->otherwise != 0))
            put(l, arena_printf(l->w->arena, a->otherwise != 0 ? " no %s" : " %s", info->word));
    } else if (info->kind == ATTR_INTS) {
        const IntList *list = attr_ints_of(info, attr);
        put(l, word);
        for (int i = 0; i < list->count; i++) put_int(l, i ? ", " : "[", list->item[i]);
        put(l, "]");
    } else if (info->kind == ATTR_INT || info->kind == ATTR_NAT) {
        const int value = *attr_int_of(info, attr);
        const bool all = l->node->op == OP_GROUPNORM && value == l->node->in[0]->shape.c && value > 1;
        if (all)
            put(l, " channels");
        else if (a->needed || value != (int)a->otherwise)
            put_int(l, word, value);
    } else {
        const double value = *attr_real_of(info, attr);
        if (info->kind == ATTR_FRACTION) {
            const char *text = take(l, ROLE_REAL, value);
            const char *usual = number_text(l->w->arena, a->otherwise);
            if (text && strcmp(text, usual) != 0) text_printf(l->out, "%s%s", word, text);
        } else if (a->needed || value != a->otherwise) {
            put_number(l, word, value);
        }
    }
}

static void put_attributes(Layout *l) {
    const Op op = l->node->op;
    const char *at = op_info(op)->attrs;
    bool argument = op_info(op)->flags & OPF_ARGUMENT;
    OpAttr next;
    if (op == OP_CLIP && isfinite(l->node->attr.low) && isfinite(l->node->attr.high)) {
        put_number(l, "clip ", l->node->attr.low);
        return put_number(l, ", ", l->node->attr.high);
    }
    put(l, op_info(op)->word);
    while (attr_next(&at, &next)) {
        if (attr_is_kept(op, next.info) && next.info->keyed) put_attr(l, &next, argument);
        argument = false;
    }
    if (op == OP_SCALE && !l->node->weight[BIAS]) put(l, " no bias");
}

static void put_layer(Layout *l) {
    const Op op = l->node->op;
    if (op == OP_CONV) return put_conv(l);
    if (op == OP_CONVTRANSPOSE) return put_convtranspose(l);
    if (op == OP_FC) return put_fc(l);
    if (op == OP_PAD) return put_pad(l);
    if (op == OP_RESIZE) return put_resize(l);
    if (op == OP_SLICE) return put_slice(l);
    if (op == OP_RESHAPE) return put_reshape(l);
    if (layer_form(l->node)) {
        put(l, layer_form(l->node));
        return put_int(l, " ", l->node->attr.window.stride_h);
    }
    if (op_info(op)->flags & OPF_WINDOW) return put_pool(l);
    put_attributes(l);
}

void layer_slots(const Writer *w, const Node *node, Slots *slots) {
    Layout l = {.w = w, .node = node, .slots = slots};
    put_layer(&l);
}

int layer_text(const Writer *w, const Node *node, const char *const *texts, Text *out) {
    Layout l = {.w = w, .node = node, .texts = texts, .out = out};
    put_layer(&l);
    return l.taken;
}
