/* Checkpoints: a trainer's whole state as one safetensors file, which is also a weights file of its network.
 *
 *     parameters and running statistics under their names; momentum.NAME of the trained ones
 *     __metadata__  xxh3        of the whole file, with zeros in its own place: the first thing in the file
 *                   network, source, plan, batch, cpu: what it may be resumed by
 *                   step, seed, lr, warm, ...: a name for each number of rn_train_state
 *
 * Numbers are decimal, doubles with 17 digits: they come back to the bit. There is no generator and no loader in it:
 * what is drawn is a function of seed and step (train/philox.h). No time and no path either: equal runs give equal
 * bytes.
 */
#ifndef RN_TRAIN_CHECKPOINT_H
#define RN_TRAIN_CHECKPOINT_H

#include "core/pages.h"
#include "train/trainer.h"
#include "weights/safetensors.h"

/* What is known beside parameters and momentum. */
typedef struct rn_train_state {
    int64_t step;
    uint64_t seed;
    rn_train_schedule schedule;
    /* of the loop; 0 in a checkpoint of rn_train_save */
    uint64_t data;                             /* hash of the set; 0: none was said */
    int64_t test_every, save_every, log_every; /* steps */
    int64_t tested, logged;                    /* the steps of the last test and of the last line of the log */
    int64_t sum_images, sum_wrong;             /* of the steps since that line, and their loss */
    double sum_loss;
    int64_t best_step; /* of the smallest test error; -1: no test yet */
    double best;
} rn_train_state;

void rn_train_state_begin(rn_train_state *state); /* of a loop that has not begun */

/* Writes context's tensors, and `state`, whose step, seed and schedule are taken from the context. */
rn_status rn_checkpoint_write(const rn_train_context *context, const rn_train_state *state, const char *path,
                              char *error, size_t error_size);

typedef struct rn_checkpoint { /* open: checked as far as can be without a trainer */
    rn_pages pages;            /* the file; nothing where it was parsed from memory */
    rn_safetensors tensors;
    rn_train_state state;
    const char *network, *source, *plan, *cpu; /* in the tensors' header */
    int64_t batch;
} rn_checkpoint;

/* Checks the checksum and reads the state. On an error (one text that names the file) nothing is left to close. */
rn_status rn_checkpoint_open(rn_checkpoint *checkpoint, const char *path, char *error, size_t error_size);
/* The same of bytes that outlive it; source: its name in messages. */
rn_status rn_checkpoint_parse(rn_checkpoint *checkpoint, const void *bytes, size_t size, const char *source,
                              char *error, size_t error_size);
void rn_checkpoint_close(rn_checkpoint *checkpoint);
/* Parameters, momentum, step, seed and schedule into the trainer. Refuses a checkpoint of another network, source, plan
 * or batch, and tensors that do not fit; then the trainer is as it was. */
rn_status rn_checkpoint_restore(const rn_checkpoint *checkpoint, rn_train_context *context, const char *source,
                                char *error, size_t error_size);
const char *rn_checkpoint_cpu(void); /* the instructions of this machine that bits depend on: "x86-64-v4" */

#endif
