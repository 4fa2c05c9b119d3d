/* What faults.c and what it preloads share. */
#ifndef RN_TESTS_FAULTS_PAGE_H
#define RN_TESTS_FAULTS_PAGE_H

#include <stdatomic.h>

enum { FAULTS_BEGIN = 9999 }; /* a system call: from now on others are counted */

typedef struct FaultsPage {
    atomic_long count; /* of allocations so far */
    long nth;          /* from 1; 0: none fails */
    int lasting;       /* all from the nth on */
    int counts_allocations;
    int shows_stack; /* of the one that fails */
} FaultsPage;

#endif
