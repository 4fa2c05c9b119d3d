/* Data sets: each kind read as it was written; every missing, short, mislabelled or broken file refused by its name and
 * the byte. */
#include <CUnit/CUnit.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "data_files.h"
#include "runtime/data/data.h"

enum { FILE_SIZE = 1 << 16 };

static rn_data *opened(const char *kind) {
    rn_data *data;
    char error[RN_ERROR_SIZE] = "";
    if (rn_data_open(&data, data_spec(kind), error, sizeof error)) printf("%s\n", error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(data);
    return data;
}

/* The kind is refused, and the error says all of these. */
static void refused(const char *kind, rn_status status, const char *words[3]) {
    rn_data *data;
    char error[RN_ERROR_SIZE] = "";
    CU_ASSERT_EQUAL(rn_data_open(&data, data_spec(kind), error, sizeof error), status);
    CU_ASSERT_PTR_NULL(data);
    int said = 1;
    for (int i = 0; i < 3 && words[i]; i++) said = said && strstr(error, words[i]) != NULL;
    if (!said) printf("%s: not '%s' but: %s\n", kind, words[1] ? words[1] : "", error);
    CU_ASSERT(said);
    rn_data_close(data);
}

/* Element (c, y, x) of a picture */
static double element(const rn_data *data, rn_split split, uint32_t index, int c, int y, int x) {
    rn_picture p;
    CU_ASSERT_EQUAL_FATAL(rn_data_picture(data, split, index, &p, NULL, 0), RN_OK);
    const size_t at = (size_t)c * p.channel + (size_t)y * p.row + (size_t)x * p.pixel;
    const double value = p.floats ? p.floats[at] : p.bytes[at];
    rn_picture_free(&p);
    return value;
}

/* ---- what is right ---- */

static void test_cifar10(void) {
    data_folder_make();
    data_put_cifar10(2, 3);
    rn_data *d = opened("cifar10");
    const rn_data_info *info = rn_data_about(d);
    CU_ASSERT(info->count[RN_TRAIN] == 10 && info->count[RN_TEST] == 3 && info->classes == 10);
    CU_ASSERT(info->picture.c == 3 && info->picture.h == 32 && info->picture.w == 32);
    CU_ASSERT_PTR_NULL(info->class_names);
    for (uint32_t i = 0; i < 10; i++) { /* picture i is number i % 2 of file i / 2 */
        CU_ASSERT_EQUAL(rn_data_label(d, RN_TRAIN, i), (int)(i / 2 + i % 2));
        CU_ASSERT_EQUAL(element(d, RN_TRAIN, i, 0, 0, 0), 40 * (i / 2) + i % 2);
        CU_ASSERT_EQUAL(element(d, RN_TRAIN, i, 2, 1, 3), (40 * (i / 2) + i % 2 + 2048 + 35) % 256);
    }
    CU_ASSERT_EQUAL(rn_data_label(d, RN_TEST, 2), 7);
    char name[256], expected[256];
    rn_data_name(d, RN_TRAIN, 3, name, sizeof name);
    snprintf(expected, sizeof expected, "%s/data_batch_2.bin: picture 1", data_folder);
    CU_ASSERT_STRING_EQUAL(name, expected);
    const uint64_t hash = info->hash;
    rn_data_close(d);

    const char *names = "plane\ncar\nbird\ncat\ndeer\ndog\nfrog\nhorse\nship\r\ntruck\n\n";
    data_put("batches.meta.txt", names, strlen(names));
    d = opened("cifar10");
    CU_ASSERT_STRING_EQUAL(rn_data_about(d)->class_names[8], "ship");
    CU_ASSERT_STRING_EQUAL(rn_data_about(d)->class_names[9], "truck");
    CU_ASSERT_EQUAL(rn_data_about(d)->hash, hash); /* of pictures and labels alone */
    rn_data_close(d);

    uint8_t bytes[FILE_SIZE];
    const size_t size = data_get("data_batch_3.bin", bytes, sizeof bytes);
    bytes[size - 1] ^= 1;
    data_put("data_batch_3.bin", bytes, size);
    d = opened("cifar10");
    CU_ASSERT_NOT_EQUAL(rn_data_about(d)->hash, hash);
    rn_data_close(d);
    data_folder_remove();
}

static void test_cifar100(void) {
    enum { RECORD = 3074 };
    uint8_t bytes[2 * RECORD] = {0};
    data_folder_make();
    bytes[0] = 19;
    bytes[1] = 99;
    bytes[2] = 7;
    bytes[RECORD + 1] = 5;
    data_put("train.bin", bytes, 2 * RECORD);
    data_put("test.bin", bytes, RECORD);
    rn_data *d = opened("cifar100");
    CU_ASSERT(rn_data_about(d)->count[RN_TRAIN] == 2 && rn_data_about(d)->classes == 100);
    CU_ASSERT(rn_data_label(d, RN_TRAIN, 0) == 99 && rn_data_label(d, RN_TRAIN, 1) == 5);
    CU_ASSERT_EQUAL(element(d, RN_TEST, 0, 0, 0, 0), 7);
    rn_data_close(d);

    bytes[RECORD] = 20;
    data_put("train.bin", bytes, 2 * RECORD);
    refused("cifar100", RN_ERROR_FORMAT, (const char *[3]){"train.bin", "byte 3074", "coarse label 20"});
    bytes[RECORD] = 0;
    bytes[RECORD + 1] = 100;
    data_put("train.bin", bytes, 2 * RECORD);
    refused("cifar100", RN_ERROR_FORMAT, (const char *[3]){"train.bin", "byte 3075", "label 100; they are 0 to 99"});
    data_folder_remove();
}

static void test_idx(void) {
    data_folder_make();
    data_put_idx(5, 2, 3, 4, 3, "");
    rn_data *d = opened("idx");
    const rn_data_info *info = rn_data_about(d);
    CU_ASSERT(info->count[RN_TRAIN] == 5 && info->count[RN_TEST] == 2 && info->classes == 3);
    CU_ASSERT(info->picture.c == 1 && info->picture.h == 3 && info->picture.w == 4);
    CU_ASSERT_EQUAL(element(d, RN_TRAIN, 4, 0, 2, 1), 49);
    CU_ASSERT_EQUAL(element(d, RN_TEST, 1, 0, 0, 3), 203);
    CU_ASSERT(rn_data_label(d, RN_TRAIN, 4) == 1 && rn_data_label(d, RN_TEST, 1) == 1);
    const uint64_t hash = info->hash;
    rn_data_close(d);

    uint8_t bytes[FILE_SIZE];
    const size_t size = data_get("train-images-idx3-ubyte", bytes, sizeof bytes);
    data_folder_remove();
    data_folder_make();
    data_put_idx(5, 2, 3, 4, 3, ".gz");
    data_put("classes.txt", "a\nb\nc", 5);
    d = opened("idx");
    CU_ASSERT_EQUAL(rn_data_about(d)->hash, hash); /* whatever it is packed in */
    CU_ASSERT_STRING_EQUAL(rn_data_about(d)->class_names[2], "c");
    CU_ASSERT_EQUAL(element(d, RN_TRAIN, 4, 0, 2, 1), 49);
    rn_data_close(d);
    data_put_gz("train-images-idx3-ubyte.gz", bytes, size, 3); /* as gzip has it: several members are one file */
    d = opened("idx");
    CU_ASSERT_EQUAL(rn_data_about(d)->hash, hash);
    rn_data_close(d);
    data_folder_remove();
}

static void test_npy(void) {
    static const uint8_t bytes[12] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 255};
    static const float floats[12] = {0, .5f, 1, -1};
    static const double doubles[12] = {0, .5, 1, -1};
    static const uint16_t two[2] = {1, 0};
    static const int64_t eight[2] = {0, 2};
    data_folder_make();
    data_put_npy("train_x.npy", "|u1", "(2, 2, 3)", bytes, 12);
    data_put_npy("test_x.npy", "|u1", "(2, 2, 3)", bytes, 12);
    data_put_npy("train_y.npy", "<i8", "(2,)", eight, sizeof eight);
    data_put_npy("test_y.npy", "<u2", "(2,)", two, sizeof two);
    rn_data *d = opened("npy");
    CU_ASSERT(rn_data_about(d)->classes == 3 && rn_data_about(d)->picture.c == 1 && rn_data_about(d)->picture.w == 3);
    CU_ASSERT_EQUAL(element(d, RN_TRAIN, 1, 0, 1, 2), 255);
    CU_ASSERT(rn_data_label(d, RN_TRAIN, 1) == 2 && rn_data_label(d, RN_TEST, 0) == 1);
    rn_data_close(d);

    uint64_t hash[2];
    for (int wide = 0; wide < 2; wide++) {
        const void *numbers = wide ? (const void *)doubles : floats;
        data_put_npy("train_x.npy", wide ? "<f8" : "<f4", "(2, 3, 2, 1)", numbers, wide ? 96 : 48);
        data_put_npy("test_x.npy", wide ? "<f8" : "<f4", "(2, 3, 2, 1)", numbers, wide ? 96 : 48);
        d = opened("npy");
        CU_ASSERT(rn_data_about(d)->picture.c == 3 && rn_data_about(d)->picture.h == 2);
        CU_ASSERT(element(d, RN_TEST, 0, 0, 1, 0) == .5 && element(d, RN_TRAIN, 0, 1, 1, 0) == -1);
        hash[wide] = rn_data_about(d)->hash;
        rn_data_close(d);
    }
    CU_ASSERT_EQUAL(hash[0], hash[1]);

    /* floats that do not lie as floats must: a header of odd length */
    uint8_t file[FILE_SIZE];
    size_t size = data_get("train_x.npy", file, sizeof file);
    memmove(file + 129, file + 128, size - 128);
    file[127] = ' ';
    file[128] = '\n';
    file[8]++;
    data_put("train_x.npy", file, size + 1);
    d = opened("npy");
    CU_ASSERT_EQUAL(rn_data_about(d)->hash, hash[0]);
    rn_data_close(d);
    data_folder_remove();
}

