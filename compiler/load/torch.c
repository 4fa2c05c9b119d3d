/* From a checkpoint's values to tensors: which names a pickle may use, which of its dicts is the state dict, and which
 * elements of which storage a tensor has. The two forms of file are torch_zip.c's and torch_legacy.c's.
 */
#include "torch_file.h"

#include "runtime/weights/format.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEEPEST = 8, MOST_DICTS = 64, LISTED_DICTS = 6, SHOWN_NAME = 160 };

/* ---- the names that a checkpoint may use ---- */
typedef enum GlobalId {
    G_OTHER,
    G_TENSOR,    /* (storage, offset, shape, strides, ...) */
    G_PARAMETER, /* (tensor, ...) */
    G_FROM_TYPE, /* (what rebuilds it, its class, the arguments, ...) */
    G_STORAGE    /* + index in types[] */
} GlobalId;

static const TorchType types[] = {{"F32", 4}, {"F64", 8}, {"F16", 2}, {"BF16", 2}, {"I64", 8}, {"I32", 4},
                                  {"I16", 2}, {"I8", 1},  {"U8", 1},  {"BOOL", 1}, {"C64", 8}, {"C128", 16}};

#define STORAGE(name, type)                                                                                            \
    {"torch." name "Storage", G_STORAGE + type, false}, {                                                              \
        "torch.cuda." name "Storage", G_STORAGE + type, false                                                          \
    }
#define OTHER(name)                                                                                                    \
    { name, G_OTHER, false }
static const PickleGlobal globals[] = {
    {"collections.OrderedDict", G_OTHER, true},
    {"collections.defaultdict", G_OTHER, true},
    {"torch._utils._rebuild_tensor", G_TENSOR, false},
    {"torch._utils._rebuild_tensor_v2", G_TENSOR, false},
    {"torch._utils._rebuild_parameter", G_PARAMETER, false},
    {"torch._utils._rebuild_parameter_with_state", G_PARAMETER, false},
    {"torch.nn.parameter.Parameter", G_PARAMETER, false}, /* until PyTorch 0.4 */
    {"torch._tensor._rebuild_from_type_v2", G_FROM_TYPE, false},
    STORAGE("Float", 0),
    STORAGE("Double", 1),
    STORAGE("Half", 2),
    STORAGE("BFloat16", 3),
    STORAGE("Long", 4),
    STORAGE("Int", 5),
    STORAGE("Short", 6),
    STORAGE("Char", 7),
    STORAGE("Byte", 8),
    STORAGE("Bool", 9),
    STORAGE("ComplexFloat", 10),
    STORAGE("ComplexDouble", 11),
    /* what training scripts put beside the state dict: options, the best accuracy, dtypes */
    OTHER("argparse.Namespace"),
    OTHER("collections.Counter"),
    OTHER("copy_reg._reconstructor"),
    OTHER("copyreg._reconstructor"),
    OTHER("builtins.object"),
    OTHER("builtins.list"),
    OTHER("builtins.dict"),
    OTHER("builtins.set"),
    OTHER("builtins.int"),
    OTHER("builtins.float"),
    OTHER("__builtin__.object"),
    OTHER("__builtin__.list"),
    OTHER("__builtin__.dict"),
    OTHER("__builtin__.set"),
    OTHER("__builtin__.int"),
    OTHER("__builtin__.float"),
    OTHER("_codecs.encode"),
    OTHER("datetime.datetime"),
    OTHER("pathlib.PosixPath"),
    OTHER("numpy.dtype"),
    OTHER("numpy.ndarray"),
    OTHER("numpy.core.multiarray.scalar"),
    OTHER("numpy._core.multiarray.scalar"),
    OTHER("numpy.core.multiarray._reconstruct"),
    OTHER("numpy._core.multiarray._reconstruct"),
    OTHER("torch.Tensor"),
    OTHER("torch.Size"),
    OTHER("torch.device"),
    OTHER("torch.float32"),
    OTHER("torch.float64"),
    OTHER("torch.float16"),
    OTHER("torch.bfloat16"),
    OTHER("torch.int64"),
};
#undef OTHER
#undef STORAGE
static const PickleTable table = {globals, sizeof globals / sizeof *globals};

/* What a value is, by the table; -1: no global and no call. */
static int global_id(const PickleValue *value) {
    return value->kind == PICKLE_GLOBAL || value->kind == PICKLE_CALL ? globals[value->u.integer].id : -1;
}

