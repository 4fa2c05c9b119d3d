/* The safetensors reader: good files of three types, exact conversions, and malformed headers, each with its error; and
 * the matching of a network's parameters. */
#include "runtime/weights/params.h"
#include "runtime/core/dtype.h"
#include "runtime/weights/safetensors.h"

#include <CUnit/CUnit.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A file image in memory of exactly its size, so that sanitizers see a read beyond it. */
typedef struct Image {
    uint8_t *bytes;
    size_t size;
} Image;

static Image make_image(const char *header, size_t data_size) {
    const size_t length = strlen(header);
    Image image = {malloc(8 + length + data_size), 8 + length + data_size};
    for (int i = 0; i < 8; i++) image.bytes[i] = (uint8_t)((uint64_t)length >> 8 * i);
    memcpy(image.bytes + 8, header, length);
    for (size_t i = 0; i < data_size; i++) image.bytes[8 + length + i] = (uint8_t)(i * 7 + 1);
    return image;
}

static rn_status parse(rn_safetensors *file, Image image, char error[RN_ERROR_SIZE]) {
    error[0] = 0;
    return rn_safetensors_parse(file, image.bytes, image.size, "file", error, RN_ERROR_SIZE);
}

static void test_good(void) {
    char error[RN_ERROR_SIZE];
    rn_safetensors file;
    const char *header = "{\"__metadata__\":{\"format\":\"pt\",\"note\":\"{}[]\\\"\\\\u0000\"},"
                         "\"b\":{\"dtype\":\"F32\",\"shape\":[2,1],\"data_offsets\":[0,8]},"
                         "\"a.weight\":{\"shape\":[3],\"data_offsets\":[8,14],\"dtype\":\"F16\"},"
                         "\"c\":{\"dtype\":\"BF16\",\"shape\":[2],\"data_offsets\":[14,18]},"
                         "\"none\":{\"dtype\":\"F32\",\"shape\":[4,0],\"data_offsets\":[18,18]},"
                         "\"n\":{\"dtype\":\"I64\",\"shape\":[],\"data_offsets\":[18,26]},"
                         "\"odd\":{\"dtype\":\"F4_NEW\",\"shape\":[9],\"data_offsets\":[26,31]}}      ";
    Image image = make_image(header, 31);
    uint8_t *data = image.bytes + 8 + strlen(header);
    const float b[2] = {-1.5f, 3e-42f};
    const uint16_t a[3] = {0x3c00, 0xc100, 0x0001}, c[2] = {0x3f80, 0xc049};
    memcpy(data, b, 8), memcpy(data + 8, a, 6), memcpy(data + 14, c, 4);
    CU_ASSERT(rn_safetensors_recognize(image.bytes, image.size));
    CU_ASSERT_EQUAL_FATAL(parse(&file, image, error), RN_OK);
    CU_ASSERT_STRING_EQUAL(error, "");
    CU_ASSERT_EQUAL(file.count, 6);
    float out[3];
    const rn_safetensor *t = rn_safetensors_find(&file, "b");
    CU_ASSERT_PTR_NOT_NULL_FATAL(t);
    CU_ASSERT(t->ndim == 2 && t->dim[0] == 2 && t->dim[1] == 1 && t->count == 2 && rn_safetensor_readable(t));
    rn_safetensor_read(t, out);
    CU_ASSERT(out[0] == -1.5f && out[1] == 3e-42f);
    t = rn_safetensors_find(&file, "a.weight");
    CU_ASSERT_PTR_NOT_NULL_FATAL(t);
    rn_safetensor_read(t, out);
    CU_ASSERT(out[0] == 1.0f && out[1] == -2.5f && out[2] == 0x1p-24f);
    t = rn_safetensors_find(&file, "c");
    CU_ASSERT_PTR_NOT_NULL_FATAL(t);
    rn_safetensor_read(t, out);
    CU_ASSERT(out[0] == 1.0f && out[1] == -3.140625f);
    t = rn_safetensors_find(&file, "n");
    CU_ASSERT(t && t->ndim == 0 && t->count == 1 && !rn_safetensor_readable(t));
    t = rn_safetensors_find(&file, "none");
    CU_ASSERT(t && t->count == 0);
    t = rn_safetensors_find(&file, "odd"); /* a type of the future is no error until it is needed */
    CU_ASSERT(t && !rn_safetensor_readable(t));
    CU_ASSERT_PTR_NULL(rn_safetensors_find(&file, "a"));
    rn_safetensors_free(&file);
    free(image.bytes);
    image = make_image("{}", 0);
    CU_ASSERT_EQUAL(parse(&file, image, error), RN_OK);
    CU_ASSERT_PTR_NULL(rn_safetensors_find(&file, "a"));
    rn_safetensors_free(&file);
    free(image.bytes);
}

