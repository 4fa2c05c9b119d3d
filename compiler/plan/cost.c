/* Times by formula, from the numbers of the machine (machine.h).
 *
 * Multiplications and the fetching of weights overlap (the kernels, or the pieces that they are in, prefetch the next
 * weights), so the longer of the two counts, and a part of the shorter, the smaller the more time it has. Transforms
 * come on top.
 *
 * Threads divide the arithmetic, as far as there are parts to divide, and what comes from the caches; memory they
 * share.
 */
#include "cost.h"

#include <math.h>

#include "graph/ops.h"
#include "conv.h"
#include "fc.h"
#include "plain.h"
#include "strassen.h"

static const double MANY = 1e6;  /* parts that any number of threads divides evenly */
static const double BARRIER = 2; /* microseconds in which the runtime's threads meet at a step's end, about */
/* Of the kernels: columns that take as long as loading a panel of weights to registers, and as a sweep over it with too
 * few columns waits; the part of reading pixels again, for each panel, that multiplications do not hide. */
static const double FEW_COLUMNS = 0.5, NARROW = 0.3, PIXELS_SHOWN = 0.3;
static const double DIRECT_COLUMNS = 28; /* of a direct sum's tiles (conv.c), about */

static double kernel_flops(const Machine *m, double features, double pixels, double channels) {
    const double vectors = ceil(features / m->lanes) * m->lanes;
    return 2 * vectors * pixels * (channels + m->results);
}

/* How many times as long as its multiplications a GEMM of n columns takes: loading a panel counts. Registers hold 6
 * columns of a panel, on AVX2 3; kernels take them in equal sweeps, of which those of 2 have too few sums for the
 * additions not to wait for each other. */
static double of_columns(const Machine *m, double n) {
    const double sweeps = ceil(n / (m->lanes > 8 ? 6 : 3)), least = floor(n / sweeps);
    const double narrow = least <= 2 ? sweeps * (least + 1) - n : 0;
    return (n + FEW_COLUMNS + NARROW * narrow) / n;
}

static int threads_of(const Plan *plan) {
    return plan->options.threads > 1 ? plan->options.threads : 1;
}

double cost_barrier(const Plan *plan) {
    return threads_of(plan) > 1 ? BARRIER : 0;
}

/* How many times as fast so many equal parts run on the plan's threads. */
static double speedup(const Plan *plan, double parts) {
    return parts / ceil(parts / threads_of(plan));
}

/* Of so many bytes, those that do not stay in L2. */
static double beyond_l2(const Machine *m, double bytes) {
    return fmax(bytes - m->l2_size, 0);
}

/* Nanoseconds of multiplying and fetching side by side: the longer, and of the shorter the part `exposed` where both
 * are as long, less the more time the other leaves it. */
static double side_by_side(double compute, double memory, double exposed) {
    const double larger = fmax(compute, memory), ratio = larger > 0 ? fmin(compute, memory) / larger : 0;
    const double power = log(2) / log1p(fmax(exposed, 1e-3)); /* (1 + 1)^(1 / power) = 1 + exposed */
    return larger * pow(1 + pow(ratio, power), 1 / power);
}

/* Nanoseconds of all images on one thread to microseconds of one image; so many parts for arithmetic and transforms. */
static Cost of_one_image(const Plan *plan, Cost c, int images, double parts, double transform_parts, double exposed) {
    c.compute /= images * speedup(plan, parts), c.memory /= images;
    c.transforms /= images * speedup(plan, transform_parts);
    c.us = (side_by_side(c.compute, c.memory, exposed) + c.transforms) * 1e-3;
    return c;
}

/* Of the images that it reads and writes, what L2 does not hold. */
static double far_bytes(const Machine *m, const Node *node, int images) {
    return beyond_l2(m, 4.0 * images * ((double)shape_size(node->in[0]->shape) + (double)shape_size(node->out->shape)));
}

/* Far activations of a group: what direct sums read of them is fetched ahead. */
static double group_traffic(const Plan *plan, const Node *node, int images) {
    const Machine *m = plan->options.machine;
    return images > 1 ? far_bytes(m, node, images) / m->l3 / threads_of(plan) : 0;
}

