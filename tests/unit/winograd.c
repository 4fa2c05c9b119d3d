/* Winograd's transforms: against the direct sum, exactly; their factored code's operations; packing; the error model
 * against measured errors; the choice of tiles within a budget.
 */
#include <CUnit/CUnit.h>
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "emit/transform.h"
#include "example.h"
#include "plan/linear.h"
#include "nets.h"
#include "passes/passes.h"
#include "plan/choose.h"
#include "plan/error.h"
#include "plan/winograd.h"
#include "rn_recipe.h"
#include "runtime/core/winograd.h"

void suite_winograd(void);

static double random_real(uint64_t *state) { /* splitmix64 */
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return (double)((z ^ z >> 31) >> 11) * 0x1p-53 * 2 - 1;
}

/* y = output ((kernel g) . (input x)) is the filter, for every F(m, r) at every stride that there is. */
static void test_identity(void) {
    uint64_t state = 1;
    int count = 0;
    for (int stride = 1; stride <= 3; stride++)
        for (int r = 1; r <= 7; r++)
            for (int m = 1; m <= 8; m++) {
                rn_winograd w;
                if (rn_winograd_make(&w, m, r, stride)) continue;
                count++;
                CU_ASSERT_EQUAL(w.span, (m - 1) * stride + r);
                double x[RN_WINOGRAD_MAX], g[RN_WINOGRAD_MAX], product[RN_WINOGRAD_MAX];
                for (int i = 0; i < w.span; i++) x[i] = random_real(&state);
                for (int i = 0; i < r; i++) g[i] = random_real(&state);
                for (int p = 0; p < w.n; p++) {
                    double a = 0, b = 0;
                    for (int j = 0; j < w.span; j++) a += w.input[p][j] * x[j];
                    for (int k = 0; k < r; k++) b += w.kernel[p][k] * g[k];
                    product[p] = a * b;
                }
                for (int i = 0; i < m; i++) {
                    double direct = 0, sum = 0;
                    for (int k = 0; k < r; k++) direct += g[k] * x[i * stride + k];
                    for (int p = 0; p < w.n; p++) sum += w.output[i][p] * product[p];
                    CU_ASSERT(fabs(sum - direct) < 1e-13);
                }
            }
    CU_ASSERT(count > 90);
    rn_winograd w;
    CU_ASSERT_EQUAL(rn_winograd_make(&w, 6, 3, 1), 0);
    CU_ASSERT_EQUAL(w.n, 8); /* minimal: m + r - 1 */
    CU_ASSERT_EQUAL(rn_winograd_make(&w, 4, 3, 2), 0);
    CU_ASSERT_EQUAL(w.n, 9); /* phases of 2 and 1 taps */
    CU_ASSERT_EQUAL(rn_winograd_make(&w, 8, 3, 1), -1);
    CU_ASSERT_EQUAL(rn_winograd_make(&w, 0, 3, 1), -1);
    CU_ASSERT_EQUAL(rn_winograd_make(&w, 17, 1, 1), -1);
}

/* What the emitted code multiplies by is exact in float. */
static void test_exact(void) {
    for (int m = 2; m <= 7; m++) {
        rn_winograd w;
        CU_ASSERT_EQUAL_FATAL(rn_winograd_make(&w, m, 3, 1), 0);
        for (int p = 0; p < w.n; p++) {
            for (int j = 0; j < w.span; j++) CU_ASSERT_EQUAL((double)(float)w.input[p][j], w.input[p][j]);
            for (int i = 0; i < m; i++) CU_ASSERT_EQUAL((double)(float)w.output[i][p], w.output[i][p]);
        }
    }
}

