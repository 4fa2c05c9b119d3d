/* The rn language. Actions only build the tree (compiler/language/ast.h); what it means is elaborate.c's.
 *
 * `/` divides inside an expression; a stride's `/` follows something that no expression continues: a kernel, an attribute's
 * value, a block's arguments. Hence attribute values and strides are primaries, and a `,` ends the number of channels.
 * Errors resume at the statement's body or its end (compiler/language/tokens.c).
 */
%code requires {
#include "language/parse.h"

/* A range on one line; one that spans lines is underlined to its first line's end. */
#define YYLLOC_DEFAULT(at, rhs, n)                                                                                     \
    do {                                                                                                               \
        if (n) (at) = place_join(YYRHSLOC(rhs, 1), YYRHSLOC(rhs, n));                                                  \
        else (at) = YYRHSLOC(rhs, 0), (at).column += (at).length, (at).length = 0;                                     \
    } while (0)
static inline Place place_join(Place first, Place last) {
    first.length = last.line == first.line ? last.column + last.length - first.column : 4096;
    return first;
}
}

%define api.pure full
%define api.prefix {grammar_}
%define api.token.prefix {T_}
%define api.location.type {Place}
%define parse.error custom
%define parse.lac full
%locations
%expect 0
%param { Parser *parser }
%define lr.default-reduction consistent /* after an error the next token decides */
%initial-action { @$ = (Place){parser->source, 1, 1, 0}; }

%union {
    int64_t integer;
    const char *text;
    int dims[3];
    struct { Op op; const char *word; } layer;
    Expr *expr;
    struct { Expr *first, *last; } exprs;
    Arg *arg;
    struct { Arg *first, *last; } args;
    AttrUse *attr;
    struct { AttrUse *first, *last; } attrs;
    struct { Arg *args; AttrUse *attrs; Arg *stride; } options;
    Name *name;
    struct { NamePart *first, *last; } parts;
    Stmt *stmt;
    struct { Stmt *first, *last; } stmts;
    struct Branch *branch;
    struct { struct Branch *first, *last; } branches;
    struct { Shortcut kind; Stmt *body; Place place; } shortcut;
    ParamDecl *param;
    struct { ParamDecl *first, *last; } params;
    TrainItem *item;
    struct { TrainItem *first, *last; } items;
    struct { TrainStmt *first, *last; } trains;
    bool flag;
}

%code {
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define YYMALLOC heap_alloc
#define YYFREE free

int grammar_lex(GRAMMAR_STYPE *value, GRAMMAR_LTYPE *place, Parser *parser);
static void yyerror(const Place *place, Parser *parser, const char *message);
static Arg *dims_arg(Parser *parser, const int *dims, int count, Place place);
static Stmt *layer_stmt(Parser *parser, Op op, const char *word, Arg *args, AttrUse *attrs, Arg *stride, Name *name, Place place);
static Stmt *output_stmt(Parser *parser, Name *target, AttrUse *attrs, const Arg *stride, Place place);
static void attrs_append(AttrUse **list, AttrUse *attr);
static void second_stride(Parser *parser, const Arg *first, const Arg *second);
static void unknown_body(Parser *parser, const char *word, Place place);
static void check_stride(Parser *parser, Place slash, Place stride);

/* Appends `node` to a list with first and last. */
#define APPEND(list, node)                                                                                             \
    do {                                                                                                               \
        if (!(node)) break;                                                                                            \
        if ((list).last) (list).last->next = (node);                                                                   \
        else (list).first = (node);                                                                                    \
        (list).last = (node);                                                                                          \
    } while (0)
#define NONE_YET(list) ((list).first = (list).last = NULL)
}

%token END 0 "end of file"
%token SEPARATOR "end of line"
%token <integer> INTEGER "number"
%token <text> REAL "real number" IDENT "name" WORD "word" STRING "string" NAMEPART "layer name"
%token NAME_OPEN "{ of a computed name" NAME_CLOSE "} of a computed name"
%token <dims> DIMS2 "kernel size" DIMS3 "image size"
%token <layer> LAYER "layer" PAD "'pad'" IDENTITY "'identity'" ADD "'add'"
%token <text> FLAG "attribute" KEY "attribute with a value"
%token NETWORK "'network'" BLOCK "'block'" IMPORT "'import'" TRAIN "'train'" INPUT "'input'" STAGE "'stage'"
%token RESIDUAL "'residual'" SHORTCUT "'shortcut'" PROJECT "'project'" ALWAYS "'always'" NONE "'none'" FILL "'fill'"
%token CONCAT "'concat'" GATE "'gate'" REPEAT "'repeat'" IF "'if'" ELSE "'else'" AS "'as'" FROM "'from'" OUTPUT "'output'"
%token NO "'no'" TRUE "'true'" FALSE "'false'" X "'x'"
%token OR_ELSE "'or'"
%token EQ "'=='" NE "'!='" LE "'<='" GE "'>='" AND "'&&'" OR "'||'"

%precedence ALONE /* what follows belongs to it: `dropout a /2` divides, `f (x)` calls */
%precedence '(' NAMEPART NAME_OPEN /* a name goes on as far as it can */
%right '?' ':'
%left OR
%left AND
%nonassoc EQ NE LE GE '<' '>'
%left '+' '-'
%left '*' '/' '%'
%precedence UNARY

