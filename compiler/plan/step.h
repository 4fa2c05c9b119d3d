/* What every algorithm's file does to add its steps: a step with its operands. */
#ifndef RNC_PLAN_STEP_H
#define RNC_PLAN_STEP_H

#include "plan.h"

/* A step that computes the whole node, without operands yet; NULL node: for the input or an output. It moves when the
 * next one is added. */
Step *step_add(Plan *plan, Algorithm algorithm, const Node *node, const Value *out);
/* Names the part of its node that a step computes: "conv1 shortcut". */
void step_name_part(Plan *plan, Step *step, const char *part);

/* Adds an operand; the pointer is valid until the next one. */
Operand *step_reads(Plan *plan, Step *step, Role role, const Value *value);
Operand *step_writes(Plan *plan, Step *step, Role role, const Value *value);
Operand *step_reads_temporary(Plan *plan, Step *step, int temporary);
Operand *step_writes_temporary(Plan *plan, Step *step, int temporary);
/* Inputs as x, x1, ...; the epilogue's addend, if there is one; the result as y. */
void step_reads_inputs(Plan *plan, Step *step);
void step_reads_addend(Plan *plan, Step *step);
void step_writes_result(Plan *plan, Step *step);

/* Room that some steps share beside the values, in bytes; returns its index. */
int plan_temporary(Plan *plan, int64_t bytes);
/* The step for one image: a copy whose detail the caller may replace. */
Step *step_for_one(Plan *plan, const Step *step);
const Operand *step_operand(const Step *step, Role role); /* NULL where there is none */

/* Values that a convolution or an output really reads: copies that are no code are looked through. */
const Value *step_source(const Plan *plan, const Value *value);
/* A slice of channels that only its readers read: they find it inside its input. */
bool step_is_view(const Node *node);
/* A copy (dropout, identity, flatten) that needs no code: its value is its input's storage under another name. */
bool step_is_alias(const Plan *plan, const Node *node);

#endif
