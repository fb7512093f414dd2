/* Checks that several messages share. */
#include <inttypes.h>

#include "proto/wire_internal.h"
#include "proto/wire_text.h"

dcps_status dcps_wire_check_below(dcps_message_type type, const char *what, uint64_t value, uint64_t bound)
{
    if (value < bound) {
        return DCPS_OK;
    }
    return dcps_fail(DCPS_PROTOCOL, "%s: %s is %" PRIu64 ", expected less than %" PRIu64, dcps_message_name(type), what,
                     value, bound);
}

dcps_status dcps_wire_check_range(dcps_message_type type, const char *what, uint64_t value, uint64_t first,
                                  uint64_t last)
{
    if (value >= first && value <= last) {
        return DCPS_OK;
    }
    return dcps_fail(DCPS_PROTOCOL, "%s: %s is %" PRIu64 ", expected %" PRIu64 " to %" PRIu64, dcps_message_name(type),
                     what, value, first, last);
}

dcps_status dcps_wire_check_text(dcps_message_type type, const char *what, const char *text, size_t limit_bytes)
{
    if (dcps_text_is_clean(text, limit_bytes)) {
        return DCPS_OK;
    }
    return dcps_fail(DCPS_PROTOCOL, "%s: %s is not UTF-8 of less than %zu bytes without control characters",
                     dcps_message_name(type), what, limit_bytes);
}

dcps_status dcps_wire_check_server(dcps_message_type type, uint32_t index, uint32_t count)
{
    dcps_status status = dcps_wire_check_range(type, "server_count", count, 1, DCPS_MAX_SERVERS);
    return status == DCPS_OK ? dcps_wire_check_below(type, "server_index", index, count) : status;
}

dcps_status dcps_wire_check_place(dcps_message_type type, uint32_t worker, uint32_t block)
{
    dcps_status status = dcps_wire_check_below(type, "worker", worker, DCPS_MAX_WORKERS);
    return status == DCPS_OK ? dcps_wire_check_below(type, "block", block, DCPS_MAX_BLOCKS) : status;
}

dcps_status dcps_wire_take_session(dcps_message_type type, const Dcps__Session *from, dcps_session *session)
{
    if (from == NULL) {
        return dcps_fail(DCPS_PROTOCOL, "%s: session is missing", dcps_message_name(type));
    }
    dcps_status status = dcps_wire_check_below(type, "worker", from->worker, DCPS_MAX_WORKERS);
    if (status != DCPS_OK) {
        return status;
    }
    *session = (dcps_session){.worker = from->worker, .incarnation = from->incarnation, .token = from->token};
    return DCPS_OK;
}
