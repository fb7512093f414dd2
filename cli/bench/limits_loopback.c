/* The rate of plain sockets between two threads of this machine. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "cli/bench/limits.h"

enum {
    MESSAGE_BYTES = 1 << 20,
    MESSAGES = 128, /* a round; after each the receiver answers with one byte */
    MAX_ROUNDS = 9,
    BUDGET_MS = 700, /* no further round after that */
    TIMEOUT_S = 20,
};

static dcps_status socket_fail(const char *what)
{
    return dcps_fail(DCPS_SYSTEM, "cannot %s to measure the loopback rate: %s", what, strerror(errno));
}

static bool send_all(int fd, const char *data, size_t bytes)
{
    while (bytes > 0) {
        const ssize_t sent = send(fd, data, bytes, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) {
            continue;
        }
        if (sent <= 0) {
            return false;
        }
        data += sent;
        bytes -= (size_t)sent;
    }
    return true;
}

/* Receives exactly `bytes` into a buffer of MESSAGE_BYTES, message by message. */
static bool receive_all(int fd, char *buffer, size_t bytes)
{
    size_t filled = 0;
    while (bytes > 0) {
        const size_t room = MESSAGE_BYTES - filled;
        const ssize_t got = recv(fd, buffer + filled, bytes < room ? bytes : room, 0);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            return false;
        }
        bytes -= (size_t)got;
        filled = (filled + (size_t)got) % MESSAGE_BYTES;
    }
    return true;
}

typedef struct receiver {
    int fd;
    char *buffer;
} receiver;

static void *receiver_run(void *context)
{
    const receiver *self = context;
    while (receive_all(self->fd, self->buffer, (size_t)MESSAGE_BYTES * MESSAGES) && send_all(self->fd, "", 1)) {
    }
    return NULL;
}

static dcps_status exchange(int fd, const char *message, double *seconds)
{
    const uint64_t start_ns = dcps_clock_ns();
    bool good = true;
    for (int i = 0; i < MESSAGES && good; i++) {
        good = send_all(fd, message, MESSAGE_BYTES);
    }
    char answer;
    if (!good || recv(fd, &answer, 1, MSG_WAITALL) != 1) {
        return socket_fail("exchange messages");
    }
    *seconds = (double)(dcps_clock_ns() - start_ns) / (double)DCPS_NS_PER_S;
    return DCPS_OK;
}

/* The best of several rounds, after one to warm up. */
static dcps_status measure(int fd, char *message, double *bytes_per_second)
{
    memset(message, 1, MESSAGE_BYTES);
    double best;
    dcps_status status = exchange(fd, message, &best);
    const uint64_t end_ns = dcps_clock_ns() + BUDGET_MS * DCPS_NS_PER_MS;
    for (int round = 0; status == DCPS_OK && (round == 0 || (round < MAX_ROUNDS && dcps_clock_ns() < end_ns));
         round++) {
        double seconds;
        status = exchange(fd, message, &seconds);
        if (status == DCPS_OK && (round == 0 || seconds < best)) {
            best = seconds;
        }
    }
    if (status == DCPS_OK) {
        *bytes_per_second = (double)MESSAGE_BYTES * MESSAGES / best;
    }
    return status;
}

static dcps_status connect_tcp(int listener, int fds[2])
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(address);
    if (bind(listener, (struct sockaddr *)&address, length) != 0 || listen(listener, 1) != 0 ||
        getsockname(listener, (struct sockaddr *)&address, &length) != 0) {
        return socket_fail("listen at 127.0.0.1");
    }
    fds[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fds[0] < 0 || connect(fds[0], (struct sockaddr *)&address, length) != 0) {
        return socket_fail("connect to 127.0.0.1");
    }
    fds[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    return fds[1] < 0 ? socket_fail("accept at 127.0.0.1") : DCPS_OK;
}

static dcps_status open_pair(dcps_loopback kind, int fds[2])
{
    if (kind == DCPS_LOOPBACK_UNIX) {
        return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0 ? DCPS_OK
                                                                            : socket_fail("open a socket pair");
    }
    const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener < 0) {
        return socket_fail("open a socket");
    }
    const dcps_status status = connect_tcp(listener, fds);
    (void)close(listener);
    return status;
}

/* A lost peer must not make the benchmark hang. */
static void set_options(int fd)
{
    const struct timeval timeout = {.tv_sec = TIMEOUT_S};
    const int on = 1;
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)); /* has no effect on a unix socket */
}

static dcps_status measure_pair(int fds[2], char *memory, double *bytes_per_second)
{
    receiver other = {.fd = fds[1], .buffer = memory};
    pthread_t thread;
    const int error = pthread_create(&thread, NULL, receiver_run, &other);
    if (error != 0) {
        return dcps_fail(DCPS_SYSTEM, "cannot start a thread to measure the loopback rate: %s", strerror(error));
    }
    const dcps_status status = measure(fds[0], memory + MESSAGE_BYTES, bytes_per_second);
    (void)shutdown(fds[0], SHUT_RDWR); /* ends the receiver */
    (void)pthread_join(thread, NULL);
    return status;
}

dcps_status dcps_limit_loopback(dcps_loopback kind, double *bytes_per_second)
{
    int fds[2] = {-1, -1};
    char *memory = dcps_alloc_aligned(2, MESSAGE_BYTES);
    if (memory == NULL) {
        return dcps_fail(DCPS_NO_MEMORY, "no memory for two messages of %d bytes", MESSAGE_BYTES);
    }
    dcps_status status = open_pair(kind, fds);
    if (status == DCPS_OK) {
        set_options(fds[0]);
        set_options(fds[1]);
        status = measure_pair(fds, memory, bytes_per_second);
    }
    for (size_t i = 0; i < 2; i++) {
        if (fds[i] >= 0) {
            (void)close(fds[i]);
        }
    }
    dcps_free(memory);
    return status;
}
