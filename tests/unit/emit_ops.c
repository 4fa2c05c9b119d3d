/* The emitted loops of every layer that is no GEMM, against the interpreter: each case is a small graph whose last node
 * is emitted with the input's conversion before it and the output's after it, in several layouts (plain; with halos and
 * at a channel within larger pixels, as in a concatenation), run in one and in three parts. All cases of one
 * instruction set are one C file, compiled once with $CC, where every warning is an error. Memory that a layer may not
 * read is NaN, and memory that it may not write is checked.
 */
#include <dlfcn.h>
#include <unistd.h>
#include "emit/emit.h"
#include "emit/prelude.h"
#include "plan/algorithms.h"
#include "plan/plain.h"
#include "plan/step.h"
#include "rn.h"
#include "ir_run.h"

enum { VARIANTS = 2, MOST_STEPS = 8 };

/* %1 on are computed by the interpreter; W, B: an affine's; the tested node is the last. */
typedef struct Case {
    const char *shape, *text;
    bool special; /* the input has NaN, infinities and zeros too */
} Case;

#define AFFINE_PARAMS(c) "@0 = param " c " name scale\n@1 = param " c " name shift\n"
#define PRELU_PARAM(c) "@0 = param " c " name slope\n"

#define NONE ""
#define NUMBER(word) " " #word " 0.3"
#define NUMBERS(word, other) " " #word " -0.3 " #other " 0.4"
#define PER_CHANNEL " weight @2"
#define FORM(word) ""

