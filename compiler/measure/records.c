#include "records.h"

#include <math.h>
#include <string.h>

/* ---- the file ---- */
static const char *take(Records *records, size_t size) {
    if ((size_t)(records->end - records->at) < size) {
        records->broken = true;
        records->at = records->end;
        return NULL;
    }
    const char *at = records->at;
    records->at += size;
    return at;
}

static const char *take_string(Records *records, Arena *arena) {
    int32_t length = 0;
    const char *at = take(records, sizeof length);
    if (at) memcpy(&length, at, sizeof length);
    at = take(records, (size_t)length);
    return at ? arena_strndup(arena, at, (size_t)length) : "";
}

bool record_next(Records *records, Arena *arena, Record *record) {
    int32_t head[4];
    if (records->at == records->end) return false;
    const char *at = take(records, sizeof head);
    if (!at) return false;
    memcpy(head, at, sizeof head);
    record->image = head[0];
    record->shape = (Shape){head[1], head[2], head[3]};
    record->value = take_string(records, arena);
    record->name = take_string(records, arena);
    record->what = take_string(records, arena);
    record->place = take_string(records, arena);
    record->data = take(records, (size_t)shape_size(record->shape) * sizeof(float));
    return !records->broken;
}

/* ---- numbers ---- */
double numbers_of_record(const void *record, int64_t i) {
    float number;
    memcpy(&number, ((const Record *)record)->data + i * (int64_t)sizeof number, sizeof number);
    return (double)number;
}

double numbers_of_doubles(const void *doubles, int64_t i) {
    return ((const double *)doubles)[i];
}

double numbers_of_floats(const void *floats, int64_t i) {
    return (double)((const float *)floats)[i];
}

Difference difference_of(int64_t size, Numbers got, const void *results, Numbers expected, const void *references) {
    Difference d = {.largest = 1e-30, .absolute = -1};
    double sum = 0, sum_expected = 0;
    for (int64_t i = 0; i < size; i++) {
        const double x = got(results, i), y = expected(references, i), error = fabs(x - y);
        sum += error * error;
        sum_expected += y * y;
        if (fabs(y) > d.largest) d.largest = fabs(y);
        if (error <= d.absolute) continue;
        d.absolute = error, d.where = i, d.got = x, d.expected = y;
        if (!isfinite(error)) break; /* NaN compares with nothing: the first is told */
    }
    d.error = isfinite(d.absolute) ? d.absolute / d.largest : d.absolute;
    d.rms = sqrt(sum / (double)size);
    d.square = sqrt(sum_expected / (double)size);
    return d;
}
