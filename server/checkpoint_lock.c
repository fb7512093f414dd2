/* One server a file: two runs with one folder would overwrite each other's checkpoints. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/log.h"
#include "base/text.h"
#include "server/checkpoint.h"

/* " (process 4711)", or nothing when the file does not say. */
static void holder(int fd, char *text, size_t capacity)
{
    char content[32] = "";
    unsigned long pid;
    ssize_t got = pread(fd, content, sizeof(content) - 1u, 0);
    text[0] = '\0';
    if (got > 0 && sscanf(content, "%10lu", &pid) == 1) {
        snprintf(text, capacity, " (process %lu)", pid);
    }
}

/* For people and for the message of whoever comes second; the lock holds without it. */
static void write_holder(int fd, const char *path)
{
    char content[32];
    int length = snprintf(content, sizeof(content), "%ld\n", (long)getpid());
    if (ftruncate(fd, 0) != 0 || pwrite(fd, content, (size_t)length, 0) != length) {
        dcps_warn("cannot write into %s: %s", path, strerror(errno));
    }
}

dcps_status dcps_checkpoint_lock(const char *dir, uint32_t server_index, uint32_t server_count, int *lock)
{
    char path[PATH_MAX];
    char who[32];
    dcps_status status = dcps_format(path, sizeof(path), "%s/.dcps-%u-of-%u.lock", dir, server_index, server_count);
    if (status != DCPS_OK) {
        return status;
    }
    int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (fd < 0) {
        return dcps_fail(DCPS_IO, "cannot open the lock file %s: %s", path, strerror(errno));
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno == EWOULDBLOCK) {
            holder(fd, who, sizeof(who));
            (void)close(fd);
            return dcps_fail(DCPS_INVALID,
                             "another server%s is running as server %u of %u with --checkpoint-dir %s: end it, or "
                             "choose another folder",
                             who, server_index, server_count, dir);
        }
        dcps_warn("cannot lock %s: %s; a second run that writes into this folder would not be noticed", path,
                  strerror(errno));
    }
    write_holder(fd, path);
    *lock = fd;
    return DCPS_OK;
}
