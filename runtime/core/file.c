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

rn_status rn_file_read(uint8_t **bytes, size_t *size, const char *path, size_t limit, char *error, size_t error_size) {
    *bytes = NULL;
    *size = 0;
    FILE *file = fopen(path, "rb");
    if (!file) return file_fail(error, error_size, path, "open");
    uint8_t *buffer = NULL;
    size_t used = 0, capacity = 0;
    rn_status status = RN_OK;
    for (;;) {
        if (used == capacity) {
            capacity = capacity ? 2 * capacity : FIRST_READ;
            uint8_t *larger = realloc(buffer, capacity);
            if (!larger) {
                status =
                    rn_status_fail(error, error_size, RN_ERROR_MEMORY, "%s: no memory for %zu bytes", path, capacity);
                break;
            }
            buffer = larger;
        }
        size_t got = fread(buffer + used, 1, capacity - used, file);
        used += got;
        if (used > limit) {
            status = rn_status_fail(error, error_size, RN_ERROR_FORMAT, "%s: larger than %zu bytes", path, limit);
            break;
        }
        if (ferror(file) && errno == EINTR) { /* by a signal of the application's */
            clearerr(file);
        } else if (got == 0) {
            if (ferror(file)) status = file_fail(error, error_size, path, "read");
            break;
        }
    }
    fclose(file);
    if (status) {
        free(buffer);
        return status;
    }
    *bytes = buffer;
    *size = used;
    return RN_OK;
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
