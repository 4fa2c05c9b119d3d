/* Data sets: a folder of any files, opened as a kind that the first line names (a list's is val.txt), whole and to test
 * with alone; what opens has pictures and labels to its end.
 *
 * An input is that line and, for each file, its path, the size of its content in two bytes, little-endian, and the
 * content: "idx\nclasses.txt\n" 3 0 "a\nb". A path has no "..", and begins with a letter or digit.
 */
#include "folder.h"

#include "runtime/data/data.h"

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
    const uint8_t *at = bytes, *end = bytes + size, *content;
    char kind[FOLDER_PATH], name[FOLDER_PATH], spec[2 * FOLDER_PATH + sizeof folder], error[RN_ERROR_SIZE] = "";
    size_t count;
    folder_make();
    if (!size || !folder_take_line(&at, end, kind)) return 0;
    for (int files = 0; files < FOLDER_FILES && folder_take_line(&at, end, name) &&
                        (content = folder_take_content(&at, end, &count)) != NULL;
         files++)
        if (folder_is_path(name)) folder_write(name, content, count);
    snprintf(spec, sizeof spec, "%s:%s%s", kind, folder, strcmp(kind, "list") ? "" : "/val.txt");
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
    folder_empty();
    return 0;
}
