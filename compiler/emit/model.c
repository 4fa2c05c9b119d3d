/* The constant tables of net.c: the weight recipe, the layers, the outputs, the model that names them all. */
#include <ctype.h>
#include <string.h>
#include "model.h"
#include "describe.h"
#include "graph/ops.h"
#include "graph/tensor.h"
#include "plan/algorithms.h"
#include "rn.h"

int64_t output_floats(const Graph *graph) {
    int64_t floats = 0;
    for (int i = 0; i < graph->output_count; i++) floats += shape_size(graph->outputs[i]->shape);
    return floats;
}

const char *memory_shape(Arena *arena, const Value *value) {
    const Shape s = value->shape;
    return value->channels_last ? arena_printf(arena, "%d x %d x %d, rows x columns x channels", s.h, s.w, s.c)
                                : arena_printf(arena, "%d x %d x %d", s.c, s.h, s.w);
}

/* NAME_OUTPUT_LAYER, with a number behind where two layers' names differ in case or punctuation alone. */
static const char *output_macro(Arena *arena, const char *prefix, const char *layer, Map *taken) {
    char *name = arena_printf(arena, "%s_OUTPUT_%s", prefix, upper_case(arena, layer));
    for (char *p = name; *p; p++)
        if (!isalnum((unsigned char)*p)) *p = '_';
    const char *unique = name;
    for (int i = 2; map_get(taken, unique); i++) unique = arena_printf(arena, "%s_%d", name, i);
    map_put(taken, arena, unique, name);
    return unique;
}

void emit_output_macros(const Graph *graph, const char *prefix, Arena *arena, Text *t) {
    Map taken = {0};
    int64_t offset = 0;
    text_printf(t,
                "/* floats of an image's outputs, one after another, and where each lies in them */\n"
                "#define %s_OUTPUT_SIZE %lld\n",
                prefix, (long long)output_floats(graph));
    for (int i = 0; i < graph->output_count; i++) {
        const Value *v = graph->outputs[i];
        const char *name = output_macro(arena, prefix, v->name, &taken);
        text_printf(t, "#define %s_OFFSET %lld\n#define %s_SIZE %lld /* %s: %s */\n", name, (long long)offset, name,
                    (long long)shape_size(v->shape), comment_c(arena, v->name), memory_shape(arena, v));
        offset += shape_size(v->shape);
    }
}

static const char *dtype_c(rn_dtype type) {
    static const char *const names[] = {
#define RN_DTYPE(name, ...) "RN_" #name,
        RN_DTYPES(RN_DTYPE)
#undef RN_DTYPE
    };
    return names[type];
}

/* ", .arg = {4, 7}" */
static void emit_integers(Text *t, const char *name, const int32_t *numbers, int count) {
    if (count) text_printf(t, ", .%s = {%d", name, numbers[0]);
    for (int i = 1; i < count; i++) text_printf(t, ", %d", numbers[i]);
    if (count) text_puts(t, "}");
}

static int used_integers(const rn_recipe_step *s) {
    int count = 4;
    while (count > 0 && !s->integer[count - 1]) count--;
    return count;
}

static void emit_recipe_step(Emit *e, const rn_recipe_step *s, Text *t) {
    const rn_recipe_op op = (rn_recipe_op)s->op;
    const int arity = recipe_op_arity(op);
    text_printf(t, "{.op = %s", recipe_op_symbol(op));
    if (s->type != RN_F32) text_printf(t, ", .type = %s", dtype_c((rn_dtype)s->type));
    text_printf(t, ", .ndim = %d", s->ndim);
    emit_integers(t, "arg", s->arg, arity < 0 ? 1 : arity);
    emit_integers(t, "dim", s->dim, s->ndim);
    if (s->real != 0) {
        text_puts(t, ", .real = ");
        text_real(t, s->real);
    }
    emit_integers(t, "integer", s->integer, used_integers(s));
    if (s->offset) text_printf(t, ", .offset = %llu", (unsigned long long)s->offset);
    if (s->name) text_printf(t, ", .name = %s", quote_c(e->arena, s->name));
    text_puts(t, "}");
}

static void emit_recipe(Emit *e, Text *t) {
    const rn_recipe *r = &e->plan->recipe;
    const bool steps = r->count && !e->options->standalone; /* which reads packed weights alone */
    if (steps) {
        text_puts(t, "/* How packed weights are made from a weights file (rn_recipe.h); what is not said is 0 */\n"
                     "static const rn_recipe_step recipe_steps[] = {\n");
        for (int i = 0; i < r->count; i++) {
            text_printf(t, "    /* %d */ ", i);
            emit_recipe_step(e, &r->steps[i], t);
            text_puts(t, ",\n");
        }
        text_puts(t, "};\n");
    }
    text_printf(
        t, "static const rn_recipe recipe = {.steps = %s, .count = %d, .packed_size = %llu, .hash = 0x%016llxu};\n\n",
        steps ? "recipe_steps" : "NULL", steps ? r->count : 0, (unsigned long long)r->packed_size,
        (unsigned long long)r->hash);
}

