#include "trainer.h"

#include <string.h>

#include "describe.h"
#include "graph/ops.h"
#include "kernels.h"
#include "model.h"
#include "plan/step.h"
#include "plan/training.h"
#include "rn_train.h"

/* ---- the line of calls ---- */
static const char *base_of(const Operand *o) {
    static const char *const bases[] = {[ROOM_VALUE] = "A",
                                        [ROOM_TEMPORARY] = "A",
                                        [ROOM_IMAGE] = "images_at",
                                        [ROOM_PARAMETERS] = "P",
                                        [ROOM_GRADIENTS] = "G"};
    return bases[o->room];
}

static void emit_operand(Emit *e, const Operand *o, Text *t) {
    const long long offset = (long long)plan_operand_offset(e->plan, o) / (long long)sizeof(float);
    text_puts(t, base_of(o));
    if (offset) text_printf(t, " + %lld", offset);
}

/* ".x = {A + 64}" of every operand; labels have a member of their own. */
static void emit_arguments(Emit *e, const Step *s, Text *t) {
    bool labels = false;
    text_puts(t, "&(struct batch){.t = t, .k = k, .images = n");
    for (Role role = OPERAND_NONE + 1; role < OPERAND_COUNT; role++) {
        const bool list = role == OPERAND_X || role == OPERAND_P;
        int count = 0;
        for (int i = 0; i < s->operand_count; i++) {
            const Operand *o = &s->operands[i];
            if (o->role != role) continue;
            labels |= o->room == ROOM_LABELS;
            if (o->room == ROOM_LABELS) continue;
            if (count++)
                text_puts(t, ", ");
            else
                text_printf(t, list ? ", .%s = {" : ", .%s = ", role_name(role));
            emit_operand(e, o, t);
        }
        if (list && count) text_puts(t, "}");
    }
    if (labels) text_puts(t, ", .labels = labels");
    if (s->scratch) text_puts(t, ", .scratch = S");
    text_puts(t, "}");
}

static const char *emit_task(Emit *e, const Step *s) {
    Text body = {0};
    const char *name = emit_task_body(e, s, &body);
    const char *task = emit_function(e, name, NULL, "void", "void *arg, int part, int parts",
                                     arena_printf(e->arena, "    const struct batch *a = arg;\n%s", body.s));
    const char *prototype = arena_printf(e->arena, "static void %s(void *arg, int part, int parts);\n", task);
    if (!e->prototypes.s || !strstr(e->prototypes.s, prototype)) text_puts(&e->prototypes, prototype);
    text_free(&body);
    return task;
}

static const char *const parameters =
    "rn_train_context *t, const rn_kernel *k, int n, const float *images_at, const rn_train_label *labels";

/* A function of some of the calls: compilers take long over one of ten thousand. */
static void emit_some_calls(Emit *e, const char *name, const char *parameters, const Text *calls, Text *t) {
    static const struct {
        const char *word, *line;
    } variables[] = {{" A", "    float *const A = t->base.arena;\n"},
                     {" P", "    const float *const P = t->parameters;\n"},
                     {" G", "    float *const G = t->gradients;\n"}};
    text_printf(t, "static void %s(%s) {\n", name, parameters);
    for (size_t i = 0; i < sizeof variables / sizeof *variables; i++)
        if (strstr(calls->s, arena_printf(e->arena, "%s + ", variables[i].word)) ||
            strstr(calls->s, arena_printf(e->arena, "{%s", variables[i].word + 1)) ||
            strstr(calls->s, arena_printf(e->arena, "%s,", variables[i].word)) ||
            strstr(calls->s, arena_printf(e->arena, "%s}", variables[i].word)))
            text_puts(t, variables[i].line);
    if (strstr(calls->s, ".scratch = S"))
        text_printf(t, "    float *const S = t->base.arena + %lld;\n",
                    (long long)e->plan->arena_bytes / (long long)sizeof(float));
    const bool whole = strstr(parameters, "images_at");
    if (whole && !strstr(calls->s, "images_at")) text_puts(t, "    (void)images_at;\n");
    if (whole && !strstr(calls->s, "labels")) text_puts(t, "    (void)labels;\n");
    text_write(t, calls->s, calls->size);
    text_puts(t, "}\n\n");
}

/* ---- several processes ---- */
enum { BUCKET_BYTES = 1 << 20 /* of gradients, at least, that ranks sum at once */ };

