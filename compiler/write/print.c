/* The tree as text, before --format: blocks, then the network, then how it is trained.
 *
 * Names are given by `as` where the language would give others, so its rules (language/naming.c) are followed along:
 * what each scope has counted so far. A list's statements become lines; uses of a block in a row become a stage, and
 * lines that say the same become a repeat.
 */
#include "inner.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "graph/ops.h"
#include "language/words.h"

enum { WIDEST_LINE = 104, LONGEST_PERIOD = 12 };

typedef struct Line {
    const char *text; /* may be several lines, where a statement has a body */
    bool compound;
} Line;

typedef struct Lines {
    Line *item;
    int count, capacity;
} Lines;

typedef struct Printer { /* of a block's body or the network's */
    Writer *w;
    const Block *block; /* NULL: the network */
    int slot;           /* the next one's text */
    const char *prefix; /* what the names begin with, "" for nothing */
    Map counters;       /* word -> int */
    Map layers;         /* name -> word of its op */
    int names;          /* that were made up */
    bool in_shortcut;
    const char *sequence; /* in a shortcut's body: "downsample" */
    int position;
} Printer;

static Lines print_list(Printer *p, const Pieces *list);

/* ---- names by default (language/naming.c) ---- */
static int counted(const Printer *p, const char *word) {
    const int *count = map_get(&p->counters, word);
    return count ? *count : 0;
}

static void set_count(Printer *p, const char *word, int count) {
    int *known = map_get(&p->counters, word);
    if (!known) {
        known = arena_alloc(p->w->arena, sizeof *known);
        map_put(&p->counters, p->w->arena, word, known);
    }
    *known = count;
}

/* The name that a layer called by `word` gets, and what the word has counted then. */
static const char *default_name(Printer *p, const char *word, int *count) {
    Arena *arena = p->w->arena;
    *count = counted(p, word) + 1;
    if (p->sequence) return arena_printf(arena, "%s.%d", p->sequence, p->position);
    if (!strcmp(word, "conv") || !strcmp(word, "bn")) return arena_printf(arena, "%s%d", word, *count);
    const bool digit = isdigit((unsigned char)word[strlen(word) - 1]);
    for (;; ++*count) {
        const char *bare = *count == 1 ? word : arena_printf(arena, "%s%s%d", word, digit ? "_" : "", *count);
        const char *op = map_get(&p->layers, bare);
        if (!op || op_by_word(bare) == OP_COUNT || !strcmp(op, word)) return bare;
    }
}

static void take_name(Printer *p, const char *name, const char *op) {
    if (!map_get(&p->layers, name)) map_put(&p->layers, p->w->arena, name, (void *)(uintptr_t)op);
}

static const char *take_default(Printer *p, const char *word, const char *op) {
    int count;
    const char *name = default_name(p, word, &count);
    if (p->sequence)
        p->position++;
    else
        set_count(p, word, count);
    take_name(p, name, op);
    return name;
}

static bool is_used(const Printer *p, const char *name) {
    const Graph *graph = p->w->graph;
    for (int i = 0; i < graph->node_count; i++)
        if (graph->nodes[i]->name && !strcmp(graph->nodes[i]->name, name)) return true;
    return map_get(&p->layers, name) != NULL;
}

static const char *make_up_name(Printer *p) {
    for (;;) {
        const char *name = arena_printf(p->w->arena, "skip%d", ++p->names);
        if (!is_used(p, name)) return name;
    }
}

/* ---- layers ---- */
/* What the layer is to be called; NULL: as it comes. */
static const char *wanted_name(Printer *p, const Piece *piece, const char *otherwise) {
    const Writer *w = p->w;
    const Node *node = piece->node;
    const char *own = w->keep ? w->wanted[node->id] : NULL;
    if (own) {
        const char *below = name_below(own, p->prefix);
        return below ? below : arena_printf(w->arena, "/%s", own);
    }
    const bool referred = w->referred[piece->value->id] > 0;
    if (!referred && !(piece->value->is_output && !p->block)) return NULL;
    const char *said = piece->value->name;
    if (w->keep && said && name_is_valid(said)) {
        const char *below = name_below(said, p->prefix);
        if (below && !strcmp(below, otherwise)) return NULL;
        if (below && !name_seems_default(below) && !map_get(&p->layers, below)) return below;
    }
    return referred ? make_up_name(p) : NULL;
}

