/* Finding a network's parameters under names with prefixes and among tensors to ignore, what is told where little fits,
 * the narrowing of doubles, and the formats that are no weights. */
#include "runtime/weights/format.h"
#include "runtime/weights/params.h"

#include <CUnit/CUnit.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 32 };

/* An index of tensors of 8 floats; names must be in order. */
typedef struct File {
    rn_safetensors index;
    rn_safetensor tensors[MOST];
} File;

static const int32_t eight[1] = {8}, nine[1] = {9};

static void make_file(File *file, const char *const *names, int count) {
    memset(file, 0, sizeof *file);
    for (int i = 0; i < count; i++)
        file->tensors[i] =
            (rn_safetensor){.name = names[i], .dtype = "F32", .ndim = 1, .dim = {8}, .count = 8, .size = 32};
    file->index = (rn_safetensors){file->tensors, count, NULL};
}

typedef struct Heard {
    int problems, hints;
    char text[8192]; /* a line each; hints begin with "? " */
} Heard;

static void hear(void *user, int hint, const char *text) {
    Heard *heard = user;
    const size_t used = strlen(heard->text);
    *(hint ? &heard->hints : &heard->problems) += 1;
    snprintf(heard->text + used, sizeof heard->text - used, "%s%s\n", hint ? "? " : "", text);
}

/* Matches parameters of 8 numbers each; returns the number of problems. */
static int match(const File *file, const char *const *names, int count, const rn_params_options *options,
                 rn_params_result *result, Heard *heard) {
    rn_param params[MOST];
    *heard = (Heard){0};
    for (int i = 0; i < count; i++) params[i] = (rn_param){names[i], 1, eight, NULL, 0};
    return rn_params_match(params, count, &file->index, options, result, hear, heard);
}

#define NAMES(...) (const char *[]){__VA_ARGS__}, (int)(sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *))

static void test_prefix(void) {
    static const struct {
        const char *file[6], *params[4], *prefix;
        int problems;
    } cases[] = {
        {{"module.bn.bias", "module.fc.bias"}, {"fc.bias", "bn.bias"}, "module.", 0},
        {{"_orig_mod.module.bn.bias", "_orig_mod.module.fc.bias"}, {"fc.bias", "bn.bias"}, "_orig_mod.module.", 0},
        {{"m.bn.beta", "m.bn.num_batches_tracked", "m.fc.bias"}, {"bn.bias", "fc.bias"}, "m.", 0},
        /* a prefix that belongs to the network's own names stays, and only what is more is left out */
        {{"layer1.0.bias", "layer1.1.bias"}, {"layer1.0.bias", "layer1.1.bias"}, "", 0},
        {{"a.a.bias", "a.a.weight"}, {"a.bias", "a.weight"}, "a.", 0},
        {{"layer1.0.bias"}, {"layer1.0.bias", "fc.bias"}, "", 1},
        /* not all names have it */
        {{"fc.bias", "module.bn.bias"}, {"fc.bias", "bn.bias"}, "", 2},
        {{"bn.bias", "module.bn.bias", "module.fc.bias"}, {"fc.bias", "bn.bias"}, "", 3},
        /* a block's own parameter is a layer's weight, where there is none */
        {{"b.layer_scale", "fc.bias"}, {"b.layer_scale.weight", "fc.bias"}, "", 0},
        {{"b.scale", "b.scale.weight"}, {"b.scale.weight"}, "", 1},
        /* a common beginning that is no component */
        {{"m_bn.bias", "m_fc.bias"}, {"fc.bias", "bn.bias"}, "", 4},
        {{"module.bn.bias", "module.other"}, {"fc.bias", "bn.bias"}, "module.", 2},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        File file;
        Heard heard;
        rn_params_result result;
        int names = 0, params = 0;
        while (cases[i].file[names]) names++;
        while (cases[i].params[params]) params++;
        make_file(&file, cases[i].file, names);
        const int problems = match(&file, cases[i].params, params, NULL, &result, &heard);
        const int right = problems == cases[i].problems && !strcmp(result.prefix, cases[i].prefix);
        if (!right) printf("prefix %zu: '%s', %d problems: %s\n", i, result.prefix, problems, heard.text);
        CU_ASSERT(right);
        CU_ASSERT(problems == heard.problems && problems == result.missing + result.unfit + result.surplus);
    }
}

