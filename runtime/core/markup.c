/* Text as HTML and SVG, see markup.h. */
#include "markup.h"
#include "utf8.h"

#include <string.h>

static int is_no_text(const char *s) { /* what XML 1.0 does not allow (2.2) */
    const unsigned char c = (unsigned char)*s;
    return c < ' ' || c == 127 || !strncmp(s, "\xef\xbf\xbe", 3) || !strncmp(s, "\xef\xbf\xbf", 3);
}

/* One character; -> its bytes. */
static size_t put_character(FILE *out, const char *s) {
    const size_t length = rn_utf8_length(s);
    if (!length || is_no_text(s))
        fputs("\xef\xbf\xbd", out);
    else if (*s == '<')
        fputs("&lt;", out);
    else if (*s == '>')
        fputs("&gt;", out);
    else if (*s == '&')
        fputs("&amp;", out);
    else if (*s == '"')
        fputs("&quot;", out);
    else
        fwrite(s, 1, length, out);
    return length ? length : 1;
}

static size_t character_size(const char *s) {
    const size_t length = rn_utf8_length(s);
    return length ? length : 1;
}

void rn_markup_put(FILE *out, const char *text, int most) {
    int characters = 0;
    for (const char *s = text; *s; s += character_size(s)) characters++;
    const int left_out = most && characters > most ? characters - most + 1 : 0, begin = (most - 1) / 2;
    int i = 0;
    for (const char *s = text; *s; i++) {
        if (left_out && i >= begin && i < begin + left_out) {
            if (i == begin) fputs("\xe2\x80\xa6", out);
            s += character_size(s);
        } else {
            s += put_character(out, s);
        }
    }
}
