/* Which instructions this machine can run. */
#ifndef RN_CPU_H
#define RN_CPU_H

#include "rn.h"

/* NULL where the CPU and the operating system run code for `isa`; else what is missing ("avx512vl", or "AVX-512 state
 * disabled by the operating system"); static. Thread-safe. */
const char *rn_cpu_missing(rn_isa isa);
const char *rn_isa_name(rn_isa isa); /* "x86-64-v3" */
int rn_cpu_runs(rn_isa isa);         /* as in rn.h, of which a standalone network has the types alone */

#endif
