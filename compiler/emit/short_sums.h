/* Sums of few products: see short_sums.c. */
#ifndef RNC_EMIT_SHORT_SUMS_H
#define RNC_EMIT_SHORT_SUMS_H

#include "panels.h"
#include "plan/conv.h"

/* What the epilogue reads beside the sums */
typedef struct ShortSums {
    const Segment *segment;
    int n;            /* pixels */
    bool finish;      /* bias, addend and activation are applied */
    bool bias, slope; /* these are parameters, in this order, after w, x and y; */
    int addend_pixel; /* then the addend, of this stride; 0: there is none */
} ShortSums;

/* The function of n pixels of a panel, NAME(w, x, y, bias, slope, addend). */
const char *emit_short_sums(Emit *e, const Step *s, const ConvPlan *c, const ShortSums *sums);

#endif
