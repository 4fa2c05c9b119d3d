/* What targets of data sets share: a set in the folder is opened, whole and to test with alone; what opens has pictures
 * and labels to its end.
 */
#ifndef RN_FUZZ_DATA_H
#define RN_FUZZ_DATA_H

#include "folder.h"

#include "runtime/data/data.h"

static inline void data_check_pictures(const rn_data *data, rn_split split, int tests) {
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

/* kind: idx, cifar10, ...; file: of the folder, behind a '/', or "" for the folder. The folder is emptied. */
static inline void data_check(const char *kind, const char *file) {
    char spec[2 * FOLDER_PATH + sizeof folder], error[RN_ERROR_SIZE] = "";
    snprintf(spec, sizeof spec, "%s:%s%s", kind, folder, file);
    for (int tests = 0; tests < 2; tests++) {
        rn_data *data;
        rn_status status = (tests ? rn_data_open_test : rn_data_open)(&data, spec, error, sizeof error);
        CHECK(status ? *error && !data : data != NULL);
        for (int split = tests ? RN_TEST : 0; !status && split < RN_SPLITS; split++)
            data_check_pictures(data, (rn_split)split, tests);
        if (!status)
            for (int i = 0; rn_data_about(data)->class_names && i < rn_data_about(data)->classes; i++)
                CHECK(*rn_data_about(data)->class_names[i]);
        rn_data_close(data);
    }
    folder_empty();
}

#endif
