/* A drawing in rows, by the method of Sugiyama, Tagawa and Toda ("Methods for visual understanding of hierarchical
 * system structures", 1981): every item one row below what it reads (section on levels), edges that pass rows made of
 * short ones, crossings lessened by sorting each row by the mean of its neighbours' places. An item's passing edges run
 * side by side as one. */
#include "outline.h"

#include <stdlib.h>

static const double PASSING = 0.16, GROUP = 1.45; /* widths: of an edge that passes a row, of a group that is folded */
enum { SWEEPS = 4 };

typedef struct Rows {
    const Item *holder;
    Arena *arena;
    int *rank; /* by item */
    int *last; /* the lowest row that reads it */
    ItemRows drawn;
} Rows;

static void find_ranks(Rows *r) {
    const Item *h = r->holder;
    int lowest = 0;
    /* edges go from earlier items to later ones, so that one pass in the order of the later does; another order (a
     * value of a group that is read before the group ends) may leave an edge that goes up, which is not drawn */
    int **into = arena_alloc(r->arena, sizeof *into * (size_t)h->count),
        *counts = arena_alloc(r->arena, sizeof *counts * (size_t)h->count);
    for (int i = 0; i < h->edge_count; i++) counts[h->edges[i].to]++;
    for (int i = 0; i < h->count; i++)
        into[i] = arena_alloc(r->arena, sizeof **into * (size_t)(counts[i] + 1)), counts[i] = 0;
    for (int i = 0; i < h->edge_count; i++) into[h->edges[i].to][counts[h->edges[i].to]++] = h->edges[i].from;
    for (int i = 0; i < h->count; i++) {
        for (int k = 0; k < counts[i]; k++)
            if (into[i][k] < i && r->rank[into[i][k]] + 1 > r->rank[i]) r->rank[i] = r->rank[into[i][k]] + 1;
        if (r->rank[i] > lowest) lowest = r->rank[i];
    }
    for (int i = 0; i < h->count; i++) { /* what goes out stands below everything */
        if (h->items[i]->kind == ITEM_TO) r->rank[i] = lowest;
        r->last[i] = r->rank[i];
    }
    for (int i = 0; i < h->edge_count; i++) {
        const ItemEdge e = h->edges[i];
        if (r->rank[e.to] > r->last[e.from]) r->last[e.from] = r->rank[e.to];
    }
    r->drawn.count = lowest + 1;
}

static bool is_drawn(const Rows *r, const Item *item) {
    const Item *h = r->holder;
    if (item->kind != ITEM_FROM && item->kind != ITEM_TO) return true;
    for (int i = 0; i < h->edge_count; i++)
        if (h->edges[i].from == item->index || h->edges[i].to == item->index) return true;
    return false;
}

static void fill_rows(Rows *r) {
    const Item *h = r->holder;
    r->drawn.rows = arena_alloc(r->arena, sizeof *r->drawn.rows * (size_t)r->drawn.count);
    for (int i = 0; i < h->count; i++) {
        if (!is_drawn(r, h->items[i])) continue;
        for (int k = r->rank[i]; k == r->rank[i] || k < r->last[i]; k++) {
            ItemRow *row = &r->drawn.rows[k];
            const RowCell cell = {.item = k == r->rank[i] ? h->items[i] : NULL, .source = i};
            ARENA_PUSH(r->arena, row->cells, row->count, row->capacity, cell);
        }
    }
}

/* A row that is not sorted yet has its cells in the order of their sources. */
static int find_cell(const ItemRow *row, int source) {
    int low = 0, high = row->count;
    while (low < high) {
        const int middle = (low + high) / 2;
        if (row->cells[middle].source < source)
            low = middle + 1;
        else
            high = middle;
    }
    return low < row->count && row->cells[low].source == source ? low : -1;
}

static void connect_rows(Rows *r, int from_row, int source, int to) {
    ItemRow *row = &r->drawn.rows[from_row], *next = &r->drawn.rows[from_row + 1];
    const RowEdge edge = {find_cell(row, source), to};
    if (edge.from < 0 || edge.to < 0) return;
    row->cells[edge.from].leaves = next->cells[edge.to].arrives = true;
    ARENA_PUSH(r->arena, row->edges, row->edge_count, row->edge_capacity, edge);
}

static void add_edges(Rows *r) {
    const Item *h = r->holder;
    for (int k = 0; k + 1 < r->drawn.count; k++) {
        for (int i = 0; i < r->drawn.rows[k + 1].count; i++) /* what passes goes on */
            if (!r->drawn.rows[k + 1].cells[i].item) connect_rows(r, k, r->drawn.rows[k + 1].cells[i].source, i);
    }
    for (int i = 0; i < h->edge_count; i++) {
        const int to = h->edges[i].to, above = r->rank[to] - 1;
        if (above < r->rank[h->edges[i].from]) continue;
        connect_rows(r, above, h->edges[i].from, find_cell(&r->drawn.rows[above + 1], to));
    }
}

