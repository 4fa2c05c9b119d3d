/* The table of activations (act.def). */
#ifndef RNC_ACT_H
#define RNC_ACT_H

#include "ir.h"

typedef enum ActParameter {
    PARAMETER_NONE,
    PARAMETER_NUMBER,      /* of Attr: Epilogue.act_number */
    PARAMETER_PER_CHANNEL, /* a weight: Epilogue.prelu */
    PARAMETER_FORM         /* a flag of Attr makes another activation of the op */
} ActParameter;

typedef struct ActInfo {
    Op op;
    ActParameter parameter;
    const char *attribute; /* of PARAMETER_NUMBER and PARAMETER_FORM, else NULL */
    const char *word, *function;
    const char *onnx; /* or NULL */
    bool from_result; /* its derivative is computed from its result; else from its input */
} ActInfo;

const ActInfo *act_info(Act act); /* of ACT_NONE: the word "none", no function */
/* The activation that a layer is, by its op and attributes; ACT_NONE where it is none. */
Act node_act(const Node *node);
double node_act_number(const Node *node); /* 0 where it has none */
double act_apply(Act act, double x, double number);
/* The derivative, from the activation's result where ActInfo.from_result, else from its input. */
double act_derivative(Act act, double x, double number);
/* It never falls; of the whole numbers of channels nothing is known. */
bool act_rises(Act act, double number);

#endif
