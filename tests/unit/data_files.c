#include "data_files.h"

#include <CUnit/CUnit.h>
#include <ftw.h>
#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <jpeglib.h>

char data_folder[64];

enum { PATH = 512, CIFAR = 3073 };

void data_folder_make(void) {
    strcpy(data_folder, "/tmp/rn-data-XXXXXX");
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(data_folder));
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *walk) {
    (void)info, (void)kind, (void)walk;
    return remove(path);
}

void data_folder_remove(void) {
    nftw(data_folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static const char *path_of(const char *name) {
    static char path[PATH];
    snprintf(path, sizeof path, "%s/%s", data_folder, name);
    for (char *slash = path + strlen(data_folder) + 1; (slash = strchr(slash, '/')); slash++) {
        *slash = 0;
        mkdir(path, 0777);
        *slash = '/';
    }
    return path;
}

void data_put(const char *name, const void *bytes, size_t size) {
    FILE *file = fopen(path_of(name), "wb");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    CU_ASSERT_EQUAL_FATAL(fwrite(bytes, 1, size, file), size);
    CU_ASSERT_EQUAL_FATAL(fclose(file), 0);
}

void data_put_gz(const char *name, const void *bytes, size_t size, int members) {
    for (int m = 0; m < members; m++) {
        const size_t begin = size * (size_t)m / (size_t)members, end = size * (size_t)(m + 1) / (size_t)members;
        gzFile file = gzopen(path_of(name), m ? "ab" : "wb");
        CU_ASSERT_PTR_NOT_NULL_FATAL(file);
        CU_ASSERT_EQUAL_FATAL(gzwrite(file, (const uint8_t *)bytes + begin, (unsigned)(end - begin)),
                              (int)(end - begin));
        CU_ASSERT_EQUAL_FATAL(gzclose(file), Z_OK);
    }
}

size_t data_get(const char *name, uint8_t *bytes, size_t capacity) {
    FILE *file = fopen(path_of(name), "rb");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    const size_t size = fread(bytes, 1, capacity, file);
    fclose(file);
    return size;
}

void data_delete(const char *name) {
    CU_ASSERT_EQUAL_FATAL(remove(path_of(name)), 0);
}

void data_put_png(const char *name, int h, int w, int first) {
    uint8_t *rgb = malloc((size_t)h * (size_t)w * 3);
    CU_ASSERT_PTR_NOT_NULL_FATAL(rgb);
    for (int i = 0; i < h * w * 3; i++) rgb[i] = (uint8_t)(first + 50 * (i % 3) + 10 * (i / 3 / w) + i / 3 % w);
    png_image image = {
        .version = PNG_IMAGE_VERSION, .width = (png_uint_32)w, .height = (png_uint_32)h, .format = PNG_FORMAT_RGB};
    CU_ASSERT_FATAL(png_image_write_to_file(&image, path_of(name), 0, rgb, 0, NULL));
    free(rgb);
}

void data_put_jpeg(const char *name, int h, int w) {
    struct jpeg_compress_struct jpeg;
    struct jpeg_error_mgr errors;
    uint8_t *row = malloc(3 * (size_t)w);
    FILE *file = fopen(path_of(name), "wb");
    CU_ASSERT_FATAL(row && file);
    jpeg.err = jpeg_std_error(&errors);
    jpeg_create_compress(&jpeg);
    jpeg_stdio_dest(&jpeg, file);
    jpeg.image_height = (JDIMENSION)h;
    jpeg.image_width = (JDIMENSION)w;
    jpeg.input_components = 3;
    jpeg.in_color_space = JCS_RGB;
    jpeg_set_defaults(&jpeg);
    jpeg_set_quality(&jpeg, 95, TRUE);
    jpeg_start_compress(&jpeg, TRUE);
    for (int y = 0; y < h; y++) {
        for (int i = 0; i < 3 * w; i++) row[i] = (uint8_t)((i % 3 + 1) * y / 4 + i / 6);
        jpeg_write_scanlines(&jpeg, &row, 1);
    }
    jpeg_finish_compress(&jpeg);
    jpeg_destroy_compress(&jpeg);
    fclose(file);
    free(row);
}

static void put_word(uint8_t *at, uint32_t word) {
    for (int i = 0; i < 4; i++) at[i] = (uint8_t)(word >> (24 - 8 * i));
}

static void put_idx(const char *name, const char *end, const uint8_t *bytes, size_t size) {
    char full[64];
    snprintf(full, sizeof full, "%s%s", name, end);
    if (*end)
        data_put_gz(full, bytes, size, 1);
    else
        data_put(full, bytes, size);
}

void data_put_idx(uint32_t train, uint32_t test, uint32_t h, uint32_t w, uint32_t classes, const char *end) {
    for (int t = 0; t < 2; t++) {
        const uint32_t count = t ? test : train, pixels = h * w;
        uint8_t *pictures = malloc(16 + (size_t)count * pixels), *labels = malloc(8 + count);
        CU_ASSERT_FATAL(pictures && labels);
        put_word(pictures, 0x803);
        put_word(pictures + 4, count);
        put_word(pictures + 8, h);
        put_word(pictures + 12, w);
        put_word(labels, 0x801);
        put_word(labels + 4, count);
        for (uint32_t i = 0; i < count; i++) {
            for (uint32_t k = 0; k < pixels; k++) pictures[16 + i * pixels + k] = (uint8_t)((t ? 200 : 10 * i) + k);
            labels[8 + i] = (uint8_t)(t ? i % 2 : i % classes);
        }
        put_idx(t ? "t10k-images-idx3-ubyte" : "train-images-idx3-ubyte", end, pictures, 16 + (size_t)count * pixels);
        put_idx(t ? "t10k-labels-idx1-ubyte" : "train-labels-idx1-ubyte", end, labels, 8 + count);
        free(pictures);
        free(labels);
    }
}

void data_put_cifar10(uint32_t each, uint32_t test) {
    for (uint32_t f = 0; f < 6; f++) {
        char name[32] = "test_batch.bin";
        const uint32_t count = f < 5 ? each : test;
        uint8_t *bytes = malloc((size_t)count * CIFAR + 1);
        CU_ASSERT_PTR_NOT_NULL_FATAL(bytes);
        if (f < 5) snprintf(name, sizeof name, "data_batch_%u.bin", (unsigned)(f + 1));
        for (uint32_t i = 0; i < count; i++) {
            bytes[i * CIFAR] = (uint8_t)((f + i) % 10);
            for (uint32_t k = 0; k + 1 < CIFAR; k++) bytes[i * CIFAR + 1 + k] = (uint8_t)(40 * f + i + k);
        }
        data_put(name, bytes, (size_t)count * CIFAR);
        free(bytes);
    }
}

void data_put_npy(const char *name, const char *descr, const char *shape, const void *data, size_t size) {
    enum { PREFIX = 10, HEADER = 128 };
    uint8_t *file = malloc(HEADER + size);
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    memcpy(file, "\x93NUMPY\1\0\x76\0", PREFIX);
    memset(file + PREFIX, ' ', HEADER - PREFIX);
    const int n = snprintf((char *)file + PREFIX, HEADER - PREFIX,
                           "{'descr': '%s', 'fortran_order': False, 'shape': %s, }", descr, shape);
    file[PREFIX + n] = ' ';
    file[HEADER - 1] = '\n';
    memcpy(file + HEADER, data, size);
    data_put(name, file, HEADER + size);
    free(file);
}

const char *data_spec(const char *kind) {
    static char spec[PATH];
    snprintf(spec, sizeof spec, "%s:%s", kind, data_folder);
    return spec;
}
