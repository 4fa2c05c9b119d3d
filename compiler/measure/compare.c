/* rnc compare: two networks on the same images.
 *
 * Each that is compiled is built into a shared object and run in a process of its own (probe.c), some images at a time;
 * the reference interpreter runs the others. Differences are from the first network's numbers. The image with the
 * largest relative difference is then run once more by both, alone, for what every layer makes of it: layers are
 * compared with their counterparts (graph/match.c) in the first network's order, and may differ by what --verify allows
 * a layer for an output's error (limits.h).
 *
 * A relative difference is the largest |a - b| of an output or layer for an image, divided by the largest |a|.
 */
#include "compare.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/toolchain.h"
#include "emit/describe.h"
#include "graph/interpret.h"
#include "graph/match.h"
#include "limits.h"
#include "load/inputs.h"
#include "probe.h"
#include "records.h"
#include "save/emitted.h"
#include "save/files.h"
#include "view/compare_view.h"

enum { STEP_FLOATS = 1 << 24, FIVE = 5 };

typedef struct LayerResult { /* a value of the worst image; data NULL: it was not stored */
    Numbers numbers;
    const void *data;
    const char *operation;
} LayerResult;

typedef struct Side {
    Compilation *c;
    const char *stem, *task; /* of its files in the folder; for messages */
    float *input;            /* the images that were run last, where it takes them as H x W x C */
    double *outputs;         /* theirs, one's after another's, planar */
    LayerResult *layers;     /* by the source's value ids */
    char *bytes;             /* that they lie in, of a compiled one */
    double **values;         /* of an interpreted one */
    Map limits;              /* of its layers */
} Side;

typedef struct CompareRun {
    Side side[2];
    const char *folder;
    Inputs inputs;
    size_t output_size;   /* floats of an image's outputs */
    double (*squares)[2]; /* of each output: sums of squares of differences, and of the first's numbers */
    float *worst_image;   /* the input of result.worst[0], planar */
    Arena *arena;
    Diag *diag;
    Compare result;
} CompareRun;

/* ---- whether they can be compared ---- */
static const char *shapes(Arena *arena, const Compilation *c) {
    const Graph *g = c->source;
    Text text = {0};
    text_printf(&text, "%d x %d x %d to", g->input->shape.c, g->input->shape.h, g->input->shape.w);
    for (int i = 0; i < g->output_count; i++) {
        const Shape s = g->outputs[i]->shape;
        text_printf(&text, i ? ", %d x %d x %d" : " %d x %d x %d", s.c, s.h, s.w);
    }
    const char *result = arena_strndup(arena, text.s, text.size);
    text_free(&text);
    return result;
}

static bool same_shapes(const Graph *a, const Graph *b) {
    bool same = shape_equal(a->input->shape, b->input->shape) && a->output_count == b->output_count;
    for (int i = 0; same && i < a->output_count; i++) same = shape_equal(a->outputs[i]->shape, b->outputs[i]->shape);
    return same;
}

static bool has_own_weights(const Options *o) {
    return o->weights || o->random_weights || o->input_kind == INPUT_ONNX;
}

bool compare_check(Compilation *first, Compilation *second) {
    const Options *a = first->options, *b = second->options;
    if (!same_shapes(first->source, second->source)) {
        diag_error(&first->diag, (Place){0},
                   "compare: the networks' inputs and outputs differ: '%s' is %s, '%s' is %s; --output LAYER behind a "
                   "network gives out another result of it",
                   a->label, shapes(&first->arena, first), b->label, shapes(&first->arena, second));
        return false;
    }
    if (has_own_weights(a) == has_own_weights(b)) return true;
    diag_error(&first->diag, (Place){0},
               "compare: '%s' has weights and '%s' has none: say --weights FILE behind it, or --random-weights",
               has_own_weights(a) ? a->label : b->label, has_own_weights(a) ? b->label : a->label);
    return false;
}

/* ---- outputs ---- */
static bool is_reference(const Side *side) {
    return side->c->options->reference;
}