%type <stmts> body stmts
%type <stmt> stmt stmt_or_none layer else_opt
%type <layer> layer_word
%type <options> options tail stride_opt
%type <args> args use_args use_arg_list
%type <arg> arg kernel list value stride use_arg size
%type <attr> attr
%type <expr> expr primary
%type <exprs> expr_list
%type <name> as_opt name
%type <parts> name_parts name_part
%type <branches> branches
%type <branch> branch
%type <shortcut> shortcut_opt
%type <flag> fill_opt
%type <params> params param_list
%type <param> param
%type <items> train_items
%type <item> train_item
%type <trains> train_stmts train_stmt

%%

file: decl_or_none | file separator decl_or_none ;
separator: SEPARATOR { yyerrok; } ; /* the next statement's errors are its own */

decl_or_none: %empty | network | block | import | train | error ;

network: NETWORK IDENT params body {
        Decl *decl = arena_alloc(parser->arena, sizeof *decl);
        *decl = (Decl){.name = $2, .place = @2, .params = $3.first, .body = $4.first, .source = parser->source};
        parser_add_decl(parser, decl, true);
    }
    | NETWORK error
    | NETWORK error body ;

block: BLOCK IDENT params body {
        Decl *decl = arena_alloc(parser->arena, sizeof *decl);
        *decl = (Decl){.name = $2, .place = @2, .params = $3.first, .body = $4.first, .source = parser->source};
        parser_add_decl(parser, decl, false);
    }
    | BLOCK error
    | BLOCK error body ;

import: IMPORT STRING { parser_import(parser, $2, @2); } ;

params: %empty               { NONE_YET($$); }
      | '(' ')'              { NONE_YET($$); }
      | '(' param_list ')'   { $$ = $2; } ;
param_list: param                 { NONE_YET($$); APPEND($$, $1); }
          | param_list ',' param  { $$ = $1; APPEND($$, $3); } ;
param: IDENT          { $$ = arena_alloc(parser->arena, sizeof *$$); $$->name = $1; $$->place = @1; }
     | IDENT '=' expr { $$ = arena_alloc(parser->arena, sizeof *$$); $$->name = $1; $$->place = @1; $$->value = $3; } ;

body: open stmts '}' { $$ = $2; } ;
open: '{' { yyerrok; } ;
stmts: stmt_or_none                  { NONE_YET($$); APPEND($$, $1); }
     | stmts separator stmt_or_none  { $$ = $1; APPEND($$, $3); } ;
stmt_or_none: %empty { $$ = NULL; }
            | stmt
            | error  { $$ = NULL; } ;

stmt: layer
    | INPUT size        { $$ = stmt_new(parser, STMT_INPUT, @$); $$->args = $2; }
    | INPUT size tail   {
        $$ = stmt_new(parser, STMT_INPUT, @$);
        $$->args = $2;
        $$->attrs = $3.attrs;
        if ($3.stride) diag_error(parser->diag, $3.stride->place, "the input has no stride");
    }
    | IDENT use_args stride_opt as_opt {
        $$ = stmt_new(parser, STMT_USE, @$);
        $$->word = $1; $$->word_place = @1; $$->args = $2.first; $$->stride = $3.stride; $$->name = $4;
    }
    | STAGE expr IDENT use_args stride_opt as_opt {
        $$ = stmt_new(parser, STMT_STAGE, @$);
        $$->expr = $2; $$->word = $3; $$->word_place = @3; $$->args = $4.first; $$->stride = $5.stride; $$->name = $6;
    }
    | RESIDUAL body shortcut_opt fill_opt {
        $$ = stmt_new(parser, STMT_RESIDUAL, @1);
        $$->body = $2.first; $$->shortcut = $3.kind; $$->other = $3.body; $$->shortcut_place = $3.place; $$->fill = $4;
        if (!$$->shortcut_place.source) $$->shortcut_place = @1;
        if ($4 && $3.kind == SHORTCUT_IDENTITY_OR_NONE)
            diag_error(parser->diag, @4, "there is nothing to fill: `identity or none` adds only where the shapes agree");
    }
    | CONCAT open branches '}' { $$ = stmt_new(parser, STMT_CONCAT, @1); $$->branches = $3.first; }
    | GATE body as_opt        { $$ = stmt_new(parser, STMT_GATE, @1); $$->body = $2.first; $$->name = $3; }
    | REPEAT expr body as_opt {
        $$ = stmt_new(parser, STMT_REPEAT, place_join(@1, @2));
        $$->expr = $2; $$->body = $3.first; $$->name = $4;
    }
    | IF '(' expr ')' body else_opt {
        $$ = stmt_new(parser, STMT_IF, place_join(@1, @4));
        $$->expr = $3; $$->body = $5.first; $$->other = $6;
    }
    | FROM name        { $$ = stmt_new(parser, STMT_FROM, @$); $$->target = $2; }
    | OUTPUT           { $$ = stmt_new(parser, STMT_OUTPUT, @$); }
    | OUTPUT tail      { $$ = output_stmt(parser, NULL, $2.attrs, $2.stride, @$); }
    | OUTPUT name      { $$ = stmt_new(parser, STMT_OUTPUT, @$); $$->target = $2; }
    | OUTPUT name tail { $$ = output_stmt(parser, $2, $3.attrs, $3.stride, @$); }
    | IDENT body shortcut_opt fill_opt { $$ = NULL; unknown_body(parser, $1, @1); }
    | wrong { $$ = NULL; } ;

