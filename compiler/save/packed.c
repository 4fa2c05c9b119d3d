/* Packed weights at compile time: the recipe run on the graph's parameters, and its header (runtime/weights/packed.h).
 */
#include "graph/tensor.h"
#include "save.h"

#include "base/base.h"

#include "runtime/weights/packed.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

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

/* A file of this size, all zeros, to be filled where it is mapped: no second copy of what may be a gigabyte. Its space
 * is taken at once, so that a full disk is an error here and no fault later. NULL, and errno, where it cannot be had.
 */
static uint8_t *map_new_file(const char *path, size_t size) {
    const int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0) return NULL;
    int error = posix_fallocate(fd, 0, (off_t)size);
    void *bytes = error ? MAP_FAILED : mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (!error && bytes == MAP_FAILED) error = errno;
    close(fd);
    errno = error;
    return error ? NULL : bytes;
}

bool save_packed(const char *path, const rn_recipe *recipe, const char *network, const Graph *graph,
                 const TensorData *data, Diag *diag, int threads) {
    Arena arena = {0};
    Params params = {.data = data};
    for (int i = 0; i < graph->tensor_count; i++)
        if (graph->tensors[i]->op == RN_PARAM)
            map_put(&params.by_name, &arena, graph->tensors[i]->name, graph->tensors[i]);
    const size_t size = RN_PACKED_HEADER_SIZE + recipe->packed_size;
    uint8_t *header = map_new_file(path, size);
    const bool ok = header != NULL;
    if (ok) {
        uint8_t *payload = header + RN_PACKED_HEADER_SIZE;
        if (rn_recipe_run(recipe, copy_param, &params, payload, threads < 1 ? 1 : threads)) out_of_memory();
        if (rn_packed_header(header, network, recipe, payload, threads)) out_of_memory();
        munmap(header, size);
    } else
        diag_error(diag, (Place){0}, "cannot write '%s': %s", path_base(path), strerror(errno));
    arena_free(&arena);
    return ok;
}
