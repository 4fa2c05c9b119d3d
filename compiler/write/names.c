/* What layers with parameters are called, by their parameters: layer1.0.conv1 of layer1.0.conv1.weight. */
#include "inner.h"

#include <ctype.h>
#include <string.h>

#include "graph/ops.h"

enum { LONGEST_NAME = 200 }; /* the language's limit */

bool name_is_valid(const char *name) {
    const size_t length = strlen(name);
    if (!length || length > LONGEST_NAME || name[0] == '.' || name[length - 1] == '.') return false;
    for (const char *c = name; *c; c++) {
        if (!isalnum((unsigned char)*c) && !strchr("_-.", *c)) return false;
        if (*c == '.' && c[1] == '.') return false;
    }
    return strcmp(name, "input") != 0;
}

const char *name_below(const char *name, const char *prefix) {
    const size_t length = strlen(prefix);
    if (!length) return name;
    return !strncmp(name, prefix, length) && name[length] == '.' ? name + length + 1 : NULL;
}

bool name_seems_default(const char *name) {
    const char *dot = strrchr(name, '.');
    if (dot) name = dot + 1;
    size_t length = strcspn(name, "0123456789_");
    if (name[length] && name[length] != '_' && strspn(name + length, "0123456789_") != strlen(name + length))
        return false;
    char word[64];
    if (length >= sizeof word) return false;
    memcpy(word, name, length);
    word[length] = 0;
    if (!strcmp(word, "mul") || !strcmp(word, "layer") || !strcmp(word, "downsample")) return true;
    return op_by_word(word) != OP_COUNT;
}

/* NAME of the parameters NAME.weight, NAME.bias ...; NULL where they are called otherwise. */
static const char *name_of_params(Writer *w, Node *node) {
    ParamSpec spec[NODE_MAX_WEIGHTS];
    const char *name = NULL;
    const int count = op_info(node->op)->params(node, true, spec);
    for (int i = 0; i < count; i++) {
        const Tensor *tensor = *node_weight(node, spec[i].slot);
        if (!tensor) continue; /* no bias */
        const size_t suffix = strlen(spec[i].suffix), whole = tensor->name ? strlen(tensor->name) : 0;
        if (tensor->op != RN_PARAM || whole < suffix + 2 ||
            strcmp(tensor->name + whole - suffix, spec[i].suffix) != 0 || tensor->name[whole - suffix - 1] != '.')
            return NULL;
        const char *stem = arena_strndup(w->arena, tensor->name, whole - suffix - 1);
        if (name && strcmp(name, stem) != 0) return NULL;
        name = stem;
    }
    return name && name_is_valid(name) ? name : NULL;
}

static void count_prefixes(Writer *w, const char *name) {
    for (const char *dot = strchr(name, '.'); dot; dot = strchr(dot + 1, '.')) {
        const char *prefix = arena_strndup(w->arena, name, (size_t)(dot - name));
        int *count = map_get(&w->prefixes, prefix);
        if (!count) {
            count = arena_alloc(w->arena, sizeof *count);
            map_put(&w->prefixes, w->arena, prefix, count);
        }
        ++*count;
    }
}

const char *names_find(Writer *w, const Node **where) {
    Map taken = {0};
    const char *trouble = NULL;
    for (int i = 0; i < w->graph->node_count; i++) {
        Node *node = w->graph->nodes[i];
        if (!w->live[node->out->id] || !node_has_params(node)) continue;
        const char *name = w->wanted[i] = name_of_params(w, node);
        const char *why = !name ? "its parameters have names that no layer of a source could give them"
                          : map_get(&taken, name) ? "another layer has parameters of these names, too"
                                                  : NULL;
        if (why && !trouble) *where = node, trouble = why;
        if (why) continue;
        map_put(&taken, w->arena, name, node);
        count_prefixes(w, name);
    }
    return trouble;
}

/* ---- of lists ---- */
void names_collect_piece(const Writer *w, const Piece *piece, bool shortcuts, Names *names) {
    if (piece->node && w->wanted[piece->node->id])
        ARENA_PUSH(w->arena, names->item, names->count, names->capacity, w->wanted[piece->node->id]);
    for (int i = 0; i < piece->part_count; i++) {
        const bool shortcut = piece->kind == PIECE_RESIDUAL && i == 1;
        if (!shortcut || shortcuts) names_collect(w, &piece->part[i], shortcuts, names);
    }
}

void names_collect(const Writer *w, const Pieces *list, bool shortcuts, Names *names) {
    for (int i = 0; i < list->count; i++) names_collect_piece(w, list->item[i], shortcuts, names);
}

const char *names_common(Arena *arena, const Names *names) {
    if (!names->count) return "";
    const char *first = names->item[0], *dot = strrchr(first, '.');
    size_t length = dot ? (size_t)(dot - first) : 0; /* of the common part, which a '.' follows */
    for (int i = 1; i < names->count && length; i++) {
        while (length && (strncmp(first, names->item[i], length) != 0 || names->item[i][length] != '.')) do
                length--;
            while (length && first[length] != '.');
    }
    return arena_strndup(arena, first, length);
}
