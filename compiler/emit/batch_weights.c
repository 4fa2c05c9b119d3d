/* The gradient of a convolution's weights in training: GEMMs over rows of pixels, or by Winograd's method, as the
 * adjoint of the forward pass: with V = B^T x B of a tile and Z = A dY A^T of its results' gradient, M = sum over tiles
 * of Z V^T, product by product, and dW = G^T M G.
 */
#include "batch_conv.h"

#include <string.h>

#include "describe.h"
#include "plan/step.h"

/* ---- the gradient of the weights ---- */
/* m x n GEMMs of panels: out[c][k] += sum over pixels of dy[pixel][k] * x[pixel][c]; `depth` pixels. The loops over
 * panels of both; `to` and `from`s get "+ o" and "+ i". */
static void weight_panels(Emit *e, int in, int out, Gemm gemm, const char *call, int depth, Text *body) {
    PanelRun outs[2], ins[2];
    const int out_runs = panel_runs(out, outs), in_runs = panel_runs(in, ins);
    for (int i = 0; i < out_runs * in_runs; i++) {
        const PanelRun *o = &outs[i / in_runs], *c = &ins[i % in_runs];
        gemm.m = o->width, gemm.n = c->width;
        const int kernel = emit_kernel(e, strstr(call, "count") ? KERNEL_REDUCES : KERNEL_PLAIN, &gemm);
        open_panels("o", o, depth, "", body);
        open_panels("i", c, depth + 1, "", body);
        line(body, depth + 2, "k[%s].%s", emit_kernel_index(e, kernel), call);
    }
}

static void emit_weights_winograd(Emit *e, const Step *s, const BatchConv *c, Text *body) {
    const ValuePlan *y = plan_value(e->plan, s->in[1]);
    const int in = c->in_channels, out = c->out_channels, lda = batch_lda(out), n = c->f.n;
    line(body, 2, "for (int n0 = first; n0 < last; n0 += %d)", c->images);
    line(body, 2, "for (int t0 = 0; t0 < %d; t0 += %d) {", c->rows, c->tile_rows);
    line(body, 2, "const int rows = t0 + %d < %d ? %d : %d - t0;", c->tile_rows, c->rows, c->tile_rows, c->rows);
    /* what is not there counts nothing */
    line(body, 2, "if (n0 + %d > last || rows < %d) {", c->images, c->tile_rows);
    line(body, 3, "memset(v, 0, sizeof(float) * %lld);", (long long)n * n * c->v_product);
    line(body, 3, "memset(z, 0, sizeof(float) * %lld);", (long long)n * n * c->m_product);
    line(body, 2, "}");
    open_block_images(c, "last", body);
    fill_v(e, c, c->source, body);
    line(body, 3, "%s(a, n, t0, rows, z + (size_t)tile * %d);", tile_gradients(e, c, c->gradient, &y->layout), lda);
    line(body, 2, "}");
    const Gemm gemm = {
        .k = c->tiles, .lda = lda, .ldb = batch_lda(in), .ldc = lda, .accumulate = true, .transposed = true};
    line(body, 2, "for (int p = 0; p < %d; p++) {", n * n);
    weight_panels(
        e, in, out, gemm,
        arena_printf(e->arena,
                     "gemm(z + (size_t)p * %d + o, v + (size_t)p * %d + i, to + (size_t)p * %lld + (size_t)i * "
                     "%d + o, NULL, NULL, NULL);",
                     c->m_product, c->v_product, (long long)c->matrix, lda),
        3, body);
    line(body, 2, "}");
    line(body, 2, "zeroupper();");
    line(body, 2, "}");
}

