/* .npy files: what NumPy writes is read, what the runtime writes reads back, everything else is refused in words. */
#include <CUnit/CUnit.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/image/npy.h"

/* A file as NumPy writes it: version, header text, data; returns its size */
static size_t make(uint8_t *file, int version, const char *header, const void *data, size_t size) {
    const size_t length = strlen(header), prefix = version == 1 ? 10 : 12;
    memcpy(file, "\x93NUMPY", 6);
    file[6] = (uint8_t)version;
    file[7] = 0;
    for (size_t i = 8; i < prefix; i++) file[i] = (uint8_t)(length >> 8 * (i - 8));
    memcpy(file + prefix, header, length);
    if (size) memcpy(file + prefix + length, data, size);
    return prefix + length + size;
}

static void test_reads_numpy(void) {
    static const float f4[6] = {0, -1.5f, 3e38f, 1e-45f, 4, 5};
    static const double f8[6] = {0, -1.5, 1.0 / 3, 1e300, 4, 5};
    static const uint8_t u1[6] = {0, 1, 127, 128, 254, 255};
    uint8_t file[512];
    rn_npy a;
    for (int version = 1; version <= 3; version++) {
        const char *h = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }          \n";
        CU_ASSERT_EQUAL_FATAL(rn_npy_parse(&a, file, make(file, version, h, f4, sizeof f4), "x", NULL, 0), RN_OK);
        CU_ASSERT(a.ndim == 2 && a.dim[0] == 2 && a.dim[1] == 3 && a.count == 6);
        CU_ASSERT(memcmp(a.data, f4, sizeof f4) == 0);
        rn_npy_free(&a);
    }
    const char *h8 = "{\"shape\": (6,), 'fortran_order': False, 'descr': '<f8'}\n";
    CU_ASSERT_EQUAL_FATAL(rn_npy_parse(&a, file, make(file, 1, h8, f8, sizeof f8), "x", NULL, 0), RN_OK);
    CU_ASSERT(a.ndim == 1 && a.data[2] == (float)(1.0 / 3) && isinf(a.data[3]));
    rn_npy_free(&a);
    const char *h1 = "{'descr': '|u1', 'fortran_order': False, 'shape': (1, 2, 3), }\n";
    CU_ASSERT_EQUAL_FATAL(rn_npy_parse(&a, file, make(file, 1, h1, u1, sizeof u1), "x", NULL, 0), RN_OK);
    for (int i = 0; i < 6; i++) CU_ASSERT_EQUAL(a.data[i], u1[i]);
    rn_npy_free(&a);
    const char *scalar = "{'descr': '<f4', 'fortran_order': False, 'shape': (), }\n";
    CU_ASSERT_EQUAL_FATAL(rn_npy_parse(&a, file, make(file, 1, scalar, f4, 4), "x", NULL, 0), RN_OK);
    CU_ASSERT(a.ndim == 0 && a.count == 1);
    rn_npy_free(&a);
    const char *empty = "{'descr': '<f4', 'fortran_order': False, 'shape': (0, 3), }\n";
    CU_ASSERT_EQUAL_FATAL(rn_npy_parse(&a, file, make(file, 1, empty, NULL, 0), "x", NULL, 0), RN_OK);
    CU_ASSERT(a.count == 0 && a.data);
    rn_npy_free(&a);
}

static void test_refuses(void) {
#define H(descr, order, shape) "{'descr': " descr ", 'fortran_order': " order ", 'shape': " shape ", }\n"
    static const struct {
        const char *header, *word;
        size_t data;
    } cases[] = {
        {H("'>f4'", "False", "(2,)"), "'>f4'", 8},
        {H("'<i4'", "False", "(2,)"), "'<i4'", 8},
        {H("'\x01\xff'", "False", "(2,)"), "'\?\?'", 8},
        {H("[('a', '<f4')]", "False", "(2,)"), "records", 8},
        {H("'<f4'", "True", "(2, 1)"), "Fortran", 8},
        {H("'<f4'", "false", "(2,)"), "fortran_order", 8},
        {H("'<f4'", "False", "(2)"), "tuple", 8},
        {H("'<f4'", "False", "[2]"), "tuple", 8},
        {H("'<f4'", "False", "(-2,)"), "numbers", 8},
        {H("'<f4'", "False", "(1,1,1,1,1,1,1,1,2)"), "8 dimensions", 8},
        {H("'<f4'", "False", "(99999999999999999999999,)"), "numbers", 8},
        {H("'<f4'", "False", "(4294967296, 4294967296, 4)"), "too large", 8},
        {H("'<f4'", "False", "(3,)"), "truncated", 8},
        {H("'<f4'", "False", "(1,)"), "more than the 4 bytes of data", 8},
        {"{'descr': '<f4', 'shape': (2,)}\n", "lacks", 8},
        {"{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (2,)}", "repeated", 8},
        {"{'what': '<f4'}", "unknown", 8},
        {"('descr', '<f4')", "dictionary", 8},
        {"{'descr': '<f4' 'shape'", "malformed", 8},
        {"{'descr", "malformed", 0},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2,)} trailing", "followed", 8},
        {"", "dictionary", 8},
    };
