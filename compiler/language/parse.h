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

typedef union TokenValue { /* the members of the grammar's YYSTYPE that tokens have */
    int64_t integer;
    const char *text;
    int dims[3];
    struct {
        Op op;
        const char *word;
    } layer;
} TokenValue;

typedef struct Token {
    int kind; /* a grammar token; TOKEN_NEWLINE, where none ends a statement, or TOKEN_COMMENT: not for the parser */
    Place place;
    int offset;       /* where it begins in the source; it has place.length bytes there, none where it was supplied */
    const char *text; /* what --format writes; not terminated */
    size_t length;
    TokenValue value;
    const char *error;     /* reported where the parser reaches it; NULL: it is right */
    const Place *unclosed; /* of an error about a missing '}': its '{' */
    bool is_stride;        /* this '/' is a stride, not a division */
    bool is_body;          /* this '{' begins the body that its statement's first word has */
    bool in_train;         /* words are names there */
    bool is_percent;       /* this '%' is one, not a remainder */
    bool in_concat;        /* it stands in the braces of a concat, in no branch */
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
    const char *error;    /* of a token that is none */
    int train_nesting;    /* > 0: in the train section, every word is a plain name */
    bool after_train;     /* `train` was the last word */
    bool lists_names;     /* in a statement of the train section that layers' names follow, parted by commas */
    bool after_comma;
    int last; /* token */

    bool record; /* keep comments, and the tokens when done */
    Token *tokens;
    int token_count, token_capacity;
    Arena token_arena;

    /* parser */
    int position, current; /* of the next token, of the last one */
    bool recovering;       /* from an error: go on where the parser can */
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
/* tokens.c */
void tokens_read(Parser *parser);
int statement_start(const Parser *parser, int index); /* the first token of the statement that has this one */
void parser_recover(Parser *parser);                  /* the current token is wrong */
void parser_resolve_words(Parser *parser);            /* after all files: which layers' words are blocks' names */
bool parser_run(Parser *parser);                      /* one file; false after errors */

#endif
