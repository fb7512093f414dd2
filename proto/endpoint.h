/* Endpoints as ZeroMQ wants them. Inside proto/ only. */
#ifndef DCPS_PROTO_ENDPOINT_H
#define DCPS_PROTO_ENDPOINT_H

#include <stdbool.h>
#include <stdint.h>

#include "dcps/status.h"
#include "proto/limits.h"

typedef struct dcps_endpoint {
    char text[DCPS_MAX_ENDPOINT_BYTES]; /* "tcp://127.0.0.1:7070", "tcp://[::1]:*", "ipc:///run/dcps.sock" */
    bool ipv6;                          /* the socket has to be of that family */
    uint16_t port;                      /* tcp only; 0: a free one */
} dcps_endpoint;

/* Checks "tcp://host:port", "ipc://path" or "inproc://name". For binding the host ("*": all addresses) is resolved to an address, because ZeroMQ binds
 * to no names; this may block on the name service. Errors: DCPS_INVALID, DCPS_NOT_FOUND (host to bind to). */
DCPS_MUST_CHECK dcps_status dcps_endpoint_parse(const char *text, bool binding, dcps_endpoint *endpoint);

#endif
