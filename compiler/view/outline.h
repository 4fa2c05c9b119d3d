/* A graph as its source has it: the network holds layers and groups (stages, uses of blocks), these hold others. Each
 * holder's edges are between what stands in it, so that it can be drawn alone, folded or not. */
#ifndef RNC_VIEW_OUTLINE_H
#define RNC_VIEW_OUTLINE_H

#include "graph/ir.h"

typedef enum ItemKind {
    ITEM_GROUP, /* has items; the network is one */
    ITEM_LAYER,
    ITEM_INPUT, /* the network's; in a training graph, the labels too */
    ITEM_OUTPUT,
    ITEM_FROM, /* of a group: what comes in, and what goes out */
    ITEM_TO
} ItemKind;

typedef struct Item Item;
typedef struct ItemEdge {
    int from, to; /* indices in the holder's items */
} ItemEdge;

struct Item {
    ItemKind kind;
    const Node *node;   /* ITEM_LAYER */
    const Value *value; /* ITEM_INPUT, ITEM_OUTPUT */
    const Group *group; /* ITEM_GROUP; NULL: the network */
    const char *label;  /* its name, of a layer below its holder's: "conv1" in "layer1.0" */
    const char *text;   /* ITEM_GROUP: the statement, "stage 3 bottleneck(64)"; "" */
    Item *holder;
    int index, depth;
    Item **items; /* in the order of execution */
    int count, capacity;
    ItemEdge *edges;
    int edge_count, edge_capacity;
    int layers; /* below it */
};

Item *outline_make(const Graph *graph, Arena *arena);

/* ---- layers.c: one holder drawn in rows, edges going down ---- */
typedef struct RowCell {
    const Item *item;     /* NULL: an edge that passes */
    int source;           /* index of the item that it comes from; of an item itself */
    double left, right;   /* in units of the width */
    bool leaves, arrives; /* edges do */
} RowCell;

typedef struct RowEdge { /* between a row and the next: cells of each */
    int from, to;
} RowEdge;

typedef struct ItemRow {
    RowCell *cells;
    int count, capacity;
    RowEdge *edges; /* down to the next row */
    int edge_count, edge_capacity;
} ItemRow;

typedef struct ItemRows {
    ItemRow *rows;
    int count;
    double width;  /* units: a layer's is 1 */
    int64_t cells; /* of all rows; those that are too many leave no rows */
} ItemRows;

ItemRows outline_rows(const Item *holder, int64_t most_cells, Arena *arena);

#endif