static const Case cases[] = {
#define ACT(name, op, parameter, word, ...)                                                                            \
    {"17x3x4",                                                                                                         \
     AFFINE_PARAMS("17") "@2 = param 17 name slope\n%1 o = affine(%0) weight @0 bias @1 -> " #word parameter "\n",     \
     true},
#include "graph/act.def"
#undef ACT
    {"1x3x4", "%1 o = relu(%0)\n", true},
    {"3x5x9", "%1 o = relu6(%0)\n", true},
    {"3x5x9", "%1 o = clip(%0) low -0.5\n", true},
    {"17x3x4", "%1 o = clip(%0) high 0.25\n", true},
    {"17x3x4", "%1 o = leakyrelu(%0) slope 1\n", true},
    {"16x3x4", "%1 o = leakyrelu(%0) slope -0.1\n", true},
    {"33x3x4", "%1 o = sigmoid(%0)\n", true},
    {"24x3x4", "%1 o = tanh(%0)\n", true},
    {"5x3x4", "%1 o = swish(%0)\n", true},
    {"40x1x1", "%1 o = sigmoid(%0)\n", true},
    {"5x3x4", PRELU_PARAM("5") "%1 o = prelu(%0) weight @0\n", true},
    {"33x5x4", PRELU_PARAM("33") "%1 o = prelu(%0) weight @0\n", false},
    {"300x2x3", PRELU_PARAM("300") "%1 o = prelu(%0) weight @0\n", false},
    {"3x6x5", AFFINE_PARAMS("3") "%1 o = affine(%0) weight @0 bias @1\n", false},
    {"17x6x5", AFFINE_PARAMS("17") "%1 o = affine(%0) weight @0 bias @1 -> relu\n", false},
    {"24x1x5", AFFINE_PARAMS("24") "%1 o = affine(%0) weight @0 bias @1 + %0 -> tanh\n", false},
    {"200x4x1",
     AFFINE_PARAMS("200") "@2 = param 200 name slope\n%1 o = affine(%0) weight @0 bias @1 -> prelu weight @2\n", false},
    {"17x6x5", "%1 a = tanh(%0)\n%2 o = add(%0, %1)\n", false},
    {"64x6x5", "%1 a = tanh(%0)\n%2 o = add(%0, %1) + %0 -> leakyrelu slope 0.25\n", false},
    {"33x6x5", "%1 a = maxpool(%0) 2x2 /2\n%2 o = add(%0, %1) fill\n", false},
    {"5x6x4", "%1 a = pad(%0) channels 28\n%2 b = maxpool(%1) 3x3 /2\n%3 o = add(%0, %2) fill -> relu\n", false},
    {"16x4x4", "%1 a = pad(%0) channels 16\n%2 o = add(%1, %0) fill\n", false},
    {"35x3x4", "%1 a = sigmoid(%0)\n%2 o = mul(%0, %1)\n", false},
    {"35x3x4", "%1 a = avgpool(%0) global\n%2 o = mul(%0, %1)\n", false},
    {"24x5x4", "%1 a = maxpool(%0) global\n%2 o = mul(%0, %1) + %0 -> relu\n", false},
    {"256x3x4", "%1 a = avgpool(%0) global\n%2 o = mul(%0, %1)\n", false},
    {"3x12x13", "%1 o = maxpool(%0) 3x3 /2 pad 1\n", true},
    {"64x12x12", "%1 o = maxpool(%0) 3x3 /2 pad 1\n", true},
    {"17x9x7", "%1 o = maxpool(%0) 3x3 /2 ceil\n", false},
    {"17x10x8", "%1 o = maxpool(%0) 3x3 /2 pad 1 ceil\n", false},
    {"33x5x6", "%1 o = maxpool(%0) 3x3 pad 1\n", false},
    {"5x6x6", "%1 o = maxpool(%0) 2x2 /2\n", false},
    {"5x7x7", "%1 o = maxpool(%0) 1x1 /2\n", false},
    {"16x7x8", "%1 o = avgpool(%0) 1x1 /3x2\n", false},
    {"17x9x9", "%1 o = maxpool(%0) 5x5 pad 2\n", false},
    {"4x13x17", "%1 o = maxpool(%0) 13x13 pad 6\n", false},
    {"24x3x3", "%1 o = maxpool(%0) 5x5 /2 pad 2\n", false},
    {"24x11x12", "%1 o = maxpool(%0) 2x3 /3x1 pad 1,0,0,2\n", false},
    {"9x11x12", "%1 o = maxpool(%0) 3x2 pad 2 dilate 2x3\n", false},
    {"33x6x5", "%1 o = maxpool(%0) global\n", true},
    {"200x7x7", "%1 o = avgpool(%0) global\n", false},
    {"3x1x9", "%1 o = avgpool(%0) global\n", false},
    {"64x1x1", "%1 o = avgpool(%0) global\n", false},
    {"150x30x31", "%1 o = avgpool(%0) global\n", false},
    {"33x7x7", "%1 o = avgpool(%0) 7x7\n", false},
    {"16x8x8", "%1 o = avgpool(%0) 2x2 /2\n", false},
    {"35x8x9", "%1 o = avgpool(%0) 3x3 pad 1\n", false},
    {"35x8x9", "%1 o = avgpool(%0) 3x3 pad 1 count_include_pad\n", false},
    {"5x8x8", "%1 o = avgpool(%0) 3x3 /2 ceil count_include_pad\n", false},
    {"5x8x8", "%1 o = avgpool(%0) 3x3 /2 pad 1 ceil count_include_pad\n", false},
    {"5x8x10", "%1 o = avgpool(%0) 5x5 /3 pad 2 ceil\n", false},
    {"2x13x17", "%1 o = avgpool(%0) 13x13 pad 6\n", false},
    {"9x11x12", "%1 o = avgpool(%0) 3x2 pad 2 dilate 2x3 count_include_pad\n", false},
    {"9x11x12", "%1 o = avgpool(%0) 3x2 pad 2 dilate 2x3\n", false},
    {"64x4x3", "%1 o = lrn(%0) size 5 alpha 0.5 beta 0.75 k 1\n", false},
    {"19x4x3", "%1 o = lrn(%0) size 4 alpha 0.1 beta 0.5 k 2\n", false},
    {"35x2x3", "%1 o = lrn(%0) size 9 alpha 1 beta 0.9 k 0.5\n", false},
    {"3x2x3", "%1 o = lrn(%0) size 11 alpha 1 beta 1 k 1\n", false},
    {"1x2x3", "%1 o = lrn(%0) size 1 alpha 0.0001 beta 0.75 k 1\n", false},
    {"3x4x3", AFFINE_PARAMS("3") "%1 o = layernorm(%0) weight @0 bias @1 eps 1e-06\n", false},
    {"8x4x3", AFFINE_PARAMS("8") "%1 o = layernorm(%0) weight @0 bias @1 eps 1e-06\n", false},
    {"35x2x3", AFFINE_PARAMS("35") "%1 o = layernorm(%0) weight @0 bias @1 eps 1e-05 -> sigmoid\n", false},
    {"300x2x3", AFFINE_PARAMS("300") "%1 o = layernorm(%0) weight @0 bias @1 eps 1e-05 + %0 -> relu\n", false},
    {"12x4x3", "@0 = param 3 name b\n%1 o = interleave(%0) rows 2 columns 2 channels 3 height 8 width 6 + @0 -> relu\n",
     false},
    {"40x4x3",
     "@0 = param 20 name b\n%1 o = interleave(%0) rows 1 columns 2 channels 20 left 1 height 3 width 4 + @0 -> relu\n",
     true},
    {"60x3x3", "%1 o = interleave(%0) rows 3 columns 1 channels 2 top 2 height 6 width 2\n", false},
    {"36x3x1", "%1 o = interleave(%0) rows 2 columns 1 channels 1 top 1 height 1 width 1\n", false},
    {"35x4x4", "%1 o = interleave(%0) rows 1 columns 1 channels 35 top 1 left 1 height 2 width 2 -> tanh\n", false},
    {"35x3x4", "%1 g = slice(%0) channel 34 channels 1 height 3 width 4\n%2 o = mul(%0, %1)\n", false},
    {"35x3x4", "%1 g = slice(%0) channel 3 channels 1 height 3 width 4\n%2 o = add(%0, %1) -> relu\n", false},
    {"64x3x4", "%1 g = slice(%0) channel 3 channels 1 height 1 width 1\n%2 o = add(%0, %1)\n", false},
    {"5x3x4", "%1 g = slice(%0) channel 3 channels 1 height 1 width 1\n%2 o = mul(%0, %1) -> tanh\n", false},
    {"256x3x4", "%1 g = maxpool(%0) global\n%2 o = add(%0, %1)\n", false},
    {"40x5x4", "%1 a = slice(%0) channel 17 channels 20 height 5 width 4\n%2 o = tanh(%1)\n", false},
    {"40x5x4",
     "%1 a = slice(%0) channel 9 channels 21 height 5 width 4\n%2 b = slice(%1) channel 2 channels 3 height 5 "
     "width 4\n%3 o = tanh(%2)\n",
     false},
    {"40x5x4", "%1 o = slice(%0) channel 17 top 1 left 2 channels 20 height 3 width 2 -> relu\n", true},
    {"40x5x4", "%1 a = slice(%0) channel 8 channels 16 height 5 width 4\n%2 o = concat(%0, %1)\n", false},
    {"32x3x4", "%1 o = shuffle(%0) groups 2\n", true},
    {"96x3x4", "%1 o = shuffle(%0) groups 4 -> relu\n", false},
    {"40x3x4", "%1 o = shuffle(%0) groups 2 + %0 -> tanh\n", false},
    {"48x3x4", "%1 o = shuffle(%0) groups 3\n", false},
    {"64x3x4", "%1 o = shuffle(%0) groups 16\n", false},
    {"7x3x4", "%1 o = shuffle(%0) groups 7\n", false},
    {"3x6x8", "%1 o = phases(%0) rows 2 columns 2 channels 3\n", true},
    {"40x6x8", "%1 o = phases(%0) rows 3 columns 2 channels 40 -> relu\n", false},
    {"16x10x10", "%1 o = phases(%0) rows 5 columns 5 channels 16\n", false},
    {"6x6x8", "%1 o = phases(%0) rows 2 columns 4 channels 1\n", false},
    {"24x6x8", "%1 o = phases(%0) rows 2 columns 1 channels 8 -> tanh\n", false},
    {"6x4x8", "%1 a = reshape(%0) channels 12 height 8 width 2\n%2 o = relu(%1)\n", false},
    {"20x1x1", "%1 a = reshape(%0) channels 1 height 4 width 5\n%2 o = relu(%1)\n", false},
    {"6x4x5", "%1 a = reshape(%0) channels 120 height 1 width 1\n%2 o = relu(%1)\n", false},
    {"6x4x5", "%1 o = reshape(%0) channels 4 height 6 width 5\n", false},
    {"3x4x3", AFFINE_PARAMS("3") "%1 o = responsenorm(%0) weight @0 bias @1 eps 1e-06\n", false},
    {"35x5x4", AFFINE_PARAMS("35") "%1 o = responsenorm(%0) weight @0 bias @1 eps 1e-06 + %0\n", false},
    {"150x3x4", AFFINE_PARAMS("150") "%1 o = responsenorm(%0) weight @0 bias @1 eps 1e-06 -> relu\n", false},
    {"256x1x1", AFFINE_PARAMS("256") "%1 o = responsenorm(%0) weight @0 bias @1 eps 1e-06\n", false},
    {"35x5x4", AFFINE_PARAMS("35") "%1 o = groupnorm(%0) weight @0 bias @1 groups 7 eps 1e-05 -> relu\n", false},
    {"35x5x4", AFFINE_PARAMS("35") "%1 o = groupnorm(%0) weight @0 bias @1 groups 35 eps 1e-05 + %0\n", false},
    {"64x3x4", AFFINE_PARAMS("64") "%1 o = groupnorm(%0) weight @0 bias @1 groups 32 eps 1e-05\n", false},
    {"44x3x4", AFFINE_PARAMS("44") "%1 o = groupnorm(%0) weight @0 bias @1 groups 2 eps 1e-05\n", false},
    {"27x3x4", AFFINE_PARAMS("27") "%1 o = groupnorm(%0) weight @0 bias @1 groups 3 eps 1e-05\n", false},
    {"3x30x31", AFFINE_PARAMS("3") "%1 o = groupnorm(%0) weight @0 bias @1 groups 1 eps 1e-05\n", false},
    {"19x5x4", "%1 o = resize(%0) height 10 width 8 bilinear -> relu\n", false},
    {"19x5x4", "%1 o = resize(%0) height 3 width 7 bilinear align_corners\n", false},
    {"3x5x4", "%1 o = resize(%0) height 1 width 9 bilinear asymmetric\n", false},
    {"35x5x4", "%1 o = resize(%0) height 5 width 9 bilinear\n", false},
    {"35x5x4", "%1 o = resize(%0) height 9 width 4 bilinear\n", false},
    {"17x5x4", "%1 o = resize(%0) height 7 width 3\n", true},
    {"8x5x4", "%1 o = resize(%0) height 7 width 9 asymmetric\n", true},
    {"8x5x1", "%1 o = resize(%0) height 7 width 9 align_corners\n", true},
    {"16x9x8", "%1 o = spp(%0) levels 4,2,1\n", true},
    {"35x7x7", "%1 o = spp(%0) levels 7,3,2,1\n", false},
    {"5x4x4", "%1 o = spp(%0) levels 1\n", false},
    {"3x5x4", "%1 o = pad(%0) top 1 left 2 bottom 0 right 3\n", false},
    {"17x5x4", "%1 o = pad(%0) channels 23\n", false},
    {"16x1x1", "%1 o = pad(%0) top 1 left 1 bottom 1 right 1 channels 16\n", false},
    {"1000x1x1", "%1 o = softmax(%0)\n", false},
    {"10x3x4", "%1 o = softmax(%0)\n", false},
    {"3x1x1", "%1 o = softmax(%0)\n", true},
    {"3x4x5", "%1 a = leakyrelu(%0) slope 1000\n%2 o = softmax(%1)\n", false},
    {"19x3x4", "%1 o = softmax(%0) log\n", false},
    {"1x5x4", "%1 o = softmax(%0) pixels\n", false},
    {"37x3x4", "%1 o = softmax(%0) pixels\n", false},
    {"32x1x1", "%1 o = softmax(%0) branches 2\n", false},
    {"57x3x4", "%1 o = softmax(%0) branches 3\n", false},
    {"3x5x4", "%1 o = pad(%0) top 4 left 2 bottom 1 right 3 reflect\n", false},
    {"17x5x4", "%1 o = pad(%0) top 1 right 5 edge\n", true},
    {"17x5x4", "%1 o = pad(%0) top 1 left 1 channels 3 value -0.5\n", false},
    {"17x6x5", AFFINE_PARAMS("17") "%1 o = quantize(%0) weight @0 bias @1 low -3 high 3\n", false},
    {"40x1x5", AFFINE_PARAMS("40") "%1 o = quantize(%0) weight @0 bias @1 low 0 high 255 + %0 -> relu\n", false},
    {"17x3x4", "%1 o = upsample(%0) factor 2\n", false},
    {"3x1x2", "%1 o = upsample(%0) factor 3\n", false},
    {"3x4x5", "%1 o = flatten(%0)\n", false},
    {"17x3x9", "%1 o = flatten(%0)\n", false},
    {"40x1x1", "%1 o = flatten(%0)\n", false},
    {"17x3x9", "%1 o = dropout(%0) rate 0.5\n", false},
    {"5x3x9", "%1 a = tanh(%0)\n%2 o = concat(%0, %1, %0)\n", false},
    {"32x3x3", "%1 a = tanh(%0)\n%2 o = concat(%1, %0)\n", false},
    {"24x9x8",
     "@0 = param 24x1x3x3 name w\n@1 = param 24 name b\n%1 o = conv(%0 * @0 3x3 pad 1 groups 24) + @1 -> relu\n",
     false},
    {"17x9x8", "@0 = param 17x1x3x3 name w\n%1 o = conv(%0 * @0 3x3 /2 pad 1 groups 17)\n", false},
    {"64x6x6",
     "@0 = param 64x1x3x3 name w\n@1 = param 64 name slope\n"
     "%1 o = conv(%0 * @0 3x3 pad 1 groups 64) + %0 -> prelu weight @1\n",
     false},
    {"5x9x8", "@0 = param 5x1x5x5 name w\n%1 o = conv(%0 * @0 5x5 pad 2 groups 5) -> swish\n", false},
    {"20x9x8", "@0 = param 20x1x7x7 name w\n%1 o = conv(%0 * @0 7x7 /2 pad 3 groups 20)\n", false},
    {"20x9x8", "@0 = param 20x1x3x2 name w\n%1 o = conv(%0 * @0 3x2 pad 2 dilate 2x3 groups 20)\n", false},
    {"33x9x8",
     "@0 = param 33x1x3x3 name w\n%1 a = maxpool(%0) 2x2\n"
     "%2 o = conv(%0 * @0 3x3 pad 1 groups 33) + %1 partial -> relu\n",
     false},
    {"18x4x4", "@0 = param 18x1x3x3 name w\n%1 o = conv(%0 * @0 3x3 /2 pad 1 groups 18) + %0 stride 2\n", false},
    {"4x3x3", "@0 = param 4x1x3x3 name w\n%1 o = conv(%0 * @0 3x3 groups 4)\n", false},
    {"22x5x9", "@0 = param 22x2x3x3 name w\n%1 o = conv(%0 * @0 3x3 /2 pad 1 groups 11) -> relu\n", false},
    {"36x4x7", "@0 = param 36x4x1x5 name w\n%1 o = conv(%0 * @0 1x5 pad 0,4,0,4 dilate 1x2 groups 9) + %0\n", false},
    {"40x6x8",
     "@0 = param 40x8x1x3 name w\n%1 a = slice(%0) channel 0 channels 36 height 6 width 8\n"
     "%2 o = conv(%0 * @0 1x3 pad 0,1,0,1 groups 5) + %1 partial -> relu\n",
     false},
};
enum { CASES = sizeof cases / sizeof *cases };

