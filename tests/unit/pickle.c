/* The pickle reader: each kind of value, each opcode's demands on the stack, and what is refused. */
#include "load/pickle.h"

#include <CUnit/CUnit.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const PickleGlobal globals[] = {{"collections.OrderedDict", 1, true}, {"torch.FloatStorage", 2, false}};
static const PickleTable table = {globals, 2};

/* Reads bytes of exactly their size, so that sanitizers see a read beyond them. */
static bool read_pickle(Pickle *pickle, Arena *arena, const char *bytes, size_t size, char error[PICKLE_ERROR_SIZE]) {
    uint8_t *copy = malloc(size ? size : 1);
    memcpy(copy, bytes, size);
    error[0] = 0;
    const bool good = pickle_read(pickle, arena, copy, size, 0, &table, error);
    free(copy);
    return good;
}

#define READ(bytes) read_pickle(&pickle, &arena, bytes, sizeof(bytes) - 1, error)

static void test_scalars(void) {
    Arena arena = {0};
    Pickle pickle;
    char error[PICKLE_ERROR_SIZE];
    static const struct {
        const char *bytes;
        size_t size;
        int64_t value;
    } integers[] = {{"K\xff.", 3, 255},
                    {"M\xfe\xff.", 4, 65534},
                    {"J\xff\xff\xff\xff.", 6, -1},
                    {"\x8a\0.", 3, 0},
                    {"\x8a\1\x80.", 4, -128},
                    {"\x8a\x05\0\0\0\0\1.", 8, INT64_C(1) << 32},
                    {"\x8a\x08\0\0\0\0\0\0\0\x80.", 11, INT64_MIN},
                    {"\x8b\2\0\0\0\xff\x7f.", 8, 32767}};
    for (size_t i = 0; i < sizeof integers / sizeof *integers; i++) {
        CU_ASSERT_FATAL(read_pickle(&pickle, &arena, integers[i].bytes, integers[i].size, error));
        CU_ASSERT(pickle.value->kind == PICKLE_INT && pickle.value->u.integer == integers[i].value);
        CU_ASSERT_EQUAL(pickle.used, integers[i].size);
    }
    CU_ASSERT(READ("\x8a\x09\0\0\0\0\0\0\0\0\1.") && pickle.value->kind == PICKLE_LONG && pickle.value->count == 9);
    CU_ASSERT(READ("G\x3f\xf8\0\0\0\0\0\0.") && pickle.value->kind == PICKLE_FLOAT && pickle.value->u.real == 1.5);
    CU_ASSERT(READ("N.") && pickle.value->kind == PICKLE_NONE);
    CU_ASSERT(READ("\x88.") && pickle.value->kind == PICKLE_BOOL && pickle.value->u.integer == 1);
    CU_ASSERT(READ("\x80\x02\x89.rest") && pickle.value->kind == PICKLE_BOOL && pickle.value->u.integer == 0);
    CU_ASSERT_EQUAL(pickle.used, 4);
    CU_ASSERT(READ("X\3\0\0\0abc.") && pickle_is(pickle.value, "abc") && !pickle_is(pickle.value, "ab"));
    CU_ASSERT(READ("\x8c\2a\0.") && pickle.value->count == 2 && !pickle_is(pickle.value, "a"));
    CU_ASSERT(READ("U\1x.") && pickle_is(pickle.value, "x"));
    CU_ASSERT(READ("\x8d\1\0\0\0\0\0\0\0y.") && pickle_is(pickle.value, "y"));
    arena_free(&arena);
}

