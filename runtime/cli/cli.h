/* The commands of an emitted program. main.c reads the command line into a Cli by arguments.c; each command has a file;
 * open.c makes the network that they run. Commands return the exit status. */
#ifndef RN_CLI_H
#define RN_CLI_H

#include "rn_tools.h"

#include <stdbool.h>
#include <cjson/cJSON.h>

enum { CLI_OK = 0, CLI_FAILED = 1, CLI_USAGE = 2 };

typedef struct EvalOptions { /* of eval; NULL, 0 and false: not given */
    const char *resize, *crop, *interpolation, *mean, *std, *order, *scales, *probabilities, *html;
    double crop_share, range;
    int crops, class_offset;
    bool no_antialias, round, ensemble, per_class;
} EvalOptions;

typedef struct Cli {
    const rn_model *model;
    const char *program; /* argv[0], for messages */
    const char *command; /* NULL until it is known */
    char **files;        /* the arguments that are no options, after the command */
    int file_count;
    const char *weights, *labels; /* NULL: not given */
    int threads, batch, top;
    double seconds;
    bool json;
    const char *data; /* the set of pictures */
    bool skip_broken; /* pictures that do not decode are left out */
    EvalOptions eval;
} Cli;

typedef struct Net { /* a network ready to run */
    void *net;
    rn_weights *weights;
} Net;

int cli_run(const Cli *cli);
int cli_classify(const Cli *cli);
int cli_eval(const Cli *cli);
int cli_info(const Cli *cli);
int cli_bench(const Cli *cli);
int cli_profile(const Cli *cli);

/* ---- open.c ---- */
/* The path of the weights: --weights, or the model's file beside the executable. NULL: embedded, or none needed.
 * malloc'd; *found says whether there is any at all. false: no memory, which it said. */
bool cli_weights_path(const Cli *cli, char **path, bool *found);
#define CLI_NO_WEIGHTS                                                                                                 \
    "no weights: none are embedded and rnc packed none; name a packed or safetensors file with --weights FILE"
bool net_open(Net *net, const Cli *cli, void (*layer)(void *, int, const rn_tensor *),
              void *user); /* false: said why */
void net_close(Net *net, const Cli *cli);

/* ---- common.c ---- */
int cli_fail(const Cli *cli, const char *format, ...) __attribute__((format(printf, 2, 3)));  /* prints; CLI_FAILED */
int cli_usage(const Cli *cli, const char *format, ...) __attribute__((format(printf, 2, 3))); /* prints; CLI_USAGE */
void *cli_allocate(size_t count, size_t size);   /* zeroed, 64-byte aligned; NULL where there is none */
void cli_watch_json(void);                       /* once, before any JSON is made: so that none of it can lack parts */
int cli_print_json(const Cli *cli, cJSON *json); /* prints and deletes it; an error where there was no memory for all */
cJSON *cli_json_shape(const size_t *dim, int ndim);

/* ---- labels.c ---- */
typedef struct Labels {
    char *text;        /* the file, lines ended by 0 */
    const char **name; /* one per class; NULL: none */
} Labels;

/* --labels: one name a line, as many as there are classes. CLI_OK, or said why; labels_free in either case. */
int labels_read(Labels *labels, const Cli *cli, int classes);
void labels_free(Labels *labels);
/* The numbers of a text such as 0.485,0.456,0.406; -> how many, at most `most`; 0: it is no such list. */
int cli_numbers(double *numbers, int most, const char *text);

/* ---- timing.c ---- */
typedef struct Times { /* of runs, in seconds */
    double *each;
    int count, capacity;
} Times;

typedef struct TimeStatistics {
    double min, median, p99;
} TimeStatistics;

typedef struct Peaks { /* NaN: not measured, which cJSON prints as null */
    double fma, gemm;  /* GFLOP/s of one thread */
    double memory;     /* GB/s of all threads; NaN as well where the last cache holds the weights */
} Peaks;
#define PEAKS_NONE ((Peaks){NAN, NAN, NAN})

double time_now(void);
bool times_add(Times *times, double seconds);
TimeStatistics time_statistics(double *each, int count); /* sorts */
void peaks_measure(Peaks *peaks, const Cli *cli);        /* keeps the mean of before and now */
/* The end of a line that says `gflops`. */
void peaks_print(const Peaks *peaks, const Cli *cli, double gflops);

/* A roofline, in seconds: of each layer its multiplications at the FMA peak or its weights from memory, whichever takes
 * longer. An estimate: caches keep a part of the weights from run to run. */
bool limit_has_weights(const Peaks *peaks);
bool limit_is_memory(const Cli *cli, const rn_layer *layer, const Peaks *peaks);
double limit_of_layer(const Cli *cli, const rn_layer *layer, const Peaks *peaks);
double limit_of_run(const Cli *cli, const Peaks *peaks);
float *cli_random_images(const Cli *cli); /* batch x input, the same every time; NULL: no memory */

#endif