/* ---- one case in one layout ---- */

typedef struct Memory { /* a value's buffer: its pixels, in larger pixels and rows, guards at both ends */
    float *start;
    int64_t size, offset; /* floats; of element (0, 0, 0) */
} Memory;

typedef struct Run {
    const Case *test;
    int variant;
    IrRun ir;
    Arena arena;
    Plan plan;
    Memory *memory;   /* by value id */
    float *planar[2]; /* the image, the result */
    float *weight, *bias, *slope;
    float *between;        /* what a step of the layer leaves to the next one */
    int step_count, first; /* tasks: the input's conversion, the layer's own, the output's */
    Step step[MOST_STEPS];
} Run;

static uint64_t seed = 1;

static int random_below(int n) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (int)((seed >> 33) % (unsigned)n);
}

static void choose_layout(Run *run, const Value *v, const Node *last) {
    ValuePlan *p = &run->plan.values[v->id];
    Layout *l = &p->layout;
    const int c = v->shape.c;
    if (run->variant == 0) {
        p->root = v;
        l->pixel = c < 16 ? round_up(c, 4) : round_up(c, 16) + 16;
    } else { /* another value's channels on both sides */
        static Value other;
        p->root = &other;
        p->channel = random_below(20);
        l->pixel = p->channel + c + random_below(20);
        l->top = random_below(3), l->left = random_below(3), l->bottom = random_below(3), l->right = random_below(3);
    }
    if (last->op == OP_CONV && v == last->in[0]) { /* what the plan promises to a padded convolution */
        const Window *w = &last->term[0].window;
        const int least[4] = {w->top, w->left, w->bottom, w->right};
        int *const halo[4] = {&l->top, &l->left, &l->bottom, &l->right};
        for (int i = 0; i < 4; i++)
            if (*halo[i] < least[i]) *halo[i] = least[i];
    }
    l->row = (l->left + v->shape.w + l->right) * l->pixel;
    Memory *m = &run->memory[v->id];
    m->offset = 64 + (int64_t)l->top * l->row + (int64_t)l->left * l->pixel + p->channel;
    m->size = 128 + (int64_t)(l->top + v->shape.h + l->bottom) * l->row;
    m->start = malloc(sizeof(float) * (size_t)m->size);
    for (int64_t i = 0; i < m->size; i++) m->start[i] = NAN;
}

