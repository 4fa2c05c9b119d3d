/* Whole files in and out. Reading grows with what really comes, so that pipes work and a lying size costs nothing;
 * writing never leaves half a file behind. */
#include "file.h"
#include "status.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FIRST_READ = 1 << 16 }; /* bytes; doubled while more comes */

static rn_status file_fail(char *error, size_t error_size, const char *path, const char *doing) {
    return rn_status_fail(error, error_size, RN_ERROR_FILE, "%s: cannot %s: %s", path, doing, strerror(errno));
}

/* Room for more: twice as much, but not beyond what is read at most. */
static int file_grow(uint8_t **buffer, size_t *capacity, size_t most) {
    size_t larger = *capacity ? 2 * *capacity : FIRST_READ;
    if (larger > most) larger = most;
    uint8_t *moved = realloc(*buffer, larger);
    *capacity = larger;
    if (!moved) return 0;
    *buffer = moved;
    return 1;
}

static rn_status file_read_all(FILE *file, uint8_t **buffer, size_t *used, const char *path, size_t limit,
                               rn_file_worth *worth, char *error, size_t error_size) {
    size_t capacity = 0, most = limit < SIZE_MAX ? limit + 1 : limit; /* one more shows that it is larger */
    for (;;) {
        if (*used == FIRST_READ && worth) {
            const size_t enough = worth(*buffer, *used);
            if (enough < most) most = enough;
            worth = NULL;
        }
        if (*used > limit)
            return rn_status_fail(error, error_size, RN_ERROR_FORMAT, "%s: larger than %zu bytes", path, limit);
        if (*used >= most) return RN_OK;
        if (*used == capacity && !file_grow(buffer, &capacity, most))
            return rn_status_fail(error, error_size, RN_ERROR_MEMORY, "%s: no memory for %zu bytes", path, capacity);
        const size_t got = fread(*buffer + *used, 1, capacity - *used, file);
        *used += got;
        if (ferror(file) && errno == EINTR) { /* by a signal of the application's */
            clearerr(file);
        } else if (got == 0) {
            return ferror(file) ? file_fail(error, error_size, path, "read") : RN_OK;
        }
    }
}

rn_status rn_file_read_worth(uint8_t **bytes, size_t *size, const char *path, size_t limit, rn_file_worth *worth,
                             char *error, size_t error_size) {
    *bytes = NULL;
    *size = 0;
    FILE *file = fopen(path, "rb");
    if (!file) return file_fail(error, error_size, path, "open");
    uint8_t *buffer = NULL;
    size_t used = 0;
    rn_status status = file_read_all(file, &buffer, &used, path, limit, worth, error, error_size);
    fclose(file);
    if (status) {
        free(buffer);
        return status;
    }
    *bytes = buffer;
    *size = used;
    return RN_OK;
}

rn_status rn_file_read(uint8_t **bytes, size_t *size, const char *path, size_t limit, char *error, size_t error_size) {
    return rn_file_read_worth(bytes, size, path, limit, NULL, error, error_size);
}

static int file_put(int file, const void *bytes, size_t size) {
    for (size_t put = 0; put < size;) {
        const ssize_t n = write(file, (const uint8_t *)bytes + put, size - put);
        if (n < 0 && errno != EINTR) return 0;
        if (n > 0) put += (size_t)n;
    }
    return 1;
}

static rn_status file_write_to(int file, const char *path, const void *head, size_t head_size, const void *body,
                               size_t body_size, char *error, size_t error_size) {
    if (!file_put(file, head, head_size) || !file_put(file, body, body_size))
        return file_fail(error, error_size, path, "write");
    return RN_OK;
}

/* Whether what has this name is not to be replaced: a device or a pipe; /dev/stdout, whatever it leads to. */
static int is_stream(const char *path) {
    struct stat info;
    if (!strncmp(path, "/dev/", 5) || !strncmp(path, "/proc/", 6)) return 1;
    return stat(path, &info) == 0 && !S_ISREG(info.st_mode);
}

typedef struct Beside { /* a temporary file that is to become another one */
    char *followed, *temporary;
    const char *target;
    int file;
} Beside;

static rn_status beside_open(Beside *b, const char *path, char *error, size_t error_size) {
    *b = (Beside){.followed = realpath(path, NULL)}; /* a symbolic link stays one; NULL: there is nothing yet */
    b->target = b->followed ? b->followed : path;
    const size_t length = strlen(b->target) + sizeof ".XXXXXX";
    b->temporary = !b->followed && errno == ENOMEM ? NULL : malloc(length);
    if (!b->temporary) return rn_status_fail(error, error_size, RN_ERROR_MEMORY, "%s: out of memory", path);
    snprintf(b->temporary, length, "%s.XXXXXX", b->target);
    b->file = mkostemp(b->temporary, O_CLOEXEC);
    return b->file < 0 ? file_fail(error, error_size, path, "create") : RN_OK;
}

static void beside_free(Beside *b) {
    free(b->temporary);
    free(b->followed);
}

rn_status rn_file_write(const char *path, const void *head, size_t head_size, const void *body, size_t body_size,
                        char *error, size_t error_size) {
    if (is_stream(path)) {
        const int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
        if (file < 0) return file_fail(error, error_size, path, "open for writing");
        rn_status status = file_write_to(file, path, head, head_size, body, body_size, error, error_size);
        if (close(file) && !status) status = file_fail(error, error_size, path, "write");
        return status;
    }

    Beside beside;
    rn_status status = beside_open(&beside, path, error, error_size);
    if (!status) {
        status = file_write_to(beside.file, path, head, head_size, body, body_size, error, error_size);
        mode_t mask = umask(0); /* mkstemp made it private; a result has an ordinary file's mode */
        umask(mask);
        if (!status && fchmod(beside.file, 0666 & ~mask)) status = file_fail(error, error_size, path, "write");
        if (close(beside.file) && !status) status = file_fail(error, error_size, path, "write");
        if (!status && rename(beside.temporary, beside.target)) status = file_fail(error, error_size, path, "create");
        if (status) unlink(beside.temporary);
    }
    beside_free(&beside);
    return status;
}

rn_status rn_file_check(const char *path, char *error, size_t error_size) {
    struct stat info;
    if (is_stream(path)) {
        if (stat(path, &info)) return file_fail(error, error_size, path, "create");
        errno = EISDIR;
        return S_ISDIR(info.st_mode) ? file_fail(error, error_size, path, "write") : RN_OK;
    }
    Beside beside;
    const rn_status status = beside_open(&beside, path, error, error_size);
    if (!status) {
        close(beside.file);
        unlink(beside.temporary);
    }
    beside_free(&beside);
    return status;
}
