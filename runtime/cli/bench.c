/* bench: whole runs, timed after a warm-up, against peaks measured in the same run. GFLOP/s are at the median. */
#include "cli.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WARM_UP = 3, RUNS_MIN = 10 };

static int measure(const Cli *cli, Net *net, const float *images, float *output, Times *times) {
    const rn_model *m = cli->model;
    double start = 0;
    for (int i = -WARM_UP; i < RUNS_MIN || time_now() - start < cli->seconds; i++) {
        if (i == 0) start = time_now();
        const double before = time_now();
        if (m->run(net->net, cli->batch, images, output)) return cli_fail(cli, "%s", m->message(net->net));
        const double after = time_now();
        if (i >= 0 && !times_add(times, after - before)) return cli_fail(cli, "out of memory");
    }
    return CLI_OK;
}

static int report(const Cli *cli, Times *times, const Peaks *peaks) {
    const rn_model *m = cli->model;
    const TimeStatistics t = time_statistics(times->each, times->count);
    const double gflops = 2e-9 * (double)m->macs * cli->batch / t.median;
    const double peak = peaks->fma * cli->threads, gemm = peaks->gemm * cli->threads;
    /* the time that the multiplications alone would take at the FMA peak, and the roofline */
    const double limit = 2e-9 * (double)m->multiplications * cli->batch / peak;
    const double roofline = limit_of_run(cli, peaks);
    if (cli->json) {
        cJSON *json = cJSON_CreateObject();
        cJSON_AddStringToObject(json, "network", m->name);
        cJSON_AddNumberToObject(json, "threads", cli->threads);
        cJSON_AddNumberToObject(json, "batch", cli->batch);
        cJSON_AddNumberToObject(json, "warm_up", WARM_UP);
        cJSON_AddNumberToObject(json, "runs", times->count);
        cJSON_AddNumberToObject(json, "min_ms", t.min * 1e3);
        cJSON_AddNumberToObject(json, "median_ms", t.median * 1e3);
        cJSON_AddNumberToObject(json, "p99_ms", t.p99 * 1e3);
        cJSON_AddNumberToObject(json, "images_per_second", cli->batch / t.median);
        cJSON_AddNumberToObject(json, "gflops", gflops);
        cJSON_AddNumberToObject(json, "peak_gflops", peak);
        cJSON_AddNumberToObject(json, "peak_fraction", gflops / peak);
        cJSON_AddNumberToObject(json, "gemm_peak_gflops", gemm);
        cJSON_AddNumberToObject(json, "multiplications", (double)m->multiplications);
        cJSON_AddNumberToObject(json, "limit_ms", limit * 1e3);
        cJSON_AddNumberToObject(json, "limit_fraction", limit / t.median);
        cJSON_AddNumberToObject(json, "memory_gbytes_per_second", peaks->memory);
        cJSON_AddNumberToObject(json, "roofline_ms", roofline * 1e3);
        cJSON_AddNumberToObject(json, "roofline_fraction", roofline / t.median);
        return cli_print_json(cli, json);
    }
    printf("%s: batch %d, %d thread%s, %d runs after %d to warm up\n", m->name, cli->batch, cli->threads,
           cli->threads == 1 ? "" : "s", times->count, WARM_UP);
    printf("  min     %9.3f ms\n  median  %9.3f ms   %.1f images/s\n  p99     %9.3f ms\n", t.min * 1e3, t.median * 1e3,
           cli->batch / t.median, t.p99 * 1e3);
    printf("  %.1f GFLOP/s at the median", gflops);
    peaks_print(peaks, cli, gflops);
    if (!(peak > 0)) return CLI_OK;
    printf("  %.2f G multiplications take %.3f ms at the FMA peak: %.1f %% of that limit at the median\n",
           (double)m->multiplications * cli->batch * 1e-9, limit * 1e3, 100 * limit / t.median);
    if (limit_has_weights(peaks))
        printf("  or, where that takes a layer longer, its weights from memory (%.1f GB/s): %.3f ms, %.1f %%\n",
               peaks->memory, roofline * 1e3, 100 * roofline / t.median);
    return CLI_OK;
}

int cli_bench(const Cli *cli) {
    Net net;
    Times times = {0};
    Peaks peaks = PEAKS_NONE;
    float *images = cli_random_images(cli);
    float *output = cli_allocate((size_t)cli->batch * cli->model->output_size, sizeof *output);
    int status = images && output ? CLI_OK : cli_fail(cli, "out of memory");
    memset(&net, 0, sizeof net);
    if (!status && !net_open(&net, cli, NULL, NULL)) status = CLI_FAILED;
    if (!status) {
        peaks_measure(&peaks, cli);
        status = measure(cli, &net, images, output, &times);
        peaks_measure(&peaks, cli);
    }
    if (!status) status = report(cli, &times, &peaks);
    net_close(&net, cli);
    free(times.each);
    free(images);
    free(output);
    return status;
}
