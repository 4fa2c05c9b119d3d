/* An application of a network, net, as faults.c runs it: what fails is a status with a text, after which nothing is
 * held (LeakSanitizer sees to that), and all is tried once more, which gives what it would have given.
 *
 *     faults_app WEIGHTS|- THREADS [PICTURE]      "-": those in the object
 *
 * With -DALONE for a standalone network, whose runtime reads no pictures. */
#include "net.h"
#ifndef ALONE
#include "rn.h"
#endif

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH = 2, SIDE = 11 };

static const char *weights_path, *picture_path;
static int threads;

typedef struct Attempt {
    rn_weights *weights;
    net *instances[2]; /* in memory of its own, and in the application's */
    void *arena;
    rn_image picture;
    float output[(BATCH + 2) * NET_OUTPUT_SIZE];
    int layers;
    char error[RN_ERROR_SIZE];
} Attempt;

static void broken(const char *promise) {
    printf("broken: %s\n", promise);
    exit(3);
}

static void count_layer(void *user, int layer, const rn_tensor *out) {
    (void)layer;
    ((Attempt *)user)->layers += out != NULL;
}

/* Whether it went well; a status comes with a text and nothing else. */
static bool good(Attempt *a, rn_status status, const void *made) {
    if (status == RN_OK && !made) broken("what is made is not NULL");
    if (status != RN_OK && made) broken("what fails makes nothing");
    if (status != RN_OK && !*a->error) broken("what fails says why");
    if (status != RN_OK && !*rn_status_text(status)) broken("a status has a text");
    return status == RN_OK;
}

static bool read_picture(Attempt *a) {
#ifndef ALONE
    if (picture_path) {
        const rn_status status = rn_image_read(&a->picture, picture_path, a->error, sizeof a->error);
        return good(a, status, a->picture.rgb);
    }
#endif
    a->picture = (rn_image){SIDE, SIDE, malloc(SIDE * SIDE * 3)};
    if (!a->picture.rgb) return strcpy(a->error, "no memory for a picture"), false;
    for (int i = 0; i < SIDE * SIDE * 3; i++) a->picture.rgb[i] = (uint8_t)(i * 37);
    return true;
}

static bool create(Attempt *a) {
    rn_options options = {0};
    options.threads = threads;
    options.error = a->error;
    options.error_size = sizeof a->error;
    options.layer = count_layer;
    options.layer_user = a;
    rn_status status = net_create(&a->instances[0], NULL, 0, a->weights, &options);
    if (!good(a, status, a->instances[0])) return false;
    const size_t size = net_arena_size(BATCH, threads);
    a->arena = aligned_alloc(64, (size + 63) / 64 * 64);
    if (!a->arena) return strcpy(a->error, "no memory for an arena"), false;
    status = net_create(&a->instances[1], a->arena, size, a->weights, &options);
    return good(a, status, a->instances[1]);
}

static bool run(Attempt *a, net *instance, int batch, float *output) {
    float image[BATCH * NET_INPUT_SIZE];
    for (int i = 0; i < BATCH * NET_INPUT_SIZE; i++) image[i] = (float)(i * 29 % 101) / 50 - 1;
    if (net_run(instance, batch, image, output) == RN_OK) return true;
    snprintf(a->error, sizeof a->error, "%s", net_message(instance));
    return good(a, RN_ERROR_ARGUMENT, NULL);
}

static bool run_picture(Attempt *a, net *instance, float *output) {
    const uint8_t *rgb = a->picture.rgb;
    if (net_run_rgb(instance, 1, &rgb, &a->picture.height, &a->picture.width, output) == RN_OK) return true;
    snprintf(a->error, sizeof a->error, "%s", net_message(instance));
    return good(a, RN_ERROR_ARGUMENT, NULL);
}

static bool try_all(Attempt *a) {
    float *output = a->output;
    if (*weights_path != '-') {
        const rn_status status = rn_weights_open(&a->weights, net_model(), weights_path, a->error, sizeof a->error);
        if (!good(a, status, a->weights)) return false;
    }
    return read_picture(a) && create(a) && run(a, a->instances[0], BATCH, output) &&
           run(a, a->instances[1], 1, output + BATCH * NET_OUTPUT_SIZE) &&
           run_picture(a, a->instances[1], output + (BATCH + 1) * NET_OUTPUT_SIZE);
}

/* Whether it went well, with what came out of it. */
static bool attempt(Attempt *a) {
    *a = (Attempt){0};
    const bool went_well = try_all(a);
    for (int i = 0; i < 2; i++) net_destroy(a->instances[i]);
    free(a->arena);
#ifdef ALONE
    free(a->picture.rgb);
#else
    rn_image_free(&a->picture);
#endif
    rn_weights_close(a->weights);
    return went_well;
}

int main(int argc, char **argv) {
    static Attempt a;
    if (argc < 3) return 2;
    weights_path = argv[1], threads = atoi(argv[2]), picture_path = argc > 3 ? argv[3] : NULL;
    if (!attempt(&a)) {
        fprintf(stderr, "note: %s\n", a.error);
        if (!attempt(&a)) return fprintf(stderr, "faults_app: error: %s\n", a.error), 1;
    }
    for (int i = 0; i < (BATCH + 2) * NET_OUTPUT_SIZE; i++) printf("%a ", (double)a.output[i]);
    printf("%d\n", a.layers);
    return fflush(stdout) ? 1 : 0;
}
