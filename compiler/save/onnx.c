/* The graph as an ONNX model, opset 13, with its weights as fp32 initializers (compiler/onnx/onnx.proto has the
 * format).
 *
 * Any graph will do; rnc -o X.onnx writes the one before the passes, since that is what other programs know how to
 * optimise. Parameters keep their names, layers give theirs to nodes and values, and every value's shape is written.
 * The batch is a dimension of its own here, "N" where it is not fixed.
 *
 * The weights go from where they lie to the file: a message only points at them.
 */
#include "graph/tensor.h"
#include "onnx.h"
#include "save.h"

#include "base/base.h"

#include "rn.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { IR_VERSION = 7, OPSET = 13 };
static const uint64_t file_limit = INT32_MAX; /* protobuf's, for any message */

/* ---- names ---- */

/* `wanted`, or with a number behind it where a value (a node) has that name already. */
static char *claim_name(OnnxWriter *w, Map *taken, const char *wanted) {
    char *name = arena_strdup(&w->arena, wanted ? wanted : "");
    for (int n = 2; !*name || map_get(taken, name); n++)
        name = arena_printf(&w->arena, "%s_%d", wanted ? wanted : "", n);
    map_put(taken, &w->arena, name, name);
    return name;
}

static char *part_name(OnnxWriter *w, Map *taken, const char *part) {
    return claim_name(w, taken, arena_printf(&w->arena, "%s/%s", w->layer->name ? w->layer->name : "", part));
}

/* ---- nodes and their attributes ---- */

Operand onnx_add(OnnxWriter *w, const char *op_type, Shape shape, bool flat, int nin, char *const *in) {
    Onnx__NodeProto *node = arena_alloc(&w->arena, sizeof *node);
    onnx__node_proto__init(node);
    node->op_type = arena_strdup(&w->arena, op_type);
    node->n_input = (size_t)nin;
    node->input = arena_alloc(&w->arena, sizeof *node->input * (size_t)nin);
    for (int i = 0; i < nin; i++) node->input[i] = in[i];
    node->n_output = 1;
    node->output = arena_alloc(&w->arena, sizeof *node->output);
    ARENA_PUSH(&w->arena, w->nodes, w->node_count, w->node_capacity, node);
    /* the layer's last node gets other names (finish_layer), so these are not taken yet */
    node->name = node->op_type;
    node->output[0] = part_name(w, &w->values, op_type);
    return (Operand){node->output[0], shape, flat};
}

static Onnx__AttributeProto *add_attribute(OnnxWriter *w, const char *name, Onnx__AttributeProto__AttributeType type) {
    enum { MOST = 8 };
    Onnx__NodeProto *node = w->nodes[w->node_count - 1];
    if (!node->attribute) node->attribute = arena_alloc(&w->arena, sizeof *node->attribute * MOST);
    if (node->n_attribute == MOST) bug("more than %d attributes of an ONNX node", MOST);
    Onnx__AttributeProto *attribute = arena_alloc(&w->arena, sizeof *attribute);
    onnx__attribute_proto__init(attribute);
    attribute->name = arena_strdup(&w->arena, name);
    attribute->has_type = true;
    attribute->type = type;
    return node->attribute[node->n_attribute++] = attribute;
}

void onnx_int(OnnxWriter *w, const char *name, int64_t value) {
    Onnx__AttributeProto *attribute = add_attribute(w, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT);
    attribute->has_i = true;
    attribute->i = value;
}

void onnx_float(OnnxWriter *w, const char *name, double value) {
    Onnx__AttributeProto *attribute = add_attribute(w, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT);
    attribute->has_f = true;
    attribute->f = (float)value;
}

void onnx_string(OnnxWriter *w, const char *name, const char *value) {
    Onnx__AttributeProto *attribute = add_attribute(w, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING);
    attribute->has_s = true;
    attribute->s = (ProtobufCBinaryData){strlen(value), (uint8_t *)arena_strdup(&w->arena, value)};
}

void onnx_ints(OnnxWriter *w, const char *name, int count, const int *values) {
    Onnx__AttributeProto *attribute = add_attribute(w, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS);
    attribute->n_ints = (size_t)count;
    attribute->ints = arena_alloc(&w->arena, sizeof *attribute->ints * (size_t)count);
    for (int i = 0; i < count; i++) attribute->ints[i] = values[i];
}

/* ---- initializers ---- */

