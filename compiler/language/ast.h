/* The syntax tree of a .rn file, and the front end's four doors: parse, dump, format, elaborate.
 *
 * The tree is what was written: nothing is evaluated or expanded. Every node keeps its place. Lists are linked by
 * `next`, in source order. All of it lives in the arena given to ast_parse_*, sources included.
 */
#ifndef RNC_AST_H
#define RNC_AST_H

#include "base/base.h"
#include "base/diag.h"
#include "graph/ir.h"
#include "words.h"

typedef struct Ast Ast;
typedef struct Expr Expr;
typedef struct Stmt Stmt;

typedef enum ExprKind {
    EXPR_INT,
    EXPR_REAL,
    EXPR_BOOL,
    EXPR_NAME,
    EXPR_UNARY,
    EXPR_BINARY,
    EXPR_CALL,
    EXPR_CHOICE
} ExprKind;
typedef enum ExprOp {
    EXPR_NEG,
    EXPR_NOT,
    EXPR_ADD,
    EXPR_SUB,
    EXPR_MUL,
    EXPR_DIV,
    EXPR_MOD,
    EXPR_EQ,
    EXPR_NE,
    EXPR_LT,
    EXPR_LE,
    EXPR_GT,
    EXPR_GE,
    EXPR_AND,
    EXPR_OR
} ExprOp;

struct Expr {
    ExprKind kind;
    Place place;
    Expr *next;       /* in an argument list or a [list] */
    int depth;        /* of the tree below; the parser bounds it, so recursion over it is safe */
    int64_t integer;  /* EXPR_INT, EXPR_BOOL */
    double real;      /* EXPR_REAL */
    const char *name; /* EXPR_NAME, EXPR_CALL; EXPR_REAL: its spelling */
    ExprOp op;        /* EXPR_UNARY (left only), EXPR_BINARY */
    Expr *left, *right;
    Expr *args; /* EXPR_CALL; EXPR_CHOICE: the condition, the value where it holds, the other */
};

/* An argument or attribute value: an expression, `r x s` (two or three expressions) or a [list]. */
typedef enum ArgKind { ARG_EXPR, ARG_DIMS, ARG_LIST } ArgKind;
typedef struct Arg {
    ArgKind kind;
    Place place;
    Expr *items; /* linked by next */
    int count;
    const char *name; /* a block's argument given by name, or NULL */
    struct Arg *next;
} Arg;

typedef struct AttrUse {
    const char *word;
    Place place;
    Arg *value;   /* NULL: a flag that stands alone */
    bool negated; /* no WORD */
    struct AttrUse *next;
} AttrUse;

/* features.{2*index}: text and computed parts in turn */
typedef struct NamePart {
    const char *text; /* NULL: computed */
    Expr *expr;
    Place place;
    struct NamePart *next;
} NamePart;

typedef struct Name {
    NamePart *parts;
    Place place;
} Name;

typedef enum StmtKind {
    STMT_LAYER,
    STMT_INPUT,
    STMT_USE,
    STMT_STAGE,
    STMT_RESIDUAL,
    STMT_CONCAT,
    STMT_GATE,
    STMT_REPEAT,
    STMT_IF,
    STMT_FROM,
    STMT_OUTPUT
} StmtKind;

typedef enum Shortcut {
    SHORTCUT_PROJECT,
    SHORTCUT_PROJECT_ALWAYS,
    SHORTCUT_IDENTITY,
    SHORTCUT_PAD,
    SHORTCUT_NONE,
    SHORTCUT_IDENTITY_OR_NONE,
    SHORTCUT_BODY,
    SHORTCUT_BODY_ALWAYS
} Shortcut;

