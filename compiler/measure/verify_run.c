/* rnc --verify: the emitted code, run, against the reference interpreter on the graph as the source says it.
 *
 * The code is built into a shared object and run in a process of its own (probe.c) on random images, or those of
 * --input, with the layer hook recording every result that survived fusion. Each is compared with the interpreter's
 * value of the same name: relative error = largest |a - b| / largest |b|. An output may differ by the tolerance, or
 * where no way to compute it keeps that, by what was predicted. A layer before it may by what brings an output there
 * (plan/error.h), at least as much, and more at its worst elements, which do not all reach an output. The first layer
 * beyond is the one that is named, since later ones differ in consequence. NaN never passes. With --batch N a batch of
 * N runs as well. A quantize layer takes a number that lies between two steps to either, by its last bit: it, and what
 * is computed from it, may differ by a few steps.
 *
 * Weights that are to be stored as bf16 are rounded for the interpreter too, so that the emitted code has to be as
 * exact as ever; what the rounding itself does to the outputs is told beside.
 */
#include "graph/tensor.h"
#include "graph/interpret.h"
#include "verify_run.h"
#include "save/emitted.h"
#include "base/toolchain.h"
#include "compilation.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "limits.h"
#include "load/load.h"
#include "probe.h"
#include "records.h"

typedef struct Verify {
    Compilation *c;
    const Graph *source;             /* with the weights as they are stored */
    Images images;                   /* that it is run on */
    int first;                       /* the images from here on are expected */
    int from, count;                 /* of those, the ones that a run is given, which its batch repeats */
    double **expected[PROBE_IMAGES]; /* by its value ids */
    double rounding;                 /* the largest relative change of an output by rounding weights; 0: none are */
    const char *folder;
    Map by_name;    /* source values */
    Map limits;     /* of the planned values (limits.h) */
    double *coarse; /* by source value id: what the steps of quantize layers before it allow; 0 where there are none */
    int compared, skipped, batch, images_seen;
    bool outputs_only; /* to measure them, whatever their error is */
    const char *task;  /* for messages */
    double worst, worst_output;
    VerifyDifference difference;
    char worst_layer[300];
} Verify;

/* ---- comparison ---- */
/* Of a layer that no output needs: an output's. */
static double limit_of(const Verify *v, const Value *value, const char *name) {
    const double *limit = value->is_output ? NULL : map_get(&v->limits, name);
    return fmax(limit ? *limit : limit_of_outputs(v->c, v->c->plan), v->coarse[value->id]);
}

/* The widest step of a quantize layer over the largest of its numbers, which need not come near its bounds. */
static double step_of(const Verify *v, const Node *node, int images) {
    const Tensor *scale = node->weight[WEIGHT];
    double widest = 0, largest = 0;
    for (int64_t c = 0; c < tensor_size(scale); c++)
        widest = fmax(widest, fabs((double)v->c->weights.data[scale->id][c]));
    for (int i = 0; i < images; i++)
        for (int64_t k = 0; k < shape_size(node->out->shape); k++)
            largest = fmax(largest, fabs(v->expected[i][node->out->id][k]));
    return largest > 0 ? widest / largest : 0;
}

/* Of the expected images. */
static void find_coarse(Verify *v, int images) {
    const double steps = 2;
    for (int i = 0; i < v->source->node_count; i++) {
        const Node *node = v->source->nodes[i];
        double *own = &v->coarse[node->out->id];
        *own = 0;
        for (int k = 0; k < node->nin; k++) *own = fmax(*own, v->coarse[node->in[k]->id]);
        if (node->op == OP_QUANTIZE) *own = fmax(*own, steps * step_of(v, node, images));
    }
}

/* What an output may be off by at most. */
static double widest_limit(const Verify *v) {
    double limit = limit_of_outputs(v->c, v->c->plan);
    for (int i = 0; i < v->source->output_count; i++) limit = fmax(limit, v->coarse[v->source->outputs[i]->id]);
    return limit;
}

/* Which of the expected images it is of. */
static int shown_image(const Verify *v, const Record *record) {
    return v->from + record->image % v->count;
}

