/* What the compiler saves besides C: weights, as safetensors or packed for the emitted code; the network as ONNX. */
#ifndef RNC_SAVE_H
#define RNC_SAVE_H

#include "graph/tensor.h"
#include "graph/ir.h"

/* Every parameter of the graph under its name, as F32. */
bool save_safetensors(const Graph *graph, const TensorData *data, const char *path, Diag *diag);

/* Runs the recipe on the graph's parameters (by name) and writes the packed file (runtime/weights/packed.h): the bytes
 * that rn_weights_open makes of the same parameters' safetensors file. */
bool save_packed(const char *path, const rn_recipe *recipe, const char *network, const Graph *graph,
                 const TensorData *params, Diag *diag, int threads);

/* The graph with its weights as an ONNX model called `name`, for `batch` images (0: any number, a dimension "N").
 * `data` has the expressions evaluated, too. */
bool save_onnx(const Graph *graph, const TensorData *data, const char *name, int batch, const char *path, Diag *diag);
/* Before there are weights. False after a diagnostic: they are more than an ONNX file can hold, or a layer has no ONNX
 * form. */
bool onnx_check(const Graph *graph, const char *path, Diag *diag);

#endif
