/* fashion IMAGES LABELS WEIGHTS: how many of an IDX set's pictures the compiled network net.h classifies rightly. They
 * go the way of pictures that are deployed on, run_rgb. */
#include "net.h"

#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

enum { SIDE = 28, PIXELS = SIDE * SIDE };

static int die(const char *text) {
    fprintf(stderr, "fashion: %s\n", text);
    exit(1);
}

/* The items of an IDX file of bytes, behind its header of `header` bytes; their number to *count. */
static uint8_t *read_idx(const char *path, int header, int item, uint32_t *count) {
    uint8_t head[16];
    gzFile file = gzopen(path, "rb");
    if (!file || gzread(file, head, (unsigned)header) != header) die(path);
    *count = (uint32_t)head[4] << 24 | (uint32_t)head[5] << 16 | (uint32_t)head[6] << 8 | head[7];
    uint8_t *items = malloc((size_t)*count * (size_t)item);
    if (!items || gzread(file, items, *count * (unsigned)item) != (int)*count * item) die(path);
    gzclose(file);
    return items;
}

int main(int argc, char **argv) {
    static uint8_t rgb[NET_BATCH * PIXELS * 3];
    static float output[NET_BATCH * NET_OUTPUT_SIZE];
    const uint8_t *pictures[NET_BATCH];
    int side[NET_BATCH];
    char error[RN_ERROR_SIZE];
    const rn_options options = {.threads = 1, .error = error, .error_size = sizeof error};
    rn_weights *weights;
    net *n;
    uint32_t count, labels_count, right = 0;
    if (argc != 4) return 2;
    uint8_t *images = read_idx(argv[1], 16, PIXELS, &count), *labels = read_idx(argv[2], 8, 1, &labels_count);
    if (count != labels_count || count % NET_BATCH) die("the numbers of pictures and labels do not fit");
    if (rn_weights_open(&weights, net_model(), argv[3], error, sizeof error)) die(error);
    if (net_create(&n, NULL, 0, weights, &options)) die(error);
    for (int i = 0; i < NET_BATCH; i++) pictures[i] = rgb + i * PIXELS * 3, side[i] = SIDE;
    for (uint32_t first = 0; first < count; first += NET_BATCH) {
        for (int i = 0; i < NET_BATCH * PIXELS * 3; i++) rgb[i] = images[(size_t)first * PIXELS + (size_t)i / 3];
        if (net_run_rgb(n, NET_BATCH, pictures, side, side, output)) die(net_message(n));
        for (int i = 0; i < NET_BATCH; i++) {
            const float *p = output + i * NET_OUTPUT_SIZE;
            int best = 0;
            for (int k = 1; k < NET_OUTPUT_SIZE; k++) best = p[k] > p[best] ? k : best;
            right += best == labels[first + (uint32_t)i];
        }
    }
    printf("%u of %u\n", right, count);
    net_destroy(n);
    rn_weights_close(weights);
    free(images);
    free(labels);
    return 0;
}
