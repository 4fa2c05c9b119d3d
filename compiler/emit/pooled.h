/* Pools of a convolution whose results are in scratch: what conv.c and winograd.c share. */
#ifndef RNC_EMIT_POOLED_H
#define RNC_EMIT_POOLED_H

#include "emit.h"
#include "plan/panels.h"

/* Stores to the emitted `y` the largest of a window's pixels: rows r0, r1 ... at offsets q0, q1 ... (emitted names),
 * `channels` channels. finish: with bias and activation, from channel `from` ("" or " + n") on. */
void pooled_window(Emit *e, const Step *s, const char *from, int channels, bool finish, int depth, Text *t);

/* Pools row p of a result whose windows may overlap: from rows r0, r1 ... (emitted names, as p) of the whole image in
 * pixels of `pixel` floats, all channels. */
void pooled_row(Emit *e, const Step *s, int pixel, bool finish, int depth, Text *t);

/* Pools rows [y0, y1) of `panel` out of `image` (emitted names), which begins at row y0 and has the step's walked width
 * in pixels of `pixel` floats. type: of a row's number. */
void pooled_rows(Emit *e, const Step *s, const Panels *panels, int channels, int pixel, const char *type, bool finish,
                 Text *t);

/* Of a pool over the whole image: what its channels are gathered in, "sum" or "most"; its declaration, of `count`
 * floats; with one more vector. */
const char *pooled_name(const Epilogue *epilogue);
void pooled_declare(const Epilogue *epilogue, int count, int depth, Text *text);
const char *pooled_more(Emit *e, const Epilogue *epilogue, const char *gathered, const char *value);
/* The mean or the largest of `panel`'s channels, stored to `y` from what was gathered (emitted names) of all the
 * image's pixels. */
void pooled_store(Emit *e, const Step *s, const Panels *panels, const char *gathered, const char *y, int channels,
                  int depth, Text *t);

#endif
