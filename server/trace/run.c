/* What a server was recorded under: one small JSON file. */
#include <inttypes.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "base/text.h"
#include "server/trace/json_file.h"
#include "server/trace/trace.h"

/* A number of dcps_trace_run. Those before the model are settings; `flag` is what a person would change. */
typedef struct number_field {
    const char *name;
    const char *flag;
    size_t offset;
    size_t bytes;
    uint64_t least;
    uint64_t most;
} number_field;

#define FIELD(member, flag_text, least_value, most_value)                                                              \
    {                                                                                                                  \
        .name = #member, .flag = (flag_text), .offset = offsetof(dcps_trace_run, member),                              \
        .bytes = sizeof(((dcps_trace_run *)0)->member), .least = (least_value), .most = (most_value)                   \
    }

static const number_field fields[] = {
    FIELD(server_index, "--index", 0, DCPS_MAX_SERVERS - 1),
    FIELD(server_count, "--servers", 1, DCPS_MAX_SERVERS),
    FIELD(shards_per_server, "--shards", 1, DCPS_MAX_SHARDS),
    FIELD(workers, "--workers", 1, DCPS_MAX_WORKERS),
    FIELD(seed, "--seed", 0, INT64_MAX),
    FIELD(batch_size, "--batch-size", 1, UINT32_MAX),
    FIELD(epochs, "--epochs", 1, UINT32_MAX),
    FIELD(total_params, NULL, 0, DCPS_MAX_PARAMS),
    FIELD(block_params, NULL, 0, DCPS_MAX_BLOCK_PARAMS),
    FIELD(samples_per_epoch, NULL, 0, INT64_MAX),
};

#define FIELD_COUNT (sizeof(fields) / sizeof(fields[0]))

static uint64_t get_field(const dcps_trace_run *run, const number_field *field)
{
    uint32_t half;
    uint64_t whole;
    const char *place = (const char *)run + field->offset;
    if (field->bytes == sizeof(half)) {
        memcpy(&half, place, sizeof(half));
        return half;
    }
    memcpy(&whole, place, sizeof(whole));
    return whole;
}

static void set_field(dcps_trace_run *run, const number_field *field, uint64_t value)
{
    uint32_t half = (uint32_t)value;
    memcpy((char *)run + field->offset, field->bytes == sizeof(half) ? (const void *)&half : (const void *)&value,
           field->bytes);
}

static dcps_status path_of(const char *dir, uint32_t server_index, char path[PATH_MAX])
{
    return dcps_format(path, PATH_MAX, "%s/server-%" PRIu32 ".json", dir, server_index);
}

bool dcps_trace_run_exists(const char *dir, uint32_t server_index)
{
    char path[PATH_MAX];
    return path_of(dir, server_index, path) == DCPS_OK && access(path, F_OK) == 0;
}

/* ---- writing ---- */

/* NULL when out of memory. */
static json_t *encode(const dcps_trace_run *run)
{
    json_t *rows = json_array();
    bool good = rows != NULL;
    for (uint32_t i = 0; good && i < run->shards_per_server; i++) {
        good = json_array_append_new(rows, json_integer((json_int_t)run->rows[i])) == 0;
    }
    json_t *root = json_pack("{s:s, s:s, s:o, s:b, s:s, s:o}", "schema", DCPS_TRACE_SCHEMA, "settings", run->settings,
                             "rows", rows, "complete", (int)run->complete, "reason", run->reason, "weights_digest",
                             json_sprintf("%016" PRIx64, run->weights_digest));
    good = good && root != NULL;
    for (size_t i = 0; good && i < FIELD_COUNT; i++) {
        good = json_object_set_new(root, fields[i].name, json_integer((json_int_t)get_field(run, &fields[i]))) == 0;
    }
    if (!good) {
        json_decref(root);
        return NULL;
    }
    return root;
}

dcps_status dcps_trace_run_write(const dcps_trace_run *run, const char *dir)
{
    char path[PATH_MAX];
    dcps_status status = path_of(dir, run->server_index, path);
    if (status != DCPS_OK) {
        return status;
    }
    json_t *root = encode(run);
    if (root == NULL) {
        return dcps_fail(DCPS_NO_MEMORY, "no memory for %s", path);
    }
    status = dcps_trace_json_write(root, path);
    json_decref(root);
    return status;
}

/* ---- reading ---- */

static dcps_status bad(const char *name)
{
    return dcps_fail(DCPS_CORRUPT, "field \"%s\" is missing or wrong", name);
}

static bool get_integer(const json_t *value, uint64_t least, uint64_t most, uint64_t *number)
{
    json_int_t found = json_integer_value(value);
    if (!json_is_integer(value) || found < 0 || (uint64_t)found < least || (uint64_t)found > most) {
        return false;
    }
    *number = (uint64_t)found;
    return true;
}

static bool get_text(const json_t *root, const char *name, char *out, size_t capacity)
{
    const json_t *value = json_object_get(root, name);
    if (!json_is_string(value) || json_string_length(value) >= capacity) {
        return false;
    }
    memcpy(out, json_string_value(value), json_string_length(value) + 1u);
    return true;
}

