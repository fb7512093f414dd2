#include "base/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"

dcps_status dcps_folder_make(const char *dir)
{
    char path[PATH_MAX];
    dcps_status status = dcps_format(path, sizeof(path), "%s/", dir);
    if (status != DCPS_OK) {
        return status;
    }
    for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(path, 0777) != 0 && errno != EEXIST) {
            return dcps_fail(DCPS_IO, "cannot make the folder %s: %s", path, strerror(errno));
        }
        *slash = '/';
    }
    return DCPS_OK;
}

dcps_status dcps_folder_make_writable(const char *dir)
{
    char path[PATH_MAX];
    dcps_status status = dcps_folder_make(dir);
    if (status == DCPS_OK) {
        status = dcps_format(path, sizeof(path), "%s/.dcps-XXXXXX", dir);
    }
    if (status != DCPS_OK) {
        return status;
    }
    int fd = mkstemp(path);
    if (fd < 0) {
        return dcps_fail(DCPS_IO, "cannot write into %s: %s", dir, strerror(errno));
    }
    (void)close(fd);
    (void)unlink(path);
    return DCPS_OK;
}

dcps_status dcps_folder_sync(const char *path)
{
    char folder[PATH_MAX];
    dcps_status status = dcps_format(folder, sizeof(folder), "%s", path);
    if (status != DCPS_OK) {
        return status;
    }
    char *slash = strrchr(folder, '/');
    if (slash == folder) {
        slash[1] = '\0';
    } else if (slash != NULL) {
        *slash = '\0';
    }
    int fd = open(slash == NULL ? "." : folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool forced = fd >= 0 && fsync(fd) == 0;
    bool impossible = errno == EACCES || errno == EINVAL || errno == ENOTSUP;
    if (!forced && !impossible) {
        status = dcps_fail(DCPS_IO, "cannot force the folder of %s to disk: %s", path, strerror(errno));
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    return status;
}
