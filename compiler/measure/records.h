/* The file of layers' results that `rnc --probe layers` writes (probe.c), and how far results are apart. */
#ifndef RNC_RECORDS_H
#define RNC_RECORDS_H

#include "graph/ir.h"

typedef struct Records { /* a file's bytes, from the next record on */
    const char *at, *end;
    bool broken;
} Records;

typedef struct Record { /* a layer's result for an image */
    int32_t image;
    Shape shape;
    const char *value, *name, *what, *place;
    const char *data; /* floats C x H x W, not aligned, in the file's bytes */
} Record;

/* False at the end, and where the file is broken. Names live in `arena`. */
bool record_next(Records *records, Arena *arena, Record *record);
float record_number(const Record *record, int64_t i);

typedef struct Difference {
    double error;         /* the largest, relative to the largest that is expected; not finite where a number is not */
    double absolute, rms; /* the largest; the root of the mean square */
    double largest, square; /* that are expected: the largest, and the root of the mean square */
    int64_t where;          /* index of the largest difference */
    double got, expected;   /* there */
} Difference;

/* Number i of a result. */
typedef double (*Numbers)(const void *result, int64_t i);
double numbers_of_record(const void *record, int64_t i);
double numbers_of_doubles(const void *doubles, int64_t i);
double numbers_of_floats(const void *floats, int64_t i);

Difference difference_of(int64_t size, Numbers got, const void *results, Numbers expected, const void *references);

#endif