/* Pairing changes the operations, not the matrix. */
static void test_factored(void) {
    uint64_t state = 5;
    for (int m = 2; m <= 7; m++) {
        rn_winograd w;
        CU_ASSERT_EQUAL_FATAL(rn_winograd_make(&w, m, 3, 1), 0);
        const Linear l = linear_factor(w.input, w.n, w.span);
        double x[RN_WINOGRAD_MAX], in[RN_WINOGRAD_MAX], out[RN_WINOGRAD_MAX];
        int plain = 0;
        for (int j = 0; j < w.span; j++) x[j] = random_real(&state);
        for (int j = 0; j < w.span; j++) {
            const int k = l.column_pair[j];
            in[j] = k < 0 ? x[j] : k > j ? x[j] + x[k] : x[k] - x[j];
        }
        for (int i = 0; i < w.n; i++) {
            out[i] = 0;
            for (int j = 0; j < w.span; j++) out[i] += l.m[i][j] * in[j];
        }
        for (int i = 0; i < w.n; i++) {
            const int k = l.row_pair[i];
            const double got = k < 0 ? out[i] : k > i ? out[i] + out[k] : out[k] - out[i];
            double direct = 0;
            for (int j = 0; j < w.span; j++) direct += w.input[i][j] * x[j], plain += w.input[i][j] != 0;
            CU_ASSERT(fabs(got - direct) < 1e-12);
        }
        CU_ASSERT(l.operations < plain);
        if (m == 6) CU_ASSERT(l.operations <= 30); /* plain: 46 */
    }
}

/* [panel][product][C][width], each kernel transformed in both directions; missing output channels are zero. */
static void test_packed(void) {
    enum { K = 70, C = 3, PANEL = 64 };
    static float w[K * C * 9];
    uint64_t state = 9;
    for (int i = 0; i < K * C * 9; i++) w[i] = (float)random_real(&state);
    rn_winograd h, v;
    CU_ASSERT_EQUAL_FATAL(rn_winograd_make(&h, 4, 3, 1) || rn_winograd_make(&v, 2, 3, 1), 0);
    rn_recipe_step step = {.op = RN_PACK_WINOGRAD, .ndim = 4, .dim = {K, C, 3, 3}, .integer = {PANEL, 9, 2, 1}};
    CU_ASSERT_EQUAL(rn_recipe_pack_size(&step), 0);
    step.integer[1] = 4;
    const size_t bytes = rn_recipe_pack_size(&step);
    CU_ASSERT_EQUAL(bytes, (size_t)h.n * (size_t)v.n * C * 80 * sizeof(float));
    uint8_t *payload = malloc(bytes);
    memset(payload, 0xff, bytes);
    rn_recipe_pack(&step, w, payload);
    const float *packed = (const float *)(void *)payload;
    for (int k0 = 0; k0 < K; k0 += PANEL) {
        const int width = K - k0 < PANEL ? 16 : PANEL;
        for (int p = 0; p < h.n * v.n; p++)
            for (int c = 0; c < C; c++)
                for (int k = 0; k < width; k++, packed++) {
                    double sum = 0;
                    for (int t = 0; t < 9 && k0 + k < K; t++)
                        sum += h.kernel[p / v.n][t / 3] * v.kernel[p % v.n][t % 3] * w[((k0 + k) * C + c) * 9 + t];
                    CU_ASSERT(fabs(sum - *packed) <= 1e-6);
                }
    }
    free(payload);
}

/* One channel's F(m x m, 3 x 3) in float, summed over C channels; returns the error's root mean square over the
 * result's, and that of the tile's worst place. Half of the inputs are 0 (a rectifier's), or all are nearly the same.
 */
