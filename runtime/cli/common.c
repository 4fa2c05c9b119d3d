/* What commands of all programs share: errors, memory, JSON. */
#include "cli.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void cli_message(const Cli *cli, const char *format, va_list arguments) {
    fprintf(stderr, "%s: error: ", cli->program);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
}

int cli_fail(const Cli *cli, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    cli_message(cli, format, arguments);
    va_end(arguments);
    return CLI_FAILED;
}

int cli_usage(const Cli *cli, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    cli_message(cli, format, arguments);
    va_end(arguments);
    fprintf(stderr, "try '%s%s%s --help'\n", cli->program, cli->command ? " " : "", cli->command ? cli->command : "");
    return CLI_USAGE;
}

void *cli_allocate(size_t count, size_t size) {
    if (size && count > (SIZE_MAX - 64) / size) return NULL;
    const size_t bytes = (count * size + 64) / 64 * 64;
    void *memory = aligned_alloc(64, bytes);
    if (memory) memset(memory, 0, bytes);
    return memory;
}

int cli_print_json(const Cli *cli, cJSON *json) {
    char *text = cJSON_Print(json);
    cJSON_Delete(json);
    if (!text) return cli_fail(cli, "out of memory");
    puts(text);
    cJSON_free(text);
    return CLI_OK;
}

cJSON *cli_json_shape(const size_t *dim, int ndim) {
    cJSON *shape = cJSON_CreateArray();
    for (int i = 0; i < ndim; i++) cJSON_AddItemToArray(shape, cJSON_CreateNumber((double)dim[i]));
    return shape;
}
