/* Preloaded by faults.c: the nth allocation of a program fails, and every later one too where that is asked for. It
 * knows which by a page that both map, FAULTS_PAGE's descriptor, and hides from what the program starts. */
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "faults.h"

static FaultsPage *page; /* NULL: counts nothing */
static pid_t owner;
static void *(*next_malloc)(size_t);
static void *(*next_calloc)(size_t, size_t);
static void *(*next_realloc)(void *, size_t);
static void *(*next_aligned)(size_t, size_t);
static int (*next_memalign)(void **, size_t, size_t);

/* What dlsym allocates while the functions behind ours are looked for; never freed. */
static char first[4096];
static size_t first_used;

static void find_next(void) {
    *(void **)&next_realloc = dlsym(RTLD_NEXT, "realloc");
    *(void **)&next_aligned = dlsym(RTLD_NEXT, "aligned_alloc");
    *(void **)&next_memalign = dlsym(RTLD_NEXT, "posix_memalign");
    *(void **)&next_calloc = dlsym(RTLD_NEXT, "calloc");
    *(void **)&next_malloc = dlsym(RTLD_NEXT, "malloc");
}

static void show_stack(void) {
    void *frames[24];
    FaultsPage *shown = page;
    page = NULL; /* backtrace allocates */
    const int n = backtrace(frames, 24);
    backtrace_symbols_fd(frames, n, 2);
    page = shown;
}

/* Whether this allocation is the one. A forked child's are not counted. */
static int fails(void) {
    if (!page || getpid() != owner) return 0;
    const long now = atomic_fetch_add(&page->count, 1) + 1;
    if (!page->nth || (page->lasting ? now < page->nth : now != page->nth)) return 0;
    if (page->shows_stack) show_stack();
    errno = ENOMEM;
    return 1;
}

void *malloc(size_t size) {
    if (!next_malloc) find_next();
    return fails() ? NULL : next_malloc(size);
}

void *calloc(size_t count, size_t size) {
    if (!next_calloc) {
        void *at = first + first_used;
        first_used += (count * size + 15) / 16 * 16;
        return first_used <= sizeof first ? at : NULL;
    }
    return fails() ? NULL : next_calloc(count, size);
}

void *realloc(void *memory, size_t size) {
    if (!next_realloc) find_next();
    return fails() ? NULL : next_realloc(memory, size);
}

void *aligned_alloc(size_t alignment, size_t size) {
    if (!next_aligned) find_next();
    return fails() ? NULL : next_aligned(alignment, size);
}

int posix_memalign(void **memory, size_t alignment, size_t size) {
    if (!next_memalign) find_next();
    return fails() ? ENOMEM : next_memalign(memory, alignment, size);
}

__attribute__((constructor)) static void begin(void) {
    const char *descriptor = getenv("FAULTS_PAGE");
    if (!descriptor) return;
    const int file = atoi(descriptor);
    void *mapped = mmap(NULL, sizeof *page, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    unsetenv("LD_PRELOAD"), unsetenv("FAULTS_PAGE");
    if (!next_malloc) find_next();
    owner = getpid();
    if (mapped == MAP_FAILED) return;
    FaultsPage *shared = mapped;
    if (shared->counts_allocations) page = shared;
    syscall(FAULTS_BEGIN); /* unknown to the system, known to who traces it */
}
