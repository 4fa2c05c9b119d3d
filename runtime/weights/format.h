/* What a file that is no weights file is, by its first bytes, so that an error can say what to do with it. */
#ifndef RN_FORMAT_H
#define RN_FORMAT_H

#include <stddef.h>

#define RN_ADVICE_NPZ "NumPy's .npz: safetensors.numpy.save_file(dict(numpy.load(FILE)), NEW) writes what can be read"

/* "a Git LFS pointer, not the file itself: git lfs pull fetches it"; NULL where the bytes are like no format that is
 * known (safetensors and packed weights are not asked about). */
const char *rn_format_advice(const void *bytes, size_t size);

/* Does it begin with the magic number of torch.save's older form, a pickle of its own? */
int rn_format_is_torch(const void *bytes, size_t size);

#endif
