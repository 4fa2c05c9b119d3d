/* Reads the command line into Options by one table, from which --help is printed too.
 *
 * `--name VALUE`, `--name=VALUE`, `-oFILE` and `-o FILE` are alike. A mistake is named with the nearest option or
 * value, and the process ends with status 2. The command is also recorded with every file reduced to its bare name, so
 * that emitted code is the same in any folder.
 */
#include "options.h"
#include "save/depfile.h"
#include "rn.h"
#include "runtime/core/cpu.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_BATCH = 4096, MAX_THREADS = 1024, MAX_RANKS = 64, RANKS = 4 };

typedef enum Takes {
    TAKES_NOTHING,
    TAKES_VALUE,   /* --batch N, --batch=N, -o FILE, -oFILE */
    TAKES_JOINED,  /* -O2, -fno-cse */
    TAKES_OPTIONAL /* --random-weights, --random-weights=SEED */
} Takes;

/* UNRECORDED: changes nothing in the output, so the recorded command does without it */
enum { FOR_COMPILE = 1, FOR_BENCH = 2, FOR_BOTH = 3, HIDDEN = 4, UNRECORDED = 8 };

typedef bool (*OptionSet)(Options *options, const char *value, size_t member, Diag *diag);

typedef struct OptionRow {
    const char *name;  /* NULL: `text` is a heading of --help */
    const char *value; /* for --help */
    Takes takes;
    int scope;
    bool path; /* the value is a file */
    OptionSet set;
    size_t member; /* of Options, for the general setters */
    const char *text;
} OptionRow;

#define MEMBER(type, options, offset) ((type *)(void *)((char *)(options) + (offset)))

static void usage_error(Diag *diag, const char *format, ...) PRINTF_LIKE(2, 3);
static void usage_error(Diag *diag, const char *format, ...) {
    Text text = {0};
    va_list args;
    va_start(args, format);
    text_vprintf(&text, format, args);
    va_end(args);
    diag_error(diag, (Place){0}, "%s", text.s);
    text_free(&text);
}

/* ", did you mean 'X'?" or "" */
static const char *suggestion(Options *options, const char *word, const char *const *candidates, int count) {
    const char *nearest = diag_suggest(word, candidates, count);
    return nearest ? arena_printf(options->arena, "; did you mean '%s'?", nearest) : "";
}

/* ---- setters ---- */
static bool set_flag(Options *options, const char *value, size_t member, Diag *diag) {
    (void)value, (void)diag;
    *MEMBER(bool, options, member) = true;
    return true;
}

static bool set_string(Options *options, const char *value, size_t member, Diag *diag) {
    if (!*value) {
        usage_error(diag, "an empty value");
        return false;
    }
    *MEMBER(const char *, options, member) = value;
    return true;
}

static bool set_prefix(Options *options, const char *value, size_t member, Diag *diag) {
    (void)member, (void)diag;
    options->weights_prefix = value;
    return true;
}

static bool parse_count(const char *value, long max, int *count) {
    char *end;
    errno = 0;
    long n = strtol(value, &end, 10);
    if (!isdigit((unsigned char)*value) || *end || errno || n < 1 || n > max) return false;
    *count = (int)n;
    return true;
}

static bool set_batch(Options *options, const char *value, size_t member, Diag *diag) {
    (void)member;
    options->batch_given = true;
    if (parse_count(value, MAX_BATCH, &options->batch)) return true;
    usage_error(diag, "--batch: '%s' is not a number from 1 to %d", value, MAX_BATCH);
    return false;
}

static bool set_threads(Options *options, const char *value, size_t member, Diag *diag) {
    (void)member;
    if (parse_count(value, MAX_THREADS, &options->threads)) return true;
    usage_error(diag, "--threads: '%s' is not a number from 1 to %d", value, MAX_THREADS);
    return false;
}

static bool set_report(Options *options, const char *value, size_t member, Diag *diag) {
    (void)member;
    if (!value) value = "";
    const char *dot = strrchr(value, '.');
    if (*value && (!dot || strcmp(dot, ".html") != 0)) {
        usage_error(diag, "--report: '%s' does not end in .html; without a file it prints text", value);
        return false;
    }
    options->report = value;
    return true;
}

static bool set_positive(Options *options, const char *value, size_t member, Diag *diag) {
    char *end;
    double x = strtod(value, &end);
    if (end == value || *end || !(x > 0) || !(x < 1e6)) {
        usage_error(diag, "'%s' is not a positive number", value);
        return false;
    }
    *MEMBER(double, options, member) = x;
    return true;
}