static void emit_weights_direct(Emit *e, const Step *s, const BatchConv *c, Text *body) {
    const ValuePlan *x = plan_value(e->plan, s->in[0]), *y = plan_value(e->plan, s->in[1]);
    const Sliding *sl = &c->sliding;
    const int in = c->in_channels, out = c->out_channels, lda = batch_lda(out);
    const int pixel = c->strip ? c->strip_pixel : x->layout.pixel, step_w = c->merged ? 1 : c->window.stride_w;
    const int row = (c->strip ? c->strip_w : c->x.w) * pixel;
    const bool joined = c->taps == 1 && !is_padded(sl) && c->window.stride_h == 1 && c->window.stride_w == 1;
    const int count = joined ? 1 : c->strip_rows;
    long long *x_at = arena_alloc(e->arena, sizeof *x_at * (size_t)count);
    long long *y_at = arena_alloc(e->arena, sizeof *y_at * (size_t)count);
    for (int r = 0; r < count; r++) x_at[r] = 4LL * r * c->window.stride_h * row, y_at[r] = 4LL * r * y->layout.row;
    if (!c->depthwise) {
        line(body, 2, "static const unsigned long long count = %d;", count);
        batch_offsets(body, 2, "x_at", count, x_at);
        batch_offsets(body, 2, "y_at", count, y_at);
    }
    line(body, 2, "for (int n = first; n < last; n++)");
    line(body, 2, "for (int r0 = 0; r0 < %d; r0 += %d) {", c->y.h, c->strip_rows);
    source_image(e, c, sl, body);
    if (reader_is_stored(c->gradient))
        line(body, 2, "const float *y = %s + r0 * %d;",
             batch_image(e, arena_printf(e->arena, "x[%d]", c->gradient->entry[0].x), s->in[1]), y->layout.row);
    else
        line(body, 2, "%s(a, n, r0, %d, y);",
             strip_function(e, c->gradient, &(Strip){c->y, y->layout.pixel, 0, c->y.w, y->layout.pixel, 0}),
             c->strip_rows);
    if (c->depthwise) {
        emit_depthwise_weights(e, c, &y->layout, row, pixel, body);
        line(body, 2, "}");
        return;
    }
    if (c->groups > 1) line(body, 2, "for (int g = 0; g < %d; g++)", c->groups);
    line(body, 2, "for (int r = 0; r < %d; r++)", c->window.r);
    const int across = c->merged ? 1 : c->window.s;
    line(body, 3, "for (int q = 0; q < %d; q++) {", across);
    line(body, 4, "const float *at = x + (r * %d + q * %d%s);", c->window.dilate_h * row, c->window.dilate_w * pixel,
         c->groups > 1 ? arena_printf(e->arena, " + g * %d", in) : "");
    const char *group = c->groups > 1 ? arena_printf(e->arena, "g * %d + ", c->taps) : "";
    line(body, 4, "float *tap = to + (size_t)(%sr * %d + q) * %lld;", group, across, (long long)c->matrix);
    const Gemm gemm = {.k = joined ? c->y.h * c->y.w : c->y.w,
                       .lda = y->layout.pixel,
                       .ldb = step_w * pixel,
                       .ldc = lda,
                       .accumulate = true,
                       .transposed = true};
    weight_panels(e, in, out, gemm,
                  arena_printf(e->arena, "offs(y + %so, at + i, tap + (size_t)i * %d + o, &count, y_at, x_at);",
                               c->groups > 1 ? arena_printf(e->arena, "g * %d + ", out) : "", lda),
                  4, body);
    line(body, 3, "}");
    line(body, 2, "}");
    line(body, 2, "zeroupper();");
}

