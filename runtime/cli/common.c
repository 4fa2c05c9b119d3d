/* What commands of all programs share: errors, memory, JSON. */
#include "cli.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
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

/* cJSON leaves out what it has no memory for. */
static atomic_bool json_lacks;
static pthread_once_t json_once = PTHREAD_ONCE_INIT;

static void *json_allocate(size_t size) {
    void *memory = malloc(size);
    if (!memory) json_lacks = true;
    return memory;
}

static void json_hook(void) {
    cJSON_InitHooks(&(cJSON_Hooks){json_allocate, free});
}

void cli_watch_json(void) {
    pthread_once(&json_once, json_hook);
}

int cli_print_json(const Cli *cli, cJSON *json) {
    char *text = json_lacks ? NULL : cJSON_Print(json);
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