/* Dimensions of 1 at the end say nothing; all others do. */
static void test_shapes(void) {
    static const struct {
        int ndim, dim[4], problems;
    } files[] = {{1, {8}, 0}, {3, {8, 1, 1}, 0}, {2, {8, 1}, 0}, {2, {1, 8}, 1}, {2, {8, 2}, 1}, {3, {8, 1, 2}, 1}};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        File file;
        Heard heard;
        rn_params_result result;
        make_file(&file, NAMES("fc.bias"));
        file.tensors[0].ndim = files[i].ndim;
        for (int k = 0; k < files[i].ndim; k++) file.tensors[0].dim[k] = files[i].dim[k];
        const int problems = match(&file, NAMES("fc.bias"), NULL, &result, &heard);
        CU_ASSERT(problems == files[i].problems && result.unfit == files[i].problems);
    }
}

static void test_given_prefix(void) {
    File file;
    Heard heard;
    rn_params_result result;
    const char *const names[] = {"backbone.bn.bias", "backbone.fc.bias", "head.bias", "x_bn.bias"};
    const char *const globs[] = {"head.*", "x*"}, *const stripped[] = {"b?.bias", "[hx]*"};
    make_file(&file, names, 4);
    CU_ASSERT_EQUAL(
        match(&file, NAMES("bn.bias", "fc.bias"), &(rn_params_options){.prefix = "backbone"}, &result, &heard), 2);
    CU_ASSERT_STRING_EQUAL(result.prefix, "backbone.");
    CU_ASSERT_STRING_EQUAL(heard.text, "head.bias is surplus: the network has no such parameter (8)\n"
                                       "x_bn.bias is surplus: the network has no such parameter (8)\n");
    CU_ASSERT_EQUAL(
        match(&file, NAMES("bn.bias", "fc.bias"), &(rn_params_options){"backbone.", globs, 2}, &result, &heard), 0);
    CU_ASSERT(result.found == 2 && result.surplus == 0);
    /* ignored are never those that the network takes; globs are of whole names or of what is after the prefix */
    CU_ASSERT_EQUAL(match(&file, NAMES("fc.bias"), &(rn_params_options){"backbone", stripped, 2}, &result, &heard), 0);
    CU_ASSERT_EQUAL(
        match(&file, NAMES("bn.bias"), &(rn_params_options){"x_", (const char *[]){"*"}, 1}, &result, &heard), 0);
    CU_ASSERT_STRING_EQUAL(result.prefix, "x_");
    /* without the ignored ones all names have a prefix */
    CU_ASSERT_EQUAL(match(&file, NAMES("bn.bias", "fc.bias"), &(rn_params_options){NULL, globs, 2}, &result, &heard),
                    0);
    CU_ASSERT_STRING_EQUAL(result.prefix, "backbone.");
    CU_ASSERT_EQUAL(match(&file, NAMES("bn.bias"), &(rn_params_options){.prefix = "body"}, &result, &heard), 1);
    CU_ASSERT_STRING_EQUAL(heard.text, "no tensor's name begins with 'body'; the first is 'backbone.bn.bias'\n");
    /* where only some names have a prefix, it is told which and how many are there */
    CU_ASSERT_EQUAL(match(&file, NAMES("bn.bias", "fc.bias"), NULL, &result, &heard), 2 + 4);
    CU_ASSERT(heard.problems == 6 && heard.hints == 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(
        heard.text, "? 2 of the network's 2 parameters are below 'backbone.': rnc --weights-prefix backbone.\n"));
}

