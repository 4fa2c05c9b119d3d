/* .rn source: parsed, formatted, elaborated, with parameters as they are and as -D may have them, and compiled. The
 * formatter keeps the tree and is idempotent; an error is said. */
#include "graph/verify.h"
#include "compile.h"

#include "language/ast.h"

static char *with_nul(Arena *arena, const uint8_t *bytes, size_t size) {
    return arena_strndup(arena, (const char *)bytes, size);
}

static void check_format(Arena *arena, const Source *source, const Text *tree) {
    Text once = {0}, twice = {0}, tree_again = {0}, messages = {0};
    Diag diag = {.capture = &messages};
    CHECK(ast_format(source, &once, &diag));
    Source formatted = {"formatted.rn", arena_strndup(arena, once.s ? once.s : "", once.size), once.size};
    CHECK(ast_format(&formatted, &twice, &diag));
    CHECK(once.size == twice.size && (!once.size || !memcmp(once.s, twice.s, once.size)));
    Ast *ast = ast_parse_text(arena, &formatted, &diag);
    CHECK(ast);
    ast_dump(ast, &tree_again);
    CHECK(tree->size == tree_again.size && (!tree->size || !memcmp(tree->s, tree_again.s, tree->size)));
    text_free(&once);
    text_free(&twice);
    text_free(&tree_again);
    text_free(&messages);
}

/* With some of the network's parameters given: usual numbers and the largest. */
static Graph *elaborate_defined(Arena *arena, const Ast *ast, FuzzChoice *choice, Diag *diag) {
    static const char *const numbers[] = {"0",
                                          "-1",
                                          "1",
                                          "2",
                                          "7",
                                          "64",
                                          "1000",
                                          "65536",
                                          "1048576",
                                          "2147483647",
                                          "4294967296",
                                          "9223372036854775807",
                                          "-9223372036854775808",
                                          "0.5",
                                          "1e308",
                                          "1e-308",
                                          "true"};
    enum { MOST = 4 };
    const char *defines[MOST];
    int count = 0;
    for (const ParamDecl *p = ast->network ? ast->network->params : NULL; p && count < MOST; p = p->next)
        if (fuzz_pick(choice, 2))
            defines[count++] =
                arena_printf(arena, "%s=%s", p->name, numbers[fuzz_pick(choice, sizeof numbers / sizeof *numbers)]);
    return elaborate(arena, ast, defines, count, diag);
}

static void check_graph(Arena *arena, const Graph *graph, FuzzChoice *choice, Diag *diag) {
    CHECK(!graph == (diag->errors > 0));
    if (!graph) return;
    verify_graph(graph);
    fuzz_compile(arena, graph, choice, diag);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    Arena arena = {0};
    Text messages = {0}, tree = {0};
    Diag diag = {.capture = &messages};
    Source source = {"fuzz.rn", with_nul(&arena, bytes, size), size};
    Ast *ast = ast_parse_text(&arena, &source, &diag);
    if (ast) {
        ast_dump(ast, &tree);
        check_format(&arena, &source, &tree);
        FuzzChoice choice = fuzz_choice(bytes, size);
        Diag first = {.capture = &messages};
        check_graph(&arena, elaborate(&arena, ast, NULL, 0, &first), &choice, &first);
        Diag second = {.capture = &messages};
        if (ast->network && ast->network->params)
            check_graph(&arena, elaborate_defined(&arena, ast, &choice, &second), &choice, &second);
    }
    CHECK(ast || diag.errors);
    text_free(&messages);
    text_free(&tree);
    arena_free(&arena);
    return 0;
}
