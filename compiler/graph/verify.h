/* The graph verifier: what every pass may assume and must keep. */
#ifndef RNC_VERIFY_H
#define RNC_VERIFY_H

#include "ir.h"

/* Every invariant of the graph; on a broken one calls bug() naming pass, node and rule. */
void verify_graph(const Graph *graph);
/* The same as a question: false with the broken rule in `problem`, and its layer's place (both may be NULL). */
bool graph_check(const Graph *graph, Text *problem, Place *place);

#endif