/* the head of a statement is wrong; its body is read all the same */
wrong: RESIDUAL error | RESIDUAL error body shortcut_opt fill_opt
     | CONCAT error   | CONCAT error open branches '}'
     | GATE error     | GATE error body as_opt
     | REPEAT error   | REPEAT error body as_opt
     | IF error       | IF error body else_opt ;

else_opt: %empty     { $$ = NULL; }
        | ELSE body  { $$ = $2.first; }
        | ELSE IF '(' expr ')' body else_opt {
            $$ = stmt_new(parser, STMT_IF, place_join(@2, @5));
            $$->expr = $4; $$->body = $6.first; $$->other = $7; $$->is_else_if = true;
        } ;

shortcut_opt: %empty                  { $$.kind = SHORTCUT_PROJECT; $$.body = NULL; $$.place = (Place){0}; }
            | SHORTCUT PROJECT        { $$.kind = SHORTCUT_PROJECT; $$.body = NULL; $$.place = @$; }
            | SHORTCUT PROJECT ALWAYS { $$.kind = SHORTCUT_PROJECT_ALWAYS; $$.body = NULL; $$.place = @$; }
            | SHORTCUT IDENTITY       { $$.kind = SHORTCUT_IDENTITY; $$.body = NULL; $$.place = @$; }
            | SHORTCUT IDENTITY OR_ELSE NONE {
                $$.kind = SHORTCUT_IDENTITY_OR_NONE; $$.body = NULL; $$.place = @$;
            }
            | SHORTCUT PAD            { $$.kind = SHORTCUT_PAD; $$.body = NULL; $$.place = @$; }
            | SHORTCUT NONE           { $$.kind = SHORTCUT_NONE; $$.body = NULL; $$.place = @$; }
            | SHORTCUT body           { $$.kind = SHORTCUT_BODY; $$.body = $2.first; $$.place = @1; }
            | SHORTCUT ALWAYS body    { $$.kind = SHORTCUT_BODY_ALWAYS; $$.body = $3.first; $$.place = @1; } ;
fill_opt: %empty { $$ = false; } | FILL { $$ = true; } ;

branches: %empty              { NONE_YET($$); }
        | branches SEPARATOR
        | branches error
        | branches branch     { $$ = $1; APPEND($$, $2); } ;
branch: body as_opt {
        $$ = arena_alloc(parser->arena, sizeof *$$);
        $$->body = $1.first; $$->name = $2; $$->place = @1;
    } ;

layer: layer_word as_opt         { $$ = layer_stmt(parser, $1.op, $1.word, NULL, NULL, NULL, $2, @$); }
     | layer_word options as_opt { $$ = layer_stmt(parser, $1.op, $1.word, $2.args, $2.attrs, $2.stride, $3, @$); }
     | ADD name fill_opt as_opt  {
        $$ = stmt_new(parser, STMT_LAYER, @$);
        $$->op = OP_ADD; $$->target = $2; $$->fill = $3; $$->name = $4;
     } ;
layer_word: LAYER | PAD | IDENTITY ;

options: args       { $$.args = $1.first; $$.attrs = NULL; $$.stride = NULL; }
       | tail
       | args tail  { $$ = $2; $$.args = $1.first; } ;
args: arg           { NONE_YET($$); APPEND($$, $1); }
    | args ',' arg  { $$ = $1; APPEND($$, $3); } ;
arg: expr %prec ALONE { $$ = arg_new(parser, ARG_EXPR, $1, @1); } | kernel | size | list ;
kernel: DIMS2              { $$ = dims_arg(parser, $1, 2, @1); }
      | primary X primary  { $1->next = $3; $$ = arg_new(parser, ARG_DIMS, $1, @$); } ;
list: '[' expr_list ']'    { $$ = arg_new(parser, ARG_LIST, $2.first, @$); } ;
size: DIMS3                         { $$ = dims_arg(parser, $1, 3, @1); }
    | primary X primary X primary   { $1->next = $3; $3->next = $5; $$ = arg_new(parser, ARG_DIMS, $1, @$); } ;

/* attributes and the stride, in any order, with commas or without */
tail: attr        { $$.args = NULL; $$.attrs = $1; $$.stride = NULL; }
    | ',' attr    { $$.args = NULL; $$.attrs = $2; $$.stride = NULL; }
    | stride      { $$.args = NULL; $$.attrs = NULL; $$.stride = $1; }
    | ',' stride  { $$.args = NULL; $$.attrs = NULL; $$.stride = $2; }
    | tail attr       { $$ = $1; attrs_append(&$$.attrs, $2); }
    | tail ',' attr   { $$ = $1; attrs_append(&$$.attrs, $3); }
    | tail stride     { $$ = $1; second_stride(parser, $1.stride, $2); $$.stride = $2; }
    | tail ',' stride { $$ = $1; second_stride(parser, $1.stride, $3); $$.stride = $3; } ;
attr: FLAG          { $$ = attr_new(parser, $1, NULL, @1); }
    | FLAG primary  { $$ = attr_new(parser, $1, arg_new(parser, ARG_EXPR, $2, @2), @$); }
    | NO FLAG       { $$ = attr_new(parser, $2, NULL, @$); $$->negated = true; }
    | KEY value     { $$ = attr_new(parser, $1, $2, @$); } ;