/* Gradients as the backward pass completes them: of those that ranks sum, which are ready, and which were given away.
 */
typedef struct Buckets {
    bool *is_ready; /* by parameter */
    int64_t ready, started;
} Buckets;

static int64_t ready_until(const TrainPlan *train, const bool *is_ready) {
    int64_t until = train->summed_floats;
    for (int i = 0; i < train->count; i++) {
        const rn_train_parameter *p = &train->parameters[i].row;
        if (p->trained && !is_ready[i] && p->offset < until) until = p->offset;
    }
    return until;
}

/* Ahead of a total: the sum over slabs and ranks, into the first slab. */
static void emit_sum_over_ranks(Emit *e, const Step *s, Text *t) {
    const Operand *x = step_operand(s, OPERAND_X);
    const Value *value = s->node->in[0];
    text_puts(t, "    rn_train_sum(t, (double *)(void *)(");
    emit_operand(e, x, t);
    text_printf(t, "), %d, %d, %s);\n", train_sums(s->node) * plan_value(e->plan, value)->layout.pixel,
                train_group_slabs(e->plan, e->plan->training->slabs), quote_c(e->arena, s->node->out->name));
}

/* Behind a gradient: where enough of them are complete, they go to the other ranks. */
static void emit_bucket(Emit *e, const Step *s, Buckets *buckets, Text *t) {
    const TrainPlan *train = e->plan->training;
    const int64_t bucket = BUCKET_BYTES / (int64_t)sizeof(float);
    const int64_t at = step_operand(s, OPERAND_G)->offset / (int64_t)sizeof(float);
    for (int i = 0; i < train->count; i++) buckets->is_ready[i] |= train->parameters[i].row.offset == at;
    buckets->ready = ready_until(train, buckets->is_ready);
    const int64_t count = buckets->ready - buckets->started;
    if (!count || (count < bucket && buckets->ready < train->summed_floats)) return;
    text_printf(t, "    rn_train_start(t, %lld, %lld, %s);\n", (long long)buckets->started, (long long)count,
                quote_c(e->arena, s->node->out->name));
    buckets->started = buckets->ready;
}

static Buckets begin_buckets(Emit *e) {
    Buckets buckets = {arena_alloc(e->arena, sizeof(bool) * ((size_t)e->plan->training->count + 1)), 0, 0};
    return buckets;
}

void emit_trainer_calls(Emit *e, Text *t) {
    enum { CALLS = 200 };
    const Plan *plan = e->plan;
    const bool ranks = plan->training->ranks;
    Buckets buckets = begin_buckets(e);
    Text calls = {0}, all = {0};
    line(t, 0,
         "/* Forward and backward of n images. A: activations, S: scratch, P: parameters, G: gradients; offsets in "
         "floats. */");
    for (int i = 0; i < plan->step_count; i++) {
        const Step *s = &plan->steps[i];
        const char *task = emit_task(e, s);
        text_printf(&calls, "    /* %s */\n", comment_c(e->arena, s->name));
        if (ranks && s->algorithm == ALG_BATCH_TOTAL) emit_sum_over_ranks(e, s, &calls);
        text_printf(&calls, "    rn_train_parallel(t, %s, ", task);
        emit_arguments(e, s, &calls);
        text_puts(&calls, ");\n");
        if (ranks && s->algorithm == ALG_BATCH_GRADIENT) emit_bucket(e, s, &buckets, &calls);
        if ((i + 1) % CALLS && i + 1 < plan->step_count) continue;
        const char *name = arena_printf(e->arena, "batch_%d%s", i / CALLS, e->suffix);
        emit_some_calls(e, name, parameters, &calls, t);
        text_printf(&all, "    %s(t, k, n, images_at, labels);\n", name);
        text_free(&calls);
        calls = (Text){0};
    }
    if (ranks && buckets.started != plan->training->summed_floats) bug("gradients that no step completes");
    text_printf(t, "static void batch%s(%s) {\n", e->suffix, parameters);
    if (e->target.kernels != KERNELS_JIT) text_printf(t, "    k = kernels%s;\n", e->suffix);
    text_write(t, all.s, all.size);
    text_puts(t, "}\n\n");
    text_free(&all);
}