static void interpret_outputs(const CompareRun *run, Side *side, int count, const float *images) {
    const Graph *graph = side->c->source;
    double *to = side->outputs;
    for (int i = 0; i < count; i++) {
        double **values =
            interpret_image(graph, &side->c->weights, images + (size_t)i * run->inputs.size, side->c->options->threads);
        for (int k = 0; k < graph->output_count; k++) {
            const size_t size = (size_t)shape_size(graph->outputs[k]->shape);
            memcpy(to, values[graph->outputs[k]->id], size * sizeof *to);
            to += size;
        }
        interpret_free(graph, values);
    }
}

/* The images, planar, as the network takes them; valid until the next call for the side. */
static const float *images_for(const CompareRun *run, Side *side, int count, const float *images) {
    const Value *input = side->c->source->input;
    const size_t size = run->inputs.size;
    if (!input->channels_last) return images;
    free(side->input);
    side->input = malloc((size_t)count * size * sizeof *side->input);
    if (!side->input) out_of_memory();
    for (size_t i = 0; i < (size_t)count; i++)
        for (size_t k = 0; k < size; k++)
            side->input[i * size + (size_t)interpret_place(input, (int64_t)k)] = images[i * size + k];
    return side->input;
}

/* rnc --probe layers (of one image) or outputs on the images; its results, malloc'd, are `size` bytes (0: any number).
 * NULL after a diagnostic. */
static char *probe_images(const CompareRun *run, const Side *side, bool layers, int count, const float *images,
                          size_t *size) {
    Compilation *c = side->c;
    const char *in = arena_printf(&c->arena, "%s/images", run->folder);
    const char *out = arena_printf(&c->arena, "%s/results", run->folder);
    const char *threads = arena_printf(&c->arena, "%d", c->options->threads);
    const char *of_layers[] = {"layers", threads, "1", in, out, NULL},
               *of_outputs[] = {"outputs", threads, in, out, NULL};
    const char *const *words = layers ? of_layers : of_outputs;
    size_t read = 0;
    if (!file_write(in, images, (size_t)count * run->inputs.size * sizeof *images)) {
        diag_error(run->diag, (Place){0}, "%s: cannot write '%s': %s", side->task, in, strerror(errno));
        return NULL;
    }
    if (!probe_run(c, side->task, words, run->folder, (const char *[]){side->stem, NULL})) return NULL;
    char *bytes = file_read(out, SIZE_MAX, &read);
    if (bytes && (!*size || read == *size)) {
        *size = read;
        return bytes;
    }
    free(bytes);
    diag_error(run->diag, (Place){0}, "%s: the results of the emitted code cannot be read", side->task);
    return NULL;
}

static void take_outputs(Side *side, int count, const float *floats) {
    const Graph *graph = side->c->source;
    double *to = side->outputs;
    for (int i = 0; i < count; i++) {
        for (int k = 0; k < graph->output_count; k++) {
            const int64_t size = shape_size(graph->outputs[k]->shape);
            for (int64_t j = 0; j < size; j++) *to++ = (double)floats[interpret_place(graph->outputs[k], j)];
            floats += size;
        }
    }
}

static bool run_outputs(const CompareRun *run, Side *side, int count, const float *planar) {
    size_t size = (size_t)count * run->output_size * sizeof(float);
    const float *images = images_for(run, side, count, planar);
    if (is_reference(side)) {
        interpret_outputs(run, side, count, images);
        return true;
    }
    char *bytes = probe_images(run, side, false, count, images, &size);
    if (bytes) take_outputs(side, count, (const float *)(const void *)bytes);
    free(bytes);
    return bytes != NULL;
}

/* ---- classes ---- */
/* The likeliest classes, the first of equal ones; -1 where there are no more numbers. */
static void likeliest(const double *scores, int classes, int five[FIVE]) {
    for (int i = 0; i < FIVE; i++) five[i] = -1;
    for (int k = 0; k < classes; k++) {
        int at = isnan(scores[k]) ? FIVE : 0;
        while (at < FIVE && five[at] >= 0 && scores[five[at]] >= scores[k]) at++;
        if (at >= FIVE) continue;
        memmove(five + at + 1, five + at, (size_t)(FIVE - 1 - at) * sizeof *five);
        five[at] = k;
    }
}

