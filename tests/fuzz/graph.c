/* The text form of a graph: what is accepted is a sound graph, reads back as it is printed, and compiles. */
#include "graph/irtext.h"
#include "graph/verify.h"
#include "compile.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    Arena arena = {0};
    Text messages = {0}, once = {0}, twice = {0};
    Diag diag = {.capture = &messages};
    Source source = {"fuzz.ir", arena_strndup(&arena, (const char *)bytes, size), size};
    Graph *graph = irtext_parse(&arena, &source, &diag);
    CHECK(!graph == (diag.errors > 0));
    if (graph) {
        verify_graph(graph);
        irtext_print(graph, &once);
        Source printed = {"printed.ir", once.s, once.size};
        Graph *again = irtext_parse(&arena, &printed, &diag);
        CHECK(again);
        irtext_print(again, &twice);
        CHECK(once.size == twice.size && !memcmp(once.s, twice.s, once.size));
        FuzzChoice choice = fuzz_choice(bytes, size);
        fuzz_compile(&arena, graph, &choice, &diag);
    }
    text_free(&messages);
    text_free(&once);
    text_free(&twice);
    arena_free(&arena);
    return 0;
}
