/* resize: to height x width pixels, each the nearest pixel of the image or a bilinear interpolation of four. Output i
 * of n, of an image of m, lies at
 *
 *     (i + 1/2) * m / n - 1/2     half pixels (PyTorch's align_corners=False, ONNX's half_pixel)
 *     i * (m - 1) / (n - 1)       align_corners; 0 where n is 1
 *     i * m / n                   asymmetric
 *
 * held within the image. The nearest is the lower at an asymmetric place (PyTorch's nearest), else the upper where both
 * are as near (nearest-exact). All places are ratios of integers, so that no rounding decides between pixels.
 */
#include "graph/tensor.h"
#include "rules.h"

enum { SIZE_LIMIT = 65536 }; /* of the language's sizes too: products of two are exact in 64 bits */

bool rule_fits_resize(const Node *node, Diag *diag) {
    const Attr *attr = &node->attr;
    if (attr->height < 1 || attr->width < 1 || attr->height > SIZE_LIMIT || attr->width > SIZE_LIMIT)
        return rule_error(node, diag, "to %dx%d: must be from 1x1 to %dx%d", attr->height, attr->width, SIZE_LIMIT,
                          SIZE_LIMIT);
    if (attr->align_corners && attr->asymmetric)
        return rule_error(node, diag, "either align_corners or asymmetric, not both");
    return true;
}

bool resize_infer(Node *node, Diag *diag) {
    const Attr *attr = &node->attr;
    return rule_fits_resize(node, diag) && rule_set_shape(node, diag, node->in[0]->shape.c, attr->height, attr->width);
}

RULE_NO_PARAMS(resize)
RULE_NO_COST(resize)
RULE_KEEPS_MOMENTS(resize)

static int64_t common_factor(int64_t a, int64_t b) {
    return b ? common_factor(b, a % b) : a;
}

ResizeAxis resize_axis(const Node *node, bool rows) {
    const Attr *attr = &node->attr;
    const int64_t in = rows ? node->in[0]->shape.h : node->in[0]->shape.w, out = rows ? attr->height : attr->width;
    const bool gradient = node->op == OP_RESIZE_GRADIENT;
    const int64_t from = gradient ? out : in, to = gradient ? in : out;
    ResizeAxis a = {2 * from, from - to, 2 * to, false};
    if (attr->asymmetric) a = (ResizeAxis){2 * from, 0, 2 * to, false};
    if (attr->align_corners)
        a = to > 1 ? (ResizeAxis){2 * (from - 1), 0, 2 * (to - 1), false} : (ResizeAxis){0, 0, 2, false};
    if (!attr->bilinear && !attr->asymmetric) a.start += a.scale / 2;
    const int64_t by = common_factor(common_factor(a.step, a.scale), a.start < 0 ? -a.start : a.start);
    a = (ResizeAxis){a.step / by, a.start / by, a.scale / by, false};
    a.interpolates = attr->bilinear && a.scale > 1;
    return a;
}

ResizeAt rule_resize_at(ResizeAxis axis, int i, int size) {
    const int64_t at = i * axis.step + axis.start < 0 ? 0 : i * axis.step + axis.start;
    ResizeAt p = {.pixel = (int)(at / axis.scale)};
    if (p.pixel > size - 1) p.pixel = size - 1;
    p.next = p.pixel < size - 1 ? p.pixel + 1 : p.pixel;
    if (axis.interpolates) p.share = (double)(at % axis.scale) / (double)axis.scale;
    return p;
}

static double mix(double a, double b, double share) {
    return share == 0 ? a : a + (b - a) * share;
}

void resize_reference(const Node *node, const double *const *in, double *out, const TensorData *weights, int threads) {
    (void)weights, (void)threads;
    const Shape shape = node->in[0]->shape, result = node_unpooled_shape(node);
    const ResizeAxis rows = resize_axis(node, true), columns = resize_axis(node, false);
    for (int c = 0; c < result.c; c++)
        for (int y = 0; y < result.h; y++) {
            const ResizeAt row = rule_resize_at(rows, y, shape.h);
            const double *above = in[0] + ((size_t)c * shape.h + row.pixel) * shape.w;
            const double *below = in[0] + ((size_t)c * shape.h + row.next) * shape.w;
            for (int x = 0; x < result.w; x++) {
                const ResizeAt p = rule_resize_at(columns, x, shape.w);
                *out++ = mix(mix(above[p.pixel], above[p.next], p.share), mix(below[p.pixel], below[p.next], p.share),
                             row.share);
            }
        }
}

bool resize_gradient(Gradients *g, const Node *node, Value *dy) {
    Node *made = gradients_node(g, node, "data", OP_RESIZE_GRADIENT, &dy, 1);
    made->attr = node->attr;
    made->attr.height = node->in[0]->shape.h, made->attr.width = node->in[0]->shape.w;
    gradients_add(g, node->in[0], gradients_done(g, made));
    return true;
}
