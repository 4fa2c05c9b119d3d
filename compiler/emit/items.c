/* Items of C text, and which of them stay. */
#include <ctype.h>
#include <string.h>
#include "items.h"

/* ---- tokens ---- */
bool starts_with(const char *text, const char *with) {
    return !strncmp(text, with, strlen(with));
}

const char *skip_token(const char *at) {
    if (starts_with(at, "/*")) {
        const char *end = strstr(at + 2, "*/");
        return end ? end + 2 : at + strlen(at);
    }
    if (*at == '"' || *at == '\'') {
        const char quote = *at++;
        while (*at && *at != quote) at += *at == '\\' && at[1] ? 2 : 1;
        return at + (*at != 0);
    }
    if (!isalnum((unsigned char)*at) && *at != '_') return at + 1;
    while (isalnum((unsigned char)*at) || *at == '_') at++;
    return at;
}

bool is_word(const char *at) {
    return isalpha((unsigned char)*at) || *at == '_';
}

/* ---- items ---- */
size_t item_code_size(const Item *item) {
    return (size_t)(item->text + item->size - item->code);
}

static void add_name(Items *all, Item *item, const char *at, const char *end) {
    const char *name = arena_strndup(all->arena, at, (size_t)(end - at));
    ARENA_PUSH(all->arena, item->names, item->name_count, item->name_capacity, name);
}

static const char *line_end(const char *at) { /* of a preprocessor line, over continued ones */
    while (*at && *at != '\n') at += *at == '\\' && at[1] ? 2 : 1;
    return at;
}

/* To the end of a declaration or definition; notes the names. Its own is the last word before parameters, dimensions,
 * members or a value; a typedef's is the last of all, or that of `(*name)(parameters)`. */
static const char *scan_declaration(Items *all, Item *item) {
    const bool is_type = starts_with(item->code, "typedef");
    const bool is_enum = starts_with(item->code, "enum ") || starts_with(item->code, "typedef enum ");
    const char *name = NULL, *name_end = NULL, *next;
    char before = 0; /* the character of the last token */
    bool named = false, is_function = false;
    int depth = 0;
    for (const char *at = item->code; *at; at = next) {
        next = skip_token(at);
        if (isspace((unsigned char)*at) || starts_with(at, "/*")) continue;
        if (is_type && starts_with(at, "__attribute__")) named = true;
        if (is_word(at) && depth == 0 && !named) name = at, name_end = next;
        if (is_word(at) && depth == 1 && is_enum && (before == '{' || before == ',')) add_name(all, item, at, next);
        if (depth == 0 && starts_with(at, "(*") && is_type) name = at + 2, name_end = skip_token(name);
        if (depth == 0 && (*at == '(' || (!is_type && strchr("[={", *at)))) {
            if (!named) is_function = *at == '(';
            named = true;
        }
        depth += *at == '(' || *at == '{' || *at == '[';
        depth -= *at == ')' || *at == '}' || *at == ']';
        if (depth == 0 && (*at == ';' || (*at == '}' && is_function))) {
            if (name && !starts_with(name, "enum ")) add_name(all, item, name, name_end); /* which may have none */
            item->is_prototype = is_function && *at == ';' && !is_type && !starts_with(item->code, "static ");
            return next;
        }
        before = *at;
    }
    bug("%s: a declaration without an end: %.60s", item->file, item->code);
}

/* Over the rest of the line and a comment that begins there. */
static const char *take_trailing(const char *at) {
    const char *end = at + strspn(at, " ");
    if (starts_with(end, "/*")) end = skip_token(end);
    return *end == '\n' ? end : at;
}

void items_add(Items *all, const char *file, const char *text) {
    int open = -1;                                        /* the innermost #if */
    if (starts_with(text, "/*")) text = skip_token(text); /* what the file as a whole is about */
    for (const char *at = text;;) {
        Item item = {.file = file};
        const char *gap = at;
        at += strspn(at, " \n");
        for (; gap < at; gap++) item.apart |= gap[0] == '\n' && gap[1] == '\n';
        item.text = at;
        while (starts_with(at, "/*")) at = skip_token(at), at += strspn(at, " \n");
        if (!*at) return;
        item.code = at;
        item.is_include = open < 0 && starts_with(at, "#include ");
        if (starts_with(at, "#if")) item.outer = open, open = all->count;
        item.within = open;
        if (starts_with(at, "#endif")) open = all->items[open].outer;
        if (starts_with(at, "#define ")) add_name(all, &item, at + 8, skip_token(at + 8));
        at = *at == '#' ? line_end(at) : take_trailing(scan_declaration(all, &item));
        item.size = (size_t)(at - item.text);
        ARENA_PUSH(all->arena, all->items, all->count, all->capacity, item);
    }
}

void items_reserve(const Items *all, Map *names, Arena *arena) {
    for (int i = 0; i < all->count; i++)
        for (int j = 0; j < all->items[i].name_count; j++)
            map_put(names, arena, all->items[i].names[j], (void *)all->items[i].names[j]);
}

/* ---- what stays ---- */
void items_want(Items *all, const char *text, size_t size) {
    for (const char *at = text, *next; at < text + size; at = next) {
        char word[256];
        next = skip_token(at);
        const size_t n = (size_t)(next - at);
        if (!is_word(at) || n >= sizeof word) continue;
        memcpy(word, at, n);
        word[n] = 0;
        if (!map_get(&all->wanted, word)) map_put(&all->wanted, all->arena, arena_strdup(all->arena, word), all);
    }
}

static bool is_conditional(const Item *item) {
    static const char *const words[] = {"#if", "#el", "#endif"};
    bool is = false;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) is |= starts_with(item->code, words[i]);
    return is;
}

static bool is_wanted(const Items *all, const Item *item) {
    if (is_conditional(item)) return all->items[item->within].reached;
    if ((*item->code == '#' && !item->name_count) || starts_with(item->code, "_Static_assert")) return true;
    for (int i = 0; i < item->name_count; i++)
        if (map_get(&all->wanted, item->names[i])) return true;
    return false;
}

void items_keep(Items *all) {
    for (bool changed = true; changed;) {
        changed = false;
        for (int i = 0; i < all->count; i++) {
            Item *item = &all->items[i];
            if (item->kept || !is_wanted(all, item)) continue;
            item->kept = changed = true;
            items_want(all, item->code, item_code_size(item));
            for (int j = item->within; j >= 0; j = all->items[j].outer) all->items[j].reached = true;
        }
    }
}

void item_write(const Item *item, const char *storage, Text *t) {
    text_printf(t, "%.*s%s%.*s\n", (int)(item->code - item->text), item->text, storage, (int)item_code_size(item),
                item->code);
}
