/* The line of calls: one function for each layer's task, and the functions that call them in order.
 *
 *     no groups: forward           one image through all layers
 *     groups:    first_layers      one image, as far as images are taken one by one (plan/group.c)
 *                last_layers       a group of images at once, or one
 *                forward           a group: its images through the first layers, in parallel or each on all threads
 *
 * The arena, in floats: activations of the first layers (of each thread, where there are groups), what is kept of each
 * image of a group for the last layers, scratch of each thread, pictures made ready.
 */
#include <string.h>
#include "forward.h"
#include "batch.h"
#include "describe.h"
#include "model.h"
#include "plan/algorithms.h"
#include "plan/step.h"
#include "graph/ops.h"
#include "rn.h"

const char *emit_task_body(Emit *e, const Step *s, Text *body) {
    static const char *(*const emitters[ALG_COUNT])(Emit *, const Step *, Text *) = {
#define ALGORITHM(id, word, kind, can, cost, steps, pack, describe, emit) [ALG_##id] = emit,
#include "plan/algorithms.def"
#undef ALGORITHM
    };
    if (!emitters[s->algorithm]) bug("%s has no emission", algorithm_name(s->algorithm));
    return emitters[s->algorithm](e, s, body);
}

bool emit_is_grouped(const Emit *e) {
    return e->plan->group > 1;
}

static bool has_last_layers(const Emit *e) {
    return e->plan->last_step < e->plan->step_count;
}

const char *emit_forward_parameters(const Emit *e) {
    return arena_printf(e->arena, "%s *net, %sconst float *image, float *outputs_at", e->options->name,
                        emit_is_grouped(e) ? "int images, " : "");
}

/* "net->rn.arena + ...", so many floats for each thread and so many for all */
static const char *arena_place(const Emit *e, long long each, long long all) {
    const char *threads = each ? arena_printf(e->arena, "(size_t)net->rn.threads * %lld", each) : NULL;
    if (!each) return all ? arena_printf(e->arena, "net->rn.arena + %lld", all) : "net->rn.arena";
    return all ? arena_printf(e->arena, "net->rn.arena + (%s + %lld)", threads, all)
               : arena_printf(e->arena, "net->rn.arena + %s", threads);
}

static long long arena_floats(const Emit *e) {
    return e->plan->arena_bytes / (long long)sizeof(float);
}

ArenaPlaces emit_arena_places(const Emit *e) {
    const Plan *p = e->plan;
    const bool grouped = emit_is_grouped(e);
    const long long first = arena_floats(e), kept = image_stride(e) * p->group, scratch = scratch_floats(e);
    const long long each = grouped ? first + scratch : scratch, before = grouped ? kept : first;
    const long long picture =
        round_up_bytes((long long)sizeof(float) * shape_size(p->graph->input->shape)) / (long long)sizeof(float);
    return (ArenaPlaces){.kept = arena_place(e, first, 0),
                         .scratch = arena_place(e, grouped ? first : 0, before),
                         .ready = arena_place(e, each, before),
                         .each = each,
                         .all = before + p->group * picture};
}

/* ---- one call ---- */
/* Where an operand's room begins, as emitted. */
static const char *base_of(const Emit *e, const Operand *o) {
    switch (o->room) {
    case ROOM_VALUE:
    case ROOM_TEMPORARY:
        return plan_operand_kept(e->plan, o) ? "B" : "A";
    case ROOM_WEIGHTS:
        return "W";
    case ROOM_IMAGE:
        return "image";
    case ROOM_RESULT:
        return "outputs_at";
    case ROOM_PARAMETERS:
        return "P";
    case ROOM_GRADIENTS:
        return "G";
    case ROOM_LABELS:
        return "labels";
    }
    bug("a room without a name");
}