/* Its data stay where they are, so they have to outlive the writer. */
static Onnx__TensorProto *add_initializer(OnnxWriter *w, char *name, int32_t type, int ndim, const int *dims,
                                          const void *data, size_t size) {
    Onnx__TensorProto *tensor = arena_alloc(&w->arena, sizeof *tensor);
    onnx__tensor_proto__init(tensor);
    tensor->name = name;
    tensor->has_data_type = true;
    tensor->data_type = type;
    tensor->n_dims = (size_t)ndim;
    tensor->dims = arena_alloc(&w->arena, sizeof *tensor->dims * (size_t)(ndim + 1));
    for (int i = 0; i < ndim; i++) tensor->dims[i] = dims[i];
    tensor->has_raw_data = true;
    tensor->raw_data = (ProtobufCBinaryData){size, (uint8_t *)(uintptr_t)data}; /* only read */
    ARENA_PUSH(&w->arena, w->initializers.items, w->initializers.count, w->initializers.capacity, tensor);
    return tensor;
}

static bool has_dims(const Onnx__TensorProto *tensor, int ndim, const int *dims) {
    if (tensor->n_dims != (size_t)ndim) return false;
    for (int i = 0; i < ndim; i++)
        if (tensor->dims[i] != dims[i]) return false;
    return true;
}

char *onnx_tensor_as(OnnxWriter *w, const Tensor *tensor, int ndim, const int *dims) {
    Onnx__TensorProto *first = w->first_use[tensor->id];
    if (first && has_dims(first, ndim, dims)) return first->name;
    if (tensor->id >= w->data->count || !w->data->data[tensor->id])
        bug("tensor %s has no data to save", tensor->name ? tensor->name : "");
    /* parameters' own names are taken for them (claim_names) */
    char *name = tensor->op == RN_PARAM && !first ? (char *)(uintptr_t)tensor->name
                                                  : claim_name(w, &w->values, tensor->name ? tensor->name : "weight");
    Onnx__TensorProto *added = add_initializer(w, name, ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT, ndim, dims,
                                               w->data->data[tensor->id], (size_t)tensor_size(tensor) * sizeof(float));
    if (!first) w->first_use[tensor->id] = added;
    return name;
}

char *onnx_tensor(OnnxWriter *w, const Tensor *tensor) {
    return onnx_tensor_as(w, tensor, tensor->ndim, tensor->dim);
}

/* Of the layer's own, with a copy of the data. */
static char *add_constant(OnnxWriter *w, const char *what, int32_t type, int ndim, int count, const void *data,
                          size_t size) {
    void *copy = arena_alloc(&w->arena, size);
    memcpy(copy, data, size);
    char *name = part_name(w, &w->values, what);
    add_initializer(w, name, type, ndim, &count, copy, size);
    return name;
}

char *onnx_scalar(OnnxWriter *w, const char *what, double value) {
    const float number = (float)value;
    return add_constant(w, what, ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT, 0, 1, &number, sizeof number);
}

char *onnx_floats(OnnxWriter *w, const char *what, int count, const float *values) {
    return add_constant(w, what, ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT, 1, count, values,
                        sizeof *values * (size_t)count);
}

char *onnx_indices(OnnxWriter *w, const char *what, int count, const int64_t *values) {
    return add_constant(w, what, ONNX__TENSOR_PROTO__DATA_TYPE__INT64, 1, count, values,
                        sizeof *values * (size_t)count);
}

char *onnx_bytes(OnnxWriter *w, const char *what, int count, const float *values, bool is_signed) {
    uint8_t *bytes = arena_alloc(&w->arena, (size_t)count);
    for (int i = 0; i < count; i++) bytes[i] = (uint8_t)(int)values[i];
    const int type = is_signed ? ONNX__TENSOR_PROTO__DATA_TYPE__INT8 : ONNX__TENSOR_PROTO__DATA_TYPE__UINT8;
    return add_constant(w, what, type, count > 1, count, bytes, (size_t)count);
}

/* ---- values ---- */

static void add_dimension(OnnxWriter *w, Onnx__TensorShapeProto *shape, int size) {
    Onnx__TensorShapeProto__Dimension *dimension = arena_alloc(&w->arena, sizeof *dimension);
    onnx__tensor_shape_proto__dimension__init(dimension);
    dimension->value_case = size ? ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE
                                 : ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM;
    if (size)
        dimension->dim_value = size;
    else
        dimension->dim_param = arena_strdup(&w->arena, "N");
    shape->dim[shape->n_dim++] = dimension;
}

static void describe(OnnxWriter *w, OnnxValues *list, const Operand *operand) {
    Onnx__TensorShapeProto *shape = arena_alloc(&w->arena, sizeof *shape);
    Onnx__TypeProto__Tensor *tensor = arena_alloc(&w->arena, sizeof *tensor);
    Onnx__TypeProto *type = arena_alloc(&w->arena, sizeof *type);
    Onnx__ValueInfoProto *value = arena_alloc(&w->arena, sizeof *value);
    onnx__tensor_shape_proto__init(shape);
    onnx__type_proto__tensor__init(tensor);
    onnx__type_proto__init(type);
    onnx__value_info_proto__init(value);
    shape->dim = arena_alloc(&w->arena, sizeof *shape->dim * 4);
    add_dimension(w, shape, w->batch);
    add_dimension(w, shape, operand->shape.c);
    if (!operand->flat) add_dimension(w, shape, operand->shape.h);
    if (!operand->flat) add_dimension(w, shape, operand->shape.w);
    tensor->has_elem_type = true;
    tensor->elem_type = ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT;
    tensor->shape = shape;
    type->value_case = ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
    type->tensor_type = tensor;
    value->name = operand->name;
    value->type = type;
    ARENA_PUSH(&w->arena, list->items, list->count, list->capacity, value);
}

