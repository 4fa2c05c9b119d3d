/* The plan and what is emitted from it: memory, algorithms, sharing, determinism, over every example. */
#include <CUnit/CUnit.h>
#include <glob.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "graph/irtext.h"
#include "emit/emit.h"
#include "example.h"
#include "graph/ops.h"
#include "passes/passes.h"
#include "plan/check.h"
#include "plan/step.h"
#include "plan/conv.h"
#include "plan/fc.h"
#include "plan/winograd.h"

void suite_plan(void);

static Plan *plan_example(Arena *arena, const char *path, const char *define, int level) {
    Graph *graph = example_load(arena, path, define);
    CU_ASSERT_PTR_NOT_NULL_FATAL(graph);
    passes_run(graph, &(PassOptions){.level = level});
    return plan_make(arena, graph, &(PlanOptions){.isa = 4, .batch = 1, .reuse_memory = true});
}

/* Buffers that live at the same step do not overlap; found step by step, not as the planner does. kept: those that each
 * image of a batch has for itself. */
static int64_t check_region(const Plan *plan, bool kept, int64_t size) {
    int64_t most = 0;
    for (int s = 0; s < plan->step_count; s++) {
        int64_t live = 0;
        for (int i = 0; i < plan->buffer_count; i++) {
            const Buffer *a = &plan->buffers[i];
            if (a->last < 0 || a->first > s || a->last < s || a->kept != kept) continue;
            live += a->bytes;
            if (a->offset < 0 || a->offset + a->bytes > size || a->offset % CACHE_LINE)
                CU_FAIL("a buffer is outside the arena");
            for (int k = 0; k < i; k++) {
                const Buffer *b = &plan->buffers[k];
                if (b->last < 0 || b->first > s || b->last < s || b->kept != kept) continue;
                if (a->offset < b->offset + b->bytes && b->offset < a->offset + a->bytes)
                    CU_FAIL("two live buffers overlap");
            }
        }
        if (live > most) most = live;
    }
    return most;
}

static void check_memory(const char *path, const Plan *plan) {
    const int64_t most = check_region(plan, false, plan->arena_bytes);
    CU_ASSERT_EQUAL(most, plan->live_bytes);
    if (!(plan->arena_bytes <= most * 105 / 100)) {
        printf("\n%s: arena %lld, live %lld bytes\n", path, (long long)plan->arena_bytes, (long long)most);
        CU_FAIL("the arena is over 5 % larger than the largest live set");
    }
}

/* Every convolution and fc has one of the vector algorithms, and libxsmm's arguments are in its rules. */
static void check_algorithms(const char *path, const Plan *plan) {
    for (int i = 0; i < plan->step_count; i++) {
        const Step *s = &plan->steps[i];
        if (!s->node || (s->node->op != OP_CONV && s->node->op != OP_FC)) continue;
        const bool gemm = s->algorithm == ALG_POINTWISE || s->algorithm == ALG_DIRECT || s->algorithm == ALG_FC;
        if (!gemm && s->algorithm != ALG_DEPTHWISE && s->algorithm != ALG_GROUPED) {
            printf("\n%s: %s is %s\n", path, s->node->name, algorithm_name(s->algorithm));
            CU_FAIL("a convolution has no vector algorithm");
        }
        if (!gemm) continue;
        const Panels *p = s->algorithm == ALG_FC ? &fc_plan(s)->panels : &conv_plan(s)->panels;
        CU_ASSERT(p->width % VECTOR == 0 && p->width > 0);
        if (s->algorithm == ALG_FC) continue;
        const ConvPlan *c = conv_plan(s);
        CU_ASSERT_EQUAL((c->tiles - 1) * c->tile + c->last, c->width);
        CU_ASSERT(c->last > 0 && c->last <= c->tile);
        for (int t = 0; t < s->nin; t++) { /* ldb >= K: a smaller one is refused */
            const int k = c->term[t].block;
            const Layout *l = &plan_value(plan, s->in[t])->layout;
            CU_ASSERT(l->pixel * s->term[t].window.stride_w >= k);
        }
    }
}

