/* Evaluation: resampling as PyTorch has it; outcomes of scores; intervals as they are published; what is counted; lists
 * of pictures and folders that are to test with alone. */
#include <CUnit/CUnit.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data_files.h"
#include "runtime/data/view.h"
#include "runtime/eval/tally.h"

/* ---- resampling ---- */

enum { H = 6, W = 7 };

/* torch.nn.functional.interpolate in float64 of pixels (37 y + 53 x + 11 x y) % 197 + 20, antialias as the filter says:
 * to 3 x 4, and rows 0 and 3 of 7 x 9 */
static const struct {
    rn_filter filter;
    float small[12], large[18];
} resampled[] = {{RN_FILTER_BILINEAR,
                  {76.9660f, 126.8571f, 106.0000f, 111.6667f, 104.2440f, 108.5500f, 133.5450f, 112.4286f, 133.1973f,
                   98.6857f, 107.3371f, 109.1701f},
                  {20.0000f, 55.3333f, 96.5556f, 137.7778f, 179.0000f, 67.0000f, 64.4444f, 105.6667f, 141.0000f,
                   112.5000f, 100.5000f, 86.5000f, 94.3889f, 157.0000f, 143.0000f, 129.0000f, 115.0000f, 103.0000f}},
                 {RN_FILTER_BICUBIC,
                  {71.8080f, 132.5939f, 102.7260f, 112.1009f, 102.9719f, 107.3221f, 140.9276f, 111.2206f, 137.1367f,
                   94.7335f, 105.6142f, 109.1597f},
                  {16.3173f, 50.7731f, 94.5059f, 140.8100f, 183.0866f, 56.2401f, 50.0494f, 107.7595f, 146.8169f,
                   113.3521f, 102.4509f, 74.4408f, 81.0461f, 169.3125f, 147.5095f, 128.3244f, 113.9286f, 102.1479f}},
                 {RN_FILTER_BILINEAR_PLAIN,
                  {60.4375f, 150.5000f, 80.5000f, 109.0000f, 105.7500f, 86.5625f, 141.2500f, 109.7500f, 151.0625f,
                   96.5000f, 103.5000f, 110.5000f},
                  {20.0000f, 55.3333f, 96.5556f, 137.7778f, 179.0000f, 67.0000f, 64.4444f, 105.6667f, 141.0000f,
                   112.5000f, 100.5000f, 86.5000f, 94.3889f, 157.0000f, 143.0000f, 129.0000f, 115.0000f, 103.0000f}},
                 {RN_FILTER_BICUBIC_PLAIN,
                  {50.7346f, 168.0915f, 66.1330f, 110.7903f, 108.4176f, 68.0589f, 145.3069f, 108.2998f, 155.9555f,
                   100.2473f, 109.9649f, 112.3022f},
                  {14.8347f, 48.4251f, 94.0836f, 145.2005f, 184.8663f, 58.1880f, 41.8014f, 108.9728f, 149.3974f,
                   113.6852f, 104.2188f, 67.0243f, 78.6830f, 175.4688f, 151.4265f, 127.7269f, 113.3333f, 101.8148f}}};

/* The whole picture as an input of h x w, by a recipe that asks for this size */
static void resize(const rn_picture *picture, rn_filter filter, int rounded, int h, int w, float *input) {
    rn_scratch scratch = {0};
    rn_view view;
    const rn_picture_recipe recipe = {.input = {1, h, w},
                                      .preprocess = {.order = RN_ORDER_GRAY, .range = 255, .std = {1}, .resize = 1},
                                      .filter = filter,
                                      .rounded = rounded,
                                      .resized_h = h,
                                      .resized_w = w};
    rn_view_test(&view, &recipe, picture->shape, 0, 0);
    CU_ASSERT_EQUAL_FATAL(rn_view_apply(&view, &recipe, picture, &scratch, input), RN_OK);
    rn_scratch_free(&scratch);
}

static uint8_t pixel_at(int i) {
    const int y = i / W, x = i % W;
    return (uint8_t)((37 * y + 53 * x + 11 * x * y) % 197 + 20);
}

static void test_filters(void) {
    uint8_t bytes[H * W];
    float floats[H * W], input[63];
    for (int i = 0; i < H * W; i++) {
        bytes[i] = pixel_at(i);
        floats[i] = (float)bytes[i] / 255;
    }
    for (int i = 0; i < 8; i++) {
        rn_picture p = {.shape = {1, H, W}, .bytes = bytes, .channel = H * W, .row = W, .pixel = 1};
        if (i % 2) p.floats = floats;
        resize(&p, resampled[i / 2].filter, 0, 3, 4, input);
        for (int k = 0; k < 12; k++) CU_ASSERT_DOUBLE_EQUAL(input[k], resampled[i / 2].small[k], 2e-4);
        resize(&p, resampled[i / 2].filter, 0, 7, 9, input);
        for (int k = 0; k < 18; k++)
            CU_ASSERT_DOUBLE_EQUAL(input[k < 9 ? k : 27 + k - 9], resampled[i / 2].large[k], 2e-4);
    }
}

