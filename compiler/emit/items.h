/* C text divided into its items, of which those stay that something names: declarations, definitions and preprocessor
 * lines, each with the comment before it. The text is our own (the Makefile puts the files into rnc), so what is read
 * here is C as this project writes it.
 */
#ifndef RNC_EMIT_ITEMS_H
#define RNC_EMIT_ITEMS_H

#include "base/base.h"

typedef struct EmbeddedFile { /* FILE("NAME", "TEXT") of a .def that the Makefile makes */
    const char *name, *text;
} EmbeddedFile;

typedef struct Item {
    const char *file;
    const char *text, *code; /* with the comment before it; from the first token on */
    size_t size;
    bool apart;        /* from the item before, by an empty line */
    bool is_prototype; /* of a function that is not static */
    bool is_include;   /* outside of conditionals */
    bool kept;
    int within;         /* the #if around it, or of which it is the #if, #else or #endif; -1: none */
    int outer;          /* of an #if: the one around it, or -1 */
    bool reached;       /* of an #if: something within it is kept */
    const char **names; /* that it declares */
    int name_count, name_capacity;
} Item;

typedef struct Items {
    Arena *arena;
    Item *items;
    int count, capacity;
    Map wanted; /* words of what is kept */
} Items;

/* Appends a file's items; `text` must outlive them. A comment at its top, about the file as a whole, is none. */
void items_add(Items *all, const char *file, const char *text);
/* Every word of this text is wanted. */
void items_want(Items *all, const char *text, size_t size);
/* Keeps what declares a wanted name, and what that names in turn; of preprocessor lines a macro that is wanted, a
 * conditional around something that is kept, and any other. */
void items_keep(Items *all);
/* Enters all their names. */
void items_reserve(const Items *all, Map *names, Arena *arena);
size_t item_code_size(const Item *item);
/* Its text and a newline, with `storage` ("static " or "") before the code. */
void item_write(const Item *item, const char *storage, Text *text);

/* ---- tokens ---- */
bool starts_with(const char *text, const char *with);
bool is_word(const char *at); /* an identifier's first character is there */
/* Past a comment, a literal, a number, a word or a single character. */
const char *skip_token(const char *at);

#endif
