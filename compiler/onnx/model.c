/* From a file to the graph of its tensors, with its names looked up. */
#include "model.h"

#include "core/pages.h"
#include "operators.h"
#include "rn.h"
#include "wire.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

/* ---- the message ---- */

/* What a message may take: some times its bytes, since an integer of one is one of eight, beside its structs, whose
 * number is limited. */
typedef struct Budget {
    size_t left;
} Budget;

static void *budget_alloc(void *data, size_t size) {
    Budget *budget = data;
    if (size > budget->left) return NULL;
    budget->left -= size;
    return heap_alloc(size);
}

static void budget_free(void *data, void *pointer) {
    (void)data;
    free(pointer);
}

static bool unpack(OnnxModel *model, const uint8_t *bytes, size_t size) {
    const Place place = {.source = model->source};
    enum { TIMES = 9 };
    static const size_t least = 1 << 30;
    size_t members = ONNX_MOST_MEMBERS;
    if (!wire_count(&onnx__model_proto__descriptor, bytes, size, &members)) {
        diag_error(model->diag, place, "it has more than %d nodes, attributes, names and tensors in all",
                   ONNX_MOST_MEMBERS);
        return false;
    }
    Budget *budget = arena_alloc(model->arena, sizeof *budget);
    budget->left = least + TIMES * size;
    model->allocator = (ProtobufCAllocator){budget_alloc, budget_free, budget};
    model->proto = onnx__model_proto__unpack(&model->allocator, size, bytes);
    if (model->proto && model->proto->graph) return true;
    diag_error(model->diag, place,
               model->proto ? "no ONNX model: it has no graph"
                            : "no ONNX model, or one that was cut short: its protobuf cannot be read");
    return false;
}

static bool read_opset(OnnxModel *model) {
    const Place place = {.source = model->source};
    model->opset = 0;
    for (size_t i = 0; i < model->proto->n_opset_import; i++) {
        const Onnx__OperatorSetIdProto *set = model->proto->opset_import[i];
        if (set->domain && *set->domain && strcmp(set->domain, "ai.onnx") != 0) continue;
        model->opset = set->version < 0 || set->version > 1000 ? 1000 : (int)set->version;
    }
    if (model->opset >= ONNX_OLDEST_OPSET && model->opset <= ONNX_NEWEST_OPSET) return true;
    if (!model->opset)
        diag_error(model->diag, place, "it does not say of which operator set its operators are");
    else
        diag_error(model->diag, place, "its operators are of set %d; those of %d to %d are known", model->opset,
                   ONNX_OLDEST_OPSET, ONNX_NEWEST_OPSET);
    return false;
}

/* ---- tensors ---- */

/* A new tensor; NULL after an error, where the name is taken. */
static OnnxTensor *new_tensor(OnnxModel *model, const char *name) {
    OnnxTensor *tensor = arena_alloc(model->arena, sizeof *tensor);
    tensor->name = name;
    tensor->shape.rank = -1;
    return tensor;
}

static OnnxTensor *add_tensor(OnnxModel *model, const char *name) {
    const Place place = {.source = model->source};
    if (map_get(&model->tensors, name)) {
        diag_error(model->diag, place, "two tensors are called '%s'", name);
        return NULL;
    }
    OnnxTensor *tensor = new_tensor(model, name);
    map_put(&model->tensors, model->arena, name, tensor);
    return tensor;
}

static bool read_initializers(OnnxModel *model) {
    const Onnx__GraphProto *graph = model->proto->graph;
    if (graph->n_sparse_initializer) {
        diag_error(model->diag, (Place){.source = model->source}, "it has sparse initializers, which are not read");
        return false;
    }
    for (size_t i = 0; i < graph->n_initializer; i++) {
        const Onnx__TensorProto *proto = graph->initializer[i];
        const char *name = proto->name ? proto->name : "";
        OnnxTensor *tensor = add_tensor(model, name);
        if (!tensor || !constant_read(model, tensor, proto, arena_printf(model->arena, "initializer '%s'", name)))
            return false;
    }
    return true;
}

/* ---- the input ---- */

static const char *const *find_define(const OnnxOptions *options, const char *name, bool *used) {
    const size_t length = strlen(name);
    for (int i = 0; i < options->define_count; i++) {
        if (strncmp(options->defines[i], name, length) != 0 || options->defines[i][length] != '=') continue;
        used[i] = true;
        return &options->defines[i];
    }
    return NULL;
}

