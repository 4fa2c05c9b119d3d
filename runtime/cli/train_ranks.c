/* Commands on several ranks: what they print until all are ready, and whether they are.
 *
 * A mistake on the command line, or in files that all ranks read, is every rank's; it is to be said once. So ranks but
 * the first write into memory until all are ready; where only others than the first have failed, the lowest of them
 * says why.
 */
#include "train.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

void ranks_mute(TrainCli *cli) {
    cli->terminal = cli->memory = -1;
    if (!cli->team || cli->team->rank == 0) return;
    fflush(NULL);
    cli->memory = memfd_create("errors", MFD_CLOEXEC);
    cli->terminal = dup(STDERR_FILENO);
    if (cli->memory < 0 || cli->terminal < 0 || !freopen("/dev/null", "w", stdout)) return;
    dup2(cli->memory, STDERR_FILENO);
}

static void speak(TrainCli *cli) {
    if (cli->terminal < 0 || cli->memory < 0) return;
    fflush(stderr);
    dup2(cli->terminal, STDERR_FILENO);
}

/* What was written into memory. */
static void say_it(const TrainCli *cli) {
    char text[4096];
    ssize_t n;
    fprintf(stderr, "rank %d: ", cli->team->rank);
    fflush(stderr);
    if (cli->memory < 0 || lseek(cli->memory, 0, SEEK_SET)) return;
    while ((n = read(cli->memory, text, sizeof text)) > 0)
        if (write(STDERR_FILENO, text, (size_t)n) != n) return;
}

bool ranks_agree(TrainCli *cli, bool good) {
    const rn_train_team *team = cli->team;
    if (!team || team->ranks == 1) return good;
    double *failed = calloc((size_t)team->ranks, sizeof *failed);
    if (!failed) abort(); /* which ends all ranks */
    failed[team->rank] = !good;
    const rn_status status = team->sum(team->user, "whether all ranks are ready", failed, team->ranks);
    int lowest = 0;
    while (lowest < team->ranks && failed[lowest] == 0) lowest++;
    free(failed);
    if (lowest == team->rank && team->rank) {
        speak(cli);
        say_it(cli);
    }
    if (!status && lowest == team->ranks) speak(cli);
    return !status && lowest == team->ranks;
}