static void test_folder(void) {
    data_folder_make();
    data_put_png("train/zebra/b.png", 4, 5, 0);
    data_put_png("train/zebra/a.PNG", 2, 2, 100);
    data_put_png("train/Cat/9.jpeg", 3, 3, 50); /* told by content, not by name */
    data_put("train/Cat/.hidden.png", "", 0);
    data_put("train/Cat/notes.txt", "x", 1);
    data_put("train/README", "x", 1);
    data_put_png("val/zebra/c.png", 4, 4, 7);
    rn_data *d = opened("folder");
    const rn_data_info *info = rn_data_about(d);
    CU_ASSERT(info->classes == 2 && info->count[RN_TRAIN] == 3 && info->count[RN_TEST] == 1);
    CU_ASSERT(info->picture.c == 3 && info->picture.h == 0 && info->picture.w == 0);
    CU_ASSERT_STRING_EQUAL(info->class_names[0], "Cat"); /* by bytes: capitals first */
    CU_ASSERT_STRING_EQUAL(info->class_names[1], "zebra");
    CU_ASSERT(rn_data_label(d, RN_TRAIN, 0) == 0 && rn_data_label(d, RN_TRAIN, 1) == 1);
    CU_ASSERT(rn_data_label(d, RN_TEST, 0) == 1);
    CU_ASSERT_EQUAL(element(d, RN_TRAIN, 1, 1, 1, 1), 161); /* a.PNG */
    CU_ASSERT_EQUAL(element(d, RN_TRAIN, 2, 2, 3, 4), 134); /* b.png */
    char name[256], expected[256];
    rn_data_name(d, RN_TEST, 0, name, sizeof name);
    snprintf(expected, sizeof expected, "%s/val/zebra/c.png", data_folder);
    CU_ASSERT_STRING_EQUAL(name, expected);
    const uint64_t hash = info->hash;
    rn_data_close(d);

    data_put_png("test/Cat/x.png", 4, 4, 7); /* test comes before val */
    d = opened("folder");
    CU_ASSERT_EQUAL(rn_data_label(d, RN_TEST, 0), 0);
    CU_ASSERT_NOT_EQUAL(rn_data_about(d)->hash, hash);
    rn_data_close(d);
    data_folder_remove();
}

