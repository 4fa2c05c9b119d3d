/* Emission of what a training step reads by expressions (plan/reader.h): pointers of an image, numbers of a vector of
 * channels, and of a place in the image the values. */
#ifndef RNC_EMIT_READER_H
#define RNC_EMIT_READER_H

#include "emit.h"
#include "plan/reader.h"

/* "const float *x0 = a->x[0] + (size_t)n * 1040;" for each stored value. */
void reader_image(const Emit *e, const Reader *reader, int depth, Text *body);
/* The numbers of the channels from c on. */
void reader_channels(const Emit *e, const Reader *reader, int depth, Text *body);
/* "const V v0 = load(x0 + (AT)), v1 = ...;": the stored values at `at`, then all that follows from them. */
void reader_load(const Emit *e, const Reader *reader, const char *at, int depth, Text *body);
/* The name of a root: "v2". */
const char *reader_value(const Emit *e, const Reader *reader, int root);
/* Part of a task's name, of what is computed: "_normalise_relu"; "" where all is stored. */
const char *reader_name(const Emit *e, const Reader *reader);

#endif
