/* Figures into files. */
#include "curves.h"
#include "core/file.h"
#include "core/status.h"
#include "curves_figure.h"

#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

typedef void Printer(FILE *out, const rn_curves_figure *figure);

static Printer *printer_of(const char *output) {
    const char *ending = strrchr(output, '.');
    if (ending && !strcasecmp(ending, ".svg")) return rn_curves_svg;
    return ending && (!strcasecmp(ending, ".html") || !strcasecmp(ending, ".htm")) ? rn_curves_html : NULL;
}

static rn_status print(Printer *printer, const rn_curves_figure *figure, const char *output, char *error,
                       size_t error_size) {
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (out) printer(out, figure);
    const int failed = !out || ferror(out);
    rn_status status = RN_OK;
    if ((out && fclose(out)) || failed)
        status = rn_status_fail(error, error_size, RN_ERROR_MEMORY, "%s: out of memory", output);
    else
        status = rn_file_write(output, text, size, NULL, 0, error, error_size);
    free(text);
    return status;
}

static rn_status write_figure(const char *const *runs, int count, const char *output, const rn_curves_options *options,
                              char *error, size_t error_size) {
    rn_curves_figure figure;
    Printer *printer = printer_of(output);
    if (!printer)
        return rn_status_fail(error, error_size, RN_ERROR_ARGUMENT,
                              "%s: curves are written as .svg or .html, which its name does not end in", output);
    rn_status status = rn_curves_figure_make(&figure, runs, count, options, error, error_size);
    if (status) return status;
    status = print(printer, &figure, output, error, error_size);
    rn_curves_figure_free(&figure);
    return status;
}

rn_status rn_curves_write(const char *const *runs, int count, const char *output, const rn_curves_options *options,
                          char *error, size_t error_size) {
    /* numbers have a point, in logs and in SVG, whatever the application's language */
    const locale_t c = newlocale(LC_NUMERIC_MASK, "C", (locale_t)0);
    if (!c) return rn_status_fail(error, error_size, RN_ERROR_MEMORY, "%s: out of memory", output);
    const locale_t before = uselocale(c);
    const rn_status status = write_figure(runs, count, output, options, error, error_size);
    uselocale(before);
    freelocale(c);
    return status;
}