static void test_summary(void) {
    File file;
    Heard heard;
    rn_params_result result;
    static const char *const names[] = {"blocks.0.bn1.bias",   "blocks.0.bn1.weight", "blocks.0.bn2.bias",
                                        "blocks.0.bn2.weight", "blocks.1.bn1.bias",   "blocks.1.bn1.weight",
                                        "head.bias",           "head.weight"};
    rn_param params[4] = {{"layer1.0.bn1.bias", 1, eight, NULL, 0},
                          {"layer1.0.bn2.weight", 1, eight, NULL, 0},
                          {"fc.weight", 1, nine, NULL, 0},
                          {"head.bias", 1, nine, NULL, 0}};
    make_file(&file, names, 8);
    memset(&heard, 0, sizeof heard);
    CU_ASSERT_EQUAL(rn_params_match(params, 4, &file.index, NULL, &result, hear, &heard), 3 + 1 + 7);
    CU_ASSERT(result.found == 0 && result.missing == 3 && result.unfit == 1 && result.surplus == 7);
    CU_ASSERT_STRING_EQUAL(
        heard.text, "hardly anything fits: 3 of the network's 4 parameters are missing, 1 has another shape or "
                    "type; 7 of the file's 8 tensors are surplus\n"
                    "? head.bias is 8, the network needs 9\n"
                    "? layer1.0.bn1.bias is missing; of its shape, and perhaps it, is blocks.0.bn1.bias (8)\n"
                    "? layer1.0.bn2.weight is missing; of its shape, and perhaps it, is blocks.0.bn2.weight (8)\n");
    make_file(&file, names, 0);
    CU_ASSERT_EQUAL(match(&file, NAMES("a"), NULL, &result, &heard), 1);
    CU_ASSERT_STRING_EQUAL(heard.text, "a is missing (8)\n");
}

/* Names as long as a file may have them. */
static void test_long_names(void) {
    enum { LENGTH = 100000 };
    File file;
    Heard heard;
    rn_params_result result;
    char *name = malloc(LENGTH + 1);
    for (int i = 0; i < LENGTH; i++) name[i] = i % 2 ? '.' : 'a';
    name[LENGTH - 1] = 'w';
    name[LENGTH] = 0;
    const char *const names[] = {name};
    make_file(&file, names, 1);
    CU_ASSERT_EQUAL(match(&file, NAMES("w", "a.w"), NULL, &result, &heard), 3);
    CU_ASSERT_EQUAL(match(&file, names, 1, NULL, &result, &heard), 2);
    CU_ASSERT_EQUAL(match(&file, NAMES("w"), &(rn_params_options){.prefix = name}, &result, &heard), 1);
    free(name);
}

/* One that may be missing is no problem and zeros then, but counts like any other where it is there. */
static void test_optional(void) {
    File file;
    rn_params_result result;
    Heard heard = {0};
    char text[256] = "";
    rn_param params[2] = {{"fc.bias", 1, eight, NULL, 0}, {"input.mean", 1, nine, NULL, 1}};
    make_file(&file, NAMES("m.fc.bias"));
    CU_ASSERT_EQUAL(rn_params_match(params, 2, &file.index, NULL, &result, hear, &heard), 0);
    CU_ASSERT(!strcmp(result.prefix, "m.") && result.missing == 0 && heard.hints == 0 && !params[1].tensor);
    float values[9] = {1, 1, 1, 1, 1, 1, 1, 1, 1}, zeros[9] = {0};
    CU_ASSERT(rn_param_read(&params[1], values, text, sizeof text) && !memcmp(values, zeros, sizeof zeros));
    make_file(&file, NAMES("fc.bias", "input.mean"));
    CU_ASSERT_EQUAL(rn_params_match(params, 2, &file.index, NULL, &result, hear, &heard), 1);
    CU_ASSERT_STRING_EQUAL(heard.text, "input.mean is 8, the network needs 9\n");
    params[1].dim = eight;
    CU_ASSERT_EQUAL(rn_params_match(params, 2, &file.index, NULL, &result, hear, &heard), 0);
    CU_ASSERT_PTR_EQUAL(params[1].tensor, &file.tensors[1]);
}

/* Doubles become the nearest floats, and those beyond them are told as they are. */
static void test_doubles(void) {
    const double values[] = {0.1, -1e-50, 1e-40, FLT_MAX, 0x1.fffffefffp127, -FLT_MAX, 1 + 0x1.8p-24, 1 + 0x1p-24};
    const float narrow[] = {0.1f, -0.0f, 1e-40f, FLT_MAX, FLT_MAX, -FLT_MAX, 1 + 0x1p-23f, 1};
    rn_safetensor tensor = {
        .name = "x", .dtype = "F64", .ndim = 1, .dim = {8}, .count = 8, .data = (const uint8_t *)values};
    const rn_param param = {"x", 1, eight, &tensor, 0}, variance = {"bn.running_var", 1, eight, &tensor, 0};
    float out[8];
    char text[256] = "";
    CU_ASSERT(rn_safetensor_readable(&tensor));
    CU_ASSERT(rn_param_read(&param, out, text, sizeof text));
    CU_ASSERT_EQUAL(memcmp(out, narrow, sizeof out), 0);
    CU_ASSERT_FALSE(rn_param_read(&variance, out, text, sizeof text));
    CU_ASSERT_STRING_EQUAL(text, "bn.running_var: element 5 is -3.40282e+38, a variance");
    static const struct {
        double value;
        const char *text;
    } beyond[] = {{0x1.ffffffp127, "x: element 2 is 3.40282e+38, beyond the range of fp32"},
                  {-1e300, "x: element 2 is -1e+300, beyond the range of fp32"},
                  {HUGE_VAL, "x: element 2 is inf"}};
    for (size_t i = 0; i < sizeof beyond / sizeof *beyond; i++) {
        double changed[8];
        memcpy(changed, values, sizeof changed);
        changed[2] = beyond[i].value;
        tensor.data = (const uint8_t *)changed;
        CU_ASSERT_FALSE(rn_param_read(&param, out, text, sizeof text));
        CU_ASSERT_STRING_EQUAL(text, beyond[i].text);
    }
}

