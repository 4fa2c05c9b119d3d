/* Winograd's method in training, F(4 x 4, 3 x 3): transforms of tiles, and convolutions by them. An image's tiles come
 * from a strip of it; blocks of them are multiplied a product at a time.
 */
#include "batch_conv.h"

#include "describe.h"
#include "plan/step.h"
#include "transform.h"

/* ---- matrices ---- */
/* A constant matrix, or its transpose, as a function of vectors. */
static const char *matrix_function(Emit *e, const char *name, const char *comment, const double *m, int stride,
                                   int rows, int columns, bool transposed) {
    double entries[RN_WINOGRAD_MAX][RN_WINOGRAD_MAX] = {{0}};
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < columns; j++) entries[i][j] = transposed ? m[j * stride + i] : m[i * stride + j];
    const Linear linear = linear_factor(entries, rows, columns);
    Text t = {0};
    emit_linear(e, &linear, &t);
    const char *function = emit_helper(e, name, comment, "const V *d, V *to, int step", t.s);
    text_free(&t);
    return function;
}

/* G g: 3 taps to 6 products; its transpose; A: 4 pixels to 6 products, the transpose of the output transform. */
const char *kernel_function(Emit *e, const rn_winograd *f) {
    return matrix_function(e, "f4_r3_kernel", "F(4, 3) in one dimension: 3 taps to 6 products", &f->kernel[0][0],
                           RN_WINOGRAD_MAX, f->n, f->r, false);
}
const char *kernel_adjoint(Emit *e, const rn_winograd *f) {
    return matrix_function(e, "f4_r3_kernel_adjoint", "Its transpose: 6 products to 3 taps", &f->kernel[0][0],
                           RN_WINOGRAD_MAX, f->r, f->n, true);
}
static const char *output_adjoint(Emit *e, const rn_winograd *f) {
    return matrix_function(e, "f4_r3_output_adjoint", "The output transform's transpose: 4 pixels to 6 products",
                           &f->output[0][0], RN_WINOGRAD_MAX, f->n, f->m, true);
}

/* ---- Winograd's method ---- */
/* Tiles are written out, row by row and column by column, so that no array is left in memory. */

/* "x -> V": one tile of the strip, `channels` of each pixel in whole vectors. */
static const char *tile_input(Emit *e, const BatchConv *c, int pixel, int channels) {
    const Transform t = emit_input_transform(e, &c->f);
    const int n = c->f.n;
    Text b = {0};
    line(&b, 1, "for (int c = 0; c < %d; c += LANES) {", channels);
    line(&b, 2, "V t[%d][%d];", n, n);
    for (int j = 0; j < n; j++) {
        text_printf(&b, "        {\n            const V d[%d] = {", n);
        for (int i = 0; i < n; i++)
            text_printf(&b, "%sload(x + (%d + c))", i ? ", " : "", (i * c->strip_w + j) * pixel);
        text_puts(&b, "};\n");
        line(&b, 3, "%s(d, &t[0][%d], %d);", t.function, j, n);
        line(&b, 2, "}");
    }
    for (int i = 0; i < n; i++) {
        line(&b, 2, "{");
        line(&b, 3, "V r[%d];", n);
        line(&b, 3, "%s(t[%d], r, 1);", t.function, i);
        for (int j = 0; j < n; j++) line(&b, 3, "store(v + (%d + c), r[%d]);", (i * n + j) * c->v_product, j);
        line(&b, 2, "}");
    }
    line(&b, 1, "}");
    const char *name = emit_function(e, arena_printf(e->arena, "%s_input", batch_conv_name(e, c)),
                                     "One tile's input transform: 6 x 6 pixels of the strip to 6 x 6 products", "void",
                                     "const float *x, float *v", b.s);
    text_free(&b);
    return name;
}

