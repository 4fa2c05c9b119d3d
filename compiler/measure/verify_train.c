/* rnc --train --verify: a step's loss and gradients, by the emitted trainer and by the interpreter on the graph of the
 * step. Weights, images and labels are made up. The gradients are compared in the order in which the backward pass
 * makes them, so that the first that is named is where it goes wrong; relative error = largest |a - b| / largest |b|,
 * where b is at least a ten-thousandth of the largest of all gradients: one that is nothing but rounding compares with
 * nothing. A bias's or a convolution's is a sum over all pixels, which before a batch norm may cancel out: it may be
 * off by some roundings of what is summed. A gradient may be off as much as a layer that --verify compares
 * (verify_run.c): a ReLU's input that rounding takes to the other side of 0 moves it.
 */
#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/toolchain.h"
#include "emit/describe.h"
#include "graph/interpret.h"
#include "load/load.h"
#include "probe.h"
#include "runtime/train/philox.h"
#include "save/emitted.h"
#include "verify_run.h"

enum { VERIFY_IMAGES = 4 };
static const double LEAST_SHARE = 1.0 / 30, LEAST_SIZE = 1e-4, ROUNDINGS = 8 * (double)FLT_EPSILON;

typedef struct Verify {
    Compilation *c;
    const Graph *graph; /* of the step, after the passes */
    const TrainPlan *plan;
    int images;
    float *input;      /* images x C x H x W */
    double *labels;    /* as interpret_batch takes them */
    double **values;   /* by the interpreter */
    const char *bytes; /* what the probe wrote */
    const float *gradients;
    double loss, largest; /* the emitted loss; the largest expected gradient */
    VerifyTraining *result;
} Verify;

static void make_batch(Verify *v) {
    const size_t size = (size_t)shape_size(v->graph->input->shape);
    const int classes = v->graph->outputs[v->graph->training->loss]->producer->in[0]->shape.c;
    v->input = malloc(sizeof *v->input * size * (size_t)v->images);
    v->labels = malloc(sizeof *v->labels * 4 * (size_t)v->images);
    v->values = calloc((size_t)v->graph->value_count, sizeof *v->values);
    if (!v->input || !v->labels || !v->values) out_of_memory();
    for (int n = 0; n < v->images; n++) {
        double *label = v->labels + 4 * n;
        const uint32_t counter[4] = {0, (uint32_t)n, 0, RN_DRAW_DROPOUT}; /* as a trainer draws in its step 0 */
        uint32_t word[4];
        rn_philox(word, counter, 0);
        images_noise(v->c->options->seed, n, v->input + (size_t)n * size, size);
        label[0] = n % classes, label[1] = (n + 1) % classes, label[2] = n % 2 ? 0.75 : 1;
        label[3] = word[0] & 0xffffff;
    }
}

/* Parameters as the flat buffer has them, images, labels. */
static bool write_input(Verify *v, const char *path) {
    const size_t pixels = (size_t)shape_size(v->graph->input->shape) * (size_t)v->images;
    Text text = {0};
    float *flat = calloc((size_t)v->plan->floats, sizeof *flat);
    if (!flat) out_of_memory();
    for (int i = 0; i < v->plan->count; i++) {
        const Tensor *tensor = v->plan->parameters[i].tensor;
        if (tensor->id < v->c->weights.count && v->c->weights.data[tensor->id])
            memcpy(flat + v->plan->parameters[i].row.offset, v->c->weights.data[tensor->id],
                   sizeof *flat * (size_t)tensor_size(tensor));
    }
    text_write(&text, (const char *)flat, sizeof *flat * (size_t)v->plan->floats);
    text_write(&text, (const char *)v->input, sizeof *v->input * pixels);
    for (int n = 0; n < v->images; n++) {
        const float label[3] = {(float)v->labels[4 * n], (float)v->labels[4 * n + 1], (float)v->labels[4 * n + 2]};
        text_write(&text, (const char *)label, sizeof label);
    }
    const bool good = file_write(path, text.s, text.size);
    if (!good) diag_error(&v->c->diag, (Place){0}, "verify: cannot write '%s': %s", path, strerror(errno));
    text_free(&text);
    free(flat);
    return good;
}

