/* A depfile, as gcc -MD writes it:
 *
 *     net.c: net.rn \
 *      blocks/basic.rn \
 *      net.safetensors \
 *      /usr/local/bin/rnc
 *
 * Names are those by which rnc opened the files, so they are relative to its working folder where the command line's
 * were.
 */
#include "base/toolchain.h"
#include "depfile.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

typedef struct Dependencies {
    Arena *arena;
    const char **names;
    int count, capacity;
} Dependencies;

const char *depfile_quote(Arena *arena, const char *name) {
    Text text = {0};
    int slashes = 0; /* backslashes are doubled before what a backslash escapes, and only there */
    for (const char *at = name; *at; at++) {
        if (*at == '$') text_puts(&text, "$");
        if (strchr(" \t#:", *at)) {
            for (; slashes > 0; slashes--) text_puts(&text, "\\");
            text_puts(&text, "\\");
        }
        slashes = *at == '\\' ? slashes + 1 : 0;
        text_write(&text, at, 1);
    }
    const char *quoted = arena_strndup(arena, text.s ? text.s : "", text.size);
    text_free(&text);
    return quoted;
}

static void depend_on(Dependencies *d, const char *name) {
    if (name) ARENA_PUSH(d->arena, d->names, d->count, d->capacity, name);
}

/* The source first; -MP leaves it out. */
static Dependencies collect(Compilation *c) {
    const Options *o = c->options;
    Dependencies d = {.arena = &c->arena};
    if (strcmp(o->input, "-") != 0) depend_on(&d, o->input);
    for (int i = 0; c->ast && i < c->ast->imported_count; i++) depend_on(&d, c->ast->imported[i]->path);
    for (int i = 0; i < c->onnx.file_count; i++) depend_on(&d, c->onnx.files[i]);
    depend_on(&d, o->weights);
    if (o->depend != DEPEND_ALL) return d;
    char self[4096];
    const ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n > 0) depend_on(&d, arena_strndup(d.arena, self, (size_t)n));
    const bool linked = o->kind == OUTPUT_SHARED || o->kind == OUTPUT_PROGRAM;
    const bool compiled = linked || o->kind == OUTPUT_OBJECT || o->kind == OUTPUT_ARCHIVE;
    if (compiled && !o->standalone) depend_on(&d, toolchain_librn(d.arena, LIBRN_HEADER));
    if (linked && !o->standalone) depend_on(&d, toolchain_librn(d.arena, LIBRN_ARCHIVE));
    if (o->ranks && o->kind == OUTPUT_PROGRAM) depend_on(&d, toolchain_librn(d.arena, LIBRN_MPI));
    return d;
}

const char *depfile_path(Compilation *c) {
    if (!c->options->depend) return NULL;
    if (c->options->depfile) return strcmp(c->options->depfile, "-") != 0 ? c->options->depfile : NULL;
    const char *output = c->options->output, *base = path_base(output), *dot = strrchr(base, '.');
    return arena_printf(&c->arena, "%.*s.d", (int)(dot && dot != base ? dot - output : (long)strlen(output)), output);
}

static void write_rules(Compilation *c, const Dependencies *d, Text *t) {
    const Options *o = c->options;
    for (int i = 0; i < o->depend_target_count; i++) text_printf(t, "%s%s", i ? " " : "", o->depend_targets[i]);
    if (!o->depend_target_count) text_puts(t, depfile_quote(d->arena, o->output));
    text_puts(t, ":");
    for (int i = 0; i < d->count; i++) text_printf(t, "%s%s", i ? " \\\n " : " ", depfile_quote(d->arena, d->names[i]));
    text_puts(t, "\n");
    for (int i = 0; o->depend_phony && i < d->count; i++)
        if (d->names[i] != o->input) text_printf(t, "%s:\n", depfile_quote(d->arena, d->names[i]));
}

bool depfile_write(Compilation *c) {
    if (!c->options->depend) return true;
    const char *path = depfile_path(c);
    const Dependencies d = collect(c);
    for (int i = 0; i < d.count; i++) {
        if (!strchr(d.names[i], '\n')) continue;
        diag_error(&c->diag, (Place){0}, "-MD: '%s': a name with a line break cannot stand in a rule", d.names[i]);
        return false;
    }
    Text text = {0};
    write_rules(c, &d, &text);
    const bool good = path ? file_write(path, text.s, text.size) : fwrite(text.s, 1, text.size, stdout) == text.size;
    if (!good && path) diag_error(&c->diag, (Place){0}, "cannot write '%s': %s", path, strerror(errno));
    text_free(&text);
    return good;
}