/* Pillow's numbers for the same pixels and sizes: rounded to bytes behind each direction */
static void test_rounded(void) {
    static const struct {
        rn_filter filter;
        uint8_t small[12], large[18];
    } pillow[] = {{RN_FILTER_BILINEAR,
                   {77, 127, 106, 111, 104, 109, 134, 113, 133, 99, 108, 109},
                   {20, 55, 97, 138, 179, 67, 64, 106, 141, 113, 101, 87, 95, 157, 143, 129, 115, 103}},
                  {RN_FILTER_BICUBIC,
                   {72, 133, 103, 112, 103, 108, 141, 111, 137, 95, 105, 109},
                   {16, 51, 95, 141, 183, 57, 50, 108, 147, 113, 103, 74, 81, 169, 148, 128, 113, 103}}};
    uint8_t bytes[H * W];
    float input[63];
    for (int i = 0; i < H * W; i++) bytes[i] = pixel_at(i);
    const rn_picture p = {.shape = {1, H, W}, .bytes = bytes, .channel = H * W, .row = W, .pixel = 1};
    for (int i = 0; i < 2; i++) {
        resize(&p, pillow[i].filter, 1, 3, 4, input);
        for (int k = 0; k < 12; k++) CU_ASSERT_EQUAL(input[k], pillow[i].small[k]);
        resize(&p, pillow[i].filter, 1, 7, 9, input);
        for (int k = 0; k < 18; k++) CU_ASSERT_EQUAL(input[k < 9 ? k : 27 + k - 9], pillow[i].large[k]);
    }
}

/* A cubic overshoots at edges; bytes stay bytes. */
static void test_cubic_stays_in_range(void) {
    static const uint8_t edge[6] = {0, 0, 0, 255, 255, 255};
    const rn_picture p = {.shape = {1, 1, 6}, .bytes = edge, .channel = 6, .row = 6, .pixel = 1};
    float input[24];
    for (int plain = 0; plain < 2; plain++) {
        resize(&p, plain ? RN_FILTER_BICUBIC_PLAIN : RN_FILTER_BICUBIC, 0, 1, 24, input);
        for (int k = 0; k < 24; k++) CU_ASSERT(input[k] >= 0 && input[k] <= 255);
        CU_ASSERT(input[12] - input[11] > 30 && fabsf(input[11] + input[12] - 255) < 1e-3f);
        CU_ASSERT(input[8] == 0 && input[15] == 255);
    }
}

/* ---- outcomes ---- */

static void test_scores(void) {
    static const float logits[6] = {1, 3, 3, -2, 0, 2}, probabilities[3] = {0.25f, 0.5f, 0.25f};
    rn_outcome o = rn_score(logits, 6, 0, 2); /* class 1 is as likely, and comes first */
    CU_ASSERT(o.predicted == 1 && o.likelier == 1);
    double sum = 0;
    for (int k = 0; k < 6; k++) sum += exp((double)logits[k]);
    CU_ASSERT_DOUBLE_EQUAL(o.own, exp(3) / sum, 1e-12);
    CU_ASSERT_DOUBLE_EQUAL(o.best, o.own, 1e-12);
    CU_ASSERT_DOUBLE_EQUAL(o.loss, -log(o.own), 1e-12);
    o = rn_score(probabilities, 3, 1, 2);
    CU_ASSERT(o.predicted == 1 && o.likelier == 2 && o.own == 0.25 && o.best == 0.5);
    double mean[6] = {0};
    rn_score_add(mean, logits, 6, 0);
    rn_score_add(mean, logits, 6, 0);
    o = rn_score_mean(mean, 2, 6, 5);
    CU_ASSERT(o.predicted == 1 && o.likelier == 2);
    CU_ASSERT_DOUBLE_EQUAL(o.own, exp(2) / sum, 1e-12);
}

/* Newcombe 1998, Two-sided confidence intervals for the single proportion, Statistics in Medicine 17, table I, method 3
 */