/* ---- what is wrong ---- */

typedef enum Damage { GONE, CUT, GROWN, SET } Damage;

typedef struct Fault { /* a file, what is done to it, and what is said then */
    const char *file;
    Damage damage;
    size_t at; /* CUT: the size that is left; SET: the byte */
    int value;
    const char *say, *where;
} Fault;

static void damage(const Fault *f, uint8_t *bytes, size_t size) {
    if (f->damage == SET) bytes[f->at] = (uint8_t)f->value;
    if (f->damage == GROWN) bytes[size++] = 0;
    if (f->damage == CUT) size = f->at;
    data_put(f->file, bytes, size);
    if (f->damage == GONE) data_delete(f->file);
}

/* Each fault alone, in a set that is right without it */
static void check_faults(const char *kind, const Fault *faults, size_t count) {
    for (size_t i = 0; i < count; i++) {
        uint8_t bytes[FILE_SIZE], copy[FILE_SIZE];
        const Fault *f = &faults[i];
        const size_t size = data_get(f->file, bytes, sizeof bytes);
        memcpy(copy, bytes, size);
        damage(f, copy, size);
        const char *base = strrchr(f->file, '/');
        refused(kind, f->damage == GONE ? RN_ERROR_FILE : RN_ERROR_FORMAT,
                (const char *[3]){base ? base + 1 : f->file, f->say, f->where});
        data_put(f->file, bytes, size);
        rn_data_close(opened(kind));
    }
}

