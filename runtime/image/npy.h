/* NumPy's .npy files: arrays in and out of the command line. */
#ifndef RN_NPY_H
#define RN_NPY_H

#include "rn.h"

enum { RN_NPY_DIMS = 8 };

typedef struct rn_npy {
    int ndim;
    size_t dim[RN_NPY_DIMS];
    size_t count; /* elements: the product of dim, 1 where ndim is 0 */
    float *data;  /* row-major */
} rn_npy;

/* Types of elements, all little-endian, by their names in a file: kind and bytes */
typedef enum rn_npy_type {
    RN_NPY_F4,
    RN_NPY_F8,
    RN_NPY_U1,
    RN_NPY_U2,
    RN_NPY_U4,
    RN_NPY_U8,
    RN_NPY_I1,
    RN_NPY_I2,
    RN_NPY_I4,
    RN_NPY_I8,
    RN_NPY_TYPES
} rn_npy_type;

typedef struct rn_npy_layout { /* a file's header */
    rn_npy_type type;
    size_t item; /* bytes of an element */
    int ndim;
    size_t dim[RN_NPY_DIMS], count;
    size_t data; /* the byte where the elements begin, row-major */
} rn_npy_layout;

/* Reads the header alone and checks that the file has exactly its elements; `types`: 1 << rn_npy_type of each that will
 * do, `what` words them. */
rn_status rn_npy_layout_parse(rn_npy_layout *layout, const uint8_t *bytes, size_t size, unsigned types,
                              const char *what, const char *name, char *error, size_t error_size);

/* How much of a file that begins so is worth reading (core/file.h): no more than its header says, and a byte. */
size_t rn_npy_worth(const uint8_t *beginning, size_t count);

/* Reads versions 1 to 3, C order, of <f4, <f8 (rounded to float) or |u1 (0..255 as floats). On an error array->data is
 * NULL and `error` says what is wrong with which file. The caller frees with rn_npy_free. */
rn_status rn_npy_read(rn_npy *array, const char *path, char *error, size_t error_size);
/* The same from memory; `name` stands for the path in messages. */
rn_status rn_npy_parse(rn_npy *array, const uint8_t *bytes, size_t size, const char *name, char *error,
                       size_t error_size);
void rn_npy_free(rn_npy *array); /* a zeroed or freed array is allowed */

/* Writes version 1, <f4. The file appears whole or not at all (written beside its place, then renamed); /dev/... is
 * written directly. */
rn_status rn_npy_write(const char *path, const float *data, int ndim, const size_t *dim, char *error,
                       size_t error_size);

#endif
