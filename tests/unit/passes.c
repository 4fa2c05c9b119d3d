/* Passes keep what a network computes, and do what they are for.
 *
 * The property: over random networks (tests/random_graph.h) every value that survives a pass is what it was, for each
 * pass alone and for all of them, by the reference interpreter. Differences are relative to a value's largest element.
 * Folded weights are rounded to float once a fold: 1e-6 usually, 3e-5 in one network of a thousand, where sums cancel;
 * a wrong fold shows as 1e-2 and more. RNC_SEED=N runs one seed.
 */
#include <CUnit/CUnit.h>
#include <stdio.h>
#include <time.h>

#include "core/dtype.h"
#include "graph/verify.h"
#include "graph/tensor.h"
#include "graph/interpret.h"
#include "../random_graph.h"
#include "passes/differentiate.h"
#include "passes/passes.h"
#include "passes/rewrite.h"

enum { SEEDS = 120 };
static const double FOLDED = 2e-4, EXACT = 1e-12;

/* ---- the property ---- */

/* The largest difference of a value from what it was, relative to its largest element; NaN where either is not finite.
 */
static double difference(const double *was, const double *is, Shape shape) {
    double worst = 0, largest = 0;
    for (int64_t i = 0; i < shape_size(shape); i++) {
        double d = fabs(was[i] - is[i]);
        if (!isfinite(d)) return NAN;
        if (d > worst) worst = d;
        if (fabs(was[i]) > largest) largest = fabs(was[i]);
    }
    return worst / (largest > 1e-3 ? largest : 1e-3);
}

static void free_values(double **values, int count) {
    for (int i = 0; i < count; i++) free(values[i]);
    free(values);
}

static double **run(const Graph *graph, TensorData *weights, const float *image) {
    tensor_data_evaluate(graph, weights);
    double **values = calloc((size_t)graph->value_count, sizeof *values);
    interpret(graph, weights, image, values, 1);
    return values;
}

/* Compares every surviving value of `graph` with the source's of the same id; says which is the first that differs. */
static bool same_values(const Graph *source, double **was, const Graph *graph, double **is, double tolerance,
                        const char *what, uint64_t seed) {
    for (int i = 0; i < graph->node_count; i++) {
        const Value *v = graph->nodes[i]->out;
        if (v->id >= source->value_count) continue; /* a pass's own */
        double d = difference(was[v->id], is[v->id], v->shape);
        bool same = d <= tolerance && !strcmp(v->name, source->values[v->id]->name) &&
                    shape_equal(v->shape, source->values[v->id]->shape);
        if (same) continue;
        printf("seed %llu, %s: %s differs by %g\n", (unsigned long long)seed, what, v->name, d);
        return false;
    }
    return true;
}

/* The outputs are the source's, by name and order. */
static bool same_outputs(const Graph *source, const Graph *graph) {
    if (source->output_count != graph->output_count) return false;
    for (int i = 0; i < graph->output_count; i++)
        if (strcmp(source->outputs[i]->name, graph->outputs[i]->name)) return false;
    return true;
}

/* The value whose buffer `v` lives in, as the plan lays values out. */
static const Value *buffer_of(const Value *v) {
    for (;;) {
        const Node *n = v->producer;
        if (v->home)
            v = v->home;
        else if (n && (op_info(n->op)->flags & OPF_COPY))
            v = n->in[0];
        else if (n && n->epilogue.in_place)
            v = n->epilogue.addend;
        else
            return v;
    }
}