static int count_calls(const Plan *plan) {
    int count = 0;
    for (int i = 0; i < plan->step_count; i++) count += step_is_call(&plan->steps[i]);
    return count;
}

static void emit_layers(Emit *e, Text *t) {
    const Plan *plan = e->plan;
    text_puts(t, "/* {name, what, algorithm, place in the source, value, shape, multiply-adds, multiplications, bytes "
                 "moved, bytes of weights} */\n"
                 "static const rn_layer layers[] = {\n");
    for (int i = 0; i < plan->step_count; i++) {
        const Step *s = &plan->steps[i];
        if (!step_is_call(s)) continue;
        const Value *v = s->out;
        Text what = {0};
        describe_step(s, &what);
        /* a step whose value is not whole yet names none */
        text_printf(t, "    {%s, %s, %s, %s, %s, {%d, %d, %d}, %lld, %lld, %lld, %lld},\n", quote_c(e->arena, s->name),
                    quote_c(e->arena, what.s), quote_c(e->arena, algorithm_name(s->algorithm)),
                    quote_c(e->arena, describe_place(e->arena, s->node ? s->node->place : (Place){0})),
                    quote_c(e->arena, s->complete ? v->name : ""), v->shape.c, v->shape.h, v->shape.w,
                    (long long)s->macs, (long long)s->multiplications, (long long)step_bytes(s),
                    (long long)step_weight_bytes(s));
        text_free(&what);
    }
    text_puts(t, "};\n\n/* where each layer's result is, for the layer hook: {offset, from a pixel and a row to the "
                 "next}, in bytes */\n"
                 "static const struct result results[] = {\n");
    for (int i = 0; i < plan->step_count; i++) {
        const Step *s = &plan->steps[i];
        if (!step_is_call(s)) continue;
        const Value *v = s->out;
        const ValuePlan *p = plan_value(plan, v);
        const long long size = (long long)rn_dtype_size(v->type);
        text_printf(t, "    {%lld, %lld, %lld},\n", (long long)p->offset, p->layout.pixel * size, p->layout.row * size);
    }
    text_puts(t, "};\n\n");
}

void emit_tables_declared(Emit *e, Text *t) {
    const int calls = count_calls(e->plan);
    text_printf(t,
                "/* at the end of the file */\n"
                "static const rn_model model;\n"
                "static const rn_layer layers[%d];\n"
                "static const struct result { size_t offset, pixel, row; } results[%d];\n",
                calls, calls);
}

static const char *layout_c(const Value *value) {
    return value->channels_last ? "RN_NHWC" : "RN_NCHW";
}

void emit_tables(Emit *e, Text *t) {
    const Graph *g = e->plan->graph;
    emit_recipe(e, t);
    emit_layers(e, t);
    text_puts(t, "static const rn_output outputs[] = {\n");
    for (int i = 0; i < g->output_count; i++) {
        const Shape s = g->outputs[i]->shape;
        text_printf(t, "    {%s, {%d, %d, %d}, %s},\n", quote_c(e->arena, g->outputs[i]->name), s.c, s.h, s.w,
                    layout_c(g->outputs[i]));
    }
    text_puts(t, "};\n\n");
}

/* Those that are trained. */
static int64_t count_parameters(Emit *e, const rn_recipe *r) {
    bool *statistic = arena_alloc(e->arena, ((size_t)r->count + 1) * sizeof *statistic);
    const Tensor *mean = e->plan->graph->preprocess.mean_image;
    int64_t count = 0;
    for (int i = 0; i < r->count; i++) {
        const rn_recipe_op op = (rn_recipe_op)r->steps[i].op;
        for (int a = 0; a < recipe_op_arity(op); a++)
            statistic[r->steps[i].arg[a]] |= recipe_argument_is_statistic(op, a);
    }
    for (int i = 0; i < r->count; i++) {
        const rn_recipe_step *s = &r->steps[i];
        if (s->op != RN_PARAM || statistic[i] || (mean && strcmp(s->name, mean->name) == 0)) continue;
        count += (int64_t)s->dim[0] * s->dim[1] * s->dim[2] * s->dim[3];
    }
    return count;
}

static bool ends_in_softmax(const Graph *g) {
    const Value *v = g->outputs[g->output_count - 1];
    while (v->producer && (op_info(v->producer->op)->flags & OPF_COPY)) v = v->producer->in[0];
    return v->producer && node_is_plain_softmax(v->producer);
}

static int64_t count_macs(const Plan *plan) {
    int64_t macs = 0;
    for (int i = 0; i < plan->step_count; i++) macs += plan->steps[i].macs;
    return macs;
}

static int64_t count_multiplications(const Plan *plan) {
    int64_t multiplications = 0;
    for (int i = 0; i < plan->step_count; i++) multiplications += plan->steps[i].multiplications;
    return multiplications;
}

