/* A command line of the form `NAME COMMAND [options] [files]`, by tables: a row per command and per option, which
 * --help prints. */
#ifndef RN_CLI_ARGUMENTS_H
#define RN_CLI_ARGUMENTS_H

#include "cli.h"

typedef struct Command {
    const char *name;
    unsigned bit;
    const char *arguments, *help;
} Command;

typedef enum Kind {
    KIND_FLAG,    /* bool */
    KIND_TEXT,    /* const char * */
    KIND_COUNT,   /* int from 1 */
    KIND_SECONDS, /* double above 0, at most a day */
    KIND_STEPS,   /* int64_t from 1; 64k is 64000, as in the language */
    KIND_SEED,    /* uint64_t */
    KIND_POSITIVE /* double above 0 */
} Kind;

typedef struct Option {
    const char *name;
    unsigned of; /* commands that take it */
    Kind kind;
    size_t member; /* of the struct that begins with a Cli */
    const char *value, *help;
} Option;

typedef struct Syntax {
    const Command *commands;
    int command_count;
    const Option *options; /* at most 64 */
    int option_count;
    const char *what; /* "The network", which is followed by its name */
} Syntax;

/* Reads the command line into *cli, the first member of the struct that the options' members are of; cli->files has
 * room for argc pointers. *command is NULL where there is nothing left to do: help or the version was printed, or the
 * returned exit status is an error's. *seen: a bit for each option given. */
int arguments_parse(Cli *cli, const Syntax *syntax, int argc, char **argv, const Command **command, uint64_t *seen);

#endif