/* No sum overwrites a buffer that holds something still to be read: told apart from the pass by brute force. */
static bool in_place_is_safe(const Graph *graph) {
    for (int i = 0; i < graph->node_count; i++) {
        const Node *sum = graph->nodes[i];
        if (!sum->epilogue.in_place) continue;
        const Value *buffer = buffer_of(sum->out);
        if (buffer == graph->input) return false;
        for (int j = i; j < graph->node_count; j++) {
            const Node *reader = graph->nodes[j];
            for (int k = 0; k <= reader->nin; k++) {
                const Value *v = k < reader->nin ? reader->in[k] : reader->epilogue.addend;
                bool accumulates = j == i && k == reader->nin;
                if (!v || accumulates || buffer_of(v) != buffer) continue;
                if (!v->producer || v->producer->id < i) return false; /* made before the sum, read at or after it */
            }
        }
    }
    return true;
}

static bool folds_weights(PassId id) {
    return id == PASS_lower || id == PASS_fold_affine || id == PASS_fold_linear || id == PASS_fold_shortcut;
}

/* Runs a pass and compares with the values before it. */
static bool pass_keeps_values(const Graph *source, Graph *graph, PassId id, const float *image, uint64_t seed) {
    TensorData weights = random_weights(source, seed);
    double **was = run(graph, &weights, image);
    int count = graph->value_count;
    pass_run(graph, id);
    double **is = run(graph, &weights, image);
    /* rounding to bf16 changes values on purpose: test_store_bf16 */
    const double tolerance = id == PASS_store_bf16 ? INFINITY : folds_weights(id) ? FOLDED : EXACT;
    bool good = same_values(source, was, graph, is, tolerance, pass_name(id), seed) && same_outputs(source, graph) &&
                in_place_is_safe(graph);
    free_values(was, count);
    free_values(is, graph->value_count);
    tensor_data_free(&weights);
    return good;
}

static bool keeps_values(uint64_t seed) {
    Arena arena = {0};
    Graph *source = random_graph(&arena, seed);
    verify_graph(source);
    TensorData weights = random_weights(source, seed);
    float *image = random_image(source, seed);
    double **was = run(source, &weights, image);
    bool good = true;

    Graph *step = graph_clone(source, &arena), *lowered = graph_clone(source, &arena);
    pass_run(lowered, PASS_lower);
    for (int id = 0; good && id < PASS_COUNT; id++) /* after those before it, and alone */
        good = pass_keeps_values(source, step, (PassId)id, image, seed) &&
               pass_keeps_values(source, graph_clone(lowered, &arena), (PassId)id, image, seed);
    for (int level = 0; good && level <= 5; level++) { /* together; from level 3, some of them */
        Graph *graph = graph_clone(source, &arena);
        PassOptions options = {.level = level};
        for (int id = 0; level > 2 && id < PASS_COUNT; id++)
            if ((seed * 2654435761u >> (id + PASS_COUNT * (level - 3))) % 4 == 0) options.set[id] = -1;
        passes_run(graph, &options);
        TensorData own = random_weights(source, seed);
        double **is = run(graph, &own, image);
        good = same_values(source, was, graph, is, FOLDED, "all passes", seed) && same_outputs(source, graph) &&
               in_place_is_safe(graph);
        free_values(is, graph->value_count);
        tensor_data_free(&own);
    }
    free_values(was, source->value_count);
    free(image);
    tensor_data_free(&weights);
    arena_free(&arena);
    return good;
}

static void test_values_are_kept(void) {
    const char *one = getenv("RNC_SEED");
    uint64_t first = one ? strtoull(one, NULL, 10) : (uint64_t)time(NULL);
    int failed = 0;
    for (uint64_t seed = first; seed < first + (one ? 1 : SEEDS) && failed < 5; seed++) failed += !keeps_values(seed);
    if (failed) printf("property of passes: failed from seed %llu\n", (unsigned long long)first);
    CU_ASSERT_EQUAL(failed, 0);
}

/* ---- training graphs: losses and gradients stay ---- */

enum { TRAINING_SEEDS = 60, BATCH = 3 };

