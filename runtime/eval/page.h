/* What came of a set's pictures, as a page: one file that loads nothing, light and dark. */
#ifndef RN_EVAL_PAGE_H
#define RN_EVAL_PAGE_H

#include "data/data.h"
#include "eval/tally.h"

typedef struct rn_eval_page {
    const char *network;
    const char *protocol;     /* how pictures became inputs, in words */
    const rn_data *data;      /* its test set */
    const rn_tally *tally;    /* finished, with a picture at least */
    const char *const *names; /* of the tally's classes; NULL, or where one is: numbers */
} rn_eval_page;

/* Writes the page to `path`, whole or not at all: the shares that are right with their intervals, what is most often
 * taken for what, the matrix of few classes, each class, and the wrong pictures that were surest, shown small (those
 * that do not decode any more are named alone). */
rn_status rn_eval_page_write(const rn_eval_page *page, const char *path, char *error, size_t error_size);

#endif
