#include "pages.h"
#include "status.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#if defined(__linux__) && !defined(MADV_POPULATE_READ)
#define MADV_POPULATE_READ 22
#endif

void rn_pages_prefer_huge(const void *at, size_t size) {
#ifdef MADV_HUGEPAGE
    madvise((void *)(uintptr_t)at, size, MADV_HUGEPAGE);
#else
    (void)at, (void)size;
#endif
}

rn_status rn_pages_map(rn_pages *pages, const char *path, char *error, size_t error_size) {
    memset(pages, 0, sizeof *pages);
    /* O_NONBLOCK: opening a pipe must not wait for its other end; regular files do not heed it */
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat info;
    if (file < 0 || fstat(file, &info)) {
        const int reason = errno;
        if (file >= 0) close(file);
        return rn_status_fail(error, error_size, RN_ERROR_FILE, "%s: cannot be opened: %s", path, strerror(reason));
    }
    if (!S_ISREG(info.st_mode)) {
        close(file);
        return rn_status_fail(error, error_size, RN_ERROR_FILE, "%s: is %s, not a file", path,
                              S_ISDIR(info.st_mode) ? "a directory" : "a device or pipe");
    }
    pages->bytes = (const uint8_t *)"";
    if (info.st_size > 0) {
        void *base = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, file, 0);
        if (base == MAP_FAILED) {
            const int reason = errno;
            close(file);
            return rn_status_fail(error, error_size, RN_ERROR_FILE, "%s: cannot be mapped: %s", path, strerror(reason));
        }
        *pages = (rn_pages){base, (size_t)info.st_size, base, (size_t)info.st_size};
        rn_pages_prefer_huge(base, pages->size); /* fewer TLB misses where the file system can; otherwise refused */
    }
    close(file);
    return RN_OK;
}

int rn_pages_allocate(rn_pages *pages, size_t count) {
    memset(pages, 0, sizeof *pages);
    const size_t size = count + RN_HUGE_PAGE;
    if (size < count) return 0;
    void *base = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (base == MAP_FAILED) return 0;
    const uintptr_t at = ((uintptr_t)base + RN_HUGE_PAGE - 1) / RN_HUGE_PAGE * RN_HUGE_PAGE;
    *pages = (rn_pages){base, size, (const uint8_t *)at, count};
    if (count >= RN_HUGE_PAGE) rn_pages_prefer_huge(pages->bytes, count);
    return 1;
}

void rn_pages_protect(rn_pages *pages) {
    if (pages->base) mprotect(pages->base, pages->size, PROT_READ);
}

void rn_pages_free(rn_pages *pages) {
    if (pages->base) munmap(pages->base, pages->size);
    memset(pages, 0, sizeof *pages);
}

int rn_pages_fault(const void *bytes, size_t count) {
#ifdef MADV_POPULATE_READ
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    const uintptr_t begin = (uintptr_t)bytes / page * page, end = (uintptr_t)bytes + count;
    if (madvise((void *)begin, end - begin, MADV_POPULATE_READ) == 0) return 0;
    return errno == EFAULT || errno == EHWPOISON ? -1 : 0;
#else
    (void)bytes, (void)count;
    return 0;
#endif
}

int rn_cpu_count(void) {
#ifdef __linux__
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set)) return 1;
    const int count = CPU_COUNT(&set);
#else
    const int count = (int)sysconf(_SC_NPROCESSORS_ONLN);
#endif
    return count > 0 ? count : 1;
}