static void test_cifar_faults(void) {
    static const Fault faults[] = {
        {"data_batch_4.bin", GONE, 0, 0, "No such file", NULL},
        {"test_batch.bin", GONE, 0, 0, "No such file", NULL},
        {"data_batch_1.bin", CUT, 3073 + 17, 0, "ends within picture 1", "byte 3090"},
        {"data_batch_1.bin", CUT, 0, 0, "ends within picture 0", "byte 0"},
        {"data_batch_5.bin", CUT, 3073, 0, "ends after 1 pictures", "byte 3073"}, /* the others have 2 */
        {"data_batch_2.bin", GROWN, 0, 0, "ends within picture 2", "byte 6147"},
        {"data_batch_2.bin", SET, 3073, 10, "label 10; they are 0 to 9", "byte 3073"},
        {"test_batch.bin", SET, 6146, 255, "label 255", "byte 6146"},
    };
    data_folder_make();
    data_put_cifar10(2, 3);
    check_faults("cifar10", faults, sizeof faults / sizeof *faults);
    data_put("batches.meta.txt", "a\nb\n", 4);
    refused("cifar10", RN_ERROR_FORMAT, (const char *[3]){"batches.meta.txt", "2 names for 10 classes", NULL});
    data_put("batches.meta.txt", "a\n\0b\n", 5);
    refused("cifar10", RN_ERROR_FORMAT, (const char *[3]){"batches.meta.txt", "byte 2", NULL});
    data_folder_remove();
}

