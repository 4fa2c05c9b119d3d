/* Emitted code in a process of its own (probe.c): what both sides of --probe agree on. */
#ifndef RNC_PROBE_H
#define RNC_PROBE_H

#include <stddef.h>
#include <stdint.h>

enum { PROBE_IMAGES = 2 }; /* a batch repeats these, so that neighbours differ and the interpreter runs twice at most */

/* main() of that process: the arguments after `rnc --probe`. */
int probe_main(int argc, char **argv);
/* Image `index`: uniform, mean 0, variance 1, the same everywhere. */
void probe_image(uint64_t seed, int index, float *image, size_t size);

#endif
