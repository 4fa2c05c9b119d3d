/* Lists of statements that occur again become blocks.
 *
 * Of all runs of statements within a list that begin and end with a line, those of one structure are counted; the
 * structure that saves the most lines becomes a block, its runs uses of it, and so on with what is left, until nothing
 * saves any (a grammar by the most compressive substring, as in Apostolico and Lonardi 2000, "Off-line Compression by
 * Greedy Textual Substitution", over trees). What is within a block is looked at in one of its uses.
 *
 * Where names are kept, a use puts one prefix before the names in it. So the names of a run must begin alike, nothing
 * else may be below that, and what follows it is a part of the structure.
 */
#include "inner.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "graph/ops.h"

enum {
    MOST_PIECES = 24,
    MOST_NODES = 400,
    MOST_PREFIXES = 6,
    HEAD_LINES = 3
}; /* of a block: its first and last line, a blank one */

typedef struct Candidate { /* runs of one structure */
    uint64_t key;
    int count, lines, length;
    int taken, taking; /* lines that they take where they stand, and how many take any */
    int uses;          /* lines that use it, more or less: a stage is one */
    const Pieces *list;
    int end; /* of the last run that was counted, in `list` */
    const Value *made;
    bool bare;     /* it begins with an activation, which belongs to what is before it */
    size_t prefix; /* characters of the first run's */
} Candidate;

typedef struct Search {
    Writer *w;
    Map map;
} Search;

/* ---- names ---- */
typedef struct Prefix {
    const char *name;
    uint64_t key; /* of what follows it */
} Prefix;

/* The names of uses within are their prefixes; false where one of them is not below. */
static bool add_uses(const Pieces *list, int at, int count, const char *prefix, uint64_t *key) {
    for (int i = at; i < at + count; i++) {
        const Piece *piece = list->item[i];
        if (piece->kind == PIECE_USE) {
            const char *below = name_below(piece->prefix, prefix);
            if (!below) return false;
            *key = hash_mix(*key, hash_text(below));
        }
        for (int k = 0; k < piece->part_count; k++)
            if (!add_uses(&piece->part[k], 0, piece->part[k].count, prefix, key)) return false;
    }
    return true;
}

/* Projections have names by default only where these stand right below the prefix. */
static bool projects_below(const Writer *w, const Pieces *list, int at, int count, const char *prefix) {
    for (int i = at; i < at + count; i++) {
        const Piece *piece = list->item[i];
        if (piece->kind == PIECE_USE) continue;
        if (piece->kind == PIECE_RESIDUAL && piece->part[1].count && !piece_has_spelled_shortcut(piece) &&
            piece->shortcut != SHORTCUT_PAD) {
            const char *below = name_below(w->wanted[piece->part[1].item[0]->node->id], prefix);
            if (!below || strncmp(below, "downsample", 10) != 0) return false;
        }
        for (int k = 0; k < piece->part_count; k++)
            if (!projects_below(w, &piece->part[k], 0, piece->part[k].count, prefix)) return false;
    }
    return true;
}

/* What a use of the run may put before its names: where they are kept, all that they have in common and nothing else
 * in the network has, of "stage.block.body" also "stage.block"; else one that is nothing. Returns how many. */
static int find_prefixes(Writer *w, const Pieces *list, int at, int count, Prefix prefix[MOST_PREFIXES]) {
    Names all = {0}, names = {0};
    int found = 0;
    prefix[0] = (Prefix){0};
    if (!w->keep) return 1;
    for (int i = at; i < at + count; i++) {
        names_collect_piece(w, list->item[i], true, &all);
        names_collect_piece(w, list->item[i], false, &names);
    }
    const char *name = names_common(w->arena, &all);
    while (*name && found < MOST_PREFIXES) {
        const int *below = map_get(&w->prefixes, name);
        if (!below || *below != all.count) break;
        Prefix p = {.name = name};
        if (projects_below(w, list, at, count, name) && add_uses(list, at, count, name, &p.key)) {
            for (int i = 0; i < names.count; i++) p.key = hash_mix(p.key, hash_text(name_below(names.item[i], name)));
            prefix[found++] = p;
        }
        const char *dot = strrchr(name, '.');
        name = dot ? arena_strndup(w->arena, name, (size_t)(dot - name)) : "";
    }
    return found;
}

