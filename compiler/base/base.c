/* The arena, growing text, the string map, whole files, and bug(): see base.h.
 *
 * The arena is a list of malloc'd blocks that double in size up to a megabyte; an object larger than a block gets one
 * of its own. The map hashes with FNV-1a and probes linearly; it never forgets a key, so slots need no tombstones.
 */
#include "base.h"

#include <errno.h>
#include <float.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/core/utf8.h"

enum { ALIGNMENT = 16, FIRST_BLOCK = 4096, LARGEST_BLOCK = 1 << 20 };

struct ArenaBlock {
    struct ArenaBlock *next; /* older */
    size_t used, size;
    _Alignas(ALIGNMENT) unsigned char data[];
};

_Noreturn void out_of_memory(void) {
    fputs("rnc: out of memory\n", stderr);
    exit(1);
}

void *heap_alloc(size_t size) {
    return heap_realloc(NULL, size);
}

void *heap_realloc(void *memory, size_t size) {
    void *larger = realloc(memory, size ? size : 1);
    if (!larger) out_of_memory();
    return larger;
}

void *arena_alloc(Arena *arena, size_t size) {
    if (size > SIZE_MAX / 2) out_of_memory();
    size = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    struct ArenaBlock *block = arena->blocks;
    if (!block || block->size - block->used < size) {
        size_t capacity = block ? block->size * 2 : FIRST_BLOCK;
        if (capacity > LARGEST_BLOCK) capacity = LARGEST_BLOCK;
        if (capacity < size) capacity = size;
        struct ArenaBlock *fresh = malloc(sizeof *fresh + capacity);
        if (!fresh) out_of_memory();
        fresh->used = 0;
        fresh->size = capacity;
        fresh->next = block;
        arena->blocks = block = fresh;
    }
    void *p = block->data + block->used;
    block->used += size;
    memset(p, 0, size);
    return p;
}

void arena_free(Arena *arena) {
    for (struct ArenaBlock *block = arena->blocks, *next; block; block = next) {
        next = block->next;
        free(block);
    }
    arena->blocks = NULL;
}

char *arena_strndup(Arena *arena, const char *s, size_t n) {
    char *copy = arena_alloc(arena, n + 1);
    if (n) memcpy(copy, s, n);
    return copy;
}

char *arena_strdup(Arena *arena, const char *s) {
    return arena_strndup(arena, s, strlen(s));
}

char *arena_printf(Arena *arena, const char *format, ...) {
    if (!format) bug("arena_printf: no format");
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (length < 0) bug("arena_printf: bad format '%s'", format);
    char *s = arena_alloc(arena, (size_t)length + 1);
    vsnprintf(s, (size_t)length + 1, format, again);
    va_end(again);
    return s;
}

void *arena_grow(Arena *arena, void *items, size_t item_size, int count, int *capacity) {
    if (*capacity > INT32_MAX / 2) out_of_memory();
    *capacity = *capacity ? *capacity * 2 : 8;
    void *grown = arena_alloc(arena, (size_t)*capacity * item_size);
    if (count) memcpy(grown, items, (size_t)count * item_size);
    return grown;
}

/* ---- text ---- */
static void text_reserve(Text *text, size_t extra) {
    if (extra > SIZE_MAX / 4 || text->size > SIZE_MAX / 4) out_of_memory();
    size_t need = text->size + extra + 1;
    if (need <= text->capacity) return;
    size_t capacity = text->capacity ? text->capacity * 2 : 64;
    if (capacity < need) capacity = need;
    text->s = heap_realloc(text->s, capacity);
    text->capacity = capacity;
}

void text_write(Text *text, const char *s, size_t n) {
    text_reserve(text, n);
    if (n) memcpy(text->s + text->size, s, n);
    text->size += n;
    text->s[text->size] = '\0';
}

void text_puts(Text *text, const char *s) {
    text_write(text, s, strlen(s));
}

void text_real(Text *text, double x) {
    char digits[40];
    for (int precision = 1; precision <= DBL_DECIMAL_DIG; precision++) {
        snprintf(digits, sizeof digits, "%.*g", precision, x);
        if (strtod(digits, NULL) == x) break;
    }
    text_puts(text, digits);
}

void text_vprintf(Text *text, const char *format, va_list args) {
    if (!format) bug("text_vprintf: no format");
    va_list again;
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    if (length < 0) bug("text_vprintf: bad format '%s'", format);
    text_reserve(text, (size_t)length);
    vsnprintf(text->s + text->size, (size_t)length + 1, format, again);
    va_end(again);
    text->size += (size_t)length;
}

void text_printf(Text *text, const char *format, ...) {
    va_list args;
    va_start(args, format);
    text_vprintf(text, format, args);
    va_end(args);
}

void text_puts_utf8(Text *text, const char *s) {
    while (*s) {
        const size_t n = rn_utf8_length(s);
        text_write(text, n ? s : "\xef\xbf\xbd", n ? n : 3);
        s += n ? n : 1;
    }
}

void text_free(Text *text) {
    free(text->s);
    *text = (Text){0};
}

/* ---- map ---- */
static uint32_t hash_string(const char *s) {
    uint32_t hash = 2166136261u;
    for (; *s; s++) hash = (hash ^ (unsigned char)*s) * 16777619u;
    return hash;
}

/* The slot that holds key, or the empty one where it belongs. */
static int *map_slot(const Map *map, const char *key) {
    uint32_t mask = (uint32_t)map->slot_count - 1;
    for (uint32_t i = hash_string(key) & mask;; i = (i + 1) & mask) {
        int *slot = &map->slots[i];
        if (*slot < 0 || strcmp(map->entries[*slot].key, key) == 0) return slot;
    }
}