/* Every half against its definition. */
static void test_conversions(void) {
    size_t wrong = 0;
    for (uint32_t h = 0; h < 65536; h++) {
        const int exponent = h >> 10 & 31, fraction = h & 1023;
        const float x = rn_float_from_half((uint16_t)h), y = rn_float_from_bfloat((uint16_t)h);
        double want = exponent == 0 ? ldexp(fraction, -24) : ldexp(1024 + fraction, exponent - 25);
        if (exponent == 31) want = fraction ? NAN : INFINITY;
        wrong += isnan(want) ? !isnan(x) : !(x == (h & 0x8000 ? -want : want)) || !!signbit(x) != h >> 15;
        const int wide = h >> 7 & 255, low = h & 127;
        want = wide == 0 ? ldexp(low, -133) : ldexp(128 + low, wide - 134);
        if (wide == 255) want = low ? NAN : INFINITY;
        wrong += isnan(want) ? !isnan(y) : !(y == (h & 0x8000 ? -want : want)) || !!signbit(y) != h >> 15;
    }
    CU_ASSERT_EQUAL(wrong, 0);
}

/* ---- malformed files ---- */

#define T(shape, offsets) "{\"a\":{\"dtype\":\"F32\",\"shape\":" shape ",\"data_offsets\":" offsets "}}"
#define E(type, shape, offsets) "{\"dtype\":\"" type "\",\"shape\":" shape ",\"data_offsets\":" offsets "}"

