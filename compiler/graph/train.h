/* How the network is to be trained: the source's train section, checked (language/train.c, docs/language.md), and what
 * it makes of the graph's parameters. Passes, plan and emission read it.
 */
#ifndef RNC_TRAIN_H
#define RNC_TRAIN_H

#include "base/base.h"
#include "ir.h"
#include "rn_train.h"

enum { TRAIN_MOST_DIVISIONS = 16 };

typedef struct Train {
    rn_train_recipe recipe;                  /* complete: what was not written has its default */
    int64_t divide_at[TRAIN_MOST_DIVISIONS]; /* recipe.divide_at points here */
    const char *const *frozen;               /* names of layers with parameters, in the order of the source */
    int frozen_count;
    Place place;
} Train;

/* Is the layer frozen? Its parameters stay, and a batch norm computes as at inference, with running statistics that
 * stay too. train may be NULL. */
bool train_freezes(const Train *train, const Node *node);

/* The batch norm whose weight `init ..., zero last` begins with 0, so that a residual block begins as its shortcut
 * (Goyal et al. 2017, section 5.1): the one that makes the first summand of this sum, a gate or a dropout may stand
 * between. NULL where something else makes it. */
const Node *train_branch_end(const Node *sum);

/* A parameter of a graph as it is written, before passes. */
typedef struct TrainParameter {
    rn_train_parameter row; /* for the trainer's table; its offset is 0. A running statistic of a frozen layer has
                               momentum 0 */
    Tensor *tensor;
    Node *node; /* whose it is; NULL: input.mean, a constant */
} TrainParameter;

/* All of the graph's, in the order of its nodes, input.mean at the end; lives in `arena`. A tensor that several layers
 * share comes once, and is frozen where one of them is. */
TrainParameter *train_parameters(const Graph *graph, Arena *arena, int *count);

#endif
