#include "inputs.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "graph/interpret.h"

enum { BATCH_FLOATS = 1 << 24, BATCH_IMAGES = 256 };

static int batch_images(const Inputs *in) {
    const size_t most = BATCH_FLOATS / in->size;
    return most < 1 ? 1 : most < BATCH_IMAGES ? (int)most : BATCH_IMAGES;
}

static int limited(const InputsOptions *options, int64_t count) {
    return options->limit && options->limit < count ? options->limit : (int)(count < INT32_MAX ? count : INT32_MAX);
}

/* ---- data sets ---- */
static rn_picture_recipe picture_recipe(const Graph *graph, const TensorData *weights) {
    const Shape s = graph->input->shape;
    const Tensor *mean = graph->preprocess.mean_image;
    rn_picture_recipe recipe = {.input = {s.c, s.h, s.w}, .preprocess = preprocess_of(&graph->preprocess)};
    if (!mean) return recipe;
    recipe.subtract = mean->ndim == 1 ? RN_TRAIN_SUBTRACT_CHANNEL_MEAN : RN_TRAIN_SUBTRACT_PIXEL_MEAN;
    recipe.subtracted = weights->data[mean->id];
    return recipe;
}

static bool open_data(Inputs *in, const Graph *graph, const TensorData *weights, Diag *diag) {
    char error[RN_ERROR_SIZE] = "";
    if (rn_data_open_test(&in->data, in->options.spec, error, sizeof error)) {
        diag_error(diag, (Place){0}, "--data: %s", error);
        return false;
    }
    const rn_loader_options options = {.data = in->data,
                                       .split = RN_TEST,
                                       .recipe = picture_recipe(graph, weights),
                                       .batch = batch_images(in),
                                       .threads = in->options.threads};
    if (rn_loader_create(&in->loader, &options, error, sizeof error)) {
        diag_error(diag, (Place){0}, "--data: %s", error);
        return false;
    }
    in->count = limited(&in->options, rn_data_about(in->data)->count[RN_TEST]);
    in->classes = rn_data_about(in->data)->classes;
    in->by_names = rn_data_about(in->data)->sorted;
    return true;
}

static bool next_of_data(Inputs *in, InputBatch *batch, Diag *diag) {
    char error[RN_ERROR_SIZE] = "";
    rn_batch loaded;
    if (rn_loader_next(in->loader, &loaded, error, sizeof error)) {
        diag_error(diag, (Place){0}, "--data: %s", error);
        return false;
    }
    batch->images = loaded.images;
    batch->labels = loaded.labels;
    return true;
}

/* ---- the others ---- */
static bool is_file(const char *path) {
    struct stat info;
    return !stat(path, &info) && S_ISREG(info.st_mode);
}

static void allocate_noise(Inputs *in) {
    in->count = limited(&in->options, in->options.limit ? in->options.limit : NOISE_IMAGES);
    in->images.data = malloc((size_t)batch_images(in) * in->size * sizeof *in->images.data);
    if (!in->images.data) out_of_memory();
}

static void make_noise(Inputs *in, InputBatch *batch) {
    batch->images = in->images.data;
    for (int i = 0; i < batch->count; i++)
        images_noise(in->options.seed, batch->first + i, in->images.data + (size_t)i * in->size, in->size);
}

/* As planar C x H x W. */
static void make_planar(Inputs *in, const Value *input) {
    float *image = malloc(in->size * sizeof *image);
    if (!image) out_of_memory();
    for (int i = 0; input->channels_last && i < in->count; i++) {
        float *to = in->images.data + (size_t)i * in->size;
        memcpy(image, to, in->size * sizeof *image);
        for (size_t k = 0; k < in->size; k++) to[k] = image[interpret_place(input, (int64_t)k)];
    }
    free(image);
}

bool inputs_open(Inputs *in, const InputsOptions *options, const Graph *graph, const TensorData *weights, Diag *diag) {
    *in = (Inputs){.options = *options, .size = (size_t)shape_size(graph->input->shape)};
    if (!options->spec) {
        allocate_noise(in);
        return true;
    }
    if (strchr(options->spec, ':') && !is_file(options->spec)) return open_data(in, graph, weights, diag);
    if (!images_load(graph, weights, options->spec, &in->images, diag)) return false;
    in->count = limited(options, in->images.count);
    make_planar(in, graph->input);
    return true;
}

bool inputs_next(Inputs *in, InputBatch *batch, Diag *diag) {
    const int left = in->count - in->next, most = batch_images(in);
    *batch = (InputBatch){.first = in->next, .count = left < most ? left : most};
    in->next += batch->count;
    if (!batch->count) return true;
    if (in->loader) return next_of_data(in, batch, diag);
    if (in->options.spec)
        batch->images = in->images.data + (size_t)batch->first * in->size;
    else
        make_noise(in, batch);
    return true;
}

const char *inputs_name(const Inputs *in, int index, Arena *arena) {
    char name[4096];
    if (!in->options.spec) return arena_printf(arena, "%d of noise", index + 1);
    if (!in->data && in->images.count == 1) return path_base(in->options.spec);
    if (!in->data) return arena_printf(arena, "%d of %s", index + 1, path_base(in->options.spec));
    rn_data_name(in->data, RN_TEST, (uint32_t)index, name, sizeof name);
    return arena_strdup(arena, name);
}

void inputs_close(Inputs *in) {
    rn_loader_destroy(in->loader);
    rn_data_close(in->data);
    images_free(&in->images);
    *in = (Inputs){0};
}