/* "M -> y": one tile, of which `rows` x `columns` pixels are inside. */
static const char *tile_output(Emit *e, const BatchConv *c, const Layout *y, int width, bool bias) {
    const Transform t = emit_output_transform(e, &c->f);
    const int n = c->f.n, m = c->f.m;
    const bool ragged_h = c->sliding.result.h % m, ragged_w = c->sliding.result.w % m;
    Text b = {0};
    line(&b, 1, "for (int c = 0; c < %d; c += LANES) {", width);
    line(&b, 2, "V t[%d][%d];", m, n);
    for (int j = 0; j < n; j++) {
        text_printf(&b, "        {\n            const V d[%d] = {", n);
        for (int i = 0; i < n; i++) text_printf(&b, "%sload(m + (%d + c))", i ? ", " : "", (i * n + j) * c->m_product);
        text_puts(&b, "};\n");
        line(&b, 3, "%s(d, &t[0][%d], %d);", t.function, j, n);
        line(&b, 2, "}");
    }
    for (int i = 0; i < m; i++) {
        line(&b, 2, ragged_h && i ? "if (rows > %d) {" : "{", i);
        line(&b, 3, "V r[%d];", m);
        line(&b, 3, "%s(t[%d], r, 1);", t.function, i);
        for (int j = 0; j < m; j++)
            line(&b, 3, bias ? "%sstore(y + (%d + c), add(r[%d], load(bias + c)));" : "%sstore(y + (%d + c), r[%d]);",
                 j && ragged_w ? arena_printf(e->arena, "if (columns > %d) ", j) : "", i * y->row + j * y->pixel, j);
        line(&b, 2, "}");
    }
    line(&b, 1, "}");
    if (!ragged_h) line(&b, 1, "(void)rows;");
    if (!ragged_w) line(&b, 1, "(void)columns;");
    const char *name = emit_function(
        e, arena_printf(e->arena, "%s_output", batch_conv_name(e, c)),
        "One tile's output transform: 6 x 6 products to the 4 x 4 pixels of which rows x columns are inside", "void",
        bias ? "const float *m, float *y, int rows, int columns, const float *bias"
             : "const float *m, float *y, int rows, int columns",
        b.s);
    text_free(&b);
    return name;
}

/* "dy -> Z": the tiles of an image's gradient from row t0 of tiles on; zeros where they reach over the image. */
const char *tile_gradients(Emit *e, const BatchConv *c, const Reader *r, const Layout *y) {
    const char *adjoint = output_adjoint(e, &c->f);
    const int n = c->f.n, m = c->f.m, last_h = c->y.h - (c->rows - 1) * m, last_w = c->y.w - (c->columns - 1) * m;
    const bool ragged_h = c->y.h % m, ragged_w = c->y.w % m;
    Text b = {0};
    reader_image(e, r, 1, &b);
    line(&b, 1, "for (int c = 0; c < %d; c += LANES) {", y->pixel);
    reader_channels(e, r, 2, &b);
    line(&b, 2, "for (int i = 0; i < rows * %d; i++) {", c->columns);
    line(&b, 3, "const int row = t0 + i / %d, column = i %% %d;", c->columns, c->columns);
    line(&b, 3, "const int high = row + 1 < %d ? %d : %d, wide = column + 1 < %d ? %d : %d;", c->rows, m, last_h,
         c->columns, m, last_w);
    line(&b, 3, "const int at = row * %d + column * %d + c;", m * y->row, m * y->pixel);
    line(&b, 3, "V t[%d][%d];", n, m);
    for (int j = 0; j < m; j++) {
        line(&b, 3, "{");
        for (int k = 0; k < m; k++) {
            const char *inside = ragged_h && k ? arena_printf(e->arena, "high > %d", k) : "";
            if (ragged_w && j) inside = arena_printf(e->arena, "%s%swide > %d", inside, *inside ? " && " : "", j);
            line(&b, 4, "V d%d = zero();", k);
            line(&b, 4, *inside ? "if (%s) {" : "{", inside);
            reader_load(e, r, arena_printf(e->arena, "at + %d", k * y->row + j * y->pixel), 5, &b);
            line(&b, 5, "d%d = %s;", k, reader_value(e, r, 0));
            line(&b, 4, "}");
        }
        line(&b, 4, "const V d[%d] = {d0, d1, d2, d3};", m);
        line(&b, 4, "%s(d, &t[0][%d], %d);", adjoint, j, m);
        line(&b, 3, "}");
    }
    line(&b, 3, "float *to = z + (size_t)i * %d + c;", batch_lda(c->out_channels));
    for (int k = 0; k < n; k++) {
        line(&b, 3, "{");
        line(&b, 4, "V w[%d];", n);
        line(&b, 4, "%s(t[%d], w, 1);", adjoint, k);
        for (int j = 0; j < n; j++) line(&b, 4, "store(to + %d, w[%d]);", (k * n + j) * c->m_product, j);
        line(&b, 3, "}");
    }
    if (!ragged_h) line(&b, 3, "(void)high;");
    if (!ragged_w) line(&b, 3, "(void)wide;");
    line(&b, 2, "}");
    line(&b, 1, "}");
    const char *name = emit_function(e, arena_printf(e->arena, "%s_z%s", batch_conv_name(e, c), reader_name(e, r)),
                                     "Tiles of the gradient: 4 x 4 pixels each to 6 x 6 products", "void",
                                     "const struct batch *a, int n, int t0, int rows, float *z", b.s);
    text_free(&b);
    return name;
}

