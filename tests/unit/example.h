/* Loads an example for a test: parse and elaborate, diagnostics printed where it fails. Paths are relative to the
 * repository's root, where tests run. */
#ifndef RNC_TEST_EXAMPLE_H
#define RNC_TEST_EXAMPLE_H

#include <stdio.h>

#include "ast.h"

/* define: "NAME=VALUE" or NULL. NULL after errors. */
static inline Graph *example_load(Arena *arena, const char *path, const char *define) {
    Text text = {0};
    Diag diag = {.capture = &text};
    Ast *ast = ast_parse_file(arena, path, &diag);
    Graph *graph = ast ? elaborate(arena, ast, &define, define ? 1 : 0, &diag) : NULL;
    if (text.size) fprintf(stderr, "%s", text.s);
    text_free(&text);
    return diag.errors ? NULL : graph;
}

#endif
