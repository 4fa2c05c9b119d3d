/* What a page or a document of measurements says of where it comes from. */
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "view.h"

#ifdef __x86_64__
#include <cpuid.h>

static const char *processor(Arena *arena) {
    unsigned brand[12], most = 0, b, c, d;
    if (!__get_cpuid(0x80000000u, &most, &b, &c, &d) || most < 0x80000004u) return "x86-64";
    for (unsigned i = 0; i < 3; i++)
        __get_cpuid(0x80000002u + i, &brand[4 * i], &brand[4 * i + 1], &brand[4 * i + 2], &brand[4 * i + 3]);
    char *words = arena_strndup(arena, (const char *)brand, sizeof brand);
    while (*words == ' ') words++;
    for (size_t n = strlen(words); n && words[n - 1] == ' ';) words[--n] = 0;
    return *words ? words : "x86-64";
}
#else
#include <sys/utsname.h>

static const char *processor(Arena *arena) {
    struct utsname name;
    return uname(&name) == 0 ? arena_strdup(arena, name.machine) : "unknown";
}
#endif

const char *view_machine(Arena *arena) {
    const long processors = sysconf(_SC_NPROCESSORS_ONLN);
    return arena_printf(arena, "%s, %ld processor%s", processor(arena), processors, processors == 1 ? "" : "s");
}

const char *view_date(Arena *arena) {
    const char *epoch = getenv("SOURCE_DATE_EPOCH");
    char *end = NULL;
    const long long given = epoch ? strtoll(epoch, &end, 10) : 0;
    const time_t now = epoch && *epoch && !*end ? (time_t)given : time(NULL);
    struct tm utc;
    char text[32];
    if (!gmtime_r(&now, &utc) || !strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc)) return "";
    return arena_strdup(arena, text);
}