/* The outputs of a training graph over a batch, one after another; the caller frees them. */
static double *run_training(const Graph *graph, const float *images, uint64_t seed, int64_t *count) {
    TensorData weights = random_weights(graph, seed);
    double **values = calloc((size_t)graph->value_count + 1, sizeof *values), labels[4 * BATCH], *outputs;
    for (int n = 0; n < BATCH; n++) {
        const double label[4] = {n % 3, 2 - n % 3, n == 1 ? 0.75 : 1, 77 * n + 5};
        memcpy(labels + 4 * n, label, sizeof label);
    }
    tensor_data_evaluate(graph, &weights);
    interpret_batch(graph, &weights, images, labels, BATCH, values, 1);
    *count = 0;
    for (int i = 0; i < graph->output_count; i++)
        *count += shape_size(graph->outputs[i]->shape) * (graph->outputs[i]->all ? 1 : BATCH);
    double *at = outputs = malloc(sizeof *outputs * (size_t)*count);
    for (int i = 0; i < graph->output_count; i++) {
        const Value *value = graph->outputs[i];
        const size_t size = (size_t)shape_size(value->shape) * (value->all ? 1 : BATCH);
        memcpy(at, values[value->id], sizeof *at * size);
        at += size;
    }
    free_values(values, graph->value_count);
    tensor_data_free(&weights);
    return outputs;
}

static float *random_batch(const Graph *graph, uint64_t seed) {
    const size_t size = (size_t)shape_size(graph->input->shape);
    float *images = malloc(sizeof *images * size * BATCH);
    for (uint64_t n = 0; n < BATCH; n++) {
        float *image = random_image(graph, seed + 1000 * n);
        memcpy(images + n * size, image, sizeof *image * size);
        free(image);
    }
    return images;
}

/* A random network that ends in three classes, differentiated; NULL where something in it has no gradient. */
static Graph *random_training(Arena *arena, uint64_t seed) {
    Graph *source = random_graph(arena, seed);
    Random r = {.arena = arena, .graph = source, .state = seed, .layers = 1000};
    graph_add_output(source, random_fc(&r, source->outputs[source->output_count - 1], 3));
    Text errors = {0};
    Diag diag = {.capture = &errors};
    Graph *graph = differentiate(source, arena, &diag);
    text_free(&errors);
    return graph;
}

static bool training_keeps_values(uint64_t seed, int *runs) {
    Arena arena = {0};
    Graph *source = random_training(&arena, seed), *step = source ? graph_clone(source, &arena) : NULL;
    bool good = true;
    for (int id = 0; good && source && id < PASS_COUNT; id++) { /* after those before it, and alone */
        if (!pass_suits((PassId)id, true)) continue;
        Graph *alone = graph_clone(source, &arena);
        float *images = random_batch(source, seed);
        pass_run(step, (PassId)id);
        pass_run(alone, (PassId)id);
        int64_t count, other;
        double *was = run_training(source, images, seed, &count);
        for (int k = 0; k < 2; k++) {
            double *is = run_training(k ? alone : step, images, seed, &other);
            good &= count == other;
            double largest = 1;
            for (int64_t i = 0; i < count; i++) largest = fmax(largest, fabs(was[i]));
            for (int64_t i = 0; good && i < count; i++)
                good = fabs(was[i] - is[i]) <= 1e-12 * largest || (isnan(was[i]) && isnan(is[i]));
            free(is);
        }
        if (!good) printf("seed %llu: %s changes a training graph\n", (unsigned long long)seed, pass_name((PassId)id));
        free(was);
        free(images);
    }
    *runs += source != NULL;
    arena_free(&arena);
    return good;
}

static void test_training_is_kept(void) {
    const char *one = getenv("RNC_SEED");
    const uint64_t first = one ? strtoull(one, NULL, 10) : (uint64_t)time(NULL);
    int failed = 0, runs = 0;
    for (uint64_t seed = first; seed < first + (one ? 1 : TRAINING_SEEDS); seed++)
        failed += !training_keeps_values(seed, &runs);
    CU_ASSERT_EQUAL(failed, 0);
    CU_ASSERT_TRUE(one || runs > TRAINING_SEEDS / 2);
}

