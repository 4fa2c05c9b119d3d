/* Which shortcut a residual has, and the choice of one for residuals that differ by it alone.
 *
 * Where the shapes of both sides agree, a shortcut that is nothing is said by `identity`, but as well by `project`,
 * `pad` or `{ ... }`, which are the identity there. So it is said as the residual before it with the same body says its
 * own, and the copies of a block are alike. And layers that are the body of such residuals elsewhere, between values of
 * different shapes, are the residual without its shortcut: `identity or none`.
 */
#include "inner.h"

#include <ctype.h>
#include <string.h>

#include "graph/ops.h"

/* ---- the kinds ---- */
static bool is_unit(const Window *w) {
    return w->r == 1 && w->s == 1 && w->dilate_h == 1 && w->dilate_w == 1 && !w->top && !w->left && !w->bottom &&
           !w->right && !w->ceil && w->stride_h == w->stride_w;
}

/* Whether the language finds this stride from the shapes: the smallest that leads from one to the other. */
static bool is_stride_found(Shape from, Shape to, int stride) {
    for (int s = 1; s <= stride; s++)
        if ((from.h - 1) / s + 1 == to.h && (from.w - 1) / s + 1 == to.w) return s == stride;
    return false;
}

static const Node *layer_at(const Pieces *list, int i, Op op) {
    const Piece *piece = i < list->count ? list->item[i] : NULL;
    return piece && piece->kind == PIECE_LAYER && piece->node->op == op ? piece->node : NULL;
}

/* "downsample.0" at the end of a name, or with a number as in "downsample2.0"; what stands before it is *length long.
 */
static bool is_downsample(const char *name, char position, size_t *length) {
    const char *dot = strrchr(name, '.');
    if (!dot || dot[1] != position || dot[2]) return false;
    const char *start = dot;
    while (start > name && start[-1] != '.') start--;
    *length = (size_t)(start - name);
    const char *word = "downsample";
    if (strncmp(start, word, strlen(word)) != 0) return false;
    for (const char *c = start + strlen(word); c < dot; c++)
        if (!isdigit((unsigned char)*c)) return false;
    return true;
}

static bool has_projection_names(const Writer *w, const Node *conv, const Node *bn) {
    const char *a = w->wanted[conv->id], *b = w->wanted[bn->id];
    size_t before, after;
    if (!w->keep) return true;
    return is_downsample(a, '0', &before) && is_downsample(b, '1', &after) && strlen(a) == strlen(b) &&
           !strncmp(a, b, strlen(a) - 1);
}

static bool is_projection(const Writer *w, const Piece *piece, Shape to) {
    const Pieces *s = &piece->part[1];
    const Node *conv = layer_at(s, 0, OP_CONV), *bn = layer_at(s, 1, OP_BN);
    const Attr usual = {.eps = 1e-5, .momentum = 0.1};
    if (!conv || !bn || s->count != 2 || piece->fill) return false;
    const Window *window = &conv->term[0].window;
    return is_unit(window) && conv->term[0].groups == 1 && !conv->epilogue.bias && bn->attr.eps == usual.eps &&
           bn->attr.momentum == usual.momentum && is_stride_found(piece->from->shape, to, window->stride_h) &&
           has_projection_names(w, conv, bn);
}

static bool is_padding(const Piece *piece, Shape to) {
    const Pieces *s = &piece->part[1];
    const Node *pool = layer_at(s, 0, OP_MAXPOOL);
    const Shape from = piece->from->shape;
    if (to.c < from.c) return false;
    if (!s->count) return piece->fill && from.h == to.h && from.w == to.w;
    return s->count == 1 && pool && !pool->attr.global && is_unit(&pool->attr.window) &&
           pool->attr.window.stride_h > 1 && is_stride_found(from, to, pool->attr.window.stride_h);
}

static const Value *end_of(const Pieces *list, const Value *from) {
    return list->count ? list->item[list->count - 1]->value : from;
}