/* The panel from channel `name` on of some images' strips: "x" or "y". Images that are not there count nothing. */
static void copy_panel(Emit *e, const BatchConv *c, bool gradient, const char *panels, const char *name, int depth,
                       Text *body) {
    const Reader *r = gradient ? c->gradient : c->source;
    const Value *value = r->entry[r->root[0]].value;
    const PanelStrip *p = gradient ? &c->y_panel : &c->x_panel;
    const Sliding *sl = &c->sliding;
    const Strip strip = {value->shape,
                         plan_value(e->plan, value)->layout.pixel,
                         gradient ? 0 : sl->left,
                         gradient ? c->y.w : c->strip_w,
                         p->pixel,
                         p->pixel};
    const char *first = gradient ? "r0" : arena_printf(e->arena, "r0 * %d - %d", sl->in_step_h, sl->top);
    const char *to = arena_printf(e->arena, "%s%s", gradient ? "y" : "x", panels);
    if (c->images == 1) {
        line(body, depth, "%s(a, n0, %s, %d, %s, %s);", strip_function(e, r, &strip), first,
             gradient ? c->strip_rows : c->strip_h, name, to);
        return;
    }
    line(body, depth, "for (int n = n0; n < n0 + %d; n++)", c->images);
    line(body, depth + 1, "if (n < last)");
    line(body, depth + 2, "%s(a, n, %s, %d, %s, %s + (n - n0) * %lld);", strip_function(e, r, &strip), first,
         gradient ? c->strip_rows : c->strip_h, name, to, (long long)p->image);
    line(body, depth + 1, "else");
    line(body, depth + 2, "memset(%s + (n - n0) * %lld, 0, sizeof(float) * %lld);", to, (long long)p->image,
         (long long)p->image);
}

/* Of some images at a time: all panels of the side with fewer channels, then one after another of the other side, which
 * are multiplied with them. */
static void emit_weights_panels(Emit *e, const BatchConv *c, Text *body) {
    const bool y_outer = c->x.c <= c->y.c;
    const int panels = divide_up(y_outer ? c->y.c : c->x.c, PANEL), slabs = e->plan->training->slabs;
    const int shares = slabs / c->slabs < panels ? slabs / c->slabs : panels; /* of the panels, for as many threads */
    const char *all = batch_slabs(e, c->slabs);
    const char *units = shares > 1 ? arena_printf(e->arena, "%d * %s", shares, all) : all;
    line(body, 1, "for (int u = slab_at(%s, part, parts); u < slab_at(%s, part + 1, parts); u++) {", units, units);
    line(body, 2, "const int s = %s, first = slab_at(a->images, s, %s), last = slab_at(a->images, s + 1, %s);",
         shares > 1 ? arena_printf(e->arena, "u / %d", shares) : "u", all, all);
    if (shares > 1)
        line(body, 2, "const int begin = slab_at(%d, u %% %d, %d) * %d, end = slab_at(%d, u %% %d + 1, %d) * %d;",
             panels, shares, shares, PANEL, panels, shares, shares, PANEL);
    line(body, 2, "float *to = a->y + (size_t)s * %lld;", (long long)c->slab);
    line(body, 2, "for (size_t i = 0; %sfirst == last && i < %lld; i++) to[i] = 0;",
         shares > 1 ? arena_printf(e->arena, "u %% %d == 0 && ", shares) : "", (long long)c->slab);
    const PanelStrip *x = &c->x_panel, *y = &c->y_panel;
    const int in = c->in_channels, out = c->out_channels, lda = batch_lda(out);
    const int x_row = c->strip_w * x->pixel, y_row = c->y.w * y->pixel;
    const bool joined = c->taps == 1 && c->window.stride_h * c->window.stride_w == 1 && c->strip_w == c->y.w &&
                        c->strip_h == c->strip_rows;
    const int count = joined ? 1 : c->strip_rows * c->images;
    long long *x_at = arena_alloc(e->arena, sizeof *x_at * (size_t)count);
    long long *y_at = arena_alloc(e->arena, sizeof *y_at * (size_t)count);
    for (int i = 0; i < count; i++) {
        const int image = i / c->strip_rows, r = i % c->strip_rows;
        x_at[i] = 4LL * (image * x->image + r * c->window.stride_h * x_row);
        y_at[i] = 4LL * (image * y->image + r * y_row);
    }
    line(body, 2, "static const unsigned long long count = %d;", count);
    batch_offsets(body, 2, "x_at", count, x_at);
    batch_offsets(body, 2, "y_at", count, y_at);
    line(body, 2, "for (int n0 = first; n0 < last; n0 += %d)", c->images);
    line(body, 2, "for (int r0 = 0; r0 < %d; r0 += %d) {", c->y.h, c->strip_rows);
    line(body, 3, "const int begins = n0 == first%s;", c->strip_rows < c->y.h ? " && r0 == 0" : "");
    const char *outer = y_outer ? "o" : "i", *inner = y_outer ? "i" : "o";
    const char *inner_at =
        arena_printf(e->arena, " + %s / %d * %lld", inner, PANEL, (long long)(y_outer ? x->panel : y->panel));
    line(body, 3, "for (int %s = 0; %s < %d; %s += %d)%s", inner, inner, y_outer ? in : out, inner, PANEL,
         c->images > 1 ? " {" : "");
    copy_panel(e, c, !y_outer, inner_at, inner, 4, body);
    if (c->images > 1) line(body, 3, "}");
    PanelRun outers[2], inners[2];
    const int outer_runs = panel_runs(y_outer ? out : in, outers), inner_runs = panel_runs(y_outer ? in : out, inners);
    for (int a = 0; a < outer_runs; a++) {
        if (shares > 1)
            line(body, 3, "for (int %s = %s; %s < %d && %s < end; %s += %d) {", outer,
                 outers[a].from ? arena_printf(e->arena, "begin > %d ? begin : %d", outers[a].from, outers[a].from)
                                : "begin",
                 outer, outers[a].to, outer, outer, PANEL);
        else
            open_panels(outer, &outers[a], 3, " {", body);
        copy_panel(e, c, y_outer, "", outer, 4, body);
        line(body, 4, "for (int r = 0; r < %d; r++)", c->window.r);
        line(body, 4, "for (int q = 0; q < %d; q++) {", c->window.s);
        line(body, 5, "const float *at = x + (r * %d + q * %d);", c->window.dilate_h * x_row,
             c->window.dilate_w * x->pixel);
        line(body, 5, "float *tap = to + (size_t)(r * %d + q) * %lld;", c->window.s, (long long)c->matrix);
        for (int b = 0; b < inner_runs; b++) {
            Gemm gemm = {.m = y_outer ? outers[a].width : inners[b].width,
                         .n = y_outer ? inners[b].width : outers[a].width,
                         .k = joined ? c->images * c->strip_rows * c->y.w : c->y.w,
                         .lda = y->pixel,
                         .ldb = c->window.stride_w * x->pixel,
                         .ldc = lda,
                         .accumulate = true,
                         .transposed = true};
            const int more = emit_kernel(e, KERNEL_REDUCES, &gemm);
            gemm.accumulate = false;
            const int begins = emit_kernel(e, KERNEL_REDUCES, &gemm);
            open_panels(inner, &inners[b], 5, "", body);
            line(body, 6, "k[%s].offs(y%s, at%s, tap + (size_t)i * %d + o, &count, y_at, x_at);",
                 emit_kernel_choice(e, "begins", begins, more), y_outer ? "" : inner_at, y_outer ? inner_at : "", lda);
        }
        line(body, 4, "}");
        line(body, 3, "}");
    }
    line(body, 2, "zeroupper();");
    line(body, 2, "}");
    line(body, 1, "}");
}

