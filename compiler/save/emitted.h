/* The C of a plan, its header and its packed weights as files in a folder; and the shared object made of them. */
#ifndef RNC_EMITTED_H
#define RNC_EMITTED_H

#include "compilation.h"

/* How the text that goes with -o's file differs from that which rnc builds for itself. */
typedef struct EmittedForm {
    bool embed, program, shared, standalone;
} EmittedForm;

const char *emitted_stem(const char *stem, bool program); /* of the sources of -o STEM */
/* STEM.c, STEM.h (of a program network.c, network.h), STEM.map (what a shared object exports) and, where there are
 * weights, STEM.rnw, in `folder`. False after a diagnostic, as the others. */
bool emitted_write(Compilation *c, const Plan *plan, const char *folder, const char *stem, EmittedForm form);
/* STEM.so from those, and the header for those who link it. */
bool emitted_link_shared(Compilation *c, const Plan *plan, const char *folder, const char *stem, EmittedForm form);
/* Both: STEM.so with STEM.rnw beside it; librn is inside. */
bool emitted_build_shared(Compilation *c, const Plan *plan, const char *folder, const char *stem);

#endif
