/* The loader: the order of pictures as NumPy has it; the same bytes whatever threads, depth, ranks and where it begins;
 * broken pictures. */
#include <CUnit/CUnit.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "data_files.h"
#include "runtime/train/augment.h"

enum { H = 3, W = 4, FLOATS = H * W };

static rn_augmentation drawing; /* of the set's options */

static void draw_by(rn_augment augment, uint64_t seed) {
    drawing = rn_augmentation_of(&augment, seed);
}

/* A set of gray pictures of H x W, and options for it; to be closed by close_set */
static rn_loader_options open_set(uint32_t train, uint32_t test) {
    rn_data *data;
    data_folder_make();
    data_put_idx(train, test, H, W, 3, "");
    CU_ASSERT_EQUAL_FATAL(rn_data_open(&data, data_spec("idx"), NULL, 0), RN_OK);
    draw_by((rn_augment){0}, 3);
    rn_loader_options o = {.data = data, .batch = 4, .drawing = &drawing.drawing};
    o.recipe.input = (rn_shape){1, H, W};
    o.recipe.preprocess = (rn_preprocess){.order = RN_ORDER_GRAY, .range = 255, .std = {1}};
    return o;
}

static void close_set(const rn_loader_options *o) {
    rn_data_close((rn_data *)(uintptr_t)o->data);
    data_folder_remove();
}

