/* --standalone: net.c and net.h that need no librn. They carry the parts of it that the network uses, as text of the
 * same files that librn is compiled from (the Makefile puts them into runtime.def):
 *
 *     net.h    the types of rn.h; its functions as inline ones that go through the model's or the weights' pointers
 *     net.c    declarations of the other headers (rn_emitted.h, ...) | the network, as ever | the functions and tables
 * themselves
 *
 * Everything but the API gets internal linkage: a header's prototype is written with `static`, which its definition
 * takes over. rn_weights_open, _memory and _close become NAME_weights_..., so any number of networks, with librn or
 * without, link into one program.
 *
 * A file is divided into items: a declaration, a definition or a preprocessor line, with the comment before it. An item
 * stays where something that stays names what it declares (items.h). Lines of #ifdef RN_STANDALONE in the runtime are
 * resolved here; quoted includes and include guards go.
 */
#include <string.h>
#include "describe.h"
#include "emit.h"
#include "items.h"
#include "prelude.h"
#include "standalone.h"
#include "rn.h"

static const EmbeddedFile files[] = {
#define FILE(name, text) {name, text},
#include "runtime.def"
#undef FILE
};
enum { FILE_COUNT = sizeof files / sizeof *files };

static bool is_header(const char *file) {
    return file[strlen(file) - 1] == 'h';
}

/* ---- the preprocessor lines that mean standalone or not ---- */
typedef enum Taken { NOT_OURS, TAKEN, LEFT_OUT } Taken;

/* Of "#ifdef X" and "#ifndef X". In net.c nothing is C++, and no header comes twice. */
static Taken condition(const char *line, bool for_header) {
    const bool wanted = starts_with(line, "#ifdef ");
    if (!wanted && !starts_with(line, "#ifndef ")) return NOT_OURS;
    const char *symbol = strchr(line, ' ') + 1;
    const size_t n = strcspn(symbol, " \n");
    if (n == 13 && starts_with(symbol, "RN_STANDALONE")) return wanted ? TAKEN : LEFT_OUT;
    const bool guard = starts_with(symbol, "RN_") && n > 2 && starts_with(symbol + n - 2, "_H");
    if (!for_header && (guard || starts_with(symbol, "__cplusplus"))) return wanted ? LEFT_OUT : TAKEN;
    return NOT_OURS;
}

static bool is_dropped(const char *line) {
    const char *name = line + strlen("#define ");
    return starts_with(line, "#include \"") || (starts_with(line, "#define RN_") && strcspn(name, "\n") > 2 &&
                                                starts_with(name + strcspn(name, "\n") - 2, "_H\n"));
}

static char *resolve(Arena *arena, const char *text, bool for_header) {
    enum { DEPTH = 16 };
    Taken stack[DEPTH] = {NOT_OURS};
    int depth = 0, left_out = 0; /* left_out: how many of the stack are */
    Text out = {0};
    for (const char *line = text, *next; *line; line = next) {
        next = line + strcspn(line, "\n") + 1;
        bool keep = true;
        if (starts_with(line, "#if")) {
            if (++depth == DEPTH) bug("runtime: conditionals %d deep", depth);
            stack[depth] = condition(line, for_header);
            left_out += stack[depth] == LEFT_OUT;
            keep = stack[depth] == NOT_OURS;
        } else if (starts_with(line, "#else") && stack[depth] != NOT_OURS) {
            left_out += stack[depth] == TAKEN ? 1 : -1;
            stack[depth] = stack[depth] == TAKEN ? LEFT_OUT : TAKEN;
            keep = false;
        } else if (starts_with(line, "#endif")) {
            left_out -= stack[depth] == LEFT_OUT;
            keep = stack[depth--] == NOT_OURS;
        } else if (!for_header) {
            keep = !is_dropped(line);
        }
        if (keep && !left_out) text_write(&out, line, (size_t)(next - line));
    }
    char *resolved = arena_strndup(arena, out.s ? out.s : "", out.size);
    text_free(&out);
    return resolved;
}

/* ---- items ---- */
static Items runtime_items(Arena *arena) {
    Items all = {.arena = arena};
    for (int i = 0; i < FILE_COUNT; i++) {
        if (strcmp(files[i].name, "rn.h") && strcmp(files[i].name, "rn_train.h"))
            items_add(&all, files[i].name, resolve(arena, files[i].text, false));
    }
    return all;
}

