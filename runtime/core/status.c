/* Status codes as text, and the one place where librn words an error. */
#include "status.h"

#include <stdio.h>

const char *rn_status_text(rn_status status) {
    switch (status) {
    case RN_OK:
        return "no error";
    case RN_ERROR_ARGUMENT:
        return "invalid argument";
    case RN_ERROR_MEMORY:
        return "out of memory";
    case RN_ERROR_FILE:
        return "cannot read or write a file";
    case RN_ERROR_FORMAT:
        return "malformed data";
    case RN_ERROR_CPU:
        return "CPU lacks required instructions";
    case RN_ERROR_KERNEL:
        return "no matrix kernel";
    case RN_ERROR_VERSION:
        return "emitted code and librn do not match";
    }
    return "unknown status";
}

rn_status rn_status_vfail(char *error, size_t error_size, rn_status status, const char *format, va_list arguments) {
    if (!error || !error_size) return status;
    vsnprintf(error, error_size, format, arguments);
    for (char *c = error; *c; c++) /* a file's names may hold what a terminal would act on */
        if ((unsigned char)*c < 32 || *c == 127) *c = '?';
    return status;
}

rn_status rn_status_fail(char *error, size_t error_size, rn_status status, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    rn_status_vfail(error, error_size, status, format, arguments);
    va_end(arguments);
    return status;
}
