/* The API's prefix: no name that emitted code defines itself may be one, or the C would not compile. */
#include <CUnit/CUnit.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "emit/emit.h"
#include "nets.h"
#include "passes/passes.h"

void suite_emit_names(void);

/* The C of a network called `name`. */
static Text emit_network(const char *name, Target target, bool standalone) {
    Arena arena = {0};
    Text text = {0};
    Graph *graph = net_new(&arena, name, (Shape){3, 8, 8});
    graph_add_output(graph,
                     net_fc(graph, net_op(graph, OP_RELU, net_conv(graph, graph->input, 20, 3, 1, 1, true), NULL), 5));
    PassOptions passes = {.level = 2};
    passes_run(graph, &passes);
    const Plan *plan = plan_make(&arena, graph, &(PlanOptions){.isa = target.isa[0], .batch = 1, .reuse_memory = true});
    const EmitOptions options = {.name = name,
                                 .target = target,
                                 .command = "test",
                                 .source_hash = "0",
                                 .header_name = "net.h",
                                 .program = !standalone,
                                 .standalone = standalone};
    emit_c(plan, &options, &text);
    arena_free(&arena);
    return text;
}

/* What the line defines at file scope: the last word before its parameters, brackets or value; "" for nothing. */
static void defined_name(const char *line, char name[64]) {
    static const char *const starts[] = {"static ", "HELPER ", "typedef ", "struct ", "const ", "int ", "#define "};
    name[0] = 0;
    const size_t length = strcspn(line, "\n");
    static const char task[] = "(void *arg, int part, int parts);";
    /* tasks and their parts step aside by themselves */
    if (!strncmp(line, "static TARGET ", 14)) return;
    if (length >= sizeof task && !strncmp(line + length - (sizeof task - 1), task, sizeof task - 1)) return;
    bool defines = false;
    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++) defines |= !strncmp(line, starts[i], strlen(starts[i]));
    if (!defines) return;
    const char *end = line, *from = line;
    if (!strncmp(line, "#define ", 8))
        from += 8, end = from + strcspn(from, " (\n");
    else
        end += strcspn(line, "([={;\n");
    const char *attribute = strstr(line, " __attribute__"); /* follows a type's name */
    if (attribute && attribute < end) end = attribute;
    while (end > from && !isalnum((unsigned char)end[-1]) && end[-1] != '_') end--;
    const char *begin = end;
    while (begin > from && (isalnum((unsigned char)begin[-1]) || begin[-1] == '_')) begin--;
    snprintf(name, 64, "%.*s", (int)(end - begin), begin);
}

static void check_names(Target target, bool standalone) {
    Text c = emit_network("tested", target, standalone);
    int count = 0;
    for (const char *line = c.s; *line; line += strcspn(line, "\n"), line += *line == '\n') {
        char name[64];
        defined_name(line, name);
        if (!*name || !strncmp(name, "tested", 6) || !strcmp(name, "struct")) continue; /* the network's; anonymous */
        if (!strncmp(name, "model_", 6)) continue; /* meets the API of `model`, which is taken */
        count++;
        const bool taken = emit_name_is_taken(name) || (standalone && emit_standalone_name_is_taken(name));
        if (!taken) printf("\n%s is defined by the emitted code\n", name);
        CU_ASSERT(taken);
    }
    CU_ASSERT(count > (standalone ? 70 : 20));
    text_free(&c);
}

static void test_own_names(void) {
    static const Target targets[] = {
        {KERNELS_JIT, {3}, 1}, {KERNELS_JIT, {4}, 1}, {KERNELS_STATIC, {4, 3}, 2}, {KERNELS_C, {0}, 1}};
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
        check_names(targets[i], false);
        if (targets[i].kernels != KERNELS_JIT) check_names(targets[i], true);
    }
    CU_ASSERT(emit_standalone_name_is_taken("avalanche") && !emit_standalone_name_is_taken("resnet50"));
    CU_ASSERT(emit_standalone_name_is_taken("pool")); /* pool_run is the runtime's too */
    CU_ASSERT(!emit_standalone_name_is_taken("net") && !emit_standalone_name_is_taken("model"));
    CU_ASSERT(emit_name_is_taken("rn_model") && emit_name_is_taken("size_t"));
    CU_ASSERT(!emit_name_is_taken("resnet50") && !emit_name_is_taken("models") && emit_name_is_taken("forward_v3") &&
              !emit_name_is_taken("t"));
}

/* A network called as its own task: the task takes another name. */
static void test_task_steps_aside(void) {
    Text c = emit_network("conv3x3_3to20_8x8", (Target){KERNELS_JIT, {4}, 1}, false);
    CU_ASSERT_PTR_NULL(strstr(c.s, "void conv3x3_3to20_8x8("));
    CU_ASSERT_PTR_NOT_NULL(strstr(c.s, "void conv3x3_3to20_8x8_"));
    text_free(&c);
}

