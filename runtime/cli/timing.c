/* Times and peaks. Statistics are of sorted times (p99: the nearest rank), since a mean says more about the neighbours
 * on the machine than about the network. */
#include "cli.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

double time_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

bool times_add(Times *times, double seconds) {
    if (times->count == times->capacity) {
        int capacity = times->capacity ? 2 * times->capacity : 1024;
        double *each = realloc(times->each, (size_t)capacity * sizeof *each);
        if (!each) return false;
        times->each = each;
        times->capacity = capacity;
    }
    times->each[times->count++] = seconds;
    return true;
}

static int time_compare(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

TimeStatistics time_statistics(double *each, int count) {
    qsort(each, (size_t)count, sizeof *each, time_compare);
    const int rank = (int)ceil(0.99 * count);
    return (TimeStatistics){
        .min = each[0],
        .median = (each[(count - 1) / 2] + each[count / 2]) / 2,
        .p99 = each[rank - 1],
    };
}

/* Bytes of the last cache: of sysfs, since sysconf counts every cache of the machine. 0: not known. */
static long last_cache(void) {
    FILE *file = fopen("/sys/devices/system/cpu/cpu0/cache/index3/size", "r");
    long kilobytes = 0;
    if (file) {
        if (fscanf(file, "%ldK", &kilobytes) != 1) kilobytes = 0;
        fclose(file);
    }
    return kilobytes << 10;
}

/* Weights that the last cache holds are found there again by the next run: memory does not limit it. */
static bool weights_outgrow_cache(const rn_model *m) {
    const long cache = last_cache();
    int64_t bytes = 0;
    for (int k = 0; k < m->layer_count; k++) bytes += m->layers[k].weights;
    return cache > 0 && bytes > cache;
}

/* Where no kernels come from libxsmm, the program does not link it for its peak. */
#pragma weak rn_gemm_peak_gflops

/* Runs are timed between the two. */
static void keep_mean(double *rate, double now) {
    if (now > 0) *rate = isnan(*rate) ? now : (*rate + now) / 2;
}

void peaks_measure(Peaks *peaks, const Cli *cli) {
    const double seconds = 0.1;
    /* The widest instructions that the CPU has: libxsmm uses them, whatever the emitted C was made for */
    double fma = rn_peak_gflops(RN_ISA_X86_64_V4, seconds);
    if (!(fma > 0)) fma = rn_peak_gflops(cli->model->isa, seconds);
    const double gemm = rn_gemm_peak_gflops ? rn_gemm_peak_gflops(seconds) : 0;
    const double memory = weights_outgrow_cache(cli->model) ? rn_peak_memory(cli->threads, seconds) : 0;
    keep_mean(&peaks->fma, fma);
    keep_mean(&peaks->gemm, gemm);
    keep_mean(&peaks->memory, memory);
}

void peaks_print(const Peaks *peaks, const Cli *cli, double gflops) {
    const double fma = peaks->fma * cli->threads, gemm = peaks->gemm * cli->threads;
    if (fma > 0)
        printf(": %.1f %% of the FMA peak (%.1f)", 100 * gflops / fma, fma);
    else
        printf("; the FMA peak is not measured: this CPU has no AVX2");
    if (gemm > 0) printf(", %.1f %% of libxsmm's (%.1f)", 100 * gflops / gemm, gemm);
    putchar('\n');
}

static double multiplications_time(const Cli *cli, const rn_layer *layer, const Peaks *peaks) {
    return 2e-9 * (double)layer->multiplications * cli->batch / (peaks->fma * cli->threads);
}

static double weights_time(const rn_layer *layer, const Peaks *peaks) {
    return 1e-9 * (double)layer->weights / peaks->memory;
}

bool limit_has_weights(const Peaks *peaks) {
    return peaks->memory > 0;
}

bool limit_is_memory(const Cli *cli, const rn_layer *layer, const Peaks *peaks) {
    return limit_has_weights(peaks) && weights_time(layer, peaks) > multiplications_time(cli, layer, peaks);
}

double limit_of_layer(const Cli *cli, const rn_layer *layer, const Peaks *peaks) {
    return limit_is_memory(cli, layer, peaks) ? weights_time(layer, peaks) : multiplications_time(cli, layer, peaks);
}

double limit_of_run(const Cli *cli, const Peaks *peaks) {
    double limit = 0;
    for (int k = 0; k < cli->model->layer_count; k++) limit += limit_of_layer(cli, &cli->model->layers[k], peaks);
    return limit;
}

float *cli_random_images(const Cli *cli) {
    const rn_shape in = cli->model->input;
    const size_t count = (size_t)cli->batch * (size_t)in.c * (size_t)in.h * (size_t)in.w;
    float *images = cli_allocate(count, sizeof *images);
    uint32_t state = 1;
    for (size_t i = 0; images && i < count; i++) {
        state = state * 1664525u + 1013904223u;
        images[i] = (float)(state >> 8) / (1 << 23) - 1; /* -1 .. 1, about what normalised pictures are */
    }
    return images;
}
