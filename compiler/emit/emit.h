/* Emission: a plan as C. emit.c drives and writes the frame, one file per algorithm writes the loops.
 *
 * Every step becomes a call `step(net, LAYER, TASK, &(struct args){...})`, where TASK is a static function
 *
 *     static TARGET void TASK(void *arg, int part, int parts)      with `const struct args *a = arg;`
 *
 * that does its part of the layer. A task's text has literal geometry but no layer's offsets: those come through args,
 * so that layers of one shape share one task (emit_task interns by text).
 */
#ifndef RNC_EMIT_H
#define RNC_EMIT_H

#include "plan/gemm.h"
#include "plan/plan.h"
#include "target.h"

typedef struct EmitOptions {
    const char *name;    /* prefix of the API, a C identifier */
    Target target;       /* count 0: the plan's instruction set, kernels by JIT */
    const char *command; /* recorded at the top and in the model */
    const char *source_hash;
    const char *header_name;  /* "resnet152.h" */
    const char *weights_file; /* packed file's bare name, or NULL */
    const char *embed_path;   /* packed file's path for .incbin, or NULL */
    long long embed_size;     /* its size in bytes */
    bool program;             /* emit main() */
    bool shared;              /* for a shared object: with what those call who load it at run time */
    const Plan *training;     /* with a trainer (plan/training.h); NULL: without */
    bool standalone;          /* with what it needs of the runtime; kernels are not by JIT */
} EmitOptions;

void emit_c(const Plan *plan, const EmitOptions *options, Text *c);
/* `shared`: with the types of rn.h instead of rn.h, since a shared object has a runtime of its own. */
void emit_h(const Plan *plan, const EmitOptions *options, Text *h);
/* What NAME_arena_size of that code returns for the largest batch: bytes of an instance with its activations. */
size_t emit_arena_bytes(const Plan *plan, const EmitOptions *options, int threads);
/* The linker's version script: a shared object exports NAME_..., and nothing of its runtime. */
void emit_exports(const EmitOptions *options, Text *t);
/* Whether the API's prefix `name` would meet a name that the emitted code or librn has already. */
bool emit_name_is_taken(const char *name);
/* Or one of C's, C++'s or the C library's. */
bool emit_name_is_c(const char *name);
/* Whether NAME.h is a header of the system's or librn's, which one of that name would hide from #include. */
bool emit_header_is_c(const char *name);
bool emit_standalone_name_is_taken(const char *name); /* or that of the runtime in a standalone network */

/* ---- for the files of emit/ ---- */
/* NAME_... of every network; of shared objects and standalone ones; of shared objects with librn. NULL is the last. */
extern const char *const emit_api_functions[], *const emit_loader_functions[], *const emit_image_functions[];

typedef struct Emit {
    const Plan *plan;
    const EmitOptions *options;
    Arena *arena;
    Target target;
    rn_isa isa; /* that the text is now written for */
    const Machine *machine;
    int lanes;          /* floats of its vector: 16 or 8 */
    const char *suffix; /* of names that each instruction set has for itself: "_v3"; "" where there is one */
    Map tasks;          /* body text -> name */
    Map transforms;     /* words -> Transform, see transform.c */
    Text prototypes;    /* of the tasks */
    Text functions;     /* tasks and helpers, in order of first use */
    struct rn_kernel_spec *kernels; /* distinct kernels: rows of the table that create dispatches */
    int kernel_count, kernel_capacity;
    Map kernel_index;
    Map names;                /* names taken */
    const char *trainer_hash; /* of what decides the bits of a training step */
    const char *layout;       /* of the step that is written: "_x80_y272", for functions that differ by it alone */
} Emit;

/* A line of emitted text, indented by 4 * depth. */
void line(Text *t, int depth, const char *format, ...) PRINTF_LIKE(3, 4);

/* A GEMM's row in the instance's kernel table; equal rows are shared. */
typedef enum KernelKind {
    KERNEL_PLAIN,
    KERNEL_FETCHES /* the next weights */,
    KERNEL_REDUCES /* a batch */
} KernelKind;
int emit_kernel(Emit *e, KernelKind kind, const Gemm *gemm);

/* The declaration of k where the statements use it; else "". */
const char *kernel_table_for(const char *statements);
/* A row as the index of the table k, with its sizes beside it: "5 (64x28x256)"; of two, by a condition. */
const char *emit_kernel_index(Emit *e, int kernel);
const char *emit_kernel_choice(Emit *e, const char *condition, int yes, int no);
/* An expression that is the GEMM `g` where the condition holds, else `other`, in a function with the kernel table k.
 * The second fetches as many weights from `next` on to L2 meanwhile, or its share of them, as the call-th of several
 * that are alike (plan/gemm.h). */
const char *emit_gemm(Emit *e, const char *condition, const Gemm *g, const Gemm *other, const char *w, const char *x,
                      const char *y);
const char *emit_fetching_gemm(Emit *e, const char *condition, const Gemm *g, const Gemm *other, const char *w,
                               const char *x, const char *y, const char *next, int call, int calls);

/* The columns of a woven GEMM: the pixels of an image, or of a row. Floats from row to row; from pixel to pixel they
 * are the GEMM's. */
typedef struct WovenColumns {
    int rows, width;
    int x_row, y_row;
} WovenColumns;

