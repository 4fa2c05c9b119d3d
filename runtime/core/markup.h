/* Text that may come from anywhere, in pages and drawings. */
#ifndef RN_CORE_MARKUP_H
#define RN_CORE_MARKUP_H

#include <stdio.h>

/* In UTF-8, fit for XML and HTML: marks as entities, U+FFFD for what is no text. At most `most` characters, the middle
 * of a longer one left out; 0: all. */
void rn_markup_put(FILE *out, const char *text, int most);

#endif
