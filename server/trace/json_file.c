#include "server/trace/json_file.h"

#include <stdio.h>
#include <string.h>

#include "base/new_file.h"
#include "base/regular_file.h"
#include "server/trace/trace.h"

#define MAX_FILE_BYTES (1L << 20)

dcps_status dcps_trace_json_write(const json_t *root, const char *path)
{
    dcps_new_file made;
    dcps_status status = dcps_new_file_open(&made, path);
    if (status != DCPS_OK) {
        return status;
    }
    bool good = json_dumpf(root, made.file, JSON_INDENT(2)) == 0 && fputc('\n', made.file) != EOF;
    return dcps_new_file_close(&made, good);
}

static dcps_status check_schema(const json_t *root, const char *path)
{
    const json_t *schema = json_object_get(root, "schema");
    if (!json_is_string(schema) || strcmp(json_string_value(schema), DCPS_TRACE_SCHEMA) != 0) {
        return dcps_fail(DCPS_CORRUPT, "%s: its \"schema\" is not %s", path, DCPS_TRACE_SCHEMA);
    }
    return DCPS_OK;
}

dcps_status dcps_trace_json_read(const char *path, json_t **root)
{
    FILE *file;
    json_error_t error;
    dcps_status status = dcps_regular_file_stream(path, &file);
    if (status != DCPS_OK) {
        return dcps_fail(status, "cannot read the trace: %s", dcps_error_message());
    }
    json_t *found = NULL;
    if (fseek(file, 0, SEEK_END) != 0 || ftell(file) < 0 || ftell(file) > MAX_FILE_BYTES) {
        status = dcps_fail(DCPS_LIMIT, "%s is no file of at most %ld bytes", path, MAX_FILE_BYTES);
    } else {
        rewind(file);
        found = json_loadf(file, JSON_REJECT_DUPLICATES, &error);
        if (found == NULL) {
            status = dcps_fail(DCPS_CORRUPT, "%s:%d:%d: %s", path, error.line, error.column, error.text);
        }
    }
    (void)fclose(file);
    if (status == DCPS_OK) {
        status = check_schema(found, path);
    }
    if (status != DCPS_OK) {
        json_decref(found);
        return status;
    }
    *root = found;
    return DCPS_OK;
}