/* ---- errors ---- */
bool torch_fail(TorchFile *file, const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(file->error, TORCH_ERROR_SIZE, format, args);
    va_end(args);
    return false;
}

bool torch_pickle(TorchFile *file, Pickle *pickle, const uint8_t *bytes, size_t size, const char *where,
                  size_t offset) {
    char error[PICKLE_ERROR_SIZE];
    if (pickle_read(pickle, &file->arena, bytes, size, offset, &table, error)) return true;
    return torch_fail(file, "PyTorch checkpoint%s, %s", where, error);
}

/* ---- storages ---- */
static bool is_integer(const PickleValue *value, int64_t least) {
    return value->kind == PICKLE_INT && value->u.integer >= least;
}

/* ('storage', type, key, device, count), which the older form follows by None or (key, offset, count) of a view */
static bool parse_storage(TorchFile *file, const PickleValue *id, TorchStorage *storage) {
    if (id->kind != PICKLE_TUPLE || id->count < 5 || !pickle_is(id->v.items[0], "storage"))
        return torch_fail(file, "a persistent id that is no storage");
    const PickleValue *type = id->v.items[1], *key = id->v.items[2], *count = id->v.items[4];
    if (type->kind != PICKLE_GLOBAL || global_id(type) < G_STORAGE)
        return torch_fail(file, "a storage of a type that is not known");
    if (key->kind != PICKLE_STRING || !key->count || strlen(key->v.text) != (size_t)key->count)
        return torch_fail(file, "a storage whose key is no text");
    *storage = (TorchStorage){.key = key->v.text, .type = &types[global_id(type) - G_STORAGE]};
    if (!is_integer(count, 0) || __builtin_mul_overflow(count->u.integer, storage->type->bytes, &storage->size))
        return torch_fail(file, "storage %.100s: its size is no number or overflows", storage->key);
    storage->count = count->u.integer;
    return true;
}

bool torch_storages(TorchFile *file, const Pickle *pickle) {
    Map by_key = {0};
    file->storages = arena_alloc(&file->arena, ((size_t)pickle->persistent_count + 1) * sizeof *file->storages);
    for (int i = 0; i < pickle->persistent_count; i++) {
        TorchStorage one;
        if (!parse_storage(file, pickle->persistent[i]->v.items[0], &one)) return false;
        TorchStorage *known = map_get(&by_key, one.key);
        if (!known) {
            known = &file->storages[file->storage_count++];
            *known = one;
            map_put(&by_key, &file->arena, one.key, known);
        } else if (known->type != one.type || known->count != one.count) {
            return torch_fail(file, "storage %.100s has two types or sizes", one.key);
        }
        pickle->persistent[i]->u.integer = known - file->storages;
    }
    return true;
}

/* ---- state dicts ---- */
typedef struct Candidate {
    const PickleValue *dict;
    const char *path; /* "state_dict.", "" at the top */
} Candidate;

typedef struct Search {
    Arena *arena;
    Candidate *found;
    int count, capacity;
} Search;

/* The arguments that a tensor or parameter is rebuilt from; NULL where the value is none. */
static const PickleValue *tensor_arguments(const PickleValue *value) {
    if (value->kind == PICKLE_CALL && global_id(value) == G_PARAMETER && value->count > 0) value = value->v.items[0];
    if (value->kind != PICKLE_CALL) return NULL;
    if (global_id(value) == G_TENSOR) return value;
    if (global_id(value) != G_FROM_TYPE || value->count < 3) return NULL;
    const PickleValue *how = value->v.items[0], *arguments = value->v.items[2];
    return how->kind == PICKLE_GLOBAL && global_id(how) == G_TENSOR && arguments->kind == PICKLE_TUPLE ? arguments
                                                                                                       : NULL;
}

/* Weights have dimensions: a dict with none but single numbers ("best_acc1") is no state dict. */
static bool has_weights(const PickleValue *dict) {
    for (int i = 0; i < dict->count; i += 2) {
        const PickleValue *arguments = tensor_arguments(dict->v.items[i + 1]);
        if (dict->v.items[i]->kind == PICKLE_STRING && arguments && arguments->count > 2 &&
            arguments->v.items[2]->count > 0)
            return true;
    }
    return false;
}

typedef struct Step { /* a way down from the top */
    const struct Step *up;
    const PickleValue *key; /* NULL: of a list */
    int index;
} Step;

static const char *path_of(Arena *arena, const Step *step) {
    if (!step) return "";
    const char *above = path_of(arena, step->up);
    return step->key ? arena_printf(arena, "%s%.*s.", above, SHOWN_NAME, step->key->v.text)
                     : arena_printf(arena, "%s%d.", above, step->index);
}

