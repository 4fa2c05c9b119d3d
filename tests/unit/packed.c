/* Packed weights: round trip, refusal of truncated, altered and foreign files, and equal bytes from the compiler and
 * from rn_weights_open on a safetensors file of the same parameters. */
#include "graph/tensor.h"
#include "load/load.h"
#include "runtime/weights/packed.h"
#include "rn_recipe.h"
#include "save/save.h"

#include "nets.h"

#include <CUnit/CUnit.h>
#include <math.h>
#include <stdlib.h>
#include <unistd.h>
#include <xxhash.h>

/* A network of two convolutions with batch norm, its parameters, recipe and files in a folder of its own. */
typedef struct World {
    Arena arena;
    Graph *graph;
    TensorData data;
    rn_recipe_step steps[16];
    rn_recipe recipe;
    rn_model model;
    char folder[64], packed[96], safetensors[96], other[96];
} World;

static int add_step(World *w, rn_recipe_step step) {
    w->steps[w->recipe.count] = step;
    return w->recipe.count++;
}

static int add_param(World *w, const Tensor *t) {
    rn_recipe_step step = {.op = RN_PARAM, .ndim = (uint8_t)t->ndim, .arg = {-1, -1, -1}, .name = t->name};
    for (int i = 0; i < 4; i++) step.dim[i] = i < t->ndim ? t->dim[i] : 1;
    return add_step(w, step);
}

static void add_area(World *w, rn_recipe_op op, rn_dtype type, int arg, int panel, int block) {
    rn_recipe_step step = {
        .op = (uint8_t)op, .type = (uint8_t)type, .ndim = 4, .arg = {arg}, .integer = {panel, block, 1}};
    memcpy(step.dim, w->steps[arg].dim, sizeof step.dim);
    step.offset = w->recipe.packed_size;
    w->recipe.packed_size += (rn_recipe_pack_size(&step) + 63) / 64 * 64;
    add_step(w, step);
}

/* conv -> bn: weight * scale in panels, of floats and of bf16, the shift as a vector */
static void add_layer(World *w, const Node *conv, const Node *bn) {
    const Tensor *weight = conv->term[0].weight;
    const int K = weight->dim[0], kernel = add_param(w, weight), gamma = add_param(w, bn->weight[WEIGHT]);
    const int beta = add_param(w, bn->weight[BIAS]), mean = add_param(w, bn->weight[MEAN]),
              var = add_param(w, bn->weight[VAR]);
    const int scale = add_step(
        w, (rn_recipe_step){.op = RN_BN_SCALE, .ndim = 1, .arg = {gamma, var, -1}, .dim = {K, 1, 1, 1}, .real = 1e-5});
    const int shift =
        add_step(w, (rn_recipe_step){.op = RN_BN_SHIFT, .ndim = 1, .arg = {beta, mean, scale}, .dim = {K, 1, 1, 1}});
    rn_recipe_step scaled = {.op = RN_SCALE_OUT, .ndim = 4, .arg = {kernel, scale, -1}};
    memcpy(scaled.dim, weight->dim, sizeof scaled.dim);
    const int made = add_step(w, scaled);
    add_area(w, RN_PACK_PANELS, RN_F32, made, 64, 32);
    add_area(w, RN_PACK_PANELS, RN_BF16, made, 64, 32);
    add_area(w, RN_PACK_VECTOR, RN_F32, shift, 0, 0);
}

