/* The page of an evaluation, see page.h. */
#include "page.h"
#include "core/file.h"
#include "core/markup.h"
#include "core/status.h"
#include "thumbnail.h"

#include <inttypes.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>

enum { PAIRS = 40, WORST = 36, MATRIX = 40, SIDE = 160 }; /* rows, pictures; classes; pixels of a picture */

static const char style[] =
    ":root{color-scheme:light dark;--page:#fff;--text:#1c2430;--soft:#566070;--line:#dfe4ea;--head:#f3f5f8;"
    "--hover:#f5f8fc;--box:#f7f9fb;--rule:#c8d0da;--right:#0072b2;--wrong:#d55e00}\n"
    "@media(prefers-color-scheme:dark){:root{--page:#14181f;--text:#e4e8ee;--soft:#9aa5b4;--line:#2a323d;"
    "--head:#1c222b;--hover:#1d2530;--box:#1b2129;--rule:#3a4350;--right:#2a8fd0}}\n"
    "*{box-sizing:border-box}body{font:14px/1.45 system-ui,sans-serif;margin:0;padding:1.4em clamp(.8em,2vw,2.4em) 3em;"
    "color:var(--text);background:var(--page)}h1{font-size:1.5em;margin:0 0 .2em;overflow-wrap:anywhere}"
    "h2{font-size:1.1em;margin:1.8em 0 .5em}p{margin:.2em 0;color:var(--soft)}\n"
    ".cards{display:flex;flex-wrap:wrap;gap:1em;margin:1.2em 0}.card{background:var(--box);border:1px solid "
    "var(--line);border-radius:6px;padding:.6em 1.2em}.card b{display:block;font-size:1.7em;font-weight:600}"
    ".card span{color:var(--soft)}\n"
    ".scroll{overflow:auto;max-height:40em;border:1px solid "
    "var(--line);border-radius:6px}table{border-collapse:collapse;"
    "width:100%;font-size:12.5px;font-variant-numeric:tabular-nums}th,td{padding:.32em .6em;text-align:right;"
    "white-space:nowrap;border-bottom:1px solid var(--line)}th{background:var(--head);font-weight:600;position:sticky;"
    "top:0}tbody tr:hover{background:var(--hover)}tbody tr:last-child td{border-bottom:0}th.l,td.l{text-align:left}\n"
    ".matrix{width:auto}.matrix td{min-width:2.6em;padding:.3em;text-align:center;border:1px solid var(--line)}"
    ".matrix td.d{background:color-mix(in srgb,var(--right) var(--v),transparent)}"
    ".matrix td.e{background:color-mix(in srgb,var(--wrong) var(--v),transparent)}\n"
    ".worst{display:grid;grid-template-columns:repeat(auto-fill,minmax(11em,1fr));gap:1em}figure{margin:0;min-width:0;"
    "background:var(--box);border:1px solid var(--line);border-radius:6px;padding:.6em}figure img{display:block;"
    "width:100%;height:10em;object-fit:contain}figure img.small{image-rendering:pixelated}figcaption{font-size:12px;"
    "overflow-wrap:anywhere;margin-top:.5em}figcaption em{font-style:normal;color:var(--wrong)}figcaption "
    "small{display:block;color:var(--soft)}\n";

static void put_class(FILE *out, const rn_eval_page *page, int32_t class) {
    if (class < 0)
        fputs("none", out);
    else if (page->names && page->names[class])
        rn_markup_put(out, page->names[class], 60);
    else
        fprintf(out, "class %d", (int)class);
}

static void put_card(FILE *out, const char *what, int64_t right, int64_t n) {
    const rn_interval i = rn_wilson(right, n);
    fprintf(out,
            "<div class=\"card\"><b>%.2f %%</b>%s right<br><span>%.2f to %.2f %%, 95 %% confidence<br>error %.2f "
            "%%</span></div>\n",
            100 * (double)right / (double)n, what, 100 * i.low, 100 * i.high, 100 * (double)(n - right) / (double)n);
}

