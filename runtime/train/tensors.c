/* Writes safetensors, see tensors.h: a header of JSON, then each tensor's floats as they lie in the flat buffers. The
 * same walk over the tensors goes three ways: it adds up a checksum, writes a file, or fills memory.
 */
#include "train/tensors.h"
#include "core/status.h"
#include "train/durable.h"
#include "train/trainer.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "safetensors has little-endian floats, and these are written as they lie"
#endif

enum { LENGTH_SIZE = 8, ALIGNMENT = 64 /* of the tensors in the file: the header ends in blanks */ };

/* ---- the header ---- */

static int add_tensor(cJSON *header, const char *prefix, const rn_train_parameter *p, size_t *at) {
    const size_t size = sizeof(float) * (size_t)rn_train_count(p), length = strlen(prefix) + strlen(p->name) + 1;
    char *name = malloc(length);
    if (!name) return 0;
    snprintf(name, length, "%s%s", prefix, p->name);
    cJSON *tensor = cJSON_AddObjectToObject(header, name);
    free(name);
    cJSON *shape = NULL, *offsets = NULL;
    int is_made = tensor && cJSON_AddStringToObject(tensor, "dtype", "F32") &&
                  (shape = cJSON_AddArrayToObject(tensor, "shape")) &&
                  (offsets = cJSON_AddArrayToObject(tensor, "data_offsets"));
    for (int i = 0; i < p->ndim && is_made; i++) is_made = cJSON_AddItemToArray(shape, cJSON_CreateNumber(p->dim[i]));
    is_made = is_made && cJSON_AddItemToArray(offsets, cJSON_CreateNumber((double)*at)) &&
              cJSON_AddItemToArray(offsets, cJSON_CreateNumber((double)(*at + size)));
    *at += size;
    return is_made;
}