static bool set_output_file(Options *options, const char *value, size_t member, Diag *diag) {
    static const struct {
        const char *ending;
        OutputKind kind;
    } endings[] = {{".c", OUTPUT_C},
                   {".o", OUTPUT_OBJECT},
                   {".a", OUTPUT_ARCHIVE},
                   {".so", OUTPUT_SHARED},
                   {".safetensors", OUTPUT_SAFETENSORS},
                   {".onnx", OUTPUT_ONNX},
                   {".rn", OUTPUT_SOURCE}};
    (void)member;
    const char *base = path_base(value), *dot = strrchr(base, '.');
    if (!*base || !strcmp(base, ".") || !strcmp(base, "..")) {
        usage_error(diag, "-o: '%s' is not a file", value);
        return false;
    }
    for (const char *at = base; *at; at++) {
        if (*at != '"' && (unsigned char)*at >= ' ' && *at != 127) continue;
        usage_error(diag, "-o: a quote or control character in the name cannot stand in C's #include");
        return false;
    }
    options->output = value;
    options->kind = OUTPUT_PROGRAM;
    if (!dot) return true;
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        if (strcmp(dot, endings[i].ending)) continue;
        if (dot == base) {
            usage_error(diag, "-o: '%s' is an ending without a name", value);
            return false;
        }
        options->kind = endings[i].kind;
        return true;
    }
    usage_error(
        diag,
        "-o: cannot write a '%s' file; a name ends in .c, .o, .a, .so, .safetensors, .onnx, .rn, or has no ending for "
        "a program",
        dot);
    return false;
}

static bool set_level(Options *options, const char *value, size_t member, Diag *diag) {
    (void)member;
    if (value[0] && strchr("0123s", value[0]) && !value[1]) {
        options->small = value[0] == 's';
        options->passes.level = options->small ? 2 : value[0] - '0';
        return true;
    }
    usage_error(diag, "-O%s: the levels are -O0 to -O3, and -Os", value);
    return false;
}

static int pass_names(const char *names[PASS_COUNT + 1]) {
    for (int i = 0; i < PASS_COUNT; i++) names[i] = pass_name((PassId)i);
    return PASS_COUNT;
}

static bool set_pass(Options *options, const char *value, size_t member, Diag *diag) {
    const char *names[PASS_COUNT + 1];
    bool no = !strncmp(value, "no-", 3);
    const char *pass = no ? value + 3 : value;
    int count = pass_names(names);
    (void)member;
    for (int i = 0; i < count; i++) {
        if (strcmp(names[i], pass)) continue;
        if (no && pass_level((PassId)i) < 0) {
            usage_error(diag, "-fno-%s: this pass always runs", pass);
            return false;
        }
        return pass_option_set(&options->passes, value);
    }
    const char *nearest = diag_suggest(pass, names, count);
    usage_error(diag, "-f%s: no pass is called '%s'%s", value, pass,
                nearest ? arena_printf(options->arena, "; did you mean '-f%s%s'?", no ? "no-" : "", nearest)
                        : "; --passes lists them");
    return false;
}

/* `value` must be a pass's name (or "all", where allowed). */
static bool known_pass(Options *options, const char *option, const char *value, bool all, Diag *diag) {
    const char *names[PASS_COUNT + 1];
    int count = pass_names(names);
    if (all) names[count++] = "all";
    for (int i = 0; i < count; i++)
        if (!strcmp(names[i], value)) return true;
    usage_error(diag, "%s: no pass is called '%s'%s", option, value, suggestion(options, value, names, count));
    return false;
}

static bool set_dump_after(Options *options, const char *value, size_t member, Diag *diag) {
    (void)member;
    options->passes.dump_after = value;
    return known_pass(options, "--dump-after", value, true, diag);
}

static bool set_run_pass(Options *options, const char *value, size_t member, Diag *diag) {
    (void)member;
    options->run_pass = value;
    return known_pass(options, "--run-pass", value, false, diag);
}

static bool set_dump(Options *options, const char *value, size_t member, Diag *diag) {
    static const char *const words[] = {"ast", "ir", "dot", "plan", "c"};
    (void)member;
    for (int i = 0; i < 5; i++) {
        if (strcmp(words[i], value)) continue;
        options->dump = (Dump)(DUMP_AST + i);
        return true;
    }
    usage_error(diag, "--dump: '%s' is not ast, ir, dot, plan or c%s", value, suggestion(options, value, words, 5));
    return false;
}

static const char *const target_names[] = {"native", "x86-64-v3", "x86-64-v4", "generic"};

/* The processor that rnc runs on. */
static bool native_isa(rn_isa *isa, Diag *diag) {
    bool v4 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
              __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    *isa = v4 ? RN_ISA_X86_64_V4 : RN_ISA_X86_64_V3;
    if (v4 || (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))) return true;
    usage_error(diag, "--target native: this processor has neither AVX2 with FMA nor AVX-512; name the processor that "
                      "the code is for: --target x86-64-v3 or x86-64-v4, or any: --kernels=c");
    return false;
}

