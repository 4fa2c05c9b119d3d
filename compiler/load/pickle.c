/* The pickle machine: a stack, marks on it, and a memo of values to refer back to. One function an opcode family, one
 * table of opcodes. What a step needs is checked before it is used, so the worst that a pickle can cause is an error.
 */
#include "pickle.h"

#include <setjmp.h>
#include <stdio.h>
#include <string.h>

typedef struct Machine {
    Arena *arena;
    const uint8_t *bytes;
    size_t size, at, offset, opcode; /* opcode: where the present one stands */
    const PickleTable *table;
    PickleValue **stack, **memo;
    int depth, stack_capacity;
    int memo_size, memo_used; /* slots, and those that are set */
    int *marks;
    int mark_count, mark_capacity;
    PickleValue **persistent;
    int persistent_count, persistent_capacity;
    size_t copied; /* pairs of dicts that came from lists, which may be shared */
    char *error;
    jmp_buf failed;
} Machine;

/* ---- errors ---- */
static _Noreturn void fail(Machine *m, const char *format, ...) PRINTF_LIKE(2, 3);
static _Noreturn void fail(Machine *m, const char *format, ...) {
    va_list args;
    int n = snprintf(m->error, PICKLE_ERROR_SIZE, "byte %zu: ", m->offset + m->opcode);
    va_start(args, format);
    vsnprintf(m->error + n, (size_t)(PICKLE_ERROR_SIZE - n), format, args);
    va_end(args);
    longjmp(m->failed, 1);
}

/* ---- the bytes ---- */
static const uint8_t *take(Machine *m, uint64_t count) {
    if (count > m->size - m->at) fail(m, "the pickle is cut short");
    const uint8_t *p = m->bytes + m->at;
    m->at += (size_t)count;
    return p;
}

static uint64_t take_number(Machine *m, int bytes) {
    const uint8_t *p = take(m, (uint64_t)bytes);
    uint64_t x = 0;
    for (int i = 0; i < bytes; i++) x |= (uint64_t)p[i] << 8 * i;
    return x;
}

/* Up to the end of the line, without it. */
static void take_line(Machine *m, const char **text, size_t *length) {
    const uint8_t *start = m->bytes + m->at, *end = memchr(start, '\n', m->size - m->at);
    if (!end) fail(m, "the pickle is cut short");
    *text = (const char *)start;
    *length = (size_t)(end - start);
    m->at += *length + 1;
}

/* ---- the stack ---- */
static PickleValue *make(Machine *m, PickleKind kind) {
    PickleValue *value = arena_alloc(m->arena, sizeof *value);
    value->kind = (uint8_t)kind;
    return value;
}

static void push(Machine *m, PickleValue *value) {
    ARENA_PUSH(m->arena, m->stack, m->depth, m->stack_capacity, value);
}

static void push_kind(Machine *m, PickleKind kind) {
    push(m, make(m, kind));
}

/* The stack's part above the last mark, below which an opcode must not reach. */
static int base(const Machine *m) {
    return m->mark_count ? m->marks[m->mark_count - 1] : 0;
}

static PickleValue *top(Machine *m) {
    if (m->depth <= base(m)) fail(m, "an opcode finds nothing on the stack");
    return m->stack[m->depth - 1];
}

static PickleValue *pop(Machine *m) {
    PickleValue *value = top(m);
    m->depth--;
    return value;
}

/* Takes off the last mark; what is above it stays in the stack's memory: *count values. */
static PickleValue **pop_mark(Machine *m, int *count) {
    if (!m->mark_count) fail(m, "an opcode finds no mark on the stack");
    const int start = m->marks[--m->mark_count];
    *count = m->depth - start;
    m->depth = start;
    return *count ? m->stack + start : NULL; /* an empty stack may have no memory */
}

static void append(Machine *m, PickleValue *to, PickleValue *const *items, int count) {
    for (int i = 0; i < count; i++) ARENA_PUSH(m->arena, to->v.items, to->count, to->capacity, items[i]);
}

