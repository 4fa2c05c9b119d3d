/* The command line's parser: values, defaults, and the recorded command. Its errors are tested in tests/cli/options.sh.
 */
#include <CUnit/CUnit.h>
#include <string.h>

#include "options.h"

static Arena arena;

static bool parse(Options *options, const char *const *words) {
    Text messages = {0};
    Diag diag = {.capture = &messages};
    int argc = 0;
    while (words[argc]) argc++;
    bool good = options_parse(options, &arena, argc, (char **)words, &diag);
    CU_ASSERT_EQUAL(good, !diag.errors);
    text_free(&messages);
    return good;
}
#define PARSE(options, ...) parse(options, (const char *const[]){"rnc", __VA_ARGS__, NULL})

static void test_forms(void) {
    Options a, b;
    CU_ASSERT_TRUE_FATAL(PARSE(&a, "-o", "dir/net.c", "--batch", "4", "-D", "size=64", "-Dclasses=3", "-O1", "net.rn"));
    CU_ASSERT_TRUE_FATAL(PARSE(&b, "net.rn", "-odir/net.c", "--batch=4", "-Dsize=64", "-D", "classes=3", "-O1"));
    CU_ASSERT_STRING_EQUAL(a.output, "dir/net.c");
    CU_ASSERT_STRING_EQUAL(b.output, "dir/net.c");
    CU_ASSERT_EQUAL(a.batch, 4);
    CU_ASSERT_EQUAL(b.batch, 4);
    CU_ASSERT_EQUAL(a.passes.level, 1);
    CU_ASSERT_EQUAL_FATAL(b.define_count, 2);
    CU_ASSERT_STRING_EQUAL(b.defines[1], "classes=3");
    CU_ASSERT_EQUAL(a.kind, OUTPUT_C);
    arena_free(&arena);
}

static void test_endings(void) {
    static const struct {
        const char *file;
        OutputKind kind;
    } cases[] = {{"x.c", OUTPUT_C},     {"x.o", OUTPUT_OBJECT},    {"x.a", OUTPUT_ARCHIVE}, {"x.so", OUTPUT_SHARED},
                 {"x", OUTPUT_PROGRAM}, {"a.c/x", OUTPUT_PROGRAM}, {"v1.2.c", OUTPUT_C},    {"./x.so", OUTPUT_SHARED}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Options o;
        CU_ASSERT_TRUE_FATAL(PARSE(&o, "-o", cases[i].file, "net.rn"));
        CU_ASSERT_EQUAL(o.kind, cases[i].kind);
    }
    Options o;
    CU_ASSERT_FALSE(PARSE(&o, "-o", "x.cpp", "net.rn"));
    CU_ASSERT_FALSE(PARSE(&o, "-o", "folder/", "net.rn"));
    arena_free(&arena);
}

static void test_defaults(void) {
    Options o;
    CU_ASSERT_TRUE_FATAL(PARSE(&o, "--summary", "net.rn"));
    CU_ASSERT_EQUAL(o.passes.level, 2);
    CU_ASSERT_EQUAL(o.batch, 1);
    CU_ASSERT_EQUAL(o.tolerance, 1e-4);
    CU_ASSERT_FALSE(o.random_weights);
    CU_ASSERT_EQUAL(o.target.count, 1);
    CU_ASSERT_TRUE(o.target.isa[0] == 3 || o.target.isa[0] == 4);
    CU_ASSERT_EQUAL(o.target.kernels, KERNELS_JIT);
    CU_ASSERT_TRUE(o.threads >= 1);
    CU_ASSERT_TRUE_FATAL(PARSE(&o, "bench", "net.rn"));
    CU_ASSERT_TRUE(o.bench);
    CU_ASSERT_EQUAL(o.threads, 1);
    CU_ASSERT_TRUE_FATAL(PARSE(&o, "--random-weights=0x10", "-o", "x", "net.rn"));
    CU_ASSERT_EQUAL(o.seed, 16);
    arena_free(&arena);
}

static void test_targets(void) {
    Options o;
    CU_ASSERT_TRUE_FATAL(PARSE(&o, "--target", "x86-64-v3,x86-64-v4", "--kernels=static", "-o", "x.c", "net.rn"));
    CU_ASSERT_EQUAL(o.target.kernels, KERNELS_STATIC);
    CU_ASSERT_EQUAL(o.target.count, 2);
    CU_ASSERT_TRUE(o.target.isa[0] == 4 && o.target.isa[1] == 3); /* the strongest first */
    CU_ASSERT_TRUE_FATAL(PARSE(&o, "--kernels", "c", "-o", "x.c", "net.rn"));
    CU_ASSERT_EQUAL(o.target.count, 1);
    CU_ASSERT_EQUAL(o.target.isa[0], 0);
    arena_free(&arena);
}

