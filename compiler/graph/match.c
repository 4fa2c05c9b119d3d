/* Finds the counterparts of a network's values in another network, which may come from another source: an exporter's
 * model, say, beside the language's, with other names or with batch norms folded.
 *
 * Each value has two hashes, of what it is computed by (its node's key, with the inputs' hashes for their names: all
 * that is before it) and of what is computed by it (its users' keys: all that comes after). Weights count by their
 * dimensions alone. Where two networks differ in one place, all values before it agree in the first, and all behind it
 * in the second. A pair is made of values that have a hash in common that no other value of either network has. Rounds
 * go from the surest sign to the least sure:
 *
 *     before, after, name    before, after    before, name    before    after, name    after    node, name
 *
 * Each is done on the graphs as the sources say them, then on the folded ones, where norms are in the convolutions'
 * weights and copies are gone; but for the last, which takes values of one name that nodes of one kind make.
 */
#include "match.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "key.h"

typedef enum Sign { BEFORE = 1, AFTER = 2, NODE = 4, NAME = 8 } Sign;

typedef struct Hashes { /* of a value */
    uint64_t before, after, node;
} Hashes;

typedef struct Hashed { /* a graph and its values' hashes, by their ids */
    const Graph *graph;
    Hashes *of;
    const Value *operand; /* whose use is hashed; NULL: what is before a node */
    const Node *node;     /* that a key is of */
} Hashed;

typedef struct Candidate {
    uint64_t sign;
    Value *value; /* of the source's graph */
} Candidate;

typedef struct Match {
    Map names[2]; /* the sources' values */
    Value **of;   /* the result */
    bool *taken;  /* by id of the second's values */
} Match;

/* ---- hashes ---- */
static uint64_t hash_text(const Text *text) {
    return XXH3_64bits(text->s, text->size);
}

static uint64_t hash_pair(uint64_t a, uint64_t b) {
    return XXH3_64bits((const uint64_t[2]){a, b}, 2 * sizeof a);
}

static uint64_t hash_shape(Shape s) {
    return XXH3_64bits((const int[3]){s.c, s.h, s.w}, 3 * sizeof(int));
}

/* Operands that may change places. */
static bool is_commutative(const Node *node) {
    return node->op == OP_ADD || node->op == OP_MUL;
}

static uint64_t name_before(const void *user, const Value *value) {
    const Hashed *h = user;
    if (!is_commutative(h->node) || value == h->node->epilogue.addend) return h->of[value->id].before;
    uint64_t sum = 0;
    for (int i = 0; i < h->node->nin; i++) sum += h->of[h->node->in[i]->id].before;
    return sum;
}

/* Which of the operands it is that the hash is of. */
static uint64_t name_operand(const void *user, const Value *value) {
    const Hashed *h = user;
    return value == h->operand || (is_commutative(h->node) && value != h->node->epilogue.addend);
}

static uint64_t name_nothing(const void *user, const Value *value) {
    (void)user, (void)value;
    return 0;
}

static uint64_t name_dims(const void *user, const Tensor *tensor) {
    (void)user;
    return XXH3_64bits(tensor->dim, (size_t)tensor->ndim * sizeof *tensor->dim);
}

static uint64_t hash_key(Text *key, const Hashed *h, uint64_t (*name)(const void *, const Value *)) {
    key->size = 0;
    node_key(key, h->node, &(KeyNames){name, name_dims, h});
    return hash_text(key);
}

static void hash_before(Hashed *h, Text *key) {
    Value *input = h->graph->input;
    h->of[input->id].before = hash_shape(input->shape);
    h->of[input->id].node = 1;
    for (int i = 0; i < h->graph->node_count; i++) {
        h->node = h->graph->nodes[i];
        Hashes *made = &h->of[h->node->out->id];
        made->before = hash_key(key, h, name_before);
        made->node = hash_key(key, h, name_nothing);
    }
}

/* In reverse order a value's users are all known when its producer's turn comes. Uses in any order have one sum. What
 * no output needs is no use. */
static void hash_after(Hashed *h, Text *key, Arena *arena) {
    const Graph *graph = h->graph;
    for (int i = 0; i < graph->output_count; i++) h->of[graph->outputs[i]->id].after += hash_pair(1, (uint64_t)i);
    for (int i = graph->node_count - 1; i >= 0; i--) {
        h->node = graph->nodes[i];
        if (!h->of[h->node->out->id].after) continue;
        Value **reads = arena_alloc(arena, ((size_t)h->node->nin + 1) * sizeof *reads);
        const int count = node_reads(h->node, reads);
        Hashes *made = &h->of[h->node->out->id];
        made->after = hash_pair(made->after, hash_shape(h->node->out->shape));
        for (int j = 0; j < count; j++) {
            h->operand = reads[j];
            h->of[reads[j]->id].after += hash_pair(made->after, hash_key(key, h, name_operand));
        }
    }
}