static void report_difference(Verify *v, const Record *record, const Value *value, const Difference *d) {
    Compilation *c = v->c;
    const Shape s = record->shape;
    const int pixels = s.h * s.w;
    const char *input = c->options->verify_input;
    const VerifyDifference at = {.layer = arena_strdup(&c->arena, record->name),
                                 .what = arena_strdup(&c->arena, record->what),
                                 .place = value->producer ? value->producer->place : (Place){0},
                                 .error = d->error,
                                 .limit = limit_of(v, value, record->value),
                                 .got = d->got,
                                 .expected = d->expected,
                                 .channel = (int)(d->where / pixels),
                                 .row = (int)(d->where % pixels / s.w),
                                 .column = (int)(d->where % s.w),
                                 .image = input ? v->first + shown_image(v, record) + 1 : record->image + 1};
    diag_error(&c->diag, at.place,
               "verify: layer '%s' (%s) differs from the interpreter: relative error %.3g, more than %g; "
               "channel %d, row %d, column %d of image %d of %s is %.9g and should be %.9g",
               at.layer, at.what, at.error, at.limit, at.channel, at.row, at.column, at.image,
               input ? input : arena_printf(&c->arena, "%d", v->batch), at.got, at.expected);
    v->difference = at;
}

/* False where the layer differs. */
static bool check_record(Verify *v, const Record *record) {
    const Value *value = map_get(&v->by_name, record->value);
    if (!value || !shape_equal(value->shape, record->shape)) { /* an intermediate that only a pass made */
        v->skipped++;
        return true;
    }
    if (v->outputs_only && !value->is_output) return true;
    const Difference d = difference_of(shape_size(record->shape), numbers_of_record, record, numbers_of_doubles,
                                       v->expected[shown_image(v, record)][value->id]);
    v->compared++;
    if (!(d.error <= v->worst)) {
        v->worst = d.error;
        snprintf(v->worst_layer, sizeof v->worst_layer, "%s", record->name);
    }
    if (value->is_output && !(d.error <= v->worst_output)) v->worst_output = isnan(d.error) ? INFINITY : d.error;
    if (v->outputs_only || d.error <= limit_of(v, value, record->value)) return true;
    report_difference(v, record, value, &d);
    return false;
}

static bool check_outputs_seen(Verify *v, int outputs_seen) {
    if (outputs_seen == v->c->source->output_count * v->batch) return true;
    diag_error(&v->c->diag, (Place){0}, "%s: %d of %d outputs were compared", v->task, outputs_seen,
               v->c->source->output_count * v->batch);
    return false;
}

static bool check_file(Verify *v, const char *path) {
    size_t size;
    char *bytes = file_read(path, SIZE_MAX, &size);
    Record record;
    bool good = bytes != NULL;
    int outputs_seen = 0;
    Records records = {bytes, bytes + (bytes ? size : 0), false};
    while (good && record_next(&records, &v->c->arena, &record)) {
        int before = v->compared;
        good = check_record(v, &record);
        if (!strcmp(record.what, "output")) outputs_seen += v->compared - before;
    }
    free(bytes);
    if (!bytes || records.broken) {
        diag_error(&v->c->diag, (Place){0}, "%s: the results of the emitted code cannot be read", v->task);
        return false;
    }
    return good && check_outputs_seen(v, outputs_seen);
}

/* ---- running ---- */
static size_t image_size(const Verify *v) {
    return (size_t)shape_size(v->source->input->shape);
}

/* One run of `count` of the expected images, `from` on. */
static bool verify_batch(Verify *v, int batch, int from, int count) {
    Compilation *c = v->c;
    const size_t size = image_size(v);
    const char *images = arena_printf(&c->arena, "%s/images", v->folder);
    const char *out = arena_printf(&c->arena, "%s/layers-%d", v->folder, batch);
    const char *words[] = {
        "layers", arena_printf(&c->arena, "%d", c->options->threads), arena_printf(&c->arena, "%d", batch), images, out,
        NULL};
    v->batch = batch;
    v->from = from;
    v->count = count;
    if (!file_write(images, v->images.data + (size_t)(v->first + from) * size, (size_t)count * size * sizeof(float))) {
        diag_error(&c->diag, (Place){0}, "%s: cannot write '%s': %s", v->task, images, strerror(errno));
        return false;
    }
    return probe_run(c, v->task, words, v->folder, (const char *[]){"net", NULL}) && check_file(v, out);
}

/* How far rounding moves the outputs of an image, relative to the largest number of each. */
static double rounding_error(const Verify *v, const float *image, double *const *rounded) {
    const Graph *graph = v->c->source;
    double **values = interpret_image(graph, &v->c->weights, image, v->c->options->threads), worst = 0;
    for (int i = 0; i < graph->output_count; i++) {
        const Value *output = graph->outputs[i];
        worst = fmax(worst, difference_of(shape_size(output->shape), numbers_of_doubles, rounded[output->id],
                                          numbers_of_doubles, values[output->id])
                                .error);
    }
    interpret_free(graph, values);
    return worst;
}

