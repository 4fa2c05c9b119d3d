/* Reads the command line into Options by the table of options.c.
 *
 * `--name VALUE`, `--name=VALUE`, `-oFILE` and `-o FILE` are alike. A mistake is named with the nearest option or
 * value, and the process ends with status 2. The command is also recorded with every file reduced to its bare name, so
 * that emitted code is the same in any folder.
 */
#include "options_table.h"
#include "runtime/core/cpu.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The row of an argument; *value points at what follows the name within it, or is NULL. */
static const OptionRow *find_row(const char *arg, const char **value) {
    const bool is_long = arg[1] == '-';
    for (int i = 0; i < option_row_count; i++) {
        const OptionRow *row = &option_rows[i];
        if (!row->name) continue;
        const size_t length =
            is_long ? strcspn(arg, "=") : strlen(row->name); /* -O2, -MFnet.d: a value may be joined */
        if (strlen(row->name) != length || strncmp(row->name, arg, length)) continue;
        *value = arg[length] == '=' && is_long ? arg + length + 1 : arg[length] ? arg + length : NULL;
        return row;
    }
    return NULL;
}

static void unknown_option(Options *options, const char *arg, Diag *diag) {
    const char **names = arena_alloc(options->arena, (size_t)option_row_count * sizeof *names);
    int count = 0;
    char *word = arena_strndup(options->arena, arg, strcspn(arg, "="));
    for (int i = 0; i < option_row_count; i++)
        if (option_rows[i].name && !(option_rows[i].scope & HIDDEN)) names[count++] = option_rows[i].name;
    usage_error(diag, "unknown option '%s'%s", word, option_suggestion(options, word, names, count));
}

/* Adds an argument to the recorded command; quotes it where a shell would need that. */
static void record(Text *command, const char *prefix, const char *word) {
    bool quote = !*word || strpbrk(word, " '\"\\$*?;&|<>()[]{}#~`\t\n");
    text_printf(command, " %s%s%s%s", prefix, quote ? "'" : "", word, quote ? "'" : "");
}

/* The command line as far as it is read. In rnc compare options before the first network are of both, those behind a
 * network of that one. */
typedef struct Reading {
    Options *options, *at; /* the first network's, and the one that options are of */
    Options *common;       /* what stood before the first network; NULL: nobody needs that */
    Text command;
    Text own; /* what stands behind the network */
    Diag *diag;
} Reading;

static const char *mode_name(int scope) {
    return scope & FOR_COMPARE ? scope & FOR_BENCH ? "rnc bench and rnc compare" : "rnc compare" : "rnc bench";
}

static bool check_scope(const Options *options, const OptionRow *row, Diag *diag) {
    const int mode = options->bench ? FOR_BENCH : options->compare ? FOR_COMPARE : FOR_COMPILE;
    if (row->scope & mode) return true;
    if (mode == FOR_COMPILE)
        usage_error(diag, "%s is an option of %s", row->name, mode_name(row->scope));
    else
        usage_error(diag, "%s does not go with %s", row->name, mode_name(mode));
    return false;
}

static bool set_value(Reading *r, const OptionRow *row, const char *value) {
    Options *shared[] = {r->options, r->common, r->options->second};
    if (!(row->scope & SHARED)) return row->set(r->at, value, row->member, r->diag);
    for (int i = 0; i < 3; i++)
        if (shared[i] && !row->set(shared[i], value, row->member, r->diag)) return false;
    return true;
}

static void record_option(Reading *r, const OptionRow *row, const char *value, bool separate) {
    const char *prefix = "", *word = row->name;
    if (value && row->takes != TAKES_NOTHING) {
        const char *join = separate ? " " : row->name[1] == '-' ? "=" : "";
        prefix = arena_printf(r->options->arena, "%s%s", row->name, join);
        word = row->path ? path_base(value) : value;
    }
    if (row->scope & UNRECORDED) return;
    record(&r->command, prefix, word);
    if (!(row->scope & SHARED)) record(&r->own, prefix, word);
}

/* One option, argv[*index] and perhaps the argument after it. */
static bool parse_option(Reading *r, int argc, char **argv, int *index) {
    const char *arg = argv[*index], *value = NULL;
    const OptionRow *row = find_row(arg, &value);
    if (!row) {
        unknown_option(r->options, arg, r->diag);
        return false;
    }
    if (row->takes == TAKES_NOTHING && value) {
        usage_error(r->diag, "%s takes no value", row->name);
        return false;
    }
    const bool separate = row->takes == TAKES_VALUE && !value;
    if (separate && *index + 1 >= argc) {
        usage_error(r->diag, "%s needs a value: %s %s", row->name, row->name, row->value);
        return false;
    }
    if (separate) value = argv[++*index];
    if (!check_scope(r->options, row, r->diag)) return false;
    if (row->takes == TAKES_JOINED && !value) {
        usage_error(r->diag, "%s needs a value: %s%s", row->name, row->name, row->value);
        return false;
    }
    record_option(r, row, value, separate);
    return set_value(r, row, value);
}

/* A copy that goes its own way: lists grow into new memory. */
static Options *copy_options(const Options *options) {
    Options *copy = arena_alloc(options->arena, sizeof *copy);
    *copy = *options;
    copy->define_capacity = copy->define_count;
    copy->output_capacity = copy->output_count;
    copy->ignore_capacity = copy->ignore_count;
    return copy;
}

/* What a network is called beside the other: its file and the options of its own. */
static void end_network(Reading *r) {
    Options *o = r->at;
    if (o->input) o->label = arena_printf(o->arena, "%s%s", path_base(o->input), r->own.s ? r->own.s : "");
    r->own.size = 0;
    if (r->own.s) *r->own.s = 0;
}

