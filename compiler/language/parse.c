/* From a .rn file to its tree: the constructors that the grammar's actions call, declarations, and imports.
 *
 * An imported file holds no network; each file is read once however often it is imported, and a cycle is an error. The
 * depth of brackets and of expressions is bounded here, so that whatever walks the tree may recurse.
 */
#include "parse.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

typedef struct ImportState { /* of a whole parse, all files */
    Map done;                /* resolved path -> Source, finished or open */
    Map open;                /* resolved path -> Place of its import, while it is being read */
} ImportState;

/* ---- constructors ---- */
Expr *expr_new(Parser *parser, ExprKind kind, Place place) {
    Expr *expr = arena_alloc(parser->arena, sizeof *expr);
    expr->kind = kind;
    expr->place = place;
    expr->depth = 1;
    return expr;
}

Expr *expr_int(Parser *parser, int64_t value, Place place) {
    Expr *expr = expr_new(parser, EXPR_INT, place);
    expr->integer = value;
    return expr;
}

/* Too deep a tree is replaced by a leaf: one error, and nothing that a recursion could drown in. */
static Expr *bound_depth(Parser *parser, Expr *expr) {
    if (expr->left && expr->left->depth >= expr->depth) expr->depth = expr->left->depth + 1;
    if (expr->right && expr->right->depth >= expr->depth) expr->depth = expr->right->depth + 1;
    for (const Expr *arg = expr->args; arg; arg = arg->next)
        if (arg->depth >= expr->depth) expr->depth = arg->depth + 1;
    if (expr->depth <= MAX_EXPR_DEPTH) return expr;
    diag_error(parser->diag, expr->place, "this expression is nested more than %d levels deep", MAX_EXPR_DEPTH);
    return expr_int(parser, 1, expr->place);
}

Expr *expr_unary(Parser *parser, ExprOp op, Expr *left, Place place) {
    Expr *expr = expr_new(parser, EXPR_UNARY, place);
    expr->op = op;
    expr->left = left;
    return bound_depth(parser, expr);
}

Expr *expr_binary(Parser *parser, ExprOp op, Expr *left, Expr *right, Place place) {
    Expr *expr = expr_new(parser, EXPR_BINARY, place);
    expr->op = op;
    expr->left = left;
    expr->right = right;
    return bound_depth(parser, expr);
}

Expr *expr_call(Parser *parser, const char *name, Expr *args, Place place) {
    Expr *expr = expr_new(parser, EXPR_CALL, place);
    expr->name = name;
    expr->args = args;
    return bound_depth(parser, expr);
}

Expr *expr_choice(Parser *parser, Expr *condition, Expr *yes, Expr *no, Place place) {
    Expr *expr = expr_new(parser, EXPR_CHOICE, place);
    expr->args = condition;
    condition->next = yes;
    yes->next = no;
    return bound_depth(parser, expr);
}

Arg *arg_new(Parser *parser, ArgKind kind, Expr *items, Place place) {
    Arg *arg = arena_alloc(parser->arena, sizeof *arg);
    arg->kind = kind;
    arg->place = place;
    arg->items = items;
    for (const Expr *item = items; item; item = item->next) arg->count++;
    return arg;
}

Stmt *stmt_new(Parser *parser, StmtKind kind, Place place) {
    Stmt *stmt = arena_alloc(parser->arena, sizeof *stmt);
    stmt->kind = kind;
    stmt->place = place;
    return stmt;
}

AttrUse *attr_new(Parser *parser, const char *word, Arg *value, Place place) {
    AttrUse *attr = arena_alloc(parser->arena, sizeof *attr);
    attr->word = word;
    attr->value = value;
    attr->place = place;
    return attr;
}

void parser_mark_stride(Parser *parser, Place slash) {
    for (int i = parser->current; i >= 0; i--) {
        Token *token = &parser->tokens[i];
        if (token->place.line != slash.line || token->place.column != slash.column) continue;
        token->is_stride = true;
        return;
    }
}

bool parser_enter(Parser *parser, Place place) {
    if (parser->nesting + parser->parens < MAX_NESTING) return true;
    if (!parser->gave_up) diag_error(parser->diag, place, "brackets are nested more than %d levels deep", MAX_NESTING);
    parser->gave_up = true;
    return false;
}