/* ---- what passes leave, on networks built by hand ---- */

static Random builder(Arena *arena, Shape input) {
    Random r = {.arena = arena, .graph = graph_new(arena, "hand"), .state = 1};
    r.graph->input = graph_add_value(r.graph, "image", input);
    return r;
}

static Value *conv_bn(Random *r, Value *x, int features, int kernel, int stride) {
    return random_unary(r, OP_BN, random_conv(r, x, features, kernel, stride, (kernel - 1) / 2, 1, 1, false));
}

static Value *relu(Random *r, Value *x) {
    return random_unary(r, OP_RELU, x);
}

static Value *bottleneck(Random *r, Value *x, int width, int stride) {
    Value *body = relu(r, conv_bn(r, x, width, 1, 1));
    body = conv_bn(r, relu(r, conv_bn(r, body, width, 3, stride)), 4 * width, 1, 1);
    bool same = shape_equal(body->shape, x->shape);
    return relu(r, random_binary(r, OP_ADD, body, same ? x : conv_bn(r, x, 4 * width, 1, stride), false));
}

static void optimise(Random *r, Value *output, int level) {
    graph_add_output(r->graph, output);
    passes_run(r->graph, &(PassOptions){.level = level});
}

/* A chain of removed layers: who reads its end reads its beginning, and no removed layer is anyone's user. */
static void test_forwarded_chain(void) {
    Arena arena = {0};
    Random r = builder(&arena, (Shape){2, 3, 3});
    Value *begin = relu(&r, r.graph->input), *one = random_unary(&r, OP_IDENTITY, begin),
          *two = random_unary(&r, OP_IDENTITY, one), *end = random_unary(&r, OP_TANH, two);
    random_unary(&r, OP_IDENTITY, end); /* nobody reads it */
    graph_add_output(r.graph, random_unary(&r, OP_SIGMOID, begin));
    Node *tanh = end->producer, *nodes[] = {one->producer, two->producer};

    Rewrite rewrite;
    rewrite_begin(&rewrite, r.graph);
    CU_ASSERT_PTR_EQUAL(rewrite_only_user(&rewrite, one), nodes[1]);
    for (int i = 0; i < 2; i++) {
        rewrite_forward(&rewrite, nodes[i]->out, nodes[i]->in[0]);
        rewrite_remove(&rewrite, nodes[i]);
    }
    CU_ASSERT_PTR_EQUAL(rewrite_resolve(&rewrite, two), begin);
    CU_ASSERT_PTR_NULL(rewrite_only_user(&rewrite, begin));
    CU_ASSERT_PTR_NULL(rewrite_only_user(&rewrite, one));
    CU_ASSERT_PTR_NULL(rewrite_only_user(&rewrite, two));
    Node *dead = rewrite_only_user(&rewrite, end);
    CU_ASSERT_PTR_NOT_NULL_FATAL(dead);
    rewrite_remove(&rewrite, dead);
    CU_ASSERT_PTR_NULL(rewrite_only_user(&rewrite, end));
    rewrite_end(&rewrite);
    CU_ASSERT_PTR_EQUAL(tanh->in[0], begin);
    CU_ASSERT_EQUAL(r.graph->node_count, 3);
    verify_graph(r.graph);
    arena_free(&arena);
}

