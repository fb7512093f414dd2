#include "base/regular_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

dcps_status dcps_regular_file_open(const char *path, int *fd)
{
    /* Without O_NONBLOCK, opening a pipe would wait for a writer. */
    int opened = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (opened < 0) {
        return dcps_fail(errno == ENOENT ? DCPS_NOT_FOUND : DCPS_IO, "%s cannot be opened: %s", path, strerror(errno));
    }
    struct stat about;
    if (fstat(opened, &about) != 0 || !S_ISREG(about.st_mode)) {
        (void)close(opened);
        return dcps_fail(DCPS_CORRUPT, "%s: expected a regular file", path);
    }
    *fd = opened;
    return DCPS_OK;
}

dcps_status dcps_regular_file_stream(const char *path, FILE **file)
{
    int fd;
    dcps_status status = dcps_regular_file_open(path, &fd);
    if (status != DCPS_OK) {
        return status;
    }
    FILE *stream = fdopen(fd, "r");
    if (stream == NULL) {
        status = dcps_fail(DCPS_IO, "%s cannot be opened: %s", path, strerror(errno));
        (void)close(fd);
        return status;
    }
    *file = stream;
    return DCPS_OK;
}
