/* Small data sets that tests write to a temporary folder. */
#ifndef RN_TEST_DATA_FILES_H
#define RN_TEST_DATA_FILES_H

#include <stddef.h>
#include <stdint.h>

extern char data_folder[64]; /* of the test that is under way */

void data_folder_make(void);
void data_folder_remove(void);

/* Files of the folder, by their name in it; folders on the way to it are made. */
void data_put(const char *name, const void *bytes, size_t size);
void data_put_gz(const char *name, const void *bytes, size_t size, int members);
size_t data_get(const char *name, uint8_t *bytes, size_t capacity); /* its size */
void data_delete(const char *name);
/* An RGB picture in which element (c, y, x) is first + 50 * c + 10 * y + x. */
void data_put_png(const char *name, int h, int w, int first);
/* The same as a JPEG of quality 95, in which they are (c + 1) * y / 4 + x / 2: smooth. */
void data_put_jpeg(const char *name, int h, int w);

/* MNIST's files, with `end` (".gz" or "") behind their names: picture i of the training set has pixels 10 * i + k and
 * class i % classes, of the test set pixels 200 + k and class i % 2. */
void data_put_idx(uint32_t train, uint32_t test, uint32_t h, uint32_t w, uint32_t classes, const char *end);
/* CIFAR-10's: picture i of file f (5: the test's) has pixels 40 * f + i + k and class (f + i) % 10. */
void data_put_cifar10(uint32_t each, uint32_t test);

/* An array as NumPy saves it */
void data_put_npy(const char *name, const char *descr, const char *shape, const void *data, size_t size);

/* SPEC of the folder; valid until the next call. */
const char *data_spec(const char *kind);

#endif
