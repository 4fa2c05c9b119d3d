/* Types of numbers (rn.h): floats to and from what is stored. */
#ifndef RN_CORE_DTYPE_H
#define RN_CORE_DTYPE_H

#include "rn.h"

const char *rn_dtype_name(rn_dtype type); /* "bf16" */
/* The number of the type that is nearest to x. */
float rn_dtype_round(rn_dtype type, float x);
/* Writes `count` numbers of the type to `to`, each the nearest to a float. */
void rn_dtype_store(rn_dtype type, const float *from, size_t count, void *to);
/* To the nearest bf16, the even one of two: the upper 16 bits of the result. Beyond the largest infinite; NaN stays. */
uint16_t rn_bf16(float x);
/* Exact; NaN stays NaN. */
float rn_float_from_half(uint16_t bits);
float rn_float_from_bfloat(uint16_t bits);

#endif
