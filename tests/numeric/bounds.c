/* Bounds on the rounding errors of emitted code, element by element, carried through a graph by its ops' definitions.
 *
 * A sum of n products in fp32 is off by some sqrt(n) roundoffs of its partial sums, whose size is that of the root of
 * the products' squares added up, or of the result (Higham and Mary 2019, "A new approach to probabilistic rounding
 * error analysis"); MARGIN standard deviations are allowed. Errors of the inputs pass through |W|. Winograd's and
 * Strassen's methods mix an image's elements, so that theirs are of the largest of a channel, or of all, times the
 * amplification of the transforms at a tile's worst place. Random weights and images are assumed: these are bounds for
 * tests.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "graph/act.h"
#include "graph/tensor.h"
#include "bounds.h"
#include "graph/ops.h"
#include "plan/winograd.h"
#include "runtime/core/winograd.h"

void suite_bounds(void);
void suite_bounds(void) {} /* a helper of the other suites */

static const double ROUNDOFF = 0x1p-24, LEAST = 1e-35; /* below it results may be denormal */
static const double MARGIN = 8, STRASSEN = 3;          /* of its worst quarter */
static const double FUNCTION = 16;                     /* roundoffs of an approximated function's result */

typedef struct Bounds {
    const Graph *graph;
    const TensorData *weights;
    double *const *values;
    /* by value id: the bounds; the size of what a value may be added up from, where a norm folds into a layer; the
     * products of the sums that it is made of, which others may join */
    double **bound, **size, *products;
    double *channel, *all; /* by node id: roundoffs of the largest element of a channel, of all; 0: no transforms */
    double most_channel, most_all;
} Bounds;

static int64_t pixels_of(const Value *v) {
    return (int64_t)v->shape.h * v->shape.w;
}

static double *new_array(const Value *v) {
    return calloc((size_t)shape_size(v->shape), sizeof(double));
}

/* The op's definition on other inputs and weights. */
static void run(const Node *node, double *const *arrays, const TensorData *weights, double *out) {
    const double **in = malloc(sizeof *in * (size_t)node->nin);
    for (int i = 0; i < node->nin; i++) in[i] = arrays[node->in[i]->id];
    op_info(node->op)->reference(node, in, out, weights, 1);
    free(in);
}

/* A layer's sum with its weights' sizes or their squares, and inputs' likewise. */
static double *run_sizes(const Bounds *b, const Node *node, double *const *arrays, bool squares) {
    TensorData weights = {calloc((size_t)b->weights->count, sizeof(float *)), b->weights->count};
    const Tensor *w = node->term[0].weight;
    const int64_t count = tensor_size(w);
    float *to = weights.data[w->id] = malloc((size_t)count * sizeof *to);
    for (int64_t i = 0; i < count; i++) {
        const float x = b->weights->data[w->id][i];
        to[i] = squares ? x * x : fabsf(x);
    }
    double **in = calloc((size_t)b->graph->value_count, sizeof *in), *out = new_array(node->out);
    const Value *x = node->in[0];
    in[x->id] = new_array(x);
    for (int64_t i = 0; i < shape_size(x->shape); i++) {
        const double value = arrays[x->id][i];
        in[x->id][i] = squares ? value * value : value;
    }
    run(node, in, &weights, out);
    free(in[x->id]);
    free(in);
    tensor_data_free(&weights);
    return out;
}

static double largest_of(const double *data, int64_t count) {
    double largest = 0;
    for (int64_t i = 0; i < count; i++)
        if (fabs(data[i]) > largest) largest = fabs(data[i]);
    return largest;
}

