#include "base/new_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/folder.h"
#include "base/text.h"

static dcps_status create(dcps_new_file *made, mode_t mode)
{
    made->file = NULL;
    made->fd = open(made->temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, mode);
    return made->fd >= 0 ? DCPS_OK : dcps_fail(DCPS_IO, "cannot write %s: %s", made->temporary, strerror(errno));
}

dcps_status dcps_new_file_open_large(dcps_new_file *made, const char *path)
{
    dcps_status status = dcps_format(made->path, sizeof(made->path), "%s", path);
    if (status == DCPS_OK) {
        status = dcps_format(made->temporary, sizeof(made->temporary), "%s.tmp", path);
    }
    return status == DCPS_OK ? create(made, 0644) : status;
}

dcps_status dcps_new_file_open(dcps_new_file *made, const char *path)
{
    dcps_status status = dcps_format(made->path, sizeof(made->path), "%s", path);
    if (status == DCPS_OK) {
        status = dcps_format(made->temporary, sizeof(made->temporary), "%s.%ld.tmp", path, (long)getpid());
    }
    if (status == DCPS_OK) {
        status = create(made, 0666);
    }
    if (status != DCPS_OK) {
        return status;
    }
    made->file = fdopen(made->fd, "w");
    if (made->file == NULL) {
        status = dcps_fail(DCPS_IO, "cannot write %s: %s", made->temporary, strerror(errno));
        dcps_new_file_abandon(made);
    }
    return status;
}

/* Closes it in any case; false, with errno, unless all of it is on disk. */
static bool finish(dcps_new_file *made)
{
    bool good = made->file == NULL || (!ferror(made->file) && fflush(made->file) == 0);
    good = good && fsync(made->fd) == 0;
    int error = errno;
    bool closed = (made->file != NULL ? fclose(made->file) : close(made->fd)) == 0;
    made->file = NULL;
    made->fd = -1;
    if (!good) {
        errno = error;
    }
    return good && closed;
}

dcps_status dcps_new_file_close(dcps_new_file *made, bool good)
{
    if (good && finish(made) && rename(made->temporary, made->path) == 0) {
        return dcps_folder_sync(made->path);
    }
    int error = errno;
    dcps_new_file_abandon(made);
    return dcps_fail(DCPS_IO, "cannot write %s: %s", made->path, strerror(error));
}

void dcps_new_file_abandon(dcps_new_file *made)
{
    if (made->file != NULL) {
        (void)fclose(made->file);
    } else if (made->fd >= 0) {
        (void)close(made->fd);
    }
    made->file = NULL;
    made->fd = -1;
    (void)unlink(made->temporary);
}