/* ---- runs ---- */
static bool has_params_below(const Piece *piece) {
    if (piece->node && node_has_params(piece->node)) return true;
    for (int k = 0; k < piece->part_count; k++)
        for (int i = 0; i < piece->part[k].count; i++)
            if (has_params_below(piece->part[k].item[i])) return true;
    return false;
}

/* Whether a value within the piece is mentioned, or the piece mentions one. */
static bool is_tied(const Writer *w, const Piece *piece, bool last) {
    if (piece->kind == PIECE_FROM || piece->kind == PIECE_OUTPUT || piece->kind == PIECE_ALIAS || piece->other)
        return true;
    if (!last && piece->value && w->referred[piece->value->id]) return true;
    for (int k = 0; k < piece->part_count; k++)
        for (int i = 0; i < piece->part[k].count; i++)
            if (is_tied(w, piece->part[k].item[i], piece->kind == PIECE_USE && last && i == piece->part[k].count - 1))
                return true;
    return false;
}

/* The run is shorter ones of equal structure, one after another, that may be blocks themselves. */
static bool is_periodic(const Pieces *list, int at, int count) {
    int lines = 0;
    for (int period = 1; period <= count / 2; period++) {
        lines += list->item[at + period - 1]->lines;
        if (count % period || lines < 2) continue;
        int i = period;
        while (i < count && list->item[at + i]->key == list->item[at + i - period]->key) i++;
        if (i == count) return true;
    }
    return false;
}

/* With names where they are kept, but for numbers at the end of those that the language would give. */
static uint64_t line_key(const Writer *w, const Pieces *list, int at, int end) {
    uint64_t key = 0;
    Names names = {0};
    for (int i = at; i < end; i++) {
        key = hash_mix(key, list->item[i]->exact);
        if (w->keep) names_collect_piece(w, list->item[i], true, &names);
    }
    for (int i = 0; i < names.count; i++) {
        const char *dot = strrchr(names.item[i], '.'), *name = dot ? dot + 1 : names.item[i];
        const size_t length = name_seems_default(name) ? strcspn(name, "0123456789") : strlen(name);
        key = hash_mix(key, hash_text(arena_strndup(w->arena, names.item[i], (size_t)(name - names.item[i]) + length)));
    }
    return key;
}

/* The use is a further copy of a stage. */
static bool goes_on_stage(const Pieces *list, int at) {
    const Piece *piece = list->item[at], *before = at ? list->item[at - 1] : NULL;
    return before && piece->kind == PIECE_USE && before->kind == PIECE_USE && piece->block == before->block &&
           shape_equal(piece->value->shape, before->value->shape);
}

typedef struct Costs { /* by piece of a list */
    int *line;         /* lines that it takes, 0 where it stands on another one's line */
    bool *inside;      /* the line before it says the same: both are one `repeat`, and nothing begins or ends there */
} Costs;

/* Three lines in a row that say the same, or more, are one. */
static Costs find_costs(const Writer *w, const Pieces *list, int at, int count) {
    const size_t size = (size_t)count + 1;
    Costs c = {arena_alloc(w->arena, sizeof *c.line * size), arena_alloc(w->arena, sizeof *c.inside * size)};
    int before = 0, same = 0; /* where the line before begins; how many say the same */
    uint64_t last = 0;
    for (int i = at, end; i < at + count; i = end) {
        for (end = i + 1; end < at + count && !list->item[end]->lines;) end++;
        const uint64_t key = line_key(w, list, i, end);
        c.line[i - at] = goes_on_stage(list, i) && i > at ? 0 : list->item[i]->lines ? list->item[i]->lines : 1;
        same = key == last && i > at ? same + 1 : 0;
        if (same == 2) c.line[before] = 0, c.inside[before] = true;
        if (same >= 2) c.line[i - at] = 0, c.inside[i - at] = true;
        before = i - at;
        last = key;
    }
    return c;
}

