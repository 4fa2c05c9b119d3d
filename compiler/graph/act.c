#include "act.h"

#include <math.h>

#include "attrs.h"

#define NONE PARAMETER_NONE, NULL
#define NUMBER(word) PARAMETER_NUMBER, #word
#define PER_CHANNEL PARAMETER_PER_CHANNEL, NULL
#define FORM(word) PARAMETER_FORM, #word
#define READS_RESULT true
#define READS_INPUT false
#define ROW(op, ...)                                                                                                   \
    { op, __VA_ARGS__ }

static const ActInfo table[ACT_COUNT] = {
    [ACT_NONE] = {OP_COUNT, PARAMETER_NONE, NULL, "none", NULL, NULL, false},
#define ACT(name, op, parameter, word, function, onnx, rises, formula, reads, derivative)                              \
    [ACT_##name] = ROW(OP_##op, parameter, #word, #function, onnx, READS_##reads),
#include "act.def"
#undef ACT
};

const ActInfo *act_info(Act act) {
    return &table[act];
}

static bool has_form(const ActInfo *info, const Node *node) {
    Attr attr = node->attr;
    return *attr_flag_of(attr_info(info->attribute), &attr);
}

Act node_act(const Node *node) {
    Act found = ACT_NONE;
    for (int i = ACT_NONE + 1; i < ACT_COUNT; i++) {
        if (table[i].op != node->op) continue;
        if (table[i].parameter != PARAMETER_FORM)
            found = (Act)i;
        else if (has_form(&table[i], node))
            return (Act)i;
    }
    return found;
}

double node_act_number(const Node *node) {
    const ActInfo *info = act_info(node_act(node));
    Attr attr = node->attr;
    return info->parameter == PARAMETER_NUMBER ? *attr_real_of(attr_info(info->attribute), &attr) : 0;
}

double act_apply(Act act, double x, double p) {
    switch (act) {
#define ACT(name, op, parameter, word, function, onnx, rises, formula, reads, derivative)                              \
    case ACT_##name:                                                                                                   \
        return formula;
#include "act.def"
#undef ACT
    case ACT_NONE:
        return x;
    case ACT_COUNT:
        break;
    }
    bug("activation %d", (int)act);
}

static double logistic(double x) {
    return 1 / (1 + exp(-x));
}

/* of gelu's form with tanh, which is x times the logistic function of it */
static double gelu_argument(double x) {
    return 2 * sqrt(2 / M_PI) * x * (1 + 0.044715 * x * x);
}

double act_derivative(Act act, double x, double p) {
    switch (act) {
#define ACT(name, op, parameter, word, function, onnx, rises, formula, reads, derivative)                              \
    case ACT_##name:                                                                                                   \
        return derivative;
#include "act.def"
#undef ACT
    case ACT_NONE:
        return 1;
    case ACT_COUNT:
        break;
    }
    bug("activation %d", (int)act);
}

bool act_rises(Act act, double p) {
    switch (act) {
#define ACT(name, op, parameter, word, function, onnx, rises, formula, reads, derivative)                              \
    case ACT_##name:                                                                                                   \
        return rises;
#include "act.def"
#undef ACT
    case ACT_NONE:
        return true;
    case ACT_COUNT:
        break;
    }
    (void)p;
    bug("activation %d", (int)act);
}