static void test_idx_faults(void) {
    static const Fault faults[] = {
        {"train-images-idx3-ubyte", GONE, 0, 0, "cannot be opened, nor with .gz", NULL},
        {"t10k-labels-idx1-ubyte", GONE, 0, 0, "cannot be opened, nor with .gz", NULL},
        {"train-images-idx3-ubyte", SET, 3, 1, "magic number 0x00000801", "byte 0"},
        {"train-labels-idx1-ubyte", SET, 2, 9, "magic number 0x00000901 where IDX's labels have 0x00000801", "byte 0"},
        {"train-images-idx3-ubyte", CUT, 15, 0, "ends within its header", "byte 15"},
        {"train-images-idx3-ubyte", CUT, 0, 0, "ends within its header", "byte 0"},
        {"train-images-idx3-ubyte", CUT, 16 + 30, 0, "ends within picture 2 of 5", "byte 46"},
        {"train-images-idx3-ubyte", GROWN, 0, 0, "1 bytes too many after the last picture", "byte 76"},
        {"train-images-idx3-ubyte", SET, 7, 0, "0 pictures", "byte 4"},
        {"train-images-idx3-ubyte", SET, 4, 200, "3355443205 pictures", "byte 4"},
        {"train-images-idx3-ubyte", SET, 11, 0, "pictures of 1 x 0 x 4", "byte 8"},
        {"train-images-idx3-ubyte", SET, 9, 1, "pictures of 1 x 65539 x 4", "byte 8"},
        {"t10k-images-idx3-ubyte", SET, 11, 4, "those for training have 1 x 3 x 4", "byte 8"},
        {"train-labels-idx1-ubyte", SET, 7, 4, "4 labels", "byte 4"},
        {"train-labels-idx1-ubyte", CUT, 12, 0, "ends within label 4 of 5", "byte 12"},
        {"train-labels-idx1-ubyte", GROWN, 0, 0, "1 bytes too many after the last label", "byte 13"},
        {"t10k-labels-idx1-ubyte", SET, 9, 3, "label 3; those for training are 0 to 2", "byte 9"},
    };
    data_folder_make();
    data_put_idx(5, 2, 3, 4, 3, "");
    check_faults("idx", faults, sizeof faults / sizeof *faults);
    data_put("classes.txt", "a\nb\n", 4);
    refused("idx", RN_ERROR_FORMAT, (const char *[3]){"classes.txt", "2 names for 3 classes", NULL});
    data_delete("classes.txt");
    data_put_idx(5, 2, 3, 4, 1, "");
    refused("idx", RN_ERROR_FORMAT, (const char *[3]){"train-labels-idx1-ubyte", "every label is 0", "byte 8"});
    data_folder_remove();
}

static void test_gz_faults(void) {
    uint8_t bytes[FILE_SIZE];
    const char *name = "train-images-idx3-ubyte.gz";
    char where[80];
    data_folder_make();
    data_put_idx(40, 2, 3, 4, 3, ".gz");
    const size_t size = data_get(name, bytes, sizeof bytes);
    for (size_t cut = 1; cut < size; cut += 1 + size / 40) { /* wherever it ends */
        data_put(name, bytes, cut);
        snprintf(where, sizeof where, "byte %zu: the file ends within its gzip data", cut);
        refused("idx", RN_ERROR_FORMAT, (const char *[3]){name, where, NULL});
    }
    data_put(name, bytes, 0);
    refused("idx", RN_ERROR_FORMAT, (const char *[3]){name, "empty", NULL});
    bytes[0] ^= 1;
    data_put(name, bytes, size);
    refused("idx", RN_ERROR_FORMAT, (const char *[3]){name, "byte 2: damaged gzip data", "incorrect header check"});
    bytes[0] ^= 1;
    bytes[size - 8] ^= 1;
    data_put(name, bytes, size);
    refused("idx", RN_ERROR_FORMAT, (const char *[3]){name, "damaged gzip data", "incorrect data check"});
    bytes[size - 8] ^= 1;
    memset(bytes + size, 'x', 20);
    data_put(name, bytes, size + 20);
    refused("idx", RN_ERROR_FORMAT, (const char *[3]){name, "damaged gzip data", NULL});
    data_folder_remove();
}

