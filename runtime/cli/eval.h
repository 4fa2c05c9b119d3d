/* eval, of programs and of trainers: networks and files of probabilities over a set's test pictures.
 *
 *     Eval eval;
 *     int status = eval_open(&eval, cli, false);                 the set, and how its pictures become inputs
 *     if (!status) status = eval_add_network(&eval, name, weights);   and so on: those that are averaged
 *     if (!status) status = eval_run(&eval);
 *     eval_close(&eval);
 *
 * Functions that give an int return the exit status; where it is not CLI_OK they have said why. */
#ifndef RN_CLI_EVAL_H
#define RN_CLI_EVAL_H

#include "cli.h"
#include "data/loader.h"
#include "eval/evaluator.h"
#include "eval/tally.h"
#include "image/npy.h"

typedef struct EvalMember { /* one of those whose probabilities are averaged */
    rn_weights *weights;
    rn_evaluator *evaluator; /* a network; NULL: */
    rn_npy rows;             /* probabilities, a row for each picture */
} EvalMember;

typedef struct Eval {
    const Cli *cli;
    rn_data *data;
    rn_loader_options loader; /* with the recipe */
    char protocol[512];       /* in words */
    float *mean;              /* recipe.subtracted, of values 0..range */
    int classes;              /* of the network */
    int32_t *class_of;        /* the network's class for each of the set's */
    Labels labels;
    const char **names; /* of the network's classes; NULL, each of them too: not known */
    EvalMember *members;
    int member_count, network_count;
    rn_tally tally;
    float *probabilities; /* count x classes; NULL: nobody wants them */
} Eval;

/* is_trainer: the network was trained on a set whose classes are numbered as this one's are. */
int eval_open(Eval *eval, const Cli *cli, bool is_trainer);
/* The weights are closed with eval, whatever comes. */
int eval_add_network(Eval *eval, rn_weights *weights);
int eval_add_file(Eval *eval, const char *path); /* .npy */
bool eval_is_file(const char *path);             /* whether it is one for eval_add_file */
int eval_run(Eval *eval);                        /* and writes what was asked for */
void eval_close(Eval *eval);

/* ---- eval_protocol.c ---- */
int eval_protocol(Eval *eval); /* loader.recipe, crops and scales, by the options */
/* ---- eval_report.c ---- */
int eval_check_files(const Eval *eval); /* what is written at the end can be, as far as that is known before */
int eval_report(const Eval *eval);

#endif
