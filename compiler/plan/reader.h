/* Values that training does not store: what is computed of each element alone (a normalisation, an activation, a sum, a
 * gradient through these) may be computed where it is read, from values that are stored and from numbers of its
 * channel.
 *
 * A reader is what a step reads so, for one or two values that have one shape: the stored values, one after another in
 * the step's operands of role X, vectors of channels in those of role P, and the expressions over them.
 */
#ifndef RNC_PLAN_READER_H
#define RNC_PLAN_READER_H

#include "training.h"

enum { READER_MOST = 16, READER_X = 8, READER_P = 12 }; /* entries; operands of a step (struct batch) */

typedef struct Read {
    const Value *value;
    const Node *node; /* that it is computed by; NULL: it is stored */
    int arg[2];       /* entries; of a node */
    int x, p;         /* its operand of role X; its first of role P, in the order of the node's (reader.c) */
} Read;

typedef struct Reader {
    Read entry[READER_MOST];
    int count;
    int root[2]; /* entries of the values that are read; root[1] -1: there is one */
} Reader;

/* What an affine multiplies by and adds: parameters, or a frozen batch norm's expressions of them. */
typedef struct AffineParts {
    const Tensor *weight, *var; /* the factor is weight, or weight / sqrt(var + eps) where var is not NULL */
    const Tensor *bias, *mean;  /* bias, or bias - mean * the factor; NULL: nothing is added */
    double eps;
} AffineParts;
/* False: they are other expressions. */
bool affine_parts(const Node *node, AffineParts *parts);

/* Decides which values are not stored (ValuePlan.computed), by the passes over memory that it saves. */
void plan_computed(Plan *plan);
/* What the step reads of one or two values (second may be NULL): adds its operands. */
Reader *reader_new(Plan *plan, Step *step, const Value *first, const Value *second);
/* Of a value that the step makes: the node's own expression. */
Reader *reader_of_node(Plan *plan, Step *step, const Node *node);
/* Whether the operation is of each element alone. */
bool reader_can(const Node *node);
/* Whether nothing has to be computed. */
bool reader_is_stored(const Reader *reader);

#endif