static float *element(const Run *run, const Value *v, int c, int y, int x) {
    const Layout *l = &run->plan.values[v->id].layout;
    return run->memory[v->id].start + run->memory[v->id].offset + (int64_t)y * l->row + (int64_t)x * l->pixel + c;
}

/* The value and zeros in its halo. */
static void fill(const Run *run, const Value *v) {
    const Layout *l = &run->plan.values[v->id].layout;
    for (int c = 0; c < v->shape.c; c++)
        for (int y = -l->top; y < v->shape.h + l->bottom; y++)
            for (int x = -l->left; x < v->shape.w + l->right; x++) {
                const bool inside = y >= 0 && y < v->shape.h && x >= 0 && x < v->shape.w;
                const int64_t at = ((int64_t)c * v->shape.h + y) * v->shape.w + x;
                *element(run, v, c, y, x) = inside ? (float)run->ir.values[v->id][at] : 0;
            }
}

static float *vector(const Run *run, const Tensor *t) { /* padded with NaN: lanes that are not there must not count */
    if (!t) return NULL;
    const int n = t->dim[0];
    float *v = malloc(sizeof(float) * (size_t)round_up(n, 16));
    for (int i = 0; i < round_up(n, 16); i++) v[i] = i < n ? run->ir.weights.data[t->id][i] : NAN;
    return v;
}

