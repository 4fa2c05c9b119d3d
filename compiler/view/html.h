/* What rnc's HTML pages share: one file, nothing loaded from elsewhere, light and dark by CSS variables, wide and
 * narrow.
 */
#ifndef RNC_VIEW_HTML_H
#define RNC_VIEW_HTML_H

#include "base/base.h"

void html_escape(Text *out, const char *s); /* in UTF-8, as are all pages: what is none is replaced */
/* The same of a sentence, in which no number is broken after its exponent's sign. */
void html_prose(Text *out, const char *s);
/* From the doctype to the heading, which is also the title, and the line that says where the page comes from: machine,
 * date, version, and the command. */
void html_begin(Text *out, const char *heading, const char *command);
/* The script that sorts tables of class "sort" by their headings; pages do without it, too. */
void html_end(Text *out);
/* A figure among others: a number in words, and what it is. */
void html_figure(Text *out, const char *value, const char *what);

#endif
