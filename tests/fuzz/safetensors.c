/* A weights file's index, every tensor that it says is readable, and a network's parameters among them; and what a file
 * that is none is called. */
#include "fuzz.h"

#include "runtime/weights/format.h"
#include "runtime/weights/params.h"

static void count_problem(void *user, int hint, const char *text) {
    *(int *)user += !hint;
    CHECK(*text);
}

static void match(const rn_safetensors *file) {
    static const int32_t dim[2] = {2, 1};
    static const char *const globs[] = {"a*", "*[.]x"};
    static const rn_params_options options[] = {{0}, {"a", globs, 2}, {NULL, globs, 1}};
    for (int i = 0; i < 3; i++) {
        rn_param params[3] = {{"b", 2, dim, NULL, 0}, {"a.weight", 1, dim, NULL, 0}, {"x", 0, dim, NULL, 1}};
        rn_params_result result;
        int told = 0;
        const int problems = rn_params_match(params, 3, file, &options[i], &result, count_problem, &told);
        CHECK(problems >= 0 && told <= problems && !problems == !told);
        CHECK(result.found + result.missing + result.unfit == 3 && strlen(result.prefix) < RN_PREFIX_SIZE);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    rn_safetensors file;
    char error[RN_ERROR_SIZE] = "";
    uint8_t *copy = malloc(size ? size : 1); /* of exact size, so that a read beyond it is seen */
    memcpy(copy, bytes, size);
    if (!rn_safetensors_recognize(copy, size)) rn_format_advice(copy, size);
    if (!rn_safetensors_parse(&file, copy, size, "fuzz", error, sizeof error)) {
        for (int i = 0; i < file.count; i++) {
            const rn_safetensor *t = &file.tensors[i];
            CHECK(rn_safetensors_find(&file, t->name) && t->size <= size);
            if (!rn_safetensor_readable(t) || t->count > 1 << 20) continue;
            float *values = malloc((size_t)t->count * sizeof *values + 1);
            rn_safetensor_read(t, values);
            free(values);
        }
        match(&file);
        rn_safetensors_free(&file);
    } else {
        CHECK(*error);
    }
    free(copy);
    return 0;
}