static void emit_embedded(Emit *e, Text *t) {
    const char *name = e->options->name;
    text_printf(t,
                "/* the packed weights, in this object */\n"
                "extern const unsigned char %s_embedded[] __asm__(\"rn_%s_embedded\");\n"
                "__asm__(\".section .rodata\\n\"\n"
                "        \".balign 4096\\n\"\n"
                "        \"rn_%s_embedded:\\n\"\n"
                "        \".incbin \" %s \"\\n\"\n"
                "        \".byte 0\\n\"\n"
                "        \".text\\n\");\n\n",
                name, name, name, quote_c(e->arena, quote_c(e->arena, e->options->embed_path)));
}

const char *isa_c(rn_isa isa) {
    return isa == RN_ISA_X86_64_V4   ? "RN_ISA_X86_64_V4"
           : isa == RN_ISA_X86_64_V3 ? "RN_ISA_X86_64_V3"
                                     : "RN_ISA_GENERIC";
}

void emit_model(Emit *e, Text *t) {
    static const char *const orders[] = {
        [ORDER_RGB] = "RN_ORDER_RGB", [ORDER_BGR] = "RN_ORDER_BGR", [ORDER_GRAY] = "RN_ORDER_GRAY"};
    const Plan *plan = e->plan;
    const Graph *g = plan->graph;
    const EmitOptions *o = e->options;
    const Preprocess *p = &g->preprocess;
    const char *n = o->name;
    const bool embed = o->embed_path;
    if (embed) emit_embedded(e, t);
    text_printf(t, "static size_t model_arena_size(int batch, int threads) { return %s_arena_size(batch, threads); }\n",
                n);
    text_puts(t, "static rn_status model_create(void **net, void *arena, size_t size, const rn_weights *weights, const "
                 "rn_options *options) {\n");
    text_printf(
        t,
        "    struct %s *made = NULL;\n    const rn_status status = %s_create(&made, arena, size, weights, options);\n",
        n, n);
    text_puts(t, "    *net = made;\n    return status;\n}\n");
    text_printf(t,
                "static rn_status model_run(void *net, int batch, const float *image, float *output) {\n    return "
                "%s_run(net, batch, image, output);\n}\n",
                n);
    text_puts(t, "static rn_status model_run_rgb(void *net, int batch, const uint8_t *const *rgb, const int *height, "
                 "const int *width, float *output) {\n");
    text_printf(t, "    return %s_run_rgb(net, batch, rgb, height, width, output);\n}\n", n);
    text_printf(t, "static const char *model_message(const void *net) { return %s_message(net); }\n", n);
    text_printf(t, "static void model_destroy(void *net) { %s_destroy(net); }\n\n", n);
    text_printf(t,
                "static const rn_model model = {\n    .abi = %d,\n    .name = %s,\n    .rnc_version = %s,\n    "
                ".command = %s,\n    .source_hash = %s,\n",
                RN_ABI, quote_c(e->arena, n), quote_c(e->arena, RN_VERSION), quote_c(e->arena, o->command),
                quote_c(e->arena, o->source_hash));
    text_printf(t, "    .isa = %s,\n    .best_isa = %s,\n    .batch = %d,\n    .input = {%d, %d, %d},\n",
                isa_c(e->target.isa[e->target.count - 1]), isa_c(e->target.isa[0]), plan->options.batch,
                g->input->shape.c, g->input->shape.h, g->input->shape.w);
    if (g->input->channels_last) text_printf(t, "    .input_layout = %s,\n", layout_c(g->input));
    text_printf(
        t, "    .outputs = outputs,\n    .output_count = %d,\n    .output_size = %lld,\n    .probabilities = %d,\n",
        g->output_count, (long long)output_floats(g), ends_in_softmax(g));
    text_printf(t,
                "    .preprocess = {.order = %s, .range = %s, .mean = {%s, %s, %s, %s}, .std = {%s, %s, %s, %s}, "
                ".resize = %d},\n",
                orders[p->order], float_c(e->arena, p->range), float_c(e->arena, p->mean[0]),
                float_c(e->arena, p->mean[1]), float_c(e->arena, p->mean[2]), float_c(e->arena, p->mean[3]),
                float_c(e->arena, p->std[0]), float_c(e->arena, p->std[1]), float_c(e->arena, p->std[2]),
                float_c(e->arena, p->std[3]), p->resize);
    text_printf(t,
                "    .layers = layers,\n    .layer_count = %d,\n    .macs = %lld,\n    "
                ".multiplications = %lld,\n    .parameters = %lld,\n    .recipe = &recipe,\n",
                count_calls(plan), (long long)count_macs(plan), (long long)count_multiplications(plan),
                (long long)count_parameters(e, &plan->recipe));
    text_printf(t, "    .weights_file = %s,\n", quote_c(e->arena, o->weights_file));
    text_puts(t, "    .arena_size = model_arena_size,\n    .create = model_create,\n    .run = model_run,\n    "
                 ".run_rgb = model_run_rgb,\n"
                 "    .message = model_message,\n    .destroy = model_destroy,\n"
                 "    .weights_open = rn_weights_open,\n    .weights_memory = rn_weights_memory,\n");
    if (embed) text_printf(t, "    .embedded = %s_embedded,\n    .embedded_size = %lld,\n", n, o->embed_size);
    text_printf(t, "};\n\nconst rn_model *%s_model(void) { return &model; }\n", n);
}
