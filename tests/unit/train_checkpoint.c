/* Checkpoints: round trip to the bit, as weights files, and one clear error for each that is truncated, altered,
 * foreign or cannot be written. */
#include "faults.h"
#include "softmax.h"

#include "base/base.h"
#include "runtime/train/checkpoint.h"
#include "runtime/train/tensors.h"

#include <CUnit/CUnit.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64], path[96], other[96];

static int setup(void) {
    softmax_reset();
    strcpy(folder, "/dev/shm/rnc-checkpoint-XXXXXX"); /* in memory, where there is that: nothing waits for a disk */
    if (!mkdtemp(folder) && !mkdtemp(strcpy(folder, "/tmp/rnc-checkpoint-XXXXXX"))) return 1;
    snprintf(path, sizeof path, "%s/a.safetensors", folder);
    snprintf(other, sizeof other, "%s/b.safetensors", folder);
    return 0;
}

static int cleanup(void) {
    unlink(path), unlink(other);
    return rmdir(folder); /* no temporary was left */
}

static void train(void *trainer, int steps) {
    float images[SOFTMAX_BATCH * SOFTMAX_INPUTS];
    int32_t labels[SOFTMAX_BATCH];
    for (int i = 0; i < steps; i++) {
        softmax_batch(images, labels, (uint32_t)rn_train_steps(trainer) * SOFTMAX_BATCH % SOFTMAX_IMAGES);
        CU_ASSERT_EQUAL_FATAL(rn_train_step(trainer, SOFTMAX_BATCH, images, labels, NULL), RN_OK);
    }
}

static char *bytes_of(const char *file, size_t *size) {
    char *bytes = file_read(file, SIZE_MAX, size);
    CU_ASSERT_PTR_NOT_NULL_FATAL(bytes);
    return bytes;
}

static int is_equal(const char *a, const char *b) {
    size_t n, m;
    char *x = bytes_of(a, &n), *y = bytes_of(b, &m);
    const int equal = n == m && memcmp(x, y, n) == 0;
    free(x);
    free(y);
    return equal;
}

/* 37 steps, a file, 63 more in another process's trainer: the file of 100 steps. */
static void test_round_trip(void) {
    void *one = softmax_trainer(1, 7), *two = softmax_trainer(3, 8);
    train(one, 37);
    CU_ASSERT_EQUAL(rn_train_save(one, path), RN_OK);
    train(one, 63);
    CU_ASSERT_EQUAL(rn_train_load(two, path), RN_OK);
    CU_ASSERT_EQUAL(rn_train_steps(two), 37);
    CU_ASSERT_EQUAL(rn_train_save(two, other), RN_OK);
    CU_ASSERT(is_equal(path, other));
    train(two, 63);
    CU_ASSERT(rn_train_save(one, path) == RN_OK && rn_train_save(two, other) == RN_OK);
    CU_ASSERT(is_equal(path, other));
    struct stat info;
    const mode_t mask = umask(0);
    umask(mask);
    CU_ASSERT(stat(path, &info) == 0 && (info.st_mode & 0777) == (0666 & ~mask));
    rn_train_destroy(one);
    rn_train_destroy(two);
}

/* Numbers that text could lose, and a language whose decimal sign is a comma. */
static void test_numbers(void) {
    rn_train_context *one = softmax_trainer(1, UINT64_MAX), *two = softmax_trainer(1, 1);
    one->schedule.lr = 0.1 + 0x1p-55;
    one->schedule.best = 1e-310;
    one->schedule.warm = 12;
    one->step = INT64_MAX;
    one->parameters[0] = -0.0F;
    one->parameters[1] = 0x1p-149F;
    const int is_set = setlocale(LC_NUMERIC, "de_DE.UTF-8") || setlocale(LC_NUMERIC, "fr_FR.UTF-8");
    (void)is_set; /* where there is none, the rest counts */
    CU_ASSERT_EQUAL(rn_train_save(one, path), RN_OK);
    CU_ASSERT_EQUAL(rn_train_load(two, path), RN_OK);
    setlocale(LC_NUMERIC, "C");
    CU_ASSERT(two->seed == UINT64_MAX && two->step == INT64_MAX);
    CU_ASSERT(memcmp(&one->schedule, &two->schedule, sizeof one->schedule) == 0);
    CU_ASSERT(memcmp(one->parameters, two->parameters, 160 * sizeof(float)) == 0);
    rn_train_destroy(one);
    rn_train_destroy(two);
}