static double cell_width(const RowCell *cell) {
    if (!cell->item) return PASSING;
    return cell->item->kind == ITEM_FROM || cell->item->kind == ITEM_TO ? 0.5
           : cell->item->kind == ITEM_GROUP                             ? GROUP
                                                                        : 1;
}

static double middle(const RowCell *cell) {
    return (cell->left + cell->right) / 2;
}

/* In the middle of the drawing. */
static void place_row(Rows *r, ItemRow *row) {
    double width = 0;
    for (int i = 0; i < row->count; i++) width += cell_width(&row->cells[i]);
    double at = (r->drawn.width - width) / 2;
    for (int i = 0; i < row->count; i++) {
        row->cells[i].left = at;
        row->cells[i].right = at += cell_width(&row->cells[i]);
    }
}

static void place_rows(Rows *r) {
    r->drawn.width = 1;
    for (int k = 0; k < r->drawn.count; k++) {
        double width = 0;
        for (int i = 0; i < r->drawn.rows[k].count; i++) width += cell_width(&r->drawn.rows[k].cells[i]);
        if (width > r->drawn.width) r->drawn.width = width;
    }
    for (int k = 0; k < r->drawn.count; k++) place_row(r, &r->drawn.rows[k]);
}

typedef struct SortKey {
    double mean;
    int index;
} SortKey;

static int compare_keys(const void *a, const void *b) {
    const SortKey *x = a, *y = b;
    if (x->mean < y->mean || x->mean > y->mean) return x->mean < y->mean ? -1 : 1;
    return (x->index > y->index) - (x->index < y->index);
}

/* Sorts row k by the mean place of its neighbours in the row above or below. */
static void sort_row(Rows *r, int k, bool above) {
    ItemRow *row = &r->drawn.rows[k], *other = &r->drawn.rows[above ? k - 1 : k + 1];
    const ItemRow *edges = above ? other : row;
    SortKey *keys = arena_alloc(r->arena, sizeof *keys * (size_t)(row->count + 1));
    int *counts = arena_alloc(r->arena, sizeof *counts * (size_t)(row->count + 1));
    for (int i = 0; i < edges->edge_count; i++) {
        const int mine = above ? edges->edges[i].to : edges->edges[i].from;
        const int theirs = above ? edges->edges[i].from : edges->edges[i].to;
        keys[mine].mean += middle(&other->cells[theirs]);
        counts[mine]++;
    }
    for (int i = 0; i < row->count; i++) {
        keys[i].index = i;
        keys[i].mean = counts[i] ? keys[i].mean / counts[i] : middle(&row->cells[i]);
    }
    qsort(keys, (size_t)row->count, sizeof *keys, compare_keys);
    RowCell *sorted = arena_alloc(r->arena, sizeof *sorted * (size_t)(row->count + 1));
    int *moved = arena_alloc(r->arena, sizeof *moved * (size_t)(row->count + 1)); /* old place to new */
    for (int i = 0; i < row->count; i++) {
        sorted[i] = row->cells[keys[i].index];
        moved[keys[i].index] = i;
    }
    for (int i = 0; i < row->count; i++) row->cells[i] = sorted[i];
    for (int i = 0; i < row->edge_count; i++) row->edges[i].from = moved[row->edges[i].from];
    for (int i = 0; k && i < r->drawn.rows[k - 1].edge_count; i++)
        r->drawn.rows[k - 1].edges[i].to = moved[r->drawn.rows[k - 1].edges[i].to];
    place_row(r, row);
}

/* Items, and the rows that their edges pass. */
static int64_t count_cells(const Rows *r) {
    int64_t count = 0;
    for (int i = 0; i < r->holder->count; i++) count += r->last[i] > r->rank[i] ? r->last[i] - r->rank[i] : 1;
    return count;
}

ItemRows outline_rows(const Item *holder, int64_t most_cells, Arena *arena) {
    Rows r = {.holder = holder, .arena = arena};
    if (!holder->count) return r.drawn;
    r.rank = arena_alloc(arena, sizeof *r.rank * (size_t)holder->count);
    r.last = arena_alloc(arena, sizeof *r.last * (size_t)holder->count);
    find_ranks(&r);
    r.drawn.cells = count_cells(&r);
    if (r.drawn.cells > most_cells) {
        r.drawn.count = 0;
        return r.drawn;
    }
    fill_rows(&r);
    add_edges(&r);
    place_rows(&r);
    for (int sweep = 0; sweep < SWEEPS; sweep++) {
        const bool down = sweep % 2 == 0;
        for (int i = 1; i < r.drawn.count; i++) sort_row(&r, down ? i : r.drawn.count - 1 - i, down);
    }
    return r.drawn;
}
