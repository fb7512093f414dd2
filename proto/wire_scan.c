/* A first look at a header, so that another protocol version is told from garbage and a header with two bodies is refused. */
#include "proto/wire_internal.h"

typedef struct cursor {
    const uint8_t *at;
    const uint8_t *end;
} cursor;

static bool read_varint(cursor *from, uint64_t *value)
{
    uint64_t read = 0;
    for (unsigned shift = 0; shift < 64 && from->at < from->end; shift += 7) {
        uint8_t byte = *from->at++;
        read |= (uint64_t)(byte & 0x7f) << shift;
        if ((byte & 0x80) == 0) {
            *value = read;
            return true;
        }
    }
    return false;
}

static bool skip_bytes(cursor *from, uint64_t bytes)
{
    if (bytes > (uint64_t)(from->end - from->at)) {
        return false;
    }
    from->at += bytes;
    return true;
}

/* `value` is that of a varint field, else 0. */
static bool read_field(cursor *from, uint64_t *number, uint64_t *value)
{
    uint64_t tag = 0;
    uint64_t length = 0;
    if (!read_varint(from, &tag)) {
        return false;
    }
    *number = tag >> 3;
    *value = 0;
    switch (tag & 7) {
    case 0:
        return read_varint(from, value);
    case 1:
        return skip_bytes(from, 8);
    case 2:
        return read_varint(from, &length) && skip_bytes(from, length);
    case 5:
        return skip_bytes(from, 4);
    default:
        return false; /* groups are no part of proto3 */
    }
}

static bool is_body(uint64_t number)
{
    switch (number) {
#define DCPS_SCAN_CASE(name, field, payload) case field:
        DCPS_MESSAGE_MAP(DCPS_SCAN_CASE)
#undef DCPS_SCAN_CASE
        return true;
    default:
        return false;
    }
}

dcps_status dcps_wire_scan_header(const uint8_t *header, size_t length, dcps_wire_scan *scan)
{
    cursor from = {header, header + length};
    dcps_wire_scan found = {.version = 0};
    while (from.at < from.end) {
        uint64_t number = 0;
        uint64_t value = 0;
        size_t position = (size_t)(from.at - header);
        if (!read_field(&from, &number, &value) || number == 0) {
            return dcps_fail(DCPS_PROTOCOL, "header of %zu bytes: no protobuf field at byte %zu", length, position);
        }
        if (number == 1) {
            found.version = value;
        } else if (is_body(number)) {
            found.body_count++;
            found.has_error = found.has_error || number == DCPS_MESSAGE_ERROR;
        }
    }
    *scan = found;
    return DCPS_OK;
}
