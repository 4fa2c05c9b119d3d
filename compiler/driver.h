/* What is done with a compilation's result: files written, and what is printed. */
#ifndef RNC_DRIVER_H
#define RNC_DRIVER_H

#include "compilation.h"

/* ---- driver.c: what -o asks for, all of it or nothing ---- */
bool driver_write(Compilation *c);

/* ---- show.c: what is printed instead of written; false after a diagnostic ---- */
bool show_tree(Compilation *c);
bool show_graph(Compilation *c);
bool show_dot(Compilation *c);
bool show_plan(Compilation *c);
bool show_c(Compilation *c);
bool show_summary(Compilation *c);
bool show_report(Compilation *c); /* a page, or text */
bool show_verify(Compilation *c); /* runs it */
bool show_json(Compilation *c);   /* --json: what the three above had to say, as one document */

#endif
