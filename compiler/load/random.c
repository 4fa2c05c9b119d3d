/* Random weights that keep every layer's result at a usable size, so that a network of any depth computes something
 * that can be compared: plain He weights overflow in ResNet-1202.
 *
 * 1. Draw. Convolution and fc weights are normal with variance 2 / fan-in (He et al. 2015), batch norm's and scale's
 *    weights uniform in [0.8, 1.2], their biases in [-0.1, 0.1], other biases in [-0.05, 0.05], PReLU slopes 0.25. The
 *    batch norm that ends a residual branch has a fifth of that: training begins with nothing there (Goyal et al. 2017,
 *    section 5.1), and with equal shares every block makes rounding errors grow, which trained networks do not.
 * 2. Calibrate with data (Mishkin and Matas, "All you need is a good init", 2016): run the graph layer by layer on one
 *    or two pictures of noise. A batch norm takes the mean and variance of what it sees; a convolution or fc that no
 *    batch norm reads has its weights scaled so that its result has a mean square of 1. In a graph that was folded
 *    (a .ir file) batch norms are expressions over their parameters, which stay as drawn: mean 0, variance 1.
 *
 * The same seed gives the same weights on every machine: element i of a tensor depends on the seed, the tensor's name
 * and i alone (splitmix64 as a counter); a normal number is a sum of eight 16-bit uniform ones, exact in integers,
 * where Box-Muller would depend on libm's last bits; and calibrated numbers are rounded to 16 bits, so that the last
 * bits of a sum (fused multiply-add or not) do not matter.
 */
#include "graph/tensor.h"
#include "graph/interpret.h"
#include "graph/train.h"
#include "load.h"

#include "graph/ops.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

enum { MAX_IMAGES = 2, CALIBRATED_BITS = 16, SPARSE_SAMPLES = 32 };
/* How far a channel's own statistics count, against the layer's: one or two pictures vary less than all that may come,
 * and with 1 a picture of another kind grows a hundredfold or more on its way through ResNet-152; with 0 a network's
 * result hardly depends on the picture. */
static const double most_trust = 0.5;
static const int64_t two_images_limit = 3000000000; /* multiply-adds; costlier networks are calibrated on one image */

/* ---- numbers ---- */

