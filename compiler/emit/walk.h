/* The loop nest of layers that are no GEMM: rows, pixels, channel vectors, and the node's epilogue on each vector.
 *
 * A layer describes what it reads (operands: images; channel vectors: one number per channel) and how one vector of its
 * result is computed; walk_emit writes
 *
 *     for (int y = part * 56 / parts; y < (part + 1) * 56 / parts; y++) {
 *         for (int x = 0; x < 56; x++) {
 *             const float *in = a->x + y * 4480 + x * 80, *addend = a->addend + ...;
 *             float *out = a->y + y * 4480 + x * 80;
 *             for (int c = 0; c < 64; c += 16) store(out + c, relu(add(RESULT, load(addend + c))));
 *         }
 *     }
 *
 * An operand need not cover the whole result (zero-filled sums, padding, partial addends): the result is cut into boxes
 * in which the set of present operands is constant, and each box has its own loops, with no test inside.
 */
#ifndef RNC_EMIT_WALK_H
#define RNC_EMIT_WALK_H

#include "describe.h"
#include "emit.h"

enum { WALK_MAX_OPERANDS = 3, WALK_MAX_VECTORS = 4, WALK_MAX_CUTS = 16 };
enum { DIM_C, DIM_H, DIM_W };

typedef struct WalkImage { /* an image, read at the pixel being computed */
    const char *name;      /* the local pointer to its pixel */
    const char *base;      /* "a->x" */
    const Layout *layout;
    Shape shape;            /* of the image */
    int top, left;          /* where its pixel (0, 0) falls in the result */
    int stride_h, stride_w; /* read at stride * y (0 means 1) */
    int repeat;             /* read at y / repeat (0 means 1) */
    bool one_channel;       /* its one channel is beside all of the result's */
} WalkImage;

typedef struct ChannelVector { /* one number per channel: scale, slope, a gate of one pixel */
    const char *name;
    const char *base;
} ChannelVector;

typedef struct Box { /* [lo, hi) of the result, by DIM_* */
    int lo[3], hi[3];
} Box;

typedef struct Walk Walk;
struct Walk {
    Emit *e;
    const Step *step;
    Shape shape;                          /* of the result */
    WalkImage operand[WALK_MAX_OPERANDS]; /* the layer's own, then the addend */
    int operands;
    ChannelVector vector[WALK_MAX_VECTORS];
    int vectors;
    int cut[WALK_MAX_CUTS], cuts; /* columns where the layer wants a new box */
    int every;                    /* channels after which it wants one, at most WALK_MAX_CUTS times; 0: never */
    const void *user;
    /* Statements at the start of a row or pixel, or NULL. */
    void (*row)(const Walk *walk, const Box *box, int indent, Text *text);
    void (*pixel)(const Walk *walk, const Box *box, int indent, Text *text);
    /* The result's vector at channel `c` (an expression), `left` channels from the end of the box; may append
     * statements at `indent`. */
    const char *(*value)(const Walk *walk, const Box *box, const char *c, int left, int indent, Text *text);
    bool hoisted; /* walk_emit: channel vectors live in registers over the whole task */
};

/* A walk over the result of `step` with its epilogue's addend, bias and slope entered; the layer adds what is its own.
 */
Walk walk_new(Emit *e, const Step *step);
WalkImage *walk_add_operand(Walk *walk, const char *name, const char *base, const Value *value);
void walk_add_vector(Walk *walk, const char *name, const char *base);
void walk_add_cut(Walk *walk, int column);
/* Halo and loops, appended to body. */
void walk_emit(Walk *walk, Text *body);

/* For a layer's callbacks and for layers with loops of their own. */
bool walk_has(const Walk *walk, const Box *box, const char *name); /* is that operand present in the box? */
const char *walk_operand(const Walk *walk, const char *name, const char *c, int left); /* its vector at channel c */
const char *walk_vector(const Walk *walk, const char *name, const char *c, int left);
const char *walk_finish(const Walk *walk, const Box *box, const char *value, const char *c,
                        int left);                                            /* the epilogue around value */
void walk_pointers(const Walk *walk, const Box *box, int indent, Text *text); /* operands' and the result's pixel */
int walk_segments(const Walk *walk, int dim, int *start); /* box edges along dim; start[n] is the end */
void walk_open_rows(const Walk *walk, int lo, int hi, int indent, Text *text); /* the part's share of rows [lo, hi) */
/* A box's row or column as C: "y", "x", or a number where the box is one row or column. */
const char *walk_index(const Walk *walk, const Box *box, int dim);
/* "BASE + INDEX * STRIDE", as short as it can be; index: an expression or a number, below `count` in size. */
const char *emit_offset(Emit *e, const char *base, const char *index, int64_t stride, int64_t count);
/* Declares the vector `name`, whose lanes add up to the sum of the channels of the pixel at `in`, of their squares, or
 * of their squared distances from the vector `mean`. */
typedef enum { WALK_SUM, WALK_SUM_SQUARES, WALK_SUM_VARIANCE } WalkSum;
void walk_sum(const Walk *walk, const char *name, WalkSum of, int indent, Text *text);
/* The step's result is what the layer computes: no epilogue may have been fused into it. */
void emit_no_epilogue(const Step *step);

#endif
