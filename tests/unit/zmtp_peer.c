#include "unit/zmtp_peer.h"

#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

int tcp_connect(const char *endpoint)
{
    const struct timeval patience = {.tv_sec = 5};
    struct sockaddr_in address = {.sin_family = AF_INET};
    ck_assert_msg(strncmp(endpoint, "tcp://127.0.0.1:", 16) == 0, "%s", endpoint);
    address.sin_port = htons((uint16_t)strtoul(endpoint + 16, NULL, 10));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(connect(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), 0);
    return fd;
}

bool tcp_write(int fd, const void *bytes, size_t count)
{
    const uint8_t *at = bytes;
    while (count > 0) {
        ssize_t written = send(fd, at, count, MSG_NOSIGNAL);
        if (written <= 0) {
            return false;
        }
        at += written;
        count -= (size_t)written;
    }
    return true;
}

bool tcp_read(int fd, void *bytes, size_t count)
{
    uint8_t *at = bytes;
    while (count > 0) {
        ssize_t got = recv(fd, at, count, 0);
        if (got <= 0) {
            return false;
        }
        at += got;
        count -= (size_t)got;
    }
    return true;
}

int zmtp_connect(const char *endpoint)
{
    static const char ready[] = "\x05READY\x0bSocket-Type\0\0\0\x06"
                                "DEALER";
    uint8_t greeting[64] = {0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0x7f, 3, 0, 'N', 'U', 'L', 'L'};
    uint8_t theirs[256];
    size_t count = 0;
    unsigned flags = 0;
    int fd = tcp_connect(endpoint);
    ck_assert(tcp_write(fd, greeting, sizeof(greeting)));
    ck_assert(tcp_read(fd, theirs, sizeof(greeting)));
    ck_assert_uint_eq(theirs[0], 0xff);
    ck_assert_uint_eq(theirs[10], 3);
    ck_assert(zmtp_write_frame(fd, ZMTP_COMMAND, ready, sizeof(ready) - 1));
    ck_assert(zmtp_read_frame(fd, theirs, sizeof(theirs), &count, &flags));
    ck_assert_uint_eq(flags & ZMTP_COMMAND, ZMTP_COMMAND);
    ck_assert_mem_eq(theirs, "\x05READY", 6);
    return fd;
}

bool zmtp_write_frame(int fd, unsigned flags, const void *bytes, size_t count)
{
    uint8_t head[9] = {(uint8_t)flags, (uint8_t)count};
    size_t head_bytes = 2;
    if (count > 255) {
        head[0] = (uint8_t)(flags | ZMTP_LONG);
        for (size_t i = 0; i < 8; i++) {
            head[1 + i] = (uint8_t)((uint64_t)count >> (56 - 8 * i));
        }
        head_bytes = 9;
    }
    return tcp_write(fd, head, head_bytes) && tcp_write(fd, bytes, count);
}

bool zmtp_read_frame(int fd, void *bytes, size_t capacity, size_t *count, unsigned *flags)
{
    uint8_t head[9];
    uint8_t byte = 0;
    uint64_t size = 0;
    if (!tcp_read(fd, head, 1)) {
        return false;
    }
    size_t size_bytes = (head[0] & ZMTP_LONG) != 0 ? 8 : 1;
    if (!tcp_read(fd, head + 1, size_bytes)) {
        return false;
    }
    for (size_t i = 0; i < size_bytes; i++) {
        size = size << 8 | head[1 + i];
    }
    for (uint64_t i = 0; i < size; i++) {
        if (!tcp_read(fd, &byte, 1)) {
            return false;
        }
        if (i < capacity) {
            ((uint8_t *)bytes)[i] = byte;
        }
    }
    *flags = head[0];
    *count = size < capacity ? (size_t)size : capacity;
    return true;
}