static void emit_arguments(Emit *e, const Step *s, Text *t) {
    text_puts(t, "&(struct args){.k = k");
    for (Role role = OPERAND_NONE + 1; role < OPERAND_COUNT; role++) {
        const Operand *o = step_operand(s, role);
        if (!o) continue;
        const long long offset = (long long)plan_operand_offset(e->plan, o) / (long long)sizeof(float);
        text_printf(t, ", .%s = %s", role_name(role), base_of(e, o));
        if (offset) text_printf(t, " + %lld", offset);
    }
    if (s->scratch) text_puts(t, ", .scratch = S");
    text_puts(t, "}");
}

/* The strides of the first input and the result: layers that are alike but for these have functions of their own. */
static const char *layout_name(const Emit *e, const Step *s) {
    const Operand *x = step_operand(s, OPERAND_X), *y = step_operand(s, OPERAND_Y);
    const char *from =
        x && x->room == ROOM_VALUE ? arena_printf(e->arena, "_x%d", plan_value(e->plan, x->value)->layout.row) : "";
    return y && y->room == ROOM_VALUE
               ? arena_printf(e->arena, "%s_y%d", from, plan_value(e->plan, y->value)->layout.row)
               : from;
}

/* Where a task finds what: "x: 56x56x64, pixels of 80 floats, rows of 4640; y: ...". */
static const char *layout_words(const Emit *e, const Step *s) {
    Text t = {0};
    for (Role role = OPERAND_NONE + 1; role < OPERAND_COUNT; role++) {
        const Operand *o = step_operand(s, role);
        if (!o || o->room == ROOM_WEIGHTS) continue;
        text_printf(&t, "%s%s: ", t.size ? "; " : "", role_name(role));
        if (o->room == ROOM_TEMPORARY) {
            text_printf(&t, "%lld floats between two steps", (long long)o->bytes * s->images / (long long)sizeof(float));
            continue;
        }
        const Shape shape = o->value->shape;
        const Layout *l = &plan_value(e->plan, o->value)->layout;
        if (o->room != ROOM_VALUE)
            text_printf(&t, "%d planes of %dx%d floats", shape.c, shape.h, shape.w);
        else if (shape.h * shape.w == 1)
            text_printf(&t, "%d floats", shape.c);
        else
            text_printf(&t, "%dx%d pixels of %d floats, %d apart, rows %d apart", shape.h, shape.w, shape.c, l->pixel,
                        l->row);
    }
    const char *words = t.s ? arena_strdup(e->arena, t.s) : NULL;
    text_free(&t);
    return words;
}

static const char *emit_task(Emit *e, const Step *s) {
    Text body = {0};
    e->layout = layout_name(e, s);
    const char *name = emit_task_body(e, s, &body);
    const char *task =
        emit_function(e, name, layout_words(e, s), "void", "void *arg, int part, int parts",
                      arena_printf(e->arena, "    const struct args *a = arg;\n%s", body.s ? body.s : ""));
    const char *prototype = arena_printf(e->arena, "static void %s(void *arg, int part, int parts);\n", task);
    if (!e->prototypes.s || !strstr(e->prototypes.s, prototype)) text_puts(&e->prototypes, prototype);
    text_free(&body);
    e->layout = NULL;
    return task;
}

static void describe_call(Emit *e, const Step *s, Text *t) {
    const Shape in = s->nin ? s->in[0]->shape : s->out->shape, out = s->out->shape;
    Text what = {0};
    describe_step(s, &what);
    text_printf(t, "    /* %s: %s", comment_c(e->arena, s->name), comment_c(e->arena, what.s));
    if (s->node && s->node->place.line)
        text_printf(t, " (%s)", comment_c(e->arena, describe_place(e->arena, s->node->place)));
    text_printf(t, "; %dx%dx%d -> %dx%dx%d", in.c, in.h, in.w, out.c, out.h, out.w);
    if (s->macs) text_printf(t, ", %.1f M multiply-adds", (double)s->macs * 1e-6);
    text_printf(t, ", %s%s */\n", algorithm_name(s->algorithm),
                s->images > 1 ? arena_printf(e->arena, ", %d images at once", s->images) : "");
    text_free(&what);
}

/* What is between one image's results and the next's. */
static long long result_stride(const Emit *e, const Step *s) {
    return step_operand(s, OPERAND_Y)->room == ROOM_RESULT ? (long long)output_floats(e->plan->graph) : image_stride(e);
}