static float *grouped_weights(const Run *run, const Tensor *t) { /* as RN_PACK_GROUPED has them */
    const int C = t->dim[0], G = t->dim[1], R = t->dim[2], S = t->dim[3], width = round_up(C, 16);
    const float *from = run->ir.weights.data[t->id];
    float *w = malloc(sizeof(float) * (size_t)(width * G * R * S)), *to = w;
    for (int u = 0; u < width; u += 16)
        for (int r = 0; r < R; r++)
            for (int g = 0; g < G; g++)
                for (int s = 0; s < S; s++)
                    for (int c = u; c < u + 16; c++) *to++ = c < C ? from[((c * G + g) * R + r) * S + s] : NAN;
    return w;
}

static float special_value(int i) {
    static const float values[] = {0,     -0.0f, NAN, INFINITY, -INFINITY, 1e-30f, -1e-4f, 0.3f, 0.6249f, 0.6251f,
                                   -0.7f, 8,     -20, 87,       90,        -87,    -90,    -110, 1e20f,   -1e20f};
    return values[i % (int)(sizeof values / sizeof *values)];
}

/* The input's conversion, the layer's own steps, the output's; those that are no code are left out. */
static void prepare_steps(Run *run, const Node *last) {
    Plan *plan = &run->plan;
    const Epilogue *e = &last->epilogue;
    input_step(plan);
    if (op_info(last->op)->flags & OPF_COPY) last->out->home = last->out; /* so that it is no alias */
    plan->choices[last->id].algorithm = algorithm_of(plan, last);
    algorithm_info(plan->choices[last->id].algorithm)->steps(plan, last);
    output_steps(plan, last->out);
    CU_ASSERT_FATAL(plan->temporary_count <= 1);
    if (plan->temporary_count) run->between = malloc((size_t)plan->temporaries[0]);
    for (int i = 0; i < plan->step_count; i++)
        if (step_is_call(&plan->steps[i])) run->step[run->step_count++] = plan->steps[i];
    const bool affine = last->weight[BIAS]; /* or a norm that ends like one */
    run->weight = last->op == OP_CONV ? grouped_weights(run, last->term[0].weight)
                                      : vector(run, affine ? last->weight[WEIGHT] : NULL);
    run->bias = vector(run, affine ? last->weight[BIAS] : e->bias);
    run->slope = vector(run, last->op == OP_PRELU ? last->weight[WEIGHT] : e->prelu);
}

