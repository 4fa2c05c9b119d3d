/* Operators on each number alone that are one layer together.
 *
 * Exporters write an activation as one operator or as many: x * sigmoid(x), 0.5 * x * (1 + erf(x / sqrt 2)), a Clip, a
 * Max and a Min. Whatever they write, it is a function of one number, so it is recognised by what it computes: from a
 * node on, the nodes are collected that depend on one value and on constants alone; of each that nothing outside reads
 * from the middle, the function is evaluated at many points and compared with the activations of act.def, and with a
 * factor and a sum for each channel. The largest that is one of them becomes that layer.
 */
#include "import.h"

#include "graph/act.h"
#include "graph/attrs.h"
#include "graph/ops.h"

#include <math.h>
#include <string.h>

enum {
    MOST_NODES = 24,
    LOOK_AHEAD = 96,
    FEW_POINTS = 7,
    NEAR_POINTS = 188,
    FAR_POINTS = 24,
    POINTS = NEAR_POINTS + FAR_POINTS
};

/* Both sides of every edge that an activation has, and further and further away, where a bound may be. Few are enough
 * to tell a factor and a sum from what sums and products else compute. */
static double point(int i) {
    static const double few[FEW_POINTS] = {-1, 1, 0, -5.3, 0.37, 4.9, 13.7};
    if (i < FEW_POINTS) return few[i];
    if (i < NEAR_POINTS) return (i - FEW_POINTS - (NEAR_POINTS - FEW_POINTS) / 2) * 0.173 + 0.011;
    const int far = i - NEAR_POINTS;
    return (far % 2 ? -17.3 : 17.3) * pow(1.9 + 0.55 * (far / 2), far / 2);
}

typedef struct Piece {
    OnnxNode *node;
    double *number[ELEMENTWISE_MOST_IN + 1]; /* by input: of a constant, for each channel; NULL: a value */
    int from[ELEMENTWISE_MOST_IN + 1];       /* of a value: the piece that makes it, -1 for the root */
    bool uniform;                            /* its constants are the same for all channels, as are its inputs' */
    uint32_t needs;                          /* pieces that it depends on, itself too */
} Piece;

typedef struct Pieces {
    Import *import;
    Arena *arena; /* of what is here alone */
    const OnnxTensor *root;
    const Operand *operand;
    Piece piece[MOST_NODES];
    int count;
    double value[MOST_NODES][POINTS]; /* of the channel evaluated last */
} Pieces;

/* ---- collecting ---- */

static int piece_of(const Pieces *p, const OnnxTensor *tensor) {
    for (int i = 0; i < p->count; i++)
        if (p->piece[i].node->out[0] == tensor) return i;
    return -1;
}

static bool same_shape(const OnnxShape *a, const OnnxShape *b) {
    if (a->rank != b->rank) return false;
    for (int d = 0; d < a->rank; d++)
        if (a->dim[d] != b->dim[d]) return false;
    return true;
}

static bool is_uniform(const double *numbers, int64_t count) {
    for (int64_t i = 1; i < count; i++)
        if (numbers[i] != numbers[0]) return false;
    return true;
}

/* Formulas are of real numbers, and of the 0 and 1 that comparisons give. */
static bool keeps_numbers(const OnnxNode *node) {
    const OnnxType to = node->out[0]->type, truth = ONNX__TENSOR_PROTO__DATA_TYPE__BOOL;
    return onnx_type_is_real(to) || (to == truth && (node->formula->truth || node->in[0]->type == truth));
}

static void collect(Pieces *p, OnnxNode *node) {
    Piece piece = {.node = node, .uniform = true, .needs = 1u << p->count};
    const Elementwise *e = node->formula;
    if (p->count == MOST_NODES || node->done || node->problem || !e || node->nin > ELEMENTWISE_MOST_IN) return;
    if (!node->out[0] || !same_shape(&node->out[0]->shape, &p->root->shape) || !keeps_numbers(node)) return;
    bool depends = false;
    for (int i = 0; i < node->nin; i++) {
        const OnnxTensor *in = node->in[i];
        if (!in) continue;
        piece.from[i] = -1;
        if (onnx_is_constant(in)) {
            piece.number[i] = import_per_channel(p->arena, in, &p->operand->view);
            if (!piece.number[i]) return;
            piece.uniform &= is_uniform(piece.number[i], p->operand->view.size[AXIS_C]);
            continue;
        }
        depends = true;
        if (in == p->root) continue;
        piece.from[i] = piece_of(p, in);
        if (piece.from[i] < 0) return;
        piece.needs |= p->piece[piece.from[i]].needs;
        piece.uniform &= p->piece[piece.from[i]].uniform;
    }
    if (depends) p->piece[p->count++] = piece;
}

