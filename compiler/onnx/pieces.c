/* Operators on each number alone that are one layer together.
 *
 * Exporters write an activation as one operator or as many: x * sigmoid(x), 0.5 * x * (1 + erf(x / sqrt 2)), a Clip, a
 * Max and a Min. Whatever they write, it is a function of one number, so it is recognised by what it computes: from a
 * node on, the nodes are collected that depend on one value and on constants alone; of each that nothing outside reads
 * from the middle, the function is evaluated at many points and compared with the activations of act.def, and with a
 * factor and a sum for each channel. The largest that is one of them becomes that layer. An operator that is none of
 * them may still be an activation between factors: HardSigmoid, Selu and Celu with numbers of their own.
 */
#include "import.h"

#include "graph/act.h"
#include "graph/attrs.h"
#include "graph/ops.h"

#include <math.h>
#include <string.h>

enum {
    MOST_NODES = 24,
    FEW_POINTS = 7,
    SMALL_POINTS = FEW_POINTS + 28,
    NEAR_POINTS = SMALL_POINTS + 181,
    POINTS = NEAR_POINTS + 24
};

/* Both sides of every edge that an activation has, closer and closer to 0, where another edge may be, and further and
 * further away, where a bound may be. Few are enough to tell a factor and a sum from what sums and products else
 * compute. */
