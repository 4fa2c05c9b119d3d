/* The command line of an emitted program: `NAME COMMAND [options] [files]` -> a Cli -> the command's function.
 *
 * One row per command and per option; --help prints the rows. Exit status 0, 1 (the input is wrong), 2 (the command
 * line is wrong).
 */
#include "cli.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RUN = 1, CLASSIFY = 2, INFO = 4, BENCH = 8, PROFILE = 16, EVERY = 31 };

typedef struct Command {
    const char *name;
    int bit;
    int (*function)(const Cli *cli);
    const char *arguments, *help;
} Command;

static const Command commands[] = {
    {"run", RUN, cli_run, "IN.npy OUT.npy...",
     "run the network: N x C x H x W normalised floats in, a file per output out"},
    {"classify", CLASSIFY, cli_classify, "IMAGE...", "the likeliest classes of PNG or JPEG pictures"},
    {"info", INFO, cli_info, "", "what this network is"},
    {"bench", BENCH, cli_bench, "", "time whole runs, against the machine's peak"},
    {"profile", PROFILE, cli_profile, "", "time each layer, against the machine's peak"},
};
enum { COMMANDS = sizeof commands / sizeof *commands };

typedef enum Kind { FLAG, TEXT, COUNT, REAL } Kind;

typedef struct Option {
    const char *name;
    int of; /* commands that take it */
    Kind kind;
    size_t member;
    const char *value, *help;
} Option;

static const Option options[] = {
    {"--weights", EVERY, TEXT, offsetof(Cli, weights), "FILE",
     "packed or safetensors weights (default: embedded, or the packed file beside this program)"},
    {"--threads", RUN | CLASSIFY | BENCH | PROFILE, COUNT, offsetof(Cli, threads), "N", "threads (1)"},
    {"--batch", BENCH | PROFILE, COUNT, offsetof(Cli, batch), "N", "images a run (1)"},
    {"--seconds", BENCH | PROFILE, REAL, offsetof(Cli, seconds), "S", "measure for so long (3)"},
    {"--labels", CLASSIFY, TEXT, offsetof(Cli, labels), "FILE", "the classes' names, one a line"},
    {"--top", CLASSIFY, COUNT, offsetof(Cli, top), "K", "how many classes to show (5)"},
    {"--json", EVERY, FLAG, offsetof(Cli, json), NULL, "print JSON"},
};
enum { OPTIONS = sizeof options / sizeof *options };

static void cli_message(const Cli *cli, const char *format, va_list arguments) {
    fprintf(stderr, "%s: error: ", cli->program);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
}

int cli_fail(const Cli *cli, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    cli_message(cli, format, arguments);
    va_end(arguments);
    return CLI_FAILED;
}

int cli_usage(const Cli *cli, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    cli_message(cli, format, arguments);
    va_end(arguments);
    fprintf(stderr, "try '%s --help'\n", cli->program);
    return CLI_USAGE;
}

void *cli_allocate(size_t count, size_t size) {
    if (size && count > (SIZE_MAX - 64) / size) return NULL;
    const size_t bytes = (count * size + 64) / 64 * 64;
    void *memory = aligned_alloc(64, bytes);
    if (memory) memset(memory, 0, bytes);
    return memory;
}

int cli_print_json(const Cli *cli, cJSON *json) {
    char *text = cJSON_Print(json);
    cJSON_Delete(json);
    if (!text) return cli_fail(cli, "out of memory");
    puts(text);
    cJSON_free(text);
    return CLI_OK;
}

cJSON *cli_json_shape(const size_t *dim, int ndim) {
    cJSON *shape = cJSON_CreateArray();
    for (int i = 0; i < ndim; i++) cJSON_AddItemToArray(shape, cJSON_CreateNumber((double)dim[i]));
    return shape;
}

/* ---- help ---- */
static void help_option(const Option *o) {
    char head[32];
    snprintf(head, sizeof head, "%s %s", o->name, o->value ? o->value : "");
    printf("  %-16s %s\n", head, o->help);
}