static void put_head(FILE *out, const rn_eval_page *page) {
    const rn_tally *t = page->tally;
    fputs("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
          "content=\"width=device-width,initial-scale=1\"><title>",
          out);
    rn_markup_put(out, page->network, 0);
    fprintf(out, ": evaluation</title>\n<style>\n%s</style></head><body>\n<h1>", style);
    rn_markup_put(out, page->network, 0);
    fputs("</h1>\n<p>", out);
    rn_markup_put(out, rn_data_about(page->data)->spec, 0);
    fprintf(out, ": %" PRId64 " pictures", t->pictures);
    if (t->count > t->pictures) fprintf(out, ", %" PRId64 " left out", t->count - t->pictures);
    fputs("; ", out);
    rn_markup_put(out, page->protocol, 0);
    fputs("</p>\n<div class=\"cards\">\n", out);
    put_card(out, "top-1", t->right, t->pictures);
    put_card(out, "top-5", t->right5, t->pictures);
    fprintf(out, "<div class=\"card\"><b>%.4f</b>loss, the mean of \xe2\x88\x92ln p</div>\n</div>\n",
            t->loss / (double)t->pictures);
}

static void put_pairs(FILE *out, const rn_eval_page *page) {
    const rn_tally *t = page->tally;
    if (!t->confusion_count) return;
    fputs("<h2>Most often confused</h2>\n<div class=\"scroll\"><table><thead><tr><th class=\"l\">class</th><th "
          "class=\"l\">taken for</th><th>pictures</th><th>of its class</th></tr></thead><tbody>\n",
          out);
    for (size_t i = 0; i < t->confusion_count && i < PAIRS; i++) {
        const rn_confusion *c = &t->confusions[i];
        fputs("<tr><td class=\"l\">", out);
        put_class(out, page, c->label);
        fputs("</td><td class=\"l\">", out);
        put_class(out, page, c->predicted);
        fprintf(out, "</td><td>%" PRId64 "</td><td>%.1f %%</td></tr>\n", c->pictures,
                100 * (double)c->pictures / (double)t->class[c->label].pictures);
    }
    fputs("</tbody></table></div>\n", out);
}

/* Pictures of one class that are taken for another, or are right */
static int64_t confused(const rn_tally *t, int label, int predicted) {
    if (label == predicted) return t->class[label].right;
    for (size_t i = 0; i < t->confusion_count; i++)
        if (t->confusions[i].label == label && t->confusions[i].predicted == predicted)
            return t->confusions[i].pictures;
    return 0;
}

static void put_matrix(FILE *out, const rn_eval_page *page) {
    const rn_tally *t = page->tally;
    if (t->classes > MATRIX) return;
    fputs("<h2>Confusion matrix</h2>\n<p>A row a class; columns what its pictures are taken for.</p>\n<div "
          "class=\"scroll\"><table class=\"matrix\"><thead><tr><th></th>",
          out);
    for (int k = 0; k < t->classes; k++) {
        fputs("<th>", out);
        put_class(out, page, k);
        fputs("</th>", out);
    }
    fputs("</tr></thead><tbody>\n", out);
    for (int label = 0; label < t->classes; label++) {
        fputs("<tr><th class=\"l\">", out);
        put_class(out, page, label);
        fputs("</th>", out);
        for (int k = 0; k < t->classes; k++) {
            const int64_t n = confused(t, label, k), all = t->class[label].pictures;
            if (n)
                fprintf(out, "<td class=\"%c\" style=\"--v:%.0f%%\">%" PRId64 "</td>", k == label ? 'd' : 'e',
                        10 + 80 * (double)n / (double)all, n);
            else
                fputs("<td></td>", out);
        }
        fputs("</tr>\n", out);
    }
    fputs("</tbody></table></div>\n", out);
}

static void put_classes(FILE *out, const rn_eval_page *page) {
    const rn_tally *t = page->tally;
    fputs(
        "<h2>Classes</h2>\n<div class=\"scroll\"><table><thead><tr><th>number</th><th "
        "class=\"l\">class</th><th>pictures</th><th>top-1</th><th>95 % confidence</th><th>top-5</th><th>taken for it, "
        "all</th></tr></thead><tbody>\n",
        out);
    for (int k = 0; k < t->classes; k++) {
        const rn_tally_class *c = &t->class[k];
        fprintf(out, "<tr><td>%d</td><td class=\"l\">", k);
        put_class(out, page, k);
        fprintf(out, "</td><td>%" PRId64 "</td>", c->pictures);
        if (c->pictures) {
            const rn_interval i = rn_wilson(c->right, c->pictures);
            fprintf(out, "<td>%.2f %%</td><td>%.1f to %.1f %%</td><td>%.2f %%</td>",
                    100 * (double)c->right / (double)c->pictures, 100 * i.low, 100 * i.high,
                    100 * (double)c->right5 / (double)c->pictures);
        } else {
            fputs("<td></td><td></td><td></td>", out);
        }
        fprintf(out, "<td>%" PRId64 "</td></tr>\n", c->predicted);
    }
    fputs("</tbody></table></div>\n", out);
}