static bool named_isa(Options *options, const char *name, rn_isa *isa, Diag *diag) {
    if (!strcmp(name, "native")) {
        options->target_native = true;
        return native_isa(isa, diag);
    }
    static const rn_isa isas[] = {RN_ISA_X86_64_V3, RN_ISA_X86_64_V4, RN_ISA_GENERIC};
    for (int i = 0; i < 3; i++) {
        if (strcmp(name, target_names[i + 1])) continue;
        *isa = isas[i];
        return true;
    }
    usage_error(diag, "--target: '%s' is not native, x86-64-v3, x86-64-v4 or generic%s", name,
                suggestion(options, name, target_names, 4));
    return false;
}

/* CPU[,CPU], kept with the strongest first. */
static bool set_target(Options *options, const char *value, size_t member, Diag *diag) {
    Target *target = &options->target;
    (void)member;
    target->count = 0;
    options->target_native = false;
    for (const char *at = value, *end; at; at = *end ? end + 1 : NULL) {
        rn_isa isa;
        int i;
        end = at + strcspn(at, ",");
        if (!named_isa(options, arena_strndup(options->arena, at, (size_t)(end - at)), &isa, diag)) return false;
        for (i = 0; i < target->count && target->isa[i] != isa; i++) continue;
        if (i < target->count) {
            usage_error(diag, "--target %s: the same processor twice", value);
            return false;
        }
        if (target->count && (!isa || !target->isa[0])) {
            usage_error(diag, "--target %s: generic code runs on any processor, so it stands alone", value);
            return false;
        }
        for (i = target->count++; i > 0 && target->isa[i - 1] < isa; i--) target->isa[i] = target->isa[i - 1];
        target->isa[i] = isa;
    }
    return true;
}

static bool set_kernels(Options *options, const char *value, size_t member, Diag *diag) {
    static const char *const words[] = {"jit", "static", "c"};
    (void)member;
    for (int i = 0; i < 3; i++) {
        if (strcmp(words[i], value)) continue;
        options->target.kernels = (Kernels)i;
        options->kernels_given = true;
        return true;
    }
    usage_error(diag, "--kernels: '%s' is not jit, static or c%s", value, suggestion(options, value, words, 3));
    return false;
}

