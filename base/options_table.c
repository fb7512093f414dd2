/* From texts to typed values. */
#include "base/options_table.h"

#include <assert.h>
#include <ctype.h>
#include <string.h>

#include "base/alloc.h"
#include "base/text.h"

static dcps_status fail_no_memory(const dcps_options *options, size_t index)
{
    return dcps_fail(DCPS_NO_MEMORY, "no memory for the value of option %s", options->table[index].name);
}

dcps_status dcps_options_offer(dcps_options *options, size_t index, dcps_option_origin origin, unsigned line,
                               const char *text)
{
    dcps_option_value *value = &options->values[index];
    if (value->origin > origin) {
        return DCPS_OK;
    }
    bool join = value->origin == origin && options->table[index].repeatable;
    size_t old_length = join ? strlen(value->text) + 1 : 0;
    size_t bytes = strlen(text) + 1;
    char *joined = dcps_alloc(1, old_length + bytes);
    if (joined == NULL) {
        return fail_no_memory(options, index);
    }
    if (join) {
        memcpy(joined, value->text, old_length - 1);
        joined[old_length - 1] = '\n';
    }
    memcpy(joined + old_length, text, bytes);
    dcps_free(value->text);
    value->text = joined;
    value->origin = origin;
    value->line = line;
    return DCPS_OK;
}

void dcps_options_variable(const char *name, char *out)
{
    size_t used = 0;
    for (const char *c = "DCPS_"; *c != '\0'; c++) {
        out[used++] = *c;
    }
    for (; *name != '\0' && used < DCPS_OPTIONS_MAX_TEXT_BYTES - 1; name++) {
        out[used++] = *name == '-' ? '_' : (char)toupper((unsigned char)*name);
    }
    out[used] = '\0';
}

void dcps_options_origin_text(const dcps_options *options, size_t index, char *out)
{
    const dcps_option_value *value = &options->values[index];
    char variable[DCPS_OPTIONS_MAX_TEXT_BYTES];
    const size_t bytes = DCPS_OPTIONS_MAX_TEXT_BYTES;
    switch (value->origin) {
    case DCPS_ORIGIN_FLAG:
        (void)snprintf(out, bytes, "flag");
        break;
    case DCPS_ORIGIN_ENVIRONMENT:
        dcps_options_variable(options->table[index].name, variable);
        (void)snprintf(out, bytes, "environment %.*s", (int)(bytes - sizeof("environment ")), variable);
        break;
    case DCPS_ORIGIN_FILE:
        (void)snprintf(out, bytes, "file %.200s:%u", options->config_path, value->line);
        break;
    case DCPS_ORIGIN_RECOMMENDED:
        (void)snprintf(out, bytes, "%.200s", options->recommender);
        break;
    case DCPS_ORIGIN_DEFAULT:
        (void)snprintf(out, bytes, "default");
        break;
    case DCPS_ORIGIN_NONE:
        (void)snprintf(out, bytes, "unset");
        break;
    }
}

/* " from 1 to 64", " of at least 0", "" */
static void describe_range(const dcps_option *option, char *out, size_t bytes)
{
    const double unbounded = 0x1p63; /* beyond any int64 */
    bool integral = option->type == DCPS_OPTION_INTEGER || option->type == DCPS_OPTION_INTEGERS;
    char low[64];
    char high[64];
    (void)snprintf(low, sizeof(low), integral ? "%.0f" : "%g", option->minimum);
    (void)snprintf(high, sizeof(high), integral ? "%.0f" : "%g", option->maximum);
    bool bounded_below = option->minimum > -unbounded;
    bool bounded_above = option->maximum < unbounded;
    out[0] = '\0';
    if (option->minimum == 0 && option->maximum == 0) {
        return;
    }
    if (bounded_below && bounded_above) {
        (void)snprintf(out, bytes, " from %s to %s", low, high);
    } else if (bounded_below) {
        (void)snprintf(out, bytes, " of at least %s", low);
    } else if (bounded_above) {
        (void)snprintf(out, bytes, " of at most %s", high);
    }
}

void dcps_option_describe(const dcps_option *option, char *out, size_t bytes)
{
    char range[160];
    describe_range(option, range, sizeof(range));
    switch (option->type) {
    case DCPS_OPTION_FLAG:
        (void)snprintf(out, bytes, "true or false");
        break;
    case DCPS_OPTION_INTEGER:
        (void)snprintf(out, bytes, "an integer%s", range);
        break;
    case DCPS_OPTION_REAL:
        (void)snprintf(out, bytes, "a decimal number%s", range);
        break;
    case DCPS_OPTION_INTEGERS:
        (void)snprintf(out, bytes, "up to %u integers%s, separated by commas", DCPS_OPTIONS_MAX_ENTRIES, range);
        break;
    case DCPS_OPTION_REALS:
        (void)snprintf(out, bytes, "up to %u decimal numbers%s, separated by commas", DCPS_OPTIONS_MAX_ENTRIES, range);
        break;
    case DCPS_OPTION_TEXT:
        if (option->choices != NULL) {
            (void)snprintf(out, bytes, "one of %s", option->choices);
        } else {
            (void)snprintf(out, bytes, "a text");
        }
        break;
    }
}