static const struct {
    const char *bytes;
    size_t size;
    const char *advice; /* its beginning; NULL: none */
} formats[] = {
#define F(bytes, advice)                                                                                               \
    { bytes, sizeof(bytes) - 1, advice }
    F("", "an empty file"),
    F("version https://git-lfs.github.com/spec/v1\noid sha256:abc\nsize 123\n", "a Git LFS pointer"),
    F("\x08\x08\x12\x07pytorch\x1a\x05"
      "2.1.0:",
      "an ONNX model"),
    F("\x08\x03\x3a\x90\x01"
      "0123456789ab",
      "an ONNX model"),
    F("\x08\x01\x12\x90\x01"
      "0123456789ab",
      "a TensorFlow SavedModel"),
    F("\x89HDF\r\n\x1a\n\0\0\0", "an HDF5 file"),
    F("GGUF\3\0\0\0", "a GGUF file"),
    F("\x1c\0\0\0TFL3\0\0", "a TensorFlow Lite model"),
    F("\x93NUMPY\1\0", "a NumPy array"),
    F("\x1f\x8b\x08", "gzip, compressed"),
    F("  \n<!DOCTYPE html><title>Sign in</title>", "an HTML page"),
    F("\xef\xbb\xbf<HTML>", "an HTML page"),
    F("<?xml version=\"1.0\"?>", "an XML text"),
    F("{\"weight_map\": {}}", "a JSON text"),
    F("PK\3\4", "a zip archive"),
    F("PK\3\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x10\0\0\0archive/data.pkl", "a PyTorch checkpoint"),
    F("PK\3\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x05\0\0\0a.npy", "NumPy's .npz"),
    F("PK\3\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\xff\xff\0\0a.npy", "a zip archive"),
    F("\x80\x02\x8a\nl\xfc\x9c\x46\xf9 j\xa8P\x19.", "a PyTorch checkpoint"),
    F("\x80\x04\x95\0\0\0\0\0\0\0\0}.", "a Python pickle"),
    F("\x80\x09", NULL),
    F("\x08\x08\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", NULL),
    F("plain text", NULL),
    F("\0\0\0\0\0\0\0\0", NULL),
#undef F
};

static void test_formats(void) {
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        char *copy =
            malloc(formats[i].size ? formats[i].size : 1); /* of exact size, so that sanitizers see a read beyond */
        memcpy(copy, formats[i].bytes, formats[i].size);
        const char *advice = rn_format_advice(copy, formats[i].size), *want = formats[i].advice;
        const int right = want ? advice && !strncmp(advice, want, strlen(want)) : !advice;
        if (!right) printf("format %zu: %s, not %s\n", i, advice ? advice : "none", want ? want : "none");
        CU_ASSERT(right);
        free(copy);
    }
}

void suite_params(void) {
    CU_pSuite suite = CU_add_suite("params", NULL, NULL);
    CU_add_test(suite, "a prefix that all names have", test_prefix);
    CU_add_test(suite, "dimensions of 1 at the end", test_shapes);
    CU_add_test(suite, "a prefix that is given, and tensors to ignore", test_given_prefix);
    CU_add_test(suite, "where hardly anything fits", test_summary);
    CU_add_test(suite, "long names", test_long_names);
    CU_add_test(suite, "a parameter that may be missing", test_optional);
    CU_add_test(suite, "doubles", test_doubles);
    CU_add_test(suite, "other formats", test_formats);
}
