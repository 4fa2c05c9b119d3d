/* Files that survive crashes, see durable.h. POSIX: rename is atomic; what fsync returned for is on the disk. */
#include "train/durable.h"
#include "core/status.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static rn_status fail(char *error, size_t error_size, const char *path, const char *doing, int reason) {
    return rn_status_fail(error, error_size, RN_ERROR_FILE, "%s: cannot %s: %s", path, doing, strerror(reason));
}

void rn_durable_abandon(rn_durable *file) {
    if (file->descriptor >= 0) close(file->descriptor);
    if (file->temporary) unlink(file->temporary);
    free(file->temporary);
    file->temporary = NULL;
    file->descriptor = -1;
}

/* Words errno and abandons the file. */
static rn_status give_up(rn_durable *file, const char *doing) {
    const rn_status status = fail(file->error, file->error_size, file->path, doing, errno);
    rn_durable_abandon(file);
    return status;
}

rn_status rn_durable_begin(rn_durable *file, const char *path, char *error, size_t error_size) {
    *file = (rn_durable){.path = path, .descriptor = -1, .error = error, .error_size = error_size};
    const size_t size = strlen(path) + sizeof ".XXXXXX";
    file->temporary = malloc(size);
    if (!file->temporary) return rn_status_fail(error, error_size, RN_ERROR_MEMORY, "%s: out of memory", path);
    snprintf(file->temporary, size, "%s.XXXXXX", path);
    file->descriptor = mkstemp(file->temporary);
    if (file->descriptor < 0) {
        const int reason = errno;
        free(file->temporary);
        file->temporary = NULL;
        return fail(error, error_size, path, "create", reason);
    }
    return RN_OK;
}

rn_status rn_durable_write(rn_durable *file, const void *bytes, size_t size) {
    const char *at = bytes;
    while (size) {
        const ssize_t n = write(file->descriptor, at, size);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return give_up(file, "write");
        at += n;
        size -= (size_t)n;
    }
    return RN_OK;
}

rn_status rn_durable_sync_folder(const char *path, char *error, size_t error_size) {
    const char *slash = strrchr(path, '/');
    char *folder = slash ? strndup(path, slash == path ? 1 : (size_t)(slash - path)) : strdup(".");
    if (!folder) return rn_status_fail(error, error_size, RN_ERROR_MEMORY, "%s: out of memory", path);
    rn_status status = RN_OK;
    const int descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    /* EINVAL: a file system that synchronises no folders */
    if (descriptor < 0 || (fsync(descriptor) && errno != EINVAL))
        status = fail(error, error_size, folder, "synchronise", errno);
    if (descriptor >= 0) close(descriptor);
    free(folder);
    return status;
}

rn_status rn_durable_commit(rn_durable *file) {
    const mode_t mask = umask(0); /* mkstemp made it private; a result has an ordinary file's mode */
    umask(mask);
    if (fchmod(file->descriptor, 0666 & ~mask)) return give_up(file, "write");
    if (fsync(file->descriptor)) return give_up(file, "synchronise");
    const int descriptor = file->descriptor;
    file->descriptor = -1;
    if (close(descriptor)) return give_up(file, "write");
    if (rename(file->temporary, file->path)) return give_up(file, "create");
    free(file->temporary);
    file->temporary = NULL;
    return rn_durable_sync_folder(file->path, file->error, file->error_size);
}
