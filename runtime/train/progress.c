/* The live line of training. What is known is kept as it comes; a line is a function of that, of the time and of the
 * terminal's width. */
#include "progress.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum { SPAN = 50, FIELDS = 7, FIELD_SIZE = 64 }; /* SPAN: steps that the shown loss and error are means of */

/* seconds */
static const double redraw = 0.1;             /* between two drawings on a terminal */
static const double first_interval = 10;      /* between two whole lines, */
static const double interval_share = 1. / 30; /* or this share of the time passed where that is longer; */
static const double test_interval = 1;        /* a test's comes sooner */
static const double memory = 60;              /* after which a rate has forgotten the past but for 1/e */

static const char clear_line[] = "\r\033[K";

/* ---- a line's fields ---- */
typedef struct Field {
    char text[FIELD_SIZE], brief[FIELD_SIZE]; /* the same, where there is little room; empty: not known yet */
    int rank;                                 /* where there is less, the greatest goes first */
    const char *style;                        /* an escape sequence; NULL: none */
} Field;

/* 64,000; at most 27 characters */
static const char *grouped(char *text, int64_t number) {
    char digits[24];
    const int n = snprintf(digits, sizeof digits, "%lld", (long long)number);
    char *to = text;
    for (int i = 0; i < n; i++) {
        if (i && (n - i) % 3 == 0 && digits[i - 1] != '-') *to++ = ',';
        *to++ = digits[i];
    }
    *to = 0;
    return text;
}

static const char *duration(char *text, size_t size, double seconds) {
    const double days = 86400, most = 1000;
    const long long s = (long long)round(fmin(fmax(seconds, 0), most * days));
    if (s < 60)
        snprintf(text, size, "%lld s", s);
    else if (s < 3600)
        snprintf(text, size, "%lld min %02lld s", s / 60, s % 60);
    else if (s < 86400)
        snprintf(text, size, "%lld h %02lld min", s / 3600, s / 60 % 60);
    else
        snprintf(text, size, "%lld d %02lld h", s / 86400, s / 3600 % 24);
    return text;
}

static double mean(const rn_progress_mean *m) {
    return m->sum / m->weight;
}

static void mean_add(rn_progress_mean *m, double value) {
    const double decay = 1 - 2. / (SPAN + 1);
    m->sum = decay * m->sum + value;
    m->weight = decay * m->weight + 1;
}

static void field_step(Field *f, const rn_progress *p) {
    char step[32], stop[32];
    grouped(step, p->step);
    if (p->options.stop > 0) {
        const double share = 100. * (double)p->step / (double)p->options.stop;
        grouped(stop, p->options.stop);
        snprintf(f->text, FIELD_SIZE, "%.7s %.27s/%.27s", p->options.unit, step, stop);
        const size_t n = strlen(f->text);
        snprintf(f->text + n, FIELD_SIZE - n, " (%.0f %%)", floor(share));
        snprintf(f->brief, FIELD_SIZE, "%s/%s", step, stop);
    } else {
        snprintf(f->text, FIELD_SIZE, "%.7s %s", p->options.unit, step);
        snprintf(f->brief, FIELD_SIZE, "%s", step);
    }
}

static void field_error(Field *f, const char *name, double error) {
    snprintf(f->text, FIELD_SIZE, "%s error %.2f %%", name, 100 * error);
    snprintf(f->brief, FIELD_SIZE, "%s %.2f%%", name, 100 * error);
}

static void field_rate(Field *f, const rn_progress *p) {
    char number[32];
    const double rate = p->images / p->computing;
    if (p->doing) {
        snprintf(f->text, FIELD_SIZE, "%s", p->doing);
        snprintf(f->brief, FIELD_SIZE, "%s", p->doing);
        return;
    }
    if (!(rate >= 0 && rate < 1e15)) return;
    if (rate < 100)
        snprintf(number, sizeof number, "%.1f", rate);
    else
        grouped(number, (int64_t)(rate + 0.5));
    snprintf(f->text, FIELD_SIZE, "%s images/s", number);
    snprintf(f->brief, FIELD_SIZE, "%s/s", number);
}

