/* shuffle: channels seen as G groups become C/G groups of one of each (Zhang et al. 2018, "ShuffleNet", section 3.1):
 *
 *     out[c] = in[c % G * (C / G) + c / G]
 */
#include "rules.h"

#include <string.h>

bool shuffle_infer(Node *node, Diag *diag) {
    const Shape in = node->in[0]->shape;
    return rule_fits_groups(node, diag) && rule_set_shape(node, diag, in.c, in.h, in.w);
}

RULE_NO_PARAMS(shuffle)
RULE_NO_COST(shuffle)
RULE_KEEPS_MOMENTS(shuffle)

void shuffle_reference(const Node *node, const double *const *in, double *out, const TensorData *weights, int threads) {
    (void)weights, (void)threads;
    const Shape shape = node->in[0]->shape;
    const size_t pixels = (size_t)shape.h * (size_t)shape.w;
    const int groups = node->attr.groups, each = shape.c / groups;
    for (int c = 0; c < shape.c; c++)
        memcpy(out + (size_t)c * pixels, in[0] + (size_t)(c % groups * each + c / groups) * pixels,
               sizeof *out * pixels);
}

/* The other way: as many groups as these have channels. */
bool shuffle_gradient(Gradients *g, const Node *node, Value *dy) {
    Node *back = gradients_node(g, node, "data", OP_SHUFFLE, &dy, 1);
    back->attr.groups = node->in[0]->shape.c / node->attr.groups;
    gradients_add(g, node->in[0], gradients_done(g, back));
    return true;
}
