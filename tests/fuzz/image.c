/* Pictures, PNG and JPEG: decoded whole, or refused with a text; JPEGs also smaller than they are. */
#include "fuzz.h"

#include "runtime/image/image.h"
#include "runtime/data/jpeg_reduced.h"

static void check_image(const rn_image *image, rn_status status, const char *error) {
    CHECK(status ? *error && !image->rgb : image->rgb && image->width > 0 && image->height > 0);
    unsigned sum = 0;
    for (size_t i = 0; !status && i < (size_t)image->width * (size_t)image->height * 3; i++) sum += image->rgb[i];
    CHECK(sum <= ~0u);
}

static int choose(void *user, int height, int width) {
    CHECK(height > 0 && width > 0);
    return *(int *)user;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    rn_image image = {0};
    char error[RN_ERROR_SIZE] = "";
    rn_status status = rn_image_parse(&image, bytes, size, "fuzz", error, sizeof error);
    check_image(&image, status, error);
    rn_image_free(&image);
    if (size < 3 || memcmp(bytes, "\xff\xd8\xff", 3)) return 0;

    int times = 2 << size % 3;
    rn_jpeg_reduction reduction = {choose, &times, 0};
    *error = 0;
    status = rn_jpeg_reduced(&image, bytes, size, "fuzz", &reduction, error, sizeof error);
    CHECK(reduction.times == 1 || reduction.times == times);
    if (status) rn_image_free(&image);
    check_image(&image, status, error);
    rn_image_free(&image);
    return 0;
}
