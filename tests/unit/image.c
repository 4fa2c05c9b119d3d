/* Pictures: PNG and JPEG made here decode to what was written, damage is refused, and the resampling agrees with the
 * definition: the full two-dimensional filter in double precision over a whole resized image. */
#include <CUnit/CUnit.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>
#include <png.h>

#include "runtime/image/image.h"
#include "rn_emitted.h"

/* ---- pictures made here ---- */
typedef struct Bytes {
    uint8_t *data;
    size_t size;
} Bytes;

static uint32_t noise_state = 7;
static uint8_t noise(void) {
    noise_state = noise_state * 1664525u + 1013904223u;
    return (uint8_t)(noise_state >> 24);
}

static void png_put(png_structp png, png_bytep data, size_t size) {
    Bytes *b = png_get_io_ptr(png);
    b->data = realloc(b->data, b->size + size);
    if (!b->data) abort();
    memcpy(b->data + b->size, data, size);
    b->size += size;
}

static void png_no_flush(png_structp png) {
    (void)png;
}

/* Packed rows of the given colour type and depth */
static Bytes make_png(int width, int height, int colour, int depth, const uint8_t *rows, size_t row_size,
                      int interlace) {
    Bytes b = {0};
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png ? png_create_info_struct(png) : NULL;
    if (!info || setjmp(png_jmpbuf(png))) abort();
    png_set_write_fn(png, &b, png_put, png_no_flush);
    png_set_IHDR(png, info, (png_uint_32)width, (png_uint_32)height, depth, colour, interlace, 0, 0);
    if (colour == PNG_COLOR_TYPE_PALETTE) {
        static const png_color palette[4] = {{0, 0, 0}, {255, 0, 0}, {0, 200, 0}, {1, 2, 3}};
        png_set_PLTE(png, info, palette, 4);
    }
    png_write_info(png, info);
    png_bytep *pointers = malloc((size_t)height * sizeof *pointers);
    if (!pointers) abort();
    for (int y = 0; y < height; y++) pointers[y] = (png_bytep)(uintptr_t)(rows + (size_t)y * row_size);
    png_write_image(png, pointers);
    png_write_end(png, info);
    png_destroy_write_struct(&png, &info);
    free(pointers);
    return b;
}

static Bytes make_jpeg(int width, int height, int components, J_COLOR_SPACE space, const uint8_t *rows) {
    struct jpeg_compress_struct c;
    struct jpeg_error_mgr errors;
    unsigned char *data = NULL;
    unsigned long size = 0;
    c.err = jpeg_std_error(&errors);
    jpeg_create_compress(&c);
    jpeg_mem_dest(&c, &data, &size);
    c.image_width = (JDIMENSION)width;
    c.image_height = (JDIMENSION)height;
    c.input_components = components;
    c.in_color_space = space;
    jpeg_set_defaults(&c);
    jpeg_set_quality(&c, 100, TRUE);
    c.comp_info[0].h_samp_factor = c.comp_info[0].v_samp_factor = 1; /* no chroma subsampling */
    jpeg_start_compress(&c, TRUE);
    while (c.next_scanline < c.image_height) {
        JSAMPROW row = (JSAMPROW)(uintptr_t)(rows + (size_t)c.next_scanline * (size_t)width * (size_t)components);
        jpeg_write_scanlines(&c, &row, 1);
    }
    jpeg_finish_compress(&c);
    jpeg_destroy_compress(&c);
    return (Bytes){data, size};
}

/* Decodes and frees the file; expects the size */
static rn_image decode(Bytes b, int width, int height) {
    rn_image image;
    char error[RN_ERROR_SIZE] = "";
    if (rn_image_parse(&image, b.data, b.size, "picture", error, sizeof error)) {
        fprintf(stderr, "%s\n", error);
        CU_FAIL_FATAL("not decoded");
    }
    CU_ASSERT_EQUAL_FATAL(image.width, width);
    CU_ASSERT_EQUAL_FATAL(image.height, height);
    free(b.data);
    return image;
}