static void open_run(Run *run, const Case *test, int variant) {
    *run = (Run){.test = test, .variant = variant};
    char text[1024];
    const int nodes = strstr(test->text, "%3") ? 3 : strstr(test->text, "%2 ") ? 2 : 1;
    snprintf(text, sizeof text, "network test\ninput %%0 %s image\n%soutput %%%d\n", test->shape, test->text, nodes);
    ir_run_open(&run->ir, text);
    Graph *g = run->ir.graph;
    const Node *last = g->nodes[g->node_count - 1];
    const int64_t size = shape_size(g->input->shape);
    run->planar[0] = malloc(sizeof(float) * (size_t)size);
    run->planar[1] = malloc(sizeof(float) * (size_t)shape_size(last->out->shape));
    for (int64_t i = 0; i < size; i++) run->planar[0][i] = 4 * ir_run_random(&run->ir.seed);
    for (int64_t i = 0; test->special && i < size; i += 1 + random_below(3)) run->planar[0][i] = special_value((int)i);
    ir_run(&run->ir, run->planar[0], 1);
    run->plan = (Plan){.graph = g,
                       .arena = &run->arena,
                       .values = calloc((size_t)g->value_count, sizeof(ValuePlan)),
                       .choices = arena_alloc(&run->arena, (size_t)g->node_count * sizeof(Choice))};
    run->memory = calloc((size_t)g->value_count, sizeof(Memory));
    for (int i = 0; i < g->value_count; i++) choose_layout(run, g->values[i], last);
    prepare_steps(run, last);
}