static int sum_of(const int *cost, int count) {
    int sum = 0;
    for (int i = 0; i < count; i++) sum += cost[i];
    return sum;
}

static void count_named_run(Search *s, const Pieces *list, const Costs *costs, int at, int count, uint64_t key,
                            const Prefix *prefix) {
    Writer *w = s->w;
    char text[24];
    snprintf(text, sizeof text, "%016" PRIx64, key);
    Candidate *c = map_get(&s->map, text);
    if (!c) {
        const Piece *first = list->item[at];
        c = arena_alloc(w->arena, sizeof *c);
        *c = (Candidate){.key = key, .length = count, .prefix = prefix->name ? strlen(prefix->name) : 0};
        c->bare = first->kind == PIECE_LAYER && (op_info(first->node->op)->flags & OPF_ACTIVATION);
        c->lines = sum_of(find_costs(w, list, at, count).line, count);
        map_put(&s->map, w->arena, arena_strdup(w->arena, text), c);
    }
    if (c->list == list && at < c->end) return; /* it overlaps the one before */
    const Value *made = list->item[at + count - 1]->value;
    const int lines = sum_of(costs->line + at, count);
    c->uses += lines && !(c->list == list && at == c->end && shape_equal(made->shape, c->made->shape));
    c->count++;
    c->taken += lines;
    c->taking += lines > 0;
    c->list = list, c->end = at + count, c->made = made;
}

static void count_run(Search *s, const Pieces *list, const Costs *costs, int at, int count) {
    uint64_t key = (uint64_t)count;
    Prefix prefix[MOST_PREFIXES];
    const int prefixes = find_prefixes(s->w, list, at, count, prefix);
    for (int i = at; i < at + count; i++) key = hash_mix(key, list->item[i]->key);
    for (int i = 0; i < prefixes; i++)
        count_named_run(s, list, costs, at, count, hash_mix(key, prefix[i].key), &prefix[i]);
}

/* A run may begin where a line does, or with a batch norm: what it follows may be no part of the module. */
static bool is_start(const Pieces *list, int at) {
    const Piece *piece = at < list->count ? list->item[at] : NULL;
    return at == 0 || !piece || piece->lines || (piece->kind == PIECE_LAYER && piece->node->op == OP_BN);
}

/* Counts the runs of the list that may be blocks. */
static void count_runs(Search *s, const Pieces *list, const Costs *costs) {
    for (int at = 0; at < list->count; at++) {
        int nodes = 0, lines = 0;
        bool params = false;
        for (int n = 1; n <= MOST_PIECES && at + n <= list->count; n++) {
            const Piece *piece = list->item[at + n - 1];
            nodes += piece->nodes;
            params = params || has_params_below(piece);
            lines += n == 1 || piece->lines;
            const bool splits = costs->inside[at] || costs->inside[at + n]; /* a repeat */
            if (nodes > MOST_NODES || is_tied(s->w, piece, true)) break;
            if (n > 1 && list->item[at + n - 2]->value && s->w->referred[list->item[at + n - 2]->value->id]) break;
            if (!is_start(list, at)) break;
            if (n == 1 && piece->kind == PIECE_USE) {
                if (list->count == 1) break;
                continue;
            }
            if (is_start(list, at + n) && params && (lines == 1 || !splits) &&
                (s->w->keep || !is_periodic(list, at, n)))
                count_run(s, list, costs, at, n);
        }
    }
}

