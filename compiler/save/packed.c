/* Packed weights at compile time: the recipe run on the graph's parameters, and its header (runtime/packed.h). */
#include "save.h"

#include "../options.h"

#include "../../runtime/packed.h"
#include "../../runtime/pages.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

typedef struct Params {
    Map by_name; /* -> Tensor */
    const TensorData *data;
} Params;

/* The recipe's source of parameters; one that the graph does not have is our own mistake. */
static float *copy_param(void *user, const char *name, int ndim, const int32_t *dim) {
    const Params *params = user;
    const Tensor *tensor = map_get(&params->by_name, name);
    if (!tensor || tensor->id >= params->data->count || !params->data->data[tensor->id])
        bug("the recipe needs parameter %s, which has no data", name);
    if (tensor->ndim != ndim || memcmp(tensor->dim, dim, (size_t)ndim * sizeof *dim))
        bug("the recipe has another shape for parameter %s", name);
    const size_t size = (size_t)tensor_size(tensor) * sizeof(float);
    float *copy = malloc(size);
    if (copy) memcpy(copy, params->data->data[tensor->id], size);
    return copy;
}

bool save_packed(const char *path, const rn_recipe *recipe, const char *network, const Graph *graph,
                 const TensorData *data, Diag *diag, int threads) {
    Arena arena = {0};
    Params params = {.data = data};
    for (int i = 0; i < graph->tensor_count; i++)
        if (graph->tensors[i]->op == RN_PARAM)
            map_put(&params.by_name, &arena, graph->tensors[i]->name, graph->tensors[i]);
    /* header and payload in one piece, as the file has them */
    rn_pages pages;
    if (!rn_pages_allocate(&pages, RN_PACKED_HEADER_SIZE + recipe->packed_size)) bug("out of memory");
    uint8_t *header = (uint8_t *)(uintptr_t)pages.bytes, *payload = header + RN_PACKED_HEADER_SIZE;
    if (rn_recipe_run(recipe, copy_param, &params, payload, threads < 1 ? 1 : threads))
        bug("the recipe is inconsistent, or out of memory");
    if (rn_packed_header(header, network, recipe->hash, payload, recipe->packed_size, threads)) bug("out of memory");
    const bool ok = file_write(path, header, RN_PACKED_HEADER_SIZE + recipe->packed_size);
    if (!ok) diag_error(diag, (Place){0}, "cannot write '%s': %s", path_base(path), strerror(errno));
    rn_pages_free(&pages);
    arena_free(&arena);
    return ok;
}
