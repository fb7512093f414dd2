/* Bytes to plain structs: size, first look, unpacking into the arena, checks of every field, payload. */
#include <string.h>

#include "proto/wire.h"
#include "proto/wire_internal.h"

#define DCPS_NUMBER_ASSERT(name, number, payload)                                                                      \
    _Static_assert((int)DCPS__HEADER__BODY_##name == (int)DCPS_MESSAGE_##name, "dcps.proto and message.h agree");
DCPS_MESSAGE_MAP(DCPS_NUMBER_ASSERT)
#undef DCPS_NUMBER_ASSERT

/* Hostile counts end here: the arena never grows. */
static void *take_memory(void *arena, size_t bytes)
{
    return dcps_arena_take(arena, 1, bytes == 0 ? 1 : bytes);
}

static void keep_memory(void *arena, void *memory)
{
    (void)arena;
    (void)memory;
}

static dcps_status check_scan(const dcps_wire_scan *scan)
{
    if (scan->version != DCPS_PROTOCOL_VERSION) {
        return dcps_fail(
            DCPS_UNSUPPORTED,
            "header of protocol version %llu, this program speaks %u: use the same release of dcps everywhere",
            (unsigned long long)scan->version, DCPS_PROTOCOL_VERSION);
    }
    if (scan->body_count != 1) {
        return dcps_fail(DCPS_PROTOCOL, "header with %u known bodies, expected exactly one", scan->body_count);
    }
    return DCPS_OK;
}

/* Whether a message with this body has to have a payload. Called for those that may carry one. */
static bool wants_payload(const dcps_message *message)
{
    switch (message->type) {
    case DCPS_MESSAGE_PUSH_PULL:
        return message->body.push_pull.samples != 0;
    case DCPS_MESSAGE_SNAPSHOT_REPLY:
        return message->body.snapshot_reply.available;
    default:
        return true;
    }
}

static dcps_status check_payload(const dcps_message *message, size_t payload_bytes)
{
    const char *name = dcps_message_name(message->type);
    bool wanted = dcps_message_may_carry_payload(message->type) && wants_payload(message);
    if (!wanted && payload_bytes != 0) {
        return dcps_fail(DCPS_PROTOCOL, "%s: a payload of %zu bytes, expected none", name, payload_bytes);
    }
    if (wanted && payload_bytes == 0) {
        return dcps_fail(DCPS_PROTOCOL, "%s: the payload is missing", name);
    }
    if (payload_bytes % sizeof(float) != 0) {
        return dcps_fail(DCPS_PROTOCOL, "%s: a payload of %zu bytes, expected a multiple of 4", name, payload_bytes);
    }
    if (payload_bytes > DCPS_MAX_PAYLOAD_BYTES) {
        return dcps_fail(DCPS_LIMIT, "%s: a payload of %zu bytes, at most %u are possible", name, payload_bytes,
                         DCPS_MAX_PAYLOAD_BYTES);
    }
    return DCPS_OK;
}

static dcps_status take_body(const Dcps__Header *header, dcps_arena *arena, dcps_message *message)
{
    return message->type < DCPS_MESSAGE_PULL ? dcps_wire_take_control(header, arena, message)
                                             : dcps_wire_take_data(header, message);
}

dcps_status dcps_wire_decode(const uint8_t *header, size_t length, size_t payload_bytes, dcps_arena *arena,
                             dcps_message *message)
{
    if (length > DCPS_MAX_HEADER_BYTES) {
        return dcps_fail(DCPS_LIMIT, "a header of %zu bytes, at most %u are possible", length, DCPS_MAX_HEADER_BYTES);
    }
    if (length == 0) {
        return dcps_fail(DCPS_PROTOCOL, "an empty header");
    }
    dcps_wire_scan scan = {.version = 0};
    dcps_status status = dcps_wire_scan_header(header, length, &scan);
    if (status == DCPS_OK) {
        status = check_scan(&scan);
    }
    if (status != DCPS_OK) {
        return status;
    }
    ProtobufCAllocator allocator = {take_memory, keep_memory, arena};
    const Dcps__Header *unpacked = dcps__header__unpack(&allocator, length, header);
    if (unpacked == NULL) {
        return dcps_fail(DCPS_PROTOCOL,
                         "header of %zu bytes does not unpack: a field has the wrong form or there are too many",
                         length);
    }
    dcps_message taken;
    memset(&taken, 0, sizeof(taken));
    taken.type = (dcps_message_type)unpacked->body_case;
    status = take_body(unpacked, arena, &taken);
    if (status == DCPS_OK) {
        status = check_payload(&taken, payload_bytes);
    }
    if (status == DCPS_OK) {
        *message = taken;
    }
    return status;
}
