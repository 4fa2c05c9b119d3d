/* Which photos show the same person? The face network gives 128 numbers for an aligned 150 x 150 picture of a face; two
 * pictures show one person where the Euclidean distance of their numbers is below 0.6.
 *
 *     rnc -o face.c --weights face.safetensors face.rn
 *     cc -I. apps/face.c face.c $(pkg-config --cflags --libs rn) -lm -o faces
 *     ./faces face.rnw a.png b.png c.png
 */
#include "face.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SIZE = FACE_OUTPUT_SIZE };
static const double same_person = 0.6; /* dlib's threshold */

static int fail(const char *text) {
    fprintf(stderr, "faces: %s\n", text);
    return 1;
}

static int describe(face *net, const char *path, float *descriptor) {
    char error[RN_ERROR_SIZE];
    rn_image image;
    if (rn_image_read(&image, path, error, sizeof error)) return fail(error);
    const uint8_t *rgb[1] = {image.rgb};
    const rn_status status = face_run_rgb(net, 1, rgb, &image.height, &image.width, descriptor);
    rn_image_free(&image);
    return status ? fail(face_message(net)) : 0;
}

static double distance(const float *a, const float *b) {
    double sum = 0;
    for (int i = 0; i < SIZE; i++) sum += ((double)a[i] - b[i]) * ((double)a[i] - b[i]);
    return sqrt(sum);
}

static const char *bare(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static void report(char **paths, const float *descriptors, int count) {
    int width = 8;
    for (int i = 0; i < count; i++)
        if ((int)strlen(bare(paths[i])) > width) width = (int)strlen(bare(paths[i]));
    printf("%-*s", width, "distance");
    for (int j = 0; j < count; j++) printf("  %*s", width, bare(paths[j]));
    for (int i = 0; i < count; i++) {
        printf("\n%-*s", width, bare(paths[i]));
        for (int j = 0; j < count; j++)
            printf("  %*.3f", width, distance(descriptors + (size_t)i * SIZE, descriptors + (size_t)j * SIZE));
    }
    printf("\n\n");
    for (int i = 0; i < count; i++)
        for (int j = i + 1; j < count; j++) {
            const double d = distance(descriptors + (size_t)i * SIZE, descriptors + (size_t)j * SIZE);
            printf("%s and %s: %s\n", bare(paths[i]), bare(paths[j]),
                   d < same_person ? "the same person" : "different people");
        }
}

int main(int argc, char **argv) {
    char error[RN_ERROR_SIZE];
    if (argc < 4) {
        fprintf(stderr, "usage: faces WEIGHTS PICTURE PICTURE...\n");
        return 2;
    }
    char **paths = argv + 2;
    const int count = argc - 2;
    rn_weights *weights;
    if (rn_weights_open(&weights, face_model(), argv[1], error, sizeof error)) return fail(error);
    const rn_options options = {.error = error, .error_size = sizeof error};
    face *net = NULL;
    float *descriptors = malloc((size_t)count * SIZE * sizeof *descriptors);
    int status = 0;
    if (!descriptors)
        status = fail("out of memory");
    else if (face_create(&net, NULL, 0, weights, &options))
        status = fail(error);
    for (int i = 0; i < count && !status; i++) status = describe(net, paths[i], descriptors + (size_t)i * SIZE);
    if (!status) report(paths, descriptors, count);
    if (net) face_destroy(net);
    free(descriptors);
    rn_weights_close(weights);
    return status;
}
