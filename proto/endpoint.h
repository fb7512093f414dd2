/* Endpoints as ZeroMQ wants them. Inside proto/ only. */
#ifndef DCPS_PROTO_ENDPOINT_H
#define DCPS_PROTO_ENDPOINT_H

#include <stdbool.h>
#include <stdint.h>

#include "dcps/status.h"
#include "proto/host_families.h"
#include "proto/limits.h"

typedef struct dcps_endpoint {
    char text[DCPS_MAX_ENDPOINT_BYTES]; /* "tcp://127.0.0.1:7070", "tcp://[::1]:*", "ipc:///run/dcps.sock" */
    bool ipv6;                          /* the socket has to be of that family */
    uint16_t port;                      /* tcp only; 0: a free one */
} dcps_endpoint;

/* Both check "tcp://host:port", "ipc://path" or "inproc://name", and may block on the name service. Errors: DCPS_INVALID, DCPS_NOT_FOUND (host to bind to). */
/* The host ("*": all addresses) is resolved to an address, because ZeroMQ binds to no names. */
DCPS_MUST_CHECK dcps_status dcps_endpoint_to_bind(const char *text, dcps_endpoint *endpoint);
/* A name stays one, so that a server may come back with another address; but the socket needs to know its family. It is asked for once: `families` remembers. */
DCPS_MUST_CHECK dcps_status dcps_endpoint_to_connect(const char *text, dcps_host_families *families,
                                                     dcps_endpoint *endpoint);

#endif