static void bound_sum(Bounds *b, const Node *node) {
    const Value *out = node->out;
    const int64_t count = shape_size(out->shape), pixels = pixels_of(out);
    const double products = b->products[out->id] = (double)tensor_size(node->term[0].weight) / node->features;
    double *carried = run_sizes(b, node, b->bound, false), *size = run_sizes(b, node, b->size, true);
    for (int64_t i = 0; i < count; i++) size[i] = sqrt(size[i]);
    const double largest = largest_of(size, count), *x = b->values[out->id];
    const float *bias = node->epilogue.bias ? b->weights->data[node->epilogue.bias->id] : NULL;
    const double direct = ROUNDOFF * (MARGIN * 0.3 * sqrt(products) + 4);
    for (int64_t i = 0; i < count; i++) {
        const int c = (int)(i / pixels);
        carried[i] += direct * (3 * size[i] + fabs(x[i])) + b->all[node->id] * largest;
        if (b->channel[node->id] > 0) carried[i] += b->channel[node->id] * largest_of(size + c * pixels, pixels);
        if (bias) carried[i] += 4 * ROUNDOFF * fabs(bias[c]);
    }
    free(size);
    b->bound[out->id] = carried;
}

/* Batch norm and scale: x * scale + shift. */
static void bound_affine(Bounds *b, const Node *node) {
    const Value *in = node->in[0], *out = node->out;
    const int64_t pixels = pixels_of(out);
    const bool norm = node->op == OP_BN;
    b->products[out->id] = b->products[in->id];
    const float *const *data = (const float *const *)b->weights->data;
    b->size[out->id] = new_array(out);
    for (int c = 0; c < out->shape.c; c++) {
        double scale = data[node->weight[WEIGHT]->id][c],
               shift = node->weight[BIAS] ? fabs((double)data[node->weight[BIAS]->id][c]) : 0;
        if (norm) scale /= sqrt((double)data[node->weight[VAR]->id][c] + node->attr.eps);
        if (norm) shift += fabs(scale * (double)data[node->weight[MEAN]->id][c]);
        scale = fabs(scale);
        const double largest = largest_of(b->size[in->id] + c * pixels, pixels);
        for (int64_t i = c * pixels; i < (c + 1) * pixels; i++) {
            const double size = scale * b->size[in->id][i] + shift;
            b->size[out->id][i] = size;
            /* it may become a convolution's kernel, with its transforms */
            b->bound[out->id][i] =
                scale * b->bound[in->id][i] + 4 * ROUNDOFF * size + (b->most_channel + b->most_all) * scale * largest;
        }
    }
}

/* A layer's sum may go on from the other summand, which then is a part of all its partial sums. */
static void bound_add(Bounds *b, const Node *node) {
    run(node, b->bound, b->weights, b->bound[node->out->id]);
    const double products = b->products[node->in[0]->id] + b->products[node->in[1]->id];
    const double share = ROUNDOFF * (2 + MARGIN * 0.3 * sqrt(products));
    double *size = b->size[node->out->id] = new_array(node->out);
    run(node, b->size, b->weights, size);
    double largest = 0; /* a summand may be a kernel's centre */
    for (int i = 0; i < 2; i++)
        if (!node->in[i]->producer || node->in[i]->producer->op != OP_CONV)
            largest = fmax(largest, largest_of(b->size[node->in[i]->id], shape_size(node->in[i]->shape)));
    for (int64_t i = 0; i < shape_size(node->out->shape); i++)
        b->bound[node->out->id][i] += share * size[i] + (b->most_channel + b->most_all) * largest;
    b->products[node->out->id] = products;
}

static void bound_mul(Bounds *b, const Node *node) {
    const Value *in = node->in[0], *gate = node->in[1], *out = node->out;
    const int64_t pixels = pixels_of(out);
    const Broadcast broadcast = node_broadcast(node);
    for (int64_t i = 0; i < shape_size(out->shape); i++) {
        const int64_t g = broadcast == BROADCAST_EQUAL      ? i
                          : broadcast == BROADCAST_CHANNELS ? i / pixels
                          : broadcast == BROADCAST_PIXELS   ? i % pixels
                                                            : 0;
        const double a = fabs(b->values[in->id][i]), da = b->bound[in->id][i];
        const double f = fabs(b->values[gate->id][g]), df = b->bound[gate->id][g];
        b->bound[out->id][i] = a * df + da * f + da * df + 2 * ROUNDOFF * a * f;
    }
}

