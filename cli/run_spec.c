#include "cli/run_spec.h"

#include <inttypes.h>
#include <string.h>

#include "base/text.h"
#include "proto/limits.h"
#include "server/engine/algorithm.h"

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

/* `entry` is one element of the list, ended by a zero byte. */
static dcps_status parse_entry(const char *entry, dcps_run_spec *spec)
{
    const char *at = strchr(entry, '@');
    if (at == NULL || at == entry) {
        return dcps_fail(DCPS_INVALID, "run '%s': expected ALGORITHM@WORKERS, for example asgd@4", entry);
    }
    dcps_run_spec parsed = {.workers = 0};
    size_t length = (size_t)(at - entry);
    if (length >= sizeof(parsed.algorithm)) {
        return dcps_fail(DCPS_NOT_FOUND, "run '%s': unknown algorithm; known are %s", entry, dcps_algorithm_names());
    }
    memcpy(parsed.algorithm, entry, length);
    dcps_algorithm algorithm;
    if (dcps_algorithm_preset(parsed.algorithm, &algorithm) != DCPS_OK) {
        return dcps_fail(DCPS_NOT_FOUND, "run '%s': unknown algorithm '%s'; known are %s", entry, parsed.algorithm,
                         dcps_algorithm_names());
    }
    dcps_status status = parse_workers(entry, at + 1, &parsed.workers);
    if (status == DCPS_OK) {
        *spec = parsed;
    }
    return status;
}

static dcps_status check_new(const dcps_run_spec *specs, size_t count, const dcps_run_spec *spec)
{
    for (size_t i = 0; i < count; i++) {
        if (specs[i].workers == spec->workers && strcmp(specs[i].algorithm, spec->algorithm) == 0) {
            return dcps_fail(DCPS_INVALID, "run '%s@%" PRIu32 "' is named twice: use --seeds to repeat runs",
                             spec->algorithm, spec->workers);
        }
    }
    return DCPS_OK;
}

dcps_status dcps_run_specs_parse(const char *text, dcps_run_spec *specs, size_t capacity, size_t *count)
{
    size_t found = 0;
    const char *rest = text;
    for (;;) {
        char entry[128];
        size_t length = strcspn(rest, ",");
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