static bool holds_values(const PickleValue *value) {
    return value->kind == PICKLE_DICT || value->kind == PICKLE_LIST || value->kind == PICKLE_TUPLE;
}

/* Dicts with weights, at most DEEPEST keys down; an optimizer's own tensors are no weights. */
static void find_dicts(Search *search, PickleValue *value, const Step *way, int depth) {
    const int stride = value->kind == PICKLE_DICT ? 2 : 1;
    if (value->visited || depth > DEEPEST || search->count == MOST_DICTS) return;
    value->visited = true;
    if (stride == 2 && has_weights(value)) {
        const Candidate one = {value, path_of(search->arena, way)};
        ARENA_PUSH(search->arena, search->found, search->count, search->capacity, one);
    }
    for (int i = 0; i < value->count; i += stride) {
        PickleValue *item = value->v.items[i + stride - 1];
        const Step step = {way, stride == 2 ? value->v.items[i] : NULL, i};
        if (!holds_values(item)) continue;
        if (step.key && (step.key->kind != PICKLE_STRING || !strncmp(step.key->v.text, "optim", 5))) continue;
        find_dicts(search, item, &step, depth + 1);
    }
}

static bool ends_with_key(const char *path, const char *key) {
    const size_t n = strlen(path), m = strlen(key);
    return n > m && !memcmp(path + n - m - 1, key, m) && (n == m + 1 || path[n - m - 2] == '.');
}

/* The dict that the prefix names, the longest path of several; the prefix goes on after it. An empty one names the top.
 */
static const Candidate *named_dict(const Search *search, const char **prefix) {
    const Candidate *best = NULL;
    const size_t length = *prefix ? strlen(*prefix) : 0;
    if (!*prefix) return NULL;
    for (int i = 0; i < search->count; i++) {
        const size_t n = strlen(search->found[i].path);
        if (length ? !n || n > length + 1 || strncmp(search->found[i].path, *prefix, n - 1) : n) continue;
        if (n && n <= length && (*prefix)[n - 1] != '.') continue;
        if (!best || n > strlen(best->path)) best = &search->found[i];
    }
    if (best) *prefix += strlen(best->path) <= length ? strlen(best->path) : length;
    return best;
}

/* The one under a key that training scripts give to it. NULL: none, or several. */
static const Candidate *usual_dict(const Search *search) {
    static const char *const keys[] = {"state_dict", "model_state_dict", "model_state", "model", "net",
                                       "network",    "module",           "weights",     "params"};
    for (size_t k = 0; k < sizeof keys / sizeof *keys; k++) {
        const Candidate *found = NULL;
        int count = 0;
        for (int i = 0; i < search->count; i++)
            if (ends_with_key(search->found[i].path, keys[k])) found = &search->found[i], count++;
        if (count) return count == 1 ? found : NULL;
    }
    return NULL;
}

static const char *list_dicts(TorchFile *file, const Search *search, const Candidate *but) {
    Text text = {0};
    int listed = 0;
    for (int i = 0; i < search->count && listed < LISTED_DICTS; i++) {
        if (&search->found[i] == but) continue;
        const char *path = search->found[i].path;
        text_printf(&text, *path ? "%s'%.*s'" : "%sone at its top", listed ? ", " : "", (int)strlen(path) - 1, path);
        listed++;
    }
    const char *list = arena_printf(&file->arena, "%.300s%s", text.s, listed < search->count - !!but ? ", ..." : "");
    text_free(&text);
    return list;
}

static const PickleValue *choose_dict(TorchFile *file, PickleValue *root, const char **prefix) {
    Search search = {.arena = &file->arena};
    if (holds_values(root)) find_dicts(&search, root, NULL, 0);
    if (!search.count) {
        torch_fail(file,
                   "PyTorch checkpoint: it holds no dict of tensors; torch.save(model.state_dict(), FILE) writes one");
        return NULL;
    }
    const Candidate *chosen = named_dict(&search, prefix);
    if (chosen) return chosen->dict;
    if (search.count == 1) return search.found[0].dict;
    chosen = usual_dict(&search);
    if (!chosen) {
        torch_fail(file, "PyTorch checkpoint: it holds several dicts of tensors: %s; --weights-prefix takes one",
                   list_dicts(file, &search, NULL));
        return NULL;
    }
    file->note = arena_printf(&file->arena, "weights are its '%.*s'; it also holds %s, which --weights-prefix can take",
                              (int)strlen(chosen->path) - 1, chosen->path, list_dicts(file, &search, chosen));
    return chosen->dict;
}