static const char *name_layer(Printer *p, const Piece *piece) {
    const char *word = layer_name_word(piece->node->op, layer_form(piece->node)), *op = op_info(piece->node->op)->word;
    int count;
    const char *usual = default_name(p, word, &count), *wanted = wanted_name(p, piece, usual);
    const bool said = wanted && strcmp(wanted, usual) != 0;
    if (said) {
        if (p->sequence) p->position++; /* it has a place all the same */
        take_name(p, wanted, op);
    } else {
        take_default(p, word, op);
    }
    p->w->value_name[piece->value->id] = said ? wanted : usual;
    return said ? wanted : NULL;
}

static const char *reference(const Printer *p, const Value *value) {
    if (value == p->w->graph->input) return "input";
    const char *name = p->w->value_name[value->id];
    if (!name) bug("the value '%s' is mentioned before its name", value->name ? value->name : "");
    return name;
}

/* The texts of the next slots; their numbers where the network has no parameters. */
static const char *const *slot_texts(Printer *p, const Slots *slots) {
    const char **texts = arena_alloc(p->w->arena, sizeof *texts * (size_t)(slots->count + 1));
    for (int i = 0; i < slots->count; i++)
        texts[i] = p->block ? p->block->text[p->slot++] : number_text(p->w->arena, slots->item[i].value);
    return texts;
}

static void print_layer(Printer *p, const Piece *piece, Text *out) {
    const Node *node = piece->node;
    if (node->op == OP_ADD) {
        text_printf(out, "add %s%s", reference(p, piece->other), piece->fill ? " fill" : "");
    } else {
        Slots slots = {0};
        layer_slots(p->w, node, &slots);
        layer_text(p->w, node, slot_texts(p, &slots), out);
    }
    const char *name = name_layer(p, piece);
    if (name) text_printf(out, " as %s", name);
}

/* ---- lines ---- */
static void add_line(Printer *p, Lines *lines, const char *text, size_t size, bool compound) {
    const Line line = {arena_strndup(p->w->arena, text, size), compound};
    ARENA_PUSH(p->w->arena, lines->item, lines->count, lines->capacity, line);
}

static void add_text(Printer *p, Lines *lines, Text *text, bool compound) {
    add_line(p, lines, text->s, text->size, compound);
    text_free(text);
}

static bool is_short(const Lines *lines, int at, int count, size_t more) {
    size_t width = more;
    for (int i = at; i < at + count; i++) {
        if (lines->item[i].compound) return false;
        width += strlen(lines->item[i].text) + 2;
    }
    return width <= WIDEST_LINE;
}

static void put_lines(const Lines *lines, int at, int count, const char *between, Text *out) {
    for (int i = at; i < at + count; i++) text_printf(out, "%s%s", i > at ? between : "", lines->item[i].text);
}

/* "{ a; b }", or on lines of their own. */
static void put_braces(const Lines *lines, int at, int count, bool may_be_short, Text *out) {
    if (!count) return text_puts(out, "{}");
    const bool one = may_be_short && is_short(lines, at, count, 4);
    text_puts(out, one ? "{ " : "{\n");
    put_lines(lines, at, count, one ? "; " : "\n", out);
    text_puts(out, one ? " }" : "\n}");
}

/* ---- statements with bodies ---- */
static bool has_own_shortcut(const Piece *piece) {
    if (piece->shortcut == SHORTCUT_IDENTITY_OR_NONE || !piece->node) return !piece->node;
    return piece->part[1].count || !shape_equal(piece->node->in[0]->shape, piece->node->in[1]->shape);
}

static void print_spelled(Printer *p, const Piece *piece, const Pieces *list, const char *prefix, Text *out) {
    const char *outer = p->sequence, *outer_prefix = p->prefix;
    const int position = p->position;
    const char *name = take_default(p, "downsample", "");
    p->sequence = name, p->position = 0, p->prefix = prefix;
    const Lines lines = print_list(p, list);
    p->sequence = outer, p->position = position + (outer != NULL), p->prefix = outer_prefix;
    text_puts(out, piece->shortcut == SHORTCUT_BODY_ALWAYS ? "always " : "");
    put_braces(&lines, 0, lines.count, true, out);
}