value: primary      { $$ = arg_new(parser, ARG_EXPR, $1, @1); }
     | '-' primary  { $$ = arg_new(parser, ARG_EXPR, expr_unary(parser, EXPR_NEG, $2, @$), @$); }
     | kernel | list ;
stride: '/' primary { $$ = arg_new(parser, ARG_EXPR, $2, @$); parser_mark_stride(parser, @1); check_stride(parser, @1, @$); }
      | '/' DIMS2   { $$ = dims_arg(parser, $2, 2, @$); parser_mark_stride(parser, @1); } ;
stride_opt: %empty  { $$.args = NULL; $$.attrs = NULL; $$.stride = NULL; }
          | stride  { $$.args = NULL; $$.attrs = NULL; $$.stride = $1; } ;

use_args: %empty                { NONE_YET($$); }
        | '(' ')'               { NONE_YET($$); }
        | '(' use_arg_list ')'  { $$ = $2; } ;
use_arg_list: use_arg                   { NONE_YET($$); APPEND($$, $1); }
            | use_arg_list ',' use_arg  { $$ = $1; APPEND($$, $3); } ;
use_arg: expr            { $$ = arg_new(parser, ARG_EXPR, $1, @1); }
       | IDENT '=' expr  { $$ = arg_new(parser, ARG_EXPR, $3, @$); $$->name = $1; } ;

as_opt: %empty { $$ = NULL; } | AS name { $$ = $2; } ;
name: name_parts %prec ALONE { $$ = arena_alloc(parser->arena, sizeof *$$); $$->parts = $1.first; $$->place = @1; } ;
name_parts: name_part | name_parts name_part { $$ = $1; APPEND($$, $2.first); } ;
name_part: NAMEPART {
            NONE_YET($$);
            NamePart *part = arena_alloc(parser->arena, sizeof *part);
            *part = (NamePart){.text = $1, .place = @1};
            APPEND($$, part);
         }
         | NAME_OPEN expr NAME_CLOSE {
            NONE_YET($$);
            NamePart *part = arena_alloc(parser->arena, sizeof *part);
            *part = (NamePart){.expr = $2, .place = @2};
            APPEND($$, part);
         } ;

expr: primary
    | '-' expr %prec UNARY { $$ = expr_unary(parser, EXPR_NEG, $2, @$); }
    | '!' expr %prec UNARY { $$ = expr_unary(parser, EXPR_NOT, $2, @$); }
    | expr '+' expr { $$ = expr_binary(parser, EXPR_ADD, $1, $3, @$); }
    | expr '-' expr { $$ = expr_binary(parser, EXPR_SUB, $1, $3, @$); }
    | expr '*' expr { $$ = expr_binary(parser, EXPR_MUL, $1, $3, @$); }
    | expr '/' expr { $$ = expr_binary(parser, EXPR_DIV, $1, $3, @$); }
    | expr '%' expr { $$ = expr_binary(parser, EXPR_MOD, $1, $3, @$); }
    | expr EQ expr  { $$ = expr_binary(parser, EXPR_EQ, $1, $3, @$); }
    | expr NE expr  { $$ = expr_binary(parser, EXPR_NE, $1, $3, @$); }
    | expr '<' expr { $$ = expr_binary(parser, EXPR_LT, $1, $3, @$); }
    | expr LE expr  { $$ = expr_binary(parser, EXPR_LE, $1, $3, @$); }
    | expr '>' expr { $$ = expr_binary(parser, EXPR_GT, $1, $3, @$); }
    | expr GE expr  { $$ = expr_binary(parser, EXPR_GE, $1, $3, @$); }
    | expr AND expr { $$ = expr_binary(parser, EXPR_AND, $1, $3, @$); }
    | expr OR expr  { $$ = expr_binary(parser, EXPR_OR, $1, $3, @$); }
    | expr '?' expr ':' expr { $$ = expr_choice(parser, $1, $3, $5, @$); } ;
primary: INTEGER { $$ = expr_int(parser, $1, @1); }
       | REAL    { $$ = expr_new(parser, EXPR_REAL, @1); $$->name = $1; $$->real = strtod($1, NULL); }
       | TRUE    { $$ = expr_new(parser, EXPR_BOOL, @1); $$->integer = 1; }
       | FALSE   { $$ = expr_new(parser, EXPR_BOOL, @1); }
       | IDENT %prec ALONE { $$ = expr_new(parser, EXPR_NAME, @1); $$->name = $1; }
       | IDENT '(' expr_list ')' { $$ = expr_call(parser, $1, $3.first, @$); }
       | '(' expr ')' { $$ = $2; $$->place = @$; } ;
expr_list: expr                { NONE_YET($$); APPEND($$, $1); }
         | expr_list ',' expr  { $$ = $1; APPEND($$, $3); } ;

train: TRAIN '{' train_stmts '}' { parser_add_train(parser, $3.first, @1); } ;
train_stmts: train_stmt
           | train_stmts separator train_stmt { $$ = $1; APPEND($$, $3.first); } ;
