/* The files that a run writes: -o's by its ending, the depfile, the pages, the measured times.
 *
 * Each of them gets its name by rename(), which replaces what has that name in that folder. So two paths are one file
 * where the folders are one (device and inode) and the names are; and a file that the run reads is kept under any name
 * that it has.
 */
#include "files.h"
#include "depfile.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct WrittenFile {
    const char *option, *path;
    bool ordinary; /* a device or a pipe in its place is an error, and not written to */
    bool makes_folder;
    int trouble; /* errno of looking for `folder` */
    struct stat folder;
} WrittenFile;

enum { MAX_WRITTEN = MAX_OUTPUTS + 4 };

bool files_have_weights(const Options *o) {
    return o->weights || o->random_weights || o->verify || o->bench || o->compare || o->input_kind == INPUT_ONNX;
}

static const char *folder_of(Arena *arena, const char *path) {
    const char *base = path_base(path);
    if (base == path) return ".";
    return base == path + 1 ? "/" : arena_strndup(arena, path, (size_t)(base - path - 1));
}

OutputFiles files_of_output(Arena *arena, const Options *o) {
    static const char *const result[] = {[OUTPUT_C] = ".c",
                                         [OUTPUT_OBJECT] = ".o",
                                         [OUTPUT_ARCHIVE] = ".a",
                                         [OUTPUT_SHARED] = ".so",
                                         [OUTPUT_SAFETENSORS] = ".safetensors",
                                         [OUTPUT_ONNX] = ".onnx",
                                         [OUTPUT_SOURCE] = ".rn",
                                         [OUTPUT_PROGRAM] = ""};
    const char *base = path_base(o->output), *dot = strrchr(base, '.');
    const bool has_code = o->kind != OUTPUT_SAFETENSORS && o->kind != OUTPUT_ONNX && o->kind != OUTPUT_SOURCE;
    OutputFiles files = {.folder = folder_of(arena, o->output),
                         .stem = dot && dot != base ? arena_strndup(arena, base, (size_t)(dot - base)) : base};
    /* the packed weights stay a file of their own, also for --embed into C: the assembler reads them there */
    if (has_code && files_have_weights(o) && (!o->embed || o->kind == OUTPUT_C)) files.endings[files.count++] = ".rnw";
    if (o->kind == OUTPUT_SOURCE && files_have_weights(o)) files.endings[files.count++] = ".safetensors";
    if (has_code && o->kind != OUTPUT_PROGRAM) files.endings[files.count++] = ".h";
    files.endings[files.count++] = result[o->kind];
    return files;
}

static int list_written(Compilation *c, WrittenFile files[MAX_WRITTEN]) {
    const Options *o = c->options;
    const char *depfile = depfile_path(c);
    int count = 0;
    if (o->output) {
        const OutputFiles output = files_of_output(&c->arena, o);
        for (int i = 0; i < output.count; i++) {
            const char *path = arena_printf(&c->arena, "%s/%s%s", output.folder, output.stem, output.endings[i]);
            files[count++] = (WrittenFile){.option = "-o", .path = path, .ordinary = true};
        }
    }
    if (depfile) files[count++] = (WrittenFile){.option = o->depfile ? "-MF" : "-MD", .path = depfile};
    if (o->report && *o->report) files[count++] = (WrittenFile){.option = "--report", .path = o->report};
    if (o->html) files[count++] = (WrittenFile){.option = "--html", .path = o->html};
    if (o->tune_cache && o->passes.level >= 3)
        files[count++] = (WrittenFile){.option = "--tune-cache", .path = o->tune_cache, .makes_folder = true};
    for (int i = 0; i < count; i++) {
        const char *folder = arena_printf(&c->arena, "%s/.", folder_of(&c->arena, files[i].path));
        files[i].trouble = stat(folder, &files[i].folder) ? errno : 0;
    }
    return count;
}

static bool is_same_file(const struct stat *a, const struct stat *b) {
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

static bool is_same_place(const WrittenFile *a, const WrittenFile *b) {
    return !a->trouble && !b->trouble && is_same_file(&a->folder, &b->folder) &&
           !strcmp(path_base(a->path), path_base(b->path));
}

static bool spares_input(Compilation *c, const char *path, const struct stat *to, const char *input) {
    const bool standard = !strcmp(input, "-") && input == c->options->input;
    struct stat from;
    if ((standard ? fstat(STDIN_FILENO, &from) : stat(input, &from)) || !is_same_file(to, &from)) return true;
    diag_error(&c->diag, (Place){0}, "'%s' would overwrite the input '%s'", path, input);
    return false;
}

static bool spares_inputs(Compilation *c, const char *path, const struct stat *to) {
    const Options *o = c->options;
    const char *inputs[] = {o->input, o->weights, o->verify_input, o->data};
    for (size_t i = 0; i < sizeof inputs / sizeof *inputs; i++)
        if (inputs[i] && !spares_input(c, path, to, inputs[i])) return false;
    for (int i = 0; c->ast && i < c->ast->imported_count; i++)
        if (!spares_input(c, path, to, c->ast->imported[i]->path)) return false;
    for (int i = 0; i < c->onnx.file_count; i++)
        if (!spares_input(c, path, to, c->onnx.files[i])) return false;
    return true;
}

/* Its folder is there, and what stands in its place may go. */
static bool check_place(Compilation *c, const WrittenFile *file) {
    struct stat to;
    if (file->trouble && file->makes_folder) return true;
    if (file->trouble) {
        const char *said = file->ordinary ? c->options->output : file->path; /* by the user */
        diag_error(&c->diag, (Place){0}, "cannot write '%s': %s", said, strerror(file->trouble));
        return false;
    }
    if (stat(file->path, &to)) return true;
    if (S_ISREG(to.st_mode)) return spares_inputs(c, file->path, &to);
    if (!S_ISDIR(to.st_mode) && !file->ordinary) return true;
    diag_error(&c->diag, (Place){0}, "cannot write '%s': it is there, and %s", file->path,
               S_ISDIR(to.st_mode) ? "a folder" : "no ordinary file");
    return false;
}

static bool check_header(Compilation *c) {
    const OutputFiles files = files_of_output(&c->arena, c->options);
    for (int i = 0; i < files.count; i++) {
        if (strcmp(files.endings[i], ".h") != 0 || !emit_header_is_c(files.stem)) continue;
        diag_error(&c->diag, (Place){0}, "-o: '%s.h' would hide the header of that name; give the output another one",
                   files.stem);
        return false;
    }
    return true;
}

bool files_check(Compilation *c) {
    WrittenFile files[MAX_WRITTEN];
    const int count = list_written(c, files);
    if (c->options->output && !check_header(c)) return false;
    for (int i = 0; i < count; i++) {
        if (!check_place(c, &files[i])) return false;
        for (int j = 0; j < i; j++) {
            if (!is_same_place(&files[i], &files[j])) continue;
            diag_error(&c->diag, (Place){0}, "%s: '%s' is a file that %s writes", files[i].option, files[i].path,
                       files[j].option);
            return false;
        }
    }
    return true;
}
