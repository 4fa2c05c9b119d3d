/* .pad_gradient(dy): the gradient of what a pad by the edge, or mirrored, read, height x width pixels: of each the sum
 * over the places that have it (pad.c). */
#include "rules.h"

#include <string.h>

bool pad_gradient_infer(Node *node, Diag *diag) {
    const Attr *attr = &node->attr;
    const Shape dy = node->in[0]->shape;
    const int bottom = dy.h - attr->height - attr->window.top, right = dy.w - attr->width - attr->window.left;
    if (attr->reflect == attr->edge) return rule_error(node, diag, "either reflect or edge");
    if (attr->height < 1 || attr->width < 1 || attr->window.top < 0 || attr->window.left < 0 || bottom < 0 || right < 0)
        return rule_error(node, diag, "%dx%d pixels, with %d rows and %d columns before them, of %dx%d", attr->height,
                          attr->width, attr->window.top, attr->window.left, dy.h, dy.w);
    if (attr->reflect && (attr->window.top >= attr->height || bottom >= attr->height ||
                          attr->window.left >= attr->width || right >= attr->width))
        return rule_error(node, diag, "%dx%d pixels are too few to be mirrored in %dx%d", attr->height, attr->width,
                          dy.h, dy.w);
    return rule_set_shape(node, diag, dy.c, attr->height, attr->width);
}

RULE_NO_PARAMS(pad_gradient)
RULE_NO_COST(pad_gradient)

void pad_gradient_reference(const Node *node, const double *const *in, double *out, const TensorData *weights,
                            int threads) {
    (void)weights, (void)threads;
    const Attr *attr = &node->attr;
    const Shape shape = node->out->shape, dy = node->in[0]->shape;
    const double *from = in[0];
    memset(out, 0, sizeof *out * (size_t)shape_size(shape));
    for (int c = 0; c < dy.c; c++)
        for (int y = 0; y < dy.h; y++)
            for (int x = 0; x < dy.w; x++) {
                const int64_t row = rule_pad_place(attr, (int64_t)y - attr->window.top, shape.h);
                const int64_t column = rule_pad_place(attr, (int64_t)x - attr->window.left, shape.w);
                out[(c * (int64_t)shape.h + row) * shape.w + column] += *from++;
            }
}