static void test_npy_faults(void) {
    static const uint8_t bytes[8] = {0};
    static const float floats[4] = {0};
    static const int32_t labels[2] = {0, 1};
    static const Fault faults[] = {
        {"train_x.npy", GONE, 0, 0, "No such file", NULL},
        {"test_y.npy", GONE, 0, 0, "No such file", NULL},
        {"train_x.npy", SET, 1, 'M', "not a .npy file", NULL},
        {"train_x.npy", CUT, 60, 0, "truncated in its header", NULL},
        {"train_x.npy", CUT, 128 + 7, 0, "truncated: 7 bytes of data where its shape needs 8", NULL},
        {"test_x.npy", GROWN, 0, 0, "more than the", NULL},
        {"train_y.npy", SET, 128 + 7, 255, "label 1 is not a class", "byte 132"},
        {"train_y.npy", SET, 128 + 6, 16, "label 1 is not a class", "byte 132"}, /* 2^20 + 1 */
        {"test_y.npy", SET, 128 + 4, 2, "label 2; those for training are 0 to 1", "byte 132"},
        {"train_y.npy", SET, 128 + 4, 0, "every label is 0", "byte 128"},
    };
    data_folder_make();
    data_put_npy("train_x.npy", "|u1", "(2, 2, 2)", bytes, 8);
    data_put_npy("test_x.npy", "|u1", "(2, 2, 2)", bytes, 8);
    data_put_npy("train_y.npy", "<i4", "(2,)", labels, 8);
    data_put_npy("test_y.npy", "<i4", "(2,)", labels, 8);
    check_faults("npy", faults, sizeof faults / sizeof *faults);

    static const struct {
        const char *name, *descr, *shape, *say;
        size_t size;
    } wrong[] = {
        {"train_x.npy", "<i4", "(2,)", "elements of type '<i4'; uint8, float32 or float64", 8},
        {"train_x.npy", "|u1", "(8,)", "an array of 1 dimensions", 8},
        {"train_x.npy", "|u1", "(0, 2, 2)", "0 pictures", 0},
        {"train_x.npy", "|u1", "(2, 0, 2)", "pictures of 1 x 0 x 2", 0},
        {"train_x.npy", "|u1", "(2, 2, 1, 2)", "those for training have 2 x 1 x 2", 8},
        {"train_y.npy", "<f4", "(2,)", "elements of type '<f4'; whole numbers", 8},
        {"train_y.npy", "<i4", "(2, 1)", "an array of 2 dimensions", 8},
        {"train_y.npy", "<i4", "(1,)", "1 labels", 4},
        {"test_x.npy", "<f4", "(1, 2, 2)", "floats, those for training are bytes", 16},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        uint8_t right[FILE_SIZE];
        const size_t size = data_get(wrong[i].name, right, sizeof right);
        data_put_npy(wrong[i].name, wrong[i].descr, wrong[i].shape,
                     wrong[i].descr[1] == 'f' ? (const void *)floats : bytes, wrong[i].size);
        refused("npy", RN_ERROR_FORMAT, (const char *[3]){data_folder, wrong[i].say, NULL});
        data_put(wrong[i].name, right, size);
    }
    const uint32_t nan = 0x7fc00000;
    float numbers[8] = {0};
    memcpy(&numbers[5], &nan, sizeof nan);
    data_put_npy("train_x.npy", "<f4", "(2, 2, 2)", numbers, 32);
    refused("npy", RN_ERROR_FORMAT, (const char *[3]){"train_x.npy", "byte 148", "of picture 1 is not finite"});
    data_folder_remove();
}

