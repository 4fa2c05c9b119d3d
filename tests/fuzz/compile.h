/* What the fuzz targets of sources and graphs do with a network that was accepted: the rest of the compiler, by options
 * drawn from the input's bytes, so that one input always goes one way. Nothing that a user can write may end in bug(),
 * a signal or a report of a sanitizer; a plan may be refused, with an error.
 *
 * Networks whose compilation takes long are passed over, since executions a second are what finds faults: those of many
 * layers, and those whose text is long.
 */
#ifndef RN_FUZZ_COMPILE_H
#define RN_FUZZ_COMPILE_H

#include <unistd.h>

#include "graph/interpret.h"
#include "graph/irtext.h"
#include "graph/tensor.h"
#include "load/load.h"
#include "graph/ops.h"
#include "options.h"
#include "passes/differentiate.h"
#include "passes/passes.h"
#include "plan/algorithms.h"
#include "plan/plan.h"
#include "plan/step.h"
#include "emit/emit.h"
#include "save/save.h"
#include "view/view.h"
#include "write/write.h"
#include "fuzz.h"
#include "tests/random_choice.h"

enum {
    FUZZ_MOST_NODES = 60,
    FUZZ_MOST_TAPS = 2000,     /* blocks of weights of a convolution: each is a number in the text */
    FUZZ_MOST_WEIGHTS = 20000, /* that are made up and packed */
    FUZZ_MOST_MACS = 1000000,  /* for which weights are calibrated */
    FUZZ_MOST_ACTIVATIONS = 100000
};

typedef struct FuzzChoice {
    uint64_t state;
} FuzzChoice;

/* SplitMix64 from FNV-1a of the input */
static inline FuzzChoice fuzz_choice(const uint8_t *bytes, size_t size) {
    FuzzChoice choice = {1469598103934665603u};
    for (size_t i = 0; i < size; i++) choice.state = (choice.state ^ bytes[i]) * 1099511628211u;
    return choice;
}

static inline int fuzz_pick(FuzzChoice *choice, int count) {
    uint64_t z = choice->state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return (int)((z ^ z >> 31) % (uint64_t)count);
}

static inline bool fuzz_is_small(const Graph *graph) {
    if (graph->node_count > FUZZ_MOST_NODES) return false;
    for (int i = 0; i < graph->node_count; i++) {
        const Node *node = graph->nodes[i];
        for (int k = 0; node->term && k < node->nin; k++) {
            const Window *w = &node->term[k].window;
            if ((int64_t)w->r * w->s * (node->in[k]->shape.c / 64 + 1) > FUZZ_MOST_TAPS) return false;
        }
    }
    return true;
}

static inline bool fuzz_is_cheap(const Graph *graph) {
    int64_t weights = 0, macs = 0, activations = shape_size(graph->input->shape);
    for (int i = 0; i < graph->tensor_count; i++) weights += tensor_size(graph->tensors[i]);
    for (int i = 0; i < graph->node_count; i++) {
        const Node *node = graph->nodes[i];
        const Window *window = &node->attr.window;
        const int64_t size = shape_size(node_unpooled_shape(node));
        macs += node_cost(node);
        if (op_info(node->op)->flags & OPF_WINDOW) macs += size * window->r * window->s;
        activations += size;
    }
    return weights <= FUZZ_MOST_WEIGHTS && macs <= FUZZ_MOST_MACS && activations <= FUZZ_MOST_ACTIVATIONS;
}

/* PlanOptions.candidates: mostly anything that there is, which is found faster than the best. */
static inline int fuzz_candidates(const void *user, const Plan *plan, const Node *node, Candidate *list) {
    FuzzChoice choice = {*(const uint64_t *)user + (uint64_t)node->id};
    if (!fuzz_pick(&choice, 16)) return 0;
    if (fuzz_pick(&choice, 4) && random_choice(choice.state, 6, plan, node, list)) return 1;
    *list =
        (Candidate){{.algorithm = algorithm_of(plan, node)}, cost_direct(plan, node, NULL, plan_images(plan, node))};
    return 1;
}

static inline void fuzz_emit(const Plan *plan, Kernels kernels, FuzzChoice *choice) {
    static const char *const pages[] = {NULL, "net.rnw"};
    Text text = {0};
    EmitOptions options = {.name = "net",
                           .target = {kernels, {plan->options.isa}, 1},
                           .command = "fuzz",
                           .source_hash = "0",
                           .header_name = "net.h",
                           .weights_file = pages[fuzz_pick(choice, 2)],
                           .program = !fuzz_pick(choice, 8),
                           .standalone = kernels != KERNELS_JIT && !fuzz_pick(choice, 8)};
    if (options.standalone) options.program = false;
    if (plan->options.isa == 4 && !fuzz_pick(choice, 4)) options.target.isa[options.target.count++] = 3;
    emit_c(plan, &options, &text);
    emit_h(plan, &options, &text);
    plan_print(plan, &text);
    report_text(plan, &text);
    const Sizes sizes = {
        .target = "fuzz", .tune = "fuzz", .batch = plan->options.batch, .threads = plan->options.threads};
    report_html(plan, &sizes, "fuzz", &text);
    cJSON_Delete(json_report(plan, &sizes));
    text_free(&text);
}