static double point(int i) {
    static const double few[FEW_POINTS] = {-1, 1, 0, -5.3, 0.37, 4.9, 13.7};
    if (i < FEW_POINTS) return few[i];
    if (i < SMALL_POINTS) return (i % 2 ? -0.11 : 0.11) * pow(3, -(i - FEW_POINTS) / 2);
    if (i < NEAR_POINTS) return (i - SMALL_POINTS - (NEAR_POINTS - SMALL_POINTS) / 2) * 0.173 + 0.011;
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
    if (!node->nout || !onnx_same_shape(&node->out[0]->shape, &p->root->shape) || !keeps_numbers(node)) return;
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

/* Whether the function's value at point i is b but for the rounding of constants to fp32, which is of the size of its
 * values beside 0, and the less the nearer to 0. */
static bool near(const double *value, int i, double b) {
    const double beside = fmax(fmax(fabs(value[0]), fabs(value[1])), fabs(value[2])), a = value[i];
    const double size = fabs(b) + (fmin(1, fabs(point(i))) + 1e-7) * (isfinite(beside) ? beside : 1);
    return fabs(a - b) <= 1e-6 * size || a == b || (isnan(a) && isnan(b));
}

static bool is_activation(const double *value, int points, Act act, ActNumbers numbers) {
    for (int i = 0; i < points; i++)
        if (!near(value, i, act_apply(act, point(i), numbers))) return false;
    return true;
}

/* A bound of a clip, from its values at the ends: none where they are as far out as the points. */
static double bound(const double *value, bool upper) {
    int end = 0;
    for (int i = 0; i < POINTS; i++)
        if (upper ? point(i) > point(end) : point(i) < point(end)) end = i;
    return near(value, end, point(end)) ? (upper ? INFINITY : -INFINITY) : onnx_decimal((float)value[end]);
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
        if (!near(value, i, *factor * point(i) + *sum)) return false;
    return isfinite(*factor) && isfinite(*sum);
}

/* act(x * before + sum) * after */
typedef struct Scaled {
    Act act;
    ActNumbers numbers;
    double before, sum, after;
} Scaled;

/* A line between two bounds. */
static bool fit_clip(const double *value, Scaled *s) {
    *s = (Scaled){.act = ACT_CLIP, .numbers = {bound(value, false), bound(value, true)}, .after = 1};
    int low = -1, high = -1; /* the points on the line that are furthest apart */
    for (int i = 0; i < POINTS; i++) {
        if (near(value, i, s->numbers.p) || near(value, i, s->numbers.q)) continue;
        if (low < 0 || point(i) < point(low)) low = i;
        if (high < 0 || point(i) > point(high)) high = i;
    }
    if (low == high) return false;
    const double slope = (value[high] - value[low]) / (point(high) - point(low));
    s->before = onnx_decimal((float)slope);
    s->sum = onnx_decimal((float)(value[low] - slope * point(low)));
    return true;
}

/* elu, whose slope at 1, limit at minus infinity and value at -1 say all; point 0 is -1 and point 1 is 1. */
static bool fit_elu(const double *value, Scaled *s) {
    const double slope = value[1], limit = -bound(value, false), before = -log1p(value[0] / limit);
    if (!(limit > 0) || !(before > 0) || !isfinite(before)) return false;
    *s = (Scaled){.act = ACT_ELU, .before = onnx_decimal((float)before)};
    s->after = onnx_decimal((float)(slope / s->before));
    s->numbers.p = onnx_decimal((float)(limit / s->after));
    return true;
}

/* x * sigmoid(k x), as QuickGELU is with 1.702: its values at 1 and -1 are e^k apart. */
static bool fit_swish(const double *value, Scaled *s) {
    const double k = log(-value[1] / value[0]);
    if (!isfinite(k) || !(k > 0)) return false;
    *s = (Scaled){.act = ACT_SWISH, .before = onnx_decimal((float)k)};
    s->after = onnx_decimal((float)(value[1] * (1 + exp(-k)) / k));
    return s->before != 1;
}

/* Of several nodes it is a swish alone: the others are factors before and behind an activation, and read as such. */
static bool find_scaled(const double *value, bool alone, Scaled *s) {
    bool (*const fits[])(const double *, Scaled *) = {fit_swish, fit_clip, fit_elu};
    for (size_t f = 0; f < (alone ? sizeof fits / sizeof *fits : 1); f++) {
        int same = 0;
        if (!fits[f](value, s)) continue;
        while (same < POINTS &&
               near(value, same, act_apply(s->act, point(same) * s->before + s->sum, s->numbers) * s->after))
            same++;
        if (same == POINTS) return true;
    }
    return false;
}

/* ---- layers ---- */

static Value *make_activation(Pieces *p, OnnxNode *node, const char *part, Value *in, Act act, ActNumbers numbers) {
    const ActInfo *info = act_info(act);
    Layer layer = layer_default(info->op);
    if (info->parameter == PARAMETER_NUMBER) act_set_numbers(act, numbers, &layer.attr);
    if (info->parameter == PARAMETER_FORM) *attr_flag_of(attr_info(info->attribute[0]), &layer.attr) = true;
    return import_layer(p->import, node, part, info->op, &in, 1, &layer, NULL);
}

static Value *make_scale(Pieces *p, OnnxNode *node, const char *part, Value *in, double factor, double sum) {
    const int64_t channels = p->operand->view.size[AXIS_C];
    Layer layer = layer_default(OP_SCALE);
    ImportWeights weights = {{{NULL, import_filled(p->import, channels, factor)}}};
    layer.bias = sum != 0;
    if (layer.bias) weights.slot[BIAS] = (ImportWeight){NULL, import_filled(p->import, channels, sum)};
    return import_layer(p->import, node, part, OP_SCALE, &in, 1, &layer, &weights);
}

static Value *make_scaled(Pieces *p, OnnxNode *node, const Scaled *s) {
    Value *value = p->operand->value;
    if (s->before != 1 || s->sum != 0) value = make_scale(p, node, "before", value, s->before, s->sum);
    if (value) value = make_activation(p, node, s->after != 1 ? "act" : NULL, value, s->act, s->numbers);
    return value && s->after != 1 ? make_scale(p, node, NULL, value, s->after, 0) : value;
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
    Scaled scaled;
    double factor, sum;
    const Piece *piece = &p->piece[last];
    const bool alone = !(piece->needs & (piece->needs - 1));
    evaluate(p, piece->needs, 0, POINTS);
    const double *value = p->value[last];
    if (is_affine(value, POINTS, &factor, &sum)) return make_per_channel(p, last, true);
    if (!find_activation(value, &act, &numbers))
        return piece->uniform && find_scaled(value, alone, &scaled) ? make_scaled(p, piece->node, &scaled) : NULL;
    if (piece->uniform) return make_activation(p, piece->node, NULL, p->operand->value, act, numbers);
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
    for (int i = node->index; i < model->node_count && i < node->index + IMPORT_LOOK_AHEAD; i++)
        collect(p, model->nodes[i]);
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