/* The forward pass's values for rn_train_watch: where each is, or a function that computes it. */
void emit_trainer_values(Emit *e, Text *t) {
    const Plan *plan = e->plan;
    const TrainPlan *train = plan->training;
    Text rows = {0};
    for (int i = 0; i < train->value_count; i++) {
        const TrainValue *v = &train->values[i];
        const ValuePlan *p = plan_value(plan, v->value);
        const Shape shape = v->value->shape;
        text_printf(&rows, "    {.call = %d, .parameters = %d, .layer = %s, .apart = %lld, ", v->after, v->parameters,
                    quote_c(e->arena, v->value->name), (long long)p->apart);
        text_printf(&rows, ".channels = %d, .pixel = %d, .pixels = %d, ", shape.c, p->layout.pixel, shape.h * shape.w);
        if (!v->computed) {
            text_printf(&rows, ".at = %lld},\n", (long long)p->offset / (long long)sizeof(float));
            continue;
        }
        Text call = {0};
        const char *task = emit_task(e, v->computed);
        text_printf(&call, "    rn_train_parallel(t, %s, ", task);
        emit_arguments(e, v->computed, &call);
        call.s[--call.size] = 0; /* "}": y goes before it */
        text_puts(&call, ", .y = y});\n");
        const char *name = arena_printf(e->arena, "value_%d%s", i, e->suffix);
        emit_some_calls(e, name, "rn_train_context *t, const rn_kernel *k, int n, float *y", &call, t);
        text_printf(&rows, ".compute = %s},\n", name);
        text_free(&call);
    }
    text_printf(t,
                "/* What the calls of the forward pass make, for the error of a loss that is not finite. */\n"
                "static const rn_train_value train_values%s[] = {\n%s};\n\n",
                e->suffix, rows.s);
    text_free(&rows);
}

void emit_trainer_declared(Emit *e, Text *t) {
    const char *n = e->options->name;
    text_printf(t, "struct %s_trainer {\n    rn_train_context rn;\n", n);
    if (e->target.kernels == KERNELS_JIT)
        text_printf(t, "    rn_kernel k[%d];\n", e->kernel_count ? e->kernel_count : 1);
    if (e->target.count > 1)
        text_puts(t,
                  "    void (*batch)(rn_train_context *, const rn_kernel *, int, const float *, const rn_train_label "
                  "*);\n");
    text_puts(t, "};\n\n"
                 "/* A task's arguments in training: of all images of a batch. */\n"
                 "struct batch {\n"
                 "    const rn_train_context *t;\n"
                 "    const rn_kernel *k;\n"
                 "    int images;\n"
                 "    const rn_train_label *labels;\n"
                 "    const float *x[8], *p[16]; /* values; numbers of channels */\n"
                 "    const float *w, *bias;\n"
                 "    float *y, *g, *g1, *scratch;\n"
                 "};\n\n"
                 "static const rn_train_model train_model;\n\n");
}

/* ---- functions ---- */
/* NAME_train_WORD(parameters): the library's rn_train_WORD of the same arguments. */
typedef struct Wrapper {
    const char *returns, *word, *parameters, *arguments, *comment;
} Wrapper;

