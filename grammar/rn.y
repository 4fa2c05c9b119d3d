/* The rn language. Actions only build the tree (compiler/ast.h); what it means is elaborate.c's.
 *
 * `/` divides inside an expression; a stride's `/` follows something that no expression continues: a kernel, an attribute's
 * value, a block's arguments. Hence attribute values and strides are primaries, and a `,` ends the number of channels.
 * Errors resume at the end of the statement.
 */
%code requires {
#include "parse.h"

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
%param { void *scanner }
%parse-param { Parser *parser }
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
#include "rn.lex.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static void yyerror(const Place *place, void *scanner, Parser *parser, const char *message);
static Arg *dims_arg(Parser *parser, const int *dims, int count, Place place);
static Stmt *layer_stmt(Parser *parser, Op op, const char *word, Arg *args, AttrUse *attrs, Arg *stride, Name *name, Place place);
static void attrs_append(AttrUse **list, AttrUse *attr);
static void second_stride(Parser *parser, const Arg *first, const Arg *second);
static void unknown_body(Parser *parser, const char *word, Place place);

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
%token <text> REAL "real number" IDENT "name" STRING "string" NAMEPART "layer name"
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
%precedence '('
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
%type <text> decl_name
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

network: NETWORK decl_name params body {
        Decl *decl = arena_alloc(parser->arena, sizeof *decl);
        *decl = (Decl){.name = $2, .place = @2, .params = $3.first, .body = $4.first, .source = parser->source};
        parser_add_decl(parser, decl, true);
    } ;

block: BLOCK decl_name params body {
        Decl *decl = arena_alloc(parser->arena, sizeof *decl);
        *decl = (Decl){.name = $2, .place = @2, .params = $3.first, .body = $4.first, .source = parser->source};
        parser_add_decl(parser, decl, false);
    } ;

decl_name: IDENT | error { $$ = NULL; } ; /* the declaration goes on: its body has no errors for that */

import: IMPORT STRING { parser_import(parser, $2, @2); } ;

params: %empty               { NONE_YET($$); }
      | '(' ')'              { NONE_YET($$); }
      | '(' param_list ')'   { $$ = $2; } ;
param_list: param                 { NONE_YET($$); APPEND($$, $1); }
          | param_list ',' param  { $$ = $1; APPEND($$, $3); } ;
param: error          { $$ = NULL; }
     | IDENT          { $$ = arena_alloc(parser->arena, sizeof *$$); $$->name = $1; $$->place = @1; }
     | IDENT '=' expr { $$ = arena_alloc(parser->arena, sizeof *$$); $$->name = $1; $$->place = @1; $$->value = $3; } ;

body: '{' stmts '}' { $$ = $2; } ;
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
    | CONCAT '{' branches '}' { $$ = stmt_new(parser, STMT_CONCAT, @1); $$->branches = $3.first; }
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
    | OUTPUT name      { $$ = stmt_new(parser, STMT_OUTPUT, @$); $$->target = $2; }
    | IDENT body shortcut_opt fill_opt { $$ = NULL; unknown_body(parser, $1, @1); } ;

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
arg: expr %prec ALONE { $$ = arg_new(parser, ARG_EXPR, $1, @1); } | kernel | list ;
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
stride: '/' primary { $$ = arg_new(parser, ARG_EXPR, $2, @$); parser_mark_stride(parser, @1); }
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
name: name_parts { $$ = arena_alloc(parser->arena, sizeof *$$); $$->parts = $1.first; $$->place = @1; } ;
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

static void yyerror(const Place *place, void *scanner, Parser *parser, const char *message) {
    (void)scanner;
    bool deep = strcmp(message, "memory exhausted") == 0; /* the parser's stack is bounded, and bison calls it that */
    if (!parser->gave_up) diag_error(parser->diag, *place, "%s", deep ? "this is nested too deeply" : message);
    parser->gave_up = true;
}

/* The source from a place on; NULL where the place has no text. */
static const char *place_text(const Place *place) {
    const char *at = place->source->text, *end = at + place->source->size;
    for (int line = 1; at && line < place->line; line++) {
        at = memchr(at, '\n', (size_t)(end - at));
        if (at) at++;
    }
    return at && end - at >= place->column - 1 + place->length ? at + place->column - 1 : NULL;
}

/* The misspelt word that the statement began with: what follows it at once makes no sense. */
static bool report_first_word(Parser *parser, const Place *place) {
    const Place *word = &parser->word_place;
    bool unknown = parser->word_is_unknown && !map_get(&parser->ast->block_map, parser->word);
    if (!unknown || place->line != word->line || place->column <= word->column) return false;
    int gap = word->column + word->length - 1;
    const char *line = place_text(word);
    if (!line) return false;
    for (const char *at = line + word->length; gap < place->column - 1; gap++, at++)
        if (*at != ' ' && *at != '\t') return false;
    Text message = {0};
    ast_unknown_word(parser->ast, parser->word, "unknown layer or block", &message);
    diag_error(parser->diag, *word, "%s", message.s);
    text_free(&message);
    return true;
}

/* A word that is no attribute of this layer. */
static bool report_attribute(Parser *parser, const Place *place, const char *word) {
    if (!parser->attrs || parser->parens || parser->word_is_unknown) return false;
    Text message = {0};
    unknown_attr(word, parser->word, parser->attrs, &message);
    diag_error(parser->diag, *place, "%s", message.s);
    text_free(&message);
    return true;
}

/* A name right before a number, as in `3x3, strid 2`: read as an expression's, but meant as an attribute. */
static bool report_word_before(Parser *parser, const Place *place) {
    const char *at = place_text(place);
    if (!at || !parser->attrs) return false;
    const char *end = at, *start = at - (place->column - 1);
    while (end > start && (end[-1] == ' ' || end[-1] == '\t')) end--;
    const char *word = end;
    while (word > start && (isalnum((unsigned char)word[-1]) || word[-1] == '_')) word--;
    if (end == at || word == end || isdigit((unsigned char)*word)) return false;
    Place before = *place;
    before.column = (int)(word - start) + 1;
    before.length = (int)(end - word);
    if (before.line == parser->word_place.line && before.column <= parser->word_place.column) return false;
    const char *name = arena_strndup(parser->arena, word, (size_t)(end - word));
    return !attr_listed(parser->attrs, name) && report_attribute(parser, &before, name);
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

enum { MOST_EXPECTED = 5, MOST_ERRORS = 100 };

/* "; expected A, B or C", where these are few; or the word that was meant. */
static void add_expected(const yypcontext_t *context, yysymbol_kind_t kind, const char *word, Text *message) {
    yysymbol_kind_t expected[YYNTOKENS];
    const char *names[YYNTOKENS], *words[YYNTOKENS];
    int count = yypcontext_expected_tokens(context, expected, YYNTOKENS), kept = 0, nwords = 0;
    bool comma = false;
    for (int i = 0; i < count; i++) {
        const char *name = yysymbol_name(expected[i]);
        if (strcmp(name, "','") == 0) comma = true;
        if (!is_operator(expected[i])) names[kept++] = name;
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
    if (comma && begins_operand(kind)) {
        text_puts(message, "; is a ',' missing before it?");
        return;
    }
    for (int i = 0; i < kept && kept <= MOST_EXPECTED; i++)
        text_printf(message, "%s%s", i == 0 ? "; expected " : i + 1 < kept ? ", " : " or ", names[i]);
}

/* A word of the language where only a name may stand. */
static bool report_reserved(Parser *parser, const yypcontext_t *context, const Place *place, const char *at) {
    yysymbol_kind_t expected[2];
    bool name = yypcontext_expected_tokens(context, expected, 2) == 1 && expected[0] == YYSYMBOL_IDENT;
    if (!name || yypcontext_token(context) == YYSYMBOL_YYEOF || !at || !isalpha((unsigned char)*at)) return false;
    diag_error(parser->diag, *place, "'%.*s' is a word of the language and cannot be a name", place->length, at);
    return true;
}

static int yyreport_syntax_error(const yypcontext_t *context, void *scanner, Parser *parser) {
    (void)scanner;
    yysymbol_kind_t kind = yypcontext_token(context);
    const Place *place = yypcontext_location(context);
    if (kind == YYSYMBOL_YYEMPTY || parser->gave_up) return 0;
    if (parser->diag->errors >= MOST_ERRORS) parser->gave_up = true; /* this is no rn source */
    const char *at = place_text(place), *word = NULL;
    if (kind == YYSYMBOL_IDENT && at) word = arena_strndup(parser->arena, at, (size_t)place->length);
    if (!parser->train_nesting && (report_first_word(parser, place) || (word && report_attribute(parser, place, word))))
        return 0;
    bool number = kind == YYSYMBOL_INTEGER || kind == YYSYMBOL_REAL;
    if (!parser->train_nesting && number && report_word_before(parser, place)) return 0;
    if (report_reserved(parser, context, place, at)) return 0;
    Text message = {0};
    bool shown = at && kind != YYSYMBOL_YYEOF && kind != YYSYMBOL_SEPARATOR && place->length > 0 && place->length <= 60;
    if (shown) text_printf(&message, "unexpected '%.*s'", place->length, at);
    else text_printf(&message, "unexpected %s", yysymbol_name(kind));
    if (kind == YYSYMBOL_LAYER) text_puts(&message, ", the name of a layer");
    if (kind == YYSYMBOL_LAYER && !parser->parens) text_puts(&message, "; is a ';' missing before it?");
    else    if (kind == YYSYMBOL_ELSE) text_puts(&message, "; it stands on the line of the `}` that closes its `if`");
    else add_expected(context, kind, word, &message);
    diag_error(parser->diag, *place, "%s", message.s);
    text_free(&message);
    return 0;
}

int parse_source(Parser *parser) {
    yyscan_t scanner;
    if (grammar_lex_init_extra(parser, &scanner) != 0) return 1;
    grammar__scan_bytes(parser->source->text, (int)parser->source->size, scanner);
    int status = grammar_parse(scanner, parser);
    grammar_lex_destroy(scanner);
    return status;
}
