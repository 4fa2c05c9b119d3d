/* Writes what -o asks for: C and its header, an object, an archive, a shared object, a program, weights, or ONNX.
 *
 * Everything is made in a temporary folder beside the output and renamed at the end, so an error leaves no partial
 * file, and older outputs as they were:
 *
 *     -o dir/net.c --weights W     dir/net.c  dir/net.h  dir/net.rnw
 *     -o dir/net.so --embed …      dir/net.so dir/net.h
 */
#include "graph/tensor.h"
#include "driver.h"
#include "base/toolchain.h"
#include "save/depfile.h"
#include "save/emitted.h"
#include "save/files.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "save/save.h"
#include "runtime/weights/packed.h"
#include "write/write.h"

typedef struct Outputs {
    Compilation *c;
    OutputFiles files;
    const char *temp;                                  /* the folder where they are made */
    const char *final[MAX_OUTPUTS], *old[MAX_OUTPUTS]; /* where each goes, and what stood there meanwhile */
    int placed;                                        /* so many are in their places */
} Outputs;

static const char *temp_file(const Outputs *o, const char *ending) {
    return arena_printf(&o->c->arena, "%s/%s%s", o->temp, o->files.stem, ending);
}

/* Keeps what stands in an output's place, until all of them are in theirs: under a second name, so that the first is
 * never missing; it moves where the file system has no links. */
static void keep_old(const char *to, const char *old) {
    struct stat info;
    if (link(to, old) && !lstat(to, &info) && S_ISREG(info.st_mode)) rename(to, old);
}

/* The places have again what they had. */
static void put_back(Outputs *o) {
    for (int i = 0; i < o->placed; i++)
        if (rename(o->old[i], o->final[i])) unlink(o->final[i]);
    o->placed = 0;
}

/* Outputs that are not yet all in their places, for where the process ends, as without memory. */
static Outputs *unfinished;

static void put_back_unfinished(void) {
    if (unfinished) put_back(unfinished);
}

static void note_sizes(const Outputs *o);

/* Gives the finished files their places, and writes the depfile, last since it needs no way back; where anything fails,
 * everything is as it was before. */
