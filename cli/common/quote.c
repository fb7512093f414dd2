#include "cli/common/quote.h"

#include <stdbool.h>
#include <string.h>

#include "base/alloc.h"

static bool is_plain(const char *argument)
{
    static const char safe[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_@%+=:,./-";
    return argument[0] != '\0' && argument[strspn(argument, safe)] == '\0';
}

/* Writes the argument, within single quotes where needed; returns its end. */
static char *put_quoted(char *out, const char *argument)
{
    bool plain = is_plain(argument);
    if (!plain) {
        *out++ = '\'';
    }
    for (; *argument != '\0'; argument++) {
        if (*argument == '\'') {
            memcpy(out, "'\\''", 4);
            out += 4;
        } else {
            *out++ = *argument;
        }
    }
    if (!plain) {
        *out++ = '\'';
    }
    return out;
}

dcps_status dcps_quote_command(const char *program, int argc, char **argv, char **text)
{
    size_t capacity = strlen(program) + 1;
    for (int i = 0; i < argc; i++) {
        capacity += 4 * strlen(argv[i]) + 3; /* every byte a quote, in quotes, and a blank */
    }
    char *made = dcps_alloc(capacity, 1);
    if (made == NULL) {
        return dcps_fail(DCPS_NO_MEMORY, "no memory to remember the command");
    }
    memcpy(made, program, strlen(program));
    char *end = made + strlen(program);
    for (int i = 0; i < argc; i++) {
        *end++ = ' ';
        end = put_quoted(end, argv[i]);
    }
    *end = '\0';
    *text = made;
    return DCPS_OK;
}
