/* Sockets over ZeroMQ: making, waiting, closing. ROUTER listens, DEALER connects. */
#include "proto/transport_zmq.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/text.h"
#include "proto/endpoint.h"
#include "proto/port_holder.h"
#include "proto/wire.h"

#define MAX_SOCKETS (DCPS_MAX_SERVERS * (DCPS_MAX_SHARDS + 1) + 64) /* a client's, of the largest cluster */
#define QUEUE_MESSAGES 4096                                         /* per peer and direction */
#define HANDSHAKE_MS 5000
/* How long what was sent may stay unacknowledged, or the other end take nothing, before a connection is given up and made anew. Without it TCP tries again at times that double, and
 * is silent for a minute after an outage that has long ended. A slow connection that moves at all is not concerned; the peer of a program that stood still for longer is, and repeats. */
#define UNACKNOWLEDGED_MS 20000
#define CONNECT_MS 3000 /* for the same reason: after 1 s and 3 s the system would wait longer each time */
#define RECONNECT_MIN_MS 50
#define RECONNECT_MAX_MS 1000
#define BACKLOG_CONNECTIONS 512
#define KEEPALIVE_IDLE_S 30 /* a host that vanished without a word gives its queue back within a minute */
#define KEEPALIVE_INTERVAL_S 10
#define KEEPALIVE_PROBES 3
#define FRAMES_LIMIT (1u << 20)
#define LOG_LINES 5u /* refused messages told of, per LOG_INTERVAL */
#define LOG_INTERVAL_NS (10 * DCPS_NS_PER_S)
#define ANSWERS_PER_S 100u

dcps_status dcps_transport_create(uint32_t io_threads, dcps_transport **transport)
{
    if (io_threads < 1 || io_threads > 16) {
        return dcps_fail(DCPS_INVALID, "transport: %u threads, expected 1 to 16", io_threads);
    }
    dcps_transport *made = dcps_alloc(1, sizeof(*made));
    if (made == NULL) {
        return dcps_fail(DCPS_NO_MEMORY, "no memory for a transport");
    }
    made->context = zmq_ctx_new();
    if (made->context == NULL) {
        dcps_free(made);
        return dcps_fail(DCPS_SYSTEM, "transport: %s", zmq_strerror(errno));
    }
    dcps_host_families_init(&made->families);
    (void)zmq_ctx_set(made->context, ZMQ_IO_THREADS, (int)io_threads);
    (void)zmq_ctx_set(made->context, ZMQ_MAX_SOCKETS, (int)MAX_SOCKETS);
    (void)zmq_ctx_set(made->context, ZMQ_BLOCKY, 0);
    *transport = made;
    return DCPS_OK;
}

void dcps_transport_destroy(dcps_transport **transport)
{
    dcps_transport *old = *transport;
    if (old == NULL) {
        return;
    }
    while (zmq_ctx_term(old->context) != 0 && errno == EINTR) {
    }
    dcps_host_families_fini(&old->families);
    dcps_free(old);
    *transport = NULL;
}

dcps_status dcps_socket_fail(const char *what, const char *endpoint, int error)
{
    dcps_status status = error == ENOMEM ? DCPS_NO_MEMORY : error == ETERM ? DCPS_CANCELLED : DCPS_SYSTEM;
    return dcps_fail(status, "%s %s: %s", what, endpoint, zmq_strerror(error));
}

typedef struct socket_option {
    int option;
    int value;
} socket_option;

