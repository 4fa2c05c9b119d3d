#include "panels.h"

/* Full panels and a tail: of 64, 96 is 64 + 32 and 1000 is 15 x 64 + 40. libxsmm's AVX2 kernels lose a tenth at widths
 * that are no multiple of 32 (48: 82 GFLOP/s where 32 and 64 reach 91), so equal panels (48 + 48) would not pay. */
Panels panels_of(const Plan *plan, int features) {
    return panels_of_width(features, plan->options.machine->panel);
}

Panels panels_of_width(int features, int most) {
    const int width = features < most ? round_up(features, VECTOR) : most;
    return (Panels){.width = width, .count = divide_up(features, width), .advance = width};
}

Panels panels_of_groups(int features, int merged) {
    const int advance = features / merged;
    return (Panels){.width = round_up(advance, VECTOR), .count = merged, .advance = advance};
}

static int common_divisor(int a, int b) {
    return b ? common_divisor(b, a % b) : a;
}

/* Grouped kernels become block-diagonal: as many groups are merged as fit a vector of outputs. A vector costs the same
 * with 4 or 16 of its lanes in use, so the zeros between are free. Only whole merges: a last one with fewer groups
 * would read channels that are not there, and 0 * inf is no 0. Terms share their panels, which hold whole groups of
 * each: all that they have in common may be a single panel. */
int panels_merged_groups(const Term *term, int terms, int features) {
    int groups = 0;
    bool grouped = false;
    for (int i = 0; i < terms; i++) {
        groups = common_divisor(groups, term[i].groups);
        grouped |= term[i].groups > 1;
    }
    if (!grouped) return 0;
    int merge = 1;
    for (int m = 2; m * (features / groups) <= VECTOR && m <= groups; m++)
        if (groups % m == 0) merge = m;
    return groups / merge;
}

int node_merged_groups(const Node *node) {
    return node->op == OP_CONV ? panels_merged_groups(node->term, node->nin, node->features) : 0;
}
