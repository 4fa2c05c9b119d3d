/* Where lines are broken. What is broken off is aligned with what the innermost open bracket begins with, as by
 * clang-format, or, where that is too far to the right, indented once more.
 */
#include <string.h>
#include "wrap.h"

enum { INDENT = 4, RIGHTMOST = WRAP_COLUMNS / 2 };
enum { IN_STRING = 100, IN_COMMENT }; /* as if deeper than all brackets */
enum { BRACKET_COLUMNS = 12 };        /* that a break may come earlier to be outside of one more bracket */

typedef struct Brackets {
    int depth, column[32]; /* the column after each that is open; of deeper ones none */
} Brackets;

typedef struct Break {
    int end, next;            /* where the line ends and where the rest begins; 0: nowhere */
    int depth;                /* how far inside */
    int align;                /* the rest's column */
    const char *close, *open; /* what is written at the end and at the beginning: of a string or comment */
    Brackets around;
} Break;

typedef struct Scan {
    const char *line;
    int size, at;
    int indent; /* where nothing is aligned with */
    Brackets open;
    bool in_comment;
    Break best;
} Scan;

/* ---- which place ---- */
static bool rest_fits(const Scan *s, const Break *place) {
    return place->next && place->align + (int)strlen(place->open) + s->size - place->next <= WRAP_COLUMNS;
}

/* Two lines, broken as far outside as can be; else as much in this line as is worth it. */
static bool is_better(const Scan *s, const Break *a, const Break *b) {
    const bool fits = rest_fits(s, a);
    if (!b->next || fits != rest_fits(s, b)) return !b->next || fits;
    if (fits) return a->depth <= b->depth;
    return a->end - BRACKET_COLUMNS * a->depth >= b->end - BRACKET_COLUMNS * b->depth;
}

static void consider(Scan *s, Break place) {
    place.around = s->open;
    if (place.end + (int)strlen(place.close) <= WRAP_COLUMNS && is_better(s, &place, &s->best)) s->best = place;
}

static int aligned(const Scan *s) {
    const int depth = s->open.depth, most = sizeof s->open.column / sizeof *s->open.column;
    const int column = depth > 0 && depth <= most ? s->open.column[depth - 1] : WRAP_COLUMNS;
    return column <= RIGHTMOST ? column : s->indent + INDENT;
}

/* ---- places ---- */
static bool starts_at(const Scan *s, const char *word) {
    const int n = (int)strlen(word);
    return s->at + n <= s->size && !strncmp(s->line + s->at, word, (size_t)n);
}

/* To the end of a string or character. */
static void scan_literal(Scan *s) {
    const char quote = s->line[s->at++];
    for (; s->at < s->size && s->line[s->at] != quote; s->at++) {
        if (s->line[s->at] == '\\') s->at++;
        if (quote == '"' && starts_at(s, " "))
            consider(s, (Break){s->at + 1, s->at + 1, IN_STRING, aligned(s), "\"", "\"", {0}});
    }
}

/* To the end of a comment, or the line's. The comment's next lines begin with a star. */
static void scan_comment(Scan *s) {
    const int start = s->at;
    const char *open = s->in_comment ? "* " : " * ";
    if (!s->in_comment) s->at += 2;
    s->in_comment = true;
    for (; s->at < s->size && !starts_at(s, "*/"); s->at++)
        if (starts_at(s, " ") && !starts_at(s, " */"))
            consider(s, (Break){s->at, s->at + 1, IN_COMMENT, start, "", open, {0}});
    if (s->at >= s->size) return;
    s->in_comment = false;
    s->at++;
}

static void scan_bracket(Scan *s, bool opens) {
    Brackets *b = &s->open;
    const int most = sizeof b->column / sizeof *b->column;
    if (opens && b->depth++ < most) b->column[b->depth - 1] = s->at + 1;
    if (!opens && b->depth > 0) b->depth--;
}

static void scan_code(Scan *s) {
    static const char *const operators[] = {" ? ", " : ", " + ", " && ", " || "};
    const char c = s->line[s->at];
    const int depth = s->open.depth;
    if (c == '"' || c == '\'') {
        scan_literal(s);
        return;
    }
    if (strchr("([{)]}", c)) scan_bracket(s, strchr("([{", c) != NULL);
    if (starts_at(s, ", ")) consider(s, (Break){s->at + 1, s->at + 2, depth, aligned(s), "", "", {0}});
    if (starts_at(s, " /*")) consider(s, (Break){s->at, s->at + 1, depth, aligned(s), "", "", {0}});
    for (size_t i = 0; i < sizeof operators / sizeof *operators; i++) /* rather after a comma */
        if (starts_at(s, operators[i])) consider(s, (Break){s->at, s->at + 1, depth + 1, aligned(s), "", "", {0}});
}

static void scan(Scan *s) {
    while (s->at < s->size && s->line[s->at] == ' ') s->at++;
    for (; s->at < s->size; s->at++)
        if (s->in_comment || starts_at(s, "/*"))
            scan_comment(s);
        else
            scan_code(s);
}

/* ---- lines ---- */
static void wrap_line(const char *line, int size, bool *in_comment, Text *to) {
    const int indent = (int)strspn(line, " ");
    Brackets open = {0};
    Text piece = {0};
    text_write(&piece, line, (size_t)size);
    for (;;) {
        Scan s = {.line = piece.s, .size = (int)piece.size, .indent = indent, .open = open, .in_comment = *in_comment};
        scan(&s);
        const Break *at = &s.best;
        if (s.size <= WRAP_COLUMNS || !at->next || at->align + (int)strlen(at->open) >= at->next) {
            *in_comment = s.in_comment;
            break;
        }
        Text rest = {0};
        text_printf(to, "%.*s%s\n", at->end, piece.s, at->close);
        text_printf(&rest, "%*s%s%s", at->align, "", at->open, piece.s + at->next);
        *in_comment = at->depth == IN_COMMENT;
        open = at->around;
        text_free(&piece);
        piece = rest;
    }
    text_printf(to, "%s\n", piece.s);
    text_free(&piece);
}

void wrap_lines(const Text *from, Text *to) {
    bool in_comment = false, continued = false; /* a preprocessor line */
    for (const char *line = from->s, *end; line && *line; line = end + 1) {
        end = line + strcspn(line, "\n");
        const bool preprocessor = continued || (*line == '#' && !in_comment);
        continued = preprocessor && end > line && end[-1] == '\\';
        const int size = (int)(end - line);
        const bool fits = size <= WRAP_COLUMNS && !in_comment && !memmem(line, (size_t)size, "/*", 2);
        if (preprocessor || fits)
            text_printf(to, "%.*s\n", (int)(end - line), line);
        else
            wrap_line(line, (int)(end - line), &in_comment, to);
        if (!*end) return;
    }
}
