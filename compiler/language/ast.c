/* The tree as text: one statement a line, expressions in full brackets, so that two sources with one meaning for the
 * parser give one dump.
 *
 *     (layer conv (args 64 (dims 7 7)) (stride 2) (as conv1))
 */
#include "ast.h"

#include <string.h>

const char *expr_op_text(ExprOp op) {
    static const char *const texts[] = {
        "-", "!", "+", "-", "*", "/", "%", "==", "!=", "<", "<=", ">", ">=", "&&", "||"};
    return texts[op];
}

/* ---- dump ---- */
static void dump_expr(const Expr *expr, Text *text) {
    switch (expr->kind) {
    case EXPR_INT:
        text_printf(text, "%lld", (long long)expr->integer);
        break;
    case EXPR_BOOL:
        text_puts(text, expr->integer ? "true" : "false");
        break;
    case EXPR_REAL:
    case EXPR_NAME:
        text_puts(text, expr->name);
        break;
    case EXPR_UNARY:
        text_printf(text, "(%s ", expr_op_text(expr->op));
        dump_expr(expr->left, text);
        text_puts(text, ")");
        break;
    case EXPR_BINARY:
        text_printf(text, "(%s ", expr_op_text(expr->op));
        dump_expr(expr->left, text);
        text_puts(text, " ");
        dump_expr(expr->right, text);
        text_puts(text, ")");
        break;
    case EXPR_CALL:
    case EXPR_CHOICE:
        text_printf(text, expr->kind == EXPR_CHOICE ? "(?" : "(call %s", expr->name);
        for (const Expr *arg = expr->args; arg; arg = arg->next) {
            text_puts(text, " ");
            dump_expr(arg, text);
        }
        text_puts(text, ")");
    }
}

static void dump_arg(const Arg *arg, Text *text) {
    static const char *const heads[] = {"", "(dims ", "(list "};
    if (arg->name) text_printf(text, "(= %s ", arg->name);
    text_puts(text, heads[arg->kind]);
    for (const Expr *item = arg->items; item; item = item->next) {
        dump_expr(item, text);
        if (item->next) text_puts(text, " ");
    }
    if (arg->kind != ARG_EXPR) text_puts(text, ")");
    if (arg->name) text_puts(text, ")");
}

static void dump_parts(const Name *name, Text *text) {
    for (const NamePart *part = name->parts; part; part = part->next) {
        if (part->text)
            text_puts(text, part->text);
        else {
            text_puts(text, "{");
            dump_expr(part->expr, text);
            text_puts(text, "}");
        }
    }
}

static void dump_name(const char *head, const Name *name, Text *text) {
    if (!name) return;
    text_printf(text, " (%s ", head);
    dump_parts(name, text);
    text_puts(text, ")");
}

static void dump_head(const Stmt *stmt, Text *text) {
    if (stmt->expr) {
        text_puts(text, " ");
        dump_expr(stmt->expr, text);
    }
    if (stmt->word) text_printf(text, " %s", stmt->word);
    dump_name("of", stmt->target, text);
    if (stmt->args) {
        text_puts(text, " (args");
        for (const Arg *arg = stmt->args; arg; arg = arg->next) {
            text_puts(text, " ");
            dump_arg(arg, text);
        }
        text_puts(text, ")");
    }
    for (const AttrUse *attr = stmt->attrs; attr; attr = attr->next) {
        text_printf(text, " (%s%s", attr->negated ? "no " : "", attr->word);
        if (attr->value) {
            text_puts(text, " ");
            dump_arg(attr->value, text);
        }
        text_puts(text, ")");
    }
    if (stmt->stride) {
        text_puts(text, " (stride ");
        dump_arg(stmt->stride, text);
        text_puts(text, ")");
    }
    if (stmt->fill) text_puts(text, " (fill)");
    dump_name("as", stmt->name, text);
}

static void dump_indent(int depth, Text *text) {
    text_printf(text, "\n%*s", 2 * depth, "");
}