static dcps_status reject(const dcps_options *options, size_t index)
{
    const dcps_option *option = &options->table[index];
    char expected[512] = "another type";
    char origin[DCPS_OPTIONS_MAX_TEXT_BYTES];
    dcps_option_describe(option, expected, sizeof(expected));
    dcps_options_origin_text(options, index, origin);
    const char *text = options->values[index].text;
    if (options->owner != NULL) {
        return dcps_fail(DCPS_INVALID, "%s, option %s: expected %s, got \"%.200s\"", options->owner, option->name,
                         expected, text);
    }
    return dcps_fail(DCPS_INVALID, "--%s: expected %s, got \"%.200s\" (%s)", option->name, expected, text, origin);
}

static bool in_range(const dcps_option *option, double value)
{
    return (option->minimum == 0 && option->maximum == 0) || (value >= option->minimum && value <= option->maximum);
}

static bool read_integer(const dcps_option *option, const char *text, int64_t *value)
{
    return dcps_parse_integer(option->name, text, value) == DCPS_OK && in_range(option, (double)*value);
}

static bool read_real(const dcps_option *option, const char *text, double *value)
{
    return dcps_parse_real(option->name, text, value) == DCPS_OK && in_range(option, *value);
}

static bool read_flag(const char *text, bool *value)
{
    static const char *const words[] = {"false", "true", "no", "yes", "off", "on", "0", "1"};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcmp(text, words[i]) == 0) {
            *value = i % 2 == 1;
            return true;
        }
    }
    return false;
}

static bool is_choice(const char *choices, const char *text, size_t length)
{
    for (const char *choice = choices;; choice++) {
        size_t choice_length = strcspn(choice, "|");
        if (choice_length == length && memcmp(choice, text, length) == 0) {
            return true;
        }
        choice += choice_length;
        if (*choice == '\0') {
            return false;
        }
    }
}

/* Every line of the text is one of the choices. */
static bool are_choices(const dcps_option *option, const char *text)
{
    for (;; text++) {
        size_t length = option->repeatable ? strcspn(text, "\n") : strlen(text);
        if (!is_choice(option->choices, text, length)) {
            return false;
        }
        text += length;
        if (*text == '\0') {
            return true;
        }
    }
}

static size_t count_entries(const char *text)
{
    size_t count = *text == '\0' ? 0 : 1;
    for (; *text != '\0'; text++) {
        count += *text == ',';
    }
    return count;
}

/* Parses entry i of a list into value->list, which has room for it. */
static bool read_entry(const dcps_option *option, const char *text, size_t length, dcps_option_value *value, size_t i)
{
    char entry[512];
    if (length >= sizeof(entry)) {
        return false;
    }
    memcpy(entry, text, length);
    entry[length] = '\0';
    if (option->type == DCPS_OPTION_INTEGERS) {
        return read_integer(option, entry, (int64_t *)value->list + i);
    }
    return read_real(option, entry, (double *)value->list + i);
}

static dcps_status parse_list(dcps_options *options, size_t index)
{
    dcps_option_value *value = &options->values[index];
    const char *text = value->text;
    size_t count = count_entries(text);
    if (count > DCPS_OPTIONS_MAX_ENTRIES) {
        return reject(options, index);
    }
    if (count == 0) {
        return DCPS_OK;
    }
    static_assert(sizeof(double) == sizeof(int64_t), "entries of both lists are of one size");
    value->list = dcps_alloc(count, sizeof(int64_t));
    if (value->list == NULL) {
        return fail_no_memory(options, index);
    }
    for (size_t i = 0; i < count; i++, text++) {
        size_t length = strcspn(text, ",");
        if (!read_entry(&options->table[index], text, length, value, i)) {
            return reject(options, index);
        }
        text += length;
    }
    value->list_count = count;
    return DCPS_OK;
}

static dcps_status parse_value(dcps_options *options, size_t index)
{
    const dcps_option *option = &options->table[index];
    dcps_option_value *value = &options->values[index];
    bool good = false;
    switch (option->type) {
    case DCPS_OPTION_FLAG:
        good = read_flag(value->text, &value->flag);
        break;
    case DCPS_OPTION_INTEGER:
        good = read_integer(option, value->text, &value->integer);
        break;
    case DCPS_OPTION_REAL:
        good = read_real(option, value->text, &value->real);
        break;
    case DCPS_OPTION_TEXT:
        good = option->choices == NULL || are_choices(option, value->text);
        break;
    case DCPS_OPTION_INTEGERS:
    case DCPS_OPTION_REALS:
        return parse_list(options, index);
    }
    return good ? DCPS_OK : reject(options, index);
}

dcps_status dcps_options_resolve(dcps_options *options)
{
    for (size_t i = 0; i < options->count; i++) {
        const char *fallback = options->table[i].default_text;
        dcps_status status = DCPS_OK;
        if (options->values[i].text == NULL && fallback != NULL) {
            status = dcps_options_offer(options, i, DCPS_ORIGIN_DEFAULT, 0, fallback);
        }
        if (status == DCPS_OK && options->values[i].text != NULL) {
            status = parse_value(options, i);
        }
        if (status != DCPS_OK) {
            return status;
        }
    }
    return DCPS_OK;
}
