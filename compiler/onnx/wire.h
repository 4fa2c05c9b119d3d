/* How much there is in a message before it is unpacked. */
#ifndef RNC_ONNX_WIRE_H
#define RNC_ONNX_WIRE_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Counts the members of a message and of those within it down from *left: protobuf-c makes a struct of a hundred bytes
 * of two, so a file would take a hundred times its size. false where there are more. Bytes that are no message count as
 * far as they are one. */
bool wire_count(const ProtobufCMessageDescriptor *type, const uint8_t *bytes, size_t size, size_t *left);

#endif