/* A unit is a panel of the input channels of a pixel: all images. */
static void emit_weights_fc(Emit *e, const Step *s, const BatchConv *c, Text *body) {
    const ValuePlan *x = plan_value(e->plan, s->in[0]), *y = plan_value(e->plan, s->in[1]);
    const int in = c->in_channels, out = c->out_channels, lda = batch_lda(out);
    line(body, 1, "const rn_kernel *k = a->k;");
    const bool groups = e->plan->training->ranks; /* u is the tap, t its slab */
    const char *units =
        groups ? arena_printf(e->arena, "%d * a->t->groups", c->taps) : arena_printf(e->arena, "%d", c->taps);
    line(body, 1, "for (int %s = slab_at(%s, part, parts); %s < slab_at(%s, part + 1, parts); %s++) {",
         groups ? "u" : "t", units, groups ? "u" : "t", units, groups ? "u" : "t");
    if (groups) line(body, 2, "const int t = u %% %d, g = u / %d;", c->taps, c->taps);
    line(body, 2, "float *tap = a->y + (size_t)%s * %lld;", groups ? "u" : "t", (long long)c->matrix);
    line(body, 2, "for (int i = 0; i < %lld; i++) tap[i] = 0;", (long long)c->matrix);
    open_fc_images(e, "g", body);
    line(body, 3, "const float *x = a->x[0] + (size_t)n * %lld + t * %d, *y = a->x[1] + (size_t)n * %lld;",
         (long long)x->apart, x->layout.pixel, (long long)y->apart);
    Gemm gemm = {.k = batch_fc_images(e),
                 .lda = (int)y->apart,
                 .ldb = (int)x->apart,
                 .ldc = lda,
                 .accumulate = true,
                 .transposed = true};
    const char *call = arena_printf(e->arena, "gemm(y + o, x + i, tap + (size_t)i * %d + o, NULL, NULL, NULL);", lda);
    line(body, 3, "if (many) {");
    weight_panels(e, in, out, gemm, call, 4, body);
    line(body, 3, "} else {");
    gemm.k = 1;
    weight_panels(e, in, out, gemm, call, 4, body);
    line(body, 3, "}");
    close_fc_images(e, "g", body);
    line(body, 1, "}");
    line(body, 1, "zeroupper();");
}