/* ---- opcodes: each leaves its result on the stack ---- */
static void push_integer(Machine *m, int64_t x) {
    push_kind(m, PICKLE_INT);
    top(m)->u.integer = x;
}

static void push_long(Machine *m, uint64_t count) {
    const uint8_t *p = take(m, count);
    if (count > 8) {
        push_kind(m, PICKLE_LONG);
        top(m)->v.text = arena_strndup(m->arena, (const char *)p, (size_t)count);
        top(m)->count = (int)count;
        return;
    }
    uint64_t x = count && p[count - 1] & 0x80 ? UINT64_MAX : 0; /* the sign goes on to the left */
    for (int i = (int)count - 1; i >= 0; i--) x = x << 8 | p[i];
    push_integer(m, (int64_t)x);
}

static void push_float(Machine *m) { /* big-endian */
    const uint8_t *p = take(m, 8);
    uint64_t bits = 0;
    for (int i = 0; i < 8; i++) bits = bits << 8 | p[i];
    push_kind(m, PICKLE_FLOAT);
    memcpy(&top(m)->u.real, &bits, sizeof bits);
}

static void push_string(Machine *m, uint64_t count) {
    const uint8_t *p = take(m, count);
    PickleValue *value = make(m, PICKLE_STRING);
    value->v.text = arena_strndup(m->arena, (const char *)p, (size_t)count);
    value->count = (int)count;
    push(m, value);
}

static void push_tuple(Machine *m, int count) {
    PickleValue *value = make(m, PICKLE_TUPLE);
    for (int i = 0; i < count; i++) pop(m); /* they stay in the memory of the stack */
    append(m, value, m->stack + m->depth, count);
    push(m, value);
}

static void push_marked(Machine *m, PickleKind kind) {
    int count;
    PickleValue **items = pop_mark(m, &count), *value = make(m, kind);
    if (kind == PICKLE_DICT && count % 2) fail(m, "a dict has a key without a value");
    append(m, value, items, count);
    push(m, value);
}

static void set_items(Machine *m, PickleValue *const *items, int count) {
    PickleValue *dict = top(m);
    if (dict->kind != PICKLE_DICT) fail(m, "SETITEMS on what is no dict");
    if (count % 2) fail(m, "a dict has a key without a value");
    append(m, dict, items, count);
}

static void append_items(Machine *m, PickleValue *const *items, int count) {
    PickleValue *list = top(m);
    if (list->kind != PICKLE_LIST) fail(m, "APPENDS to what is no list");
    append(m, list, items, count);
}

static void put(Machine *m, uint64_t index) {
    PickleValue *value = top(m);
    /* picklers number from 0 or 1, so no index can be above the bytes that put the ones before */
    if (index > m->at) fail(m, "memo index %llu after %zu bytes", (unsigned long long)index, m->at);
    if ((int)index >= m->memo_size) {
        const int count = 2 * (int)index + 64;
        PickleValue **grown = arena_alloc(m->arena, (size_t)count * sizeof(PickleValue *));
        if (m->memo_size) memcpy(grown, m->memo, (size_t)m->memo_size * sizeof *grown);
        m->memo = grown;
        m->memo_size = count;
    }
    m->memo_used += !m->memo[index];
    m->memo[index] = value;
}

static void get(Machine *m, uint64_t index) {
    if (index >= (uint64_t)m->memo_size || !m->memo[index])
        fail(m, "memo %llu is used and was never set", (unsigned long long)index);
    push(m, m->memo[index]);
}

static void push_global(Machine *m, const char *module, size_t module_length, const char *name, size_t length) {
    for (int i = 0; i < m->table->count; i++) {
        const char *known = m->table->globals[i].name;
        if (strlen(known) != module_length + 1 + length || memcmp(known, module, module_length) ||
            known[module_length] != '.' || memcmp(known + module_length + 1, name, length))
            continue;
        push_kind(m, PICKLE_GLOBAL);
        top(m)->u.integer = i;
        return;
    }
    fail(m,
         "refers to %.*s.%.*s, which no plain state dict does (nothing was run); torch.save(model.state_dict(), FILE) "
         "writes one",
         (int)(module_length < 80 ? module_length : 80), module, (int)(length < 80 ? length : 80), name);
}

