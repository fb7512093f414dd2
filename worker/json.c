#include "worker/json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

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

void dcps_json_text(FILE *out, const char *text)
{
    (void)fputc('"', out);
    for (const char *at = text; *at != '\0'; at++) {
        if (*at == '"' || *at == '\\') {
            (void)fprintf(out, "\\%c", *at);
        } else if ((unsigned char)*at < 0x20) {
            (void)fprintf(out, "\\u%04x", (unsigned)(unsigned char)*at);
        } else {
            (void)fputc(*at, out);
        }
    }
    (void)fputc('"', out);
}