train_stmt: %empty  { NONE_YET($$); }
          | error   { NONE_YET($$); }
          | train_items {
            NONE_YET($$);
            TrainStmt *stmt = arena_alloc(parser->arena, sizeof *stmt);
            *stmt = (TrainStmt){.items = $1.first, .place = @$};
            APPEND($$, stmt);
          } ;
train_items: train_item              { NONE_YET($$); APPEND($$, $1); }
           | train_items train_item  { $$ = $1; APPEND($$, $2); } ;
train_item: value {
            $$ = arena_alloc(parser->arena, sizeof *$$);
            *$$ = (TrainItem){.value = $1, .place = @1};
          }
          | WORD { /* of a phrase, or a parameter; `for (n)` calls nothing */
            Expr *expr = expr_new(parser, EXPR_NAME, @1);
            expr->name = $1;
            $$ = arena_alloc(parser->arena, sizeof *$$);
            *$$ = (TrainItem){.value = arg_new(parser, ARG_EXPR, expr, @1), .place = @1};
          }
          | name {
            $$ = arena_alloc(parser->arena, sizeof *$$);
            *$$ = (TrainItem){.name = $1, .place = @1};
          }
          | ',' { $$ = arena_alloc(parser->arena, sizeof *$$); *$$ = (TrainItem){.punctuation = ',', .place = @1}; }
          | '<' { $$ = arena_alloc(parser->arena, sizeof *$$); *$$ = (TrainItem){.punctuation = '<', .place = @1}; }
          | '%' { $$ = arena_alloc(parser->arena, sizeof *$$); *$$ = (TrainItem){.punctuation = '%', .place = @1}; } ;

%%


static Arg *dims_arg(Parser *parser, const int *dims, int count, Place place) {
    Expr *first = NULL;
    for (int i = count - 1; i >= 0; i--) {
        Expr *expr = expr_int(parser, dims[i], place);
        expr->next = first;
        first = expr;
    }
    return arg_new(parser, ARG_DIMS, first, place);
}

static Stmt *output_stmt(Parser *parser, Name *target, AttrUse *attrs, const Arg *stride, Place place) {
    Stmt *stmt = stmt_new(parser, STMT_OUTPUT, place);
    stmt->target = target;
    stmt->attrs = attrs;
    if (stride) diag_error(parser->diag, stride->place, "an output has no stride");
    return stmt;
}

static Stmt *layer_stmt(Parser *parser, Op op, const char *word, Arg *args, AttrUse *attrs, Arg *stride, Name *name, Place place) {
    Stmt *stmt = stmt_new(parser, STMT_LAYER, place);
    stmt->op = op;
    if (strcmp(word, layer_word(op)) != 0) {
        stmt->word = word;
        Ast *ast = parser->ast;
        ARENA_PUSH(parser->arena, ast->by_other_words, ast->other_word_count, ast->other_word_capacity, stmt);
    }
    stmt->args = args;
    stmt->attrs = attrs;
    stmt->stride = stride;
    stmt->name = name;
    return stmt;
}

static void attrs_append(AttrUse **list, AttrUse *attr) {
    while (*list) list = &(*list)->next;
    *list = attr;
}

static void second_stride(Parser *parser, const Arg *first, const Arg *second) {
    if (!first) return;
    diag_error(parser->diag, second->place, "a second stride");
    diag_note(parser->diag, first->place, "the first is here");
}

static void unknown_body(Parser *parser, const char *word, Place place) {
    static const char *const words[] = {"residual", "concat", "gate", "repeat", "if", "shortcut"};
    const char *near = diag_suggest(word, words, sizeof words / sizeof *words);
    Text message = {0};
    const char *otherwise = "no statement with a body is called";
    if (near) text_printf(&message, "%s '%s'; did you mean '%s'?", otherwise, word, near);
    else ast_unknown_word(parser->ast, word, otherwise, &message);
    diag_error(parser->diag, place, "%s", message.s);
    text_free(&message);
}

static void yyerror(const Place *place, Parser *parser, const char *message) {
    bool deep = strcmp(message, "memory exhausted") == 0; /* the parser's stack is bounded, and bison calls it that */
    if (!parser->gave_up) diag_error(parser->diag, *place, "%s", deep ? "this is nested too deeply" : message);
    parser->gave_up = true;
}

/* ---- messages ---- */
static const Token *current_token(const Parser *parser) {
    return &parser->tokens[parser->current];
}

/* The token `back` places before the one at `index` that the parser sees; NULL at the file's start. */
static const Token *token_before(const Parser *parser, int index, int back) {
    while (index > 0 && back > 0)
        if (parser->tokens[--index].kind >= 0) back--;
    return back ? NULL : &parser->tokens[index];
}

static const char *token_string(const Parser *parser, const Token *token) {
    return arena_strndup(parser->arena, token->text, token->length);
}

static void report(const Parser *parser, Place place, Text *message) {
    diag_error(parser->diag, place, "%s", message->s);
    text_free(message);
}

/* The misspelt word that the statement began with: what follows it at once makes no sense. */
static bool report_first_word(Parser *parser) {
    int first = statement_start(parser, parser->current);
    const Token *word = &parser->tokens[first];
    if (word->kind != T_IDENT || token_before(parser, parser->current, 1) != word) return false;
    if (map_get(&parser->ast->block_map, word->value.text)) return false;
    Text message = {0};
    ast_unknown_word(parser->ast, word->value.text, "unknown layer or block", &message);
    report(parser, word->place, &message);
    return true;
}