/* What stands behind `shortcut`. */
static void print_shortcut(Printer *p, const Piece *piece, Text *out) {
    static const char *const words[] = {[SHORTCUT_PROJECT] = "project",
                                        [SHORTCUT_PROJECT_ALWAYS] = "project always",
                                        [SHORTCUT_IDENTITY] = "identity",
                                        [SHORTCUT_PAD] = "pad",
                                        [SHORTCUT_IDENTITY_OR_NONE] = "identity or none"};
    const bool own = has_own_shortcut(piece), spelled = piece_has_spelled_shortcut(piece);
    const Piece *owner = own ? piece : piece->owner;
    if (spelled && owner) return print_spelled(p, piece, &owner->part[1], own ? p->prefix : piece->owner_prefix, out);
    if (spelled) { /* nobody in reach has it: these are identities */
        Slots slots = {0};
        pieces_slots(p->w, piece_shortcut(piece), true, &slots);
        p->slot += p->block ? slots.count : 0;
    }
    text_puts(out, owner ? words[piece->shortcut] : "identity");
    if (piece->part[1].count) take_default(p, "downsample", "");
}

static void print_residual(Printer *p, const Piece *piece, Lines *lines) {
    Text text = {0};
    const Lines body = print_list(p, &piece->part[0]);
    if (!piece->node && !p->block) { /* alone in the network, it is its layers */
        for (int i = 0; i < body.count; i++)
            ARENA_PUSH(p->w->arena, lines->item, lines->count, lines->capacity, body.item[i]);
        return;
    }
    text_puts(&text, "residual ");
    put_braces(&body, 0, body.count, false, &text);
    text_puts(&text, " shortcut ");
    print_shortcut(p, piece, &text);
    if (piece->fill) text_puts(&text, " fill");
    if (piece->node) take_default(p, "add", "add");
    add_text(p, lines, &text, true);
}

static void print_join(Printer *p, const Piece *piece, Lines *lines) {
    Text text = {0};
    if (piece->kind == PIECE_GATE) {
        const Lines part = print_list(p, &piece->part[0]);
        text_puts(&text, "gate ");
        put_braces(&part, 0, part.count, true, &text);
    } else {
        Lines branches = {0};
        for (int i = 0; i < piece->part_count; i++) {
            const Lines part = print_list(p, &piece->part[i]);
            Text branch = {0};
            put_braces(&part, 0, part.count, true, &branch);
            const bool compound = strchr(branch.s, '\n') || part.count > 1;
            add_text(p, &branches, &branch, compound);
        }
        const bool one = branches.count < 4 && is_short(&branches, 0, branches.count, 12);
        text_puts(&text, one ? "concat { " : "concat {\n");
        put_lines(&branches, 0, branches.count, one ? " " : "\n", &text);
        text_puts(&text, one ? " }" : "\n}");
    }
    take_default(p, piece->kind == PIECE_GATE ? "mul" : "concat", op_info(piece->node->op)->word);
    add_text(p, lines, &text, true);
}

/* ---- uses of blocks ---- */
typedef struct Use {
    const char *arguments, *stride; /* "(64, 3)"; "1" */
} Use;

static Use use_texts(Printer *p, const Piece *piece) {
    const Block *block = piece->block;
    Slots slots = {0};
    Pieces alone = {(Piece *[]){(Piece *)(uintptr_t)piece}, 1, 1};
    pieces_slots(p->w, &alone, false, &slots);
    const char *const *texts = slot_texts(p, &slots);
    const int count = slots.count - block->has_stride;
    Text text = {0};
    for (int i = 0; i < count; i++) text_printf(&text, "%s%s", i ? ", " : "(", texts[i]);
    text_puts(&text, count ? ")" : "");
    const Use use = {arena_strndup(p->w->arena, text.s, text.size), block->has_stride ? texts[count] : "1"};
    text_free(&text);
    return use;
}

static const char *local_prefix(const Printer *p, const Piece *use) {
    const char *below = name_below(use->prefix, p->prefix);
    return below ? below : arena_printf(p->w->arena, "/%s", use->prefix);
}

/* "features." 2 "" of features.2 and features.3; false where they are no neighbours like that. */
typedef struct Pattern {
    const char *before, *after;
    int first;
} Pattern;

static bool find_pattern(Arena *arena, const char *a, const char *b, Pattern *pattern) {
    size_t same = 0;
    while (a[same] && a[same] == b[same]) same++;
    while (same && isdigit((unsigned char)a[same - 1])) same--;
    if (!isdigit((unsigned char)a[same])) return false;
    const size_t digits = strspn(a + same, "0123456789");
    if (digits > 6 || (a[same] == '0' && digits > 1)) return false;
    *pattern = (Pattern){arena_strndup(arena, a, same), a + same + digits, atoi(a + same)};
    return !strcmp(b, arena_printf(arena, "%s%d%s", pattern->before, pattern->first + 1, pattern->after));
}

