/* Emitted code in a process of its own: it may crash, and OpenMP's threads do not survive a fork. rnc starts itself as
 *
 *     rnc --probe layers THREADS BATCH IMAGES OUT SO NAME WEIGHTS  every layer's result of one run, to OUT
 *     rnc --probe outputs THREADS IMAGES OUT SO NAME WEIGHTS   the outputs of all images, to OUT
 *     rnc --probe bench THREADS BATCH SECONDS OUT {SO NAME WEIGHTS}...
 *                                                                  variants of one network, timed in turns
 *     rnc --probe tune THREADS BATCH OUT {SO NAME WEIGHTS}...      the same, layer by layer
 *     rnc --probe train THREADS N IN OUT SO NAME WEIGHTS           a trainer's gradients of one step (probe_train.c)
 *
 * IMAGES is a file of planar floats, which the batch of `layers` repeats. OUT of `layers` is records (see put_layer),
 * of `outputs` an image's floats after another's; OUT of `bench` is one line of numbers per variant, OUT of `tune` the
 * microseconds of each of its layers. An error is printed here,
 * and the status is 1. Each shared object has its own librn inside, and that is the one that is called.
 */
#include <dlfcn.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/toolchain.h"
#include "load/load.h"
#include "probe.h"
#include "rn.h"
#include "runtime/eval/evaluator.h"

enum { MAX_VARIANTS = 64, MAX_RUNS = 100000 };

typedef struct Loaded { /* one shared object, ready to run */
    const rn_model *model;
    rn_weights *weights;
    void *net;
    float *output;
    double *ms; /* of each run */
    int runs;
} Loaded;

void probe_fail(const char *what, const char *why) {
    fprintf(stderr, "rnc: error: %s: %s\n", what, why);
    exit(1);
}

static void *allocate(size_t size) {
    void *memory = calloc(1, size ? size : 1);
    if (!memory) probe_fail("probe", "out of memory");
    return memory;
}

static void open_model(Loaded *loaded, const char *so, const char *name, const char *weights) {
    char symbol[300], error[RN_ERROR_SIZE] = "";
    void *handle = dlopen(so, RTLD_NOW | RTLD_LOCAL);
    if (!handle) probe_fail("the emitted code does not load", dlerror());
    const rn_model *(*model)(void);
    snprintf(symbol, sizeof symbol, "%s_model", name);
    *(void **)&model = dlsym(handle, symbol);
    if (!model) probe_fail("the emitted code is incomplete", dlerror());
    loaded->model = model();
    if (loaded->model->weights_open(&loaded->weights, loaded->model, weights, error, sizeof error))
        probe_fail("weights", error);
}

static void load(Loaded *loaded, const char *so, const char *name, const char *weights, int batch,
                 const rn_options *given) {
    char error[RN_ERROR_SIZE] = "";
    open_model(loaded, so, name, weights);
    rn_options options = *given;
    options.error = error;
    options.error_size = sizeof error;
    if (loaded->model->create(&loaded->net, NULL, 0, loaded->weights, &options)) probe_fail("create", error);
    loaded->output = allocate(loaded->model->output_size * (size_t)batch * sizeof(float));
}

static void unload(Loaded *loaded) {
    loaded->model->destroy(loaded->net);
    rn_weights_close(loaded->weights);
    free(loaded->output);
    free(loaded->ms);
}

static size_t image_size(const rn_model *model) {
    return (size_t)model->input.c * (size_t)model->input.h * (size_t)model->input.w;
}

/* The file's images, malloc'd, aligned for floats. */
static float *read_images(const rn_model *model, const char *path, size_t *count) {
    size_t bytes;
    char *file = file_read(path, SIZE_MAX, &bytes);
    *count = file ? bytes / (image_size(model) * sizeof(float)) : 0;
    if (!*count) probe_fail(path, "cannot be read");
    return (float *)(void *)file;
}

/* A batch of them, again and again. */
static float *repeat_images(const rn_model *model, int batch, const char *path) {
    const size_t size = image_size(model);
    size_t count;
    float *file = read_images(model, path, &count), *images = allocate(size * (size_t)batch * sizeof(float));
    for (size_t n = 0; n < (size_t)batch; n++) memcpy(images + n * size, file + n % count * size, size * sizeof(float));
    free(file);
    return images;
}

