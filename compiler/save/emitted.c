/* The C of a plan, its header and its packed weights as files in a folder; and the shared object made of them. */
#include "emitted.h"

#include <errno.h>
#include <string.h>

#include "base/toolchain.h"
#include "runtime/weights/packed.h"
#include "save.h"

static bool write_text(Compilation *c, const char *path, const Text *text) {
    if (file_write(path, text->s, text->size)) return true;
    /* by its bare name: the folder is a temporary one */
    diag_error(&c->diag, (Place){0}, "cannot write '%s': %s", path_base(path), strerror(errno));
    return false;
}

/* A program's sources do not outlive the C compiler, and it may be called like a header of the system. */
const char *emitted_stem(const char *stem, bool program) {
    return program ? "network" : stem;
}

static EmitOptions emit_options(const Compilation *c, const Plan *plan, const char *header, const char *packed,
                                EmittedForm form) {
    return (EmitOptions){.name = c->name,
                         .target = c->options->target,
                         .command = c->options->command,
                         .source_hash = c->hash,
                         .header_name = header,
                         .weights_file = c->has_weights && !form.embed ? packed : NULL,
                         .embed_path = form.embed ? packed : NULL,
                         .embed_size = form.embed ? (long long)(RN_PACKED_HEADER_SIZE + plan->recipe.packed_size) : 0,
                         .training = c->training_plan,
                         .program = form.program,
                         .shared = form.shared,
                         .standalone = form.standalone};
}

/* STEM.c, STEM.h (of a program network.c, network.h), STEM.map (what a shared object exports) and, where there are
 * weights, STEM.rnw, in `folder`. */
bool emitted_write(Compilation *c, const Plan *plan, const char *folder, const char *stem, EmittedForm form) {
    Text text = {0}, header = {0}, exports = {0};
    const char *packed = arena_printf(&c->arena, "%s.rnw", stem);
    stem = emitted_stem(stem, form.program);
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
bool emitted_link_shared(Compilation *c, const Plan *plan, const char *folder, const char *stem, EmittedForm form) {
    Arena *a = &c->arena;
    Text header = {0};
    const char *so = arena_printf(a, "%s/%s.so", folder, stem), *h = arena_printf(a, "%s/%s.h", folder, stem);
    if (!toolchain_build(BUILD_SHARED, form.standalone ? LINKS_NOTHING : LINKS_LIBRN,
                         arena_printf(a, "%s/%s.c", folder, stem), folder, so, c->options->passes.verbose, &c->diag))
        return false;
    const EmitOptions options = emit_options(c, plan, arena_printf(a, "%s.h", stem), NULL, form);
    emit_h(plan, &options, &header);
    const bool good = write_text(c, h, &header);
    text_free(&header);
    return good;
}

bool emitted_build_shared(Compilation *c, const Plan *plan, const char *folder, const char *stem) {
    return emitted_write(c, plan, folder, stem, (EmittedForm){0}) &&
           emitted_link_shared(c, plan, folder, stem, (EmittedForm){0});
}
