/* The vector primitives of the targets, as text (prelude.c puts it together). */
#ifndef RNC_EMIT_PRELUDE_H
#define RNC_EMIT_PRELUDE_H

extern const char prelude_c_primitives[]; /* prelude_c.c: generic */

#endif
