/* profile: the time of each layer, from the hook that run calls after it. A layer that runs image by image is called
 * once an image; its time in a run is the sum. What the hook itself costs (two clock readings) is outside the layers'
 * times. */
#include "cli.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WARM_UP = 3, RUNS_MIN = 10, RUNS_MAX = 1024 };

typedef struct Profile {
    const Cli *cli;
    double last;     /* when the layer before ended */
    double *current; /* [layers] of the run that goes on */
    double *samples; /* [layers][RUNS_MAX] */
    Times whole;
} Profile;

static void profile_layer(void *user, int layer, const rn_tensor *out) {
    (void)out;
    Profile *p = user;
    const double now = time_now();
    if (layer >= 0 && layer < p->cli->model->layer_count) p->current[layer] += now - p->last;
    p->last = time_now();
}

static int measure(Profile *p, Net *net, const float *images, float *output) {
    const rn_model *m = p->cli->model;
    double start = 0;
    for (int i = -WARM_UP; i < RUNS_MIN || (i < RUNS_MAX && time_now() - start < p->cli->seconds); i++) {
        if (i == 0) start = time_now();
        memset(p->current, 0, (size_t)m->layer_count * sizeof *p->current);
        const double before = p->last = time_now();
        if (m->run(net->net, p->cli->batch, images, output)) return cli_fail(p->cli, "%s", m->message(net->net));
        const double after = time_now();
        if (i < 0) continue;
        if (!times_add(&p->whole, after - before)) return cli_fail(p->cli, "out of memory");
        for (int k = 0; k < m->layer_count; k++) p->samples[(size_t)k * RUNS_MAX + (size_t)i] = p->current[k];
    }
    return CLI_OK;
}

typedef struct Row {
    double min, median, share, gflops, fraction, bandwidth, limit;
    bool memory; /* the limit is that of the weights from memory */
} Row;

static Row row_of(const Profile *p, const rn_layer *layer, TimeStatistics t, double all, const Peaks *peaks) {
    const double batch = p->cli->batch;
    Row row = {.min = t.min, .median = t.median, .share = all > 0 ? t.median / all : 0};
    if (t.median > 0) {
        row.gflops = 2e-9 * (double)layer->macs * batch / t.median;
        row.bandwidth = 1e-9 * (double)layer->bytes * batch / t.median;
    }
    row.fraction = row.gflops / (peaks->fma * p->cli->threads);
    row.limit = limit_of_layer(p->cli, layer, peaks);
    row.memory = limit_is_memory(p->cli, layer, peaks);
    return row;
}

static cJSON *row_json(const rn_layer *layer, const Row *row) {
    cJSON *json = cJSON_CreateObject();
    cJSON_AddStringToObject(json, "name", layer->name);
    cJSON_AddStringToObject(json, "what", layer->what);
    cJSON_AddStringToObject(json, "algorithm", layer->algorithm);
    cJSON_AddStringToObject(json, "place", layer->place);
    cJSON_AddNumberToObject(json, "min_ms", row->min * 1e3);
    cJSON_AddNumberToObject(json, "median_ms", row->median * 1e3);
    cJSON_AddNumberToObject(json, "share", row->share);
    cJSON_AddNumberToObject(json, "multiply_adds", (double)layer->macs);
    cJSON_AddNumberToObject(json, "gflops", row->gflops);
    cJSON_AddNumberToObject(json, "peak_fraction", row->fraction);
    cJSON_AddNumberToObject(json, "gbytes_per_second", row->bandwidth);
    cJSON_AddNumberToObject(json, "multiplications", (double)layer->multiplications);
    cJSON_AddNumberToObject(json, "weights_bytes", (double)layer->weights);
    cJSON_AddNumberToObject(json, "limit_ms", row->limit * 1e3);
    cJSON_AddStringToObject(json, "limit", row->memory ? "memory" : "multiplications");
    return json;
}

static int report_json(const Profile *p, const Row *rows, TimeStatistics whole, const Peaks *peaks) {
    const Cli *cli = p->cli;
    const rn_model *m = cli->model;
    const double gflops = 2e-9 * (double)m->macs * cli->batch / whole.median, peak = peaks->fma * cli->threads;
    cJSON *json = cJSON_CreateObject(), *layers = cJSON_CreateArray();
    cJSON_AddStringToObject(json, "network", m->name);
    cJSON_AddNumberToObject(json, "threads", cli->threads);
    cJSON_AddNumberToObject(json, "batch", cli->batch);
    cJSON_AddNumberToObject(json, "runs", p->whole.count);
    cJSON_AddNumberToObject(json, "min_ms", whole.min * 1e3);
    cJSON_AddNumberToObject(json, "median_ms", whole.median * 1e3);
    cJSON_AddNumberToObject(json, "p99_ms", whole.p99 * 1e3);
    cJSON_AddNumberToObject(json, "gflops", gflops);
    cJSON_AddNumberToObject(json, "peak_gflops", peak);
    cJSON_AddNumberToObject(json, "peak_fraction", gflops / peak);
    cJSON_AddNumberToObject(json, "gemm_peak_gflops", peaks->gemm * cli->threads);
    cJSON_AddNumberToObject(json, "memory_gbytes_per_second", peaks->memory);
    cJSON_AddNumberToObject(json, "roofline_ms", limit_of_run(cli, peaks) * 1e3);
    cJSON_AddItemToObject(json, "layers", layers);
    for (int k = 0; k < m->layer_count; k++) cJSON_AddItemToArray(layers, row_json(&m->layers[k], &rows[k]));
    return cli_print_json(cli, json);
}

