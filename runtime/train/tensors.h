/* Writes safetensors: a trainer's tensors, to a file or to memory. The counterpart of weights/safetensors.h. */
#ifndef RN_TRAIN_TENSORS_H
#define RN_TRAIN_TENSORS_H

#include "rn_train_emitted.h"

#include <cjson/cJSON.h>

/* What a file of a trainer's begins with, so that its checksum has a fixed place. */
#define RN_CHECKSUM_KEY "xxh3"
#define RN_CHECKSUM_PREFIX "{\"__metadata__\":{\"" RN_CHECKSUM_KEY "\":\""
enum {
    RN_CHECKSUM_AT = 8 + sizeof RN_CHECKSUM_PREFIX - 1, /* in the file */
    RN_CHECKSUM_DIGITS = 16                             /* XXH3-64 of the whole file with zeros in their place */
};

/* Whether a file image has the place of a checksum. */
int rn_checksum_has_place(const void *bytes, size_t size);
/* Of a file image that has it. */
uint64_t rn_checksum_of(const void *bytes, size_t size);

/* All parameters, and with `momentum` the momentum of the trained ones as momentum.NAME. metadata: strings by name, or
 * NULL; where its first member is RN_CHECKSUM_KEY (of RN_CHECKSUM_DIGITS zeros), the checksum is put there. */
rn_status rn_tensors_write(const rn_train_context *context, int momentum, const cJSON *metadata, const char *path,
                           char *error, size_t error_size);
/* The same into memory that the caller frees. */
rn_status rn_tensors_image(const rn_train_context *context, int momentum, const cJSON *metadata, uint8_t **bytes,
                           size_t *size, char *error, size_t error_size);

#endif
