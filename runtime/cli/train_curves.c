/* curves: the logs of runs as one figure. */
#include "train.h"
#include "train/curves.h"

int train_curves(const TrainCli *cli) {
    char error[RN_ERROR_SIZE];
    const rn_curves_options options = {.title = cli->title,
                                       .smoothing = cli->raw      ? RN_CURVES_RAW
                                                    : cli->window ? RN_CURVES_WINDOW
                                                                  : RN_CURVES_EXPONENTIAL,
                                       .smooth_steps = cli->smooth,
                                       .error_limit = cli->error_limit,
                                       .seeds = cli->seeds,
                                       .log_loss = cli->log_loss};
    const char *const *runs = (const char *const *)cli->base.files;
    if (!rn_curves_write(runs, cli->base.file_count, cli->output, &options, error, sizeof error)) return CLI_OK;
    return cli_fail(&cli->base, "%s", error);
}
