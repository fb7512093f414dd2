/* Receiving: takes whole multipart messages, however wrong, and lets valid ones through. */
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "base/clock.h"
#include "proto/transport_zmq.h"
#include "proto/wire.h"
#include "proto/wire_internal.h"
#include "proto/wire_text.h"

/* The frames of one message, the peer's id taken off. */
typedef struct arrival {
    dcps_peer peer;
    bool peer_too_long;
    zmq_msg_t header;
    zmq_msg_t payload;
    size_t frame_count; /* header, payload, and any beyond, which are dropped */
} arrival;

static int receive_frame(const dcps_socket *socket, zmq_msg_t *frame)
{
    int result = 0;
    do {
        result = zmq_msg_recv(frame, socket->zmq, ZMQ_DONTWAIT);
    } while (result < 0 && errno == EINTR);
    return result;
}

static void take_peer(const zmq_msg_t *frame, arrival *into)
{
    size_t length = zmq_msg_size(frame);
    into->peer_too_long = length > sizeof(into->peer.bytes);
    if (!into->peer_too_long) {
        into->peer.length = (uint8_t)length;
        memcpy(into->peer.bytes, zmq_msg_data((zmq_msg_t *)frame), length);
    }
}

static void close_arrival(arrival *old)
{
    (void)zmq_msg_close(&old->header);
    (void)zmq_msg_close(&old->payload);
}

/* Takes one message to its last frame, so that the next call starts at a message's first. DCPS_AGAIN when there is none. */
static dcps_status take_arrival(const dcps_socket *socket, arrival *into)
{
    zmq_msg_t frame;
    bool peer_next = socket->listening;
    memset(&into->peer, 0, sizeof(into->peer));
    into->peer_too_long = false;
    into->frame_count = 0;
    (void)zmq_msg_init(&into->header);
    (void)zmq_msg_init(&into->payload);
    for (bool first = true, more = true; more; first = false) {
        (void)zmq_msg_init(&frame);
        if (receive_frame(socket, &frame) < 0) {
            int error = errno;
            close_arrival(into);
            if (error == EAGAIN && first) {
                return DCPS_AGAIN; /* no text: an ordinary turn of events */
            }
            return dcps_socket_fail("cannot receive at", socket->endpoint, error);
        }
        more = zmq_msg_more(&frame) != 0;
        if (peer_next) {
            take_peer(&frame, into);
            peer_next = false;
        } else {
            into->frame_count++;
            if (into->frame_count <= 2) {
                (void)zmq_msg_move(into->frame_count == 1 ? &into->header : &into->payload, &frame);
            }
        }
        (void)zmq_msg_close(&frame);
    }
    return DCPS_OK;
}

static dcps_status decode(dcps_socket *socket, arrival *from, dcps_message *message)
{
    if (from->peer_too_long) {
        return dcps_fail(DCPS_PROTOCOL, "the peer chose a routing id of more than %zu bytes", sizeof(from->peer.bytes));
    }
    if (from->frame_count < 1 || from->frame_count > 2) {
        return dcps_fail(DCPS_PROTOCOL, "a message of %zu frames, expected a header and at most one payload",
                         from->frame_count);
    }
    dcps_arena_reset(&socket->arena);
    return dcps_wire_decode(zmq_msg_data(&from->header), zmq_msg_size(&from->header), zmq_msg_size(&from->payload),
                            &socket->arena, message);
}

/* Errors are not answered with errors, or two programs could keep each other busy for ever. */
static bool is_error(arrival *from)
{
    dcps_wire_scan scan = {.has_error = false};
    return zmq_msg_size(&from->header) <= DCPS_MAX_HEADER_BYTES &&
           dcps_wire_scan_header(zmq_msg_data(&from->header), zmq_msg_size(&from->header), &scan) == DCPS_OK &&
           scan.has_error;
}

static void answer_refusal(dcps_socket *socket, arrival *from, dcps_status status, const char *text, uint64_t now_ns)
{
    uint64_t suppressed = 0;
    if (!socket->listening || from->peer_too_long || is_error(from) ||
        !dcps_rate_limit_pass(&socket->answer_limit, now_ns, &suppressed)) {
        return;
    }
    dcps_message answer = {.type = DCPS_MESSAGE_ERROR, .body.error = {.status = status, .text = text}};
    dcps_status sent = dcps_socket_send(socket, &from->peer, &answer, NULL);
    (void)sent; /* a peer that is gone or does not read needs no answer */
}