/* Nothing else reads what the pieces make on the way to piece `last`. */
static bool is_closed(const Pieces *p, int last) {
    const uint32_t needs = p->piece[last].needs;
    int uses[MOST_NODES] = {0};
    for (int i = 0; i < p->count; i++)
        for (int k = 0; k < p->piece[i].node->nin && needs >> i & 1; k++)
            if (p->piece[i].node->in[k] && !p->piece[i].number[k] && p->piece[i].from[k] >= 0)
                uses[p->piece[i].from[k]]++;
    for (int i = 0; i < p->count; i++)
        if (i != last && needs >> i & 1 && uses[i] != p->piece[i].node->out[0]->uses) return false;
    return true;
}

/* ---- evaluating ---- */

static void evaluate(Pieces *p, uint32_t needs, int64_t channel, int points) {
    for (int i = 0; i < p->count; i++) {
        const Piece *piece = &p->piece[i];
        double in[ELEMENTWISE_MOST_IN + 1] = {0};
        for (int k = 0; k < points && needs >> i & 1; k++) {
            for (int j = 0; j < piece->node->nin; j++)
                in[j] = piece->number[j]      ? piece->number[j][channel]
                        : piece->from[j] >= 0 ? p->value[piece->from[j]][k]
                                              : point(k);
            p->value[i][k] = onnx_elementwise_apply(piece->node, in);
        }
    }
}

static bool near(double a, double b) {
    return fabs(a - b) <= 1e-6 * (1 + fabs(b)) || (isnan(a) && isnan(b));
}

static bool is_activation(const double *value, int points, Act act, ActNumbers numbers) {
    for (int i = 0; i < points; i++)
        if (!near(value[i], act_apply(act, point(i), numbers))) return false;
    return true;
}

/* A bound of a clip, from its values at the ends: none where they are as far out as the points. */
static double bound(const double *value, bool upper) {
    int end = 0;
    for (int i = 0; i < POINTS; i++)
        if (upper ? point(i) > point(end) : point(i) < point(end)) end = i;
    return near(value[end], point(end)) ? (upper ? INFINITY : -INFINITY) : onnx_decimal((float)value[end]);
}

/* The numbers that the activation would have, from its value at -1, which is point 0. */
static ActNumbers numbers_of(const double *value, Act act) {
    if (act == ACT_CLIP) return (ActNumbers){bound(value, false), bound(value, true)};
    if (act_info(act)->parameter != PARAMETER_NUMBER) return (ActNumbers){0, 0};
    return (ActNumbers){onnx_decimal((float)(value[0] / act_apply(act, -1, (ActNumbers){1, 0}))), 0};
}

static bool find_activation(const double *value, Act *act, ActNumbers *numbers) {
    for (Act a = ACT_NONE + 1; a < ACT_COUNT; a++) {
        const ActNumbers n = numbers_of(value, a);
        if (a == ACT_PRELU || isnan(n.p) || isnan(n.q) || (a == ACT_CLIP && n.p > n.q) ||
            !is_activation(value, POINTS, a, n))
            continue;
        *act = a, *numbers = n;
        return true;
    }
    return false;
}

/* x * factor + sum; point 1 is 1 and point 2 is 0 */
static bool is_affine(const double *value, int points, double *factor, double *sum) {
    *sum = value[2], *factor = value[1] - value[2];
    for (int i = 0; i < points; i++)
        if (!near(value[i], *factor * point(i) + *sum)) return false;
    return isfinite(*factor) && isfinite(*sum);
}

/* ---- layers ---- */

static Value *make_activation(Pieces *p, OnnxNode *node, Act act, ActNumbers numbers) {
    const ActInfo *info = act_info(act);
    Layer layer = layer_default(info->op);
    if (info->parameter == PARAMETER_NUMBER) act_set_numbers(act, numbers, &layer.attr);
    if (info->parameter == PARAMETER_FORM) *attr_flag_of(attr_info(info->attribute[0]), &layer.attr) = true;
    Value *in = p->operand->value;
    return import_layer(p->import, node, NULL, info->op, &in, 1, &layer, NULL);
}