/* By how much an activation enlarges a difference at most. */
static double steepest(Act act, ActNumbers numbers) {
    const double reach = 20, step = 1e-3;
    double most = 0;
    for (double x = -reach; x < reach; x += step)
        most = fmax(most, fabs(act_apply(act, x + step, numbers) - act_apply(act, x, numbers)) / step);
    return most;
}

/* Of pieces of straight lines; the others have exponentials. */
static bool is_straight(Act act) {
    return act == ACT_RELU || act == ACT_RELU6 || act == ACT_CLIP || act == ACT_PRELU || act == ACT_LEAKYRELU;
}

static void bound_activation(Bounds *b, const Node *node) {
    const Value *in = node->in[0], *out = node->out;
    const Act act = node_act(node);
    const bool per_channel = act_info(act)->parameter == PARAMETER_PER_CHANNEL;
    const double rise = per_channel ? 0 : 1.001 * steepest(act, node_act_numbers(node));
    const double bounded = fabs(act_apply(act, 1e30, node_act_numbers(node))) <= 1; /* sigmoids: sums with 1 */
    for (int64_t i = 0; i < shape_size(out->shape); i++) {
        const double x = fabs(b->values[in->id][i]), y = fabs(b->values[out->id][i]), d = b->bound[in->id][i];
        double carried = rise * d;
        if (per_channel)
            carried = fmax(1, fabs((double)b->weights->data[node->weight[WEIGHT]->id][i / pixels_of(out)])) * d;
        const double own = is_straight(act) ? 2 * y : FUNCTION * fmax(fmax(x * 0.5, y), bounded);
        b->bound[out->id][i] = carried + ROUNDOFF * own;
    }
}

static void bound_lrn(Bounds *b, const Node *node) {
    const Value *in = node->in[0], *out = node->out;
    const Attr *attr = &node->attr;
    const int64_t pixels = pixels_of(out);
    for (int64_t i = 0; i < shape_size(out->shape); i++) {
        const int c = (int)(i / pixels), first = c - attr->size / 2, last = c + (attr->size - 1) / 2;
        double sum = 0, error = 0;
        for (int k = first < 0 ? 0 : first; k <= last && k < out->shape.c; k++) {
            const int64_t at = k * pixels + i % pixels;
            const double x = fabs(b->values[in->id][at]), d = b->bound[in->id][at];
            sum += x * x, error += 2 * x * d + d * d;
        }
        const double share = attr->alpha / attr->size, base = attr->k + share * sum;
        const double relative = (share * error + attr->size * ROUNDOFF * share * sum) / base + 4 * ROUNDOFF;
        b->bound[out->id][i] = b->bound[in->id][i] / pow(base, attr->beta) +
                               fabs(b->values[out->id][i]) * (2 * attr->beta * relative +
                                                              FUNCTION * ROUNDOFF * (1 + attr->beta * fabs(log(base))));
    }
}

/* The norm of `count` elements from the first, `step` apart: their errors move its mean and its deviation, which is the
 * root of the mean of their squared distances from it. */
static void bound_norm(Bounds *b, const Node *node, int64_t first, int64_t count, int64_t step) {
    const int64_t pixels = pixels_of(node->out), end = first + count * step;
    const float *weight = b->weights->data[node->weight[WEIGHT]->id], *bias = b->weights->data[node->weight[BIAS]->id];
    const double *x = b->values[node->in[0]->id], *d = b->bound[node->in[0]->id], n = (double)count;
    const double sums = ROUNDOFF * (MARGIN * sqrt(n) + 4);
    double mean = 0, size = 0, shift = 0, variance = 0, error = 0;
    for (int64_t i = first; i < end; i += step) mean += x[i] / n, size += fabs(x[i]) / n, shift += d[i] / n;
    shift += sums * size;
    for (int64_t i = first; i < end; i += step) variance += pow(x[i] - mean, 2) / n, error += pow(d[i] + shift, 2) / n;
    const double deviation = sqrt(variance + node->attr.eps), off = sqrt(error) + sums * deviation;
    const double least = fmax(fmax(deviation - off, sqrt(node->attr.eps)), LEAST);
    for (int64_t i = first; i < end; i += step) {
        const double apart = d[i] + shift + 2 * ROUNDOFF * (fabs(x[i]) + fabs(mean));
        b->bound[node->out->id][i] =
            fabs((double)weight[i / pixels]) * (apart + fabs(x[i] - mean) * off / deviation) / least +
            4 * ROUNDOFF * (fabs(b->values[node->out->id][i]) + fabs((double)bias[i / pixels]));
    }
}

