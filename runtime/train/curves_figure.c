/* From logs to a figure: names, means, last and best values, and axes that hold what matters. */
#include "curves_figure.h"
#include "core/status.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { MAX_RUNS = 64, PARTS = 64, LEAST_LINES = 5 };
static const double settled = 0.1; /* the share of the steps after which axes hold the curves */

/* ---- names ---- */
static char *copy(const char *text, size_t length) {
    char *result = malloc(length + 1);
    if (!result) return NULL;
    memcpy(result, text, length);
    result[length] = 0;
    return result;
}

/* The last part of a path, without /log.csv and .csv; all of it where nothing else is left. */
static char *short_name(const char *path) {
    static const char file[] = "/log.csv", ending[] = ".csv";
    size_t end = strlen(path);
    while (end > 1 && path[end - 1] == '/') end--;
    if (end > sizeof file - 1 && !strncmp(path + end - (sizeof file - 1), file, sizeof file - 1))
        end -= sizeof file - 1;
    if (end > sizeof ending - 1 && !strncmp(path + end - (sizeof ending - 1), ending, sizeof ending - 1))
        end -= sizeof ending - 1;
    size_t begin = end;
    while (begin > 0 && path[begin - 1] != '/') begin--;
    const size_t length = end - begin;
    if (!length || (path[begin] == '.' && (length == 1 || (length == 2 && path[begin + 1] == '.'))))
        return copy(path, strlen(path));
    return copy(path + begin, length);
}

static int name_runs(rn_curves_figure *f) {
    char *names[MAX_RUNS] = {NULL};
    int whole = 1;
    for (int i = 0; i < f->count; i++) whole &= (names[i] = short_name(f->runs[i].path)) != NULL;
    for (int i = 0; i < f->count && whole; i++) {
        int alike = 0;
        for (int j = 0; j < f->count; j++) alike |= i != j && !strcmp(names[i], names[j]);
        f->runs[i].name = alike ? copy(f->runs[i].path, strlen(f->runs[i].path)) : copy(names[i], strlen(names[i]));
        whole = f->runs[i].name != NULL;
    }
    for (int i = 0; i < f->count; i++) free(names[i]);
    return whole;
}

/* ---- what is said of a run ---- */
static rn_curves_mark no_mark(void) {
    return (rn_curves_mark){NAN, NAN};
}

static void find_marks(const rn_curves_log *log, const double *value, rn_curves_mark *last, rn_curves_mark *best) {
    *last = *best = no_mark();
    for (int i = 0; i < log->rows; i++) {
        if (!isfinite(value[i])) continue;
        *last = (rn_curves_mark){value[i], log->column[RN_CURVES_STEP][i]};
        if (!(value[i] >= best->value)) *best = *last;
    }
}

