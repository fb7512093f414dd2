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

/* Returns from the calling function with the status of a check that failed. */
#define DCPS_WIRE_CHECK(check)                                                                                         \
    do {                                                                                                               \
        dcps_status check_status = (check);                                                                            \
        if (check_status != DCPS_OK) {                                                                                 \
            return check_status;                                                                                       \
        }                                                                                                              \
    } while (0)

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
DCPS_MUST_CHECK dcps_status dcps_wire_take_status_request(const Dcps__StatusRequest *from,
                                                          dcps_status_request *request);
DCPS_MUST_CHECK dcps_status dcps_wire_take_status_reply(const Dcps__StatusReply *from, dcps_arena *arena,
                                                        dcps_status_reply *reply);
DCPS_MUST_CHECK dcps_status dcps_wire_take_data(const Dcps__Header *header, dcps_message *message);

/* The body of STATUS_REPLY for packing, in one allocation that the caller frees; `algorithm` is a clean text and, like *from, must outlive it. DCPS_NO_MEMORY. */
DCPS_MUST_CHECK dcps_status dcps_wire_put_status_reply(const dcps_status_reply *from, char *algorithm,
                                                       Dcps__StatusReply **reply, void **memory);

#endif
