/* log.csv, see log.h. A line is written by one call, so that a reader beside it sees whole ones. */
#include "train/log.h"
#include "core/file.h"
#include "core/status.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char header[] = "step,epoch,lr,loss,train error,test error,images/s\n";
enum { LINE_SIZE = 256, LARGEST = 1 << 30 /* bytes of a log */ };

static rn_status fail(const rn_log *log, const char *doing, char *error, size_t error_size) {
    return rn_status_fail(error, error_size, RN_ERROR_FILE, "%s: cannot %s: %s", log->path, doing, strerror(errno));
}

void rn_log_close(rn_log *log) {
    if (log->descriptor >= 0) close(log->descriptor);
    free(log->path);
    *log = (rn_log){.descriptor = -1};
}

static rn_status put(rn_log *log, const char *text, size_t size, char *error, size_t error_size) {
    const off_t end = lseek(log->descriptor, 0, SEEK_END);
    if (end < 0) return fail(log, "write", error, error_size);
    for (size_t done = 0; done < size;) {
        const ssize_t n = write(log->descriptor, text + done, size - done);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) {
            const rn_status status = fail(log, "write", error, error_size);
            if (ftruncate(log->descriptor, end)) return status; /* what is left of the line is cut by a resume */
            return status;
        }
        done += (size_t)n;
    }
    return RN_OK;
}

/* How much of the log stays: the header and whole lines of rising steps up to last_step. 0: it is no log. */
static size_t length_to_keep(const char *text, size_t size, int64_t last_step) {
    size_t at = sizeof header - 1;
    int64_t before = -1;
    if (size < at || memcmp(text, header, at) != 0) return 0;
    for (;;) {
        const char *end = memchr(text + at, '\n', size - at);
        if (!end || text[at] < '0' || text[at] > '9') return at;
        const int64_t step = strtoll(text + at, NULL, 10); /* ends at the comma or the newline */
        if (step <= before || step > last_step) return at;
        before = step;
        at = (size_t)(end - text) + 1;
    }
}

static rn_status cut(rn_log *log, int64_t last_step, char *error, size_t error_size) {
    uint8_t *bytes;
    size_t size, keep = 0;
    rn_status status = rn_file_read(&bytes, &size, log->path, LARGEST, error, error_size);
    if (status) return status;
    if (size) {
        keep = length_to_keep((const char *)bytes, size, last_step);
        if (!keep && memcmp(bytes, header, size < sizeof header - 1 ? size : sizeof header - 1) != 0)
            status = rn_status_fail(error, error_size, RN_ERROR_FORMAT,
                                    "%s: not a log of training: its first line is another one", log->path);
    }
    free(bytes);
    if (!status && ftruncate(log->descriptor, (off_t)keep)) status = fail(log, "cut", error, error_size);
    if (!status && !keep) status = put(log, header, sizeof header - 1, error, error_size);
    return status;
}

rn_status rn_log_open(rn_log *log, char *path, int64_t last_step, char *error, size_t error_size) {
    *log = (rn_log){.path = path, .descriptor = -1};
    if (!path) return rn_status_fail(error, error_size, RN_ERROR_MEMORY, "out of memory");
    log->descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | (last_step < 0 ? O_TRUNC : 0), 0666);
    rn_status status = RN_OK;
    if (log->descriptor < 0)
        status = fail(log, "open for writing", error, error_size);
    else if (last_step < 0)
        status = put(log, header, sizeof header - 1, error, error_size);
    else
        status = cut(log, last_step, error, error_size);
    if (status) rn_log_close(log);
    return status;
}

static int put_number(char *text, size_t size, const char *format, double x) {
    return isnan(x) ? 0 : snprintf(text, size, format, x);
}

rn_status rn_log_write(rn_log *log, const rn_log_line *line, char *error, size_t error_size) {
    char text[LINE_SIZE];
    int n = snprintf(text, sizeof text, "%" PRId64 ",%.4f,%.9g,%.9g,%.6f,", line->step, line->epoch, line->lr,
                     line->loss, line->train_error);
    n += put_number(text + n, sizeof text - (size_t)n, "%.6f", line->test_error);
    text[n++] = ',';
    n += put_number(text + n, sizeof text - (size_t)n, "%.1f", line->images_per_second);
    text[n++] = '\n';
    return put(log, text, (size_t)n, error, error_size);
}

rn_status rn_log_sync(rn_log *log, char *error, size_t error_size) {
    return fsync(log->descriptor) ? fail(log, "synchronise", error, error_size) : RN_OK;
}