/* A unit is a product and a panel of both; its sum over all tiles stays in registers. */
static void emit_weights_shared(Emit *e, const Step *s, const BatchConv *c, Text *body) {
    const int in = c->in_channels, out = c->out_channels, lda = batch_lda(out), in_lda = batch_lda(in);
    const int products = c->f.n * c->f.n, depth = c->chunk * c->rows * c->columns;
    const bool groups = e->plan->training->ranks;
    const int chunks = groups ? c->group_images / c->chunk : (int)(c->all_tiles / depth);
    const int panels = divide_up(out, PANEL) * divide_up(in, PANEL);
    const int units = products * panels, group_tiles = c->group_images * c->rows * c->columns;
    long long *x_at = arena_alloc(e->arena, sizeof *x_at * (size_t)chunks);
    long long *y_at = arena_alloc(e->arena, sizeof *y_at * (size_t)chunks);
    for (int i = 0; i < chunks; i++) x_at[i] = 4LL * i * depth * in_lda, y_at[i] = 4LL * i * depth * lda;
    batch_offsets(body, 1, "x_at", chunks, x_at);
    batch_offsets(body, 1, "z_at", chunks, y_at);
    line(body, 1, "const rn_kernel *k = a->k;");
    if (groups) {
        line(body, 1,
             "for (int v = slab_at(%d * a->t->groups, part, parts); v < slab_at(%d * a->t->groups, part + 1, parts); "
             "v++) {",
             units, units);
        line(body, 2, "const int g = v / %d, u = v %% %d;", units, units);
        line(body, 2,
             "const int images = slab_at(a->images, g + 1, a->t->groups) - slab_at(a->images, g, a->t->groups);");
        line(body, 2, "const unsigned long long count = (unsigned long long)(images + %d) / %d;", c->chunk - 1,
             c->chunk);
    } else {
        line(body, 1, "const unsigned long long count = (unsigned long long)(a->images + %d) / %d;", c->chunk - 1,
             c->chunk);
        line(body, 1, "for (int u = slab_at(%d, part, parts); u < slab_at(%d, part + 1, parts); u++) {", units, units);
    }
    line(body, 2, "const int p = u / %d, o = u %% %d / %d * %d, i = u %% %d * %d;", panels, panels,
         divide_up(in, PANEL), PANEL, divide_up(in, PANEL), PANEL);
    const char *z_at = groups ? arena_printf(e->arena, " + (size_t)g * %d", group_tiles * lda) : "";
    const char *v_at = groups ? arena_printf(e->arena, " + (size_t)g * %d", group_tiles * in_lda) : "";
    const char *y_group = groups ? arena_printf(e->arena, " + (size_t)g * %lld", (long long)c->slab) : "";
    PanelRun outs[2], ins[2];
    const int out_runs = panel_runs(out, outs), in_runs = panel_runs(in, ins);
    Gemm gemm = {.k = depth, .lda = lda, .ldb = in_lda, .ldc = lda, .transposed = true};
    for (int r = 0; r < out_runs * in_runs; r++) {
        const PanelRun *o = &outs[r / in_runs], *c_run = &ins[r % in_runs];
        gemm.m = o->width, gemm.n = c_run->width;
        const int kernel = emit_kernel(e, KERNEL_REDUCES, &gemm);
        if (out_runs * in_runs > 1)
            line(body, 2, "if (o >= %d && o < %d && i >= %d && i < %d)", o->from, o->to, c_run->from, c_run->to);
        line(body, 3,
             "k[%s].offs(a->x[1] + (size_t)p * %d%s + o, a->x[0] + (size_t)p * %d%s + i, a->y + (size_t)p * %lld%s + "
             "(size_t)i * "
             "%d + o, &count, z_at, x_at);",
             emit_kernel_index(e, kernel), c->m_product, z_at, c->v_product, v_at, (long long)c->matrix, y_group, lda);
    }
    line(body, 1, "}");
    line(body, 1, "zeroupper();");
    (void)s;
}

