/* Augmentation: what is drawn, against the same draws computed with NumPy and Python; the picture that is seen, against
 * the preprocessing of deployed networks and by value. */
#include <CUnit/CUnit.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data_files.h"
#include "runtime/rn_emitted.h"
#include "runtime/train/augment.h"

static rn_picture_recipe plain(int c, int h, int w) {
    return (rn_picture_recipe){
        .input = {c, h, w},
        .preprocess = {.order = c == 1 ? RN_ORDER_GRAY : RN_ORDER_RGB, .range = 1, .std = {1, 1, 1, 1}}};
}

/* ---- what is drawn ---- */

static void test_crop_and_mirror(void) {
    static const int expected[6][3] = {{-1, 2, 0}, {-1, 2, 1}, {1, -2, 1}, {-1, 2, 1}, {2, 2, 0}, {2, -2, 1}};
    rn_picture_recipe r = plain(1, 4, 5);
    rn_augment a = {.pad = 2, .crop = 1, .mirror = 1};
    for (uint32_t i = 0; i < 6; i++) {
        rn_view v;
        rn_view_draw(&v, &r, &a, (rn_shape){1, 4, 5}, 11, 6, i);
        CU_ASSERT(v.y == expected[i][0] && v.x == expected[i][1] && v.mirror == expected[i][2]);
        CU_ASSERT(v.height == 4 && v.width == 5 && v.resized_h == 4 && v.resized_w == 5 && !v.black);
    }
    a = (rn_augment){.pad = 2}; /* without crop: the middle */
    rn_view v;
    rn_view_draw(&v, &r, &a, (rn_shape){1, 4, 5}, 11, 6, 0);
    CU_ASSERT(v.y == 0 && v.x == 0 && v.mirror == 0);
}

static void test_scale(void) {
    static const int expected[4][4] = {{15, 30, 9, 1}, {11, 22, 1, 1}, {8, 16, 1, 7}, {9, 18, 1, 5}};
    rn_picture_recipe r = plain(3, 6, 6);
    const rn_augment a = {.scale_min = 8, .scale_max = 16, .crop = 1};
    for (uint32_t i = 0; i < 4; i++) {
        rn_view v;
        rn_view_draw(&v, &r, &a, (rn_shape){3, 10, 20}, 5, 2, i);
        CU_ASSERT(v.resized_h == expected[i][0] && v.resized_w == expected[i][1]);
        CU_ASSERT(v.y == expected[i][2] && v.x == expected[i][3]);
    }
}

static void test_area(void) {
    static const int expected[4][4] = {{6, 63, 64, 63}, {6, 102, 46, 35}, {11, 89, 62, 51}, {17, 1, 73, 94}};
    rn_picture_recipe r = plain(3, 32, 32);
    rn_augment a = {.area_min = 0.08, .area_max = 1};
    rn_view v;
    for (uint32_t i = 0; i < 4; i++) {
        rn_view_draw(&v, &r, &a, (rn_shape){3, 100, 140}, 9, 1, i);
        CU_ASSERT(v.top == expected[i][0] && v.left == expected[i][1]);
        CU_ASSERT(v.height == expected[i][2] && v.width == expected[i][3]);
        CU_ASSERT(v.resized_h == 32 && v.resized_w == 32 && v.y == 0 && v.x == 0);
    }
    a.area_min = 0.99; /* no such part fits into so wide a picture: its middle, 4/3 as wide as high */
    rn_view_draw(&v, &r, &a, (rn_shape){3, 10, 90}, 9, 1, 0);
    CU_ASSERT(v.top == 0 && v.left == 38 && v.height == 10 && v.width == 13);
}

static void test_colour_draws(void) {
    static const double expected[3] = {-0.0003187771294700289, 0.0007696814544380615, 0.0011794686936193687};
    rn_picture_recipe r = plain(3, 4, 4);
    const rn_augment a = {.colour = 1};
    rn_view v;
    rn_view_draw(&v, &r, &a, (rn_shape){3, 4, 4}, 21, 4, 5);
    for (int c = 0; c < 3; c++) CU_ASSERT_DOUBLE_EQUAL(v.noise[c], expected[c], 1e-9);
}

