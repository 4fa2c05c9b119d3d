/* Memory by pages: files mapped for reading, and large anonymous memory on huge pages. */
#ifndef RN_PAGES_H
#define RN_PAGES_H

#include "rn.h"

enum { RN_HUGE_PAGE = 2 << 20 };

typedef struct rn_pages {
    void *base;           /* what was mapped; NULL: nothing */
    size_t size;          /* of the mapping */
    const uint8_t *bytes; /* the content */
    size_t count;         /* of the content */
} rn_pages;

/* Maps a regular file for reading. An empty file gives count 0 and no mapping; bytes are not NULL then. */
rn_status rn_pages_map(rn_pages *pages, const char *path, char *error, size_t error_size);
void rn_pages_prefer_huge(const void *at, size_t size); /* advice: without it just slower */
/* Zeroed, writable memory, aligned to 2 MiB and advised to be backed by huge pages. False where there is none. */
int rn_pages_allocate(rn_pages *pages, size_t count);
void rn_pages_protect(rn_pages *pages); /* read-only from now on */
void rn_pages_free(rn_pages *pages);

/* Makes a mapped range resident, so that a read error or a file cut short meanwhile is a result and not a SIGBUS.
 * Returns 0, or -1 where the bytes cannot be had. Where the kernel (other than Linux, or before 5.14) cannot tell, 0.
 */
int rn_pages_fault(const void *bytes, size_t count);

int rn_cpu_count(void); /* CPUs that this thread may run on; elsewhere than on Linux, those of the machine */

#endif