static uint64_t mix(uint64_t x) { /* splitmix64's output function */
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

static uint64_t draw(uint64_t stream, uint64_t i) {
    return mix(stream + (i + 1) * 0x9e3779b97f4a7c15u);
}

static uint64_t stream_of(uint64_t seed, const char *name) {
    return mix(mix(seed) ^ XXH3_64bits(name, strlen(name)));
}

static double draw_uniform(uint64_t stream, uint64_t i, double low, double high) {
    return low + (high - low) * (double)(draw(stream, i) >> 11) * 0x1p-53;
}

/* Mean 0, variance 1; never beyond 4.9. */
static double draw_normal(uint64_t stream, uint64_t i) {
    uint64_t a = draw(stream, 2 * i), b = draw(stream, 2 * i + 1);
    int64_t sum = 0;
    for (int k = 0; k < 4; k++, a >>= 16, b >>= 16) sum += (int64_t)(a & 0xffff) + (int64_t)(b & 0xffff);
    /* eight times 0..65535: mean 262140, variance 8 * (65536^2 - 1) / 12 */
    return (double)(sum - 262140) / sqrt(2863311530.0);
}

static double round_calibrated(double x) {
    int exponent;
    const double fraction = frexp(x, &exponent);
    return ldexp(nearbyint(ldexp(fraction, CALIBRATED_BITS)), exponent - CALIBRATED_BITS);
}

/* ---- drawing ---- */

/* What a tensor is, which says how its elements are drawn. */
typedef enum Role { NONE, KERNEL, FACTOR, BRANCH_FACTOR, SHIFT, ADDED, SLOPE, AVERAGE, VARIANCE, STEP, SAME } Role;

static const struct {
    double low, high;
} ranges[] = {[NONE] = {-0.05, 0.05},
              [FACTOR] = {0.8, 1.2},
              [BRANCH_FACTOR] = {0.16, 0.24},
              [SHIFT] = {-0.1, 0.1},
              [ADDED] = {-0.05, 0.05},
              [SLOPE] = {0.25, 0.25},
              [AVERAGE] = {0, 0},
              [VARIANCE] = {1, 1} /* calibrated below */,
              [STEP] = {0.02, 0.04}};

/* What an expression's arguments are; SAME: what its result is. */
static const Role argument_roles[RN_RECIPE_OP_COUNT][3] = {
#define RN_EXPRESSION(name, word, arity, a, b, c, ...) [RN_##name] = {a, b, c},
#include "rn_recipe.def"
};

static void set_role(Role *roles, const Tensor *tensor, Role role) {
    if (tensor && !roles[tensor->id]) roles[tensor->id] = role;
}

static void set_node_roles(Role *roles, const Node *node) {
    for (int i = 0; node->term && i < node->nin; i++) set_role(roles, node->term[i].weight, KERNEL);
    set_role(roles, node->epilogue.bias, ADDED);
    set_role(roles, node->epilogue.prelu, SLOPE);
    if (node->op == OP_QUANTIZE) {
        set_role(roles, node->weight[WEIGHT], STEP);
        set_role(roles, node->weight[BIAS], AVERAGE);
    }
    set_role(roles, node->weight[WEIGHT], op_info(node->op)->flags & OPF_ACTIVATION ? SLOPE : FACTOR);
    set_role(roles, node->weight[BIAS], SHIFT);
    set_role(roles, node->weight[MEAN], AVERAGE);
    set_role(roles, node->weight[VAR], VARIANCE);
}

/* Nodes say it of the tensors that they use, these of their arguments, which stand before them. */
static Role *find_roles(const Graph *graph, Arena *arena) {
    Role *roles = arena_alloc(arena, ((size_t)graph->tensor_count + 1) * sizeof *roles);
    for (int i = 0; i < graph->node_count; i++) {
        const Node *end = train_branch_end(graph->nodes[i]);
        if (end) set_role(roles, end->weight[WEIGHT], BRANCH_FACTOR);
    }
    for (int i = 0; i < graph->node_count; i++) set_node_roles(roles, graph->nodes[i]);
    set_role(roles, graph->preprocess.mean_image, AVERAGE);
    for (int i = graph->tensor_count - 1; i >= 0; i--) {
        const Tensor *tensor = graph->tensors[i];
        for (int j = 0; roles[i] && j < tensor->nargs; j++) {
            const Role role = argument_roles[tensor->op][j];
            set_role(roles, tensor->arg[j], role == SAME ? roles[i] : role);
        }
    }
    return roles;
}

static void fill_uniform(float *data, int64_t size, uint64_t stream, double low, double high) {
    for (int64_t i = 0; i < size; i++) data[i] = (float)draw_uniform(stream, (uint64_t)i, low, high);
}

static void fill_normal(float *data, int64_t size, uint64_t stream, double deviation, int threads) {
#pragma omp parallel for num_threads(threads) if (size > 65536)
    for (int64_t i = 0; i < size; i++) data[i] = (float)(deviation * draw_normal(stream, (uint64_t)i));
}

static float *draw_tensor(const Tensor *tensor, Role role, uint64_t seed, int threads) {
    const int64_t size = tensor_size(tensor);
    const uint64_t stream = stream_of(seed, tensor->name);
    float *data = malloc((size_t)size * sizeof *data + 1);
    if (!data) out_of_memory();
    if (role == KERNEL)
        fill_normal(data, size, stream, sqrt(2.0 / ((double)size / tensor->dim[0])), threads);
    else
        fill_uniform(data, size, stream, ranges[role].low, ranges[role].high);
    return data;
}

/* ---- pictures ---- */

/* Smooth noise between lattice points of distance `step`, about unit variance. */
static double noise_at(uint64_t stream, int y, int x, int step) {
    const int row = y / step, column = x / step;
    const double v = (double)(y % step) / step, u = (double)(x % step) / step;
    double corner[2][2];
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 2; j++)
            corner[i][j] = draw_normal(stream, (uint64_t)(row + i) << 20 | (uint64_t)(column + j));
    const double value =
        (corner[0][0] * (1 - u) + corner[0][1] * u) * (1 - v) + (corner[1][0] * (1 - u) + corner[1][1] * u) * v;
    const double variance = ((1 - u) * (1 - u) + u * u) * ((1 - v) * (1 - v) + v * v);
    return value / sqrt(variance);
}

