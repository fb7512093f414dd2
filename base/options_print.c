/* What --help and --print-config show. */
#include "base/options_table.h"

#include <string.h>

#include "base/text.h"

/* "an integer from 1 to 64; may be given several times; default: 8"; what goes without saying is left out. */
static void describe_value(const dcps_option *option, char *out, size_t bytes)
{
    char expected[1024] = "";
    dcps_option_describe(option, expected, sizeof(expected));
    bool free_text = option->type == DCPS_OPTION_TEXT && option->choices == NULL;
    const char *fallback = option->default_text;
    const char *first = free_text ? "" : expected;
    const char *second = option->repeatable ? "may be given several times" : "";
    (void)snprintf(out, bytes, "%s%s%s%s%s%s", first, *first != '\0' && *second != '\0' ? "; " : "", second,
                   fallback != NULL && (*first != '\0' || *second != '\0') ? "; " : "",
                   fallback != NULL ? "default: " : "", fallback != NULL ? fallback : "");
}

static void print_option(const dcps_option *option, FILE *out)
{
    char value[2048];
    char text[4096];
    const char *help = option->help != NULL ? option->help : "";
    const char *fallback = option->default_text;
    bool plain_flag = option->type == DCPS_OPTION_FLAG && (fallback == NULL || strcmp(fallback, "false") == 0);
    describe_value(option, value, sizeof(value));
    if (plain_flag || *value == '\0') {
        (void)snprintf(text, sizeof(text), "%s", help);
    } else {
        (void)snprintf(text, sizeof(text), "%s (%s)", help, value);
    }
    if (option->type == DCPS_OPTION_FLAG) {
        fprintf(out, "  --%s\n", option->name);
    } else {
        fprintf(out, "  --%s=%s\n", option->name, option->value_name != NULL ? option->value_name : "VALUE");
    }
    dcps_print_wrapped(out, 8, "", text);
}

void dcps_options_print_help(const dcps_option *table, FILE *out)
{
    for (size_t i = 0; table != NULL && table[i].name != NULL; i++) {
        print_option(&table[i], out);
    }
}

void dcps_options_print(const dcps_options *options, FILE *out)
{
    char origin[DCPS_OPTIONS_MAX_TEXT_BYTES];
    for (size_t i = 0; i < options->count; i++) {
        const char *name = options->table[i].name;
        const char *text = options->values[i].text;
        dcps_options_origin_text(options, i, origin);
        if (text == NULL) {
            fprintf(out, "# %s is unset\n", name);
            continue;
        }
        for (;; text++) { /* a line for each of several values */
            size_t length = strcspn(text, "\n");
            fprintf(out, "%s = %.*s  # %s\n", name, (int)length, text, origin);
            text += length;
            if (*text == '\0') {
                break;
            }
        }
    }
}
