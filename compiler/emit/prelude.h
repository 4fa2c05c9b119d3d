/* The prelude of net.c: what its loops are written in, once for each instruction set. */
#ifndef RNC_EMIT_PRELUDE_H
#define RNC_EMIT_PRELUDE_H

#include "emit.h"
#include "items.h"

void emit_includes(const Emit *e, Text *text);
/* What `code`, the text for the instruction set that is written now, uses of c/: TARGET, V, its functions. */
Items prelude_for(const Emit *e, const Text *code);
/* Before the code; after it where another target follows, which gets the names back. */
void emit_prelude(const Emit *e, const Items *prelude, Text *text);
void emit_prelude_end(const Emit *e, const Items *prelude, Text *text);
/* Once in the file: what `code`, the line of calls and the API, uses of c/calls.h. */
void emit_calls_prelude(const Emit *e, const Text *code, Text *text);
/* No task may be called like what these define. */
void prelude_reserve_names(Emit *e);
bool prelude_defines(const char *name, size_t length);

#endif
