/* The formats that people give for weights, by their signatures: see format.h. */
#include "format.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

#define AS_SAFETENSORS "save its tensors under the network's names as safetensors"
#define COMPRESSED "compressed: unpack it first"

enum { LOOKED_AT = 4096 }; /* bytes */

typedef struct Signature {
    size_t offset, size;
    const char *bytes;
    const char *advice;
} Signature;

static const Signature signatures[] = {
#define AT(offset, bytes, advice)                                                                                      \
    { offset, sizeof(bytes) - 1, bytes, advice }
    AT(0, "version https://git-lfs", "a Git LFS pointer, not the file itself: git lfs pull fetches it"),
    AT(0, "\x89HDF\r\n\x1a\n",
       "an HDF5 file, as Keras writes it: " AS_SAFETENSORS ", kernels transposed to output, input, height, width"),
    AT(0, "GGUF", "a GGUF file, which is for llama.cpp's kind of programs: " AS_SAFETENSORS " instead"),
    AT(4, "TFL3",
       "a TensorFlow Lite model: take the network's weights from before its conversion, and " AS_SAFETENSORS),
    AT(0, "\x93NUMPY", "a NumPy array: safetensors.numpy.save_file({NAME: array, ...}, FILE) writes what can be read"),
    AT(0, "MATLAB 5.0 MAT-file", "a MATLAB file: " AS_SAFETENSORS),
    AT(0, "\x1f\x8b", "gzip, " COMPRESSED),
    AT(0, "BZh", "bzip2, " COMPRESSED),
    AT(0,
       "\xfd"
       "7zXZ",
       "xz, " COMPRESSED),
    AT(0, "\x28\xb5\x2f\xfd", "zstd, " COMPRESSED),
    AT(0, "7z\xbc\xaf\x27\x1c", "7-Zip, " COMPRESSED),
    AT(257, "ustar", "a tar archive: unpack it first"),
    AT(0, "PK\5\6", "an empty zip archive"),
    AT(0, "\x89PNG", "a picture"),
    AT(0, "\xff\xd8\xff", "a picture"),
    AT(0,
       "\x7f"
       "ELF",
       "an executable or object file"),
#undef AT
};

static const char torch_advice[] = "a PyTorch checkpoint, which is read at compile time alone: "
                                   "rnc -o NEW.safetensors --weights FILE NETWORK.rn converts it";

static int begins(const uint8_t *bytes, size_t size, size_t offset, const char *with, size_t length) {
    return size >= offset + length && !memcmp(bytes + offset, with, length);
}

static int contains(const uint8_t *bytes, size_t size, const char *text) {
    const size_t n = strlen(text);
    for (size_t i = 0; i + n <= size; i++)
        if (!memcmp(bytes + i, text, n)) return 1;
    return 0;
}

/* By the name of its first entry, which follows the entry's header. */
static const char *zip_advice(const uint8_t *bytes, size_t size) {
    enum { HEADER = 30, LENGTH_AT = 26 }; /* of a local file header; where the name's length is in it */
    const size_t length = size > HEADER ? (size_t)(bytes[LENGTH_AT] | bytes[LENGTH_AT + 1] << 8) : 0;
    const size_t shown = length < size ? length : size;
    if (shown + HEADER <= size && contains(bytes + HEADER, shown, ".npy")) return RN_ADVICE_NPZ;
    if (shown + HEADER <= size && contains(bytes + HEADER, shown, "data.pkl")) return torch_advice;
    return "a zip archive, as torch.save and others write it: a PyTorch checkpoint is read at compile time alone, and "
           "rnc -o NEW.safetensors --weights FILE NETWORK.rn converts it";
}

int rn_format_is_torch(const void *bytes, size_t size) {
    /* a LONG1 of 10 bytes and STOP, after the protocol, and from protocol 4 on a frame */
    static const char magic[] = "\x8a\n\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";
    return size > 2 && *(const uint8_t *)bytes == 0x80 && contains(bytes, size < 32 ? size : 32, magic);
}

static const char *pickle_advice(const uint8_t *bytes, size_t size) {
    if (rn_format_is_torch(bytes, size)) return torch_advice;
    return "a Python pickle that torch.save did not write: load it with what wrote it, and " AS_SAFETENSORS;
}

/* Web pages, where a download gave an error or a login, and other text. */
static const char *text_advice(const uint8_t *bytes, size_t size) {
    size_t at = begins(bytes, size, 0, "\xef\xbb\xbf", 3) ? 3 : 0;
    while (at < size && strchr(" \t\r\n", bytes[at]) && bytes[at]) at++;
    const char *text = (const char *)bytes + at;
    const size_t rest = size - at;
    if ((rest > 9 && !strncasecmp(text, "<!doctype", 9)) || (rest > 5 && !strncasecmp(text, "<html", 5)))
        return "an HTML page, not weights: the download gave an error or a login";
    if (rest > 5 && !strncasecmp(text, "<?xml", 5)) return "an XML text, not weights: perhaps an error of the download";
    if (rest > 1 && *text == '{')
        return "a JSON text, not weights: an index of several files, perhaps, or an error of the download";
    return NULL;
}

/* Protocol buffers have no signature: an ONNX model begins with its version (field 1, at least 3) and then the
 * producer, the domain, the graph or the operator sets; a TensorFlow SavedModel with its version 1 and a graph. */
static const char *protobuf_advice(const uint8_t *bytes, size_t size) {
    if (size < 16 || bytes[0] != 8) return NULL;
    if (bytes[1] == 1 && bytes[2] == 0x12) return "a TensorFlow SavedModel: " AS_SAFETENSORS;
    if (bytes[1] < 3 || bytes[1] > 63 || !bytes[2] || !strchr("\x12\x1a\x22\x28\x32\x3a\x42", bytes[2])) return NULL;
    return "an ONNX model, whose weights lie in its graph: safetensors.numpy.save_file({t.name: "
           "onnx.numpy_helper.to_array(t) for t in onnx.load(FILE).graph.initializer}, NEW) takes them out";
}

const char *rn_format_advice(const void *content, size_t size) {
    const uint8_t *bytes = content;
    if (!size) return "an empty file";
    if (size > LOOKED_AT) size = LOOKED_AT;
    for (size_t i = 0; i < sizeof signatures / sizeof *signatures; i++)
        if (begins(bytes, size, signatures[i].offset, signatures[i].bytes, signatures[i].size))
            return signatures[i].advice;
    if (begins(bytes, size, 0, "PK\3\4", 4)) return zip_advice(bytes, size);
    if (size > 2 && bytes[0] == 0x80 && bytes[1] <= 5) return pickle_advice(bytes, size);
    const char *advice = protobuf_advice(bytes, size);
    return advice ? advice : text_advice(bytes, size);
}
