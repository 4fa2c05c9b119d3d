/* A run's log.csv: a line of names, then lines of numbers. What is read may be anything: every fault is an error with
 * its line. */
#include "curves_log.h"
#include "core/file.h"
#include "core/status.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_FIELDS = 64, NUMBER_SIZE = 48 };

static const size_t max_file = (size_t)1 << 30;
static const double max_step = 1e15; /* exact in a double */

static const char *const names[RN_CURVES_COLUMNS] = {"step", "loss", "train error", "test error", "epoch", "images/s"};
enum { NEEDED = RN_CURVES_TEST_ERROR + 1 };

typedef struct Span {
    const char *at;
    int size;
} Span;

typedef struct Reader {
    const char *at, *end; /* what is left, whole lines */
    const char *name;     /* the file's */
    int line;
    Span field[MAX_FIELDS]; /* of the line */
    int fields;
    int place[RN_CURVES_COLUMNS]; /* of each column in a line; -1: not there */
    int width;                    /* fields of each line */
    char *error;
    size_t error_size;
} Reader;

#define REFUSE(r, format, ...)                                                                                         \
    return rn_status_fail((r)->error, (r)->error_size, RN_ERROR_FORMAT, "%s:%d: " format, (r)->name, (r)->line,        \
                          __VA_ARGS__)

static int is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\r';
}

static Span trimmed(const char *at, const char *end) {
    while (at < end && is_blank(*at)) at++;
    while (at < end && is_blank(end[-1])) end--;
    const ptrdiff_t most = 1 << 20;
    return (Span){at, (int)(end - at < most ? end - at : most)};
}

static int span_is(Span s, const char *word) {
    return (size_t)s.size == strlen(word) && memcmp(s.at, word, (size_t)s.size) == 0;
}

/* How a field is quoted in an error: the beginning of a long one. */
enum { QUOTED = 40 };
static int quoted(Span s) {
    return s.size < QUOTED ? s.size : QUOTED;
}

/* Divides the next line into fields. */
static rn_status read_line(Reader *r) {
    const char *end = memchr(r->at, '\n', (size_t)(r->end - r->at));
    r->line++;
    r->fields = 0;
    for (;;) {
        const char *comma = memchr(r->at, ',', (size_t)(end - r->at));
        if (r->fields == MAX_FIELDS) REFUSE(r, "more than %d fields", MAX_FIELDS);
        r->field[r->fields++] = trimmed(r->at, comma ? comma : end);
        if (!comma) break;
        r->at = comma + 1;
    }
    r->at = end + 1;
    return RN_OK;
}

static rn_status read_header(Reader *r) {
    if (r->at == r->end) {
        r->line = 1;
        REFUSE(r, "no line of names (%s,%s,%s,%s,...)", names[0], names[1], names[2], names[3]);
    }
    rn_status status = read_line(r);
    if (status) return status;
    r->width = r->fields;
    for (int c = 0; c < RN_CURVES_COLUMNS; c++) {
        r->place[c] = -1;
        for (int i = 0; i < r->fields; i++) {
            if (!span_is(r->field[i], names[c])) continue;
            if (r->place[c] >= 0) REFUSE(r, "two columns are called '%s'", names[c]);
            r->place[c] = i;
        }
        if (r->place[c] < 0 && c < NEEDED) REFUSE(r, "no column is called '%s'", names[c]);
    }
    return RN_OK;
}

/* NaN: the field is empty; infinity: it is nan or inf. */
static rn_status read_number(Reader *r, rn_curves_column column, double *number) {
    char text[NUMBER_SIZE], *end;
    *number = NAN;
    if (r->place[column] < 0) return RN_OK;
    const Span field = r->field[r->place[column]];
    if (!field.size) return RN_OK;
    const size_t length = (size_t)field.size < sizeof text ? (size_t)field.size : 0;
    memcpy(text, field.at, length);
    text[length] = 0;
    const double value = strtod(text, &end);
    if (!length || end != text + length || strpbrk(text, "xX(")) /* strtod's hexadecimal and nan(...) are no log's */
        REFUSE(r, "%s: '%.*s' is not a number", names[column], quoted(field), field.at);
    *number = isfinite(value) ? value : (double)INFINITY;
    return RN_OK;
}

static rn_status check_row(Reader *r, const rn_curves_log *log, int row) {
    const double step = log->column[RN_CURVES_STEP][row];
    if (!(step >= 0 && step <= max_step && step == floor(step))) {
        const Span field = r->field[r->place[RN_CURVES_STEP]];
        REFUSE(r, "step: '%.*s' is not the number of a step", quoted(field), field.at);
    }
    if (row && step <= log->column[RN_CURVES_STEP][row - 1])
        REFUSE(r, "step %.0f comes after step %.0f", step, log->column[RN_CURVES_STEP][row - 1]);
    for (int c = RN_CURVES_TRAIN_ERROR; c <= RN_CURVES_TEST_ERROR; c++) {
        const double error = log->column[c][row];
        if (isfinite(error) && !(error >= 0 && error <= 1))
            REFUSE(r, "%s: %g; errors are fractions from 0 to 1", names[c], error);
    }
    return RN_OK;
}

static rn_status read_row(Reader *r, rn_curves_log *log) {
    rn_status status = read_line(r);
    if (status) return status;
    if (r->fields != r->width)
        REFUSE(r, "%d field%s where the first line names %d", r->fields, r->fields == 1 ? "" : "s", r->width);
    for (int c = 0; c < RN_CURVES_COLUMNS && !status; c++) status = read_number(r, c, &log->column[c][log->rows]);
    if (!status) status = check_row(r, log, log->rows);
    if (!status) log->rows++;
    return status;
}

static size_t count_lines(const char *at, const char *end) {
    size_t count = 0;
    while (at < end) count += *at++ == '\n';
    return count;
}

rn_status rn_curves_log_parse(rn_curves_log *log, const uint8_t *bytes, size_t size, const char *name, char *error,
                              size_t error_size) {
    static const char mark[] = "\xef\xbb\xbf"; /* of UTF-8 */
    memset(log, 0, sizeof *log);
    while (size && bytes[size - 1] != '\n') size--; /* a line that is being written */
    Reader r = {.at = (const char *)bytes, .name = name, .error = error, .error_size = error_size};
    r.end = r.at + size;
    if (size > 3 && !memcmp(bytes, mark, 3)) r.at += 3;
    rn_status status = read_header(&r);
    if (status) return status;

    const size_t lines = count_lines(r.at, r.end);
    for (int c = 0; c < RN_CURVES_COLUMNS; c++) {
        log->column[c] = calloc(lines + 1, sizeof *log->column[c]);
        if (!log->column[c]) status = rn_status_fail(error, error_size, RN_ERROR_MEMORY, "%s: out of memory", name);
    }
    while (!status && r.at < r.end) status = read_row(&r, log);
    if (status) rn_curves_log_free(log);
    return status;
}

rn_status rn_curves_log_read(rn_curves_log *log, const char *path, char *error, size_t error_size) {
    uint8_t *bytes;
    size_t size;
    memset(log, 0, sizeof *log);
    rn_status status = rn_file_read(&bytes, &size, path, max_file, error, error_size);
    if (status) return status;
    status = rn_curves_log_parse(log, bytes, size, path, error, error_size);
    free(bytes);
    return status;
}

void rn_curves_log_free(rn_curves_log *log) {
    for (int c = 0; c < RN_CURVES_COLUMNS; c++) free(log->column[c]);
    memset(log, 0, sizeof *log);
}
