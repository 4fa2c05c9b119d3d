/* Names that C, C++ or the C library has taken: an emitted header that declares one of them again cannot be included
 * beside the library's, and a symbol that is the library's, pthread_create say, would be called in its place.
 */
#include <dlfcn.h>
#include <string.h>

#include "emit.h"

/* Keywords, and what headers define as macros or types; functions and variables are asked for. */
static const char *const words[] = {"DIR",
                                    "EOF",
                                    "FILE",
                                    "HUGE_VAL",
                                    "INFINITY",
                                    "NAN",
                                    "NULL",
                                    "alignas",
                                    "alignof",
                                    "alloca",
                                    "and",
                                    "and_eq",
                                    "asm",
                                    "assert",
                                    "auto",
                                    "bitand",
                                    "bitor",
                                    "bool",
                                    "break",
                                    "case",
                                    "catch",
                                    "char",
                                    "class",
                                    "co_await",
                                    "co_return",
                                    "co_yield",
                                    "compl",
                                    "complex",
                                    "concept",
                                    "const",
                                    "const_cast",
                                    "consteval",
                                    "constexpr",
                                    "constinit",
                                    "continue",
                                    "decltype",
                                    "default",
                                    "delete",
                                    "do",
                                    "double",
                                    "dynamic_cast",
                                    "else",
                                    "enum",
                                    "errno",
                                    "explicit",
                                    "export",
                                    "extern",
                                    "false",
                                    "float",
                                    "for",
                                    "fpclassify",
                                    "friend",
                                    "goto",
                                    "if",
                                    "imaginary",
                                    "inline",
                                    "int",
                                    "isfinite",
                                    "isgreater",
                                    "isless",
                                    "isnormal",
                                    "linux",
                                    "long",
                                    "main",
                                    "mutable",
                                    "namespace",
                                    "new",
                                    "noexcept",
                                    "noreturn",
                                    "not",
                                    "not_eq",
                                    "nullptr",
                                    "offsetof",
                                    "operator",
                                    "or",
                                    "or_eq",
                                    "private",
                                    "protected",
                                    "public",
                                    "register",
                                    "reinterpret_cast",
                                    "requires",
                                    "restrict",
                                    "return",
                                    "rn",
                                    "short",
                                    "signbit",
                                    "signed",
                                    "sizeof",
                                    "static",
                                    "static_assert",
                                    "static_cast",
                                    "std",
                                    "struct",
                                    "switch",
                                    "template",
                                    "this",
                                    "thread_local",
                                    "throw",
                                    "true",
                                    "try",
                                    "typedef",
                                    "typeid",
                                    "typename",
                                    "typeof",
                                    "union",
                                    "unix",
                                    "unsigned",
                                    "using",
                                    "va_arg",
                                    "va_copy",
                                    "va_end",
                                    "va_list",
                                    "va_start",
                                    "virtual",
                                    "void",
                                    "volatile",
                                    "while",
                                    "xor",
                                    "xor_eq"};

static const char *const functions[] = {"arena_size", "create", "destroy", "message", "model", "run", "run_rgb"};

static bool is_symbol(const char *name) {
    return dlsym(RTLD_DEFAULT, name) != NULL; /* of this rnc's own libraries, which are those of what it makes */
}

bool emit_name_is_c(const char *name) {
    bool taken = *name == '_' || is_symbol(name);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) taken |= !strcmp(words[i], name);
    Text function = {0};
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        function.size = 0;
        text_printf(&function, "%s_%s", name, functions[i]);
        taken |= is_symbol(function.s);
    }
    text_free(&function);
    return taken;
}