/* How many of the uses one stage may be, whose names go on by one. */
static int count_named(Printer *p, Piece *const *uses, int count, Pattern *pattern, const char **usual) {
    Arena *arena = p->w->arena;
    const char *first = local_prefix(p, uses[0]);
    *usual = arena_printf(arena, "layer%d", counted(p, "layer") + 1);
    int n = 0;
    while (n < count && !strcmp(local_prefix(p, uses[n]), arena_printf(arena, "%s.%d", *usual, n))) n++;
    if (n) return n;
    *usual = NULL;
    if (count < 2 || !find_pattern(arena, first, local_prefix(p, uses[1]), pattern)) return 1;
    for (n = 2; n < count; n++) {
        const char *name = arena_printf(arena, "%s%d%s", pattern->before, pattern->first + n, pattern->after);
        if (strcmp(local_prefix(p, uses[n]), name) != 0) break;
    }
    return n;
}

static void put_stage_name(const Pattern *pattern, Text *out) {
    const size_t length = strlen(pattern->before);
    if (pattern->first == 0 && !*pattern->after && length > 1 && pattern->before[length - 1] == '.')
        text_printf(out, " as %.*s", (int)length - 1, pattern->before);
    else if (pattern->first == 0)
        text_printf(out, " as %s{index}%s", pattern->before, pattern->after);
    else
        text_printf(out, " as %s{index+%d}%s", pattern->before, pattern->first, pattern->after);
}

static void put_use(const Block *block, const Use *use, Text *out) {
    text_printf(out, "%s%s", block->name, use->arguments);
    if (!strcmp(use->stride, "1")) return;
    text_printf(out, " /%s", use->stride);
}

/* The uses from `at` on that one statement says; returns how many. */
static int print_uses(Printer *p, const Pieces *list, int at, Lines *lines) {
    Writer *w = p->w;
    Piece **uses = list->item + at;
    const Block *block = uses[0]->block;
    const Use first = use_texts(p, uses[0]);
    int count = 1, slot = p->slot;
    for (; at + count < list->count && !p->sequence; count++) {
        const Piece *piece = uses[count];
        if (piece->kind != PIECE_USE || piece->block != block) break;
        const Use use = use_texts(p, piece);
        if (strcmp(use.arguments, first.arguments) != 0 || strcmp(use.stride, "1") != 0) break;
        slot = p->slot;
    }
    Text text = {0};
    const char *usual = NULL;
    Pattern pattern = {0};
    const int named = w->keep ? count_named(p, uses, count, &pattern, &usual) : count;
    const bool stage = named > 1 || usual;
    p->slot = slot;
    if (named < count && p->block) { /* those that are left have their texts taken again */
        Slots rest = {0};
        const Pieces left = {uses + named, count - named, 0};
        pieces_slots(w, &left, false, &rest);
        p->slot -= rest.count;
    }
    if (stage) text_printf(&text, "stage %d ", named);
    put_use(block, &first, &text);
    if (stage && (usual || !w->keep)) {
        set_count(p, "layer", counted(p, "layer") + 1);
    } else if (stage) {
        put_stage_name(&pattern, &text);
    } else {
        int counter;
        const char *otherwise = default_name(p, block->name, &counter);
        if (w->keep && strcmp(local_prefix(p, uses[0]), otherwise) != 0) {
            text_printf(&text, " as %s", local_prefix(p, uses[0]));
        } else {
            take_default(p, block->name, "");
        }
    }
    add_text(p, lines, &text, false);
    return named;
}

/* ---- repeats ---- */
static int count_lines(const Lines *lines, int at, int count) {
    int total = 0;
    for (int i = at; i < at + count; i++) {
        total++;
        for (const char *c = lines->item[i].text; *c; c++) total += *c == '\n';
    }
    return total;
}

static int count_turns(const Lines *lines, int at, int period) {
    int n = at;
    while (n + period < lines->count && !strcmp(lines->item[n].text, lines->item[n + period].text)) n++;
    return 1 + (n - at) / period;
}

/* The lines that are saved where `turns` of `period` lines become a repeat; 0 where that is not worth it. */
static int repeat_gain(const Lines *lines, int at, int period, int turns) {
    const int saved = (turns - 1) * count_lines(lines, at, period) - (is_short(lines, at, period, 16) ? 0 : 2);
    return saved >= 2 ? saved : 0;
}

