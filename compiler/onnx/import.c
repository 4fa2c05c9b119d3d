#include "import.h"

#include "graph/ops.h"
#include "core/pages.h"
#include "read.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

enum { PROBLEMS_LISTED = 20 };

bool import_none(Import *import, OnnxNode *node) {
    return import_problem(import, node, "it has no counterpart in rnc");
}

bool import_problem(Import *import, const OnnxNode *node, const char *format, ...) {
    Text text = {0};
    va_list args;
    va_start(args, format);
    text_vprintf(&text, format, args);
    va_end(args);
    const Problem problem = {node, arena_strdup(import->model->arena, text.s)};
    ARENA_PUSH(import->model->arena, import->problems, import->problem_count, import->problem_capacity, problem);
    text_free(&text);
    return false;
}

/* ---- inputs ---- */

bool import_has(const OnnxNode *node, int i) {
    return i < node->nin && node->in[i];
}

/* What a tensor is, with the zeros that it was to have. */
static const Operand *filled(Import *import, OnnxTensor *tensor) {
    Operand *operand = tensor->operand;
    if (!operand || !operand->pad) return operand;
    OnnxNode *pad = operand->pad;
    Value *in = operand->value;
    tensor->operand = NULL;
    if (isinf(operand->filling.attr.value)) {
        import_problem(import, pad, "it pads with %g, which a MaxPool alone may read", operand->filling.attr.value);
        return NULL;
    }
    import_plain(import, pad, 0, import_layer(import, pad, NULL, OP_PAD, &in, 1, &operand->filling, NULL));
    return tensor->operand;
}

const Operand *import_operand(Import *import, OnnxNode *node, int i) {
    if (!import_has(node, i)) {
        import_problem(import, node, "input %d is missing", i);
        return NULL;
    }
    if (!node->in[i]->operand && onnx_is_constant(node->in[i]))
        import_problem(import, node, "input %d, '%s', is a constant", i, node->in[i]->name);
    return filled(import, node->in[i]);
}

Value *import_image(Import *import, OnnxNode *node, int i) {
    const Operand *operand = import_operand(import, node, i);
    if (!operand) return NULL;
    if (!view_is_image(&operand->view)) operand = import_in_order(import, node, node->in[i]);
    if (operand) return operand->value;
    operand = node->in[i]->operand;
    import_problem(import, node, "it reads %s with dimensions %s of the images of %dx%dx%d, not [N] [C] [H] [W]",
                   onnx_shape_text(import->model->arena, &node->in[i]->shape),
                   view_text(import->model->arena, &operand->view), operand->value->shape.c, operand->value->shape.h,
                   operand->value->shape.w);
    return NULL;
}

const OnnxTensor *import_constant(Import *import, OnnxNode *node, int i, int64_t count) {
    if (!import_has(node, i)) return NULL;
    const OnnxTensor *tensor = node->in[i];
    if (!tensor->reals) {
        import_problem(import, node, "input %d, '%s', %s", i, tensor->name,
                       tensor->integers ? "has no real numbers" : "is no constant");
        return NULL;
    }
    if (count < 0 || onnx_elements(&tensor->shape) == count) return tensor;
    import_problem(import, node, "input %d, '%s', is %s, not of %lld numbers", i, tensor->name,
                   onnx_shape_text(import->model->arena, &tensor->shape), (long long)count);
    return NULL;
}

/* ---- layers ---- */

float *import_floats(Import *import, int64_t count) {
    return arena_alloc(import->model->arena, sizeof(float) * (size_t)(count + 1));
}

float *import_filled(Import *import, int64_t count, double value) {
    float *data = import_floats(import, count);
    for (int64_t i = 0; i < count; i++) data[i] = (float)value;
    return data;
}

static void keep_data(Import *import, const Tensor *tensor, const float *data) {
    if (tensor->id >= import->data_capacity) {
        const int capacity = 2 * tensor->id + 64;
        float **grown = realloc(import->data, sizeof *grown * (size_t)capacity);
        if (!grown) out_of_memory();
        memset(grown + import->data_capacity, 0, sizeof *grown * (size_t)(capacity - import->data_capacity));
        import->data = grown, import->data_capacity = capacity;
    }
    if (import->data[tensor->id]) return; /* shared */
    const size_t size = sizeof(float) * (size_t)tensor_size(tensor);
    import->data[tensor->id] = malloc(size + 1);
    if (!import->data[tensor->id]) out_of_memory();
    memcpy(import->data[tensor->id], data, size);
}

