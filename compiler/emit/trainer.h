/* The trainer of net.c: its line of calls, its tables, its API (rn_train.h). */
#ifndef RNC_EMIT_TRAINER_H
#define RNC_EMIT_TRAINER_H

#include "emit.h"

/* Forward and backward of a batch, for one instruction set; the tasks go to e->functions. */
void emit_trainer_calls(Emit *e, Text *text);
/* And the table of what they make in the forward pass. */
void emit_trainer_values(Emit *e, Text *text);
/* What stands once in the file: the struct and prototypes, ahead of the calls; functions and tables after them. */
void emit_trainer_declared(Emit *e, Text *text);
void emit_trainer(Emit *e, Text *text);
void emit_train_recipe(const Emit *e, Text *text);          /* the table train_recipe */
void emit_trainer_api(const EmitOptions *options, Text *h); /* of the header */
extern const char *const emit_trainer_functions[];          /* NAME_...; NULL is the last */

#endif