static void test_every_example(void) {
    static const char *const patterns[] = {"examples/*.rn", "examples/cifar/*.rn", "examples/fashion/resnet*.rn",
                                           "examples/digits/*.rn", "examples/face/*.rn"};
    int count = 0;
    for (size_t p = 0; p < sizeof patterns / sizeof *patterns; p++) {
        glob_t found;
        if (glob(patterns[p], 0, NULL, &found)) continue;
        for (size_t i = 0; i < found.gl_pathc; i++)
            for (int level = 0; level <= 2; level += 2) {
                Arena arena = {0};
                const Plan *plan = plan_example(&arena, found.gl_pathv[i], NULL, level);
                if (!strstr(found.gl_pathv[i], "1202")) check_memory(found.gl_pathv[i], plan); /* quadratic */
                check_algorithms(found.gl_pathv[i], plan);
                arena_free(&arena);
                count++;
            }
        globfree(&found);
    }
    CU_ASSERT(count >= 78);
}

static const EmitOptions emit_options = {.name = "net", .command = "rnc", .source_hash = "0", .header_name = "net.h"};

static int count_text(const char *text, const char *what) {
    int count = 0;
    for (const char *p = text; (p = strstr(p, what)) != NULL; p += strlen(what)) count++;
    return count;
}

/* Layers of one shape share one function; the text of 1202 layers stays small; twice the same bytes. */
static void test_resnet1202_text(void) {
    Arena arena = {0};
    Text first = {0}, second = {0};
    emit_c(plan_example(&arena, "examples/cifar/resnet1202.rn", NULL, 2), &emit_options, &first);
    emit_c(plan_example(&arena, "examples/cifar/resnet1202.rn", NULL, 2), &emit_options, &second);
    CU_ASSERT(first.size < 3u << 20);
    CU_ASSERT_EQUAL(first.size, second.size);
    CU_ASSERT_STRING_EQUAL(first.s, second.s);
    CU_ASSERT(count_text(first.s, "\n    step(rn, ") > 1200);
    CU_ASSERT(count_text(first.s, "\nstatic TARGET void conv") < 40);
    text_free(&first);
    text_free(&second);
    arena_free(&arena);
}

static int count_steps(const Plan *plan, Algorithm algorithm) {
    int count = 0;
    for (int i = 0; i < plan->step_count; i++) count += plan->steps[i].algorithm == algorithm;
    return count;
}

/* What fusion leaves of ResNet-50: input, 53 convolutions less 4 projections, fc, softmax, output; nothing else. */
static void test_resnet50_is_fused(void) {
    Arena arena = {0};
    const Plan *plan = plan_example(&arena, "examples/resnet50.rn", NULL, 2);
    CU_ASSERT_EQUAL(count_steps(plan, ALG_POINTWISE) + count_steps(plan, ALG_DIRECT), 49);
    CU_ASSERT_EQUAL(count_steps(plan, ALG_MAP), 0);
    CU_ASSERT_EQUAL(count_steps(plan, ALG_POOL), 0);
    CU_ASSERT_EQUAL(count_steps(plan, ALG_COPY), 0);
    int terms = 0, in_place = 0;
    for (int i = 0; i < plan->step_count; i++) {
        const Node *n = plan->steps[i].node;
        if (!n) continue;
        terms += n->nin == 2;
        in_place += n->epilogue.in_place;
    }
    CU_ASSERT_EQUAL(terms, 4);     /* each stage's projection */
    CU_ASSERT_EQUAL(in_place, 11); /* 12 identity shortcuts; the last block is pooled, never stored */
    const Plan *unfused = plan_example(&arena, "examples/resnet50.rn", NULL, 0);
    CU_ASSERT_EQUAL(count_steps(unfused, ALG_POINTWISE) + count_steps(unfused, ALG_DIRECT), 53);
    CU_ASSERT_EQUAL(count_steps(unfused, ALG_MAP), 53 + 49 + 16); /* batch norms, ReLUs, additions */
    CU_ASSERT_EQUAL(count_steps(unfused, ALG_POOL), 2);
    arena_free(&arena);
}

/* VGG's and PReLU-net's pools are in the convolutions before; Winograd's tiles hold whole windows, or all are at hand.
 */
