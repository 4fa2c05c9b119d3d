/* Logs of training, and the figures that are made of what is accepted. */
#include "fuzz.h"

#include <math.h>
#include <sys/mman.h>
#include <unistd.h>

#include "runtime/train/curves.h"
#include "runtime/train/curves_log.h"

/* A figure of a log that was accepted can be made, too. */
static void draw(const uint8_t *bytes, size_t size) {
    static int file = -1;
    char run[64], output[64];
    if (file < 0) file = memfd_create("log", 0);
    CHECK(file >= 0 && ftruncate(file, 0) == 0 && pwrite(file, bytes, size, 0) == (ssize_t)size);
    snprintf(run, sizeof run, "/proc/self/fd/%d", file);
    snprintf(output, sizeof output, "/tmp/fuzz-curves-%ld.%s", (long)getpid(), size % 4 < 2 ? "svg" : "html");
    const rn_curves_options options = {.smoothing = size % 3, .log_loss = size % 2};
    CHECK(rn_curves_write(&(const char *){run}, 1, output, &options, NULL, 0) == RN_OK);
    unlink(output);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    rn_curves_log log;
    char error[RN_ERROR_SIZE] = "";
    rn_status status = rn_curves_log_parse(&log, bytes, size, "fuzz", error, sizeof error);
    CHECK(status ? !strncmp(error, "fuzz:", 5) && !log.rows && !log.column[0] : log.rows >= 0 && log.column[0] != NULL);
    for (int i = 0; i < log.rows; i++) {
        const double test_error = log.column[RN_CURVES_TEST_ERROR][i];
        CHECK(!i || log.column[RN_CURVES_STEP][i] > log.column[RN_CURVES_STEP][i - 1]);
        CHECK(!(fabs(test_error - 0.5) > 0.5) || isinf(test_error));
    }
    rn_curves_log_free(&log);
    if (!status) draw(bytes, size);
    return 0;
}
