/* Headers between plain structs and bytes. Nothing here trusts its input. */
#ifndef DCPS_PROTO_WIRE_H
#define DCPS_PROTO_WIRE_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "proto/message.h"

/* Large enough for the arena of any header that dcps_wire_decode accepts. */
#define DCPS_WIRE_ARENA_BYTES (1024u * 1024u)

/* Encodes `message` into out[capacity]; *length bytes used. DCPS_LIMIT when it does not fit into capacity or DCPS_MAX_HEADER_BYTES. */
DCPS_MUST_CHECK dcps_status dcps_wire_encode(const dcps_message *message, uint8_t *out, size_t capacity,
                                             size_t *length);

/* Whether a declaration of these tensors fits into a header, whoever declares them. DCPS_LIMIT with both sizes named, or DCPS_NO_MEMORY. */
DCPS_MUST_CHECK dcps_status dcps_wire_check_layout(const dcps_layout_tensor *tensors, uint32_t tensor_count);

/* Decodes header[length] into *message; strings and arrays are placed in `arena` (reset it per message). Checks the size before unpacking,
 * the protocol version, that exactly one body is present, that every enum, count, text, dim and float is within its limit, and that
 * the payload size fits the message type (none, or 0 < bytes <= DCPS_MAX_PAYLOAD_BYTES and a multiple of 4). Whether it fits the block is for the engine
 * to say. Errors: DCPS_PROTOCOL (violation, named), DCPS_UNSUPPORTED (other protocol version), DCPS_LIMIT. */
DCPS_MUST_CHECK dcps_status dcps_wire_decode(const uint8_t *header, size_t length, size_t payload_bytes,
                                             dcps_arena *arena, dcps_message *message);

/* Room that STATUS_REPLY has for workers or histograms, whatever else it holds, and the most that one worker, or those of one shard, take of it: at least four always fit. */
#define DCPS_WIRE_PAGE_BYTES 35000u
size_t dcps_wire_worker_bytes(const dcps_worker_statistics *worker);
size_t dcps_wire_histograms_bytes(const dcps_shard_histograms *histograms);

#endif
