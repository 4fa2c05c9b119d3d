/* What layers and parameters are called: as in the checkpoint that the file was made of, wherever it says so. */
#include "import.h"

#include <string.h>

enum { LONGEST_NAME = 200, LONGEST_PATH = 1000 };

static bool ends_with(const char *text, const char *end) {
    const size_t n = strlen(text), m = strlen(end);
    return n >= m && !strcmp(text + n - m, end);
}

/* Exporters' own counters (onnx::Conv_193) are no names. */
static bool is_name(const char *name) {
    return *name && !strstr(name, "::") && strlen(name) <= LONGEST_NAME;
}

/* ---- PyTorch's modules ---- */

/* Calls `each` with the path of every module that a node is in, from the outside in, and returns what it did there: of
 * the legacy exporter /layer1/layer1.0/conv1/Conv, where each path is followed by that of the module within and the
 * last is the operator; of the newer one ['', 'layer1', 'layer1.0', 'layer1.0.conv1', 'conv2d'] in a property. NULL
 * where the node says nothing of modules. */
typedef void (*EachModule)(Import *import, const char *module);

static const char *legacy_modules(Import *import, const OnnxNode *node, EachModule each) {
    Arena *arena = import->model->arena;
    const char *name = "", *last = "", *rest = node->name + 1;
    if (*node->name != '/' || strlen(node->name) > LONGEST_PATH) return NULL;
    for (size_t n; rest[n = strcspn(rest, "/")]; rest += n + 1) {
        const char *part = arena_strndup(arena, rest, n);
        const size_t before = strlen(last);
        if (before && !strncmp(part, last, before) && part[before] == '.')
            name = arena_printf(arena, "%.*s%s", (int)(strlen(name) - before), name, part);
        else
            name = arena_printf(arena, "%s%s%s", name, *name ? "." : "", part);
        last = part;
        each(import, name);
    }
    return rest;
}

static const char *scope_modules(Import *import, const OnnxNode *node, EachModule each) {
    Arena *arena = import->model->arena;
    const char *list = NULL, *found = NULL;
    for (size_t i = 0; i < node->proto->n_metadata_props; i++) {
        const Onnx__StringStringEntryProto *entry = node->proto->metadata_props[i];
        if (entry->key && !strcmp(entry->key, "pkg.torch.onnx.name_scopes")) list = entry->value;
    }
    for (const char *at = list ? strchr(list, '\'') : NULL, *end; at && (end = strchr(at + 1, '\''));
         at = strchr(end + 1, '\'')) {
        if (found && *found) each(import, found);
        found = arena_strndup(arena, at + 1, (size_t)(end - at - 1));
    }
    return found;
}

static const char *modules(Import *import, const OnnxNode *node, EachModule each) {
    const char *last = scope_modules(import, node, each);
    return last ? last : legacy_modules(import, node, each);
}

/* The one before is no longer the innermost. */
static void note_outer(Import *import, const char *module) {
    if (import->module) map_put(&import->modules, import->model->arena, import->module, (void *)(uintptr_t)module);
    import->module = module;
}

static void note_inner(Import *import, const char *module) {
    import->module = module;
}

void import_find_modules(Import *import) {
    for (int i = 0; i < import->model->node_count; i++) {
        import->module = NULL;
        modules(import, import->model->nodes[i], note_outer);
    }
}

/* A module that holds no other is its operator, so it gives the name; what a module computes beside those that it holds
 * is called MODULE.operator. */
static const char *name_of_node(Import *import, const OnnxNode *node) {
    Arena *arena = import->model->arena;
    import->module = NULL;
    const char *last = modules(import, node, note_inner);
    if (!last) return node->name;
    const size_t type = strlen(node->type);
    const char *number = !strncmp(last, node->type, type) ? last + type : ""; /* the second Relu of it is Relu_1 */
    if (import->module && !map_get(&import->modules, import->module))
        return arena_printf(arena, "%s%s", import->module, number);
    char *lower = arena_strdup(arena, last);
    for (char *c = lower; *c; c++)
        if (*c >= 'A' && *c <= 'Z') *c += 'a' - 'A';
    return import->module ? arena_printf(arena, "%s.%s", import->module, lower) : lower;
}