static bool is_among(const int five[FIVE], int class) {
    bool found = false;
    for (int i = 0; i < FIVE; i++) found |= five[i] == class;
    return found && class >= 0;
}

/* The last output's classes, and the label's: -1 where there is none. */
static void count_classes(Compare *result, const double *const scores[2], CompareImage *image) {
    int five[2][FIVE];
    bool same = true;
    for (int s = 0; s < 2; s++) {
        likeliest(scores[s], result->classes, five[s]);
        image->top1[s] = five[s][0];
        result->right1[s] += image->label >= 0 && five[s][0] == image->label;
        result->right5[s] += is_among(five[s], image->label);
    }
    for (int i = 0; i < FIVE; i++) same = same && is_among(five[1], five[0][i]);
    result->top1 += five[0][0] >= 0 && five[0][0] == five[1][0];
    if (result->top5 >= 0) result->top5 += same;
}

/* ---- differences of outputs ---- */
static double sortable(double difference) {
    return isnan(difference) ? INFINITY : difference;
}

static void add_output(CompareOutput *output, double squares[2], const Difference *d, int image) {
    const double size = (double)shape_size(output->shape);
    squares[0] += d->rms * d->rms * size;
    squares[1] += d->square * d->square * size;
    output->d.largest = fmax(output->d.largest, sortable(d->absolute));
    if (output->worst >= 0 && !(sortable(d->error) > output->d.relative)) return;
    output->d.relative = sortable(d->error);
    output->worst = image;
}

/* Keeps the list of the worst, and the input of the first of them. */
static void add_image(CompareRun *run, const CompareImage *image, const float *input) {
    Compare *r = &run->result;
    int at = r->worst_count;
    while (at > 0 && r->worst[at - 1].relative < image->relative) at--;
    if (at == COMPARE_WORST) return;
    if (r->worst_count < COMPARE_WORST) r->worst_count++;
    memmove(r->worst + at + 1, r->worst + at, (size_t)(r->worst_count - 1 - at) * sizeof *r->worst);
    r->worst[at] = *image;
    if (!at) memcpy(run->worst_image, input, run->inputs.size * sizeof *input);
}

static void compare_image(CompareRun *run, int at, int index, int label, const float *input) {
    Compare *r = &run->result;
    const double *outputs[2], *scores[2] = {NULL, NULL};
    CompareImage image = {.index = index, .label = label, .top1 = {-1, -1}};
    for (int s = 0; s < 2; s++) outputs[s] = run->side[s].outputs + (size_t)at * run->output_size;
    for (int i = 0; i < r->output_count; i++) {
        const int64_t size = shape_size(r->outputs[i].shape);
        const Difference d = difference_of(size, numbers_of_doubles, outputs[1], numbers_of_doubles, outputs[0]);
        add_output(&r->outputs[i], run->squares[i], &d, index);
        image.relative = fmax(image.relative, sortable(d.error));
        r->agrees = r->agrees && d.error <= r->threshold;
        for (int s = 0; s < 2; s++) scores[s] = outputs[s], outputs[s] += size;
    }
    if (r->classes) count_classes(r, scores, &image);
    add_image(run, &image, input);
}

/* All images through both networks. */
static bool compare_outputs(CompareRun *run) {
    const int most = run->output_size < STEP_FLOATS ? (int)(STEP_FLOATS / run->output_size) : 1;
    InputBatch batch;
    for (int s = 0; s < 2; s++) {
        const int room = most < run->inputs.count ? most : run->inputs.count;
        run->side[s].outputs = malloc((size_t)room * run->output_size * sizeof(double));
        if (!run->side[s].outputs) out_of_memory();
    }
    for (;;) {
        if (!inputs_next(&run->inputs, &batch, run->diag)) return false;
        if (!batch.count) return true;
        for (int from = 0, n; from < batch.count; from += n) {
            const float *images = batch.images + (size_t)from * run->inputs.size;
            n = batch.count - from < most ? batch.count - from : most;
            if (!run_outputs(run, &run->side[0], n, images) || !run_outputs(run, &run->side[1], n, images))
                return false;
            for (int i = 0; i < n; i++) {
                const bool labelled = batch.labels && run->result.labelled;
                compare_image(run, i, batch.first + from + i, labelled ? batch.labels[from + i].first : -1,
                              images + (size_t)i * run->inputs.size);
            }
        }
    }
}

