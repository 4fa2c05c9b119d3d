/* The row of numbers that plans are made by: of the table, or the one that what is measured rounds to, kept in a cache;
 * and --print-machine.
 *
 * Measurements differ from run to run, and plans must not: so a number is that of the nearest row that is known, times
 * a power of two. What cannot be measured in a moment (how much of fetching shows, what several cores have together) is
 * of that row as it stands.
 */
#include "machine.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cache.h"

#include "runtime/core/cpu.h"

/* ---- rounding ---- */
/* A row's number for one that was measured: the same, times a power of two. What is within 1.7 of the known row's is
 * that, and on a CPU of the same kind what is within 2.8: there neighbours move it, hardly the machine. So the limits
 * between two rows are far from all machines that are known. */
static double round_number(double near, double measured, bool same) {
    if (!(measured > 0)) return near;
    const double octaves = log2(measured / near);
    return fabs(octaves) < (same ? 1.5 : 0.75) ? near : ldexp(near, (int)lround(octaves));
}

/* A number that is known to the byte. */
static double known_size(double near, double size) {
    return size > 0 && fabs(log2(size / near)) >= 0.5 ? floor(size) : near;
}

Machine machine_round(const Machine *near, bool same, const Cpu *cpu, const Measured *measured) {
    /* what a layer may count on: of L3, which neighbours share, that of AMD's eight cores, that of all of Intel's */
    const double l2_share = 0.75, l3_share = strcmp(cpu->vendor, "GenuineIntel") ? 3.0 / 8 : 1.0 / 6;
    Machine m = *near;
    Measured r = *measured;
    m.flops = round_number(near->flops, r.flops, same);
    if (r.flops > 0) { /* the clock that moved it moves these as well */
        const double faster = m.flops / r.flops;
        r.l2 *= faster, r.vector_op /= faster, r.call /= faster;
    }
    m.l2 = round_number(near->l2, r.l2, same);
    m.l3 = round_number(near->l3, r.l3, same);
    m.burst = near->burst * m.l3 / near->l3;
    m.dram = round_number(near->dram, r.dram, same);
    m.vector_op = round_number(near->vector_op, r.vector_op, same);
    m.call = round_number(near->call, r.call, same);
    m.l2_size = known_size(near->l2_size, l2_share * cpu->l2);
    m.l3_size = known_size(near->l3_size, l3_share * cpu->l3);
    return m;
}

/* ---- the cache: lines of "key|spelling" ---- */
static const char row_key[] = "rnc row 1, "; /* the number rises when a row of before cannot be what it was */

/* All that can tell two machines apart before they are measured. */
static const char *cache_key(Arena *arena, const Cpu *cpu, rn_isa isa) {
    return arena_printf(arena, "%s%s, L2 %.0f, L3 %.0f, %s|", row_key, cpu_name(arena, cpu), cpu->l2, cpu->l3,
                        rn_isa_name(isa));
}

/* The row of the file's line that begins with the key, and all other lines of rows in *others. *foreign: the file has
 * text, and none of it is a row, or cannot be read: not ours to write over. NULL where it has none. */
static const Machine *read_row(Arena *arena, const char *path, const char *key, rn_isa isa, Text *others,
                               bool *foreign) {
    size_t size = 0;
    const char *trouble;
    int unread = 0;
    const Machine *machine = NULL;
    char *text = path ? cache_read(path, &size, &unread) : NULL, *rest = text;
    *foreign = unread || (text && size);
    for (char *line; text && (line = strsep(&rest, "\n"));) {
        if (strncmp(line, row_key, strlen(row_key)) != 0) continue;
        *foreign = false;
        if (strncmp(line, key, strlen(key)) != 0)
            text_printf(others, "%s\n", line);
        else if (!machine)
            machine = machine_parse(arena_strdup(arena, line + strlen(key)), isa, arena, &trouble);
    }
    free(text);
    return machine;
}