/* A layer of the list is gone on from elsewhere, so that it needs a name. */
static bool is_mentioned(const Writer *w, const Pieces *list) {
    for (int i = 0; i < list->count; i++)
        if (list->item[i]->value && w->referred[list->item[i]->value->id]) return true;
    return false;
}

void residual_classify(Writer *w, Piece *piece) {
    piece->fill = !shape_equal(piece->node->in[0]->shape, piece->node->in[1]->shape);
    const Shape from = piece->from->shape, to = end_of(&piece->part[0], piece->from)->shape;
    const bool same = shape_equal(from, to), spelled = w->spelled[piece->node->id] || is_mentioned(w, &piece->part[1]);
    if (!piece->part[1].count && same)
        piece->shortcut = SHORTCUT_IDENTITY;
    else if (!spelled && is_projection(w, piece, to))
        piece->shortcut = same ? SHORTCUT_PROJECT_ALWAYS : SHORTCUT_PROJECT;
    else if (!spelled && !same && is_padding(piece, to))
        piece->shortcut = SHORTCUT_PAD;
    else if (!piece->part[1].count)
        piece->shortcut = SHORTCUT_IDENTITY;
    else
        piece->shortcut = same ? SHORTCUT_BODY_ALWAYS : SHORTCUT_BODY;
    piece->fill = piece->shortcut != SHORTCUT_PAD && !shape_equal(piece->node->in[0]->shape, piece->node->in[1]->shape);
    piece->name_key = 0;
    if (!w->keep || !piece_has_spelled_shortcut(piece)) return;
    Names all = {0}, own = {0};
    names_collect_piece(w, piece, true, &all);
    names_collect(w, &piece->part[1], true, &own);
    const char *common = names_common(w->arena, &all);
    for (int i = 0; i < own.count; i++)
        piece->name_key = hash_mix(piece->name_key, hash_text(name_below(own.item[i], common)));
}

/* ---- one kind for all that have one body ---- */
typedef struct Body { /* residuals of one body */
    Piece *first;     /* whose shortcut makes layers */
    Piece *last;      /* likewise, the last so far */
    bool always;      /* a projection between equal shapes is among them */
    bool wrapped;     /* layers elsewhere are this body */
    const Piece *identity;
} Body;

typedef struct Bodies {
    Writer *w;
    Map map;
    bool first; /* round */
    void (*visit)(struct Bodies *, Body *, Piece *);
} Bodies;

static uint64_t list_key(const Pieces *list, int from, int count) {
    uint64_t key = (uint64_t)count;
    for (int i = from; i < from + count; i++) key = hash_mix(key, list->item[i]->key);
    return key;
}

static Body *body_of(Bodies *b, uint64_t key, bool make) {
    char text[24];
    snprintf(text, sizeof text, "%016llx", (unsigned long long)key);
    Body *body = map_get(&b->map, text);
    if (body || !make) return body;
    body = arena_alloc(b->w->arena, sizeof *body);
    map_put(&b->map, b->w->arena, arena_strdup(b->w->arena, text), body);
    return body;
}

/* Inner ones first: their kinds are part of the outer ones' keys. */
static void visit_residuals(Bodies *b, Pieces *list) {
    for (int i = 0; i < list->count; i++) {
        Piece *piece = list->item[i];
        for (int k = 0; k < piece->part_count; k++) visit_residuals(b, &piece->part[k]);
        if (piece->kind != PIECE_RESIDUAL) continue;
        if (b->first && is_mentioned(b->w, &piece->part[1])) residual_classify(b->w, piece); /* it is known by now */
        if (piece->fill) continue;
        pieces_measure(b->w, &piece->part[0]);
        b->visit(b, body_of(b, list_key(&piece->part[0], 0, piece->part[0].count), true), piece);
    }
}

static bool is_bare(const Piece *piece) {
    return piece->shortcut == SHORTCUT_IDENTITY && !piece->part[1].count;
}