/* The arena's part that the layer hook sees the step's value in. */
static const char *hook_base(const Emit *e, const Step *s) {
    return plan_value(e->plan, s->out)->kept ? "B" : "A";
}

static void emit_call(Emit *e, const Step *s, int layer, bool last, Text *t) {
    describe_call(e, s, t);
    const char *task = emit_task(e, s);
    if (!emit_is_grouped(e))
        text_printf(t, "    step(rn, %d, %s, ", layer, task);
    else if (!last)
        text_printf(t, "    step_of(rn, alone, %d, %s, 1, %s, ", layer, hook_base(e, s), task);
    else if (!s->one)
        text_printf(t, "    each(rn, %d, B, images, %lld, %s, ", layer, result_stride(e, s), task);
    else
        text_printf(t, "    step_of(rn, 0, %d, B, images, images == %d ? %s : %s, ", layer, s->images, task,
                    emit_task(e, s->one));
    emit_arguments(e, s, t);
    text_puts(t, ");\n");
}

/* ---- once in the file ---- */
/* Whether an operand of the role, in arena or file, is an argument of some call. */
static bool has_role(const Emit *e, Role role) {
    for (int i = 0; i < e->plan->step_count; i++)
        if (step_operand(&e->plan->steps[i], role)) return true;
    return false;
}

/* An activation: each image has its own. */
static bool role_is_image(Role role) {
    return (role >= OPERAND_X && role <= OPERAND_X3) || role == OPERAND_ADDEND;
}

/* For the last layers that take one image after another. */
static void emit_image_args(Emit *e, Text *t) {
    line(t, 0,
         "/* The arguments for image n in this part, given those for the first; y_image: floats from one result to "
         "the next */");
    line(t, 0, "static struct args image_args(const struct args *first, int n, int part, size_t y_image) {");
    line(t, 1, "struct args a = *first;");
    for (Role role = OPERAND_X; role < OPERAND_Y; role++)
        if (role_is_image(role) && has_role(e, role))
            line(t, 1, "if (a.%s) a.%s += (size_t)n * %lld;", role_name(role), role_name(role), image_stride(e));
    line(t, 1, "a.y += (size_t)n * y_image;");
    if (e->plan->scratch_bytes)
        line(t, 1, "if (a.scratch) a.scratch += (size_t)part * %lld;", scratch_floats(e));
    else
        line(t, 1, "(void)part;");
    line(t, 1, "return a;");
    line(t, 0, "}\n");
}

static void emit_args(Emit *e, Text *t) {
    text_puts(t, "/* A task's arguments: inputs, weights of each term, bias or shift, slopes, addend, result. */\n"
                 "struct args {\n"
                 "    const rn_kernel *k;\n"
                 "    const float *x");
    for (Role role = OPERAND_X + 1; role < OPERAND_Y; role++)
        if (has_role(e, role)) text_printf(t, ", *%s", role_name(role));
    text_printf(t, ";\n    float *y%s;\n};\n\n", e->plan->scratch_bytes ? ", *scratch" : "");
}

void emit_forward_frame(Emit *e, Text *t) {
    bool each = false;
    for (int i = e->plan->last_step; i < e->plan->step_count; i++)
        each |= step_is_call(&e->plan->steps[i]) && !e->plan->steps[i].one;
    emit_args(e, t);
    if (emit_is_grouped(e))
        line(t, 0, "static const size_t kept_bytes = %lld; /* of an image, for the last layers */\n",
             (long long)e->plan->kept_bytes);
    if (each) emit_image_args(e, t);
}

/* ---- the variables that calls of steps [from, to) use ---- */
typedef struct Uses {
    bool A, B, W, S, outputs;
} Uses;

