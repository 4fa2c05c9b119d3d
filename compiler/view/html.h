/* What rnc's HTML pages share. */
#ifndef RNC_VIEW_HTML_H
#define RNC_VIEW_HTML_H

#include "../base.h"

void html_escape(Text *out, const char *s);
/* From the doctype to the heading; the heading is also the title. */
void html_begin(Text *out, const char *heading);
void html_end(Text *out);

#endif