/* Each image's results that L2 does not hold: written in bursts, a tile at a time. */
static double results_traffic(const Plan *plan, const Node *node, int images) {
    const Machine *m = plan->options.machine;
    return images * beyond_l2(m, 4.0 * (double)shape_size(node->out->shape)) / m->burst / threads_of(plan);
}

/* Bytes a nanosecond of all threads. */
static double memory_rate(const Plan *plan) {
    const Machine *m = plan->options.machine;
    return m->dram * fmin(threads_of(plan), m->cores);
}

/* Weights of `bytes`, fetched once from where the last run left them, and `again` times from the nearest cache that
 * holds them. */
static double weights_traffic(const Plan *plan, double bytes, double again) {
    const Machine *m = plan->options.machine;
    const double threads = threads_of(plan);
    const double nearest = bytes <= m->l2_size / 2 ? m->l2 * threads
                           : bytes <= m->l3_size   ? m->l3 * threads
                                                   : memory_rate(plan);
    const double first = plan->options.weights_stay ? m->l3 * threads : memory_rate(plan);
    return bytes / first + bytes * again / nearest;
}

/* Nanoseconds until the first line of a panel that comes from memory is there, which shows each time: by Little's law
 * those that a core waits for at once, over the rate at which they come. */
static double latency(const Plan *plan) {
    enum { LINES = 24 };
    return plan->options.weights_stay ? 0 : LINES * CACHE_LINE / plan->options.machine->dram;
}

Cost cost_fc(const Plan *plan, const Node *node, const Choice *choice, int images) {
    (void)choice;
    const Machine *m = plan->options.machine;
    const double weights = (double)node->features * (double)shape_size(node->in[0]->shape);
    const double bytes = (double)rn_dtype_size(fc_weight_type(node));
    const Cost c = {.compute = 2 * images * weights / m->flops, .memory = weights_traffic(plan, bytes * weights, 0)};
    return of_one_image(plan, c, images, ceil(node->features / (double)m->panel), 1, m->exposed);
}

/* Of a 1x1: each panel reads all pixels again, from farther away than L2 where they do not fit beside its weights. */
static double pixels_traffic(const Plan *plan, double features, double pixels, double depth) {
    const Machine *m = plan->options.machine;
    const double panel = m->panel, bytes = 4 * pixels * depth;
    if (bytes + 2 * 4 * panel * depth <= m->l2_size) return 0;
    return (ceil(features / panel) - 1) * bytes / m->l3 / threads_of(plan);
}

/* Packed weights of the terms from `first` on, without groups. */
static int64_t panels_bytes(const Node *node, int first) {
    int64_t bytes = 0;
    for (int i = first; i < node->nin; i++)
        bytes += 4 * tensor_size(node->term[i].weight) / node->features * round_up(node->features, VECTOR);
    return bytes;
}

/* The terms from `first` on. */
static Cost direct_terms(const Plan *plan, const Node *node, int first, int images) {
    const Machine *m = plan->options.machine;
    const Shape out = node_walked_shape(node);
    const double pixels = (double)out.h * out.w;
    const int group = grouped_channels(node);
    Cost c = {.us = 0};
    for (int i = first; i < node->nin; i++) {
        const Term *term = &node->term[i];
        const int channels = node->in[i]->shape.c;
        const double taps = term->window.r * term->window.s;
        /* grouped panels read their groups' channels, with zeros between; small groups have vector loops instead */
        const int panels = group ? 0 : node_merged_groups(node);
        const double depth = group ? group : panels ? channels / panels : channels;
        double flops = panels ? panels * kernel_flops(m, node->features / panels, pixels, taps * depth)
                              : kernel_flops(m, node->features, pixels, taps * depth);
        const double rows = panels ? panels * round_up(node->features / panels, VECTOR) : node->features;
        if (conv_has_short_sums(plan, node)) /* stored once, instead of what a kernel does beside its products */
            flops *= (taps * depth + 1) / (taps * depth + m->results);
        c.compute += images * flops / m->flops * of_columns(m, fmin(DIRECT_COLUMNS, pixels));
        c.memory += weights_traffic(plan, 4 * taps * depth * rows, images - 1);
        if (taps == 1) c.memory += images * pixels_traffic(plan, node->features, pixels, depth);
    }
    return c;
}