/* ---- decoding ---- */
enum { W = 13, H = 9 };

static void test_png_rgb(void) {
    uint8_t rgb[H][W][3];
    for (size_t i = 0; i < sizeof rgb; i++) ((uint8_t *)rgb)[i] = noise();
    for (int interlace = 0; interlace < 2; interlace++) {
        rn_image image = decode(make_png(W, H, PNG_COLOR_TYPE_RGB, 8, (uint8_t *)rgb, 3 * W, interlace), W, H);
        CU_ASSERT(memcmp(image.rgb, rgb, sizeof rgb) == 0);
        rn_image_free(&image);
    }
}

static void test_png_kinds(void) {
    uint8_t gray[H][W], alpha[H][W][4], palette[H][W], deep[H][W][6], bits[H][2];
    for (int y = 0; y < H; y++)
        for (int x = 0; x < W; x++) {
            gray[y][x] = noise();
            palette[y][x] = noise() & 3;
            for (int c = 0; c < 4; c++) alpha[y][x][c] = noise();
            for (int c = 0; c < 6; c++) deep[y][x][c] = noise();
            bits[y][x / 8] = noise();
        }
    static const uint8_t colours[4][3] = {{0, 0, 0}, {255, 0, 0}, {0, 200, 0}, {1, 2, 3}};
    rn_image g = decode(make_png(W, H, PNG_COLOR_TYPE_GRAY, 8, (uint8_t *)gray, W, 0), W, H);
    rn_image a = decode(make_png(W, H, PNG_COLOR_TYPE_RGB_ALPHA, 8, (uint8_t *)alpha, 4 * W, 0), W, H);
    rn_image p = decode(make_png(W, H, PNG_COLOR_TYPE_PALETTE, 8, (uint8_t *)palette, W, 0), W, H);
    rn_image d = decode(make_png(W, H, PNG_COLOR_TYPE_RGB, 16, (uint8_t *)deep, 6 * W, 0), W, H);
    rn_image b = decode(make_png(W, H, PNG_COLOR_TYPE_GRAY, 1, (uint8_t *)bits, 2, 0), W, H);
    for (int y = 0; y < H; y++)
        for (int x = 0; x < W; x++)
            for (int c = 0; c < 3; c++) {
                const size_t at = 3 * ((size_t)y * W + (size_t)x) + (size_t)c;
                CU_ASSERT_EQUAL(g.rgb[at], gray[y][x]);
                CU_ASSERT_EQUAL(a.rgb[at], alpha[y][x][c]);
                CU_ASSERT_EQUAL(p.rgb[at], colours[palette[y][x]][c]);
                CU_ASSERT_EQUAL(d.rgb[at], deep[y][x][2 * c]);
                CU_ASSERT_EQUAL(b.rgb[at], bits[y][x / 8] >> (7 - x % 8) & 1 ? 255 : 0);
            }
    rn_image_free(&g);
    rn_image_free(&a);
    rn_image_free(&p);
    rn_image_free(&d);
    rn_image_free(&b);
}

