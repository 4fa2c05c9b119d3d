/* What a page or a document of measurements says of where it comes from. */
#include <cpuid.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "view.h"

const char *view_machine(Arena *arena) {
    unsigned brand[12], most = 0, b, c, d;
    const long processors = sysconf(_SC_NPROCESSORS_ONLN);
    const char *name = "x86-64";
    if (__get_cpuid(0x80000000u, &most, &b, &c, &d) && most >= 0x80000004u) {
        for (unsigned i = 0; i < 3; i++)
            __get_cpuid(0x80000002u + i, &brand[4 * i], &brand[4 * i + 1], &brand[4 * i + 2], &brand[4 * i + 3]);
        char *words = arena_strndup(arena, (const char *)brand, sizeof brand);
        while (*words == ' ') words++;
        for (size_t n = strlen(words); n && words[n - 1] == ' ';) words[--n] = 0;
        if (*words) name = words;
    }
    return arena_printf(arena, "%s, %ld processor%s", name, processors, processors == 1 ? "" : "s");
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
