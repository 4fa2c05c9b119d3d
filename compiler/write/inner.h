/* What the files of write/ share; nobody else includes this.
 *
 * A graph becomes a tree of pieces, each a statement of the language: layers, and joins that hold the lists of pieces
 * between a value and the layers that read it in parallel (tree.c). Lists that occur again become uses of blocks
 * (blocks.c), whose numbers become parameters where they differ (params.c). What is left is text (print.c).
 */
#ifndef RNC_WRITE_INNER_H
#define RNC_WRITE_INNER_H

#include "language/ast.h"
#include "write.h"

typedef struct Piece Piece;
typedef struct Block Block;

typedef struct Pieces {
    Piece **item;
    int count, capacity;
} Pieces;

typedef enum PieceKind {
    PIECE_LAYER,
    PIECE_RESIDUAL, /* part[0]: its body, part[1]: its shortcut */
    PIECE_GATE,     /* part[0] */
    PIECE_CONCAT,   /* its branches */
    PIECE_FROM,     /* goes on from `value` */
    PIECE_OUTPUT,   /* gives out `value` */
    PIECE_ALIAS,    /* an `identity` that names `value`, which a statement without a name of its own has made */
    PIECE_USE       /* of `block`; part[0]: what it stands for */
} PieceKind;

struct Piece {
    PieceKind kind;
    const Node *node;   /* a layer's, a join's; NULL: a residual without a shortcut, which makes no sum */
    const Value *from;  /* what it reads */
    const Value *value; /* what it makes */
    const Value *other; /* of the layer `add`: what it adds */
    Pieces *part;
    int part_count;
    Shortcut shortcut;
    bool fill;
    Piece *lender; /* a residual's whose shortcut says this one's identity as well; NULL: none */
    Piece *owner;  /* the residual at this place in another use of the block whose shortcut is printed */
    const char *owner_prefix;
    uint64_t name_key; /* of the names in a shortcut's body, relative to the residual's */
    Block *block;
    const char *prefix;  /* of a use, where names are kept: what they begin with, without its last '.' */
    double *arg;         /* of a use, by parameter of its block */
    double stride;       /* of a use: 1 where its block has none */
    uint64_t key, exact; /* equal for pieces of one structure; with equal numbers */
    int lines;           /* of text; 0 for what stands on the line of the piece before it */
    int nodes;           /* below it */
};

/* ---- numbers that may differ from one copy of a block to the next ---- */
typedef enum Role { ROLE_FEATURES, ROLE_KERNEL, ROLE_STRIDE, ROLE_DILATE, ROLE_GROUPS, ROLE_REAL } Role;

typedef struct Slot {
    Role role;
    double value;
    int channels; /* of what the layer reads */
    bool absent;  /* of a lender's shortcut: any number will do */
} Slot;

typedef struct Slots {
    Slot *item;
    int count, capacity;
} Slots;

typedef struct BlockParam {
    const char *name;
    const char *otherwise; /* its default, of the channels of the block's input; NULL: an argument */
    Role role;
    double *value; /* by use; NAN where nothing says it */
} BlockParam;

struct Block {
    int id;
    const char *name;
    Piece **use;
    int use_count, use_capacity;
    BlockParam *param;
    int param_count, param_capacity;
    const char **text; /* by slot */
    int slot_count;
    bool has_stride, resolved, printed;
};

typedef struct Writer {
    Arena *arena;
    const Graph *graph;
    const char *name;    /* the network's */
    bool keep;           /* the names of layers with parameters */
    bool *live;          /* by value id: an output needs it */
    const Value **above; /* by value id: its immediate dominator */
    int *depth;          /* likewise, in the tree of dominators */
    bool *done;          /* by value id: a statement has made it */
    int *referred;       /* by value id: statements that mention it; -1: by an alias */
    const char *
        *wanted;   /* by node id: the layer's name as its parameters have it; NULL: none, or no name of the language */
    Map prefixes;  /* "layer1.0" -> int: layers with parameters below it */
    bool *spelled; /* by node id of a sum: its shortcut is to be written out */
    bool same_conv, same_depthwise; /* `pad same` is preferred */
    Pieces network;
    Block **block;
    int block_count, block_capacity;
    const Node **order; /* of the nodes that the text makes; NULL: an alias */
    int order_count, order_capacity;
    const char **value_name; /* by value id, of those that are mentioned: as the text has it */
} Writer;