static void push_named_global(Machine *m) {
    const char *module, *name;
    size_t module_length, length;
    take_line(m, &module, &module_length);
    take_line(m, &name, &length);
    push_global(m, module, module_length, name, length);
}

static void push_stack_global(Machine *m) {
    PickleValue *name = pop(m), *module = pop(m);
    if (name->kind != PICKLE_STRING || module->kind != PICKLE_STRING) fail(m, "STACK_GLOBAL without two names");
    push_global(m, module->v.text, (size_t)module->count, name->v.text, (size_t)name->count);
}

/* OrderedDict([[key, value], ...]), as Python 2 wrote it. */
static void add_pairs(Machine *m, PickleValue *dict, const PickleValue *arguments) {
    if (!arguments->count) return;
    const PickleValue *pairs = arguments->v.items[arguments->count - 1];
    if (pairs->kind != PICKLE_LIST) return; /* a defaultdict's factory */
    m->copied += (size_t)pairs->count;
    if (m->copied > m->size) fail(m, "its dicts hold more than its bytes can");
    for (int i = 0; i < pairs->count; i++) {
        PickleValue *pair = pairs->v.items[i];
        if ((pair->kind != PICKLE_LIST && pair->kind != PICKLE_TUPLE) || pair->count != 2)
            fail(m, "a dict made of what are no pairs");
        append(m, dict, pair->v.items, 2);
    }
}

static void call(Machine *m) {
    PickleValue *arguments = pop(m), *callee = pop(m);
    if (arguments->kind != PICKLE_TUPLE) fail(m, "a call without a tuple of arguments");
    if (callee->kind != PICKLE_GLOBAL) fail(m, "a call of what is no name");
    const bool dict = m->table->globals[callee->u.integer].dict;
    PickleValue *result = make(m, dict ? PICKLE_DICT : PICKLE_CALL);
    result->u.integer = callee->u.integer;
    if (dict)
        add_pairs(m, result, arguments);
    else
        result->v = arguments->v, result->count = arguments->count; /* shared: a tuple never changes */
    push(m, result);
}

static void push_persistent(Machine *m) {
    PickleValue *id = pop(m), *value = make(m, PICKLE_PERSISTENT);
    append(m, value, &id, 1);
    ARENA_PUSH(m->arena, m->persistent, m->persistent_count, m->persistent_capacity, value);
    push(m, value);
}

/* An object's state (an OrderedDict's _metadata, say) holds no tensors of a state dict: it is dropped. */
static void build(Machine *m) {
    pop(m);
    if (top(m)->kind != PICKLE_CALL && top(m)->kind != PICKLE_DICT) fail(m, "BUILD on what is no object");
}

/* ---- the machine ---- */
typedef enum Opcode { /* as pickletools.py names them */
                      MARK = '(',
                      STOP = '.',
                      POP = '0',
                      POP_MARK = '1',
                      DUP = '2',
                      NONE = 'N',
                      NEWTRUE = 0x88,
                      NEWFALSE = 0x89,
                      BININT = 'J',
                      BININT1 = 'K',
                      BININT2 = 'M',
                      LONG1 = 0x8a,
                      LONG4 = 0x8b,
                      BINFLOAT = 'G',
                      BINSTRING = 'T',
                      SHORT_BINSTRING = 'U',
                      BINBYTES = 'B',
                      SHORT_BINBYTES = 'C',
                      BINBYTES8 = 0x8e,
                      BINUNICODE = 'X',
                      SHORT_BINUNICODE = 0x8c,
                      BINUNICODE8 = 0x8d,
                      EMPTY_TUPLE = ')',
                      TUPLE = 't',
                      TUPLE1 = 0x85,
                      TUPLE2 = 0x86,
                      TUPLE3 = 0x87,
                      EMPTY_LIST = ']',
                      LIST = 'l',
                      APPEND = 'a',
                      APPENDS = 'e',
                      EMPTY_DICT = '}',
                      DICT = 'd',
                      SETITEM = 's',
                      SETITEMS = 'u',
                      EMPTY_SET = 0x8f,
                      ADDITEMS = 0x90,
                      FROZENSET = 0x91,
                      BINPUT = 'q',
                      LONG_BINPUT = 'r',
                      MEMOIZE = 0x94,
                      BINGET = 'h',
                      LONG_BINGET = 'j',
                      GLOBAL = 'c',
                      STACK_GLOBAL = 0x93,
                      REDUCE = 'R',
                      NEWOBJ = 0x81,
                      BUILD = 'b',
                      BINPERSID = 'Q',
                      PROTO = 0x80,
                      FRAME = 0x95
} Opcode;

