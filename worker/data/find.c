#include "worker/data/find.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"

static bool find_file(const char *folder, const char *file, char path[PATH_MAX])
{
    static const char *const suffixes[] = {"", ".gz", ".xz"};
    for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
        if (dcps_format(path, PATH_MAX, "%s/%s%s", folder, file, suffixes[i]) == DCPS_OK && access(path, F_OK) == 0) {
            return true;
        }
    }
    return false;
}

dcps_status dcps_data_find_file(const char *folder, const char *file, char path[PATH_MAX])
{
    if (!find_file(folder, file, path)) {
        return dcps_fail(DCPS_NOT_FOUND, "%s/%s[.gz|.xz] is missing", folder, file);
    }
    return DCPS_OK;
}

/* The places of a search as a list for people: each is added with what comes before it. */
static dcps_status list_add(char *list, size_t capacity, size_t *length, const char *before, const char *folder)
{
    dcps_status status = dcps_format(list + *length, capacity - *length, "%s%s", before, folder);
    while (list[*length] != '\0') {
        ++*length;
    }
    return status;
}

static bool is_folder(const char *path)
{
    struct stat about;
    return stat(path, &about) == 0 && S_ISDIR(about.st_mode);
}

/* A folder that a person names must be one; that it has nothing of the set is no reason not to look where the system keeps it. */
static dcps_status check_folder(const char *dir)
{
    struct stat about;
    if (stat(dir, &about) != 0) {
        return dcps_fail(errno == ENOENT ? DCPS_NOT_FOUND : DCPS_IO, "data folder %s: %s", dir, strerror(errno));
    }
    return S_ISDIR(about.st_mode) ? DCPS_OK : dcps_fail(DCPS_INVALID, "data folder %s: expected a folder", dir);
}

dcps_status dcps_data_find_folder(const dcps_data_place *place, const char *dir, char folder[PATH_MAX])
{
    dcps_status given = dir == NULL ? DCPS_OK : check_folder(dir);
    if (given != DCPS_OK) {
        return given;
    }
    char path[PATH_MAX], places[4 * PATH_MAX] = "";
    size_t length = 0;
    for (size_t i = 0; dir != NULL; i++) {
        const char *sub = place->subfolders[i];
        dcps_status status =
            dcps_format(folder, PATH_MAX, "%s%s%s", dir, sub == NULL ? "" : "/", sub == NULL ? "" : sub);
        if (status != DCPS_OK || find_file(folder, place->marker, path)) {
            return status;
        }
        if (sub != NULL && is_folder(folder)) { /* of this very set, but not whole */
            return dcps_data_find_file(folder, place->marker, path);
        }
        status = list_add(places, sizeof(places), &length, i == 0 ? "" : sub == NULL ? " or " : ", ", folder);
        if (status != DCPS_OK) {
            return status;
        }
        if (sub == NULL) {
            break;
        }
    }
    if (place->system_folder != NULL) {
        dcps_status status = dcps_format(folder, PATH_MAX, "%s", place->system_folder);
        if (status != DCPS_OK || find_file(folder, place->marker, path)) {
            return status;
        }
        status = list_add(places, sizeof(places), &length, length == 0 ? "" : " or ", folder);
        if (status != DCPS_OK) {
            return status;
        }
    }
    return dcps_fail(DCPS_NOT_FOUND, "data set %s: no %s[.gz|.xz] in %s: %s", place->name, place->marker,
                     length == 0 ? "any folder (none was given)" : places, place->advice);
}