/* The constant that has just these numbers, for its name; NULL where there is none. */
static const OnnxTensor *constant_of(const Pieces *p, int last, const float *numbers) {
    const int64_t channels = p->operand->view.size[AXIS_C];
    for (int i = 0; i < p->count; i++)
        for (int k = 0; k < p->piece[i].node->nin && p->piece[last].needs >> i & 1; k++) {
            const double *constant = p->piece[i].number[k];
            int64_t same = 0;
            while (constant && same < channels && (float)constant[same] == numbers[same]) same++;
            if (same == channels && onnx_elements(&p->piece[i].node->in[k]->shape) == channels)
                return p->piece[i].node->in[k];
        }
    return NULL;
}

/* Whether sums and products are all that the pieces compute. */
static bool is_rational(const Pieces *p, uint32_t needs) {
    static const char *const operators[] = {"Add", "Sub", "Mul", "Div", "Neg", "Sum", "Identity"};
    for (int i = 0; i < p->count; i++) {
        bool found = !(needs >> i & 1);
        for (size_t k = 0; k < sizeof operators / sizeof *operators; k++)
            found |= !strcmp(p->piece[i].node->type, operators[k]);
        if (!found) return false;
    }
    return true;
}

/* A sum for each channel right behind a convolution or fully connected layer without a bias, which nothing else reads.
 */
static bool is_bias(const Pieces *p) {
    static const char *const operators[] = {"Conv", "ConvTranspose", "Gemm", "MatMul"};
    const OnnxNode *maker = p->root->producer;
    const Node *layer = p->operand->value->producer;
    if (!maker || p->root->uses != 1 || !layer || !(op_info(layer->op)->flags & OPF_TERMS) || layer->epilogue.bias)
        return false;
    for (size_t i = 0; i < sizeof operators / sizeof *operators; i++)
        if (!strcmp(maker->type, operators[i])) return true;
    return false;
}

/* Of other channels' constants: a slope for each, or a factor and a sum. */
static Value *make_per_channel(Pieces *p, int last, bool affine) {
    const int64_t channels = p->operand->view.size[AXIS_C];
    float *first = import_floats(p->import, channels), *second = import_floats(p->import, channels);
    Value *in = p->operand->value;
    const int points = is_rational(p, p->piece[last].needs) ? FEW_POINTS : POINTS;
    bool changes = false, sums = false, factors = !affine;
    for (int64_t c = 0; c < channels; c++) {
        double factor, sum, slope;
        evaluate(p, p->piece[last].needs, c, points);
        const double *value = p->value[last];
        slope = -value[0];
        if (affine ? !is_affine(value, points, &factor, &sum)
                   : !is_activation(value, points, ACT_LEAKYRELU, (ActNumbers){slope, 0}))
            return NULL;
        first[c] = (float)(affine ? factor : slope);
        second[c] = affine ? (float)sum : 0;
        changes |= !affine || first[c] != 1 || second[c] != 0;
        sums |= second[c] != 0;
        factors |= first[c] != 1;
    }
    if (!changes) return in;
    if (!factors && is_bias(p)) {
        import_bias(p->import, in, &(ImportWeight){constant_of(p, last, second), second});
        return in;
    }
    const Op op = affine ? OP_SCALE : OP_PRELU;
    Layer layer = layer_default(op);
    ImportWeights weights = {{{constant_of(p, last, first), first}}};
    layer.bias = affine && sums;
    if (layer.bias) weights.slot[BIAS] = (ImportWeight){constant_of(p, last, second), second};
    return import_layer(p->import, p->piece[last].node, NULL, op, &in, 1, &layer, &weights);
}

static Value *make(Pieces *p, int last) {
    Act act;
    ActNumbers numbers;
    double factor, sum;
    const Piece *piece = &p->piece[last];
    evaluate(p, piece->needs, 0, POINTS);
    const double *value = p->value[last];
    if (is_affine(value, POINTS, &factor, &sum)) return make_per_channel(p, last, true);
    if (!find_activation(value, &act, &numbers)) return NULL;
    if (piece->uniform) return make_activation(p, piece->node, act, numbers);
    return act == ACT_LEAKYRELU || act == ACT_RELU ? make_per_channel(p, last, false) : NULL;
}

