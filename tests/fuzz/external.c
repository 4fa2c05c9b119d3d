/* An ONNX model whose weights are in files beside it, some of which may be symbolic links: what is read of them is a
 * graph with a number for every element of its weights, and no file outside the model's folder is opened.
 *
 * An input is, for each file, its path, the size of its content in two bytes, little-endian, and the content; then an
 * empty line, and the model to the end. Of "name -> target" is made a link, which may lead out of the model's folder by
 * one "../", to "outside", or nowhere, but never out of the private folder that all is in.
 */
#include "folder.h"

#include "graph/verify.h"
#include "onnx/import.h"
#include "onnx/read.h"

#define MODEL "in/m.onnx"

static void make_link(const char *name, const char *target) {
    char path[sizeof folder + FOLDER_PATH], below[FOLDER_PATH + 4];
    if (!folder_is_path(name) || strchr(name, '/') || !folder_is_path(target + (strncmp(target, "../", 3) ? 0 : 3)))
        return;
    snprintf(below, sizeof below, "in/%s", name);
    folder_place(below, path);
    if (symlink(target, path)) return; /* the name is taken */
}

static void make_file(char *name, const uint8_t *content, size_t count) {
    char below[FOLDER_PATH + 4];
    char *arrow = strstr(name, " -> ");
    if (arrow) {
        *arrow = 0;
        make_link(name, arrow + 4);
    } else if (folder_is_path(name)) {
        snprintf(below, sizeof below, "in/%s", name);
        folder_write(below, content, count);
    }
}

/* By its real path, which the reader is not asked for. */
static void check_place(const char *path) {
    char within[sizeof folder + 4];
    char *real = realpath(path, NULL);
    CHECK(real);
    snprintf(within, sizeof within, "%s/in/", folder);
    CHECK(!strncmp(real, within, strlen(within)));
    free(real);
}

static void check_network(OnnxNetwork *network) {
    CHECK(graph_check(network->graph, NULL, NULL));
    CHECK(network->weights.count == network->graph->tensor_count);
    for (int i = 0; i < network->file_count; i++) check_place(network->files[i]);
    for (int i = 0; i < network->weights.count; i++) {
        CHECK(network->weights.data[i]);
        volatile float last = network->weights.data[i][tensor_size(network->graph->tensors[i]) - 1];
        (void)last;
    }
    tensor_data_free(&network->weights);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    const uint8_t *at = bytes, *end = bytes + size, *content;
    char name[FOLDER_PATH], path[sizeof folder + sizeof MODEL];
    size_t count;
    folder_make();
    folder_write("outside/w.bin", (const uint8_t *)"secret", 6);
    for (int files = 0; files < FOLDER_FILES && folder_take_line(&at, end, name) && *name &&
                        (content = folder_take_content(&at, end, &count)) != NULL;
         files++)
        make_file(name, content, count);
    folder_write(MODEL, at, (size_t)(end - at));
    snprintf(path, sizeof path, "%s/" MODEL, folder);

    const Source source = {.path = path};
    const OnnxOptions options = {.path = path, .batch = 2, .folded_most = 1 << 20};
    Arena arena = {0};
    Text said = {0};
    Diag diag = {.capture = &said};
    OnnxNetwork network;
    const bool good = onnx_read(&arena, &source, &options, &network, &diag);
    CHECK(good == !diag.errors);
    if (good) check_network(&network);
    text_free(&said);
    arena_free(&arena);
    folder_empty();
    return 0;
}