static void test_intervals(void) {
    static const struct {
        int hits, n;
        double low, high;
    } published[] = {{81, 263, 0.2553, 0.3662}, {15, 148, 0.0624, 0.1605}, {0, 20, 0, 0.1611}, {1, 29, 0.0061, 0.1718}};
    for (int i = 0; i < 4; i++) {
        const rn_interval a = rn_wilson(published[i].hits, published[i].n);
        const rn_interval b = rn_wilson(published[i].n - published[i].hits, published[i].n);
        CU_ASSERT_DOUBLE_EQUAL(a.low, published[i].low, 5e-5);
        CU_ASSERT_DOUBLE_EQUAL(a.high, published[i].high, 5e-5);
        CU_ASSERT_DOUBLE_EQUAL(a.low + b.high, 1, 1e-12);
        CU_ASSERT_DOUBLE_EQUAL(a.high + b.low, 1, 1e-12);
    }
}

static rn_outcome outcome(int32_t predicted, int likelier, double best) {
    return (rn_outcome){.predicted = predicted, .likelier = likelier, .best = best, .own = 0.1, .loss = 1};
}

static void test_tally(void) {
    rn_tally t;
    CU_ASSERT_EQUAL_FATAL(rn_tally_create(&t, 7, 9), RN_OK);
    rn_tally_set(&t, 8, 3, outcome(2, 6, 0.5));
    rn_tally_set(&t, 0, 0, outcome(0, 0, 0.9));
    rn_tally_set(&t, 1, 0, outcome(2, 4, 0.7));
    rn_tally_set(&t, 3, 3, outcome(2, 5, 0.8));
    rn_tally_set(&t, 4, 3, outcome(0, 1, 0.8));
    rn_tally_set(&t, 6, 1, outcome(1, 0, 0.4)); /* 2, 5 and 7 are left out */
    CU_ASSERT_EQUAL_FATAL(rn_tally_finish(&t), RN_OK);
    CU_ASSERT(t.pictures == 6 && t.right == 2 && t.right5 == 4 && t.loss == 6);
    CU_ASSERT(t.class[3].pictures == 3 && t.class[3].right == 0 && t.class[3].right5 == 1 && t.class[3].predicted == 0);
    CU_ASSERT(t.class[2].pictures == 0 && t.class[2].predicted == 3 && t.class[0].predicted == 2);
    static const int32_t pairs[3][3] = {{3, 2, 2}, {0, 2, 1}, {3, 0, 1}};
    CU_ASSERT_FATAL(t.confusion_count == 3);
    for (int i = 0; i < 3; i++)
        CU_ASSERT(t.confusions[i].label == pairs[i][0] && t.confusions[i].predicted == pairs[i][1] &&
                  t.confusions[i].pictures == pairs[i][2]);
    CU_ASSERT(t.wrong[0] == 3 && t.wrong[1] == 4 && t.wrong[2] == 1 && t.wrong[3] == 8);
    rn_tally_free(&t);
    rn_tally_free(&t);
}

/* ---- sets to test with ---- */