static bool read_pieces(Import *import, OnnxNode *node, Arena *arena) {
    OnnxModel *model = import->model;
    Pieces *p = arena_alloc(arena, sizeof *p);
    p->import = import, p->arena = arena;
    for (int i = 0; i < node->nin; i++) {
        if (!node->in[i] || onnx_is_constant(node->in[i])) continue;
        if (p->root && p->root != node->in[i]) return false;
        p->root = node->in[i];
    }
    if (!p->root || !p->root->operand) return false;
    for (int i = 0; i < node->nin && !p->operand; i++)
        if (node->in[i] == p->root) p->operand = import_operand(import, node, i);
    if (!p->operand) return false;
    node->done = false;
    for (int i = node->index; i < model->node_count && i < node->index + LOOK_AHEAD; i++) collect(p, model->nodes[i]);
    node->done = true;
    bool tried[MOST_NODES] = {false};
    for (int n = 0; n < p->count; n++) {
        int last = -1, most = 0;
        for (int i = 0; i < p->count; i++) {
            const int size = __builtin_popcount(p->piece[i].needs);
            if (!tried[i] && p->piece[i].needs & 1 && size > most) last = i, most = size;
        }
        if (last < 0) break;
        tried[last] = true;
        if (!is_closed(p, last)) continue;
        const int problems = import->problem_count;
        Value *value = make(p, last);
        if (import->problem_count > problems) return false;
        if (!value) continue;
        for (int i = 0; i < p->count; i++)
            if (p->piece[last].needs >> i & 1) p->piece[i].node->done = true;
        const View view = p->operand->view;
        return import_result(import, p->piece[last].node, 0, value, &view);
    }
    return false;
}

bool import_pieces(Import *import, OnnxNode *node) {
    Arena own = {0};
    const bool found = read_pieces(import, node, &own);
    arena_free(&own);
    return found;
}

/* ---- of several values ---- */

/* The second value beside the first: in the same order, its dimensions the first one's or 1. */
static bool lies_beside(const View *a, const View *b) {
    if (a->rank != b->rank) return false;
    for (int d = 0; d < a->rank; d++) {
        const int count = b->begin[d + 1] - b->begin[d];
        if (!count) continue;
        if (count != a->begin[d + 1] - a->begin[d]) return false;
        for (int i = 0; i < count; i++) {
            const Atom *x = &a->atom[a->begin[d] + i], *y = &b->atom[b->begin[d] + i];
            if (x->axis != y->axis || x->size != y->size || x->stride != y->stride) return false;
        }
    }
    return true;
}

/* Two values in one order, of which the second may be a number for each channel, pixel or image of the first. */
static bool combine(Import *import, OnnxNode *node, const char *part, Op op, const Operand *a, const Operand *b,
                    Operand *result) {
    if (!view_same_order(&a->view, &b->view) && !lies_beside(&a->view, &b->view))
        return import_problem(import, node, "it joins values of dimensions %s of %dx%dx%d and %s of %dx%dx%d",
                              view_text(import->model->arena, &a->view), a->value->shape.c, a->value->shape.h,
                              a->value->shape.w, view_text(import->model->arena, &b->view), b->value->shape.c,
                              b->value->shape.h, b->value->shape.w);
    const Layer layer = layer_default(op);
    Value *in[2] = {a->value, b->value};
    *result = (Operand){.value = import_layer(import, node, part, op, in, 2, &layer, NULL), .view = a->view};
    return result->value;
}

/* A sum of images of which zeros were added to the end of one or both, as far as the other one goes: a shortcut of
 * other channels. */
static bool import_filled_sum(Import *import, OnnxNode *node) {
    const Operand *a = node->in[0]->operand, *b = node->in[1]->operand;
    const Shape p = a->value->shape, q = b->value->shape;
    const Shape larger = {p.c > q.c ? p.c : q.c, p.h > q.h ? p.h : q.h, p.w > q.w ? p.w : q.w};
    View view;
    if (node->nin != 2 || !view_is_image(&a->view) || !view_is_image(&b->view) ||
        !same_shape(&node->in[0]->shape, &node->in[1]->shape) ||
        !view_plain(import->model->batch, larger, &node->out[0]->shape, &view))
        return false;
    Layer layer = layer_default(OP_ADD);
    layer.attr.fill = true;
    Value *in[2] = {a->value, b->value};
    return import_plain(import, node, 0, import_layer(import, node, NULL, OP_ADD, in, 2, &layer, NULL));
}

static int64_t elements(const Operand *operand) {
    return shape_size(operand->value->shape);
}

/* Broadcasting puts dimensions of 1 before those of the one that has fewer. */
static void same_rank(Operand *a, Operand *b) {
    Operand *low = a->view.rank < b->view.rank ? a : b;
    const int missing = (low == a ? b : a)->view.rank - low->view.rank;
    View *view = &low->view;
    for (int d = view->rank; d >= 0 && missing; d--) view->begin[d + missing] = view->begin[d];
    for (int d = 0; d < missing; d++) view->begin[d] = 0;
    view->rank += missing;
}

