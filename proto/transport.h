/* Sockets that carry messages. One thread owns a socket; only dcps_socket_* of that thread may touch it.
 *
 * A message is [header][payload] on the wire (payload frame left out when empty). Payload bytes are never copied on the way out: the transport keeps a
 * reference to the buffer until the bytes are gone. On the way in they arrive in a buffer that wraps the transport's memory; there they are aligned for
 * float, not to more. */
#ifndef DCPS_PROTO_TRANSPORT_H
#define DCPS_PROTO_TRANSPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "proto/message.h"

/* Where an answer goes: opaque, comparable, copied freely. Meaningless to any other socket. All zero: the only peer of a connecting socket. */
typedef struct dcps_peer {
    uint8_t length;
    uint8_t bytes[15];
} dcps_peer;

/* Owner of sockets and their I/O threads. Thread-safe. */
typedef struct dcps_transport dcps_transport;
typedef struct dcps_socket dcps_socket;

/* `io_threads` 1 … 16. */
DCPS_MUST_CHECK dcps_status dcps_transport_create(uint32_t io_threads, dcps_transport **transport);
/* All sockets must be closed before. Returns within moments: unsent messages are dropped. Accepts NULL inside. */
void dcps_transport_destroy(dcps_transport **transport);

/* Listens at "tcp://host:port" (port 0: a free one; may block on the name service) or "ipc://path"; the endpoint really bound is dcps_socket_endpoint. Errors: DCPS_SYSTEM with address, errno
 * text and, for a port in use, who holds it where that can be found out. */
DCPS_MUST_CHECK dcps_status dcps_socket_bind(dcps_transport *transport, const char *endpoint, dcps_socket **socket);
/* Connects (in the background, again and again until closed). May block on the name service, but only for the first socket to a host. Errors: DCPS_INVALID for a malformed endpoint. */
DCPS_MUST_CHECK dcps_status dcps_socket_connect(dcps_transport *transport, const char *endpoint, dcps_socket **socket);
void dcps_socket_close(dcps_socket **socket);
const char *dcps_socket_endpoint(const dcps_socket *socket);

/* Sends without blocking. Takes its own reference to `payload` (NULL: none); the caller keeps its own. `peer` is NULL on a connecting socket. Errors: DCPS_AGAIN
 * (queue to that peer is full; no text), DCPS_NOT_FOUND (peer is gone), DCPS_LIMIT (header does not fit). */
DCPS_MUST_CHECK dcps_status dcps_socket_send(dcps_socket *socket, const dcps_peer *peer, const dcps_message *message,
                                             dcps_buffer *payload);

/* One received message. `message` lives in the socket's arena until the next receive; `payload` is NULL or holds one reference that the caller drops. */
typedef struct dcps_delivery {
    dcps_peer peer;
    dcps_message message;
    dcps_buffer *payload;
} dcps_delivery;

/* Takes the next valid message without blocking. Malformed ones are counted, answered with ERROR (listening sockets), logged rate-limited, and skipped.
 * DCPS_AGAIN (no text) when nothing is there; DCPS_NO_MEMORY when a message had to be dropped; DCPS_PROTOCOL after a
 * run of malformed ones, with perhaps more to receive: call again when other work is done. */
DCPS_MUST_CHECK dcps_status dcps_socket_receive(dcps_socket *socket, dcps_delivery *delivery);

/* Messages refused as malformed so far. */
uint64_t dcps_socket_rejected(const dcps_socket *socket);

/* Descriptor that becomes readable when the socket may have something (edge-triggered: drain with receive until DCPS_AGAIN after every wake-up and after
 * every send). */
int dcps_socket_fd(const dcps_socket *socket);

/* Waits until one of `count` sockets may be received from or descriptor `wake_fd` (-1: none) is readable, at most `timeout_ms` (-1: for ever).
 * *wake tells whether wake_fd is readable. A signal ends the wait early with DCPS_OK. */
DCPS_MUST_CHECK dcps_status dcps_socket_wait(dcps_socket *const *sockets, uint32_t count, int wake_fd, int timeout_ms,
                                             bool *wake);

#endif