Value *import_layer(Import *import, OnnxNode *node, const char *part, Op op, Value *const *in, int nin,
                    const Layer *layer, const ImportWeights *weights) {
    static const char *const suffixes[][NODE_MAX_WEIGHTS] = {{"weight", "bias", "running_mean", "running_var"},
                                                             {"scale", "zero_point"}};
    const char *const *suffix = suffixes[op == OP_QUANTIZE];
    const char *name = import_name(import, node, part, weights), *names[NODE_MAX_WEIGHTS];
    const ImportWeight *used[NODE_MAX_WEIGHTS];
    int slots[NODE_MAX_WEIGHTS], count = 0;
    for (int i = 0; weights && i < NODE_MAX_WEIGHTS; i++) {
        const ImportWeight *weight = &weights->slot[i];
        if (!weight->source && !weight->data) continue;
        used[count] = weight, slots[count] = i;
        names[count++] = import_weight_name(import, weights, i, name, suffix[i]);
    }
    Text said = {0};
    Diag diag = {.capture = &said};
    import->builder.diag = &diag;
    import->builder.place = (Place){.source = import->model->source};
    import->builder.params = count ? names : NULL;
    Value *value = build_layer(&import->builder, op, name, in, nin, layer);
    for (int i = 0; value && i < count; i++)
        keep_data(import, *node_weight(value->producer, slots[i]),
                  used[i]->data ? used[i]->data : used[i]->source->reals);
    if (!value && said.s) { /* "FILE: error: LAYER: what is wrong" */
        const char *text = strstr(said.s, "error: ");
        text = text ? text + strlen("error: ") : said.s;
        import_problem(import, node, "%.*s", (int)strcspn(text, "\n"), text);
    }
    text_free(&said);
    return value;
}

void import_bias(Import *import, Value *value, const ImportWeight *bias) {
    Node *node = value->producer;
    const ImportWeights weights = {{{NULL, NULL}, *bias}};
    const char *name = import_weight_name(import, &weights, BIAS, node->name, "bias");
    Tensor *tensor = graph_add_param(import->builder.graph, name, 1, &node->features, node->place);
    *node_weight(node, BIAS) = tensor;
    keep_data(import, tensor, bias->data);
}

/* ---- results ---- */

bool import_result(Import *import, OnnxNode *node, int i, Value *value, const View *view) {
    if (!value) return false;
    if (i >= node->nout || !node->out[i]) return true;
    if (!view_fits(view, &node->out[i]->shape))
        return import_problem(import, node, "its result is %s, which %s is not",
                              onnx_shape_text(import->model->arena, &node->out[i]->shape),
                              view_text(import->model->arena, view));
    Operand *operand = arena_alloc(import->model->arena, sizeof *operand);
    *operand = (Operand){.value = value, .view = *view};
    node->out[i]->operand = operand;
    return true;
}

bool import_plain(Import *import, OnnxNode *node, int i, Value *value) {
    View view;
    if (!value) return false;
    if (!view_plain(import->model->batch, value->shape, &node->out[i]->shape, &view))
        return import_problem(import, node, "its result of %s is not %d images of %dx%dx%d",
                              onnx_shape_text(import->model->arena, &node->out[i]->shape), import->model->batch,
                              value->shape.c, value->shape.h, value->shape.w);
    return import_result(import, node, i, value, &view);
}

double *import_per_channel(Arena *arena, const OnnxTensor *constant, const View *view) {
    const OnnxShape *shape = &constant->shape;
    const int missing = view->rank - shape->rank;
    int64_t stride = 1, channels = view->size[AXIS_C], step[VIEW_MOST_ATOMS] = {0};
    if (missing < 0) return NULL;
    for (int d = shape->rank - 1; d >= 0; d--) {
        int64_t inner = stride;
        for (int i = view->begin[missing + d + 1] - 1; i >= view->begin[missing + d] && shape->dim[d] > 1; i--) {
            if (view->atom[i].axis != AXIS_C) return NULL;
            step[i] = inner;
            inner *= view->atom[i].size;
        }
        if (shape->dim[d] > 1 && inner != stride * shape->dim[d]) return NULL; /* broadcasting makes the value larger */
        stride *= shape->dim[d];
    }
    double *numbers = arena_alloc(arena, sizeof *numbers * (size_t)channels);
    for (int64_t c = 0; c < channels; c++) {
        int64_t at = 0;
        for (int i = 0; i < view->count; i++)
            if (view->atom[i].axis == AXIS_C) at += c / view->atom[i].stride % view->atom[i].size * step[i];
        numbers[c] = onnx_element(constant, at);
    }
    return numbers;
}

/* ---- the whole ---- */

/* Whether what is read of a tensor of N x H x W x C is a Transpose to N x C x H x W, perhaps after operators on each
 * number alone. */
