#include "proto/wire_text.h"

#include <stdint.h>
#include <string.h>

/* Length in bytes of the character at `text`, 0 where it is a control character or no valid UTF-8 (RFC 3629: shortest form, no surrogates). */
static size_t character_bytes(const char *text)
{
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    const uint8_t *byte = (const uint8_t *)text;
    if (byte[0] < 0x80) {
        return byte[0] >= 0x20 && byte[0] != 0x7f;
    }
    size_t length = byte[0] >= 0xf0 ? 4 : byte[0] >= 0xe0 ? 3 : 2;
    if (byte[0] < 0xc0 || byte[0] > 0xf7) {
        return 0;
    }
    uint32_t code = byte[0] & (0x7fu >> length);
    for (size_t i = 1; i < length; i++) {
        if ((byte[i] & 0xc0) != 0x80) {
            return 0; /* also stops at the end of the text */
        }
        code = code << 6 | (byte[i] & 0x3fu);
    }
    bool control = code < 0xa0;
    bool surrogate = code >= 0xd800 && code <= 0xdfff;
    return code < smallest[length] || code > 0x10ffff || control || surrogate ? 0 : length;
}

bool dcps_text_is_clean(const char *text, size_t limit_bytes)
{
    if (strnlen(text, limit_bytes) == limit_bytes) {
        return false;
    }
    while (*text != '\0') {
        size_t length = character_bytes(text);
        if (length == 0) {
            return false;
        }
        text += length;
    }
    return true;
}

char *dcps_text_clean(const char *text, char *out, size_t capacity)
{
    size_t used = 0;
    while (text != NULL && *text != '\0') {
        size_t length = character_bytes(text);
        size_t written = length == 0 ? 1 : length;
        if (used + written >= capacity) {
            break;
        }
        if (length == 0) {
            out[used] = '?';
        } else {
            memcpy(out + used, text, length);
        }
        used += written;
        text += written;
    }
    out[used] = '\0';
    return out;
}
