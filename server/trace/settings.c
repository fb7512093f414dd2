/* How a run was started: one small JSON file. */
#include <limits.h>
#include <string.h>

#include "base/alloc.h"
#include "base/text.h"
#include "server/trace/json_file.h"
#include "server/trace/trace.h"

#define FILE_NAME "run.json"

dcps_status dcps_trace_settings_add(dcps_trace_settings *settings, const char *name, const char *value)
{
    dcps_trace_setting *items = dcps_realloc(settings->items, settings->count + 1u, sizeof(*items));
    if (items == NULL) {
        return dcps_fail(DCPS_NO_MEMORY, "no memory for the settings of a trace");
    }
    settings->items = items;
    dcps_trace_setting item = {.name = dcps_strdup(name), .value = dcps_strdup(value)};
    if (item.name == NULL || item.value == NULL) {
        dcps_free(item.name);
        dcps_free(item.value);
        return dcps_fail(DCPS_NO_MEMORY, "no memory for the settings of a trace");
    }
    items[settings->count++] = item;
    return DCPS_OK;
}

void dcps_trace_settings_fini(dcps_trace_settings *settings)
{
    for (size_t i = 0; i < settings->count; i++) {
        dcps_free(settings->items[i].name);
        dcps_free(settings->items[i].value);
    }
    dcps_free(settings->items);
    *settings = (dcps_trace_settings){0};
}

const char *dcps_trace_settings_find(const dcps_trace_settings *settings, const char *name)
{
    for (size_t i = 0; i < settings->count; i++) {
        if (strcmp(settings->items[i].name, name) == 0) {
            return settings->items[i].value;
        }
    }
    return NULL;
}

dcps_status dcps_trace_settings_write(const dcps_trace_settings *settings, const char *dir)
{
    char path[PATH_MAX];
    dcps_status status = dcps_format(path, sizeof(path), "%s/" FILE_NAME, dir);
    if (status != DCPS_OK) {
        return status;
    }
    json_t *options = json_object();
    bool good = options != NULL;
    for (size_t i = 0; good && i < settings->count; i++) {
        good = json_object_set_new(options, settings->items[i].name, json_string(settings->items[i].value)) == 0;
    }
    json_t *root = json_pack("{s:s, s:o}", "schema", DCPS_TRACE_SCHEMA, "options", options);
    status = good && root != NULL ? dcps_trace_json_write(root, path)
                                  : dcps_fail(DCPS_INVALID, "a setting of the run is no UTF-8 text, or memory is out");
    json_decref(root);
    return status;
}

static dcps_status decode(const json_t *root, const char *path, dcps_trace_settings *settings)
{
    json_t *options = json_object_get(root, "options");
    const char *name;
    json_t *value;
    if (!json_is_object(options)) {
        return dcps_fail(DCPS_CORRUPT, "%s: \"options\" is missing or no object", path);
    }
    json_object_foreach(options, name, value)
    {
        if (!json_is_string(value)) {
            return dcps_fail(DCPS_CORRUPT, "%s: option \"%.64s\" is no text", path, name);
        }
        dcps_status status = dcps_trace_settings_add(settings, name, json_string_value(value));
        if (status != DCPS_OK) {
            return status;
        }
    }
    return DCPS_OK;
}

dcps_status dcps_trace_settings_read(const char *dir, dcps_trace_settings *settings)
{
    char path[PATH_MAX];
    json_t *root = NULL;
    dcps_trace_settings made = {0};
    dcps_status status = dcps_format(path, sizeof(path), "%s/" FILE_NAME, dir);
    if (status == DCPS_OK) {
        status = dcps_trace_json_read(path, &root);
    }
    if (status != DCPS_OK) {
        return status;
    }
    status = decode(root, path, &made);
    json_decref(root);
    if (status != DCPS_OK) {
        dcps_trace_settings_fini(&made);
        return status;
    }
    *settings = made;
    return DCPS_OK;
}
