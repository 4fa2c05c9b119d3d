/* Writes and checks the packed weights file, see packed.h.
 *
 * Every byte is covered by one of two checksums, so an altered or truncated file is refused before a kernel reads it.
 * The payload's is computed by a few short-lived threads of our own: reading 240 MB at one core's bandwidth takes most
 * of the 50 ms that an application may spend on starting, and the OpenMP pool's threads would linger in applications
 * that bring their own pool.
 */
#include "packed.h"
#include "recipe.h"
#include "core/pages.h"
#include "core/status.h"
#include "core/threads.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#ifdef RN_STANDALONE
#include "xxh3.h"
#define XXH3_64bits rn_xxh3
#else
#include <xxhash.h>
#endif

enum { CHUNK = 1 << 20, MAX_THREADS = 8, THREAD_MIN_CHUNKS = 8 };

static const uint8_t magic[8] = {0x89, 'R', 'N', 'W', '\r', '\n', 0x1a, '\n'};

/* the file's fields as they lie; all naturally aligned, so the struct has no padding */
typedef struct Header {
    uint8_t magic[8];
    uint32_t version, byte_order;
    float float_format;
    uint32_t header_size;
    uint64_t recipe_hash, payload_size, payload_checksum;
    char network[RN_PACKED_NAME_SIZE];
    uint32_t types; /* bits 1 << rn_dtype */
    uint8_t zero[RN_PACKED_HEADER_SIZE - 48 - RN_PACKED_NAME_SIZE - 4 - 8];
    uint64_t header_checksum;
} Header;
_Static_assert(sizeof(Header) == RN_PACKED_HEADER_SIZE, "the header is a page");

static const uint32_t byte_order = 0x01020304;
static const float float_format = 1.5f;

/* ---- checksum ---- */

typedef struct Job { /* shared by the threads of one checksum */
    const uint8_t *payload;
    size_t size, chunks;
    uint64_t *digests; /* of each chunk, little-endian */
    atomic_size_t next;
    atomic_int failed;
} Job;

static uint64_t little_endian(uint64_t x) {
    uint8_t bytes[8];
    for (int i = 0; i < 8; i++) bytes[i] = (uint8_t)(x >> 8 * i);
    memcpy(&x, bytes, sizeof x);
    return x;
}

static void *digest_chunks(void *arg) {
    Job *job = arg;
    for (size_t i; (i = atomic_fetch_add(&job->next, 1)) < job->chunks;) {
        const uint8_t *chunk = job->payload + i * CHUNK;
        const size_t size = job->size - i * CHUNK < CHUNK ? job->size - i * CHUNK : CHUNK;
        if (rn_pages_fault(chunk, size)) {
            atomic_store(&job->failed, 1);
            break;
        }
        job->digests[i] = little_endian(XXH3_64bits(chunk, size));
    }
    return NULL;
}

/* Returns 0; -1 where there is no memory, -2 where the payload cannot be read. */
static int checksum(const void *payload, size_t size, int threads, uint64_t *sum) {
    Job job = {.payload = payload, .size = size, .chunks = (size + CHUNK - 1) / CHUNK};
    job.digests = malloc((job.chunks + 1) * sizeof *job.digests);
    if (!job.digests) return -1;
    if (threads > MAX_THREADS) threads = MAX_THREADS;
    if ((size_t)threads > job.chunks / THREAD_MIN_CHUNKS) threads = (int)(job.chunks / THREAD_MIN_CHUNKS);
    rn_threads_run(threads, digest_chunks, &job);
    *sum = XXH3_64bits(job.digests, job.chunks * sizeof *job.digests);
    free(job.digests);
    return job.failed ? -2 : 0;
}

/* ---- writing ---- */

int rn_packed_header(uint8_t bytes[RN_PACKED_HEADER_SIZE], const char *network, const rn_recipe *recipe,
                     const void *payload, int threads) {
    Header header;
    memset(&header, 0, sizeof header);
    memcpy(header.magic, magic, sizeof magic);
    header.version = RN_PACKED_VERSION;
    header.byte_order = byte_order;
    header.float_format = float_format;
    header.header_size = RN_PACKED_HEADER_SIZE;
    header.recipe_hash = recipe->hash;
    header.payload_size = recipe->packed_size;
    header.types = rn_recipe_types(recipe);
    if (checksum(payload, recipe->packed_size, threads, &header.payload_checksum)) return -1;
    const size_t length = strlen(network);
    memcpy(header.network, network, length < RN_PACKED_NAME_SIZE ? length : RN_PACKED_NAME_SIZE - 1);
    header.header_checksum = XXH3_64bits(&header, offsetof(Header, header_checksum));
    memcpy(bytes, &header, sizeof header);
    return 0;
}