static Uses uses_of(const Emit *e, int from, int to) {
    Uses u = {0};
    for (int i = from; i < to; i++) {
        const Step *s = &e->plan->steps[i];
        if (!step_is_call(s)) continue;
        u.S |= s->scratch > 0;
        for (int k = 0; k < s->operand_count; k++) {
            const Operand *o = &s->operands[k];
            const bool kept = plan_operand_kept(e->plan, o);
            u.B |= kept;
            u.A |= o->role != OPERAND_NONE && !kept && (o->room == ROOM_TEMPORARY || o->room == ROOM_VALUE);
            u.W |= o->room == ROOM_WEIGHTS;
            u.outputs |= o->room == ROOM_RESULT;
        }
        if (emit_is_grouped(e)) { /* the layer hook's */
            u.B |= plan_value(e->plan, s->out)->kept;
            u.A |= i < e->plan->last_step && !plan_value(e->plan, s->out)->kept;
        }
    }
    return u;
}

static void declare_constants(Emit *e, const Uses *uses, Text *t) {
    const bool jit = e->target.kernels == KERNELS_JIT;
    text_puts(t, "    rn_context *const rn = &net->rn;\n");
    text_printf(t, "    const rn_kernel *k = %s%s;\n", jit ? "net->k" : "kernels", jit ? "" : e->suffix);
    if (uses->W) text_puts(t, "    const float *const W = (const float *)(const void *)rn->weights;\n");
}

/* A line that names the parameters that the calls do not use. */
static void unused_parameters(const Uses *uses, Text *t) {
    const struct {
        bool used;
        const char *name;
    } parameters[] = {{uses->A, "A"}, {uses->B, "B"}, {uses->S, "S"}, {uses->outputs, "outputs_at"}};
    const char *before = "    ";
    for (size_t i = 0; i < sizeof parameters / sizeof *parameters; i++) {
        if (parameters[i].used) continue;
        text_printf(t, "%s(void)%s", before, parameters[i].name);
        before = ", ";
    }
    if (*before == ',') text_puts(t, ";\n");
}

static void emit_calls(Emit *e, int from, int to, Text *t) {
    int layer = 0;
    for (int i = 0; i < to; i++) {
        if (!step_is_call(&e->plan->steps[i])) continue;
        if (i >= from) emit_call(e, &e->plan->steps[i], layer, from > 0, t);
        layer++;
    }
}

static void emit_forward_of_one(Emit *e, Text *t) {
    const Plan *plan = e->plan;
    Text calls = {0};
    emit_calls(e, 0, plan->step_count, &calls);
    text_printf(t,
                "/* One image through the network. A: activations, W: packed weights, S: scratch; offsets in floats. "
                "*/\n"
                "static void forward%s(%s) {\n",
                e->suffix, emit_forward_parameters(e));
    const Uses uses = uses_of(e, 0, plan->step_count);
    declare_constants(e, &uses, t);
    text_puts(t, "    float *const A = rn->arena;\n");
    if (plan->scratch_bytes) text_printf(t, "    float *const S = A + %lld;\n", arena_floats(e));
    text_puts(t, "    if (rn->layer) rn->layer(rn->layer_user, -1, NULL);\n");
    text_write(t, calls.s, calls.size);
    text_puts(t, "}\n\n");
    text_free(&calls);
}

static void emit_first_layers(Emit *e, Text *t) {
    const Uses uses = uses_of(e, 0, e->plan->last_step);
    Text calls = {0};
    emit_calls(e, 0, e->plan->last_step, &calls);
    text_printf(t,
                "/* One image through the first layers. A: activations, S: scratch, B: what the last layers read; W: "
                "packed\n"
                " * weights; offsets in floats. alone: other images run beside it, each on one thread. */\n"
                "static void first_layers%s(%s *net, int alone, float *A, float *B, float *S, const float *image,\n"
                "                         float *outputs_at) {\n",
                e->suffix, e->options->name);
    declare_constants(e, &uses, t);
    unused_parameters(&uses, t);
    text_puts(t, "    if (rn->layer) rn->layer(rn->layer_user, -1, NULL);\n");
    text_write(t, calls.s, calls.size);
    text_puts(t, "}\n\n");
    text_free(&calls);
}

