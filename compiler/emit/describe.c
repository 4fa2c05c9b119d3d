/* Words about steps: for the emitted comments, the layer table, reports. */
#include <ctype.h>
#include <math.h>
#include <string.h>
#include "describe.h"
#include "graph/act.h"
#include "graph/ops.h"

static void describe_window(const Window *w, Text *t) {
    text_printf(t, " %dx%d", w->r, w->s);
    if (w->stride_h > 1 || w->stride_w > 1) text_printf(t, " /%d", w->stride_h);
    if (w->dilate_h > 1 || w->dilate_w > 1) text_printf(t, " dilate %d", w->dilate_h);
}

/* The operation, over `terms` terms, and what follows it. */
static void describe(const Node *n, const Term *term, int terms, const Epilogue *e, Text *t) {
    const char *word = op_info(n->op)->word;
    text_puts(t, *word == '.' ? word + 1 : word);
    if (n->op == OP_CONV) {
        describe_window(&term[0].window, t);
        if (term[0].groups > 1) text_printf(t, " groups %d", term[0].groups);
        if (terms > 1) text_puts(t, " + shortcut conv");
        for (int i = 1; i < terms; i++) describe_window(&term[i].window, t);
    }
    if (n->op == OP_MAXPOOL || n->op == OP_AVGPOOL) {
        if (n->attr.global)
            text_puts(t, " global");
        else
            describe_window(&n->attr.window, t);
    }
    if (e->addend) text_puts(t, e->in_place ? " + add in place" : " + add");
    if (e->act) text_printf(t, " + %s", act_info(e->act)->word);
    if (e->pool == POOL_MAX) {
        text_puts(t, " + maxpool");
        describe_window(&e->pool_window, t);
    }
    if (e->pool == POOL_GLOBAL_AVG) text_puts(t, " + avgpool global");
    if (e->pool == POOL_GLOBAL_MAX) text_puts(t, " + maxpool global");
}

void describe_node(const Node *n, Text *t) {
    describe(n, n->term, n->nin, &n->epilogue, t);
}

void describe_step(const Step *s, Text *t) {
    if (s->words)
        text_puts(t, s->words);
    else
        describe(s->node, s->term, s->nin, &s->epilogue, t);
}

const char *describe_place(Arena *arena, Place place) {
    if (!place.source || !place.line) return "";
    const char *slash = strrchr(place.source->path, '/');
    return arena_printf(arena, "%s:%d:%d", slash ? slash + 1 : place.source->path, place.line, place.column);
}

const char *quote_c(Arena *arena, const char *s) {
    if (!s) return "NULL";
    Text t = {0};
    text_puts(&t, "\"");
    for (; *s; s++) {
        const unsigned char c = (unsigned char)*s;
        if (c == '"' || c == '\\')
            text_printf(&t, "\\%c", c);
        else if (c < 32 || c > 126 || c == '?')
            text_printf(&t, "\\%03o", c); /* ?: no trigraphs */
        else
            text_write(&t, s, 1);
    }
    text_puts(&t, "\"");
    char *quoted = arena_strdup(arena, t.s);
    text_free(&t);
    return quoted;
}

const char *float_c(Arena *arena, double x) {
    if (isinf(x)) return x < 0 ? "-INFINITY" : "INFINITY";
    const char *digits = arena_printf(arena, "%.9g", x);
    return arena_printf(arena, strpbrk(digits, ".e") ? "%sf" : "%s.0f", digits);
}

const char *comment_c(Arena *arena, const char *s) {
    char *copy = arena_strdup(arena, s ? s : "");
    for (char *p = copy; *p; p++)
        if ((p[0] == '*' && p[1] == '/') || (p[0] == '/' && p[1] == '*') || (unsigned char)*p < 32) *p = ' ';
    return copy;
}

const char *upper_case(Arena *arena, const char *s) {
    char *copy = arena_strdup(arena, s);
    for (char *p = copy; *p; p++) *p = (char)toupper((unsigned char)*p);
    return copy;
}
