/* info: what is trained, by what recipe, with how much memory. */
#include "train.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

static int64_t trained_count(const rn_train_model *m) {
    int64_t count = 0;
    for (int i = 0; i < m->parameter_count; i++)
        if (m->parameters[i].trained) count += rn_train_count(&m->parameters[i]);
    return count;
}

static int frozen_tensors(const rn_train_model *m) {
    int count = 0;
    for (int i = 0; i < m->parameter_count; i++)
        count += !m->parameters[i].trained && m->parameters[i].kind <= RN_TRAIN_SLOPE;
    return count;
}

/* That a process may make. */
static int batch_of(const TrainCli *cli) {
    return cli->base.batch < cli->model->batch ? cli->base.batch : cli->model->batch;
}

static int print_json(const TrainCli *cli) {
    const rn_train_model *m = cli->model;
    const rn_train_recipe *r = m->recipe;
    cJSON *json = cJSON_CreateObject();
    cJSON_AddStringToObject(json, "network", m->name);
    cJSON_AddStringToObject(json, "source", m->source_hash);
    cJSON_AddStringToObject(json, "plan", m->plan_hash);
    cJSON_AddNumberToObject(json, "classes", m->classes);
    cJSON_AddNumberToObject(json, "trained", (double)trained_count(m));
    cJSON_AddNumberToObject(json, "frozen_tensors", frozen_tensors(m));
    cJSON_AddNumberToObject(json, "batch", r->batch);
    cJSON_AddNumberToObject(json, "largest_step", m->batch);
    cJSON_AddNumberToObject(json, "ranks", m->ranks);
    cJSON_AddNumberToObject(json, "macs", (double)m->macs);
    cJSON_AddNumberToObject(json, "multiplications", (double)m->multiplications);
    cJSON_AddNumberToObject(json, "lr", r->lr);
    cJSON_AddNumberToObject(json, "momentum", r->momentum);
    cJSON_AddNumberToObject(json, "decay", r->decay);
    cJSON_AddNumberToObject(json, "stop", (double)r->stop);
    cJSON_AddNumberToObject(json, "threads", cli->base.threads);
    cJSON_AddNumberToObject(json, "arena_bytes", (double)m->size(batch_of(cli), cli->base.threads));
    return cli_print_json(&cli->base, json);
}

static void print_schedule(const rn_train_recipe *r) {
    printf("  lr %g", r->lr);
    if (r->warmup && r->warmup_error > 0)
        printf(", %g until the training error is below %g %%", r->warmup_lr, 100 * r->warmup_error);
    else if (r->warmup)
        printf(", %s %g for %" PRId64 " steps", r->warmup_rise ? "rising from" : "first", r->warmup_lr,
               r->warmup_steps);
    for (int i = 0; i < r->divide_count; i++) printf("%s%" PRId64, i ? ", " : ", divided at steps ", r->divide_at[i]);
    if (r->divide_at_plateau) printf(", divided where the test error stops falling");
    if (r->divide_count || r->divide_at_plateau) printf(" by %g", r->divide_by);
    if (r->cosine) printf(", along half a cosine to %g", r->cosine_to);
    if (r->stop) printf("; stops at step %" PRId64, r->stop);
    putchar('\n');
}

static void print_pictures(const rn_train_recipe *r) {
    static const char *const subtract[] = {"", ", less the pixels' mean", ", less the channels' mean"};
    printf("  pictures: as they are tested");
    if (r->pad) printf(", pad %d", r->pad);
    if (r->crop_h) printf(", crop %dx%d", r->crop_h, r->crop_w);
    if (r->resize_min) printf(", resize %d to %d", r->resize_min, r->resize_max);
    if (r->area_min > 0) printf(", area %g to %g %%", 100 * r->area_min, 100 * r->area_max);
    printf("%s%s", r->mirror ? ", mirror" : "", r->colour ? ", colour" : "");
    if (r->mixup > 0) printf(", mixup %g", r->mixup);
    printf("%s\n", subtract[r->subtract]);
}

int train_info(const TrainCli *cli) {
    if (cli->base.json) return print_json(cli);
    const rn_train_model *m = cli->model;
    const rn_train_recipe *r = m->recipe;
    const rn_shape in = m->network->input;
    const int frozen = frozen_tensors(m);
    printf("%s: trains %" PRId64 " parameters of %d x %d x %d images, %d classes\n", m->name, trained_count(m), in.c,
           in.h, in.w, m->classes);
    if (frozen) printf("  %d tensors are frozen\n", frozen);
    printf("  batch %d (at most %d a step), sgd momentum %g%s, decay %g on %s\n", r->batch, m->batch, r->momentum,
           r->nesterov ? " (nesterov)" : "", r->decay, r->decay_all ? "all" : "weights");
    print_schedule(r);
    print_pictures(r);
    printf("  init %s%s; smoothing %g\n", r->init == RN_TRAIN_HE ? "he" : "xavier", r->zero_last ? ", zero last" : "",
           r->smooth);
    printf("  %.1f M multiply-adds an image and step, %.1f M multiplications\n", 1e-6 * (double)m->macs,
           1e-6 * (double)m->multiplications);
    if (m->ranks > 1) {
        printf("  up to %d processes (1", m->ranks);
        for (int n = 2; n <= m->ranks; n *= 2) printf(", %d", n);
        printf(") have the bits of one\n");
    }
    printf("  %.1f MiB at batch %d with %d thread%s\n", (double)m->size(batch_of(cli), cli->base.threads) / 1048576,
           batch_of(cli), cli->base.threads, cli->base.threads == 1 ? "" : "s");
    printf("  source %s, plan %s\n", m->source_hash, m->plan_hash);
    return CLI_OK;
}