static void close_run(Run *run) {
    for (int i = 0; i < run->ir.graph->value_count; i++) free(run->memory[i].start);
    free(run->memory), free(run->plan.values), free(run->planar[0]), free(run->planar[1]);
    free(run->weight), free(run->bias), free(run->slope), free(run->between);
    arena_free(&run->arena);
    ir_run_close(&run->ir);
}

/* ---- the C file ---- */

struct args { /* as emit.h says */
    const void *k;
    const float *x, *x1, *x2, *x3, *w, *w1, *w2, *w3, *bias, *slope, *addend;
    float *y, *scratch;
};
typedef void (*Task)(void *arg, int part, int parts);

static void emit_file(Run *runs, int count, int lanes, Text *file) {
    Arena arena = {0};
    Emit e = {.arena = &arena, .lanes = lanes, .isa = lanes == 16 ? RN_ISA_X86_64_V4 : RN_ISA_X86_64_V3, .suffix = ""};
    Text table = {0};
    for (int i = 0, number = 0; i < count; i++) {
        runs[i].first = number;
        e.plan = &runs[i].plan;
        for (int k = 0; k < runs[i].step_count; k++, number++) {
            Text body = {0};
            text_puts(&body, "    const struct args *a = arg;\n");
            emit_task_body(&e, &runs[i].step[k], &body);
            text_printf(
                &table, "    %s,\n",
                emit_function(&e, "task", runs[i].test->shape, "void", "void *arg, int part, int parts", body.s));
            text_free(&body);
        }
    }
    e.target.isa[0] = e.isa;
    Text code = {0};
    text_puts(&code, "struct args {\n    const void *k;\n    const float *x, *x1, *x2, *x3, *w, *w1, *w2, *w3, *bias, "
                     "*slope, *addend;\n"
                     "    float *y, *scratch;\n};\n\n");
    text_write(&code, e.functions.s, e.functions.size);
    text_printf(&code,
                "extern void (*const tasks[])(void *, int, int);\nvoid (*const tasks[])(void *, int, int) = {\n%s};\n",
                table.s);
    const Items prelude = prelude_for(&e, &code);
    emit_includes(&e, file);
    emit_prelude(&e, &prelude, file);
    text_write(file, code.s, code.size);
    text_free(&code);
    text_free(&table);
    text_free(&e.functions);
    arena_free(&arena);
}

/* ---- running and checking ---- */

static float *room(const Run *run, const Operand *o) {
    if (o->room == ROOM_IMAGE) return run->planar[0];
    if (o->room == ROOM_RESULT) return run->planar[1];
    if (o->room == ROOM_TEMPORARY) return run->between;
    return element(run, o->value, 0, 0, 0) + o->offset / (int64_t)sizeof(float);
}

static void run_step(const Run *run, const Step *s, Task task, int parts) {
    struct args args = {.w = run->weight, .bias = run->bias, .slope = run->slope};
    const float **const reads[OPERAND_COUNT] = {
        [OPERAND_X] = &args.x, [OPERAND_X1] = &args.x1, [OPERAND_ADDEND] = &args.addend};
    for (int i = 0; i < s->operand_count; i++) {
        const Operand *o = &s->operands[i];
        if (o->role == OPERAND_Y)
            args.y = room(run, o);
        else
            *reads[o->role] = room(run, o);
    }
    for (int part = 0; part < parts; part++) task(&args, part, parts);
}

static bool near(float got, double expected) {
    if (isnan(expected)) return isnan(got);
    if (fabs(expected) > 3.4e38) return isinf(got) && (got > 0) == (expected > 0); /* beyond a float */
    return fabs(got - expected) <= 3e-6 * fmax(1, fabs(expected));
}

