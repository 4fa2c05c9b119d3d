/* Parameters as a safetensors file (runtime/weights/safetensors.h describes it): F32, in the order of the graph's
 * tensors, the header padded with spaces so that the data begin at a multiple of 8. */
#include "graph/tensor.h"
#include "save.h"

#include "base/base.h"

#include "rn.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static void write_json_string(Text *text, const char *s) {
    text_puts(text, "\"");
    for (; *s; s++) {
        if (*s == '"' || *s == '\\')
            text_printf(text, "\\%c", *s);
        else if ((unsigned char)*s < 32)
            text_printf(text, "\\u%04x", (unsigned)*s);
        else
            text_write(text, s, 1);
    }
    text_puts(text, "\"");
}

/* Returns the size of the data. */
static uint64_t write_header(const Graph *graph, Text *header) {
    uint64_t offset = 0;
    text_puts(header, "{\"__metadata__\":{\"format\":\"pt\",\"network\":");
    write_json_string(header, graph->name);
    text_puts(header, ",\"rnc\":\"" RN_VERSION "\"}");
    for (int i = 0; i < graph->tensor_count; i++) {
        const Tensor *tensor = graph->tensors[i];
        if (tensor->op != RN_PARAM) continue;
        const uint64_t end = offset + (uint64_t)tensor_size(tensor) * sizeof(float);
        text_puts(header, ",");
        write_json_string(header, tensor->name);
        text_puts(header, ":{\"dtype\":\"F32\",\"shape\":[");
        for (int d = 0; d < tensor->ndim; d++) text_printf(header, "%s%d", d ? "," : "", tensor->dim[d]);
        text_printf(header, "],\"data_offsets\":[%" PRIu64 ",%" PRIu64 "]}", offset, end);
        offset = end;
    }
    text_puts(header, "}");
    while (header->size % 8) text_puts(header, " ");
    return offset;
}

bool save_safetensors(const Graph *graph, const TensorData *data, const char *path, Diag *diag) {
    Text header = {0};
    const uint64_t data_size = write_header(graph, &header);
    const size_t size = 8 + header.size + data_size;
    uint8_t *bytes = malloc(size), *at = bytes + 8 + header.size;
    if (!bytes) out_of_memory();
    for (int i = 0; i < 8; i++) bytes[i] = (uint8_t)((uint64_t)header.size >> 8 * i);
    memcpy(bytes + 8, header.s, header.size);
    for (int i = 0; i < graph->tensor_count; i++) {
        const Tensor *tensor = graph->tensors[i];
        if (tensor->op != RN_PARAM) continue;
        if (i >= data->count || !data->data[i]) bug("parameter %s has no data to save", tensor->name);
        memcpy(at, data->data[i], (size_t)tensor_size(tensor) * sizeof(float)); /* little-endian, as the targets are */
        at += (size_t)tensor_size(tensor) * sizeof(float);
    }
    const bool ok = file_write(path, bytes, size);
    if (!ok) diag_error(diag, (Place){0}, "cannot write '%s': %s", path_base(path), strerror(errno));
    free(bytes);
    text_free(&header);
    return ok;
}