/* A ResNet becomes one layer per convolution, and nothing else. */
static void test_bottlenecks(void) {
    Arena arena = {0};
    Random r = builder(&arena, (Shape){3, 32, 32});
    Value *x = relu(&r, conv_bn(&r, r.graph->input, 16, 7, 2));
    x = random_pool(&r, OP_MAXPOOL, x, 3, 2, 1, false);
    x = bottleneck(&r, bottleneck(&r, bottleneck(&r, x, 8, 1), 8, 1), 8, 1);
    Value *last = x;
    x = random_fc(&r, random_unary(&r, OP_FLATTEN, random_unary(&r, OP_AVGPOOL, x)), 10);
    optimise(&r, x, 2);

    Node **n = r.graph->nodes;
    CU_ASSERT_EQUAL_FATAL(r.graph->node_count, 11);
    for (int i = 0; i < 10; i++) CU_ASSERT(n[i]->op == OP_CONV && n[i]->epilogue.act == ACT_RELU);
    CU_ASSERT(n[0]->epilogue.pool == POOL_MAX && n[0]->out->shape.h == 8);
    CU_ASSERT(n[3]->nin == 2 && !n[3]->epilogue.addend && n[3]->in[1] == n[0]->out); /* the projection */
    CU_ASSERT_STRING_EQUAL(n[3]->name, "conv10");                                    /* the block's own last layer */
    CU_ASSERT(n[6]->epilogue.in_place && n[6]->epilogue.addend == n[3]->out);
    CU_ASSERT(n[9]->epilogue.pool == POOL_GLOBAL_AVG && n[9]->epilogue.addend == n[6]->out);
    CU_ASSERT(!n[9]->epilogue.in_place && n[9]->epilogue.unpooled_value == last);
    CU_ASSERT(n[10]->op == OP_FC);
    arena_free(&arena);
}

/* Without optimisation only batch norms change, so that each layer is a pass over memory of its own. */
static void test_level_0(void) {
    Arena arena = {0};
    Random r = builder(&arena, (Shape){3, 9, 9});
    Value *x = bottleneck(&r, r.graph->input, 4, 1);
    int nodes = r.graph->node_count;
    optimise(&r, random_unary(&r, OP_DROPOUT, x), 0);
    CU_ASSERT_EQUAL(r.graph->node_count, nodes + 1);
    for (int i = 0; i < r.graph->node_count; i++) {
        CU_ASSERT(r.graph->nodes[i]->op != OP_BN);
        CU_ASSERT(r.graph->nodes[i]->epilogue.act == ACT_NONE && !r.graph->nodes[i]->epilogue.addend);
    }
    arena_free(&arena);
}

/* RepVGG's training form becomes its inference form: one 3x3 convolution a block. */
static void test_repvgg(void) {
    Arena arena = {0};
    Random r = builder(&arena, (Shape){6, 9, 9});
    Value *x = r.graph->input;
    for (int groups = 1; groups <= 2; groups++) {
        Value *a = random_unary(&r, OP_BN, random_conv(&r, x, 6, 3, 1, 1, groups, 1, false));
        Value *b = random_unary(&r, OP_BN, random_conv(&r, x, 6, 1, 1, 0, groups, 1, false));
        Value *sum = random_binary(&r, OP_ADD, a, b, false);
        x = relu(&r, random_binary(&r, OP_ADD, sum, random_unary(&r, OP_BN, x), false));
    }
    optimise(&r, x, 2);
    CU_ASSERT_EQUAL_FATAL(r.graph->node_count, 2);
    for (int i = 0; i < 2; i++) {
        const Node *n = r.graph->nodes[i];
        CU_ASSERT(n->nin == 1 && n->term[0].window.r == 3 && n->term[0].groups == i + 1 && !n->epilogue.addend);
    }
    arena_free(&arena);
}

/* Option A costs no multiply and no layer: the block reads its input with a stride, missing channels are zero. */
static void test_option_a(void) {
    Arena arena = {0};
    Random r = builder(&arena, (Shape){4, 8, 8});
    Value *x = relu(&r, conv_bn(&r, r.graph->input, 4, 3, 1));
    Value *body = conv_bn(&r, relu(&r, conv_bn(&r, x, 8, 3, 2)), 8, 3, 1);
    Value *side = random_pool(&r, OP_MAXPOOL, x, 1, 2, 0, false);
    optimise(&r, relu(&r, random_binary(&r, OP_ADD, body, side, true)), 2);
    CU_ASSERT_EQUAL_FATAL(r.graph->node_count, 3);
    const Epilogue *e = &r.graph->nodes[2]->epilogue;
    CU_ASSERT(e->addend == x && e->addend_stride == 2 && e->addend_partial && !e->in_place && e->act == ACT_RELU);
    arena_free(&arena);
}

