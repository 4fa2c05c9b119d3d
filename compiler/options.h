/* The command line: one table of options (options.c) from which parsing, --help and the recorded command line are made.
 */
#ifndef RNC_OPTIONS_H
#define RNC_OPTIONS_H

#include "base/base.h"
#include "base/diag.h"
#include "passes/passes.h"
#include "passes/recompute.h"
#include "emit/target.h"
#include "plan/machine.h"

typedef enum Dump { DUMP_NONE, DUMP_AST, DUMP_IR, DUMP_DOT, DUMP_PLAN, DUMP_C } Dump;

typedef enum OutputKind { /* by the ending of -o's file */
                          OUTPUT_NONE,
                          OUTPUT_C,           /* .c, and .h beside it */
                          OUTPUT_OBJECT,      /* .o, and .h */
                          OUTPUT_ARCHIVE,     /* .a, and .h */
                          OUTPUT_SHARED,      /* .so, and .h; librn inside */
                          OUTPUT_SAFETENSORS, /* the weights, as loaded or drawn */
                          OUTPUT_ONNX,        /* the network before the passes, with its weights */
                          OUTPUT_SOURCE,      /* .rn: the same in the language; with weights, .safetensors beside it */
                          OUTPUT_PROGRAM      /* anything else without an ending */
} OutputKind;

typedef struct Options {
    Arena *arena;
    bool bench;                                                /* rnc bench */
    bool compare;                                              /* rnc compare; these are the first network's options */
    struct Options *second;                                    /* compare: the other network's */
    const char *label;                                         /* compare: its file, with the options of its own */
    bool reference;                                            /* compare: it is run by the interpreter */
    const char *input;                                         /* FILE.rn, FILE.ir, FILE.onnx or -: standard input */
    enum { INPUT_SOURCE, INPUT_GRAPH, INPUT_ONNX } input_kind; /* by its ending */
    const char *output;                                        /* -o, or NULL */
    OutputKind kind;
    PassOptions passes;   /* -O, -f, --dump-after, -v */
    const char *name;     /* --name, or NULL: the network's */
    const char **defines; /* -D NAME=VALUE */
    int define_count, define_capacity;
    const char **outputs; /* --output LAYER */
    int output_count, output_capacity;
    int batch;
    bool batch_given;
    enum { DEPEND_NONE, DEPEND_OWN, DEPEND_ALL } depend; /* -MMD: the network's own files; -MD: rnc and librn, too */
    const char *depfile;                                 /* -MF FILE, or NULL: beside -o's */
    const char **depend_targets;                         /* -MT, -MQ: as they go into the file */
    int depend_target_count, depend_target_capacity;
    bool depend_phony; /* -MP */
    Target target;     /* --target, --kernels */
    bool kernels_given;
    bool target_native;       /* the target is the processor that rnc runs on, by --target native or for want of one */
    const char *tune;         /* -mtune: what machine_parse reads, or native instead of its name */
    const char *tune_changes; /* ",l3=30": what follows the name */
    bool tune_native;
    const Machine *machine; /* for target.isa[0], where it is not native: measure/machine.h finds that */
    bool print_machine;
    bool standalone;
    const char *weights;        /* --weights FILE, or NULL */
    const char *weights_prefix; /* --weights-prefix, "" for none, or NULL: found out */
    const char **ignores;       /* --ignore GLOB */
    int ignore_count, ignore_capacity;
    bool random_weights;
    uint64_t seed;
    bool embed;
    int threads, tune_threads; /* tune_threads: -O3 tunes for so many; 1 unless --threads says otherwise */
    int ranks;                 /* --train: processes that may share a step with the bits of one; 0: there is one */
    Recompute recompute;       /* --train: what is computed again rather than kept */
    bool recompute_given;
    bool train; /* what trains the network, not what runs it */
    Dump dump;
    const char *run_pass; /* hidden, for tests: one pass alone, .ir in and out */
    bool summary, verify, format, list_passes, version, help;
    const char *verify_input; /* --input: an array or a picture for --verify, or NULL: noise */
    double tolerance;
    bool small;             /* -Os */
    double weights_limit;   /* --weights-limit, megabytes; 0: none */
    const char *tune_cache; /* -O3: file of measured times, or NULL: the user's cache */
    const char *report;     /* --report FILE.html, "" for text on standard output, or NULL */
    double seconds;         /* bench: per variant */
    bool json;
    const char *html;    /* bench, compare */
    const char *data;    /* compare: what to run on, or NULL: noise */
    int image_count;     /* compare: -n; 0: all */
    double threshold;    /* compare; 0: the sum of the networks' tolerances */
    const char *command; /* as typed, files by their bare names: the same in any folder */
} Options;

/* Reads the command line. False after an error: the caller exits with status 2. */
bool options_parse(Options *options, Arena *arena, int argc, char **argv, Diag *diag);
/* Whether a network's options go together, and with its input; finds out the input's kind (options_check.c). False
 * after an error. */
bool options_check(Options *options, Diag *diag);
void options_help(FILE *out);
void options_list_passes(FILE *out);

#endif