/* Where nothing is said, the processor that rnc runs on; C kernels are for any. */
static bool complete_target(Options *options, Diag *diag) {
    Target *target = &options->target;
    if (!target->count) {
        target->count = 1;
        target->isa[0] = RN_ISA_GENERIC;
        options->target_native = target->kernels != KERNELS_C;
        if (options->target_native) return native_isa(&target->isa[0], diag);
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

static bool set_random(Options *options, const char *value, size_t member, Diag *diag) {
    (void)member;
    options->random_weights = true;
    if (!value) return true;
    char *end;
    errno = 0;
    options->seed = strtoull(value, &end, 0);
    if (isdigit((unsigned char)*value) && !*end && !errno) return true;
    usage_error(diag, "--random-weights: the seed '%s' is not a whole number", value);
    return false;
}

/* What the weights of fully connected layers are stored as: a pass that no level runs. */
static bool set_store(Options *options, const char *value, size_t member, Diag *diag) {
    static const char *const words[] = {"fp32", "bf16"};
    (void)member;
    const bool bf16 = !strcmp(value, words[1]);
    options->passes.set[PASS_store_bf16] = bf16 ? 1 : -1;
    if (bf16 || !strcmp(value, words[0])) return true;
    usage_error(diag, "--store: '%s' is not fp32 or bf16%s", value, suggestion(options, value, words, 2));
    return false;
}

static bool is_identifier(const char *s) {
    if (!isalpha((unsigned char)*s) && *s != '_') return false;
    while (isalnum((unsigned char)*s) || *s == '_') s++;
    return !*s;
}

static bool set_name(Options *options, const char *value, size_t member, Diag *diag) {
    (void)member;
    options->name = value;
    if (is_identifier(value)) return true;
    usage_error(diag, "--name: '%s' cannot begin a C function's name", value);
    return false;
}

static bool set_define(Options *options, const char *value, size_t member, Diag *diag) {
    (void)member;
    const char *equals = strchr(value, '=');
    if (!equals || !equals[1] || !is_identifier(arena_strndup(options->arena, value, (size_t)(equals - value)))) {
        usage_error(diag, "-D: '%s' is not NAME=VALUE", value);
        return false;
    }
    ARENA_PUSH(options->arena, options->defines, options->define_count, options->define_capacity, value);
    return true;
}

static bool set_depend(Options *options, const char *value, size_t member, Diag *diag) {
    (void)value, (void)diag;
    options->depend = (int)member;
    return true;
}

static bool set_depend_target(Options *options, const char *value, size_t quoted, Diag *diag) {
    (void)diag;
    ARENA_PUSH(options->arena, options->depend_targets, options->depend_target_count, options->depend_target_capacity,
               quoted ? depfile_quote(options->arena, value) : value);
    return true;
}

static bool set_recompute(Options *options, const char *value, size_t member, Diag *diag) {
    static const char *const words[] = {"none", "sums", "blocks"};
    (void)member;
    options->recompute_given = true;
    options->recompute = RECOMPUTE_SUMS;
    for (int i = 0; value && i <= RECOMPUTE_BLOCKS; i++) {
        options->recompute = (Recompute)i;
        if (!strcmp(words[i], value)) return true;
    }
    if (value)
        usage_error(diag, "--recompute: '%s' is not none, sums or blocks%s", value,
                    suggestion(options, value, words, 3));
    return !value;
}

static bool set_mpi(Options *options, const char *value, size_t member, Diag *diag) {
    (void)member;
    options->ranks = RANKS;
    if (!value || (parse_count(value, MAX_RANKS, &options->ranks) && !(options->ranks & (options->ranks - 1))))
        return true;
    usage_error(diag, "--mpi: '%s' is not 1, 2, 4, 8, 16, 32 or %d", value, MAX_RANKS);
    return false;
}

static bool set_output_layer(Options *options, const char *value, size_t member, Diag *diag) {
    (void)member, (void)diag;
    ARENA_PUSH(options->arena, options->outputs, options->output_count, options->output_capacity, value);
    return true;
}

static bool set_ignore(Options *options, const char *value, size_t member, Diag *diag) {
    (void)member, (void)diag;
    ARENA_PUSH(options->arena, options->ignores, options->ignore_count, options->ignore_capacity, value);
    return true;
}

/* ---- the table ---- */
#define M(member) offsetof(Options, member)
static const OptionRow rows[] = {
    {.text = "Output"},
    {"-o", "FILE", TAKES_VALUE, FOR_COMPILE, true, set_output_file, 0,
     "by its ending: .c, .o, .a or .so (and .h beside it), .safetensors, .onnx, .rn (a source), or a program"},
    {"--name", "NAME", TAKES_VALUE, FOR_COMPILE, false, set_name, 0,
     "prefix of the emitted API (default: the network's name)"},
    {"--standalone", NULL, TAKES_NOTHING, FOR_COMPILE, false, set_flag, M(standalone),
     "C that needs no librn and no libxsmm: with a .c, .o, .a or .so file"},
    {"--output", "LAYER", TAKES_VALUE, FOR_BOTH, false, set_output_layer, 0,
     "give out this layer's result instead of the last one's; may be repeated"},
    {.text = "Dependencies, for make and ninja"},
    {"-MD", NULL, TAKES_NOTHING, FOR_COMPILE | UNRECORDED, false, set_depend, DEPEND_ALL,
     "write a rule of what -o's file was made from: the source, imports, weights, rnc itself"},
    {"-MMD", NULL, TAKES_NOTHING, FOR_COMPILE | UNRECORDED, false, set_depend, DEPEND_OWN,
     "the same without rnc and its library"},
    {"-MF", "FILE", TAKES_VALUE, FOR_COMPILE | UNRECORDED, true, set_string, M(depfile),
     "where to (default: -o's file with the ending .d)"},
    {"-MT", "TARGET", TAKES_VALUE, FOR_COMPILE | UNRECORDED, false, set_depend_target, false,
     "the rule's target instead of -o's file; may be repeated"},
    {"-MQ", "TARGET", TAKES_VALUE, FOR_COMPILE | UNRECORDED, false, set_depend_target, true,
     "the same, quoted for make"},
    {"-MP", NULL, TAKES_NOTHING, FOR_COMPILE | UNRECORDED, false, set_flag, M(depend_phony),
     "a rule without commands for each file that was read, so that one may go away"},
    {.text = "Network"},
    {"-D", "NAME=VALUE", TAKES_VALUE, FOR_BOTH, false, set_define, 0, "set a parameter of the network"},
    {"--train", NULL, TAKES_NOTHING, FOR_COMPILE, false, set_flag, M(train),
     "training instead of inference: -o writes a program that trains as the train section says, or a module that does"},
    {"--recompute", "WHAT", TAKES_OPTIONAL, FOR_COMPILE, false, set_recompute, 0,
     "of --train: compute again what the backward pass needs instead of keeping it: none (default), sums (without a "
     "value), blocks; prints the memory of each"},
    {"--mpi", "R", TAKES_OPTIONAL, FOR_COMPILE, false, set_mpi, 0,
     "of --train: for several processes, which share each batch (mpirun); any power of two up to R of them (default 4) "
     "has the bits of one"},
    {"--batch", "N", TAKES_VALUE, FOR_BOTH, false, set_batch, 0,
     "the largest number of images a run takes (default 1), or a step of --train (default the train section's)"},
    {"--target", "CPU", TAKES_VALUE, FOR_BOTH, false, set_target, 0,
     "native (default), x86-64-v3 (AVX2) or x86-64-v4 (AVX-512); several: CPU,CPU"},
    {"-mtune=", "CPU", TAKES_JOINED, FOR_BOTH, false, set_string, M(tune),
     "whom choices are made for: native (default where the target is), generic (otherwise), znver4, ... "
     "(--print-machine), with numbers of yours: CPU,l3=30"},
    {"--tune", "CPU", TAKES_VALUE, FOR_BOTH | HIDDEN, false, set_string, M(tune), ""},
    {"--kernels", "WHENCE", TAKES_VALUE, FOR_BOTH, false, set_kernels, 0,
     "jit: libxsmm at run time (default), static: its code in the C, c: portable C for any CPU"},
    {.text = "Weights"},
    {"--weights", "FILE", TAKES_VALUE, FOR_BOTH, true, set_string, M(weights),
     "a safetensors file or PyTorch checkpoint (.pth, .pt), folded and packed now"},
    {"--weights-prefix", "PREFIX", TAKES_VALUE, FOR_BOTH, false, set_prefix, 0,
     "what the names in that file begin with ('': nothing), or the way to one of its state dicts (default: found out)"},
    {"--ignore", "GLOB", TAKES_VALUE, FOR_BOTH, false, set_ignore, 0,
     "tensors of that file that the network may do without ('aux*'); may be repeated"},
    {"--random-weights", "SEED", TAKES_OPTIONAL, FOR_BOTH, false, set_random, 0,
     "random weights with calibrated statistics, to measure and test with"},
    {"--store", "TYPE", TAKES_VALUE, FOR_BOTH, false, set_store, 0,
     "fp32 (default), or bf16: fully connected layers' weights rounded, in half the memory"},
    {"--embed", NULL, TAKES_NOTHING, FOR_COMPILE, false, set_flag, M(embed), "put the packed weights into the object"},
    {.text = "Optimisation"},
    {"-O", "LEVEL", TAKES_JOINED, FOR_COMPILE, false, set_level, 0,
     "0 unfused, 1 folded, 2 fused (default), 3 tuned: convolutions chosen by measuring; s: 2, and smaller weights for "
     "at most 10 % more time"},
    {"--weights-limit", "MB", TAKES_VALUE, FOR_COMPILE, false, set_positive, M(weights_limit),
     "packed weights take at most so many megabytes: the fastest of what keeps that"},
    {"-f", "[no-]PASS", TAKES_JOINED, FOR_COMPILE, false, set_pass, 0, "one pass on or off"},
    {"--passes", NULL, TAKES_NOTHING, FOR_BOTH, false, set_flag, M(list_passes), "list the passes"},
    {"--tune-cache", "FILE", TAKES_VALUE, FOR_COMPILE | UNRECORDED, true, set_string, M(tune_cache),
     "where -O3 keeps what it measured (default ~/.cache/rnc/tune)"},
    {.text = "Inspection"},
    {"--summary", NULL, TAKES_NOTHING, FOR_COMPILE | UNRECORDED, false, set_flag, M(summary),
     "print layers, shapes, parameters, multiply-adds, outputs, and the size of weights and memory"},
    {"--verify", NULL, TAKES_NOTHING, FOR_COMPILE | UNRECORDED, false, set_flag, M(verify),
     "run the emitted code and compare every layer with the reference interpreter"},
    {"--input", "FILE", TAKES_VALUE, FOR_COMPILE | UNRECORDED, true, set_string, M(verify_input),
     "what --verify runs on instead of noise: a .npy array as programs' run takes it, or a picture"},
    {"--tolerance", "E", TAKES_VALUE, FOR_COMPILE, false, set_positive, M(tolerance),
     "the output's largest relative error: chooses algorithms, and what --verify accepts (default 1e-4)"},
    {"--report", "FILE.html", TAKES_OPTIONAL, FOR_COMPILE | UNRECORDED, true, set_report, 0,
     "how each layer is computed, its time, what else was considered, and the predicted error; text without a file"},
    {"--print-machine", NULL, TAKES_NOTHING, FOR_COMPILE | UNRECORDED, false, set_flag, M(print_machine),
     "print the numbers of the machine that choices are made for, where they come from, and the names that there are"},
    {"--dump", "WHAT", TAKES_VALUE, FOR_COMPILE | UNRECORDED, false, set_dump, 0,
     "print the ast, ir, dot (Graphviz, after the passes), plan or c"},
    {"--dump-after", "PASS", TAKES_VALUE, FOR_COMPILE | UNRECORDED, false, set_dump_after, 0,
     "print the graph after a pass, or after all"},
    {"--format", NULL, TAKES_NOTHING, FOR_COMPILE, false, set_flag, M(format), "print the source in the standard form"},
    {"--run-pass", "PASS", TAKES_VALUE, FOR_COMPILE | HIDDEN, false, set_run_pass, 0, ""},
    {.text = "Measuring (rnc bench)"},
    {"--seconds", "S", TAKES_VALUE, FOR_BENCH, false, set_positive, M(seconds), "time for each variant (default 1)"},
    {"--html", "FILE", TAKES_VALUE, FOR_BENCH, true, set_string, M(html), "write a page with a chart"},
    {.text = "General"},
    {"--threads", "N", TAKES_VALUE, FOR_BOTH, false, set_threads, 0,
     "threads of rnc and of --verify (default: all); those that choices are made for, and bench's (default: 1)"},
    {"--json", NULL, TAKES_NOTHING, FOR_BOTH | UNRECORDED, false, set_flag, M(json),
     "--summary, --report and --verify, or the results of rnc bench, as one JSON document"},
    {"-v", NULL, TAKES_NOTHING, FOR_BOTH | UNRECORDED, false, set_flag, M(passes.verbose),
     "show passes, times and the C compiler's commands"},
    {"--version", NULL, TAKES_NOTHING, FOR_BOTH, false, set_flag, M(version), "print the version"},
    {"--help", NULL, TAKES_NOTHING, FOR_BOTH, false, set_flag, M(help), "print this text"},
    {"-h", NULL, TAKES_NOTHING, FOR_BOTH | HIDDEN, false, set_flag, M(help), ""},
};
#undef M
enum { ROW_COUNT = sizeof rows / sizeof *rows };

/* ---- parsing ---- */
/* The row of an argument; *value points at what follows the name within it, or is NULL. */
static const OptionRow *find_row(const char *arg, const char **value) {
    const bool is_long = arg[1] == '-';
    for (int i = 0; i < ROW_COUNT; i++) {
        const OptionRow *row = &rows[i];
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
    const char *names[ROW_COUNT];
    int count = 0;
    char *word = arena_strndup(options->arena, arg, strcspn(arg, "="));
    for (int i = 0; i < ROW_COUNT; i++)
        if (rows[i].name && !(rows[i].scope & HIDDEN)) names[count++] = rows[i].name;
    usage_error(diag, "unknown option '%s'%s", word, suggestion(options, word, names, count));
}

/* Adds an argument to the recorded command; quotes it where a shell would need that. */
static void record(Text *command, const char *prefix, const char *word) {
    bool quote = !*word || strpbrk(word, " '\"\\$*?;&|<>()[]{}#~`\t\n");
    text_printf(command, " %s%s%s%s", prefix, quote ? "'" : "", word, quote ? "'" : "");
}

/* One option, argv[*index] and perhaps the argument after it. */
static bool parse_option(Options *options, int argc, char **argv, int *index, Text *command, Diag *diag) {
    const char *arg = argv[*index], *value = NULL;
    const OptionRow *row = find_row(arg, &value);
    if (!row) {
        unknown_option(options, arg, diag);
        return false;
    }
    if (row->takes == TAKES_NOTHING && value) {
        usage_error(diag, "%s takes no value", row->name);
        return false;
    }
    bool separate = false;
    if (row->takes == TAKES_VALUE && !value) {
        if (*index + 1 >= argc) {
            usage_error(diag, "%s needs a value: %s %s", row->name, row->name, row->value);
            return false;
        }
        value = argv[++*index];
        separate = true;
    }
    if (!(row->scope & (options->bench ? FOR_BENCH : FOR_COMPILE))) {
        usage_error(diag, options->bench ? "%s does not go with rnc bench" : "%s is an option of rnc bench", row->name);
        return false;
    }
    if (row->takes == TAKES_JOINED && !value) {
        usage_error(diag, "%s needs a value: %s%s", row->name, row->name, row->value);
        return false;
    }
    if (row->scope & UNRECORDED) {
        /* not a part of the command */
    } else if (value && row->takes != TAKES_NOTHING) {
        const char *join = separate ? " " : row->name[1] == '-' ? "=" : "";
        record(command, arena_printf(options->arena, "%s%s", row->name, join), row->path ? path_base(value) : value);
    } else {
        record(command, "", row->name);
    }
    return row->set(options, value, row->member, diag);
}

/* What does not go with --train, or NULL. */
static const char *no_training(const Options *o) {
    if (o->weights || o->random_weights || o->embed)
        return "--train does not go with --weights, --random-weights or --embed: what is trained begins as the train "
               "section says";
    if (o->output_count) return "--train does not go with --output: what is trained is the network's result";
    if (o->passes.set[PASS_store_bf16] > 0) return "--train does not go with --store bf16: what is trained is fp32";
    if (o->standalone) return "--train does not go with --standalone: a trainer needs librn";
    if (o->dump == DUMP_AST || o->format)
        return "--train does not go with --dump=ast or --format: it changes no source";
    if (o->kind == OUTPUT_SOURCE) return "--train does not go with -o FILE.rn: leave it out, the train section is kept";
    if (o->kind == OUTPUT_SAFETENSORS || o->kind == OUTPUT_ONNX)
        return "--train makes no weights: say -o with a .c, .o, .a or .so file or a program, whose `export` writes "
               "them";
    if (o->verify_input) return "--train does not go with --input, which is no batch with labels";
    if (o->summary)
        return "--train does not go with --summary, which is of the network: leave one out; --train --report is of a "
               "step";
    return NULL;
}

static const char *cannot_mix(const Options *o) {
    if (o->train && no_training(o)) return no_training(o);
    if (o->ranks && !o->train) return "--mpi is of training: say --train too";
    const bool weights = o->weights || o->random_weights || o->input_kind == INPUT_ONNX;
    if (o->weights && o->random_weights) return "--weights and --random-weights exclude each other";
    if (!o->weights && (o->weights_prefix || o->ignore_count))
        return o->ignore_count ? "--ignore needs --weights FILE" : "--weights-prefix needs --weights FILE";
    if (o->embed && !weights) return "--embed needs --weights FILE or --random-weights";
    const bool saves = o->kind == OUTPUT_SAFETENSORS || o->kind == OUTPUT_ONNX || o->kind == OUTPUT_SOURCE;
    if (o->embed && (o->kind == OUTPUT_NONE || saves))
        return "--embed needs -o with a .c, .o, .a or .so file or a program";
    if (o->standalone && o->kind == OUTPUT_PROGRAM)
        return "--standalone makes no program, whose commands are librn's: say -o with a .c, .o, .a or .so file";
    if (o->standalone && (saves || (!o->output && o->dump != DUMP_C)))
        return "--standalone needs -o with a .c, .o, .a or .so file, or --dump=c";
    if (o->standalone && o->target.kernels == KERNELS_JIT)
        return "--standalone does not go with --kernels=jit, which needs libxsmm at run time: leave it out (static), "
               "or "
               "say --kernels=c";
    if (o->kind == OUTPUT_SAFETENSORS && !weights)
        return "-o FILE.safetensors needs --weights FILE or --random-weights";
    if (o->kind == OUTPUT_ONNX && !weights)
        return "-o FILE.onnx needs --weights FILE or --random-weights: an ONNX file holds its network's weights";
    if (o->json && o->train && !o->report && !o->verify)
        return "--json needs --report or --verify: with --train it prints what these say of a step";
    if (o->json && !o->bench && !o->summary && !o->report && !o->verify)
        return "--json needs --summary, --report or --verify";
    if (o->json && (o->dump || o->run_pass || o->format || o->passes.dump_after))
        return "--json does not go with --dump, --dump-after or --format, which print something else";
    if (o->verify_input && !o->verify) return "--input is what --verify runs on: say --verify too";
    if (o->output && (o->dump || o->run_pass || o->format))
        return "-o does not go with --dump or --format, which print to standard output";
    const bool says_how = o->depfile || o->depend_target_count || o->depend_phony;
    if (says_how && !o->depend) return "-MF, -MT, -MQ and -MP go with -MD or -MMD";
    if (o->depend && !o->output) return "-MD and -MMD need -o FILE: what they write is about that file";
    if (!o->bench && !o->output && !o->dump && !o->run_pass && !o->summary && !o->verify && !o->format && !o->report &&
        !o->passes.dump_after)
        return "nothing to do: say -o FILE (.c, .o, .a, .so or a program), --summary, --report, --verify, --format or "
               "--dump=WHAT";
    return NULL;
}

/* What no single option can know. */
static bool check_together(Options *options, Diag *diag) {
    if (!options->input) {
        usage_error(diag, "no input file; rnc --help says more");
        return false;
    }
    const char *dot = strrchr(path_base(options->input), '.');
    const bool is_ir = dot && !strcmp(dot, ".ir"), is_onnx = dot && !strcmp(dot, ".onnx");
    options->input_kind = is_ir ? INPUT_GRAPH : is_onnx ? INPUT_ONNX : INPUT_SOURCE;
    if (!is_ir && !is_onnx && strcmp(options->input, "-") && (!dot || strcmp(dot, ".rn"))) {
        usage_error(diag, "'%s' ends in neither .rn nor .onnx", options->input);
        return false;
    }
    if (is_ir && (options->dump == DUMP_AST || options->format || options->define_count)) {
        usage_error(diag, "'%s' is a graph: --dump=ast, --format and -D need a .rn file", options->input);
        return false;
    }
    if (is_onnx && (options->dump == DUMP_AST || options->format)) {
        usage_error(diag, "'%s' is a model: --dump=ast and --format need a .rn file", options->input);
        return false;
    }
    if (!is_ir && options->run_pass) {
        usage_error(diag, "--run-pass needs a .ir file");
        return false;
    }
    for (int i = 0; i < PASS_COUNT && options->train; i++)
        if (options->passes.set[i] > 0 && i != PASS_store_bf16 && !pass_suits((PassId)i, true)) {
            usage_error(diag, "-f%s: this pass does not run on graphs of training", pass_name((PassId)i));
            return false;
        }
    const char *trouble = cannot_mix(options);
    if (trouble) usage_error(diag, "%s", trouble);
    return !trouble;
}

static void set_defaults(Options *options, Arena *arena) {
    *options = (Options){.arena = arena, .batch = 1, .seed = 1, .tolerance = 1e-4, .seconds = 1};
    options->passes.level = 2;
}

bool options_parse(Options *options, Arena *arena, int argc, char **argv, Diag *diag) {
    Text command = {0};
    bool good = true, only_files = false;
    set_defaults(options, arena);
    text_puts(&command, "rnc");
    for (int i = 1; i < argc; i++) {
        const char *arg = argv[i];
        if (i == 1 && !strcmp(arg, "bench")) {
            options->bench = true;
            text_puts(&command, " bench");
        } else if (!only_files && !strcmp(arg, "--")) {
            only_files = true;
        } else if (!only_files && arg[0] == '-' && arg[1]) {
            good &= parse_option(options, argc, argv, &i, &command, diag);
        } else if (options->input) {
            usage_error(diag, "two input files, '%s' and '%s'; one at a time", options->input, arg);
            good = false;
        } else {
            options->input = arg;
            record(&command, "", path_base(arg));
        }
    }
    options->command = arena_strndup(arena, command.s, command.size);
    text_free(&command);
    if (!good) return false;
    if (options->version || options->help || options->list_passes) return true;
    if (options->standalone && !options->kernels_given) options->target.kernels = KERNELS_STATIC;
    if (!complete_target(options, diag) || !complete_tune(options, diag)) return false;
    options->tune_threads = options->threads ? options->threads : 1;
    if (!options->threads) options->threads = options->bench ? 1 : (int)sysconf(_SC_NPROCESSORS_ONLN);
    return options->print_machine || check_together(options, diag);
}

/* ---- help ---- */
static void print_row(const OptionRow *row, FILE *out) {
    static const char *const forms[] = {
        [TAKES_NOTHING] = "%s%s", [TAKES_VALUE] = "%s %s", [TAKES_JOINED] = "%s%s", [TAKES_OPTIONAL] = "%s[=%s]"};
    char left[64];
    snprintf(left, sizeof left, forms[row->takes], row->name, row->value ? row->value : "");
    if (!strcmp(row->name, "--help")) snprintf(left, sizeof left, "-h, --help");
    fprintf(out, "  %-24s %s\n", left, row->text);
}

void options_help(FILE *out) {
    fputs(
        "rnc " RN_VERSION ": compiles residual networks to C\n\n"
        "  rnc [options] FILE.rn           FILE.rn may be an ONNX model, FILE.onnx, or -, standard input\n"
        "  rnc bench [options] FILE.rn     the network unfused, with each fusion alone, and fused, timed in one run\n",
        out);
    for (int i = 0; i < ROW_COUNT; i++) {
        if (!rows[i].name)
            fprintf(out, "\n%s\n", rows[i].text);
        else if (!(rows[i].scope & HIDDEN))
            print_row(&rows[i], out);
    }
    fputs("\n$CC (default cc) builds objects and programs; -v shows its commands.\n"
          "Exit status: 0, 1 where the input is wrong, 2 where the command line is.\n",
          out);
}

void options_list_passes(FILE *out) {
    for (int i = 0; i < PASS_COUNT; i++) {
        int level = pass_level((PassId)i);
        char when[16] = "always";
        if (level >= 0) snprintf(when, sizeof when, level > 3 ? "asked" : "-O%d", level);
        fprintf(out, "  %-14s %-7s %s\n", pass_name((PassId)i), when, pass_text((PassId)i));
    }
}
