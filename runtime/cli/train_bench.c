/* bench: whole steps on made-up images, timed after a warm-up, against peaks measured in the same run. */
#include "train.h"
#include "train/philox.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { WARM_UP = 2, STEPS_MIN = 5 };

typedef struct Bench {
    const TrainCli *cli;
    void *trainer;
    float *images;
    int32_t *labels;
    Times times;
    Peaks peaks;
} Bench;

/* lr 0, so that made-up labels lead to no infinity however long it takes. */
static int measure(Bench *bench) {
    const Cli *cli = &bench->cli->base;
    double start = 0;
    for (int i = -WARM_UP; i < STEPS_MIN || time_now() - start < cli->seconds; i++) {
        if (i == 0) start = time_now();
        const double before = time_now();
        if (rn_train_gradients(bench->trainer, cli->batch, bench->images, bench->labels, NULL) ||
            rn_train_apply(bench->trainer, 0))
            return cli_fail(cli, "%s", rn_train_message(bench->trainer));
        if (i >= 0 && !times_add(&bench->times, time_now() - before)) return cli_fail(cli, "out of memory");
    }
    return CLI_OK;
}

static int report(Bench *bench) {
    const Cli *cli = &bench->cli->base;
    const rn_train_model *m = bench->cli->model;
    const TimeStatistics t = time_statistics(bench->times.each, bench->times.count);
    const double gflops = 2e-9 * (double)m->macs * cli->batch / t.median, peak = bench->peaks.fma * cli->threads;
    const double limit = 2e-9 * (double)m->multiplications * cli->batch / peak;
    if (cli->json) {
        cJSON *json = cJSON_CreateObject();
        cJSON_AddStringToObject(json, "network", m->name);
        cJSON_AddNumberToObject(json, "threads", cli->threads);
        cJSON_AddNumberToObject(json, "batch", cli->batch);
        cJSON_AddNumberToObject(json, "steps", bench->times.count);
        cJSON_AddNumberToObject(json, "min_ms", t.min * 1e3);
        cJSON_AddNumberToObject(json, "median_ms", t.median * 1e3);
        cJSON_AddNumberToObject(json, "p99_ms", t.p99 * 1e3);
        cJSON_AddNumberToObject(json, "images_per_second", cli->batch / t.median);
        cJSON_AddNumberToObject(json, "gflops", gflops);
        cJSON_AddNumberToObject(json, "peak_gflops", peak);
        cJSON_AddNumberToObject(json, "peak_fraction", gflops / peak);
        cJSON_AddNumberToObject(json, "multiplications", (double)m->multiplications);
        cJSON_AddNumberToObject(json, "limit_ms", limit * 1e3);
        cJSON_AddNumberToObject(json, "limit_fraction", limit / t.median);
        return cli_print_json(cli, json);
    }
    printf("%s: steps of %d images, %d thread%s, %d after %d to warm up\n", m->name, cli->batch, cli->threads,
           cli->threads == 1 ? "" : "s", bench->times.count, WARM_UP);
    printf("  min     %9.3f ms\n  median  %9.3f ms   %.1f images/s\n  p99     %9.3f ms\n", t.min * 1e3, t.median * 1e3,
           cli->batch / t.median, t.p99 * 1e3);
    printf("  %.1f GFLOP/s at the median", gflops);
    peaks_print(&bench->peaks, cli, gflops);
    if (peak > 0)
        printf("  %.2f G multiplications take %.3f ms at the FMA peak: %.1f %% of that limit at the median\n",
               (double)m->multiplications * cli->batch * 1e-9, limit * 1e3, 100 * limit / t.median);
    return CLI_OK;
}

static bool make_batch(Bench *bench) {
    const Cli *cli = &bench->cli->base;
    bench->images = cli_random_images(cli);
    bench->labels = cli_allocate((size_t)cli->batch, sizeof *bench->labels);
    if (!bench->images || !bench->labels) return false;
    rn_draws draws = rn_draws_for(1, RN_DRAW_TEST, 0, 0);
    for (int i = 0; i < cli->batch; i++)
        bench->labels[i] = (int32_t)rn_draw_below(&draws, (uint32_t)bench->cli->model->classes);
    return true;
}

int train_bench(const TrainCli *cli) {
    Bench bench = {.cli = cli, .peaks = PEAKS_NONE};
    if (!train_create(&bench.trainer, cli)) return CLI_FAILED;
    int status = make_batch(&bench) ? CLI_OK : cli_fail(&cli->base, "out of memory");
    if (!status && rn_train_init(bench.trainer, 1))
        status = cli_fail(&cli->base, "%s", rn_train_message(bench.trainer));
    if (!status) {
        peaks_measure(&bench.peaks, &cli->base);
        status = measure(&bench);
        peaks_measure(&bench.peaks, &cli->base);
    }
    if (!status) status = report(&bench);
    rn_train_destroy(bench.trainer);
    free(bench.times.each);
    free(bench.images);
    free(bench.labels);
    return status;
}