static bool read_output(Verify *v, const char *path) {
    size_t size;
    v->bytes = file_read(path, SIZE_MAX, &size);
    if (v->bytes && size == 2 * sizeof(double) + sizeof(float) * (size_t)v->plan->gradient_floats) {
        memcpy(&v->loss, v->bytes, sizeof v->loss);
        v->gradients = (const float *)(const void *)(v->bytes + 2 * sizeof(double));
        return true;
    }
    diag_error(&v->c->diag, (Place){0}, "verify: the results of the emitted code cannot be read");
    return false;
}

static bool run(Verify *v, const char *folder) {
    Compilation *c = v->c;
    const char *in = arena_printf(&c->arena, "%s/in", folder), *out = arena_printf(&c->arena, "%s/out", folder);
    const char *words[] = {
        "train", arena_printf(&c->arena, "%d", c->options->threads), arena_printf(&c->arena, "%d", v->images), in, out,
        NULL};
    return emitted_build_shared(c, c->plan, folder, "net") && write_input(v, in) &&
           probe_run(c, "verify", words, folder, (const char *[]){"net", NULL}) && read_output(v, out);
}

/* ---- comparison ---- */
static Place place_of(const Verify *v, const Tensor *tensor) {
    const Node *node = v->plan->parameters[v->plan->of_tensor[tensor->id]].node;
    return node ? node->place : (Place){0};
}

/* False where it differs. expected: `count` numbers, each times `factor`. */
static bool compare(Verify *v, const char *what, const Tensor *tensor, const double *expected, double factor,
                    const float *got, double least) {
    VerifyTraining *r = v->result;
    const int64_t count = tensor_size(tensor);
    double largest = least, worst = -1;
    int64_t at = 0;
    for (int64_t i = 0; i < count; i++) largest = fmax(largest, fabs(expected[i] * factor));
    for (int64_t i = 0; i < count && !isnan(worst); i++) {
        const double error = fabs((double)got[i] - expected[i] * factor);
        if (!(error <= worst)) worst = error, at = i;
    }
    const double error = worst / largest;
    r->compared++;
    if (!(error <= r->error)) r->error = error, r->worst = tensor->name;
    if (error <= r->limit) return true;
    r->what = what, r->parameter = tensor->name, r->place = place_of(v, tensor);
    r->got = (double)got[at], r->expected = expected[at] * factor, r->element = at;
    diag_error(
        &v->c->diag, r->place,
        "verify: the %s of '%s' differs from the interpreter: relative error %.3g, more than %g; element %lld is "
        "%.9g and should be %.9g",
        what, tensor->name, error, r->limit, (long long)at, r->got, r->expected);
    return false;
}

static const double *gradient(const Verify *v, const Trained *t) {
    const Value *value = v->graph->outputs[t->output];
    return v->values[value->id] + (size_t)t->channel * (size_t)value->shape.h * (size_t)value->shape.w;
}

static double largest_of(const double *x, int64_t count) {
    double largest = 0;
    for (int64_t i = 0; i < count; i++) largest = fmax(largest, fabs(x[i]));
    return largest;
}

/* The largest sum of the sizes of what a bias's or a convolution's gradient is summed of, or more. 0: of others. */
static double summed(const Verify *v, const Trained *t) {
    const Node *node = v->graph->outputs[t->output]->producer;
    if (node->op != OP_SUM && node->op != OP_CONV_WEIGHTS) return 0;
    const Value *in = node->in[node->nin - 1], *with = node->op == OP_SUM ? NULL : node->in[0];
    const int64_t pixels = (int64_t)in->shape.h * in->shape.w;
    double largest = 0;
    for (int k = 0; k < in->shape.c; k++) {
        double sum = 0;
        for (int n = 0; n < v->images; n++)
            for (int64_t i = 0; i < pixels; i++)
                sum += fabs(v->values[in->id][((int64_t)n * in->shape.c + k) * pixels + i]);
        largest = fmax(largest, sum);
    }
    if (!with) return fmax(largest, 8 * v->largest * v->images); /* a norm of few pixels cancels out in each of them */
    return largest * largest_of(v->values[with->id], v->images * shape_size(with->shape));
}

