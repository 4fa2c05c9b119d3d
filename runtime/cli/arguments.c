/* Command lines by tables, see arguments.h. A misspelt word is answered by the nearest one. Exit status 0, 1 (the input
 * is wrong), 2 (the command line is wrong).
 */
#include "arguments.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 64 /* commands, options */ };

/* ---- help ---- */
static void help_option(const Option *o) {
    char head[32];
    snprintf(head, sizeof head, "%s %s", o->name, o->value ? o->value : "");
    printf("  %-24s %s\n", head, o->help);
}

static void help(const Cli *cli, const Syntax *syntax, const Command *only) {
    const rn_model *m = cli->model;
    if (only) {
        printf("usage: %s %s [options]%s%s\n%s\n\noptions:\n", cli->program, only->name, *only->arguments ? " " : "",
               only->arguments, only->help);
    } else {
        printf("usage: %s COMMAND [options] [FILE...]\n", cli->program);
        printf("%s %s (input %d x %d x %d), compiled by rnc %s.\n\ncommands:\n", syntax->what, m->name, m->input.c,
               m->input.h, m->input.w, m->rnc_version);
        for (int i = 0; i < syntax->command_count; i++) {
            char head[32];
            snprintf(head, sizeof head, "%s %s", syntax->commands[i].name, syntax->commands[i].arguments);
            printf("  %-26s %s\n", head, syntax->commands[i].help);
        }
        printf("\noptions (COMMAND --help says which it takes):\n");
    }
    for (int i = 0; i < syntax->option_count; i++)
        if (!only || syntax->options[i].of & only->bit) help_option(&syntax->options[i]);
    if (!only) printf("  %-24s the versions of rnc and of librn\n", "--version");
    printf("  %-24s this text\n\nexit status: 0; 1: the input is wrong; 2: the command line is wrong\n", "-h, --help");
}

/* ---- suggestions ---- */
static int min3(int a, int b, int c) {
    int m = a < b ? a : b;
    return m < c ? m : c;
}

static int edit_distance(const char *a, const char *b) {
    enum { MAX = 32 };
    const int n = (int)strlen(a), m = (int)strlen(b);
    int row[MAX + 1];
    if (n > MAX || m > MAX) return MAX;
    for (int j = 0; j <= m; j++) row[j] = j;
    for (int i = 1; i <= n; i++) {
        int diagonal = row[0];
        row[0] = i;
        for (int j = 1; j <= m; j++) {
            const int above = row[j];
            row[j] = min3(above + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1]));
            diagonal = above;
        }
    }
    return row[m];
}

static int unknown(const Cli *cli, const char *what, const char *word, const char *const *names, int count) {
    const char *best = NULL;
    int nearest = 3; /* further apart is no misspelling */
    for (int i = 0; i < count; i++) {
        const int d = edit_distance(word, names[i]);
        if (d < nearest) {
            nearest = d;
            best = names[i];
        }
    }
    if (best) return cli_usage(cli, "unknown %s '%s'; did you mean '%s'?", what, word, best);
    return cli_usage(cli, "unknown %s '%s'", what, word);
}

static int unknown_command(const Cli *cli, const Syntax *syntax, const char *word) {
    const char *names[MOST];
    for (int i = 0; i < syntax->command_count; i++) names[i] = syntax->commands[i].name;
    return unknown(cli, "command", word, names, syntax->command_count);
}

static int unknown_option(const Cli *cli, const Syntax *syntax, const char *word) {
    const char *names[MOST + 2];
    for (int i = 0; i < syntax->option_count; i++) names[i] = syntax->options[i].name;
    names[syntax->option_count] = "--help";
    names[syntax->option_count + 1] = "--version";
    return unknown(cli, "option", word, names, syntax->option_count + 2);
}

/* ---- parsing ---- */
static int steps_set(const Cli *cli, const Option *o, const char *value, int64_t *member) {
    char *end;
    const long long n = strtoll(value, &end, 10), times = *end == 'k' ? 1000 : 1;
    if (end == value || *(end + (*end == 'k')) || errno || n < 1 || n > INT64_MAX / times)
        return cli_usage(cli, "%s: '%s' is not a number of steps above 0 (64000 or 64k)", o->name, value);
    *member = n * times;
    return CLI_OK;
}