/* ---- beside every header of C and POSIX ---- */
#define HEADER(name) name,
static const char *const headers[] = {
#include "emit/c_headers.def"
};

static void write_includes(FILE *file, bool cpp) {
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        const bool c_only = !strcmp(headers[i], "stdatomic") || !strcmp(headers[i], "stdnoreturn");
        if (!cpp || !c_only)
            fprintf(file, "#if __has_include(<%s.h>)\n#include <%s.h>\n#endif\n", headers[i], headers[i]);
    }
}

/* A network of any word in those headers that may have it: its header compiles after them. */
static void test_beside_headers(void) {
    static const char *const compilers[] = {"gcc -std=gnu11 -D_GNU_SOURCE -x c",
                                            "gcc -std=c99 -x c",
                                            "gcc -std=gnu2x -x c",
                                            "clang -std=gnu11 -D_GNU_SOURCE -x c",
                                            "g++ -std=c++11 -x c++",
                                            "g++ -std=gnu++20 -x c++",
                                            "clang++ -std=c++17 -x c++"};
    char folder[] = "/tmp/rnc-names-XXXXXX", command[512];
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(folder));
    snprintf(command, sizeof command, "%s/all.c", folder);
    FILE *file = fopen(command, "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    write_includes(file, false);
    fclose(file);
    snprintf(command, sizeof command,
             "cd %s && { gcc -std=gnu11 -D_GNU_SOURCE -E -P all.c; gcc -std=gnu11 -D_GNU_SOURCE -E -dM all.c; "
             "g++ -std=gnu++20 -E -dM -x c++ /dev/null; } | tr -c 'A-Za-z0-9_' '\\n' | grep '^[A-Za-z]' | sort -u",
             folder);
    FILE *words = popen(command, "r");
    Text text = {0};
    char word[256];
    int free_words = 0, taken_words = 0;
    while (words && fscanf(words, "%255s", word) == 1) {
        if (emit_name_is_taken(word) || emit_name_is_c(word)) {
            taken_words++;
            continue;
        }
        free_words++;
        text_printf(
            &text,
            "struct %s { int rn; }; typedef struct %s %s; size_t %s_arena_size(int batch, int threads); const rn_model "
            "*%s_model(void);\n"
            "rn_status %s_create(%s **net, void *arena, const rn_options *options); void %s_destroy(%s *net);\n",
            word, word, word, word, word, word, word, word, word);
    }
    CU_ASSERT(words && pclose(words) == 0);
    CU_ASSERT(free_words > 500 && taken_words > 4000); /* members of structs, and all the rest */
    for (size_t i = 0; i < sizeof compilers / sizeof *compilers; i++) {
        const bool cpp = strstr(compilers[i], "++") != NULL;
        snprintf(command, sizeof command, "%s/names.c", folder);
        file = fopen(command, "w");
        CU_ASSERT_PTR_NOT_NULL_FATAL(file);
        write_includes(file, cpp);
        fprintf(file,
                "#include \"rn.h\"\n#ifdef __cplusplus\nextern \"C\" {\n#endif\n%s#ifdef __cplusplus\n}\n#endif\n",
                text.s);
        fclose(file);
        snprintf(command, sizeof command, "%s -Iruntime -fsyntax-only %s/names.c", compilers[i], folder);
        const int status = system(command);
        if (status) printf("\n%s: a name of a network meets one of a header's\n", compilers[i]);
        CU_ASSERT(!status);
    }
    text_free(&text);
    snprintf(command, sizeof command, "rm -r %s", folder);
    CU_ASSERT(system(command) == 0);
}

/* Those that no header that is there has, or not as it is compiled there. */
static void test_reserved(void) {
    static const char *const names[] = {"I",    "complex", "linux", "unix",    "i386", "bool",  "errno",     "stdin",
                                        "NULL", "main",    "class", "this",    "int",  "asm",   "constexpr", "printf",
                                        "stat", "tm",      "EOF",   "environ", "I",    "std",   "module",    "pthread",
                                        "M_PI", "assert",  "_x",    "timer",   "FILE", "size_t"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const bool taken = emit_name_is_c(names[i]) || emit_name_is_taken(names[i]);
        if (!taken) printf("\n%s is not taken\n", names[i]);
        CU_ASSERT(taken);
    }
    CU_ASSERT(emit_header_is_c("stdio") && emit_header_is_c("rn") && !emit_header_is_c("net"));
}

void suite_emit_names(void) {
    CU_pSuite suite = CU_add_suite("emit_names", NULL, NULL);
    CU_add_test(suite, "names that emitted code defines", test_own_names);
    CU_add_test(suite, "names beside the system's headers", test_beside_headers);
    CU_add_test(suite, "names of C and C++", test_reserved);
    CU_add_test(suite, "a task called as the network", test_task_steps_aside);
}
