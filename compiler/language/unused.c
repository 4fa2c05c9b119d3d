/* Warns of parameters that nothing reads: a misspelled one is silent otherwise where its right name means something
 * too, as `width` does (the image's) in `block b(widht) { conv width, 3x3 }`. Of the file's own declarations alone.
 */
#include <string.h>

#include "ast.h"

typedef struct Names { /* that are read */
    Map map;
    Arena arena;
} Names;

static void read_exprs(Names *names, const Expr *e) {
    for (; e; e = e->next) {
        if (e->kind == EXPR_NAME) map_put(&names->map, &names->arena, e->name, names);
        if (e->left) read_exprs(names, e->left);
        if (e->right) read_exprs(names, e->right);
        read_exprs(names, e->args);
    }
}

static void read_args(Names *names, const Arg *arg) {
    for (; arg; arg = arg->next) read_exprs(names, arg->items);
}

static void read_name(Names *names, const Name *name) {
    for (const NamePart *part = name ? name->parts : NULL; part; part = part->next)
        if (part->expr) read_exprs(names, part->expr);
}

static void read_body(Names *names, const Stmt *s) {
    for (; s; s = s->next) {
        read_args(names, s->args);
        read_args(names, s->stride);
        for (const AttrUse *use = s->attrs; use; use = use->next) read_args(names, use->value);
        if (s->expr) read_exprs(names, s->expr);
        read_name(names, s->name);
        read_name(names, s->target);
        read_body(names, s->body);
        read_body(names, s->other);
        for (const struct Branch *branch = s->branches; branch; branch = branch->next) {
            read_name(names, branch->name);
            read_body(names, branch->body);
        }
    }
}

static void warn_of(const Ast *ast, const Decl *decl, const char *what, Diag *diag) {
    Names names = {0};
    for (const ParamDecl *p = decl->params; p; p = p->next) read_exprs(&names, p->value);
    read_body(&names, decl->body);
    for (const TrainStmt *t = decl == ast->network ? ast->train : NULL; t; t = t->next)
        for (const TrainItem *item = t->items; item; item = item->next) {
            read_args(&names, item->value);
            read_name(&names, item->name);
        }
    for (const ParamDecl *p = decl->params; p; p = p->next)
        if (!map_get(&names.map, p->name))
            diag_warning(diag, p->place, "%s '%s' does not use its parameter '%s'", what, decl->name, p->name);
    arena_free(&names.arena);
}

void ast_warn_unused(const Ast *ast, Diag *diag) {
    for (const Decl *block = ast->blocks; block; block = block->next)
        if (block->source == ast->source) warn_of(ast, block, "block", diag);
    if (ast->network) warn_of(ast, ast->network, "network", diag);
}
