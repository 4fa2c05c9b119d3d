/* Reads safetensors (https://github.com/huggingface/safetensors) from memory: an index of tensors, and their elements
 * as floats. The format: 8 bytes of header length, little-endian; a JSON object, name -> {dtype, shape, data_offsets},
 * with free text under "__metadata__"; the tensors' bytes, which must fill the rest without holes or overlap. */
#ifndef RN_SAFETENSORS_H
#define RN_SAFETENSORS_H

#include "rn.h"

enum { RN_SAFETENSOR_MAX_DIMS = 8, RN_SAFETENSOR_DTYPE_SIZE = 16 };

typedef struct rn_safetensor {
    const char *name;
    char dtype[RN_SAFETENSOR_DTYPE_SIZE]; /* as the file says: F32, I64, ... */
    int ndim;
    int64_t dim[RN_SAFETENSOR_MAX_DIMS];
    int64_t count;       /* elements */
    const uint8_t *data; /* not aligned */
    size_t size;         /* bytes */
} rn_safetensor;

typedef struct rn_safetensors {
    rn_safetensor *tensors; /* by name */
    int count;
    void *header; /* owns the names */
} rn_safetensors;

/* Is it, by its first bytes, such a file? */
static inline int rn_safetensors_recognize(const void *bytes, size_t size) {
    return size > 8 && ((const uint8_t *)bytes)[8] == '{';
}
/* The bytes must outlive the index. On an error nothing is left to free. source: the file's name in messages. */
rn_status rn_safetensors_parse(rn_safetensors *file, const void *bytes, size_t size, const char *source, char *error,
                               size_t error_size);
void rn_safetensors_free(rn_safetensors *file);
const rn_safetensor *rn_safetensors_find(const rn_safetensors *file, const char *name); /* NULL where absent */

int rn_safetensor_bytes(const rn_safetensor *tensor);    /* of an element; 0: of an unknown type */
int rn_safetensor_readable(const rn_safetensor *tensor); /* F32, F16, BF16 or F64 */
/* All elements, of a readable one. F64 is rounded to the nearest float, what is beyond them to an infinity. */
void rn_safetensor_read(const rn_safetensor *tensor, float *out);
double rn_safetensor_element(const rn_safetensor *tensor, int64_t i); /* as it is, of a readable one */

#endif
