/* One compilation: what the command line asks for, and what each stage made of the source.
 *
 * compile() in main.c fills a Compilation from top to bottom; later parts read it.
 */
#ifndef RNC_COMPILATION_H
#define RNC_COMPILATION_H

#include "graph/tensor.h"
#include "emit/emit.h"
#include "language/ast.h"
#include "onnx/read.h"
#include "options.h"
#include "plan/plan.h"
#include "plan/training.h"
#include "view/view.h"

typedef struct Compilation {
    const Options *options;
    Arena arena;
    Diag diag;
    const Ast *ast;     /* NULL for .ir input */
    const char *name;   /* prefix of the emitted API */
    char hash[17];      /* XXH3-64 of the source, in hexadecimal */
    Graph *source;      /* as written: weights are loaded for it, and the interpreter runs it */
    TensorData weights; /* by tensor id of `source`; count 0 where there are none */
    bool has_weights;
    OnnxNetwork onnx;           /* what an ONNX model gave beside `source` */
    const Machine *machine;     /* that plans are made for (measure/machine.h) */
    const char *machine_origin; /* "of the table" */
    const char *machine_cache;  /* the file that has it, where it was measured; NULL: none */
    Graph *training;            /* --train: the graph of a step, before the passes; NULL: inference */
    Graph *graph;               /* after the passes */
    Plan *plan;
    TrainMemory training_memory[RECOMPUTE_BLOCKS + 1]; /* by mode, of those that were asked for */
    Plan *training_plan;                               /* of the graph of a step; NULL: inference alone */
    const Plan *sized;                                 /* that `sizes` are of */
    Sizes sizes;
    struct cJSON *json; /* --json: the document so far */
} Compilation;

/* But for the passes, as the command line says. */
PlanOptions compilation_plan_options(const Compilation *c, const PassOptions *passes);
/* Of the code that --dump=c shows, without a weights file. */
EmitOptions compilation_emit_options(Compilation *c);
/* Of the plan's code, kept in `c` for the last plan that was asked for: an instance's size takes emitting it. */
const Sizes *compilation_sizes(Compilation *c, const Plan *plan, int level);

#endif
