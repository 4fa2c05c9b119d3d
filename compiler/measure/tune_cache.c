/* The cache of measurements: lines of "machine|shape|choice microseconds", and of "machine|error of ...|what number"
 * (tune_error.c); sorted by nothing, rewritten as a whole.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/toolchain.h"
#include "cache.h"
#include "machine.h"
#include "runtime/core/cpu.h"
#include "tune.h"

bool tune_cache_open(TuneCache *cache, Compilation *c) {
    const Options *o = c->options;
    *cache = (TuneCache){.arena = &c->arena, .path = o->tune_cache ? o->tune_cache : cache_path(&c->arena, "tune")};
    cache->required = o->tune_cache;
    const Cpu cpu = cpu_identify();
    /* the row decides what code a choice stands for, the C compiler's options how fast the rest of a layer is */
    cache->machine = arena_printf(
        &c->arena, "rnc %s, %s %s -mtune=%s%s by %s batch %d threads %d", RN_VERSION, cpu_name(&c->arena, &cpu),
        rn_isa_name((rn_isa)o->target.isa[0]), machine_spelling(&c->arena, c->machine),
        o->target.kernels == KERNELS_C ? " kernels in C" : "", toolchain_cc(), o->batch, o->tune_threads);
    size_t size;
    char *text = cache->path ? cache_read(cache->path, &size, &cache->unread) : NULL;
    bool foreign = text && size;
    for (char *line = text; line && *line;) {
        if (!strncmp(line, "rnc ", 4)) foreign = false;
        char *end = strchr(line, '\n'), *last;
        if (end) *end = '\0';
        char *space = strrchr(line, ' ');
        const double us = space ? strtod(space + 1, &last) : 0;
        if (space && us > 0 && us < 1e12 && !*last) {
            double *kept = arena_alloc(&c->arena, sizeof *kept);
            *kept = us;
            map_put(&cache->us, &c->arena, arena_strndup(&c->arena, line, (size_t)(space - line)), kept);
        }
        line = end ? end + 1 : NULL;
    }
    free(text);
    if (foreign)
        diag_error(&c->diag, (Place){0}, "'%s' is no cache of measurements, and stays as it is", cache->path);
    else if (cache->unread && cache->required)
        diag_error(&c->diag, (Place){0}, "cannot read the cache of measurements '%s', which stays as it is: %s",
                   cache->path, strerror(cache->unread));
    return !foreign && !(cache->unread && cache->required);
}

static const char *key_of(const TuneCache *cache, const char *shape, const char *choice) {
    return arena_printf(cache->arena, "%s|%s|%s", cache->machine, shape, choice);
}

double tune_cache_get(const TuneCache *cache, const char *shape, const char *choice) {
    const double *us = map_get(&cache->us, key_of(cache, shape, choice));
    return us ? *us : 0;
}

double tune_cache_put(TuneCache *cache, const char *shape, const char *choice, double us) {
    double *kept = arena_alloc(cache->arena, sizeof *kept);
    *kept = fmax(round(us * 1000), 1) / 1000;
    map_put(&cache->us, cache->arena, key_of(cache, shape, choice), kept);
    cache->added++;
    return *kept;
}

bool tune_cache_save(TuneCache *cache, Diag *diag) {
    if (!cache->added || !cache->path || cache->unread) return true;
    Text text = {0};
    for (int i = 0; i < cache->us.count; i++)
        text_printf(&text, "%s %.3f\n", cache->us.entries[i].key, *(double *)cache->us.entries[i].value);
    /* the user's cache may have no place (a build daemon has no home); one that was asked for must */
    const bool good = cache_write(cache->arena, cache->path, &text) || !cache->required;
    if (!good)
        diag_error(diag, (Place){0}, "cannot write the cache of measurements '%s': %s", cache->path, strerror(errno));
    text_free(&text);
    return good;
}
