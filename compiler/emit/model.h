/* The constant tables of net.c and the public header. */
#ifndef RNC_EMIT_MODEL_H
#define RNC_EMIT_MODEL_H

#include "emit.h"

int64_t output_floats(const Graph *graph); /* of all outputs, one image */
/* An image's, as the application has it: "224 x 224 x 3, rows x columns x channels". */
const char *memory_shape(Arena *arena, const Value *value);
/* PREFIX_OUTPUT_SIZE, and of each output PREFIX_OUTPUT_LAYER_OFFSET and _SIZE. */
void emit_output_macros(const Graph *graph, const char *prefix, Arena *arena, Text *t);
void emit_tables_declared(Emit *e, Text *text); /* ahead of those who use them */
void emit_tables(Emit *e, Text *t);             /* recipe, layers, outputs */
const char *isa_c(rn_isa isa);                  /* "RN_ISA_X86_64_V3" */
void emit_model(Emit *e, Text *t);              /* the rn_model; after the API's prototypes */

#endif
