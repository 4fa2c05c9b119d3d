/* What every stage of the compiler stands on: an arena, growing text, interned strings, a string map, and bug().
 *
 * Memory of one compilation lives in one Arena and is freed with it; nothing else of the compiler calls malloc for
 * objects (large tensors are the exception, and their owner frees them). Running out of memory ends the process with a
 * message: a compiler has nothing better to do.
 */
#ifndef RNC_BASE_H
#define RNC_BASE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define PRINTF_LIKE(f, a) __attribute__((format(printf, f, a)))
#else
#define PRINTF_LIKE(f, a)
#endif

/* ---- arena: allocate many, free once ---- */
typedef struct Arena {
    struct ArenaBlock *blocks;
} Arena;

void *arena_alloc(Arena *arena, size_t size); /* zeroed, 16-byte aligned */
char *arena_strndup(Arena *arena, const char *s, size_t n);
char *arena_strdup(Arena *arena, const char *s);
char *arena_printf(Arena *arena, const char *format, ...) PRINTF_LIKE(2, 3);
void arena_free(Arena *arena); /* everything; the Arena may be used again */

/* An array that grows in an arena: ARENA_PUSH(arena, items, count, capacity, item). */
#define ARENA_PUSH(arena, items, count, capacity, item)                                                                \
    do {                                                                                                               \
        if ((count) == (capacity)) (items) = arena_grow((arena), (items), sizeof *(items), (count), &(capacity));      \
        (items)[(count)++] = (item);                                                                                   \
    } while (0)
void *arena_grow(Arena *arena, void *items, size_t item_size, int count, int *capacity);

/* ---- text: a growing string; always terminated; starts as {0}; free with text_free ---- */
typedef struct Text {
    char *s;
    size_t size, capacity;
} Text;

void text_printf(Text *text, const char *format, ...) PRINTF_LIKE(2, 3);
void text_vprintf(Text *text, const char *format, va_list args);
void text_write(Text *text, const char *s, size_t n);
void text_puts(Text *text, const char *s); /* no newline added */
void text_real(Text *text, double x);      /* the shortest decimal that reads back as the same double */
/* Text in UTF-8: what is none is replaced by U+FFFD. */
void text_puts_utf8(Text *text, const char *s);
void text_free(Text *text);

/* ---- map: string -> pointer, keeps insertion order; starts as {0}; lives in an arena ---- */
typedef struct Map {
    struct MapEntry {
        const char *key;
        void *value;
    } * entries; /* in insertion order */
    int count, capacity;
    int *slots; /* open addressing into entries, -1 empty */
    int slot_count;
} Map;

void *map_get(const Map *map, const char *key);                     /* NULL where absent */
void map_put(Map *map, Arena *arena, const char *key, void *value); /* key is kept, not copied */

/* ---- whole files ---- */
/* Reads a file into malloc'd memory, one NUL past its end; where it is longer than `limit` bytes, no more than a little
 * beyond them. Returns NULL and sets errno where it cannot. */
char *file_read(const char *path, size_t limit, size_t *size);
char *stdin_read(size_t limit, size_t *size); /* the same of standard input */
/* Where the text of a file begins: behind a UTF-8 byte order mark. NULL where it is UTF-16 or UTF-32, by their marks.
 */
const char *text_begin(const char *text, size_t size);
/* Writes to a temporary beside `path` and renames it: all of it or nothing. Returns false and sets errno. */
bool file_write(const char *path, const void *data, size_t size);

_Noreturn void out_of_memory(void); /* says so; status 1 */
/* malloc and realloc for libraries to which no memory would be a fault of their input, or nothing to tell of: they end
 * the process instead. */
void *heap_alloc(size_t size);
void *heap_realloc(void *memory, size_t size);
/* Our own mistake, never the user's: prints what and which pass, and aborts. */
_Noreturn void bug(const char *format, ...) PRINTF_LIKE(1, 2);
extern const char *bug_context; /* the pass or stage that runs; the pass runner sets it */

static inline int divide_up(int a, int b) {
    return (a + b - 1) / b;
}

static inline int round_up(int x, int multiple) {
    return (x + multiple - 1) / multiple * multiple;
}

const char *path_base(const char *path); /* what follows the last '/' */

#endif
