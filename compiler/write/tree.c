/* Graph to tree: lists of statements, where values that several layers read part into the branches of a residual, a
 * gate or a concatenation and meet again.
 *
 * Backwards from an output, the layers before a value are a chain. A layer with several inputs is a join, whose
 * branches part at its immediate dominator: the last value that every way from the input to the join leads over
 * (Cooper, Harvey and Kennedy 2001, "A Simple, Fast Dominance Algorithm"; in a graph without circles one round of it is
 * enough). The branches become lists within the join's statement, and the chain goes on before the value where they
 * part.
 *
 * A join whose branches are long, or go down to smaller images and up again (U-Net, feature pyramids), would hold most
 * of the network: it is written as a statement of its own behind the longest branch, by the names of the values. So is
 * whatever else is no series-parallel graph: a value that was made elsewhere is gone on `from`, or added by its name.
 */
#include "inner.h"

#include <math.h>
#include <string.h>

#include "graph/attrs.h"
#include "graph/ops.h"
#include "graph/train.h"

enum { MOST_NESTED = 64 }; /* layers in the branches of one join */

Piece *piece_new(Writer *w, PieceKind kind, const Node *node, const Value *from, const Value *value) {
    Piece *piece = arena_alloc(w->arena, sizeof *piece);
    *piece = (Piece){.kind = kind, .node = node, .from = from, .value = value, .stride = 1};
    return piece;
}

void pieces_add(Writer *w, Pieces *list, Piece *piece) {
    ARENA_PUSH(w->arena, list->item, list->count, list->capacity, piece);
}

static bool is_join(const Node *node) {
    return node->op == OP_ADD || node->op == OP_MUL || node->op == OP_CONCAT;
}

/* ---- the graph ---- */
static void find_live(Writer *w) {
    const Graph *graph = w->graph;
    for (int i = 0; i < graph->output_count; i++) w->live[graph->outputs[i]->id] = true;
    for (int i = graph->node_count; i-- > 0;) {
        const Node *node = graph->nodes[i];
        for (int k = 0; w->live[node->out->id] && k < node->nin; k++) w->live[node->in[k]->id] = true;
    }
}

static const Value *meet(const Writer *w, const Value *a, const Value *b) {
    while (a != b) {
        if (w->depth[a->id] >= w->depth[b->id])
            a = w->above[a->id];
        else
            b = w->above[b->id];
    }
    return a;
}

static void find_dominators(Writer *w) {
    for (int i = 0; i < w->graph->node_count; i++) {
        const Node *node = w->graph->nodes[i];
        const Value *above = node->in[0];
        for (int k = 1; k < node->nin; k++) above = meet(w, above, node->in[k]);
        w->above[node->out->id] = above;
        w->depth[node->out->id] = w->depth[above->id] + 1;
    }
}

/* ---- how large a branch is ---- */
typedef struct Region {
    const Writer *w;
    const Value *top;
    const Value *seen[MOST_NESTED + 1];
    int count;
    bool falls, rises; /* to fewer pixels, and to more */
} Region;

static void explore(Region *r, const Value *value) {
    if (value == r->top || !value->producer || r->count > MOST_NESTED) return;
    for (int i = 0; i < r->count; i++)
        if (r->seen[i] == value) return;
    const Node *node = value->producer;
    r->seen[r->count++] = value;
    const int before = node->in[0]->shape.h, after = value->shape.h;
    const bool global = (op_info(node->op)->flags & OPF_WINDOW) && node->attr.global;
    if (after < before && !global) r->falls = true;
    if (after > before) r->rises = true;
    for (int i = 0; i < node->nin; i++) explore(r, node->in[i]);
}

/* How many layers lead from `top` to the value; more than MOST_NESTED where they are too many to stand in a branch. */
static int branch_size(const Writer *w, const Value *top, const Value *value) {
    Region region = {.w = w, .top = top};
    explore(&region, value);
    return region.falls && region.rises ? MOST_NESTED + 1 : region.count;
}

/* ---- statements ---- */
static void emit(Writer *w, Pieces *list, const Value **now, const Value *to);

static void refer(Writer *w, const Value *value) {
    w->referred[value->id]++;
}