/* Of a block: whose first image is n0 (and there are `images`), or whose first row of tiles is t0. Fills V from the
 * strips of the value in[0], then whatever `each` says of a tile. */
static void open_tiles(const BatchConv *c, Text *body) {
    line(body, 3, "for (int i = 0; i < rows * %d; i++) {", c->columns);
    line(body, 4, "const int row = i / %d, column = i %% %d;", c->columns, c->columns);
}

/* "rows" and "columns" of a tile that are inside an image of h x w. */
static void tile_inside(const BatchConv *c, int h, int w, Text *body) {
    const int m = c->f.m, last_h = h - (c->rows - 1) * m, last_w = w - (c->columns - 1) * m;
    line(body, 4, "const int high = t0 + row + 1 < %d ? %d : %d, wide = column + 1 < %d ? %d : %d;", c->rows, m, last_h,
         c->columns, m, last_w);
}

void fill_v(Emit *e, const BatchConv *c, const Reader *source, Text *body) {
    const Value *value = source->entry[source->root[0]].value;
    const int pixel = plan_value(e->plan, value)->layout.pixel;
    line(body, 3, "%s(a, n, t0 * %d - 1, rows * %d + 2, edge);",
         strip_function(e, source, &(Strip){value->shape, pixel, 1, c->strip_w, pixel, 0}), c->f.m, c->f.m);
    open_tiles(c, body);
    line(body, 4, "%s(edge + (row * %d + column * %d), v + (size_t)(tile + i) * %d);", tile_input(e, c, pixel, pixel),
         c->f.m * c->strip_w * pixel, c->f.m * pixel, batch_lda(c->in_channels));
    line(body, 3, "}");
}

void scratch_places(Emit *e, const BatchConv *c, const char *m, Text *body) {
    line(body, 1, "float *v = a->scratch + (size_t)part * %lld, *%s = v + %lld, *edge = v + %lld;", scratch_floats(e),
         m, (long long)c->m_at, (long long)c->strip_at);
}

/* Opens the loop over the images of a block from image n0 on, of which `left` are there: n, t0, rows, tile. */
void open_block_images(const BatchConv *c, const char *end, Text *body) {
    line(body, 2, "for (int n = n0, tile = 0; n < n0 + %d && n < %s; n++, tile += %d) {", c->images, end,
         c->tile_rows * c->columns);
}