/* A dimension that has a name or none: of -D, the first of several is the batch. 0 after an error. */
static int64_t read_symbol(OnnxModel *model, const OnnxOptions *options, const char *name, bool is_batch, bool *used) {
    const Place place = {.source = model->source};
    const char *const *define = find_define(options, name, used);
    if (!define && is_batch) return options->batch ? options->batch : 1;
    if (!define) {
        diag_error(model->diag, place, "the input '%s' has a dimension of no fixed size: say -D %s=SIZE",
                   model->input->name, name);
        return 0;
    }
    const char *value = strchr(*define, '=') + 1;
    char *end;
    errno = 0;
    const long long size = strtoll(value, &end, 10);
    if (*value >= '0' && *value <= '9' && !*end && !errno && size >= 1 && size <= onnx_most_elements) return size;
    diag_error(model->diag, (Place){0}, "-D %s: '%s' is no size", name, value);
    return 0;
}

static bool read_input_shape(OnnxModel *model, const Onnx__TypeProto__Tensor *type, const OnnxOptions *options) {
    const Place place = {.source = model->source};
    OnnxTensor *input = model->input;
    int64_t count = 1;
    const Onnx__TensorShapeProto *shape = type->shape;
    bool *used = arena_alloc(model->arena, (size_t)options->define_count + 1);
    if (!shape || shape->n_dim < 1 || shape->n_dim > ONNX_MOST_RANK) {
        diag_error(model->diag, place, "the input '%s' has %s", input->name,
                   shape ? "no dimension that could be one of images, or too many" : "no shape");
        return false;
    }
    input->shape.rank = (int)shape->n_dim;
    for (int i = 0; i < input->shape.rank; i++) {
        const Onnx__TensorShapeProto__Dimension *dim = shape->dim[i];
        const bool is_batch = i == 0 && input->shape.rank > 1;
        if (dim->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE && dim->dim_value > 0) {
            input->shape.dim[i] = dim->dim_value;
        } else {
            const bool named = dim->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM &&
                               dim->dim_param && *dim->dim_param;
            const char *name = named ? dim->dim_param : arena_printf(model->arena, "%s.%d", input->name, i);
            input->shape.dim[i] = read_symbol(model, options, name, is_batch, used);
            if (!input->shape.dim[i]) return false;
        }
        if (input->shape.dim[i] > onnx_most_elements / count) {
            diag_error(model->diag, place, "the input '%s' has more than 2^31 numbers: dimension %d is %lld",
                       input->name, i, (long long)input->shape.dim[i]);
            return false;
        }
        count *= input->shape.dim[i];
    }
    for (int i = 0; i < options->define_count; i++)
        if (!used[i]) {
            diag_error(model->diag, place, "-D %s: the input '%s' has no dimension of that name", options->defines[i],
                       input->name);
            return false;
        }
    model->batch = input->shape.rank > 1 ? (int)input->shape.dim[0] : 1;
    return true;
}

static bool read_input(OnnxModel *model, const OnnxOptions *options) {
    const Place place = {.source = model->source};
    const Onnx__GraphProto *graph = model->proto->graph;
    const Onnx__ValueInfoProto *found = NULL;
    for (size_t i = 0; i < graph->n_input; i++) {
        const Onnx__ValueInfoProto *info = graph->input[i];
        if (map_get(&model->tensors, info->name ? info->name : "")) continue; /* an initializer's default */
        if (found) {
            diag_error(model->diag, place, "it has several inputs, '%s' and '%s'; a network has one", found->name,
                       info->name ? info->name : "");
            return false;
        }
        found = info;
    }
    if (!found || !found->name || !*found->name) {
        diag_error(model->diag, place, "it has no input");
        return false;
    }
    model->input = add_tensor(model, found->name);
    if (!model->input) return false;
    if (!found->type || found->type->value_case != ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE) {
        diag_error(model->diag, place, "the input '%s' is no tensor", found->name);
        return false;
    }
    const Onnx__TypeProto__Tensor *type = found->type->tensor_type;
    model->input->type = (OnnxType)type->elem_type;
    if (!onnx_type_is_real(model->input->type) && type->elem_type != ONNX__TENSOR_PROTO__DATA_TYPE__UINT8) {
        diag_error(model->diag, place, "the input '%s' is of type %s; images are of a real type or uint8", found->name,
                   onnx_type_name(type->elem_type));
        return false;
    }
    return read_input_shape(model, type, options);
}

/* ---- nodes ---- */

