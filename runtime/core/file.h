/* Whole files in and out, with worded errors; for the readers and writers of the command line. */
#ifndef RN_FILE_H
#define RN_FILE_H

#include "rn.h"

/* Reads all of `path` (at most `limit` bytes) into malloc'd *bytes. */
rn_status rn_file_read(uint8_t **bytes, size_t *size, const char *path, size_t limit, char *error, size_t error_size);

/* Of a file that begins so, how many bytes are worth reading: what a reader needs of it to say what is wrong with it,
 * or SIZE_MAX. `count` is 64 KB; of a shorter file all is read. */
typedef size_t rn_file_worth(const uint8_t *beginning, size_t count);

/* As rn_file_read; of what does not end, or is of another kind, no more than is worth reading is. */
rn_status rn_file_read_worth(uint8_t **bytes, size_t *size, const char *path, size_t limit, rn_file_worth *worth,
                             char *error, size_t error_size);

/* Whether rn_file_write could begin to write this file, which is left as it is: for what is known after hours. */
rn_status rn_file_check(const char *path, char *error, size_t error_size);

/* Writes head then body. Into a regular file: to a temporary beside it, renamed once it is whole. */
rn_status rn_file_write(const char *path, const void *head, size_t head_size, const void *body, size_t body_size,
                        char *error, size_t error_size);

#endif