static double exposed(const Machine *m, const Node *node, int term) {
    if (term == node->nin) return 0;
    return node->term[term].window.r * node->term[term].window.s > 1 ? m->waiting : m->exposed;
}

Cost cost_direct(const Plan *plan, const Node *node, const Choice *choice, int images) {
    (void)choice;
    const Machine *m = plan->options.machine;
    Cost c = direct_terms(plan, node, 0, images);
    c.bytes = panels_bytes(node, 0);
    c.memory += group_traffic(plan, node, images);
    c.memory += results_traffic(plan, node, images);
    return of_one_image(plan, c, images, MANY, MANY, exposed(m, node, 0));
}

/* Vector operations, loads and stores of one tile's transform of one vector of channels: columns, then rows. */
static double input_operations(const WinogradPlan *w, const Filtering *rows, const Filtering *columns) {
    const int first = w->w.span, second = w->h.n; /* one-dimensional transforms */
    return first * (rows->input_operations + w->h.span + w->h.n) +
           second * (columns->input_operations + w->w.span + w->w.n);
}

/* Each result has a bias, an activation and a store; a max-pool makes fewer results, and has one maximum a pixel. What
 * it takes from an image instead of a tile is stored and loaded before. */
static double output_operations(const WinogradPlan *w, const Filtering *rows, const Filtering *columns,
                                const Epilogue *e) {
    const int first = w->w.n, second = w->h.m, pixels = w->h.m * w->w.m;
    const bool pool = e->pool == POOL_MAX && !w->pool_rows;
    const int results = pool ? pixels / (e->pool_window.r * e->pool_window.s) : pixels;
    return first * (rows->output_operations + w->h.n + w->h.m) + second * (columns->output_operations + w->w.n) +
           (pool ? pixels : 0) + 3 * results + (w->pool_image ? 4 * pixels : 0) + (w->pool_rows ? 3 * pixels : 0);
}

bool cost_tiles(TileCost *t, const Plan *plan, const Node *node, const Choice *choice, int images) {
    *t = (TileCost){.bytes = 0};
    if (!winograd_tiles(&t->w, plan, node, choice, images)) return false;
    const Filtering *rows = winograd_filtering(plan, node, choice, 0),
                    *columns = winograd_filtering(plan, node, choice, 1);
    t->input = input_operations(&t->w, rows, columns);
    t->output = output_operations(&t->w, rows, columns, &node->epilogue);
    t->bytes = 4 * (int64_t)winograd_products(&t->w) * t->w.channels * round_up(node->features, VECTOR);
    t->bytes += panels_bytes(node, 1);
    return true;
}

Cost cost_winograd(const Plan *plan, const Node *node, const Choice *choice, int images) {
    TileCost tiles;
    if (!cost_tiles(&tiles, plan, node, choice, images)) return (Cost){.us = INFINITY};
    return cost_block(plan, node, &tiles, choice->block);
}

/* Where V and M of a block are: what of them L2 does not hold is written to L3 and read from there. */
static double far_share(const Machine *m, double bytes) {
    return bytes > 0 ? beyond_l2(m, bytes) / bytes : 0;
}

