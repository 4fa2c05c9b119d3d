/* Data sets: a folder of any files, opened as a kind that the first line names (a list's is val.txt), whole and to test
 * with alone; what opens has pictures and labels to its end.
 *
 * An input is that line and, for each file, its path, the size of its content in two bytes, little-endian, and the
 * content: "idx\nclasses.txt\n" 3 0 "a\nb". A path has no "..", and begins with a letter or digit.
 */
#include "fuzz.h"

#include <ctype.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/data/data.h"

enum { PATH = 128, FILES = 40 };

static char root[64];

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *walk) {
    (void)info, (void)kind;
    return walk->level > 0 ? remove(path) : 0;
}

static void empty_root(void) {
    nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void remove_root(void) {
    rmdir(root);
}

static void make_root(void) {
    if (*root) return;
    const int memory = access("/dev/shm", W_OK) == 0;
    snprintf(root, sizeof root, "%s/rn-fuzz-XXXXXX", memory ? "/dev/shm" : "/tmp");
    CHECK(mkdtemp(root));
    atexit(remove_root);
}

/* A line of the input, its end made a 0; NULL: no more. */
static int take_line(const uint8_t **at, const uint8_t *end, char line[PATH]) {
    const uint8_t *stop = memchr(*at, '\n', (size_t)(end - *at));
    if (!stop || stop - *at >= PATH) return 0;
    memcpy(line, *at, (size_t)(stop - *at));
    line[stop - *at] = 0;
    *at = stop + 1;
    return 1;
}

static int is_path(const char *path) {
    if (strstr(path, "..")) return 0;
    for (const char *c = path; *c; c++)
        if ((c == path || c[-1] == '/') ? !isalnum((unsigned char)*c) : !isprint((unsigned char)*c)) return 0;
    return *path && path[strlen(path) - 1] != '/';
}

static void write_file(const char *name, const uint8_t *bytes, size_t size) {
    char path[sizeof root + PATH];
    snprintf(path, sizeof path, "%s/%s", root, name);
    for (char *slash = path + strlen(root) + 1; (slash = strchr(slash, '/')); slash++) {
        *slash = 0;
        mkdir(path, 0777);
        *slash = '/';
    }
    FILE *file = fopen(path, "wb");
    if (!file) return; /* a file is where a folder should be */
    fwrite(bytes, 1, size, file);
    fclose(file);
}

static void check_pictures(const rn_data *data, rn_split split, int tests) {
    const rn_data_info *info = rn_data_about(data);
    CHECK(info->count[split] > 0 && info->classes > !tests);
    double sum = 0;
    for (uint32_t i = 0; i < info->count[split]; i++) {
        char name[64], error[RN_ERROR_SIZE] = "";
        rn_picture p;
        const int label = rn_data_label(data, split, i);
        CHECK(label >= 0 && label < info->classes);
        rn_data_name(data, split, i, name, sizeof name);
        CHECK(*name);
        if (rn_data_picture(data, split, i, &p, error, sizeof error)) {
            CHECK(*error && !p.owned && (!strncmp(info->spec, "folder:", 7) || !strncmp(info->spec, "list:", 5)));
            continue;
        }
        const size_t last = (size_t)(p.shape.c - 1) * p.channel + (size_t)(p.shape.h - 1) * p.row;
        for (size_t at = 0; at <= last + (size_t)(p.shape.w - 1) * p.pixel; at++)
            sum += p.floats ? p.floats[at] != 0 : p.bytes[at];
        rn_picture_free(&p);
    }
    CHECK(sum >= 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    const uint8_t *at = bytes, *end = bytes + size;
    char kind[PATH], name[PATH], spec[2 * PATH + sizeof root], error[RN_ERROR_SIZE] = "";
    make_root();
    if (!size || !take_line(&at, end, kind)) return 0;
    for (int files = 0; files < FILES && take_line(&at, end, name) && end - at >= 2; files++) {
        size_t count = (size_t)at[0] | (size_t)at[1] << 8;
        at += 2;
        if (count > (size_t)(end - at)) count = (size_t)(end - at);
        if (is_path(name)) write_file(name, at, count);
        at += count;
    }
    snprintf(spec, sizeof spec, "%s:%s%s", kind, root, strcmp(kind, "list") ? "" : "/val.txt");
    for (int tests = 0; tests < 2; tests++) {
        rn_data *data;
        rn_status status = (tests ? rn_data_open_test : rn_data_open)(&data, spec, error, sizeof error);
        CHECK(status ? *error && !data : data != NULL);
        for (int split = tests ? RN_TEST : 0; !status && split < RN_SPLITS; split++)
            check_pictures(data, (rn_split)split, tests);
        if (!status)
            for (int i = 0; rn_data_about(data)->class_names && i < rn_data_about(data)->classes; i++)
                CHECK(*rn_data_about(data)->class_names[i]);
        rn_data_close(data);
    }
    empty_root();
    return 0;
}