static bool import_values(Import *import, OnnxNode *node, Op op) {
    if (op == OP_ADD && (node->in[0]->operand->pad || node->in[1]->operand->pad) && import_filled_sum(import, node))
        return true;
    const Operand *first = import_operand(import, node, 0);
    if (!first) return false;
    Operand all = *first;
    for (int i = 1; i < node->nin; i++) {
        const Operand *other = import_operand(import, node, i);
        if (!other) return false;
        if (view_is_image(&all.view) && !view_is_image(&other->view) && import_in_order(import, node, node->in[i]))
            other = node->in[i]->operand;
        Operand right = *other;
        same_rank(&all, &right);
        if (elements(&right) > elements(&all)) { /* the gate comes last */
            right = all;
            all = *other;
        }
        const char *part = i < node->nin - 1 ? arena_printf(import->model->arena, "%d", i) : NULL;
        if (!combine(import, node, part, op, &all, &right, &all)) return false;
    }
    return import_result(import, node, 0, all.value, &all.view);
}

/* a - b as a + (-1) b */
static bool import_difference(Import *import, OnnxNode *node) {
    const Operand *a = import_operand(import, node, 0), *b = import_operand(import, node, 1);
    if (!a || !b) return false;
    Layer layer = layer_default(OP_SCALE);
    layer.bias = false;
    const ImportWeights weights = {{{NULL, import_filled(import, b->value->shape.c, -1)}}};
    Value *in = b->value;
    Operand negative = {.value = import_layer(import, node, "negative", OP_SCALE, &in, 1, &layer, &weights),
                        .view = b->view},
            result;
    Operand left = *a;
    same_rank(&left, &negative);
    const bool turned = negative.value && elements(&negative) > elements(&left);
    return negative.value &&
           combine(import, node, NULL, OP_ADD, turned ? &negative : &left, turned ? &left : &negative, &result) &&
           import_result(import, node, 0, result.value, &result.view);
}

bool import_elementwise(Import *import, OnnxNode *node) {
    const bool copies = !strcmp(node->type, "Identity") || !strncmp(node->type, "Cast", 4);
    bool values = node->nin > 1;
    for (int i = 0; i < node->nin; i++) values &= node->in[i] && node->in[i]->operand;
    if (copies && import_operand(import, node, 0)) {
        if (!onnx_type_is_real(node->out[0]->type))
            return import_problem(import, node, "to %s is not supported", onnx_type_name((int)node->out[0]->type));
        return import_result(import, node, 0, node->in[0]->operand->value, &node->in[0]->operand->view);
    }
    const int problems = import->problem_count;
    if (import_pieces(import, node)) return true;
    if (import->problem_count > problems) return false;
    if (values && (!strcmp(node->type, "Add") || !strcmp(node->type, "Sum")))
        return import_values(import, node, OP_ADD);
    if (values && !strcmp(node->type, "Mul")) return import_values(import, node, OP_MUL);
    if (values && !strcmp(node->type, "Sub")) return import_difference(import, node);
    if (node->nin == 1 && (!strcmp(node->type, "Sum") || !strcmp(node->type, "Max") || !strcmp(node->type, "Min")))
        return import_result(import, node, 0, node->in[0]->operand->value, &node->in[0]->operand->view);
    return import_problem(import, node,
                          values ? "rnc has no such layer of two values"
                                 : "no activation computes it, nor a factor and a sum for each channel");
}

/* ---- layer norm ---- */

/* The node of that type that reads the tensor, of those that are not done; NULL where there is none. */
static OnnxNode *reader(const Import *import, const OnnxNode *after, const OnnxTensor *tensor, const char *type) {
    const OnnxModel *model = import->model;
    for (int i = after->index + 1; i < model->node_count && i < after->index + LOOK_AHEAD; i++) {
        OnnxNode *node = model->nodes[i];
        if (node->done || strcmp(node->type, type) != 0) continue;
        for (int k = 0; k < node->nin; k++)
            if (node->in[k] == tensor) return node;
    }
    return NULL;
}

static bool reads(const OnnxNode *node, const OnnxTensor *a, const OnnxTensor *b) {
    return node->nin == 2 && ((node->in[0] == a && node->in[1] == b) || (node->in[0] == b && node->in[1] == a));
}

static bool is_number(const OnnxTensor *tensor) {
    return tensor && onnx_is_constant(tensor) && onnx_elements(&tensor->shape) == 1;
}