/* The time left; at the end the time that it took. */
static void field_time(Field *f, const rn_progress *p, double now, int ended) {
    char text[40];
    if (ended) {
        duration(text, sizeof text, now - p->begun);
        snprintf(f->text, FIELD_SIZE, "in %s", text);
    } else if (p->options.stop > p->step && p->computing > 0) {
        /* as fast as lately, with as much besides steps as in the whole run: tests are too rare for a recent mean */
        const double each = p->computing / p->steps * (p->all / p->all_computing);
        duration(text, sizeof text, each * (double)(p->options.stop - p->step) - (now - p->last));
        snprintf(f->text, FIELD_SIZE, "%s left", text);
    }
    snprintf(f->brief, FIELD_SIZE, "%s", f->text);
}

static void fields_make(Field fields[FIELDS], const rn_progress *p, double now, int ended) {
    static const char bold[] = "\033[1m", faint[] = "\033[2m", red[] = "\033[1;31m";
    static const int ranks[FIELDS] = {0, 6, 1, 2, 3, 5, 4};
    memset(fields, 0, sizeof *fields * FIELDS);
    for (int i = 0; i < FIELDS; i++) fields[i].rank = ranks[i];
    field_step(&fields[0], p);
    if (p->loss.weight > 0) {
        const double loss = mean(&p->loss);
        fields[1].style = faint;
        snprintf(fields[1].text, FIELD_SIZE, "epoch %.2f", p->epoch);
        snprintf(fields[1].brief, FIELD_SIZE, "epoch %.1f", p->epoch);
        snprintf(fields[2].text, FIELD_SIZE, fabs(loss) < 1000 ? "loss %.4f" : "loss %.4g", loss);
        snprintf(fields[2].brief, FIELD_SIZE, "%s", fields[2].text);
        if (!isfinite(loss)) fields[2].style = red;
        field_error(&fields[3], "train", mean(&p->train_error));
    }
    if (!isnan(p->test_error)) {
        fields[4].style = bold;
        field_error(&fields[4], "test", p->test_error);
    }
    fields[5].style = faint;
    field_rate(&fields[5], p);
    field_time(&fields[6], p, now, ended);
}

/* ---- a line ---- */
static int line_width(const Field *fields, int brief, int most_rank) {
    int width = 0;
    for (int i = 0; i < FIELDS; i++) {
        const int n = (int)strlen(brief ? fields[i].brief : fields[i].text);
        if (n && fields[i].rank <= most_rank) width += n + (width ? 2 : 0);
    }
    return width;
}

/* In `columns`; below 0: as long as it is. */
static void line_put(const rn_progress *p, const Field *fields, int columns) {
    int brief = 0, most_rank = FIELDS;
    if (columns >= 0) {
        brief = line_width(fields, 0, most_rank) > columns;
        while (most_rank > 0 && line_width(fields, brief, most_rank) > columns) most_rank--;
    }
    int left = columns < 0 ? FIELDS * (FIELD_SIZE + 2) : columns;
    for (int i = 0, first = 1; i < FIELDS; i++) {
        const char *text = brief ? fields[i].brief : fields[i].text;
        if (!*text || fields[i].rank > most_rank) continue;
        if (!first) left -= fprintf(p->file, "  ");
        first = 0;
        const int styled = p->coloured && fields[i].style;
        if (styled) fputs(fields[i].style, p->file);
        left -= fprintf(p->file, "%.*s", left > 0 ? left : 0, text);
        if (styled) fputs("\033[0m", p->file);
    }
}