#undef H
    static const uint8_t zeros[16];
    uint8_t file[512];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        rn_npy a;
        char error[RN_ERROR_SIZE] = "";
        const size_t size = make(file, 1, cases[i].header, zeros, cases[i].data);
        CU_ASSERT_EQUAL(rn_npy_parse(&a, file, size, "in.npy", error, sizeof error), RN_ERROR_FORMAT);
        CU_ASSERT_PTR_NULL(a.data);
        CU_ASSERT(strncmp(error, "in.npy: ", 8) == 0);
        if (!strstr(error, cases[i].word)) {
            fprintf(stderr, "'%s' lacks '%s'\n", error, cases[i].word);
            CU_FAIL("the text does not say what is wrong");
        }
    }
}

/* Every beginning of a good file is refused; the copies end where they end, so that the sanitizer sees a read beyond */
static void test_refuses_truncated(void) {
    static const float data[2] = {1, 2};
    uint8_t file[256];
    const char *h = "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }\n";
    for (int version = 1; version <= 2; version++) {
        const size_t size = make(file, version, h, data, sizeof data);
        for (size_t n = 0; n < size; n++) {
            uint8_t *part = malloc(n ? n : 1);
            CU_ASSERT_PTR_NOT_NULL_FATAL(part);
            memcpy(part, file, n);
            rn_npy a;
            CU_ASSERT_EQUAL(rn_npy_parse(&a, part, n, "x", NULL, 0), RN_ERROR_FORMAT);
            free(part);
        }
    }
}

static void test_writes_and_reads_back(void) {
    char folder[] = "/tmp/rn-npy-XXXXXX", path[64], error[RN_ERROR_SIZE] = "";
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/out.npy", folder);
    float data[24];
    for (int i = 0; i < 24; i++) data[i] = (float)i / 7;
    static const size_t dims[4] = {2, 3, 4, 1};
    const size_t counts[5] = {1, 2, 6, 24, 24};
    for (int ndim = 0; ndim <= 4; ndim++) {
        rn_npy a;
        CU_ASSERT_EQUAL_FATAL(rn_npy_write(path, data, ndim, dims, error, sizeof error), RN_OK);
        struct stat info;
        CU_ASSERT_EQUAL_FATAL(stat(path, &info), 0);
        CU_ASSERT_EQUAL(((size_t)info.st_size - 4 * counts[ndim]) % 64, 0); /* NumPy's alignment of the data */
        CU_ASSERT_EQUAL_FATAL(rn_npy_read(&a, path, error, sizeof error), RN_OK);
        CU_ASSERT_EQUAL(a.ndim, ndim);
        CU_ASSERT(memcmp(a.dim, dims, sizeof *dims * (size_t)ndim) == 0);
        CU_ASSERT_EQUAL_FATAL(a.count, counts[ndim]);
        CU_ASSERT(memcmp(a.data, data, 4 * a.count) == 0);
        rn_npy_free(&a);
    }
    CU_ASSERT_EQUAL(rn_npy_write(path, data, 9, dims, error, sizeof error), RN_ERROR_ARGUMENT);
    unlink(path);
    CU_ASSERT_EQUAL(rmdir(folder), 0); /* and no temporary is left */
    rn_npy a;
    CU_ASSERT_EQUAL(rn_npy_read(&a, path, error, sizeof error), RN_ERROR_FILE);
    CU_ASSERT(strstr(error, path) && strstr(error, "No such file"));
    CU_ASSERT_EQUAL(rn_npy_write(path, data, 1, dims, error, sizeof error), RN_ERROR_FILE);
}

void suite_npy(void) {
    CU_pSuite suite = CU_add_suite("npy", NULL, NULL);
    CU_add_test(suite, "reads NumPy's files", test_reads_numpy);
    CU_add_test(suite, "refuses", test_refuses);
    CU_add_test(suite, "refuses truncated files", test_refuses_truncated);
    CU_add_test(suite, "writes and reads back", test_writes_and_reads_back);
}
