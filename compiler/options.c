/* The table of options: what each is called, takes and sets, from which the command line is read (options_parse.c) and
 * --help is printed.
 */
#include "options_table.h"
#include "save/depfile.h"
#include "rn.h"
#include "runtime/core/cpu.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_BATCH = 4096, MAX_THREADS = 1024, MAX_RANKS = 64, RANKS = 4 };

#define MEMBER(type, options, offset) ((type *)(void *)((char *)(options) + (offset)))

void usage_error(Diag *diag, const char *format, ...) {
    Text text = {0};
    va_list args;
    va_start(args, format);
    text_vprintf(&text, format, args);
    va_end(args);
    diag_error(diag, (Place){0}, "%s", text.s);
    text_free(&text);
}

const char *option_suggestion(Options *options, const char *word, const char *const *candidates, int count) {
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

static bool set_image_count(Options *options, const char *value, size_t member, Diag *diag) {
    (void)member;
    if (parse_count(value, INT_MAX, &options->image_count)) return true;
    usage_error(diag, "-n: '%s' is not a number from 1 to %d", value, INT_MAX);
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
        const OptionRow *row = option_rows;
        while (row->set != set_positive || row->member != member) row++;
        usage_error(diag, "%s: '%s' is not a positive number", row->name, value);
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
    usage_error(diag, "%s: no pass is called '%s'%s", option, value, option_suggestion(options, value, names, count));
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
    usage_error(diag, "--dump: '%s' is not ast, ir, dot, plan or c%s", value,
                option_suggestion(options, value, words, 5));
    return false;
}

static const char *const target_names[] = {"native", "x86-64-v3", "x86-64-v4", "generic"};

bool options_native_isa(rn_isa *isa, Diag *diag) {
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
        return options_native_isa(isa, diag);
    }
    static const rn_isa isas[] = {RN_ISA_X86_64_V3, RN_ISA_X86_64_V4, RN_ISA_GENERIC};
    for (int i = 0; i < 3; i++) {
        if (strcmp(name, target_names[i + 1])) continue;
        *isa = isas[i];
        return true;
    }
    usage_error(diag, "--target: '%s' is not native, x86-64-v3, x86-64-v4 or generic%s", name,
                option_suggestion(options, name, target_names, 4));
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
    usage_error(diag, "--kernels: '%s' is not jit, static or c%s", value, option_suggestion(options, value, words, 3));
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
    usage_error(diag, "--store: '%s' is not fp32 or bf16%s", value, option_suggestion(options, value, words, 2));
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
    if (!equals || !equals[1] || equals == value) { /* what names may be, the source or the model says */
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
                    option_suggestion(options, value, words, 3));
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
const OptionRow option_rows[] = {
    {.text = "Output"},
    {"-o", "FILE", TAKES_VALUE, FOR_COMPILE, true, set_output_file, 0,
     "by its ending: .c, .o, .a or .so (and .h beside it), .safetensors, .onnx, .rn (a source), or a program"},
    {"--name", "NAME", TAKES_VALUE, FOR_COMPILE | FOR_COMPARE, false, set_name, 0,
     "prefix of the emitted API (default: the network's name)"},
    {"--standalone", NULL, TAKES_NOTHING, FOR_COMPILE, false, set_flag, M(standalone),
     "C that needs no librn and no libxsmm: with a .c, .o, .a or .so file"},
    {"--output", "LAYER", TAKES_VALUE, FOR_ALL, false, set_output_layer, 0,
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
    {"-D", "NAME=VALUE", TAKES_VALUE, FOR_ALL, false, set_define, 0, "set a parameter of the network"},
    {"--train", NULL, TAKES_NOTHING, FOR_COMPILE, false, set_flag, M(train),
     "training instead of inference: -o writes a program that trains as the train section says, or a module that does"},
    {"--recompute", "WHAT", TAKES_OPTIONAL, FOR_COMPILE, false, set_recompute, 0,
     "of --train: compute again what the backward pass needs instead of keeping it: none (default), sums (without a "
     "value), blocks; prints the memory of each"},
    {"--mpi", "R", TAKES_OPTIONAL, FOR_COMPILE, false, set_mpi, 0,
     "of --train: for several processes, which share each batch (mpirun); any power of two up to R of them (default 4) "
     "has the bits of one"},
    {"--batch", "N", TAKES_VALUE, FOR_ALL, false, set_batch, 0,
     "the largest number of images a run takes (default 1), or a step of --train (default the train section's)"},
    {"--target", "CPU", TAKES_VALUE, FOR_ALL, false, set_target, 0,
     "native (default), x86-64-v3 (AVX2) or x86-64-v4 (AVX-512); several: CPU,CPU"},
    {"-mtune=", "CPU", TAKES_JOINED, FOR_ALL, false, set_string, M(tune),
     "whom choices are made for: native (default where the target is), generic (otherwise), znver4, ... "
     "(--print-machine), with numbers of yours: CPU,l3=30"},
    {"--tune", "CPU", TAKES_VALUE, FOR_ALL | HIDDEN, false, set_string, M(tune), ""},
    {"--kernels", "WHENCE", TAKES_VALUE, FOR_ALL, false, set_kernels, 0,
     "jit: libxsmm at run time (default), static: its code in the C, c: portable C for any CPU"},
    {.text = "Weights"},
    {"--weights", "FILE", TAKES_VALUE, FOR_ALL, true, set_string, M(weights),
     "a safetensors file or PyTorch checkpoint (.pth, .pt), folded and packed now"},
    {"--weights-prefix", "PREFIX", TAKES_VALUE, FOR_ALL, false, set_prefix, 0,
     "what the names in that file begin with ('': nothing), or the way to one of its state dicts (default: found out)"},
    {"--ignore", "GLOB", TAKES_VALUE, FOR_ALL, false, set_ignore, 0,
     "tensors of that file that the network may do without ('aux*'); may be repeated"},
    {"--random-weights", "SEED", TAKES_OPTIONAL, FOR_ALL, false, set_random, 0,
     "random weights with calibrated statistics, to measure and test with"},
    {"--store", "TYPE", TAKES_VALUE, FOR_ALL, false, set_store, 0,
     "fp32 (default), or bf16: fully connected layers' weights rounded, in half the memory"},
    {"--embed", NULL, TAKES_NOTHING, FOR_COMPILE, false, set_flag, M(embed), "put the packed weights into the object"},
    {.text = "Optimisation"},
    {"-O", "LEVEL", TAKES_JOINED, FOR_COMPILE | FOR_COMPARE, false, set_level, 0,
     "0 unfused, 1 folded, 2 fused (default), 3 tuned: convolutions chosen by measuring; s: 2, and smaller weights for "
     "at most 10 % more time"},
    {"--weights-limit", "MB", TAKES_VALUE, FOR_COMPILE | FOR_COMPARE, false, set_positive, M(weights_limit),
     "packed weights take at most so many megabytes: the fastest of what keeps that"},
    {"-f", "[no-]PASS", TAKES_JOINED, FOR_COMPILE | FOR_COMPARE, false, set_pass, 0, "one pass on or off"},
    {"--passes", NULL, TAKES_NOTHING, FOR_ALL | SHARED, false, set_flag, M(list_passes), "list the passes"},
    {"--tune-cache", "FILE", TAKES_VALUE, FOR_COMPILE | FOR_COMPARE | UNRECORDED, true, set_string, M(tune_cache),
     "where -O3 keeps what it measured (default ~/.cache/rnc/tune)"},
    {.text = "Inspection"},
    {"--summary", NULL, TAKES_NOTHING, FOR_COMPILE | UNRECORDED, false, set_flag, M(summary),
     "print layers, shapes, parameters, multiply-adds, outputs, and the size of weights and memory"},
    {"--verify", NULL, TAKES_NOTHING, FOR_COMPILE | UNRECORDED, false, set_flag, M(verify),
     "run the emitted code and compare every layer with the reference interpreter"},
    {"--input", "FILE", TAKES_VALUE, FOR_COMPILE | UNRECORDED, true, set_string, M(verify_input),
     "what --verify runs on instead of noise: a .npy array as programs' run takes it, or a picture"},
    {"--tolerance", "E", TAKES_VALUE, FOR_COMPILE | FOR_COMPARE, false, set_positive, M(tolerance),
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
    {.text = "Comparing (rnc compare)"},
    {"--data", "SPEC", TAKES_VALUE, FOR_COMPARE | SHARED, false, set_string, M(data),
     "what both are run on instead of noise: a .npy array, a picture, or test pictures as KIND:FOLDER (docs/data.md)"},
    {"-n", "N", TAKES_VALUE, FOR_COMPARE | SHARED, false, set_image_count, 0,
     "the first N images alone (default: all; of noise 2)"},
    {"--reference", NULL, TAKES_NOTHING, FOR_COMPARE, false, set_flag, M(reference),
     "this network is run by the reference interpreter, in double, and not compiled"},
    {"--threshold", "E", TAKES_VALUE, FOR_COMPARE | SHARED, false, set_positive, M(threshold),
     "the largest relative difference of an output at which they agree (default: the sum of their --tolerance)"},
    {.text = "Measuring and comparing (rnc bench, rnc compare)"},
    {"--html", "FILE", TAKES_VALUE, FOR_BENCH | FOR_COMPARE | SHARED, true, set_string, M(html),
     "write a page with a chart"},
    {.text = "General"},
    {"--threads", "N", TAKES_VALUE, FOR_ALL, false, set_threads, 0,
     "threads of rnc, --verify and compare (default: all); those that choices are made for, and bench's (default: 1)"},
    {"--json", NULL, TAKES_NOTHING, FOR_ALL | SHARED | UNRECORDED, false, set_flag, M(json),
     "--summary, --report and --verify, or the results of rnc bench or compare, as one JSON document"},
    {"-v", NULL, TAKES_NOTHING, FOR_ALL | SHARED | UNRECORDED, false, set_flag, M(passes.verbose),
     "show passes, times and the C compiler's commands"},
    {"--version", NULL, TAKES_NOTHING, FOR_ALL | SHARED, false, set_flag, M(version), "print the version"},
    {"--help", NULL, TAKES_NOTHING, FOR_ALL | SHARED, false, set_flag, M(help), "print this text"},
    {"-h", NULL, TAKES_NOTHING, FOR_ALL | SHARED | HIDDEN, false, set_flag, M(help), ""},
};
#undef M
const int option_row_count = sizeof option_rows / sizeof *option_rows;

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
    fputs("rnc " RN_VERSION ": compiles residual networks to C\n\n"
          "  rnc [options] FILE.rn           FILE.rn may be an ONNX model, FILE.onnx, or -, standard input\n"
          "  rnc bench [options] FILE.rn     the network unfused, with each fusion alone, and fused, timed in one run\n"
          "  rnc compare [options] A [options of A] [B [options of B]]\n"
          "                                  how far two networks agree, and where they part; A alone: as compiled, "
          "with\n"
          "                                  what the reference interpreter makes of it\n",
          out);
    for (int i = 0; i < option_row_count; i++) {
        if (!option_rows[i].name)
            fprintf(out, "\n%s\n", option_rows[i].text);
        else if (!(option_rows[i].scope & HIDDEN))
            print_row(&option_rows[i], out);
    }
    fputs("\n$CC (default cc) builds objects and programs; -v shows its commands.\n"
          "Exit status: 0, 1 where the input is wrong or networks differ, 2 where the command line is wrong.\n",
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