/* Those of few lines first, which may stand within others. */
static Lines fold_repeats(Printer *p, Lines lines) {
    for (int period = 1; period <= LONGEST_PERIOD; period++) {
        Lines folded = {0};
        for (int at = 0; at < lines.count;) {
            const int turns = at + 2 * period <= lines.count ? count_turns(&lines, at, period) : 1;
            if (turns < 2 || !repeat_gain(&lines, at, period, turns)) {
                ARENA_PUSH(p->w->arena, folded.item, folded.count, folded.capacity, lines.item[at]);
                at++;
                continue;
            }
            Text text = {0};
            text_printf(&text, "repeat %d ", turns);
            put_braces(&lines, at, period, true, &text);
            const bool compound = strchr(text.s, '\n') != NULL;
            add_text(p, &folded, &text, compound);
            at += period * turns;
        }
        lines = folded;
    }
    return lines;
}

/* ---- lists ---- */
static void join_line(Printer *p, Lines *lines, const Piece *piece, const Piece *before) {
    Text text = {0};
    print_layer(p, piece, &text);
    Line *last = lines->count ? &lines->item[lines->count - 1] : NULL;
    const bool follows = last && !last->compound && !piece_begins_line(piece, before) &&
                         strlen(last->text) + text.size + 2 <= WIDEST_LINE;
    if (follows) {
        last->text = arena_printf(p->w->arena, "%s; %s", last->text, text.s);
        text_free(&text);
    } else {
        add_text(p, lines, &text, false);
    }
}

static void print_other(Printer *p, const Piece *piece, Lines *lines) {
    Text text = {0};
    if (piece->kind == PIECE_FROM) {
        text_printf(&text, "from %s", reference(p, piece->value));
    } else if (piece->kind == PIECE_OUTPUT) {
        text_puts(&text, "output");
        if (piece->from != piece->value) text_printf(&text, " %s", reference(p, piece->value));
        if (piece->value->channels_last) text_puts(&text, ", nhwc");
    } else {
        const char *said = piece->value->name;
        const bool own = p->w->keep && !p->block && said && name_is_valid(said) && !name_seems_default(said) &&
                         !map_get(&p->layers, said);
        const char *name = own ? said : make_up_name(p);
        if (p->sequence) p->position++;
        take_name(p, name, "identity");
        p->w->value_name[piece->value->id] = name;
        text_printf(&text, "identity as %s", name);
    }
    add_text(p, lines, &text, false);
}

static Lines print_list(Printer *p, const Pieces *list) {
    Lines lines = {0};
    for (int i = 0; i < list->count;) {
        const Piece *piece = list->item[i];
        int count = 1;
        if (piece->kind == PIECE_LAYER)
            join_line(p, &lines, piece, i ? list->item[i - 1] : NULL);
        else if (piece->kind == PIECE_RESIDUAL)
            print_residual(p, piece, &lines);
        else if (piece->kind == PIECE_GATE || piece->kind == PIECE_CONCAT)
            print_join(p, piece, &lines);
        else if (piece->kind == PIECE_USE)
            count = print_uses(p, list, i, &lines);
        else
            print_other(p, piece, &lines);
        i += count;
    }
    return fold_repeats(p, lines);
}

/* ---- values that are mentioned ---- */
/* A statement that has no name of its own is followed by one that has. `skip`: the value of the use around the list. */
static void insert_aliases(Writer *w, Pieces *list, const Value *skip) {
    for (int i = 0; i < list->count; i++) {
        Piece *piece = list->item[i];
        for (int k = 0; k < piece->part_count; k++)
            insert_aliases(w, &piece->part[k], piece->kind == PIECE_USE ? piece->value : NULL);
        if (piece->kind == PIECE_FROM || piece->kind == PIECE_OUTPUT || piece->kind == PIECE_ALIAS || !piece->value ||
            piece->kind == PIECE_LAYER || piece->value == skip || w->referred[piece->value->id] <= 0)
            continue;
        w->referred[piece->value->id] = -1;
        pieces_add(w, list, piece_new(w, PIECE_ALIAS, NULL, piece->value, piece->value));
        Piece *alias = list->item[list->count - 1];
        memmove(list->item + i + 2, list->item + i + 1, sizeof(Piece *) * (size_t)(list->count - i - 2));
        list->item[++i] = alias;
    }
}

/* ---- blocks ---- */
static int count_own(const Pieces *list) {
    int count = 0;
    for (int i = 0; i < list->count; i++) {
        const Piece *piece = list->item[i];
        if (piece->kind == PIECE_USE) continue;
        if (piece->kind == PIECE_RESIDUAL) count += has_own_shortcut(piece);
        for (int k = 0; k < piece->part_count; k++) count += count_own(&piece->part[k]);
    }
    return count;
}

