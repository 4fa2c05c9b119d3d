/* A fuzz target: one reader, fed any bytes. It must neither crash, hang nor leak; what it accepts must hold what the
 * reader promises (CHECK). */
#ifndef RN_FUZZ_H
#define RN_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(promise)                                                                                                 \
    do {                                                                                                               \
        if (!(promise)) {                                                                                              \
            fprintf(stderr, "%s:%d: broken: %s\n", __FILE__, __LINE__, #promise);                                      \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

#endif
