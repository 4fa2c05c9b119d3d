/* Names that C, C++ or the C library has taken: an emitted header that declares one of them again cannot be included
 * beside the library's, and a symbol that is the library's, pthread_create say, would be called in its place. The list
 * is made by tools/c-names.sh when rnc is built.
 */
#include <ctype.h>
#include <dlfcn.h>
#include <string.h>

#include "emit.h"

#define KEYWORD(word) word,
static const char *const keywords[] = {
#include "c_keywords.def"
};
static const char declared[] = /* by the headers of c_headers.def or by the compiler, a line each */
    "\n"
#include "c_names.def"
    ;
#define HEADER(name) name,
static const char *const headers[] = {
#include "c_headers.def"
};

const char *const emit_api_functions[] = {"arena_size", "create", "destroy", "message",
                                          "model",      "run",    "run_rgb", NULL};
const char *const emit_loader_functions[] = {"weights_open", "weights_memory", "weights_close", NULL};
const char *const emit_image_functions[] = {"image_read", "image_free", NULL};

/* What an emitted header defines: those above, and a guard. */
static const char *const macros[] = {"BATCH", "H", "INPUT_SIZE", "OUTPUT_SIZE", "WEIGHTS_SIZE", NULL};

static bool is_taken(const char *name) {
    for (size_t i = 0; i < sizeof keywords / sizeof *keywords; i++)
        if (!strcmp(name, keywords[i])) return true;
    Text line = {0};
    text_printf(&line, "\n%s\n", name);
    const bool is_declared = strstr(declared, line.s);
    text_free(&line);
    return is_declared || dlsym(RTLD_DEFAULT, name); /* or of rnc's own libraries, which are those of what it makes */
}

static bool any_is_taken(const char *prefix, const char *const *names) {
    bool taken = false;
    for (; *names && !taken; names++) {
        Text name = {0};
        text_printf(&name, "%s_%s", prefix, *names);
        taken = is_taken(name.s);
        text_free(&name);
    }
    return taken;
}

bool emit_name_is_c(const char *name) {
    Text upper = {0};
    text_puts(&upper, name);
    for (char *at = upper.s; *at; at++) *at = (char)toupper((unsigned char)*at);
    const bool taken = *name == '_' || is_taken(name) || any_is_taken(name, emit_api_functions) ||
                       any_is_taken(name, emit_loader_functions) || any_is_taken(name, emit_image_functions) ||
                       any_is_taken(upper.s, macros);
    text_free(&upper);
    return taken;
}

bool emit_header_is_c(const char *name) {
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++)
        if (!strcmp(name, headers[i])) return true;
    return !strcmp(name, "rn") || !strncmp(name, "rn_", 3);
}
