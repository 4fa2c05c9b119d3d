/* The run of eval, see eval.h. Pictures come in their order, in batches whose size does not depend on the threads; each
 * member's probabilities are the mean over its views, and the members' mean is what counts. */
#include "eval.h"
#include "train/progress.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH = 32, BATCH_FLOATS = 1 << 24 /* about, of all images of a batch */ };

static rn_shape result_shape(const rn_model *m) {
    return m->outputs[m->output_count - 1].shape;
}

/* ---- classes ---- */

static int32_t label_named(const Eval *eval, const char *name) {
    for (int32_t k = 0; k < eval->classes; k++)
        if (!strcmp(eval->labels.name[k], name)) return k;
    return -1;
}

/* Classes whose numbers are only their names' order are those of --labels that have these names; *found: how many. */
static int match_names(Eval *eval, int *found) {
    const rn_data_info *info = rn_data_about(eval->data);
    const char *missing = NULL;
    *found = 0;
    if (!info->sorted || !eval->labels.name) return CLI_OK;
    for (int i = 0; i < info->classes; i++) {
        eval->class_of[i] = label_named(eval, info->class_names[i]);
        *found += eval->class_of[i] >= 0;
        if (eval->class_of[i] < 0 && !missing) missing = info->class_names[i];
    }
    if (*found && missing)
        return cli_fail(eval->cli, "%s: %s has no class '%s'", info->spec, eval->cli->labels, missing);
    return CLI_OK;
}

static int number_classes(Eval *eval, bool is_trainer) {
    const Cli *cli = eval->cli;
    const rn_data_info *info = rn_data_about(eval->data);
    const int offset = cli->eval.class_offset, there = eval->classes - offset;
    int found;
    int status = match_names(eval, &found);
    if (!status && found && offset)
        return cli_usage(cli, "--class-offset: the classes of %s are those of their names in %s", info->spec,
                         cli->labels);
    if (status || found) return status;
    if (info->sorted && !is_trainer && info->classes != there)
        return cli_fail(cli, "%s: %d classes, %s has %d%s; which they are, --labels FILE says by their names",
                        info->spec, info->classes, cli->model->name, there, offset ? " behind --class-offset" : "");
    if (info->classes > there)
        return cli_fail(cli, "%s: %d classes; the network has %d%s", info->spec, info->classes, there,
                        offset ? " behind --class-offset" : "");
    for (int i = 0; i < info->classes; i++) eval->class_of[i] = offset + i;
    return CLI_OK;
}

static int take_classes(Eval *eval, bool is_trainer) {
    const rn_data_info *info = rn_data_about(eval->data);
    eval->class_of = calloc((size_t)info->classes, sizeof *eval->class_of);
    eval->names = calloc((size_t)eval->classes, sizeof *eval->names);
    if (!eval->class_of || !eval->names) return cli_fail(eval->cli, "out of memory");
    const int status = number_classes(eval, is_trainer);
    for (int i = 0; i < info->classes && info->class_names && !status; i++)
        eval->names[eval->class_of[i]] = info->class_names[i];
    for (int k = 0; k < eval->classes && eval->labels.name && !status; k++) eval->names[k] = eval->labels.name[k];
    return status;
}

/* ---- open ---- */

static void log_skipped(void *user, const char *text) {
    fprintf(stderr, "%s: %s\n", ((const Cli *)user)->program, text);
}

int eval_open(Eval *eval, const Cli *cli, bool is_trainer) {
    char error[RN_ERROR_SIZE];
    const rn_shape shape = result_shape(cli->model);
    *eval = (Eval){.cli = cli, .classes = shape.c};
    if (!cli->data)
        return cli_usage(cli, "--data KIND:DIR is missing: cifar10:, cifar100:, idx:, folder:, npy:, or list:FILE");
    if (shape.h != 1 || shape.w != 1)
        return cli_fail(cli, "%s gives %d x %d x %d numbers, not one per class", cli->model->name, shape.c, shape.h,
                        shape.w);
    int status = eval_protocol(eval);
    if (!status) status = eval_check_files(eval);
    if (status) return status;
    if (rn_data_open_test(&eval->data, cli->data, error, sizeof error)) return cli_fail(cli, "%s", error);
    if (rn_picture_recipe_check(&eval->loader.recipe, eval->data, error, sizeof error))
        return cli_fail(cli, "%s", error);
    status = labels_read(&eval->labels, cli, eval->classes);
    if (!status) status = take_classes(eval, is_trainer);
    return status;
}

void eval_close(Eval *eval) {
    for (int i = 0; i < eval->member_count; i++) {
        rn_evaluator_destroy(eval->members[i].evaluator);
        rn_weights_close(eval->members[i].weights);
        rn_npy_free(&eval->members[i].rows);
    }
    rn_data_close(eval->data);
    rn_tally_free(&eval->tally);
    labels_free(&eval->labels);
    free(eval->members);
    free(eval->mean);
    free(eval->class_of);
    free(eval->names);
    free(eval->probabilities);
    *eval = (Eval){0};
}