/* The layer that the current statement is, or the input; false where it is another. */
static bool statement_layer(const Parser *parser, LayerWord *layer) {
    const Token *first = &parser->tokens[statement_start(parser, parser->current)];
    *layer = (LayerWord){OP_COUNT, "input", input_attrs};
    if (first->kind == T_INPUT) return true;
    bool is = first->kind == T_LAYER || first->kind == T_PAD || first->kind == T_IDENTITY;
    return is && layer_by_word(first->value.layer.word, layer);
}

/* Is the token between brackets of its statement? */
static int open_parens(const Parser *parser) {
    int depth = 0;
    for (int i = statement_start(parser, parser->current); i < parser->current; i++) {
        int kind = parser->tokens[i].kind;
        depth += (kind == '(' || kind == '[') - (kind == ')' || kind == ']');
    }
    return depth;
}

/* A word that is no attribute of this layer; or the word before a value, as in `3x3, strid 2`. */
static bool report_attribute(Parser *parser, yysymbol_kind_t kind) {
    LayerWord layer;
    if (open_parens(parser) || !statement_layer(parser, &layer)) return false;
    const Token *word = current_token(parser), *before = token_before(parser, parser->current, 1);
    const Token *earlier = token_before(parser, parser->current, 2);
    int first = statement_start(parser, parser->current);
    bool value = kind == YYSYMBOL_INTEGER || kind == YYSYMBOL_REAL || kind == YYSYMBOL_DIMS2 || kind == YYSYMBOL_IDENT ||
                 word->kind == '[' || word->kind == '=';
    bool features = layer.op == OP_CONV || layer.op == OP_FC; /* may be a name */
    if (before && (before->kind == T_NAMEPART || before->kind == T_NAME_CLOSE)) return false;
    bool behind = earlier && (earlier->kind == ',' || earlier->kind == T_FLAG || (!features && earlier == &parser->tokens[first]));
    if (value && before && before->kind == T_IDENT && behind) word = before;
    else if (kind != YYSYMBOL_IDENT) return false;
    Text message = {0};
    unknown_attr(word->value.text, layer.standard, layer.attrs, &message);
    report(parser, word->place, &message);
    return true;
}

static bool begins_operand(yysymbol_kind_t kind) {
    return kind == YYSYMBOL_INTEGER || kind == YYSYMBOL_REAL || kind == YYSYMBOL_IDENT || kind == YYSYMBOL_DIMS2 ||
           kind == YYSYMBOL_DIMS3;
}

/* An expression may go on almost anywhere; to say so helps nobody. */
static bool is_operator(yysymbol_kind_t kind) {
    const char *name = yysymbol_name(kind);
    static const char *const operators[] = {"'+'", "'-'", "'*'", "'/'", "'%'", "'<'", "'>'", "'?'", "'('"};
    for (size_t i = 0; i < sizeof operators / sizeof *operators; i++)
        if (strcmp(name, operators[i]) == 0) return true;
    return kind == YYSYMBOL_EQ || kind == YYSYMBOL_NE || kind == YYSYMBOL_LE || kind == YYSYMBOL_GE ||
           kind == YYSYMBOL_AND || kind == YYSYMBOL_OR || kind == YYSYMBOL_X;
}

/* The operand that ends before the token at `index`: where it begins. */
static int operand_start(const Parser *parser, int index) {
    int depth = 0;
    while (index > 0) {
        int kind = parser->tokens[--index].kind;
        depth += (kind == ')') - (kind == '(');
        if (kind >= 0 && depth == 0) break;
    }
    const Token *before = token_before(parser, index, 1);
    bool call = parser->tokens[index].kind == '(' && before && before->kind == T_IDENT;
    return call ? (int)(before - parser->tokens) : index;
}

/* The expression that goes on behind the token at `index`: the index behind it. */
static int expression_end(const Parser *parser, int index) {
    for (int depth = 0;; index++) {
        int kind = parser->tokens[index].kind;
        depth += (kind == '(') - (kind == ')');
        bool ends = kind == T_SEPARATOR || kind == T_END || kind == '}' || kind == '{';
        bool next = kind == ',' || kind == T_KEY || kind == T_FLAG || kind == T_AS || kind == T_NO || kind == T_X;
        if (ends || depth < 0 || (depth == 0 && next)) return index;
    }
}

enum { LONGEST_QUOTE = 100 };

/* The source's text of the tokens from `start` to before `end`, and so many bytes behind them. NULL where that is long,
 * more than a line, or lacks a bracket. */
static const char *quoted(const Parser *parser, int start, int end, int behind) {
    const Token *first = &parser->tokens[start], *last = &parser->tokens[end - 1];
    for (const Token *token = first; token <= last; token++)
        if (token->error || token->place.length == 0) return NULL;
    const int length = last->offset + last->place.length + behind - first->offset;
    if (length <= 0 || length > LONGEST_QUOTE || (size_t)(first->offset + length) > parser->source->size) return NULL;
    const char *text = parser->source->text + first->offset;
    return memchr(text, '\n', (size_t)length) ? NULL : arena_strndup(parser->arena, text, (size_t)length);
}