struct Stmt {
    StmtKind kind;
    Place place; /* the statement; of one with a body, its head word */
    Stmt *next;
    Op op;            /* STMT_LAYER */
    const char *word; /* STMT_USE, STMT_STAGE: the block's name; STMT_LAYER: NULL, or a form of one (words.h) */
    Place word_place;
    Arg *args;      /* STMT_LAYER: positional; STMT_INPUT: the size; STMT_USE, STMT_STAGE: the block's */
    AttrUse *attrs; /* STMT_LAYER, STMT_INPUT */
    Arg *stride;    /* `/ s`, or NULL */
    Expr *expr;     /* STMT_STAGE, STMT_REPEAT: count; STMT_IF: condition */
    Name *name;     /* `as NAME`; STMT_FROM, STMT_OUTPUT, and OP_ADD's operand: the layer meant (see target) */
    Name *target;   /* STMT_FROM, STMT_OUTPUT (or NULL), OP_ADD */
    Stmt *body;     /* RESIDUAL, GATE, REPEAT, IF */
    Stmt *other;    /* IF: else; RESIDUAL: the shortcut's body */
    struct Branch {
        Stmt *body;
        Name *name;
        Place place;
        struct Branch *next;
    } * branches; /* CONCAT */
    Shortcut shortcut;
    Place shortcut_place;
    bool fill;       /* RESIDUAL, OP_ADD */
    bool is_else_if; /* IF: stands as another if's else */
};

typedef struct ParamDecl {
    const char *name;
    Place place;
    Expr *value; /* default, or NULL */
    struct ParamDecl *next;
} ParamDecl;

typedef struct Decl { /* network or block */
    const char *name;
    Place place; /* of its name */
    ParamDecl *params;
    Stmt *body;
    const Source *source;
    struct Decl *next;
} Decl;

/* A statement of the train section: words, values, layers' names and punctuation in a row; train.c knows the phrases.
 */
typedef struct TrainItem {
    Place place;
    Arg *value;       /* or NULL */
    Name *name;       /* behind `freeze`; or NULL */
    char punctuation; /* , < % where both are NULL */
    struct TrainItem *next;
} TrainItem;

typedef struct TrainStmt {
    TrainItem *items;
    Place place;
    struct TrainStmt *next;
} TrainStmt;

struct Ast {
    const Source *source;
    const Source **imported; /* files, each once */
    int imported_count, imported_capacity;
    Decl *network;
    Decl *blocks; /* own and imported, imported first */
    Decl *last_block;
    Map block_map;         /* name -> Decl */
    Stmt **by_other_words; /* layers by synonyms and by `depthwise`: a block of that name hides them */
    int other_word_count, other_word_capacity;
    bool has_train;
    Place train_place;
    TrainStmt *train;
    struct ImportDecl {
        const char *path; /* as written */
        Place place;
        struct ImportDecl *next;
    } * imports;
};

/* A source file as it is; "-" is standard input, called <stdin>, unless an import at `place` names it. NULL after an
 * error. */
Source *source_read(Arena *arena, const char *path, Diag *diag, Place place);
/* NULL after errors; follows imports (relative to the importing file; to the working folder from standard input). */
Ast *ast_parse_file(Arena *arena, const char *path, Diag *diag);
Ast *ast_parse_text(Arena *arena, const Source *source, Diag *diag);
void ast_dump(const Ast *ast, Text *text);
/* The message about a word that begins a statement and is unknown: "OTHERWISE 'WORD'", and what may have been meant. */
void ast_unknown_word(const Ast *ast, const char *word, const char *otherwise, Text *text);
/* Of parameters that nothing reads, in the file's own blocks and network. */
void ast_warn_unused(const Ast *ast, Diag *diag);
/* The nearest layer's, statement's or block's word, or NULL. */
const char *ast_nearest(const Ast *ast, const char *word);
/* The source in the one true layout, comments kept. False after syntax errors. */
bool ast_format(const Source *source, Text *out, Diag *diag);
/* Expands, names, infers shapes, checks. `defines`: "NAME=VALUE" of -D. NULL after errors. */
Graph *elaborate(Arena *arena, const Ast *ast, const char *const *defines, int ndefines, Diag *diag);
/* The value that the layer called `name` makes, or NULL. */
Value *graph_find_layer(const Graph *graph, const char *name);

const char *expr_op_text(ExprOp op);

#endif