static rn_data *opened(const char *spec) {
    rn_data *data;
    char error[RN_ERROR_SIZE] = "";
    if (rn_data_open_test(&data, spec, error, sizeof error)) printf("%s\n", error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(data);
    return data;
}

static void refused(const char *spec, const char *words) {
    rn_data *data;
    char error[RN_ERROR_SIZE] = "";
    CU_ASSERT_NOT_EQUAL(rn_data_open_test(&data, spec, error, sizeof error), RN_OK);
    CU_ASSERT_PTR_NULL(data);
    if (!strstr(error, words)) printf("not '%s' but: %s\n", words, error);
    CU_ASSERT_PTR_NOT_NULL(strstr(error, words));
}

static const char *put_list(const char *text) {
    static char spec[128];
    data_put("lists/val.txt", text, strlen(text));
    snprintf(spec, sizeof spec, "list:%s/lists/val.txt", data_folder);
    return spec;
}

static void test_lists(void) {
    char text[256], name[128];
    data_folder_make();
    data_put_png("lists/a b.png", 2, 3, 1);
    data_put_png("lists/c.png", 2, 3, 9);
    data_put_png("d.png", 2, 3, 17);
    snprintf(text, sizeof text,
             "\xef\xbb\xbf"
             "a b.png 7\r\n\n  \nc.png\t12\n../d.png 0\n%s/d.png    7",
             data_folder);
    rn_data *d = opened(put_list(text));
    const rn_data_info *info = rn_data_about(d);
    static const int labels[4] = {7, 12, 0, 7};
    CU_ASSERT(info->count[RN_TEST] == 4 && info->count[RN_TRAIN] == 0 && info->classes == 13 && !info->sorted);
    CU_ASSERT(info->picture.c == 3 && !info->class_names);
    for (uint32_t i = 0; i < 4; i++) {
        rn_picture p;
        static const int first[4] = {1, 9, 17, 17};
        CU_ASSERT_EQUAL(rn_data_label(d, RN_TEST, i), labels[i]);
        CU_ASSERT_EQUAL_FATAL(rn_data_picture(d, RN_TEST, i, &p, NULL, 0), RN_OK);
        CU_ASSERT_EQUAL(p.bytes[0], first[i]);
        rn_picture_free(&p);
    }
    rn_data_name(d, RN_TEST, 1, name, sizeof name);
    CU_ASSERT_PTR_NOT_NULL(strstr(name, "/lists/c.png"));
    rn_data_close(d);

    d = opened(put_list("a b.png\tgreat white shark\nc.png tench\n../d.png\ttench\nc.png 3\n"));
    info = rn_data_about(d);
    CU_ASSERT_FATAL(info->classes == 3 && info->sorted);
    CU_ASSERT_STRING_EQUAL(info->class_names[0], "3");
    CU_ASSERT_STRING_EQUAL(info->class_names[1], "great white shark");
    CU_ASSERT(rn_data_label(d, RN_TEST, 0) == 1 && rn_data_label(d, RN_TEST, 2) == 2 &&
              rn_data_label(d, RN_TEST, 3) == 0);
    rn_data_close(d);

    refused(put_list("c.png 1\nc.png\n"), "val.txt: line 2: 'c.png' is no path and its label");
    refused(put_list("\n\n"), "no picture in it");
    refused(put_list("c.png 1\n\nnone.png 2\n"), "val.txt: line 3: ");
    refused(put_list("c.png 1\n../lists 2\n"), "is no regular file");
    refused(put_list("c.png 99999999999999999999\n"), "line 1: label 99999999999999999999; they are 0 to");
    refused("list:", "its file is missing");
    refused("list:/nowhere/val.txt", "/nowhere/val.txt");
    const char *spec = put_list("");
    data_put("lists/val.txt", "c.png 1\0x", 9);
    refused(spec, "val.txt: byte 7: a zero in a file of text");
    char error[RN_ERROR_SIZE] = "";
    CU_ASSERT_EQUAL(rn_data_open(&d, put_list("c.png 1\n"), error, sizeof error), RN_ERROR_ARGUMENT);
    CU_ASSERT_PTR_NOT_NULL(strstr(error, "to test with alone"));
    data_folder_remove();
}

static void test_folders(void) {
    char spec[128];
    data_folder_make();
    data_put_png("val/b/1.png", 2, 3, 5);
    data_put_png("val/a/1.png", 2, 3, 1);
    data_put_png("val/a/2.png", 2, 3, 2);
    for (int whole = 0; whole < 2; whole++) { /* the folder of classes itself, or what holds it */
        snprintf(spec, sizeof spec, "folder:%s%s", data_folder, whole ? "" : "/val");
        rn_data *d = opened(spec);
        const rn_data_info *info = rn_data_about(d);
        CU_ASSERT(info->count[RN_TEST] == 3 && info->classes == 2 && info->sorted && rn_data_label(d, RN_TEST, 2) == 1);
        CU_ASSERT_STRING_EQUAL(info->class_names[1], "b");
        rn_data_close(d);
    }
    data_put_png("train/0/1.png", 2, 3, 5); /* classes are those of training, where it is there */
    data_put_png("train/a/1.png", 2, 3, 5);
    data_put_png("train/b/1.png", 2, 3, 5);
    rn_data *d = opened(spec);
    CU_ASSERT(rn_data_about(d)->classes == 3 && rn_data_label(d, RN_TEST, 0) == 1);
    rn_data_close(d);
    data_folder_remove();

    data_folder_make(); /* nothing to train with */
    data_put_idx(4, 3, 2, 2, 3, ".gz");
    data_delete("train-images-idx3-ubyte.gz");
    data_delete("train-labels-idx1-ubyte.gz");
    d = opened(data_spec("idx"));
    CU_ASSERT(rn_data_about(d)->count[RN_TEST] == 3 && rn_data_about(d)->classes == 2 && !rn_data_about(d)->sorted);
    rn_data_close(d);
    data_folder_remove();
}

void suite_evaluation(void) {
    CU_pSuite suite = CU_add_suite("unit/evaluation", NULL, NULL);
    CU_add_test(suite, "filters", test_filters);
    CU_add_test(suite, "rounded", test_rounded);
    CU_add_test(suite, "cubic_stays_in_range", test_cubic_stays_in_range);
    CU_add_test(suite, "scores", test_scores);
    CU_add_test(suite, "intervals", test_intervals);
    CU_add_test(suite, "tally", test_tally);
    CU_add_test(suite, "lists", test_lists);
    CU_add_test(suite, "folders", test_folders);
}
