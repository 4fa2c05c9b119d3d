/* A target in words. */
#include "target.h"

#include "runtime/core/cpu.h"

const char *target_text(Arena *arena, const Target *target) {
    const char *text = "";
    for (int i = 0; i < target->count; i++)
        text = arena_printf(arena, "%s%s%s", text, i ? ", " : "", rn_isa_name((rn_isa)target->isa[i]));
    return text;
}