/* `groups 2*c`: the value of an attribute, of a stride and in a size is one number or name, or stands in brackets. */
static bool report_brackets(Parser *parser, yysymbol_kind_t kind) {
    LayerWord layer;
    if (!is_operator(kind) || current_token(parser)->kind == '(' || open_parens(parser)) return false;
    if (kind == YYSYMBOL_X || !statement_layer(parser, &layer)) return false;
    int start = operand_start(parser, parser->current), end = expression_end(parser, parser->current);
    const Token *word = token_before(parser, start, 1);
    if (word && word->kind == '-') word = token_before(parser, --start, 1);
    bool stride = word && word->kind == '/', size = word && word->kind == T_X;
    bool attribute = word && (word->kind == T_KEY || word->kind == T_FLAG);
    if (!attribute && !stride && !size) return false;
    const Token *first = &parser->tokens[start], *last = &parser->tokens[end - 1];
    Place place = place_join(first->place, last->place);
    const char *quote = quoted(parser, start, end, 0), *head = attribute ? token_string(parser, word) : stride ? "/" : "x";
    if (quote)
        diag_error(parser->diag, place, "an expression needs brackets here: `%s%s(%s)`", head, stride ? "" : " ", quote);
    else
        diag_error(parser->diag, place, "an expression needs brackets here");
    return true;
}

/* `groups g/2`: a stride by the grammar, and meant as a quotient. */
static void check_stride(Parser *parser, Place slash, Place stride) {
    int index = parser->current;
    while (index > 0 && !(parser->tokens[index].is_stride && parser->tokens[index].place.line == slash.line &&
                          parser->tokens[index].place.column == slash.column))
        index--;
    const Token *value = token_before(parser, index, 1);
    if (!value || value->place.line != slash.line || value->place.column + value->place.length != slash.column) return;
    if (value->kind != T_INTEGER && value->kind != T_REAL && value->kind != T_IDENT && value->kind != ')') return;
    int start = operand_start(parser, index);
    const Token *word = token_before(parser, start, 1);
    if (!word || word->kind != T_KEY) return;
    const char *quote = quoted(parser, start, index, stride.length);
    diag_error(parser->diag, stride, "a quotient or a stride? write `%s (%s)`, or a blank before the slash",
               token_string(parser, word), quote ? quote : "...");
}

enum { MOST_EXPECTED = 6, MOST_ERRORS = 100 };

/* "; expected A, B or C", where these are few; or the word that was meant. */
static void add_expected(const yypcontext_t *context, yysymbol_kind_t kind, const char *word, Text *message) {
    yysymbol_kind_t expected[YYNTOKENS];
    const char *names[YYNTOKENS], *words[YYNTOKENS];
    int count = yypcontext_expected_tokens(context, expected, YYNTOKENS), kept = 0, nwords = 0;
    bool comma = false, end = false, operand = false, flag = false;
    for (int i = 0; i < count; i++) {
        const char *name = yysymbol_name(expected[i]);
        if (strcmp(name, "','") == 0) comma = true;
        if (expected[i] == YYSYMBOL_SEPARATOR) end = true;
        if (expected[i] == YYSYMBOL_INTEGER) operand = true;
        if (expected[i] == YYSYMBOL_FLAG) flag = true;
        bool other = is_operator(expected[i]) || (expected[i] == YYSYMBOL_KEY && flag); /* both are attributes */
        if (!other) names[kept++] = name;
        if (name[0] == '\'' && name[1] >= 'a' && name[1] <= 'z') words[nwords++] = name;
    }
    for (int i = 0; word && i < nwords; i++) {
        char plain[32];
        snprintf(plain, sizeof plain, "%.*s", (int)strlen(words[i]) - 2, words[i] + 1);
        const char *one = plain;
        if (!diag_suggest(word, &one, 1)) continue;
        text_printf(message, "; did you mean %s?", words[i]);
        return;
    }
    bool layer = kind == YYSYMBOL_LAYER || kind == YYSYMBOL_PAD || kind == YYSYMBOL_IDENTITY;
    if (comma && begins_operand(kind)) text_puts(message, "; is a ',' missing before it?");
    else if (end && layer) text_puts(message, "; is a ';' missing before it?");
    else if (operand && !end && !begins_operand(kind)) text_puts(message, "; a number or a name is missing before it");
    else
        for (int i = 0; i < kept && kept <= MOST_EXPECTED; i++)
            text_printf(message, "%s%s", i == 0 ? "; expected " : i + 1 < kept ? ", " : " or ", names[i]);
}

/* What other languages write so: the token that is meant, and what it is here. */
static const char *other_language(const Parser *parser, const Token **token) {
    static const char *const words[][2] = {{"and", "&&"}, {"or", "||"}, {"not", "!"}, {"is", "=="}, {"elif", "else if"}, {"elseif", "else if"}};
    const Token *first = &parser->tokens[statement_start(parser, parser->current)], *here = *token;
    const Token *near[] = {here, token_before(parser, parser->current, 1)};
    for (int n = 0; n < 2; n++)
        for (int i = 0; near[n] && near[n]->kind == T_IDENT && i < 6; i++)
            if (strcmp(near[n]->value.text, words[i][0]) == 0) return *token = near[n], words[i][1];
    if (here->kind == '=' && first->kind == T_IF) return "==";
    bool comment = here->kind == '/' && (here->text[1] == '/' || here->text[1] == '*' || near[1]->kind == '/');
    return comment ? "#" : NULL;
}