#define RESULT "rn_train_result *result"
#define BATCH "int n, const float *images, "
static const Wrapper wrappers[] = {
    {"rn_status ", "init", "uint64_t seed", "seed",
     "Every parameter as at the start of training, by the source's `init`; step 0, momentum 0."},
    {"rn_status ", "step", BATCH "const int32_t *labels, " RESULT, "n, images, labels, result",
     "A step: gradients of n images (n x input floats, normalised) and labels, then the update with the schedule's lr. "
     "result: sums; may be NULL. A loss that is not finite is an error, and no parameter has changed."},
    {"rn_status ", "step_mixed", BATCH "const rn_train_label *labels, " RESULT, "n, images, labels, result",
     "The same for targets of two classes."},
    {"rn_status ", "gradients", BATCH "const int32_t *labels, " RESULT, "n, images, labels, result",
     "The gradients of the mean loss alone, into the gradient buffer."},
    {"rn_status ", "gradients_mixed", BATCH "const rn_train_label *labels, " RESULT, "n, images, labels, result", NULL},
    {"rn_status ", "apply", "double lr", "lr", "The update by the gradient buffer; counts a step."},
    {"void ", "tell_step", "const rn_train_result *result", "result",
     "What the schedule learns from the caller's own step, and from a test's error (a fraction)."},
    {"void ", "tell_test", "double error", "error", NULL},
    {"float *", "parameters", "size_t *floats", "floats",
     "The flat buffers, live, and their lengths (rn_train.h): parameters, their gradients, the momentum."},
    {"float *", "gradient_buffer", "size_t *floats", "floats", NULL},
    {"float *", "momentum", "size_t *floats", "floats", NULL},
    {"rn_status ", "evaluate", BATCH "float *output", "n, images, output",
     "n images through the inference code with the live parameters; output: n x OUTPUT_SIZE floats."},
    {"rn_status ", "test", BATCH "const int32_t *labels, " RESULT, "n, images, labels, result",
     "The same of labelled images: loss and errors."},
    {"rn_status ", "save", "const char *path", "path", "A checkpoint, written whole or not at all; going on from one."},
    {"rn_status ", "load", "const char *path", "path", NULL},
    {"rn_status ", "load_weights", "const char *path, const char *except", "path, except",
     "Parameters of a weights file; those that match the glob `except` (may be NULL) stay as they are."},
    {"rn_status ", "export", "const char *path", "path", "The parameters as safetensors."},
};
enum { WRAPPERS = sizeof wrappers / sizeof *wrappers };

const char *const emit_trainer_functions[] = {"train_model",
                                              "train_size",
                                              "train_create",
                                              "train_destroy",
                                              "train_message",
                                              "train_lr",
                                              "train_steps",
                                              "train_init",
                                              "train_step",
                                              "train_step_mixed",
                                              "train_gradients",
                                              "train_gradients_mixed",
                                              "train_apply",
                                              "train_tell_step",
                                              "train_tell_test",
                                              "train_parameters",
                                              "train_gradient_buffer",
                                              "train_momentum",
                                              "train_evaluate",
                                              "train_test",
                                              "train_save",
                                              "train_load",
                                              "train_load_weights",
                                              "train_export",
                                              NULL};

void emit_trainer_api(const EmitOptions *options, Text *h) {
    const char *n = options->name;
    text_printf(h,
                "/* ---- training: see rn_train.h; a trainer is used by one thread at a time ---- */\n"
                "typedef struct %s_trainer %s_trainer;\n"
                "const rn_train_model *%s_train_model(void);\n\n",
                n, n, n);
    text_printf(h,
                "/* Bytes of a trainer's arena for steps of up to `batch` images on so many threads; 0 where these are "
                "out of range. */\nsize_t %s_train_size(int batch, int threads);\n\n",
                n);
    text_printf(
        h,
        "/* Makes a trainer in `arena` (64-byte aligned, of %s_train_size bytes; NULL: allocated). All parameters "
        "are 0 until\n * init or a file. On an error *t is NULL, the text is in options->error. */\n"
        "rn_status %s_train_create(%s_trainer **t, void *arena, size_t size, const rn_train_options *options);\n"
        "void %s_train_destroy(%s_trainer *t); /* NULL is allowed */\n"
        "const char *%s_train_message(const %s_trainer *t); /* the text of the last error */\n\n"
        "double %s_train_lr(const %s_trainer *t); /* the schedule's, for the next step */\n"
        "int64_t %s_train_steps(const %s_trainer *t); /* done */\n\n",
        n, n, n, n, n, n, n, n, n, n, n);
    for (int i = 0; i < WRAPPERS; i++) {
        const Wrapper *w = &wrappers[i];
        if (w->comment) text_printf(h, "/* %s */\n", w->comment);
        text_printf(h, "%s%s_train_%s(%s_trainer *t, %s);\n%s", w->returns, n, w->word, n, w->parameters,
                    i + 1 < WRAPPERS && wrappers[i + 1].comment ? "\n" : "");
    }
    text_puts(h, "\n");
}

static void emit_size(Emit *e, Text *t) {
    const Plan *plan = e->options->training;
    const char *n = e->options->name;
    text_printf(t,
                "size_t %s_train_size(int batch, int threads) {\n"
                "    if (batch < 1 || batch > %d || threads < 1) return 0;\n"
                "    /* instance; parameters, gradients, momentum; activations; scratch of each thread */\n"
                "    return (sizeof(struct %s_trainer) + 63) / 64 * 64 + rn_train_buffers_size(&train_model, batch) +\n"
                "           sizeof(float) * ((size_t)threads * %lld + %lldu);\n"
                "}\n\n",
                n, plan->options.batch, n, (long long)plan->scratch_bytes / (long long)sizeof(float),
                (long long)plan->arena_bytes / (long long)sizeof(float));
}