Cost cost_block(const Plan *plan, const Node *node, const TileCost *t, int most) {
    const Machine *m = plan->options.machine;
    Cost c = {.bytes = t->bytes};
    const double C = t->w.channels, K = node->features, tiles = winograd_tile_count(&t->w);
    const double products = winograd_products(&t->w), block = fmin(most, winograd_largest_block(&t->w));
    const double blocks = t->w.pool_rows ? t->w.rows * ceil(t->w.columns / block) : ceil(tiles / block);
    const double panel = m->panel, panels = ceil(K / panel), calls = ceil(block / WINOGRAD_CALL);
    const bool shared = blocks == 1 && panels > 1; /* V is a step of its own */

    const double v = 4 * products * C, result = 4 * products * fmin(K, panel); /* bytes of a tile; of a panel's */
    const double far = far_share(m, block * (v + result));
    /* few columns use a panel of weights too briefly to hide its loads */
    const double columns = block / calls;
    c.compute = products * kernel_flops(m, K, tiles, C) / m->flops * of_columns(m, ceil(columns));
    c.compute += products * panels * (blocks * calls * m->call + latency(plan));
    c.compute += tiles * v * (panels - 1) * PIXELS_SHOWN * ((1 - far) / m->l2 + far / m->l3);
    c.memory = weights_traffic(plan, 4 * products * C * K, blocks - 1);
    c.transforms = tiles * (ceil(C / m->lanes) * t->input + ceil(K / m->lanes) * t->output) * m->vector_op;
    c.transforms += 2 * far * tiles * (v + 4 * products * K) / m->l3 + far_bytes(m, node, t->w.images) / m->burst;
    const double parts = t->w.pool_rows ? node->out->shape.h : blocks > 1 ? blocks : panels;
    c = of_one_image(plan, c, t->w.images, parts, parts, m->exposed);
    const Cost others = of_one_image(plan, direct_terms(plan, node, 1, t->w.images), t->w.images, MANY, MANY,
                                     exposed(m, node, 1)); /* a step of their own */
    c.us += others.us, c.compute += others.compute, c.memory += others.memory;
    c.us += cost_barrier(plan) * (shared + (node->nin > 1)) / t->w.images; /* of the steps before */
    return c;
}

/* Pairs of tiles one after another, and of each panel after panel: sums of pixels are made once for a pair, and read by
 * the products of every panel; panels of weights are read again for every pair. */
Cost cost_strassen(const Plan *plan, const Node *node, const Choice *choice, int images) {
    const Machine *m = plan->options.machine;
    const Shape out = node->out->shape;
    const double tile = choice->block, pairs = ceil(out.h * out.w / (2 * tile)), half = node->features / 2.0;
    const double panels = ceil(half / m->panel);
    double depth = 0, operations = 18 * half; /* sums of products: 9 loads, 5 additions, 4 stores for 4 quarters */
    double pixels = 0;                        /* bytes of an image */
    for (int i = 0; i < node->nin; i++) {
        const double channels = node->in[i]->shape.c / 2.0;
        depth += channels;
        /* sums of pixels: 4 loads, 4 stores, 4 subtractions; 3 stores of copies */
        operations += (strassen_is_flat(plan, node, i) ? 12 : 15) * channels;
        pixels += 4.0 * (double)shape_size(node->in[i]->shape);
    }
    Cost c = {.us = 0};
    for (int i = 0; i < node->nin; i++) c.bytes += strassen_term_bytes(node, i);
    const double operands = 4 * STRASSEN_PRODUCTS * tile * depth; /* bytes that the products of a pair read */
    const double far = far_share(m, operands + 4 * STRASSEN_PRODUCTS * depth * fmin(half, m->panel));
    c.compute =
        STRASSEN_PRODUCTS * images * pairs * kernel_flops(m, half, tile, depth) / m->flops * of_columns(m, tile);
    c.compute += STRASSEN_PRODUCTS * images * pairs * panels * node->nin * m->call;
    c.compute += images * pairs * operands * (panels - 1) * PIXELS_SHOWN * ((1 - far) / m->l2 + far / m->l3);
    c.memory = weights_traffic(plan, 4 * STRASSEN_PRODUCTS * depth * half, images * pairs - 1);
    c.memory += results_traffic(plan, node, images);
    c.transforms = images * pairs * tile / m->lanes * operations * m->vector_op;
    /* where an image is not in L2 the sums read it in bursts; a group's images never are */
    c.transforms += (images > 1 ? images * pixels : beyond_l2(m, pixels)) / m->burst;
    /* threads share a pair's panels, but each makes the sums of pixels */
    return of_one_image(plan, c, images, images * pairs * half / m->panel, images * pairs, m->exposed);
}
