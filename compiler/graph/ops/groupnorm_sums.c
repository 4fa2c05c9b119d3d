/* .groupnorm_sums(dy, x): the gradients of a group norm's parameters, for each channel over the pixels of the batch:
 * the sum of dy, which is the bias's, and the sum of dy times x normalised, which is the weight's; 2 x C x 1. */
#include "rules.h"

bool groupnorm_sums_infer(Node *node, Diag *diag) {
    return rule_of_images(node, diag, 2) && rule_same_shapes(node, diag, 2) && rule_fits_groups(node, diag) &&
           rule_set_shape(node, diag, 2, node->in[0]->shape.c, 1);
}

RULE_NO_PARAMS(groupnorm_sums)
RULE_NO_COST(groupnorm_sums)

void groupnorm_sums_reduce(const Node *node, const double *const *in, int images, double *out) {
    const Shape shape = node->in[0]->shape;
    const int groups = node->attr.groups;
    const int64_t pixels = (int64_t)shape.h * shape.w, size = shape_size(shape) / groups;
    for (int c = 0; c < 2 * shape.c; c++) out[c] = 0;
    for (int64_t g = 0; g < (int64_t)images * groups; g++) {
        const double *dy = in[0] + g * size, *x = in[1] + g * size;
        const Normal normal = rule_group_normal(x, size, node->attr.eps);
        for (int64_t i = 0; i < size; i++) {
            const int64_t c = (g * size + i) / pixels % shape.c;
            out[c] += dy[i];
            out[shape.c + c] += dy[i] * (x[i] - normal.mean) * normal.scale;
        }
    }
}
