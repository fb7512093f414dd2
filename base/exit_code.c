#include "base/exit_code.h"

int dcps_exit_code(dcps_status status)
{
    switch (status) {
    case DCPS_OK:
        return DCPS_EXIT_GOOD;
    case DCPS_AGAIN:
    case DCPS_TIMEOUT:
        return DCPS_EXIT_TRY_AGAIN;
    default:
        return DCPS_EXIT_FAILED;
    }
}

int dcps_exit_code_of_usage(dcps_status status)
{
    if (status == DCPS_OK) {
        return DCPS_EXIT_GOOD;
    }
    return status == DCPS_NO_MEMORY ? DCPS_EXIT_FAILED : DCPS_EXIT_BAD_USAGE;
}
