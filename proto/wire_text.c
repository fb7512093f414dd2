#include "proto/wire_text.h"

#include <string.h>

#include "base/text.h"

bool dcps_text_is_clean(const char *text, size_t limit_bytes)
{
    if (strnlen(text, limit_bytes) == limit_bytes) {
        return false;
    }
    while (*text != '\0') {
        size_t length = dcps_printable_length(text);
        if (length == 0) {
            return false;
        }
        text += length;
    }
    return true;
}

char *dcps_text_clean(const char *text, char *out, size_t capacity)
{
    dcps_text_fit(out, capacity, text == NULL ? "" : text);
    return out;
}