static void test_folder_faults(void) {
    char path[256];
    data_folder_make();
    refused("folder", RN_ERROR_FILE, (const char *[3]){"/train", "No such file", NULL});
    data_put_png("train/a/1.png", 2, 2, 0);
    refused("folder", RN_ERROR_FORMAT, (const char *[3]){"/train", "1 folders of classes", NULL});
    data_put_png("train/b/1.png", 2, 2, 0);
    refused("folder", RN_ERROR_FILE, (const char *[3]){data_folder, "neither a folder test nor val", NULL});
    data_put("test/a/readme", "", 0);
    refused("folder", RN_ERROR_FORMAT, (const char *[3]){"/test", "no picture", NULL});
    data_put_png("test/a/1.png", 2, 2, 0);
    rn_data_close(opened("folder"));
    data_put_png("test/c/1.png", 2, 2, 0);
    refused("folder", RN_ERROR_FORMAT, (const char *[3]){"/test/c", "has no class of this name", NULL});
    data_delete("test/c/1.png");
    data_delete("test/c");
    data_put_png("train/x.png", 2, 2, 0);
    refused("folder", RN_ERROR_FORMAT, (const char *[3]){"/train/x.png", "outside of a class's folder", NULL});
    data_delete("train/x.png");
    data_put("train/c/readme", "", 0);
    refused("folder", RN_ERROR_FORMAT, (const char *[3]){"/train/c", "no picture", NULL});
    data_put_png("train/c/d/1.png", 2, 2, 0);
    refused("folder", RN_ERROR_FORMAT, (const char *[3]){"/train/c/d", "a folder within a class", NULL});
    data_delete("train/c/d/1.png");
    data_delete("train/c/d");
    data_put_png("train/c/1.png", 2, 2, 0);
    snprintf(path, sizeof path, "%s/train/c/pipe.png", data_folder);
    CU_ASSERT_EQUAL(mkfifo(path, 0600), 0); /* nobody waits for what may come of it */
    refused("folder", RN_ERROR_FORMAT, (const char *[3]){"/train/c/pipe.png", "no regular file", NULL});
    data_delete("train/c/pipe.png");

    rn_data *d = opened("folder");
    data_put("train/b/1.png", "what", 4);
    rn_picture picture;
    char error[RN_ERROR_SIZE];
    CU_ASSERT_EQUAL(rn_data_picture(d, RN_TRAIN, 1, &picture, error, sizeof error), RN_ERROR_FORMAT);
    CU_ASSERT_PTR_NOT_NULL(strstr(error, "/train/b/1.png: neither a PNG nor a JPEG"));
    data_delete("train/b/1.png");
    CU_ASSERT_EQUAL(rn_data_picture(d, RN_TRAIN, 1, &picture, error, sizeof error), RN_ERROR_FILE);
    rn_data_close(d);
    data_folder_remove();
}

static void test_specs(void) {
    static const char *const wrong[] = {"", "mnist:/tmp", "/tmp", "idx", "idx2:/tmp", "IDX:/tmp"};
    rn_data *data;
    char error[RN_ERROR_SIZE];
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        CU_ASSERT_EQUAL(rn_data_open(&data, wrong[i], error, sizeof error), RN_ERROR_ARGUMENT);
        CU_ASSERT_PTR_NOT_NULL(
            strstr(error, "a data set is cifar10:DIR, cifar100:DIR, idx:DIR, folder:DIR or npy:DIR"));
    }
    CU_ASSERT_EQUAL(rn_data_open(&data, "idx:", error, sizeof error), RN_ERROR_ARGUMENT);
    CU_ASSERT_STRING_EQUAL(error, "idx:: its folder is missing");
    CU_ASSERT_EQUAL(rn_data_open(&data, "cifar10:/none", NULL, 0), RN_ERROR_FILE);
    char *longest = malloc(6000);
    memset(longest, 'x', 5999);
    memcpy(longest, "npy:", 4);
    longest[5999] = 0;
    CU_ASSERT_EQUAL(rn_data_open(&data, longest, error, sizeof error), RN_ERROR_FILE);
    free(longest);
    rn_data_close(NULL);
}

void suite_data(void) {
    CU_pSuite suite = CU_add_suite("unit/data", NULL, NULL);
    CU_add_test(suite, "cifar10", test_cifar10);
    CU_add_test(suite, "cifar100", test_cifar100);
    CU_add_test(suite, "idx", test_idx);
    CU_add_test(suite, "npy", test_npy);
    CU_add_test(suite, "folder", test_folder);
    CU_add_test(suite, "cifar_faults", test_cifar_faults);
    CU_add_test(suite, "idx_faults", test_idx_faults);
    CU_add_test(suite, "gz_faults", test_gz_faults);
    CU_add_test(suite, "npy_faults", test_npy_faults);
    CU_add_test(suite, "folder_faults", test_folder_faults);
    CU_add_test(suite, "specs", test_specs);
}
