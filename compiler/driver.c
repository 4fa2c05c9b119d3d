/* Writes what -o asks for: C and its header, an object, an archive, a shared object, a program, weights, or ONNX.
 *
 * Everything is made in a temporary folder beside the output and renamed at the end, so an error leaves no partial
 * file, and older outputs as they were:
 *
 *     -o dir/net.c --weights W     dir/net.c  dir/net.h  dir/net.rnw
 *     -o dir/net.so --embed …      dir/net.so dir/net.h
 */
#include "driver.h"
#include "depfile.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "save/save.h"
#include "../runtime/packed.h"

typedef struct Outputs {
    Compilation *c;
    const char *folder, *temp; /* where the files go, and where they are made */
    const char *stem;          /* the bare name without its ending */
} Outputs;

static const char *temp_file(const Outputs *o, const char *ending) {
    return arena_printf(&o->c->arena, "%s/%s%s", o->temp, o->stem, ending);
}

static const char *final_file(const Outputs *o, const char *ending) {
    return arena_printf(&o->c->arena, "%s/%s%s", o->folder, o->stem, ending);
}

static bool write_text(Compilation *c, const char *path, const Text *text) {
    if (file_write(path, text->s, text->size)) return true;
    /* by its bare name: the folder is a temporary one */
    diag_error(&c->diag, (Place){0}, "cannot write '%s': %s", path_base(path), strerror(errno));
    return false;
}

/* How the text that goes with -o's file differs from that which rnc builds for itself. */
typedef struct Form {
    bool embed, program, shared, standalone;
} Form;

/* A program's sources do not outlive the C compiler, and it may be called like a header of the system. */
static const char *source_stem(const char *stem, bool program) {
    return program ? "network" : stem;
}

static EmitOptions emit_options(const Compilation *c, const Plan *plan, const char *header, const char *packed,
                                Form form) {
    return (EmitOptions){.name = c->name,
                         .target = c->options->target,
                         .command = c->options->command,
                         .source_hash = c->hash,
                         .header_name = header,
                         .weights_file = c->has_weights && !form.embed ? packed : NULL,
                         .embed_path = form.embed ? packed : NULL,
                         .embed_size = form.embed ? (long long)(RN_PACKED_HEADER_SIZE + plan->recipe.packed_size) : 0,
                         .program = form.program,
                         .shared = form.shared,
                         .standalone = form.standalone};
}

/* STEM.c, STEM.h (of a program network.c, network.h), STEM.map (what a shared object exports) and, where there are
 * weights, STEM.rnw, in `folder`. */
static bool emit_files(Compilation *c, const Plan *plan, const char *folder, const char *stem, Form form) {
    Text text = {0}, header = {0}, exports = {0};
    const char *packed = arena_printf(&c->arena, "%s.rnw", stem);
    stem = source_stem(stem, form.program);
    EmitOptions options = emit_options(c, plan, arena_printf(&c->arena, "%s.h", stem), packed, form);
    if (c->has_weights && !save_packed(arena_printf(&c->arena, "%s/%s", folder, packed), &plan->recipe,
                                       plan->graph->name, c->source, &c->weights, &c->diag, c->options->threads))
        return false;
    emit_c(plan, &options, &text);
    emit_exports(&options, &exports);
    options.shared = false; /* the C includes rn.h itself */
    emit_h(plan, &options, &header);
    bool good = write_text(c, arena_printf(&c->arena, "%s/%s.c", folder, stem), &text) &&
                write_text(c, arena_printf(&c->arena, "%s/%s.map", folder, stem), &exports) &&
                write_text(c, arena_printf(&c->arena, "%s/%s.h", folder, stem), &header);
    text_free(&text);
    text_free(&header);
    text_free(&exports);
    return good;
}

/* STEM.so from those, and the header for those who link it. */
static bool build_shared(Compilation *c, const Plan *plan, const char *folder, const char *stem, Form form) {
    Arena *a = &c->arena;
    Text header = {0};
    const char *so = arena_printf(a, "%s/%s.so", folder, stem), *h = arena_printf(a, "%s/%s.h", folder, stem);
    if (!toolchain_build(BUILD_SHARED, !form.standalone, arena_printf(a, "%s/%s.c", folder, stem), folder, so,
                         c->options->passes.verbose, &c->diag))
        return false;
    const EmitOptions options = emit_options(c, plan, arena_printf(a, "%s.h", stem), NULL, form);
    emit_h(plan, &options, &header);
    const bool good = write_text(c, h, &header);
    text_free(&header);
    return good;
}

bool driver_build_shared(Compilation *c, const Plan *plan, const char *folder, const char *stem) {
    return emit_files(c, plan, folder, stem, (Form){0}) && build_shared(c, plan, folder, stem, (Form){0});
}

