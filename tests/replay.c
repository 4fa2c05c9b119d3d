/* Feeds a fuzz target its corpus without libFuzzer: every file as it is, cut at many places, and with bytes changed
 * (the same changes in every run).
 *
 *     build/san/tests/fuzz-source tests/fuzz/corpus/source examples/resnet18.rn
 */
#include <dirent.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

#include "fuzz/fuzz.h"

enum { CUTS = 40, CHANGES = 120, MAX_SIZE = 1 << 16 };
static const double seconds_per_file = 1.0;

static int tests, inputs;

static uint64_t next_random(uint64_t *state) { /* SplitMix64 */
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static void feed(const uint8_t *bytes, size_t size) {
    LLVMFuzzerTestOneInput(bytes, size);
    inputs++;
}

static void feed_changed(const uint8_t *bytes, size_t size) {
    uint64_t state = size;
    uint8_t *copy = malloc(size + 1);
    clock_t end = clock() + (clock_t)(seconds_per_file * CLOCKS_PER_SEC);
    if (!copy) abort();
    for (int i = 0; i < CUTS && clock() < end; i++) feed(bytes, size * (size_t)i / CUTS);
    for (int i = 0; i < CHANGES && clock() < end; i++) {
        memcpy(copy, bytes, size);
        for (uint64_t n = 1 + next_random(&state) % 3; n > 0; n--) {
            size_t at = next_random(&state) % size;
            copy[at] = next_random(&state) % 2 ? (uint8_t)next_random(&state) : bytes[next_random(&state) % size];
        }
        feed(copy, size);
    }
    free(copy);
}

static void feed_file(const char *path) {
    FILE *file = fopen(path, "rb");
    uint8_t *bytes = malloc(MAX_SIZE);
    if (!file || !bytes) {
        printf("FAIL %s: cannot be read\n", path);
        exit(1);
    }
    size_t size = fread(bytes, 1, MAX_SIZE, file);
    fclose(file);
    feed(bytes, size);
    tests++;
    if (size) feed_changed(bytes, size);
    free(bytes);
}

static void feed_path(const char *path) {
    struct stat info;
    struct dirent **names;
    if (stat(path, &info) || !S_ISDIR(info.st_mode)) {
        feed_file(path);
        return;
    }
    int count = scandir(path, &names, NULL, alphasort);
    for (int i = 0; i < count; i++) {
        char file[4096];
        snprintf(file, sizeof file, "%s/%s", path, names[i]->d_name);
        if (names[i]->d_name[0] != '.' && !stat(file, &info) && S_ISREG(info.st_mode)) feed_file(file);
        free(names[i]);
    }
    if (count >= 0) free(names);
}

int main(int argc, char **argv) {
    feed((const uint8_t *)"", 0);
    for (int i = 1; i < argc; i++) feed_path(argv[i]);
    printf("%d inputs\n%d tests, 0 failed\n", inputs, tests);
    return 0;
}
