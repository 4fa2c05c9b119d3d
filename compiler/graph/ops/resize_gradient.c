/* .resize_gradient(dy): the gradient of what was resized, height x width pixels: each pixel's share of those that read
 * it (resize.c). */
#include "rules.h"

#include <string.h>

bool resize_gradient_infer(Node *node, Diag *diag) {
    const Attr *attr = &node->attr;
    return rule_fits_resize(node, diag) && rule_set_shape(node, diag, node->in[0]->shape.c, attr->height, attr->width);
}

RULE_NO_PARAMS(resize_gradient)
RULE_NO_COST(resize_gradient)

void resize_gradient_reference(const Node *node, const double *const *in, double *out, const TensorData *weights,
                               int threads) {
    (void)weights, (void)threads;
    const Shape result = node->out->shape, dy = node->in[0]->shape;
    const ResizeAxis rows = resize_axis(node, true), columns = resize_axis(node, false);
    memset(out, 0, sizeof *out * (size_t)shape_size(result));
    for (int c = 0; c < dy.c; c++)
        for (int y = 0; y < dy.h; y++) {
            const ResizeAt row = rule_resize_at(rows, y, result.h);
            double *above = out + ((size_t)c * result.h + row.pixel) * result.w;
            double *below = out + ((size_t)c * result.h + row.next) * result.w;
            for (int x = 0; x < dy.w; x++) {
                const ResizeAt p = rule_resize_at(columns, x, result.w);
                const double g = in[0][((size_t)c * dy.h + y) * dy.w + x];
                above[p.pixel] += (1 - row.share) * (1 - p.share) * g;
                above[p.next] += (1 - row.share) * p.share * g;
                below[p.pixel] += row.share * (1 - p.share) * g;
                below[p.next] += row.share * p.share * g;
            }
        }
}
