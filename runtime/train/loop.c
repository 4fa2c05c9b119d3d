/* The loop of training, see loop.h. */
#include "train/loop.h"
#include "core/status.h"
#include "train/evaluate.h"
#include "train/folder.h"
#include "train/log.h"
#include "train/progress.h"
#include "train/schedule.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { DEFAULT_EVERY = 1000, LOG_LINES = 500, LOG_EVERY_MOST = 100, COMPARE_EVERY = 1000 };

typedef struct Loop {
    rn_train_context *context;
    const rn_train_recipe *recipe;
    const rn_train_source *source;
    const rn_loop_options *options;
    rn_loop_result *result;
    rn_train_state state;
    rn_run_folder folder;
    rn_log log;
    rn_progress progress;
    int has_progress, has_folder;
    int ranks, leads;    /* leads: rank 0, which has the folder */
    int is_ended, saves; /* of several ranks: what a signal to any of them asks of all */
    int64_t stop, saved; /* saved: the step of the last step-N.safetensors written or read; -1: none */
    double seconds;      /* of the steps since the last line of the log, in this process */
    int64_t timed;       /* their images */
    char *error;
    size_t error_size;
} Loop;

#define FAIL(loop, status, ...) rn_status_fail((loop)->error, (loop)->error_size, status, __VA_ARGS__)

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void say(void *user, const char *text) {
    Loop *loop = user;
    if (loop->has_progress)
        rn_progress_say(&loop->progress, "%s", text);
    else if (loop->options->report)
        fprintf(loop->options->report, "%s\n", text);
}

static void doing(Loop *loop, const char *what) {
    if (loop->has_progress) rn_progress_doing(&loop->progress, what);
}

static int is_signalled(const Loop *loop) {
    return loop->options->signal && *loop->options->signal;
}

static int is_save_wanted(const Loop *loop) {
    return loop->options->save_wanted && *loop->options->save_wanted;
}

static int is_interrupted(const Loop *loop) {
    return loop->ranks > 1 ? loop->is_ended : is_signalled(loop);
}

/* What the team could not do; the context has the text. */
static rn_status of_team(Loop *loop, rn_status status) {
    return status ? FAIL(loop, status, "%s", loop->context->base.message) : RN_OK;
}

/* An error that all ranks find alike. */
#define FAIL_ALL(loop, status, ...) ((loop)->result->is_of_all = 1, FAIL(loop, status, __VA_ARGS__))

/* "; the last checkpoint is run/step-1000.safetensors", or ""; of RN_ERROR_SIZE bytes. */
static const char *last_checkpoint(const Loop *loop, char *text) {
    char *path = loop->saved < 0 ? NULL : rn_run_folder_step(loop->options->folder, loop->saved);
    snprintf(text, RN_ERROR_SIZE, "%s%s", path ? "; the last checkpoint is " : "", path ? path : "");
    free(path);
    return text;
}

/* Parameters that differ among ranks are those of no run. */
static rn_status compare(Loop *loop) {
    char last[RN_ERROR_SIZE];
    int count, rank;
    rn_status status = of_team(loop, rn_train_compare(loop->context, &count, &rank));
    if (status || !count) return status;
    char which[32] = "";
    if (count == 1) snprintf(which, sizeof which, ", rank %d,", rank);
    return FAIL_ALL(loop, RN_ERROR_FORMAT,
                    "step %" PRId64 ": the parameters of %d of %d ranks%s differ from rank 0's%s", loop->context->step,
                    count, loop->ranks, which, last_checkpoint(loop, last));
}

static double epoch_of(const Loop *loop, int64_t step) {
    return (double)step / (double)loop->source->epoch_steps;
}

/* ---- saving ---- */

static rn_status save(Loop *loop, char *path) {
    if (!path) return FAIL(loop, RN_ERROR_MEMORY, "%s: out of memory", loop->options->folder);
    if (!loop->leads) {
        free(path);
        return RN_OK;
    }
    doing(loop, "saving");
    const rn_status status = rn_checkpoint_write(loop->context, &loop->state, path, loop->error, loop->error_size);
    free(path);
    return status;
}