static const double LEVEL_MEAN = 0.45, LEVEL_STD = 0.25; /* of a photograph */

/* A picture of three octaves of noise, its levels as a photograph's, preprocessed as the network's input is; where the
 * source says nothing of that, to mean 0 and variance 1. */
static double *make_image(const Graph *graph, uint64_t seed, int number) {
    const Preprocess *p = &graph->preprocess;
    const Shape shape = graph->input->shape;
    static const int steps[3] = {32, 8, 1};
    static const double shares[MAX_IMAGES][3] = {{0.6, 0.5, 0.62},
                                                 {0.2, 0.3, 0.93}}; /* smooth, rough; squares sum to 1 */
    double *image = malloc((size_t)shape_size(shape) * sizeof *image);
    if (!image) out_of_memory();
    for (int c = 0; c < shape.c; c++) {
        const double range = p->given && p->range > 0 ? p->range : 1;
        const double mean = p->given && c < 4 ? p->mean[c] : LEVEL_MEAN,
                     std = p->given && c < 4 && p->std[c] > 0 ? p->std[c] : LEVEL_STD;
        for (int y = 0; y < shape.h; y++)
            for (int x = 0; x < shape.w; x++) {
                double level = 0;
                for (int o = 0; o < 3; o++)
                    level += shares[number][o] *
                             noise_at(mix(seed + (uint64_t)(number * 1000003 + c * 3 + o)), y, x, steps[o]);
                level = LEVEL_MEAN + LEVEL_STD * level;
                level = level < 0 ? 0 : level > 1 ? 1 : level;
                image[((int64_t)c * shape.h + y) * shape.w + x] = (level * range - mean) / std;
            }
    }
    return image;
}

/* ---- calibration ---- */

typedef struct Calibration {
    const Graph *graph;
    TensorData *weights;
    int images, threads;
    double **values[MAX_IMAGES]; /* by value id */
    int *uses;                   /* by value id: readers to come */
    bool *normalised;            /* by value id: a batch norm reads it */
} Calibration;

/* Mean and variance of each channel, drawn towards the whole layer's: always by half, and nearly all the way where few
 * samples make up a channel (a 1x1 image; its own statistics would leave nothing of the signal). A channel that hardly
 * varies must not be blown up either. */
static void calibrate_bn(const Calibration *cal, const Node *node) {
    const Shape shape = node->in[0]->shape;
    const int64_t pixels = (int64_t)shape.h * shape.w;
    const double samples = (double)(pixels * cal->images);
    float *mean = cal->weights->data[node->weight[MEAN]->id], *var = cal->weights->data[node->weight[VAR]->id];
    double *sum = calloc(2 * (size_t)shape.c, sizeof *sum), *squares = sum + shape.c;
    if (!sum) out_of_memory();
#pragma omp parallel for num_threads(cal->threads) if (pixels * shape.c > 65536)
    for (int c = 0; c < shape.c; c++) {
        for (int n = 0; n < cal->images; n++)
            for (int64_t i = 0; i < pixels; i++) sum[c] += cal->values[n][node->in[0]->id][c * pixels + i];
        for (int n = 0; n < cal->images; n++)
            for (int64_t i = 0; i < pixels; i++) {
                const double d = cal->values[n][node->in[0]->id][c * pixels + i] - sum[c] / samples;
                squares[c] += d * d;
            }
    }
    double layer_mean = 0, layer_var = 0;
    for (int c = 0; c < shape.c; c++) layer_mean += sum[c] / samples / shape.c;
    for (int c = 0; c < shape.c; c++) {
        const double d = sum[c] / samples - layer_mean;
        layer_var += (squares[c] / samples + d * d) / shape.c;
    }
    if (!(layer_var > 1e-12)) layer_var = 1; /* a constant layer: nothing to measure */
    const double trust = most_trust * samples / (samples + SPARSE_SAMPLES);
    for (int c = 0; c < shape.c; c++) {
        double v = trust * (squares[c] / samples) + (1 - trust) * layer_var;
        if (v < 0.01 * layer_var) v = 0.01 * layer_var;
        mean[c] = (float)round_calibrated(layer_mean + trust * (sum[c] / samples - layer_mean));
        var[c] = (float)round_calibrated(v);
    }
    free(sum);
}