void emit_winograd_result(Emit *e, const Step *s, const BatchConv *c, Text *body) {
    const ValuePlan *y = plan_value(e->plan, s->out);
    const bool bias = step_operand(s, OPERAND_BIAS);
    const int groups = divide_up(c->rows, c->tile_rows), out = c->out_channels, lda = batch_lda(out), n = c->f.n;
    line(body, 1, "const rn_kernel *k = a->k;");
    scratch_places(e, c, "m", body);
    line(body, 1, "const int blocks = (a->images + %d) / %d * %d;", c->images - 1, c->images, groups);
    line(body, 1, "for (int u = slab_at(blocks, part, parts); u < slab_at(blocks, part + 1, parts); u++) {");
    line(body, 2, "const int n0 = u / %d * %d, t0 = u %% %d * %d;", groups, c->images, groups, c->tile_rows);
    line(body, 2, "const int rows = t0 + %d < %d ? %d : %d - t0;", c->tile_rows, c->rows, c->tile_rows, c->rows);
    open_block_images(c, "a->images", body);
    fill_v(e, c, c->source, body);
    line(body, 2, "}");
    PanelRun runs[2];
    for (int i = 0, count = panel_runs(out, runs); i < count; i++) {
        const int width = runs[i].width;
        const Gemm gemm = {.m = width,
                           .n = c->tiles,
                           .k = c->in_channels,
                           .lda = batch_lda(width),
                           .ldb = batch_lda(c->in_channels),
                           .ldc = lda < PANEL ? lda : PANEL};
        const int kernel = emit_kernel(e, KERNEL_PLAIN, &gemm);
        open_panels("o", &runs[i], 2, " {", body);
        line(body, 3, "for (int i = 0; i < %d; i++)", n * n);
        line(body, 4,
             "k[%s].gemm(a->w + (size_t)i * %lld + %s, v + (size_t)i * %d, m + (size_t)i * %d, NULL, NULL, NULL);",
             emit_kernel_index(e, kernel), (long long)c->matrix, packed_panel(e, c), c->v_product, c->m_product);
        line(body, 3, "zeroupper();");
        text_puts(body, "    ");
        open_block_images(c, "a->images", body);
        text_puts(body, "    ");
        line(body, 3, "float *y = a->y + (size_t)n * %lld + o;", (long long)y->apart);
        open_tiles(c, body);
        tile_inside(c, c->sliding.result.h, c->sliding.result.w, body);
        line(body, 4, "%s(m + (size_t)(tile + i) * %d, y + ((t0 + row) * %d + column * %d), high, wide%s);",
             tile_output(e, c, &y->layout, round_up(width, VECTOR), bias), gemm.ldc, c->f.m * y->layout.row,
             c->f.m * y->layout.pixel, bias ? ", a->bias + o" : "");
        line(body, 4, "}");
        line(body, 3, "}");
        line(body, 2, "}");
    }
    line(body, 1, "}");
}

/* V or Z of all tiles of the batch; an image goes to one thread. Of the weights' gradient, tiles of images that are not
 * there, but belong to a chunk of those that are, count nothing. */
const char *emit_batch_transform(Emit *e, const Step *s, Text *body) {
    const BatchTransform *t = s->detail;
    const BatchConv *c = t->conv;
    const int image = c->rows * c->columns, lda = batch_lda(t->gradient ? c->out_channels : c->in_channels);
    const int product = t->gradient ? c->m_product : c->v_product;
    const char *images = c->kind == CONV_WEIGHTS && c->chunk > 1
                             ? arena_printf(e->arena, "(a->images + %d) / %d * %d", c->chunk - 1, c->chunk, c->chunk)
                             : "a->images";
    const bool groups = c->kind == CONV_WEIGHTS && e->plan->training->ranks;
    if (!t->gradient) line(body, 1, "float *edge = a->scratch + (size_t)part * %lld;", scratch_floats(e));
    if (groups) images = arena_printf(e->arena, "%d * a->t->groups", c->group_images);
    line(body, 1, "const int images = %s, t0 = 0, rows = %d;", images, c->rows);
    if (groups) { /* each begins at a chunk of its own */
        line(body, 1, "for (int i = slab_at(images, part, parts); i < slab_at(images, part + 1, parts); i++) {");
        line(body, 2, "const int g = i / %d, n = slab_at(a->images, g, a->t->groups) + i %% %d, tile = i * %d;",
             c->group_images, c->group_images, image);
        line(body, 2, "const int last = slab_at(a->images, g + 1, a->t->groups);");
    } else {
        line(body, 1, "for (int n = slab_at(images, part, parts); n < slab_at(images, part + 1, parts); n++) {");
        line(body, 2, "const int tile = n * %d;", image);
    }
    line(body, 2, "float *%s = a->y;", t->gradient ? "z" : "v");
    if (groups || (c->kind == CONV_WEIGHTS && c->chunk > 1)) {
        line(body, 2, "if (n >= %s) {", groups ? "last" : "a->images");
        line(body, 3, "for (int p = 0; p < %d; p++)", c->f.n * c->f.n);
        line(body, 4, "for (int i = 0; i < %d; i++) %s[(size_t)p * %d + (size_t)tile * %d + i] = 0;", image * lda,
             t->gradient ? "z" : "v", product, lda);
        line(body, 3, "continue;");
        line(body, 2, "}");
    }
    if (t->gradient)
        line(body, 2, "%s(a, n, t0, rows, z + (size_t)tile * %d);",
             tile_gradients(e, c, t->reader, &plan_value(e->plan, t->reader->entry[t->reader->root[0]].value)->layout),
             lda);
    else
        fill_v(e, c, t->reader, body);
    line(body, 1, "}");
    return arena_printf(e->arena, "%s_%s%s", batch_conv_name(e, c), t->gradient ? "z" : "v", reader_name(e, t->reader));
}