/* The log reaches the disk first: it has all lines that the checkpoint counts on. */
static rn_status save_step(Loop *loop) {
    const int64_t step = loop->context->step;
    rn_status status = compare(loop);
    if (status || !loop->leads) {
        loop->saved = status ? loop->saved : step;
        return status;
    }
    status = rn_log_sync(&loop->log, loop->error, loop->error_size);
    if (!status) status = save(loop, rn_run_folder_step(loop->folder.path, step));
    if (status) return status;
    loop->saved = step;
    return rn_run_folder_prune(&loop->folder, step, loop->error, loop->error_size);
}

/* ---- testing ---- */

static rn_status test_batch(Loop *loop, rn_evaluator *evaluator, const rn_batch *batch, rn_train_result *result) {
    const rn_train_model *model = loop->context->model;
    const rn_model *network = model->network;
    float *output = malloc((size_t)batch->count * network->output_size * sizeof *output);
    if (!output) return FAIL(loop, RN_ERROR_MEMORY, "no memory for a batch of outputs");
    const rn_status status =
        rn_evaluator_run(evaluator, batch->count, batch->images, output, loop->error, loop->error_size);
    for (int i = 0; i < batch->count && !status; i++)
        if (batch->labels[i].first >= 0)
            rn_train_add_outcome(result, rn_score(rn_scores(network, output + (size_t)i * network->output_size),
                                                  model->classes, network->probabilities, batch->labels[i].first));
    free(output);
    return status;
}

/* *error is NaN where the test was given up for a signal. */
static rn_status test(Loop *loop, double *error) {
    const rn_train_source *source = loop->source;
    rn_train_result result = {0};
    rn_evaluator *evaluator;
    *error = NAN;
    doing(loop, "testing");
    rn_status status = rn_evaluator_of_trainer(&evaluator, loop->context, loop->error, loop->error_size);
    if (!status) status = source->begin(source->user, RN_TEST, 0, loop->context->seed, loop->error, loop->error_size);
    rn_batch batch = {.count = 1};
    while (!status && batch.count && !is_signalled(loop)) {
        status = source->next(source->user, RN_TEST, &batch, loop->error, loop->error_size);
        if (!status && batch.count) status = test_batch(loop, evaluator, &batch, &result);
    }
    rn_evaluator_destroy(evaluator);
    if (status) return status;
    double all[] = {(double)result.images, (double)result.wrong, batch.count > 0}; /* the last: given up */
    status = of_team(loop, rn_train_sum_ranks(loop->context, "the test", all, sizeof all / sizeof *all));
    if (all[2] > 0) loop->is_ended = 1;
    if (status || all[2] > 0) return status;
    result.images = (int64_t)all[0], result.wrong = (int64_t)all[1];
    if (!result.images) return FAIL(loop, RN_ERROR_FORMAT, "%s: no picture of the test set can be read", source->name);
    *error = (double)result.wrong / (double)result.images;
    loop->result->test_error = *error;
    if (loop->has_progress) rn_progress_test(&loop->progress, *error);
    return RN_OK;
}

/* ---- the log ---- */

/* lr: of the step that was made. */
static rn_status write_line(Loop *loop, double lr, double test_error) {
    const rn_train_state *state = &loop->state;
    const int64_t step = loop->context->step;
    if (!loop->leads) return RN_OK;
    const rn_log_line line = {
        .step = step,
        .epoch = epoch_of(loop, step),
        .lr = lr,
        .loss = state->sum_loss / (double)state->sum_images,
        .train_error = (double)state->sum_wrong / (double)state->sum_images,
        .test_error = test_error,
        .images_per_second = loop->timed ? (double)loop->timed / loop->seconds : NAN,
    };
    return rn_log_write(&loop->log, &line, loop->error, loop->error_size);
}

static double last_lr(const Loop *loop) {
    return rn_schedule_lr(&loop->context->schedule, loop->recipe, loop->context->step - 1);
}

/* ---- a step and what follows it ---- */

