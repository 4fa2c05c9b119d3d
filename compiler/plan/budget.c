/* The choice among candidates: the least time within a budget of error, and of bytes of packed weights where one is
 * given.
 *
 * Layers' errors are taken as independent, so that their squares add up, each times what reaches the output of it
 * (error.h). Where the sum exceeds the tolerance, error gets a price, the lowest at which every layer's cheapest way
 * keeps the sum (a Lagrange multiplier: the least time for that error but for the last step). Where none does, errors
 * are as small as they can be.
 *
 * Bytes have a price beside it: the lowest that keeps --weights-limit, or for -Os the highest at which the network
 * takes at most a share longer than the fastest.
 */
#include "budget.h"

#include <math.h>

#include "algorithms.h"

static const double WORTH = 0.005; /* of a layer's time, for a smaller error */
static const double MOST_EXPONENT = 256;
/* A byte's price in microseconds, as exponents of 2: from nothing to more than any network takes. */
static const double LEAST_PRICE = -50, MOST_PRICE = 30;
enum { STEPS = 12, PRICE_STEPS = 24 };

typedef struct Prices {
    double error, byte; /* microseconds for a unit of added error, for a byte */
} Prices;

typedef struct Sum {
    double us, error;
    int64_t bytes;
} Sum;

/* Of what is chosen. Bytes are of layers that have something to choose. */
static Sum total(const Plan *plan) {
    Sum sum = {0};
    for (int i = 0; i < plan->graph->node_count; i++) {
        const Node *n = plan->graph->nodes[i];
        const Decision *d = &plan->decisions[i];
        sum.error += d->added[d->chosen];
        if (d->count > 1) sum.bytes += d->list[d->chosen].cost.bytes;
        sum.us +=
            d->count ? d->list[d->chosen].cost.us : algorithm_us(plan, n, &plan->choices[i], plan_images(plan, n));
    }
    sum.error = sqrt(sum.error);
    return sum;
}

/* Every layer's cheapest way. Returns the predicted error. */
static double choose_at(const Plan *plan, Prices price) {
    double error = 0;
    for (int i = 0; i < plan->graph->node_count; i++) {
        Decision *d = &plan->decisions[i];
        double least = INFINITY;
        for (int k = 0; k < d->count; k++) {
            const Cost *c = &d->list[k].cost;
            const double whole = c->us + price.error * d->added[k] + price.byte * (double)c->bytes;
            if (whole < least) least = whole, d->chosen = k;
        }
        error += d->added[d->chosen];
    }
    return sqrt(error);
}

/* Smaller errors that cost next to nothing, and where bytes have a price no bytes. */
static void spare_errors(const Plan *plan, double byte_price) {
    for (int i = 0; i < plan->graph->node_count; i++) {
        Decision *d = &plan->decisions[i];
        if (!d->count) continue;
        const Cost chosen = d->list[d->chosen].cost;
        for (int k = 0; k < d->count; k++) {
            const Cost *c = &d->list[k].cost;
            const bool near = c->us <= chosen.us * (1 + WORTH) && (byte_price <= 0 || c->bytes <= chosen.bytes);
            if (near && d->added[k] < d->added[d->chosen]) d->chosen = k;
        }
    }
}

/* The lowest price of error that keeps the tolerance. */
static Sum keep_error(const Plan *plan, double byte_price) {
    const double tolerance = plan->options.tolerance;
    if (choose_at(plan, (Prices){0, byte_price}) > tolerance && tolerance > 0) {
        double low = 0, high = 1; /* the price's exponents of 2 */
        while (high < MOST_EXPONENT && choose_at(plan, (Prices){exp2(high), byte_price}) > tolerance)
            low = high, high *= 2;
        for (int i = 0; i < STEPS; i++) {
            const double middle = (low + high) / 2;
            if (choose_at(plan, (Prices){exp2(middle), byte_price}) > tolerance)
                low = middle;
            else
                high = middle;
        }
        choose_at(plan, (Prices){exp2(high), byte_price});
    }
    if (tolerance > 0) spare_errors(plan, byte_price);
    return total(plan);
}

/* At a price many layers change at once. What is left goes to single ones: of time, up to `most_us`, to those first
 * that save the most bytes for it; of bytes, up to `most_bytes`, to those that save the most time. */
typedef struct Rest {
    bool bytes; /* are what is left */
    double most_us;
    int64_t most_bytes;
} Rest;

/* What a change saves for a unit of what it takes; 0: nothing, or more than there is. */
static double worth_of(const Rest *rest, const Sum *sum, const Cost *from, const Cost *to) {
    const double us = to->us - from->us, bytes = (double)(to->bytes - from->bytes);
    if (rest->bytes) return us < 0 && sum->bytes + bytes <= rest->most_bytes ? -us / fmax(bytes, 1e-9) : 0;
    return bytes < 0 && sum->us + us <= rest->most_us ? -bytes / fmax(us, 1e-9) : 0;
}

static Sum spend_rest(const Plan *plan, Sum sum, Rest rest) {
    const double tolerance = plan->options.tolerance,
                 most_error = tolerance > 0 ? fmax(tolerance, sum.error) : INFINITY;
    for (;;) {
        Decision *best = NULL;
        int way = 0;
        double most = 0;
        for (int i = 0; i < plan->graph->node_count; i++) {
            Decision *d = &plan->decisions[i];
            for (int k = 0; k < d->count && d->count > 1; k++) {
                const double error = sum.error * sum.error + d->added[k] - d->added[d->chosen];
                if (error > most_error * most_error) continue;
                const double worth = worth_of(&rest, &sum, &d->list[d->chosen].cost, &d->list[k].cost);
                if (worth > most) most = worth, best = d, way = k;
            }
        }
        if (!best) return sum;
        best->chosen = way;
        sum = total(plan);
    }
}

/* The highest price of a byte at which the network takes at most a share longer than the fastest. */
static Sum spend_time(const Plan *plan, Sum fastest) {
    double low = LEAST_PRICE, high = MOST_PRICE;
    const double most = fastest.us * (1 + plan->options.time_share);
    for (int i = 0; i < PRICE_STEPS; i++) {
        const double middle = (low + high) / 2;
        *(keep_error(plan, exp2(middle)).us > most ? &high : &low) = middle;
    }
    return spend_rest(plan, keep_error(plan, exp2(low)), (Rest){.most_us = most});
}

/* The lowest price of a byte that keeps so many; where none does, the highest. */
static Sum keep_bytes(const Plan *plan, int64_t most) {
    double low = LEAST_PRICE, high = MOST_PRICE;
    for (int i = 0; i < PRICE_STEPS; i++) {
        const double middle = (low + high) / 2;
        *(keep_error(plan, exp2(middle)).bytes > most ? &low : &high) = middle;
    }
    return spend_rest(plan, keep_error(plan, exp2(high)), (Rest){.bytes = true, .most_bytes = most});
}

void plan_budget(Plan *plan) {
    const PlanOptions *o = &plan->options;
    const Sum fastest = keep_error(plan, 0);
    Sum sum = o->time_share > 0 ? spend_time(plan, fastest) : fastest;
    const int64_t most = o->weights_limit - o->other_bytes;
    if (o->weights_limit && o->other_known && sum.bytes > most) sum = keep_bytes(plan, most);
    plan->predicted_error = sum.error;
    plan->size = (SizeBudget){sum.bytes, fastest.bytes, sum.us, fastest.us > 0 ? sum.us / fastest.us - 1 : 0};
}
