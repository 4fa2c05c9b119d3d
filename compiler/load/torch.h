/* Reads PyTorch checkpoints (.pth, .pt) as torch.save writes them, in both of its forms: a zip archive whose data.pkl
 * is a pickle and whose data/KEY are the storages (since PyTorch 1.6), and the older one of five pickles followed by
 * the storages (torch/serialization.py, _save and _legacy_save). Nothing in the file is run: pickle.h.
 */
#ifndef RNC_TORCH_H
#define RNC_TORCH_H

#include "runtime/weights/safetensors.h"

#include "base/base.h"

typedef struct TorchFile TorchFile;

enum { TORCH_ERROR_SIZE = 512 };

/* By the first bytes: a zip archive (perhaps of something else), or the older form. */
bool torch_recognize(const void *bytes, size_t size);

/* Indexes the tensors of the one state dict that the file holds, at its top or below keys ("state_dict", "model", ...);
 * where it holds several, of the one that *prefix begins with ("ema." chooses the dict at "ema"), which *prefix then
 * does without. prefix: NULL inside for none. The bytes must outlive it. NULL after writing what is wrong. */
TorchFile *torch_open(const void *bytes, size_t size, const char **prefix, char error[TORCH_ERROR_SIZE]);
void torch_close(TorchFile *file); /* NULL is allowed */

/* The tensors by name, their `data` NULL. */
const rn_safetensors *torch_tensors(const TorchFile *file);
/* Which of several state dicts was taken, in words; NULL where there is nothing to tell. */
const char *torch_note(const TorchFile *file);
/* A tensor's elements in order, little-endian, valid up to the next call. NULL after writing what is wrong. */
const uint8_t *torch_elements(TorchFile *file, const rn_safetensor *tensor, char error[TORCH_ERROR_SIZE]);

#endif
