/* Sending: [peer][header][payload], payload without a copy. */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "proto/transport_zmq.h"
#include "proto/wire.h"

/* Called on a thread of ZeroMQ once the bytes are gone. */
static void drop_payload(void *data, void *hint)
{
    (void)data;
    dcps_buffer *buffer = hint;
    dcps_buffer_unref(&buffer);
}

static dcps_status send_status(const dcps_socket *socket, int error)
{
    switch (error) {
    case EAGAIN:
        return DCPS_AGAIN; /* no text: an ordinary turn of events */
    case EHOSTUNREACH:
        return dcps_fail(DCPS_NOT_FOUND, "%s: that peer is gone", socket->endpoint);
    default:
        return dcps_socket_fail("cannot send from", socket->endpoint, error);
    }
}

/* A signal must not tear a message apart between its frames. */
static dcps_status send_bytes(const dcps_socket *socket, const void *bytes, size_t length, int flags)
{
    while (zmq_send(socket->zmq, bytes, length, flags | ZMQ_DONTWAIT) < 0) {
        if (errno != EINTR) {
            return send_status(socket, errno);
        }
    }
    return DCPS_OK;
}

/* On success the payload belongs to ZeroMQ. */
static dcps_status send_payload(const dcps_socket *socket, zmq_msg_t *payload)
{
    while (zmq_msg_send(payload, socket->zmq, ZMQ_DONTWAIT) < 0) {
        if (errno != EINTR) {
            return send_status(socket, errno);
        }
    }
    return DCPS_OK;
}

static dcps_status send_frames(const dcps_socket *socket, const dcps_peer *peer, size_t header_bytes,
                               zmq_msg_t *payload)
{
    dcps_status status = DCPS_OK;
    if (socket->listening) {
        status = send_bytes(socket, peer->bytes, peer->length, ZMQ_SNDMORE);
    }
    if (status == DCPS_OK) {
        status = send_bytes(socket, socket->header, header_bytes, payload == NULL ? 0 : ZMQ_SNDMORE);
    }
    if (status == DCPS_OK && payload != NULL) {
        status = send_payload(socket, payload);
    }
    return status;
}

dcps_status dcps_socket_send(dcps_socket *socket, const dcps_peer *peer, const dcps_message *message,
                             dcps_buffer *payload)
{
    assert((peer != NULL && peer->length > 0) == socket->listening);
    size_t header_bytes = 0;
    dcps_status status = dcps_wire_encode(message, socket->header, sizeof(socket->header), &header_bytes);
    if (status != DCPS_OK || payload == NULL || payload->bytes == 0) {
        return status != DCPS_OK ? status : send_frames(socket, peer, header_bytes, NULL);
    }
    if (payload->bytes > DCPS_MAX_PAYLOAD_BYTES) {
        return dcps_fail(DCPS_LIMIT, "%s: a payload of %zu bytes, at most %u are possible",
                         dcps_message_name(message->type), payload->bytes, DCPS_MAX_PAYLOAD_BYTES);
    }
    zmq_msg_t frame;
    dcps_buffer *held = dcps_buffer_ref(payload);
    if (zmq_msg_init_data(&frame, held->data, held->bytes, drop_payload, held) != 0) {
        dcps_buffer_unref(&held);
        return dcps_fail(DCPS_NO_MEMORY, "%s: no memory to send a payload", socket->endpoint);
    }
    status = send_frames(socket, peer, header_bytes, &frame);
    if (status != DCPS_OK) {
        (void)zmq_msg_close(&frame); /* drops our reference */
    }
    return status;
}