/* ---- writing ---- */
static void write_includes(const Items *all, const Text *network, Text *t) {
    Text seen = {0};
    text_write(&seen, network->s, network->size);
    for (int i = 0; i < all->count; i++) {
        const Item *item = &all->items[i];
        const int n = (int)strcspn(item->code, "\n") + 1;
        if (!item->is_include || strstr(seen.s, arena_strndup(all->arena, item->code, (size_t)n))) continue;
        text_printf(t, "%.*s", n, item->code);
        text_printf(&seen, "%.*s", n, item->code);
    }
    text_free(&seen);
}

static void write_items(const Items *all, bool headers, Text *t) {
    const char *file = NULL;
    for (int i = 0; i < all->count; i++) {
        const Item *item = &all->items[i];
        if (!item->kept || item->is_include || is_header(item->file) != headers) continue;
        if (item->file != file)
            text_printf(t, "\n/* ---- %s ---- */\n", item->file);
        else if (item->apart)
            text_puts(t, "\n");
        file = item->file;
        item_write(item, headers && item->is_prototype ? "static " : "", t);
    }
}

void emit_standalone(Emit *e, const Text *network, Text *t) {
    static const char *const api[] = {"open", "memory", "close"};
    const char *name = e->options->name, *header = e->options->header_name;
    Items all = runtime_items(e->arena);
    Text includes = {0};
    items_want(&all, network->s, network->size);
    items_keep(&all);

    text_printf(
        t,
        "/* Standalone: a C11 compiler and a POSIX C library are enough, as in `cc -O2 %.*s.c app.c -lm`. -fopenmp "
        "gives\n * options.threads a pool; with it or -pthread, several threads verify the weights. */\n",
        (int)strlen(header) - 2, header);
    if (e->isa != RN_ISA_GENERIC)
        text_puts(t, "#ifndef __x86_64__\n#error \"for x86-64; rnc --standalone --kernels=c is for any "
                     "processor\"\n#endif\n");
    text_puts(t, "#ifndef _GNU_SOURCE\n#define _GNU_SOURCE /* advice on memory, CPU sets */\n#endif\n");
    text_printf(t, "#include \"%s\"\n\n", header);
    emit_includes(e, &includes);
    text_write(t, includes.s, includes.size - 1); /* without the empty line */
    write_includes(&all, &includes, t);
    text_puts(t, "\n/* the functions of net.h, whose inline ones by these names call them */\n");
    for (size_t i = 0; i < sizeof api / sizeof *api; i++)
        text_printf(t, "#define rn_weights_%s %s_weights_%s\n", api[i], name, api[i]);
    text_puts(t, "\n/* ==== rnc's runtime, declared: what this network uses of it ==== */\n");
    write_items(&all, true, t);
    text_puts(t, "\n/* ==== the network ==== */\n\n");
    text_write(t, network->s, network->size);
    text_puts(t, "\n/* ==== rnc's runtime, defined ==== */\n");
    write_items(&all, false, t);
    text_free(&includes);
}

void emit_standalone_types(Text *h) {
    Arena arena = {0};
    Items status = {.arena = &arena};
    const char *types = NULL;
    for (int i = 0; i < FILE_COUNT; i++) {
        if (!strcmp(files[i].name, "rn.h")) types = resolve(&arena, files[i].text, true);
        if (!strcmp(files[i].name, "status.c"))
            items_add(&status, files[i].name, resolve(&arena, files[i].text, false));
    }
    const Item *text = NULL;
    for (int i = 0; i < status.count; i++)
        if (status.items[i].name_count && !strcmp(status.items[i].names[0], "rn_status_text")) text = &status.items[i];
    if (!types || !text) bug("no runtime/rn.h or rn_status_text");
    types = skip_token(types); /* its top comment is about librn */
    types += strspn(types, "\n");
    for (const char *line = types, *next; *line; line = next) {
        static const char *const others[] = {"typedef ", "struct ", "static ", "extern "};
        bool is_prototype = is_word(line);
        next = line + strcspn(line, "\n") + 1;
        for (size_t i = 0; i < sizeof others / sizeof *others; i++) is_prototype &= !starts_with(line, others[i]);
        if (starts_with(line, "const char *rn_status_text("))
            text_printf(h, "%sstatic inline %.*s\n",
                        arena_strndup(&arena, strstr(line, "/*"), next - strstr(line, "/*")), (int)item_code_size(text),
                        text->code);
        else
            text_printf(h, "%s%.*s", is_prototype ? "static inline " : "", (int)(next - line), line);
    }
    text_printf(h, "#if RN_ABI != %d\n#error \"networks of different versions of rnc in one source file\"\n#endif\n\n",
                RN_ABI);
    arena_free(&arena);
}