static bool take_input(Reading *r, const char *file) {
    Options *options = r->options;
    record(&r->command, "", path_base(file));
    if (options->input && (!options->compare || options->second)) {
        const char *before = r->at->input;
        usage_error(r->diag,
                    options->compare ? "three networks, the last two '%s' and '%s'; two are compared"
                                     : "two input files, '%s' and '%s'; one at a time",
                    before, file);
        return false;
    }
    end_network(r);
    if (options->input) {
        options->second = r->at = r->common;
        r->common = NULL;
    } else if (options->compare) {
        r->common = copy_options(options);
    }
    r->at->input = file;
    return true;
}

/* One network is compared with what the interpreter makes of it. */
static bool complete_compare(Reading *r) {
    Options *options = r->options;
    end_network(r);
    if (options->second || !options->input) return true;
    if (options->reference) {
        usage_error(r->diag,
                    "--reference: what is '%s' to be compared with? One network alone is compared with what "
                    "the interpreter makes of it",
                    options->input);
        return false;
    }
    options->second = copy_options(options);
    options->reference = true;
    options->label = path_base(options->input);
    return true;
}

static void set_defaults(Options *options, Arena *arena) {
    *options = (Options){.arena = arena, .batch = 1, .seed = 1, .tolerance = 1e-4, .seconds = 1};
    options->passes.level = 2;
}

static bool parse_words(Reading *r, int argc, char **argv) {
    bool good = true, only_files = false;
    text_puts(&r->command, "rnc");
    for (int i = 1; i < argc; i++) {
        const char *arg = argv[i];
        bool *mode = strcmp(arg, "bench") ? strcmp(arg, "compare") ? NULL : &r->options->compare : &r->options->bench;
        if (i == 1 && mode) {
            *mode = true;
            text_printf(&r->command, " %s", arg);
        } else if (!only_files && !strcmp(arg, "--")) {
            only_files = true;
        } else if (!only_files && arg[0] == '-' && arg[1]) {
            good &= parse_option(r, argc, argv, &i);
        } else {
            good &= take_input(r, arg);
        }
    }
    if (r->options->compare) good &= complete_compare(r);
    r->options->command = arena_strndup(r->options->arena, r->command.s, r->command.size);
    return good;
}

/* Where nothing is said, the processor that rnc runs on; C kernels are for any. */
static bool complete_target(Options *options, Diag *diag) {
    Target *target = &options->target;
    if (!target->count) {
        target->count = 1;
        target->isa[0] = RN_ISA_GENERIC;
        options->target_native = target->kernels != KERNELS_C;
        if (options->target_native) return options_native_isa(&target->isa[0], diag);
    }
    if ((target->kernels == KERNELS_C) == (target->isa[0] == RN_ISA_GENERIC)) return true;
    usage_error(diag, target->kernels == KERNELS_C
                          ? "--kernels=c is for any processor: leave --target out, or say --target generic"
                          : "--target generic needs --kernels=c: libxsmm's kernels are for x86-64-v3 and x86-64-v4");
    return false;
}

/* -mtune. Where nothing is said, as gcc has it: the machine itself where the target is it, otherwise generic. */
static bool complete_tune(Options *options, Diag *diag) {
    const char *trouble;
    if (!options->tune) options->tune = options->target_native ? "native" : "generic";
    options->tune_changes = options->tune + strcspn(options->tune, ",");
    options->tune_native = !strcmp(options->tune, "native") || !strncmp(options->tune, "native,", strlen("native,"));
    const char *known = options->tune; /* its numbers can be checked before the row is known */
    if (options->tune_native) known = arena_printf(options->arena, "generic%s", options->tune_changes);
    options->machine = machine_parse(known, options->target.isa[0], options->arena, &trouble);
    if (!options->machine) {
        usage_error(diag, "-mtune=%s: %s", options->tune, trouble);
        return false;
    }
    const char *missing = options->tune_native ? rn_cpu_missing(options->target.isa[0]) : NULL;
    if (!missing) return true;
    usage_error(diag, "-mtune=native: this processor cannot be measured for %s, since it lacks %s; name another",
                rn_isa_name(options->target.isa[0]), missing);
    return false;
}

/* What one network's options leave open. */
static bool complete(Options *options, Diag *diag) {
    if (options->standalone && !options->kernels_given) options->target.kernels = KERNELS_STATIC;
    if (!complete_target(options, diag) || !complete_tune(options, diag)) return false;
    options->tune_threads = options->threads ? options->threads : 1;
    if (!options->threads) options->threads = options->bench ? 1 : (int)sysconf(_SC_NPROCESSORS_ONLN);
    return options->print_machine || options_check(options, diag);
}

bool options_parse(Options *options, Arena *arena, int argc, char **argv, Diag *diag) {
    Reading r = {.options = options, .at = options, .diag = diag};
    set_defaults(options, arena);
    const bool good = parse_words(&r, argc, argv);
    text_free(&r.command);
    text_free(&r.own);
    if (!good) return false;
    if (options->version || options->help || options->list_passes) return true;
    if (options->compare && !options->input) return options_check(options, diag);
    for (Options *o = options; options->compare && o; o = o->second) {
        o->command = options->command;
        if (o->reference && !strstr(o->label, "--reference"))
            o->label = arena_printf(arena, "%s --reference", o->label);
    }
    return complete(options, diag) && (!options->second || complete(options->second, diag));
}