/* Weights made up, packed by the recipe and written as ONNX. */
static inline void fuzz_weights(const Graph *source, const Plan *plan) {
    Text messages = {0};
    Diag diag = {.capture = &messages};
    TensorData weights = {0};
    char path[64];
    FILE *file = tmpfile();
    if (!file) return;
    snprintf(path, sizeof path, "/proc/self/fd/%d", fileno(file));
    weights_random(source, 1, &weights, 1);
    CHECK(save_packed(path, &plan->recipe, "net", source, &weights, &diag, 1));
    tensor_data_evaluate(source, &weights);
    if (onnx_check(source, "net.onnx", &diag)) CHECK(save_onnx(source, &weights, "net", 0, path, &diag));
    tensor_data_free(&weights);
    text_free(&messages);
    fclose(file);
}

/* The graph of a training step: its passes, its text, and a batch of it where that is cheap. */
static inline void fuzz_train(Arena *arena, const Graph *training, FuzzChoice *choice) {
    const PassOptions passes = {.level = fuzz_pick(choice, 3)};
    Graph *graph = graph_clone(training, arena);
    Text text = {0}, messages = {0};
    Diag diag = {.capture = &messages};
    passes_run(graph, &passes);
    irtext_print(graph, &text);
    const Source printed = {"printed.ir", text.s, text.size};
    CHECK(irtext_parse(arena, &printed, &diag));
    graph_dot(graph, &text);
    if (fuzz_is_cheap(graph) && !fuzz_pick(choice, 4)) {
        enum { IMAGES = 2 };
        TensorData weights = {calloc((size_t)graph->tensor_count + 1, sizeof(float *)), graph->tensor_count};
        for (int i = 0; i < graph->tensor_count; i++)
            if (graph->tensors[i]->op == RN_PARAM)
                weights.data[i] = calloc((size_t)tensor_size(graph->tensors[i]), sizeof(float));
        tensor_data_evaluate(graph, &weights);
        float *images = calloc((size_t)shape_size(graph->input->shape) * IMAGES, sizeof *images);
        double **values = calloc((size_t)graph->value_count + 1, sizeof *values);
        const double labels[4 * IMAGES] = {0, 0, 1, 5, 0, 0, 0.5, 9};
        interpret_batch(graph, &weights, images, labels, IMAGES, values, 1);
        for (int i = 0; i < graph->value_count; i++) free(values[i]);
        free(values);
        free(images);
        tensor_data_free(&weights);
    }
    text_free(&text);
    text_free(&messages);
}

/* A network trained: of operations that have no gradient, the error says which. */
static inline void fuzz_differentiate(Arena *arena, const Graph *source, FuzzChoice *choice) {
    Text messages = {0};
    Diag diag = {.capture = &messages};
    const Graph *training = differentiate(source, arena, &diag);
    CHECK(!training == (diag.errors > 0));
    if (training) fuzz_train(arena, training, choice);
    text_free(&messages);
}

/* As a source, under any names: what is written is read again and compared there. */
static inline void fuzz_write(Arena *arena, const Graph *source) {
    Text messages = {0};
    Diag diag = {.capture = &messages};
    WrittenSource written;
    const bool good = source_write(source, source->name, true, arena, &written, &diag);
    CHECK(good == !diag.errors);
    text_free(&messages);
}

static inline void fuzz_compile(Arena *arena, const Graph *source, FuzzChoice *choice, Diag *diag) {
    static const int isas[] = {4, 3, 0}, batches[] = {1, 1, 2, 7, 64}, threads[] = {1, 2, 7};
    if (source->training) {
        if (fuzz_is_small(source)) fuzz_train(arena, source, choice);
        return;
    }
    if (fuzz_is_small(source) && choice->state % 4 == 0) fuzz_write(arena, source);
    if (!plan_fits(source, diag)) { /* it says so */
        CHECK(diag->errors);
        return;
    }
    if (!fuzz_is_small(source)) return;
    if (!fuzz_pick(choice, 8)) fuzz_differentiate(arena, source, choice);
    PassOptions passes = {.level = fuzz_pick(choice, 4) ? 2 : fuzz_pick(choice, 2)};
    if (!fuzz_pick(choice, 4)) {
        const int pass = fuzz_pick(choice, PASS_COUNT);
        passes.set[pass] = pass_enabled(&passes, (PassId)pass) ? -1 : 1;
    }
    Graph *graph = graph_clone(source, arena);
    passes_run(graph, &passes);
    const uint64_t candidates_seed = choice->state;
    const bool by_cost = !fuzz_pick(choice, 16);
    const PlanOptions options = {.isa = isas[fuzz_pick(choice, 3)],
                                 .batch = batches[fuzz_pick(choice, 5)],
                                 .threads = threads[fuzz_pick(choice, 3)],
                                 .reuse_memory = pass_enabled(&passes, PASS_reuse_memory),
                                 .whole_batch = by_cost && pass_enabled(&passes, PASS_whole_batch),
                                 .last_layers = by_cost ? 0 : fuzz_pick(choice, graph->node_count + 2),
                                 .candidates = by_cost ? NULL : fuzz_candidates,
                                 .candidates_user = &candidates_seed,
                                 .strassen = pass_enabled(&passes, PASS_strassen),
                                 .winograd = pass_enabled(&passes, PASS_winograd),
                                 .tolerance = fuzz_pick(choice, 4) ? 1e-4 : 0};
    Plan *plan = plan_make(arena, graph, &options);
    const Kernels kernels = !options.isa ? KERNELS_C : fuzz_pick(choice, 16) ? KERNELS_JIT : KERNELS_STATIC;
    fuzz_emit(plan, kernels, choice);
    if (fuzz_is_cheap(source) && !fuzz_pick(choice, 4)) fuzz_weights(source, plan);
}

#endif
