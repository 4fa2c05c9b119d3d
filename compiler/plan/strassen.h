/* 1x1 convolutions by one level of Strassen's multiplication: 7 products of halves for 8. */
#ifndef RNC_PLAN_STRASSEN_H
#define RNC_PLAN_STRASSEN_H

#include "plan.h"

/* What the products read of a pair of tiles (emit/strassen.c): sums of pixels, then pixels as they are. */
typedef enum StrassenOperand { T1, T2, T3, T4, B11, B21, B22, STRASSEN_OPERANDS, STRASSEN_SUMS = B11 } StrassenOperand;

enum { STRASSEN_PRODUCTS = 7, STRASSEN_PRODUCT_BUFFERS = 3 };

typedef struct StrassenTerm {
    int depth; /* half of its channels */
    bool flat; /* its pixels lie side by side: kernels read them there; others are copied beside the sums */
    int sums;  /* float offset of its sums in the scratch */
    int sum_pixel, sum_size; /* floats of a pixel, of a tile of one of them */
} StrassenTerm;

typedef struct StrassenPlan {
    int pixels, tile, pairs; /* of the result's image; of a tile; pairs of tiles */
    int panel, panels;       /* of half of the output channels */
    int product_size;        /* floats of a tile of a panel's product */
    int products;            /* float offset of the products in the scratch, behind the sums of all terms */
    StrassenTerm term[NODE_MAX_TERMS];
} StrassenPlan;

/* Whether the node is a sum of 1x1 convolutions whose channels can be halved. */
bool strassen_may_be(const Node *node);
/* Whether the pixels that the term reads lie side by side. */
bool strassen_is_flat(const Plan *plan, const Node *node, int term);
/* Of the packed weights of a term. */
int64_t strassen_term_bytes(const Node *node, int term);

const StrassenPlan *strassen_plan(const Step *step);

/* ---- for algorithms.def ---- */
void strassen_steps(Plan *plan, const Node *node);
void strassen_pack(Plan *plan, Step *step);
void strassen_describe(const Step *step, Text *text);

#endif
