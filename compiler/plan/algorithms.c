#include "algorithms.h"

#include "conv.h"
#include "cost.h"
#include "fc.h"
#include "graph/ops.h"
#include "plain.h"
#include "strassen.h"
#include "training.h"
#include "weights.h"
#include "winograd.h"

const AlgorithmInfo *algorithm_info(Algorithm algorithm) {
    static const AlgorithmInfo rows[ALG_COUNT] = {
#define ALGORITHM(id, word, kind, can, cost, steps, pack, describe, emit)                                              \
    {#word, KIND_##kind, can, cost, steps, pack, describe},
#include "algorithms.def"
#undef ALGORITHM
    };
    return &rows[algorithm];
}

double algorithm_us(const Plan *plan, const Node *node, const Choice *choice, int images) {
    const AlgorithmInfo *row = algorithm_info(choice->algorithm);
    return row->cost ? row->cost(plan, node, choice, images).us : 0;
}

const char *algorithm_name(Algorithm algorithm) {
    return algorithm_info(algorithm)->word;
}

Algorithm algorithm_of(const Plan *plan, const Node *node) {
    for (int i = 0; i < ALG_COUNT; i++) {
        const AlgorithmInfo *row = algorithm_info((Algorithm)i);
        if (row->can && row->can(plan, node)) return (Algorithm)i;
    }
    bug("%s: %s has no algorithm (not lowered?)", node->name, op_info(node->op)->word);
}
