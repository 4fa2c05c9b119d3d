/* Words about steps: for the emitted comments, the layer table, reports. */
#ifndef RNC_EMIT_DESCRIBE_H
#define RNC_EMIT_DESCRIBE_H

#include "plan/plan.h"

void describe_step(const Step *step, Text *text);      /* "conv 3x3 /2 + add + relu" */
void describe_node(const Node *node, Text *text);      /* the same of all of a node */
const char *describe_place(Arena *arena, Place place); /* "resnet152.rn:7:9", no folders; "" where there is none */
const char *quote_c(Arena *arena, const char *s);      /* a C string literal; NULL for NULL */
const char *float_c(Arena *arena, double x);           /* a float literal: "1.0f", "0.0625f"; or INFINITY */
const char *comment_c(Arena *arena, const char *s);    /* text that cannot end or open a comment */
const char *upper_case(Arena *arena, const char *s);

#endif