static dcps_status set_options(const dcps_socket *socket, const dcps_endpoint *endpoint)
{
    const socket_option options[] = {
        {ZMQ_LINGER, 0},
        {ZMQ_SNDHWM, QUEUE_MESSAGES},
        {ZMQ_RCVHWM, QUEUE_MESSAGES},
        {ZMQ_HANDSHAKE_IVL, HANDSHAKE_MS},
        {ZMQ_CONNECT_TIMEOUT, CONNECT_MS},
        {ZMQ_TCP_MAXRT, UNACKNOWLEDGED_MS},
        {ZMQ_RECONNECT_IVL, RECONNECT_MIN_MS},
        {ZMQ_RECONNECT_IVL_MAX, RECONNECT_MAX_MS},
        {ZMQ_BACKLOG, BACKLOG_CONNECTIONS},
        {ZMQ_IPV6, endpoint->ipv6},
        {ZMQ_TCP_KEEPALIVE, 1},
        {ZMQ_TCP_KEEPALIVE_IDLE, KEEPALIVE_IDLE_S},
        {ZMQ_TCP_KEEPALIVE_INTVL, KEEPALIVE_INTERVAL_S},
        {ZMQ_TCP_KEEPALIVE_CNT, KEEPALIVE_PROBES},
        {ZMQ_ROUTER_MANDATORY, 1}, /* last: ROUTER only */
    };
    size_t count = sizeof(options) / sizeof(options[0]) - (socket->listening ? 0 : 1);
    for (size_t i = 0; i < count; i++) {
        if (zmq_setsockopt(socket->zmq, options[i].option, &options[i].value, sizeof(options[i].value)) != 0) {
            return dcps_socket_fail("cannot set an option of the socket of", endpoint->text, errno);
        }
    }
    /* A larger frame costs its sender the connection. Up to here we can say what is wrong with it. Nothing limits the number of frames in a message: high-water marks count messages. */
    int64_t max_frame_bytes = DCPS_MAX_PAYLOAD_BYTES + DCPS_MAX_HEADER_BYTES;
    if (zmq_setsockopt(socket->zmq, ZMQ_MAXMSGSIZE, &max_frame_bytes, sizeof(max_frame_bytes)) != 0) {
        return dcps_socket_fail("cannot limit the messages of", endpoint->text, errno);
    }
    return DCPS_OK;
}

static dcps_status make_memory(dcps_socket *socket)
{
    dcps_status status = dcps_arena_init(&socket->arena, DCPS_WIRE_ARENA_BYTES);
    if (status == DCPS_OK) {
        status = dcps_pool_create("received frames", sizeof(dcps_frame), 0, FRAMES_LIMIT, &socket->frames);
    }
    if (status == DCPS_OK) {
        status = dcps_pool_create("small payloads", DCPS_SMALL_PAYLOAD_BYTES, 0, FRAMES_LIMIT, &socket->copies);
    }
    return status;
}

/* A socket with all options set, neither bound nor connected. */
static dcps_status make_socket(dcps_transport *transport, const dcps_endpoint *endpoint, bool listening,
                               dcps_socket **socket)
{
    dcps_socket *made = dcps_alloc(1, sizeof(*made));
    if (made == NULL) {
        return dcps_fail(DCPS_NO_MEMORY, "no memory for a socket");
    }
    made->listening = listening;
    made->log_limit = (dcps_rate_limit){.interval_ns = LOG_INTERVAL_NS, .burst = LOG_LINES};
    made->answer_limit = (dcps_rate_limit){.interval_ns = DCPS_NS_PER_S, .burst = ANSWERS_PER_S};
    dcps_status status = make_memory(made);
    if (status != DCPS_OK) {
        goto failed;
    }
    made->zmq = zmq_socket(transport->context, listening ? ZMQ_ROUTER : ZMQ_DEALER);
    if (made->zmq == NULL) {
        status = dcps_socket_fail("cannot make a socket for", endpoint->text, errno);
        goto failed;
    }
    status = set_options(made, endpoint);
    if (status != DCPS_OK) {
        goto failed;
    }
    size_t fd_bytes = sizeof(made->fd);
    if (zmq_getsockopt(made->zmq, ZMQ_FD, &made->fd, &fd_bytes) != 0) {
        status = dcps_socket_fail("no descriptor for", endpoint->text, errno);
        goto failed;
    }
    *socket = made;
    return DCPS_OK;

failed:
    dcps_socket_close(&made);
    return status;
}

static dcps_status fail_bind(const dcps_endpoint *endpoint, int error)
{
    char holder[128];
    if (error == EADDRINUSE && endpoint->port != 0) {
        if (dcps_port_holder(endpoint->port, holder, sizeof(holder))) {
            return dcps_fail(DCPS_SYSTEM,
                             "cannot listen at %s: %s; the port is held by %s: stop it or choose another port",
                             endpoint->text, zmq_strerror(error), holder);
        }
        return dcps_fail(DCPS_SYSTEM,
                         "cannot listen at %s: %s, by a process that cannot be seen from here: choose another port",
                         endpoint->text, zmq_strerror(error));
    }
    if (error == ENODEV || error == EADDRNOTAVAIL) {
        return dcps_fail(DCPS_SYSTEM, "cannot listen at %s: %s; this machine has no such address", endpoint->text,
                         zmq_strerror(error));
    }
    return dcps_socket_fail("cannot listen at", endpoint->text, error);
}

