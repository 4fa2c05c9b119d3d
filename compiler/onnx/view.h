/* How the elements of an ONNX tensor are those of a value of the graph.
 *
 * Reshape, Transpose, Flatten, Squeeze and Unsqueeze move no numbers of the graph: they say in which order a value's
 * N images of C x H x W are counted, and in which dimensions. A View is that order: atoms from the slowest to the
 * fastest, each a part of one of the value's axes. N x C x H x W is [N] [C] [H] [W]; after a Transpose to channels last
 * [N] [H] [W] [C]; after a Reshape into two groups of channels [N] [C: 2 of C/2] [C: C/2] [H] [W]. Only where a layer
 * needs an order that the view does not have, numbers must move.
 */
#ifndef RNC_ONNX_VIEW_H
#define RNC_ONNX_VIEW_H

#include "graph/ir.h"
#include "model.h"

typedef enum ViewAxis { AXIS_N, AXIS_C, AXIS_H, AXIS_W, AXIS_NONE, AXIS_PART } ViewAxis;

/* `size` steps of `stride` along an axis; none of size 1 is kept. */
typedef struct Atom {
    ViewAxis axis;
    int64_t size, stride;
} Atom;

enum { VIEW_MOST_ATOMS = 16 };

typedef struct View {
    int64_t size[4]; /* of the axes: N, C, H, W */
    int rank, count;
    Atom atom[VIEW_MOST_ATOMS];
    int begin[ONNX_MOST_RANK + 1]; /* dimension d is of atoms begin[d] to begin[d + 1] */
} View;

/* A value in its own order, in dimensions that hold as many elements. False where they cut an axis unevenly. */
bool view_plain(int64_t batch, Shape shape, const OnnxShape *dims, View *view);
/* The same elements in other dimensions. */
bool view_reshape(const View *view, const OnnxShape *dims, View *result);
View view_transpose(const View *view, const int *perm);
/* Another value's, of whose axis the dimension is all `count`; false where others hold parts of this one's. */
bool view_replace(const View *view, int dim, ViewAxis axis, int64_t count, View *result);
/* Which axis a dimension is, wholly and in order: AXIS_NONE where its size is 1, AXIS_PART where it is no axis. */
ViewAxis view_axis(const View *view, int dim);
/* The value's own order, [N] [C] [H] [W], in whatever dimensions. */
bool view_is_plain(const View *view);
/* Dimensions N, C and, from 2 on, rows and columns, in the value's own order. */
bool view_is_image(const View *view);
/* Whether a dimension is made of the one axis alone. */
bool view_is_of(const View *view, int dim, ViewAxis axis);
bool view_same_order(const View *a, const View *b);
/* Whether the dimensions have these sizes. */
bool view_fits(const View *view, const OnnxShape *dims);
/* One row or one column of what had several, in dimensions that hold as many elements. */
bool view_collapse(const View *view, bool rows, bool columns, const OnnxShape *dims, View *result);
/* Whether the first dimension is the images, wholly and in order. */
bool view_begins_with_images(const View *view);
/* "[N] [H] [W] [C]", for errors */
const char *view_text(Arena *arena, const View *view);

#endif
