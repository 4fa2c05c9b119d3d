/* Whole files in and out, with worded errors; for the readers and writers of the command line. */
#ifndef RN_FILE_H
#define RN_FILE_H

#include "rn.h"

/* Reads all of `path` (at most `limit` bytes) into malloc'd *bytes. */
rn_status rn_file_read(uint8_t **bytes, size_t *size, const char *path, size_t limit, char *error, size_t error_size);

/* Writes head then body. Into a regular file: to a temporary beside it, renamed once it is whole. */
rn_status rn_file_write(const char *path, const void *head, size_t head_size, const void *body, size_t body_size,
                        char *error, size_t error_size);

#endif
