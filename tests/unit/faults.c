/* See faults.h. */
#include "faults.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static Fault armed;
static int wanted, count;
static char calls[101];

void faults_arm(Fault fault, int nth) {
    armed = fault;
    wanted = nth;
    count = 0;
    memset(calls, 0, sizeof calls);
}

const char *faults_calls(void) {
    return calls;
}

int faults_count(void) {
    return count;
}

/* Whether this call is the one. */
static int is_struck(char name) {
    const size_t length = strlen(calls);
    if (length + 1 < sizeof calls && (!length || calls[length - 1] != name)) calls[length] = name;
    count++;
    return armed != FAULT_NONE && (count == wanted || (armed == FAULT_FULL && count > wanted));
}

static int fails(char name) {
    if (!is_struck(name)) return 0;
    if (armed == FAULT_KILL) raise(SIGKILL);
    errno = armed == FAULT_FULL ? ENOSPC : EIO;
    return 1;
}

ssize_t __real_write(int descriptor, const void *bytes, size_t size);
int __real_fsync(int descriptor);
int __real_rename(const char *from, const char *to);
int __real_mkstemp(char *name);
int __real_ftruncate(int descriptor, off_t size);
int __real_unlink(const char *path);

ssize_t __wrap_write(int descriptor, const void *bytes, size_t size) {
    struct stat info;
    if (fstat(descriptor, &info) || !S_ISREG(info.st_mode)) return __real_write(descriptor, bytes, size);
    if (!is_struck('w')) return __real_write(descriptor, bytes, size);
    const int is_first = count == wanted;
    if (armed != FAULT_IO && is_first && size > 1) { /* a part of it, and the rest of it is the next call's */
        const ssize_t n = __real_write(descriptor, bytes, size / 2);
        if (armed == FAULT_KILL) raise(SIGKILL);
        return n;
    }
    if (armed == FAULT_KILL) raise(SIGKILL);
    errno = armed == FAULT_FULL ? ENOSPC : EIO;
    return -1;
}

int __wrap_fsync(int descriptor) {
    return fails('f') ? -1 : __real_fsync(descriptor);
}

int __wrap_rename(const char *from, const char *to) {
    return fails('r') ? -1 : __real_rename(from, to);
}

int __wrap_mkstemp(char *name) {
    return fails('m') ? -1 : __real_mkstemp(name);
}

/* A full disk still takes less. */
int __wrap_ftruncate(int descriptor, off_t size) {
    if (armed == FAULT_FULL) return __real_ftruncate(descriptor, size);
    return fails('t') ? -1 : __real_ftruncate(descriptor, size);
}

int __wrap_unlink(const char *path) {
    if (armed == FAULT_FULL) return __real_unlink(path);
    return fails('u') ? -1 : __real_unlink(path);
}