static void help(const Cli *cli, const Command *only) {
    const rn_model *m = cli->model;
    if (only) {
        printf("usage: %s %s [options] %s\n%s\n\noptions:\n", cli->program, only->name, only->arguments, only->help);
    } else {
        printf("usage: %s COMMAND [options] [FILE...]\n", cli->program);
        printf("The network %s (input %d x %d x %d), compiled by rnc %s.\n\ncommands:\n", m->name, m->input.c,
               m->input.h, m->input.w, m->rnc_version);
        for (int i = 0; i < COMMANDS; i++) {
            char head[32];
            snprintf(head, sizeof head, "%s %s", commands[i].name, commands[i].arguments);
            printf("  %-26s %s\n", head, commands[i].help);
        }
        printf("\noptions (COMMAND --help says which it takes):\n");
    }
    for (int i = 0; i < OPTIONS; i++)
        if (!only || options[i].of & only->bit) help_option(&options[i]);
    if (!only) printf("  %-16s the versions of rnc and of librn\n", "--version");
    printf("  %-16s this text\n\nexit status: 0; 1: the input is wrong; 2: the command line is wrong\n", "-h, --help");
}

/* ---- suggestions ---- */
static int min3(int a, int b, int c) {
    int m = a < b ? a : b;
    return m < c ? m : c;
}

static int edit_distance(const char *a, const char *b) {
    enum { MAX = 32 };
    const int n = (int)strlen(a), m = (int)strlen(b);
    int row[MAX + 1];
    if (n > MAX || m > MAX) return MAX;
    for (int j = 0; j <= m; j++) row[j] = j;
    for (int i = 1; i <= n; i++) {
        int diagonal = row[0];
        row[0] = i;
        for (int j = 1; j <= m; j++) {
            const int above = row[j];
            row[j] = min3(above + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1]));
            diagonal = above;
        }
    }
    return row[m];
}

static int unknown(const Cli *cli, const char *what, const char *word, const char *const *names, int count) {
    const char *best = NULL;
    int nearest = 3; /* further apart is no misspelling */
    for (int i = 0; i < count; i++) {
        const int d = edit_distance(word, names[i]);
        if (d < nearest) {
            nearest = d;
            best = names[i];
        }
    }
    if (best) return cli_usage(cli, "unknown %s '%s'; did you mean '%s'?", what, word, best);
    return cli_usage(cli, "unknown %s '%s'", what, word);
}

static int unknown_command(const Cli *cli, const char *word) {
    const char *names[COMMANDS];
    for (int i = 0; i < COMMANDS; i++) names[i] = commands[i].name;
    return unknown(cli, "command", word, names, COMMANDS);
}

static int unknown_option(const Cli *cli, const char *word) {
    const char *names[OPTIONS + 2];
    for (int i = 0; i < OPTIONS; i++) names[i] = options[i].name;
    names[OPTIONS] = "--help";
    names[OPTIONS + 1] = "--version";
    return unknown(cli, "option", word, names, OPTIONS + 2);
}

/* ---- parsing ---- */
static int option_set(Cli *cli, const Option *o, const char *value) {
    char *member = (char *)cli + o->member, *end;
    errno = 0;
    switch (o->kind) {
    case FLAG:
        *(bool *)member = true;
        return CLI_OK;
    case TEXT:
        *(const char **)member = value;
        return CLI_OK;
    case COUNT: {
        const long n = strtol(value, &end, 10);
        if (end == value || *end || errno || n < 1 || n > INT_MAX)
            return cli_usage(cli, "%s: '%s' is not a number above 0", o->name, value);
        *(int *)member = (int)n;
        return CLI_OK;
    }
    case REAL: {
        const double x = strtod(value, &end);
        if (end == value || *end || !(x > 0 && x <= 86400))
            return cli_usage(cli, "%s: '%s' is not a number of seconds (above 0, at most 86400)", o->name, value);
        *(double *)member = x;
        return CLI_OK;
    }
    }
    return CLI_USAGE;
}

