/* The table of activations (act.def). */
#ifndef RNC_ACT_H
#define RNC_ACT_H

#include "ir.h"

typedef enum ActParameter {
    PARAMETER_NONE,
    PARAMETER_NUMBER,      /* one or two, of Attr: Epilogue.numbers */
    PARAMETER_PER_CHANNEL, /* a weight: Epilogue.prelu */
    PARAMETER_FORM         /* a flag of Attr makes another activation of the op */
} ActParameter;

typedef struct ActInfo {
    Op op;
    ActParameter parameter;
    const char *attribute[2]; /* of PARAMETER_NUMBER and PARAMETER_FORM; the others are NULL */
    const char *word, *function;
    const char *onnx; /* or NULL */
    bool from_result; /* its derivative is computed from its result; else from its input */
} ActInfo;

const ActInfo *act_info(Act act); /* of ACT_NONE: the word "none", no function */
/* The activation that a layer is, by its op and attributes; ACT_NONE where it is none. */
Act node_act(const Node *node);
/* An activation's numbers, as attributes say them; 0 where it has none. */
ActNumbers act_numbers(Act act, const Attr *attr);
void act_set_numbers(Act act, ActNumbers numbers, Attr *attr);
ActNumbers node_act_numbers(const Node *node);
ActNumbers gate_numbers(const Node *gate); /* of a .gate, which has them as `slope`, or as `low` and `high` */
double act_apply(Act act, double x, ActNumbers numbers);
/* The derivative, from the activation's result where ActInfo.from_result, else from its input. */
double act_derivative(Act act, double x, ActNumbers numbers);
/* It never falls; of the whole numbers of channels nothing is known. */
bool act_rises(Act act, ActNumbers numbers);

#endif