/* ---- members ---- */

static EvalMember *add_member(Eval *eval) {
    EvalMember *members = realloc(eval->members, (size_t)(eval->member_count + 1) * sizeof *members);
    if (!members) return NULL;
    eval->members = members;
    members[eval->member_count] = (EvalMember){0};
    return &members[eval->member_count++];
}

int eval_add_network(Eval *eval, rn_weights *weights) {
    char error[RN_ERROR_SIZE];
    const Cli *cli = eval->cli;
    EvalMember *member = add_member(eval);
    if (!member) {
        rn_weights_close(weights);
        return cli_fail(cli, "out of memory");
    }
    member->weights = weights;
    eval->network_count++;
    if (rn_evaluator_create(&member->evaluator, cli->model, weights, cli->threads, error, sizeof error))
        return cli_fail(cli, "%s", error);
    return CLI_OK;
}

bool eval_is_file(const char *path) {
    const size_t length = strlen(path);
    return length > 4 && !strcmp(path + length - 4, ".npy");
}

/* Rows are probabilities, or those of a picture that was left out. */
static int check_rows(const Eval *eval, const rn_npy *rows, const char *path) {
    enum { MOST_OFF = 1000 };
    const uint32_t count = rn_data_about(eval->data)->count[RN_TEST];
    if (rows->ndim != 2 || rows->dim[0] != count || rows->dim[1] != (size_t)eval->classes)
        return cli_fail(eval->cli, "%s: its shape is not %u x %d, a row for each picture of %s", path, (unsigned)count,
                        eval->classes, eval->cli->data);
    for (size_t i = 0; i < count; i++) {
        const float *row = rows->data + i * (size_t)eval->classes;
        double sum = 0, least = 0;
        for (int k = 0; k < eval->classes; k++) {
            sum += (double)row[k];
            least = fmin(least, (double)row[k]);
        }
        if (isnan(row[0])) continue;
        if (!(fabs(sum - 1) < 1. / MOST_OFF) || least < 0)
            return cli_fail(eval->cli, "%s: row %zu: its numbers are no probabilities", path, i);
    }
    return CLI_OK;
}

int eval_add_file(Eval *eval, const char *path) {
    char error[RN_ERROR_SIZE];
    EvalMember *member = add_member(eval);
    if (!member) return cli_fail(eval->cli, "out of memory");
    if (rn_npy_read(&member->rows, path, error, sizeof error)) return cli_fail(eval->cli, "%s", error);
    return check_rows(eval, &member->rows, path);
}

/* ---- the run ---- */

typedef struct Work { /* of a batch */
    float *output;
    double *sum, *views; /* of a picture: probabilities of all members; of one */
    rn_progress progress;
    int64_t done, wrong;
} Work;

/* Adds a member's probabilities for picture `at` of the batch. */
static void add_views(const Eval *eval, const float *output, const rn_batch *batch, int at, Work *work) {
    const rn_model *m = eval->cli->model;
    memset(work->views, 0, (size_t)eval->classes * sizeof *work->views);
    for (int v = 0; v < batch->views; v++)
        rn_score_add(work->views, rn_scores(m, output + (size_t)(at * batch->views + v) * m->output_size),
                     eval->classes, m->probabilities);
    for (int k = 0; k < eval->classes; k++) work->sum[k] += work->views[k] / batch->views;
}

/* A file's row of a picture; NULL: the member is a network. */
static const float *row_of(const Eval *eval, int member, uint32_t picture) {
    const float *rows = eval->members[member].rows.data;
    return rows ? rows + (size_t)picture * (size_t)eval->classes : NULL;
}

/* Whether a file has no probabilities of a picture: it was left out where the file was made. */
static bool is_left_out(const Eval *eval, uint32_t picture) {
    for (int i = 0; i < eval->member_count; i++)
        if (row_of(eval, i, picture) && isnan(*row_of(eval, i, picture))) return true;
    return false;
}

/* The outcome of a picture by work->sum, the probabilities of its networks, and those of files. */
static int score_picture(Eval *eval, uint32_t picture, Work *work) {
    const int32_t label = eval->class_of[rn_data_label(eval->data, RN_TEST, picture)];
    bool finite = true;
    for (int i = 0; i < eval->member_count; i++)
        for (int k = 0; row_of(eval, i, picture) && k < eval->classes; k++)
            work->sum[k] += (double)row_of(eval, i, picture)[k];
    for (int k = 0; k < eval->classes; k++) finite = finite && isfinite(work->sum[k]);
    if (!finite) {
        char name[4096];
        rn_data_name(eval->data, RN_TEST, picture, name, sizeof name);
        return cli_fail(eval->cli, "%s: the network's output is not finite", name);
    }
    const rn_outcome outcome = rn_score_mean(work->sum, eval->member_count, eval->classes, label);
    rn_tally_set(&eval->tally, picture, label, outcome);
    for (int k = 0; eval->probabilities && k < eval->classes; k++)
        eval->probabilities[(size_t)picture * (size_t)eval->classes + (size_t)k] =
            (float)(work->sum[k] / eval->member_count);
    work->done++;
    work->wrong += outcome.likelier > 0;
    return CLI_OK;
}

