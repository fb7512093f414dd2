#include "dcps/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define MESSAGE_BYTES 1024

static _Thread_local char latest_message[MESSAGE_BYTES];

const char *dcps_status_name(dcps_status status)
{
    switch (status) {
#define STATUS_NAME(name, value, text)                                                                                 \
    case DCPS_##name:                                                                                                  \
        return #name;
        DCPS_STATUS_MAP(STATUS_NAME)
#undef STATUS_NAME
    }
    return "UNKNOWN";
}

const char *dcps_status_text(dcps_status status)
{
    switch (status) {
#define STATUS_TEXT(name, value, text)                                                                                 \
    case DCPS_##name:                                                                                                  \
        return text;
        DCPS_STATUS_MAP(STATUS_TEXT)
#undef STATUS_TEXT
    }
    return "unknown status";
}

const char *dcps_error_message(void)
{
    return latest_message;
}

dcps_status dcps_fail(dcps_status status, const char *format, ...)
{
    char message[MESSAGE_BYTES]; /* the arguments may point into latest_message, when a failure is put into context */
    va_list arguments;
    va_start(arguments, format);
    if (vsnprintf(message, sizeof(message), format, arguments) < 0) {
        message[0] = '\0';
    }
    va_end(arguments);
    memcpy(latest_message, message, strlen(message) + 1);
    return status;
}
