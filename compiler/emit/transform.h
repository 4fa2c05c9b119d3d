/* The transforms of Winograd's method in one dimension (runtime/core/winograd.h): for each F(m, r) one function of
 * straight-line vector code, which layers and both of their dimensions share.
 */
#ifndef RNC_EMIT_TRANSFORM_H
#define RNC_EMIT_TRANSFORM_H

#include "plan/linear.h"
#include "emit.h"

typedef struct Transform {
    Linear linear;        /* its factored matrix */
    const char *function; /* void FUNCTION(const V *d, V *to, int step): to[i * step], from d */
} Transform;

Transform emit_input_transform(Emit *e, const rn_winograd *w);  /* `n` products from `span` pixels */
Transform emit_output_transform(Emit *e, const rn_winograd *w); /* `m` pixels from `n` products */

/* The statements of such a function. */
void emit_linear(const Emit *e, const Linear *linear, Text *text);

#endif