/* `said`: the list stands in a line that says the same as the ones before it, and takes no lines of its own. */
static void search(Search *s, const Pieces *list, bool said) {
    const Costs costs = find_costs(s->w, list, 0, list->count);
    if (said) memset(costs.line, 0, sizeof *costs.line * (size_t)list->count);
    count_runs(s, list, &costs);
    for (int i = 0; i < list->count; i++) {
        const Piece *piece = list->item[i];
        if (piece->kind == PIECE_USE && piece != piece->block->use[0]) continue;
        for (int k = 0; k < piece->part_count; k++)
            search(s, &piece->part[k], piece->kind == PIECE_USE ? false : said || (piece->lines && !costs.line[i]));
    }
}

static int gain(const Candidate *c) {
    return c->taken - (c->lines + HEAD_LINES) - c->uses - c->bare;
}

static bool is_better(const Candidate *a, const Candidate *b) {
    if (gain(a) != gain(b)) return gain(a) > gain(b);
    if (a->length != b->length) return a->length > b->length;
    return a->prefix < b->prefix;
}

static const Candidate *best_of(const Search *s) {
    const Candidate *best = NULL;
    for (int i = 0; i < s->map.count; i++) {
        const Candidate *c = s->map.entries[i].value;
        if (c->count < 2 || c->lines < 2 || c->taken < 2 * c->taking || gain(c) <= 0) continue;
        if (!best || is_better(c, best)) best = c;
    }
    return best;
}

/* ---- uses ---- */
static bool is_run(Writer *w, const Pieces *list, int at, const Candidate *c, Prefix *prefix) {
    uint64_t key = (uint64_t)c->length;
    if (at + c->length > list->count || !is_start(list, at) || !is_start(list, at + c->length)) return false;
    for (int i = at; i < at + c->length; i++) key = hash_mix(key, list->item[i]->key);
    for (int i = at; i < at + c->length; i++) {
        const bool last = i == at + c->length - 1;
        if (is_tied(w, list->item[i], true) || (!last && w->referred[list->item[i]->value->id])) return false;
    }
    Prefix all[MOST_PREFIXES];
    const int count = find_prefixes(w, list, at, c->length, all);
    for (int i = 0; i < count; i++) {
        *prefix = all[i];
        if (hash_mix(key, all[i].key) == c->key) return true;
    }
    return false;
}

static void use_block(Writer *w, Pieces *list, int at, const Candidate *c, Block *block, const Prefix *prefix) {
    const Value *made = list->item[at + c->length - 1]->value;
    Piece *use = piece_new(w, PIECE_USE, NULL, list->item[at]->from, made);
    use->block = block;
    use->prefix = prefix->name;
    use->part_count = 1;
    use->part = arena_alloc(w->arena, sizeof *use->part);
    for (int i = at; i < at + c->length; i++) pieces_add(w, &use->part[0], list->item[i]);
    list->item[at] = use;
    memmove(list->item + at + 1, list->item + at + c->length, sizeof(Piece *) * (size_t)(list->count - at - c->length));
    list->count -= c->length - 1;
    ARENA_PUSH(w->arena, block->use, block->use_count, block->use_capacity, use);
}

static void replace(Writer *w, Pieces *list, const Candidate *c, Block *block) {
    for (int at = 0; at < list->count; at++) {
        Prefix prefix = {0};
        if (is_run(w, list, at, c, &prefix))
            use_block(w, list, at, c, block, &prefix);
        else
            for (int k = 0; k < list->item[at]->part_count; k++) replace(w, &list->item[at]->part[k], c, block);
    }
}

/* ---- what blocks are called ---- */
typedef struct Contents { /* of what a block holds */
    int convs, depthwise, points, gates;
    const Piece *residual, *concat;
} Contents;

static void look(const Pieces *list, Contents *c) {
    for (int i = 0; i < list->count; i++) {
        const Piece *piece = list->item[i];
        if (piece->kind == PIECE_GATE) {
            c->gates++;
            continue; /* its convolutions are its own */
        }
        if (piece->kind == PIECE_RESIDUAL && !c->residual && !c->concat) c->residual = piece;
        if (piece->kind == PIECE_CONCAT && !c->concat && !c->residual) c->concat = piece;
        if (piece->kind == PIECE_LAYER && piece->node->op == OP_CONV) {
            c->convs++;
            if (node_is_depthwise(piece->node))
                c->depthwise++;
            else if (piece->node->term[0].window.r * piece->node->term[0].window.s == 1)
                c->points++;
        }
        for (int k = 0; k < piece->part_count; k++)
            if (!(piece->kind == PIECE_RESIDUAL && k == 1)) look(&piece->part[k], c);
    }
}