static void test_jpeg(void) {
    uint8_t rgb[H][W][3], gray[H][W], inks[H][W][4];
    for (int y = 0; y < H; y++)
        for (int x = 0; x < W; x++) { /* smooth: JPEG keeps it within a few levels */
            rgb[y][x][0] = (uint8_t)(10 * x + 50);
            rgb[y][x][1] = (uint8_t)(200 - 9 * y);
            rgb[y][x][2] = (uint8_t)(90 + 5 * (x + y));
            gray[y][x] = (uint8_t)(100 + 7 * x);
            for (int c = 0; c < 3; c++) inks[y][x][c] = rgb[y][x][c];
            inks[y][x][3] = 128;
        }
    rn_image a = decode(make_jpeg(W, H, 3, JCS_RGB, (uint8_t *)rgb), W, H);
    rn_image g = decode(make_jpeg(W, H, 1, JCS_GRAYSCALE, (uint8_t *)gray), W, H);
    rn_image k = decode(make_jpeg(W, H, 4, JCS_CMYK, (uint8_t *)inks), W, H);
    for (int y = 0; y < H; y++)
        for (int x = 0; x < W; x++)
            for (int c = 0; c < 3; c++) {
                const size_t at = 3 * ((size_t)y * W + (size_t)x) + (size_t)c;
                CU_ASSERT(abs(a.rgb[at] - rgb[y][x][c]) <= 4);
                CU_ASSERT(abs(g.rgb[at] - gray[y][x]) <= 3);
                /* libjpeg marks CMYK as Adobe's, whose inks are inverted */
                CU_ASSERT(abs(k.rgb[at] - rgb[y][x][c] * 128 / 255) <= 4);
            }
    rn_image_free(&a);
    rn_image_free(&g);
    rn_image_free(&k);
}

/* Every truncation is refused; a changed byte never crashes, and a PNG's checksums find it (but in trailing chunks) */
static void damage(Bytes b, size_t end) {
    for (size_t n = 0; n < end; n++) {
        uint8_t *part = malloc(n ? n : 1);
        if (!part) abort();
        memcpy(part, b.data, n);
        rn_image image;
        char error[RN_ERROR_SIZE] = "";
        CU_ASSERT_EQUAL(rn_image_parse(&image, part, n, "cut", error, sizeof error), RN_ERROR_FORMAT);
        CU_ASSERT(!image.rgb && strncmp(error, "cut: ", 5) == 0);
        free(part);
    }
    for (size_t i = 0; i < b.size; i++) {
        rn_image image;
        b.data[i] ^= 0x41;
        rn_image_parse(&image, b.data, b.size, "bent", NULL, 0);
        rn_image_free(&image);
        b.data[i] ^= 0x41;
    }
    free(b.data);
}

static void test_damage(void) {
    uint8_t rgb[H][W][3];
    for (size_t i = 0; i < sizeof rgb; i++) ((uint8_t *)rgb)[i] = noise();
    Bytes png = make_png(W, H, PNG_COLOR_TYPE_RGB, 8, (uint8_t *)rgb, 3 * W, 1);
    damage(png, png.size);
    Bytes jpeg = make_jpeg(W, H, 3, JCS_RGB, (uint8_t *)rgb);
    damage(jpeg, jpeg.size - 8); /* the entropy-coded end may still hold all pixels */

    rn_image image;
    char error[RN_ERROR_SIZE];
    CU_ASSERT_EQUAL(rn_image_parse(&image, (const uint8_t *)"GIF89a..........", 16, "x", error, sizeof error),
                    RN_ERROR_FORMAT);
    CU_ASSERT(strstr(error, "neither a PNG nor a JPEG") != NULL);
    CU_ASSERT_EQUAL(rn_image_read(&image, "/nonexistent/x.png", error, sizeof error), RN_ERROR_FILE);
}

static void test_size_limit(void) {
    rn_image image = {0};
    char error[RN_ERROR_SIZE];
    CU_ASSERT_EQUAL(rn_image_allocate(&image, 65535, 65535, "x", error, sizeof error), RN_ERROR_FORMAT);
    CU_ASSERT_EQUAL(rn_image_allocate(&image, 65536, 1, "x", error, sizeof error), RN_ERROR_FORMAT);
    CU_ASSERT_EQUAL(rn_image_allocate(&image, 0, 5, "x", error, sizeof error), RN_ERROR_FORMAT);
    CU_ASSERT_PTR_NULL(image.rgb);
}

/* ---- preprocessing ---- */
static double triangle(double x) {
    return fabs(x) < 1 ? 1 - fabs(x) : 0;
}

