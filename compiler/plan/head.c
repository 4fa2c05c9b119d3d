/* What an output's largest element makes of errors: the largest error over the largest element.
 *
 * The largest of N errors is taken as that of N normal numbers. The largest element is as small as one network of ten
 * has it, by the value's moments: channels' means are few draws, so that an output of one channel may happen to be all
 * small. Where an activation comes last, an element's error is divided by the larger of itself and that element:
 *
 *     max over x of |act'(x)| / max(|act(x)|, largest)
 *
 * A rectifier has 1 / largest. A sigmoid, whose elements stop at 1 however large x is, has more; how much depends on
 * how large x is, of which the moments know nothing.
 */
#include <math.h>

#include "graph/act.h"
#include "graph/ops.h"
#include "error.h"

static const double RARE = 0.1;         /* of networks have a smaller largest element */
static const double LOGITS = 3;         /* root mean square of what a sigmoid or the like gets at an output */
static const double SOFTMAX_LOGITS = 2; /* likewise, where classes compete: few are as large as the largest */
enum { DRAWS = 64, STEPS = 40, COMPETITORS = 2 };

static double below(double x) { /* of a normal distribution, what is less than x */
    return 0.5 * erfc(-x / sqrt(2));
}

/* What the largest of n normal numbers is less than in `share` of all cases. */
static double largest_of(double n, double share) {
    double low = -10, high = 10;
    const double wanted = pow(share, 1 / n);
    for (int i = 0; i < STEPS; i++) {
        const double middle = (low + high) / 2;
        *(below(middle) < wanted ? &low : &high) = middle;
    }
    return high;
}

/* Of the largest element, what one in ten is smaller than. A channel's largest follows from its mean, a draw of its
 * own; of a single pixel everything is. */
static double largest_element(Moments z, double channels, double pixels, Act act, ActNumbers numbers) {
    if (pixels == 1) z.between += z.within, z.within = 0;
    const double between = sqrt(z.between), reach = sqrt(z.within) * largest_of(pixels, 0.5);
    const double wanted = pow(RARE, 1 / channels);
    double low = 0, high = 0, size[DRAWS], share[DRAWS], all = 0;
    for (int i = 0; i < DRAWS; i++) {
        const double at = 5 * (2 * (i + 0.5) / DRAWS - 1), mean = z.mean + between * at;
        all += share[i] = exp(-0.5 * at * at);
        size[i] = fmax(fabs(act_apply(act, mean + reach, numbers)), fabs(act_apply(act, mean - reach, numbers)));
        high = fmax(high, size[i]);
    }
    for (int step = 0; step < STEPS; step++) {
        const double middle = (low + high) / 2;
        double less = 0;
        for (int i = 0; i < DRAWS; i++) less += size[i] <= middle ? share[i] / all : 0;
        *(less < wanted ? &low : &high) = middle;
    }
    return high;
}

/* The largest |act'(x)| / max(|act(x)|, largest) among the x that there are. */
static double steepest(Moments z, double elements, Act act, ActNumbers numbers, double largest) {
    const double size = sqrt(moments_square(z)), reach = size * largest_of(elements, 0.5), step = 1e-3 * size + 1e-30;
    double most = 0;
    for (int i = 0; i <= 4 * DRAWS; i++) {
        const double x = reach * ((double)i / (2 * DRAWS) - 1);
        const double rise = (act_apply(act, x + step, numbers) - act_apply(act, x - step, numbers)) / (2 * step);
        most = fmax(most, fabs(rise) / fmax(fmax(fabs(act_apply(act, x, numbers)), largest), 1e-30));
    }
    return most;
}

Head head_find(const Value *output) {
    Head head = {.value = output};
    const Node *n = output->producer;
    while (n && n->epilogue.act == ACT_NONE && !n->epilogue.addend && n->epilogue.pool != POOL_GLOBAL_AVG &&
           ((op_info(n->op)->flags & OPF_COPY) || n->op == OP_UPSAMPLE || n->op == OP_MAXPOOL))
        head.value = n->in[0], n = head.value->producer;
    if (!n) return head;
    const Epilogue *e = &n->epilogue;
    if (e->act != ACT_NONE && e->pool != POOL_GLOBAL_AVG) {
        head.fused = n;
        head.act = e->act, head.numbers = e->numbers;
    } else if (e->act == ACT_NONE && e->pool == POOL_NONE && (op_info(n->op)->flags & OPF_ACTIVATION)) {
        head.value = n->in[0];
        head.act = node_act(n), head.numbers = node_act_numbers(n);
    } else if (node_is_plain_softmax(n)) {
        head.value = n->in[0];
        head.softmax = true;
    }
    return head;
}

double head_sensitivity(const Head *head, const Value *output, Moments z) {
    const double size = sqrt(fmax(moments_square(z), 1e-30));
    const double channels = head->value->shape.c, pixels = (double)output->shape.h * output->shape.w;
    if (head->softmax) return SOFTMAX_LOGITS / size * largest_of(COMPETITORS * 2 * pixels, 0.5);
    const double elements = channels * pixels, largest_error = largest_of(2 * elements, 0.5);
    const double logits = head->act == ACT_NONE ? 1 : LOGITS / size; /* by how much the numbers are larger */
    z.mean *= logits, z.between *= logits * logits, z.within *= logits * logits;
    const double largest = largest_element(z, channels, pixels, head->act, head->numbers);
    return largest_error * logits * steepest(z, elements, head->act, head->numbers, largest);
}
