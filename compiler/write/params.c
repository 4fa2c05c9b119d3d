/* The numbers of a block's uses as expressions of as few parameters as may be (anti-unification: Plotkin 1970, "A Note
 * on Inductive Generalization", of numbers alone, with multiples).
 *
 * Slot by slot, in the order of the text. A number that is the same in all uses stays; strides that differ become the
 * use's stride; others are a parameter before them or a multiple or quotient of it, or of the channels at hand; else a
 * new parameter, which is an argument, unless it is a multiple or quotient of the channels of the block's input.
 */
#include "inner.h"

#include <math.h>
#include <string.h>

#include "graph/ops.h"

enum { MOST_RATIO = 64 };

/* ---- slots of lists ---- */
static void add_slot(const Writer *w, Slots *slots, Role role, double value, int channels) {
    const Slot slot = {role, value, channels, false};
    ARENA_PUSH(w->arena, slots->item, slots->count, slots->capacity, slot);
}

static void use_slots(const Writer *w, const Piece *piece, Slots *slots) {
    const Block *block = piece->block;
    if (!block->resolved) bug("a block within another one has no parameters yet");
    for (int i = 0; i < block->param_count; i++)
        if (!block->param[i].otherwise) add_slot(w, slots, block->param[i].role, piece->arg[i], piece->from->shape.c);
    if (block->has_stride) add_slot(w, slots, ROLE_STRIDE, piece->stride, piece->from->shape.c);
}

void pieces_slots(const Writer *w, const Pieces *list, bool absent, Slots *slots) {
    const int before = slots->count;
    for (int i = 0; i < list->count; i++) {
        const Piece *piece = list->item[i];
        if (piece->kind == PIECE_USE) {
            use_slots(w, piece, slots);
        } else if (piece->kind == PIECE_LAYER && piece->node->op != OP_ADD) {
            layer_slots(w, piece->node, slots);
        } else if (piece->kind == PIECE_RESIDUAL) {
            pieces_slots(w, &piece->part[0], absent, slots);
            if (piece_has_spelled_shortcut(piece)) pieces_slots(w, piece_shortcut(piece), piece->lender != NULL, slots);
        } else {
            for (int k = 0; k < piece->part_count; k++) pieces_slots(w, &piece->part[k], absent, slots);
        }
    }
    for (int i = before; absent && i < slots->count; i++) slots->item[i].absent = true;
}

/* ---- one block ---- */
typedef struct Solver {
    Writer *w;
    Block *block;
    Slots *use; /* by use */
    const double *stride;
    double *vector; /* of the slot at hand, by use; NAN where any number will do */
    bool only_default;
} Solver;

static void load(Solver *s, int slot) {
    for (int u = 0; u < s->block->use_count; u++) {
        const Slot *at = &s->use[u].item[slot];
        s->vector[u] = at->absent ? NAN : at->value;
    }
}

static bool is_constant(const Solver *s, double *value) {
    *value = NAN;
    for (int u = 0; u < s->block->use_count; u++) {
        if (isnan(s->vector[u])) continue;
        if (!isnan(*value) && *value != s->vector[u]) return false;
        *value = s->vector[u];
    }
    return true;
}

static double *copy_vector(const Solver *s) {
    double *copy = arena_alloc(s->w->arena, sizeof *copy * (size_t)s->block->use_count);
    memcpy(copy, s->vector, sizeof *copy * (size_t)s->block->use_count);
    return copy;
}

/* What the vector is of `base`, by the name `name`: itself, a multiple, a quotient; NULL: none of these. */
static const char *relate(const Solver *s, const double *base, const char *name, bool ratios) {
    double ratio = NAN;
    for (int u = 0; u < s->block->use_count; u++) {
        if (isnan(s->vector[u])) continue;
        if (isnan(base[u])) return NULL;
        const double r = s->vector[u] / base[u];
        if (!isnan(ratio) && ratio != r) return NULL;
        ratio = r;
    }
    if (isnan(ratio)) return NULL;
    if (ratio == 1) return name;
    if (!ratios) return NULL;
    if (ratio > 1 && ratio <= MOST_RATIO && ratio == floor(ratio))
        return arena_printf(s->w->arena, "%d*%s", (int)ratio, name);
    const double inverse = round(1 / ratio);
    if (ratio >= 1 || inverse > MOST_RATIO) return NULL;
    for (int u = 0; u < s->block->use_count; u++)
        if (!isnan(s->vector[u]) && s->vector[u] * inverse != base[u]) return NULL;
    return arena_printf(s->w->arena, "%s/%d", name, (int)inverse);
}

static const char *new_name(const Solver *s, Role role, bool otherwise) {
    static const char *const words[] = {[ROLE_FEATURES] = "width", [ROLE_KERNEL] = "k", [ROLE_STRIDE] = "s",
                                        [ROLE_DILATE] = "d",       [ROLE_GROUPS] = "g", [ROLE_REAL] = "rate"};
    const char *word = otherwise ? "base" : words[role], *name = word;
    for (int n = 2;; n++) {
        int i = 0;
        while (i < s->block->param_count && strcmp(s->block->param[i].name, name) != 0) i++;
        if (i == s->block->param_count) return name;
        name = arena_printf(s->w->arena, "%s%d", word, n);
    }
}