/* ---- tensors ---- */
static bool parse_shape(TorchFile *file, const PickleValue *size, const PickleValue *stride, rn_safetensor *tensor,
                        TorchTensor *view) {
    tensor->count = 1;
    if (size->kind != PICKLE_TUPLE || stride->kind != PICKLE_TUPLE || size->count != stride->count)
        return torch_fail(file, "tensor %.160s: its shape and strides do not fit together", tensor->name);
    if (size->count > RN_SAFETENSOR_MAX_DIMS)
        return torch_fail(file, "tensor %.160s: more than %d dimensions", tensor->name, RN_SAFETENSOR_MAX_DIMS);
    for (int i = 0; i < size->count; i++) {
        const PickleValue *dim = size->v.items[i], *step = stride->v.items[i];
        if (!is_integer(dim, 0) || !is_integer(step, 0))
            return torch_fail(file, "tensor %.160s: a dimension or stride is no count", tensor->name);
        tensor->dim[i] = dim->u.integer;
        view->stride[i] = dim->u.integer > 1 ? step->u.integer : 0; /* nothing is that step away */
        if (__builtin_mul_overflow(tensor->count, dim->u.integer, &tensor->count))
            return torch_fail(file, "tensor %.160s: its size overflows", tensor->name);
    }
    tensor->ndim = size->count;
    return true;
}

/* All elements lie in the storage. */
static bool check_bounds(TorchFile *file, const rn_safetensor *tensor, const TorchTensor *view) {
    int64_t last = view->offset, step;
    bool overflow = false;
    for (int i = 0; i < tensor->ndim && tensor->count; i++)
        overflow |= __builtin_mul_overflow(tensor->dim[i] - 1, view->stride[i], &step) ||
                    __builtin_add_overflow(last, step, &last);
    if (!overflow && (!tensor->count || last < file->storages[view->storage].count)) return true;
    return torch_fail(file, "tensor %.160s: its elements lie beyond the %lld of storage %.100s", tensor->name,
                      (long long)file->storages[view->storage].count, file->storages[view->storage].key);
}

/* _rebuild_tensor(storage, offset, size, stride), _v2 with more that does not matter here */
static bool parse_tensor(TorchFile *file, const PickleValue *arguments, rn_safetensor *tensor, TorchTensor *view) {
    PickleValue *const *args = arguments->v.items;
    if (arguments->count < 4 || args[0]->kind != PICKLE_PERSISTENT || !is_integer(args[1], 0))
        return torch_fail(file, "tensor %.160s: it has no storage or offset", tensor->name);
    view->storage = (int)args[0]->u.integer;
    view->offset = args[1]->u.integer;
    const PickleValue *id = args[0]->v.items[0], *part = id->count > 5 ? id->v.items[5] : NULL;
    if (part && part->kind != PICKLE_NONE &&
        (part->kind != PICKLE_TUPLE || part->count != 3 || !is_integer(part->v.items[1], 0) ||
         __builtin_add_overflow(view->offset, part->v.items[1]->u.integer, &view->offset)))
        return torch_fail(file, "tensor %.160s: its storage is a view that makes no sense", tensor->name);
    TorchStorage *storage = &file->storages[view->storage];
    storage->users++;
    tensor->size = 0;
    strcpy(tensor->dtype, storage->type->dtype);
    return parse_shape(file, args[2], args[3], tensor, view) && check_bounds(file, tensor, view);
}

typedef struct Named { /* sorted together */
    rn_safetensor tensor;
    TorchTensor view;
} Named;

static int compare_names(const void *a, const void *b) {
    return strcmp(((const Named *)a)->tensor.name, ((const Named *)b)->tensor.name);
}

