#include "worker/plugin_folders.h"

#include <dlfcn.h>
#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"

/* The folders of DCPS_MODELS. */
static bool visit_environment(dcps_plugin_folder_fn visit, void *context)
{
    const char *folders = getenv("DCPS_MODELS");
    char folder[PATH_MAX];
    while (folders != NULL && *folders != '\0') {
        size_t bytes = strcspn(folders, ":");
        if (bytes > 0 && bytes < sizeof(folder)) {
            memcpy(folder, folders, bytes);
            folder[bytes] = '\0';
            if (visit(context, folder)) {
                return true;
            }
        }
        folders += bytes + (folders[bytes] == ':');
    }
    return false;
}

/* Models lie beside programs (bin/… and lib/dcps/models) and beside the library (lib/libdcps.so and lib/dcps/models). `file` is cut to its folder. */
static bool visit_near(char *file, dcps_plugin_folder_fn visit, void *context)
{
    const char *folder = dirname(file);
    char path[PATH_MAX];
    return (dcps_format(path, sizeof(path), "%s/../lib/dcps/models", folder) == DCPS_OK && visit(context, path)) ||
           (dcps_format(path, sizeof(path), "%s/dcps/models", folder) == DCPS_OK && visit(context, path));
}

static bool visit_near_program(dcps_plugin_folder_fn visit, void *context)
{
    char file[PATH_MAX];
    ssize_t bytes = readlink("/proc/self/exe", file, sizeof(file) - 1);
    if (bytes <= 0) {
        return false;
    }
    file[bytes] = '\0';
    return visit_near(file, visit, context);
}

/* This function is part of libdcps, so its address tells where that lies. */
static bool visit_near_library(dcps_plugin_folder_fn visit, void *context)
{
    Dl_info info;
    char file[PATH_MAX];
    return dladdr((const void *)dcps_plugin_folders_visit, &info) != 0 && info.dli_fname != NULL &&
           realpath(info.dli_fname, file) != NULL && visit_near(file, visit, context);
}

bool dcps_plugin_folders_visit(dcps_plugin_folder_fn visit, void *context)
{
    return visit_environment(visit, context) || visit_near_program(visit, context) ||
           visit_near_library(visit, context);
}
