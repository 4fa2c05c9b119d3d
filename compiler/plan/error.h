/* The error model: how far rounding moves the outputs. moments.h says what numbers a network has, spread.c how far an
 * error spreads in it, rounding.c how large a layer's own is, head.c what an output's largest element makes of it.
 */
#ifndef RNC_PLAN_ERROR_H
#define RNC_PLAN_ERROR_H

#include "graph/moments.h"
#include "plan.h"

/* The error of a sum of so many products, root mean square, relative; and of a layer's direct sum. */
double error_of_products(double products);
double error_of_direct(const Node *node);
/* What a layer adds to the square of the output's largest relative error, if it is computed like that; with the
 * margin. */
double error_added(const Plan *plan, const Node *node, const Choice *choice);
/* The same of all candidates at once. */
void error_of_candidates(const Plan *plan, const Node *node, const Candidate *list, int count, double *added);
/* How far a rounding error spreads: the plan's gains. */
void plan_gains(Plan *plan);
/* Of a layer that has nothing to choose; 0 for one that adds up nothing. */
double error_of_sum(const Plan *plan, const Node *node);

/* An output's last activation, if it has one, and what it is of. */
typedef struct Head {
    const Value *value; /* whose errors the output has; where an activation was fused, its node's sum's */
    const Node *fused;  /* that node, or NULL */
    Act act;            /* of the value */
    ActNumbers numbers; /* its */
    bool softmax;       /* instead of an activation */
} Head;

Head head_find(const Value *output);
/* An output's largest relative error over the root mean square of the head's errors. `moments`: of the head's value,
 * before the activation. */
double head_sensitivity(const Head *head, const Value *output, Moments moments);

#endif
