/* A network ready to run: its weights found and opened, an instance created. */
#include "cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char *beside_executable(const char *name) {
    enum { SIZE = 4096 };
    char *path = malloc(SIZE + strlen(name) + 2);
    if (!path) return NULL;
    ssize_t n = readlink("/proc/self/exe", path, SIZE);
    while (n > 0 && path[n - 1] != '/') n--;
    strcpy(path + (n > 0 ? n : 0), name); /* no /proc: the current folder */
    return path;
}

bool cli_weights_path(const Cli *cli, char **path, bool *found) {
    const bool is_file = cli->weights || (!cli->model->embedded && cli->model->weights_file);
    *found = is_file || cli->model->embedded;
    *path = !is_file ? NULL : cli->weights ? strdup(cli->weights) : beside_executable(cli->model->weights_file);
    if (is_file && !*path) cli_fail(cli, "out of memory");
    return !is_file || *path;
}

bool net_open(Net *net, const Cli *cli, void (*layer)(void *, int, const rn_tensor *), void *user) {
    char error[RN_ERROR_SIZE];
    memset(net, 0, sizeof *net);
    bool found;
    char *path;
    if (!cli_weights_path(cli, &path, &found)) return false;
    if (!found && cli->model->parameters > 0) {
        cli_fail(cli, CLI_NO_WEIGHTS);
        return false;
    }
    if (path) {
        rn_status status = rn_weights_open(&net->weights, cli->model, path, error, sizeof error);
        if (status) {
            cli_fail(cli, "%s", error);
            if (!cli->weights) fprintf(stderr, "note: --weights FILE names another weights file\n");
            free(path);
            return false;
        }
        free(path);
    }
    const rn_options options = {
        .threads = cli->threads, .layer = layer, .layer_user = user, .error = error, .error_size = sizeof error};
    if (cli->model->create(&net->net, NULL, 0, net->weights, &options)) {
        cli_fail(cli, "%s", error);
        net_close(net, cli);
        return false;
    }
    return true;
}

void net_close(Net *net, const Cli *cli) {
    if (net->net) cli->model->destroy(net->net);
    rn_weights_close(net->weights);
    memset(net, 0, sizeof *net);
}
