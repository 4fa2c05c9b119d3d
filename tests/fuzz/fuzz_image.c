/* Any bytes as a picture: refused with a text, or decoded and preprocessed. */
#include <stdlib.h>
#include <string.h>

#include "runtime/image.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    static const rn_model model = {.input = {3, 8, 8}, .preprocess = {0, 1, {0}, {1, 1, 1, 1}, 9}};
    rn_image image;
    char error[RN_ERROR_SIZE] = "";
    float planar[3 * 8 * 8];
    const rn_status status = rn_image_parse(&image, bytes, size, "fuzz", error, sizeof error);
    if (status ? image.rgb || !*error : !image.rgb) abort();
    if (!status && rn_preprocess_rgb(&model, image.rgb, image.height, image.width, planar)) abort();
    rn_image_free(&image);
    return 0;
}