/* What makes a tensor that a node reads before it is made: the nodes are in no order, or depend on each other. */
static const char *later_maker(OnnxModel *model, const char *tensor) {
    const Onnx__GraphProto *graph = model->proto->graph;
    for (size_t i = 0; i < graph->n_node; i++)
        for (size_t k = 0; k < graph->node[i]->n_output; k++)
            if (!strcmp(graph->node[i]->output[k], tensor))
                return arena_printf(model->arena, ": node %zu does; do nodes depend on each other?", i);
    return "";
}

static bool read_node(OnnxModel *model, const Onnx__NodeProto *proto, OnnxNode *node) {
    const Place place = {.source = model->source};
    node->proto = proto;
    node->type = proto->op_type ? proto->op_type : "";
    node->name = proto->name ? proto->name : "";
    node->domain = proto->domain && strcmp(proto->domain, "ai.onnx") != 0 ? proto->domain : "";
    onnx_find_formula(node);
    node->op = onnx_operator(node);
    node->nin = (int)proto->n_input;
    node->nout = (int)proto->n_output;
    node->in = arena_alloc(model->arena, sizeof(OnnxTensor *) * (size_t)(node->nin + 1));
    node->out = arena_alloc(model->arena, sizeof(OnnxTensor *) * (size_t)(node->nout + 1));
    for (int i = 0; i < node->nin; i++) {
        if (!*proto->input[i]) continue;
        node->in[i] = map_get(&model->tensors, proto->input[i]);
        if (!node->in[i]) {
            diag_error(model->diag, place, "%s reads '%s', which nothing before it makes%s",
                       onnx_node_text(model->arena, node), proto->input[i], later_maker(model, proto->input[i]));
            return false;
        }
    }
    for (int i = 0; i < node->nout; i++) {
        if (*proto->output[i])
            node->out[i] = add_tensor(model, proto->output[i]);
        else if (i == 0)
            node->out[i] = new_tensor(model, ""); /* left out; shapes begin with the first result */
        else
            continue;
        if (!node->out[i]) return false;
        node->out[i]->producer = node;
    }
    return true;
}

static bool read_nodes(OnnxModel *model) {
    const Onnx__GraphProto *graph = model->proto->graph;
    if (graph->n_node > ONNX_MOST_NODES) {
        diag_error(model->diag, (Place){.source = model->source}, "it has %zu nodes; at most %d are read",
                   graph->n_node, ONNX_MOST_NODES);
        return false;
    }
    model->node_count = (int)graph->n_node;
    model->nodes = arena_alloc(model->arena, sizeof(OnnxNode *) * (graph->n_node + 1));
    for (int i = 0; i < model->node_count; i++) {
        model->nodes[i] = arena_alloc(model->arena, sizeof(OnnxNode));
        model->nodes[i]->index = i;
        if (!read_node(model, graph->node[i], model->nodes[i])) return false;
    }
    return true;
}

static bool read_outputs(OnnxModel *model) {
    const Place place = {.source = model->source};
    const Onnx__GraphProto *graph = model->proto->graph;
    model->outputs = arena_alloc(model->arena, sizeof(OnnxTensor *) * (graph->n_output + 1));
    for (size_t i = 0; i < graph->n_output; i++) {
        const char *name = graph->output[i]->name ? graph->output[i]->name : "";
        OnnxTensor *tensor = map_get(&model->tensors, name);
        if (!tensor) {
            diag_error(model->diag, place, "its output '%s' is made by no node", name);
            return false;
        }
        tensor->is_output = true;
        model->outputs[model->output_count++] = tensor;
    }
    if (model->output_count) return true;
    diag_error(model->diag, place, "it has no output");
    return false;
}

bool model_parse(OnnxModel *model, Arena *arena, const Source *source, const uint8_t *bytes, size_t size,
                 const OnnxOptions *options, Diag *diag) {
    *model = (OnnxModel){.arena = arena, .diag = diag, .source = source, .hash = XXH3_64bits(bytes, size)};
    if (!unpack(model, bytes, size) || !read_opset(model)) return false;
    model->folded_most = options->folded_most ? options->folded_most : 1 << 29;
    return read_initializers(model) && read_input(model, options) && read_nodes(model) && read_outputs(model);
}

bool model_open(OnnxModel *model, Arena *arena, const Source *source, const OnnxOptions *options, Diag *diag) {
    char error[RN_ERROR_SIZE];
    rn_pages file;
    *model = (OnnxModel){0};
    if (rn_pages_map(&file, options->path, error, sizeof error)) {
        diag_error(diag, (Place){0}, "%s", error);
        return false;
    }
    const bool readable = !file.count || !rn_pages_fault(file.bytes, file.count);
    if (!readable) diag_error(diag, (Place){.source = source}, "cannot be read");
    const bool good = readable && model_parse(model, arena, source, file.bytes, file.count, options, diag);
    rn_pages_free(&file); /* the message has copies */
    return good;
}

