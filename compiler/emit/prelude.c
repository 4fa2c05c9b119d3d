/* The top of the text for an instruction set: the vector type V, its functions, kernels as loops where they are called.
 * They are the C files of c/, which tests compile as they are; the Makefile puts them into rnc (emitted.def).
 */
#include <string.h>
#include "prelude.h"
#include "runtime/core/cpu.h"

static const EmbeddedFile files[] = {
#define FILE(name, text) {name, text},
#include "emitted.def"
#undef FILE
};
enum { FILE_COUNT = sizeof files / sizeof *files };

static const char *file_text(const char *name) {
    for (int i = 0; i < FILE_COUNT; i++)
        if (!strcmp(files[i].name, name)) return files[i].text;
    bug("no compiler/emit/c/%s", name);
}

static void add_file(Items *all, const char *name) {
    items_add(all, name, file_text(name));
}

static Items prelude_items(Arena *arena, int isa) {
    Items all = {.arena = arena};
    add_file(&all, isa >= RN_ISA_X86_64_V4   ? "vectors_avx512.h"
                   : isa >= RN_ISA_X86_64_V3 ? "vectors_avx2.h"
                                             : "vectors_c.h");
    add_file(&all, "vector_functions.h");
    add_file(&all, "images.h");
    add_file(&all, "strassen.h");
    add_file(&all, "batch.h");
    add_file(&all, "batch_norms.h");
    add_file(&all, "batch_places.h");
    if (isa == RN_ISA_GENERIC) {
        add_file(&all, "gemm_loops.h");
        add_file(&all, "gemm_transposed.h");
    } else
        add_file(&all, "woven.h");
    return all;
}

Items prelude_for(const Emit *e, const Text *code) {
    Items all = prelude_items(e->arena, e->isa);
    items_want(&all, code->s, code->size);
    items_keep(&all);
    return all;
}

void emit_includes(const Emit *e, Text *text) {
    if (e->target.isa[0] != RN_ISA_GENERIC) text_puts(text, "#include <immintrin.h>\n");
    text_puts(text, "#include <math.h>\n#include <stddef.h>\n#include <stdint.h>\n#include <string.h>\n\n");
}

static bool is_macro(const Item *item) {
    return starts_with(item->code, "#define ");
}

/* Where the text for several instruction sets stands in one file, the same words mean each one's own. */
static void rename_items(const Emit *e, const Items *prelude, Text *text) {
    for (int i = 0; i < prelude->count; i++) {
        const Item *item = &prelude->items[i];
        for (int j = 0; item->kept && !is_macro(item) && j < item->name_count; j++)
            text_printf(text, "#define %s %s%s\n", item->names[j], item->names[j], e->suffix);
    }
    text_puts(text, "\n");
}

static void write_items(const Items *all, Text *text) {
    const char *file = NULL;
    for (int i = 0; i < all->count; i++) {
        const Item *item = &all->items[i];
        if (!item->kept || item->is_include) continue;
        if (file != item->file)
            text_printf(text, "%s/* ---- %s ---- */\n", file ? "\n" : "", item->file);
        else if (item->apart)
            text_puts(text, "\n");
        file = item->file;
        item_write(item, "", text);
    }
    text_puts(text, "\n");
}

void emit_prelude(const Emit *e, const Items *prelude, Text *text) {
    if (*e->suffix) {
        text_printf(text, "/* ==== for %s ==== */\n\n", rn_isa_name((rn_isa)e->isa));
        rename_items(e, prelude, text);
    }
    write_items(prelude, text);
}

void emit_prelude_end(const Emit *e, const Items *prelude, Text *text) {
    if (!*e->suffix) return;
    for (int i = 0; i < prelude->count; i++)
        for (int j = 0; prelude->items[i].kept && j < prelude->items[i].name_count; j++)
            text_printf(text, "#undef %s\n", prelude->items[i].names[j]);
    text_puts(text, "\n");
}

void emit_calls_prelude(const Emit *e, const Text *code, Text *text) {
    Items all = {.arena = e->arena};
    add_file(&all, "calls.h");
    items_want(&all, code->s, code->size);
    items_keep(&all);
    write_items(&all, text);
}

void prelude_reserve_names(Emit *e) {
    Items calls = {.arena = e->arena};
    add_file(&calls, "calls.h");
    items_reserve(&calls, &e->names, e->arena);
    static const int isas[] = {RN_ISA_GENERIC, RN_ISA_X86_64_V3, RN_ISA_X86_64_V4};
    for (size_t i = 0; i < sizeof isas / sizeof *isas; i++) {
        const Items all = prelude_items(e->arena, isas[i]);
        items_reserve(&all, &e->names, e->arena);
    }
}

bool prelude_defines(const char *name, size_t length) {
    Arena arena = {0};
    const char *word = arena_strndup(&arena, name, length);
    bool defines = false;
    for (int i = 0; i < FILE_COUNT; i++) {
        Items all = {.arena = &arena};
        Map names = {0};
        if (!strstr(files[i].text, word)) continue;
        items_add(&all, files[i].name, files[i].text);
        items_reserve(&all, &names, &arena);
        defines |= map_get(&names, word) != NULL;
    }
    arena_free(&arena);
    return defines;
}
