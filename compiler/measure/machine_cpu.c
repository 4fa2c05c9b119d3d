/* What CPUID says of the processor (Intel SDM volume 2, CPUID; AMD64 APM volume 3, appendix E). */
#include <string.h>

#include "machine.h"
#include "runtime/core/cpu.h"

#ifdef __x86_64__
#include <cpuid.h>

/* Both vendors list their caches alike, in leaves of their own: leaf 4, and 8000001Dh. */
static void find_caches(Cpu *cpu) {
    const unsigned leaf = !strcmp(cpu->vendor, "AuthenticAMD") ? 0x8000001du : 4;
    unsigned a, b, c, d;
    for (unsigned i = 0; i < 16 && __get_cpuid_count(leaf, i, &a, &b, &c, &d) && (a & 31); i++) {
        const unsigned type = a & 31, level = a >> 5 & 7;
        const double line = (b & 4095) + 1, partitions = (b >> 12 & 1023) + 1, ways = (b >> 22) + 1;
        const double size = line * partitions * ways * (c + 1.0);
        if (type == 2) continue; /* instructions */
        if (level == 2) cpu->l2 = size;
        if (level == 3) cpu->l3 = size;
    }
}

Cpu cpu_identify(void) {
    Cpu cpu = {.vendor = ""};
    unsigned a = 0, b = 0, c = 0, d = 0;
    if (!__get_cpuid(0, &a, &b, &c, &d)) return cpu;
    memcpy(cpu.vendor, &b, 4), memcpy(cpu.vendor + 4, &d, 4), memcpy(cpu.vendor + 8, &c, 4);
    __get_cpuid(1, &a, &b, &c, &d);
    const unsigned base = a >> 8 & 15;
    cpu.family = base == 15 ? base + (a >> 20 & 255) : base;
    cpu.model = (a >> 4 & 15) | (base == 6 || base == 15 ? (a >> 12 & 0xf0) : 0);
    find_caches(&cpu);
    return cpu;
}
#else
Cpu cpu_identify(void) {
    return (Cpu){.vendor = ""};
}
#endif

const char *cpu_name(Arena *arena, const Cpu *cpu) {
    if (!*cpu->vendor) return "unknown";
    return arena_printf(arena, "%s family %u model %u", cpu->vendor, cpu->family, cpu->model);
}

/* Of AMD's family 25 those with AVX-512 are Zen 4, the others Zen 3. */
const char *cpu_row(const Cpu *cpu, bool *same) {
    enum { ZEN_3_AND_4 = 25, CORE = 6, SAPPHIRE_RAPIDS = 143, EMERALD_RAPIDS = 207 };
    *same = false;
    if (!strcmp(cpu->vendor, "AuthenticAMD")) {
        *same = cpu->family == ZEN_3_AND_4;
        return rn_cpu_missing(RN_ISA_X86_64_V4) ? "znver3" : "znver4";
    }
    if (strcmp(cpu->vendor, "GenuineIntel") != 0) return "generic";
    *same = cpu->family == CORE && (cpu->model == SAPPHIRE_RAPIDS || cpu->model == EMERALD_RAPIDS);
    return cpu->family == CORE && cpu->model == EMERALD_RAPIDS ? "emeraldrapids" : "sapphirerapids";
}
