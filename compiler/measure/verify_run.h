/* --verify: the emitted code run and compared with the interpreter, layer by layer; a trainer's gradients likewise. */
#ifndef RNC_VERIFY_RUN_H
#define RNC_VERIFY_RUN_H

#include "compilation.h"

typedef struct VerifyDifference { /* where a layer is not as it should be */
    const char *layer, *what;
    Place place;
    double error, limit, got, expected;
    int channel, row, column, image; /* image: from 1, of --input's file or of the batch */
} VerifyDifference;

typedef struct VerifyResult {
    bool agrees;
    int compared, skipped, images;
    double output_limit;              /* the tolerance, or what was predicted where nothing keeps that */
    double output_error, layer_error; /* the largest, relative; that of any layer, which is called `layer` */
    const char *layer;
    bool rounded; /* weights to bf16 */
    double rounding;
    VerifyDifference difference; /* where it does not agree */
} VerifyResult;

/* False after a diagnostic; result->difference.layer is NULL where it could not be run. */
bool verify_run(Compilation *c, VerifyResult *result);
/* The largest relative error of a plan's outputs, on the first of the images that verify_run uses; not finite where an
 * output is not. False after a diagnostic. */
bool verify_outputs(Compilation *c, const Plan *plan, double *error);

/* ---- verify_train.c: --train --verify, the gradients of one step ---- */
typedef struct VerifyTraining {
    bool agrees;
    int images, compared;     /* gradients and statistics of batches that were compared, beside the loss */
    double loss_limit, limit; /* relative errors that are allowed: the tolerance; of gradients */
    double loss_error, error; /* the loss's; the largest of all others, which is called `worst` */
    const char *worst;
    /* where it does not agree; what is NULL where it could not be run */
    const char *what, *parameter; /* "gradient", "batch mean", "batch variance", "loss"; whose: "" of the loss */
    Place place;
    double got, expected;
    int64_t element;
} VerifyTraining;

/* Of c->training_plan, with made-up weights, images and labels. False after a diagnostic. */
bool verify_training(Compilation *c, VerifyTraining *result);

#endif