/* ---- layer.c: one layer's statement ---- */
/* Why the language cannot say the node; NULL where it can. */
const char *layer_unsayable(const Node *node);
/* The word of an interleave or phases that is a layer of the language; NULL: of no form. */
const char *layer_form(const Node *node);
/* Its numbers that a block may have as parameters, in the order of the statement. */
void layer_slots(const Writer *w, const Node *node, Slots *slots);
/* The statement; the next of `texts` for each slot, or NULL: a mark for each, which makes it equal for layers that
 * differ in these numbers alone. Returns how many texts it took. */
int layer_text(const Writer *w, const Node *node, const char *const *texts, Text *out);
/* Numbers as the language has them. */
const char *number_text(Arena *arena, double value);
/* Whether TensorFlow's padding is in use: decided once. */
void layer_find_padding(Writer *w);
bool node_is_depthwise(const Node *node);
bool node_has_params(const Node *node);

/* ---- normal.c ---- */
/* A copy of the graph without identities, whose names are their values' then, and whose concatenations go on from those
 * that joined the same values before: of a, b, c from that of a, b. */
Graph *graph_as_said(const Graph *graph, Arena *arena);

/* ---- tree.c ---- */
void tree_build(Writer *w);
/* Pieces and lists in the order in which the text makes nodes. */
void tree_order(Writer *w, const Pieces *list);
Piece *piece_new(Writer *w, PieceKind kind, const Node *node, const Value *from, const Value *value);
void pieces_add(Writer *w, Pieces *list, Piece *piece);
bool piece_has_spelled_shortcut(const Piece *piece); /* its shortcut is a list of statements */
const Pieces *piece_shortcut(const Piece *piece);    /* its own, or its lender's */

/* ---- shapes.c: residuals whose copies differ by their shortcut alone become alike ---- */
void residual_classify(Writer *w, Piece *piece);
void residuals_unify(Writer *w);
/* Keys, lines and counts of a list's pieces, from the bottom up. */
void pieces_measure(Writer *w, Pieces *list);
bool piece_begins_line(const Piece *piece, const Piece *before);

/* ---- blocks.c ---- */
void blocks_find(Writer *w);

/* ---- params.c ---- */
void blocks_resolve(Writer *w);
void pieces_slots(const Writer *w, const Pieces *list, bool absent, Slots *slots);

/* ---- names.c ---- */
/* Fills `wanted`; NULL where each layer with parameters has a name that the language can give, else why not. */
const char *names_find(Writer *w, const Node **where);
bool name_is_valid(const char *name);
/* `name` below `prefix` ("" for all); NULL where it is not. */
const char *name_below(const char *name, const char *prefix);
/* The names of layers with parameters in a list, in its order. */
typedef struct Names {
    const char **item;
    int count, capacity;
} Names;
void names_collect(const Writer *w, const Pieces *list, bool shortcuts, Names *names);
void names_collect_piece(const Writer *w, const Piece *piece, bool shortcuts, Names *names);
/* What all of them begin with, up to a '.' and without it; "" where there is nothing. */
const char *names_common(Arena *arena, const Names *names);
bool name_seems_default(const char *name); /* conv3, relu, layer1.add2: its last part */

/* ---- print.c ---- */
void print_source(Writer *w, Text *out);

/* ---- train.c ---- */
/* The train section, if there is one; `text`: what the network's text says, for its names. */
void print_train(const Writer *w, const Graph *text, Text *out);
bool same_train(const struct Train *a, const struct Train *b);

/* ---- hashing ---- */
static inline uint64_t hash_mix(uint64_t a, uint64_t b) {
    uint64_t z = (a ^ (b + 0x9e3779b97f4a7c15u + (a << 6) + (a >> 2))) * 0xbf58476d1ce4e5b9u;
    return z ^ (z >> 29);
}
uint64_t hash_text(const char *text);

#endif