/* ---- layers ---- */
static const char *operation_of(Arena *arena, const Node *node) {
    Text text = {0};
    describe_node(node, &text);
    const char *result = arena_strndup(arena, text.s, text.size);
    text_free(&text);
    return result;
}

static void take_values(CompareRun *run, Side *side) {
    const Graph *graph = side->c->source;
    side->values = interpret_image(graph, &side->c->weights, images_for(run, side, 1, run->worst_image),
                                   side->c->options->threads);
    for (int i = 0; i < graph->node_count; i++) {
        const Node *node = graph->nodes[i];
        side->layers[node->out->id] =
            (LayerResult){numbers_of_doubles, side->values[node->out->id], operation_of(run->arena, node)};
    }
}

static bool take_records(CompareRun *run, Side *side) {
    const Map names = graph_value_names(side->c->source, run->arena);
    size_t size = 0;
    Record next;
    side->bytes = probe_images(run, side, true, 1, images_for(run, side, 1, run->worst_image), &size);
    if (!side->bytes) return false;
    Records records = {side->bytes, side->bytes + size, false};
    while (record_next(&records, run->arena, &next)) {
        const Value *value = map_get(&names, next.value);
        if (!value || !shape_equal(value->shape, next.shape) || side->layers[value->id].data) continue;
        Record *record = arena_alloc(run->arena, sizeof *record);
        *record = next;
        side->layers[value->id] = (LayerResult){numbers_of_record, record, next.what};
    }
    if (records.broken)
        diag_error(run->diag, (Place){0}, "%s: the results of the emitted code cannot be read", side->task);
    return !records.broken;
}

static bool take_layers(CompareRun *run, Side *side) {
    side->layers = arena_alloc(run->arena, ((size_t)side->c->source->value_count + 1) * sizeof *side->layers);
    if (is_reference(side)) {
        take_values(run, side);
        return true;
    }
    limits_of_layers(side->c->plan, run->result.threshold, run->arena, &side->limits);
    return take_records(run, side);
}

/* Norms folded, copies gone, equal layers computed once: what networks of different sources have in common. */
static const Graph *folded(const CompareRun *run, const Side *side) {
    PassOptions passes = {0};
    static const PassId on[] = {PASS_dce, PASS_copies, PASS_cse, PASS_fold_affine};
    for (size_t i = 0; i < sizeof on / sizeof *on; i++) passes.set[on[i]] = 1;
    Graph *graph = graph_clone(side->c->source, run->arena);
    passes_run(graph, &passes);
    return graph;
}

static double layer_limit(const CompareRun *run, const Value *const value[2]) {
    double limit = run->result.threshold;
    for (int s = 0; s < 2; s++) {
        const double *own = value[s]->is_output ? NULL : map_get(&run->side[s].limits, value[s]->name);
        if (own) limit = fmax(limit, *own);
    }
    return limit;
}

static CompareLayer compare_layer(const CompareRun *run, const Value *const value[2]) {
    const LayerResult *a = &run->side[0].layers[value[0]->id], *b = &run->side[1].layers[value[1]->id];
    const Difference d = difference_of(shape_size(value[0]->shape), b->numbers, b->data, a->numbers, a->data);
    CompareLayer layer = {.name = {value[0]->name, value[1]->name},
                          .operation = {a->operation, b->operation},
                          .shape = value[0]->shape,
                          .d = {d.absolute, d.rms, d.error, d.square > 0 ? d.rms / d.square : d.rms},
                          .limit = layer_limit(run, value)};
    layer.beyond = !(d.error <= layer.limit);
    return layer;
}

