#include "worker/model_list.h"

#include <dirent.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/options.h"
#include "base/text.h"
#include "worker/plugin.h"
#include "worker/plugin_folders.h"

typedef struct model_file {
    char *name;
    char *path;
} model_file;

typedef struct model_list {
    model_file *files;
    size_t count;
    size_t capacity;
    char places[2048]; /* cut when it grows too long */
    dcps_status status;
} model_list;

static bool is_known(const model_list *list, const char *name)
{
    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(list->files[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

static dcps_status reserve(model_list *list)
{
    if (list->count < list->capacity) {
        return DCPS_OK;
    }
    size_t capacity = list->capacity == 0 ? 16 : list->capacity * 2;
    model_file *grown = dcps_realloc(list->files, capacity, sizeof(*grown));
    if (grown == NULL) {
        return dcps_fail(DCPS_NO_MEMORY, "no memory for a list of models");
    }
    list->files = grown;
    list->capacity = capacity;
    return DCPS_OK;
}

/* Adds NAME.so of `folder`, unless a folder searched earlier has one of that name. */
static dcps_status add(model_list *list, const char *folder, const char *file)
{
    char name[NAME_MAX + 1];
    char path[PATH_MAX];
    size_t bytes = strlen(file);
    if (bytes <= 3 || strcmp(file + bytes - 3, ".so") != 0 ||
        dcps_format(name, sizeof(name), "%.*s", (int)(bytes - 3), file) != DCPS_OK ||
        dcps_format(path, sizeof(path), "%s/%s", folder, file) != DCPS_OK || is_known(list, name)) {
        return DCPS_OK;
    }
    dcps_status status = reserve(list);
    if (status != DCPS_OK) {
        return status;
    }
    model_file *added = &list->files[list->count];
    *added = (model_file){.name = dcps_strdup(name), .path = dcps_strdup(path)};
    if (added->name == NULL || added->path == NULL) {
        dcps_free(added->name);
        dcps_free(added->path);
        return dcps_fail(DCPS_NO_MEMORY, "no memory for a list of models");
    }
    list->count++;
    return DCPS_OK;
}

static void add_place(model_list *list, const char *folder)
{
    size_t used = strlen(list->places);
    if (dcps_format(list->places + used, sizeof(list->places) - used, "%s%s", used == 0 ? "" : ", ", folder) !=
        DCPS_OK) {
        list->places[used] = '\0';
    }
}

static bool list_folder(void *context, const char *folder)
{
    model_list *list = context;
    add_place(list, folder);
    DIR *directory = opendir(folder);
    if (directory == NULL) {
        return false; /* most of the places do not exist */
    }
    for (struct dirent *entry = readdir(directory); entry != NULL && list->status == DCPS_OK;
         entry = readdir(directory)) {
        list->status = add(list, folder, entry->d_name);
    }
    (void)closedir(directory);
    return list->status != DCPS_OK;
}

static int by_name(const void *left, const void *right)
{
    return strcmp(((const model_file *)left)->name, ((const model_file *)right)->name);
}

static void print_file(const model_file *file, FILE *out)
{
    dcps_plugin *plugin = NULL;
    if (dcps_plugin_open(file->path, &plugin) == DCPS_OK) {
        (void)fprintf(out, "%-16s %s (%s)\n", file->name, dcps_plugin_model(plugin)->summary, file->path);
        dcps_plugin_close(&plugin);
    } else {
        (void)fprintf(out, "%-16s cannot be used: %s\n", file->name, dcps_error_message());
    }
}

static void list_fini(model_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        dcps_free(list->files[i].name);
        dcps_free(list->files[i].path);
    }
    dcps_free(list->files);
}

/* All models in order. What it holds is freed with list_fini, on failure too. */
static dcps_status collect(model_list *list)
{
    *list = (model_list){.status = DCPS_OK};
    (void)dcps_plugin_folders_visit(list_folder, list);
    if (list->status == DCPS_OK && list->count == 0) {
        list->status = dcps_fail(DCPS_NOT_FOUND, "no models in %s; name their folder in DCPS_MODELS", list->places);
    }
    if (list->status == DCPS_OK) {
        qsort(list->files, list->count, sizeof(*list->files), by_name);
    }
    return list->status;
}

dcps_status dcps_model_list_print(FILE *out)
{
    model_list list;
    dcps_status status = collect(&list);
    for (size_t i = 0; status == DCPS_OK && i < list.count; i++) {
        print_file(&list.files[i], out);
    }
    list_fini(&list);
    return status;
}

dcps_status dcps_model_list_names(char *out, size_t capacity)
{
    model_list list;
    dcps_status status = collect(&list);
    size_t used = 0;
    for (size_t i = 0; status == DCPS_OK && used + 1 < capacity && i < list.count; i++) {
        int added = snprintf(out + used, capacity - used, "%s%s", i == 0 ? "" : " ", list.files[i].name);
        used += added > 0 ? (size_t)added : 0;
    }
    list_fini(&list);
    return status;
}

static void print_settings(const dcps_setting *settings, FILE *out)
{
    if (settings == NULL || settings[0].name == NULL) {
        return;
    }
    (void)fputs("Settings that suit it, which dcps run and dcps compare take where none are given:\n", out);
    for (; settings->name != NULL; settings++) {
        (void)fprintf(out, "  --%s=%s\n", settings->name, settings->value);
    }
}

dcps_status dcps_model_help_print(const char *model, FILE *out)
{
    dcps_plugin *plugin = NULL;
    dcps_status status = dcps_plugin_open(model, &plugin);
    if (status != DCPS_OK) {
        return status;
    }
    const dcps_model *table = dcps_plugin_model(plugin);
    (void)fprintf(out, "%s: %s\n", table->name, table->summary);
    if (table->options == NULL || table->options[0].name == NULL) {
        (void)fputs("It has no options.\n", out);
    } else {
        (void)fputs("Options, given as --model-opt NAME=VALUE:\n", out);
        dcps_options_print_help(table->options, out);
    }
    print_settings(table->settings, out);
    dcps_plugin_close(&plugin);
    return DCPS_OK;
}