/* A unit is a panel of results and a block of tiles. */
void emit_winograd_shared(Emit *e, const Step *s, const BatchConv *c, Text *body) {
    const ValuePlan *y = plan_value(e->plan, s->out);
    const bool bias = step_operand(s, OPERAND_BIAS);
    const int out = c->out_channels, n = c->f.n, image = c->rows * c->columns;
    const int panels = divide_up(out, PANEL);
    line(body, 1, "const rn_kernel *k = a->k;");
    line(body, 1, "float *m = a->scratch + (size_t)part * %lld;", scratch_floats(e));
    line(body, 1, "const int all = a->images * %d, blocks = (all + %d) / %d;", image, c->tiles - 1, c->tiles);
    line(body, 1, "for (int u = slab_at(%d * blocks, part, parts); u < slab_at(%d * blocks, part + 1, parts); u++) {",
         panels, panels);
    line(body, 2, "const int o = u / blocks * %d, first = u %% blocks * %d;", PANEL, c->tiles);
    PanelRun runs[2];
    const int count = panel_runs(out, runs);
    int kernels[2];
    for (int i = 0; i < count; i++) {
        const Gemm gemm = {.m = runs[i].width,
                           .n = c->tiles,
                           .k = c->in_channels,
                           .lda = batch_lda(runs[i].width),
                           .ldb = batch_lda(c->in_channels),
                           .ldc = PANEL};
        kernels[i] = emit_kernel(e, KERNEL_PLAIN, &gemm);
    }
    line(body, 2, "const rn_gemm_fn multiply = k[%s].gemm;",
         count == 2 ? emit_kernel_choice(e, arena_printf(e->arena, "o < %d", runs[0].to), kernels[0], kernels[1])
                    : emit_kernel_index(e, kernels[0]));
    line(body, 2, "for (int i = 0; i < %d; i++)", n * n);
    line(body, 3,
         "multiply(a->w + (size_t)i * %lld + %s, a->x[0] + (size_t)i * %d + (size_t)first * %d, m + (size_t)i * "
         "%d, NULL, NULL, NULL);",
         (long long)c->matrix, packed_panel(e, c), c->v_product, batch_lda(c->in_channels), c->m_product);
    line(body, 2, "zeroupper();");
    line(body, 2, "for (int i = first; i < first + %d && i < all; i++) {", c->tiles);
    line(body, 3, "const int n = i / %d, t0 = 0, row = i %% %d / %d, column = i %% %d;", image, image, c->columns,
         c->columns);
    line(body, 3, "float *y = a->y + (size_t)n * %lld + o;", (long long)y->apart);
    tile_inside(c, c->sliding.result.h, c->sliding.result.w, body);
    for (int i = 0; i < count; i++) {
        if (count == 2) line(body, 3, i ? "else" : "if (o < %d)", runs[i].to);
        line(body, 4, "%s(m + (size_t)(i - first) * %d, y + ((t0 + row) * %d + column * %d), high, wide%s);",
             tile_output(e, c, &y->layout, round_up(runs[i].width, VECTOR), bias), PANEL, c->f.m * y->layout.row,
             c->f.m * y->layout.pixel, bias ? ", a->bias + o" : "");
    }
    line(body, 2, "}");
    line(body, 1, "}");
}