dcps_status dcps_socket_bind(dcps_transport *transport, const char *endpoint, dcps_socket **socket)
{
    dcps_endpoint place;
    dcps_socket *made = NULL;
    dcps_status status = dcps_endpoint_to_bind(endpoint, &place);
    if (status != DCPS_OK) {
        return status;
    }
    status = make_socket(transport, &place, true, &made);
    if (status != DCPS_OK) {
        return status;
    }
    if (zmq_bind(made->zmq, place.text) != 0) {
        status = fail_bind(&place, errno);
        dcps_socket_close(&made);
        return status;
    }
    size_t bytes = sizeof(made->endpoint);
    if (zmq_getsockopt(made->zmq, ZMQ_LAST_ENDPOINT, made->endpoint, &bytes) != 0) {
        status = dcps_socket_fail("cannot learn the address of", place.text, errno);
        dcps_socket_close(&made);
        return status;
    }
    *socket = made;
    return DCPS_OK;
}

dcps_status dcps_socket_connect(dcps_transport *transport, const char *endpoint, dcps_socket **socket)
{
    dcps_endpoint place;
    dcps_socket *made = NULL;
    dcps_status status = dcps_endpoint_to_connect(endpoint, &transport->families, &place);
    if (status != DCPS_OK) {
        return status;
    }
    status = make_socket(transport, &place, false, &made);
    if (status != DCPS_OK) {
        return status;
    }
    memcpy(made->endpoint, place.text, sizeof(made->endpoint));
    if (zmq_connect(made->zmq, place.text) != 0) {
        status = errno == EINVAL ? dcps_fail(DCPS_INVALID, "endpoint %s: ZeroMQ refuses it", place.text)
                                 : dcps_socket_fail("cannot connect to", place.text, errno);
        dcps_socket_close(&made);
        return status;
    }
    *socket = made;
    return DCPS_OK;
}

void dcps_socket_close(dcps_socket **socket)
{
    dcps_socket *old = *socket;
    if (old == NULL) {
        return;
    }
    if (old->zmq != NULL) {
        (void)zmq_close(old->zmq);
    }
    dcps_pool_destroy(&old->copies);
    dcps_pool_destroy(&old->frames);
    dcps_arena_fini(&old->arena);
    dcps_free(old->poll_items);
    dcps_free(old);
    *socket = NULL;
}

const char *dcps_socket_endpoint(const dcps_socket *socket)
{
    return socket->endpoint;
}

uint64_t dcps_socket_rejected(const dcps_socket *socket)
{
    return socket->rejected;
}

int dcps_socket_fd(const dcps_socket *socket)
{
    return socket->fd;
}

static dcps_status reserve_poll_items(dcps_socket *socket, uint32_t count)
{
    if (count <= socket->poll_capacity) {
        return DCPS_OK;
    }
    zmq_pollitem_t *grown = dcps_realloc(socket->poll_items, count, sizeof(*grown));
    if (grown == NULL) {
        return dcps_fail(DCPS_NO_MEMORY, "no memory to wait for %u sockets", count);
    }
    socket->poll_items = grown;
    socket->poll_capacity = count;
    return DCPS_OK;
}

dcps_status dcps_socket_wait(dcps_socket *const *sockets, uint32_t count, int wake_fd, int timeout_ms, bool *wake)
{
    assert(count > 0);
    dcps_status status = reserve_poll_items(sockets[0], count + 1);
    if (status != DCPS_OK) {
        return status;
    }
    zmq_pollitem_t *items = sockets[0]->poll_items;
    for (uint32_t i = 0; i < count; i++) {
        items[i] = (zmq_pollitem_t){.socket = sockets[i]->zmq, .events = ZMQ_POLLIN};
    }
    items[count] = (zmq_pollitem_t){.fd = wake_fd, .events = ZMQ_POLLIN};
    int item_count = (int)count + (wake_fd >= 0 ? 1 : 0);
    if (zmq_poll(items, item_count, timeout_ms) < 0 && errno != EINTR) {
        return dcps_socket_fail("cannot wait for", sockets[0]->endpoint, errno);
    }
    if (wake != NULL) {
        *wake = wake_fd >= 0 && (items[count].revents & (ZMQ_POLLIN | ZMQ_POLLERR)) != 0;
    }
    return DCPS_OK;
}