static rn_status make_step(Loop *loop) {
    rn_train_context *context = loop->context;
    const double start = now();
    rn_batch batch;
    rn_train_result result;
    rn_status status = loop->source->next(loop->source->user, RN_TRAIN, &batch, loop->error, loop->error_size);
    if (status) return status;
    if (batch.step != (uint64_t)context->step)
        return FAIL(loop, RN_ERROR_ARGUMENT, "step %" PRId64 " got the batch of step %" PRIu64, context->step,
                    batch.step);
    context->tells = (is_signalled(loop) ? RN_TRAIN_TELLS_END : 0) | (is_save_wanted(loop) ? RN_TRAIN_TELLS_SAVE : 0);
    status = rn_train_step_mixed(context, batch.count, batch.images, batch.labels, &result);
    if (status) {
        char last[RN_ERROR_SIZE];
        loop->result->is_of_all = !context->failed && status == RN_ERROR_FORMAT; /* the loss is no number */
        return FAIL(loop, status, "%s%s", context->base.message, last_checkpoint(loop, last));
    }
    if (loop->ranks > 1) {
        loop->is_ended |= (context->heard & RN_TRAIN_TELLS_END) != 0;
        loop->saves = (context->heard & RN_TRAIN_TELLS_SAVE) != 0;
        if (context->step % COMPARE_EVERY == 0 && (status = compare(loop))) return status;
    }
    loop->state.sum_images += result.images;
    loop->state.sum_wrong += result.wrong;
    loop->state.sum_loss += result.loss;
    loop->timed += result.images;
    loop->seconds += now() - start;
    const double images = (double)result.images;
    if (loop->has_progress)
        rn_progress_step(&loop->progress, context->step, epoch_of(loop, context->step), result.loss / images,
                         (double)result.wrong / images, (int)result.images);
    return RN_OK;
}

static int is_test_due(const Loop *loop, int64_t step) {
    return step > 0 && (step % loop->state.test_every == 0 || step == loop->recipe->stop);
}

static int is_line_due(const Loop *loop, int64_t step) {
    return step > 0 && (step % loop->state.log_every == 0 || is_test_due(loop, step));
}

/* The test and the line of the step that was made last, where they are due and not done: they are done when it returns,
 * unless a signal came. */
static rn_status settle(Loop *loop) {
    rn_train_state *state = &loop->state;
    const int64_t step = loop->context->step;
    const double lr = last_lr(loop); /* before the test may change it */
    double error = NAN;
    rn_status status = RN_OK;
    if (!is_line_due(loop, step) || state->logged == step) return RN_OK;
    if (is_test_due(loop, step)) {
        status = test(loop, &error);
        if (status || isnan(error)) return status;
        rn_train_tell_test(loop->context, error);
        state->tested = step;
    }
    status = write_line(loop, lr, error);
    if (status) return status;
    state->logged = step;
    state->sum_images = state->sum_wrong = loop->timed = 0;
    state->sum_loss = loop->seconds = 0;
    if (isnan(error) || !(error < state->best)) return RN_OK;
    state->best = error;
    state->best_step = step;
    return save(loop, rn_run_folder_file(loop->options->folder, RN_RUN_BEST));
}

static int is_save_due(const Loop *loop, int64_t step) {
    const int wanted = loop->ranks > 1 ? loop->saves : is_save_wanted(loop);
    return loop->saved != step && (step % loop->state.save_every == 0 || wanted);
}

static rn_status steps(Loop *loop) {
    rn_status status = RN_OK;
    while (!status) {
        const int64_t step = loop->context->step;
        status = settle(loop);
        if (!status && is_save_due(loop, step)) status = save_step(loop);
        if (loop->options->save_wanted && (loop->ranks == 1 || loop->saves)) *loop->options->save_wanted = 0;
        loop->saves = 0;
        if (status || step >= loop->stop || is_interrupted(loop)) break;
        status = make_step(loop);
    }
    if (status) return status;
    if (loop->saved != loop->context->step) return save_step(loop);
    if (!loop->leads) return RN_OK;
    return rn_run_folder_prune(&loop->folder, loop->saved, loop->error, loop->error_size); /* that a kill prevented */
}

/* ---- begin and end ---- */

static int64_t first_of(int64_t a, int64_t b, int64_t c) {
    return a > 0 ? a : b > 0 ? b : c;
}

