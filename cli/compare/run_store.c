#include "cli/compare/run_store.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/folder.h"
#include "base/hash.h"
#include "base/new_file.h"
#include "base/regular_file.h"
#include "base/text.h"
#include "cli/results/results.h"

#define DCPS_RUN_SCHEMA "dcps-run/1"
#define DCPS_LABEL_MOST 150               /* bytes of a label in a file's name */
#define DCPS_SUFFIX_BYTES (1u + 16u + 5u) /* "-0123456789abcdef.json" */

/* Reals with 17 digits come back to the bit. */
#define DCPS_RUN_DUMP_FLAGS (JSON_INDENT(1) | JSON_REAL_PRECISION(17))

dcps_status dcps_run_store_init(dcps_run_store *store, const char *dir, const char *version)
{
    store->version = version;
    dcps_status status = dcps_format(store->dir, sizeof(store->dir), "%s/runs", dir);
    return status == DCPS_OK ? dcps_folder_make_writable(store->dir) : status;
}

/* Over the arguments, each with its final zero: tells files apart. What a file holds is compared in full. */
static uint64_t hash_of(const dcps_args *args)
{
    uint64_t hash = DCPS_HASH_START;
    for (size_t i = 0; i < args->count; i++) {
        hash = dcps_hash_bytes(hash, args->items[i], strlen(args->items[i]) + 1);
    }
    return hash;
}

static dcps_status path_of(const dcps_run_store *store, const char *label, const dcps_args *args, char *path)
{
    char plain[DCPS_LABEL_MOST + 1];
    size_t length = 0;
    for (; label[length] != '\0' && length < DCPS_LABEL_MOST; length++) {
        unsigned char byte = (unsigned char)label[length];
        plain[length] = isalnum(byte) || strchr("@+=.,-", byte) != NULL ? (char)byte : '_';
    }
    plain[length] = '\0';
    return dcps_format(path, PATH_MAX, "%s/%s-%016" PRIx64 ".json", store->dir, plain, hash_of(args));
}

static json_t *arguments_json(const dcps_args *args)
{
    json_t *array = json_array();
    for (size_t i = 0; array != NULL && i < args->count; i++) {
        if (json_array_append_new(array, json_string(args->items[i])) != 0) {
            json_decref(array);
            array = NULL;
        }
    }
    return array;
}

static bool same_arguments(json_t *array, const dcps_args *args)
{
    bool same = json_is_array(array) && json_array_size(array) == args->count;
    for (size_t i = 0; same && i < args->count; i++) {
        const char *text = json_string_value(json_array_get(array, i));
        same = text != NULL && strcmp(text, args->items[i]) == 0;
    }
    return same;
}

static dcps_status check_run(const char *path, json_t *object)
{
    dcps_result_run run;
    char why[200];
    dcps_status status = dcps_result_parse(object, &run);
    if (status == DCPS_OK) {
        dcps_result_fini(&run);
        return DCPS_OK;
    }
    (void)snprintf(why, sizeof(why), "%s", dcps_error_message());
    return dcps_fail(status, "%s is damaged: %s", path, why);
}

static dcps_status check_document(const dcps_run_store *store, const char *path, json_t *document,
                                  const dcps_args *args)
{
    const char *schema = json_string_value(json_object_get(document, "schema"));
    const char *version = json_string_value(json_object_get(document, "version"));
    json_t *dataset = json_object_get(document, "dataset");
    if (schema == NULL || strcmp(schema, DCPS_RUN_SCHEMA) != 0) {
        return dcps_fail(DCPS_CORRUPT, "%s is no run of a comparison: expected the schema %s", path, DCPS_RUN_SCHEMA);
    }
    if (!same_arguments(json_object_get(document, "arguments"), args)) {
        return dcps_fail(DCPS_CORRUPT, "%s is of another run: its arguments differ", path);
    }
    if (version == NULL || strcmp(version, store->version) != 0) {
        return dcps_fail(DCPS_MISMATCH, "%s was made by version %.40s, this is %s", path,
                         version == NULL ? "?" : version, store->version);
    }
    if (!json_is_string(json_object_get(document, "model")) || !(json_is_string(dataset) || json_is_null(dataset))) {
        return dcps_fail(DCPS_CORRUPT, "%s is damaged: it names no model or data", path);
    }
    return check_run(path, json_object_get(document, "run"));
}

