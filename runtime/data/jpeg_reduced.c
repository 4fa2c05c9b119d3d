/* The decoder of JPEG as an object of its own, so that programs that do not train have none of this. */
#include "jpeg_reduced.h"

#define RN_JPEG_REDUCED
#include "image/jpeg.c"