/* ---- the graph ---- */

/* A value that is H x W x C outside the network; one pixel has its channels in one order. */
static bool is_turned(const Value *value) {
    return value->is_output && value->channels_last && value->shape.h * value->shape.w > 1;
}

/* Before anything else gets a name: parameters keep theirs, then values. */
static void claim_names(OnnxWriter *w) {
    const Graph *graph = w->graph;
    for (int i = 0; i < graph->tensor_count; i++)
        if (graph->tensors[i]->op == RN_PARAM)
            map_put(&w->values, &w->arena, graph->tensors[i]->name, (void *)(uintptr_t)graph->tensors[i]->name);
    w->operand[graph->input->id] = (Operand){claim_name(w, &w->values, graph->input->name), graph->input->shape, false};
    for (int i = 0; i < graph->node_count; i++) {
        const Value *out = graph->nodes[i]->out;
        char *name = claim_name(w, &w->values, out->name);
        w->operand[out->id] = (Operand){name, out->shape, false};
        if (!is_turned(out)) continue;
        w->operand[out->id].name = claim_name(w, &w->values, arena_printf(&w->arena, "%s/nchw", name));
        w->outside[out->id] = name;
    }
}

/* Images from H x W x C to C x H x W, or back. */
static Operand turn(OnnxWriter *w, Operand x, const char *layer, bool back) {
    const Node at = {.name = layer};
    const Shape s = x.shape, turned = back ? (Shape){s.h, s.w, s.c} : (Shape){s.w, s.c, s.h};
    w->layer = &at;
    const Operand result = onnx_add(w, "Transpose", turned, false, 1, &x.name);
    onnx_ints(w, "perm", 4, back ? (int[]){0, 2, 3, 1} : (int[]){0, 3, 1, 2});
    w->nodes[w->node_count - 1]->name = part_name(w, &w->names, "Transpose");
    w->layer = NULL;
    return result;
}

/* Of an image, as the file has it. */
static Operand turned_input(OnnxWriter *w) {
    const Value *input = w->graph->input;
    Operand operand = w->operand[input->id];
    if (!input->channels_last) return operand;
    operand.shape = (Shape){input->shape.h, input->shape.w, input->shape.c};
    w->operand[input->id] = turn(w, operand, input->name, false);
    return operand;
}

static Operand turned_output(OnnxWriter *w, const Value *value) {
    Operand operand = w->operand[value->id];
    if (!is_turned(value)) return operand;
    operand = turn(w, operand, value->name, true);
    w->nodes[w->node_count - 1]->output[0] = operand.name = w->outside[value->id];
    return operand;
}

/* The last node makes the layer's value and has its name. */
static void finish_layer(OnnxWriter *w, const Node *layer, int first, Operand result) {
    Operand *operand = &w->operand[layer->out->id];
    Onnx__NodeProto *last = w->nodes[w->node_count - 1];
    if (w->node_count == first || result.name != last->output[0] || !shape_equal(result.shape, operand->shape))
        bug("layer %s has another result in ONNX", layer->name ? layer->name : "");
    operand->flat = result.flat;
    last->output[0] = operand->name;
    last->name = claim_name(w, &w->names, layer->name);
    for (int i = first; i < w->node_count - 1; i++) w->nodes[i]->name = part_name(w, &w->names, w->nodes[i]->name);
    if (!layer->out->is_output || is_turned(layer->out)) describe(w, &w->between, operand);
}

static void build_graph(OnnxWriter *w, Onnx__GraphProto *proto, const char *name) {
    const Graph *graph = w->graph;
    claim_names(w);
    const Operand input = turned_input(w);
    describe(w, &w->inputs, &input);
    for (int i = 0; i < graph->node_count; i++) {
        int first = w->node_count;
        w->layer = graph->nodes[i];
        finish_layer(w, w->layer, first, onnx_export_node(w, w->layer));
    }
    for (int i = 0; i < graph->output_count; i++) {
        const Operand output = turned_output(w, graph->outputs[i]);
        describe(w, &w->outputs, &output);
    }
    onnx__graph_proto__init(proto);
    proto->name = arena_strdup(&w->arena, name);
    proto->n_node = (size_t)w->node_count, proto->node = w->nodes;
    proto->n_initializer = (size_t)w->initializers.count, proto->initializer = w->initializers.items;
    proto->n_input = (size_t)w->inputs.count, proto->input = w->inputs.items;
    proto->n_output = (size_t)w->outputs.count, proto->output = w->outputs.items;
    proto->n_value_info = (size_t)w->between.count, proto->value_info = w->between.items;
}

