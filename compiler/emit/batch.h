/* The tasks of training, for the files of emit/ that write them. A task computes its part of a batch:
 *
 *     static TARGET void TASK(void *arg, int part, int parts)      with `const struct batch *a = arg;`
 *
 * where struct batch has the members of struct args, the number of images, and where gradients go.
 */
#ifndef RNC_EMIT_BATCH_H
#define RNC_EMIT_BATCH_H

#include "emit.h"

const char *emit_batch_input(Emit *e, const Step *step, Text *body);
const char *emit_batch_pack(Emit *e, const Step *step, Text *body);
const char *emit_batch_transform(Emit *e, const Step *step, Text *body);
const char *emit_batch_conv(Emit *e, const Step *step, Text *body);
const char *emit_batch_weights(Emit *e, const Step *step, Text *body);
const char *emit_batch_gradient(Emit *e, const Step *step, Text *body);
const char *emit_batch_map(Emit *e, const Step *step, Text *body);
const char *emit_batch_stats(Emit *e, const Step *step, Text *body);
const char *emit_batch_total(Emit *e, const Step *step, Text *body);
const char *emit_batch_move(Emit *e, const Step *step, Text *body);
const char *emit_batch_pool(Emit *e, const Step *step, Text *body);
const char *emit_batch_norm(Emit *e, const Step *step, Text *body);
const char *emit_batch_resize(Emit *e, const Step *step, Text *body);
const char *emit_batch_loss(Emit *e, const Step *step, Text *body);

/* "a->x + (size_t)n * 1040", for one that the batch has one of "a->x". */
const char *batch_image(const Emit *e, const char *member, const Value *value);
/* Rows of an image that a vector of channels after another goes through. */
int batch_rows_at_once(Shape shape, int pixel);
/* The loop over this part's images: opens "for (int n = ...) {". */
void batch_images(Text *body);
/* How many slabs there are here, of so many in all: "16", or of a rank "4 * a->t->groups". */
const char *batch_slabs(const Emit *e, int slabs);
/* "a->images", or with ranks, how many all of them have together. */
const char *batch_all_images(const Emit *e);

#endif