/* ---- native ---- */
static const Machine *measured_row(Compilation *c, const Cpu *cpu, rn_isa isa) {
    Arena *a = &c->arena;
    bool same;
    const Measured measured = machine_measure(cpu, isa);
    Machine *machine = arena_alloc(a, sizeof *machine);
    const Machine *near = machine_named(cpu_row(cpu, &same), isa);
    *machine = machine_round(near, same, cpu, &measured);
    const char *numbers = "";
#define NUMBER(member)                                                                                                 \
    numbers = arena_printf(a, "%s%s" #member " %.3g", numbers, *numbers ? ", " : "", measured.member);
    MEASURED_NUMBERS(NUMBER)
#undef NUMBER
    c->machine_origin = arena_printf(a, "measured: %s", numbers);
    return machine;
}

static const Machine *native_row(Compilation *c, rn_isa isa) {
    Arena *a = &c->arena;
    const Cpu cpu = cpu_identify();
    const char *path = cache_path(a, "machine"), *key = cache_key(a, &cpu, isa);
    Text rows = {0};
    bool foreign;
    const Machine *machine = read_row(a, path, key, isa, &rows, &foreign);
    c->machine_origin = "measured before";
    c->machine_cache = path;
    if (!machine) {
        machine = measured_row(c, &cpu, isa);
        text_printf(&rows, "%s%s\n", key, machine_spelling(a, machine));
        /* it may have no place: a build daemon has no home */
        const bool kept = path && !foreign && cache_write(a, path, &rows);
        if (!kept) c->machine_cache = NULL;
    }
    text_free(&rows);
    return machine;
}

void machine_find(Compilation *c) {
    const Options *o = c->options;
    const char *trouble = NULL;
    c->machine = o->machine;
    c->machine_origin = "of the table";
    if (o->tune_native) {
        c->machine = native_row(c, o->machine->isa);
        const char *changed = arena_printf(&c->arena, "%s%s", machine_spelling(&c->arena, c->machine), o->tune_changes);
        c->machine = machine_parse(changed, o->machine->isa, &c->arena, &trouble);
    }
    if (!c->machine) bug("-mtune=%s: %s", o->tune, trouble);
    if (*o->tune_changes) c->machine_origin = arena_printf(&c->arena, "changed, %s", c->machine_origin);
}

/* ---- --print-machine ---- */
static const Machine *shown(const Compilation *c, int index) {
    return machine_with(c->machine, c->options->target.isa[index]);
}

static const char *shown_origin(const Compilation *c, int index) {
    return index ? "of the table" : c->machine_origin; /* what is measured or changed is the strongest's */
}

static void show_json(Compilation *c) {
    cJSON *json = cJSON_CreateObject(), *machines = cJSON_AddArrayToObject(json, "machines");
    json_add_string(json, "rnc", RN_VERSION);
    if (c->machine_cache) json_add_string(json, "cache", c->machine_cache);
    for (int i = 0; i < c->options->target.count; i++)
        cJSON_AddItemToArray(machines, json_machine(shown(c, i), shown_origin(c, i)));
    char *text = cJSON_Print(json);
    if (!text) out_of_memory();
    puts(text);
    cJSON_free(text);
    cJSON_Delete(json);
}

static void show_text(Compilation *c) {
    Text text = {0};
    for (int i = 0; i < c->options->target.count; i++) {
        const Machine *machine = shown(c, i);
        text_printf(&text, "%s-mtune=%s for %s, %s\n", i ? "\n" : "", machine_spelling(&c->arena, machine),
                    rn_isa_name(machine->isa), shown_origin(c, i));
        machine_print(machine, &text);
        text_printf(&text, "machines with code for %s: native, %s\n", rn_isa_name(machine->isa),
                    machine_names(&c->arena, machine->isa));
    }
    if (c->machine_cache) text_printf(&text, "what is measured is kept in %s\n", c->machine_cache);
    fwrite(text.s, 1, text.size, stdout);
    text_free(&text);
}

void machine_show(Compilation *c) {
    machine_find(c);
    c->options->json ? show_json(c) : show_text(c);
}