/* Reads the option at arguments[*i]; *seen gets its index's bit. */
static int option_parse(Cli *cli, char **arguments, int count, int *i, unsigned *seen) {
    const char *word = arguments[*i], *equals = strchr(word, '=');
    const size_t length = equals ? (size_t)(equals - word) : strlen(word);
    for (int k = 0; k < OPTIONS; k++) {
        const Option *o = &options[k];
        if (strlen(o->name) != length || memcmp(o->name, word, length)) continue;
        *seen |= 1u << k;
        const char *value = equals ? equals + 1 : NULL;
        if (o->kind == FLAG && value) return cli_usage(cli, "%s takes no value", o->name);
        if (o->kind != FLAG && !value) {
            if (*i + 1 == count) return cli_usage(cli, "%s needs a value: %s %s", o->name, o->name, o->value);
            value = arguments[++*i];
        }
        return option_set(cli, o, value);
    }
    char name[64];
    snprintf(name, sizeof name, "%.*s", (int)length, word);
    return unknown_option(cli, name);
}

static int check(const Cli *cli, const Command *command, unsigned seen) {
    for (int k = 0; k < OPTIONS; k++)
        if (seen >> k & 1 && !(options[k].of & command->bit))
            return cli_usage(cli, "'%s' takes no %s", command->name, options[k].name);
    if (cli->threads > RN_MAX_THREADS) return cli_usage(cli, "--threads: at most %d", RN_MAX_THREADS);
    if (cli->batch > cli->model->batch)
        return cli_fail(cli, "--batch: this build takes at most %d images a run (rnc --batch N)", cli->model->batch);
    const int files = cli->file_count, outputs = cli->model->output_count;
    if (command->bit == RUN && files != 1 + outputs)
        return cli_usage(cli, "'run' takes IN.npy and %s; %d files given",
                         outputs == 1 ? "OUT.npy" : "one OUT.npy for each output (see info)", files);
    if (command->bit == CLASSIFY && files == 0) return cli_usage(cli, "'classify' needs pictures");
    if (!*command->arguments && files)
        return cli_usage(cli, "'%s' takes no files; '%s' given", command->name, cli->files[0]);
    return CLI_OK;
}

static int dispatch(Cli *cli, int argc, char **argv) {
    const Command *command = NULL;
    unsigned seen = 0;
    bool help_wanted = false, version_wanted = false, only_files = false;
    for (int i = 1; i < argc; i++) {
        const char *word = argv[i];
        if (!only_files && !strcmp(word, "--")) {
            only_files = true;
        } else if (!only_files && (!strcmp(word, "--help") || !strcmp(word, "-h"))) {
            help_wanted = true;
        } else if (!only_files && !strcmp(word, "--version")) {
            version_wanted = true;
        } else if (!only_files && word[0] == '-' && word[1]) {
            int status = option_parse(cli, argv, argc, &i, &seen);
            if (status) return status;
        } else if (!command) {
            for (int k = 0; k < COMMANDS && !command; k++)
                if (!strcmp(word, commands[k].name)) command = &commands[k];
            if (!command) return unknown_command(cli, word);
        } else {
            cli->files[cli->file_count++] = argv[i];
        }
    }
    if (help_wanted) {
        help(cli, command);
        return CLI_OK;
    }
    if (version_wanted) {
        printf("%s, compiled by rnc %s; librn %s\n", cli->model->name, cli->model->rnc_version, RN_VERSION);
        return CLI_OK;
    }
    if (!command) return cli_usage(cli, "a command is missing");
    int status = check(cli, command, seen);
    return status ? status : command->function(cli);
}

int rn_main(const rn_model *model, int argc, char **argv) {
    Cli cli = {.model = model,
               .program = argc > 0 && argv[0] ? argv[0] : model->name,
               .threads = 1,
               .batch = 1,
               .top = 5,
               .seconds = 3};
    if (model->abi != RN_ABI)
        return cli_fail(&cli, "emitted for librn ABI %d, this librn has %d; compile the network again", model->abi,
                        RN_ABI);
    cli.files = calloc((size_t)argc + 1, sizeof *cli.files);
    if (!cli.files) return cli_fail(&cli, "out of memory");
    int status = dispatch(&cli, argc, argv);
    free(cli.files);
    if (fflush(stdout) || ferror(stdout)) return cli_fail(&cli, "cannot write the output: %s", strerror(errno));
    return status;
}
