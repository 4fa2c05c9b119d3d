/* Straight-line vector code of a constant matrix. */
#ifndef RNC_EMIT_TRANSFORM_H
#define RNC_EMIT_TRANSFORM_H

#include "plan/linear.h"
#include "emit.h"

/* Appends "const V r0 = ...;" for every row, in terms of d0, d1 ..., of which the text before has
 * defined those that it reads (linear_reads). */
void emit_linear(const Emit *e, const Linear *linear, int indent, Text *text);

#endif