static const BlockParam *add_param(Solver *s, Role role, const double *value, const char *otherwise) {
    Block *block = s->block;
    double *kept = arena_alloc(s->w->arena, sizeof *kept * (size_t)block->use_count);
    memcpy(kept, value, sizeof *kept * (size_t)block->use_count);
    const BlockParam param = {new_name(s, role, otherwise), otherwise, role, kept};
    ARENA_PUSH(s->w->arena, block->param, block->param_count, block->param_capacity, param);
    return &block->param[block->param_count - 1];
}

/* The channels at hand where the slot is, or those of the block's input, by use. */
static const double *channels_at(const Solver *s, int slot, bool of_input) {
    const Block *block = s->block;
    double *channels = arena_alloc(s->w->arena, sizeof *channels * (size_t)block->use_count);
    for (int u = 0; u < block->use_count; u++)
        channels[u] = of_input ? block->use[u]->from->shape.c : s->use[u].item[slot].channels;
    return channels;
}

/* Some uses have no need of the slot: what holds for the others is better said by what they have. */
static bool is_partial(const Solver *s) {
    for (int u = 0; u < s->block->use_count; u++)
        if (isnan(s->vector[u])) return true;
    return false;
}

static const char *express(Solver *s, int slot) {
    const Role role = s->use[0].item[slot].role;
    const bool ratios = role == ROLE_FEATURES || role == ROLE_GROUPS;
    double value;
    load(s, slot);
    const bool constant = is_constant(s, &value);
    if (constant && !is_partial(s)) return number_text(s->w->arena, value);
    if (role == ROLE_STRIDE && s->stride && relate(s, s->stride, "stride", false)) return "stride";
    for (int pass = 0; pass <= ratios; pass++)
        for (int i = 0; i < s->block->param_count; i++) {
            const BlockParam *param = &s->block->param[i];
            const bool alike =
                param->role == role || (ratios && (param->role == ROLE_FEATURES || param->role == ROLE_GROUPS));
            const char *text = alike ? relate(s, param->value, param->name, pass) : NULL;
            if (text) return text;
        }
    if (constant) return number_text(s->w->arena, value);
    if (!ratios) return add_param(s, role, s->vector, NULL)->name;
    const char *text = relate(s, channels_at(s, slot, false), "channels", true);
    if (text) return text;
    const double *input = channels_at(s, slot, true);
    if (!relate(s, input, "channels", true)) return add_param(s, role, s->vector, NULL)->name;
    const BlockParam *base = add_param(s, role, input, "channels"); /* what `channels` was at the block's beginning */
    return relate(s, base->value, base->name, true);
}

/* The numbers of the use's own stride: those of the first slot that differ from use to use. */
static const double *find_stride(Solver *s, int slots) {
    for (int i = 0; i < slots; i++) {
        double value;
        if (s->use[0].item[i].role != ROLE_STRIDE) continue;
        load(s, i);
        if (is_constant(s, &value)) continue;
        bool whole = true;
        for (int u = 0; u < s->block->use_count; u++) whole = whole && !isnan(s->vector[u]);
        if (whole) return copy_vector(s);
    }
    return NULL;
}

/* Arguments come before defaults, which may be made of nothing but the channels. */
static void sort_params(Block *block, Arena *arena) {
    BlockParam *sorted = arena_alloc(arena, sizeof *sorted * (size_t)(block->param_count + 1));
    int count = 0;
    for (int pass = 0; pass < 2; pass++)
        for (int i = 0; i < block->param_count; i++)
            if ((block->param[i].otherwise != NULL) == pass) sorted[count++] = block->param[i];
    block->param = sorted;
}

/* An argument that a use has no need of is its neighbour's, so that both can be one stage. */
static void fill_gaps(double *value, int count) {
    for (int u = 1; u < count; u++)
        if (isnan(value[u])) value[u] = value[u - 1];
    for (int u = count - 1; u-- > 0;)
        if (isnan(value[u])) value[u] = value[u + 1];
}

static void fill_arguments(const Solver *s) {
    Block *block = s->block;
    for (int i = 0; i < block->param_count; i++) fill_gaps(block->param[i].value, block->use_count);
    for (int u = 0; u < block->use_count; u++) {
        Piece *use = block->use[u];
        use->arg = arena_alloc(s->w->arena, sizeof *use->arg * (size_t)(block->param_count + 1));
        for (int i = 0; i < block->param_count; i++) use->arg[i] = block->param[i].value[u];
        use->stride = s->stride ? s->stride[u] : 1;
    }
}

static void resolve(Writer *w, Block *block) {
    const size_t uses = (size_t)block->use_count;
    Solver s = {.w = w, .block = block, .use = arena_alloc(w->arena, sizeof *s.use * uses)};
    s.vector = arena_alloc(w->arena, sizeof *s.vector * uses);
    for (size_t u = 0; u < uses; u++) pieces_slots(w, &block->use[u]->part[0], false, &s.use[u]);
    const int slots = s.use[0].count;
    for (size_t u = 1; u < uses; u++)
        if (s.use[u].count != slots) bug("uses of block %s have %d and %d numbers", block->name, slots, s.use[u].count);
    s.stride = find_stride(&s, slots);
    block->has_stride = s.stride != NULL;
    block->slot_count = slots;
    block->text = arena_alloc(w->arena, sizeof *block->text * (size_t)(slots + 1));
    for (int i = 0; i < slots; i++) block->text[i] = express(&s, i);
    sort_params(block, w->arena);
    fill_arguments(&s);
    block->resolved = true;
}

void blocks_resolve(Writer *w) {
    for (int i = 0; i < w->block_count; i++) resolve(w, w->block[i]); /* inner ones come first */
}
