/* One compilation, and what is done with its result: files written, emitted code built, run and compared.
 *
 * compile() in main.c fills a Compilation from top to bottom; later parts read it.
 */
#ifndef RNC_DRIVER_H
#define RNC_DRIVER_H

#include "ast.h"
#include "emit/emit.h"
#include "options.h"
#include "plan/plan.h"
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
    Graph *graph; /* after the passes */
    Plan *plan;
    const Plan *sized; /* that `sizes` are of */
    Sizes sizes;
    struct cJSON *json; /* --json: the document so far */
} Compilation;

/* ---- driver.c: what -o asks for, all of it or nothing ---- */
bool driver_write(Compilation *c);
PlanOptions driver_plan_options(const Compilation *c,
                                const PassOptions *passes); /* but for the passes, as the command line says */
/* Emits `plan` and builds it in `folder` as STEM.so, with STEM.rnw beside it; librn is inside. */
bool driver_build_shared(Compilation *c, const Plan *plan, const char *folder, const char *stem);
/* Runs what was built so: rnc --probe with `words`, then each of `stems` (NULL ends both), in a process of its own.
 * False after a diagnostic, which names the `task`. */
bool driver_probe(Compilation *c, const char *task, const char *const *words, const char *folder,
                  const char *const *stems);

/* ---- show.c: what is printed instead of written; false after a diagnostic ---- */
bool show_tree(Compilation *c);
bool show_graph(Compilation *c);
bool show_dot(Compilation *c);
bool show_plan(Compilation *c);
bool show_c(Compilation *c);
bool show_summary(Compilation *c);
bool show_report(Compilation *c); /* a page, or text */
bool show_verify(Compilation *c); /* runs it */
bool show_json(Compilation *c);   /* --json: what the three above had to say, as one document */
/* Of the plan's code, kept in `c` for the last plan that was asked for: an instance's size takes emitting it. */
const Sizes *driver_sizes(Compilation *c, const Plan *plan, int level);

/* ---- verify_run.c ---- */
typedef struct VerifyDifference { /* where a layer is not as it should be */
    const char *layer, *what;
    Place place;
    double error, limit, got, expected;
    int channel, row, column, image; /* image: from 1, of --input's file or of the batch */
} VerifyDifference;

typedef struct VerifyResult {
    bool agrees;
    int compared, skipped, images;
    double output_limit;              /* the tolerance, or what was predicted where nothing keeps that */
    double output_error, layer_error; /* the largest, relative; that of any layer, which is called `layer` */
    const char *layer;
    bool rounded; /* weights to bf16 */
    double rounding;
    VerifyDifference difference; /* where it does not agree */
} VerifyResult;

/* False after a diagnostic; result->difference.layer is NULL where it could not be run. */
bool verify_run(Compilation *c, VerifyResult *result);
/* The largest relative error of a plan's outputs, on the first of the images that verify_run uses; not finite where an
 * output is not. False after a diagnostic. */
bool verify_outputs(Compilation *c, const Plan *plan, double *error);

/* ---- bench.c ---- */
bool bench_run(Compilation *c);

/* ---- toolchain.c: the C compiler, librn, temporary folders ---- */
typedef enum Build { BUILD_OBJECT, BUILD_SHARED, BUILD_PROGRAM } Build;
enum LibrnFile { LIBRN_HEADER, LIBRN_ARCHIVE };
/* rn.h or librn.a that belongs to this rnc, or NULL. */
const char *toolchain_librn(Arena *arena, enum LibrnFile file);
const char *toolchain_cc(void); /* $CC, or cc where it names none */
/* Compiles (and links) one C file with that, where it says so with librn; `folder` is on the include path. */
bool toolchain_build(Build build, bool librn, const char *c_file, const char *folder, const char *out, bool verbose,
                     Diag *diag);
/* Runs a command and waits: its exit status, or 128 + the signal that ended it. argv ends with NULL. */
int toolchain_run(char *const *argv, bool verbose);
/* A new folder in `parent` (NULL: $TMPDIR or /tmp), or NULL after a diagnostic. */
char *temp_folder_make(Arena *arena, const char *parent, Diag *diag);
void temp_folder_remove(const char *folder); /* with the files in it */

#endif