static void test_pools_are_fused(void) {
    static const char *const paths[] = {"examples/vgg16.rn", "examples/prelu_net_a.rn"};
    static const int pools[] = {5, 3};
    for (int i = 0; i < 4; i++) {
        Arena arena = {0};
        Graph *graph = example_load(&arena, paths[i / 2], NULL);
        passes_run(graph, &(PassOptions){.level = 2});
        const bool winograd = i % 2;
        const Plan *plan =
            plan_make(&arena, graph, &(PlanOptions){.isa = 4, .batch = 1, .reuse_memory = true, .winograd = winograd});
        CU_ASSERT_EQUAL(count_steps(plan, ALG_POOL), 0);
        int pooled = 0, tiled = 0, fetch = 0;
        for (int k = 0; k < plan->step_count; k++) {
            const Step *s = &plan->steps[k];
            if (!s->node || s->node->epilogue.pool != POOL_MAX || s->algorithm == ALG_TRANSFORM) continue;
            pooled++;
            if (s->algorithm == ALG_DIRECT) CU_ASSERT_EQUAL(conv_plan(s)->chunk_rows % 2, 0);
            if (s->algorithm != ALG_WINOGRAD) continue;
            const WinogradPlan *w = winograd_plan(s);
            tiled++;
            fetch += w->fetch;
            CU_ASSERT(!w->fetch || w->blocks > 1);
            CU_ASSERT_EQUAL(w->pool_image, w->h.m % 2 || w->w.m % 2);
            CU_ASSERT(!w->pool_image || w->blocks == 1);
        }
        CU_ASSERT_EQUAL(pooled, pools[i / 2]);
        CU_ASSERT(winograd ? tiled >= 2 : !tiled);
        if (i == 1) { /* VGG's large images do not stay in L2: the next block's pixels are fetched */
            Text text = {0};
            emit_c(plan, &emit_options, &text);
            CU_ASSERT_EQUAL(fetch, 2);
            CU_ASSERT(count_text(text.s, "fetch(") >= 3); /* its definition, too */
            text_free(&text);
        }
        arena_free(&arena);
    }
}