static int compare(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(const double *value, int count, double *room) {
    int n = 0;
    for (int i = 0; i < count; i++)
        if (isfinite(value[i])) room[n++] = value[i];
    qsort(room, (size_t)n, sizeof *room, compare);
    return n ? (room[(n - 1) / 2] + room[n / 2]) / 2 : (double)NAN;
}

static double last_step(const rn_curves_log *log) {
    return log->rows ? log->column[RN_CURVES_STEP][log->rows - 1] : 0;
}

/* -> 0: no memory */
static int describe(rn_curves_run *run, const rn_curves_options *options, const rn_curves_room *room) {
    const rn_curves_log *log = &run->log;
    const int rows = log->rows;
    double *const *column = log->column;
    run->loss = calloc((size_t)rows + 1, sizeof *run->loss);
    run->train_error = calloc((size_t)rows + 1, sizeof *run->train_error);
    if (!run->loss || !run->train_error) return 0;
    rn_curves_smooth(column[RN_CURVES_STEP], column[RN_CURVES_LOSS], run->loss, rows, options->smoothing,
                     options->smooth_steps);
    rn_curves_smooth(column[RN_CURVES_STEP], column[RN_CURVES_TRAIN_ERROR], run->train_error, rows, options->smoothing,
                     options->smooth_steps);
    find_marks(log, run->loss, &run->last_loss, &run->best_loss);
    find_marks(log, run->train_error, &run->last_train_error, &run->best_train_error);
    find_marks(log, column[RN_CURVES_TEST_ERROR], &run->last_test_error, &run->best_test_error);
    rn_curves_mark epoch, unused;
    find_marks(log, column[RN_CURVES_EPOCH], &epoch, &unused);
    run->epochs = epoch.value;
    run->rate = median(column[RN_CURVES_RATE], rows, room->x);
    run->diverged = NAN;
    for (int i = rows - 1; i >= 0; i--)
        if (isinf(column[RN_CURVES_LOSS][i])) run->diverged = column[RN_CURVES_STEP][i];
    return 1;
}

/* ---- axes ---- */
/* Extends low and high by finite values of the steps from `from` on. */
static void extend(const rn_curves_log *log, const double *value, double from, double least, double *low,
                   double *high) {
    for (int i = 0; i < log->rows; i++) {
        if (log->column[RN_CURVES_STEP][i] < from || !isfinite(value[i]) || !(value[i] > least)) continue;
        if (!(value[i] >= *low)) *low = value[i];
        if (!(value[i] <= *high)) *high = value[i];
    }
}

/* The greatest error and loss from a step on; NaN: none. */
static void greatest(const rn_curves_figure *f, double from, double *error, double *loss) {
    double low = NAN;
    *error = *loss = NAN;
    for (int i = 0; i < f->count; i++) {
        const rn_curves_run *run = &f->runs[i];
        extend(&run->log, run->train_error, from, -1, &low, error);
        extend(&run->log, run->log.column[RN_CURVES_TEST_ERROR], from, -1, &low, error);
        extend(&run->log, run->loss, from, -1, &low, loss);
    }
}

static void make_axes(rn_curves_figure *f) {
    double steps = 0, error, loss, all_error, all_loss, low = NAN, high = NAN;
    for (int i = 0; i < f->count; i++) steps = fmax(steps, last_step(&f->runs[i].log));
    if (!(steps > 0)) steps = 1;
    greatest(f, settled * steps, &error, &loss);
    greatest(f, 0, &all_error, &all_loss);
    if (isnan(error)) error = isnan(all_error) ? 1 : all_error;
    if (isnan(loss)) loss = isnan(all_loss) ? 1 : all_loss;
    error = f->options.error_limit > 0 ? f->options.error_limit : fmin(fmax(error * 1.08, 0.01), 1);
    loss = loss > 0 ? fmin(loss, 1e300) * 1.08 : 1;
    for (int i = 0; i < f->count; i++) extend(&f->runs[i].log, f->runs[i].loss, 0, 0, &low, &high);
    if (isnan(low)) low = 0.1, high = 1;
    f->axes[RN_CURVES_PANEL_ERROR] = (rn_curves_axes){steps, 0, error, 0};
    f->axes[RN_CURVES_PANEL_LOSS] = (rn_curves_axes){steps, 0, loss, 0};
    f->axes[RN_CURVES_PANEL_LOG_LOSS] = (rn_curves_axes){steps, low / 1.5, fmin(high, 1e300) * 1.2, 1};
}

/* ---- all ---- */
static rn_status read_log(rn_curves_run *run, char *error, size_t error_size) {
    struct stat info;
    const size_t size = strlen(run->path) + sizeof "/log.csv";
    char *path = malloc(size);
    if (!path) return rn_status_fail(error, error_size, RN_ERROR_MEMORY, "%s: out of memory", run->path);
    const int folder = stat(run->path, &info) == 0 && S_ISDIR(info.st_mode);
    snprintf(path, size, folder ? "%s/log.csv" : "%s", run->path);
    rn_status status = rn_curves_log_read(&run->log, path, error, error_size);
    free(path);
    return status;
}

static int allocate_room(rn_curves_figure *f) {
    size_t rows = 1;
    for (int i = 0; i < f->count; i++)
        if ((size_t)f->runs[i].log.rows > rows) rows = (size_t)f->runs[i].log.rows;
    f->room.x = calloc(rows, sizeof *f->room.x);
    f->room.y = calloc(rows, sizeof *f->room.y);
    f->room.kept = calloc(rows, sizeof *f->room.kept);
    return f->room.x && f->room.y && f->room.kept;
}

/* A share of the longest run, but some lines of each log. */
static void choose_smoothing(rn_curves_figure *f) {
    double steps = 1, spacing = 1;
    if (f->options.smooth_steps > 0) return;
    for (int i = 0; i < f->count; i++) {
        const rn_curves_log *log = &f->runs[i].log;
        steps = fmax(steps, last_step(log));
        if (log->rows > 1) spacing = fmax(spacing, (last_step(log) - log->column[RN_CURVES_STEP][0]) / (log->rows - 1));
    }
    const double least = fmin(LEAST_LINES * spacing, steps);
    f->options.smooth_steps = (int64_t)fmax(rn_curves_round_up(fmax(steps / PARTS, least)), LEAST_LINES);
}

rn_status rn_curves_figure_make(rn_curves_figure *figure, const char *const *runs, int count,
                                const rn_curves_options *options, char *error, size_t error_size) {
    rn_status status = RN_OK;
    memset(figure, 0, sizeof *figure);
    if (count < 1 || count > MAX_RUNS)
        return rn_status_fail(error, error_size, RN_ERROR_ARGUMENT, "%d runs; a figure holds 1 to %d", count, MAX_RUNS);
    if (options) figure->options = *options;
    const rn_curves_options *o = &figure->options;
    if (o->smooth_steps < 0 || !(o->error_limit >= 0 && o->error_limit <= 1))
        return rn_status_fail(error, error_size, RN_ERROR_ARGUMENT,
                              "a figure's options: steps of smoothing below 0, or an error's limit beyond 0 to 1");
    figure->options.seeds = o->seeds ? o->seeds : 1;
    if (o->seeds < 1 || count % o->seeds)
        return rn_status_fail(error, error_size, RN_ERROR_ARGUMENT, "%d runs are no multiple of %d seeds", count,
                              o->seeds);
    figure->runs = calloc((size_t)count, sizeof *figure->runs);
    if (!figure->runs) return rn_status_fail(error, error_size, RN_ERROR_MEMORY, "out of memory");
    figure->count = count;
    for (int i = 0; i < count; i++) figure->runs[i].path = runs[i];
    for (int i = 0; i < count && !status; i++) status = read_log(&figure->runs[i], error, error_size);
    if (!status) {
        int whole = name_runs(figure) && allocate_room(figure);
        choose_smoothing(figure);
        for (int i = 0; i < count && whole; i++) whole = describe(&figure->runs[i], o, &figure->room);
        if (!whole) status = rn_status_fail(error, error_size, RN_ERROR_MEMORY, "%s: out of memory", runs[0]);
    }
    if (status)
        rn_curves_figure_free(figure);
    else
        make_axes(figure);
    return status;
}

void rn_curves_figure_free(rn_curves_figure *figure) {
    for (int i = 0; i < figure->count; i++) {
        rn_curves_log_free(&figure->runs[i].log);
        free(figure->runs[i].name);
        free(figure->runs[i].loss);
        free(figure->runs[i].train_error);
    }
    free(figure->runs);
    free(figure->room.x);
    free(figure->room.y);
    free(figure->room.kept);
    memset(figure, 0, sizeof *figure);
}
