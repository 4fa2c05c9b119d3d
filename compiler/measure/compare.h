/* rnc compare: how far two networks agree, and where they part. */
#ifndef RNC_COMPARE_H
#define RNC_COMPARE_H

#include "compilation.h"

/* Whether they can be compared: inputs and outputs of the same shapes, weights for both or for neither. False after a
 * diagnostic. Both have a source. */
bool compare_check(Compilation *first, Compilation *second);
/* Runs both, each that is compiled by its plan, and prints how far they agree. False after a diagnostic, and where they
 * differ by more than the threshold. */
bool compare_run(Compilation *first, Compilation *second);

#endif