/* The numbers of each channel that a Mul or Add applies to the tensor; NULL where it does not. */
static double *per_channel(Import *import, const OnnxNode *node, const OnnxTensor *tensor, const View *view) {
    const OnnxTensor *constant = node && node->in[0] == tensor ? node->in[1] : node ? node->in[0] : NULL;
    return constant && onnx_is_constant(constant) ? import_per_channel(import->model->arena, constant, view) : NULL;
}

/* mean = ReduceMean(x), d = x - mean, var = ReduceMean(d * d), d / sqrt(var + eps), perhaps * weight, perhaps + bias */
bool import_layernorm_pieces(Import *import, OnnxNode *mean) {
    OnnxModel *model = import->model;
    const OnnxTensor *x = mean->in[0];
    const Operand *operand = import_operand(import, mean, 0);
    bool axes[ONNX_MOST_RANK], other[ONNX_MOST_RANK];
    if (!operand || mean->out[0]->shape.rank != x->shape.rank || !onnx_axes(model, mean, x->shape.rank, true, axes))
        return false;
    for (int d = 0; d < x->shape.rank; d++)
        if (axes[d] != (view_axis(&operand->view, d) == AXIS_C)) return false;
    OnnxNode *sub = reader(import, mean, mean->out[0], "Sub");
    if (!sub || mean->out[0]->uses != 1 || sub->in[0] != x || sub->in[1] != mean->out[0]) return false;
    const OnnxTensor *d = sub->out[0];
    OnnxNode *square = reader(import, sub, d, "Pow");
    if (!square) square = reader(import, sub, d, "Mul");
    if (!square || square->out[0]->uses != 1) return false;
    if (strcmp(square->type, "Pow") == 0 ? !is_number(square->in[1]) || onnx_element(square->in[1], 0) != 2
                                         : square->in[0] != d || square->in[1] != d)
        return false;
    OnnxNode *variance = reader(import, square, square->out[0], "ReduceMean");
    if (!variance || variance->out[0]->uses != 1 || variance->out[0]->shape.rank != x->shape.rank ||
        !onnx_axes(model, variance, x->shape.rank, true, other) || memcmp(axes, other, sizeof axes) != 0)
        return false;
    OnnxNode *add = reader(import, variance, variance->out[0], "Add");
    const OnnxTensor *eps = add ? add->in[add->in[0] == variance->out[0]] : NULL;
    OnnxNode *root = add && is_number(eps) ? reader(import, add, add->out[0], "Sqrt") : NULL;
    if (!root || add->out[0]->uses != 1 || root->out[0]->uses != 1) return false;
    OnnxNode *inverse = reader(import, root, root->out[0], "Reciprocal");
    OnnxNode *last =
        inverse ? reader(import, inverse, inverse->out[0], "Mul") : reader(import, root, root->out[0], "Div");
    if (!last ||
        (inverse ? !reads(last, d, inverse->out[0]) || inverse->out[0]->uses != 1
                 : last->in[0] != d || last->in[1] != root->out[0]) ||
        d->uses != (strcmp(square->type, "Pow") == 0 ? 2 : 3))
        return false;
    OnnxNode *nodes[] = {mean, sub, square, variance, add, root, inverse, last};
    const int64_t channels = operand->view.size[AXIS_C];
    ImportWeights weights = {{{NULL, import_filled(import, channels, 1)}, {NULL, import_filled(import, channels, 0)}}};
    for (int i = 0; i < 2; i++) {
        OnnxNode *next = last->out[0]->uses == 1 ? reader(import, last, last->out[0], i ? "Add" : "Mul") : NULL;
        const double *numbers = per_channel(import, next, last->out[0], &operand->view);
        if (!numbers) continue;
        for (int64_t c = 0; c < channels; c++) weights.slot[i].data[c] = (float)numbers[c];
        weights.slot[i].source = next->in[next->in[0] == last->out[0]];
        next->done = true;
        last = next;
    }
    for (size_t i = 0; i < sizeof nodes / sizeof *nodes; i++)
        if (nodes[i]) nodes[i]->done = true;
    Layer layer = layer_default(OP_LAYERNORM);
    layer.attr.eps = onnx_decimal((float)onnx_element(eps, 0));
    Value *in = operand->value;
    const View view = operand->view;
    return import_result(import, last, 0, import_layer(import, last, NULL, OP_LAYERNORM, &in, 1, &layer, &weights),
                         &view);
}