/* ---- declarations ---- */
static void check_params(Parser *parser, const Decl *decl, bool network) {
    static const char *const given[] = {"stride", "index", "first"};
    Map seen = {0};
    for (ParamDecl *param = decl->params; param; param = param->next) {
        const ParamDecl *first = map_get(&seen, param->name);
        if (first) {
            diag_error(parser->diag, param->place, "a second parameter '%s'", param->name);
            diag_note(parser->diag, first->place, "the first is here");
        }
        map_put(&seen, parser->arena, param->name, param);
        for (int i = 0; i < 3; i++)
            if (!network && strcmp(param->name, given[i]) == 0)
                diag_error(parser->diag, param->place, "'%s' cannot be a block's parameter: every use gives it",
                           given[i]);
    }
}

void parser_add_decl(Parser *parser, Decl *decl, bool network) {
    Ast *ast = parser->ast;
    check_params(parser, decl, network);
    if (network && parser->imported) {
        diag_error(parser->diag, decl->place, "an imported file holds no network, but this is one");
        return;
    }
    Decl *first = network ? ast->network : map_get(&ast->block_map, decl->name);
    if (first) {
        diag_error(parser->diag, decl->place, network ? "a second network in one file" : "a second block '%s'",
                   decl->name);
        diag_note(parser->diag, first->place, "the first is here");
        return;
    }
    if (network) {
        ast->network = decl;
        return;
    }
    if (ast->last_block)
        ast->last_block->next = decl;
    else
        ast->blocks = decl;
    ast->last_block = decl;
    map_put(&ast->block_map, parser->arena, decl->name, decl);
}

void parser_add_train(Parser *parser, TrainStmt *stmts, Place place) {
    Ast *ast = parser->ast;
    if (ast->has_train) {
        diag_error(parser->diag, place, "a second train section");
        diag_note(parser->diag, ast->train_place, "the first is here");
    } else {
        ast->has_train = true;
        ast->train = stmts;
        ast->train_place = place;
    }
}

/* ---- words ---- */
enum { MOST_BLOCKS = 1000 }; /* whose names are compared with a misspelt one */

static int block_names(const Ast *ast, const char *names[MOST_BLOCKS]) {
    int count = 0;
    for (const Decl *block = ast->blocks; block && count < MOST_BLOCKS; block = block->next)
        names[count++] = block->name;
    return count;
}

void ast_unknown_word(const Ast *ast, const char *word, const char *otherwise, Text *text) {
    const char *names[MOST_BLOCKS];
    LayerWord layer;
    if (layer_by_word(word, &layer)) /* and not the standard one: that is never a name */
        text_printf(text, "%s '%s'; the layer '%s' has its arguments without brackets", otherwise, word,
                    layer.standard);
    else
        unknown_word(word, otherwise, names, block_names(ast, names), text);
}

const char *ast_nearest(const Ast *ast, const char *word) {
    const char *names[MOST_BLOCKS];
    return nearest_word(word, names, block_names(ast, names));
}

void parser_resolve_words(Parser *parser) {
    for (int i = 0; i < parser->ast->other_word_count; i++) {
        Stmt *stmt = parser->ast->by_other_words[i];
        const Decl *block = map_get(&parser->ast->block_map, stmt->word);
        if (block && (stmt->args || stmt->attrs)) {
            diag_error(parser->diag, stmt->place, "'%s' is a block here, and a block's arguments stand in brackets",
                       stmt->word);
            diag_note(parser->diag, block->place, "it is defined here");
        } else if (block) {
            stmt->kind = STMT_USE;
            stmt->word_place = stmt->place;
            stmt->word_place.length = (int)strlen(stmt->word);
        } else if (!word_is_form(stmt->word)) {
            stmt->word = NULL;
        }
    }
}