/* ---- checking ---- */

int rn_packed_recognize(const void *bytes, size_t size) {
    /* the first four bytes are enough: what follows them then is altered, and said to be so */
    return size >= 4 && memcmp(bytes, magic, 4) == 0;
}

static rn_status check_header(const Header *header, size_t size, const char *network, uint64_t recipe_hash,
                              uint64_t payload_size, const char *source, char *error, size_t error_size) {
    if (memcmp(header->magic, magic, sizeof magic))
        return rn_status_fail(error, error_size, RN_ERROR_FORMAT,
                              "%s: the packed weights are altered (line ends converted as if they were text?)", source);
    if (header->byte_order != byte_order || header->float_format != float_format)
        return rn_status_fail(error, error_size, RN_ERROR_FORMAT,
                              "%s: the packed weights are of a CPU with another byte order or float format, or altered",
                              source);
    if (header->version != RN_PACKED_VERSION)
        return rn_status_fail(error, error_size, RN_ERROR_VERSION,
                              "%s: packed weights of version %" PRIu32 ", this librn (" RN_VERSION
                              ") reads version %d; make them again with rnc --weights",
                              source, header->version, RN_PACKED_VERSION);
    if (header->header_size != RN_PACKED_HEADER_SIZE ||
        header->header_checksum != XXH3_64bits(header, offsetof(Header, header_checksum)))
        return rn_status_fail(error, error_size, RN_ERROR_FORMAT,
                              "%s: the packed weights are altered: the header's checksum is wrong", source);
    if (header->types >> RN_DTYPE_COUNT)
        return rn_status_fail(error, error_size, RN_ERROR_FORMAT,
                              "%s: the packed weights have numbers of a type that this librn (" RN_VERSION
                              ") does not know; make them again with rnc --weights",
                              source);
    if (header->recipe_hash != recipe_hash || header->payload_size != payload_size) {
        if (strncmp(header->network, network, RN_PACKED_NAME_SIZE - 1))
            return rn_status_fail(error, error_size, RN_ERROR_FORMAT,
                                  "%s: these weights are packed for the network %.*s, not for %s", source,
                                  RN_PACKED_NAME_SIZE, header->network, network);
        return rn_status_fail(error, error_size, RN_ERROR_FORMAT,
                              "%s: these weights are packed for another build of %s (other options, source or rnc); "
                              "make them again with rnc --weights",
                              source, network);
    }
    const uint64_t have = size - RN_PACKED_HEADER_SIZE;
    if (have < payload_size)
        return rn_status_fail(error, error_size, RN_ERROR_FORMAT,
                              "%s: the packed weights are truncated: %zu bytes of %" PRIu64, source, size,
                              payload_size + RN_PACKED_HEADER_SIZE);
    if (have > payload_size)
        return rn_status_fail(error, error_size, RN_ERROR_FORMAT,
                              "%s: %" PRIu64 " bytes follow the packed weights: not as rnc wrote it", source,
                              have - payload_size);
    return RN_OK;
}

rn_status rn_packed_check(const void *bytes, size_t size, const char *network, uint64_t recipe_hash,
                          uint64_t payload_size, int threads, const char *source, char *error, size_t error_size) {
    if (!rn_packed_recognize(bytes, size))
        return rn_status_fail(error, error_size, RN_ERROR_FORMAT, "%s: not a packed weights file", source);
    if (size < RN_PACKED_HEADER_SIZE)
        return rn_status_fail(error, error_size, RN_ERROR_FORMAT,
                              "%s: the packed weights are truncated: %zu bytes, the header alone has %d", source, size,
                              RN_PACKED_HEADER_SIZE);
    Header header;
    memcpy(&header, bytes, sizeof header);
    rn_status status = check_header(&header, size, network, recipe_hash, payload_size, source, error, error_size);
    if (status) return status;
    uint64_t sum;
    switch (checksum((const uint8_t *)bytes + RN_PACKED_HEADER_SIZE, payload_size, threads, &sum)) {
    case -1:
        return rn_status_fail(error, error_size, RN_ERROR_MEMORY, "%s: out of memory", source);
    case -2:
        return rn_status_fail(error, error_size, RN_ERROR_FILE, "%s: cannot be read, or was cut short meanwhile",
                              source);
    }
    if (sum != header.payload_checksum)
        return rn_status_fail(error, error_size, RN_ERROR_FORMAT,
                              "%s: the packed weights are altered: the payload's checksum is wrong", source);
    return RN_OK;
}