static void test_containers(void) {
    Arena arena = {0};
    Pickle pickle;
    char error[PICKLE_ERROR_SIZE];
    CU_ASSERT(READ(").") && pickle.value->kind == PICKLE_TUPLE && pickle.value->count == 0);
    CU_ASSERT(READ("K\1K\2\x86.") && pickle.value->count == 2 && pickle.value->v.items[1]->u.integer == 2);
    CU_ASSERT(READ("(K\1K\2K\3K\4t.") && pickle.value->count == 4 && pickle.value->v.items[0]->u.integer == 1);
    CU_ASSERT(READ("]K\1aK\2a.") && pickle.value->kind == PICKLE_LIST && pickle.value->count == 2);
    CU_ASSERT(READ("](K\1K\2e.") && pickle.value->count == 2);
    CU_ASSERT(READ("(lq\0K\1a.") && pickle.value->count == 1);
    /* a dict: the last of two values of a key holds, as in Python */
    CU_ASSERT(READ("}(X\1\0\0\0aK\1X\1\0\0\0bK\2uX\1\0\0\0aK\3s.") && pickle.value->kind == PICKLE_DICT);
    CU_ASSERT_PTR_NOT_NULL_FATAL(pickle_get(pickle.value, "a"));
    CU_ASSERT_EQUAL(pickle_get(pickle.value, "a")->u.integer, 3);
    CU_ASSERT_EQUAL(pickle_get(pickle.value, "b")->u.integer, 2);
    CU_ASSERT_PTR_NULL(pickle_get(pickle.value, "c"));
    CU_ASSERT_PTR_NULL(pickle_get(NULL, "a"));
    /* an OrderedDict, empty and then filled; with pairs, as Python 2 wrote it; its state dropped */
    CU_ASSERT(READ("ccollections\nOrderedDict\n)RX\1\0\0\0aK\1s}b.") && pickle.value->kind == PICKLE_DICT);
    CU_ASSERT_PTR_NOT_NULL(pickle_get(pickle.value, "a"));
    CU_ASSERT(READ("ccollections\nOrderedDict\n](](U\1aK\1ee\x85R.") && pickle.value->kind == PICKLE_DICT);
    CU_ASSERT_PTR_NOT_NULL(pickle_get(pickle.value, "a"));
    /* the memo, by index and in order; the second use is the same value */
    CU_ASSERT(READ("]q\0h\0\x86.") && pickle.value->v.items[0] == pickle.value->v.items[1]);
    CU_ASSERT(READ("]\x94K\1\x94h\0h\1\x87.") == false);
    CU_ASSERT(READ("]\x94K\1\x94h\1h\0t.") == false);
    CU_ASSERT(READ("(]\x94K\1\x94h\1h\0t.") && pickle.value->v.items[2]->u.integer == 1 &&
              pickle.value->v.items[3] == pickle.value->v.items[0]);
    CU_ASSERT(READ("]r\3\0\0\0j\3\0\0\0\x86."));
    /* names, and what is outside the pickle */
    CU_ASSERT(READ("ctorch\nFloatStorage\n.") && pickle.value->kind == PICKLE_GLOBAL && pickle.value->u.integer == 1);
    CU_ASSERT(READ("\x8c\5torch\x8c\x0c"
                   "FloatStorage\x93.") &&
              pickle.value->u.integer == 1);
    CU_ASSERT(READ("ctorch\nFloatStorage\nK\1\x85R.") && pickle.value->kind == PICKLE_CALL && pickle.value->count == 1);
    CU_ASSERT(READ("K\7QK\x08Q\x86.") && pickle.persistent_count == 2 &&
              pickle.persistent[0]->kind == PICKLE_PERSISTENT);
    CU_ASSERT_EQUAL(pickle.persistent[1]->v.items[0]->u.integer, 8);
    arena_free(&arena);
}