static void test_mixup_shares(void) {
    CU_ASSERT_DOUBLE_EQUAL(rn_mixup_share(0.2, 13, 0, 0), 0.7732712294743354, 1e-6);
    CU_ASSERT_DOUBLE_EQUAL(rn_mixup_share(0.2, 13, 0, 1), 0.9914836820041262, 1e-6);
    CU_ASSERT_DOUBLE_EQUAL(rn_mixup_share(0.2, 13, 7, 3), 0.6599026102848801, 1e-6);
    CU_ASSERT_DOUBLE_EQUAL(rn_mixup_share(2, 13, 5, 0), 0.7081252085562378, 1e-6);
    CU_ASSERT(isfinite(rn_mixup_share(1e-9, 1, 0, 0)) && isfinite(rn_mixup_share(1e9, 1, 0, 0)));
    double sum = 0;
    for (uint32_t i = 0; i < 20000; i++) sum += rn_mixup_share(0.4, 1, 0, i);
    CU_ASSERT_DOUBLE_EQUAL(sum / 20000, 0.839757, 0.004); /* by quadrature; four deviations */
}

static void test_test_views(void) {
    static const int place[5][2] = {{2, 3}, {0, 0}, {0, 6}, {5, 0}, {5, 6}}; /* of 4 x 6 in 9 x 12 */
    rn_picture_recipe r = plain(3, 4, 6);
    for (int crop = 0; crop < 10; crop++) {
        rn_view v;
        rn_view_test(&v, &r, (rn_shape){3, 18, 24}, crop, 9);
        CU_ASSERT(v.resized_h == 9 && v.resized_w == 12 && v.black && v.mirror == (crop >= 5) && v.noise[0] == 0);
        CU_ASSERT(v.y == place[crop % 5][0] && v.x == place[crop % 5][1]);
        rn_view_test(&v, &r, (rn_shape){3, 18, 24}, crop, 3); /* smaller than the input: always the middle */
        CU_ASSERT(v.resized_h == 3 && v.resized_w == 4 && v.y == 0 && v.x == -1);
    }
}

/* A picture is decoded so small that its part is not enlarged where it would not have been. */
static void test_reduction(void) {
    rn_view v = {.height = 480, .width = 641, .resized_h = 60, .resized_w = 80};
    CU_ASSERT_EQUAL(rn_view_reduction(&v), 8);
    v.resized_w = 81;
    CU_ASSERT_EQUAL(rn_view_reduction(&v), 4);
    rn_view_reduce(&v, 4, (rn_shape){3, 120, 161});
    CU_ASSERT(v.top == 0 && v.left == 0 && v.height == 120 && v.width == 161 && v.resized_w == 81);
    v = (rn_view){.top = 31, .left = 200, .height = 101, .width = 441, .resized_h = 50, .resized_w = 50};
    CU_ASSERT_EQUAL(rn_view_reduction(&v), 2);
    rn_view_reduce(&v, 2, (rn_shape){3, 240, 321});
    CU_ASSERT(v.top == 15 && v.left == 100 && v.height == 51 && v.width == 221);
    v.resized_h = 52;
    CU_ASSERT_EQUAL(rn_view_reduction(&v), 1);
}

/* ---- what is seen ---- */

/* A picture of bytes, element (c, y, x) = first + 50 c + 10 y + x, planar or R G B side by side */
static rn_picture made(uint8_t *bytes, int c, int h, int w, int interleaved) {
    rn_picture p = {.shape = {c, h, w}, .bytes = bytes};
    p.pixel = interleaved ? (size_t)c : 1;
    p.row = p.pixel * (size_t)w;
    p.channel = interleaved ? 1 : (size_t)h * (size_t)w;
    for (int i = 0; i < c * h * w; i++) {
        const int k = i / (h * w), y = i / w % h, x = i % w;
        bytes[(size_t)k * p.channel + (size_t)y * p.row + (size_t)x * p.pixel] = (uint8_t)(50 * k + 10 * y + x);
    }
    return p;
}

