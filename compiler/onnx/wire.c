/* Members by protobuf's encoding: a tag (field << 3 | wire type), then a varint, 4 or 8 bytes, or a length and as many.
 */
#include "wire.h"

enum { VARINT = 0, EIGHT = 1, LENGTH = 2, FOUR = 5, MOST_DEPTH = 100 };

typedef struct Wire {
    const uint8_t *at, *end;
} Wire;

static bool read_varint(Wire *wire, uint64_t *value) {
    *value = 0;
    for (int shift = 0; shift < 70 && wire->at < wire->end; shift += 7) {
        const uint8_t byte = *wire->at++;
        if (shift < 64) *value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) return true;
    }
    return false;
}

/* The size of what follows a tag; false where it is cut short or of no known type. */
static bool read_size(Wire *wire, int type, uint64_t *size) {
    uint64_t ignored;
    *size = type == EIGHT ? 8 : type == FOUR ? 4 : 0;
    if (type == VARINT) return read_varint(wire, &ignored);
    if (type == LENGTH && !read_varint(wire, size)) return false;
    return (type == EIGHT || type == FOUR || type == LENGTH) && *size <= (uint64_t)(wire->end - wire->at);
}

static bool count(const ProtobufCMessageDescriptor *message, Wire wire, int depth, size_t *left) {
    uint64_t tag, size;
    while (wire.at < wire.end && read_varint(&wire, &tag) && read_size(&wire, (int)(tag & 7), &size)) {
        if (!*left) return false;
        --*left;
        const ProtobufCFieldDescriptor *field =
            tag >> 3 <= UINT32_MAX ? protobuf_c_message_descriptor_get_field(message, (unsigned)(tag >> 3)) : NULL;
        const bool goes_on =
            field && field->type == PROTOBUF_C_TYPE_MESSAGE && (tag & 7) == LENGTH && depth < MOST_DEPTH;
        if (goes_on && !count(field->descriptor, (Wire){wire.at, wire.at + size}, depth + 1, left)) return false;
        wire.at += size;
    }
    return true;
}

bool wire_count(const ProtobufCMessageDescriptor *type, const uint8_t *bytes, size_t size, size_t *left) {
    return count(type, (Wire){bytes, bytes + size}, 0, left);
}
