/* The tables of ONNX's operators: operators.def, a row and up to three functions each, and elementwise.def, those that
 * work on each number alone, a formula each.
 */
#ifndef RNC_ONNX_OPERATORS_H
#define RNC_ONNX_OPERATORS_H

#include "model.h"

typedef struct Import Import; /* import.h */

typedef struct OnnxOperator {
    const char *name;
    int most_inputs; /* -1: any number */
    /* Sets the results' types and shapes from the inputs', of which the first one's is known. False where it cannot,
     * with node->problem why. */
    bool (*infer)(OnnxModel *model, OnnxNode *node);
    /* Makes the results constants: all inputs are, shapes are known. False where it cannot. NULL: it never can. */
    bool (*fold)(OnnxModel *model, OnnxNode *node);
    /* Makes layers (import.h). NULL: it has no counterpart. */
    bool (*import)(Import *import, OnnxNode *node);
} OnnxOperator;

const OnnxOperator *onnx_operator(const OnnxNode *node); /* NULL where there is none */

/* ---- infer.c, fold.c, fold_compute.c: what the rows name ---- */
#define OPERATOR(name, inputs, infer, fold, import)                                                                    \
    bool infer(OnnxModel *model, OnnxNode *node);                                                                      \
    bool fold(OnnxModel *model, OnnxNode *node);                                                                       \
    bool import(Import *to, OnnxNode *node);
#include "operators.def"
#undef OPERATOR

/* node->problem; false */
bool onnx_problem(OnnxModel *model, OnnxNode *node, const char *format, ...) PRINTF_LIKE(3, 4);
/* Counted from the end where negative; false where the rank has none such. */
bool onnx_axis(int64_t axis, int rank, int *result);

/* The window of a convolution or pool over up to three spatial dimensions; padding that auto_pad leaves to be computed
 * is. False after node->problem. */
typedef struct OnnxWindow {
    int rank;
    int64_t kernel[3], stride[3], dilate[3], begin[3], end[3];
    bool ceil;
} OnnxWindow;
bool onnx_window(OnnxModel *model, OnnxNode *node, const OnnxShape *in, const int64_t *kernel, OnnxWindow *window);
/* Of a transposed convolution, whose result has `extra` rows at its end besides. */
bool onnx_transposed_window(OnnxModel *model, OnnxNode *node, const OnnxShape *in, const int64_t *kernel,
                            OnnxWindow *window, int64_t extra[3]);

/* A slice along one axis of a tensor: `count` elements from `start` on, `step` apart. */
typedef struct OnnxRange {
    int64_t start, step, count;
} OnnxRange;
/* Of a Slice, all axes. False after node->problem. */
bool onnx_slice(OnnxModel *model, OnnxNode *node, OnnxRange range[ONNX_MOST_RANK]);
/* A Pad's numbers, of all axes. False after node->problem. */
bool onnx_pads(OnnxModel *model, OnnxNode *node, int64_t begin[ONNX_MOST_RANK], int64_t end[ONNX_MOST_RANK]);
/* The axes of a reduction or a squeeze; false after node->problem. With `all`, no list means all axes. */
bool onnx_axes(OnnxModel *model, OnnxNode *node, int rank, bool all, bool axes[ONNX_MOST_RANK]);
/* The sizes of a Split's parts. False after node->problem. */
bool onnx_split(OnnxModel *model, OnnxNode *node, int *axis, int64_t *sizes);

/* ---- elementwise.c ---- */
enum { ELEMENTWISE_MOST_IN = 3 };

typedef struct Elementwise {
    const char *name;
    int inputs;           /* most; with `variadic` the formula is of two, and more are taken one after another */
    bool variadic, truth; /* truth: its result is of type BOOL */
    const char *attribute[2];
    double otherwise[2];
    double (*apply)(double a, double b, double c, double p, double q);
} Elementwise;

void onnx_find_formula(OnnxNode *node); /* node->formula and its numbers, by its type and attributes */
/* The result for one element of each input: `in` has node->nin numbers, those of absent inputs unused. */
double onnx_elementwise_apply(const OnnxNode *node, const double *in);
/* The shape that broadcasting gives, of inputs that are there; false where they do not fit. */
bool onnx_broadcast(const OnnxNode *node, OnnxShape *shape);
/* Whether broadcasting makes the second shape of the first. */
bool onnx_broadcasts_to(const OnnxShape *shape, const OnnxShape *result);
/* Of the element of a broadcast result of `shape`, where in the tensor it comes from. */
int64_t onnx_broadcast_index(const OnnxTensor *tensor, const OnnxShape *shape, int64_t element);

bool import_elementwise(Import *to, OnnxNode *node); /* import_elementwise.c */
bool infer_elementwise(OnnxModel *model, OnnxNode *node);
bool fold_elementwise(OnnxModel *model, OnnxNode *node);

#endif