/* ---- names ---- */

static const char *clean(Arena *arena, const char *name) {
    const size_t length = strlen(name), most = LONGEST_NAME - 16; /* room for a number */
    char *text = arena_strndup(arena, name, length < most ? length : most);
    for (char *c = text; *c; c++) {
        const bool plain = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9');
        if (*c == '/' && c > text) *c = '.';
        if (!plain && !strchr("_.-", *c)) *c = '_';
    }
    return text;
}

const char *import_name(Import *import, const OnnxNode *node, const char *part, const ImportWeights *weights) {
    Arena *arena = import->builder.graph->arena;
    const OnnxTensor *source = weights ? weights->slot[WEIGHT].source : NULL;
    const char *name = "";
    if (source && is_name(source->name) && ends_with(source->name, ".weight"))
        name = arena_strndup(arena, source->name, strlen(source->name) - strlen(".weight"));
    else if (node->proto)
        name = name_of_node(import, node);
    if (!*name && node->nout) name = node->out[0]->name;
    if (!*name) name = node->type;
    name = clean(arena, part ? arena_printf(arena, "%s.%s", name, part) : name);
    const char *wanted = name;
    int *number = map_get(&import->names, wanted); /* the last one that was put behind it */
    while (map_get(&import->names, name)) name = arena_printf(arena, "%s_%d", wanted, ++*number);
    number = arena_alloc(arena, sizeof *number);
    *number = 1;
    map_put(&import->names, arena, name, number);
    return name;
}

/* PyTorch's newer exporter calls the bias that a batch norm leaves X.weight_bias, beside X.weight. */
static bool is_left_over(const ImportWeights *weights, int slot) {
    const OnnxTensor *weight = weights->slot[WEIGHT].source, *bias = weights->slot[slot].source;
    const size_t n = weight ? strlen(weight->name) : 0;
    return slot == BIAS && weight && !strncmp(bias->name, weight->name, n) && !strcmp(bias->name + n, "_bias");
}

const char *import_weight_name(Import *import, const ImportWeights *weights, int slot, const char *layer,
                               const char *suffix) {
    Arena *arena = import->builder.graph->arena;
    const ImportWeight *weight = &weights->slot[slot];
    const OnnxTensor *source = weight->source;
    if (source && !weight->data && is_name(source->name) && !is_left_over(weights, slot)) {
        const OnnxTensor *taken = map_get(&import->weights, source->name);
        const char *own = arena_strdup(arena, source->name);
        if (!taken) map_put(&import->weights, arena, own, (void *)(uintptr_t)source);
        if (!taken || taken == source) return own;
    }
    const char *name = arena_printf(arena, "%s.%s", layer, suffix);
    for (int n = 2; map_get(&import->weights, name) || map_get(&import->model->tensors, name); n++) {
        const OnnxTensor *own = map_get(&import->model->tensors, name);
        if (own && own == source && !map_get(&import->weights, name)) break;
        name = arena_printf(arena, "%s.%s_%d", layer, suffix, n);
    }
    map_put(&import->weights, arena, name, (void *)(uintptr_t)name);
    return name;
}

/* The file's, as an identifier: exporters call all graphs main_graph. */
const char *import_network_name(Arena *arena, const char *path) {
    const char *base = path_base(path), *dot = strrchr(base, '.');
    char *name = arena_strndup(arena, base, dot ? (size_t)(dot - base) : strlen(base));
    for (char *c = name; *c; c++)
        if (!strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", *c)) *c = '_';
    return *name >= '0' && *name <= '9' ? arena_printf(arena, "net_%s", name) : *name ? name : "net";
}
