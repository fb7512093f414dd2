#include "cli/common/programs.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/text.h"
#include "proto/limits.h"

dcps_status dcps_program_dir(char *out, size_t capacity)
{
    char path[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 1);
    if (length < 0) {
        return dcps_fail(DCPS_SYSTEM, "cannot find out where this program lies: %s (is /proc mounted?)",
                         strerror(errno));
    }
    path[length] = '\0';
    char *slash = strrchr(path, '/');
    if (slash != NULL) {
        *slash = '\0';
    }
    return dcps_format(out, capacity, "%s", path);
}

dcps_status dcps_program_find(const char *dir, const char *name, char *out, size_t capacity)
{
    dcps_status status = dcps_format(out, capacity, "%s/%s", dir, name);
    if (status == DCPS_OK && access(out, X_OK) != 0) {
        return dcps_fail(DCPS_NOT_FOUND, "%s: %s (it belongs beside the dcps program: build or install all of dcps)",
                         out, strerror(errno));
    }
    return status;
}

uint32_t dcps_cores_online(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof(set), &set) == 0) {
        int count = CPU_COUNT(&set);
        return count < 1 ? 1 : (uint32_t)count;
    }
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online < 1 ? 1 : (uint32_t)online;
}

/* A socket on a port of the kernel's choice: while it is open nobody else gets that port. */
static dcps_status port_hold(int *fd, uint16_t *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(address);
    int made = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (made < 0 || bind(made, (struct sockaddr *)&address, length) != 0 ||
        getsockname(made, (struct sockaddr *)&address, &length) != 0) {
        int error = errno;
        if (made >= 0) {
            (void)close(made);
        }
        return dcps_fail(DCPS_SYSTEM, "cannot get a free port of 127.0.0.1: %s", strerror(error));
    }
    *fd = made;
    *port = ntohs(address.sin_port);
    return DCPS_OK;
}

dcps_status dcps_ports_pick(uint16_t *ports, uint32_t count)
{
    int held[DCPS_MAX_SERVERS];
    uint32_t done = 0;
    dcps_status status =
        count <= DCPS_MAX_SERVERS ? DCPS_OK : dcps_fail(DCPS_LIMIT, "more than %u servers", DCPS_MAX_SERVERS);
    while (status == DCPS_OK && done < count) {
        status = port_hold(&held[done], &ports[done]);
        done += status == DCPS_OK;
    }
    for (uint32_t i = 0; i < done; i++) {
        (void)close(held[i]);
    }
    return status;
}