/* The terminal's last column stays free: what is written there may move the cursor to the next line. */
static int columns_of(const rn_progress *p) {
    struct winsize size;
    const int known = ioctl(fileno(p->file), TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
    return (known ? size.ws_col : 80) - 1;
}

static void show(rn_progress *p, double now, int ended) {
    Field fields[FIELDS];
    fields_make(fields, p, now, ended);
    for (int i = 1; i < FIELDS - 1 && ended && !p->live && !p->pending; i++) fields[i].text[0] = 0; /* just told */
    if (p->live) {
        fputs(clear_line, p->file);
        line_put(p, fields, columns_of(p));
    } else {
        line_put(p, fields, -1);
    }
    if (ended || !p->live) fputc('\n', p->file);
    fflush(p->file);
    p->shown = now;
    p->pending = 0;
}

static void show_after(rn_progress *p, double now, double interval) {
    p->pending = 1;
    if (!(now - p->shown < (p->live ? redraw : interval))) show(p, now, 0); /* shown is NaN before the first line */
}

/* ---- what comes in ---- */
static double system_now(void *unused) {
    struct timespec t;
    (void)unused;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double now_of(const rn_progress *p) {
    return p->options.now(p->options.clock);
}

/* The time since the last step or test went to a step, or to something else. */
static void time_pass(rn_progress *p, double now, int is_step) {
    const double passed = fmax(now - p->last, 0);
    p->last = now;
    p->all += passed;
    if (!is_step) return;
    const double keep = exp(-passed / memory);
    p->steps *= keep;
    p->images *= keep;
    p->computing = p->computing * keep + passed;
    p->all_computing += passed;
}

void rn_progress_begin(rn_progress *progress, FILE *file, const rn_progress_options *options) {
    const char *terminal = getenv("TERM"), *no_color = getenv("NO_COLOR");
    memset(progress, 0, sizeof *progress);
    progress->file = file;
    progress->options = *options;
    if (!options->now) progress->options.now = system_now;
    if (!options->unit) progress->options.unit = "step";
    progress->live = isatty(fileno(file)) && terminal && *terminal && strcmp(terminal, "dumb") != 0;
    progress->coloured = progress->live && !(no_color && *no_color);
    progress->step = options->first;
    progress->test_error = progress->shown = NAN;
    progress->begun = progress->last = now_of(progress);
    if (options->patient && !progress->live) progress->shown = progress->begun;
}

/* The steps up to `step` were made; the time is returned. */
static double steps_pass(rn_progress *p, int64_t step, int images) {
    const double now = now_of(p);
    if (p->doing) { /* the time is of both, and of neither's rate */
        time_pass(p, now, 0);
        p->doing = NULL;
    } else {
        time_pass(p, now, 1);
        p->images += images;
        p->steps += (double)(step - p->step);
    }
    p->step = step;
    return now;
}

static double interval_at(const rn_progress *p, double now) {
    return fmax(first_interval, interval_share * (now - p->begun));
}

void rn_progress_step(rn_progress *progress, int64_t step, double epoch, double loss, double train_error, int images) {
    const double now = steps_pass(progress, step, images);
    progress->epoch = epoch;
    mean_add(&progress->loss, loss);
    mean_add(&progress->train_error, train_error);
    show_after(progress, now, interval_at(progress, now));
}

void rn_progress_tested(rn_progress *progress, int64_t step, double error, int images) {
    const double now = steps_pass(progress, step, images);
    progress->test_error = error;
    show_after(progress, now, interval_at(progress, now));
}

void rn_progress_doing(rn_progress *progress, const char *what) {
    const double now = now_of(progress);
    time_pass(progress, now, 0);
    progress->doing = what;
    if (progress->live) show(progress, now, 0);
}

void rn_progress_test(rn_progress *progress, double test_error) {
    const double now = now_of(progress);
    time_pass(progress, now, 0);
    progress->doing = NULL;
    progress->test_error = test_error;
    show_after(progress, now, test_interval);
}

void rn_progress_say(rn_progress *progress, const char *format, ...) {
    va_list arguments;
    if (progress->live) fputs(clear_line, progress->file);
    va_start(arguments, format);
    vfprintf(progress->file, format, arguments);
    va_end(arguments);
    fputc('\n', progress->file);
    if (progress->live && !isnan(progress->shown)) show(progress, now_of(progress), 0);
    fflush(progress->file);
}

void rn_progress_end(rn_progress *progress) {
    progress->doing = NULL;
    if (progress->options.patient && !progress->live && progress->shown == progress->begun) return; /* it was short */
    if (progress->pending || !isnan(progress->shown)) show(progress, now_of(progress), 1);
}
