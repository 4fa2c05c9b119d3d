/* Names of classes, and lists of numbers. */
#include "cli.h"
#include "core/file.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void labels_free(Labels *labels) {
    free(labels->text);
    free(labels->name);
}

int labels_read(Labels *labels, const Cli *cli, int classes) {
    memset(labels, 0, sizeof *labels);
    if (!cli->labels) return CLI_OK;
    char error[RN_ERROR_SIZE];
    uint8_t *bytes;
    size_t size;
    if (rn_file_read(&bytes, &size, cli->labels, 1 << 26, error, sizeof error)) return cli_fail(cli, "%s", error);
    labels->text = realloc(bytes, size + 1);
    labels->name = calloc((size_t)classes, sizeof *labels->name);
    if (!labels->text || !labels->name) {
        if (!labels->text) free(bytes);
        return cli_fail(cli, "out of memory");
    }
    labels->text[size] = 0;
    if (!strncmp(labels->text, "\xff\xfe", 2) || !strncmp(labels->text, "\xfe\xff", 2))
        return cli_fail(cli, "%s: it is UTF-16; save it as UTF-8", cli->labels);
    if (memchr(labels->text, 0, size)) return cli_fail(cli, "%s: not a text file", cli->labels);
    while (size && strchr("\r\n \t", labels->text[size - 1])) size--;
    labels->text[size] = 0;
    int count = 0;
    const bool mark = !strncmp(labels->text, "\xef\xbb\xbf", 3); /* a byte order mark is no part of the first name */
    for (char *line = labels->text + (mark ? 3 : 0), *next; size && line; line = next, count++) {
        next = strchr(line, '\n');
        if (next) *next++ = 0;
        line[strcspn(line, "\r")] = 0;
        if (count < classes) labels->name[count] = line;
    }
    if (count != classes)
        return cli_fail(cli, "%s: %d labels, but %s has %d classes", cli->labels, count, cli->model->name, classes);
    return CLI_OK;
}

int cli_numbers(double *numbers, int most, const char *text) {
    for (int count = 0; count < most;) {
        char *end;
        numbers[count++] = strtod(text, &end);
        if (end == text || !isfinite(numbers[count - 1]) || (*end && *end != ',')) return 0;
        if (!*end) return count;
        text = end + 1;
    }
    return 0;
}