/* The face network's odd blocks: a convolution smaller than the sum cannot carry it. */
static void test_smaller_body(void) {
    Arena arena = {0};
    Random r = builder(&arena, (Shape){4, 8, 8});
    Value *body = random_conv(&r, r.graph->input, 4, 3, 2, 0, 1, 1, true);     /* 3 x 3 */
    Value *side = random_pool(&r, OP_AVGPOOL, r.graph->input, 2, 2, 0, false); /* 4 x 4 */
    optimise(&r, relu(&r, random_binary(&r, OP_ADD, body, side, true)), 2);
    CU_ASSERT_EQUAL_FATAL(r.graph->node_count, 3);
    CU_ASSERT(r.graph->nodes[2]->op == OP_ADD && r.graph->nodes[2]->epilogue.act == ACT_RELU);
    arena_free(&arena);
}

/* Dense connectivity: every branch is at home, at its channel, in the last concatenation of its chain. */
static void test_dense_block(void) {
    Arena arena = {0};
    Random r = builder(&arena, (Shape){3, 7, 7});
    Value *x = random_conv(&r, r.graph->input, 5, 3, 1, 1, 1, 1, true);
    for (int i = 0; i < 3; i++) {
        Value *grown = random_conv(&r, relu(&r, random_unary(&r, OP_BN, x)), 3, 3, 1, 1, 1, 1, false);
        x = random_concat(&r, (Value *[]){x, grown}, 2);
    }
    optimise(&r, x, 2);
    for (int i = 0; i < r.graph->node_count; i++) {
        const Node *n = r.graph->nodes[i];
        int channel = 0;
        for (int j = 0; n->op == OP_CONCAT && j < n->nin; j++) {
            CU_ASSERT(n->in[j]->home == n->out && n->in[j]->home_channel == channel);
            channel += n->in[j]->shape.c;
        }
    }
    arena_free(&arena);
}

/* A head above the only output, and what only it needs, disappear. */
static void test_features(void) {
    Arena arena = {0};
    Random r = builder(&arena, (Shape){3, 7, 7});
    Value *features = relu(&r, conv_bn(&r, r.graph->input, 5, 3, 1));
    random_unary(&r, OP_SOFTMAX, random_fc(&r, features, 10));
    optimise(&r, features, 2);
    CU_ASSERT_EQUAL_FATAL(r.graph->node_count, 1);
    CU_ASSERT_PTR_EQUAL(r.graph->nodes[0]->out, features);
    arena_free(&arena);
}

/* Stored as bf16: the weights of fully connected layers, as they are given, at every level; nothing folds into them. */
static void test_store_bf16(void) {
    for (int level = 0; level <= 3; level++) {
        Arena arena = {0};
        Random r = builder(&arena, (Shape){3, 7, 7});
        Value *x = relu(&r, conv_bn(&r, r.graph->input, 5, 3, 1));
        x = random_unary(&r, OP_BN, random_fc(&r, random_unary(&r, OP_BN, x), 9));
        graph_add_output(r.graph, random_fc(&r, relu(&r, x), 4));
        PassOptions options = {.level = level};
        CU_ASSERT(pass_option_set(&options, "store-bf16"));
        passes_run(r.graph, &options);
        pass_run(r.graph, PASS_store_bf16); /* once more changes nothing */
        TensorData weights = random_weights(r.graph, 1);
        tensor_data_evaluate(r.graph, &weights);
        int layers = 0;
        for (int i = 0; i < r.graph->node_count; i++) {
            const Node *n = r.graph->nodes[i];
            if (!n->term) continue;
            const Tensor *w = n->term[0].weight;
            CU_ASSERT_EQUAL(w->type == RN_BF16, n->op == OP_FC);
            if (n->op != OP_FC) continue;
            layers++;
            CU_ASSERT_EQUAL_FATAL(w->arg[0]->op, RN_PARAM);
            const float *rounded = weights.data[w->id], *given = weights.data[w->arg[0]->id];
            for (int64_t k = 0; k < tensor_size(w); k++) {
                const uint32_t bits = (uint32_t)rn_bf16(given[k]) << 16;
                CU_ASSERT(memcmp(&bits, &rounded[k], sizeof bits) == 0);
            }
        }
        CU_ASSERT_EQUAL(layers, 2);
        tensor_data_free(&weights);
        arena_free(&arena);
    }
}

