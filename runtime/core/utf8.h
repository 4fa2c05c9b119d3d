/* Text that may come from anywhere: which of its bytes are UTF-8. */
#ifndef RN_CORE_UTF8_H
#define RN_CORE_UTF8_H

#include <stddef.h>

/* Bytes of the character that s, which ends with a 0, begins with; 0 where these are not UTF-8 (RFC 3629). */
size_t rn_utf8_length(const char *s);

#endif
