/* Shared by the files of the decoder. Inside proto/ only. */
#ifndef DCPS_PROTO_WIRE_INTERNAL_H
#define DCPS_PROTO_WIRE_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "dcps.pb-c.h"
#include "proto/message.h"

/* What the first level of a header holds, found without unpacking it. */
typedef struct dcps_wire_scan {
    uint64_t version;
    uint32_t body_count; /* known bodies */
    bool has_error;      /* one of them is ERROR */
} dcps_wire_scan;

/* DCPS_PROTOCOL when the bytes are no sequence of protobuf fields. */
DCPS_MUST_CHECK dcps_status dcps_wire_scan_header(const uint8_t *header, size_t length, dcps_wire_scan *scan);

/* The checks below name the message and field in the text of the failure. `what` is a field name. */
DCPS_MUST_CHECK dcps_status dcps_wire_check_below(dcps_message_type type, const char *what, uint64_t value,
                                                  uint64_t bound);
/* first <= value <= last. */
DCPS_MUST_CHECK dcps_status dcps_wire_check_range(dcps_message_type type, const char *what, uint64_t value,
                                                  uint64_t first, uint64_t last);
DCPS_MUST_CHECK dcps_status dcps_wire_check_text(dcps_message_type type, const char *what, const char *text,
                                                 size_t limit_bytes);
/* Server index and count. */
DCPS_MUST_CHECK dcps_status dcps_wire_check_server(dcps_message_type type, uint32_t index, uint32_t count);
/* Worker id and block of the data plane's answers. */
DCPS_MUST_CHECK dcps_status dcps_wire_check_place(dcps_message_type type, uint32_t worker, uint32_t block);
DCPS_MUST_CHECK dcps_status dcps_wire_take_session(dcps_message_type type, const Dcps__Session *from,
                                                   dcps_session *session);

/* One body each, checked and copied into *message, whose type is set. */
DCPS_MUST_CHECK dcps_status dcps_wire_take_control(const Dcps__Header *header, dcps_arena *arena,
                                                   dcps_message *message);
DCPS_MUST_CHECK dcps_status dcps_wire_take_data(const Dcps__Header *header, dcps_message *message);

#endif
