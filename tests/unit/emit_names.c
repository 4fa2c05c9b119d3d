/* The API's prefix: no name that emitted code defines itself may be one, or the C would not compile. */
#include <CUnit/CUnit.h>
#include <ctype.h>
#include <string.h>

#include "emit/emit.h"
#include "nets.h"
#include "passes.h"

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
    if (!strncmp(line, "static TARGET ", 14)) return; /* tasks and their parts step aside by themselves */
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
    CU_ASSERT(count > (standalone ? 100 : 40));
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
    CU_ASSERT(!emit_standalone_name_is_taken("net") && !emit_standalone_name_is_taken("model"));
    CU_ASSERT(emit_name_is_taken("rn_model") && emit_name_is_taken("size_t"));
    CU_ASSERT(!emit_name_is_taken("resnet50") && !emit_name_is_taken("models") && emit_name_is_taken("forward_v3") &&
              !emit_name_is_taken("t"));
}

/* A network called as its own task: the task takes another name. */
static void test_task_steps_aside(void) {
    Text c = emit_network("conv3x3_3to20_8x8", (Target){KERNELS_JIT, {4}, 1}, false);
    CU_ASSERT_PTR_NULL(strstr(c.s, "void conv3x3_3to20_8x8("));
    CU_ASSERT_PTR_NOT_NULL(strstr(c.s, "void conv3x3_3to20_8x8_2("));
    text_free(&c);
}

void suite_emit_names(void) {
    CU_pSuite suite = CU_add_suite("emit_names", NULL, NULL);
    CU_add_test(suite, "names that emitted code defines", test_own_names);
    CU_add_test(suite, "a task called as the network", test_task_steps_aside);
}