static bool say(Parser *parser, Place place, const char *text) {
    diag_error(parser->diag, place, "%s", text);
    return true;
}

/* Mistakes that have a message of their own. */
static bool report_known(Parser *parser, yysymbol_kind_t kind) {
    const Token *token = current_token(parser), *before = token_before(parser, parser->current, 1);
    const Token *first = &parser->tokens[statement_start(parser, parser->current)];
    bool starts = token == first || (before && before->kind == '}');
    if (token->in_concat && starts && kind != YYSYMBOL_SEPARATOR && token->kind != '}' && token->kind != ',')
        return say(parser, token->place, "a branch of concat stands in braces, as in `{ conv 64, 1x1; relu }`");
    if (!before) return false;
    const Token *earlier = token_before(parser, parser->current, 2);
    bool comment = token->kind == '/' && (token->text[1] == '/' || token->text[1] == '*');
    if (token == first && (token->kind == ',' || (is_operator(kind) && kind != YYSYMBOL_X && token->kind != '(' && !comment)))
        return say(parser, token->place, "a line goes on in the next one only where it ends in a ','");
    bool arrow = token->kind == '-' && token->text[1] == '>';
    if (arrow || (token->kind == '>' && before->kind == '-'))
        return say(parser, arrow ? token->place : before->place, "layers are parted by ';' or the end of the line");
    if (first->kind == T_INPUT && (before == first || (earlier == first && before->kind == T_INTEGER)))
        return say(parser, token->place, "the input's size is needed here, as in `input 3x224x224`");
    if (before->kind == T_IF && token->kind != '(') return say(parser, token->place, "the condition of an `if` stands in brackets");
    if ((before->kind == T_NAMEPART || before->kind == T_NAME_CLOSE) && (kind == YYSYMBOL_KEY || kind == YYSYMBOL_FLAG || token->kind == '/'))
        return say(parser, token->place, "`as NAME` stands at the end, behind attributes and stride");
    if (token->kind == '=' && (before->kind == T_KEY || before->kind == T_FLAG))
        return say(parser, token->place, "an attribute's value follows it without '=', as in `pad 1`");
    if (token->kind == '=' && before == first && before->kind == T_IDENT)
        return say(parser, token->place, "nothing is assigned here; a layer's name follows it, as in `conv 64, 3x3 as stem`");
    bool block = before == first && before->kind == T_IDENT && map_get(&parser->ast->block_map, before->value.text);
    if (block && begins_operand(kind)) return say(parser, token->place, "a block's arguments stand in brackets, as in `basic(64)`");
    bool size = kind == YYSYMBOL_IDENT && token->value.text[0] == 'x' && isdigit((unsigned char)token->value.text[1]);
    if (size && (before->kind == T_INTEGER || before->kind == T_IDENT))
        return say(parser, token->place, "a size is one word, as `3x3`, or has blanks around its x, as `k x 3`");
    return false;
}

/* `conv(64, 3x3)` */
static bool report_call(Parser *parser) {
    const Token *first = &parser->tokens[statement_start(parser, parser->current)];
    const Token *token = current_token(parser);
    bool layer = first->kind == T_LAYER && first < token && first[1].kind == '(' && open_parens(parser) == 1;
    if (!layer || (token->kind != ',' && token->kind != ')' && token->kind != T_DIMS2 && token->kind != T_X && token->kind != '='))
        return false;
    diag_error(parser->diag, first[1].place, "a layer has its arguments without brackets, as in `conv 64, 3x3 /2`");
    return true;
}

static int yyreport_syntax_error(const yypcontext_t *context, Parser *parser) {
    yysymbol_kind_t kind = yypcontext_token(context);
    const Token *token = current_token(parser);
    if (kind == YYSYMBOL_YYEMPTY || parser->gave_up) return 0;
    parser_recover(parser);
    if (token->error) return 0; /* it has been said what is wrong */
    if (parser->diag->errors >= MOST_ERRORS) parser->gave_up = true; /* this is no rn source */
    bool told = !token->in_train && (report_known(parser, kind) || report_first_word(parser) || report_attribute(parser, kind) ||
                                     report_brackets(parser, kind) || report_call(parser));
    if (told) return 0;
    Text message = {0};
    const char *other = other_language(parser, &token), *text = token_string(parser, token);
    bool shown = kind != YYSYMBOL_YYEOF && kind != YYSYMBOL_SEPARATOR && token->length > 0 && token->length <= 60;
    if (shown) text_printf(&message, "unexpected '%s'", text);
    else text_printf(&message, "unexpected %s", yysymbol_name(kind));
    if (kind == YYSYMBOL_LAYER) text_puts(&message, ", the name of a layer");
    if (other) text_printf(&message, "; did you mean '%s'?", other);
    else if (kind == YYSYMBOL_ELSE) text_puts(&message, "; there is no `if` before it");
    else add_expected(context, kind, kind == YYSYMBOL_IDENT ? text : NULL, &message);
    report(parser, token->place, &message);
    return 0;
}

int parse_source(Parser *parser) {
    tokens_read(parser);
    int status = grammar_parse(parser);
    if (!parser->record) arena_free(&parser->token_arena);
    return status;
}