/* The others, for the message that refuses them. */
static const char *refused_name(uint8_t opcode) {
    static const struct {
        uint8_t opcode;
        const char *name;
    } refused[] = {{'F', "FLOAT"},
                   {'I', "INT"},
                   {'L', "LONG"},
                   {'S', "STRING"},
                   {'V', "UNICODE"},
                   {'P', "PERSID"},
                   {'p', "PUT"},
                   {'g', "GET"},
                   {'i', "INST"},
                   {'o', "OBJ"},
                   {0x82, "EXT1"},
                   {0x83, "EXT2"},
                   {0x84, "EXT4"},
                   {0x92, "NEWOBJ_EX"},
                   {0x96, "BYTEARRAY8"},
                   {0x97, "NEXT_BUFFER"},
                   {0x98, "READONLY_BUFFER"}};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        if (refused[i].opcode == opcode) return refused[i].name;
    return "unknown";
}

/* Numbers, texts and None; last, so that what is none of these is refused. */
static void step_scalar(Machine *m, uint8_t opcode) {
    switch (opcode) {
    case NONE:
        push_kind(m, PICKLE_NONE);
        break;
    case NEWTRUE:
    case NEWFALSE:
        push_kind(m, PICKLE_BOOL);
        top(m)->u.integer = opcode == NEWTRUE;
        break;
    case BININT:
        push_integer(m, (int32_t)(uint32_t)take_number(m, 4));
        break;
    case BININT1:
        push_integer(m, (int64_t)take_number(m, 1));
        break;
    case BININT2:
        push_integer(m, (int64_t)take_number(m, 2));
        break;
    case LONG1:
        push_long(m, take_number(m, 1));
        break;
    case LONG4:
        push_long(m, take_number(m, 4));
        break;
    case BINFLOAT:
        push_float(m);
        break;
    case SHORT_BINSTRING:
    case SHORT_BINBYTES:
    case SHORT_BINUNICODE:
        push_string(m, take_number(m, 1));
        break;
    case BINSTRING:
    case BINBYTES:
    case BINUNICODE:
        push_string(m, take_number(m, 4));
        break;
    case BINBYTES8:
    case BINUNICODE8:
        push_string(m, take_number(m, 8));
        break;
    default:
        fail(m, "opcode 0x%02x (%s) is none that a state dict needs", opcode, refused_name(opcode));
    }
}

/* The stack itself, the memo, and what frames the bytes. Each family returns false for an opcode of another. */
static bool step_stack(Machine *m, uint8_t opcode) {
    int count;
    switch (opcode) {
    case PROTO:
        count = (int)take_number(m, 1);
        if (count > 5) fail(m, "protocol %d is not known", count);
        break;
    case FRAME:
        take_number(m, 8);
        break;
    case MARK:
        ARENA_PUSH(m->arena, m->marks, m->mark_count, m->mark_capacity, m->depth);
        break;
    case POP_MARK:
        pop_mark(m, &count);
        break;
    case POP:
        if (m->depth == base(m) && m->mark_count)
            m->mark_count--; /* a mark is a thing to pop as well */
        else
            pop(m);
        break;
    case DUP:
        push(m, top(m));
        break;
    case BINPUT:
        put(m, take_number(m, 1));
        break;
    case LONG_BINPUT:
        put(m, take_number(m, 4));
        break;
    case MEMOIZE:
        put(m, (uint64_t)m->memo_used);
        break;
    case BINGET:
        get(m, take_number(m, 1));
        break;
    case LONG_BINGET:
        get(m, take_number(m, 4));
        break;
    default:
        return false;
    }
    return true;
}