static int column_width(int width, const char *text) {
    const int n = (int)strlen(text);
    return n > width ? n : width;
}

static int report_text(const Profile *p, const Row *rows, TimeStatistics whole, const Peaks *peaks) {
    const Cli *cli = p->cli;
    const rn_model *m = cli->model;
    int name = 5, what = 4, algorithm = 9;
    for (int k = 0; k < m->layer_count; k++) {
        name = column_width(name, m->layers[k].name);
        what = column_width(what, m->layers[k].what);
        algorithm = column_width(algorithm, m->layers[k].algorithm);
    }
    printf("%-*s  %-*s  %-*s  %9s %9s %7s %8s %7s %7s %9s     %s\n", name, "layer", what, "what", algorithm,
           "algorithm", "min us", "median us", "share", "GFLOP/s", "of peak", "GB/s", "limit us", "source");
    for (int k = 0; k < m->layer_count; k++) {
        const rn_layer *l = &m->layers[k];
        const Row *r = &rows[k];
        char fraction[32] = "-", limit[32] = "-";
        if (r->fraction >= 0) snprintf(fraction, sizeof fraction, "%.1f %%", 100 * r->fraction);
        if (r->limit > 0) snprintf(limit, sizeof limit, "%.1f", r->limit * 1e6);
        printf("%-*s  %-*s  %-*s  %9.1f %9.1f %5.1f %% %8.1f %7s %7.1f %9s %-3s %s\n", name, l->name, what, l->what,
               algorithm, l->algorithm, r->min * 1e6, r->median * 1e6, 100 * r->share, r->gflops, fraction,
               r->bandwidth, limit, r->memory ? "mem" : "", l->place);
    }
    const double gflops = 2e-9 * (double)m->macs * cli->batch / whole.median;
    printf("\n%s: batch %d, %d thread%s, %d runs: min %.3f ms, median %.3f ms, p99 %.3f ms\n", m->name, cli->batch,
           cli->threads, cli->threads == 1 ? "" : "s", p->whole.count, whole.min * 1e3, whole.median * 1e3,
           whole.p99 * 1e3);
    printf("%.1f GFLOP/s", gflops);
    peaks_print(peaks, cli, gflops);
    const double limit = limit_of_run(cli, peaks);
    if (limit > 0)
        printf("limits: multiplications at the FMA peak%s: %.3f ms in all, %.1f %% of the median\n",
               limit_has_weights(peaks) ? ", or (mem) a layer's weights from memory where that takes longer" : "",
               limit * 1e3, 100 * limit / whole.median);
    return CLI_OK;
}

static int report(Profile *p, const Peaks *peaks, Row *rows) {
    const rn_model *m = p->cli->model;
    const int runs = p->whole.count;
    const TimeStatistics whole = time_statistics(p->whole.each, runs);
    for (int k = 0; k < m->layer_count; k++) {
        const TimeStatistics t = time_statistics(p->samples + (size_t)k * RUNS_MAX, runs);
        rows[k] = row_of(p, &m->layers[k], t, whole.median, peaks);
    }
    return p->cli->json ? report_json(p, rows, whole, peaks) : report_text(p, rows, whole, peaks);
}

int cli_profile(const Cli *cli) {
    const rn_model *m = cli->model;
    const size_t layers = (size_t)m->layer_count;
    Profile p = {.cli = cli};
    Peaks peaks = PEAKS_NONE;
    Net net = {0};
    float *images = cli_random_images(cli);
    float *output = cli_allocate((size_t)cli->batch * m->output_size, sizeof *output);
    Row *rows = cli_allocate(layers, sizeof *rows);
    p.current = cli_allocate(layers, sizeof *p.current);
    p.samples = cli_allocate(layers * RUNS_MAX, sizeof *p.samples);
    int status = images && output && rows && p.current && p.samples ? CLI_OK : cli_fail(cli, "out of memory");
    if (!status && !net_open(&net, cli, profile_layer, &p)) status = CLI_FAILED;
    if (!status) {
        peaks_measure(&peaks, cli);
        status = measure(&p, &net, images, output);
        peaks_measure(&peaks, cli);
    }
    if (!status) status = report(&p, &peaks, rows);
    net_close(&net, cli);
    free(p.whole.each);
    free(p.samples);
    free(p.current);
    free(rows);
    free(output);
    free(images);
    return status;
}