/* The factor that gives a convolution's or fc's result a mean square of 1; 0: it stays as drawn, a dead layer. */
static double unit_factor(const Calibration *cal, const Node *node) {
    const int64_t size = shape_size(node_unpooled_shape(node));
    double squares = 0;
    for (int n = 0; n < cal->images; n++)
        for (int64_t i = 0; i < size; i++) {
            const double x = cal->values[n][node->out->id][i];
            squares += x * x;
        }
    squares /= (double)(size * cal->images);
    return squares > 1e-24 && isfinite(squares) ? round_calibrated(1 / sqrt(squares)) : 0;
}

static void scale_param(const Calibration *cal, const Tensor *param, double factor) {
    float *data = cal->weights->data[param->id];
    const int64_t size = tensor_size(param);
#pragma omp parallel for num_threads(cal->threads) if (size > 65536)
    for (int64_t i = 0; i < size; i++) data[i] = (float)(data[i] * factor);
}

static bool *new_marks(const Calibration *cal) {
    bool *marks = calloc((size_t)cal->graph->tensor_count, sizeof *marks);
    if (!marks) out_of_memory();
    return marks;
}

/* Evaluates what depends on the marked tensors again; frees the marks. */
static void evaluate_again(const Calibration *cal, bool *changed) {
    for (int i = 0; i < cal->graph->tensor_count; i++) {
        const Tensor *tensor = cal->graph->tensors[i];
        for (int j = 0; j < tensor->nargs; j++) changed[i] |= changed[tensor->arg[j]->id];
        if (!changed[i] || tensor->op == RN_PARAM) continue;
        free(cal->weights->data[i]);
        cal->weights->data[i] = NULL;
    }
    tensor_data_evaluate(cal->graph, cal->weights);
    free(changed);
}

/* The weights of a graph that was folded are expressions, linear in the arguments that are what the result is. So their
 * parameters are scaled. */
static void scale_weights(const Calibration *cal, const Node *node, double factor) {
    bool *changed = new_marks(cal);
    for (int t = 0; t < node->nin; t++) changed[node->term[t].weight->id] = true;
    for (int i = cal->graph->tensor_count - 1; i >= 0; i--) {
        const Tensor *tensor = cal->graph->tensors[i];
        if (changed[i] && tensor->op == RN_PARAM) scale_param(cal, tensor, factor);
        for (int j = 0; changed[i] && j < tensor->nargs; j++)
            if (argument_roles[tensor->op][j] == SAME) changed[tensor->arg[j]->id] = true;
    }
    evaluate_again(cal, changed);
}

static void release(Calibration *cal, const Value *value) {
    for (int n = 0; n < cal->images; n++) {
        free(cal->values[n][value->id]);
        cal->values[n][value->id] = NULL;
    }
}

/* The op's own results: no bias yet, nor what was fused. */
static void run_op(Calibration *cal, const Node *node) {
    const double **in = malloc(((size_t)node->nin + 1) * sizeof *in);
    const size_t size = (size_t)shape_size(node_unpooled_shape(node)) * sizeof(double);
    if (!in) out_of_memory();
    for (int n = 0; n < cal->images; n++) {
        for (int i = 0; i < node->nin; i++) in[i] = cal->values[n][node->in[i]->id];
        double *out = malloc(size);
        if (!out) out_of_memory();
        op_info(node->op)->reference(node, in, out, cal->weights, cal->threads);
        free(cal->values[n][node->out->id]);
        cal->values[n][node->out->id] = out;
    }
    free(in);
}