static void bound_layernorm(Bounds *b, const Node *node) {
    const int64_t pixels = pixels_of(node->out);
    for (int64_t p = 0; p < pixels; p++) bound_norm(b, node, p, node->out->shape.c, pixels);
}

static void bound_groupnorm(Bounds *b, const Node *node) {
    const int64_t size = shape_size(node->out->shape) / node->attr.groups;
    for (int g = 0; g < node->attr.groups; g++) bound_norm(b, node, g * size, size, 1);
}

/* x times a factor of each channel, its response divided by the mean of all. */
static void bound_responsenorm(Bounds *b, const Node *node) {
    const int64_t pixels = pixels_of(node->out), channels = node->out->shape.c;
    const float *weight = b->weights->data[node->weight[WEIGHT]->id], *bias = b->weights->data[node->weight[BIAS]->id];
    const double *x = b->values[node->in[0]->id], *d = b->bound[node->in[0]->id];
    const double sums = ROUNDOFF * (MARGIN * sqrt((double)pixels) + 4);
    double mean = node->attr.eps, shift = ROUNDOFF * (MARGIN * sqrt((double)channels) + 4) * mean;
    for (int pass = 0; pass < 2; pass++)
        for (int64_t c = 0; c < channels; c++) {
            double square = 0, error = 0;
            for (int64_t i = c * pixels; i < (c + 1) * pixels; i++) square += x[i] * x[i], error += d[i] * d[i];
            const double response = sqrt(square), off = sqrt(error) + sums * response;
            if (pass == 0) {
                mean += response / (double)channels;
                shift += (off + ROUNDOFF * (MARGIN * sqrt((double)channels) + 4) * response) / (double)channels;
                continue;
            }
            const double least = fmax(fmax(mean - shift, node->attr.eps), LEAST);
            const double factor = response / mean, wrong = (off + factor * shift) / least;
            for (int64_t i = c * pixels; i < (c + 1) * pixels; i++)
                b->bound[node->out->id][i] =
                    fabs((double)weight[c]) * (d[i] * (factor + wrong) + fabs(x[i]) * (wrong + 4 * ROUNDOFF * factor)) +
                    4 * ROUNDOFF * (fabs(b->values[node->out->id][i]) + fabs((double)bias[c]));
        }
}

/* Of `count` numbers from the first on, `step` apart. */
static void bound_softmax_of(Bounds *b, const Node *node, int64_t first, int64_t count, int64_t step) {
    const Value *in = node->in[0], *out = node->out;
    double error = 0, largest = 0;
    for (int64_t i = first; i < first + count * step; i += step) {
        error = fmax(error, b->bound[in->id][i]);
        largest = fmax(largest, fabs(b->values[in->id][i]));
    }
    const double own = ROUNDOFF * (FUNCTION + 4 * largest + 2 * sqrt((double)count));
    for (int64_t i = first; i < first + count * step; i += step)
        b->bound[out->id][i] = node->attr.log ? 2 * error + own + 4 * ROUNDOFF * fabs(b->values[out->id][i])
                                              : b->values[out->id][i] * (expm1(2 * error) + own);
}

static void bound_softmax(Bounds *b, const Node *node) {
    const int64_t pixels = pixels_of(node->out), c = node->out->shape.c, branches = node->attr.branches;
    if (node->attr.pixels)
        for (int64_t i = 0; i < c; i++) bound_softmax_of(b, node, i * pixels, pixels, 1);
    else if (branches > 1)
        for (int64_t i = 0; i < c / branches * pixels; i++)
            bound_softmax_of(b, node, i, branches, c / branches * pixels);
    else
        for (int64_t i = 0; i < pixels; i++) bound_softmax_of(b, node, i, c, pixels);
}