static bool is_passed_on(const Pieces *branch) {
    for (int i = 0; i < branch->count; i++)
        if (branch->item[i]->kind != PIECE_LAYER || branch->item[i]->node->op != OP_IDENTITY) return false;
    return true;
}

static const char *describe(Writer *w, const Block *block) {
    Contents c = {0};
    look(&block->use[0]->part[0], &c);
    const char *word = "layers";
    if (c.residual)
        word = c.depthwise                     ? "inverted"
               : c.convs == 3 && c.points == 2 ? "bottleneck"
               : c.convs == 2                  ? "basic"
                                               : "unit";
    else if (c.concat)
        word = is_passed_on(&c.concat->part[0]) ? "growing" : "branches";
    else if (c.depthwise)
        word = "separable";
    else if (c.convs == 2)
        word = "double";
    return c.gates ? arena_printf(w->arena, "gated_%s", word) : word;
}

/* bottleneck, bottleneck_b, bottleneck_c ...: no digits, which names of uses have behind them. */
static void name_blocks(Writer *w) {
    Map taken = {0};
    map_put(&taken, w->arena, w->name, w);
    for (int i = 0; i < w->block_count; i++) {
        const char *word = describe(w, w->block[i]), *name = word;
        for (int n = 1; map_get(&taken, name); n++)
            name = n < 26 ? arena_printf(w->arena, "%s_%c", word, 'a' + n)
                          : arena_printf(w->arena, "%s_%c%c", word, 'a' + n / 26 - 1, 'a' + n % 26);
        w->block[i]->name = name;
        map_put(&taken, w->arena, name, w);
    }
}

/* In the order in which the network comes to them, those within a block before it. */
static void list_blocks(Writer *w, const Pieces *list) {
    for (int i = 0; i < list->count; i++) {
        const Piece *piece = list->item[i];
        const bool again = piece->kind == PIECE_USE && piece->block->resolved;
        if (piece->kind == PIECE_USE) piece->block->resolved = true;
        for (int k = 0; k < piece->part_count && !again; k++) list_blocks(w, &piece->part[k]);
        if (piece->kind == PIECE_USE && !again)
            ARENA_PUSH(w->arena, w->block, w->block_count, w->block_capacity, piece->block);
    }
}

/* Uses in the order of the text. */
static void list_uses(Writer *w, const Pieces *list) {
    for (int i = 0; i < list->count; i++) {
        Piece *piece = list->item[i];
        if (piece->kind == PIECE_USE)
            ARENA_PUSH(w->arena, piece->block->use, piece->block->use_count, piece->block->use_capacity, piece);
        for (int k = 0; k < piece->part_count; k++) list_uses(w, &piece->part[k]);
    }
}

void blocks_find(Writer *w) {
    enum { MOST_BLOCKS = 500 };
    Block *made[MOST_BLOCKS];
    int count = 0;
    w->block_count = 0;
    while (count < MOST_BLOCKS) {
        Search s = {.w = w};
        pieces_measure(w, &w->network);
        search(&s, &w->network, false);
        const Candidate *best = best_of(&s);
        if (!best) break;
        Block *block = made[count] = arena_alloc(w->arena, sizeof *block);
        block->id = ++count;
        replace(w, &w->network, best, block);
        if (block->use_count < 2) bug("a block of %d uses", block->use_count);
    }
    list_blocks(w, &w->network);
    for (int i = 0; i < count; i++) made[i]->resolved = false, made[i]->use_count = 0;
    list_uses(w, &w->network);
    name_blocks(w);
}
