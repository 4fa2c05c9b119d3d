/* Panels: the output channels of a convolution or fully connected layer that are computed together, a GEMM's M. */
#ifndef RNC_PLAN_PANELS_H
#define RNC_PLAN_PANELS_H

#include "plan.h"

typedef struct Panels {
    int width;   /* floats that a panel's result takes of a pixel, a multiple of VECTOR; the last may be narrower */
    int count;   /* of a grouped convolution: one for each merged group */
    int advance; /* output channels from one panel to the next: width, or those of a merged group */
} Panels;

enum { MOST_PANEL = 80 }; /* the widest of a layer without groups */

/* Full panels and a tail, as wide as the machine has them or, no wider than MOST_PANEL, as they are wanted. */
Panels panels_of(const Plan *plan, int features);
Panels panels_of_width(int features, int most);
/* Of a convolution whose terms have groups; `merged`: of panels_merged_groups. */
Panels panels_of_groups(int features, int merged);
/* Panels of a grouped convolution, 0 where no term has groups. */
int panels_merged_groups(const Term *term, int terms, int features);
int node_merged_groups(const Node *node);

#endif