const char *emit_batch_weights(Emit *e, const Step *s, Text *body) {
    const BatchConv *c = batch_conv(s);
    if (c->shared) {
        emit_weights_shared(e, s, c, body);
        return batch_conv_name(e, c);
    }
    if (c->is_fc) {
        emit_weights_fc(e, s, c, body);
        return batch_conv_name(e, c);
    }
    if (!c->depthwise) line(body, 1, "const rn_kernel *k = a->k;");
    if (c->winograd)
        scratch_places(e, c, "z", body);
    else if (c->strip)
        line(body, 1, "float *x = a->scratch + (size_t)part * %lld;", scratch_floats(e));
    if (c->panels || (!c->winograd && !reader_is_stored(c->gradient)))
        line(body, 1, "float *y = a->scratch + (size_t)part * %lld + %lld;", scratch_floats(e),
             (long long)c->gradient_at);
    if (c->panels) {
        emit_weights_panels(e, c, body);
        return batch_conv_name(e, c);
    }
    const char *slabs = batch_slabs(e, c->slabs);
    line(body, 1, "for (int s = slab_at(%s, part, parts); s < slab_at(%s, part + 1, parts); s++) {", slabs, slabs);
    line(body, 2, "const int first = slab_at(a->images, s, %s), last = slab_at(a->images, s + 1, %s);", slabs, slabs);
    line(body, 2, "float *to = a->y + (size_t)s * %lld;", (long long)c->slab);
    line(body, 2, "for (size_t i = 0; i < %lld; i++) to[i] = 0;", (long long)c->slab);
    (c->winograd ? emit_weights_winograd : emit_weights_direct)(e, s, c, body);
    line(body, 1, "}");
    return batch_conv_name(e, c);
}

/* "sums[t][LANES]" of a vector of weights: the tree of slabs, in the order of the parameter, divided by the number of
 * images; of a group, sums[g]. */