static bool is_transposed(const OnnxModel *model, const OnnxTensor *tensor, int depth) {
    enum { DEEPEST = 8 };
    bool found = false;
    for (int i = 0; i < model->node_count && depth < DEEPEST; i++) {
        OnnxNode *node = model->nodes[i];
        int64_t perm[4] = {0};
        if (node->done || !node->nin || node->in[0] != tensor || !node->nout) continue;
        const bool turns = !strcmp(node->type, "Transpose") && onnx_attribute_ints(node, "perm", perm, 4) == 4 &&
                           perm[0] == 0 && perm[1] == 3 && perm[2] == 1 && perm[3] == 2;
        if (!turns && !(node->formula && is_transposed(model, node->out[0], depth + 1))) return false;
        found = true;
    }
    return found;
}

/* The network's input: N x C x H x W, or N x H x W x C; of fewer dimensions what there is. */
static bool import_input(Import *import) {
    OnnxModel *model = import->model;
    OnnxShape *s = &model->input->shape;
    const OnnxShape given = *s;
    const Place place = {.source = model->source};
    const bool channels_last = s->rank == 4 && is_transposed(model, model->input, 0);
    if (channels_last) *s = (OnnxShape){4, {given.dim[0], given.dim[3], given.dim[1], given.dim[2]}};
    if (s->rank > 4) {
        diag_error(model->diag, place, "the input '%s' is %s; images are N x C x H x W", model->input->name,
                   onnx_shape_text(model->arena, s));
        return false;
    }
    const int64_t c = s->rank == 1 ? s->dim[0] : s->dim[1], h = s->rank == 4 ? s->dim[2] : 1;
    const int64_t w = s->rank >= 3 ? s->dim[s->rank - 1] : 1;
    if (model->batch < 1 || c > INT32_MAX || h > UINT16_MAX || w > UINT16_MAX || c * h > INT32_MAX / w) {
        diag_error(model->diag, place, "the input '%s' of %s is too large", model->input->name,
                   onnx_shape_text(model->arena, s));
        return false;
    }
    const Shape shape = {(int)c, (int)h, (int)w};
    Operand *operand = arena_alloc(model->arena, sizeof *operand);
    Graph *graph = import->builder.graph;
    graph->preprocess = (Preprocess){.range = 1, .std = {1, 1, 1, 1}, .order = c == 1 ? ORDER_GRAY : ORDER_RGB};
    graph->input = operand->value = graph_add_value(graph, "input", shape);
    view_plain(model->batch, shape, s, &operand->view);
    *s = given;
    if (channels_last) operand->view = view_transpose(&operand->view, (const int[]){0, 2, 3, 1});
    graph->input->channels_last = channels_last;
    model->input->operand = operand;
    return true;
}

/* All inputs are known, as constants or as values. */
static bool is_ready(const OnnxNode *node) {
    for (int i = 0; i < node->nin; i++)
        if (node->in[i] && !node->in[i]->operand && !onnx_is_constant(node->in[i])) return false;
    return true;
}

/* Whether all of the node was read and made. */
static void check_made(Import *import, OnnxNode *node) {
    import_keep_integers(node);
    if (node->misfit) import_problem(import, node, "its attribute '%s' is of another type", node->misfit);
    for (int i = 1; i < node->nout; i++)
        if (node->out[i] && node->out[i]->uses && !node->out[i]->operand && !onnx_is_constant(node->out[i]))
            import_problem(import, node, "its result %d, '%s', is not supported", i, node->out[i]->name);
}

static void import_node(Import *import, OnnxNode *node) {
    const bool known = node->op && node->op->import != import_none;
    if (!is_ready(node) && known) {
        import->skipped++;
        return;
    }
    node->done = true;
    if (!node->op)
        import_problem(import, node, *node->domain ? "its domain is not known" : "the operator is not known");
    else if (node->problem)
        import_problem(import, node, "%s", node->problem);
    else if (import_integers(import, node) && node->op->import(import, node))
        check_made(import, node);
}

/* Whether a tensor is the images of a value as N x H x W x C. */
static bool is_channels_last(const OnnxModel *model, const OnnxTensor *tensor, const Operand *operand) {
    const Shape s = operand->value->shape;
    const OnnxShape dims = {4, {model->batch, s.h, s.w, s.c}}, planar = {4, {model->batch, s.c, s.h, s.w}};
    View view;
    if ((int64_t)s.h * s.w == 1 || !onnx_same_shape(&tensor->shape, &dims)) return false;
    if (!view_plain(model->batch, s, &planar, &view)) return false;
    view = view_transpose(&view, (const int[]){0, 2, 3, 1});
    return view_same_order(&operand->view, &view);
}