/* A checkpoint is a weights file: of the inference code, and for load_weights. Export has no momentum. */
static void test_weights(void) {
    char error[RN_ERROR_SIZE];
    void *one = softmax_trainer(1, 7), *two = softmax_trainer(1, 8);
    rn_weights *weights;
    train(one, 5);
    CU_ASSERT_EQUAL(rn_train_save(one, path), RN_OK);
    CU_ASSERT_EQUAL(rn_weights_open(&weights, softmax.network, path, error, sizeof error), RN_OK);
    CU_ASSERT_STRING_EQUAL(error, "");
    size_t size;
    const float *packed = rn_weights_payload(weights, &size), *live = rn_train_parameters(one, NULL);
    CU_ASSERT_EQUAL(packed[0], live[softmax_parameters[SOFTMAX_WEIGHT].offset]);
    rn_weights_close(weights);

    CU_ASSERT_EQUAL(rn_train_load_weights(two, path, NULL), RN_OK);
    CU_ASSERT_EQUAL(rn_train_steps(two), 0);
    CU_ASSERT(memcmp(live, rn_train_parameters(two, NULL), 160 * sizeof(float)) == 0);
    for (int i = 0; i < 128; i++) CU_ASSERT_EQUAL_FATAL(rn_train_momentum(two, NULL)[i], 0);

    CU_ASSERT_EQUAL(rn_train_export(one, other), RN_OK);
    char *text = bytes_of(other, &size);
    CU_ASSERT(memmem(text, size, "momentum", 8) == NULL && memmem(text, size, "\"format\":\"pt\"", 13) != NULL);
    free(text);
    CU_ASSERT_EQUAL(rn_train_load_weights(two, other, NULL), RN_OK);
    CU_ASSERT_EQUAL(rn_train_load(two, other), RN_ERROR_FORMAT);
    CU_ASSERT(strstr(rn_train_message(two), "weights, not a checkpoint") != NULL);
    rn_train_destroy(one);
    rn_train_destroy(two);
}

/* A layer of another number of classes begins anew, the rest is taken over; without `except` it is named. */
static void test_except(void) {
    void *one = softmax_trainer(1, 7);
    CU_ASSERT_EQUAL(rn_train_export(one, path), RN_OK);
    softmax_parameters[SOFTMAX_BIAS].dim[0] = 5;
    rn_train_context *two = softmax_trainer(1, 8);
    float *live = rn_train_parameters(two, NULL);
    live[0] = 42;
    CU_ASSERT_EQUAL(rn_train_load_weights(two, path, NULL), RN_ERROR_FORMAT);
    CU_ASSERT(strstr(rn_train_message(two), "fc.bias") != NULL && live[0] == 42);
    CU_ASSERT_EQUAL(rn_train_load_weights(two, path, "fc.bias"), RN_OK);
    CU_ASSERT(live[0] == 42 && live[16] == rn_train_parameters(one, NULL)[16]);
    rn_train_destroy(one);
    rn_train_destroy(two);
    softmax_reset();
}

/* ---- what is wrong with a file ---- */

/* Refused, with a text of the file's name and these words; the trainer is as it was. */
static void refused(void *trainer, rn_status wanted, const char *word, const char *more) {
    const size_t bytes = 160 * sizeof(float);
    float before[160];
    memcpy(before, rn_train_parameters(trainer, NULL), bytes);
    const rn_status status = rn_train_load(trainer, path);
    CU_ASSERT_EQUAL(status, wanted);
    const char *text = rn_train_message(trainer);
    CU_ASSERT(!strncmp(text, path, strlen(path)) && strstr(text, word) && strstr(text, more));
    if (!strstr(text, word) || !strstr(text, more)) printf("%s\n", text);
    CU_ASSERT(memcmp(before, rn_train_parameters(trainer, NULL), bytes) == 0 && rn_train_steps(trainer) == 3);
}

static void test_foreign(void) {
    void *trainer = softmax_trainer(1, 7);
    train(trainer, 3);
    CU_ASSERT_EQUAL(rn_train_save(trainer, path), RN_OK);
    softmax.source_hash = "other";
    refused(trainer, RN_ERROR_FORMAT, "0123456789abcdef", "other");
    softmax_reset();
    softmax.plan_hash = "faster";
    refused(trainer, RN_ERROR_FORMAT, "fedcba9876543210", "faster");
    softmax_reset();
    softmax_recipe.batch = 10;
    refused(trainer, RN_ERROR_FORMAT, "batches of 20", "has 10");
    softmax_reset();
    softmax.name = "softer";
    refused(trainer, RN_ERROR_FORMAT, "softmax", "softer");
    softmax_reset();
    softmax_parameters[SOFTMAX_BIAS].dim[0] = 5;
    refused(trainer, RN_ERROR_FORMAT, "fc.bias", "shape");
    softmax_reset();
    unlink(path);
    refused(trainer, RN_ERROR_FILE, "cannot", "No such file");
    rn_train_destroy(trainer);
}

static void test_damaged(void) {
    void *trainer = softmax_trainer(1, 7);
    train(trainer, 3);
    CU_ASSERT_EQUAL(rn_train_save(trainer, path), RN_OK);
    size_t size;
    char *bytes = bytes_of(path, &size);
    for (size_t cut = 0; cut < size; cut += 1 + cut / 3) { /* at every kind of place */
        CU_ASSERT(file_write(path, bytes, cut));
        refused(trainer, RN_ERROR_FORMAT, ": ", "");
    }
    for (size_t i = 0; i < size; i += 7) { /* a bit, anywhere */
        bytes[i] ^= 4;
        CU_ASSERT(file_write(path, bytes, size));
        refused(trainer, RN_ERROR_FORMAT, ": ", "");
        bytes[i] ^= 4;
    }
    bytes[size - 1] ^= 1;
    CU_ASSERT(file_write(path, bytes, size));
    refused(trainer, RN_ERROR_FORMAT, "damaged or altered", "checksum");
    bytes[size - 1] ^= 1;
    CU_ASSERT(file_write(path, bytes, size));
    CU_ASSERT_EQUAL(rn_train_load(trainer, path), RN_OK);
    free(bytes);
    rn_train_destroy(trainer);
}