/* A function (w, x, y, next), or with several taps (w, x, y, next, x_at), that is the GEMM over `taps` taps, and
 * fetches from `next` on its share of weights like its own: one of so many calls that do (plan/gemm.h). */
const char *emit_woven(Emit *e, const Gemm *g, int taps, const WovenColumns *columns, int calls);

/* Adds `body` (statements, indented by 4) as a static function with this parameter list, or finds the equal one;
 * returns its name, made from `prefix`. comment: one line or NULL. */
const char *emit_function(Emit *e, const char *prefix, const char *comment, const char *returns, const char *parameters,
                          const char *body);
/* The same for a function that is always inlined. */
const char *emit_helper(Emit *e, const char *prefix, const char *comment, const char *parameters, const char *body);

/* Inside a task: members of struct args, all float pointers (const but y and scratch):
 *   x      in[0]'s element (0,0,0)            x1..x3  in[1..3]'s
 *   y      the result's element (0,0,0)       addend  the addend's element (0,0,0)
 *   w      the step's weights (first term)    w1..w3  of the other terms
 *   bias, slope                               scratch this part's scratch is a->scratch + part * SCRATCH
 *   k      the instance's kernel table (const rn_kernel *)
 * and the functions of c/vectors_avx512.h and c/vector_functions.h, of which net.c has those that the text names:
 *   load_n(p, n) store_n(p, v, n): n < lanes literal; nothing beyond n is read or written
 */
/* "BASE", "BASE + n" or "BASE - n" */
const char *emit_plus(const Emit *e, const char *base, int64_t n);
/* "load(EXPR)" or "load_n(EXPR, n)" for lanes [c, c+lanes) of `channels`; and the store. */
const char *emit_load(Emit *e, const char *pointer, int channels_left);
const char *emit_store(Emit *e, const char *pointer, const char *value, int channels_left);
/* The activation's function of vectors, or `what` of it ("_slope"), around the vector expression `v`; slope: one for
 * each channel, or NULL. */
const char *emit_act(const Emit *e, Act act, const char *what, const char *v, ActNumbers numbers, const char *slope);
/* The epilogue's bias, addend and activation around `value`; bias, add, slope: vector expressions, or NULL where
 * absent. */
const char *emit_epilogue(Emit *e, const Epilogue *epilogue, const char *value, const char *bias, const char *addend,
                          const char *slope);
/* Statements that zero the halo of `out` (called by part 0), of each of a step's images: appended to body. Nothing
 * where there is none. */
void emit_halo(Emit *e, const Value *out, int images, Text *body);
void emit_halo_of(Emit *e, const Layout *layout, Shape shape, int images, Text *body);

/* One for each algorithm, in the file that is called like it: appends the task's statements for the step to `body` and
 * returns the task's name. Rows (or panels) are divided among `parts`. */
const char *emit_conv(Emit *e, const Step *step, Text *body); /* pointwise and direct */
const char *emit_winograd_input(Emit *e, const Step *step, Text *body);
const char *emit_winograd(Emit *e, const Step *step, Text *body);
const char *emit_strassen(Emit *e, const Step *step, Text *body);
const char *emit_fc(Emit *e, const Step *step, Text *body);
const char *emit_grouped(Emit *e, const Step *step, Text *body);
const char *emit_input(Emit *e, const Step *step, Text *body);  /* layout.c: a->x is the caller's image */
const char *emit_output(Emit *e, const Step *step, Text *body); /* layout.c: a->y is the caller's result */
const char *emit_copy(Emit *e, const Step *step, Text *body);   /* layout.c */
const char *emit_map(Emit *e, const Step *step, Text *body);
const char *emit_pool(Emit *e, const Step *step, Text *body);
const char *emit_lrn(Emit *e, const Step *step, Text *body);
const char *emit_layernorm(Emit *e, const Step *step, Text *body);
const char *emit_spp(Emit *e, const Step *step, Text *body);
const char *emit_pad(Emit *e, const Step *step, Text *body);
const char *emit_quantize(Emit *e, const Step *step, Text *body);
const char *emit_softmax(Emit *e, const Step *step, Text *body);
const char *emit_interleave(Emit *e, const Step *step, Text *body);
const char *emit_groupnorm(Emit *e, const Step *step, Text *body);
const char *emit_responses(Emit *e, const Step *step, Text *body);
const char *emit_responsenorm(Emit *e, const Step *step, Text *body);
const char *emit_resize(Emit *e, const Step *step, Text *body);
const char *emit_slice(Emit *e, const Step *step, Text *body);
const char *emit_shuffle(Emit *e, const Step *step, Text *body);
const char *emit_phases(Emit *e, const Step *step, Text *body);
const char *emit_upsample(Emit *e, const Step *step, Text *body);

/* Training's tasks: batch.h. */

/* The same for any step, by its row in algorithms.def (forward.c). */
const char *emit_task_body(Emit *e, const Step *step, Text *body);

/* ---- names and numbers of a step ---- */
const char *conv_name(const Emit *e, const Step *step);       /* "conv3x3_64to64_56x56" */
const char *epilogue_name(const Emit *e, const Step *step);   /* "_add_relu" */
const char *layer_task_name(const Emit *e, const Step *step); /* "add_64x56x56": the operation and the result */
/* Floats from what is kept of an image to the next image's; and that each part has of scratch. */
long long image_stride(const Emit *e);
long long scratch_floats(const Emit *e);

#endif
