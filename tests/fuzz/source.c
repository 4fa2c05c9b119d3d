/* .rn source: parsed, formatted and elaborated. The formatter keeps the tree and is idempotent; an error is said. */
#include "fuzz.h"

#include "compiler/ast.h"

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

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    Arena arena = {0};
    Text messages = {0}, tree = {0};
    Diag diag = {.capture = &messages};
    Source source = {"fuzz.rn", with_nul(&arena, bytes, size), size};
    Ast *ast = ast_parse_text(&arena, &source, &diag);
    if (ast) {
        ast_dump(ast, &tree);
        check_format(&arena, &source, &tree);
        Graph *graph = elaborate(&arena, ast, NULL, 0, &diag);
        if (graph) verify_graph(graph);
        CHECK(!graph == (diag.errors > 0));
    }
    CHECK(ast || diag.errors);
    text_free(&messages);
    text_free(&tree);
    arena_free(&arena);
    return 0;
}