/* A staircase: what the error of x may make of it, a step or none. */
static void bound_quantize(Bounds *b, const Node *node) {
    const Value *in = node->in[0], *out = node->out;
    double *moved = new_array(in), *result = new_array(out);
    double **arrays = calloc((size_t)b->graph->value_count, sizeof *arrays);
    arrays[in->id] = moved;
    for (int side = -1; side <= 1; side += 2) {
        for (int64_t i = 0; i < shape_size(in->shape); i++) {
            const double x = b->values[in->id][i];
            moved[i] = x + side * (b->bound[in->id][i] + 4 * ROUNDOFF * fabs(x));
        }
        run(node, arrays, b->weights, result);
        for (int64_t i = 0; i < shape_size(out->shape); i++) {
            const double y = b->values[out->id][i];
            b->bound[out->id][i] = fmax(b->bound[out->id][i], fabs(result[i] - y) + 4 * ROUNDOFF * fabs(y));
        }
    }
    free(arrays);
    free(moved);
    free(result);
}

/* What moves elements, or takes the largest or the mean of some. */
static void bound_moved(Bounds *b, const Node *node) {
    run(node, b->bound, b->weights, b->bound[node->out->id]);
    if (node->op == OP_MAXPOOL || node->op == OP_SPP) return;
    b->size[node->out->id] = new_array(node->out);
    run(node, b->size, b->weights, b->size[node->out->id]);
    if (node->op != OP_AVGPOOL) return;
    const Window *w = &node->attr.window;
    const double count = node->attr.global ? (double)pixels_of(node->in[0]) : (double)w->r * w->s;
    for (int64_t i = 0; i < shape_size(node->out->shape); i++)
        b->bound[node->out->id][i] += ROUNDOFF * (MARGIN * sqrt(count) + 4) * b->size[node->out->id][i];
}

/* The pixel at or before place `i` along a dimension. */
static int pixel_at(ResizeAxis axis, int i) {
    const int64_t at = i * axis.step + axis.start;
    return at < 0 ? 0 : (int)(at / axis.scale);
}

/* Mixed from four, as a + (b - a) * share, whose roundoffs are of the largest of them, however small its share is. */
static void bound_resize(Bounds *b, const Node *node) {
    const Shape in = node->in[0]->shape, out = node->out->shape;
    const ResizeAxis rows = resize_axis(node, true), columns = resize_axis(node, false);
    const double *x = b->values[node->in[0]->id];
    double *bound = b->bound[node->out->id];
    bound_moved(b, node);
    for (int64_t i = 0; i < shape_size(out); i++) {
        const int64_t plane = i / out.w / out.h * in.h * in.w;
        const int top = pixel_at(rows, (int)(i / out.w % out.h)), left = pixel_at(columns, (int)(i % out.w));
        double largest = 0;
        for (int h = top; h <= top + rows.interpolates && h < in.h; h++)
            for (int w = left; w <= left + columns.interpolates && w < in.w; w++)
                largest = fmax(largest, fabs(x[plane + (int64_t)h * in.w + w]));
        bound[i] += 5 * (rows.interpolates + columns.interpolates) * ROUNDOFF * largest;
    }
}

static void bound_node(Bounds *b, const Node *node) {
    const Value *out = node->out;
    if (!node->term) b->bound[out->id] = new_array(out);
    switch (node->op) {
    case OP_CONV:
    case OP_CONVTRANSPOSE:
    case OP_FC:
        bound_sum(b, node);
        break;
    case OP_BN:
    case OP_SCALE:
        bound_affine(b, node);
        break;
    case OP_ADD:
        bound_add(b, node);
        break;
    case OP_MUL:
        bound_mul(b, node);
        break;
    case OP_LRN:
        bound_lrn(b, node);
        break;
    case OP_LAYERNORM:
        bound_layernorm(b, node);
        break;
    case OP_GROUPNORM:
        bound_groupnorm(b, node);
        break;
    case OP_RESPONSENORM:
        bound_responsenorm(b, node);
        break;
    case OP_RESIZE:
        bound_resize(b, node);
        break;
    case OP_SOFTMAX:
        bound_softmax(b, node);
        break;
    case OP_QUANTIZE:
        bound_quantize(b, node);
        break;
    default:
        (op_info(node->op)->flags & OPF_ACTIVATION ? bound_activation : bound_moved)(b, node);
    }
    for (int64_t i = 0; i < shape_size(out->shape); i++) b->bound[out->id][i] += LEAST;
    if (b->size[out->id]) return;
    b->size[out->id] = new_array(out);
    for (int64_t i = 0; i < shape_size(out->shape); i++) b->size[out->id][i] = fabs(b->values[out->id][i]);
}

