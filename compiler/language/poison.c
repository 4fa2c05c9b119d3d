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
    if (!elab->poisoned_prefixes.count) return false;
    Text prefix = {0}; /* each that the name has, the whole of it first */
    text_puts(&prefix, name);
    bool found = false;
    for (size_t length = strlen(name) + 1; !found && length-- > 0;) {
        prefix.s[length] = 0;
        found = map_get(&elab->poisoned_prefixes, prefix.s);
    }
    text_free(&prefix);
    return found;
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

/* These statements count like those that are carried out: the work is bounded whether or not the network is wrong. */
static bool count_poisoned(Elab *elab) {
    if (++elab->steps > LIMIT_STEPS) elab->gave_up = true; /* there has been an error before */
    return !elab->gave_up;
}

void poison_body(Elab *elab, const char *prefix, const Stmt *stmts) {
    for (const Stmt *stmt = stmts; stmt && count_poisoned(elab); stmt = stmt->next) {
        switch (stmt->kind) {
        case STMT_LAYER:
            poison_default(elab, prefix, stmt->name, layer_name_word(stmt->op, stmt->word));
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
