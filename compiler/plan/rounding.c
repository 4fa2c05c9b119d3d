/* How large a layer's own error is, and what an output gets of it.
 *
 * A sum of n products is off by ERROR_OF_A_SUM sqrt(n) roundoffs, root mean square, relative: each of n roundings is
 * off by 0.4 roundoffs of what is summed so far (Higham and Mary 2019, "A new approach to probabilistic rounding error
 * analysis"). Winograd's method sums fewer products, but multiplies the error by its amplification
 * (rn_winograd_amplify): more at a tile's edges than in its middle, and more where pixels differ than where they are
 * alike. An output sees a layer through the windows of those between, which average its tile; the worst place of a tile
 * counts.
 */
#include <math.h>
#include <string.h>

#include "cost.h"
#include "error.h"
#include "winograd.h"

static const double ERROR_OF_A_SUM = 0.3, ROUNDOFF = 0x1p-24;
/* Predictions are for weights like those that the model was fitted to; the worst of 200 random networks took up so
 * much of what was predicted without it (docs/errors.md). */
static const double MARGIN = 2;
/* Of one level: C11 sums 2 products of norm 1, the other quarters 18; over 2 for the direct sum's. */
static const double STRASSEN_AMPLIFICATION = 3;

/* What the transforms' own rounding adds, relative, for each row of a tile beyond the first, and at most: pixels that
 * are alike lose little else. Measured (unit/winograd). */
static const double OF_A_ROW = 1.25 * 0x1p-24, OF_TRANSFORMS = 5 * 0x1p-24;

/* Squared amplification of the worst place, by rows or columns of outputs, of both kinds of input. */
typedef struct Peak {
    double rough, even;
} Peak;

double error_of_products(double products) {
    return ROUNDOFF * fmax(ERROR_OF_A_SUM * sqrt(products), 1);
}

double error_of_direct(const Node *node) {
    double products = 0;
    for (int i = 0; i < node->nin; i++) products += (double)tensor_size(node->term[i].weight) / node->features;
    return error_of_products(products);
}

/* A tile's profile, repeated and averaged by a normal window of variance `window`. */
static double peak_of(const double *profile, int m, double window) {
    double weights[RN_WINOGRAD_MAX] = {0}, all = 0, most = 0;
    if (!(window < m * m)) { /* a window over several tiles sees all places alike */
        for (int i = 0; i < m; i++) most += profile[i] / m;
        return most;
    }
    const int reach = (int)ceil(3 * sqrt(window));
    for (int i = -reach; i <= reach; i++) {
        const double weight = window > 0 ? exp(-0.5 * i * i / window) : 1;
        weights[((i % m) + m) % m] += weight, all += weight;
    }
    for (int at = 0; at < m; at++) {
        double sum = 0;
        for (int i = 0; i < m; i++) sum += weights[i] / all * profile[(at + i) % m];
        most = fmax(most, sum);
    }
    return most;
}

/* A node's, found once for each m. */
typedef struct Peaks {
    const Plan *plan;
    const Node *node;
    struct Known {
        bool known, there;
        Peak peak;
    } of[2][2][RN_WINOGRAD_MAX + 1]; /* by rows, columns; pixels as they are, side x side as one; m */
} Peaks;

static bool get_peak(Peaks *p, int dimension, const Choice *choice, Peak *peak) {
    const int m = dimension ? choice->m_w : choice->m_h;
    struct Known *known = &p->of[dimension][choice->side > 1][m];
    if (!known->known) {
        const Gain *gain = &p->plan->gains[p->node->id];
        const Filtering *t = winograd_filtering(p->plan, p->node, choice, dimension);
        const double window = dimension ? gain->window_w : gain->window_h;
        known->known = true;
        known->there = t;
        if (t) known->peak = (Peak){peak_of(t->rough, m, window), peak_of(t->even, m, window)};
    }
    *peak = known->peak;
    return known->there;
}

/* The mean square, relative, of the first term's error where an output sees it. */
static double first_error(Peaks *p, const Choice *choice) {
    const Node *n = p->node;
    const double direct = error_of_direct(n);
    if (choice->algorithm == ALG_STRASSEN) return direct * direct * STRASSEN_AMPLIFICATION * STRASSEN_AMPLIFICATION;
    if (choice->algorithm != ALG_WINOGRAD) return direct * direct;
    Peak h, w;
    if (!get_peak(p, 0, choice, &h) || !get_peak(p, 1, choice, &w)) return INFINITY;
    const int channels = choice->side > 1 ? choice->side * choice->side * WINOGRAD_DEEP_PIXEL : n->in[0]->shape.c;
    const double sum = error_of_products(channels), rough = p->plan->rough[n->in[0]->id];
    const int rows = choice->m_h > choice->m_w ? choice->m_h : choice->m_w;
    const double transforms = fmin(OF_A_ROW * (rows - 1), OF_TRANSFORMS);
    return sum * sum * rough * h.rough * w.rough +
           (sum * sum + transforms * transforms) * (1 - rough) * h.even * w.even;
}

static double added(Peaks *p, const Choice *choice) {
    const Gain *gain = &p->plan->gains[p->node->id];
    const double direct = error_of_direct(p->node), first = first_error(p, choice);
    const double others = choice->algorithm == ALG_STRASSEN ? first : direct * direct;
    const double scale = MARGIN * fmax(p->plan->options.error_scale, 1);
    return scale * scale * (gain->first * first + gain->others * others);
}

double error_added(const Plan *plan, const Node *node, const Choice *choice) {
    Peaks peaks = {.plan = plan, .node = node};
    return added(&peaks, choice);
}

void error_of_candidates(const Plan *plan, const Node *node, const Candidate *list, int count, double *sum) {
    Peaks peaks = {.plan = plan, .node = node};
    for (int i = 0; i < count; i++) sum[i] = added(&peaks, &list[i].choice);
}

double error_of_sum(const Plan *plan, const Node *node) {
    const Choice direct = {.algorithm = ALG_DIRECT};
    return node->term ? error_added(plan, node, &direct) : 0;
}