/* ---- options ---- */

static void test_options(void) {
    PassOptions options = {.level = 2};
    CU_ASSERT(pass_enabled(&options, PASS_fuse_add));
    CU_ASSERT(pass_option_set(&options, "no-fuse-add"));
    CU_ASSERT(!pass_enabled(&options, PASS_fuse_add) && pass_enabled(&options, PASS_fuse_act));
    CU_ASSERT(!pass_option_set(&options, "fuse-ad") && !pass_option_set(&options, "no-") &&
              !pass_option_set(&options, ""));
    options.level = 0;
    CU_ASSERT(!pass_enabled(&options, PASS_fuse_act) && pass_enabled(&options, PASS_lower));
    CU_ASSERT(pass_option_set(&options, "fuse-act") && pass_enabled(&options, PASS_fuse_act));
    CU_ASSERT(!pass_enabled(&(PassOptions){.level = 3}, PASS_store_bf16));                  /* where asked for */
    CU_ASSERT(pass_option_set(&options, "no-lower") && pass_enabled(&options, PASS_lower)); /* always runs */
}

/* ---- time ---- */

/* ResNet-1202's size: a pass that walks the graph once per node takes minutes under sanitizers, linear ones a second.
 */
static void test_deep_network(void) {
    Arena arena = {0};
    Random r = builder(&arena, (Shape){4, 4, 4});
    Value *x = r.graph->input;
    for (int i = 0; i < 600; i++) {
        Value *body = conv_bn(&r, relu(&r, conv_bn(&r, x, 4, 3, 1)), 4, 3, 1);
        x = relu(&r, random_binary(&r, OP_ADD, body, x, false));
    }
    int nodes = r.graph->node_count;
    clock_t start = clock();
    optimise(&r, x, 2);
    double seconds = (double)(clock() - start) / CLOCKS_PER_SEC;
    CU_ASSERT_EQUAL(nodes, 4200);
    CU_ASSERT_EQUAL(r.graph->node_count, 1200);
    CU_ASSERT(seconds < 3);
    arena_free(&arena);
}

void suite_passes(void) {
    CU_pSuite suite = CU_add_suite("passes", NULL, NULL);
    CU_add_test(suite, "random networks keep their values", test_values_are_kept);
    CU_add_test(suite, "random training graphs keep their losses and gradients", test_training_is_kept);
    CU_add_test(suite, "a chain of removed layers", test_forwarded_chain);
    CU_add_test(suite, "bottlenecks become one layer per convolution", test_bottlenecks);
    CU_add_test(suite, "level 0 only lowers", test_level_0);
    CU_add_test(suite, "RepVGG folds", test_repvgg);
    CU_add_test(suite, "option A is read in place", test_option_a);
    CU_add_test(suite, "a body smaller than its sum", test_smaller_body);
    CU_add_test(suite, "dense connectivity is placed", test_dense_block);
    CU_add_test(suite, "a head above the output disappears", test_features);
    CU_add_test(suite, "weights that are stored as bf16", test_store_bf16);
    CU_add_test(suite, "options", test_options);
    CU_add_test(suite, "a network of 4200 layers", test_deep_network);
}
