/* The loop of training: steps, tests, log, checkpoints, and going on from them.
 *
 * At each step in turn: the step; its test, where one is due (every test_every steps, and at the recipe's stop); its
 * line of the log (every log_every steps, and with each test), best.safetensors where the test was the best so far; its
 * checkpoint, where one is due. A checkpoint has what of this is done, so that a run which was interrupted anywhere
 * ends with the files of one that was not, but for the log's images/s.
 *
 * A loop that ends before the recipe's stop tests once more for its user's sake; that test is for the log alone and is
 * cut off when training goes on.
 *
 * Several ranks (rn_train_team) each run it, with a share of every batch and test. Rank 0 alone has the folder: its
 * state becomes that of all at the beginning. What a signal asks of one rank all do after the same step. An error of a
 * single rank is for its caller to end the others by.
 */
#ifndef RN_TRAIN_LOOP_H
#define RN_TRAIN_LOOP_H

#include "data/loader.h"
#include "train/trainer.h"

#include <signal.h>
#include <stdio.h>

/* Where batches come from. The functions return RN_OK or a status, then `error` has the text. */
typedef struct rn_train_source {
    void *user;
    uint64_t hash;        /* of the set; a checkpoint of another one is refused */
    const char *name;     /* for messages */
    uint64_t epoch_steps; /* at least 1 */
    /* From step `first` on, drawn by the run's seed (RN_TRAIN); from the first image on (RN_TEST). Training goes on
     * after a test. */
    rn_status (*begin)(void *user, rn_split split, uint64_t first, uint64_t seed, char *error, size_t error_size);
    /* The next batch, valid until the next call of either function with this split. Of the test set: count 0 after the
     * last; a label whose first class is -1 is not counted. */
    rn_status (*next)(void *user, rn_split split, rn_batch *batch, char *error, size_t error_size);
} rn_train_source;

typedef struct rn_loop_options { /* all zero, but for the folder: the default */
    const char *folder;          /* of the run; made where it is not there */
    int resume;                  /* 1: go on from the folder's newest checkpoint, where it has one */
    int has_seed;                /* 1: `seed` was asked for; a checkpoint of another one is refused */
    uint64_t seed;
    int64_t stop;                              /* steps in all; 0: the recipe's */
    int64_t test_every, save_every, log_every; /* 0: the checkpoint's, else the recipe's, else 1000, 1000, and the
                                                  recipe's stop / 500 from 1 to 100 */
    double lr;                                 /* 0: the checkpoint's, else the recipe's */
    const char *weights, *except;              /* for rn_train_load_weights at the start; NULL: none */
    const float *mean;  /* values of the constant RN_TRAIN_MEAN, where the network has it; NULL: it stays as it is */
    int64_t mean_count; /* of them */
    const volatile sig_atomic_t *signal; /* not 0: finish the step, save, and end; NULL: never */
    volatile sig_atomic_t *save_wanted;  /* not 0: save after the step; set to 0 then; NULL: never */
    FILE *report;                        /* for the live line and notes; NULL: none */
} rn_loop_options;

typedef struct rn_loop_result {
    int64_t step;        /* done in all */
    int was_interrupted; /* by the signal; a checkpoint of this step is in the folder */
    double test_error;   /* of the last test in this call; NaN: there was none */
    double best;         /* smallest test error so far; infinite: there was none */
    int is_of_all;       /* an error that all ranks return; its text is rank 0's */
} rn_loop_result;

/* Trains until `stop`, a signal or an error. The trainer is created; its parameters are of no account. */
rn_status rn_loop_run(void *trainer, const rn_train_source *source, const rn_loop_options *options,
                      rn_loop_result *result, char *error, size_t error_size);

#endif
