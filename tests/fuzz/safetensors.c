/* A weights file's index, every tensor that it says is readable, and a network's parameters among them; and what a file
 * that is none is called. */
#include "fuzz.h"

#include "runtime/weights/format.h"
#include "runtime/weights/params.h"

static void count_problem(void *user, int hint, const char *text) {
    *(int *)user += !hint;
    CHECK(*text);
}

/* What no trained network has is said, with the element. */
static void read_found(const rn_param *params, int count) {
    for (int i = 0; i < count; i++) {
        float values[8] = {0};
        char text[512] = "";
        if (!params[i].tensor || !rn_safetensor_readable(params[i].tensor)) continue;
        if (params[i].tensor->count != rn_param_count(&params[i]) || rn_param_count(&params[i]) > 8) continue;
        CHECK(rn_param_read(&params[i], values, text, sizeof text) || *text);
    }
}

static void match(const rn_safetensors *file) {
    static const int32_t dim[2] = {2, 1};
    static const char *const globs[] = {"a*", "*[.]x"};
    static const rn_params_options options[] = {{0}, {"a", globs, 2}, {NULL, globs, 1}};
    enum { PARAMS = 12 }; /* so many that they may be told together */
    for (int i = 0; i < 3; i++) {
        rn_param params[PARAMS] = {{"b", 2, dim, NULL, 0},
                                   {"a.weight", 1, dim, NULL, 0},
                                   {"x", 0, dim, NULL, 1},
                                   {"a.running_var", 1, dim, NULL, 0}};
        char names[PARAMS][8];
        for (int k = 4; k < PARAMS; k++) {
            snprintf(names[k], sizeof names[k], "c%d.w", k);
            params[k] = (rn_param){names[k], 1, dim, NULL, 0};
        }
        const int count = i == 2 ? 4 : PARAMS;
        rn_params_result result;
        int told = 0;
        const int problems = rn_params_match(params, count, file, &options[i], &result, count_problem, &told);
        CHECK(problems >= 0 && told <= problems && !problems == !told);
        CHECK(result.found + result.missing + result.unfit == count && strlen(result.prefix) < RN_PREFIX_SIZE);
        read_found(params, count);
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