static const struct {
    const char *header;
    size_t data_size;
    const char *error; /* a part of it */
} malformed[] = {
    {"", 0, "does not begin with {"},
    {" {}", 0, "does not begin with {"},
    {"[]", 0, "does not begin with {"},
    {"{", 0, "not JSON"},
    {"{]", 0, "not JSON"},
    {"{\"a\"}", 0, "not JSON"},
    {"{\"a\":}", 0, "not JSON"},
    {"{\"a\":nul", 0, "not JSON"},
    {"{\"a\":\"", 0, "not JSON"},
    {"{\"a\":\"\\u12\"}", 0, "not JSON"},
    {"{\"a\":\"\\ud800\"}", 0, "not JSON"},
    {"{} {}", 0, "goes on after"},
    {"{}x", 0, "goes on after"},
    {"{\"a\\u0000b\":" E("F32", "[1]", "[0,4]") "}", 4, "NUL"},
    {"{\"\\\\\\u0000\":" E("F32", "[1]", "[0,4]") "}", 4, "NUL"},
    {"{\"__metadata__\":3}", 0, "__metadata__ is not an object"},
    {"{\"a\":1}", 0, "tensor a: not an object"},
    {"{\"a\":[]}", 0, "tensor a: not an object"},
    {"{\"a\":{}}", 0, "tensor a: has no dtype"},
    {"{\"a\":{\"dtype\":7,\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "tensor a: has no dtype"},
    {"{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,4]}}", 4, "tensor a: has no shape"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", 4, "data_offsets are not two whole numbers"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4],\"x\":1}}", 4, "unknown key x"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "two shape"},
    {"{\"a\":{\"dtype\":\"F32\",\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "two dtype"},
    {"{\"a\":" E("F32_WITH_A_LONG_NAME", "[1]", "[0,4]") "}", 4, "unknown dtype"},
    {T("4", "[0,16]"), 16, "has no shape"},
    {T("{}", "[0,16]"), 16, "has no shape"},
    {T("[4.5]", "[0,18]"), 18, "a dimension is not a whole number"},
    {T("[-4]", "[0,16]"), 16, "a dimension is not a whole number"},
    {T("[\"4\"]", "[0,16]"), 16, "a dimension is not a whole number"},
    {T("[null]", "[0,16]"), 16, "a dimension is not a whole number"},
    {T("[1e300]", "[0,16]"), 16, "a dimension is not a whole number"},
    {T("[1e999]", "[0,16]"), 16, "a dimension is not a whole number"},
    {T("[9007199254740994]", "[0,16]"), 16, "a dimension is not a whole number"},
    {T("[[4]]", "[0,16]"), 16, "a dimension is not a whole number"},
    {T("[4294967296,4294967296]", "[0,16]"), 16, "its size overflows"},
    {T("[2147483648,2147483648,4]", "[0,0]"), 0, "its size overflows"},
    {T("[4611686018427387904]", "[0,0]"), 0, "a dimension is not a whole number"},
    {T("[2305843009213693952,0]", "[0,0]"), 0, "a dimension is not a whole number"},
    {T("[4503599627370496,1024]", "[0,0]"), 0, "do not fit 4611686018427387904 elements"},
    {T("[1,1,1,1,1,1,1,1,1]", "[0,4]"), 4, "more than 8 dimensions"},
    {T("[4]", "[0]"), 16, "two whole numbers"},
    {T("[4]", "[0,16,16]"), 16, "two whole numbers"},
    {T("[4]", "[0,16.5]"), 17, "two whole numbers"},
    {T("[4]", "[-1,16]"), 16, "two whole numbers"},
    {T("[4]", "[\"0\",16]"), 16, "two whole numbers"},
    {T("[4]", "16"), 16, "two whole numbers"},
    {T("[4]", "[16,0]"), 16, "end before they begin"},
    {T("[4]", "[0,16]"), 15, "lie beyond the file's 15 bytes"},
    {T("[4]", "[1e15,1e15]"), 16, "lie beyond"},
    {T("[4]", "[9007199254740992,9007199254740992]"), 16, "lie beyond"},
    {T("[4]", "[0,8]"), 8, "8 bytes of data do not fit 4 elements of F32"},
    {T("[3]", "[0,16]"), 16, "16 bytes of data do not fit 3 elements of F32"},
    {T("[0]", "[0,4]"), 4, "4 bytes of data do not fit 0 elements of F32"},
    {"{\"a\":" E("F16", "[4]", "[0,16]") "}", 16, "do not fit 4 elements of F16"},
    {"{\"a\":" E("I64", "[]", "[0,4]") "}", 4, "do not fit 1 elements of I64"},
    {T("[4]", "[4,20]"), 20, "4 bytes before tensor a belong to no tensor"},
    {T("[4]", "[0,16]"), 20, "4 bytes at its end belong to no tensor"},
    {"{}", 1, "1 bytes at its end"},
    {"{\"a\":" E("F32", "[4]", "[0,16]") ",\"b\":" E("F32", "[4]", "[8,24]") "}", 24, "tensors a and b overlap"},
    {"{\"a\":" E("F32", "[4]", "[0,16]") ",\"b\":" E("F32", "[4]", "[0,16]") "}", 16, "overlap"},
    {"{\"a\":" E("F32", "[4]", "[0,16]") ",\"b\":" E("F32", "[0]", "[8,8]") "}", 16, "overlap"},
    {"{\"a\":" E("F32", "[1]", "[0,4]") ",\"b\":" E("F32", "[1]", "[8,12]") "}", 12, "before tensor b belong to no"},
    {"{\"a\":" E("F32", "[1]", "[0,4]") ",\"a\":" E("F32", "[1]", "[4,8]") "}", 8, "two tensors are named a"},
    {"{\"a\":" E("F32", "[0]", "[0,0]") ",\"\\u0061\":" E("F32", "[0]", "[0,0]") "}", 0, "two tensors are named a"},
    {"{\"e\\u001b[31m\":1}", 0, "tensor e?[31m: not an object"},
};

static void test_malformed(void) {
    for (size_t i = 0; i < sizeof malformed / sizeof malformed[0]; i++) {
        rn_safetensors file;
        char error[RN_ERROR_SIZE];
        Image image = make_image(malformed[i].header, malformed[i].data_size);
        const rn_status status = parse(&file, image, error);
        const int as_told =
            status == RN_ERROR_FORMAT && strncmp(error, "file: ", 6) == 0 && strstr(error, malformed[i].error);
        if (!as_told) printf("malformed header %zu: %s: status %d, \"%s\"\n", i, malformed[i].header, status, error);
        CU_ASSERT(as_told);
        if (status == RN_OK) rn_safetensors_free(&file);
        free(image.bytes);
    }
}

/* A good file cut at every length, and with every length that its first 8 bytes could claim. */
static void test_truncated(void) {
    rn_safetensors file;
    char error[RN_ERROR_SIZE];
    Image image = make_image(T("[4]", "[0,16]"), 16);
    for (size_t size = 0; size < image.size; size++) {
        uint8_t *cut = malloc(size ? size : 1);
        memcpy(cut, image.bytes, size);
        CU_ASSERT_EQUAL(rn_safetensors_parse(&file, cut, size, "file", error, sizeof error), RN_ERROR_FORMAT);
        CU_ASSERT(error[0] && (size >= 8 || strstr(error, "too few")));
        free(cut);
    }
    for (int bit = 0; bit < 64; bit++) {
        image.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        CU_ASSERT_EQUAL(parse(&file, image, error), RN_ERROR_FORMAT);
        if (bit >= 27) CU_ASSERT_PTR_NOT_NULL(strstr(error, "its header would be"));
        image.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    CU_ASSERT_EQUAL(parse(&file, image, error), RN_OK);
    rn_safetensors_free(&file);
    free(image.bytes);
}

/* Nesting must not exhaust the stack, nor a long name the message. */
static void test_bombs(void) {
    enum { DEPTH = 1000000 };
    rn_safetensors file;
    char error[RN_ERROR_SIZE], *header = malloc(DEPTH + 64);
    for (int object = 0; object < 2; object++) {
        char *at = header + sprintf(header, "{\"a\":");
        for (int i = 0; i < DEPTH / 5; i++) at += sprintf(at, object ? "{\"a\":" : "[");
        Image image = make_image(header, 0);
        CU_ASSERT_EQUAL(parse(&file, image, error), RN_ERROR_FORMAT);
        CU_ASSERT_PTR_NOT_NULL(strstr(error, "not JSON"));
        free(image.bytes);
    }
    memset(header, 'x', DEPTH);
    memcpy(header, "{\"", 2);
    strcpy(header + DEPTH, "\":1}");
    Image image = make_image(header, 0);
    CU_ASSERT_EQUAL(parse(&file, image, error), RN_ERROR_FORMAT);
    CU_ASSERT_PTR_NOT_NULL(strstr(error, "xxx: not an object"));
    CU_ASSERT_EQUAL(rn_safetensors_parse(&file, image.bytes, image.size, "file", NULL, 0), RN_ERROR_FORMAT);
    free(image.bytes);
    free(header);
}

/* ---- a network's parameters ---- */

typedef struct Heard {
    int count;
    char text[16][400];
} Heard;

static void hear(void *user, int hint, const char *text) {
    Heard *heard = user;
    if (hint) return;
    if (heard->count < 16) snprintf(heard->text[heard->count], sizeof heard->text[0], "%s", text);
    heard->count++;
}

static int heard_text(const Heard *heard, const char *part) {
    for (int i = 0; i < heard->count && i < 16; i++)
        if (strstr(heard->text[i], part)) return 1;
    return 0;
}

static const int32_t eight[4] = {8}, kernel[4] = {8, 3, 3, 3};

static void test_match(void) {
    rn_safetensors file;
    char error[RN_ERROR_SIZE];
    Heard heard = {0};
    rn_params_result result;
    Image image = make_image(
        "{\"bn.gamma\":" E("F32", "[8]", "[0,32]") ",\"bn.beta\":" E(
            "F32", "[8]", "[32,64]") ","
                                     "\"bn.moving_mean\":" E(
                                         "F32", "[8]",
                                         "[64,96]") ","
                                                    "\"bn.moving_variance\":" E(
                                                        "F32", "[8]",
                                                        "[96,128]") ","
                                                                    "\"bn.num_batches_tracked\":" E(
                                                                        "I64", "[]",
                                                                        "[128,136]") ","
                                                                                     "\"num_batches_tracked\":" E(
                                                                                         "I64", "[]", "[136,144]") "}",
        144);
    CU_ASSERT_EQUAL_FATAL(parse(&file, image, error), RN_OK);
    rn_param params[] = {{"bn.weight", 1, eight, NULL, 0},
                         {"bn.bias", 1, eight, NULL, 0},
                         {"bn.running_mean", 1, eight, NULL, 0},
                         {"bn.running_var", 1, eight, NULL, 0}};
    CU_ASSERT_EQUAL(rn_params_match(params, 4, &file, NULL, &result, hear, &heard), 0);
    CU_ASSERT_STRING_EQUAL(params[0].tensor->name, "bn.gamma");
    CU_ASSERT_STRING_EQUAL(params[1].tensor->name, "bn.beta");
    CU_ASSERT_STRING_EQUAL(params[2].tensor->name, "bn.moving_mean");
    CU_ASSERT_STRING_EQUAL(params[3].tensor->name, "bn.moving_variance");
    /* an alias is no second name for a tensor whose name only ends alike, and no wild card */
    params[0].name = "bnweight";
    CU_ASSERT_EQUAL(rn_params_match(params, 1, &file, NULL, &result, hear, &heard), 1 + 4);
    rn_safetensors_free(&file);
    free(image.bytes);

    image = make_image(
        "{\"a.weight\":" E("F32", "[8]", "[0,32]") ",\"a.gamma\":" E(
            "F32", "[8]",
            "[32,64]") ","
                       "\"conv.weight\":" E("F32", "[8,3,3]", "[64,352]") ",\"b.weight\":" E(
                           "I32", "[8]",
                           "[352,384]") ","
                                        "\"c.num_batches\":" E("I64", "[]", "[384,392]") ",\"new\\u0007\":" E(
                                            "F4", "[2]", "[392,393]") "}",
        393);
    CU_ASSERT_EQUAL_FATAL(parse(&file, image, error), RN_OK);
    rn_param more[] = {{"a.weight", 1, eight, NULL, 0},
                       {"conv.weight", 4, kernel, NULL, 0},
                       {"b.weight", 1, eight, NULL, 0},
                       {"gone.weight", 4, kernel, NULL, 0}};
    heard.count = 0;
    CU_ASSERT_EQUAL(rn_params_match(more, 4, &file, NULL, &result, hear, &heard), 6);
    CU_ASSERT_EQUAL(heard.count, 6);
    CU_ASSERT(heard_text(&heard, "conv.weight is 8x3x3, the network needs 8x3x3x3"));
    CU_ASSERT(heard_text(&heard, "b.weight has the type I32; F32, F16, BF16 and F64 can be read"));
    CU_ASSERT(heard_text(&heard, "gone.weight is missing (8x3x3x3)"));
    CU_ASSERT(heard_text(&heard, "a.gamma is surplus")); /* the exact name goes first */
    CU_ASSERT(heard_text(&heard, "c.num_batches is surplus"));
    CU_ASSERT(heard_text(&heard, "new\a is surplus"));
    rn_safetensors_free(&file);
    free(image.bytes);
}

void suite_safetensors(void) {
    CU_pSuite suite = CU_add_suite("safetensors", NULL, NULL);
    CU_add_test(suite, "good files", test_good);
    CU_add_test(suite, "half and bfloat16, all of them", test_conversions);
    CU_add_test(suite, "malformed headers", test_malformed);
    CU_add_test(suite, "truncated files, wrong lengths", test_truncated);
    CU_add_test(suite, "nesting and long names", test_bombs);
    CU_add_test(suite, "a network's parameters", test_match);
}