static bool compare_layers(CompareRun *run) {
    Compare *r = &run->result;
    const Graph *graph[2] = {run->side[0].c->source, run->side[1].c->source};
    const Graph *const after[2] = {folded(run, &run->side[0]), folded(run, &run->side[1])};
    Value **counterpart = graph_match(graph[0], graph[1], after, run->arena);
    if (!take_layers(run, &run->side[0]) || !take_layers(run, &run->side[1])) return false;
    bool *has = arena_alloc(run->arena, ((size_t)graph[1]->value_count + 1) * sizeof *has);
    r->layers = arena_alloc(run->arena, ((size_t)graph[0]->node_count + 1) * sizeof *r->layers);
    for (int i = 0; i < graph[0]->node_count; i++) {
        const Value *const value[2] = {graph[0]->nodes[i]->out, counterpart[graph[0]->nodes[i]->out->id]};
        const bool first = run->side[0].layers[value[0]->id].data;
        if (value[1]) has[value[1]->id] = true;
        if (first && !value[1]) r->single[0]++;
        if (!first || !value[1] || !run->side[1].layers[value[1]->id].data) continue;
        r->layers[r->layer_count] = compare_layer(run, value);
        if (r->layers[r->layer_count].beyond && r->part < 0) r->part = r->layer_count;
        r->layer_count++;
    }
    for (int i = 0; i < graph[1]->node_count; i++) {
        const int id = graph[1]->nodes[i]->out->id;
        r->single[1] += run->side[1].layers[id].data && !has[id];
    }
    return true;
}

/* ---- the result ---- */
static const Node *last_softmax(const Compilation *c) {
    const Node *node = c->source->outputs[c->source->output_count - 1]->producer;
    return node && node->op == OP_SOFTMAX ? node : NULL;
}

/* Classifiers come with their softmax or without it. */
static const char *find_hint(const CompareRun *run) {
    const Node *softmax[2] = {last_softmax(run->side[0].c), last_softmax(run->side[1].c)};
    const int with = softmax[0] ? 0 : 1;
    const Node *before = softmax[with] ? softmax[with]->in[0]->producer : NULL;
    if (run->result.agrees || !softmax[0] == !softmax[1] || !before) return NULL;
    return arena_printf(run->arena, "%s ends in a softmax, %s does not: --output %s behind it gives out what is before",
                        run->result.label[with], run->result.label[!with], before->name);
}

static void sum_up(CompareRun *run) {
    Compare *r = &run->result;
    for (int i = 0; i < r->output_count; i++) {
        CompareOutput *output = &r->outputs[i];
        output->d.rms = sqrt(run->squares[i][0] / ((double)shape_size(output->shape) * r->images));
        output->d.relative_rms = run->squares[i][1] > 0 ? sqrt(run->squares[i][0] / run->squares[i][1]) : output->d.rms;
        output->worst_name = inputs_name(&run->inputs, output->worst, run->arena);
    }
    for (int i = 0; i < r->worst_count; i++)
        r->worst[i].name = inputs_name(&run->inputs, r->worst[i].index, run->arena);
    r->hint = find_hint(run);
}

static double default_threshold(const CompareRun *run) {
    const Compilation *first = run->side[0].c;
    double sum = 0;
    for (int s = 0; s < 2; s++)
        if (!is_reference(&run->side[s])) sum += limit_of_outputs(run->side[s].c, run->side[s].c->plan);
    return sum > 0 ? sum : first->options->tolerance;
}

static void begin_result(CompareRun *run) {
    Compare *r = &run->result;
    const Graph *graph[2] = {run->side[0].c->source, run->side[1].c->source};
    const Options *options = run->side[0].c->options;
    const Shape last = graph[0]->outputs[graph[0]->output_count - 1]->shape;
    const int count = run->inputs.count;
    r->command = options->command;
    r->images = count;
    r->images_of = options->data ? options->data : arena_printf(run->arena, "noise");
    r->threshold = options->threshold > 0 ? options->threshold : default_threshold(run);
    r->agrees = true;
    r->part = -1;
    r->classes = last.h == 1 && last.w == 1 && last.c > 1 ? last.c : 0;
    r->top5 = r->classes > FIVE ? 0 : -1;
    r->data_classes = run->inputs.classes;
    r->labelled = run->inputs.by_names ? r->data_classes == r->classes : r->data_classes <= r->classes;
    r->labelled = r->labelled && r->data_classes > 0;
    r->output_count = graph[0]->output_count;
    r->outputs = arena_alloc(run->arena, (size_t)r->output_count * sizeof *r->outputs);
    run->squares = arena_alloc(run->arena, (size_t)r->output_count * sizeof *run->squares);
    for (int i = 0; i < r->output_count; i++) {
        const Value *a = graph[0]->outputs[i], *b = graph[1]->outputs[i];
        r->outputs[i] = (CompareOutput){.name = {a->name, b->name}, .shape = a->shape, .worst = -1};
        run->output_size += (size_t)shape_size(a->shape);
    }
}

