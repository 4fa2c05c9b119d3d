/* The row of numbers that plans are made by, and --print-machine. */
#include "machine.h"

#include <stdio.h>

#include "runtime/core/cpu.h"

static const char *native_spelling(void) {
    bool same;
    const Cpu cpu = cpu_identify();
    return cpu_row(&cpu, &same);
}

void machine_find(Compilation *c) {
    const Options *o = c->options;
    const char *trouble;
    c->machine = o->machine;
    c->machine_origin = "of the table";
    if (o->tune_native) {
        const char *spelling = arena_printf(&c->arena, "%s%s", native_spelling(), o->tune_changes);
        c->machine = machine_parse(spelling, o->machine->isa, &c->arena, &trouble);
        c->machine_origin = "by CPUID";
    }
    if (!c->machine) bug("-mtune=%s: %s", o->tune, trouble);
    if (*o->tune_changes) c->machine_origin = arena_printf(&c->arena, "%s, changed", c->machine_origin);
}

static const Machine *shown(const Compilation *c, int index) {
    return machine_with(c->machine, c->options->target.isa[index]);
}

static const char *shown_origin(const Compilation *c, int index) {
    return index ? "of the table" : c->machine_origin; /* what is measured or changed is the strongest's */
}

static void show_json(Compilation *c) {
    cJSON *json = cJSON_CreateObject(), *machines = cJSON_AddArrayToObject(json, "machines");
    json_add_string(json, "rnc", RN_VERSION);
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
    fwrite(text.s, 1, text.size, stdout);
    text_free(&text);
}

void machine_show(Compilation *c) {
    machine_find(c);
    c->options->json ? show_json(c) : show_text(c);
}
