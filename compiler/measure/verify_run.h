/* --verify: the emitted code run and compared with the interpreter, layer by layer. */
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

#endif