static bool print_result(CompareRun *run) {
    const Options *options = run->side[0].c->options;
    Text text = {0};
    bool good = true;
    if (options->html) {
        compare_html(&run->result, &text);
        good = file_write(options->html, text.s, text.size);
        if (!good) diag_error(run->diag, (Place){0}, "cannot write '%s': %s", options->html, strerror(errno));
        text.size = 0;
    }
    if (options->json) {
        cJSON *json = json_document(run->side[0].c->source->name, options->command);
        cJSON_AddItemToObject(json, "compare", compare_json(&run->result));
        char *printed = cJSON_Print(json);
        if (!printed) out_of_memory();
        puts(printed);
        cJSON_free(printed);
        cJSON_Delete(json);
    } else {
        compare_text(&run->result, &text);
        fwrite(text.s, 1, text.size, stdout);
    }
    text_free(&text);
    return good;
}

/* ---- the run ---- */
static bool build(CompareRun *run) {
    for (int s = 0; s < 2; s++) {
        Side *side = &run->side[s];
        tensor_data_evaluate(side->c->source, &side->c->weights);
        if (!is_reference(side) && !emitted_build_shared(side->c, side->c->plan, run->folder, side->stem)) return false;
    }
    return true;
}

static bool same_preparation(const Preprocess *a, const Preprocess *b) {
    return a->order == b->order && a->range == b->range && !memcmp(a->mean, b->mean, sizeof a->mean) &&
           !memcmp(a->std, b->std, sizeof a->std) && a->resize == b->resize && !a->mean_image == !b->mean_image;
}

/* Both networks get the same numbers; how pictures become these, the first that knows says. */
static bool open_inputs(CompareRun *run) {
    const Compilation *a = run->side[0].c, *b = run->side[1].c;
    const Preprocess *x = &a->source->preprocess, *y = &b->source->preprocess;
    const Compilation *who = x->given || !y->given ? a : b;
    const Options *o = a->options;
    const InputsOptions options = {o->data, o->seed, o->image_count, o->threads};
    if (o->data && x->given && y->given && !same_preparation(x, y))
        diag_warning(
            run->diag, (Place){0},
            "compare: the input lines of '%s' and '%s' make pictures ready differently; both get what the first "
            "makes of them",
            run->result.label[0], run->result.label[1]);
    return inputs_open(&run->inputs, &options, who->source, &who->weights, run->diag);
}

static bool run_in_folder(CompareRun *run) {
    if (!open_inputs(run)) return false;
    begin_result(run);
    run->worst_image = malloc(run->inputs.size * sizeof *run->worst_image);
    if (!run->worst_image) out_of_memory();
    if (!build(run) || !compare_outputs(run)) return false;
    sum_up(run);
    return compare_layers(run) && print_result(run);
}

bool compare_run(Compilation *first, Compilation *second) {
    CompareRun run = {.side = {{.c = first, .stem = "first"}, {.c = second, .stem = "second"}},
                      .arena = &first->arena,
                      .diag = &first->diag};
    for (int s = 0; s < 2; s++) {
        run.result.label[s] = run.side[s].c->options->label;
        run.side[s].task = arena_printf(run.arena, "compare: '%s'", run.result.label[s]);
    }
    run.folder = temp_folder_make(run.arena, NULL, run.diag);
    const bool good = run.folder && run_in_folder(&run);
    if (run.folder) temp_folder_remove(run.folder);
    for (int s = 0; s < 2; s++) {
        free(run.side[s].input);
        free(run.side[s].outputs);
        free(run.side[s].bytes);
        interpret_free(run.side[s].c->source, run.side[s].values);
    }
    free(run.worst_image);
    inputs_close(&run.inputs);
    return good && run.result.agrees;
}