void model_close(OnnxModel *model) {
    for (OnnxFile *file = model->files; file; file = file->next) rn_pages_free(file->pages);
    if (model->proto) onnx__model_proto__free_unpacked(model->proto, &model->allocator);
    model->files = NULL, model->proto = NULL;
}

/* ---- attributes ---- */

const Onnx__AttributeProto *onnx_attribute(const OnnxNode *node, const char *name) {
    for (size_t i = 0; i < node->proto->n_attribute; i++) {
        const Onnx__AttributeProto *attribute = node->proto->attribute[i];
        if (attribute->name && !strcmp(attribute->name, name)) return attribute;
    }
    return NULL;
}

/* Of the first files attributes had no type. */
static Onnx__AttributeProto__AttributeType type_of(const Onnx__AttributeProto *attribute) {
    if (attribute->has_type && attribute->type) return attribute->type;
    return attribute->has_i   ? ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT
           : attribute->has_f ? ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT
           : attribute->has_s ? ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING
                              : ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS;
}

static const Onnx__AttributeProto *attribute_of(OnnxNode *node, const char *name,
                                                Onnx__AttributeProto__AttributeType type) {
    const Onnx__AttributeProto *attribute = onnx_attribute(node, name);
    if (!attribute || type_of(attribute) == type) return attribute;
    node->misfit = name;
    return NULL;
}

int64_t onnx_attribute_int(OnnxNode *node, const char *name, int64_t otherwise) {
    const Onnx__AttributeProto *attribute = attribute_of(node, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT);
    return attribute ? attribute->i : otherwise;
}

double onnx_decimal(float value) {
    char text[32];
    for (int digits = 1; digits < 9; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, (double)value);
        if (strtof(text, NULL) == value) return strtod(text, NULL);
    }
    return (double)value;
}

double onnx_attribute_real(OnnxNode *node, const char *name, double otherwise) {
    const Onnx__AttributeProto *attribute = attribute_of(node, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT);
    return attribute ? onnx_decimal(attribute->f) : otherwise;
}

const char *onnx_attribute_string(OnnxModel *model, OnnxNode *node, const char *name, const char *otherwise) {
    const Onnx__AttributeProto *attribute = attribute_of(node, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING);
    if (!attribute) return otherwise;
    return arena_strndup(model->arena, attribute->s.data ? (const char *)attribute->s.data : "", attribute->s.len);
}

int onnx_attribute_ints(OnnxNode *node, const char *name, int64_t *values, int most) {
    const Onnx__AttributeProto *attribute = attribute_of(node, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS);
    if (!attribute) return -1;
    for (int i = 0; i < most && (size_t)i < attribute->n_ints; i++) values[i] = attribute->ints[i];
    return attribute->n_ints > INT32_MAX ? INT32_MAX : (int)attribute->n_ints;
}

int onnx_list(OnnxNode *node, const char *attribute, int input, int64_t *values, int most) {
    const OnnxTensor *tensor = input < node->nin ? node->in[input] : NULL;
    if (!tensor) {
        const int count = onnx_attribute_ints(node, attribute, values, most);
        return count > most ? -2 : count;
    }
    if (!tensor->integers || onnx_elements(&tensor->shape) > most) return -2;
    const int count = (int)onnx_elements(&tensor->shape);
    for (int i = 0; i < count; i++) values[i] = tensor->integers[i];
    return count;
}

/* ---- words ---- */

const char *onnx_shape_text(Arena *arena, const OnnxShape *shape) {
    if (shape->rank < 0) return "an unknown shape";
    if (!shape->rank) return "a scalar";
    char *text = arena_printf(arena, "%lld", (long long)shape->dim[0]);
    for (int i = 1; i < shape->rank; i++) text = arena_printf(arena, "%sx%lld", text, (long long)shape->dim[i]);
    return text;
}

const char *onnx_node_text(Arena *arena, const OnnxNode *node) {
    const char *domain = *node->domain ? arena_printf(arena, "%s.", node->domain) : "";
    if (!*node->name) return arena_printf(arena, "node %d (%s%s)", node->index, domain, node->type);
    return arena_printf(arena, "node %d '%s' (%s%s)", node->index, node->name, domain, node->type);
}
