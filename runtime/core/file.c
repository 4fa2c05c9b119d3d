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

rn_status rn_file_write(const char *path, const void *head, size_t head_size, const void *body, size_t body_size,
                        char *error, size_t error_size) {
    if (is_stream(path)) {
        const int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
        if (file < 0) return file_fail(error, error_size, path, "open for writing");
        rn_status status = file_write_to(file, path, head, head_size, body, body_size, error, error_size);
        if (close(file) && !status) status = file_fail(error, error_size, path, "write");
        return status;
    }

    char *followed = realpath(path, NULL); /* a symbolic link stays one; NULL: there is nothing yet */
    const char *target = followed ? followed : path;
    size_t length = strlen(target) + sizeof ".XXXXXX";
    char *temporary = !followed && errno == ENOMEM ? NULL : malloc(length);
    if (!temporary) {
        free(followed);
        return rn_status_fail(error, error_size, RN_ERROR_MEMORY, "%s: out of memory", path);
    }
    snprintf(temporary, length, "%s.XXXXXX", target);
    rn_status status = RN_OK;
    const int file = mkostemp(temporary, O_CLOEXEC);
    if (file < 0) {
        status = file_fail(error, error_size, path, "create");
    } else {
        status = file_write_to(file, path, head, head_size, body, body_size, error, error_size);
        mode_t mask = umask(0); /* mkstemp made it private; a result has an ordinary file's mode */
        umask(mask);
        if (!status && fchmod(file, 0666 & ~mask)) status = file_fail(error, error_size, path, "write");
        if (close(file) && !status) status = file_fail(error, error_size, path, "write");
        if (!status && rename(temporary, target)) status = file_fail(error, error_size, path, "create");
    }
    if (status && file >= 0) unlink(temporary);
    free(temporary);
    free(followed);
    return status;
}
