#include "act.h"

#include <math.h>

#include "attrs.h"

#define NONE                                                                                                           \
    PARAMETER_NONE, {                                                                                                  \
        NULL                                                                                                           \
    }
#define NUMBER(word)                                                                                                   \
    PARAMETER_NUMBER, {                                                                                                \
#word                                                                                                          \
    }
#define NUMBERS(word, other)                                                                                           \
    PARAMETER_NUMBER, {                                                                                                \
#word, #other                                                                                                  \
    }
#define PER_CHANNEL                                                                                                    \
    PARAMETER_PER_CHANNEL, {                                                                                           \
        NULL                                                                                                           \
    }
#define FORM(word)                                                                                                     \
    PARAMETER_FORM, {                                                                                                  \
#word                                                                                                          \
    }
#define READS_RESULT true
#define READS_INPUT false
#define ROW(op, ...)                                                                                                   \
    { op, __VA_ARGS__ }

static const ActInfo table[ACT_COUNT] = {
    [ACT_NONE] = {OP_COUNT, PARAMETER_NONE, {NULL}, "none", NULL, NULL, false},
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
    return *attr_flag_of(attr_info(info->attribute[0]), &attr);
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

ActNumbers act_numbers(Act act, const Attr *attr) {
    const ActInfo *info = act_info(act);
    Attr copy = *attr;
    double numbers[2] = {0};
    for (int i = 0; i < 2 && info->parameter == PARAMETER_NUMBER && info->attribute[i]; i++)
        numbers[i] = *attr_real_of(attr_info(info->attribute[i]), &copy);
    return (ActNumbers){numbers[0], numbers[1]};
}

void act_set_numbers(Act act, ActNumbers numbers, Attr *attr) {
    const ActInfo *info = act_info(act);
    for (int i = 0; i < 2 && info->parameter == PARAMETER_NUMBER && info->attribute[i]; i++)
        *attr_real_of(attr_info(info->attribute[i]), attr) = i ? numbers.q : numbers.p;
}

ActNumbers node_act_numbers(const Node *node) {
    return act_numbers(node_act(node), &node->attr);
}

ActNumbers gate_numbers(const Node *gate) {
    const Attr *attr = &gate->attr;
    return act_info(attr->act)->attribute[1] ? (ActNumbers){attr->low, attr->high} : (ActNumbers){.p = attr->slope};
}

double act_apply(Act act, double x, ActNumbers numbers) {
    const double p = numbers.p, q = numbers.q;
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

double act_derivative(Act act, double x, ActNumbers numbers) {
    const double p = numbers.p, q = numbers.q;
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

bool act_rises(Act act, ActNumbers numbers) {
    const double p = numbers.p;
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
    bug("activation %d", (int)act);
}
