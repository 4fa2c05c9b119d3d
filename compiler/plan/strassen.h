/* Strassen's multiplication within the plan. */
#ifndef RNC_PLAN_STRASSEN_H
#define RNC_PLAN_STRASSEN_H

#include "plan.h"

/* What the products read of a pair of tiles (emit/strassen.c): sums of pixels, then pixels as they are. */
typedef enum StrassenOperand { T1, T2, T3, T4, B11, B21, B22, STRASSEN_OPERANDS, STRASSEN_SUMS = B11 } StrassenOperand;

enum { STRASSEN_PRODUCTS = 7, STRASSEN_PRODUCT_BUFFERS = 3 };

/* Whether the node is a sum of 1x1 convolutions whose channels can be halved. */
bool strassen_possible(const Node *node);
/* Whether the pixels that the term reads lie side by side. */
bool strassen_is_flat(const Plan *plan, const Node *node, int term);
/* Of the packed weights of a term. */
int64_t strassen_term_bytes(const Node *node, int term);

#endif