static int option_set(Cli *cli, const Option *o, const char *value) {
    char *member = (char *)cli + o->member, *end;
    errno = 0;
    switch (o->kind) {
    case KIND_FLAG:
        *(bool *)member = true;
        return CLI_OK;
    case KIND_TEXT:
        *(const char **)member = value;
        return CLI_OK;
    case KIND_COUNT: {
        const long n = strtol(value, &end, 10);
        if (end == value || *end || errno || n < 1 || n > INT_MAX)
            return cli_usage(cli, "%s: '%s' is not a number above 0 and at most %d", o->name, value, INT_MAX);
        *(int *)member = (int)n;
        return CLI_OK;
    }
    case KIND_SECONDS: {
        const double x = strtod(value, &end);
        if (end == value || *end || !(x > 0 && x <= 86400))
            return cli_usage(cli, "%s: '%s' is not a number of seconds (above 0, at most 86400)", o->name, value);
        *(double *)member = x;
        return CLI_OK;
    }
    case KIND_STEPS:
        return steps_set(cli, o, value, (int64_t *)(void *)member);
    case KIND_SEED: {
        const unsigned long long n = strtoull(value, &end, 10);
        if (end == value || *end || errno || !isdigit((unsigned char)*value))
            return cli_usage(cli, "%s: '%s' is not a number from 0 to 18446744073709551615", o->name, value);
        *(uint64_t *)(void *)member = n;
        return CLI_OK;
    }
    case KIND_POSITIVE: {
        const double x = strtod(value, &end);
        if (end == value || *end || !(x > 0 && x <= 1e9))
            return cli_usage(cli, "%s: '%s' is not a number above 0 and at most 1e9", o->name, value);
        *(double *)(void *)member = x;
        return CLI_OK;
    }
    }
    return CLI_USAGE;
}

/* Reads the option at arguments[*i]; *seen gets its index's bit. */
static int option_parse(Cli *cli, const Syntax *syntax, char **arguments, int count, int *i, uint64_t *seen) {
    const char *word = arguments[*i], *equals = strchr(word, '=');
    const size_t length = equals ? (size_t)(equals - word) : strlen(word);
    for (int k = 0; k < syntax->option_count; k++) {
        const Option *o = &syntax->options[k];
        if (strlen(o->name) != length || memcmp(o->name, word, length)) continue;
        *seen |= (uint64_t)1 << k;
        const char *value = equals ? equals + 1 : NULL;
        if (o->kind == KIND_FLAG && value) return cli_usage(cli, "%s takes no value", o->name);
        if (o->kind != KIND_FLAG && !value) {
            if (*i + 1 == count) return cli_usage(cli, "%s needs a value: %s %s", o->name, o->name, o->value);
            value = arguments[++*i];
        }
        return option_set(cli, o, value);
    }
    char name[64];
    snprintf(name, sizeof name, "%.*s", (int)length, word);
    return unknown_option(cli, syntax, name);
}

static const Command *find_command(const Syntax *syntax, const char *word) {
    for (int k = 0; k < syntax->command_count; k++)
        if (!strcmp(word, syntax->commands[k].name)) return &syntax->commands[k];
    return NULL;
}

/* What every command line must hold. */
static int check(const Cli *cli, const Syntax *syntax, const Command *command, uint64_t seen) {
    for (int k = 0; k < syntax->option_count; k++)
        if (seen >> k & 1 && !(syntax->options[k].of & command->bit))
            return cli_usage(cli, "'%s' takes no %s", command->name, syntax->options[k].name);
    if (cli->threads > RN_MAX_THREADS) return cli_usage(cli, "--threads: at most %d", RN_MAX_THREADS);
    if (!*command->arguments && cli->file_count)
        return cli_usage(cli, "'%s' takes no files; '%s' given", command->name, cli->files[0]);
    return CLI_OK;
}

int arguments_parse(Cli *cli, const Syntax *syntax, int argc, char **argv, const Command **command, uint64_t *seen) {
    bool help_wanted = false, version_wanted = false, only_files = false;
    *command = NULL;
    *seen = 0;
    for (int i = 1; i < argc; i++) {
        const char *word = argv[i];
        if (!only_files && !strcmp(word, "--")) {
            only_files = true;
        } else if (!only_files && (!strcmp(word, "--help") || !strcmp(word, "-h"))) {
            help_wanted = true;
        } else if (!only_files && !strcmp(word, "--version")) {
            version_wanted = true;
        } else if (!only_files && word[0] == '-' && word[1]) {
            int status = option_parse(cli, syntax, argv, argc, &i, seen);
            if (status) return status;
        } else if (!*command) {
            *command = find_command(syntax, word);
            if (!*command) return unknown_command(cli, syntax, word);
            cli->command = (*command)->name;
        } else {
            cli->files[cli->file_count++] = argv[i];
        }
    }
    if (!help_wanted && !version_wanted) {
        if (!*command) return cli_usage(cli, "a command is missing");
        return check(cli, syntax, *command, *seen);
    }
    if (help_wanted)
        help(cli, syntax, *command);
    else
        printf("%s, compiled by rnc %s; librn %s\n", cli->model->name, cli->model->rnc_version, RN_VERSION);
    *command = NULL;
    return CLI_OK;
}