/* Padding is 0 after the mean's subtraction; the mean moves with the picture; the mirror turns both. */
static void test_pad_crop_mirror_mean(void) {
    uint8_t bytes[12];
    float mean[12], input[12];
    const rn_picture p = made(bytes, 1, 3, 4, 0);
    for (int i = 0; i < 12; i++) mean[i] = (float)i / 16;
    rn_picture_recipe r = plain(1, 3, 4);
    r.subtract = RN_TRAIN_SUBTRACT_PIXEL_MEAN;
    r.subtracted = mean;
    r.preprocess.range = 255;
    r.preprocess.mean[0] = 2;
    r.preprocess.std[0] = 4;
    rn_scratch scratch = {0};
    for (int y0 = -3; y0 <= 3; y0++)
        for (int x0 = -4; x0 <= 4; x0++)
            for (int mirror = 0; mirror < 2; mirror++) {
                const rn_view v = {
                    .height = 3, .width = 4, .resized_h = 3, .resized_w = 4, .y = y0, .x = x0, .mirror = mirror};
                CU_ASSERT_EQUAL_FATAL(rn_view_apply(&v, &r, &p, &scratch, input), RN_OK);
                for (int i = 0; i < 12; i++) {
                    const int y = y0 + i / 4, x = x0 + (mirror ? 3 - i % 4 : i % 4);
                    const int inside = y >= 0 && y < 3 && x >= 0 && x < 4;
                    const double value = inside ? (10 * y + x - (4 * y + x) / 16.0 - 2) / 4 : 0;
                    CU_ASSERT_DOUBLE_EQUAL(input[i], value, 1e-5);
                }
            }
    rn_scratch_free(&scratch);
}

/* A network's test pictures are what its deployed preprocessing makes of them: to the bit where they need not be
 * resized, else up to rounding. */
static void test_as_deployed(void) {
    static const struct {
        int h, w, input_h, input_w, resize, channels;
        rn_order order;
    } cases[] = {
        {7, 9, 7, 9, 0, 3, RN_ORDER_RGB},      {7, 9, 5, 4, 0, 3, RN_ORDER_BGR},
        {40, 31, 16, 16, 20, 3, RN_ORDER_RGB}, {40, 31, 16, 12, 20, 1, RN_ORDER_GRAY},
        {5, 8, 14, 14, 17, 3, RN_ORDER_GRAY},  {9, 7, 12, 12, 8, 3, RN_ORDER_RGB},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        enum { MOST = 3 * 40 * 31 };
        uint8_t bytes[MOST];
        float input[3 * 16 * 16], expected[3 * 16 * 16];
        const int c = cases[i].channels, h = cases[i].input_h, w = cases[i].input_w;
        rn_picture p = made(bytes, 3, cases[i].h, cases[i].w, 1);
        for (int k = 0; k < 3 * cases[i].h * cases[i].w; k++) bytes[k] = (uint8_t)(bytes[k] * 37 + k * k);
        rn_picture_recipe r = plain(c, h, w);
        r.preprocess = (rn_preprocess){.order = cases[i].order,
                                       .range = 255,
                                       .mean = {120, 110, 100},
                                       .std = {60, 50, 40},
                                       .resize = cases[i].resize};
        float image[3 * 16 * 16]; /* the mean of pixels or, every other time, of channels */
        for (int k = 0; k < 3 * 16 * 16; k++) image[k] = (float)(k % 101);
        r.subtract = i % 2 ? RN_TRAIN_SUBTRACT_CHANNEL_MEAN : RN_TRAIN_SUBTRACT_PIXEL_MEAN;
        r.subtracted = image;
        const rn_model model = {.input = r.input, .preprocess = r.preprocess};
        CU_ASSERT_EQUAL_FATAL(
            rn_preprocess_rgb_less(&model, image, i % 2 ? 1 : h * w, bytes, cases[i].h, cases[i].w, expected), RN_OK);
        rn_scratch scratch = {0};
        rn_view v;
        rn_view_test(&v, &r, p.shape, 0, 0);
        CU_ASSERT_EQUAL_FATAL(rn_view_apply(&v, &r, &p, &scratch, input), RN_OK);
        const int resized = h != cases[i].h || w != cases[i].w;
        for (int k = 0; k < c * h * w; k++) CU_ASSERT_DOUBLE_EQUAL(input[k], expected[k], resized ? 2e-5 : 0);
        rn_scratch_free(&scratch);
    }
}