static bool move_into_place(Outputs *o) {
    const char *temp[MAX_OUTPUTS];
    for (int i = 0; i < o->files.count; i++) {
        const char *ending = o->files.endings[i];
        temp[i] = temp_file(o, ending);
        o->old[i] = arena_printf(&o->c->arena, "%s.old", temp[i]);
        o->final[i] = arena_printf(&o->c->arena, "%s/%s%s", o->files.folder, o->files.stem, ending);
    }
    static bool registered;
    if (!registered) registered = !atexit(put_back_unfinished);
    unfinished = o;
    for (int i = 0; i < o->files.count; i++) {
        keep_old(o->final[i], o->old[i]);
        if (!rename(temp[i], o->final[i])) {
            o->placed++;
            continue;
        }
        diag_error(&o->c->diag, (Place){0}, "cannot write '%s': %s", o->final[i], strerror(errno));
        rename(o->old[i], o->final[i]);
        break;
    }
    bool good = o->placed == o->files.count;
    if (good) note_sizes(o);
    good = good && depfile_write(o->c);
    if (!good) put_back(o);
    unfinished = NULL;
    return good;
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

/* What is not as it was in the input. */
static void note_source(const Outputs *o, const WrittenSource *written) {
    Compilation *c = o->c;
    const char *stem = o->files.stem;
    if (c->has_weights) diag_note(&c->diag, (Place){0}, "%s.rn: its weights are %s.safetensors", stem, stem);
    if (written->left_out)
        diag_note(&c->diag, (Place){0}, "%s.rn: %d layer%s that no output needs %s left out", stem, written->left_out,
                  written->left_out > 1 ? "s" : "", written->left_out > 1 ? "are" : "is");
    if (written->renamed)
        diag_note(&c->diag, (Place){0},
                  "%s.rn: %d layers have other names than in '%s', and %s.safetensors their weights under these", stem,
                  written->renamed, path_base(c->options->input), stem);
}

/* With weights they are beside it, under the names that it has. */
static bool make_source(const Outputs *o) {
    Compilation *c = o->c;
    WrittenSource written;
    if (c->has_weights) tensor_data_evaluate(c->source, &c->weights); /* a graph file may have expressions */
    if (!source_write(c->source, c->name, c->has_weights, &c->arena, &written, &c->diag)) return false;
    const char *path = temp_file(o, ".rn");
    if (!file_write(path, written.text, strlen(written.text))) {
        diag_error(&c->diag, (Place){0}, "cannot write '%s': %s", path_base(path), strerror(errno));
        return false;
    }
    note_source(o, &written);
    if (!c->has_weights) return true;
    TensorData weights = source_weights(&written, &c->weights);
    const bool good = save_safetensors(written.graph, &weights, temp_file(o, ".safetensors"), &c->diag);
    free(weights.data);
    return good;
}

static bool make_outputs(const Outputs *o) {
    Compilation *c = o->c;
    const Options *options = c->options;
    OutputKind kind = options->kind;
    bool verbose = options->passes.verbose;
    const char *c_file =
        arena_printf(&c->arena, "%s/%s.c", o->temp, emitted_stem(o->files.stem, options->kind == OUTPUT_PROGRAM));
    if (kind == OUTPUT_SAFETENSORS)
        return save_safetensors(c->source, &c->weights, temp_file(o, ".safetensors"), &c->diag);
    if (kind == OUTPUT_ONNX) {
        tensor_data_evaluate(c->source, &c->weights); /* a graph file may have expressions */
        return save_onnx(c->source, &c->weights, c->name, options->batch_given ? options->batch : 0,
                         temp_file(o, ".onnx"), &c->diag);
    }
    if (kind == OUTPUT_SOURCE) return make_source(o);
    const EmittedForm form = {options->embed, kind == OUTPUT_PROGRAM, kind == OUTPUT_SHARED, options->standalone};
    const Links links = options->standalone ? LINKS_NOTHING : options->ranks ? LINKS_LIBRN_AND_MPI : LINKS_LIBRN;
    if (!emitted_write(c, c->plan, o->temp, o->files.stem, form)) return false;
    if (kind == OUTPUT_OBJECT || kind == OUTPUT_ARCHIVE)
        if (!toolchain_build(BUILD_OBJECT, links, c_file, o->temp, temp_file(o, ".o"), verbose, &c->diag)) return false;
    if (kind == OUTPUT_ARCHIVE && !make_archive(o)) return false;
    if (kind == OUTPUT_SHARED) return emitted_link_shared(c, c->plan, o->temp, o->files.stem, form);
    if (kind == OUTPUT_PROGRAM)
        if (!toolchain_build(BUILD_PROGRAM, links, c_file, o->temp, temp_file(o, ""), verbose, &c->diag)) return false;
    return true;
}

/* What a trainer takes: as it is, and by the other ways to compute again that were asked about. */
static void note_trainer(const Outputs *o) {
    static const char *const words[] = {"none", "sums", "blocks"};
    Compilation *c = o->c;
    const Plan *plan = c->training_plan;
    const TrainPlan *t = plan->training;
    const int64_t fixed = 4 * (t->floats + t->gradient_floats + t->trained_floats);
    diag_note(&c->diag, (Place){0},
              "%s: a trainer of batch %d takes %s on one thread: parameters, gradients and momentum %s, values %s, "
              "and %s a thread",
              c->name, plan->options.batch,
              view_bytes(&c->arena, (double)(fixed + plan->arena_bytes + plan->scratch_bytes)),
              view_bytes(&c->arena, (double)fixed), view_bytes(&c->arena, (double)plan->arena_bytes),
              view_bytes(&c->arena, (double)plan->scratch_bytes));
    for (int i = 0; c->options->recompute_given && i <= RECOMPUTE_BLOCKS; i++) {
        const TrainMemory *m = &c->training_memory[i];
        const char *kept =
            m->every > 1 ? arena_printf(&c->arena, ", one in %d of what is passed on kept", m->every) : "";
        diag_note(&c->diag, (Place){0}, "--recompute=%s: values %s%s", words[i],
                  view_bytes(&c->arena, (double)m->bytes), kept);
    }
}

/* What packed weights take, since it is not what the weights file has. */
static void note_sizes(const Outputs *o) {
    Compilation *c = o->c;
    const OutputFiles *files = &o->files;
    const char *ending = files->endings[strcmp(files->endings[0], ".rnw") ? files->count - 1 : 0];
    if (!c->plan) return;
    if (c->training_plan) note_trainer(o);
    if (!c->has_weights) return;
    const Sizes *sizes = compilation_sizes(c, c->plan, c->options->passes.level);
    diag_note(&c->diag, (Place){0}, "%s%s: packed weights %s, of %s in float32; arena %s an instance", files->stem,
              ending, view_bytes(&c->arena, (double)sizes->packed), view_bytes(&c->arena, (double)sizes->weights),
              view_bytes(&c->arena, (double)sizes->arena));
}

bool driver_write(Compilation *c) {
    Outputs o = {.c = c, .files = files_of_output(&c->arena, c->options)};
    o.temp = temp_folder_make(&c->arena, o.files.folder, &c->diag);
    if (!o.temp) return false;
    const bool good = make_outputs(&o) && move_into_place(&o);
    temp_folder_remove(o.temp);
    return good;
}
