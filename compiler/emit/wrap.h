/* Emitted text within so many columns. */
#ifndef RNC_EMIT_WRAP_H
#define RNC_EMIT_WRAP_H

#include "base/base.h"

enum { WRAP_COLUMNS = 120 };

/* Appends C in whole lines, each longer one broken: after a comma or before an operator, as far outside of brackets as
 * can be; in a comment or, where there is nothing else, in a string at a space. Preprocessor lines stay. */
void wrap_lines(const Text *from, Text *to);

#endif