/* ---- the file ---- */

typedef struct Sink {
    ProtobufCBuffer base;
    FILE *file;
    bool ok;
} Sink;

static void sink_append(ProtobufCBuffer *buffer, size_t size, const uint8_t *data) {
    Sink *sink = (Sink *)buffer;
    if (sink->ok && fwrite(data, 1, size, sink->file) != size) sink->ok = false;
}

static bool write_message(const char *path, const ProtobufCMessage *message, Diag *diag) {
    Sink sink = {.base.append = sink_append, .file = fopen(path, "wb"), .ok = true};
    if (sink.file) protobuf_c_message_pack_to_buffer(message, &sink.base);
    int saved = errno;
    bool ok = sink.file && sink.ok;
    if (sink.file && fclose(sink.file) && ok) ok = false, saved = errno;
    if (!ok) diag_error(diag, (Place){0}, "cannot write '%s': %s", path_base(path), strerror(saved));
    return ok;
}

static bool fits(const char *path, uint64_t size, Diag *diag) {
    if (size <= file_limit) return true;
    diag_error(diag, (Place){0}, "'%s' would have %.2f GB; an ONNX file has at most 2.15 (2^31 bytes)", path_base(path),
               (double)size / 1e9);
    return false;
}

bool onnx_check(const Graph *graph, const char *path, Diag *diag) {
    uint64_t size = 0;
    for (int i = 0; i < graph->node_count; i++) { /* a graph file's: the language has none */
        const Node *node = graph->nodes[i];
        const Window *window = &node->attr.window;
        if (node->op != OP_AVGPOOL || node->attr.global || (window->dilate_h == 1 && window->dilate_w == 1)) continue;
        diag_error(diag, node->place, "avgpool: ONNX's operator set %d has none that is dilated", OPSET);
        return false;
    }
    for (int i = 0; i < graph->node_count; i++) {
        const Node *node = graph->nodes[i];
        const double low = node->attr.low, high = node->attr.high;
        if (node->op != OP_QUANTIZE || (low == -128 && high == 127) || (low == 0 && high == 255)) continue;
        diag_error(diag, node->place, "quantize: ONNX's operator set %d has -128 to 127 and 0 to 255 alone", OPSET);
        return false;
    }
    for (int i = 0; i < graph->tensor_count; i++)
        if (graph->tensors[i]->op == RN_PARAM && graph->tensors[i] != graph->preprocess.mean_image)
            size += (uint64_t)tensor_size(graph->tensors[i]) * sizeof(float);
    return fits(path, size, diag);
}

/* The file's input is what `run` takes: what comes before that is the application's. */
static void warn_of_mean_image(const Graph *graph, const TensorData *data, const char *path, Diag *diag) {
    const Tensor *mean = graph->preprocess.mean_image;
    for (int64_t i = 0; mean && i < tensor_size(mean); i++) {
        if (data->data[mean->id][i] == 0) continue;
        diag_warning(diag, (Place){0}, "'%s' has no %s: it is to be subtracted from what goes into the file's input",
                     path_base(path), mean->name);
        return;
    }
}

bool save_onnx(const Graph *graph, const TensorData *data, const char *name, int batch, const char *path, Diag *diag) {
    OnnxWriter w = {.graph = graph, .data = data, .batch = batch};
    warn_of_mean_image(graph, data, path, diag);
    w.operand = arena_alloc(&w.arena, sizeof *w.operand * (size_t)graph->value_count);
    w.outside = arena_alloc(&w.arena, sizeof *w.outside * (size_t)graph->value_count);
    w.first_use = arena_alloc(&w.arena, sizeof *w.first_use * (size_t)(graph->tensor_count + 1));
    Onnx__GraphProto proto;
    build_graph(&w, &proto, name);
    Onnx__OperatorSetIdProto opset = ONNX__OPERATOR_SET_ID_PROTO__INIT, *opsets = &opset;
    opset.domain = (char[]){""};
    opset.has_version = true, opset.version = OPSET;
    Onnx__ModelProto model = ONNX__MODEL_PROTO__INIT;
    model.has_ir_version = true, model.ir_version = IR_VERSION;
    model.producer_name = (char[]){"rnc"};
    model.producer_version = (char[]){RN_VERSION};
    model.graph = &proto;
    model.n_opset_import = 1, model.opset_import = &opsets;
    bool ok =
        fits(path, protobuf_c_message_get_packed_size(&model.base), diag) && write_message(path, &model.base, diag);
    arena_free(&w.arena);
    return ok;
}