/* Counts, tells and answers a malformed message. */
static void refuse(dcps_socket *socket, arrival *from, dcps_status status)
{
    char text[DCPS_MAX_TEXT_BYTES];
    uint64_t suppressed = 0;
    uint64_t now_ns = dcps_clock_ns();
    (void)dcps_text_clean(dcps_error_message(), text, sizeof(text)); /* it may quote the peer */
    socket->rejected++;
    if (dcps_rate_limit_pass(&socket->log_limit, now_ns, &suppressed)) {
        const char *address = zmq_msg_gets(&from->header, "Peer-Address");
        dcps_warn("%s: refused a message from %s: %s (%llu others not shown)", socket->endpoint,
                  address == NULL ? "a peer" : address, text, (unsigned long long)suppressed);
    }
    answer_refusal(socket, from, status, text, now_ns);
}

static void release_frame(dcps_buffer *view, void *owner)
{
    (void)view;
    dcps_frame *frame = owner;
    dcps_buffer *holder = frame->holder;
    (void)zmq_msg_close(&frame->message);
    dcps_buffer_unref(&holder);
}

/* Small ones are copied; so is the odd frame that no float may be read from where it lies. */
static dcps_status copy_payload(dcps_socket *socket, zmq_msg_t *from, dcps_buffer **payload)
{
    size_t bytes = zmq_msg_size(from);
    dcps_buffer *copy = NULL;
    if (bytes > DCPS_SMALL_PAYLOAD_BYTES) {
        return dcps_buffer_copy(zmq_msg_data(from), bytes, payload);
    }
    dcps_status status = dcps_pool_take(socket->copies, &copy);
    if (status != DCPS_OK) {
        return status;
    }
    memcpy(copy->data, zmq_msg_data(from), bytes);
    copy->bytes = bytes;
    *payload = copy;
    return DCPS_OK;
}

static dcps_status wrap_payload(dcps_socket *socket, zmq_msg_t *from, dcps_buffer **payload)
{
    size_t bytes = zmq_msg_size(from);
    if (bytes == 0) {
        *payload = NULL;
        return DCPS_OK;
    }
    if (bytes <= DCPS_SMALL_PAYLOAD_BYTES || (uintptr_t)zmq_msg_data(from) % sizeof(float) != 0) {
        return copy_payload(socket, from, payload);
    }
    dcps_buffer *holder = NULL;
    dcps_status status = dcps_pool_take(socket->frames, &holder);
    if (status != DCPS_OK) {
        return status;
    }
    dcps_frame *frame = holder->data;
    frame->holder = holder;
    (void)zmq_msg_init(&frame->message);
    (void)zmq_msg_move(&frame->message, from);
    dcps_buffer_init(&frame->view, zmq_msg_data(&frame->message), bytes, release_frame, frame);
    *payload = &frame->view;
    return DCPS_OK;
}

/* Malformed messages skipped in one call: whoever floods a socket does not keep its thread from everything else. */
#define MAX_SKIPPED 64u

dcps_status dcps_socket_receive(dcps_socket *socket, dcps_delivery *delivery)
{
    arrival from;
    dcps_delivery taken;
    for (uint32_t skipped = 0; skipped < MAX_SKIPPED; skipped++) {
        dcps_status status = take_arrival(socket, &from);
        if (status != DCPS_OK) {
            return status;
        }
        status = decode(socket, &from, &taken.message);
        if (status != DCPS_OK) {
            refuse(socket, &from, status);
            close_arrival(&from);
            continue;
        }
        status = wrap_payload(socket, &from.payload, &taken.payload);
        close_arrival(&from);
        if (status != DCPS_OK) {
            return DCPS_NO_MEMORY; /* a pool at its limit, too; the text stays */
        }
        taken.peer = from.peer;
        *delivery = taken;
        return DCPS_OK;
    }
    return DCPS_PROTOCOL;
}