/* Weights of source pixels 0..n-1 in resized pixel i, as PIL defines them */
static void weights(double *w, int n, int resized, int i) {
    const double scale = (double)n / resized, radius = scale > 1 ? scale : 1, centre = (i + 0.5) * scale;
    double total = 0;
    for (int j = 0; j < n; j++) total += w[j] = triangle((j + 0.5 - centre) / radius);
    for (int j = 0; j < n; j++) w[j] /= total;
}

/* 0..255 of channel c at (y, x) of the whole image resized to rh x rw */
static double resized_pixel(const uint8_t *rgb, int h, int w, int rh, int rw, int y, int x, int c) {
    double wy[256], wx[2048], sum = 0;
    weights(wy, h, rh, y);
    weights(wx, w, rw, x);
    for (int j = 0; j < h; j++)
        for (int i = 0; i < w && wy[j] > 0; i++)
            sum += wy[j] * wx[i] * rgb[3 * ((size_t)j * (size_t)w + (size_t)i) + (size_t)c];
    return sum;
}

static double channel(const uint8_t *rgb, int h, int w, int rh, int rw, int y, int x, int c, int order) {
    if (order == 1) c = 2 - c;
    if (order < 2) return resized_pixel(rgb, h, w, rh, rw, y, x, c);
    return 0.299 * resized_pixel(rgb, h, w, rh, rw, y, x, 0) + 0.587 * resized_pixel(rgb, h, w, rh, rw, y, x, 1) +
           0.114 * resized_pixel(rgb, h, w, rh, rw, y, x, 2);
}

static void check_preprocess(rn_shape input, rn_preprocess p, int h, int w) {
    const rn_model model = {.input = input, .preprocess = p};
    uint8_t *rgb = malloc(3 * (size_t)h * (size_t)w);
    float *planar = malloc((size_t)input.c * (size_t)input.h * (size_t)input.w * sizeof *planar);
    if (!rgb || !planar) abort();
    for (int i = 0; i < 3 * h * w; i++) rgb[i] = noise();
    CU_ASSERT_EQUAL(rn_preprocess_rgb(&model, rgb, h, w, planar), RN_OK);
    const int shorter = h < w ? h : w;
    const int rh = p.resize ? (int)((int64_t)p.resize * h / shorter) : input.h;
    const int rw = p.resize ? (int)((int64_t)p.resize * w / shorter) : input.w;
    const int top = rh >= input.h ? (int)rint((rh - input.h) / 2.0) : -((input.h - rh) / 2);
    const int left = rw >= input.w ? (int)rint((rw - input.w) / 2.0) : -((input.w - rw) / 2);
    double largest = 0;
    for (int c = 0; c < input.c; c++)
        for (int y = 0; y < input.h; y++)
            for (int x = 0; x < input.w; x++) {
                const int ry = y + top, rx = x + left;
                double v = 0;
                if (ry >= 0 && ry < rh && rx >= 0 && rx < rw) v = channel(rgb, h, w, rh, rw, ry, rx, c, p.order);
                const double want = (v / 255 * p.range - p.mean[c]) / p.std[c];
                const double error = fabs(planar[(c * input.h + y) * input.w + x] - want) * p.std[c] / p.range;
                if (!(error <= largest)) largest = error;
            }
    CU_ASSERT(largest <= 2e-6);
    rn_model last = model;
    last.input_layout = RN_NHWC;
    const int pixels = input.h * input.w;
    float *image = malloc((size_t)input.c * (size_t)pixels * sizeof *image);
    if (!image) abort();
    CU_ASSERT_EQUAL(rn_preprocess_rgb(&last, rgb, h, w, image), RN_OK);
    int other = 0;
    for (int i = 0; i < input.c * pixels; i++) other += image[i % pixels * input.c + i / pixels] != planar[i];
    CU_ASSERT_EQUAL(other, 0);
    free(image);
    free(rgb);
    free(planar);
}