/* Stems take 2 x 2 pixels as one, pooled from rows of tiles; direct ones stay as they are. */
static void test_stems_are_deep(void) {
    static const char *const paths[] = {"examples/resnet18.rn", "examples/googlenet.rn", "examples/bn_inception.rn"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        for (int isa = 3; isa <= 4; isa++) {
            Arena arena = {0};
            Graph *graph = example_load(&arena, paths[i], NULL);
            passes_run(graph, &(PassOptions){.level = 2});
            const PlanOptions options = {
                .isa = isa, .batch = 1, .reuse_memory = true, .winograd = true, .tolerance = 1e-4};
            const Plan *plan = plan_make(&arena, graph, &options);
            const Step *stem = &plan->steps[1];
            CU_ASSERT_EQUAL_FATAL(stem->algorithm, ALG_WINOGRAD);
            CU_ASSERT_EQUAL(winograd_plan(stem)->side, 2);
            CU_ASSERT_EQUAL(winograd_plan(stem)->channels, 16);
            CU_ASSERT_EQUAL(winograd_plan(stem)->h.r, 4);
            CU_ASSERT(winograd_plan(stem)->pool_rows && winograd_plan(stem)->carried > 0);
            plan = plan_make(&arena, graph, &(PlanOptions){.isa = isa, .batch = 1, .reuse_memory = true});
            CU_ASSERT_EQUAL(plan->steps[1].algorithm, ALG_DIRECT);
            arena_free(&arena);
        }
}

/* Convolutions of one shape share their candidates, but not where a pool drops the last row of one and not of the
 * other: tiles whose pool stands apart must be all of the image's. */
static void test_pools_of_two_kinds(void) {
    static const char text[] = "network t\ninput %0 512x11x11 image\n\n@0 = param 512x512x3x3 name a.weight\n"
                               "@1 = param 512x512x3x3 name b.weight\n\n"
                               "%1 a = conv(%0 * @0 3x3 pad 1) -> maxpool 2x2 /2 hides c\n"
                               "%2 b = conv(%0 * @1 3x3 pad 1) -> maxpool 2x2 /2 ceil hides d\noutput %1\noutput %2\n";
    Arena arena = {0};
    Diag diag = {0};
    Source source = {"t.ir", text, sizeof text - 1};
    Graph *graph = irtext_parse(&arena, &source, &diag);
    CU_ASSERT_PTR_NOT_NULL_FATAL(graph);
    const Plan *plan =
        plan_make(&arena, graph, &(PlanOptions){.isa = 4, .batch = 1, .reuse_memory = true, .winograd = true});
    int found = 0;
    for (int k = 0; k < plan->step_count; k++)
        if (plan->steps[k].algorithm == ALG_WINOGRAD) {
            const WinogradPlan *w = winograd_plan(&plan->steps[k]);
            CU_ASSERT(!w->pool_image || w->blocks == 1);
            found += w->pool_image;
        }
    CU_ASSERT(found > 0);
    arena_free(&arena);
}

/* Concatenation by placement: no copies in Inception and DenseNet. */
static void test_concat_is_placed(void) {
    static const char *const paths[] = {"examples/googlenet.rn", "examples/bn_inception.rn", "examples/densenet121.rn"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        Arena arena = {0};
        const Plan *plan = plan_example(&arena, paths[i], NULL, 2);
        CU_ASSERT_EQUAL(count_steps(plan, ALG_COPY), 0);
        CU_ASSERT(count_steps(plan_example(&arena, paths[i], NULL, 0), ALG_COPY) > 20);
        arena_free(&arena);
    }
}

/* RepVGG's three branches become one convolution; option A multiplies nothing. */
static void test_linear_folding(void) {
    Arena arena = {0};
    const Plan *plan = plan_example(&arena, "examples/repvgg_a0.rn", NULL, 2);
    CU_ASSERT_EQUAL(count_steps(plan, ALG_DIRECT) + count_steps(plan, ALG_POINTWISE), 22);
    CU_ASSERT_EQUAL(count_steps(plan, ALG_MAP), 0);
    plan = plan_example(&arena, "examples/cifar/resnet20.rn", NULL, 2);
    CU_ASSERT_EQUAL(count_steps(plan, ALG_MAP) + count_steps(plan, ALG_POOL) + count_steps(plan, ALG_COPY), 0);
    arena_free(&arena);
}

/* Without reuse each value has its own place; with it the arena is several times smaller. */
static void test_reuse_memory(void) {
    Arena arena = {0};
    PassOptions passes = {.level = 2};
    CU_ASSERT(pass_enabled(&passes, PASS_reuse_memory));
    CU_ASSERT(pass_enabled(&(PassOptions){.level = 0}, PASS_reuse_memory));
    CU_ASSERT_FATAL(pass_option_set(&passes, "no-reuse-memory"));
    CU_ASSERT(!pass_enabled(&passes, PASS_reuse_memory));
    Graph *graph = example_load(&arena, "examples/resnet18.rn", NULL);
    passes_run(graph, &passes);
    const Plan *plan = plan_make(&arena, graph, &(PlanOptions){.isa = 4, .batch = 1, .reuse_memory = false});
    int64_t all = 0;
    for (int i = 0; i < plan->buffer_count; i++) all += plan->buffers[i].bytes;
    CU_ASSERT_EQUAL(plan->arena_bytes, all);
    CU_ASSERT(all > 2 * plan->live_bytes);
    arena_free(&arena);
}

static Plan *plan_batch(Arena *arena, const char *path, int batch, int threads) {
    Graph *graph = example_load(arena, path, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(graph);
    passes_run(graph, &(PassOptions){.level = 2});
    return plan_make(
        arena, graph,
        &(PlanOptions){
            .isa = 4, .batch = batch, .threads = threads, .reuse_memory = true, .whole_batch = true, .winograd = true});
}

/* A batch: the last layers take a group of images at once, and what they touch is kept for each image. */
static void test_last_layers(void) {
    static const char *const paths[] = {"examples/resnet18.rn", "examples/vgg16.rn", "examples/googlenet.rn"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        Arena arena = {0};
        const Plan *plan = plan_batch(&arena, paths[i], 8, 1);
        CU_ASSERT(plan->group == 8 || plan->group == 4);
        CU_ASSERT(plan->last_step > plan->step_count / 4 && plan->last_step < plan->step_count - 3);
        for (int k = 0; k < plan->step_count; k++) {
            const Step *s = &plan->steps[k];
            const bool last = k >= plan->last_step;
            if (s->algorithm == ALG_FC) CU_ASSERT_EQUAL(s->images, plan->group); /* weights are read once for all */
            if (s->images > 1) CU_ASSERT(last);
            for (int i = 0; last && i < s->operand_count; i++)
                if (s->operands[i].room == ROOM_VALUE) CU_ASSERT(plan_value(plan, s->operands[i].value)->kept);
            if (s->algorithm != ALG_WINOGRAD) continue;
            CU_ASSERT_EQUAL(s->images, last ? plan->group : 1);
            CU_ASSERT_EQUAL(winograd_plan(s)->images, s->images);
            CU_ASSERT(!last || winograd_plan(s->one)->images == 1);
        }
        check_memory(paths[i], plan);
        const int64_t kept = check_region(plan, true, plan->kept_bytes);
        CU_ASSERT(kept > 0 && plan->kept_bytes <= kept * 105 / 100);
        CU_ASSERT_EQUAL(plan->kept_bytes / CACHE_LINE % 2, 1);
        const Plan *one = plan_batch(&arena, paths[i], 1, 1);
        CU_ASSERT_EQUAL(one->group, 1);
        CU_ASSERT_EQUAL(one->last_step, one->step_count);
        arena_free(&arena);
    }
    Arena arena = {0};
    const int group = plan_batch(&arena, "examples/vgg16.rn", 100, 1)->group;
    CU_ASSERT(group > 1 && group <= 32);
    CU_ASSERT_EQUAL(divide_up(100, divide_up(100, group)), group); /* even groups */
    arena_free(&arena);
}

static int most_products_at_7x7(const Plan *plan) {
    int most = 0;
    for (int k = 0; k < plan->step_count; k++)
        if (plan->steps[k].algorithm == ALG_WINOGRAD && plan->steps[k].in[0]->shape.h == 7 &&
            winograd_products(winograd_plan(&plan->steps[k])) > most)
            most = winograd_products(winograd_plan(&plan->steps[k]));
    return most;
}

/* What profile sets against the memory's rate: the layers' packed weights are the packed file, but for the vectors. */
static void test_weight_bytes(void) {
    for (int batch = 1; batch <= 8; batch += 7) {
        Arena arena = {0};
        Graph *graph = example_load(&arena, "examples/resnet50.rn", NULL);
        passes_run(graph, &(PassOptions){.level = 2});
        const Plan *plan = plan_make(&arena, graph,
                                     &(PlanOptions){.isa = 4,
                                                    .batch = batch,
                                                    .reuse_memory = true,
                                                    .whole_batch = true,
                                                    .winograd = true,
                                                    .strassen = true,
                                                    .tolerance = 1e-4});
        int64_t bytes = 0;
        int methods = 0;
        for (int k = 0; k < plan->step_count; k++) {
            const Step *s = &plan->steps[k];
            bytes += step_weight_bytes(s);
            methods |= 1 << s->algorithm;
            CU_ASSERT(step_bytes(s) >= step_weight_bytes(s) / s->images);
        }
        CU_ASSERT(methods & 1 << ALG_POINTWISE && methods & 1 << ALG_WINOGRAD && methods & 1 << ALG_STRASSEN);
        CU_ASSERT(bytes <= (int64_t)plan->recipe.packed_size);
        CU_ASSERT(bytes >= (int64_t)plan->recipe.packed_size * 999 / 1000);
        arena_free(&arena);
    }
}

/* Threads share the memory: where it is the limit, they take tiles with fewer products, hence fewer weights. */
static void test_choices_for_threads(void) {
    Arena arena = {0};
    const int one = most_products_at_7x7(plan_batch(&arena, "examples/resnet18.rn", 1, 1)),
              four = most_products_at_7x7(plan_batch(&arena, "examples/resnet18.rn", 1, 4));
    CU_ASSERT(one >= 24 && four < one);
    arena_free(&arena);
}

/* Chunks leave room for a pass's weights and the next one's in L2, and are smaller where L2 is; few weights are read
 * again and again, so that pixels and results stay near L1. */
static int chunk_of(const char *tuning, const char *name) {
    Arena arena = {0};
    const char *trouble = NULL;
    Graph *graph = example_load(&arena, "examples/resnet50.rn", NULL);
    passes_run(graph, &(PassOptions){.level = 2});
    const PlanOptions options = {
        .isa = 4, .machine = machine_parse(tuning, (rn_isa)4, &arena, &trouble), .batch = 1, .reuse_memory = true};
    const Plan *plan = plan_make(&arena, graph, &options);
    int rows = 0;
    for (int i = 0; i < plan->step_count; i++)
        if (!strcmp(plan->steps[i].name, name)) rows = conv_plan(&plan->steps[i])->chunk_rows;
    arena_free(&arena);
    return rows;
}

static void test_chunks(void) {
    /* 3x3, 128 channels of 64 at 28x28: 295 KB a pass */
    const int large = chunk_of("generic,l2_size=4M", "layer2.1.conv2"),
              usual = chunk_of("generic,l2_size=768K", "layer2.1.conv2");
    CU_ASSERT_EQUAL(large, 28);
    CU_ASSERT(usual < large && usual >= 4);
    CU_ASSERT_EQUAL(chunk_of("generic,l2_size=768K", "layer1.1.conv1"), 1);
    CU_ASSERT(chunk_of("generic,l2_size=64K", "layer1.1.conv1") >= 4); /* its 64 KB of weights are no small part */
}

/* A layer of one panel, ResNet-50's first 1x1, is cut for the threads; so are five chunks. */
static void test_divided(void) {
    for (int threads = 0; threads <= 4; threads++) {
        Arena arena = {0};
        Graph *graph = example_load(&arena, "examples/resnet50.rn", NULL);
        CU_ASSERT_PTR_NOT_NULL_FATAL(graph);
        passes_run(graph, &(PassOptions){.level = 2});
        const Plan *plan = plan_make(&arena, graph, &(PlanOptions){.isa = 4, .batch = 1, .threads = threads});
        int seen = 0;
        for (int i = 0; i < plan->step_count; i++) {
            const Step *s = &plan->steps[i];
            if (s->algorithm != ALG_POINTWISE || s->out->shape.h != 56) continue;
            const ConvPlan *c = conv_plan(s);
            const int units = divide_up(c->rows, c->chunk_rows) * c->panels.count, parts = threads > 1 ? threads : 2;
            CU_ASSERT(divide_up(units, parts) * parts <= 1.03 * units);
            seen++;
        }
        CU_ASSERT(seen >= 7);
        arena_free(&arena);
    }
}

/* MobileNetV2's layers of 96, 160 and 320 channels, of which full panels are 2, 3 and 5: two threads have equal parts.
 */
static void test_even_panels(void) {
    Arena arena = {0};
    Graph *graph = example_load(&arena, "examples/mobilenet_v2.rn", NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(graph);
    passes_run(graph, &(PassOptions){.level = 2});
    const Plan *plan = plan_make(&arena, graph, &(PlanOptions){.isa = 4, .batch = 1, .threads = 2});
    int seen = 0;
    for (int i = 0; i < plan->step_count; i++) {
        const Step *s = &plan->steps[i];
        if (s->algorithm != ALG_POINTWISE) continue;
        const ConvPlan *c = conv_plan(s);
        const int units = divide_up(c->rows, c->chunk_rows) * c->panels.count, features = s->node->features;
        double part[2] = {0, 0};
        for (int u = 0; u < units; u++) {
            const int channel = u % c->panels.count * c->panels.width, row = u / c->panels.count * c->chunk_rows;
            const double channels = fmin(c->panels.width, features - channel);
            part[u >= units / 2] += channels * fmin(c->chunk_rows, c->rows - row);
        }
        const bool even = fmax(part[0], part[1]) <= 0.58 * features * c->rows;
        if (!even) printf("\n%s: %g and %g of its results\n", s->name, part[0], part[1]);
        CU_ASSERT(even);
        seen += c->panels.count > 1;
    }
    CU_ASSERT(seen >= 20);
    arena_free(&arena);
}

/* The limit is of the weights that are multiplied at once: those for 80 outputs, with groups for whole groups. */
static void test_fits(void) {
    static const struct {
        const char *layers, *message; /* NULL: fits */
    } cases[] = {
        {"input 8192x16x16; conv 8192, 5x5 pad 2 groups 2", NULL},
        {"input 8192x46x46; conv 8192, 46x46 groups 8192", NULL}, /* 64 outputs of all channels would not */
        {"input 8192x46x46; conv 128, 46x46 groups 64", NULL},
        {"input 123360x32x32; conv 34, 32x32 groups 2", "weights for 32 outputs, 61680x32x32, would take 8.08 GB"},
        {"input 8192x50x50; conv 65, 50x50", "weights for 80 outputs, 8192x50x50, would take 6.55 GB"},
        {"input 8192x50x50; conv 48, 50x50", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Arena arena = {0};
        Text said = {0};
        Diag diag = {.capture = &said};
        const Graph *graph = example_source(&arena, arena_printf(&arena, "network n { %s }", cases[i].layers));
        CU_ASSERT_PTR_NOT_NULL_FATAL(graph);
        const bool fits = plan_fits(graph, &diag);
        const bool right = cases[i].message ? !fits && strstr(said.s, cases[i].message) : fits;
        if (!right) printf("%s: %d, %s\n", cases[i].layers, fits, said.s ? said.s : "");
        CU_ASSERT(right);
        const Plan *plan = fits ? plan_make(&arena, graph, &(PlanOptions){.isa = 4, .batch = 1}) : NULL;
        for (int k = 0; plan && k < plan->step_count; k++)
            if (plan->steps[k].algorithm == ALG_DIRECT)
                CU_ASSERT(conv_plan(&plan->steps[k])->term[0].panel_size <= INT_MAX / 2);
        text_free(&said);
        arena_free(&arena);
    }
}

/* Whether plan_check ends the process. */
static bool check_aborts(const Plan *plan) {
    fflush(stdout);
    const pid_t child = fork();
    if (!child) {
        freopen("/dev/null", "w", stderr);
        plan_check(plan);
        _exit(0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

/* Every plan is checked as it is made; a broken one of each kind is found. */
static void test_check(void) {
    Arena arena = {0};
    Plan *plan = plan_example(&arena, "examples/resnet18.rn", NULL, 2);
    Step *s = &plan->steps[3];
    CU_ASSERT(!check_aborts(plan));
    const Operand x = s->operands[0];
    s->operands[0].value = plan->graph->outputs[0]; /* which comes later */
    CU_ASSERT(check_aborts(plan));
    s->operands[0] = x;
    s->operands[0].offset = 2; /* not a float's */
    CU_ASSERT(check_aborts(plan));
    s->operands[0] = x;
    s->operands[0].role = OPERAND_Y; /* two results */
    CU_ASSERT(check_aborts(plan));
    s->operands[0] = x;
    for (int i = 0; i < s->operand_count; i++)
        if (s->operands[i].room == ROOM_WEIGHTS) s->operands[i].offset = (int64_t)plan->recipe.packed_size;
    CU_ASSERT(check_aborts(plan));
    plan = plan_example(&arena, "examples/resnet18.rn", NULL, 2);
    const Operand *from = &plan->steps[3].operands[0], *to = step_operand(&plan->steps[3], OPERAND_Y);
    plan->buffers[plan_value(plan, to->value)->buffer].offset =
        plan->buffers[plan_value(plan, from->value)->buffer].offset; /* a result over its input */
    CU_ASSERT(check_aborts(plan));
    arena_free(&arena);
}

void suite_plan(void) {
    CU_pSuite suite = CU_add_suite("plan", NULL, NULL);
    CU_add_test(suite, "broken plans", test_check);
    CU_add_test(suite, "chunks follow from L2", test_chunks);
    CU_add_test(suite, "units divide among the threads", test_divided);
    CU_add_test(suite, "panels divide among the threads", test_even_panels);
    CU_add_test(suite, "memory and algorithms of every example", test_every_example);
    CU_add_test(suite, "ResNet-1202's text", test_resnet1202_text);
    CU_add_test(suite, "ResNet-50 fused", test_resnet50_is_fused);
    CU_add_test(suite, "max-pools fused", test_pools_are_fused);
    CU_add_test(suite, "pools of two kinds", test_pools_of_two_kinds);
    CU_add_test(suite, "stems take pixels together", test_stems_are_deep);
    CU_add_test(suite, "concat by placement", test_concat_is_placed);
    CU_add_test(suite, "linear folding", test_linear_folding);
    CU_add_test(suite, "memory reuse", test_reuse_memory);
    CU_add_test(suite, "last layers of a batch", test_last_layers);
    CU_add_test(suite, "choices for threads", test_choices_for_threads);
    CU_add_test(suite, "layers' weights", test_weight_bytes);
    CU_add_test(suite, "what can be addressed", test_fits);
}
