/* Emitted code in a process of its own (probe.c): what both sides of --probe agree on. */
#ifndef RNC_PROBE_H
#define RNC_PROBE_H

#include <stddef.h>
#include <stdint.h>

#include "compilation.h"

enum { PROBE_IMAGES = 2 }; /* a batch repeats these, so that neighbours differ and the interpreter runs twice at most */

/* main() of that process: the arguments after `rnc --probe`. */
int probe_main(int argc, char **argv);
/* Of that process: prints the error and ends it. */
void probe_fail(const char *what, const char *why);
int probe_train(char **argv); /* probe_train.c */
/* `rnc --probe train THREADS N IN OUT SO NAME WEIGHTS`. IN: floats, the parameters' flat buffer, n images, n labels as
 * class, other class, share. OUT: doubles loss and wrong, then the gradients' flat buffer as floats. */

/* Runs what emitted_build_shared made: rnc --probe with `words`, then each of `stems` (NULL ends both), in a process of
 * its own. False after a diagnostic, which names the `task`. */
bool probe_run(Compilation *c, const char *task, const char *const *words, const char *folder,
               const char *const *stems);

#endif