static void emit_last_layers(Emit *e, Text *t) {
    const Plan *plan = e->plan;
    const Uses uses = uses_of(e, plan->last_step, plan->step_count);
    Text calls = {0};
    emit_calls(e, plan->last_step, plan->step_count, &calls);
    text_printf(t,
                "/* The last layers, whose weights outweigh their images: of %d images, or of one. B: what is kept of "
                "each, A: free\n"
                " * for what passes between two steps. */\n"
                "static void last_layers%s(%s *net, int images, float *B, float *outputs_at) {\n",
                plan->group, e->suffix, e->options->name);
    declare_constants(e, &uses, t);
    if (uses.A) text_puts(t, "    float *const A = rn->arena;\n");
    if (uses.S) text_printf(t, "    float *const S = %s;\n", emit_arena_places(e).scratch);
    if (!uses.outputs) text_puts(t, "    (void)outputs_at;\n");
    text_write(t, calls.s, calls.size);
    text_puts(t, "}\n\n");
    text_free(&calls);
}

static void emit_forward_of_groups(Emit *e, Text *t) {
    const Plan *plan = e->plan;
    const long long input = (long long)shape_size(plan->graph->input->shape),
                    output = (long long)output_floats(plan->graph);
    const long long kept = image_stride(e);
    const char *n = e->options->name, *suffix = e->suffix;
    const ArenaPlaces at = emit_arena_places(e);
    emit_first_layers(e, t);
    if (has_last_layers(e)) emit_last_layers(e, t);
    text_printf(t,
                "struct group%s {\n"
                "    struct %s *net;\n"
                "    int images;\n"
                "    const float *image;\n"
                "    float *outputs;\n"
                "};\n\n"
                "/* A thread's images of a group through the first layers. */\n"
                "static void first_part%s(void *arg, int part, int parts) {\n"
                "    const struct group%s *g = arg;\n"
                "    struct %s *net = g->net;\n"
                "    float *A = net->rn.arena + (size_t)part * %lld, *B = %s;\n"
                "    float *S = %s + (size_t)part * %lld;\n"
                "    for (int n = part; n < g->images; n += parts)\n"
                "        first_layers%s(net, 1, A, B + (size_t)n * %lld, S, g->image + (size_t)n * %lld,\n"
                "                     g->outputs + (size_t)n * %lld);\n"
                "}\n\n",
                suffix, n, suffix, suffix, n, arena_floats(e), at.kept, at.scratch, scratch_floats(e), suffix, kept,
                input, output);
    text_printf(t,
                "/* At most %d images: as many at once as there are threads, those left over each on all threads. */\n"
                "static void forward%s(%s) {\n"
                "    float *A = net->rn.arena, *B = %s, *S = %s;\n"
                "    int n = 0;\n"
                "    if (net->rn.threads > 1 && images >= net->rn.threads && !net->rn.layer) {\n"
                "        n = images / net->rn.threads * net->rn.threads;\n"
                "        rn_parallel(&net->rn, first_part%s, &(struct group%s){net, n, image, outputs_at});\n"
                "    }\n"
                "    for (; n < images; n++)\n"
                "        first_layers%s(net, 0, A, B + (size_t)n * %lld, S, image + (size_t)n * %lld,\n"
                "                     outputs_at + (size_t)n * %lld);\n",
                plan->group, suffix, emit_forward_parameters(e), at.kept, at.scratch, suffix, suffix, suffix, kept,
                input, output);
    if (has_last_layers(e))
        text_printf(t,
                    "    if (images == %d) {\n"
                    "        last_layers%s(net, images, B, outputs_at);\n"
                    "        return;\n"
                    "    }\n"
                    "    for (n = 0; n < images; n++)\n"
                    "        last_layers%s(net, 1, B + (size_t)n * %lld, outputs_at + (size_t)n * %lld);\n",
                    plan->group, suffix, suffix, kept, output);
    text_puts(t, "}\n\n");
}

void emit_forward(Emit *e, Text *t) {
    (emit_is_grouped(e) ? emit_forward_of_groups : emit_forward_of_one)(e, t);
}