static float *make_images(const rn_model *model, int batch, uint64_t seed) {
    const size_t size = image_size(model);
    float *images = allocate(size * (size_t)batch * sizeof(float));
    for (int n = 0; n < batch; n++) images_noise(seed, n % PROBE_IMAGES, images + (size_t)n * size, size);
    return images;
}

/* ---- layers ---- */
typedef struct Recorder {
    const rn_model *model;
    int batch, *seen; /* images of each layer that have come */
    FILE *out;
} Recorder;

static void put(FILE *out, const void *data, size_t size) {
    if (fwrite(data, 1, size, out) != size) probe_fail("probe", "cannot write the results");
}

static void put_string(FILE *out, const char *s) {
    int32_t length = s ? (int32_t)strlen(s) : 0;
    put(out, &length, sizeof length);
    put(out, s, (size_t)length);
}

/* int32 image, c, h, w; strings value, name, what, place; floats C x H x W */
static void put_layer(FILE *out, int image, rn_shape shape, const char *const strings[4], const float *planar) {
    int32_t head[4] = {image, shape.c, shape.h, shape.w};
    put(out, head, sizeof head);
    for (int i = 0; i < 4; i++) put_string(out, strings[i]);
    put(out, planar, (size_t)shape.c * (size_t)shape.h * (size_t)shape.w * sizeof(float));
}

static void record_layer(void *user, int index, const rn_tensor *tensor) {
    Recorder *recorder = user;
    if (index < 0 || index >= recorder->model->layer_count || !tensor) return;
    const rn_layer *layer = &recorder->model->layers[index];
    rn_shape s = tensor->shape;
    float *planar = allocate((size_t)s.c * (size_t)s.h * (size_t)s.w * sizeof(float));
    for (int n = 0; n < tensor->images; n++) {
        float *to = planar;
        for (int c = 0; c < s.c; c++)
            for (int y = 0; y < s.h; y++)
                for (int x = 0; x < s.w; x++) *to++ = *(const float *)rn_tensor_at(tensor, n, c, y, x);
        const char *strings[4] = {layer->value, layer->name, layer->what, layer->place};
        put_layer(recorder->out, recorder->seen[index]++, s, strings, planar);
    }
    free(planar);
}

/* The outputs as the application gets them come last, under the outputs' names. */
static void put_outputs(const Loaded *loaded, int batch, FILE *out) {
    const float *data = loaded->output;
    float *planar = allocate(loaded->model->output_size * sizeof *planar);
    for (int n = 0; n < batch; n++) {
        for (int i = 0; i < loaded->model->output_count; i++) {
            const rn_output *output = &loaded->model->outputs[i];
            const char *strings[4] = {output->name, output->name, "output", ""};
            const size_t channels = (size_t)output->shape.c, pixels = (size_t)output->shape.h * (size_t)output->shape.w;
            for (size_t k = 0; k < channels * pixels; k++)
                planar[k] = data[output->layout == RN_NHWC ? k % pixels * channels + k / pixels : k];
            put_layer(out, n, output->shape, strings, planar);
            data += channels * pixels;
        }
    }
    free(planar);
}

static int probe_layers(char **argv) {
    int threads = atoi(argv[0]), batch = atoi(argv[1]);
    Recorder recorder = {.batch = batch, .out = fopen(argv[3], "wb")};
    Loaded loaded = {0};
    if (!recorder.out) probe_fail(argv[3], "cannot be written");
    load(&loaded, argv[4], argv[5], argv[6], batch,
         &(rn_options){.threads = threads, .layer = record_layer, .layer_user = &recorder});
    recorder.model = loaded.model;
    recorder.seen = allocate((size_t)loaded.model->layer_count * sizeof *recorder.seen);
    float *images = repeat_images(loaded.model, batch, argv[2]);
    if (loaded.model->run(loaded.net, batch, images, loaded.output))
        probe_fail("run", loaded.model->message(loaded.net));
    put_outputs(&loaded, batch, recorder.out);
    if (fclose(recorder.out)) probe_fail("probe", "cannot write the layers' results");
    free(images);
    free(recorder.seen);
    unload(&loaded);
    return 0;
}