static void emit_create(Emit *e, Text *t) {
    const char *n = e->options->name;
    const bool jit = e->target.kernels == KERNELS_JIT;
    text_printf(
        t,
        "rn_status %s_train_create(%s_trainer **t, void *arena, size_t size, const rn_train_options *options) {\n"
        "    void *made = NULL;\n"
        "    const size_t need = %s_train_size(rn_train_options_batch(&train_model, options), "
        "rn_train_options_threads(options));\n"
        "    const rn_status status = rn_train_context_create%s(&made, sizeof(struct %s_trainer), need, ",
        n, n, n, jit ? "_jit" : "", n);
    if (jit) text_printf(t, "offsetof(struct %s_trainer, k), kernels, %d, ", n, e->kernel_count);
    text_puts(t, "&train_model, arena, size, options);\n    *t = made;\n");
    for (int i = 0; e->target.count > 1 && i < e->target.count; i++)
        text_printf(t, "    %sif (*t%s) (*t)->batch = batch%s;\n", i ? "else " : "",
                    i + 1 < e->target.count ? arena_printf(e->arena, " && rn_cpu_runs(%s)", isa_c(e->target.isa[i]))
                                            : "",
                    e->target.isa[i] == RN_ISA_X86_64_V4 ? "_v4" : "_v3");
    text_puts(t, "    return status;\n}\n\n");
}

static void emit_gradients(Emit *e, Text *t) {
    const Plan *plan = e->options->training;
    const Graph *g = plan->graph;
    const ValuePlan *loss = plan_value(plan, g->outputs[g->training->loss]);
    const int ranks = plan->training->ranks;
    text_printf(
        t,
        "static rn_status train_gradients(void *trainer, int n, const float *images, const rn_train_label *labels, "
        "rn_train_result *result) {\n"
        "    struct %s_trainer *t = trainer;\n"
        "    %s(&t->rn, %s, n, images, labels);\n"
        "    t->rn.changed = 0;\n",
        e->options->name, e->target.count > 1 ? "t->batch" : "batch",
        e->target.kernels == KERNELS_JIT ? "t->k" : "NULL");
    if (ranks)
        text_printf(t, "    double sums[%d][RN_TRAIN_SUMS] = {{0}}; /* of each group of images */\n", ranks);
    else
        text_puts(t, "    *result = (rn_train_result){.images = n};\n");
    text_printf(t,
                "    const float *loss = t->rn.base.arena + %lld;\n"
                "    for (int i = 0; i < n; i++, loss += %lld) {\n",
                (long long)loss->offset / (long long)sizeof(float), (long long)loss->apart);
    text_puts(t, ranks ? "        double *sum = sums[(long long)i * t->rn.groups / n];\n"
                         "        for (int k = 0; k < 3; k++) sum[k] += loss[k];\n"
                         "    }\n"
                         "    return rn_train_end(&t->rn, sums, result);\n"
                       : "        result->loss += loss[0];\n"
                         "        result->wrong += (int64_t)loss[1];\n"
                         "        result->wrong5 += (int64_t)loss[2];\n"
                         "    }\n"
                         "    return RN_OK;\n");
    text_puts(t, "}\n\n");
}

static void emit_not_finite(Emit *e, Text *t) {
    const TrainPlan *train = e->options->training->training;
    const bool several = e->target.count > 1;
    text_printf(t,
                "static void train_not_finite(void *trainer, int n, const float *images, const rn_train_label *labels, "
                "const char **layer, const char **parameter) {\n"
                "    struct %s_trainer *t = trainer;\n"
                "    rn_train_watch watch = {.values = %s, .count = %d, .images = n, .kernels = %s};\n"
                "    rn_train_result ignored;\n"
                "    t->rn.watch = &watch;\n"
                "    train_gradients(trainer, n, images, labels, &ignored);\n"
                "    t->rn.watch = NULL;\n"
                "    *layer = watch.layer;\n"
                "    *parameter = watch.parameter;\n"
                "}\n\n",
                e->options->name, several ? "t->batch == batch_v4 ? train_values_v4 : train_values_v3" : "train_values",
                train->value_count, e->target.kernels == KERNELS_JIT ? "t->k" : "NULL");
}