/* ---- pictures ---- */

static void put_base64(FILE *out, const uint8_t *bytes, size_t size) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < size; i += 3) {
        const uint32_t left = (uint32_t)(size - i), b = left > 1 ? bytes[i + 1] : 0, c = left > 2 ? bytes[i + 2] : 0;
        const uint32_t word = (uint32_t)bytes[i] << 16 | b << 8 | c;
        fputc(digits[word >> 18], out);
        fputc(digits[word >> 12 & 63], out);
        fputc(left > 1 ? digits[word >> 6 & 63] : '=', out);
        fputc(left > 2 ? digits[word & 63] : '=', out);
    }
}

static void put_picture(FILE *out, const rn_eval_page *page, uint32_t index) {
    rn_picture picture;
    rn_thumbnail thumbnail;
    if (rn_data_picture(page->data, RN_TEST, index, &picture, NULL, 0)) return;
    const rn_status status = rn_thumbnail_make(&thumbnail, &picture, SIDE);
    rn_picture_free(&picture);
    if (status) return;
    fprintf(out, "<img alt=\"\" class=\"%s\" src=\"data:image/jpeg;base64,", thumbnail.height < 80 ? "small" : "");
    put_base64(out, thumbnail.jpeg, thumbnail.size);
    fputs("\">", out);
    free(thumbnail.jpeg);
}

static void put_worst(FILE *out, const rn_eval_page *page) {
    const rn_tally *t = page->tally;
    const int64_t wrong = t->pictures - t->right;
    if (!wrong) return;
    fputs("<h2>Surest mistakes</h2>\n<p>The wrong pictures whose class the network was surest of.</p>\n<div "
          "class=\"worst\">\n",
          out);
    for (int64_t k = 0; k < wrong && k < WORST; k++) {
        const uint32_t index = t->wrong[k];
        const rn_outcome *o = &t->outcomes[index];
        char name[4096];
        rn_data_name(page->data, RN_TEST, index, name, sizeof name);
        fputs("<figure>", out);
        put_picture(out, page, index);
        fputs("<figcaption>", out);
        put_class(out, page, t->labels[index]);
        fprintf(out, " %.1f %%, taken for <em>", 100 * o->own);
        put_class(out, page, o->predicted);
        fprintf(out, "</em> %.1f %%<small>", 100 * o->best);
        rn_markup_put(out, name, 60);
        fputs("</small></figcaption></figure>\n", out);
    }
    fputs("</div>\n", out);
}

static rn_status write_page(const rn_eval_page *page, const char *path, char *error, size_t error_size) {
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (out) {
        put_head(out, page);
        put_worst(out, page);
        put_pairs(out, page);
        put_matrix(out, page);
        put_classes(out, page);
        fputs("</body></html>\n", out);
    }
    const int failed = !out || ferror(out);
    rn_status status = RN_OK;
    if ((out && fclose(out)) || failed)
        status = rn_status_fail(error, error_size, RN_ERROR_MEMORY, "%s: out of memory", path);
    else
        status = rn_file_write(path, text, size, NULL, 0, error, error_size);
    free(text);
    return status;
}

rn_status rn_eval_page_write(const rn_eval_page *page, const char *path, char *error, size_t error_size) {
    /* numbers have a point, whatever the application's language */
    const locale_t c = newlocale(LC_NUMERIC_MASK, "C", (locale_t)0);
    if (!c) return rn_status_fail(error, error_size, RN_ERROR_MEMORY, "%s: out of memory", path);
    const locale_t before = uselocale(c);
    const rn_status status = write_page(page, path, error, error_size);
    uselocale(before);
    freelocale(c);
    return status;
}
