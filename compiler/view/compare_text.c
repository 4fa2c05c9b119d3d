/* rnc compare as text: what agrees, a line an output, a line a layer, and where they part. */
#include "compare_view.h"
#include "view.h"

#include <string.h>

enum { COLUMNS = 7, LEFT = 3 /* the first columns are words */ };

static double percent(const Compare *c, int images) {
    return c->images ? 100.0 * images / c->images : 0;
}

static void put_table(Text *out, const char *(*cells)[COLUMNS], int count) {
    int width[COLUMNS] = {0};
    for (int i = 0; i < count; i++)
        for (int k = 0; k < COLUMNS; k++)
            if ((int)strlen(cells[i][k]) > width[k]) width[k] = (int)strlen(cells[i][k]);
    for (int i = 0; i < count; i++) {
        for (int k = 0; k + 1 < COLUMNS; k++) text_printf(out, k < LEFT ? "%-*s  " : "%*s  ", width[k], cells[i][k]);
        text_printf(out, "%s\n", cells[i][COLUMNS - 1]);
    }
    text_puts(out, "\n");
}

/* "conv1", or where the other network calls it otherwise "conv1 = stem". */
static const char *both_names(Arena *arena, const char *const name[2]) {
    return strcmp(name[0], name[1]) ? arena_printf(arena, "%s = %s", name[0], name[1]) : name[0];
}

static const char *number(Arena *arena, double x) {
    return x ? arena_printf(arena, "%.2e", x) : "0";
}

static void fill_numbers(Arena *arena, const char **cells, Shape s, const CompareNumbers *d) {
    cells[2] = arena_printf(arena, "%dx%dx%d", s.c, s.h, s.w);
    cells[3] = number(arena, d->largest);
    cells[4] = number(arena, d->relative);
    cells[5] = number(arena, d->relative_rms);
}

static void put_outputs(const Compare *c, Arena *arena, Text *out) {
    static const char *const heading[COLUMNS] = {"output",   "",         "shape",      "largest",
                                                 "relative", "rel. rms", "worst image"};
    const char *(*cells)[COLUMNS] = arena_alloc(arena, sizeof *cells * ((size_t)c->output_count + 1));
    memcpy(cells[0], heading, sizeof heading);
    for (int i = 0; i < c->output_count; i++) {
        cells[i + 1][0] = both_names(arena, c->outputs[i].name);
        cells[i + 1][1] = "";
        fill_numbers(arena, cells[i + 1], c->outputs[i].shape, &c->outputs[i].d);
        cells[i + 1][6] = c->outputs[i].worst_name;
    }
    put_table(out, cells, c->output_count + 1);
}

static void put_classes(const Compare *c, Text *out) {
    if (!c->classes) return;
    text_printf(out, "top-1 agrees for %d of %d image%s (%.2f %%)", c->top1, c->images, c->images == 1 ? "" : "s",
                percent(c, c->top1));
    if (c->top5 >= 0) text_printf(out, ", the five likeliest for %d (%.2f %%)", c->top5, percent(c, c->top5));
    text_puts(out, "\n");
    if (c->labelled) {
        text_printf(out, "right: top-1 %.2f %% and %.2f %%", percent(c, c->right1[0]), percent(c, c->right1[1]));
        if (c->top5 >= 0)
            text_printf(out, ", top-5 %.2f %% and %.2f %%", percent(c, c->right5[0]), percent(c, c->right5[1]));
        text_puts(out, "\n");
    } else if (c->data_classes) {
        text_printf(out, "labels are not counted: the data has %d classes, the networks have %d\n", c->data_classes,
                    c->classes);
    }
    text_puts(out, "\n");
}

static void put_layers(const Compare *c, Arena *arena, Text *out) {
    static const char *const heading[COLUMNS] = {"layer",    "operation", "shape", "largest",
                                                 "relative", "rel. rms",  "limit"};
    const char *(*cells)[COLUMNS] = arena_alloc(arena, sizeof *cells * ((size_t)c->layer_count + 1));
    memcpy(cells[0], heading, sizeof heading);
    for (int i = 0; i < c->layer_count; i++) {
        const CompareLayer *layer = &c->layers[i];
        cells[i + 1][0] = both_names(arena, layer->name);
        cells[i + 1][1] = layer->operation[0];
        fill_numbers(arena, cells[i + 1], layer->shape, &layer->d);
        cells[i + 1][6] = arena_printf(arena, "%.1e%s", layer->limit,
                                       i == c->part    ? "  <- they part here"
                                       : layer->beyond ? "  beyond"
                                                       : "");
    }
    text_printf(out, "layers of image %s, which differs most:\n\n", c->worst[0].name);
    put_table(out, cells, c->layer_count + 1);
    for (int s = 0; s < 2; s++)
        if (c->single[s])
            text_printf(out, "%d layer%s of %s %s no counterpart\n", c->single[s], c->single[s] == 1 ? "" : "s",
                        c->label[s], c->single[s] == 1 ? "has" : "have");
}

static void put_verdict(const Compare *c, Text *out) {
    const CompareImage *worst = &c->worst[0];
    text_printf(out, "compare: %s and %s %s: the largest relative difference of an output is %.3g, %s %.3g",
                c->label[0], c->label[1], c->agrees ? "agree" : "differ", worst->relative,
                c->agrees ? "within" : "more than", c->threshold);
    if (!c->agrees && c->part >= 0) {
        const CompareLayer *layer = &c->layers[c->part];
        text_printf(out, "; they part at layer '%s'", layer->name[0]);
        if (strcmp(layer->name[0], layer->name[1])) text_printf(out, ", the second's '%s'", layer->name[1]);
    } else if (!c->agrees) {
        text_puts(out, "; no layer that both have differs, with the image alone");
    }
    text_puts(out, "\n");
    if (c->hint) text_printf(out, "hint: %s\n", c->hint);
}

void compare_text(const Compare *c, Text *out) {
    Arena arena = {0};
    text_printf(out, "first   %s\nsecond  %s\n%d image%s of %s\n\n", c->label[0], c->label[1], c->images,
                c->images == 1 ? "" : "s", c->images_of);
    put_outputs(c, &arena, out);
    put_classes(c, out);
    put_layers(c, &arena, out);
    put_verdict(c, out);
    arena_free(&arena);
}