/* 16 hexadecimal digits. */
static bool get_digest(const json_t *root, uint64_t *digest)
{
    char text[17];
    if (!get_text(root, "weights_digest", text, sizeof(text)) || strlen(text) != 16 ||
        strspn(text, "0123456789abcdef") != 16) {
        return false;
    }
    *digest = strtoull(text, NULL, 16);
    return true;
}

static dcps_status decode_rows(const json_t *root, dcps_trace_run *run)
{
    const json_t *rows = json_object_get(root, "rows");
    if (!json_is_array(rows) || json_array_size(rows) != run->shards_per_server) {
        return bad("rows");
    }
    for (uint32_t i = 0; i < run->shards_per_server; i++) {
        if (!get_integer(json_array_get(rows, i), 0, INT64_MAX, &run->rows[i])) {
            return bad("rows");
        }
    }
    return DCPS_OK;
}

static dcps_status decode(const json_t *root, dcps_trace_run *run)
{
    for (size_t i = 0; i < FIELD_COUNT; i++) {
        uint64_t value;
        if (!get_integer(json_object_get(root, fields[i].name), fields[i].least, fields[i].most, &value)) {
            return bad(fields[i].name);
        }
        set_field(run, &fields[i], value);
    }
    if (!get_text(root, "settings", run->settings, sizeof(run->settings))) {
        return bad("settings");
    }
    if (!json_is_boolean(json_object_get(root, "complete"))) {
        return bad("complete");
    }
    if (!get_digest(root, &run->weights_digest)) {
        return bad("weights_digest");
    }
    run->complete = json_is_true(json_object_get(root, "complete"));
    return get_text(root, "reason", run->reason, sizeof(run->reason)) ? decode_rows(root, run) : bad("reason");
}

dcps_status dcps_trace_run_read(const char *dir, uint32_t server_index, dcps_trace_run *run)
{
    char path[PATH_MAX];
    json_t *root = NULL;
    dcps_trace_run made = {0};
    dcps_status status = path_of(dir, server_index, path);
    if (status == DCPS_OK) {
        status = dcps_trace_json_read(path, &root);
    }
    if (status != DCPS_OK) {
        return status;
    }
    status = decode(root, &made);
    json_decref(root);
    if (status == DCPS_OK && made.server_index != server_index) {
        status = dcps_fail(DCPS_CORRUPT, "it is of server %" PRIu32, made.server_index);
    }
    if (status != DCPS_OK) {
        char text[DCPS_TRACE_REASON_BYTES];
        (void)snprintf(text, sizeof(text), "%s", dcps_error_message());
        return dcps_fail(status, "%s: %s", path, text);
    }
    *run = made;
    return DCPS_OK;
}

/* ---- comparing ---- */

/* Length of what comes before the next ", ". */
static int part_length(const char *text)
{
    const char *end = strstr(text, ", ");
    return end == NULL ? (int)strlen(text) : (int)(end - text);
}

static const char *next_part(const char *text)
{
    const char *end = strstr(text, ", ");
    return end == NULL ? text + strlen(text) : end + 2;
}

/* Names the first part that differs in two texts that are not equal. */
static dcps_status fail_settings(const char *then, const char *here)
{
    while (part_length(then) == part_length(here) && strncmp(then, here, (size_t)part_length(then)) == 0) {
        then = next_part(then);
        here = next_part(here);
    }
    return dcps_fail(DCPS_MISMATCH, "the trace was recorded with other settings: there \"%.*s\", here \"%.*s\"",
                     part_length(then), then, part_length(here), here);
}

dcps_status dcps_trace_run_check(const dcps_trace_run *recorded, const dcps_trace_run *now)
{
    if (!recorded->complete) {
        return dcps_fail(DCPS_MISMATCH, "the trace of server %" PRIu32 " is not complete and cannot be replayed: %s",
                         recorded->server_index, recorded->reason);
    }
    for (size_t i = 0; i < FIELD_COUNT && fields[i].flag != NULL; i++) {
        uint64_t then = get_field(recorded, &fields[i]);
        uint64_t here = get_field(now, &fields[i]);
        if (then != here) {
            return dcps_fail(DCPS_MISMATCH,
                             "the trace was recorded with %" PRIu64 " as %s, this run has %" PRIu64 ": use the same %s",
                             then, fields[i].name, here, fields[i].flag);
        }
    }
    return strcmp(recorded->settings, now->settings) == 0 ? DCPS_OK : fail_settings(recorded->settings, now->settings);
}

dcps_status dcps_trace_run_check_model(const dcps_trace_run *recorded, const dcps_partition *partition,
                                       uint64_t samples_per_epoch)
{
    const struct {
        const char *what;
        uint64_t then;
        uint64_t here;
    } checks[] = {{"parameters", recorded->total_params, partition->total_params},
                  {"parameters a block (--block-params)", recorded->block_params, partition->block_params},
                  {"samples an epoch", recorded->samples_per_epoch, samples_per_epoch}};
    for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
        if (checks[i].then != checks[i].here) {
            return dcps_fail(DCPS_MISMATCH,
                             "the trace is of a model with %" PRIu64 " %s, this one has %" PRIu64
                             ": use the same model, options and data",
                             checks[i].then, checks[i].what, checks[i].here);
        }
    }
    return DCPS_OK;
}