static dcps_status read_document(const char *path, json_t **document)
{
    json_error_t error;
    FILE *file;
    dcps_status status = dcps_regular_file_stream(path, &file);
    if (status != DCPS_OK) {
        return status;
    }
    json_t *read = json_loadf(file, JSON_REJECT_DUPLICATES, &error);
    (void)fclose(file);
    if (read == NULL) {
        return dcps_fail(DCPS_CORRUPT, "%s is damaged: line %d: %s", path, error.line, error.text);
    }
    *document = read;
    return DCPS_OK;
}

dcps_status dcps_run_store_load(const dcps_run_store *store, const char *label, const dcps_args *args,
                                dcps_stored_run *stored)
{
    char path[PATH_MAX];
    json_t *document = NULL;
    dcps_status status = path_of(store, label, args, path);
    status = status == DCPS_OK ? read_document(path, &document) : status;
    if (status != DCPS_OK) {
        return status;
    }
    status = check_document(store, path, document, args);
    if (status == DCPS_OK) {
        *stored = (dcps_stored_run){.run = json_incref(json_object_get(document, "run")),
                                    .model = json_incref(json_object_get(document, "model")),
                                    .dataset = json_incref(json_object_get(document, "dataset"))};
    }
    json_decref(document);
    return status;
}

dcps_status dcps_run_store_save(const dcps_run_store *store, const char *label, const dcps_args *args,
                                const dcps_stored_run *stored)
{
    char path[PATH_MAX];
    dcps_new_file made;
    dcps_status status = path_of(store, label, args, path);
    json_t *document =
        json_pack("{s:s, s:s, s:o, s:O, s:O, s:O}", "schema", DCPS_RUN_SCHEMA, "version", store->version, "arguments",
                  arguments_json(args), "model", stored->model, "dataset", stored->dataset, "run", stored->run);
    if (status == DCPS_OK && document == NULL) {
        status = dcps_fail(DCPS_NO_MEMORY, "no memory to keep a run");
    }
    status = status == DCPS_OK ? dcps_new_file_open(&made, path) : status;
    if (status == DCPS_OK) {
        bool good = json_dumpf(document, made.file, DCPS_RUN_DUMP_FLAGS) == 0 && fputc('\n', made.file) != EOF;
        status = dcps_new_file_close(&made, good);
    }
    json_decref(document);
    return status;
}

void dcps_stored_run_fini(dcps_stored_run *stored)
{
    json_decref(stored->run);
    json_decref(stored->model);
    json_decref(stored->dataset);
    *stored = (dcps_stored_run){.run = NULL};
}

/* "…-0123456789abcdef.json", as path_of makes them. */
static bool is_ours(const char *name)
{
    size_t length = strlen(name);
    if (length <= DCPS_SUFFIX_BYTES || strcmp(name + length - 5, ".json") != 0) {
        return false;
    }
    const char *suffix = name + length - DCPS_SUFFIX_BYTES;
    return suffix[0] == '-' && strspn(suffix + 1, "0123456789abcdef") == 16;
}

dcps_status dcps_run_store_clear(const dcps_run_store *store)
{
    DIR *dir = opendir(store->dir);
    if (dir == NULL) {
        return dcps_fail(DCPS_IO, "cannot read the folder %s: %s", store->dir, strerror(errno));
    }
    dcps_status status = DCPS_OK;
    for (struct dirent *entry = readdir(dir); status == DCPS_OK && entry != NULL; entry = readdir(dir)) {
        if (is_ours(entry->d_name) && unlinkat(dirfd(dir), entry->d_name, 0) != 0) {
            status = dcps_fail(DCPS_IO, "cannot remove %s/%s: %s", store->dir, entry->d_name, strerror(errno));
        }
    }
    (void)closedir(dir);
    return status;
}
