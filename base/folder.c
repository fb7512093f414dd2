#include "base/folder.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

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
