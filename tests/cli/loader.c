/* Loads a data set by several threads; for cli/data, which builds it with ThreadSanitizer, and so that allocations
 * fail:
 *
 *     loader SPEC SIDE         means and batches by 1 to 4 threads are the same; loaders are destroyed at work
 *     loader --fail SPEC SIDE  the nth allocation fails, n rising until none does (linked with --wrap=malloc ...)
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "runtime/train/augment.h"

enum { STEPS = 9, BATCH = 6 };

static rn_loader_options options_for(const rn_data *data, int side) {
    const int c = rn_data_about(data)->picture.c;
    rn_loader_options o = {.data = data, .batch = BATCH};
    o.recipe.input = (rn_shape){c, side, side};
    o.recipe.preprocess = (rn_preprocess){.range = 1, .std = {1, 1, 1, 1}, .resize = side + 1};
    o.recipe.subtract = RN_TRAIN_SUBTRACT_PIXEL_MEAN;
    return o;
}

/* Means and batches, as one number */
static rn_status load(const char *spec, int side, int threads, int steps, uint64_t *digest, char error[RN_ERROR_SIZE]) {
    rn_data *data = NULL;
    rn_loader *loader = NULL;
    static float mean[1 << 16];
    rn_status status = rn_data_open(&data, spec, error, RN_ERROR_SIZE);
    if (status) return status;
    rn_loader_options o = options_for(data, side);
    const rn_augment augment = {.pad = 1, .crop = 1, .mirror = 1, .colour = o.recipe.input.c == 3, .mixup = 1};
    const rn_augmentation drawing = rn_augmentation_of(&augment, 1);
    o.drawing = &drawing.drawing;
    o.threads = threads;
    status = rn_data_mean(data, &o.recipe, threads, mean, error, RN_ERROR_SIZE);
    o.recipe.subtracted = mean;
    const size_t floats = (size_t)o.recipe.input.c * (size_t)side * (size_t)side;
    if (!status) status = rn_loader_create(&loader, &o, error, RN_ERROR_SIZE);
    *digest = XXH3_64bits(mean, floats * sizeof *mean);
    for (int step = 0; step < steps && !status; step++) {
        rn_batch b;
        status = rn_loader_next(loader, &b, error, RN_ERROR_SIZE);
        if (!status) *digest = XXH3_64bits_withSeed(b.images, BATCH * floats * sizeof *mean, *digest);
    }
    rn_loader_destroy(loader);
    rn_data_close(data);
    return status;
}

static int same_by_any_threads(const char *spec, int side) {
    uint64_t alone = 0, digest;
    char error[RN_ERROR_SIZE] = "";
    for (int threads = 1; threads <= 4; threads++) {
        if (load(spec, side, threads, STEPS, &digest, error)) {
            fprintf(stderr, "%s\n", error);
            return 1;
        }
        if (threads == 1) alone = digest;
        if (digest != alone) {
            fprintf(stderr, "%d threads load something else\n", threads);
            return 1;
        }
        for (int steps = 0; steps < 4; steps++)
            if (load(spec, side, threads, steps, &digest, error)) return 1;
    }
    return 0;
}

#ifdef FAIL
static int countdown; /* allocations until the one that fails */
static int fail(void) {
    return __atomic_sub_fetch(&countdown, 1, __ATOMIC_RELAXED) == 0;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__real_aligned_alloc(size_t line, size_t size);
char *__real_strdup(const char *text);
void *__wrap_malloc(size_t size) {
    return fail() ? NULL : __real_malloc(size);
}
void *__wrap_calloc(size_t count, size_t size) {
    return fail() ? NULL : __real_calloc(count, size);
}
void *__wrap_realloc(void *old, size_t size) {
    return fail() ? NULL : __real_realloc(old, size);
}
void *__wrap_aligned_alloc(size_t line, size_t size) {
    return fail() ? NULL : __real_aligned_alloc(line, size);
}
char *__wrap_strdup(const char *text) {
    return fail() ? NULL : __real_strdup(text);
}

static int every_allocation_fails(const char *spec, int side) {
    for (int n = 1;; n++) {
        uint64_t digest;
        char error[RN_ERROR_SIZE] = "";
        countdown = n;
        rn_status status = load(spec, side, 2, 2, &digest, error);
        if (countdown > 0) { /* it never came to the nth */
            printf("%d allocations\n", n - 1);
            return status != RN_OK;
        }
        /* a picture file that there is no memory for is no broken one */
        if (status != RN_OK && (status != RN_ERROR_MEMORY || !*error)) {
            fprintf(stderr, "allocation %d: status %d: %s\n", n, (int)status, error);
            return 1;
        }
    }
}
#endif

int main(int argc, char **argv) {
#ifdef FAIL
    if (argc == 4 && !strcmp(argv[1], "--fail")) return every_allocation_fails(argv[2], atoi(argv[3]));
#endif
    if (argc == 3) return same_by_any_threads(argv[1], atoi(argv[2]));
    fprintf(stderr, "usage: loader [--fail] SPEC SIDE\n");
    return 2;
}