/* The length and the JSON, padded; malloc'd. NULL: no memory. */
static char *make_header(const rn_train_context *context, int momentum, const cJSON *metadata, size_t *size) {
    const rn_train_model *model = context->model;
    cJSON *header = cJSON_CreateObject();
    size_t at = 0;
    int is_made = header != NULL;
    if (metadata) is_made = is_made && cJSON_AddItemToObject(header, "__metadata__", cJSON_Duplicate(metadata, 1));
    for (int i = 0; i < model->parameter_count && is_made; i++)
        is_made = add_tensor(header, "", &model->parameters[i], &at);
    for (int i = 0; i < model->parameter_count && is_made && momentum; i++)
        if (model->parameters[i].trained) is_made = add_tensor(header, "momentum.", &model->parameters[i], &at);
    char *text = is_made ? cJSON_PrintUnformatted(header) : NULL, *all = NULL;
    cJSON_Delete(header);
    if (text) {
        const size_t length = strlen(text);
        *size = (LENGTH_SIZE + length + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
        all = malloc(*size + 1);
        if (all) {
            for (int i = 0; i < LENGTH_SIZE; i++) all[i] = (char)((uint64_t)(*size - LENGTH_SIZE) >> 8 * i);
            memset(all + LENGTH_SIZE, ' ', *size - LENGTH_SIZE);
            memcpy(all + LENGTH_SIZE, text, length);
        }
    }
    cJSON_free(text);
    return all;
}

/* ---- where the bytes go ---- */

typedef struct Sink {
    rn_status (*put)(struct Sink *sink, const void *bytes, size_t size);
    XXH3_state_t *hash;
    rn_durable *file;
    uint8_t *memory;
} Sink;

static rn_status put_hash(Sink *sink, const void *bytes, size_t size) {
    XXH3_64bits_update(sink->hash, bytes, size);
    return RN_OK;
}

static rn_status put_file(Sink *sink, const void *bytes, size_t size) {
    return rn_durable_write(sink->file, bytes, size);
}

static rn_status put_memory(Sink *sink, const void *bytes, size_t size) {
    memcpy(sink->memory, bytes, size);
    sink->memory += size;
    return RN_OK;
}

static rn_status put_all(Sink *sink, const rn_train_context *context, int momentum, const char *header, size_t size) {
    const rn_train_model *model = context->model;
    rn_status status = sink->put(sink, header, size);
    for (int of_momentum = 0; of_momentum <= momentum; of_momentum++)
        for (int i = 0; i < model->parameter_count && !status; i++) {
            const rn_train_parameter *p = &model->parameters[i];
            if (of_momentum && !p->trained) continue;
            const float *floats = (of_momentum ? context->momentum : context->parameters) + p->offset;
            status = sink->put(sink, floats, sizeof(float) * (size_t)rn_train_count(p));
        }
    return status;
}

/* ---- the checksum ---- */

int rn_checksum_has_place(const void *bytes, size_t size) {
    return size > RN_CHECKSUM_AT + RN_CHECKSUM_DIGITS &&
           !memcmp((const char *)bytes + LENGTH_SIZE, RN_CHECKSUM_PREFIX, sizeof RN_CHECKSUM_PREFIX - 1);
}

static const char no_checksum[RN_CHECKSUM_DIGITS + 1] = "0000000000000000";

uint64_t rn_checksum_of(const void *bytes, size_t size) {
    const size_t rest = RN_CHECKSUM_AT + RN_CHECKSUM_DIGITS;
    XXH3_state_t *hash = XXH3_createState();
    if (!hash) return 0;
    XXH3_64bits_reset(hash);
    XXH3_64bits_update(hash, bytes, RN_CHECKSUM_AT);
    XXH3_64bits_update(hash, no_checksum, RN_CHECKSUM_DIGITS);
    XXH3_64bits_update(hash, (const char *)bytes + rest, size - rest);
    const uint64_t sum = XXH3_64bits_digest(hash);
    XXH3_freeState(hash);
    return sum;
}

/* Puts the checksum into a header that has a place for it. */
static int seal(const rn_train_context *context, int momentum, char *header, size_t size) {
    if (!rn_checksum_has_place(header, size)) return 1;
    Sink sink = {.put = put_hash, .hash = XXH3_createState()};
    if (!sink.hash) return 0;
    XXH3_64bits_reset(sink.hash);
    put_all(&sink, context, momentum, header, size);
    char digits[RN_CHECKSUM_DIGITS + 1];
    snprintf(digits, sizeof digits, "%016" PRIx64, (uint64_t)XXH3_64bits_digest(sink.hash));
    memcpy(header + RN_CHECKSUM_AT, digits, RN_CHECKSUM_DIGITS);
    XXH3_freeState(sink.hash);
    return 1;
}

/* ---- the interface ---- */

static rn_status prepare(const rn_train_context *context, int momentum, const cJSON *metadata, char **header,
                         size_t *size, const char *what, char *error, size_t error_size) {
    *header = make_header(context, momentum, metadata, size);
    if (*header && seal(context, momentum, *header, *size)) return RN_OK;
    free(*header);
    return rn_status_fail(error, error_size, RN_ERROR_MEMORY, "%s: out of memory", what);
}

rn_status rn_tensors_write(const rn_train_context *context, int momentum, const cJSON *metadata, const char *path,
                           char *error, size_t error_size) {
    char *header;
    size_t size;
    rn_durable file;
    rn_status status = prepare(context, momentum, metadata, &header, &size, path, error, error_size);
    if (status) return status;
    status = rn_durable_begin(&file, path, error, error_size);
    Sink sink = {.put = put_file, .file = &file};
    if (!status) status = put_all(&sink, context, momentum, header, size);
    if (!status) status = rn_durable_commit(&file);
    free(header);
    return status;
}

rn_status rn_tensors_image(const rn_train_context *context, int momentum, const cJSON *metadata, uint8_t **bytes,
                           size_t *size, char *error, size_t error_size) {
    char *header;
    *bytes = NULL;
    rn_status status = prepare(context, momentum, metadata, &header, size, "weights", error, error_size);
    if (status) return status;
    size_t all = *size;
    for (int i = 0; i < context->model->parameter_count; i++) {
        const rn_train_parameter *p = &context->model->parameters[i];
        all += sizeof(float) * (size_t)rn_train_count(p) * (size_t)(1 + (momentum && p->trained));
    }
    *bytes = malloc(all);
    if (*bytes) {
        Sink sink = {.put = put_memory, .memory = *bytes};
        put_all(&sink, context, momentum, header, *size);
        *size = all;
    } else {
        status = rn_status_fail(error, error_size, RN_ERROR_MEMORY, "weights: no memory for %zu bytes", all);
    }
    free(header);
    return status;
}
