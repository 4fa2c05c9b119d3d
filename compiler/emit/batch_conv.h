/* What the files of training's convolutions share (batch_conv.c, batch_tiles.c, batch_weights.c). */
#ifndef RNC_EMIT_BATCH_CONV_H
#define RNC_EMIT_BATCH_CONV_H

#include "batch.h"
#include "plan/batch_conv.h"
#include "reader.h"

enum { PANEL = BATCH_PANEL };

/* fc goes through the images of a batch, with ranks through those of a group: so many at once, then one by one. */
int batch_fc_images(const Emit *e);
void open_fc_images(const Emit *e, const char *group, Text *body); /* of all groups, or of group `group` */
void close_fc_images(const Emit *e, const char *group, Text *body);

const char *batch_conv_name(const Emit *e, const BatchConv *c); /* "batch_conv3x3_16to16_32x32_data_f4" */

/* Output channels are computed a panel at a time: those of whole panels, then what is left, each with its own kernel.
 */
typedef struct PanelRun {
    int from, to, width;
} PanelRun;
int panel_runs(int channels, PanelRun runs[2]); /* how many */
/* "for (int o = 0; o < 128; o += 64)" */
void open_panels(const char *name, const PanelRun *run, int depth, const char *end, Text *body);

/* Opens the loops over filters, or a part of them: "i", channels that are read, and "o", a vector of those made. */
void open_weights(int in, int lda, Text *body);
/* Floats of a tap's packed weights before the panel whose first output channel is o. */
const char *packed_panel(Emit *e, const BatchConv *c);

/* A table of bytes: "static const unsigned long long NAME[] = {0, 64};" */
void batch_offsets(Text *body, int depth, const char *name, int count, const long long *bytes);
/* A function (a, n, first, rows, to): a copy of rows [first, first + rows) of image n, computed as it is read, with
 * zeros around it. */
typedef struct Strip {
    Shape shape;
    int pixel;         /* floats of the image's pixels */
    int left, columns; /* pixels before each row, and how many it has in all */
    int to_pixel;      /* floats of the copy's */
    int panel;         /* not 0: copies so many channels, and has another parameter, `from`: the first of them */
} Strip;
const char *strip_function(Emit *e, const Reader *r, const Strip *strip);
/* "x": the source of image n; where windows are taken as pixels, from the result's row r0 on. */
void source_image(Emit *e, const BatchConv *c, const Sliding *sl, Text *body);
bool is_padded(const Sliding *s);

/* ---- depthwise (batch_depthwise.c) ---- */
/* The results of a phase of an image, from `x`, `row` floats a row and `pixel` a pixel, to `y`. */
void emit_depthwise_phase(Emit *e, const BatchConv *c, const PhaseLine *rows, const PhaseLine *columns, const Layout *y,
                          int row, int pixel, Text *body);
/* Adds what an image gives, from x and its gradient y, to the slab at `to`. */
void emit_depthwise_weights(Emit *e, const BatchConv *c, const Layout *y, int row, int pixel, Text *body);

/* ---- Winograd's method (batch_tiles.c) ---- */
/* G g: 3 taps to 6 products; its transpose. */
const char *kernel_function(Emit *e, const rn_winograd *f);
const char *kernel_adjoint(Emit *e, const rn_winograd *f);
/* "dy -> Z": the tiles of an image's gradient from row t0 of tiles on; zeros where they reach over the image. */
const char *tile_gradients(Emit *e, const BatchConv *c, const Reader *r, const Layout *y);
/* Fills V from image n's rows of tiles t0 and after, at `tile` of the block. */
void fill_v(Emit *e, const BatchConv *c, const Reader *source, Text *body);
void scratch_places(Emit *e, const BatchConv *c, const char *m, Text *body);
/* Opens the loop over the images of a block from image n0 on: n, tile. */
void open_block_images(const BatchConv *c, const char *end, Text *body);
void emit_winograd_result(Emit *e, const Step *s, const BatchConv *c, Text *body);
void emit_winograd_shared(Emit *e, const Step *s, const BatchConv *c, Text *body);

#endif
