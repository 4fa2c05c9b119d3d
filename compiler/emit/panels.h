/* Panels of output channels: runs of them that share their text. */
#ifndef RNC_EMIT_PANELS_H
#define RNC_EMIT_PANELS_H

#include "emit.h"
#include "plan/panels.h"

typedef struct Segment {
    int first, end;      /* panels [first, end) */
    int channels;        /* output channels of each: the GEMM's M */
    int width;           /* stored width of a panel's weights: lda */
    int addend_channels; /* how many of them have an addend to read */
} Segment;

enum { MAX_SEGMENTS = 8 };

/* The panels of a convolution in runs of equal text; returns how many. reads_addend: whether the epilogue reads an
 * addend. */
int panels_segments(const Panels *panels, const Step *step, bool reads_addend, Segment segments[MAX_SEGMENTS]);

/* "PREFIX_panel", with the channels where panels of the step have different numbers of them. */
const char *panel_name(Emit *e, const char *prefix, const Panels *panels, const Step *step, const Segment *segment);

/* Appends a call that depends on the panel: calls[i] is the text for segment i, e.g. "f(a, panel);". */
void panels_call(const Segment *segments, int count, const char *const *calls, int depth, Text *text);

#endif