static void go_on_from(Writer *w, Pieces *list, const Value **now, const Value *value) {
    if (*now == value) return;
    pieces_add(w, list, piece_new(w, PIECE_FROM, NULL, *now, value));
    refer(w, value);
    *now = value;
}

static Pieces *new_parts(Writer *w, Piece *piece, int count) {
    piece->part_count = count;
    return piece->part = arena_alloc(w->arena, sizeof *piece->part * (size_t)(count + 1));
}

static bool fits_branch(const Writer *w, const Value *top, const Value *value) {
    return value == top || (!w->done[value->id] && branch_size(w, top, value) <= MOST_NESTED);
}

/* Whether the join is written around its branches, from where they part. */
static bool is_nested(const Writer *w, const Node *node) {
    const Value *top = w->above[node->out->id];
    if (node->op == OP_MUL && node->in[0] != top &&
        !(node->in[1] == top && shape_equal(node->in[0]->shape, node->in[1]->shape)))
        return false;
    if (node->op == OP_ADD && node_broadcast(node) != BROADCAST_EQUAL)
        return false; /* a residual's sides are as large */
    int sum = 0;
    for (int i = 0; i < node->nin; i++) {
        const bool elsewhere = node->op == OP_CONCAT && w->done[node->in[i]->id];
        if (!elsewhere && !fits_branch(w, top, node->in[i])) return false;
        sum += elsewhere ? 0 : branch_size(w, top, node->in[i]);
    }
    return sum <= MOST_NESTED;
}

static void emit_branch(Writer *w, Pieces *list, const Value *top, const Value *to) {
    const Value *now = top;
    emit(w, list, &now, to);
}

/* The longer side of a sum is the body. */
static void emit_residual(Writer *w, Pieces *list, const Node *node) {
    const Value *top = w->above[node->out->id];
    const Train *train = w->graph->train; /* `zero last` means the first one */
    const bool swap =
        !(train && train->recipe.zero_last) && branch_size(w, top, node->in[0]) < branch_size(w, top, node->in[1]);
    Piece *piece = piece_new(w, PIECE_RESIDUAL, node, top, node->out);
    Pieces *part = new_parts(w, piece, 2);
    emit_branch(w, &part[0], top, node->in[swap]);
    emit_branch(w, &part[1], top, node->in[!swap]);
    residual_classify(w, piece);
    pieces_add(w, list, piece);
}

static void emit_nested(Writer *w, Pieces *list, const Node *node) {
    const Value *top = w->above[node->out->id];
    if (node->op == OP_ADD) return emit_residual(w, list, node);
    Piece *piece = piece_new(w, node->op == OP_MUL ? PIECE_GATE : PIECE_CONCAT, node, top, node->out);
    if (node->op == OP_MUL) {
        emit_branch(w, new_parts(w, piece, 1), top, node->in[node->in[0] == top]);
    } else {
        Pieces *part = new_parts(w, piece, node->nin);
        for (int i = 0; i < node->nin; i++) emit_branch(w, &part[i], top, node->in[i]);
    }
    pieces_add(w, list, piece);
}

/* A join by the names of what it joins, behind the statements that make it. */
static void emit_by_name(Writer *w, Pieces *list, const Value **now, const Node *node) {
    if (node->op == OP_CONCAT) {
        for (int i = 0; i < node->nin; i++)
            if (!w->done[node->in[i]->id]) emit(w, list, now, node->in[i]);
        Piece *piece = piece_new(w, PIECE_CONCAT, node, *now, node->out);
        Pieces *part = new_parts(w, piece, node->nin);
        for (int i = 0; i < node->nin; i++) emit_branch(w, &part[i], *now, node->in[i]);
        return pieces_add(w, list, piece);
    }
    /* the other side first, and of a sum the one that is there already */
    const bool commutes = node->op == OP_ADD && node_broadcast(node) == BROADCAST_EQUAL;
    const bool swap = commutes && w->done[node->in[0]->id] && !w->done[node->in[1]->id];
    const Value *first = node->in[swap], *other = node->in[!swap];
    if (!w->done[other->id]) emit(w, list, now, other);
    emit(w, list, now, first);
    Piece *piece = piece_new(w, node->op == OP_ADD ? PIECE_LAYER : PIECE_GATE, node, *now, node->out);
    if (node->op == OP_ADD) {
        piece->other = other;
        piece->fill = commutes && !shape_equal(first->shape, other->shape);
        refer(w, other);
    } else {
        emit_branch(w, new_parts(w, piece, 1), *now, other);
    }
    pieces_add(w, list, piece);
}

