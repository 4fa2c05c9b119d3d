/* CPU check: on x86-64, the psABI's x86-64-v3 and x86-64-v4 levels, feature by feature, from CPUID, and whether the
 * operating system saves the wide registers (XCR0): a CPU flag alone does not say that, and the price of a mistake is
 * SIGILL. Other processors run generic code alone. */
#include "cpu.h"

#include <stddef.h>

#ifdef __x86_64__
#include <cpuid.h>

enum { LEAF_1, LEAF_7, LEAF_EXTENDED, LEAVES };
enum { EBX, ECX, EDX };

typedef struct Feature {
    const char *name;
    int isa, leaf, reg, bit;
} Feature;

static const Feature features[] = {
    {"sse3", 3, LEAF_1, ECX, 0},        {"ssse3", 3, LEAF_1, ECX, 9},     {"fma", 3, LEAF_1, ECX, 12},
    {"cmpxchg16b", 3, LEAF_1, ECX, 13}, {"sse4.1", 3, LEAF_1, ECX, 19},   {"sse4.2", 3, LEAF_1, ECX, 20},
    {"movbe", 3, LEAF_1, ECX, 22},      {"popcnt", 3, LEAF_1, ECX, 23},   {"osxsave", 3, LEAF_1, ECX, 27},
    {"avx", 3, LEAF_1, ECX, 28},        {"f16c", 3, LEAF_1, ECX, 29},     {"bmi1", 3, LEAF_7, EBX, 3},
    {"avx2", 3, LEAF_7, EBX, 5},        {"bmi2", 3, LEAF_7, EBX, 8},      {"lzcnt", 3, LEAF_EXTENDED, ECX, 5},
    {"avx512f", 4, LEAF_7, EBX, 16},    {"avx512dq", 4, LEAF_7, EBX, 17}, {"avx512cd", 4, LEAF_7, EBX, 28},
    {"avx512bw", 4, LEAF_7, EBX, 30},   {"avx512vl", 4, LEAF_7, EBX, 31},
};

static unsigned long long cpu_xcr0(void) {
    unsigned low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (unsigned long long)high << 32 | low;
}

const char *rn_cpu_missing(rn_isa isa) {
    if (isa == RN_ISA_GENERIC) return NULL;
    unsigned leaf[LEAVES][3] = {{0}}, eax;
    if (!__get_cpuid(1, &eax, &leaf[LEAF_1][EBX], &leaf[LEAF_1][ECX], &leaf[LEAF_1][EDX])) return "cpuid";
    __get_cpuid_count(7, 0, &eax, &leaf[LEAF_7][EBX], &leaf[LEAF_7][ECX], &leaf[LEAF_7][EDX]);
    __get_cpuid(0x80000001u, &eax, &leaf[LEAF_EXTENDED][EBX], &leaf[LEAF_EXTENDED][ECX], &leaf[LEAF_EXTENDED][EDX]);

    for (size_t i = 0; i < sizeof features / sizeof *features; i++) {
        const Feature *f = &features[i];
        if (f->isa <= (int)isa && !(leaf[f->leaf][f->reg] >> f->bit & 1)) return f->name;
    }
    unsigned long long state = cpu_xcr0(); /* bits 1-2: SSE, AVX; 5-7: AVX-512 masks and upper registers */
    if ((state & 0x06) != 0x06) return "AVX state saving in the operating system";
    if (isa >= RN_ISA_X86_64_V4 && (state & 0xe0) != 0xe0) return "AVX-512 state saving in the operating system";
    return NULL;
}
#else

const char *rn_cpu_missing(rn_isa isa) {
    return isa == RN_ISA_GENERIC ? NULL : "x86-64";
}
#endif

int rn_cpu_runs(rn_isa isa) {
    return !rn_cpu_missing(isa);
}

const char *rn_isa_name(rn_isa isa) {
    switch (isa) {
    case RN_ISA_GENERIC:
        return "generic";
    case RN_ISA_X86_64_V3:
        return "x86-64-v3";
    case RN_ISA_X86_64_V4:
        return "x86-64-v4";
    }
    return "unknown";
}