static void emit_wrappers(Emit *e, Text *t) {
    const char *n = e->options->name;
    text_printf(t,
                "void %s_train_destroy(%s_trainer *t) { rn_train_destroy(t); }\n"
                "const char *%s_train_message(const %s_trainer *t) { return rn_train_message(t); }\n"
                "double %s_train_lr(const %s_trainer *t) { return rn_train_lr(t); }\n"
                "int64_t %s_train_steps(const %s_trainer *t) { return rn_train_steps(t); }\n",
                n, n, n, n, n, n, n, n);
    for (int i = 0; i < WRAPPERS; i++) {
        const Wrapper *w = &wrappers[i];
        text_printf(t, "%s%s_train_%s(%s_trainer *t, %s) { %srn_train_%s(t, %s); }\n", w->returns, n, w->word, n,
                    w->parameters, strcmp(w->returns, "void ") ? "return " : "", w->word, w->arguments);
    }
    text_puts(t, "\n");
}

/* ---- tables ---- */
static void emit_parameters(Emit *e, Text *t) {
    static const char *const kinds[] = {[RN_TRAIN_WEIGHT] = "WEIGHT",
                                        [RN_TRAIN_BIAS] = "BIAS",
                                        [RN_TRAIN_NORM_WEIGHT] = "NORM_WEIGHT",
                                        [RN_TRAIN_NORM_BIAS] = "NORM_BIAS",
                                        [RN_TRAIN_SLOPE] = "SLOPE",
                                        [RN_TRAIN_RUNNING_MEAN] = "RUNNING_MEAN",
                                        [RN_TRAIN_RUNNING_VAR] = "RUNNING_VAR",
                                        [RN_TRAIN_CONSTANT] = "CONSTANT"};
    const TrainPlan *plan = e->options->training->training;
    text_puts(t, "static const rn_train_parameter train_parameters[] = {\n");
    for (int i = 0; i < plan->count; i++) {
        const rn_train_parameter *p = &plan->parameters[i].row;
        text_printf(t, "    {.name = %s, .kind = RN_TRAIN_%s, ", quote_c(e->arena, p->name), kinds[p->kind]);
        if (p->trained) text_puts(t, ".trained = 1, ");
        if (p->last) text_puts(t, ".last = 1, ");
        text_printf(t, ".ndim = %d, .dim = {%d, %d, %d, %d}, ", p->ndim, p->dim[0], p->dim[1], p->dim[2], p->dim[3]);
        if (p->fan_in) text_printf(t, ".fan_in = %lld, .fan_out = %lld, ", (long long)p->fan_in, (long long)p->fan_out);
        if (p->momentum != 0) text_printf(t, ".momentum = %.17g, ", p->momentum);
        text_printf(t, ".offset = %lld},\n", (long long)p->offset);
    }
    text_puts(t, "};\n\n");
}

