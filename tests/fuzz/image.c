/* Pictures, PNG and JPEG: decoded whole, or refused with a text. */
#include "fuzz.h"

#include "runtime/image/image.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    rn_image image = {0};
    char error[RN_ERROR_SIZE] = "";
    rn_status status = rn_image_parse(&image, bytes, size, "fuzz", error, sizeof error);
    CHECK(status ? *error && !image.rgb : image.rgb && image.width > 0 && image.height > 0);
    unsigned sum = 0;
    for (size_t i = 0; !status && i < (size_t)image.width * (size_t)image.height * 3; i++) sum += image.rgb[i];
    CHECK(sum <= ~0u);
    rn_image_free(&image);
    return 0;
}