static void note(Bodies *b, Body *body, Piece *piece) {
    (void)b;
    if (is_bare(piece)) {
        if (!body->identity) body->identity = piece;
        return;
    }
    if (piece->shortcut == SHORTCUT_BODY_ALWAYS) return; /* it would hold for the identities too */
    if (!body->first) body->first = piece;
    if (piece->shortcut == SHORTCUT_PROJECT_ALWAYS) body->always = true;
}

static void adopt(Bodies *b, Body *body, Piece *piece) {
    (void)b;
    if (body->always) { /* and identities are what they are */
        if (piece->shortcut == SHORTCUT_PROJECT) piece->shortcut = SHORTCUT_PROJECT_ALWAYS;
        return;
    }
    if (!is_bare(piece)) {
        if (piece->shortcut != SHORTCUT_BODY_ALWAYS) body->last = piece;
        return;
    }
    Piece *model = body->last ? body->last : body->first;
    if (model) {
        piece->shortcut = model->shortcut;
        if (piece_has_spelled_shortcut(model)) piece->lender = model, piece->name_key = model->name_key;
    } else if (body->wrapped) {
        piece->shortcut = SHORTCUT_IDENTITY_OR_NONE;
    }
}

/* ---- layers that are a body without a shortcut ---- */
static bool is_free_inside(const Writer *w, const Pieces *list, int at, int count) {
    for (int i = at; i < at + count - 1; i++)
        if (list->item[i]->kind == PIECE_FROM || list->item[i]->kind == PIECE_OUTPUT ||
            w->referred[list->item[i]->value->id])
            return false;
    return list->item[at + count - 1]->kind != PIECE_OUTPUT;
}

static void wrap(Writer *w, Pieces *list, int at, int count, const Value *from) {
    Piece *piece = piece_new(w, PIECE_RESIDUAL, NULL, from, list->item[at + count - 1]->value);
    piece->shortcut = SHORTCUT_IDENTITY_OR_NONE;
    piece->part_count = 2;
    piece->part = arena_alloc(w->arena, sizeof *piece->part * 2);
    for (int i = at; i < at + count; i++) pieces_add(w, &piece->part[0], list->item[i]);
    list->item[at] = piece;
    memmove(list->item + at + 1, list->item + at + count, sizeof(Piece *) * (size_t)(list->count - at - count));
    list->count -= count - 1;
}

static void wrap_bodies(Bodies *b, Pieces *list, const int *lengths, int length_count) {
    Writer *w = b->w;
    pieces_measure(w, list);
    for (int i = 0; i < list->count; i++) {
        const Value *from = list->item[i]->from;
        for (int k = 0; k < length_count; k++) {
            const int n = lengths[k];
            if (i + n > list->count || (i && !list->item[i]->lines)) continue;
            if (i + n < list->count && !list->item[i + n]->lines) continue; /* in the middle of a line */
            Body *body = body_of(b, list_key(list, i, n), false);
            if (!body || !body->identity || body->first || body->identity->part[0].item[0] == list->item[i]) continue;
            if (shape_equal(from->shape, list->item[i + n - 1]->value->shape) || !is_free_inside(w, list, i, n))
                continue;
            wrap(w, list, i, n, from);
            pieces_measure(w, list);
            body->wrapped = true;
            break;
        }
    }
}

void residuals_unify(Writer *w) {
    enum { MOST_LENGTHS = 16 };
    Bodies b = {.w = w, .first = true, .visit = note};
    int lengths[MOST_LENGTHS], count = 0;
    visit_residuals(&b, &w->network);
    for (int i = 0; i < b.map.count; i++) {
        const Body *body = b.map.entries[i].value;
        if (!body->identity || body->first || body->always) continue;
        const Pieces *list = &body->identity->part[0];
        int lines = 0, known = 0;
        for (int k = 0; k < list->count; k++) lines += list->item[k]->lines;
        while (known < count && lengths[known] != list->count) known++;
        if (lines > 1 && known == count && count < MOST_LENGTHS) lengths[count++] = list->count;
    }
    if (count) wrap_bodies(&b, &w->network, lengths, count);
    b.first = false;
    b.visit = adopt;
    visit_residuals(&b, &w->network);
}