void *map_get(const Map *map, const char *key) {
    if (!map->slot_count) return NULL;
    int slot = *map_slot(map, key);
    return slot < 0 ? NULL : map->entries[slot].value;
}

static void map_rehash(Map *map, Arena *arena) {
    map->slot_count = map->slot_count ? map->slot_count * 2 : 16;
    map->slots = arena_alloc(arena, (size_t)map->slot_count * sizeof *map->slots);
    memset(map->slots, 0xff, (size_t)map->slot_count * sizeof *map->slots);
    for (int i = 0; i < map->count; i++) *map_slot(map, map->entries[i].key) = i;
}

void map_put(Map *map, Arena *arena, const char *key, void *value) {
    if (2 * (map->count + 1) > map->slot_count) map_rehash(map, arena);
    int *slot = map_slot(map, key);
    if (*slot >= 0) {
        map->entries[*slot].value = value;
        return;
    }
    *slot = map->count;
    struct MapEntry entry = {key, value};
    ARENA_PUSH(arena, map->entries, map->count, map->capacity, entry);
}

/* ---- files ---- */
/* Up to the end of the stream, or a little past `limit` bytes. */
static char *stream_read(FILE *file, size_t limit, size_t *size) {
    size_t used = 0, capacity = 1 << 16;
    struct stat info;
    if (fstat(fileno(file), &info) == 0 && S_ISDIR(info.st_mode)) {
        errno = EISDIR;
        return NULL;
    }
    if (info.st_size > 0 && (uintmax_t)info.st_size < SIZE_MAX / 2)
        capacity = ((size_t)info.st_size < limit ? (size_t)info.st_size : limit) + 2;
    char *data = heap_alloc(capacity);
    while (used <= limit) {
        const size_t n = fread(data + used, 1, capacity - used - 1, file);
        used += n;
        if (n && used + 1 == capacity && used <= limit) {
            if (capacity > SIZE_MAX / 4) out_of_memory();
            data = heap_realloc(data, capacity *= 2);
        } else if (ferror(file) && errno == EINTR) {
            clearerr(file);
        } else if (!n) {
            break;
        }
    }
    if (ferror(file)) {
        const int failed = errno;
        free(data);
        errno = failed;
        return NULL;
    }
    data[used] = '\0';
    *size = used;
    return data;
}

char *file_read(const char *path, size_t limit, size_t *size) {
    FILE *file = fopen(path, "rb");
    if (!file) return NULL;
    char *data = stream_read(file, limit, size);
    const int failed = errno;
    fclose(file);
    errno = failed;
    return data;
}

const char *text_begin(const char *text, size_t size) {
    const unsigned char *mark = (const unsigned char *)text;
    if (size >= 2 && ((mark[0] == 0xff && mark[1] == 0xfe) || (mark[0] == 0xfe && mark[1] == 0xff))) return NULL;
    return size >= 3 && mark[0] == 0xef && mark[1] == 0xbb && mark[2] == 0xbf ? text + 3 : text;
}

char *stdin_read(size_t limit, size_t *size) {
    return stream_read(stdin, limit, size);
}

static bool write_all(int descriptor, const char *data, size_t size) {
    while (size > 0) {
        ssize_t n = write(descriptor, data, size);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return false;
        data += n;
        size -= (size_t)n;
    }
    return true;
}

/* To a new file that then takes the name: whoever reads the old one keeps it whole. */
static bool write_and_rename(const char *path, const void *data, size_t size) {
    struct stat info;
    const bool exists = stat(path, &info) == 0;
    Text temporary = {0};
    text_printf(&temporary, "%s.XXXXXX", path);
    const int descriptor = mkstemp(temporary.s);
    bool ok = descriptor >= 0;
    if (ok) {
        const mode_t mask = umask(0);
        umask(mask);
        ok = write_all(descriptor, data, size) && fchmod(descriptor, exists ? info.st_mode & 0777 : 0666 & ~mask) == 0;
        int saved = errno;
        if (close(descriptor) != 0)
            ok = false;
        else
            errno = saved;
        if (ok) ok = rename(temporary.s, path) == 0;
        saved = errno;
        if (!ok) unlink(temporary.s);
        errno = saved;
    }
    const int saved = errno;
    text_free(&temporary);
    errno = saved;
    return ok;
}

static bool write_directly(const char *path, const void *data, size_t size) {
    FILE *file = fopen(path, "wb");
    bool ok = file && fwrite(data, 1, size, file) == size;
    if (file && fclose(file) != 0) ok = false;
    return ok;
}

/* Whether what has this name is not to be replaced: a device or a pipe; /dev/stdout, whatever it leads to. */
static bool is_stream(const char *path) {
    struct stat info;
    if (!strncmp(path, "/dev/", 5) || !strncmp(path, "/proc/", 6)) return true;
    return stat(path, &info) == 0 && !S_ISREG(info.st_mode);
}

bool file_write(const char *path, const void *data, size_t size) {
    if (is_stream(path)) return write_directly(path, data, size);
    char *followed = realpath(path, NULL); /* a symbolic link stays one; NULL: there is nothing yet */
    if (!followed && errno == ENOMEM) return false;
    const bool ok = write_and_rename(followed ? followed : path, data, size);
    const int saved = errno;
    free(followed);
    errno = saved;
    return ok;
}

const char *bug_context;

_Noreturn void bug(const char *format, ...) {
    va_list args;
    va_start(args, format);
    fflush(stdout);
    fprintf(stderr, "rnc: internal error%s%s: ", bug_context ? " in " : "", bug_context ? bug_context : "");
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    abort();
}

const char *path_base(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}