void emit_train_recipe(const Emit *e, Text *t) {
    const Train *train = e->options->training->graph->train;
    const rn_train_recipe *r = &train->recipe;
    static const char *const subtract[] = {[RN_TRAIN_SUBTRACT_NOTHING] = "NOTHING",
                                           [RN_TRAIN_SUBTRACT_PIXEL_MEAN] = "PIXEL_MEAN",
                                           [RN_TRAIN_SUBTRACT_CHANNEL_MEAN] = "CHANNEL_MEAN"};
    const struct {
        const char *name;
        double value;
    } reals[] = {{"smooth", r->smooth},       {"lr", r->lr},
                 {"momentum", r->momentum},   {"decay", r->decay},
                 {"divide_by", r->divide_by}, {"cosine_to", r->cosine_to},
                 {"warmup_lr", r->warmup_lr}, {"warmup_error", r->warmup_error},
                 {"area_min", r->area_min},   {"area_max", r->area_max},
                 {"mixup", r->mixup}};
    const struct {
        const char *name;
        int64_t value;
    } integers[] = {{"batch", r->batch},
                    {"nesterov", r->nesterov},
                    {"decay_all", r->decay_all},
                    {"divide_count", r->divide_count},
                    {"divide_at_plateau", r->divide_at_plateau},
                    {"cosine", r->cosine},
                    {"warmup", r->warmup},
                    {"warmup_steps", r->warmup_steps},
                    {"warmup_rise", r->warmup_rise},
                    {"stop", r->stop},
                    {"zero_last", r->zero_last},
                    {"pad", r->pad},
                    {"crop_h", r->crop_h},
                    {"crop_w", r->crop_w},
                    {"resize_min", r->resize_min},
                    {"resize_max", r->resize_max},
                    {"mirror", r->mirror},
                    {"colour", r->colour},
                    {"test_every", r->test_every},
                    {"save_every", r->save_every}};
    if (r->divide_count) {
        text_puts(t, "static const int64_t train_divide_at[] = {");
        for (int i = 0; i < r->divide_count; i++) text_printf(t, "%s%lld", i ? ", " : "", (long long)r->divide_at[i]);
        text_puts(t, "};\n");
    }
    text_puts(
        t, "/* the source's train section; what is not said is 0 */\nstatic const rn_train_recipe train_recipe = {\n");
    for (size_t i = 0; i < sizeof reals / sizeof *reals; i++)
        if (reals[i].value != 0) text_printf(t, "    .%s = %.17g,\n", reals[i].name, reals[i].value);
    for (size_t i = 0; i < sizeof integers / sizeof *integers; i++)
        if (integers[i].value) text_printf(t, "    .%s = %lld,\n", integers[i].name, (long long)integers[i].value);
    if (r->divide_count) text_puts(t, "    .divide_at = train_divide_at,\n");
    text_printf(t, "    .init = %s,\n    .subtract = RN_TRAIN_SUBTRACT_%s,\n};\n\n",
                r->init == RN_TRAIN_XAVIER ? "RN_TRAIN_XAVIER" : "RN_TRAIN_HE", subtract[r->subtract]);
}

static void emit_train_model(Emit *e, Text *t) {
    const Plan *plan = e->options->training;
    const TrainPlan *train = plan->training;
    const Graph *g = plan->graph;
    const char *n = e->options->name;
    int64_t macs = 0, multiplications = 0;
    for (int i = 0; i < plan->step_count; i++)
        macs += plan->steps[i].macs, multiplications += plan->steps[i].multiplications;
    text_printf(
        t,
        "static rn_status train_create(void **trainer, void *arena, size_t size, const rn_train_options *options) "
        "{\n    struct %s_trainer *made = NULL;\n    const rn_status status = %s_train_create(&made, arena, size, "
        "options);\n    *trainer = made;\n    return status;\n}\n\n",
        n, n);
    text_printf(
        t,
        "static const rn_train_model train_model = {\n"
        "    .abi = %d,\n    .name = %s,\n    .network = &model,\n    .recipe = &train_recipe,\n"
        "    .parameters = train_parameters,\n    .parameter_count = %d,\n    .floats = %lld,\n"
        "    .gradient_floats = %lld,\n    .trained_floats = %lld,\n    .source_hash = %s,\n    .plan_hash = %s,\n"
        "    .batch = %d,\n    .classes = %d,\n    .macs = %lld,\n    .multiplications = %lld,\n"
        "    .size = %s_train_size,\n    .create = train_create,\n    .gradients = train_gradients,\n"
        "    .not_finite = train_not_finite,\n",
        RN_TRAIN_ABI, quote_c(e->arena, n), train->count, (long long)train->floats, (long long)train->gradient_floats,
        (long long)train->trained_floats, quote_c(e->arena, e->options->source_hash),
        quote_c(e->arena, e->trainer_hash), plan->options.batch,
        g->outputs[g->training->loss]->producer->in[0]->shape.c, (long long)macs, (long long)multiplications, n);
    if (train->ranks)
        text_printf(t, "    .ranks = %d,\n    .group_images = %d,\n    .summed_floats = %lld,\n", train->ranks,
                    train_group_images(plan), (long long)train->summed_floats);
    text_printf(t, "};\n\nconst rn_train_model *%s_train_model(void) { return &train_model; }\n", n);
}

void emit_trainer(Emit *e, Text *t) {
    emit_size(e, t);
    emit_create(e, t);
    emit_gradients(e, t);
    emit_not_finite(e, t);
    emit_wrappers(e, t);
    emit_parameters(e, t);
    emit_train_recipe(e, t);
    emit_train_model(e, t);
}