/* After the checkpoint, if any, was read. */
static void settings(Loop *loop) {
    const rn_loop_options *o = loop->options;
    const rn_train_recipe *recipe = loop->recipe;
    rn_train_state *state = &loop->state;
    int64_t every = recipe->stop / LOG_LINES;
    if (every > LOG_EVERY_MOST || !recipe->stop) every = LOG_EVERY_MOST;
    state->test_every = first_of(o->test_every, state->test_every, first_of(recipe->test_every, DEFAULT_EVERY, 0));
    state->save_every = first_of(o->save_every, state->save_every, first_of(recipe->save_every, DEFAULT_EVERY, 0));
    state->log_every = first_of(o->log_every, state->log_every, first_of(every, 1, 0));
    if (o->lr > 0) loop->context->schedule.lr = o->lr;
}

static rn_status begin_anew(Loop *loop) {
    const rn_loop_options *o = loop->options;
    rn_train_context *context = loop->context;
    rn_train_state_begin(&loop->state);
    rn_schedule_begin(&context->schedule, loop->recipe);
    rn_status status = rn_train_init(context, o->has_seed ? o->seed : 1);
    if (!status && o->weights) status = rn_train_load_weights(context, o->weights, o->except);
    if (status) return FAIL(loop, status, "%s", context->base.message);
    const rn_train_parameter *mean = rn_train_parameter_named(context, RN_TRAIN_MEAN);
    if (mean && o->mean) {
        if (o->mean_count != rn_train_count(mean))
            return FAIL(loop, RN_ERROR_ARGUMENT,
                        "the pictures' mean has %" PRId64 " numbers, " RN_TRAIN_MEAN " %" PRId64, o->mean_count,
                        rn_train_count(mean));
        memcpy(context->parameters + mean->offset, o->mean, sizeof(float) * (size_t)o->mean_count);
    }
    loop->state.data = loop->source->hash;
    return RN_OK;
}

static rn_status check_run(Loop *loop, const rn_checkpoint *checkpoint, const char *path) {
    const rn_train_state *state = &checkpoint->state;
    if (state->data && state->data != loop->source->hash)
        return FAIL(loop, RN_ERROR_FORMAT,
                    "%s: a checkpoint of training with data of hash %016" PRIx64 "; %s has %016" PRIx64, path,
                    state->data, loop->source->name, loop->source->hash);
    if (loop->options->has_seed && loop->options->seed != state->seed)
        return FAIL(loop, RN_ERROR_ARGUMENT, "%s: a checkpoint of seed %" PRIu64 "; --seed %" PRIu64 " is another run",
                    path, state->seed, loop->options->seed);
    return RN_OK;
}

/* *found: there was a checkpoint. */
static rn_status go_on(Loop *loop, int *found) {
    rn_checkpoint checkpoint;
    char *name;
    *found = 0;
    rn_status status =
        rn_run_folder_newest(loop->folder.path, &checkpoint, &name, say, loop, loop->error, loop->error_size);
    if (status || !name) return status;
    *found = 1;
    status = check_run(loop, &checkpoint, name);
    if (!status) status = rn_checkpoint_restore(&checkpoint, loop->context, name, loop->error, loop->error_size);
    if (!status) {
        char text[RN_ERROR_SIZE];
        loop->state = checkpoint.state;
        loop->state.data = loop->source->hash;
        if (strcmp(strrchr(name, '/') + 1, RN_RUN_BEST) != 0) loop->saved = loop->context->step;
        snprintf(text, sizeof text, "going on from %s", name);
        say(loop, text);
        if (strcmp(checkpoint.cpu, rn_checkpoint_cpu()) != 0) {
            snprintf(text, sizeof text,
                     "it was written on %.32s, this CPU is %s: the bits will not be those of one machine",
                     checkpoint.cpu, rn_checkpoint_cpu());
            say(loop, text);
        }
    }
    rn_checkpoint_close(&checkpoint);
    free(name);
    return status;
}

static rn_status check_new(Loop *loop) {
    int64_t *list;
    int count;
    rn_status status = rn_run_folder_steps(loop->folder.path, &list, &count, loop->error, loop->error_size);
    free(list);
    if (status) return status;
    if (count || rn_run_folder_has(&loop->folder, RN_RUN_BEST) || rn_run_folder_has(&loop->folder, RN_RUN_LOG))
        return FAIL(loop, RN_ERROR_ARGUMENT, "%s: a run is in this folder already; --resume goes on with it",
                    loop->folder.path);
    return RN_OK;
}

