#include "html.h"

void html_escape(Text *out, const char *s) {
    for (; *s; s++) {
        if (*s == '<')
            text_puts(out, "&lt;");
        else if (*s == '>')
            text_puts(out, "&gt;");
        else if (*s == '&')
            text_puts(out, "&amp;");
        else if (*s == '"')
            text_puts(out, "&quot;");
        else
            text_write(out, s, 1);
    }
}

static const char style[] =
    "body{font:15px/1.5 system-ui,sans-serif;max-width:960px;margin:2em auto;padding:0 "
    "1em;color:#1c2430;background:#fff}\n"
    "h1{font-size:1.4em;margin-bottom:.2em}p{color:#566070;margin:.2em 0 1.4em}code{font-size:.92em}\n"
    "table{border-collapse:collapse;width:100%;margin-top:1.6em}th,td{padding:.35em .6em;text-align:right}\n"
    "th{border-bottom:2px solid #c8d0da;font-weight:600}td{border-bottom:1px solid #e6eaf0}\n"
    "th:first-child,td:first-child,th:last-child,td:last-child{text-align:left}td:last-child{color:#566070}\n"
    "svg{width:100%;height:auto}svg text{font:13px system-ui,sans-serif;fill:#1c2430}svg .value{fill:#566070}\n"
    "@media(prefers-color-scheme:dark){body{background:#14181f;color:#e4e8ee}svg text{fill:#e4e8ee}\n"
    "p,td:last-child{color:#9aa5b4}svg .value{fill:#9aa5b4}th{border-color:#3a4350}td{border-color:#262d38}}\n";

void html_begin(Text *out, const char *heading) {
    text_puts(out, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>");
    html_escape(out, heading);
    text_printf(out, "</title>\n<style>\n%s</style></head><body>\n<h1>", style);
    html_escape(out, heading);
    text_puts(out, "</h1>\n");
}

void html_end(Text *out) {
    text_puts(out, "</body></html>\n");
}
