/* The text of a graph (docs/ir.md): printed and read back. */
#ifndef RNC_IRTEXT_H
#define RNC_IRTEXT_H

#include "ir.h"

void irtext_print(const Graph *graph, Text *text);
Graph *irtext_parse(Arena *arena, const Source *source, Diag *diag); /* NULL after an error */

#endif