static Hashed hash_graph(const Graph *graph, Arena *arena) {
    Hashed h = {.graph = graph, .of = arena_alloc(arena, ((size_t)graph->value_count + 1) * sizeof *h.of)};
    Text key = {0};
    hash_before(&h, &key);
    hash_after(&h, &key, arena);
    text_free(&key);
    return h;
}

/* ---- pairs ---- */
static uint64_t sign_of(const Hashes *h, const Value *value, int signs) {
    uint64_t sign = hash_shape(value->shape);
    if (signs & BEFORE) sign = hash_pair(sign, h->before);
    if (signs & AFTER) sign = hash_pair(sign, h->after);
    if (signs & NODE) sign = hash_pair(sign, h->node);
    if (signs & NAME) sign = hash_pair(sign, XXH3_64bits(value->name, strlen(value->name)));
    return sign;
}

static int by_sign(const void *a, const void *b) {
    const uint64_t x = ((const Candidate *)a)->sign, y = ((const Candidate *)b)->sign;
    return (x > y) - (x < y);
}

/* The values that have no counterpart yet, sorted by what is looked for; returns how many. */
static int list_candidates(const Match *m, int side, const Hashed *h, int signs, Candidate *list) {
    int count = 0;
    for (int i = 0; i < h->graph->value_count; i++) {
        const Value *value = h->graph->values[i];
        if (!value->producer && value != h->graph->input) continue;
        Value *own = map_get(&m->names[side], value->name);
        if (!own || !shape_equal(own->shape, value->shape)) continue;
        if (side ? m->taken[own->id] : m->of[own->id] != NULL) continue;
        if ((signs & AFTER) && !h->of[i].after) continue;
        list[count++] = (Candidate){sign_of(&h->of[i], value, signs), own};
    }
    qsort(list, (size_t)count, sizeof *list, by_sign);
    return count;
}

static int count_equal(const Candidate *list, int count) {
    int n = 0;
    while (n < count && list[n].sign == list[0].sign) n++;
    return n;
}

static void match_round(Match *m, const Hashed h[2], int signs) {
    Candidate *list[2];
    int count[2], at[2] = {0, 0};
    for (int side = 0; side < 2; side++) {
        list[side] = malloc(((size_t)h[side].graph->value_count + 1) * sizeof *list[side]);
        if (!list[side]) out_of_memory();
        count[side] = list_candidates(m, side, &h[side], signs, list[side]);
    }
    while (at[0] < count[0] && at[1] < count[1]) {
        const Candidate *x = list[0] + at[0], *y = list[1] + at[1];
        const int order = by_sign(x, y), nx = count_equal(x, count[0] - at[0]), ny = count_equal(y, count[1] - at[1]);
        if (!order && nx == 1 && ny == 1) {
            m->of[x->value->id] = y->value;
            m->taken[y->value->id] = true;
        }
        if (order <= 0) at[0] += nx;
        if (order >= 0) at[1] += ny;
    }
    free(list[0]);
    free(list[1]);
}

Value **graph_match(const Graph *a, const Graph *b, const Graph *const folded[2], Arena *arena) {
    static const int rounds[] = {BEFORE | AFTER | NAME, BEFORE | AFTER, BEFORE | NAME, BEFORE, AFTER | NAME, AFTER};
    Match m = {.names = {graph_value_names(a, arena), graph_value_names(b, arena)}};
    m.of = arena_alloc(arena, ((size_t)a->value_count + 1) * sizeof *m.of);
    m.taken = arena_alloc(arena, ((size_t)b->value_count + 1) * sizeof *m.taken);
    const Hashed source[2] = {hash_graph(a, arena), hash_graph(b, arena)};
    const Hashed of_folded[2] = {hash_graph(folded[0], arena), hash_graph(folded[1], arena)};
    for (size_t i = 0; i < sizeof rounds / sizeof *rounds; i++) {
        match_round(&m, source, rounds[i]);
        match_round(&m, of_folded, rounds[i]);
    }
    match_round(&m, source, NODE | NAME);
    return m.of;
}