/* Noise, unless --input has other images; of outputs that are to be measured alone, one is enough. */
static bool take_images(Verify *v) {
    const Options *options = v->c->options;
    const size_t size = image_size(v);
    if (options->verify_input && !v->outputs_only)
        return images_load(v->source, &v->c->weights, options->verify_input, &v->images, &v->c->diag);
    v->images.count = v->outputs_only || options->batch < PROBE_IMAGES ? 1 : PROBE_IMAGES;
    v->images.data = malloc((size_t)v->images.count * size * sizeof *v->images.data);
    if (!v->images.data) out_of_memory();
    for (int i = 0; i < v->images.count; i++) images_noise(options->seed, i, v->images.data + (size_t)i * size, size);
    return true;
}

/* What the interpreter says for `count` images, the first on. */
static void interpret_images(Verify *v, int first, int count) {
    Compilation *c = v->c;
    v->first = first;
    for (int i = 0; i < count; i++) {
        const float *image = v->images.data + (size_t)(first + i) * image_size(v);
        interpret_free(v->source, v->expected[i]);
        v->expected[i] = interpret_image(v->source, &c->weights, image, c->options->threads);
        if (v->source != c->source && !v->outputs_only)
            v->rounding = fmax(v->rounding, rounding_error(v, image, v->expected[i]));
    }
    find_coarse(v, count);
}

/* Noise alone and, where batches may be larger, as a batch; images that were given, each. */
static bool verify_images(Verify *v, int first, int count) {
    const int batch = v->c->options->batch, alone = v->c->options->verify_input ? count : 1;
    interpret_images(v, first, count);
    for (int i = 0; i < alone; i++)
        if (!verify_batch(v, 1, i, 1)) return false;
    return v->outputs_only || batch == 1 || verify_batch(v, batch, 0, count);
}

/* The graph as the source says it, with the weights as they are stored. */
static const Graph *stored_source(Compilation *c) {
    if (!pass_enabled(&c->options->passes, PASS_store_bf16)) return c->source;
    Graph *graph = graph_clone(c->source, &c->arena);
    pass_run(graph, PASS_store_bf16);
    return graph;
}

static bool run_in_folder(Verify *v, const Plan *plan) {
    Compilation *c = v->c;
    if (!emitted_build_shared(c, plan, v->folder, "net")) return false;
    tensor_data_evaluate(v->source, &c->weights);
    v->by_name = graph_value_names(v->source, &c->arena);
    if (!v->outputs_only) limits_of_layers(plan, limit_of_outputs(c, c->plan), &c->arena, &v->limits);
    for (int i = 0; i < v->images.count; i += PROBE_IMAGES) {
        const int left = v->images.count - i;
        if (!verify_images(v, i, left < PROBE_IMAGES ? left : PROBE_IMAGES)) return false;
    }
    return true;
}

/* Builds and runs the plan, and compares what it computes. */
static bool compare_plan(Verify *v, const Plan *plan) {
    v->source = stored_source(v->c);
    v->coarse = arena_alloc(&v->c->arena, sizeof *v->coarse * ((size_t)v->source->value_count + 1));
    if (!take_images(v)) return false;
    v->folder = temp_folder_make(&v->c->arena, NULL, &v->c->diag);
    const bool good = v->folder && run_in_folder(v, plan);
    if (v->folder) temp_folder_remove(v->folder);
    for (int i = 0; i < PROBE_IMAGES; i++) interpret_free(v->source, v->expected[i]);
    v->images_seen = v->images.count;
    images_free(&v->images);
    return good;
}

bool verify_run(Compilation *c, VerifyResult *result) {
    Verify v = {.c = c, .task = "verify"};
    const bool agrees = compare_plan(&v, c->plan);
    *result = (VerifyResult){.agrees = agrees,
                             .compared = v.compared,
                             .skipped = v.skipped,
                             .images = v.images_seen,
                             .output_error = v.worst_output,
                             .output_limit = widest_limit(&v),
                             .layer_error = v.worst,
                             .layer = arena_strdup(&c->arena, v.worst_layer),
                             .rounded = v.source != c->source,
                             .rounding = v.rounding,
                             .difference = v.difference};
    return agrees;
}

bool verify_outputs(Compilation *c, const Plan *plan, double *error) {
    Verify v = {.c = c, .task = "-O3", .outputs_only = true};
    const bool good = compare_plan(&v, plan);
    *error = v.worst_output;
    return good;
}
