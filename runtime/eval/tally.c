/* Outcomes, counted; see tally.h. */
#include "tally.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

rn_status rn_tally_create(rn_tally *t, int classes, uint32_t count) {
    *t = (rn_tally){.classes = classes, .count = count};
    t->labels = malloc((size_t)count * sizeof *t->labels + 1);
    t->outcomes = calloc((size_t)count + 1, sizeof *t->outcomes);
    t->class = calloc((size_t)classes + 1, sizeof *t->class);
    if (!t->labels || !t->outcomes || !t->class) return RN_ERROR_MEMORY;
    for (uint32_t i = 0; i < count; i++) t->labels[i] = -1;
    return RN_OK;
}

void rn_tally_free(rn_tally *t) {
    free(t->labels);
    free(t->outcomes);
    free(t->class);
    free(t->confusions);
    free(t->wrong);
    *t = (rn_tally){0};
}

void rn_tally_set(rn_tally *t, uint32_t picture, int32_t label, rn_outcome outcome) {
    t->labels[picture] = label;
    t->outcomes[picture] = outcome;
}

/* ---- order ---- */

typedef struct Wrong {
    uint32_t picture;
    double best;
} Wrong;

static int by_sureness(const void *a, const void *b) {
    const Wrong *x = a, *y = b;
    if (x->best != y->best) return x->best < y->best ? 1 : -1;
    return (x->picture > y->picture) - (x->picture < y->picture);
}

static int by_classes(const void *a, const void *b) {
    const rn_confusion *x = a, *y = b;
    if (x->label != y->label) return x->label < y->label ? -1 : 1;
    return (x->predicted > y->predicted) - (x->predicted < y->predicted);
}

static int by_frequency(const void *a, const void *b) {
    const rn_confusion *x = a, *y = b;
    if (x->pictures != y->pictures) return x->pictures < y->pictures ? 1 : -1;
    return by_classes(a, b);
}

static int is_wrong(const rn_tally *t, uint32_t i) {
    return t->labels[i] >= 0 && t->outcomes[i].likelier > 0;
}

static rn_status order_wrong(rn_tally *t) {
    const size_t count = (size_t)(t->pictures - t->right);
    Wrong *wrong = malloc(count * sizeof *wrong + 1);
    t->wrong = malloc(count * sizeof *t->wrong + 1);
    size_t n = 0;
    for (uint32_t i = 0; i < t->count && wrong; i++)
        if (is_wrong(t, i)) wrong[n++] = (Wrong){i, t->outcomes[i].best};
    if (wrong) qsort(wrong, n, sizeof *wrong, by_sureness);
    for (size_t k = 0; k < n && t->wrong; k++) t->wrong[k] = wrong[k].picture;
    free(wrong);
    return wrong && t->wrong ? RN_OK : RN_ERROR_MEMORY;
}

/* A confusion for each picture, then those of the same two classes made one. */
static rn_status order_confusions(rn_tally *t) {
    const size_t count = (size_t)(t->pictures - t->right);
    rn_confusion *all = t->confusions = malloc(count * sizeof *all + 1);
    size_t n = 0, kept = 0;
    if (!all) return RN_ERROR_MEMORY;
    for (uint32_t i = 0; i < t->count; i++)
        if (is_wrong(t, i)) all[n++] = (rn_confusion){t->labels[i], t->outcomes[i].predicted, 1};
    qsort(all, n, sizeof *all, by_classes);
    for (size_t k = 0; k < n; k++)
        if (kept && !by_classes(&all[kept - 1], &all[k]))
            all[kept - 1].pictures++;
        else
            all[kept++] = all[k];
    qsort(all, kept, sizeof *all, by_frequency);
    t->confusion_count = kept;
    return RN_OK;
}

rn_status rn_tally_finish(rn_tally *t) {
    for (uint32_t i = 0; i < t->count; i++) {
        const rn_outcome *o = &t->outcomes[i];
        if (t->labels[i] < 0) continue;
        rn_tally_class *own = &t->class[t->labels[i]];
        const int right = o->likelier == 0, right5 = o->likelier < 5;
        own->pictures++, t->pictures++;
        own->right += right, t->right += right;
        own->right5 += right5, t->right5 += right5;
        if (o->predicted >= 0) t->class[o->predicted].predicted++;
        t->loss += o->loss;
    }
    const rn_status status = order_wrong(t);
    return status ? status : order_confusions(t);
}

/* ---- confidence ---- */

rn_interval rn_wilson(int64_t hits, int64_t n) {
    static const double z = 1.959963984540054; /* of the normal distribution 95 % lie within z deviations */
    const double count = (double)n, share = (double)hits / count, square = z * z / count;
    const double centre = (share + square / 2) / (1 + square);
    const double half = z / (1 + square) * sqrt(share * (1 - share) / count + square / (4 * count));
    return (rn_interval){hits == 0 ? 0 : fmax(centre - half, 0), hits == n ? 1 : fmin(centre + half, 1)};
}
