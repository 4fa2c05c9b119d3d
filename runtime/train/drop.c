/* Dropout of an emitted trainer's values (drop.h). */
#include "train/drop.h"
#include "rn_train_emitted.h"

uint32_t rn_train_drawn(const rn_train_context *context, int n) {
    const uint32_t counter[4] = {0, (uint32_t)(context->first + n), (uint32_t)context->step, RN_DRAW_DROPOUT};
    uint32_t word[4];
    rn_philox(word, counter, context->seed);
    return word[0] & 0xffffff;
}

void rn_train_drop(const rn_train_context *context, int n, int number, double rate, int channels, int pixels, int pixel,
                   const float *x, float *y) {
    const uint32_t drawn = rn_train_drawn(context, n), limit = rn_drop_limit(rate);
    const float scale = (float)(1 / (1 - rate));
    const int64_t size = (int64_t)channels * pixels;
    for (int64_t i = 0; i < size; i += 4) {
        uint32_t word[4];
        rn_drop_words(word, drawn, (uint32_t)number, (uint32_t)(i / 4));
        for (int64_t k = i; k < i + 4 && k < size; k++) {
            const int64_t at = k % pixels * pixel + k / pixels;
            y[at] = word[k - i] >= limit ? x[at] * scale : 0;
        }
    }
}
