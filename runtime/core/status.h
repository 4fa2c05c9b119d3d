/* Errors inside librn: a status to return, its text written where the caller asked for it. */
#ifndef RN_STATUS_H
#define RN_STATUS_H

#include "rn.h"

#include <stdarg.h>

#if defined(__GNUC__)
#define RN_PRINTF(text, first) __attribute__((format(printf, text, first)))
#else
#define RN_PRINTF(text, first)
#endif

/* Writes the text to error (may be NULL), one line with a ? for each control byte in it, and returns `status`. */
rn_status rn_status_fail(char *error, size_t error_size, rn_status status, const char *format, ...) RN_PRINTF(4, 5);
rn_status rn_status_vfail(char *error, size_t error_size, rn_status status, const char *format, va_list arguments)
    RN_PRINTF(4, 0);

#endif