static void test_preprocess(void) {
    const rn_preprocess imagenet = {0, 1, {0.485f, 0.456f, 0.406f}, {0.229f, 0.224f, 0.225f}, 12};
    rn_preprocess p = imagenet;
    check_preprocess((rn_shape){3, 10, 10}, p, 37, 50);   /* shrinks */
    check_preprocess((rn_shape){3, 10, 10}, p, 5, 7);     /* grows */
    check_preprocess((rn_shape){3, 9, 11}, p, 12, 12);    /* as it is, odd margins */
    check_preprocess((rn_shape){3, 11, 8}, p, 60, 13);    /* tall */
    check_preprocess((rn_shape){3, 10, 10}, p, 20, 1500); /* wider than the strip */
    check_preprocess((rn_shape){3, 16, 20}, p, 33, 35);   /* smaller than the crop: black around */
    check_preprocess((rn_shape){3, 10, 10}, p, 1, 1);
    p.resize = 0;
    check_preprocess((rn_shape){3, 7, 19}, p, 23, 11); /* proportions given up */
    check_preprocess((rn_shape){3, 4, 2}, p, 6, 1900); /* one window wider than the strip */
    p.order = 1;
    check_preprocess((rn_shape){3, 6, 6}, p, 9, 8);
    p.order = 2;
    check_preprocess((rn_shape){3, 6, 6}, p, 9, 8);
    const rn_preprocess gray = {2, 255, {128}, {64}, 8};
    check_preprocess((rn_shape){1, 6, 6}, gray, 9, 8);
    const rn_preprocess face = {0, 255, {122.782f, 117.001f, 104.298f}, {256, 256, 256}, 0};
    check_preprocess((rn_shape){3, 15, 15}, face, 15, 15);
}

static void test_preprocess_refuses(void) {
    const rn_preprocess p = {0, 1, {0}, {1, 1, 1, 1}, 0};
    const rn_model model = {.input = {3, 2, 2}, .preprocess = p}, five = {.input = {5, 2, 2}, .preprocess = p};
    const rn_model mono = {.input = {1, 2, 2}, .preprocess = p}; /* one channel, but not gray */
    const uint8_t rgb[3] = {1, 2, 3};
    float planar[20];
    CU_ASSERT_EQUAL(rn_preprocess_rgb(&model, rgb, 0, 1, planar), RN_ERROR_ARGUMENT);
    CU_ASSERT_EQUAL(rn_preprocess_rgb(&model, rgb, 1, -1, planar), RN_ERROR_ARGUMENT);
    CU_ASSERT_EQUAL(rn_preprocess_rgb(&model, rgb, 1, RN_MAX_IMAGE_SIDE + 1, planar), RN_ERROR_ARGUMENT);
    CU_ASSERT_EQUAL(rn_preprocess_rgb(&model, NULL, 1, 1, planar), RN_ERROR_ARGUMENT);
    CU_ASSERT_EQUAL(rn_preprocess_rgb(&model, rgb, 1, 1, NULL), RN_ERROR_ARGUMENT);
    CU_ASSERT_EQUAL(rn_preprocess_rgb(&five, rgb, 1, 1, planar), RN_ERROR_ARGUMENT);
    CU_ASSERT_EQUAL(rn_preprocess_rgb(&mono, rgb, 1, 1, planar), RN_ERROR_ARGUMENT);
}

void suite_image(void) {
    CU_pSuite suite = CU_add_suite("image", NULL, NULL);
    CU_add_test(suite, "png rgb", test_png_rgb);
    CU_add_test(suite, "png kinds", test_png_kinds);
    CU_add_test(suite, "jpeg", test_jpeg);
    CU_add_test(suite, "damage", test_damage);
    CU_add_test(suite, "size limit", test_size_limit);
    CU_add_test(suite, "preprocessing", test_preprocess);
    CU_add_test(suite, "preprocessing refuses", test_preprocess_refuses);
}
