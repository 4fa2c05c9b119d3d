/* What the emitted code is for: the instruction sets that its text is written for, and where its matrix kernels come
 * from. */
#ifndef RNC_TARGET_H
#define RNC_TARGET_H

#include "base/base.h"
#include "rn.h"

typedef enum Kernels {
    KERNELS_JIT,    /* libxsmm compiles them when an instance is created */
    KERNELS_STATIC, /* libxsmm's machine code, written into net.c */
    KERNELS_C       /* loops in portable C, for any CPU */
} Kernels;

enum { TARGET_MOST = 2 }; /* instruction sets of one net.c */

typedef struct Target {
    Kernels kernels;
    rn_isa isa[TARGET_MOST]; /* rn_isa, the strongest first */
    int count;
} Target;

const char *target_text(Arena *arena, const Target *target); /* "x86-64-v4, x86-64-v3" */

#endif