/* ---- files ---- */
Source *source_read(Arena *arena, const char *path, Diag *diag, Place place) {
    const bool standard = !strcmp(path, "-") && !place.source;
    struct stat info;
    const char *reason = NULL;
    size_t size = 0;
    char *text = NULL;
    if (standard)
        reason = (text = stdin_read(MAX_SOURCE, &size)) ? NULL : strerror(errno);
    else if (stat(path, &info) != 0)
        reason = strerror(errno);
    else if (S_ISDIR(info.st_mode))
        reason = "it is a folder";
    else if (!S_ISREG(info.st_mode) && !(S_ISFIFO(info.st_mode) && !place.source))
        reason = "it is no file";
    else if (S_ISREG(info.st_mode) && info.st_size > MAX_SOURCE)
        reason = "it is larger than 16 MB";
    else if (!(text = file_read(path, MAX_SOURCE, &size)))
        reason = strerror(errno);
    if (!reason && size > MAX_SOURCE) reason = "it is larger than 16 MB";
    const char *begin = reason ? text : text_begin(text, size);
    if (!reason && !begin) reason = "it is UTF-16; save it as UTF-8";
    if (standard) path = "<stdin>";
    if (reason) {
        diag_error(diag, place, "cannot read '%s': %s", path, reason);
        free(text);
        return NULL;
    }
    Source *source = arena_alloc(arena, sizeof *source);
    source->path = arena_strdup(arena, path);
    source->size = size - (size_t)(begin - text);
    source->text = arena_strndup(arena, begin, source->size);
    free(text);
    return source;
}

/* One path for each file, however it was named. */
static const char *canonical_path(Arena *arena, const char *path) {
    char *real = realpath(path, NULL);
    const char *copy = arena_strdup(arena, real ? real : path);
    free(real);
    return copy;
}

static const char *beside(Arena *arena, const char *file, const char *path) {
    const char *slash = strrchr(file, '/');
    if (path[0] == '/' || !slash) return path;
    return arena_printf(arena, "%.*s%s", (int)(slash - file + 1), file, path);
}

void parser_import(Parser *parser, const char *path, Place place) {
    struct ImportDecl *import = arena_alloc(parser->arena, sizeof *import);
    import->path = path;
    import->place = place;
    if (!parser->imported) {
        struct ImportDecl **end = &parser->ast->imports;
        while (*end) end = &(*end)->next;
        *end = import;
    }
    if (!parser->imports) return; /* the formatter: one file alone */
    const char *file = beside(parser->arena, parser->source->path, path);
    const char *key = canonical_path(parser->arena, file);
    const struct ImportDecl *open = map_get(&parser->imports->open, key);
    if (open) {
        diag_error(parser->diag, place, "'%s' imports itself", path);
        if (open->place.source) diag_note(parser->diag, open->place, "through this import");
        return;
    }
    if (map_get(&parser->imports->done, key)) return;
    if (parser->depth >= MAX_IMPORT_DEPTH) {
        diag_error(parser->diag, place, "imports are nested more than %d levels deep", MAX_IMPORT_DEPTH);
        return;
    }
    Source *source = source_read(parser->arena, file, parser->diag, place);
    if (!source) return;
    Ast *ast = parser->ast;
    ARENA_PUSH(parser->arena, ast->imported, ast->imported_count, ast->imported_capacity, source);
    Parser inner = {.arena = parser->arena,
                    .diag = parser->diag,
                    .source = source,
                    .ast = ast,
                    .imports = parser->imports,
                    .imported = true,
                    .depth = parser->depth + 1};
    map_put(&parser->imports->open, parser->arena, key, import);
    parser_run(&inner);
    map_put(&parser->imports->open, parser->arena, key, NULL);
    map_put(&parser->imports->done, parser->arena, key, import);
}

bool parser_run(Parser *parser) {
    int before = parser->diag->errors;
    return parse_source(parser) == 0 && parser->diag->errors == before;
}

Ast *ast_parse_text(Arena *arena, const Source *source, Diag *diag) {
    Ast *ast = arena_alloc(arena, sizeof *ast);
    ast->source = source;
    ImportState imports = {0};
    Parser parser = {.arena = arena, .diag = diag, .source = source, .ast = ast, .imports = &imports};
    struct ImportDecl *self = arena_alloc(arena, sizeof *self);
    map_put(&imports.open, arena, canonical_path(arena, source->path), self);
    bool ok = parser_run(&parser);
    int before = diag->errors;
    parser_resolve_words(&parser);
    return ok && diag->errors == before ? ast : NULL;
}

Ast *ast_parse_file(Arena *arena, const char *path, Diag *diag) {
    Source *source = source_read(arena, path, diag, (Place){0});
    return source ? ast_parse_text(arena, source, diag) : NULL;
}
