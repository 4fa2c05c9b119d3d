/* A trainer in the process that runs emitted code: the gradients of one step. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probe.h"
#include "rn_train.h"

/* NAME_train_WORD of the shared object, into a pointer to a function. */
static void find(void *handle, const char *name, const char *word, void *function) {
    char symbol[300];
    snprintf(symbol, sizeof symbol, "%s_train_%s", name, word);
    void *found = dlsym(handle, symbol);
    if (!found) probe_fail("the emitted code is incomplete", dlerror());
    memcpy(function, &found, sizeof found);
}

static void read_floats(FILE *in, float *floats, size_t count) {
    if (fread(floats, sizeof *floats, count, in) != count) probe_fail("probe", "its input cannot be read");
}

static rn_train_label *read_labels(FILE *in, int n) {
    rn_train_label *labels = calloc((size_t)n, sizeof *labels);
    for (int i = 0; labels && i < n; i++) {
        float label[3];
        read_floats(in, label, 3);
        labels[i] = (rn_train_label){(int32_t)label[0], (int32_t)label[1], label[2]};
    }
    return labels;
}

int probe_train(char **argv) {
    const int threads = atoi(argv[0]), n = atoi(argv[1]);
    char error[RN_ERROR_SIZE] = "";
    void *handle = dlopen(argv[4], RTLD_NOW | RTLD_LOCAL), *trainer = NULL;
    if (!handle) probe_fail("the emitted code does not load", dlerror());
    const rn_train_model *(*model)(void);
    float *(*parameters)(void *, size_t *), *(*gradients)(void *, size_t *);
    rn_status (*compute)(void *, int, const float *, const rn_train_label *, rn_train_result *);
    const char *(*message)(const void *);
    void (*destroy)(void *);
    find(handle, argv[5], "model", &model);
    find(handle, argv[5], "parameters", &parameters);
    find(handle, argv[5], "gradient_buffer", &gradients);
    find(handle, argv[5], "gradients_mixed", &compute);
    find(handle, argv[5], "message", &message);
    find(handle, argv[5], "destroy", &destroy);
    const rn_train_options options = {.threads = threads, .batch = n, .error = error, .error_size = sizeof error};
    if (model()->create(&trainer, NULL, 0, &options)) probe_fail("create", error);
    FILE *in = fopen(argv[2], "rb"), *out = fopen(argv[3], "wb");
    if (!in || !out) probe_fail(in ? argv[3] : argv[2], "cannot be opened");
    size_t count;
    float *p = parameters(trainer, &count);
    read_floats(in, p, count);
    const rn_shape shape = model()->network->input;
    count = (size_t)n * (size_t)shape.c * (size_t)shape.h * (size_t)shape.w;
    float *images = malloc(count * sizeof *images);
    if (!images) probe_fail("probe", "out of memory");
    read_floats(in, images, count);
    rn_train_label *labels = read_labels(in, n);
    if (!labels) probe_fail("probe", "out of memory");
    rn_train_result result;
    if (compute(trainer, n, images, labels, &result)) probe_fail("run", message(trainer));
    const double sums[2] = {result.loss, (double)result.wrong};
    const float *g = gradients(trainer, &count);
    if (fwrite(sums, sizeof sums, 1, out) != 1 || fwrite(g, sizeof *g, count, out) != count || fclose(out))
        probe_fail("probe", "cannot write the gradients");
    fclose(in);
    destroy(trainer);
    free(images);
    free(labels);
    return 0;
}
