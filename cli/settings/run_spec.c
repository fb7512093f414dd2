#include "cli/settings/run_spec.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "proto/limits.h"
#include "server/engine/algorithm.h"

#define DCPS_ENTRY_BYTES 256u

static dcps_status parse_workers(const char *entry, const char *text, uint32_t *workers)
{
    int64_t value = 0;
    if (dcps_parse_integer("workers", text, &value) != DCPS_OK || value < 1 || value > DCPS_MAX_WORKERS) {
        return dcps_fail(DCPS_INVALID, "run '%s': expected a number of workers from 1 to %u after '@', saw '%s'", entry,
                         DCPS_MAX_WORKERS, text);
    }
    *workers = (uint32_t)value;
    return DCPS_OK;
}

static dcps_status parse_algorithm(const char *entry, const char *name, size_t length, dcps_run_spec *spec)
{
    dcps_algorithm algorithm;
    if (length >= sizeof(spec->algorithm)) {
        return dcps_fail(DCPS_NOT_FOUND, "run '%s': unknown algorithm; known are %s", entry, dcps_algorithm_names());
    }
    memcpy(spec->algorithm, name, length);
    if (dcps_algorithm_preset(spec->algorithm, &algorithm) != DCPS_OK) {
        return dcps_fail(DCPS_NOT_FOUND, "run '%s': unknown algorithm '%s'; known are %s", entry, spec->algorithm,
                         dcps_algorithm_names());
    }
    return DCPS_OK;
}

/* Length of the part before the next '+' that begins a setting. */
static size_t part_length(const char *text)
{
    size_t length = 0;
    while (text[length] != '\0' && !(text[length] == '+' && text[length + 1] >= 'a' && text[length + 1] <= 'z')) {
        length++;
    }
    return length;
}

static dcps_status parse_name(const char *entry, dcps_run_spec *spec)
{
    char where[DCPS_ENTRY_BYTES + 8];
    (void)snprintf(where, sizeof(where), "run '%s'", entry);
    size_t length = part_length(spec->name);
    dcps_status status = parse_algorithm(entry, spec->name, length, spec);
    const char *rest = spec->name + length;
    while (status == DCPS_OK && *rest != '\0') {
        length = part_length(rest + 1);
        status = dcps_overrides_parse(&spec->overrides, where, rest + 1, length);
        rest += 1 + length;
    }
    return status;
}

/* `entry` is one element of the list, ended by a zero byte. */
static dcps_status parse_entry(const char *entry, dcps_run_spec *spec)
{
    const char *at = strchr(entry, '@');
    if (at == NULL || at == entry) {
        return dcps_fail(DCPS_INVALID, "run '%s': expected ALGORITHM@WORKERS, for example asgd@4", entry);
    }
    dcps_run_spec parsed = {.workers = 0};
    size_t length = (size_t)(at - entry);
    if (length >= sizeof(parsed.name)) {
        return dcps_fail(DCPS_LIMIT, "run '%.40s…': a name of more than %zu bytes", entry, sizeof(parsed.name) - 1);
    }
    memcpy(parsed.name, entry, length);
    dcps_status status = parse_name(entry, &parsed);
    status = status == DCPS_OK ? parse_workers(entry, at + 1, &parsed.workers) : status;
    if (status == DCPS_OK) {
        *spec = parsed;
    }
    return status;
}

static dcps_status check_new(const dcps_run_spec *specs, size_t count, const dcps_run_spec *spec)
{
    for (size_t i = 0; i < count; i++) {
        if (specs[i].workers == spec->workers && strcmp(specs[i].name, spec->name) == 0) {
            return dcps_fail(DCPS_INVALID, "run '%s@%" PRIu32 "' is named twice: use --seeds to repeat runs",
                             spec->name, spec->workers);
        }
    }
    return DCPS_OK;
}

/* Up to the comma after the workers, so that values before the '@' may hold commas; without settings, up to the first comma. */
static size_t entry_length(const char *text)
{
    size_t first = strcspn(text, ",");
    size_t at = strcspn(text, "@");
    if (at <= first || part_length(text) >= first) {
        return first;
    }
    return at + strcspn(text + at, ",");
}

dcps_status dcps_run_specs_parse(const char *text, dcps_run_spec *specs, size_t capacity, size_t *count)
{
    size_t found = 0;
    const char *rest = text;
    for (;;) {
        char entry[DCPS_ENTRY_BYTES];
        size_t length = entry_length(rest);
        if (length == 0 || length >= sizeof(entry)) {
            return dcps_fail(DCPS_INVALID, "list of runs '%.200s': expected ALGORITHM@WORKERS[,…], saw %s at '%.40s'",
                             text, length == 0 ? "an empty entry" : "an overlong entry", rest);
        }
        memcpy(entry, rest, length);
        entry[length] = '\0';
        if (found == capacity) {
            return dcps_fail(DCPS_LIMIT, "list of runs: more than %zu entries", capacity);
        }
        dcps_run_spec spec;
        dcps_status status = parse_entry(entry, &spec);
        status = status == DCPS_OK ? check_new(specs, found, &spec) : status;
        if (status != DCPS_OK) {
            return status;
        }
        specs[found++] = spec;
        if (rest[length] == '\0') {
            break;
        }
        rest += length + 1;
    }
    *count = found;
    return DCPS_OK;
}

dcps_status dcps_run_base_name(const char *name, const char *algorithm, char *base, size_t bytes)
{
    size_t used = strlen(algorithm);
    dcps_status status = dcps_format(base, bytes, "%s", algorithm);
    const char *rest = name + part_length(name);
    while (status == DCPS_OK && *rest != '\0') {
        char option[DCPS_OVERRIDE_NAME_BYTES];
        size_t length = 1 + part_length(rest + 1);
        (void)snprintf(option, sizeof(option), "%.*s", (int)strcspn(rest + 1, "="), rest + 1);
        if (!dcps_is_rule_option(option)) {
            status = dcps_format(base + used, bytes - used, "%.*s", (int)length, rest);
            used += length;
        }
        rest += length;
    }
    return status;
}