static int run_batch(Eval *eval, const rn_batch *batch, Work *work) {
    char error[RN_ERROR_SIZE];
    const int images = batch->count * batch->views;
    const size_t outputs = (size_t)images * eval->cli->model->output_size;
    int network = 0, status = CLI_OK;
    for (int i = 0; i < eval->member_count; i++) {
        rn_evaluator *e = eval->members[i].evaluator;
        if (e &&
            rn_evaluator_run(e, images, batch->images, work->output + (size_t)network++ * outputs, error, sizeof error))
            return cli_fail(eval->cli, "%s", error);
    }
    for (int at = 0; at < batch->count && !status; at++) {
        if (batch->labels[at].first < 0 || is_left_out(eval, batch->pictures[at])) continue;
        memset(work->sum, 0, (size_t)eval->classes * sizeof *work->sum);
        for (int n = 0; n < network; n++) add_views(eval, work->output + (size_t)n * outputs, batch, at, work);
        status = score_picture(eval, batch->pictures[at], work);
    }
    return status;
}

static int run_networks(Eval *eval, Work *work) {
    char error[RN_ERROR_SIZE];
    const rn_model *m = eval->cli->model;
    rn_loader_options *l = &eval->loader;
    rn_loader *loader;
    const size_t floats = (size_t)m->input.c * (size_t)m->input.h * (size_t)m->input.w;
    const size_t views = (size_t)l->crops * (size_t)(l->scale_count ? l->scale_count : 1);
    const size_t fit = BATCH_FLOATS / (views * floats);
    l->data = eval->data;
    l->split = RN_TEST;
    l->batch = fit < 1 ? 1 : fit < BATCH ? (int)fit : BATCH;
    l->threads = eval->cli->threads;
    l->log = log_skipped;
    l->log_user = (void *)(uintptr_t)eval->cli;
    work->output = cli_allocate((size_t)eval->network_count * (size_t)l->batch * views, m->output_size * sizeof(float));
    if (!work->output) return cli_fail(eval->cli, "out of memory");
    if (rn_loader_create(&loader, l, error, sizeof error)) return cli_fail(eval->cli, "%s", error);
    int status = CLI_OK;
    int64_t seen = 0;
    for (rn_batch batch = {.count = 1}; !status && batch.count;) {
        if (rn_loader_next(loader, &batch, error, sizeof error)) status = cli_fail(eval->cli, "%s", error);
        if (status || !batch.count) break;
        status = run_batch(eval, &batch, work);
        seen += batch.count;
        if (!status) rn_progress_tested(&work->progress, seen, (double)work->wrong / (double)work->done, batch.count);
    }
    rn_loader_destroy(loader);
    return status;
}

static int run_files(Eval *eval, Work *work) {
    int status = CLI_OK;
    for (uint32_t i = 0; i < eval->tally.count && !status; i++) {
        if (is_left_out(eval, i)) continue;
        memset(work->sum, 0, (size_t)eval->classes * sizeof *work->sum);
        status = score_picture(eval, i, work);
    }
    return status;
}

static int run(Eval *eval, Work *work) {
    const size_t classes = (size_t)eval->classes;
    const uint32_t count = rn_data_about(eval->data)->count[RN_TEST];
    eval->loader.recipe.subtracted = eval->mean;
    work->sum = calloc(classes, sizeof *work->sum);
    work->views = calloc(classes, sizeof *work->views);
    if (eval->cli->eval.probabilities) eval->probabilities = malloc(count * classes * sizeof *eval->probabilities);
    if (!work->sum || !work->views || rn_tally_create(&eval->tally, eval->classes, count) ||
        (eval->cli->eval.probabilities && !eval->probabilities))
        return cli_fail(eval->cli, "out of memory");
    for (size_t i = 0; eval->probabilities && i < count * classes; i++) eval->probabilities[i] = NAN;
    const rn_progress_options options = {.stop = count, .unit = "picture", .patient = 1};
    rn_progress_begin(&work->progress, stderr, &options);
    const int status = eval->network_count ? run_networks(eval, work) : run_files(eval, work);
    rn_progress_end(&work->progress);
    if (status) return status;
    if (rn_tally_finish(&eval->tally)) return cli_fail(eval->cli, "out of memory");
    if (!eval->tally.pictures)
        return cli_fail(eval->cli, "%s: no picture of the test set can be read", eval->cli->data);
    return eval_report(eval);
}

int eval_run(Eval *eval) {
    Work work = {0};
    const int status = run(eval, &work);
    free(work.output);
    free(work.sum);
    free(work.views);
    return status;
}