/* Shortcuts that the printed use has not are those of another one. */
static void find_owners(const Pieces *printed, const Pieces *other, const char *prefix) {
    for (int i = 0; i < printed->count; i++) {
        Piece *piece = printed->item[i], *there = other->item[i];
        if (piece->kind == PIECE_USE) continue;
        if (piece->kind == PIECE_RESIDUAL && !piece->owner && !has_own_shortcut(piece) && has_own_shortcut(there))
            piece->owner = there, piece->owner_prefix = prefix;
        for (int k = 0; k < piece->part_count; k++)
            if (!(piece->kind == PIECE_RESIDUAL && k == 1)) find_owners(&piece->part[k], &there->part[k], prefix);
    }
}

static const char *prefix_of(const Piece *use) {
    return use->prefix ? use->prefix : "";
}

static void print_block(Writer *w, const Block *block, Text *out) {
    const Piece *use = block->use[0];
    for (int u = 1; u < block->use_count; u++)
        if (count_own(&block->use[u]->part[0]) > count_own(&use->part[0])) use = block->use[u];
    for (int u = 0; u < block->use_count; u++)
        find_owners(&use->part[0], &block->use[u]->part[0], prefix_of(block->use[u]));
    Printer p = {.w = w, .block = block, .prefix = prefix_of(use)};
    const Lines lines = print_list(&p, &use->part[0]);
    text_printf(out, "block %s", block->name);
    for (int i = 0; i < block->param_count; i++) {
        const BlockParam *param = &block->param[i];
        text_printf(out, "%s%s", i ? ", " : "(", param->name);
        if (param->otherwise) text_printf(out, " = %s", param->otherwise);
    }
    text_puts(out, block->param_count ? ") {\n" : " {\n");
    put_lines(&lines, 0, lines.count, "\n", out);
    text_puts(out, "\n}\n\n");
}

/* ---- the network ---- */
static void put_per_channel(Writer *w, const char *word, const double *values, int count, Text *out) {
    bool one = true;
    for (int c = 1; c < count; c++) one = one && values[c] == values[0];
    text_printf(out, ", %s %s", word, one ? "" : "[");
    for (int c = 0; c < (one ? 1 : count); c++)
        text_printf(out, "%s%s", c ? ", " : "", number_text(w->arena, values[c]));
    text_puts(out, one ? "" : "]");
}

static bool is_all(const double *values, int count, double value) {
    for (int c = 0; c < count; c++)
        if (values[c] != value) return false;
    return true;
}

static void print_input(Writer *w, Text *out) {
    static const char *const orders[] = {[ORDER_RGB] = "rgb", [ORDER_BGR] = "bgr", [ORDER_GRAY] = "gray"};
    const Preprocess *p = &w->graph->preprocess;
    const Shape s = w->graph->input->shape;
    const bool picture = s.c == 1 || s.c == 3;
    const int channels = s.c > 4 ? 0 : s.c;
    text_printf(out, "input %dx%dx%d", s.c, s.h, s.w);
    if (p->mean_image && !p->mean_image->integer[0])
        text_printf(out, ", mean %s", p->mean_image->ndim == 3 ? "pixel" : "channel");
    if (w->graph->input->channels_last) text_puts(out, ", nhwc");
    if (!p->given) return;
    if (picture) text_printf(out, "%s %s", w->graph->input->channels_last ? "," : "", orders[p->order]);
    if (p->range != 1 || !picture) text_printf(out, ", range %s", number_text(w->arena, p->range));
    if (!is_all(p->mean, channels, 0)) put_per_channel(w, "mean", p->mean, channels, out);
    if (!is_all(p->std, channels, 1)) put_per_channel(w, "std", p->std, channels, out);
    if (p->resize) text_printf(out, ", resize %d", p->resize);
    if (p->crop_h) text_printf(out, ", crop %dx%d", p->crop_h, p->crop_w);
}

void print_source(Writer *w, Text *out) {
    insert_aliases(w, &w->network, NULL);
    for (int i = 0; i < w->block_count; i++) print_block(w, w->block[i], out);
    Printer p = {.w = w, .prefix = ""};
    text_printf(out, "network %s {\n", w->name);
    print_input(w, out);
    text_puts(out, "\n");
    const Lines lines = print_list(&p, &w->network);
    put_lines(&lines, 0, lines.count, "\n", out);
    text_puts(out, "\n}\n");
    tree_order(w, &w->network);
}
