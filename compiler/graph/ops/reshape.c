/* reshape: the same numbers in C, H, W order under another shape; also the gradient of what was flattened. */
#include "rules.h"

#include <string.h>

bool reshape_infer(Node *node, Diag *diag) {
    const Attr *a = &node->attr;
    const Shape in = node->in[0]->shape, out = {a->channels, a->height, a->width};
    if (!rule_set_shape(node, diag, out.c, out.h, out.w)) return false;
    if (shape_size(in) != shape_size(out))
        return rule_error(node, diag, "%dx%dx%d and %dx%dx%d differ in size", in.c, in.h, in.w, out.c, out.h, out.w);
    return true;
}

RULE_NO_PARAMS(reshape)
RULE_NO_COST(reshape)
RULE_KEEPS_MOMENTS(reshape)

void reshape_reference(const Node *node, const double *const *in, double *out, const TensorData *weights, int threads) {
    (void)weights, (void)threads;
    memcpy(out, in[0], sizeof *out * (size_t)shape_size(node->in[0]->shape));
}

bool reshape_gradient(Gradients *g, const Node *node, Value *dy) {
    return copy_gradient(g, node, dy);
}