static bool has_expressions(const Node *node) {
    for (int t = 0; t < node->nin; t++)
        if (node->term[t].weight->op != RN_PARAM) return true;
    return false;
}

/* Scales the weights, and with them the results so far. */
static void calibrate_terms(Calibration *cal, const Node *node) {
    const double factor = unit_factor(cal, node);
    if (factor == 0) return;
    scale_weights(cal, node, factor);
    if (has_expressions(node)) { /* a part of them, an identity say, may have no parameter */
        run_op(cal, node);
        return;
    }
    const int64_t size = shape_size(node_unpooled_shape(node));
    for (int n = 0; n < cal->images; n++)
        for (int64_t i = 0; i < size; i++) cal->values[n][node->out->id][i] *= factor;
}

static void done_reading(Calibration *cal, const Value *value) {
    if (value && --cal->uses[value->id] == 0) release(cal, value);
}

static void calibrate_node(Calibration *cal, const Node *node) {
    const Value *addend = node->epilogue.addend;
    if (node->op == OP_BN && node->weight[MEAN]->op == RN_PARAM && node->weight[VAR]->op == RN_PARAM) {
        bool *changed = new_marks(cal);
        calibrate_bn(cal, node);
        changed[node->weight[MEAN]->id] = changed[node->weight[VAR]->id] = true;
        evaluate_again(cal, changed);
    }
    run_op(cal, node);
    if (node->term && !cal->normalised[node->out->id]) calibrate_terms(cal, node);
    for (int n = 0; n < cal->images; n++) {
        double **out = &cal->values[n][node->out->id];
        *out = interpret_epilogue(node, *out, addend ? cal->values[n][addend->id] : NULL, cal->weights);
    }
    for (int i = 0; i < node->nin; i++) done_reading(cal, node->in[i]);
    done_reading(cal, addend);
    if (cal->uses[node->out->id] == 0) release(cal, node->out);
}

static void calibrate(const Graph *graph, uint64_t seed, TensorData *weights, int threads) {
    int64_t cost = 0;
    for (int i = 0; i < graph->node_count; i++) cost += node_cost(graph->nodes[i]);
    Arena arena = {0};
    const size_t values = (size_t)graph->value_count;
    Calibration cal = {
        .graph = graph, .weights = weights, .images = cost > two_images_limit ? 1 : 2, .threads = threads};
    cal.uses = graph_use_counts(graph, &arena);
    cal.normalised = arena_alloc(&arena, values * sizeof *cal.normalised);
    for (int i = 0; i < graph->node_count; i++)
        if (graph->nodes[i]->op == OP_BN) cal.normalised[graph->nodes[i]->in[0]->id] = true;
    for (int n = 0; n < cal.images; n++) {
        cal.values[n] = arena_alloc(&arena, values * sizeof *cal.values[n]);
        cal.values[n][graph->input->id] = make_image(graph, seed, n);
    }
    for (int i = 0; i < graph->node_count; i++) calibrate_node(&cal, graph->nodes[i]);
    for (int i = 0; i < graph->value_count; i++)
        release(&cal, graph->values[i]); /* outputs count as used: still here */
    arena_free(&arena);
}

void weights_random(const Graph *graph, uint64_t seed, TensorData *out, int threads) {
    Arena arena = {0};
    const Role *roles = find_roles(graph, &arena);
    if (threads < 1) threads = 1;
    out->count = graph->tensor_count;
    out->data = calloc((size_t)graph->tensor_count + 1, sizeof *out->data);
    if (!out->data) out_of_memory();
    for (int i = 0; i < graph->tensor_count; i++)
        if (graph->tensors[i]->op == RN_PARAM) out->data[i] = draw_tensor(graph->tensors[i], roles[i], seed, threads);
    arena_free(&arena);
    tensor_data_evaluate(graph, out);
    calibrate(graph, seed, out, threads);
}
