/* For save/onnx*.c alone: the ONNX graph while it is built (onnx.c), and the layers that go into it (onnx_ops.c).
 *
 * A layer may take several ONNX nodes. They are added one after the other; the attribute functions speak of the last
 * one. The layer's last node gets its name, those before it LAYER/OpType.
 */
#ifndef RNC_SAVE_ONNX_H
#define RNC_SAVE_ONNX_H

#include "graph/tensor.h"
#include "graph/ops.h"
#include "onnx.pb-c.h"

/* A value of the ONNX graph. rnc's are all C x H x W; in ONNX what an fc, a flatten or an spp makes is N x C, "flat",
 * as other frameworks have it, and stays so until an op needs an image. */
typedef struct Operand {
    char *name;
    Shape shape;
    bool flat; /* N x C, otherwise N x C x H x W */
} Operand;

typedef struct OnnxTensors {
    Onnx__TensorProto **items;
    int count, capacity;
} OnnxTensors;

typedef struct OnnxValues {
    Onnx__ValueInfoProto **items;
    int count, capacity;
} OnnxValues;

typedef struct OnnxWriter {
    Arena arena;
    const Graph *graph;
    const TensorData *data;
    int batch;         /* 0: any, "N" */
    const Node *layer; /* whose nodes are being added */
    Operand *operand;  /* by value id */
    char **outside;    /* by value id: the name of an output's N x H x W x C; else NULL */
    Onnx__NodeProto **nodes;
    int node_count, node_capacity;
    OnnxTensors initializers;
    Onnx__TensorProto **first_use; /* by tensor id: its initializer, or NULL */
    OnnxValues inputs, outputs, between;
    Map values, names; /* taken names: of values and initializers; of nodes */
} OnnxWriter;

/* ---- onnx.c ---- */
/* A node and its one result. */
Operand onnx_add(OnnxWriter *w, const char *op_type, Shape shape, bool flat, int nin, char *const *in);
void onnx_int(OnnxWriter *w, const char *name, int64_t value);
void onnx_float(OnnxWriter *w, const char *name, double value);
void onnx_string(OnnxWriter *w, const char *name, const char *value);
void onnx_ints(OnnxWriter *w, const char *name, int count, const int *values);

/* Initializers; each returns its name. A weight tensor, of its own dims or others of as many elements. */
char *onnx_tensor(OnnxWriter *w, const Tensor *tensor);
char *onnx_tensor_as(OnnxWriter *w, const Tensor *tensor, int ndim, const int *dims);
char *onnx_scalar(OnnxWriter *w, const char *what, double value); /* LAYER/what, as the next two */
char *onnx_floats(OnnxWriter *w, const char *what, int count, const float *values);
char *onnx_indices(OnnxWriter *w, const char *what, int count, const int64_t *values);
/* int8, or uint8; a count of 1 is a scalar. */
char *onnx_bytes(OnnxWriter *w, const char *what, int count, const float *values, bool is_signed);

/* ---- onnx_ops.c ---- */
Operand onnx_export_node(OnnxWriter *w, const Node *node); /* the op and its epilogue */

#endif
