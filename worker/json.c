#include "worker/json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

void dcps_json_real(FILE *out, double value)
{
    char text[64];
    if (!isfinite(value)) {
        (void)fputs("null", out);
        return;
    }
    for (int digits = 15; digits <= 17; digits++) {
        (void)snprintf(text, sizeof(text), "%.*g", digits, value);
        if (strtod(text, NULL) == value) {
            break;
        }
    }
    char *comma = strchr(text, ',');
    if (comma != NULL) {
        *comma = '.';
    }
    (void)fputs(text, out);
}

static void put_character(FILE *out, const char *at, size_t length)
{
    if (length == 0) {
        (void)fputc('?', out);
    } else if (*at == '"' || *at == '\\') {
        (void)fprintf(out, "\\%c", *at);
    } else if ((unsigned char)*at < 0x20) {
        (void)fprintf(out, "\\u%04x", (unsigned)(unsigned char)*at);
    } else {
        (void)fwrite(at, 1, length, out);
    }
}

void dcps_json_text(FILE *out, const char *text)
{
    (void)fputc('"', out);
    while (*text != '\0') {
        size_t length = dcps_utf8_length(text);
        put_character(out, text, length);
        text += length > 0 ? length : 1;
    }
    (void)fputc('"', out);
}
