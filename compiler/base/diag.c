/* Prints diagnostics: place, message, the source line with a caret under the range, notes; and spelling suggestions.
 *
 *     resnet.rn:7:22: error: conv: kernel 7x7 does not fit a 3x3 input with pad 0
 *         7 |     conv 64, 7x7 pad 0
 *           |              ^~~
 *
 * Once the limit of errors is reached the rest are counted and not printed, and neither are their notes.
 */
#include "diag.h"

#include <xxhash.h>
#include <stdlib.h>
#include <string.h>

enum { DEFAULT_LIMIT = 20, LONGEST_LINE = 200, LONGEST_NAME = 64 };

static int diag_limit(const Diag *diag) {
    return diag->limit ? diag->limit : DEFAULT_LIMIT;
}

/* The text of the place's line; empty where the file has no such line. */
static const char *source_line(const Place *place, size_t *length) {
    const char *at = place->source->text, *end = at + place->source->size;
    for (int line = 1; at && line < place->line; line++) {
        at = memchr(at, '\n', (size_t)(end - at));
        if (at) at++;
    }
    *length = 0;
    if (!at) return "";
    const char *stop = memchr(at, '\n', (size_t)(end - at));
    *length = (size_t)((stop ? stop : end) - at);
    if (*length && at[*length - 1] == '\r') --*length;
    return at;
}

/* What is quoted (names in a checkpoint, lines of a source) comes from files that may be hostile: their control bytes
 * must not reach the terminal. A tab is one column. */
static char shown_byte(char c) {
    return c == '\t' ? ' ' : (unsigned char)c < 32 || c == 127 ? '?' : c;
}

static void print_line(Text *out, const Place *place) {
    size_t length;
    const char *line = source_line(place, &length);
    if ((size_t)place->column > length + 1 || place->column > LONGEST_LINE) return;
    if (length > LONGEST_LINE) length = LONGEST_LINE;
    text_printf(out, "%5d | ", place->line);
    for (size_t i = 0; i < length; i++) {
        const char shown = shown_byte(line[i]);
        text_write(out, &shown, 1);
    }
    text_printf(out, "\n      | ");
    for (int i = 1; i < place->column; i++) {
        if (((unsigned char)line[i - 1] & 0xc0) != 0x80) text_puts(out, " "); /* UTF-8: a letter is one cell */
    }
    text_puts(out, "^");
    for (int i = 1; i < place->length && (size_t)(place->column + i) <= length; i++)
        if (((unsigned char)line[place->column + i - 1] & 0xc0) != 0x80) text_puts(out, "~");
    text_puts(out, "\n");
}

static void print(Diag *diag, Place place, const char *kind, const char *format, va_list args) {
    Text out = {0};
    if (place.source) {
        text_printf(&out, "%s:", place.source->path);
        if (place.line > 0) text_printf(&out, "%d:%d:", place.line, place.column);
    } else {
        text_puts(&out, "rnc:");
    }
    text_printf(&out, " %s: ", kind);
    text_vprintf(&out, format, args);
    for (size_t i = 0; i < out.size; i++) out.s[i] = shown_byte(out.s[i]);
    text_puts(&out, "\n");
    if (place.source && place.line > 0 && place.column > 0) print_line(&out, &place);
    const uint64_t hash = XXH3_64bits(out.s, out.size);
    const bool again = !strcmp(kind, "error") && hash == diag->last_error;
    if (!strcmp(kind, "error")) diag->last_error = hash;
    if (again) {
        text_free(&out);
        return;
    }
    if (diag->capture)
        text_write(diag->capture, out.s, out.size);
    else
        fwrite(out.s, 1, out.size, diag->out ? diag->out : stderr);
    text_free(&out);
}

static void print_plain(Diag *diag, const char *format, ...) {
    va_list args;
    va_start(args, format);
    print(diag, (Place){0}, "note", format, args);
    va_end(args);
}

void diag_error(Diag *diag, Place place, const char *format, ...) {
    va_list args;
    va_start(args, format);
    if (diag->errors < diag_limit(diag))
        print(diag, place, "error", format, args);
    else if (diag->errors == diag_limit(diag))
        print_plain(diag, "further errors are not shown");
    va_end(args);
    diag->errors++;
}

void diag_warning(Diag *diag, Place place, const char *format, ...) {
    va_list args;
    va_start(args, format);
    if (diag->warnings < diag_limit(diag)) print(diag, place, "warning", format, args);
    va_end(args);
    diag->warnings++;
}

void diag_note(Diag *diag, Place place, const char *format, ...) {
    va_list args;
    va_start(args, format);
    if (diag->errors <= diag_limit(diag)) print(diag, place, "note", format, args);
    va_end(args);
}

static int min3(int a, int b, int c) {
    return a < b ? (a < c ? a : c) : b < c ? b : c;
}

/* Damerau-Levenshtein distance (optimal string alignment). Both are at most LONGEST_NAME long. */
static int edit_distance(const char *a, int na, const char *b, int nb) {
    int rows[3][LONGEST_NAME + 1];
    int *before = rows[0], *last = rows[1], *row = rows[2];
    for (int j = 0; j <= nb; j++) last[j] = j;
    for (int i = 1; i <= na; i++) {
        row[0] = i;
        for (int j = 1; j <= nb; j++) {
            row[j] = min3(last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && before[j - 2] + 1 < row[j])
                row[j] = before[j - 2] + 1;
        }
        int *free_row = before;
        before = last;
        last = row;
        row = free_row;
    }
    return last[nb];
}

const char *diag_suggest(const char *name, const char *const *candidates, int count) {
    size_t length = strlen(name);
    if (length > LONGEST_NAME) return NULL;
    const char *best = NULL;
    int best_distance = 0;
    for (int i = 0; i < count; i++) {
        size_t n = strlen(candidates[i]);
        if (n > LONGEST_NAME) continue;
        int distance = edit_distance(name, (int)length, candidates[i], (int)n);
        int longer = (int)(n > length ? n : length);
        if (3 * distance > longer || (best && distance >= best_distance)) continue;
        best = candidates[i];
        best_distance = distance;
    }
    return best;
}