static double sum_roundoffs(double products) {
    return ROUNDOFF * fmax(0.3 * sqrt(products), 1);
}

static double worst_place(const rn_winograd *w) {
    double rough[RN_WINOGRAD_MAX], even[RN_WINOGRAD_MAX], most = 0;
    rn_winograd_amplify(w, rough, even);
    for (int i = 0; i < w->m; i++) most = fmax(most, rough[i]);
    return sqrt(most);
}

/* The layer itself, or the convolution of its phases, "NAME phases". */
static bool is_part(const char *layer, const char *name) {
    const size_t n = strlen(layer);
    return !strncmp(layer, name, n) && (!name[n] || !strcmp(name + n, " phases"));
}

/* Roundoffs that the plan's transforms add to a layer; to all layers that became a part of another. */
static void find_transforms(Bounds *b, const Plan *plan) {
    b->channel = calloc((size_t)b->graph->node_count + 1, sizeof *b->channel);
    b->all = calloc((size_t)b->graph->node_count + 1, sizeof *b->all);
    for (int k = 0; k < plan->step_count; k++) {
        const Step *s = &plan->steps[k];
        double channel = 0, all = 0;
        if (s->algorithm == ALG_WINOGRAD)
            channel = 2 * MARGIN * sum_roundoffs(winograd_plan(s)->channels) * worst_place(&winograd_plan(s)->h) *
                      worst_place(&winograd_plan(s)->w);
        if (s->algorithm == ALG_STRASSEN) all = 2 * MARGIN * STRASSEN * sum_roundoffs(s->in[0]->shape.c);
        b->most_channel = fmax(b->most_channel, channel), b->most_all = fmax(b->most_all, all);
        for (int i = 0; s->node && i < b->graph->node_count; i++)
            if (is_part(b->graph->nodes[i]->name, s->node->name)) b->channel[i] += channel, b->all[i] += all;
    }
    for (int i = 0; i < b->graph->node_count; i++) {
        bool left = false;
        for (int k = 0; k < plan->graph->node_count && !left; k++)
            left = !strcmp(plan->graph->nodes[k]->name, b->graph->nodes[i]->name);
        if (!left) b->channel[i] = b->most_channel, b->all[i] = b->most_all;
    }
}

double **bounds_make(const Graph *source, const TensorData *weights, double *const *values, const Plan *plan) {
    Bounds b = {.graph = source, .weights = weights, .values = values};
    b.bound = calloc((size_t)source->value_count, sizeof *b.bound);
    b.size = calloc((size_t)source->value_count, sizeof *b.size);
    b.products = calloc((size_t)source->value_count, sizeof *b.products);
    find_transforms(&b, plan);
    const Value *input = source->input;
    b.bound[input->id] = new_array(input);
    b.size[input->id] = new_array(input);
    for (int64_t i = 0; i < shape_size(input->shape); i++)
        b.size[input->id][i] = fabs(values[input->id][i]), b.bound[input->id][i] = LEAST;
    for (int i = 0; i < source->node_count; i++) bound_node(&b, source->nodes[i]);
    bounds_free(b.size, source->value_count);
    free(b.products);
    free(b.channel);
    free(b.all);
    return b.bound;
}

void bounds_free(double **bounds, int count) {
    for (int i = 0; bounds && i < count; i++) free(bounds[i]);
    free(bounds);
}
