/* --standalone: what net.c and net.h carry in librn's place. */
#ifndef RNC_EMIT_STANDALONE_H
#define RNC_EMIT_STANDALONE_H

#include "emit.h"

/* net.c after its top: includes, what `network` (the text of tables, tasks and API) needs of the runtime, and itself */
void emit_standalone(Emit *e, const Text *network, Text *t);
/* net.h: in the place of #include "rn.h" */
void emit_standalone_types(Text *h);
/* net.h of a trainer that has its runtime inside, after those: rn_train.h's types */
void emit_train_types(Text *h);
/* net.h: functions that the ordinary one does not have */
void emit_loader_api(const EmitOptions *options, Text *h);
/* net.c: the same, of a shared object that has librn inside */
void emit_loader(const char *name, Text *t);
/* No task may be called like what the runtime defines. */
void standalone_reserve_names(Emit *e);

#endif
