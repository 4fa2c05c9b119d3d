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
    int images_here;          /* of cli->batch, this rank's */
    rn_train_traffic traffic; /* of all timed steps */
} Bench;

static rn_train_traffic traffic_of(const TrainCli *cli) {
    rn_train_traffic traffic = {0};
    if (cli->team && cli->team->traffic) cli->team->traffic(cli->team->user, &traffic);
    return traffic;
}

static void subtract(rn_train_traffic *a, const rn_train_traffic *b) {
    a->bytes -= b->bytes;
    a->gradients -= b->gradients;
    a->waited_for_sums -= b->waited_for_sums;
    a->waited_for_gradients -= b->waited_for_gradients;
}

/* lr 0, so that made-up labels lead to no infinity however long it takes. Of several ranks the first says with a step's
 * sums that it is the last. */
static int measure(Bench *bench) {
    const Cli *cli = &bench->cli->base;
    rn_train_context *context = rn_trainer(bench->trainer);
    rn_train_traffic before_all = {0};
    double start = 0;
    bool last = false;
    for (int i = -WARM_UP; !last; i++) {
        if (i == 0) start = time_now(), before_all = traffic_of(bench->cli);
        const double before = time_now();
        last = i + 1 >= STEPS_MIN && before - start >= cli->seconds;
        context->tells = last && !rn_train_rank(context) ? RN_TRAIN_TELLS_END : 0;
        if (rn_train_gradients(bench->trainer, bench->images_here, bench->images, bench->labels, NULL) ||
            rn_train_apply(bench->trainer, 0))
            return cli_fail(cli, "%s", rn_train_message(bench->trainer));
        if (train_ranks(bench->cli) > 1) last = context->heard & RN_TRAIN_TELLS_END;
        if (i >= 0 && !times_add(&bench->times, time_now() - before)) return cli_fail(cli, "out of memory");
    }
    bench->traffic = traffic_of(bench->cli);
    subtract(&bench->traffic, &before_all);
    return CLI_OK;
}

/* Of a step: what went out; how long gradients were under way, and how much of that the step had to wait. */
static void report_traffic(const Bench *bench) {
    const rn_train_traffic *t = &bench->traffic;
    const double ms = 1e3 / bench->times.count;
    printf("  a step of rank 0 sends %.3f MB and waits %.3f ms for sums over the ranks\n",
           (double)t->bytes / bench->times.count * 1e-6, t->waited_for_sums * ms);
    printf("  gradients are under way for %.3f ms, of which it waits %.3f ms: %.1f %% are overlapped\n",
           t->gradients * ms, t->waited_for_gradients * ms,
           t->gradients > t->waited_for_gradients ? 100 * (1 - t->waited_for_gradients / t->gradients) : 0);
}

static void add_traffic(cJSON *json, const Bench *bench) {
    const rn_train_traffic *t = &bench->traffic;
    const double ms = 1e3 / bench->times.count;
    cJSON_AddNumberToObject(json, "ranks", train_ranks(bench->cli));
    cJSON_AddNumberToObject(json, "sent_bytes", (double)t->bytes / bench->times.count);
    cJSON_AddNumberToObject(json, "waited_for_sums_ms", t->waited_for_sums * ms);
    cJSON_AddNumberToObject(json, "gradients_ms", t->gradients * ms);
    cJSON_AddNumberToObject(json, "waited_for_gradients_ms", t->waited_for_gradients * ms);
}

static int report(Bench *bench) {
    const Cli *cli = &bench->cli->base;
    const rn_train_model *m = bench->cli->model;
    const TimeStatistics t = time_statistics(bench->times.each, bench->times.count);
    const double gflops = 2e-9 * (double)m->macs * cli->batch / t.median,
                 peak = bench->peaks.fma * cli->threads * train_ranks(bench->cli);
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
        if (train_ranks(bench->cli) > 1) add_traffic(json, bench);
        return cli_print_json(cli, json);
    }
    printf("%s: steps of %d images, ", m->name, cli->batch);
    if (train_ranks(bench->cli) > 1) printf("%d processes, each ", train_ranks(bench->cli));
    printf("%d thread%s, %d after %d to warm up\n", cli->threads, cli->threads == 1 ? "" : "s", bench->times.count,
           WARM_UP);
    printf("  min     %9.3f ms\n  median  %9.3f ms   %.1f images/s\n  p99     %9.3f ms\n", t.min * 1e3, t.median * 1e3,
           cli->batch / t.median, t.p99 * 1e3);
    printf("  %.1f GFLOP/s at the median", gflops);
    peaks_print(&bench->peaks, cli, gflops / train_ranks(bench->cli));
    if (peak > 0)
        printf("  %.2f G multiplications take %.3f ms at the FMA peak: %.1f %% of that limit at the median\n",
               (double)m->multiplications * cli->batch * 1e-9, limit * 1e3, 100 * limit / t.median);
    if (train_ranks(bench->cli) > 1) report_traffic(bench);
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

int train_bench(TrainCli *cli) {
    Bench bench = {.cli = cli, .peaks = PEAKS_NONE, .images_here = cli->base.batch / train_ranks(cli)};
    int status = train_create(&bench.trainer, cli) ? CLI_OK : CLI_FAILED;
    if (!status && !make_batch(&bench)) status = cli_fail(&cli->base, "out of memory");
    if (!status && rn_train_init(bench.trainer, 1))
        status = cli_fail(&cli->base, "%s", rn_train_message(bench.trainer));
    if (!ranks_agree(cli, !status)) status = CLI_FAILED;
    if (!status) {
        peaks_measure(&bench.peaks, &cli->base);
        status = measure(&bench);
        peaks_measure(&bench.peaks, &cli->base);
        cli->is_alone = status != CLI_OK;
    }
    if (!status && (!cli->team || cli->team->rank == 0)) status = report(&bench);
    rn_train_destroy(bench.trainer);
    free(bench.times.each);
    free(bench.images);
    free(bench.labels);
    return status;
}
