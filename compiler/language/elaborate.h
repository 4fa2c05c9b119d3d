/* What elaborate.c, layer.c, naming.c, poison.c and train.c share; nobody else includes this. */
#ifndef RNC_ELABORATE_H
#define RNC_ELABORATE_H

#include "ast.h"
#include "eval.h"
#include "graph/build.h"
#include "graph/ops.h"
#include "graph/train.h"

enum {
    LIMIT_NODES = 100000,  /* layers of an expanded network */
    LIMIT_STEPS = 1000000, /* statements carried out, with or without a layer */
    LIMIT_DEPTH = 64,      /* blocks within blocks */
    LIMIT_NAME = 200,      /* characters of a layer's name */
    LIMIT_CHANNELS = 1 << 20,
    LIMIT_SIZE = 1 << 16, /* of the input's height and width */
    LIMIT_KERNEL = 1024,
    LIMIT_STRIDE = 4096,
    LIMIT_BRANCHES = 1024
};

/* Where default names come from: one per block use and per `as` on braces. */
typedef struct Scope {
    const char *prefix; /* "layer1.0.", or "" */
    Map counters;       /* word -> int: how many layers it has named */
} Scope;

/* A shortcut's body: its layers are numbered by position, as in PyTorch's nn.Sequential. */
typedef struct Sequence {
    const char *prefix; /* "layer2.0.downsample." */
    int next;
} Sequence;

typedef struct Use { /* of a block; the chain says how a layer came to be */
    const struct Use *outer;
    Place place;
    const Decl *block;
} Use;

typedef struct Frame { /* where a statement runs */
    const Env *env;
    Scope *scope;
    Sequence *sequence; /* NULL outside a shortcut's body */
    const Use *use;     /* NULL in the network itself */
    const Group *group; /* likewise */
    int depth;          /* of uses */
} Frame;

typedef struct LayerEntry { /* a layer's name */
    const char *name;
    Op op;
    Place place;
    Value *value; /* NULL where it could not be made */
} LayerEntry;

typedef struct Elab {
    Arena *arena;
    Graph *graph;
    const Ast *ast;
    Diag *diag;
    Value *now;    /* the value that the next layer reads; NULL before the input and after an error */
    Env *env;      /* the network's */
    int explained; /* so many errors have had their notes */
    bool has_input, input_failed;
    const AttrUse *mean_given; /* the input's `mean`, or NULL */
    Map layers;                /* name -> LayerEntry */
    Map poisoned;              /* see poison.c: names, the beginnings of names, and blocks */
    Map poisoned_prefixes;
    Map poisoned_blocks;
    Map failed;    /* blocks whose expansion failed: reported once */
    Value **extra; /* of `output` statements */
    int extra_count, extra_capacity;
    int64_t steps;
    bool gave_up; /* a limit is reached: one error, no more */
} Elab;

/* ---- naming.c ---- */
Scope *scope_new(Elab *elab, const char *prefix);
/* `as NAME`, computed parts evaluated and, unless absolute, below the scope; NULL after an error. */
const char *name_given(Elab *elab, const Frame *frame, const Name *name);
bool name_is_computed(const Name *name);
/* The next default name for a word: conv1, conv2 ..., relu, relu2 ..., downsample.0 ... in a sequence. */
const char *name_default(Elab *elab, const Frame *frame, const char *word);
const char *name_numbered(Elab *elab, const Frame *frame, const char *word); /* always with its number, from 1 */
/* The layer that a name means: below the scope, then below each scope around it, then as it stands. NULL after an
 * error, and without one where an earlier error has kept the layer from being made. */
Value *name_find(Elab *elab, const Frame *frame, const Name *name);

/* ---- poison.c ---- */
void poison_name(Elab *elab, const char *name); /* a layer's full name, or NULL */
void poison_prefix(Elab *elab, const char *prefix);
void poison_given(Elab *elab, const char *prefix, const Name *name); /* what begins as an `as NAME` below the prefix */
void poison_body(Elab *elab, const char *prefix, const Stmt *stmts); /* all that these might make below the prefix */
bool is_poisoned(const Elab *elab, const char *name);

/* ---- layer.c ---- */
/* Notes where the block was used, after errors in it that have no such notes yet. */
void elab_explain(Elab *elab, const Frame *frame);
/* Takes a name for a layer that is about to be read; NULL after an error. */
LayerEntry *elab_claim(Elab *elab, Op op, const char *name, Place place);
/* The layer, made after `in`; its value becomes the current one; NULL after an error. */
Value *elab_build(Elab *elab, const Frame *frame, LayerEntry *entry, Value *const *in, int nin, const Layer *layer);
void elab_layer(Elab *elab, const Frame *frame, const Stmt *stmt);
void elab_input(Elab *elab, const Frame *frame, const Stmt *stmt);
bool elab_output_layout(Elab *elab, const Frame *frame, const Stmt *stmt); /* whether it is to be H x W x C */
typedef enum MeanKind { MEAN_OF_NUMBERS, MEAN_OF_PIXELS, MEAN_OF_CHANNELS } MeanKind;
/* The parameter input.mean of the graph's input, of either of the last two kinds. */
void elab_mean_image(Elab *elab, MeanKind kind, bool may_be_missing, Place place);

/* ---- train.c ---- */
/* whole: the network was elaborated without an error. */
Train *elab_train(Elab *elab, const Env *env, bool whole);

#endif