static bool compare_loss(Verify *v) {
    VerifyTraining *r = v->result;
    const double *each = v->values[v->graph->outputs[v->graph->training->loss]->id];
    double loss = 0;
    for (int n = 0; n < v->images; n++) loss += each[3 * n];
    r->loss_error = fabs(v->loss - loss) / fmax(fabs(loss), 1e-30);
    if (r->loss_error <= r->loss_limit) return true;
    r->what = "loss", r->parameter = "", r->got = v->loss / v->images, r->expected = loss / v->images;
    diag_error(
        &v->c->diag, (Place){0},
        "verify: the loss differs from the interpreter: relative error %.3g, more than %g; it is %.9g and should "
        "be %.9g",
        r->loss_error, r->loss_limit, r->got, r->expected);
    return false;
}

static bool compare_all(Verify *v) {
    const Training *training = v->graph->training;
    const double mean = 1.0 / v->images;
    for (int i = 0; i < training->running_count; i++) { /* of the forward pass, so first */
        const Running *running = &training->running[i];
        const double *stats = v->values[v->graph->outputs[running->output]->id];
        const int64_t channels = tensor_size(running->mean);
        const double count = stats[2 * channels];
        double spread = 1e-30; /* of a value that is 0 everywhere */
        for (int64_t k = 0; k < channels; k++) spread = fmax(spread, sqrt(stats[channels + k]));
        if (!compare(v, "batch mean", running->mean, stats, 1,
                     v->gradients + train_offset(v->c->training_plan, running->mean), spread) ||
            !compare(v, "batch variance", running->var, stats + channels, count > 1 ? count / (count - 1) : 1,
                     v->gradients + train_offset(v->c->training_plan, running->var), 1e-30))
            return false;
    }
    if (!compare_loss(v)) return false;
    for (int i = 0; i < training->trained_count; i++)
        for (int64_t k = 0; k < tensor_size(training->trained[i].param); k++)
            v->largest = fmax(v->largest, fabs(gradient(v, &training->trained[i])[k] * mean));
    for (int i = 0; i < training->trained_count; i++) {
        const Tensor *param = training->trained[i].param;
        const double least =
            fmax(v->largest * LEAST_SIZE, summed(v, &training->trained[i]) * mean * ROUNDINGS / v->result->limit);
        if (!compare(v, "gradient", param, gradient(v, &training->trained[i]), mean,
                     v->gradients + train_offset(v->c->training_plan, param), fmax(least, 1e-30)))
            return false;
    }
    return true;
}

bool verify_training(Compilation *c, VerifyTraining *result) {
    const int batch = c->training_plan->options.batch;
    Verify v = {.c = c,
                .graph = c->training_plan->graph,
                .plan = c->training_plan->training,
                .images = batch < VERIFY_IMAGES ? batch : VERIFY_IMAGES,
                .result = result};
    *result = (VerifyTraining){.images = v.images,
                               .loss_limit = c->options->tolerance,
                               .limit = c->options->tolerance / LEAST_SHARE,
                               .worst = ""};
    if (!c->weights.count) weights_random(c->source, c->options->seed, &c->weights, c->options->threads);
    tensor_data_evaluate(v.graph, &c->weights);
    make_batch(&v);
    const char *folder = temp_folder_make(&c->arena, NULL, &c->diag);
    if (folder && run(&v, folder)) {
        interpret_batch(v.graph, &c->weights, v.input, v.labels, v.images, v.values, c->options->threads);
        result->agrees = compare_all(&v);
    }
    if (folder) temp_folder_remove(folder);
    for (int i = 0; i < v.graph->value_count; i++) free(v.values[i]);
    free(v.values);
    free(v.input);
    free(v.labels);
    free((void *)v.bytes);
    return result->agrees;
}
