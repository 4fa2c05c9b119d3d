/* What the line of calls of an emitted network is made with: compiler/emit/c/calls.h. */
#include <CUnit/CUnit.h>
#include <stdbool.h>
#include <string.h>

#include "rn_emitted.h"

void suite_calls(void);

/* ---- what differs from network to network ---- */
struct args {
    const rn_kernel *k;
    const float *x;
    float *y, *scratch;
};

static const rn_layer layers[2] = {{.value = "", .out = {1, 1, 1}}, {.value = "conv", .out = {3, 2, 2}}};
static const struct result { size_t offset, pixel, row; } results[2] = {{0, 0, 0}, {16, 12, 24}};
static const size_t kept_bytes = 40;

static struct args image_args(const struct args *first, int n, int part, size_t y_image) {
    return (struct args){
        .x = first->x + (size_t)n * 10, .y = first->y + (size_t)n * y_image, .scratch = first->scratch + part};
}

#include "emit/c/calls.h"

/* ---- a task that notes its parts ---- */
enum { PARTS = 3, IMAGES = 5 };

static void count_part(void *arg, int part, int parts) {
    const struct args *a = arg;
    a->y[0] += a->x[0] + (float)(part * 10 + parts);
}

typedef struct Shown {
    int calls, layer;
    rn_tensor out;
    bool whole;
} Shown;

static void note(void *user, int layer, const rn_tensor *out) {
    Shown *s = user;
    s->calls++, s->layer = layer, s->whole = out != NULL;
    if (out) s->out = *out;
}

/* One part after another: what a pool would do at once. */
static void in_turns(void *user, int n, rn_task fn, void *arg) {
    (void)user;
    for (int i = 0; i < n; i++) fn(arg, i, n);
}

static void test_step(void) {
    float x = 100, y = 0, arena[16] = {0};
    Shown shown = {0};
    rn_context rn = {.arena = arena, .threads = PARTS, .parallel = in_turns};
    step(&rn, 1, count_part, &(struct args){.x = &x, .y = &y});
    CU_ASSERT(y == 3 * 100 + (0 + 10 + 20) + 3 * PARTS);
    rn.layer = note, rn.layer_user = &shown;
    step(&rn, 1, count_part, &(struct args){.x = &x, .y = &y});
    CU_ASSERT(shown.calls == 1 && shown.layer == 1 && shown.whole && shown.out.data == (const void *)(arena + 4));
    CU_ASSERT(shown.out.images == 1 && shown.out.pixel == 12 && shown.out.row == 24 && shown.out.shape.c == 3);
    step(&rn, 0, count_part, &(struct args){.x = &x, .y = &y}); /* whose value is not complete */
    CU_ASSERT(shown.calls == 2 && shown.layer == 0 && !shown.whole);
}

static void test_groups(void) {
    float x = 100, y = 0, kept[10 * IMAGES] = {0};
    Shown shown = {0};
    rn_context rn = {.threads = PARTS, .parallel = in_turns, .layer = note, .layer_user = &shown};
    step_of(&rn, 1, 1, kept, 1, count_part, &(struct args){.x = &x, .y = &y}); /* alone: nothing is shown */
    CU_ASSERT(y == 101 && !shown.calls);
    step_of(&rn, 0, 1, kept, IMAGES, count_part, &(struct args){.x = &x, .y = &y});
    CU_ASSERT(y == 101 + 339 && shown.calls == 1 && shown.out.images == IMAGES && shown.out.image == kept_bytes);
    CU_ASSERT(shown.out.data == (const void *)(kept + 4));
}

/* Images divided among the threads, and each on all of them, where a hook looks or they are too few. */
static void test_each(void) {
    for (int hook = 0; hook < 2; hook++)
        for (int images = 1; images <= IMAGES; images++) {
            float x[10 * IMAGES] = {0}, y[2 * IMAGES] = {0}, scratch[PARTS];
            Shown shown = {0};
            rn_context rn = {.arena = x, .threads = PARTS, .parallel = in_turns};
            if (hook) rn.layer = note, rn.layer_user = &shown;
            for (int n = 0; n < IMAGES; n++) x[10 * n] = (float)(1000 * (n + 1));
            const struct args first = {.x = x, .y = y, .scratch = scratch};
            each(&rn, 1, x, images, 2, count_part, &first);
            const bool divided = !hook && images >= PARTS;
            for (int n = 0; n < IMAGES; n++) {
                const float whole = x[10 * n] + 1, in_parts = PARTS * x[10 * n] + 30 + PARTS * PARTS;
                CU_ASSERT(y[2 * n] == (n >= images ? 0 : divided ? whole : in_parts));
                CU_ASSERT(y[2 * n + 1] == 0);
            }
            CU_ASSERT(shown.calls == (hook ? images : 0));
            if (hook) CU_ASSERT(shown.out.data == (const void *)(x + 10 * (images - 1) + 4) && shown.out.images == 1);
        }
}

static void test_check(void) {
    const rn_model model = {.name = "net", .batch = 4};
    rn_context rn = {.model = &model};
    CU_ASSERT(check(&rn, 4, &rn, &rn) == RN_OK);
    CU_ASSERT(check(NULL, 1, &rn, &rn) == RN_ERROR_ARGUMENT);
    CU_ASSERT(check(&rn, 1, NULL, &rn) == RN_ERROR_ARGUMENT && !strcmp(rn.message, "net: no image"));
    CU_ASSERT(check(&rn, 1, &rn, NULL) == RN_ERROR_ARGUMENT && !strcmp(rn.message, "net: no output"));
    CU_ASSERT(check(&rn, 5, &rn, &rn) == RN_ERROR_ARGUMENT && !strcmp(rn.message, "net: batch 5 is not in 1..4"));
    CU_ASSERT(check(&rn, 0, &rn, &rn) == RN_ERROR_ARGUMENT);
}

void suite_calls(void) {
    CU_pSuite suite = CU_add_suite("calls", NULL, NULL);
    CU_add_test(suite, "a step and the layer hook", test_step);
    CU_add_test(suite, "groups of images", test_groups);
    CU_add_test(suite, "image by image", test_each);
    CU_add_test(suite, "whether a run may begin", test_check);
}
