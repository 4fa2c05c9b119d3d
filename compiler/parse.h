/* What the lexer, the grammar and parse.c share; nobody else includes this.
 *
 * Words are reserved by where they stand: a layer's attribute words (`size`, `k`, `groups` ...) are attributes only
 * where that layer's statement can have one; elsewhere they are ordinary names. The Parser keeps the little state this
 * needs.
 */
#ifndef RNC_PARSE_H
#define RNC_PARSE_H

#include "ast.h"

enum { MAX_NESTING = 200, MAX_EXPR_DEPTH = 500, MAX_NAME = 200, MAX_IMPORT_DEPTH = 32, MAX_SOURCE = 16 << 20 };

typedef struct Token { /* recorded for the formatter only */
    int kind;          /* a grammar token, TOKEN_NEWLINE or TOKEN_COMMENT */
    Place place;
    const char *text;
    size_t length;
    bool is_stride; /* this '/' is a stride, not a division */
} Token;

enum { TOKEN_NEWLINE = -1, TOKEN_COMMENT = -2 };

typedef struct Parser {
    Arena *arena;
    Diag *diag;
    const Source *source;
    Ast *ast;
    bool imported;               /* this file is not the one that rnc was given */
    int depth;                   /* of imports */
    struct ImportState *imports; /* of all files; NULL: imports are not followed */
    bool gave_up;                /* nested too deeply: one error, no more */

    /* lexer */
    int line, column;
    int offset;           /* of what follows the token */
    const char *standard; /* the word of an attribute that was written otherwise */
    int nesting;          /* open { */
    int name_braces;      /* 1 inside a computed part of a name */
    bool at_start;        /* the next token begins a statement */
    bool operand;         /* the next token must be an operand */
    int parens;           /* open ( [ in this statement */
    const char *attrs;    /* attribute words of the statement so far, or NULL */
    const char *word;     /* its first word */
    Place word_place;
    bool word_is_unknown; /* the first word is no layer and no keyword */
    int train_nesting;    /* > 0: in the train section, every word is a plain name */
    bool after_train;     /* `train` was the last word */
    bool after_comma;
    int last; /* token */

    bool record;
    Token *tokens;
    int token_count, token_capacity;
} Parser;

/* parse.c, for the grammar's actions */
Expr *expr_new(Parser *parser, ExprKind kind, Place place);
Expr *expr_unary(Parser *parser, ExprOp op, Expr *left, Place place);
Expr *expr_binary(Parser *parser, ExprOp op, Expr *left, Expr *right, Place place);
Expr *expr_int(Parser *parser, int64_t value, Place place);
Expr *expr_choice(Parser *parser, Expr *condition, Expr *yes, Expr *no, Place place); /* condition ? yes : no */
Expr *expr_call(Parser *parser, const char *name, Expr *args, Place place);
Arg *arg_new(Parser *parser, ArgKind kind, Expr *items, Place place);
Stmt *stmt_new(Parser *parser, StmtKind kind, Place place);
AttrUse *attr_new(Parser *parser, const char *word, Arg *value, Place place);
void parser_add_decl(Parser *parser, Decl *decl, bool network);
void parser_import(Parser *parser, const char *path, Place place);
void parser_add_train(Parser *parser, TrainStmt *stmts, Place place);
void parser_mark_stride(Parser *parser, Place slash);
bool parser_enter(Parser *parser, Place place); /* one bracket deeper; false after an error: too deep */
int parse_source(Parser *parser);               /* 0, or not after errors */
void parser_resolve_words(Parser *parser);      /* after all files: which layers' words are blocks' names */
bool parser_run(Parser *parser);                /* one file; false after errors */

#endif