static void dump_stmts(const Stmt *stmts, int depth, Text *text);

static void dump_body(const char *head, const Stmt *body, int depth, Text *text) {
    dump_indent(depth, text);
    text_printf(text, "(%s", head);
    dump_stmts(body, depth + 1, text);
    text_puts(text, ")");
}

static void dump_stmt(const Stmt *stmt, int depth, Text *text) {
    static const char *const words[] = {"layer", "input",  "use", "stage", "residual", "concat",
                                        "gate",  "repeat", "if",  "from",  "output"};
    static const char *const shortcuts[] = {"project", "project always",   "identity", "pad",
                                            "none",    "identity or none", "",         "always"};
    dump_indent(depth, text);
    text_printf(text, "(%s", words[stmt->kind]);
    if (stmt->kind == STMT_LAYER && !stmt->word) text_printf(text, " %s", layer_word(stmt->op));
    dump_head(stmt, text);
    bool simple = stmt->kind == STMT_LAYER || stmt->kind == STMT_INPUT || stmt->kind == STMT_USE;
    if (!simple) dump_stmts(stmt->body, depth + 1, text);
    for (const struct Branch *branch = stmt->branches; branch; branch = branch->next) {
        dump_indent(depth + 1, text);
        text_puts(text, "(branch");
        dump_name("as", branch->name, text);
        dump_stmts(branch->body, depth + 2, text);
        text_puts(text, ")");
    }
    if (stmt->kind == STMT_RESIDUAL) {
        if (stmt->shortcut < SHORTCUT_BODY) {
            dump_indent(depth + 1, text);
            text_printf(text, "(shortcut %s)", shortcuts[stmt->shortcut]);
        } else {
            dump_body(stmt->shortcut == SHORTCUT_BODY ? "shortcut" : "shortcut always", stmt->other, depth + 1, text);
        }
    }
    /* a chain of else-ifs may be long: the parser nests them, the dump does not */
    const Stmt *other = stmt->kind == STMT_IF ? stmt->other : NULL;
    for (; other && other->kind == STMT_IF && other->is_else_if; other = other->other) {
        dump_indent(depth, text);
        text_puts(text, " else-if");
        dump_head(other, text);
        dump_stmts(other->body, depth + 1, text);
    }
    if (other) dump_body("else", other, depth + 1, text);
    text_puts(text, ")");
}

static void dump_stmts(const Stmt *stmts, int depth, Text *text) {
    for (const Stmt *stmt = stmts; stmt; stmt = stmt->next) dump_stmt(stmt, depth, text);
}

static void dump_decl(const char *head, const Decl *decl, Text *text) {
    text_printf(text, "(%s %s", head, decl->name);
    for (const ParamDecl *param = decl->params; param; param = param->next) {
        text_printf(text, " (%s", param->name);
        if (param->value) {
            text_puts(text, " ");
            dump_expr(param->value, text);
        }
        text_puts(text, ")");
    }
    dump_stmts(decl->body, 1, text);
    text_puts(text, ")\n");
}

void ast_dump(const Ast *ast, Text *text) {
    for (const struct ImportDecl *import = ast->imports; import; import = import->next)
        text_printf(text, "(import \"%s\")\n", import->path);
    for (const Decl *block = ast->blocks; block; block = block->next)
        if (block->source == ast->source) dump_decl("block", block, text);
    if (ast->network) dump_decl("network", ast->network, text);
    if (!ast->has_train || ast->train_place.source != ast->source) return;
    text_puts(text, "(train");
    for (const TrainStmt *stmt = ast->train; stmt; stmt = stmt->next) {
        text_puts(text, "\n  (");
        for (const TrainItem *item = stmt->items; item; item = item->next) {
            if (item != stmt->items) text_puts(text, " ");
            if (item->value)
                dump_arg(item->value, text);
            else if (item->name)
                dump_parts(item->name, text);
            else
                text_printf(text, "%c", item->punctuation);
        }
        text_puts(text, ")");
    }
    text_puts(text, ")\n");
}