/* ---- outputs ---- */
static int probe_outputs(char **argv) {
    Loaded loaded = {0};
    char error[RN_ERROR_SIZE] = "";
    rn_evaluator *evaluator;
    size_t count;
    open_model(&loaded, argv[3], argv[4], argv[5]);
    if (rn_evaluator_create(&evaluator, loaded.model, loaded.weights, atoi(argv[0]), error, sizeof error))
        probe_fail("create", error);
    float *images = read_images(loaded.model, argv[1], &count);
    const size_t size = count * loaded.model->output_size * sizeof(float);
    float *output = allocate(size);
    if (rn_evaluator_run(evaluator, (int)count, images, output, error, sizeof error)) probe_fail("run", error);
    if (!file_write(argv[2], output, size)) probe_fail("probe", "cannot write the outputs");
    rn_evaluator_destroy(evaluator);
    rn_weights_close(loaded.weights);
    free(images);
    free(output);
    return 0;
}

/* ---- bench ---- */
static double now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

static double run_once(Loaded *loaded, int batch, const float *images) {
    double start = now_ms();
    if (loaded->model->run(loaded->net, batch, images, loaded->output))
        probe_fail("run", loaded->model->message(loaded->net));
    return now_ms() - start;
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Largest difference from the first variant's output, relative to that output's largest element. */
static double difference(const Loaded *first, const Loaded *other, int batch) {
    double largest = 0, worst = 0;
    for (size_t i = 0; i < first->model->output_size * (size_t)batch; i++) {
        double error = fabs((double)first->output[i] - (double)other->output[i]);
        if (!(fabs((double)first->output[i]) <= largest)) largest = fabs((double)first->output[i]);
        if (!(error <= worst)) worst = isnan(error) ? INFINITY : error; /* what follows must not replace it */
    }
    return largest > 0 ? worst / largest : worst;
}

/* Round-robin, so that drifting clocks and neighbours meet all variants alike. */
static void time_variants(Loaded *variants, int count, int batch, double seconds, const float *images) {
    double end = now_ms() + seconds * 1e3 * count;
    for (int warm = 0; warm < 2; warm++)
        for (int i = 0; i < count; i++) run_once(&variants[i], batch, images);
    for (int run = 0; run < MAX_RUNS && (run < 5 || now_ms() < end); run++) {
        for (int i = 0; i < count; i++) {
            Loaded *v = &variants[(i + run) % count];
            v->ms[v->runs++] = run_once(v, batch, images);
        }
    }
}

static int probe_bench(int argc, char **argv) {
    int threads = atoi(argv[0]), batch = atoi(argv[1]), count = (argc - 4) / 3;
    static Loaded variants[MAX_VARIANTS];
    FILE *out = fopen(argv[3], "w");
    if (!out || count > MAX_VARIANTS) probe_fail(argv[3], "cannot be written");
    for (int i = 0; i < count; i++) {
        char **v = argv + 4 + 3 * i;
        load(&variants[i], v[0], v[1], v[2], batch, &(rn_options){.threads = threads});
        variants[i].ms = allocate(MAX_RUNS * sizeof(double));
    }
    float *images = make_images(variants[0].model, batch, 1);
    time_variants(variants, count, batch, strtod(argv[2], NULL), images);
    for (int i = 0; i < count; i++) {
        Loaded *v = &variants[i];
        int64_t bytes = 0;
        for (int j = 0; j < v->model->layer_count; j++) bytes += v->model->layers[j].bytes;
        qsort(v->ms, (size_t)v->runs, sizeof *v->ms, by_value);
        fprintf(out, "%.9g %.9g %lld %zu %d %.9g\n", v->ms[0], v->ms[v->runs / 2], (long long)bytes * batch,
                v->model->arena_size(batch, threads), v->runs, difference(&variants[0], v, batch));
    }
    if (fclose(out)) probe_fail(argv[3], "cannot be written");
    for (int i = 0; i < count; i++) unload(&variants[i]);
    free(images);
    return 0;
}

/* ---- tune ---- */
enum { TUNE_RUNS_MIN = 8, TUNE_RUNS_MAX = 200 };
static const double TUNE_MS = 1500; /* each variant's time, about */

typedef struct LayerTimes {
    double last;        /* when the layer before ended */
    double *run, *best; /* microseconds of each layer: of this run, the least of all runs */
} LayerTimes;

static void time_layer(void *user, int index, const rn_tensor *tensor) {
    LayerTimes *times = user;
    (void)tensor;
    if (index >= 0) times->run[index] += (now_ms() - times->last) * 1e3;
    times->last = now_ms();
}

static void time_layers(Loaded *loaded, LayerTimes *times, int batch, const float *images) {
    const int count = loaded->model->layer_count;
    memset(times->run, 0, (size_t)count * sizeof *times->run);
    run_once(loaded, batch, images);
    for (int i = 0; i < count; i++)
        if (times->best[i] == 0 || times->run[i] < times->best[i]) times->best[i] = times->run[i];
}

static int probe_tune(int argc, char **argv) {
    const int threads = atoi(argv[0]), batch = atoi(argv[1]), count = (argc - 3) / 3;
    static Loaded variants[MAX_VARIANTS];
    static LayerTimes times[MAX_VARIANTS];
    FILE *out = fopen(argv[2], "w");
    if (!out || count > MAX_VARIANTS) probe_fail(argv[2], "cannot be written");
    for (int i = 0; i < count; i++) {
        char **v = argv + 3 + 3 * i;
        load(&variants[i], v[0], v[1], v[2], batch,
             &(rn_options){.threads = threads, .layer = time_layer, .layer_user = &times[i]});
        times[i].run = allocate((size_t)variants[i].model->layer_count * sizeof(double));
        times[i].best = allocate((size_t)variants[i].model->layer_count * sizeof(double));
    }
    float *images = make_images(variants[0].model, batch, 1);
    const double end = now_ms() + TUNE_MS * count;
    for (int run = 0; run < TUNE_RUNS_MAX && (run < TUNE_RUNS_MIN || now_ms() < end); run++)
        for (int i = 0; i < count; i++) { /* twice in a row: the first finds the caches full of another's weights */
            const int v = (i + run) % count;
            run_once(&variants[v], batch, images);
            time_layers(&variants[v], &times[v], batch, images);
        }
    for (int i = 0; i < count; i++) {
        for (int k = 0; k < variants[i].model->layer_count; k++) fprintf(out, "%.9g ", times[i].best[k]);
        fprintf(out, "\n");
        unload(&variants[i]);
        free(times[i].run);
        free(times[i].best);
    }
    if (fclose(out)) probe_fail(argv[2], "cannot be written");
    free(images);
    return 0;
}

int probe_main(int argc, char **argv) {
    if (argc == 8 && !strcmp(argv[0], "layers")) return probe_layers(argv + 1);
    if (argc == 7 && !strcmp(argv[0], "outputs")) return probe_outputs(argv + 1);
    if (argc >= 8 && (argc - 5) % 3 == 0 && !strcmp(argv[0], "bench")) return probe_bench(argc - 1, argv + 1);
    if (argc == 8 && !strcmp(argv[0], "train")) return probe_train(argv + 1);
    if (argc >= 7 && (argc - 4) % 3 == 0 && !strcmp(argv[0], "tune")) return probe_tune(argc - 1, argv + 1);
    probe_fail("--probe", "is for rnc's own use");
    return 1;
}

/* ---- the other side ---- */
bool probe_run(Compilation *c, const char *task, const char *const *words, const char *folder,
               const char *const *stems) {
    Arena *a = &c->arena;
    char **argv = NULL;
    int count = 0, capacity = 0;
    ARENA_PUSH(a, argv, count, capacity, "/proc/self/exe");
    ARENA_PUSH(a, argv, count, capacity, "--probe");
    for (; *words; words++) ARENA_PUSH(a, argv, count, capacity, (char *)*words);
    for (; *stems; stems++) {
        ARENA_PUSH(a, argv, count, capacity, arena_printf(a, "%s/%s.so", folder, *stems));
        ARENA_PUSH(a, argv, count, capacity, (char *)c->name);
        ARENA_PUSH(a, argv, count, capacity, arena_printf(a, "%s/%s.rnw", folder, *stems));
    }
    ARENA_PUSH(a, argv, count, capacity, NULL);
    const int status = toolchain_run(argv, false);
    if (status > 128)
        diag_error(&c->diag, (Place){0}, "%s: the emitted code crashed: %s", task, strsignal(status - 128));
    else if (status)
        diag_error(&c->diag, (Place){0}, "%s: the emitted code did not run (status %d)", task, status);
    return !status;
}
