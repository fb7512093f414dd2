/* Texts on the wire: UTF-8 without control characters, so that a peer's words can be logged as they are. Inside proto/ only. */
#ifndef DCPS_PROTO_WIRE_TEXT_H
#define DCPS_PROTO_WIRE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* True for valid UTF-8 of less than `limit_bytes` bytes and without control characters. */
bool dcps_text_is_clean(const char *text, size_t limit_bytes);

/* Copies `text` (NULL: empty) to out[capacity], cut to fit; bytes that would not be clean become '?'. Returns out. */
char *dcps_text_clean(const char *text, char *out, size_t capacity);

#endif
