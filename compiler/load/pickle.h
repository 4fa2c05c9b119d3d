/* Reads a pickle (Python's serialisation; its opcodes are described in CPython's Lib/pickletools.py) into a tree of
 * values, as far as state dicts need it. A pickle is a program for a stack machine that may import and call anything;
 * here nothing is imported and nothing called: a name that is not in the caller's table is refused where it stands, and
 * a call is kept as a value that says what would be called with what.
 */
#ifndef RNC_PICKLE_H
#define RNC_PICKLE_H

#include "base/base.h"

typedef enum PickleKind {
    PICKLE_NONE,
    PICKLE_BOOL,
    PICKLE_INT,  /* of 64 bits; a longer one is PICKLE_LONG */
    PICKLE_LONG, /* text: its bytes, little-endian, two's complement */
    PICKLE_FLOAT,
    PICKLE_STRING, /* UTF-8, or bytes; terminated too, but may hold a NUL */
    PICKLE_TUPLE,
    PICKLE_LIST,      /* sets too */
    PICKLE_DICT,      /* items: key, value, key, value, ... in the order of insertion */
    PICKLE_GLOBAL,    /* integer: its index in the table */
    PICKLE_CALL,      /* integer: what is called, as for a GLOBAL; items: the arguments */
    PICKLE_PERSISTENT /* items[0]: the id of something outside the pickle */
} PickleKind;

typedef struct PickleValue {
    uint8_t kind;
    bool visited;        /* for the caller's walk: values may be shared, or contain themselves */
    int count, capacity; /* of items; of text's bytes */
    union {
        int64_t integer;
        double real;
    } u;
    union {
        const char *text;
        struct PickleValue **items;
    } v;
} PickleValue;

/* A name that a pickle may refer to. */
typedef struct PickleGlobal {
    const char *name; /* "collections.OrderedDict" */
    int id;           /* the caller's */
    bool dict;        /* calling it makes a dict */
} PickleGlobal;

enum { PICKLE_ERROR_SIZE = 320, PICKLE_LONGEST = 16 << 20 };

typedef struct PickleTable {
    const PickleGlobal *globals;
    int count;
} PickleTable;

typedef struct Pickle {
    PickleValue *value;
    PickleValue **persistent; /* every PICKLE_PERSISTENT, in the order of the bytes */
    int persistent_count;
    size_t used; /* bytes up to its end */
} Pickle;

/* Reads one pickle from the beginning of `bytes`. Values live in `arena`. Returns false after writing what is wrong and
 * at which byte (plus `offset`) into `error`; never more than PICKLE_LONGEST bytes are read. Its time and memory are
 * proportional to the bytes. */
bool pickle_read(Pickle *pickle, Arena *arena, const uint8_t *bytes, size_t size, size_t offset,
                 const PickleTable *table, char error[PICKLE_ERROR_SIZE]);

/* The value under a key of a dict, the last one where there are several; NULL where there is none or no dict. */
PickleValue *pickle_get(const PickleValue *dict, const char *key);
bool pickle_is(const PickleValue *value, const char *text); /* a string with this content? */

#endif
