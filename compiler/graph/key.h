/* What a node's result depends on, as a text: what cse compares by equals, and match by shape. */
#ifndef RNC_KEY_H
#define RNC_KEY_H

#include "ir.h"

/* What the values and tensors that a node reads are called in its key. */
typedef struct KeyNames {
    uint64_t (*value)(const void *user, const Value *value);
    uint64_t (*tensor)(const void *user, const Tensor *tensor);
    const void *user;
} KeyNames;

/* Appends the operation, its inputs, attributes, weights and epilogue: all that its result depends on, but for how it
 * is stored. */
void node_key(Text *key, const Node *node, const KeyNames *names);

#endif