bool driver_probe(Compilation *c, const char *task, const char *const *words, const char *folder,
                  const char *const *stems) {
    Arena *a = &c->arena;
    char **argv = NULL;
    int count = 0, capacity = 0;
    ARENA_PUSH(a, argv, count, capacity, "/proc/self/exe");
    ARENA_PUSH(a, argv, count, capacity, "--probe");
    for (; *words; words++) ARENA_PUSH(a, argv, count, capacity, (char *)*words);
    for (; *stems; stems++) {
        ARENA_PUSH(a, argv, count, capacity, arena_printf(a, "%s/%s.so", folder, *stems));
        ARENA_PUSH(a, argv, count, capacity, (char *)c->name);
        ARENA_PUSH(a, argv, count, capacity, arena_printf(a, "%s/%s.rnw", folder, *stems));
    }
    ARENA_PUSH(a, argv, count, capacity, NULL);
    const int status = toolchain_run(argv, false);
    if (status > 128)
        diag_error(&c->diag, (Place){0}, "%s: the emitted code crashed: %s", task, strsignal(status - 128));
    else if (status)
        diag_error(&c->diag, (Place){0}, "%s: the emitted code did not run (status %d)", task, status);
    return !status;
}

static const double SMALL_TIME_SHARE = 0.1; /* what -Os may cost */

PlanOptions driver_plan_options(const Compilation *c, const PassOptions *passes) {
    const Options *options = c->options;
    return (PlanOptions){.isa = options->target.isa[0],
                         .batch = options->batch,
                         .threads = options->tune_threads,
                         .reuse_memory = pass_enabled(passes, PASS_reuse_memory),
                         .whole_batch = pass_enabled(passes, PASS_whole_batch),
                         .winograd = pass_enabled(passes, PASS_winograd),
                         .strassen = pass_enabled(passes, PASS_strassen),
                         .tolerance = options->tolerance,
                         .time_share = options->small ? SMALL_TIME_SHARE : 0,
                         .weights_limit = (int64_t)(options->weights_limit * 1e6)};
}

bool driver_spares_inputs(Compilation *c, const char *path) {
    const char *inputs[] = {c->options->input, c->options->weights, c->options->verify_input};
    struct stat to, from;
    if (stat(path, &to)) return true;
    for (size_t i = 0; i < sizeof inputs / sizeof *inputs; i++) {
        const bool standard = !i && !strcmp(inputs[i], "-");
        if (!inputs[i] || (standard ? fstat(STDIN_FILENO, &from) : stat(inputs[i], &from)) ||
            to.st_dev != from.st_dev || to.st_ino != from.st_ino)
            continue;
        diag_error(&c->diag, (Place){0}, "'%s' would overwrite the input '%s'", path, inputs[i]);
        return false;
    }
    return true;
}

static bool check_header(const Outputs *o) {
    if (!emit_header_is_c(o->stem)) return true;
    diag_error(&o->c->diag, (Place){0}, "-o: '%s.h' would hide the header of that name; give the output another one",
               o->stem);
    return false;
}

/* What rename() must not replace: a device, a pipe, a folder, or what this run reads. */
static bool check_places(const Outputs *o, const char *const *endings, int count) {
    struct stat info;
    for (int i = 0; i < count; i++) {
        const char *to = final_file(o, endings[i]);
        if (!stat(to, &info) && !S_ISREG(info.st_mode))
            diag_error(&o->c->diag, (Place){0}, "cannot write '%s': it is there, and %s", to,
                       S_ISDIR(info.st_mode) ? "a folder" : "no ordinary file");
        else
            driver_spares_inputs(o->c, to);
    }
    return !o->c->diag.errors;
}

static const char *old_file(const Outputs *o, const char *ending) {
    return arena_printf(&o->c->arena, "%s/%s%s.old", o->temp, o->stem, ending);
}

/* Keeps what stands in an output's place, until all of them are in theirs: under a second name, so that the first is
 * never missing; it moves where the file system has no links. */
static void keep_old(const Outputs *o, const char *ending) {
    const char *to = final_file(o, ending), *old = old_file(o, ending);
    struct stat info;
    if (link(to, old) && !lstat(to, &info) && S_ISREG(info.st_mode)) rename(to, old);
}

/* Gives the finished files their places; where that fails, everything is as it was before. */
static bool move_into_place(const Outputs *o, const char *const *endings, int count) {
    for (int i = 0; i < count; i++) {
        const char *to = final_file(o, endings[i]);
        keep_old(o, endings[i]);
        if (!rename(temp_file(o, endings[i]), to)) continue;
        diag_error(&o->c->diag, (Place){0}, "cannot write '%s': %s", to, strerror(errno));
        rename(old_file(o, endings[i]), to);
        while (i-- > 0)
            if (rename(old_file(o, endings[i]), final_file(o, endings[i]))) unlink(final_file(o, endings[i]));
        return false;
    }
    return true;
}

