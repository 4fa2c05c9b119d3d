/* The packed weights file (.rnw): a page of header, then the payload that kernels read where it is mapped.
 *
 *     0     8  magic: 0x89 'R' 'N' 'W' '\r' '\n' 0x1a '\n' (a text-mode transfer breaks it)
 *     8     4  version: 2
 *     12    4  byte order: 0x01020304 as the writer's CPU stores it
 *     16    4  float format: 1.5f as the writer's CPU stores it
 *     20    4  header size: 4096
 *     24    8  recipe hash: the weights belong to the recipe that made them
 *     32    8  payload size, bytes
 *     40    8  payload checksum: XXH3-64 over the little-endian XXH3-64s of each 1 MiB of the payload, so that threads
 *             can share the work
 *     48  256  the network's name, zero-terminated
 *     304   4  types of the payload's numbers: bits 1 << rn_dtype
 *     308 ...  zeros
 *     4088  8  header checksum: XXH3-64 of the 4088 bytes before
 *     4096 ... payload, from a page's start
 */
#ifndef RN_PACKED_H
#define RN_PACKED_H

#include "rn.h"

enum { RN_PACKED_HEADER_SIZE = 4096, RN_PACKED_VERSION = 2, RN_PACKED_NAME_SIZE = 256 };

/* Writes the header of the payload that this recipe made. A name longer than its field is cut. Returns 0, or -1 where
 * there is no memory. */
int rn_packed_header(uint8_t header[RN_PACKED_HEADER_SIZE], const char *network, const struct rn_recipe *recipe,
                     const void *payload, int threads);

/* Does it begin like a packed weights file? */
int rn_packed_recognize(const void *bytes, size_t size);

/* Checks a whole file image: that it is complete, unaltered, of this machine's formats, and made for this network by
 * this recipe. source: its name in messages. The payload is bytes + RN_PACKED_HEADER_SIZE. */
rn_status rn_packed_check(const void *bytes, size_t size, const char *network, uint64_t recipe_hash,
                          uint64_t payload_size, int threads, const char *source, char *error, size_t error_size);

#endif