/* A part enlarged: pixels beside it are not seen. Half of a step of 8 each, as the centres have it. */
static void test_part_resized(void) {
    static const float expected[4] = {0, 2, 6, 8};
    uint8_t bytes[6] = {99, 0, 8, 99, 99, 99};
    const rn_picture p = {.shape = {1, 1, 4}, .bytes = bytes, .channel = 4, .row = 4, .pixel = 1};
    const rn_view v = {.left = 1, .height = 1, .width = 2, .resized_h = 1, .resized_w = 4};
    rn_picture_recipe r = plain(1, 1, 4);
    r.preprocess.range = 255;
    float input[4];
    rn_scratch scratch = {0};
    CU_ASSERT_EQUAL_FATAL(rn_view_apply(&v, &r, &p, &scratch, input), RN_OK);
    for (int i = 0; i < 4; i++) CU_ASSERT_DOUBLE_EQUAL(input[i], expected[i], 1e-5);
    rn_scratch_free(&scratch);
}

static void test_channels_floats_noise(void) {
    uint8_t bytes[12];
    float input[12], floats[4] = {0, 0.25f, 0.5f, 2};
    const rn_picture colours = made(bytes, 3, 2, 2, 0);
    const rn_picture numbers = {.shape = {1, 2, 2}, .floats = floats, .channel = 4, .row = 2, .pixel = 1};
    rn_view v = {.height = 2, .width = 2, .resized_h = 2, .resized_w = 2, .noise = {0.1f, 0.2f, 0.3f}};
    rn_scratch scratch = {0};
    rn_picture_recipe r = plain(3, 2, 2);
    r.preprocess.order = RN_ORDER_BGR;
    CU_ASSERT_EQUAL_FATAL(rn_view_apply(&v, &r, &colours, &scratch, input), RN_OK);
    CU_ASSERT_DOUBLE_EQUAL(input[0], 100 / 255.0 + 0.3, 1e-6); /* blue first, with blue's noise */
    CU_ASSERT_DOUBLE_EQUAL(input[11], 11 / 255.0 + 0.1, 1e-6);
    memset(v.noise, 0, sizeof v.noise);
    r = plain(3, 2, 2); /* a gray picture in three channels; floats are 0..1 already */
    CU_ASSERT_EQUAL_FATAL(rn_view_apply(&v, &r, &numbers, &scratch, input), RN_OK);
    for (int i = 0; i < 12; i++) CU_ASSERT_EQUAL(input[i], floats[i % 4]);
    r = plain(1, 2, 2); /* three channels as gray */
    CU_ASSERT_EQUAL_FATAL(rn_view_apply(&v, &r, &colours, &scratch, input), RN_OK);
    CU_ASSERT_DOUBLE_EQUAL(input[3], (0.299 * 11 + 0.587 * 61 + 0.114 * 111) / 255, 1e-6);
    rn_scratch_free(&scratch);
}

/* ---- the mean ---- */