static bool index_tensors(TorchFile *file, const PickleValue *dict) {
    const size_t capacity = (size_t)dict->count / 2 + 1;
    Named *all = arena_alloc(&file->arena, capacity * sizeof *all);
    int count = 0;
    for (int i = 0; i < dict->count; i += 2) {
        const PickleValue *key = dict->v.items[i], *arguments = tensor_arguments(dict->v.items[i + 1]);
        if (!arguments || key->kind != PICKLE_STRING) continue;
        if (strlen(key->v.text) != (size_t)key->count) return torch_fail(file, "a tensor's name has a NUL");
        all[count].tensor.name = key->v.text;
        if (!parse_tensor(file, arguments, &all[count].tensor, &all[count].view)) return false;
        count++;
    }
    qsort(all, (size_t)count, sizeof *all, compare_names);
    file->index.tensors = arena_alloc(&file->arena, capacity * sizeof *file->index.tensors);
    file->tensors = arena_alloc(&file->arena, capacity * sizeof *file->tensors);
    file->index.count = count;
    for (int i = 0; i < count; i++) {
        if (i && !compare_names(&all[i - 1], &all[i]))
            return torch_fail(file, "two tensors are named %.160s", all[i].tensor.name);
        file->index.tensors[i] = all[i].tensor;
        file->tensors[i] = all[i].view;
    }
    return true;
}

/* ---- elements ---- */
static void swap_bytes(uint8_t *bytes, int64_t count, int size) {
    for (int64_t i = 0; i < count; i++, bytes += size)
        for (int j = 0; j < size / 2; j++) {
            const uint8_t byte = bytes[j];
            bytes[j] = bytes[size - 1 - j];
            bytes[size - 1 - j] = byte;
        }
}

static bool is_contiguous(const rn_safetensor *tensor, const TorchTensor *view) {
    int64_t step = 1;
    for (int d = tensor->ndim - 1; d >= 0; d--) {
        if (tensor->dim[d] > 1 && view->stride[d] != step) return false;
        step *= tensor->dim[d];
    }
    return true;
}

/* Copies a view's elements in the order of its dimensions. */
static void gather(const rn_safetensor *tensor, const TorchTensor *view, const uint8_t *from, int size, uint8_t *to) {
    int64_t at[RN_SAFETENSOR_MAX_DIMS] = {0}, place = view->offset;
    if (!tensor->count) return;
    if (is_contiguous(tensor, view)) {
        memcpy(to, from + place * size, (size_t)tensor->count * (size_t)size);
        return;
    }
    for (int64_t i = 0; i < tensor->count; i++) {
        memcpy(to + i * size, from + place * size, (size_t)size);
        for (int d = tensor->ndim - 1; d >= 0; d--) { /* the next element: the last dimension first */
            place += view->stride[d];
            if (++at[d] < tensor->dim[d]) break;
            place -= view->stride[d] * tensor->dim[d];
            at[d] = 0;
        }
    }
}

const uint8_t *torch_elements(TorchFile *file, const rn_safetensor *tensor, char error[TORCH_ERROR_SIZE]) {
    const TorchTensor *view = &file->tensors[tensor - file->index.tensors];
    TorchStorage *storage = &file->storages[view->storage];
    const int size = storage->type->bytes;
    file->error = error;
    free(file->elements);
    file->elements = NULL;
    if (!storage->bytes && !torch_zip_load(file, storage)) return NULL;
    size_t bytes;
    if (__builtin_mul_overflow((size_t)tensor->count, (size_t)size, &bytes) || !(file->elements = malloc(bytes + 1)))
        out_of_memory();
    gather(tensor, view, storage->bytes, size, file->elements);
    if (file->big_endian) swap_bytes(file->elements, tensor->count, size);
    if (file->zip && storage->users == 1) { /* nobody else needs it: large networks are held once, not twice */
        free((void *)(uintptr_t)storage->bytes);
        storage->bytes = NULL;
    }
    return file->elements;
}

/* ---- the interface ---- */
bool torch_recognize(const void *bytes, size_t size) {
    return (size >= 4 && !memcmp(bytes, "PK\3\4", 4)) || rn_format_is_torch(bytes, size);
}

TorchFile *torch_open(const void *bytes, size_t size, const char **prefix, char error[TORCH_ERROR_SIZE]) {
    TorchFile *file = calloc(1, sizeof *file);
    Pickle pickle;
    if (!file) out_of_memory();
    file->bytes = bytes;
    file->size = size;
    file->error = error;
    bool good = !memcmp(bytes, "PK", 2) ? torch_zip_open(file, &pickle) : torch_legacy_open(file, &pickle);
    const PickleValue *dict = good ? choose_dict(file, pickle.value, prefix) : NULL;
    if (dict && index_tensors(file, dict)) return file;
    torch_close(file);
    return NULL;
}

void torch_close(TorchFile *file) {
    if (!file) return;
    torch_zip_close(file);
    free(file->elements);
    arena_free(&file->arena);
    free(file);
}

const rn_safetensors *torch_tensors(const TorchFile *file) {
    return &file->index;
}

const char *torch_note(const TorchFile *file) {
    return file->note;
}