static void gradient_sums(Emit *e, const BatchConv *c, int depth, const char *sums, Text *body) {
    const int in = c->in_channels, lda = batch_lda(c->out_channels), taps = c->taps;
    const int slabs = train_group_slabs(e->plan, c->slabs);
    const long long matrix = (long long)c->matrix;
    const char *group =
        e->plan->training->ranks ? arena_printf(e->arena, " + (size_t)g * %lld", slabs * (long long)c->slab) : "";
    if (c->winograd) {
        const char *adjoint = kernel_adjoint(e, &c->f);
        const int n = c->f.n;
        line(body, depth, "const float *x = a->x[0]%s + (size_t)i * %d + o;", group, lda);
        line(body, depth, "for (int j = 0; j < %d; j++) fetch_line(x + (size_t)j * %lld + %d);", n * n, matrix, lda);
        line(body, depth, "V t[3][%d];", n);
        line(body, depth, "for (int j = 0; j < %d; j++) {", n);
        text_printf(body, "%*sconst V d[%d] = {", 4 * depth + 4, "", n);
        for (int r = 0; r < n; r++)
            text_printf(body, "%stree_%d(x + (size_t)(%d + j) * %lld, %lld)", r ? ", " : "", slabs, r * n, matrix,
                        (long long)c->slab);
        text_puts(body, "};\n");
        line(body, depth + 1, "%s(d, &t[0][j], %d);", adjoint, n);
        line(body, depth, "}");
        line(body, depth, "for (int r = 0; r < 3; r++) {");
        line(body, depth + 1, "V w[3];");
        line(body, depth + 1, "%s(t[r], w, 1);", adjoint);
        line(body, depth + 1, "for (int j = 0; j < 3; j++) store(%s[r * 3 + j], mul(w[j], share));", sums);
        line(body, depth, "}");
    } else {
        line(body, depth, "const float *x = a->x[0]%s + (size_t)(i / %d) * %lld + (size_t)(i %% %d) * %d + o;", group,
             in, taps * matrix, in, lda);
        line(body, depth, "for (int t = 0; t < %d; t++)", taps);
        line(body, depth + 1, "store(%s[t], mul(tree_%d(x + (size_t)t * %lld, %lld), share));", sums, slabs, matrix,
             (long long)c->slab);
    }
}

/* The same of groups, and their tree, which other ranks' groups go on with. */
static void gradient_of_groups(Emit *e, const BatchConv *c, Text *body) {
    line(body, 2, "for (int g = 0; g < a->t->groups; g++) {");
    gradient_sums(e, c, 3, "sums[g]", body);
    line(body, 2, "}");
    line(body, 2, "for (int half = 1; half < a->t->groups; half *= 2)");
    line(body, 3, "for (int g = 0; g + half < a->t->groups; g += 2 * half)");
    line(body, 4, "for (int t = 0; t < %d; t++) store(sums[g][t], add(load(sums[g][t]), load(sums[g + half][t])));",
         c->taps);
}

/* The gradient of the weights, into the flat buffer. */
const char *emit_batch_gradient(Emit *e, const Step *s, Text *body) {
    const BatchConv *c = s->detail;
    const int in = c->in_channels, out = c->out_channels, taps = c->taps, ranks = e->plan->training->ranks;
    const char *sums = ranks ? "sums[0]" : "sums";
    line(body, 1, "const V share = set1(1.0f / (float)%s);", batch_all_images(e));
    open_weights(c->groups * in, batch_lda(out), body);
    if (ranks) {
        line(body, 2, "float sums[%d][%d][LANES];", ranks, taps);
        gradient_of_groups(e, c, body);
    } else {
        line(body, 2, "float sums[%d][LANES];", taps);
        gradient_sums(e, c, 2, "sums", body);
    }
    if (c->merged) {
        const int pixel = in / c->window.s;
        line(body, 2, "for (int l = 0; l < LANES && o + l < %d && i %% %d < %d; l++)", out, pixel, c->x.c);
        line(body, 3, "for (int t = 0; t < %d; t++)", taps);
        line(body, 4, "a->g[(o + l) * %d + (i %% %d * %d + t) * %d + i / %d] = %s[t][l];",
             c->x.c * c->window.r * c->window.s, pixel, c->window.r, c->window.s, pixel, sums);
        line(body, 1, "}");
        return arena_printf(e->arena, "%s_sum", batch_conv_name(e, c));
    }
    const int from = in / c->joined; /* channels of a group of the source: of others nothing is asked */
    line(body, 2, "for (int l = 0; l < LANES && o + l < %d; l++)", out);
    if (c->joined > 1) line(body, 2, "if ((o + l) / %d == i %% %d / %d)", out / c->joined, in, from);
    line(body, 3, "for (int t = 0; t < %d; t++)", taps);
    line(body, 4, "a->g[((size_t)(i / %d * %d + o + l) * %d + i %% %d) * %d + t] = %s[t][l];", in, out, from, from,
         taps, sums);
    line(body, 1, "}");
    return arena_printf(e->arena, "%s_sum", batch_conv_name(e, c));
}
