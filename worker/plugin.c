#include "worker/plugin.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/text.h"
#include "worker/plugin_file.h"
#include "worker/plugin_folders.h"

struct dcps_plugin {
    char path[PATH_MAX];
    void *handle;
    const dcps_model *model;
};

/* Folders looked at, for the error; cut when it grows too long. */
typedef struct model_search {
    const char *name;
    char found[PATH_MAX];
    char places[2048];
} model_search;

static bool try_folder(void *context, const char *folder)
{
    model_search *search = context;
    char path[PATH_MAX];
    if (dcps_format(path, sizeof(path), "%s/%s.so", folder, search->name) != DCPS_OK) {
        return false;
    }
    if (access(path, F_OK) == 0) {
        memcpy(search->found, path, sizeof(path));
        return true;
    }
    size_t used = strlen(search->places);
    if (dcps_format(search->places + used, sizeof(search->places) - used, "%s%s", used == 0 ? "" : ", ", folder) !=
        DCPS_OK) {
        search->places[used] = '\0';
    }
    return false;
}

static bool is_path(const char *model)
{
    size_t bytes = strlen(model);
    return strchr(model, '/') != NULL || (bytes > 3 && strcmp(model + bytes - 3, ".so") == 0);
}

/* Absolute, so that dlopen does not search its own places. */
static dcps_status resolve_path(const char *model, char path[PATH_MAX])
{
    if (realpath(model, path) == NULL) {
        return dcps_fail(DCPS_NOT_FOUND, "model %s: no such file", model);
    }
    return DCPS_OK;
}

static dcps_status resolve(const char *model, char path[PATH_MAX])
{
    if (model[0] == '\0') {
        return dcps_fail(DCPS_INVALID, "model: expected a name (\"mlp\") or the path of a .so, seen an empty text");
    }
    if (is_path(model)) {
        return resolve_path(model, path);
    }
    model_search search = {.name = model};
    if (dcps_plugin_folders_visit(try_folder, &search)) {
        return resolve_path(search.found, path);
    }
    return dcps_fail(DCPS_NOT_FOUND, "model %s: no %s.so in %s; give the path of its .so, or its folder in DCPS_MODELS",
                     model, model, search.places);
}

static dcps_status load(dcps_plugin *plugin)
{
    dcps_status status = dcps_plugin_file_check(plugin->path);
    if (status != DCPS_OK) {
        return status;
    }
    plugin->handle = dlopen(plugin->path, RTLD_NOW | RTLD_LOCAL);
    if (plugin->handle == NULL) {
        return dcps_fail(DCPS_INVALID, "model %s cannot be loaded: %s", plugin->path, dlerror());
    }
    plugin->model = dlsym(plugin->handle, DCPS_MODEL_SYMBOL);
    if (plugin->model == NULL) {
        return dcps_fail(
            DCPS_INVALID,
            "model %s: expected the symbol %s (made by DCPS_MODEL_EXPORT), the file has none: is it a dcps model?",
            plugin->path, DCPS_MODEL_SYMBOL);
    }
    return dcps_plugin_check(plugin->path, plugin->model);
}

dcps_status dcps_plugin_open(const char *model, dcps_plugin **plugin)
{
    dcps_plugin *made = dcps_alloc(1, sizeof(*made));
    if (made == NULL) {
        return dcps_fail(DCPS_NO_MEMORY, "model %s: no memory", model);
    }
    dcps_status status = resolve(model, made->path);
    if (status == DCPS_OK) {
        status = load(made);
    }
    if (status != DCPS_OK) {
        dcps_plugin_close(&made);
        return status;
    }
    *plugin = made;
    return DCPS_OK;
}

const dcps_model *dcps_plugin_model(const dcps_plugin *plugin)
{
    return plugin->model;
}

const char *dcps_plugin_path(const dcps_plugin *plugin)
{
    return plugin->path;
}

void dcps_plugin_close(dcps_plugin **plugin)
{
    if (*plugin == NULL) {
        return;
    }
    if ((*plugin)->handle != NULL) {
        dlclose((*plugin)->handle);
    }
    dcps_free(*plugin);
    *plugin = NULL;
}