/* The folder, and the state that is in it or the first one. */
static rn_status begin_run(Loop *loop) {
    int found = 0;
    rn_status status = rn_run_folder_open(&loop->folder, loop->options->folder, loop->error, loop->error_size);
    if (status) return status;
    loop->has_folder = 1;
    status = loop->options->resume ? go_on(loop, &found) : check_new(loop);
    if (!status && !found) status = begin_anew(loop);
    if (status) return status;
    return rn_log_open(&loop->log, rn_run_folder_file(loop->folder.path, RN_RUN_LOG), found ? loop->state.logged : -1,
                       loop->error, loop->error_size);
}

/* Rank 0's state for all, or its error. */
static rn_status share_run(Loop *loop, rn_status status) {
    struct {
        rn_status status;
        int64_t saved;
        rn_train_state state;
    } first = {status, loop->saved, loop->state};
    if (loop->ranks == 1) return status;
    rn_status here = rn_train_share(loop->context, "the run", &first, sizeof first);
    if (!here && !first.status) here = rn_train_share_state(loop->context);
    if (here) return of_team(loop, here);
    loop->result->is_of_all = first.status != RN_OK;
    if (first.status) return first.status;
    loop->saved = first.saved;
    loop->state = first.state;
    double others = loop->state.data != loop->source->hash;
    status = of_team(loop, rn_train_sum_ranks(loop->context, "the hash of the data", &others, 1));
    if (!status && others > 0)
        return FAIL_ALL(loop, RN_ERROR_FORMAT, "%s: %d of %d ranks have other data than rank 0", loop->source->name,
                        (int)others, loop->ranks);
    return status;
}

static rn_status begin(Loop *loop) {
    rn_status status = share_run(loop, loop->leads ? begin_run(loop) : RN_OK);
    if (status) return status;
    settings(loop);
    loop->stop = loop->options->stop > 0 ? loop->options->stop : loop->recipe->stop;
    if (!loop->stop)
        return FAIL_ALL(loop, RN_ERROR_ARGUMENT,
                        "how many steps? the train section has no 'stop at', and no --steps is given");
    const int64_t step = loop->context->step;
    if (!status)
        status = loop->source->begin(loop->source->user, RN_TRAIN, (uint64_t)step, loop->context->seed, loop->error,
                                     loop->error_size);
    if (status || !loop->options->report) return status;
    rn_progress_begin(&loop->progress, loop->options->report,
                      &(rn_progress_options){.first = step, .stop = loop->stop});
    loop->has_progress = 1;
    return RN_OK;
}

/* A test and a line for who reads the log, of a loop that ends between them. */
static rn_status last_line(Loop *loop) {
    double error;
    if (loop->context->step == loop->state.tested || !loop->context->step) return RN_OK;
    rn_status status = test(loop, &error);
    if (status || isnan(error) || !loop->state.sum_images) return status;
    return write_line(loop, last_lr(loop), error);
}

rn_status rn_loop_run(void *trainer, const rn_train_source *source, const rn_loop_options *options,
                      rn_loop_result *result, char *error, size_t error_size) {
    rn_train_context *context = trainer;
    Loop loop = {.context = context,
                 .recipe = context->model->recipe,
                 .source = source,
                 .options = options,
                 .result = result,
                 .ranks = rn_train_ranks(context),
                 .leads = rn_train_rank(context) == 0,
                 .saved = -1,
                 .error = error,
                 .error_size = error_size};
    *result = (rn_loop_result){.test_error = NAN, .best = INFINITY};
    loop.log.descriptor = -1;
    rn_status status = begin(&loop);
    if (!status) status = steps(&loop);
    result->was_interrupted = !status && is_interrupted(&loop) && context->step < loop.stop;
    if (!status && !result->was_interrupted) status = last_line(&loop);
    if (loop.has_progress) rn_progress_end(&loop.progress);
    result->step = context->step;
    result->best = loop.state.best;
    rn_log_close(&loop.log);
    if (loop.has_folder) rn_run_folder_close(&loop.folder);
    return status;
}
