/* .drop(x, labels): dropout in training (Srivastava et al. 2014): the elements that are drawn for an image stay, times
 * 1 / (1 - rate), the others are 0. What is drawn is a function of the image's number in `labels` and of the layer's,
 * `number` (runtime/train/drop.h), so that the gradient is the same operation on dy. */
#include "rules.h"
#include "runtime/train/drop.h"

bool drop_infer(Node *node, Diag *diag) {
    const Shape in = node->in[0]->shape, labels = {4, 1, 1};
    if (!(node->attr.rate >= 0 && node->attr.rate < 1))
        return rule_error(node, diag, "rate %g: must be from 0 to below 1", node->attr.rate);
    if (!shape_equal(node->in[1]->shape, labels)) return rule_error(node, diag, "its second input is no label");
    return rule_set_shape(node, diag, in.c, in.h, in.w);
}

RULE_NO_PARAMS(drop)
RULE_NO_COST(drop)

void drop_reference(const Node *node, const double *const *in, double *out, const TensorData *weights, int threads) {
    (void)weights, (void)threads;
    const double rate = node->attr.rate;
    const int64_t size = shape_size(node->in[0]->shape);
    for (int64_t i = 0; i < size; i += 4) {
        uint32_t word[4];
        rn_drop_words(word, (uint32_t)in[1][3], (uint32_t)node->attr.number, (uint32_t)(i / 4));
        for (int64_t k = i; k < i + 4 && k < size; k++)
            out[k] = word[k - i] >= rn_drop_limit(rate) ? in[0][k] / (1 - rate) : 0;
    }
}

bool drop_gradient(Gradients *g, const Node *node, Value *dy) {
    Node *made = gradients_node(g, node, "data", OP_DROP, (Value *[]){dy, node->in[1]}, 2);
    made->attr = node->attr;
    gradients_add(g, node->in[0], gradients_done(g, made));
    return true;
}
