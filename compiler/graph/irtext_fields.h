/* What the printer and the parser of the graph's text share, so that they cannot disagree. */
#ifndef RNC_IRTEXT_FIELDS_H
#define RNC_IRTEXT_FIELDS_H

#include "attrs.h"
#include "ops.h"

extern const char *const irtext_orders[3];               /* Preprocess.order */
extern const char *const irtext_slots[NODE_MAX_WEIGHTS]; /* Node.weight */

bool irtext_bare(char c); /* may stand in a name without quotes */

void irtext_print_window(Text *text, const Window *window); /* " 7x7 /2 pad 3" */
void irtext_print_attributes(Text *text, const Node *node); /* " eps 1e-05 momentum 0.1"; no weights, no terms */

#endif