static bool step_container(Machine *m, uint8_t opcode) {
    PickleValue **items, *pair[2];
    int count;
    switch (opcode) {
    case EMPTY_TUPLE:
        push_kind(m, PICKLE_TUPLE);
        break;
    case TUPLE1:
        push_tuple(m, 1);
        break;
    case TUPLE2:
        push_tuple(m, 2);
        break;
    case TUPLE3:
        push_tuple(m, 3);
        break;
    case TUPLE:
        push_marked(m, PICKLE_TUPLE);
        break;
    case EMPTY_SET:
    case EMPTY_LIST:
        push_kind(m, PICKLE_LIST);
        break;
    case FROZENSET:
    case LIST:
        push_marked(m, PICKLE_LIST);
        break;
    case EMPTY_DICT:
        push_kind(m, PICKLE_DICT);
        break;
    case DICT:
        push_marked(m, PICKLE_DICT);
        break;
    case APPEND:
        pair[0] = pop(m);
        append_items(m, pair, 1);
        break;
    case ADDITEMS:
    case APPENDS:
        items = pop_mark(m, &count);
        append_items(m, items, count);
        break;
    case SETITEM:
        pair[1] = pop(m), pair[0] = pop(m);
        set_items(m, pair, 2);
        break;
    case SETITEMS:
        items = pop_mark(m, &count);
        set_items(m, items, count);
        break;
    default:
        return false;
    }
    return true;
}

static bool step_object(Machine *m, uint8_t opcode) {
    switch (opcode) {
    case GLOBAL:
        push_named_global(m);
        break;
    case STACK_GLOBAL:
        push_stack_global(m);
        break;
    case NEWOBJ:
    case REDUCE:
        call(m);
        break;
    case BUILD:
        build(m);
        break;
    case BINPERSID:
        push_persistent(m);
        break;
    default:
        return false;
    }
    return true;
}

bool pickle_read(Pickle *pickle, Arena *arena, const uint8_t *bytes, size_t size, size_t offset,
                 const PickleTable *table, char error[PICKLE_ERROR_SIZE]) {
    Machine m = {.arena = arena,
                 .bytes = bytes,
                 .size = size < PICKLE_LONGEST ? size : PICKLE_LONGEST,
                 .offset = offset,
                 .table = table,
                 .error = error};
    if (setjmp(m.failed)) return false;
    for (;;) {
        m.opcode = m.at;
        if (m.at == m.size && m.size < size) fail(&m, "the pickle is longer than %d MB", PICKLE_LONGEST >> 20);
        const uint8_t opcode = (uint8_t)take_number(&m, 1);
        if (opcode == STOP) break;
        if (!step_stack(&m, opcode) && !step_container(&m, opcode) && !step_object(&m, opcode)) step_scalar(&m, opcode);
    }
    PickleValue *value = pop(&m);
    if (m.depth || m.mark_count) fail(&m, "the pickle ends with more than one value");
    *pickle = (Pickle){value, m.persistent, m.persistent_count, m.at};
    return true;
}

PickleValue *pickle_get(const PickleValue *dict, const char *key) {
    if (!dict || dict->kind != PICKLE_DICT) return NULL;
    for (int i = dict->count - 2; i >= 0; i -= 2)
        if (pickle_is(dict->v.items[i], key)) return dict->v.items[i + 1];
    return NULL;
}

bool pickle_is(const PickleValue *value, const char *text) {
    return value->kind == PICKLE_STRING && (size_t)value->count == strlen(text) &&
           !memcmp(value->v.text, text, (size_t)value->count);
}
