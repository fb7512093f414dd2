/* What the files of the ZeroMQ transport share. Inside proto/ only. */
#ifndef DCPS_PROTO_TRANSPORT_ZMQ_H
#define DCPS_PROTO_TRANSPORT_ZMQ_H

#include <zmq.h>

#include "base/log.h"
#include "proto/host_families.h"
#include "proto/transport.h"

struct dcps_transport {
    void *context;
    dcps_host_families families;
};

struct dcps_socket {
    void *zmq;
    bool listening; /* ROUTER; else DEALER */
    char endpoint[DCPS_MAX_ENDPOINT_BYTES];
    int fd;
    dcps_arena arena;  /* of the latest received message */
    dcps_pool *frames; /* holders of received payload frames */
    dcps_pool *copies; /* small payloads, copied out of ZeroMQ's receive buffer */
    uint64_t rejected;
    dcps_rate_limit log_limit;
    dcps_rate_limit answer_limit;
    zmq_pollitem_t *poll_items; /* scratch of dcps_socket_wait; grows to the longest list waited for */
    uint32_t poll_capacity;
    uint8_t header[DCPS_MAX_HEADER_BYTES]; /* being sent */
};

/* DCPS_SYSTEM (or a better code where errno has one) with `what`, the endpoint and ZeroMQ's text of errno. */
DCPS_MUST_CHECK dcps_status dcps_socket_fail(const char *what, const char *endpoint, int error);

/* Payloads up to this are copied on arrival: below it ZeroMQ hands out slices of its receive buffer, which are not aligned and pin the whole buffer. */
#define DCPS_SMALL_PAYLOAD_BYTES 8192u

/* One of these per received payload frame, in the pool `frames`. */
typedef struct dcps_frame {
    dcps_buffer view;    /* what the receiver of the message holds */
    dcps_buffer *holder; /* the pool's buffer in which this struct lies */
    zmq_msg_t message;
} dcps_frame;

#endif
