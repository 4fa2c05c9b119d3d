/* Results of rnc compare: what measure/compare.c finds, as text, as a page and for --json. */
#ifndef RNC_COMPARE_VIEW_H
#define RNC_COMPARE_VIEW_H

#include <cjson/cJSON.h>

#include "graph/ir.h"

enum { COMPARE_WORST = 10 }; /* images that are listed */

typedef struct CompareNumbers { /* a difference from the first network's numbers */
    double largest, rms;        /* absolute: the largest; the root of the mean square */
    double relative;            /* the largest, to the largest number of that image; not finite where a number is not */
    double relative_rms;        /* to the root of the mean square of the first's */
} CompareNumbers;

typedef struct CompareOutput {
    const char *name[2];
    Shape shape;
    CompareNumbers d; /* of all images */
    int worst;        /* the image with the largest relative difference, from 0 */
    const char *worst_name;
} CompareOutput;

typedef struct CompareImage {
    int index;
    const char *name;
    double relative;    /* the largest of its outputs */
    int top1[2], label; /* classes; -1: none */
} CompareImage;

typedef struct CompareLayer { /* that both have */
    const char *name[2], *operation[2];
    Shape shape;
    CompareNumbers d; /* on the worst image */
    double limit;     /* of d.relative */
    bool beyond;
} CompareLayer;

typedef struct Compare {
    const char *label[2]; /* the networks: "net.rn -O3" */
    const char *command, *images_of;
    int images;
    double threshold;
    bool agrees;      /* every output of every image is within the threshold */
    int classes;      /* of the last output; 0: it has none */
    int top1, top5;   /* images of which the likeliest class, the five likeliest are the same; top5 -1: too few */
    int data_classes; /* of the data set, whose labels are counted where they can be the networks' classes */
    bool labelled;    /* they are */
    int right1[2], right5[2]; /* images whose class is the likeliest, among the five likeliest, by each network */
    CompareOutput *outputs;
    int output_count;
    CompareImage worst[COMPARE_WORST]; /* by their differences; the first is what layers are compared on */
    int worst_count;
    CompareLayer *layers; /* in the order of the first network */
    int layer_count;
    int part;         /* the first of them beyond its limit; -1: none is */
    int single[2];    /* layers that have no counterpart */
    const char *hint; /* what a difference may come from; NULL: nothing is known */
} Compare;

void compare_text(const Compare *compare, Text *out);
void compare_html(const Compare *compare, Text *out);
cJSON *compare_json(const Compare *compare); /* the caller owns it */

#endif