static double measured_error(const rn_winograd *w, int channels, bool even, double *worst) {
    double error = 0, size = 0, places[9][9] = {{0}};
    uint64_t state = 3;
    for (int run = 0; run < 40; run++) {
        float sum[9][9] = {{0}}, y[9][9];
        double exact[9][9] = {{0}};
        for (int c = 0; c < channels; c++) {
            float x[9][9], g[3][3], t[9][9], v[9][9], u[9][9];
            for (int i = 0; i < w->n; i++)
                for (int j = 0; j < w->n; j++)
                    x[i][j] = (float)(even ? 1 + 1e-3 * random_real(&state) : fmax(random_real(&state), 0));
            for (int i = 0; i < 9; i++) g[i / 3][i % 3] = (float)random_real(&state);
            for (int i = 0; i < w->m * w->m; i++)
                for (int k = 0; k < 9; k++)
                    exact[i / w->m][i % w->m] += (double)g[k / 3][k % 3] * x[i / w->m + k / 3][i % w->m + k % 3];
            for (int p = 0; p < w->n; p++)
                for (int q = 0; q < w->n; q++) {
                    double kernel = 0;
                    for (int k = 0; k < 9; k++) kernel += w->kernel[p][k / 3] * w->kernel[q][k % 3] * g[k / 3][k % 3];
                    u[p][q] = (float)kernel;
                    t[p][q] = 0;
                    for (int j = 0; j < w->n; j++) t[p][q] = fmaf((float)w->input[p][j], x[j][q], t[p][q]);
                }
            for (int p = 0; p < w->n; p++)
                for (int q = 0; q < w->n; q++) {
                    v[p][q] = 0;
                    for (int j = 0; j < w->n; j++) v[p][q] = fmaf((float)w->input[q][j], t[p][j], v[p][q]);
                    sum[p][q] = fmaf(u[p][q], v[p][q], sum[p][q]);
                }
        }
        float half[9][9];
        for (int i = 0; i < w->m; i++)
            for (int q = 0; q < w->n; q++) {
                half[i][q] = 0;
                for (int p = 0; p < w->n; p++) half[i][q] = fmaf((float)w->output[i][p], sum[p][q], half[i][q]);
            }
        for (int i = 0; i < w->m; i++)
            for (int k = 0; k < w->m; k++) {
                y[i][k] = 0;
                for (int q = 0; q < w->n; q++) y[i][k] = fmaf((float)w->output[k][q], half[i][q], y[i][k]);
                places[i][k] += pow((double)y[i][k] - exact[i][k], 2);
                error += pow((double)y[i][k] - exact[i][k], 2);
                size += pow(exact[i][k], 2);
            }
    }
    *worst = 0;
    for (int i = 0; i < w->m * w->m; i++) *worst = fmax(*worst, places[i / w->m][i % w->m]);
    *worst = sqrt(*worst * w->m * w->m / size);
    return sqrt(error / size);
}

/* The model's error of a layer against what its sums are off by. */
static void test_error_model(void) {
    static const int channels[] = {32, 128, 512};
    for (int m = 2; m <= 7; m++)
        for (int i = 0; i < 3; i++) {
            rn_winograd w;
            CU_ASSERT_EQUAL_FATAL(rn_winograd_make(&w, m, 3, 1), 0);
            const double predicted = error_of_products(channels[i]) * pow(rn_winograd_amplification(&w), 2);
            double worst;
            const double ratio = measured_error(&w, channels[i], false, &worst) / predicted;
            const int fine = ratio > 0.65 && ratio < 1.25;
            if (!fine) printf("\nF(%d,3), %d channels: measured / predicted = %g\n", m, channels[i], ratio);
            CU_ASSERT(fine);
        }
}

/* What an output sees of a layer that it is: the worst place of a tile. Pixels that are alike hardly lose anything. */
static void test_worst_place(void) {
    for (int m = 2; m <= 7; m++)
        for (int even = 0; even < 2; even++) {
            rn_winograd w;
            CU_ASSERT_EQUAL_FATAL(rn_winograd_make(&w, m, 3, 1), 0);
            double rough[RN_WINOGRAD_MAX], flat[RN_WINOGRAD_MAX], most[2] = {0, 0}, worst;
            rn_winograd_amplify(&w, rough, flat);
            for (int i = 0; i < m; i++) most[0] = fmax(most[0], rough[i]), most[1] = fmax(most[1], flat[i]);
            measured_error(&w, 128, even, &worst);
            /* of a rectifier's numbers 3 / 8 of the mean square are the mean's */
            const double said = even ? most[1] * most[1] : 0.625 * most[0] * most[0] + 0.375 * most[1] * most[1];
            const double sum = hypot(error_of_products(128),
                                     even ? fmin(1.25 * (m - 1), 5) * 0x1p-24 : 0); /* and the transforms' own */
            const double ratio = worst / (sum * sqrt(said));
            const int fine = ratio > 0.5 && ratio < 1.5;
            if (!fine) printf("\nF(%d,3), %s: measured / predicted = %g\n", m, even ? "even" : "rough", ratio);
            CU_ASSERT(fine);
        }
}