/* The statements that lead from the value at hand to another one. */
static void emit(Writer *w, Pieces *list, const Value **now, const Value *to) {
    const Value **chain = NULL, *start = to;
    int count = 0, capacity = 0;
    bool by_name = false;
    while (start != *now && !w->done[start->id]) {
        const Node *node = start->producer;
        ARENA_PUSH(w->arena, chain, count, capacity, start);
        by_name = is_join(node) && !is_nested(w, node);
        if (by_name) break;
        start = is_join(node) ? w->above[start->id] : node->in[0];
    }
    if (by_name) {
        emit_by_name(w, list, now, start->producer);
        w->done[start->id] = true;
        *now = start;
        count--;
    } else {
        go_on_from(w, list, now, start);
    }
    while (count-- > 0) {
        const Value *value = chain[count];
        const Node *node = value->producer;
        if (w->done[value->id]) { /* a branch of this chain has made it */
            go_on_from(w, list, now, value);
            continue;
        }
        if (is_join(node) && is_nested(w, node)) {
            emit_nested(w, list, node);
        } else if (is_join(node)) {
            emit_by_name(w, list, now, node);
        } else {
            pieces_add(w, list, piece_new(w, PIECE_LAYER, node, *now, value));
        }
        w->done[value->id] = true;
        *now = value;
    }
}

/* In the order of the outputs; what comes last is one by itself. */
static void emit_outputs(Writer *w) {
    const Graph *graph = w->graph;
    const Value *now = graph->input;
    w->done[now->id] = true;
    bool said = false; /* the value at hand is an output by a statement */
    for (int i = 0; i < graph->output_count; i++) {
        const Value *value = graph->outputs[i];
        const bool last = i == graph->output_count - 1, there = w->done[value->id];
        if (!there) {
            emit(w, &w->network, &now, value);
            said = false;
        }
        if (last && now == value && !said && !value->channels_last) return;
        pieces_add(w, &w->network, piece_new(w, PIECE_OUTPUT, NULL, now, value));
        if (now != value) refer(w, value);
        said = said || now == value;
    }
}

void tree_build(Writer *w) {
    const size_t values = (size_t)w->graph->value_count + 1, nodes = (size_t)w->graph->node_count + 1;
    w->done = arena_alloc(w->arena, sizeof *w->done * values);
    w->referred = arena_alloc(w->arena, sizeof *w->referred * values);
    w->value_name = arena_alloc(w->arena, sizeof *w->value_name * values);
    w->network = (Pieces){0};
    w->order = arena_alloc(w->arena, sizeof *w->order * (2 * nodes + 1));
    w->order_count = 0;
    if (!w->live) {
        w->live = arena_alloc(w->arena, sizeof *w->live * values);
        w->above = arena_alloc(w->arena, sizeof *w->above * values);
        w->depth = arena_alloc(w->arena, sizeof *w->depth * values);
        w->spelled = arena_alloc(w->arena, sizeof *w->spelled * nodes);
        w->wanted = arena_alloc(w->arena, sizeof *w->wanted * nodes);
        find_live(w);
        find_dominators(w);
        layer_find_padding(w);
        return;
    }
    emit_outputs(w);
}

bool piece_has_spelled_shortcut(const Piece *piece) {
    return piece->kind == PIECE_RESIDUAL &&
           (piece->shortcut == SHORTCUT_BODY || piece->shortcut == SHORTCUT_BODY_ALWAYS);
}

const Pieces *piece_shortcut(const Piece *piece) {
    return piece->lender ? &piece->lender->part[1] : &piece->part[1];
}

void tree_order(Writer *w, const Pieces *list) {
    for (int i = 0; i < list->count; i++) {
        const Piece *piece = list->item[i];
        for (int k = 0; k < piece->part_count; k++) tree_order(w, &piece->part[k]);
        if (piece->node || piece->kind == PIECE_ALIAS) w->order[w->order_count++] = piece->node;
    }
}
