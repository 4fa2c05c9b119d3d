/* Images to run a network on: an array of .npy as `NAME run` takes it, or a picture made ready as the source says. */
#include "load.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/core/file.h"
#include "rn_emitted.h"
#include "runtime/image/image.h"
#include "runtime/image/npy.h"

enum { MAX_FILE = 1 << 30 };

void images_free(Images *images) {
    free(images->data);
    *images = (Images){0};
}

static uint64_t next_random(uint64_t *state) { /* SplitMix64 */
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

void images_noise(uint64_t seed, int index, float *image, size_t size) {
    uint64_t state = seed * 0x2545f4914f6cdd1du + (uint64_t)index;
    for (size_t i = 0; i < size; i++) {
        double uniform = (double)(next_random(&state) >> 11) * 0x1p-53;
        image[i] = (float)((2 * uniform - 1) * 1.7320508075688772);
    }
}

rn_preprocess preprocess_of(const Preprocess *p) {
    rn_preprocess preprocess = {.order = (int)p->order, .range = (float)p->range, .resize = p->resize};
    for (int i = 0; i < 4; i++) {
        preprocess.mean[i] = (float)p->mean[i];
        preprocess.std[i] = (float)p->std[i];
    }
    return preprocess;
}

static bool take_array(const Graph *graph, const char *path, const rn_npy *array, Images *images, Diag *diag) {
    const Shape s = graph->input->shape;
    const bool last = graph->input->channels_last;
    const size_t size = (size_t)shape_size(s),
                 want[3] = {(size_t)(last ? s.h : s.c), (size_t)(last ? s.w : s.h), (size_t)(last ? s.c : s.w)};
    const bool fits = array->ndim >= 3 && array->ndim <= 4 && array->count >= size &&
                      !memcmp(array->dim + array->ndim - 3, want, sizeof want);
    if (!fits) {
        Text shape = {0};
        for (int i = 0; i < array->ndim; i++) text_printf(&shape, "%s%zu", i ? " x " : "", array->dim[i]);
        diag_error(diag, (Place){0}, "%s: shape %s; %s takes N x %zu x %zu x %zu, N at least 1", path,
                   shape.s ? shape.s : "()", graph->name, want[0], want[1], want[2]);
        text_free(&shape);
        return false;
    }
    for (size_t i = 0; i < array->count; i++) {
        if (isfinite(array->data[i])) continue;
        diag_error(diag, (Place){0}, "%s: number %zu of image %zu is not finite", path, i % size + 1, i / size + 1);
        return false;
    }
    images->data = malloc(array->count * sizeof *images->data);
    if (!images->data) out_of_memory();
    memcpy(images->data, array->data, array->count * sizeof *images->data);
    images->count = (int)(array->count / size);
    return true;
}

static bool take_picture(const Graph *graph, const TensorData *weights, const char *path, const rn_image *picture,
                         Images *images, Diag *diag) {
    const Preprocess *p = &graph->preprocess;
    const Shape s = graph->input->shape;
    const rn_model model = {.input = {s.c, s.h, s.w},
                            .input_layout = graph->input->channels_last ? RN_NHWC : RN_NCHW,
                            .preprocess = preprocess_of(p)};
    images->data = malloc((size_t)shape_size(s) * sizeof *images->data);
    if (!images->data) out_of_memory();
    images->count = 1;
    const Tensor *mean = p->mean_image;
    const rn_status status =
        mean ? rn_preprocess_rgb_less(&model, weights->data[mean->id], mean->ndim == 1 ? 1 : s.h * s.w, picture->rgb,
                                      picture->height, picture->width, images->data)
             : rn_preprocess_rgb(&model, picture->rgb, picture->height, picture->width, images->data);
    if (!status) return true;
    diag_error(diag, (Place){0}, "%s: a picture of %d x %d cannot be made the input of %s, %d x %d x %d", path,
               picture->width, picture->height, graph->name, s.c, s.h, s.w);
    images_free(images);
    return false;
}

static size_t worth(const uint8_t *beginning, size_t count) {
    const size_t array = rn_npy_worth(beginning, count);
    return array > count ? array : rn_image_worth(beginning, count);
}

bool images_load(const Graph *graph, const TensorData *weights, const char *path, Images *images, Diag *diag) {
    char error[RN_ERROR_SIZE];
    uint8_t *bytes;
    size_t size;
    rn_npy array = {0};
    rn_image picture = {0};
    *images = (Images){0};
    bool good = false;
    if (rn_file_read_worth(&bytes, &size, path, MAX_FILE, worth, error, sizeof error)) {
        diag_error(diag, (Place){0}, "%s", error);
        return false;
    }
    const bool is_array = size >= 6 && !memcmp(bytes, "\x93NUMPY", 6);
    const bool is_picture =
        size >= 3 && (!memcmp(bytes, "\xff\xd8\xff", 3) || (size >= 8 && !memcmp(bytes, "\x89PNG\r\n\x1a\n", 8)));
    if (!is_array && !is_picture)
        diag_error(diag, (Place){0}, "%s: neither a .npy array nor a PNG or JPEG picture", path);
    else if (is_array ? rn_npy_parse(&array, bytes, size, path, error, sizeof error)
                      : rn_image_parse(&picture, bytes, size, path, error, sizeof error))
        diag_error(diag, (Place){0}, "%s", error);
    else
        good = is_array ? take_array(graph, path, &array, images, diag)
                        : take_picture(graph, weights, path, &picture, images, diag);
    rn_npy_free(&array);
    rn_image_free(&picture);
    free(bytes);
    return good;
}
