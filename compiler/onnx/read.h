/* A network from an ONNX file (docs/onnx.md). */
#ifndef RNC_ONNX_READ_H
#define RNC_ONNX_READ_H

#include "graph/tensor.h"
#include "model.h"

/* What a file gives: the graph, its weights by tensor id (malloc'd; tensor_data_free), and how many images it is for.
 */
typedef struct OnnxNetwork {
    Graph *graph;
    TensorData weights;
    int batch;
    uint64_t hash;      /* XXH3-64 of the file and those of external data */
    const char **files; /* of external data, as they were opened */
    int file_count;
} OnnxNetwork;

/* False after an error; it names the file, and every node that cannot be read. */
bool onnx_read(Arena *arena, const Source *source, const OnnxOptions *options, OnnxNetwork *network, Diag *diag);

#endif
