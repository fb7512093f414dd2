#include "proto/message.h"

const char *dcps_message_name(dcps_message_type type)
{
    switch (type) {
#define DCPS_MESSAGE_NAME_CASE(name, number, payload)                                                                  \
    case DCPS_MESSAGE_##name:                                                                                          \
        return #name;
        DCPS_MESSAGE_MAP(DCPS_MESSAGE_NAME_CASE)
#undef DCPS_MESSAGE_NAME_CASE
    }
    return "UNKNOWN";
}

bool dcps_message_may_carry_payload(dcps_message_type type)
{
    switch (type) {
#define DCPS_MESSAGE_PAYLOAD_CASE(name, number, payload)                                                               \
    case DCPS_MESSAGE_##name:                                                                                          \
        return payload;
        DCPS_MESSAGE_MAP(DCPS_MESSAGE_PAYLOAD_CASE)
#undef DCPS_MESSAGE_PAYLOAD_CASE
    }
    return false;
}
