/* An ONNX model: what is read of it is a graph that keeps every rule, with a number for every element of its weights. */
#include "fuzz.h"

#include "graph/verify.h"
#include "onnx/import.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    static const char *const defines[] = {"H=8", "W=9"};
    const Source source = {.path = "fuzz.onnx"};
    const OnnxOptions options = {source.path, 2, defines, 2, 0};
    Arena arena = {0}, own = {0};
    Text said = {0};
    Diag diag = {.capture = &said};
    OnnxModel model;
    TensorData weights;
    uint8_t *copy = malloc(size + 1); /* of exact size, so that a read beyond it is seen */
    memcpy(copy, bytes, size);
    /* as it says, and again without -D, which is an error where there is no such dimension */
    for (int i = 0; i < 2; i++) {
        const OnnxOptions how = {options.path, i ? 2 : 0, options.defines, i ? options.define_count : 0, 1 << 20};
        Graph *graph = NULL;
        diag.errors = 0;
        if (model_parse(&model, &own, &source, copy, size, &how, &diag) && model_simplify(&model))
            graph = import_model(&model, &arena, &weights);
        model_close(&model);
        CHECK(!graph == !!diag.errors);
        if (!graph) continue;
        CHECK(graph_check(graph, NULL, NULL));
        CHECK(weights.count == graph->tensor_count);
        for (int k = 0; k < weights.count; k++) {
            CHECK(weights.data[k]);
            volatile float last = weights.data[k][tensor_size(graph->tensors[k]) - 1];
            (void)last;
        }
        tensor_data_free(&weights);
    }
    free(copy);
    text_free(&said);
    arena_free(&own);
    arena_free(&arena);
    return 0;
}
