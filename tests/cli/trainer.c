/* An application that trains: steps of a falling loss in an arena of its own, which ends where a page begins that
 * nobody may touch. Prints the losses and what the bits of parameters and outputs hash to; or says what differs from
 * what a user expects.
 *
 *     trainer [BATCH THREADS]
 */
#define _DEFAULT_SOURCE
#include "tiny.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { CLASSES = 4, STEPS = 40 };

static int fail(const char *what, const char *why) {
    fprintf(stderr, "trainer: %s: %s\n", what, why);
    return 1;
}

/* `size` bytes that end where a page begins that cannot be touched; the least aligned to 64 that hold them. */
static unsigned char *fenced(size_t size) {
    const size_t page = (size_t)sysconf(_SC_PAGESIZE), whole = (size + page - 1) / page * page;
    unsigned char *all = mmap(NULL, whole + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (all == MAP_FAILED || mprotect(all + whole, page, PROT_NONE)) return NULL;
    return all + whole - size;
}

static uint64_t hash(const void *bytes, size_t size) { /* FNV-1a */
    uint64_t h = 0xcbf29ce484222325u;
    for (size_t i = 0; i < size; i++) h = (h ^ ((const unsigned char *)bytes)[i]) * 0x100000001b3u;
    return h;
}

/* A picture of a class: its quarter is bright. */
static void draw(float *image, int label, uint64_t *seed) {
    for (int i = 0; i < TINY_INPUT_SIZE; i++) {
        *seed = *seed * 6364136223846793005u + 1442695040888963407u;
        image[i] = (float)(*seed >> 40) / (float)(1 << 24) + (i / 32 * 2 + i % 8 / 4 == label ? 1.0f : 0.0f);
    }
}

int main(int argc, char **argv) {
    char error[RN_ERROR_SIZE];
    const int batch = argc > 1 ? atoi(argv[1]) : 16, threads = argc > 2 ? atoi(argv[2]) : 1;
    const rn_train_options options = {.threads = threads, .batch = batch, .error = error, .error_size = sizeof error};
    tiny_trainer *t;
    const size_t size = tiny_train_size(batch, threads);
    if (tiny_train_size(0, 1) || tiny_train_size(1, 0) || tiny_train_size(17, 1)) return fail("size", "out of range");
    if (size % 64) return fail("size", "not of whole cache lines");
    unsigned char *arena = fenced(size);
    if (!arena) return fail("memory", "none");
    if (!tiny_train_create(&t, arena, size - 1, &options) || t) return fail("a byte less", "accepted");
    if (!strstr(error, "arena")) return fail("a byte less", error);
    if (tiny_train_create(&t, arena, size, &options)) return fail("create", error);
    if (tiny_train_init(t, 1)) return fail("init", tiny_train_message(t));
    static float images[16 * TINY_INPUT_SIZE], output[16 * TINY_OUTPUT_SIZE];
    int32_t labels[16];
    uint64_t seed = 1;
    double first = 0, last = 0;
    for (int step = 0; step < STEPS; step++) {
        rn_train_result result;
        for (int i = 0; i < batch; i++) draw(images + i * TINY_INPUT_SIZE, labels[i] = (step + i) % CLASSES, &seed);
        if (tiny_train_step(t, batch, images, labels, &result)) return fail("step", tiny_train_message(t));
        if (result.images != batch) return fail("step", "not of all images");
        last = result.loss / batch;
        if (!step) first = last;
    }
    if (tiny_train_steps(t) != STEPS) return fail("steps", "not counted");
    if (!(last < 0.5 * first)) return fail("loss", "does not fall");
    labels[0] = CLASSES;
    if (!tiny_train_step(t, batch, images, labels, NULL)) return fail("a label out of range", "accepted");
    labels[0] = 0;
    if (!tiny_train_step(t, batch + 1, images, labels, NULL)) return fail("more images than the batch", "accepted");
    if (tiny_train_evaluate(t, batch, images, output)) return fail("evaluate", tiny_train_message(t));
    size_t floats;
    const float *parameters = tiny_train_parameters(t, &floats);
    printf("loss %.9g to %.9g, parameters %016llx, outputs %016llx\n", first, last,
           (unsigned long long)hash(parameters, floats * sizeof *parameters),
           (unsigned long long)hash(output, sizeof *output * (size_t)batch * TINY_OUTPUT_SIZE));
    tiny_train_destroy(t);
    return 0;
}