void emit_train_types(Text *h) {
    Arena arena = {0};
    Items all = {.arena = &arena};
    for (int i = 0; i < FILE_COUNT; i++)
        if (!strcmp(files[i].name, "rn_train.h")) items_add(&all, "rn_train.h", resolve(&arena, files[i].text, false));
    text_puts(h, "#ifndef RN_TRAIN_H\n#define RN_TRAIN_H\n#ifdef __cplusplus\nextern \"C\" {\n#endif\n");
    for (int i = 0; i < all.count; i++) {
        const Item *item = &all.items[i];
        if (item->is_prototype) continue;
        if (item->apart) text_puts(h, "\n");
        item_write(item, "", h);
    }
    text_puts(h, "#ifdef __cplusplus\n}\n#endif\n#endif\n\n");
    arena_free(&arena);
}

/* ---- for those who load a network at run time ---- */
static const char open_parameters[] = "(rn_weights **weights, const rn_model *model, const char *path, char *error,\n"
                                      "    size_t error_size)";
static const char memory_parameters[] =
    "(rn_weights **weights, const rn_model *model, const void *bytes, size_t size,\n"
    "    char *error, size_t error_size)";
static const char image_parameters[] = "(rn_image *image, const char *path, char *error, size_t error_size)";

void emit_loader_api(const EmitOptions *options, Text *h) {
    const char *n = options->name;
    text_printf(h,
                "/* rn_weights_open, rn_weights_memory and rn_weights_close under names that no other network has: for "
                "those who\n * load this network at run time. */\n"
                "rn_status %s_weights_open%s;\nrn_status %s_weights_memory%s;\n"
                "void %s_weights_close(rn_weights *weights);\n\n",
                n, open_parameters, n, memory_parameters, n);
    if (!options->standalone)
        text_printf(h,
                    "/* librn's rn_image_read and rn_image_free: a PNG or JPEG file -> 8-bit RGB, as run_rgb takes it. "
                    "*/\n"
                    "rn_status %s_image_read%s;\nvoid %s_image_free(rn_image *image);\n\n",
                    n, image_parameters, n);
}

void emit_loader(const char *n, Text *t) {
    text_printf(
        t,
        "\n/* ---- for those who load this network at run time ---- */\n"
        "rn_status %s_weights_open%s {\n    return rn_weights_open(weights, model, path, error, error_size);\n}\n\n"
        "rn_status %s_weights_memory%s {\n"
        "    return rn_weights_memory(weights, model, bytes, size, error, error_size);\n}\n\n"
        "void %s_weights_close(rn_weights *weights) { rn_weights_close(weights); }\n\n"
        "rn_status %s_image_read%s {\n    return rn_image_read(image, path, error, error_size);\n}\n\n"
        "void %s_image_free(rn_image *image) { rn_image_free(image); }\n",
        n, open_parameters, n, memory_parameters, n, n, image_parameters, n);
}

/* ---- names ---- */
void standalone_reserve_names(Emit *e) {
    Items all = runtime_items(e->arena);
    items_reserve(&all, &e->names, e->arena);
}

/* Whether a function NAME_... of the API is called as something of the runtime. */
static bool function_is_taken(Emit *e, const char *name, const char *const *functions) {
    for (; *functions; functions++)
        if (map_get(&e->names, arena_printf(e->arena, "%s_%s", name, *functions))) return true;
    return false;
}

bool emit_standalone_name_is_taken(const char *name) {
    Arena arena = {0};
    Emit e = {.arena = &arena};
    standalone_reserve_names(&e);
    const bool taken = map_get(&e.names, name) || function_is_taken(&e, name, emit_api_functions) ||
                       function_is_taken(&e, name, emit_loader_functions) ||
                       !strcmp(name, "_GNU_SOURCE"); /* which stands above the runtime */
    arena_free(&arena);
    return taken;
}
