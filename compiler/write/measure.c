/* Of each piece: a key, equal for pieces that differ in their slots alone; a key with the numbers; lines of text. */
#include "inner.h"

#include <string.h>

#include "graph/ops.h"

static uint64_t text_key(const Writer *w, const Node *node, const char *const *texts) {
    Text text = {0};
    layer_text(w, node, texts, &text);
    const uint64_t key = hash_text(text.s);
    text_free(&text);
    return key;
}

static void measure_layer(const Writer *w, Piece *piece) {
    const Node *node = piece->node;
    if (node->op == OP_ADD) { /* by the name of the other summand */
        piece->key = piece->exact = hash_mix(hash_text("add"), (uint64_t)piece->other->id);
        return;
    }
    piece->key = text_key(w, node, NULL);
    piece->exact = piece->key;
    Slots slots = {0};
    layer_slots(w, node, &slots);
    for (int i = 0; i < slots.count; i++) piece->exact = hash_mix(piece->exact, (uint64_t)(slots.item[i].value * 4096));
}

bool piece_begins_line(const Piece *piece, const Piece *before) {
    if (piece->kind != PIECE_LAYER || piece->node->op == OP_ADD || !before) return true;
    const unsigned flags = op_info(piece->node->op)->flags;
    const bool layer = before->kind == PIECE_LAYER && before->node->op != OP_ADD;
    if (flags & OPF_ACTIVATION || piece->node->op == OP_DROPOUT) return !layer;
    return !(piece->node->op == OP_BN && layer && (op_info(before->node->op)->flags & OPF_TERMS));
}

static int list_lines(const Pieces *list) {
    int lines = 0;
    for (int i = 0; i < list->count; i++) lines += list->item[i]->lines;
    return lines;
}

static int branch_lines(const Pieces *list) {
    const int lines = list_lines(list);
    return lines > 1 ? lines + 2 : 1;
}

static void measure_piece(Writer *w, Piece *piece) {
    uint64_t key = hash_mix((uint64_t)piece->kind, (uint64_t)piece->part_count), exact;
    piece->nodes = piece->node != NULL;
    piece->lines = 1;
    for (int k = 0; k < piece->part_count; k++) {
        pieces_measure(w, &piece->part[k]);
        for (int i = 0; i < piece->part[k].count; i++) piece->nodes += piece->part[k].item[i]->nodes;
    }
    if (piece->lender) pieces_measure(w, &piece->lender->part[1]); /* it may come later */
    if (piece->kind == PIECE_LAYER) return measure_layer(w, piece);
    if (piece->kind == PIECE_FROM || piece->kind == PIECE_OUTPUT || piece->kind == PIECE_ALIAS) {
        piece->key = piece->exact = hash_mix(key, (uint64_t)piece->value->id);
        return;
    }
    if (piece->kind == PIECE_RESIDUAL)
        key = hash_mix(hash_mix(key, (uint64_t)piece->shortcut), piece->fill + hash_mix(1, piece->name_key));
    if (piece->kind == PIECE_USE) key = hash_mix(key, (uint64_t)piece->block->id);
    exact = key;
    for (int k = 0; k < piece->part_count; k++) {
        const Pieces *part = &piece->part[k];
        if (piece->kind == PIECE_RESIDUAL && k == 1) {
            if (!piece_has_spelled_shortcut(piece)) continue;
            part = piece_shortcut(piece);
            piece->lines += 1 + list_lines(part);
        }
        key = hash_mix(key, (uint64_t)part->count), exact = hash_mix(exact, (uint64_t)part->count);
        for (int i = 0; i < part->count; i++) {
            key = hash_mix(key, part->item[i]->key);
            exact = hash_mix(exact, part->item[i]->exact);
        }
        if (piece->kind == PIECE_CONCAT) piece->lines += branch_lines(part);
        if ((piece->kind == PIECE_RESIDUAL && k == 0) || piece->kind == PIECE_GATE) piece->lines += list_lines(part);
    }
    piece->key = key, piece->exact = exact;
    if (piece->kind != PIECE_USE) piece->lines++;
    if (piece->kind == PIECE_USE) piece->lines = 1;
}

void pieces_measure(Writer *w, Pieces *list) {
    for (int i = 0; i < list->count; i++) {
        measure_piece(w, list->item[i]);
        if (!piece_begins_line(list->item[i], i ? list->item[i - 1] : NULL)) list->item[i]->lines = 0;
    }
}