/* ---- choice ---- */
static Plan *plan_network(Arena *arena, double tolerance) {
    Graph *graph = example_load(arena, "examples/resnet18.rn", NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(graph);
    passes_run(graph, &(PassOptions){.level = 2});
    return plan_make(arena, graph, &(PlanOptions){.isa = 4, .batch = 1, .winograd = true, .tolerance = tolerance});
}

static int count_winograd(const Plan *plan) {
    int count = 0;
    for (int i = 0; i < plan->step_count; i++) count += plan->steps[i].algorithm == ALG_WINOGRAD;
    return count;
}

/* A tighter tolerance gives smaller tiles and a smaller predicted error, at last the smallest that there is. */
static void test_budget(void) {
    Arena arena = {0};
    const Plan *any = plan_network(&arena, 0), *usual = plan_network(&arena, 1e-4);
    CU_ASSERT(count_winograd(any) >= 14);
    CU_ASSERT(usual->predicted_error <= 1e-4);
    double last = any->predicted_error;
    int cautious = 0;
    for (double tolerance = last * 0.7; tolerance > 4e-6; tolerance *= 0.7) {
        const Plan *plan = plan_network(&arena, tolerance);
        CU_ASSERT(plan->predicted_error <= tolerance);
        CU_ASSERT(plan->predicted_error < last);
        last = plan->predicted_error;
        for (int i = 0; i < plan->graph->node_count; i++) cautious += plan->decisions[i].chosen > 0;
    }

    CU_ASSERT(cautious > 8);
    const Plan *strict = plan_network(&arena, 1e-9); /* cannot be kept */
    for (int i = 0; i < strict->graph->node_count; i++) {
        const Decision *d = &strict->decisions[i];
        for (int k = 0; k < d->count; k++) CU_ASSERT(d->added[k] >= d->added[d->chosen]);
    }
    arena_free(&arena);
}

static int only_direct(const void *user, const Plan *plan, const Node *node, Candidate *list) {
    (void)user, (void)plan;
    if (!winograd_may_be(node)) return 0;
    *list = (Candidate){{.algorithm = ALG_DIRECT}, {.us = 1, .measured = true}};
    return 1;
}

/* The direct sum, and tiles that are so many microseconds faster than its 100 with a larger error. */
static int two_ways(const void *user, const Plan *plan, const Node *node, Candidate *list) {
    if (!winograd_may_be(node)) return 0;
    const Choice tiles = {ALG_WINOGRAD, 7, 7, 4, 1};
    list[0] = (Candidate){tiles, cost_winograd(plan, node, &tiles, plan_images(plan, node))};
    list[0].cost.us = 100 - *(const double *)user;
    list[1] = (Candidate){{.algorithm = ALG_DIRECT}, {.us = 100}};
    return 2;
}

/* The smaller error is taken where it costs next to nothing. */
static void test_worth(void) {
    Arena arena = {0};
    for (int i = 0; i < 2; i++) {
        const double faster = i ? 3 : 0.4;
        Graph *graph = example_load(&arena, "examples/cifar/resnet20.rn", NULL);
        passes_run(graph, &(PassOptions){.level = 2});
        const Plan *plan = plan_make(&arena, graph,
                                     &(PlanOptions){.isa = 4,
                                                    .batch = 1,
                                                    .winograd = true,
                                                    .tolerance = 1e-2,
                                                    .candidates = two_ways,
                                                    .candidates_user = &faster});
        CU_ASSERT(i ? count_winograd(plan) >= 19 : count_winograd(plan) == 0);
    }
    arena_free(&arena);
}

/* Measured candidates go before the model's. */
static void test_given_candidates(void) {
    Arena arena = {0};
    Graph *graph = example_load(&arena, "examples/resnet18.rn", NULL);
    passes_run(graph, &(PassOptions){.level = 2});
    const Plan *plan =
        plan_make(&arena, graph, &(PlanOptions){.isa = 4, .batch = 1, .winograd = true, .candidates = only_direct});
    CU_ASSERT_EQUAL(count_winograd(plan), 0);
    arena_free(&arena);
}

/* The multiplications that are left, by hand, for one layer; and a whole network's are fewer than its source's. */
static void test_multiplications(void) {
    Arena arena = {0};
    const Plan *plan = plan_network(&arena, 0);
    int64_t left = 0, macs = 0;
    int seven = 0;
    for (int i = 0; i < plan->step_count; i++) {
        const Step *s = &plan->steps[i];
        left += s->multiplications, macs += s->macs;
        if (s->algorithm == ALG_WINOGRAD && winograd_plan(s)->h.m == 7 && winograd_plan(s)->w.m == 7 &&
            s->out->shape.h == 56)
            seven += s->multiplications == (int64_t)81 * 64 * 64 * 64;
    }
    CU_ASSERT_EQUAL(seven, 4);         /* layer1, 8 x 8 tiles of 9 x 9 products */
    CU_ASSERT_EQUAL(macs, 1814073344); /* the source's, as unit/counts has them */
    CU_ASSERT(left * 2 < macs);
    arena_free(&arena);
}

static int count_name(const char *text, const char *name) {
    int count = 0;
    const size_t n = strlen(name);
    for (const char *at = text; (at = strstr(at, name)) != NULL; at += n)
        count += !isdigit((unsigned char)at[n]) && (at == text || !isalnum((unsigned char)at[-1]));
    return count;
}

/* Every name that the code of a transform defines is used, and what it reads is what linear_reads says: a stride larger
 * than the kernel skips inputs, and of inputs that are only ever summed there is no difference. */
static void check_names(const double m[RN_WINOGRAD_MAX][RN_WINOGRAD_MAX], int rows, int columns, int *skipped,
                        int *sums) {
    Arena arena = {0};
    Text text = {0};
    const Linear l = linear_factor(m, rows, columns);
    emit_linear(&(Emit){.arena = &arena}, &l, &text);
    for (int i = 0; i < columns || i < rows; i++) {
        const char *p = arena_printf(&arena, "p%d", i), *q = arena_printf(&arena, "q%d", i);
        const int pairs = count_name(text.s, p);
        CU_ASSERT(pairs != 1);
        CU_ASSERT(count_name(text.s, q) != 1);
        if (i >= columns) continue;
        const int uses = count_name(text.s, arena_printf(&arena, "d%d", i));
        const bool read = uses > 0;
        CU_ASSERT(uses != 1);
        CU_ASSERT_EQUAL(read, linear_reads(&l, i));
        *skipped += !read;
        *sums += read && l.column_pair[i] >= 0 && !pairs;
    }
    text_free(&text);
    arena_free(&arena);
}

static void test_names(void) {
    int skipped = 0, sums = 0;
    for (int stride = 1; stride <= 7; stride++)
        for (int r = 1; r <= 7; r++)
            for (int m = 1; m <= 8; m++) {
                rn_winograd w;
                if (rn_winograd_make(&w, m, r, stride)) continue;
                check_names(w.input, w.n, w.span, &skipped, &sums);
                check_names(w.output, w.m, w.n, &skipped, &sums);
            }
    CU_ASSERT(skipped > 0);
    CU_ASSERT(sums > 0);
}

void suite_winograd(void) {
    CU_pSuite suite = CU_add_suite("winograd", NULL, NULL);
    CU_add_test(suite, "every F(m, r) is the filter", test_identity);
    CU_add_test(suite, "coefficients are exact in float", test_exact);
    CU_add_test(suite, "factored transforms", test_factored);
    CU_add_test(suite, "names in the code of transforms", test_names);
    CU_add_test(suite, "packed kernels", test_packed);
    CU_add_test(suite, "the error model holds", test_error_model);
    CU_add_test(suite, "the worst place of a tile", test_worst_place);
    CU_add_test(suite, "tiles within the error budget", test_budget);
    CU_add_test(suite, "a smaller error that costs little", test_worth);
    CU_add_test(suite, "given candidates are taken", test_given_candidates);
    CU_add_test(suite, "multiplications that are left", test_multiplications);
}