/* The value is as the interpreter's, its halo zero, all else untouched. A whole pixel of the input's may be written. */
static bool check_value(const Run *run, const Value *v) {
    const Layout *l = &run->plan.values[v->id].layout;
    const Memory *m = &run->memory[v->id];
    bool *own = calloc((size_t)m->size, 1), good = true;
    for (int c = 0; c < v->shape.c; c++)
        for (int y = -l->top; y < v->shape.h + l->bottom; y++)
            for (int x = -l->left; x < v->shape.w + l->right; x++) {
                const bool inside = y >= 0 && y < v->shape.h && x >= 0 && x < v->shape.w;
                const float *at = element(run, v, c, y, x);
                const double expected =
                    inside ? run->ir.values[v->id][((int64_t)c * v->shape.h + y) * v->shape.w + x] : 0;
                own[at - m->start] = true;
                if (good && !near(*at, expected)) {
                    fprintf(stderr, "%s %s: (%d,%d,%d) is %g instead of %g\n", run->test->shape, run->test->text, c, y,
                            x, *at, expected);
                    good = false;
                }
            }
    const bool spare = v == run->ir.graph->input && run->variant == 0;
    for (int64_t i = 0; i < m->size; i++)
        if (good && !own[i] && !isnan(m->start[i]) && !(spare && m->start[i] == 0 && i >= 64 && i < m->size - 64)) {
            fprintf(stderr, "%s %s: float %lld beyond the value is written\n", run->test->shape, run->test->text,
                    (long long)i);
            good = false;
        }
    free(own);
    return good;
}

static void run_case(Run *run, const Task *tasks) {
    const Graph *g = run->ir.graph;
    const Value *out = g->nodes[g->node_count - 1]->out;
    const int parts = run->variant ? 3 : 1;
    run_step(run, &run->step[0], tasks[run->first], parts);
    CU_ASSERT_TRUE(check_value(run, g->input));
    for (int i = 0; i < g->value_count; i++)
        if (g->values[i] != out) fill(run, g->values[i]);
    for (int k = 1; k < run->step_count - 1; k++) run_step(run, &run->step[k], tasks[run->first + k], parts);
    CU_ASSERT_TRUE(check_value(run, out));
    run_step(run, &run->step[run->step_count - 1], tasks[run->first + run->step_count - 1], parts);
    bool same = true;
    for (int64_t i = 0; i < shape_size(out->shape); i++) same &= near(run->planar[1][i], run->ir.values[out->id][i]);
    CU_ASSERT_TRUE(same);
}

static void test_isa(int lanes, bool can_run) {
    static Run runs[CASES * VARIANTS];
    seed = 1;
    for (int i = 0; i < CASES * VARIANTS; i++) open_run(&runs[i], &cases[i / VARIANTS], i % VARIANTS);
    Text file = {0};
    emit_file(runs, CASES * VARIANTS, lanes, &file);
    char folder[] = "/tmp/rn-emit-XXXXXX", source[64], object[64], command[512];
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(folder));
    snprintf(source, sizeof source, "%s/ops.c", folder);
    snprintf(object, sizeof object, "%s/ops.so", folder);
    CU_ASSERT_TRUE_FATAL(file_write(source, file.s, file.size));
    text_free(&file);
    const char *cc = getenv("CC");
    snprintf(command, sizeof command, "%s -std=c11 -O0 -Wall -Wextra -pedantic -Werror -shared -fPIC -o %s %s",
             cc && *cc ? cc : "cc", object, source);
    CU_ASSERT_EQUAL_FATAL(system(command), 0);
    if (can_run) {
        void *library = dlopen(object, RTLD_NOW);
        CU_ASSERT_PTR_NOT_NULL_FATAL(library);
        const Task *tasks = dlsym(library, "tasks");
        CU_ASSERT_PTR_NOT_NULL_FATAL(tasks);
        for (int i = 0; i < CASES * VARIANTS; i++) run_case(&runs[i], tasks);
        dlclose(library);
    }
    for (int i = 0; i < CASES * VARIANTS; i++) close_run(&runs[i]);
    if (!getenv("KEEP")) unlink(source), unlink(object), rmdir(folder);
}

static void test_avx2(void) {
    test_isa(8, __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"));
}

static void test_avx512(void) {
    test_isa(16, __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
                     __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw"));
}

void suite_emit_ops(void) {
    CU_pSuite suite = CU_add_suite("emit_ops", NULL, NULL);
    CU_add_test(suite, "AVX2 loops agree with the interpreter", test_avx2);
    CU_add_test(suite, "AVX-512 loops agree with the interpreter", test_avx512);
}