static void test_passes(void) {
    Options o;
    CU_ASSERT_TRUE_FATAL(PARSE(&o, "-O0", "-ffuse-add", "-o", "x.c", "net.rn"));
    CU_ASSERT_TRUE(pass_enabled(&o.passes, PASS_fuse_add));
    CU_ASSERT_FALSE(pass_enabled(&o.passes, PASS_fuse_act));
    CU_ASSERT_TRUE_FATAL(PARSE(&o, "-fno-fuse-add", "-o", "x.c", "net.rn"));
    CU_ASSERT_FALSE(pass_enabled(&o.passes, PASS_fuse_add));
    CU_ASSERT_TRUE(pass_enabled(&o.passes, PASS_fuse_act));
    CU_ASSERT_TRUE(pass_enabled(&o.passes, PASS_lower));
    arena_free(&arena);
}

/* What weights are stored as is no matter of levels. */
static void test_store(void) {
    Options o;
    CU_ASSERT_TRUE_FATAL(PARSE(&o, "-O3", "--summary", "net.rn"));
    CU_ASSERT_FALSE(pass_enabled(&o.passes, PASS_store_bf16));
    CU_ASSERT_TRUE_FATAL(PARSE(&o, "-O0", "--store=bf16", "-o", "x.c", "net.rn"));
    CU_ASSERT_TRUE(pass_enabled(&o.passes, PASS_store_bf16));
    CU_ASSERT_STRING_EQUAL(o.command, "rnc -O0 --store=bf16 -o x.c net.rn");
    CU_ASSERT_TRUE_FATAL(PARSE(&o, "bench", "--store", "bf16", "--store", "fp32", "net.rn"));
    CU_ASSERT_FALSE(pass_enabled(&o.passes, PASS_store_bf16));
    CU_ASSERT_FALSE(PARSE(&o, "--store", "fp16", "-o", "x.c", "net.rn"));
    arena_free(&arena);
}

/* Emitted code holds the command, and must not tell folders apart. */
static void test_command(void) {
    Options o;
    CU_ASSERT_TRUE_FATAL(PARSE(&o, "-v", "-o", "/a/b/net.c", "--threads", "2", "--weights=../w/x y.safetensors", "-O2",
                               "-Dn=1", "/c/net.rn"));
    CU_ASSERT_STRING_EQUAL(o.command, "rnc -o net.c --threads 2 --weights='x y.safetensors' -O2 -Dn=1 net.rn");
    CU_ASSERT_TRUE_FATAL(PARSE(&o, "--random-weights", "--name", "n", "-o", "net", "--", "net.rn"));
    CU_ASSERT_STRING_EQUAL(o.command, "rnc --random-weights --name n -o net net.rn");
    arena_free(&arena);
}

/* rnc compare: options before the networks are of both, those behind one of that; what is of the run, wherever it is.
 */
static void test_compare(void) {
    Options o;
    CU_ASSERT_TRUE_FATAL(PARSE(&o, "compare", "-O1", "-Da=1", "one.onnx", "-O3", "-Db=2", "-n", "3", "two.rn", "-Dc=3",
                               "--weights", "dir/w.pth", "--data=x.npy"));
    const Options *second = o.second;
    CU_ASSERT_PTR_NOT_NULL_FATAL(second);
    CU_ASSERT_TRUE(o.passes.level == 3 && second->passes.level == 1);
    CU_ASSERT_TRUE(!o.weights && !strcmp(second->weights, "dir/w.pth"));
    CU_ASSERT_TRUE(o.image_count == 3 && second->image_count == 3 && !strcmp(o.data, "x.npy"));
    CU_ASSERT_TRUE_FATAL(o.define_count == 2 && second->define_count == 2);
    CU_ASSERT_TRUE(!strcmp(o.defines[0], "a=1") && !strcmp(o.defines[1], "b=2"));
    CU_ASSERT_TRUE(!strcmp(second->defines[0], "a=1") && !strcmp(second->defines[1], "c=3"));
    CU_ASSERT_STRING_EQUAL(o.label, "one.onnx -O3 -Db=2");
    CU_ASSERT_STRING_EQUAL(second->label, "two.rn -Dc=3 --weights w.pth");
    CU_ASSERT_TRUE(!o.reference && !second->reference);

    CU_ASSERT_TRUE_FATAL(PARSE(&o, "compare", "one.onnx", "-O3")); /* alone: beside the interpreter's */
    CU_ASSERT_TRUE(o.reference && o.second && !o.second->reference && o.second->passes.level == 3);
    CU_ASSERT_STRING_EQUAL(o.label, "one.onnx --reference");
    CU_ASSERT_STRING_EQUAL(o.second->label, "one.onnx -O3");
    CU_ASSERT_FALSE(PARSE(&o, "compare", "a.rn", "b.rn", "c.rn"));
    CU_ASSERT_FALSE(PARSE(&o, "compare", "-o", "net.c", "a.rn"));
    arena_free(&arena);
}

void suite_options(void);
void suite_options(void) {
    CU_pSuite suite = CU_add_suite("options", NULL, NULL);
    CU_add_test(suite, "spellings of a value", test_forms);
    CU_add_test(suite, "output by ending", test_endings);
    CU_add_test(suite, "defaults", test_defaults);
    CU_add_test(suite, "targets and kernels", test_targets);
    CU_add_test(suite, "passes on and off", test_passes);
    CU_add_test(suite, "stored types", test_store);
    CU_add_test(suite, "recorded command", test_command);
    CU_add_test(suite, "two networks", test_compare);
}