static World *new_world(int width) {
    World *w = calloc(1, sizeof *w);
    w->graph = net_new(&w->arena, "twoconv", (Shape){3, 8, 8});
    Value *x = net_op(w->graph, OP_BN, net_conv(w->graph, w->graph->input, width, 3, 1, 1, false), NULL);
    graph_add_output(w->graph, x);
    weights_random(w->graph, 7, &w->data, 2);
    add_layer(w, w->graph->nodes[0], w->graph->nodes[1]);
    w->recipe.steps = w->steps;
    w->recipe.hash = rn_recipe_hash(w->steps, w->recipe.count);
    w->model = (rn_model){.name = "twoconv", .recipe = &w->recipe};
    strcpy(w->folder, "/tmp/rnc-packed-XXXXXX");
    if (!mkdtemp(w->folder)) bug("no temporary folder");
    snprintf(w->packed, sizeof w->packed, "%s/net.rnw", w->folder);
    snprintf(w->safetensors, sizeof w->safetensors, "%s/net.safetensors", w->folder);
    snprintf(w->other, sizeof w->other, "%s/other", w->folder);
    Diag diag = {0};
    if (!save_safetensors(w->graph, &w->data, w->safetensors, &diag) ||
        !save_packed(w->packed, &w->recipe, "twoconv", w->graph, &w->data, &diag, 2))
        bug("cannot write to %s", w->folder);
    return w;
}

static void free_world(World *w) {
    unlink(w->packed), unlink(w->safetensors), unlink(w->other);
    CU_ASSERT_EQUAL(rmdir(w->folder), 0); /* no temporary was left beside the files */
    tensor_data_free(&w->data);
    arena_free(&w->arena);
    free(w);
}

static uint8_t *read_aligned(const char *path, size_t *size) {
    char *text = file_read(path, SIZE_MAX, size);
    if (!text) bug("cannot read %s", path);
    uint8_t *bytes = aligned_alloc(64, (*size + 63) / 64 * 64);
    memcpy(bytes, text, *size);
    free(text);
    return bytes;
}

/* Opens bytes as a file and as memory: both must give the same; returns the status, the text in `error`. */
static rn_status open_both(World *w, const void *bytes, size_t size, char error[RN_ERROR_SIZE]) {
    rn_weights *from_file, *from_memory;
    char second[RN_ERROR_SIZE];
    CU_ASSERT(file_write(w->other, bytes, size));
    const rn_status status = rn_weights_open(&from_file, &w->model, w->other, error, RN_ERROR_SIZE);
    CU_ASSERT_EQUAL(rn_weights_memory(&from_memory, &w->model, bytes, size, second, RN_ERROR_SIZE), status);
    CU_ASSERT((from_file == NULL) == (status != RN_OK) && (from_memory == NULL) == (status != RN_OK));
    CU_ASSERT((error[0] == 0) == (status == RN_OK) && (second[0] == 0) == (status == RN_OK));
    const char *reason = strstr(error, ": "), *same = strstr(second, ": ");
    CU_ASSERT(!reason == !same && (!reason || strcmp(reason, same) == 0));
    rn_weights_close(from_file);
    rn_weights_close(from_memory);
    return status;
}

static void test_equal_bytes(void) {
    for (int width = 1; width < 200; width += 66) {
        World *w = new_world(width);
        char error[RN_ERROR_SIZE];
        rn_weights *packed, *made;
        CU_ASSERT_EQUAL_FATAL(rn_weights_open(&packed, &w->model, w->packed, error, sizeof error), RN_OK);
        CU_ASSERT_EQUAL_FATAL(rn_weights_open(&made, &w->model, w->safetensors, error, sizeof error), RN_OK);
        CU_ASSERT_STRING_EQUAL(error, "");
        size_t packed_size, made_size;
        const uint8_t *a = rn_weights_payload(packed, &packed_size), *b = rn_weights_payload(made, &made_size);
        CU_ASSERT(packed_size == w->recipe.packed_size && made_size == packed_size);
        CU_ASSERT(memcmp(a, b, packed_size) == 0);
        CU_ASSERT((uintptr_t)a % 4096 == 0 && (uintptr_t)b % 64 == 0);
        CU_ASSERT(rn_weights_recipe(packed) == w->recipe.hash && rn_weights_recipe(made) == w->recipe.hash);
        /* not just equal: the first weight is gamma / sqrt(var + eps) * w */
        const Node *bn = w->graph->nodes[1];
        const float *weight = w->data.data[w->graph->nodes[0]->term[0].weight->id];
        const double scale =
            (float)(w->data.data[bn->weight[WEIGHT]->id][0] / sqrt(w->data.data[bn->weight[VAR]->id][0] + 1e-5));
        CU_ASSERT_EQUAL(((const float *)a)[0], (float)(weight[0] * scale));
        rn_weights_close(packed);
        rn_weights_close(made);
        free_world(w);
    }
}