static bool make_archive(const Outputs *o) {
    const char *ar = getenv("AR");
    char *argv[] = {(char *)(ar && *ar ? ar : "ar"), "rcsD", (char *)temp_file(o, ".a"), (char *)temp_file(o, ".o"),
                    NULL};
    int status = toolchain_run(argv, o->c->options->passes.verbose);
    if (status == 127)
        diag_error(&o->c->diag, (Place){0}, "no archiver: '%s' cannot be run; set AR", argv[0]);
    else if (status)
        diag_error(&o->c->diag, (Place){0}, "%s failed with status %d; -v shows its command", argv[0], status);
    return !status;
}

/* The endings of the files that -o asks for, at most three; the one that it names comes last. */
static int list_endings(const Options *options, bool has_weights, const char *endings[3]) {
    static const char *const result[] = {[OUTPUT_C] = ".c",
                                         [OUTPUT_OBJECT] = ".o",
                                         [OUTPUT_ARCHIVE] = ".a",
                                         [OUTPUT_SHARED] = ".so",
                                         [OUTPUT_SAFETENSORS] = ".safetensors",
                                         [OUTPUT_ONNX] = ".onnx",
                                         [OUTPUT_PROGRAM] = ""};
    const OutputKind kind = options->kind;
    const bool has_code = kind != OUTPUT_SAFETENSORS && kind != OUTPUT_ONNX;
    int count = 0;
    /* the packed weights stay a file of their own, also for --embed into C: the assembler reads them there */
    if (has_code && has_weights && (!options->embed || kind == OUTPUT_C)) endings[count++] = ".rnw";
    if (has_code && kind != OUTPUT_PROGRAM) endings[count++] = ".h";
    endings[count++] = result[kind];
    return count;
}

static bool make_outputs(const Outputs *o) {
    Compilation *c = o->c;
    const Options *options = c->options;
    OutputKind kind = options->kind;
    bool verbose = options->passes.verbose;
    const char *c_file =
        arena_printf(&c->arena, "%s/%s.c", o->temp, source_stem(o->stem, options->kind == OUTPUT_PROGRAM));
    if (kind == OUTPUT_SAFETENSORS)
        return save_safetensors(c->source, &c->weights, temp_file(o, ".safetensors"), &c->diag);
    if (kind == OUTPUT_ONNX) {
        tensor_data_evaluate(c->source, &c->weights); /* a graph file may have expressions */
        return save_onnx(c->source, &c->weights, c->name, options->batch_given ? options->batch : 0,
                         temp_file(o, ".onnx"), &c->diag);
    }
    const Form form = {options->embed, kind == OUTPUT_PROGRAM, kind == OUTPUT_SHARED, options->standalone};
    const bool librn = !options->standalone;
    if (!emit_files(c, c->plan, o->temp, o->stem, form)) return false;
    if (kind == OUTPUT_OBJECT || kind == OUTPUT_ARCHIVE)
        if (!toolchain_build(BUILD_OBJECT, librn, c_file, o->temp, temp_file(o, ".o"), verbose, &c->diag)) return false;
    if (kind == OUTPUT_ARCHIVE && !make_archive(o)) return false;
    if (kind == OUTPUT_SHARED) return build_shared(c, c->plan, o->temp, o->stem, form);
    if (kind == OUTPUT_PROGRAM)
        if (!toolchain_build(BUILD_PROGRAM, librn, c_file, o->temp, temp_file(o, ""), verbose, &c->diag)) return false;
    return true;
}

/* What packed weights take, since it is not what the weights file has. */
static void note_sizes(const Outputs *o, const char *const *endings, int count) {
    Compilation *c = o->c;
    const char *file = strcmp(endings[0], ".rnw") ? endings[count - 1] : endings[0];
    const Sizes *sizes = driver_sizes(c, c->plan, c->options->passes.level);
    diag_note(&c->diag, (Place){0}, "%s%s: packed weights %s, of %s in float32; arena %s an instance", o->stem, file,
              view_bytes(&c->arena, (double)sizes->packed), view_bytes(&c->arena, (double)sizes->weights),
              view_bytes(&c->arena, (double)sizes->arena));
}

bool driver_write(Compilation *c) {
    const char *output = c->options->output, *base = path_base(output), *dot = strrchr(base, '.');
    Outputs o = {.c = c};
    o.folder = base == output       ? "."
               : base == output + 1 ? "/"
                                    : arena_strndup(&c->arena, output, (size_t)(base - output - 1));
    o.stem = dot && dot != base ? arena_strndup(&c->arena, base, (size_t)(dot - base)) : base;
    const char *endings[3];
    int count = list_endings(c->options, c->has_weights, endings);
    for (int i = 0; i < count; i++)
        if (!strcmp(endings[i], ".h") && !check_header(&o)) return false;
    if (!check_places(&o, endings, count)) return false;
    o.temp = temp_folder_make(&c->arena, o.folder, &c->diag);
    if (!o.temp) return false;
    bool good = make_outputs(&o) && depfile_write(c) && move_into_place(&o, endings, count);
    if (good && c->has_weights && c->plan) note_sizes(&o, endings, count);
    temp_folder_remove(o.temp);
    return good;
}
