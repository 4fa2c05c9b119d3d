/* An ONNX file as a graph of tensors: the first of the two stages in which it is read.
 *
 * Tensors have any rank and one of ONNX's types; nodes are the file's, in its order, which must be topological. When
 * model_simplify is through, every tensor's shape is known where its operator is, and all that does not depend on the
 * network's input is a constant: what exporters write to compute shapes is gone. The second stage (import.h) makes the
 * network of what is left, and says what it cannot be made of.
 */
#ifndef RNC_ONNX_MODEL_H
#define RNC_ONNX_MODEL_H

#include "base/base.h"
#include "base/diag.h"
#include "onnx.pb-c.h"

enum {
    ONNX_MOST_RANK = 8,
    ONNX_MOST_NODES = 1000000,
    ONNX_MOST_MEMBERS = 1 << 22,
    ONNX_NEWEST_OPSET = 28,
    ONNX_OLDEST_OPSET = 6
};
static const int64_t onnx_most_elements = INT32_MAX; /* of a tensor */

typedef struct OnnxShape {
    int rank; /* -1: not known */
    int64_t dim[ONNX_MOST_RANK];
} OnnxShape;

static inline int64_t onnx_elements(const OnnxShape *shape) {
    int64_t n = 1;
    for (int i = 0; i < shape->rank; i++) n *= shape->dim[i];
    return n;
}

static inline bool onnx_same_shape(const OnnxShape *a, const OnnxShape *b) {
    if (a->rank != b->rank) return false;
    for (int d = 0; d < a->rank; d++)
        if (a->dim[d] != b->dim[d]) return false;
    return true;
}

/* ONNX's types, as far as numbers are read of them; values are the format's. */
typedef Onnx__TensorProto__DataType OnnxType;
bool onnx_type_is_real(OnnxType type); /* FLOAT, FLOAT16, BFLOAT16, DOUBLE */
bool onnx_type_is_integer(OnnxType type); /* of those that are read; not BOOL */

typedef struct OnnxNode OnnxNode;
struct Operand; /* import.h */

typedef struct OnnxTensor {
    const char *name;
    OnnxType type;
    OnnxShape shape;
    OnnxNode *producer; /* NULL: an initializer or the input */
    bool is_output;
    int uses;                /* inputs of nodes that are it, and 1 for an output */
    struct Operand *operand; /* of the second stage: what it is in the network; NULL: nothing that is known */
    /* a constant has one of them, row-major: reals of the real types, as floats; else integers, 0 and 1 of BOOL */
    const float *reals;
    const int64_t *integers;
} OnnxTensor;

static inline bool onnx_is_constant(const OnnxTensor *tensor) {
    return tensor->reals || tensor->integers;
}
double onnx_element(const OnnxTensor *tensor, int64_t i); /* of a constant */

struct OnnxNode {
    int index;          /* in the file */
    const char *type;   /* the operator's name: "Conv" */
    const char *name;   /* "" where it has none */
    const char *domain; /* "": ONNX's own */
    OnnxTensor **in;    /* NULL: an optional input that is absent */
    OnnxTensor **out;   /* NULL: one behind the first that is left out */
    int nin, nout;
    const Onnx__NodeProto *proto;      /* its attributes */
    const struct OnnxOperator *op;     /* NULL: none that is known */
    const struct Elementwise *formula; /* of an operator on each number alone; else NULL */
    double number[2];                  /* its attributes */
    bool done;                         /* folded, dead, or part of what another node was read with */
    const char *misfit;                /* an attribute that was read and is of another type, or NULL */
    const char *problem;               /* why its result's shape or number could not be found, or NULL */
};

/* A file of external data. */
typedef struct OnnxFile {
    const char *location, *path; /* as the model has it, as it is opened */
    struct rn_pages *pages;
    struct OnnxFile *next;
} OnnxFile;

typedef struct OnnxOptions {
    const char *path;
    int batch; /* images at once where the file does not say; 0: one */
    const char *const *defines;
    int define_count;
    int64_t folded_most; /* numbers that constants may be computed of, 2^29 where it is 0 */
} OnnxOptions;

typedef struct OnnxModel {
    Arena *arena; /* of all that is here; freed by the caller */
    Diag *diag;
    const Source *source;
    int opset;
    OnnxNode **nodes; /* in the file's order */
    int node_count;
    Map tensors; /* name -> OnnxTensor */
    OnnxTensor *input;
    OnnxTensor **outputs;
    int output_count;
    int64_t folded_most; /* numbers that constants may still be computed of */
    int batch;           /* images in the input, as the file or the options say */
    uint64_t hash;       /* of the file's bytes */
    OnnxFile *files;     /* that hold its data, beside its own */
    Onnx__ModelProto *proto;
    ProtobufCAllocator allocator; /* of `proto` */
} OnnxModel;

/* Reads a file, or its bytes. `model` holds what an arena cannot free until model_close. False after an error. */
bool model_open(OnnxModel *model, Arena *arena, const Source *source, const OnnxOptions *options, Diag *diag);
bool model_parse(OnnxModel *model, Arena *arena, const Source *source, const uint8_t *bytes, size_t size,
                 const OnnxOptions *options, Diag *diag);
void model_close(OnnxModel *model);
/* Shapes, constants; what nothing reads is done. False after an error. */
bool model_simplify(OnnxModel *model);

/* ---- constants.c ---- */
/* The numbers of a tensor in the file or beside it. False after an error, at `what`. */
bool constant_read(OnnxModel *model, OnnxTensor *tensor, const Onnx__TensorProto *proto, const char *what);
/* A new constant of the tensor's type and shape; zeroed. Exactly one of both is not NULL. */
void constant_allocate(OnnxModel *model, OnnxTensor *tensor, float **reals, int64_t **integers);
void constant_set(float *reals, int64_t *integers, int64_t i, double value);
/* What an integer is in a type of fewer bits. */
int64_t constant_wrapped(OnnxType type, int64_t value);

/* ---- attributes; `otherwise` where the node has none of that name, and, as node->misfit, where it has another type */
const Onnx__AttributeProto *onnx_attribute(const OnnxNode *node, const char *name);
int64_t onnx_attribute_int(OnnxNode *node, const char *name, int64_t otherwise);
/* The number whose shortest decimal was rounded to this float: 1e-5 of what a file has for it. */
double onnx_decimal(float value);
double onnx_attribute_real(OnnxNode *node, const char *name, double otherwise);
/* "" where it is not there */
const char *onnx_attribute_string(OnnxModel *model, OnnxNode *node, const char *name, const char *otherwise);
/* How many it has, at most `most` of which are copied; -1 where it is not there. */
int onnx_attribute_ints(OnnxNode *node, const char *name, int64_t *values, int most);
/* Of a list that is an attribute in older operator sets and an input from then on: -1 where there is neither, -2 where
 * it is no constant or has more than `most`. */
int onnx_list(OnnxNode *node, const char *attribute, int input, int64_t *values, int most);

/* ---- words for errors ---- */
const char *onnx_shape_text(Arena *arena, const OnnxShape *shape); /* "1x64x56x56" */
const char *onnx_node_text(Arena *arena, const OnnxNode *node);    /* "node 12 '/layer1/conv1/Conv' (Conv)" */
const char *onnx_type_name(int type);

#endif