static rn_loader *loader_for(const rn_loader_options *o) {
    rn_loader *loader;
    char error[RN_ERROR_SIZE] = "";
    if (rn_loader_create(&loader, o, error, sizeof error)) printf("%s\n", error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(loader);
    return loader;
}

static rn_batch next_of(rn_loader *loader) {
    rn_batch batch;
    CU_ASSERT_EQUAL_FATAL(rn_loader_next(loader, &batch, NULL, 0), RN_OK);
    return batch;
}

static void test_order(void) {
    static const uint32_t expected[5][4] = {{8, 1, 6, 9}, {5, 0, 7, 2}, {3, 8, 0, 6}, {1, 7, 5, 4}, {5, 8, 2, 4}};
    rn_loader_options o = open_set(10, 2);
    CU_ASSERT_EQUAL(rn_loader_epoch_steps(o.data, 4), 2);
    rn_loader *l = loader_for(&o);
    for (uint64_t step = 0; step < 5; step++) {
        const rn_batch b = next_of(l);
        CU_ASSERT(b.step == step && b.epoch == step / 2 && b.count == 4 && b.views == 1);
        CU_ASSERT_EQUAL((uintptr_t)b.images % 64, 0);
        for (int i = 0; i < 4; i++) {
            const uint32_t picture = expected[step][i];
            CU_ASSERT_EQUAL(b.pictures[i], picture);
            CU_ASSERT(b.labels[i].first == (int)picture % 3 && b.labels[i].second == (int)picture % 3);
            CU_ASSERT_EQUAL(b.labels[i].share, 1);
            for (int k = 0; k < FLOATS; k++) CU_ASSERT_DOUBLE_EQUAL(b.images[i * FLOATS + k], 10 * picture + k, 1e-4);
        }
    }
    rn_loader_destroy(l);
    close_set(&o);
}

/* The views are those of the picture in its epoch. */
static void test_views(void) {
    rn_loader_options o = open_set(10, 2);
    draw_by((rn_augment){.pad = 2, .crop = 1, .mirror = 1}, 3);
    rn_loader *l = loader_for(&o);
    rn_scratch scratch = {0};
    for (int step = 0; step < 6; step++) {
        const rn_batch b = next_of(l);
        for (int i = 0; i < 4; i++) {
            rn_picture p;
            rn_view v;
            float expected[FLOATS];
            CU_ASSERT_EQUAL_FATAL(rn_data_picture(o.data, RN_TRAIN, b.pictures[i], &p, NULL, 0), RN_OK);
            rn_view_draw(&v, &o.recipe, &drawing.augment, p.shape, drawing.seed, (uint32_t)step / 2, b.pictures[i]);
            CU_ASSERT_EQUAL_FATAL(rn_view_apply(&v, &o.recipe, &p, &scratch, expected), RN_OK);
            CU_ASSERT(!memcmp(expected, b.images + i * FLOATS, sizeof expected));
        }
    }
    rn_scratch_free(&scratch);
    rn_loader_destroy(l);
    close_set(&o);
}

/* Photographs that become small are decoded small, to nearly the same pictures: of a smooth one every colour is within
 * two of 255 of where it would be; where a part begins between two pixels of the small one, within four. */
static void test_large_jpegs(void) {
    enum { SIDE = 16, PICTURES = 4 };
    rn_data *data;
    data_folder_make();
    for (int i = 0; i < PICTURES; i++) {
        char name[32];
        snprintf(name, sizeof name, "train/%c/%d.jpg", i % 2 ? 'a' : 'b', i);
        data_put_jpeg(name, 88 + 8 * i, 120);
    }
    data_put_jpeg("test/a/1.jpg", 88, 88);
    CU_ASSERT_EQUAL_FATAL(rn_data_open(&data, data_spec("folder"), NULL, 0), RN_OK);
    for (int area = 0; area < 2; area++) {
        rn_loader_options o = {.data = data, .batch = PICTURES, .drawing = &drawing.drawing};
        o.recipe.input = (rn_shape){3, SIDE, SIDE};
        o.recipe.preprocess = (rn_preprocess){.range = 255, .std = {1, 1, 1}};
        draw_by(area ? (rn_augment){.area_min = 0.3, .area_max = 1}
                     : (rn_augment){.scale_min = 17, .scale_max = 40, .crop = 1, .mirror = 1},
                1);
        rn_loader *l = loader_for(&o);
        rn_scratch scratch = {0};
        for (int step = 0; step < 8; step++) {
            const rn_batch b = next_of(l);
            for (int i = 0; i < PICTURES; i++) {
                rn_picture p;
                rn_view v;
                float whole[3 * SIDE * SIDE];
                CU_ASSERT_EQUAL_FATAL(rn_data_picture(data, RN_TRAIN, b.pictures[i], &p, NULL, 0), RN_OK);
                rn_view_draw(&v, &o.recipe, &drawing.augment, p.shape, drawing.seed, (uint32_t)step, b.pictures[i]);
                CU_ASSERT(rn_view_reduction(&v) > 1);
                CU_ASSERT_EQUAL_FATAL(rn_view_apply(&v, &o.recipe, &p, &scratch, whole), RN_OK);
                for (int k = 0; k < 3 * SIDE * SIDE; k++)
                    CU_ASSERT_DOUBLE_EQUAL(b.images[i * 3 * SIDE * SIDE + k], whole[k], area ? 4 : 2);
                rn_picture_free(&p);
            }
        }
        rn_scratch_free(&scratch);
        rn_loader_destroy(l);
    }
    rn_data_close(data);
    data_folder_remove();
}

/* Everything of a batch, as one number */
static uint64_t digest(const rn_batch *b) {
    const size_t images = (size_t)b->count * (size_t)b->views * FLOATS;
    return XXH3_64bits(b->images, images * sizeof *b->images) ^
           XXH3_64bits_withSeed(b->labels, (size_t)b->count * sizeof *b->labels, 1) ^
           XXH3_64bits_withSeed(b->pictures, (size_t)b->count * sizeof *b->pictures, 2) ^ b->step << 20 ^ b->epoch;
}

static const rn_augment everything = {.pad = 1, .crop = 1, .mirror = 1, .scale_min = 3, .scale_max = 6, .mixup = 0.4};

static void test_threads_and_depth(void) {
    enum { STEPS = 17 };
    static const int threads[] = {1, 2, 3, 7}, depths[] = {1, 2, 0, 9};
    rn_loader_options o = open_set(101, 2);
    o.batch = 25;
    draw_by(everything, 3);
    uint64_t alone[STEPS];
    for (int t = 0; t < 4; t++)
        for (int d = 0; d < 4; d++) {
            o.threads = threads[t];
            o.depth = depths[d];
            rn_loader *l = loader_for(&o);
            for (int s = 0; s < STEPS; s++) {
                const rn_batch b = next_of(l);
                if (!t && !d) alone[s] = digest(&b);
                CU_ASSERT_EQUAL(digest(&b), alone[s]);
            }
            rn_loader_destroy(l);
        }
    for (int s = 0; s < STEPS; s++) /* where training goes on it goes on with these */
        if (s % 5 == 3) {
            o.first_step = (uint64_t)s;
            rn_loader *l = loader_for(&o);
            const rn_batch b = next_of(l);
            CU_ASSERT_EQUAL(digest(&b), alone[s]);
            rn_loader_destroy(l);
        }
    CU_ASSERT_NOT_EQUAL(alone[0], alone[1]);
    o.first_step = 0;
    drawing.seed++;
    rn_loader *l = loader_for(&o);
    const rn_batch b = next_of(l);
    CU_ASSERT_NOT_EQUAL(digest(&b), alone[0]);
    rn_loader_destroy(l);
    close_set(&o);
}

/* The shares of any number of ranks, one after another, are the batch of one; pairs of mixup lie in two shares too. */
static void test_ranks(void) {
    enum { BATCH = 22, STEPS = 4 };
    static const int ranks[] = {2, 4, 3, 23};
    rn_loader_options o = open_set(50, 2);
    o.batch = BATCH;
    draw_by(everything, 3);
    for (int k = 0; k < 4; k++) {
        rn_loader *whole = loader_for(&o), *part[BATCH + 1];
        rn_loader_options p = o;
        p.ranks = ranks[k];
        for (p.rank = 0; p.rank < p.ranks; p.rank++) {
            p.threads = 1 + p.rank % 2;
            part[p.rank] = loader_for(&p);
        }
        for (int s = 0; s < STEPS; s++) {
            const rn_batch all = next_of(whole);
            int at = 0;
            for (int r = 0; r < p.ranks; r++) {
                const rn_batch b = next_of(part[r]);
                CU_ASSERT_FATAL(at + b.count <= BATCH && b.step == all.step);
                CU_ASSERT(!memcmp(b.images, all.images + at * FLOATS, (size_t)b.count * FLOATS * sizeof(float)));
                CU_ASSERT(!memcmp(b.labels, all.labels + at, (size_t)b.count * sizeof *b.labels));
                at += b.count;
            }
            CU_ASSERT_EQUAL(at, BATCH);
        }
        for (int r = 0; r < p.ranks; r++) rn_loader_destroy(part[r]);
        rn_loader_destroy(whole);
    }
    close_set(&o);
}

static void test_mixup(void) {
    rn_loader_options o = open_set(10, 2);
    o.batch = 5; /* two pairs, and one that stays alone */
    drawing.seed = 13;
    rn_loader *plain = loader_for(&o);
    const rn_augmentation mixing = rn_augmentation_of(&(rn_augment){.mixup = 0.2}, 13);
    o.drawing = &mixing.drawing;
    rn_loader *mixed = loader_for(&o);
    const rn_batch a = next_of(plain), b = next_of(mixed);
    static const float shares[2] = {0.77327123f, 0.99148368f}; /* of Python, see unit/augment */
    for (int i = 0; i < 4; i++) {
        const int other = i ^ 1;
        const float share = shares[i / 2];
        CU_ASSERT_DOUBLE_EQUAL(b.labels[i].share, share, 1e-6);
        CU_ASSERT(b.labels[i].first == a.labels[i].first && b.labels[i].second == a.labels[other].first);
        for (int k = 0; k < FLOATS; k++)
            CU_ASSERT_DOUBLE_EQUAL(b.images[i * FLOATS + k],
                                   share * a.images[i * FLOATS + k] + (1 - share) * a.images[other * FLOATS + k], 1e-3);
    }
    CU_ASSERT(b.labels[4].share == 1 && !memcmp(a.images + 4 * FLOATS, b.images + 4 * FLOATS, FLOATS * sizeof(float)));
    rn_loader_destroy(plain);
    rn_loader_destroy(mixed);
    close_set(&o);
}

static void test_test_set(void) {
    rn_loader_options o = open_set(10, 11);
    o.split = RN_TEST;
    draw_by(everything, 3); /* of training pictures alone */
    o.threads = 3;
    rn_loader *l = loader_for(&o);
    for (int k = 0; k < 3; k++) {
        const rn_batch b = next_of(l);
        CU_ASSERT(b.step == (uint64_t)k && b.count == (k < 2 ? 4 : 3));
        for (int i = 0; i < b.count; i++) {
            CU_ASSERT(b.pictures[i] == (uint32_t)(4 * k + i) && b.labels[i].first == (4 * k + i) % 2);
            CU_ASSERT_DOUBLE_EQUAL(b.images[i * FLOATS + 5], 205, 1e-4);
        }
    }
    for (int k = 0; k < 6; k++) CU_ASSERT_EQUAL(next_of(l).count, 0);
    rn_loader_destroy(l);

    o.crops = 10; /* of pictures twice as large */
    o.scales[0] = 6;
    o.scale_count = 1;
    l = loader_for(&o);
    const rn_batch b = next_of(l);
    CU_ASSERT(b.count == 4 && b.views == 10);
    const float *crops = b.images + 10 * FLOATS;                       /* of the second picture */
    CU_ASSERT_DOUBLE_EQUAL(crops[1 * FLOATS], 200, 1e-4);              /* the upper left corner */
    CU_ASSERT_DOUBLE_EQUAL(crops[4 * FLOATS + FLOATS - 1], 211, 1e-4); /* the lower right one */
    CU_ASSERT_DOUBLE_EQUAL(crops[6 * FLOATS + W - 1], 200, 1e-4);      /* the upper left one from behind */
    rn_loader_destroy(l);
    close_set(&o);
}

/* ---- broken pictures ---- */

typedef struct Log {
    int count;
    char text[8][RN_ERROR_SIZE];
} Log;

static void log_text(void *user, const char *text) {
    Log *log = user;
    if (log->count < 8) snprintf(log->text[log->count], RN_ERROR_SIZE, "%s", text);
    log->count++;
}

/* Eight pictures for training, numbers 2, 3 and 7 broken, and three to test, number 1 broken */
static rn_loader_options open_broken(void) {
    rn_data *data;
    data_folder_make();
    for (int i = 0; i < 8; i++) {
        char name[32];
        snprintf(name, sizeof name, "train/%c/%d.png", i < 4 ? 'a' : 'b', i);
        if (i == 2 || i == 3 || i == 7)
            data_put(name, "broken", 6);
        else
            data_put_png(name, H, W, 10 * i);
    }
    data_put_png("test/a/1.png", H, W, 100);
    data_put("test/b/1.png", "broken", 6);
    data_put_png("test/b/2.png", H, W, 101);
    CU_ASSERT_EQUAL_FATAL(rn_data_open(&data, data_spec("folder"), NULL, 0), RN_OK);
    draw_by((rn_augment){0}, 1);
    rn_loader_options o = {.data = data, .batch = 8, .drawing = &drawing.drawing};
    o.recipe.input = (rn_shape){3, H, W};
    o.recipe.preprocess = (rn_preprocess){.range = 255, .std = {1, 1, 1}};
    return o;
}

static void test_broken_is_an_error(void) {
    rn_loader_options o = open_broken();
    char first[RN_ERROR_SIZE] = "", again[RN_ERROR_SIZE];
    for (o.threads = 1; o.threads < 5; o.threads++) {
        rn_batch b;
        rn_loader *l = loader_for(&o);
        CU_ASSERT_EQUAL(rn_loader_next(l, &b, again, sizeof again), RN_ERROR_FORMAT);
        CU_ASSERT(b.count == 0 && strstr(again, ".png: neither a PNG nor a JPEG picture") != NULL);
        if (!*first) strcpy(first, again);
        CU_ASSERT_STRING_EQUAL(again, first);
        CU_ASSERT_EQUAL(rn_loader_next(l, &b, again, sizeof again), RN_ERROR_FORMAT);
        CU_ASSERT_STRING_EQUAL(again, first);
        rn_loader_destroy(l);
    }
    close_set(&o);
}

static void test_broken_is_skipped(void) {
    static const uint32_t stands_in[8] = {0, 1, 4, 4, 4, 5, 6, 0};
    rn_loader_options o = open_broken();
    const rn_loader_options clean = o;
    Log log = {0};
    o.recipe.skip_broken = 1;
    o.log = log_text;
    o.log_user = &log;
    o.threads = 3;
    rn_loader *l = loader_for(&o);
    for (int step = 0; step < 3; step++) {
        const rn_batch b = next_of(l);
        int seen[8] = {0};
        for (int i = 0; i < 8; i++) {
            const uint32_t picture = b.pictures[i];
            CU_ASSERT_FATAL(picture < 8);
            seen[picture]++;
            CU_ASSERT_EQUAL(b.labels[i].first, picture >= 4);
            CU_ASSERT_DOUBLE_EQUAL(b.images[3 * i * FLOATS], 10 * picture, 1e-4);
        }
        for (uint32_t p = 0; p < 8; p++) {
            int expected = 0;
            for (int q = 0; q < 8; q++) expected += stands_in[q] == p;
            CU_ASSERT_EQUAL(seen[p], expected);
        }
    }
    CU_ASSERT_EQUAL(log.count, 3); /* once each */
    for (int i = 0; i < 3; i++) CU_ASSERT_PTR_NOT_NULL(strstr(log.text[i], "neither a PNG nor a JPEG"));
    rn_loader_destroy(l);

    log.count = 0;
    o.split = RN_TEST;
    l = loader_for(&o);
    const rn_batch b = next_of(l);
    CU_ASSERT(b.count == 3 && b.labels[0].first == 0 && b.labels[1].first == -1 && b.labels[2].first == 1);
    CU_ASSERT_EQUAL(b.images[3 * FLOATS], 0);
    CU_ASSERT(log.count == 1 && strstr(log.text[0], "/test/b/1.png") != NULL);
    rn_loader_destroy(l);

    o.split = RN_TRAIN; /* none is left */
    for (int i = 0; i < 8; i++) {
        char name[32];
        snprintf(name, sizeof name, "train/%c/%d.png", i < 4 ? 'a' : 'b', i);
        data_put(name, "broken", 6);
    }
    rn_batch none;
    l = loader_for(&o);
    CU_ASSERT_EQUAL(rn_loader_next(l, &none, NULL, 0), RN_ERROR_FORMAT);
    rn_loader_destroy(l);
    close_set(&clean);
}

/* ---- ends and refusals ---- */

static void test_destroyed_at_any_time(void) {
    rn_loader_options o = open_set(40, 2);
    o.threads = 5;
    for (int steps = 0; steps < 60; steps++) {
        rn_loader *l = loader_for(&o);
        for (int s = 0; s < steps % 7; s++) next_of(l);
        rn_loader_destroy(l);
    }
    rn_loader_destroy(NULL);
    close_set(&o);
}

static void test_options_refused(void) {
    static const char *const words[] = {"a batch of 11; there are 10",
                                        "a batch of 0",
                                        "rank 2 of 2",
                                        "the mean is missing",
                                        "-1 threads",
                                        "5 crops",
                                        "10 crops",
                                        "a ring of -1",
                                        "nothing is said of how pictures are drawn"};
    rn_loader_options right = open_set(10, 2), o[9];
    for (int i = 0; i < 9; i++) o[i] = right;
    o[0].batch = 11;
    o[1].batch = 0;
    o[2].rank = o[2].ranks = 2;
    o[3].recipe.subtract = RN_TRAIN_SUBTRACT_PIXEL_MEAN;
    o[4].threads = -1;
    o[5].split = RN_TEST;
    o[5].crops = 5;
    o[6].crops = 10;
    o[7].depth = -1;
    o[8].drawing = NULL;
    for (int i = 0; i < 9; i++) {
        rn_loader *l;
        char error[RN_ERROR_SIZE] = "";
        CU_ASSERT_EQUAL(rn_loader_create(&l, &o[i], error, sizeof error), RN_ERROR_ARGUMENT);
        CU_ASSERT_PTR_NULL(l);
        CU_ASSERT_PTR_NOT_NULL(strstr(error, words[i]));
    }
    close_set(&right);
}

void suite_loader(void) {
    CU_pSuite suite = CU_add_suite("unit/loader", NULL, NULL);
    CU_add_test(suite, "order", test_order);
    CU_add_test(suite, "views", test_views);
    CU_add_test(suite, "large_jpegs", test_large_jpegs);
    CU_add_test(suite, "threads_and_depth", test_threads_and_depth);
    CU_add_test(suite, "ranks", test_ranks);
    CU_add_test(suite, "mixup", test_mixup);
    CU_add_test(suite, "test_set", test_test_set);
    CU_add_test(suite, "broken_is_an_error", test_broken_is_an_error);
    CU_add_test(suite, "broken_is_skipped", test_broken_is_skipped);
    CU_add_test(suite, "destroyed_at_any_time", test_destroyed_at_any_time);
    CU_add_test(suite, "options_refused", test_options_refused);
}
