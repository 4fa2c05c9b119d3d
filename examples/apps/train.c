/* Fine-tunes the last layers of a network on pictures of one's own. NET is the network's name; its source, whose number
 * of classes is that of the pictures, has `freeze` in its train section, so that the layers named there stay as loaded:
 *
 *     rnc --train -D classes=3 -o tiny.c tiny.rn
 *     cc -DNET=tiny -I. apps/train.c tiny.c $(pkg-config --cflags --libs rn) -lm -o tune
 *     ./tune trained.safetensors list.txt 200 mine.safetensors
 *
 * A line of list.txt is a class and a picture of the network's size: "2 cats/one.png". The first weights file's fc
 * layer, of other classes, is left out. What is written is for rnc --weights.
 */
#define TEXT_(x) #x
#define TEXT(x) TEXT_(x)
#define NAME_(net, name) net##name
#define NAME(net, name) NAME_(net, name)
#define TRAIN(name) NAME(NET, _train_##name)
#define HEADER(net) TEXT(net.h)
#include HEADER(NET)

#include <stdio.h>
#include <stdlib.h>

enum { MOST = 10000 }; /* pictures */

static int fail(const char *text) {
    fprintf(stderr, "tune: %s\n", text);
    return 1;
}

/* A picture as the network's input, planar: (pixel / 255 * range - mean) / std. */
static int load(const char *path, const rn_model *model, float *out, char *error) {
    rn_image image;
    if (rn_image_read(&image, path, error, RN_ERROR_SIZE)) return -1;
    const int h = model->input.h, w = model->input.w, size = image.height == h && image.width == w;
    if (!size) snprintf(error, RN_ERROR_SIZE, "%.400s: %dx%d instead of %dx%d", path, image.width, image.height, w, h);
    const rn_preprocess *p = &model->preprocess;
    for (int i = 0; size && i < model->input.c * h * w; i++) {
        const int c = i / (h * w);
        const uint8_t *rgb = image.rgb + i % (h * w) * 3;
        const float gray = 0.299f * rgb[0] + 0.587f * rgb[1] + 0.114f * rgb[2];
        const float value = p->order == RN_ORDER_GRAY ? gray : rgb[p->order == RN_ORDER_BGR ? 2 - c : c];
        out[i] = (value / 255 * p->range - p->mean[c]) / p->std[c];
    }
    rn_image_free(&image);
    return size ? 0 : -1;
}

/* Steps over the pictures in turn; an epoch begins at another place, so that batches differ. */
static int tune(NAME(NET, _trainer) * t, int steps, int count, const float *images, const int32_t *labels,
                float *batch) {
    const rn_train_model *model = TRAIN(model)();
    const int n = count < model->batch ? count : model->batch;
    const size_t size = (size_t)model->network->input.c * model->network->input.h * model->network->input.w;
    int32_t *classes = malloc(sizeof *classes * (size_t)n);
    rn_status status = classes ? RN_OK : RN_ERROR_MEMORY;
    for (int step = 0; step < steps && !status; step++) {
        for (int i = 0; i < n; i++) {
            const int picture = (int)((step * (int64_t)n + i + step * (int64_t)n / count) % count);
            for (size_t j = 0; j < size; j++) batch[i * size + j] = images[picture * size + j];
            classes[i] = labels[picture];
        }
        rn_train_result result;
        status = TRAIN(step)(t, n, batch, classes, &result);
        if (!status && (step % 10 == 0 || step + 1 == steps))
            printf("step %d: loss %.4f, %d of %d wrong\n", step, result.loss / n, (int)result.wrong, n);
    }
    free(classes);
    return status ? fail(TRAIN(message)(t)) : 0;
}

int main(int argc, char **argv) {
    static char path[4096], error[RN_ERROR_SIZE];
    static int32_t labels[MOST];
    const rn_train_model *model = TRAIN(model)();
    const size_t size = (size_t)model->network->input.c * model->network->input.h * model->network->input.w;
    if (argc != 5) return fail("usage: tune WEIGHTS LIST STEPS OUTPUT"), 2;
    FILE *list = fopen(argv[2], "r");
    float *images = malloc(sizeof *images * size * MOST), *batch = malloc(sizeof *batch * size * (size_t)model->batch);
    if (!list || !images || !batch) return fail(list ? "out of memory" : "the list cannot be read");
    int count = 0, status = 0;
    for (; count < MOST && fscanf(list, "%d %4095[^\n]", &labels[count], path) == 2; count++)
        if (load(path, model->network, images + (size_t)count * size, error)) return fail(error);
    if (!count || !feof(list)) return fail("the list is empty, too long, or has a line that is no class and picture");
    fclose(list);
    const rn_train_options options = {.error = error, .error_size = sizeof error};
    NAME(NET, _trainer) * t;
    if (TRAIN(create)(&t, NULL, 0, &options)) return fail(error);
    if (TRAIN(init)(t, 1) || TRAIN(load_weights)(t, argv[1], "fc.*")) status = fail(TRAIN(message)(t));
    if (!status) status = tune(t, atoi(argv[3]), count, images, labels, batch);
    if (!status && TRAIN(export)(t, argv[4])) status = fail(TRAIN(message)(t));
    TRAIN(destroy)(t);
    free(images);
    free(batch);
    return status;
}
