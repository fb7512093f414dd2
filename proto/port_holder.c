#include "proto/port_holder.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"

#define STATE_LISTEN 0x0a

/* The inode of the listening socket of `port` in one of the tables of /proc/net; false if there is none. */
static bool find_inode(const char *table, uint16_t port, uint64_t *inode)
{
    char line[512];
    FILE *file = fopen(table, "re");
    if (file == NULL) {
        return false;
    }
    bool found = false;
    while (!found && fgets(line, sizeof(line), file) != NULL) {
        unsigned local_port = 0;
        unsigned state = 0;
        uint64_t number = 0;
        /* sl local:port remote:port state queues timer retransmits uid timeout inode */
        int fields =
            sscanf(line, " %*u: %*[0-9A-Fa-f]:%x %*s %x %*s %*s %*s %*s %*s %" SCNu64, &local_port, &state, &number);
        if (fields == 3 && local_port == port && state == STATE_LISTEN) {
            *inode = number;
            found = true;
        }
    }
    (void)fclose(file);
    return found;
}

/* Whether the process of /proc/<process> holds a descriptor of this socket. */
static bool holds_socket(const char *process, const char *socket_link)
{
    char path[64];
    char target[64];
    if (dcps_format(path, sizeof(path), "/proc/%s/fd", process) != DCPS_OK) {
        return false;
    }
    DIR *descriptors = opendir(path);
    if (descriptors == NULL) {
        return false;
    }
    bool found = false;
    for (struct dirent *entry = readdir(descriptors); entry != NULL && !found; entry = readdir(descriptors)) {
        ssize_t length = readlinkat(dirfd(descriptors), entry->d_name, target, sizeof(target) - 1);
        if (length > 0) {
            target[length] = '\0';
            found = strcmp(target, socket_link) == 0;
        }
    }
    (void)closedir(descriptors);
    return found;
}

static bool describe(const char *process, char *out, size_t capacity)
{
    char path[64];
    char name[64] = "";
    if (dcps_format(path, sizeof(path), "/proc/%s/comm", process) != DCPS_OK) {
        return false;
    }
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return false;
    }
    bool read = fgets(name, sizeof(name), file) != NULL;
    (void)fclose(file);
    name[strcspn(name, "\n")] = '\0';
    return read && dcps_format(out, capacity, "%s (process %s)", name, process) == DCPS_OK;
}

bool dcps_port_holder(uint16_t port, char *out, size_t capacity)
{
    uint64_t inode = 0;
    char socket_link[64];
    if (!find_inode("/proc/net/tcp", port, &inode) && !find_inode("/proc/net/tcp6", port, &inode)) {
        return false;
    }
    DIR *processes = opendir("/proc");
    if (processes == NULL) {
        return false;
    }
    bool found = dcps_format(socket_link, sizeof(socket_link), "socket:[%" PRIu64 "]", inode) == DCPS_OK;
    bool described = false;
    for (struct dirent *entry = readdir(processes); found && entry != NULL; entry = readdir(processes)) {
        if (isdigit((unsigned char)entry->d_name[0]) && holds_socket(entry->d_name, socket_link)) {
            described = describe(entry->d_name, out, capacity);
            break;
        }
    }
    (void)closedir(processes);
    return described;
}
