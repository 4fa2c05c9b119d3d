/* Names of layers that an error has kept from being made: to miss them is no second error.
 *
 *     conv 8, 3x3 groups 2 as a     error: groups 2 does not divide 3 input channels
 *     from a                        nothing: `a` is poisoned
 *
 * A layer that failed poisons its name; what was not expanded at all (a block, a stage, a repeat's other turns, the
 * branches of a condition that cannot be known) the beginnings of all names that it may have made.
 */
#include "elaborate.h"

#include <string.h>

void poison_name(Elab *elab, const char *name) {
    if (name) map_put(&elab->poisoned, elab->arena, name, elab);
}

void poison_prefix(Elab *elab, const char *prefix) {
    if (!map_get(&elab->poisoned_prefixes, prefix)) map_put(&elab->poisoned_prefixes, elab->arena, prefix, elab);
}

bool is_poisoned(const Elab *elab, const char *name) {
    if (map_get(&elab->poisoned, name)) return true;
    for (int i = 0; i < elab->poisoned_prefixes.count; i++) {
        const char *prefix = elab->poisoned_prefixes.entries[i].key;
        if (strncmp(name, prefix, strlen(prefix)) == 0) return true;
    }
    return false;
}

void poison_given(Elab *elab, const char *prefix, const Name *name) {
    const NamePart *part = name->parts;
    const char *text = part->text ? part->text : "";
    bool absolute = text[0] == '/';
    poison_prefix(elab, arena_printf(elab->arena, "%s%s", absolute ? "" : prefix, text + absolute));
}

/* The layers of a block that is not expanded, whose names may be absolute. */
static void poison_block(Elab *elab, const char *prefix, const char *word) {
    const Decl *block = map_get(&elab->ast->block_map, word);
    if (!block || map_get(&elab->poisoned_blocks, word)) return;
    map_put(&elab->poisoned_blocks, elab->arena, word, elab);
    poison_body(elab, prefix, block->body);
}

static void poison_default(Elab *elab, const char *prefix, const Name *name, const char *word) {
    if (name)
        poison_given(elab, prefix, name);
    else
        poison_prefix(elab, arena_printf(elab->arena, "%s%s", prefix, word));
}

void poison_body(Elab *elab, const char *prefix, const Stmt *stmts) {
    for (const Stmt *stmt = stmts; stmt; stmt = stmt->next) {
        switch (stmt->kind) {
        case STMT_LAYER:
            poison_default(elab, prefix, stmt->name, layer_word(stmt->op));
            break;
        case STMT_USE:
        case STMT_STAGE:
            poison_default(elab, prefix, stmt->name, stmt->kind == STMT_STAGE ? "layer" : stmt->word);
            poison_block(elab, prefix, stmt->word);
            break;
        case STMT_RESIDUAL:
            poison_default(elab, prefix, NULL, "add");
            poison_default(elab, prefix, NULL, "downsample");
            break;
        case STMT_CONCAT:
            poison_default(elab, prefix, NULL, "concat");
            break;
        case STMT_GATE:
            poison_default(elab, prefix, stmt->name, "mul");
            break;
        default: /* repeat: its body's names, below its own where it has one */
            if (stmt->name) poison_given(elab, prefix, stmt->name);
        }
        for (const struct Branch *branch = stmt->branches; branch; branch = branch->next) {
            if (branch->name) poison_given(elab, prefix, branch->name);
            poison_body(elab, prefix, branch->body);
        }
        poison_body(elab, prefix, stmt->body);
        if (stmt->other != stmt) poison_body(elab, prefix, stmt->other);
    }
}
