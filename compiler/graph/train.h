/* How the network is to be trained: the source's train section, checked (docs/language.md). Made by language/train.c;
 * passes, plan and emission read it.
 */
#ifndef RNC_TRAIN_H
#define RNC_TRAIN_H

#include "base/diag.h"

#include <stdbool.h>
#include <stdint.h>

/* Numbers that were not written are 0 (or as said). */
typedef struct Train {
    enum { LOSS_CROSSENTROPY } loss;
    int batch;                  /* default 128 */
    double lr, momentum, decay; /* SGD; default 0.1, 0.9, 1e-4 */
    double divide_by;           /* lr is divided by this ... */
    int64_t divide_at[16];      /* ... at these steps, rising */
    int ndivide;
    bool divide_at_plateau; /* ... or where the validation error stops falling */
    int64_t stop;           /* steps; 0: not said */
    double warmup_lr;       /* 0: no warm-up */
    double warmup_error;    /* until the training error is below this fraction; 0: by steps */
    int64_t warmup_steps;
    enum { INIT_HE, INIT_XAVIER } init;
    int pad;                    /* zeros at each side before the crop */
    int crop_h, crop_w;         /* random crop; 0: none */
    int resize_min, resize_max; /* shorter side drawn from this range; 0: none */
    bool mirror, colour;
    enum { SUBTRACT_NONE, SUBTRACT_PIXEL_MEAN, SUBTRACT_CHANNEL_MEAN } subtract;
    Place place;
} Train;

#endif
