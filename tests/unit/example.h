/* Loads an example for a test: parse and elaborate, diagnostics printed where it fails. Paths are relative to the
 * repository's root, where tests run. */
#ifndef RNC_TEST_EXAMPLE_H
#define RNC_TEST_EXAMPLE_H

#include <stdio.h>
#include <string.h>

#include "language/ast.h"

static inline Graph *example_elaborate(Arena *arena, Ast *ast, const char *define, Diag *diag) {
    Graph *graph = ast ? elaborate(arena, ast, &define, define ? 1 : 0, diag) : NULL;
    if (diag->capture->size) fprintf(stderr, "%s", diag->capture->s);
    text_free(diag->capture);
    return diag->errors ? NULL : graph;
}

/* define: "NAME=VALUE" or NULL. NULL after errors. */
static inline Graph *example_load(Arena *arena, const char *path, const char *define) {
    Text text = {0};
    Diag diag = {.capture = &text};
    return example_elaborate(arena, ast_parse_file(arena, path, &diag), define, &diag);
}

/* The same of a source's text. */
static inline Graph *example_source(Arena *arena, const char *source) {
    Text text = {0};
    Diag diag = {.capture = &text};
    Source *kept = arena_alloc(arena, sizeof *kept);
    *kept = (Source){.path = "test.rn", .text = source, .size = strlen(source)};
    return example_elaborate(arena, ast_parse_text(arena, kept, &diag), NULL, &diag);
}

#endif