static void test_mean(void) {
    enum { COUNT = 200 }; /* more than one block of pictures */
    float mean[12], alone[12];
    rn_data *data;
    data_folder_make();
    data_put_idx(COUNT, 2, 3, 4, 3, "");
    CU_ASSERT_EQUAL_FATAL(rn_data_open(&data, data_spec("idx"), NULL, 0), RN_OK);
    rn_picture_recipe r = plain(1, 3, 4);
    r.preprocess.mean[0] = 0.5f;
    r.preprocess.range = 3;
    r.subtract = RN_TRAIN_SUBTRACT_PIXEL_MEAN;
    for (int threads = 1; threads <= 5; threads++) {
        CU_ASSERT_EQUAL(rn_data_mean(data, &r, threads, mean, NULL, 0), RN_OK);
        for (int k = 0; k < 12; k++) {
            double sum = 0;
            for (int i = 0; i < COUNT; i++) sum += (10 * i + k) % 256;
            CU_ASSERT_DOUBLE_EQUAL(mean[k], 3 * sum / 255 / COUNT, 3e-7);
        }
        if (threads == 1) memcpy(alone, mean, sizeof mean);
        CU_ASSERT(memcmp(alone, mean, sizeof mean) == 0);
    }
    double all = 0;
    for (int k = 0; k < 12; k++) all += alone[k] / 12;
    r.subtract = RN_TRAIN_SUBTRACT_CHANNEL_MEAN;
    CU_ASSERT_EQUAL(rn_data_mean(data, &r, 2, mean, NULL, 0), RN_OK);
    CU_ASSERT_DOUBLE_EQUAL(mean[0], all, 1e-6);
    rn_data_close(data);
    data_folder_remove();

    data_folder_make(); /* pictures of any size, one of them broken */
    data_put_png("train/a/1.png", 2, 4, 0);
    data_put_png("train/b/1.png", 4, 2, 10);
    data_put("train/b/2.png", "x", 1);
    data_put_png("test/b/1.png", 2, 2, 0);
    CU_ASSERT_EQUAL_FATAL(rn_data_open(&data, data_spec("folder"), NULL, 0), RN_OK);
    r = plain(3, 2, 2);
    r.subtract = RN_TRAIN_SUBTRACT_CHANNEL_MEAN;
    char error[RN_ERROR_SIZE];
    CU_ASSERT_EQUAL(rn_data_mean(data, &r, 2, mean, error, sizeof error), RN_ERROR_FORMAT);
    CU_ASSERT_PTR_NOT_NULL(strstr(error, "/train/b/2.png"));
    r.skip_broken = 1;
    CU_ASSERT_EQUAL(rn_data_mean(data, &r, 2, mean, error, sizeof error), RN_OK);
    /* of 2 x 4: the mean of its columns and rows is 6.5, of 4 x 2: 25.5 */
    for (int c = 0; c < 3; c++) CU_ASSERT_DOUBLE_EQUAL(mean[c], (16 + 50 * c) / 255.0, 1e-6);
    rn_data_close(data);
    data_folder_remove();
}

static void test_recipes_refused(void) {
    rn_data *data;
    char error[RN_ERROR_SIZE];
    data_folder_make();
    data_put_idx(4, 2, 3, 4, 3, "");
    CU_ASSERT_EQUAL_FATAL(rn_data_open(&data, data_spec("idx"), NULL, 0), RN_OK);
    const rn_picture_recipe right = plain(1, 3, 4);
    rn_picture_recipe r[8];
    rn_augment a[8] = {[3] = {.scale_min = 9, .scale_max = 8},
                       [4] = {.area_min = 0.5, .area_max = 1.5},
                       [5] = {.colour = 1},
                       [6] = {.mixup = NAN},
                       [7] = {.pad = -1}};
    for (int i = 0; i < 8; i++) r[i] = right;
    r[1].input.c = 4;
    r[2].preprocess.std[0] = 0;
    static const char *const words[8] = {"",           "pictures of 1 channels; the network's input has 4",
                                         "std",        "9 to 8",
                                         "0.5 to 1.5", "three channels",
                                         "mixup",      "pad"};
    for (int i = 0; i < 8; i++) {
        rn_status status = rn_picture_recipe_check(&r[i], data, error, sizeof error);
        if (!status) status = rn_augment_check(&a[i], &r[i], data, error, sizeof error);
        CU_ASSERT_EQUAL(status, i ? RN_ERROR_ARGUMENT : RN_OK);
        if (i) CU_ASSERT_PTR_NOT_NULL(strstr(error, words[i]));
    }
    rn_data_close(data);
    data_folder_remove();
}

void suite_augment(void) {
    CU_pSuite suite = CU_add_suite("unit/augment", NULL, NULL);
    CU_add_test(suite, "crop_and_mirror", test_crop_and_mirror);
    CU_add_test(suite, "scale", test_scale);
    CU_add_test(suite, "area", test_area);
    CU_add_test(suite, "colour_draws", test_colour_draws);
    CU_add_test(suite, "mixup_shares", test_mixup_shares);
    CU_add_test(suite, "test_views", test_test_views);
    CU_add_test(suite, "reduction", test_reduction);
    CU_add_test(suite, "pad_crop_mirror_mean", test_pad_crop_mirror_mean);
    CU_add_test(suite, "as_deployed", test_as_deployed);
    CU_add_test(suite, "part_resized", test_part_resized);
    CU_add_test(suite, "channels_floats_noise", test_channels_floats_noise);
    CU_add_test(suite, "mean", test_mean);
    CU_add_test(suite, "recipes_refused", test_recipes_refused);
}
