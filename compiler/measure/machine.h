/* The machine that rnc runs on: -mtune=native. */
#ifndef RNC_MEASURE_MACHINE_H
#define RNC_MEASURE_MACHINE_H

#include "compilation.h"

/* ---- machine_cpu.c: what CPUID says ---- */
typedef struct Cpu {
    char vendor[13]; /* "AuthenticAMD"; "" where nothing is known */
    unsigned family, model;
    double l2, l3; /* bytes of the caches that a core has, and shares; 0: not known */
} Cpu;

Cpu cpu_identify(void);
/* "AuthenticAMD family 25 model 17": what decides a core's speed; the brand string may hide it. */
const char *cpu_name(Arena *arena, const Cpu *cpu);
/* The name of the row (plan/machine.c) whose kernels run as they do on this CPU, and whether it is of this very kind.
 * "generic" where none is near. */
const char *cpu_row(const Cpu *cpu, bool *same);

/* ---- machine_measure.c ---- */
#define MEASURED_NUMBERS(NUMBER) NUMBER(flops) NUMBER(l2) NUMBER(l3) NUMBER(dram) NUMBER(vector_op) NUMBER(call)

typedef struct Measured { /* numbers as in a row (plan/machine.def), of one core; 0: not measured */
#define NUMBER(member) double member;
    MEASURED_NUMBERS(NUMBER)
#undef NUMBER
} Measured;

/* Takes about 0.6 seconds, and at most 256 MB for as long. */
Measured machine_measure(const Cpu *cpu, rn_isa isa);

/* ---- machine.c ---- */
/* The row of a machine on which this was measured, from the nearest row that is known, which may be of the `same` kind
 * of CPU. */
Machine machine_round(const Machine *near, bool same, const Cpu *cpu, const Measured *measured);

/* Sets c->machine, and c->machine_origin: the row that the options name, or for native the one of this machine: from
 * the user's cache ($XDG_CACHE_HOME/rnc/machine, ~/.cache/rnc/machine), or measured and put there, if it can be. */
void machine_find(Compilation *c);
/* --print-machine, for each instruction set of the target. */
void machine_show(Compilation *c);

#endif