static const struct {
    const char *bytes;
    size_t size;
    const char *error;
} malformed[] = {
#define M(bytes, error)                                                                                                \
    { bytes, sizeof(bytes) - 1, error }
    M("", "byte 0: the pickle is cut short"),
    M("N", "byte 1: the pickle is cut short"),
    M(".", "byte 0: an opcode finds nothing on the stack"),
    M("NN.", "byte 2: the pickle ends with more than one value"),
    M("(N.", "ends with more than one value"),
    M("K", "byte 0: the pickle is cut short"),
    M("M\1", "cut short"),
    M("J\1\2\3", "cut short"),
    M("\x8a\xff", "cut short"),
    M("\x8b\xff\xff\xff\xff", "cut short"),
    M("\x8d\xff\xff\xff\xff\xff\xff\xff\xff", "cut short"),
    M("X\4\0\0\0abc", "cut short"),
    M("Gabc", "cut short"),
    M("ctorch\nFloatStorage", "cut short"),
    M("ctorch", "cut short"),
    M("\x80\x06N.", "byte 0: protocol 6"),
    M("0.", "nothing on the stack"),
    M("2.", "nothing on the stack"),
    M("1.", "no mark"),
    M("t.", "no mark"),
    M("u.", "no mark"),
    M("e.", "no mark"),
    M("N\x86.", "nothing on the stack"),
    M("N(\x85.", "nothing on the stack"), /* not below a mark */
    M("N(q\0.", "nothing on the stack"),
    M("](a.", "nothing on the stack"),
    M("}(s.", "nothing on the stack"),
    M("}(Nu.", "a key without a value"),
    M("(Nd.", "a key without a value"),
    M("N(NNu.", "SETITEMS on what is no dict"),
    M("NNNs.", "SETITEMS on what is no dict"),
    M("NNa.", "APPENDS to what is no list"),
    M("N(Ne.", "APPENDS to what is no list"),
    M("h\0.", "memo 0 is used and was never set"),
    M("Nq\0h\1.", "memo 1 is used and was never set"),
    M("j\xff\xff\xff\xff.", "memo 4294967295 is used"),
    M("Nr\xff\xff\xff\xff.", "memo index 4294967295 after"),
    M("cos\nsystem\n.", "byte 0: refers to os.system"),
    M("N\x8c\2os\x8c\6system\x93.", "byte 13: refers to os.system"),
    M("ctorch.Float\nStorage\n.", "refers to torch.Float.Storage"), /* as long as a known one */
    M("ctorch\nFloatStorag\n.", "refers to torch.FloatStorag"),
    M("c\n\n.", "refers to ., "),
    M("NN\x93.", "STACK_GLOBAL without two names"),
    M("N)R.", "a call of what is no name"),
    M("ctorch\nFloatStorage\nNR.", "a call without a tuple"),
    M("ccollections\nOrderedDict\n](Ne\x85R.", "no pairs"),
    M("NNb.", "BUILD on what is no object"),
    M("I1\n.", "byte 0: opcode 0x49 (INT)"),
    M("F1\n.", "(FLOAT)"),
    M("S'a'\n.", "(STRING)"),
    M("P1\n.", "(PERSID)"),
    M("(ios\nsystem\n.", "byte 1: opcode 0x69 (INST)"),
    M("(No.", "(OBJ)"),
    M("\x82\1.", "(EXT1)"),
    M("N)}\x92.", "(NEWOBJ_EX)"),
    M("\x97.", "(NEXT_BUFFER)"),
    M("\xff.", "byte 0: opcode 0xff (unknown)"),
    M("cx\x1b[2J\ny\n.", "refers to x\x1b[2J.y"),
#undef M
};

static void test_malformed(void) {
    for (size_t i = 0; i < sizeof malformed / sizeof *malformed; i++) {
        Arena arena = {0};
        Pickle pickle;
        char error[PICKLE_ERROR_SIZE];
        const bool good = read_pickle(&pickle, &arena, malformed[i].bytes, malformed[i].size, error);
        const bool as_told = !good && !strncmp(error, "byte ", 5) && strstr(error, malformed[i].error);
        if (!as_told) printf("malformed pickle %zu: %d, \"%s\", not \"%s\"\n", i, good, error, malformed[i].error);
        CU_ASSERT(as_told);
        arena_free(&arena);
    }
}

/* A few bytes must not become much memory: lists shared by many calls, and pickles without end. */
static void test_bombs(void) {
    enum { PAIRS = 3000, SIZE = PICKLE_LONGEST + 100 };
    Arena arena = {0};
    Pickle pickle;
    char error[PICKLE_ERROR_SIZE], *bytes = malloc(SIZE), *at = bytes;
    static const char name[] = "eq\0ccollections\nOrderedDict\nq\1";
    at = memcpy(at, "](", 2), at += 2;
    for (int i = 0; i < PAIRS; i++) memcpy(at, "NN\x86", 3), at += 3;
    memcpy(at, name, sizeof name - 1), at += sizeof name - 1;
    for (int i = 0; i < PAIRS; i++) memcpy(at, "h\0\x85R0h\1", 7), at += 7;
    CU_ASSERT_FALSE(read_pickle(&pickle, &arena, bytes, (size_t)(at - bytes), error));
    CU_ASSERT_PTR_NOT_NULL(strstr(error, "more than its bytes can"));
    memset(bytes, 'N', SIZE);
    CU_ASSERT_FALSE(pickle_read(&pickle, &arena, (uint8_t *)bytes, SIZE, 7, &table, error));
    CU_ASSERT_STRING_EQUAL(error, "byte 16777223: the pickle is longer than 16 MB");
    free(bytes);
    arena_free(&arena);
}

void suite_pickle(void) {
    CU_pSuite suite = CU_add_suite("pickle", NULL, NULL);
    CU_add_test(suite, "numbers and texts", test_scalars);
    CU_add_test(suite, "tuples, lists, dicts, memo and names", test_containers);
    CU_add_test(suite, "malformed pickles, each named", test_malformed);
    CU_add_test(suite, "small pickles that would grow", test_bombs);
}