/* What the compiler saves it loads again, to the bit. */
static void test_safetensors_round_trip(void) {
    World *w = new_world(33);
    TensorData loaded;
    Text text = {0};
    Diag diag = {.capture = &text};
    CU_ASSERT_FATAL(weights_load(w->graph, &(WeightsOptions){.path = w->safetensors}, &loaded, &diag));
    CU_ASSERT_EQUAL(diag.errors, 0);
    for (int i = 0; i < w->graph->tensor_count; i++)
        CU_ASSERT(memcmp(loaded.data[i], w->data.data[i], (size_t)tensor_size(w->graph->tensors[i]) * 4) == 0);
    tensor_data_free(&loaded);
    size_t size;
    uint8_t *bytes = read_aligned(w->safetensors, &size);
    CU_ASSERT(bytes[0] % 8 == 0 && strstr((char *)bytes + 8, "\"rnc\":\"" RN_VERSION "\""));
    free(bytes);
    /* a network that it is not for: one error with what there is of each, and examples */
    Arena arena = {0};
    Graph *other = net_resnet(&arena, "other", 32, (int[]){2, 2, 2}, 3, true);
    CU_ASSERT_FALSE(weights_load(other, &(WeightsOptions){.path = w->safetensors}, &loaded, &diag));
    CU_ASSERT(loaded.count == 0 && diag.errors == 1 && diag.limit == 0);
    int params = 0;
    for (int i = 0; i < other->tensor_count; i++) params += other->tensors[i]->op == RN_PARAM;
    char counts[200];
    snprintf(
        counts, sizeof counts,
        "net.safetensors: error: hardly anything fits: %d of the network's %d parameters are missing, 5 have another "
        "shape or type; 0 of the file's 5 tensors are surplus\n",
        params - 5, params);
    CU_ASSERT_PTR_NOT_NULL(strstr(text.s, counts));
    CU_ASSERT_PTR_NOT_NULL(
        strstr(text.s, "net.safetensors: note: conv0.weight is 33x3x3x3, the network needs 16x3x3x3\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text.s, "note: bn1.running_var is 33, the network needs 16\n"));
    text_free(&text);
    diag.errors = 0;
    CU_ASSERT_FALSE(weights_load(other, &(WeightsOptions){.path = w->packed}, &loaded, &diag));
    CU_ASSERT_PTR_NOT_NULL(strstr(text.s, "packed weights are for the emitted code"));
    CU_ASSERT_FALSE(weights_load(other, &(WeightsOptions){.path = "/nonexistent/file"}, &loaded, &diag));
    CU_ASSERT_PTR_NOT_NULL(strstr(text.s, "/nonexistent/file: cannot be opened: No such file"));
    CU_ASSERT_FALSE(save_packed("/nonexistent/file", &w->recipe, "twoconv", w->graph, &w->data, &diag, 1));
    CU_ASSERT_FALSE(save_safetensors(w->graph, &w->data, "/nonexistent/file", &diag));
    CU_ASSERT_EQUAL(diag.errors, 4);
    text_free(&text);
    arena_free(&arena);
    free_world(w);
}

static void test_truncated(void) {
    World *w = new_world(16);
    char error[RN_ERROR_SIZE];
    size_t size;
    uint8_t *bytes = read_aligned(w->packed, &size);
    CU_ASSERT_EQUAL(open_both(w, bytes, size, error), RN_OK);
    for (size_t cut = 0; cut < size; cut += cut < 16 || (cut > 4080 && cut < 4112) || cut + 2 >= size ? 1 : 61) {
        CU_ASSERT_EQUAL(open_both(w, bytes, cut, error), RN_ERROR_FORMAT);
        CU_ASSERT_PTR_NOT_NULL(strstr(error, !cut ? "empty" : cut < 4 ? "neither packed weights" : "truncated"));
    }
    uint8_t *longer = aligned_alloc(64, (size + 64) / 64 * 64);
    memcpy(longer, bytes, size);
    longer[size] = 0;
    CU_ASSERT_EQUAL(open_both(w, longer, size + 1, error), RN_ERROR_FORMAT);
    CU_ASSERT_PTR_NOT_NULL(strstr(error, "1 bytes follow"));
    free(longer);
    free(bytes);
    free_world(w);
}

static void test_altered(void) {
    World *w = new_world(16);
    char error[RN_ERROR_SIZE];
    rn_weights *weights;
    size_t size;
    uint8_t *bytes = read_aligned(w->packed, &size);
    for (size_t i = 0; i < size; i += i < RN_PACKED_HEADER_SIZE + 64 ? 1 : 97)
        for (int bit = 0; bit < 8; bit += i < 64 ? 1 : 5) {
            bytes[i] ^= (uint8_t)(1 << bit);
            const rn_status status = rn_weights_memory(&weights, &w->model, bytes, size, error, sizeof error);
            CU_ASSERT(status == RN_ERROR_FORMAT || (i >= 8 && i < 12 && status == RN_ERROR_VERSION));
            CU_ASSERT_PTR_NULL(weights);
            const char *reason = i < 4                       ? "neither packed weights (.rnw) nor safetensors"
                                 : i < 8                     ? "line ends converted"
                                 : i < 12                    ? "packed weights of version "
                                 : i < 20                    ? "another byte order or float format, or altered"
                                 : i < RN_PACKED_HEADER_SIZE ? "the header's checksum is wrong"
                                                             : "the payload's checksum is wrong";
            CU_ASSERT_PTR_NOT_NULL(strstr(error, reason));
            bytes[i] ^= (uint8_t)(1 << bit);
        }
    CU_ASSERT_EQUAL(open_both(w, bytes, size, error), RN_OK);
    free(bytes);
    free_world(w);
}

/* Files of other versions of rnc say so, and what to do. */
static void test_versions(void) {
    World *w = new_world(16);
    char error[RN_ERROR_SIZE];
    size_t size;
    uint8_t *bytes = read_aligned(w->packed, &size);
    uint32_t version, types;
    memcpy(&version, bytes + 8, sizeof version);
    memcpy(&types, bytes + 304, sizeof types);
    CU_ASSERT_EQUAL(version, 2);
    CU_ASSERT_EQUAL(types, 1u << RN_F32 | 1u << RN_BF16);
    bytes[8] = 1;
    CU_ASSERT_EQUAL(open_both(w, bytes, size, error), RN_ERROR_VERSION);
    CU_ASSERT_PTR_NOT_NULL(strstr(error, "packed weights of version 1, this librn (" RN_VERSION
                                         ") reads version 2; make them again with rnc --weights"));
    bytes[8] = 2;
    types |= 1u << RN_DTYPE_COUNT;
    memcpy(bytes + 304, &types, sizeof types);
    const uint64_t checksum = XXH3_64bits(bytes, RN_PACKED_HEADER_SIZE - sizeof checksum);
    memcpy(bytes + RN_PACKED_HEADER_SIZE - sizeof checksum, &checksum, sizeof checksum);
    CU_ASSERT_EQUAL(open_both(w, bytes, size, error), RN_ERROR_FORMAT);
    CU_ASSERT_PTR_NOT_NULL(strstr(error, "numbers of a type that this librn (" RN_VERSION ") does not know"));
    free(bytes);
    free_world(w);
}

/* The checksum is shared by threads in chunks: an alteration anywhere in a large payload must be seen. */
static void test_large(void) {
    const size_t payload_size = (33 << 20) + 12345;
    uint8_t *bytes = aligned_alloc(4096, (RN_PACKED_HEADER_SIZE + payload_size + 4095) / 4096 * 4096);
    uint8_t *payload = bytes + RN_PACKED_HEADER_SIZE;
    char error[RN_ERROR_SIZE];
    const rn_recipe recipe = {.packed_size = payload_size, .hash = 42};
    for (size_t i = 0; i < payload_size; i++) payload[i] = (uint8_t)(i * 2654435761u >> 24);
    CU_ASSERT_EQUAL(rn_packed_header(bytes, "big", &recipe, payload, 1), 0);
    const size_t size = RN_PACKED_HEADER_SIZE + payload_size;
    for (int threads = 1; threads <= 16; threads *= 4)
        CU_ASSERT_EQUAL(rn_packed_check(bytes, size, "big", 42, payload_size, threads, "file", error, sizeof error),
                        RN_OK);
    for (size_t i = 0; i <= payload_size; i += payload_size / 7) {
        const size_t at = i < payload_size ? i : payload_size - 1;
        payload[at] ^= 0x40;
        CU_ASSERT_EQUAL(rn_packed_check(bytes, size, "big", 42, payload_size, 4, "file", error, sizeof error),
                        RN_ERROR_FORMAT);
        CU_ASSERT_STRING_EQUAL(error, "file: the packed weights are altered: the payload's checksum is wrong");
        payload[at] ^= 0x40;
    }
    /* two chunks swapped: each has its right digest, in the wrong place */
    uint8_t *chunk = malloc(1 << 20);
    memcpy(chunk, payload, 1 << 20);
    memcpy(payload, payload + (1 << 20), 1 << 20);
    memcpy(payload + (1 << 20), chunk, 1 << 20);
    CU_ASSERT_EQUAL(rn_packed_check(bytes, size, "big", 42, payload_size, 4, "file", error, sizeof error),
                    RN_ERROR_FORMAT);
    free(chunk);
    free(bytes);
}

static void test_foreign(void) {
    World *w = new_world(16);
    char error[RN_ERROR_SIZE];
    rn_weights *weights;
    size_t size;
    uint8_t *bytes = read_aligned(w->packed, &size);
    rn_recipe recipe = w->recipe;
    recipe.hash++;
    rn_model build = {.name = "twoconv", .recipe = &recipe}, network = {.name = "resnet152", .recipe = &recipe};
    rn_model renamed = {.name = "fused_twoconv", .recipe = &w->recipe};
    CU_ASSERT_EQUAL(rn_weights_open(&weights, &build, w->packed, error, sizeof error), RN_ERROR_FORMAT);
    CU_ASSERT_PTR_NOT_NULL(strstr(error, "packed for another build of twoconv"));
    CU_ASSERT_EQUAL(rn_weights_memory(&weights, &network, bytes, size, error, sizeof error), RN_ERROR_FORMAT);
    CU_ASSERT_PTR_NOT_NULL(strstr(error, "packed for the network twoconv, not for resnet152"));
    CU_ASSERT_EQUAL(rn_weights_open(&weights, &renamed, w->packed, error, sizeof error), RN_OK); /* --name alone */
    rn_weights_close(weights);
    CU_ASSERT_EQUAL(rn_weights_open(&weights, &w->model, w->folder, error, sizeof error), RN_ERROR_FILE);
    CU_ASSERT_PTR_NOT_NULL(strstr(error, "is a directory"));
    CU_ASSERT_EQUAL(rn_weights_open(&weights, &w->model, "/dev/null", error, sizeof error), RN_ERROR_FILE);
    CU_ASSERT_EQUAL(rn_weights_open(&weights, &w->model, "/nonexistent", error, sizeof error), RN_ERROR_FILE);
    CU_ASSERT_PTR_NOT_NULL(strstr(error, "/nonexistent: cannot be opened: No such file"));
    CU_ASSERT_EQUAL(rn_weights_memory(&weights, &w->model, "PK\3\4zip archive", 15, error, sizeof error),
                    RN_ERROR_FORMAT);
    CU_ASSERT_PTR_NOT_NULL(strstr(error, "rnc -o NEW.safetensors --weights FILE NETWORK.rn converts it"));
    uint8_t *shifted = aligned_alloc(64, (size + 67) / 64 * 64);
    memcpy(shifted + 4, bytes, size);
    CU_ASSERT_EQUAL(rn_weights_memory(&weights, &w->model, shifted + 4, size, error, sizeof error), RN_ERROR_ARGUMENT);
    CU_ASSERT_PTR_NOT_NULL(strstr(error, "aligned"));
    CU_ASSERT_EQUAL(rn_weights_open(NULL, &w->model, w->packed, error, sizeof error), RN_ERROR_ARGUMENT);
    CU_ASSERT_EQUAL(rn_weights_open(&weights, NULL, w->packed, error, sizeof error), RN_ERROR_ARGUMENT);
    CU_ASSERT_EQUAL(rn_weights_open(&weights, &w->model, NULL, NULL, 0), RN_ERROR_ARGUMENT);
    rn_weights_close(NULL);
    free(shifted);
    free(bytes);
    free_world(w);
}

/* A network's weights saved to w->other: a convolution of so many channels and its batch norm, and 20 more. */
static void save_other(World *w, int channels) {
    Arena arena = {0};
    Graph *graph = net_new(&arena, "other", (Shape){3, 8, 8});
    Value *x = net_op(graph, OP_BN, net_conv(graph, graph->input, channels, 3, 1, 1, false), NULL);
    for (int i = 0; i < 20; i++) x = net_conv(graph, x, 2, 1, 1, 1, true);
    graph_add_output(graph, x);
    TensorData data;
    Diag diag = {0};
    weights_random(graph, 1, &data, 1);
    CU_ASSERT(save_safetensors(graph, &data, w->other, &diag));
    tensor_data_free(&data);
    arena_free(&arena);
}

/* Safetensors that do not fit: all problems in one text, and in a small buffer how many did not fit. */
static void test_problems(void) {
    World *w = new_world(16);
    char error[RN_ERROR_SIZE], small[140];
    rn_weights *weights;
    TensorData loaded;
    Text text = {0};
    Diag diag = {.capture = &text};
    save_other(w, 16);
    CU_ASSERT_EQUAL(rn_weights_open(&weights, &w->model, w->other, error, sizeof error), RN_ERROR_FORMAT);
    CU_ASSERT_PTR_NULL(weights);
    CU_ASSERT_PTR_NOT_NULL(strstr(error, "these are not the weights of twoconv:\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(error, "\n   conv10.bias is surplus: the network has no such parameter (2)\n"));
    int told = 0, more = 0;
    for (const char *at = error; (at = strstr(at, "\n   ")); at++) told++;
    const char *rest = strstr(error, "\n   and ");
    CU_ASSERT_PTR_NOT_NULL_FATAL(rest);
    CU_ASSERT(sscanf(rest, " and %d more", &more) == 1 && told - 1 + more == 40);
    CU_ASSERT_EQUAL(rn_weights_open(&weights, &w->model, w->other, small, sizeof small), RN_ERROR_FORMAT);
    CU_ASSERT(strlen(small) < sizeof small && strstr(small, " more"));
    for (size_t n = 0; n < sizeof small; n++) { /* no size of the buffer is overrun */
        memset(small, 0x55, sizeof small);
        CU_ASSERT_EQUAL(rn_weights_open(&weights, &w->model, w->other, small, n), RN_ERROR_FORMAT);
        CU_ASSERT(small[n] == 0x55 && (n == 0 || memchr(small, 0, n)));
    }
    CU_ASSERT_EQUAL(rn_weights_open(&weights, &w->model, w->other, NULL, 0), RN_ERROR_FORMAT);
    /* the compiler lists all of them, beyond diag's usual limit, and how many there are */
    CU_ASSERT_FALSE(weights_load(w->graph, &(WeightsOptions){.path = w->other}, &loaded, &diag));
    CU_ASSERT(diag.errors == 40 && diag.limit == 0);
    for (told = 0, rest = text.s; (rest = strstr(rest, "surplus: ")); rest++) told++;
    CU_ASSERT_EQUAL(told, 40);
    CU_ASSERT_PTR_NOT_NULL(strstr(text.s, "note: these are not the weights of twoconv: 0 of the network's 5 parameters "
                                          "are missing, 0 have another shape or type; 40 of the file's 45 tensors are "
                                          "surplus\n"));
    text_free(&text);
    /* ... but for those that it was told to ignore */
    const char *globs[] = {"conv?.*", "conv1*", "nothing*", "bn1.*"};
    diag.errors = 0;
    CU_ASSERT_FALSE(weights_load(w->graph, &(WeightsOptions){w->other, NULL, globs, 4}, &loaded, &diag));
    CU_ASSERT(diag.errors == 4 && diag.warnings == 2); /* conv20 and conv21 */
    CU_ASSERT_PTR_NOT_NULL(strstr(text.s, "warning: --ignore 'nothing*' matches no tensor\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text.s, "warning: --ignore 'bn1.*' matches only tensors that the network takes\n"));
    text_free(&text);
    /* where hardly anything fits: how much of what, and examples */
    save_other(w, 17);
    CU_ASSERT_EQUAL(rn_weights_open(&weights, &w->model, w->other, error, sizeof error), RN_ERROR_FORMAT);
    CU_ASSERT_PTR_NOT_NULL(strstr(error,
                                  "\n   hardly anything fits: 0 of the network's 5 parameters are missing, 5 have "
                                  "another shape or type; 40 of the file's 45 tensors are surplus\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(error, "\n   conv0.weight is 17x3x3x3, the network needs 16x3x3x3\n"));
    free_world(w);
}

/* A NaN, an infinity, a negative variance: refused at compile time and at start-up, in the same words. */
static void test_values(void) {
    World *w = new_world(16);
    char error[RN_ERROR_SIZE];
    rn_weights *weights;
    TensorData loaded;
    const struct {
        const char *tensor;
        int element;
        float value;
        const char *text;
    } faults[] = {{"conv0.weight", 40, NAN, "conv0.weight: element 40 is "},
                  {"bn1.bias", 0, -INFINITY, "bn1.bias: element 0 is -inf"},
                  {"bn1.running_var", 15, -0.5f, "bn1.running_var: element 15 is -0.5, a variance"}};
    for (size_t f = 0; f < sizeof faults / sizeof *faults; f++)
        for (int i = 0; i < w->graph->tensor_count; i++) {
            if (strcmp(w->graph->tensors[i]->name, faults[f].tensor)) continue;
            float *value = &w->data.data[i][faults[f].element], kept = *value;
            Text text = {0};
            Diag diag = {.capture = &text};
            *value = faults[f].value;
            CU_ASSERT_FATAL(save_safetensors(w->graph, &w->data, w->safetensors, &diag));
            CU_ASSERT_FALSE(weights_load(w->graph, &(WeightsOptions){.path = w->safetensors}, &loaded, &diag));
            CU_ASSERT(diag.errors == 1 && text.s && strstr(text.s, faults[f].text));
            CU_ASSERT_EQUAL(rn_weights_open(&weights, &w->model, w->safetensors, error, sizeof error), RN_ERROR_FORMAT);
            CU_ASSERT_PTR_NULL(weights);
            CU_ASSERT_PTR_NOT_NULL(strstr(error, faults[f].text));
            *value = kept;
            text_free(&text);
        }
    free_world(w);
}

void suite_packed(void) {
    CU_pSuite suite = CU_add_suite("packed", NULL, NULL);
    CU_add_test(suite, "compiler and runtime make equal bytes", test_equal_bytes);
    CU_add_test(suite, "safetensors saved and loaded again", test_safetensors_round_trip);
    CU_add_test(suite, "truncated files", test_truncated);
    CU_add_test(suite, "altered files", test_altered);
    CU_add_test(suite, "files of other versions", test_versions);
    CU_add_test(suite, "large payloads", test_large);
    CU_add_test(suite, "other networks, builds and files", test_foreign);
    CU_add_test(suite, "weights that do not fit", test_problems);
    CU_add_test(suite, "values that no weights have", test_values);
}