static bool import_outputs(Import *import) {
    OnnxModel *model = import->model;
    const Place place = {.source = model->source};
    for (int i = 0; i < model->output_count; i++) {
        const Operand *operand = filled(import, model->outputs[i]);
        if (!operand) {
            diag_error(model->diag, place, "its output '%s' does not depend on the input", model->outputs[i]->name);
            return false;
        }
        if (onnx_type_is_integer(model->outputs[i]->type)) {
            diag_error(model->diag, place, "its output '%s' has integers; outputs are floats", model->outputs[i]->name);
            return false;
        }
        Value *value = operand->value;
        OnnxNode *maker = model->outputs[i]->producer;
        const bool channels_last = is_channels_last(model, model->outputs[i], operand);
        if (!channels_last && !view_is_plain(&operand->view) && maker) {
            operand = import_in_order(import, maker, model->outputs[i]);
            if (operand) value = operand->value;
        }
        if (!operand) {
            operand = model->outputs[i]->operand;
            diag_error(model->diag, place, "its output '%s' has dimensions %s, and outputs are [N] [C] [H] [W]",
                       model->outputs[i]->name, view_text(model->arena, &operand->view));
            return false;
        }
        if (value == import->builder.graph->input || value->is_output) {
            const Layer layer = layer_default(OP_IDENTITY);
            OnnxNode node = {.type = "Identity", .name = "", .out = &model->outputs[i]};
            value = import_layer(import, &node, NULL, OP_IDENTITY, &value, 1, &layer, NULL);
        }
        value->channels_last = channels_last;
        graph_add_output(import->builder.graph, value);
    }
    return true;
}

static int by_text(const void *a, const void *b) {
    const Problem *x = a, *y = b;
    const int order = strcmp(x->node->type, y->node->type);
    return order ? order : x->node->index - y->node->index;
}

/* One error that has all of them, one a line, and says how far it goes without. */
static void report_problems(Import *import) {
    OnnxModel *model = import->model;
    const Place place = {.source = model->source};
    const int count = import->problem_count;
    int nodes = 0, first = INT32_MAX;
    for (int i = 0; i < count; i++)
        if (import->problems[i].node->index < first) first = import->problems[i].node->index;
    for (int i = 0; i < model->node_count; i++) nodes += model->nodes[i]->proto != NULL;
    diag_error(model->diag, place, "%d of its %d nodes cannot be compiled%s", count, nodes,
               import->skipped ? arena_printf(model->arena, ", and %d depend on them", import->skipped) : "");
    qsort(import->problems, (size_t)count, sizeof *import->problems, by_text);
    for (int i = 0; i < count && i < PROBLEMS_LISTED; i++)
        diag_note(model->diag, place, "%s: %s", onnx_node_text(model->arena, import->problems[i].node),
                  import->problems[i].text);
    if (count > PROBLEMS_LISTED) diag_note(model->diag, place, "and %d more", count - PROBLEMS_LISTED);
    const Graph *graph = import->builder.graph;
    if (graph->node_count && first > 0)
        diag_note(model->diag, place, "the network is read as far as node %d, layer '%s'", first - 1,
                  graph->nodes[graph->node_count - 1]->name);
}

Graph *import_model(OnnxModel *model, Arena *arena, TensorData *weights) {
    Import import = {.model = model};
    *weights = (TensorData){0};
    import.builder.graph = graph_new(arena, import_network_name(arena, model->source->path));
    import.builder.graph->source = model->source;
    import_find_modules(&import);
    bool good = import_input(&import);
    for (int i = 0; i < model->node_count && good; i++)
        if (!model->nodes[i]->done) import_node(&import, model->nodes[i]);
    if (import.problem_count) report_problems(&import);
    good = good && !import.problem_count && import_outputs(&import);
    Graph *graph = import.builder.graph;
    weights->count = graph->tensor_count;
    weights->data = calloc((size_t)graph->tensor_count + 1, sizeof *weights->data);
    if (!weights->data) out_of_memory();
    for (int i = 0; i < import.data_capacity && i < graph->tensor_count; i++) weights->data[i] = import.data[i];
    free(import.data);
    if (good) return graph;
    tensor_data_free(weights);
    return NULL;
}

bool onnx_read(Arena *arena, const Source *source, const OnnxOptions *options, OnnxNetwork *network, Diag *diag) {
    Arena own = {0};
    OnnxModel model;
    *network = (OnnxNetwork){0};
    if (model_open(&model, &own, source, options, diag) && model_simplify(&model)) {
        network->graph = import_model(&model, arena, &network->weights);
        network->batch = model.batch;
        network->hash = model.hash;
        for (const OnnxFile *file = model.files; file; file = file->next) network->file_count++;
        network->files = arena_alloc(arena, sizeof *network->files * (size_t)(network->file_count + 1));
        int i = 0;
        for (const OnnxFile *file = model.files; file; file = file->next) {
            network->hash = XXH3_64bits_withSeed(file->pages->bytes, file->pages->count, network->hash);
            network->files[i++] = arena_strdup(arena, file->path);
        }
    }
    model_close(&model);
    arena_free(&own);
    return network->graph;
}
