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

/* The mean of `panel`'s channels, stored to `y` from `sum` (emitted names) of all the image's pixels. */
void pooled_mean(Emit *e, const Step *s, const Panels *panels, const char *sum, const char *y, int channels, int depth,
                 Text *t);

#endif
