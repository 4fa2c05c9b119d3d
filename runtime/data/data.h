/* Sets of labelled pictures to train and test with, opened by a text that says their kind and where they lie:
 *
 *     cifar10:DIR  cifar100:DIR   the binary version's files
 *     idx:DIR                     MNIST's and Fashion-MNIST's four files, each as it is or as .gz
 *     folder:DIR                  DIR/train/CLASS/FILE and DIR/test/CLASS/FILE (or DIR/val), PNG or JPEG; to test with
 *                                 alone DIR/CLASS/FILE too
 *     npy:DIR                     train_x.npy, train_y.npy, test_x.npy, test_y.npy
 *     list:FILE                   a line "PATH LABEL" a picture, to test with alone
 *
 * docs/data.md says the layout of each. A set is constant once it is open: any number of threads may read it.
 */
#ifndef RN_DATA_H
#define RN_DATA_H

#include "rn.h"
#include "data/jpeg_reduced.h"

typedef enum rn_split { RN_TRAIN, RN_TEST, RN_SPLITS } rn_split;

typedef struct rn_data rn_data;

typedef struct rn_data_info {
    const char *spec;               /* as it was opened */
    uint32_t count[RN_SPLITS];      /* pictures; at least 1 in each that was opened */
    int classes;                    /* at least 2, but in lists and folders that are to test with alone: at least 1 */
    const char *const *class_names; /* classes of them; NULL where the files have no names */
    int sorted;                     /* 1: classes are numbered in the order of their names, sorted by bytes */
    rn_shape picture;               /* h and w are 0 where pictures are of any size; c is 1 or 3, npy's what it is */
    uint64_t hash;                  /* XXH3 of pictures and labels; of a folder's classes, file names and sizes */
} rn_data_info;

/* Opens and checks all that can be checked without decoding pictures. On an error *data is NULL and `error` (may be
 * NULL) says what is wrong with which file, and at which byte. The caller closes. */
rn_status rn_data_open(rn_data **data, const char *spec, char *error, size_t error_size);
/* The test set alone: nothing of the training pictures need be there. Of idx and npy `classes` is what the test's
 * labels tell. */
rn_status rn_data_open_test(rn_data **data, const char *spec, char *error, size_t error_size);
void rn_data_close(rn_data *data); /* NULL is allowed */

const rn_data_info *rn_data_about(const rn_data *data); /* valid until close */

/* The class of picture `index` of a split. */
int rn_data_label(const rn_data *data, rn_split split, uint32_t index);
/* The name of its file or, with its number, of the file it lies in: for messages. */
void rn_data_name(const rn_data *data, rn_split split, uint32_t index, char *name, size_t size);

/* A picture's pixels: bytes 0..255, or floats 0..1 where `floats` is set. */
typedef struct rn_picture {
    rn_shape shape;
    const uint8_t *bytes;       /* element (c, y, x) at c * channel + y * row + x * pixel, of either pointer */
    const float *floats;        /* NULL, but in npy: of floats */
    size_t channel, row, pixel; /* elements from one to the next */
    void *owned;                /* what rn_picture_free frees: a decoded file; NULL where the set's memory is shown */
} rn_picture;

/* A folder's picture is read and decoded; the others are shown where they lie. The caller frees. */
rn_status rn_data_picture(const rn_data *data, rn_split split, uint32_t index, rn_picture *picture, char *error,
                          size_t error_size);
/* The same, where a JPEG may be made smaller than it is; `reduction` may be NULL. */
rn_status rn_data_picture_reduced(const rn_data *data, rn_split split, uint32_t index, rn_jpeg_reduction *reduction,
                                  rn_picture *picture, char *error, size_t error_size);
void rn_picture_free(rn_picture *picture); /* a zeroed or freed one is allowed */

#endif