/* A state that was written by something else, under a right checksum. */
static void edited(void *trainer, const char *from, const char *to, const char *word) {
    size_t size;
    char *bytes = bytes_of(path, &size), *at = memmem(bytes, size, from, strlen(from)), sum[17];
    CU_ASSERT_PTR_NOT_NULL_FATAL(at);
    CU_ASSERT_EQUAL_FATAL(strlen(from), strlen(to));
    memcpy(at, to, strlen(to));
    snprintf(sum, sizeof sum, "%016llx", (unsigned long long)rn_checksum_of(bytes, size));
    memcpy(bytes + RN_CHECKSUM_AT, sum, 16);
    CU_ASSERT(file_write(path, bytes, size));
    refused(trainer, RN_ERROR_FORMAT, word, "");
    free(bytes);
    CU_ASSERT_EQUAL(rn_train_save(trainer, path), RN_OK);
}

static void test_edited(void) {
    void *trainer = softmax_trainer(1, 7);
    train(trainer, 3);
    CU_ASSERT_EQUAL(rn_train_save(trainer, path), RN_OK);
    edited(trainer, "\"step\":\"3\"", "\"step\":\"x\"", "'step' of 'x'");
    edited(trainer, "\"step\":\"3\"", "\"stop\":\"3\"", "no 'step'");
    edited(trainer, "\"told\":\"3\"", "\"told\":\"-\"", "'told'");
    edited(trainer, "\"warm\":\"-1\"", "\"warm\":\"99\"", "none that training can have");
    edited(trainer, "\"divisions\":\"0\"", "\"divisions\":\"4\"", "none that training can have");
    edited(trainer, "\"images\":\"20 20 20 0", "\"images\":\"00 20 20 0", "none that training can have");
    edited(trainer, "\"images\":\"20 20 20 0", "\"images\":\"20  0 20 0", "a hundred numbers");
    edited(trainer, "\"network\"", "\"netwark\"", "does not say of what");
    rn_train_destroy(trainer);
}

/* ---- faults ---- */

/* Each call of a save fails once: an error with the file's name, the old file whole, no temporary. */
static void test_faults(void) {
    void *trainer = softmax_trainer(1, 7);
    char copy[96];
    snprintf(copy, sizeof copy, "%s", other);
    train(trainer, 3);
    CU_ASSERT(rn_train_save(trainer, path) == RN_OK && rn_train_save(trainer, copy) == RN_OK);
    train(trainer, 1);
    faults_arm(FAULT_NONE, 0);
    CU_ASSERT_EQUAL(rn_train_save(trainer, path), RN_OK);
    const int calls = faults_count();
    CU_ASSERT(calls >= 5);
    CU_ASSERT_STRING_EQUAL(faults_calls(), "mwfrf"); /* on the disk before its name is, and then the name */
    for (Fault fault = FAULT_IO; fault <= FAULT_FULL; fault++)
        for (int nth = 1; nth < calls; nth++) { /* the last one synchronises the folder: the new file is there */
            unlink(path);
            CU_ASSERT_EQUAL(link(copy, path), 0);
            faults_arm(fault, nth);
            const rn_status status = rn_train_save(trainer, path);
            faults_arm(FAULT_NONE, 0);
            CU_ASSERT_EQUAL(status, RN_ERROR_FILE);
            CU_ASSERT(!strncmp(rn_train_message(trainer), path, strlen(path)));
            CU_ASSERT(strstr(rn_train_message(trainer), strerror(fault == FAULT_IO ? 5 : 28)) != NULL);
            CU_ASSERT(is_equal(path, copy));
        }
    faults_arm(FAULT_IO, calls);
    CU_ASSERT_EQUAL(rn_train_save(trainer, path), RN_ERROR_FILE);
    faults_arm(FAULT_NONE, 0);
    CU_ASSERT_EQUAL(rn_train_load(trainer, path), RN_OK);
    CU_ASSERT_EQUAL(rn_train_save(trainer, "/nowhere/a.safetensors"), RN_ERROR_FILE);
    rn_train_destroy(trainer);
}

void suite_train_checkpoint(void) {
    CU_pSuite suite = CU_add_suite("train_checkpoint", setup, cleanup);
    CU_add_test(suite, "round trip", test_round_trip);
    CU_add_test(suite, "numbers", test_numbers);
    CU_add_test(suite, "weights", test_weights);
    CU_add_test(suite, "except", test_except);
    CU_add_test(suite, "foreign", test_foreign);
    CU_add_test(suite, "damaged", test_damaged);
    CU_add_test(suite, "edited", test_edited);
    CU_add_test(suite, "faults", test_faults);
}
