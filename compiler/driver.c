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
#include "files.h"

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
    OutputFiles files;
    const char *temp; /* the folder where they are made */
} Outputs;

static const char *temp_file(const Outputs *o, const char *ending) {
    return arena_printf(&o->c->arena, "%s/%s%s", o->temp, o->files.stem, ending);
}

static const char *final_file(const Outputs *o, const char *ending) {
    return arena_printf(&o->c->arena, "%s/%s%s", o->files.folder, o->files.stem, ending);
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

static const char *old_file(const Outputs *o, const char *ending) {
    return arena_printf(&o->c->arena, "%s/%s%s.old", o->temp, o->files.stem, ending);
}

/* Keeps what stands in an output's place, until all of them are in theirs: under a second name, so that the first is
 * never missing; it moves where the file system has no links. */
static void keep_old(const Outputs *o, const char *ending) {
    const char *to = final_file(o, ending), *old = old_file(o, ending);
    struct stat info;
    if (link(to, old) && !lstat(to, &info) && S_ISREG(info.st_mode)) rename(to, old);
}

/* The first `count` of the places have again what they had. */
static void put_back(const Outputs *o, int count) {
    for (int i = 0; i < count; i++) {
        const char *ending = o->files.endings[i];
        if (rename(old_file(o, ending), final_file(o, ending))) unlink(final_file(o, ending));
    }
}

/* Gives the finished files their places, and writes the depfile, last since it needs no way back; where that fails,
 * everything is as it was before. */
static bool move_into_place(const Outputs *o) {
    for (int i = 0; i < o->files.count; i++) {
        const char *ending = o->files.endings[i], *to = final_file(o, ending);
        keep_old(o, ending);
        if (!rename(temp_file(o, ending), to)) continue;
        diag_error(&o->c->diag, (Place){0}, "cannot write '%s': %s", to, strerror(errno));
        rename(old_file(o, ending), to);
        put_back(o, i);
        return false;
    }
    if (depfile_write(o->c)) return true;
    put_back(o, o->files.count);
    return false;
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

static bool make_outputs(const Outputs *o) {
    Compilation *c = o->c;
    const Options *options = c->options;
    OutputKind kind = options->kind;
    bool verbose = options->passes.verbose;
    const char *c_file =
        arena_printf(&c->arena, "%s/%s.c", o->temp, source_stem(o->files.stem, options->kind == OUTPUT_PROGRAM));
    if (kind == OUTPUT_SAFETENSORS)
        return save_safetensors(c->source, &c->weights, temp_file(o, ".safetensors"), &c->diag);
    if (kind == OUTPUT_ONNX) {
        tensor_data_evaluate(c->source, &c->weights); /* a graph file may have expressions */
        return save_onnx(c->source, &c->weights, c->name, options->batch_given ? options->batch : 0,
                         temp_file(o, ".onnx"), &c->diag);
    }
    const Form form = {options->embed, kind == OUTPUT_PROGRAM, kind == OUTPUT_SHARED, options->standalone};
    const bool librn = !options->standalone;
    if (!emit_files(c, c->plan, o->temp, o->files.stem, form)) return false;
    if (kind == OUTPUT_OBJECT || kind == OUTPUT_ARCHIVE)
        if (!toolchain_build(BUILD_OBJECT, librn, c_file, o->temp, temp_file(o, ".o"), verbose, &c->diag)) return false;
    if (kind == OUTPUT_ARCHIVE && !make_archive(o)) return false;
    if (kind == OUTPUT_SHARED) return build_shared(c, c->plan, o->temp, o->files.stem, form);
    if (kind == OUTPUT_PROGRAM)
        if (!toolchain_build(BUILD_PROGRAM, librn, c_file, o->temp, temp_file(o, ""), verbose, &c->diag)) return false;
    return true;
}

/* What packed weights take, since it is not what the weights file has. */
static void note_sizes(const Outputs *o) {
    Compilation *c = o->c;
    const OutputFiles *files = &o->files;
    const char *ending = files->endings[strcmp(files->endings[0], ".rnw") ? files->count - 1 : 0];
    const Sizes *sizes = driver_sizes(c, c->plan, c->options->passes.level);
    diag_note(&c->diag, (Place){0}, "%s%s: packed weights %s, of %s in float32; arena %s an instance", files->stem,
              ending, view_bytes(&c->arena, (double)sizes->packed), view_bytes(&c->arena, (double)sizes->weights),
              view_bytes(&c->arena, (double)sizes->arena));
}

bool driver_write(Compilation *c) {
    Outputs o = {.c = c, .files = files_of_output(&c->arena, c->options)};
    o.temp = temp_folder_make(&c->arena, o.files.folder, &c->diag);
    if (!o.temp) return false;
    const bool good = make_outputs(&o) && move_into_place(&o);
    if (good && c->has_weights && c->plan) note_sizes(&o);
    temp_folder_remove(o.temp);
    return good;
}
