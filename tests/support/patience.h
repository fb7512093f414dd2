/* How long a test waits for programs that sanitizers make slow. */
#ifndef DCPS_TESTS_SUPPORT_PATIENCE_H
#define DCPS_TESTS_SUPPORT_PATIENCE_H

#include <stdint.h>
#include <stdlib.h>

/* So long that a sanitized program on a busy machine does not pass for a silent one. */
static inline uint32_t patient_ms(uint32_t ms)
{
    const char *patience = getenv("DCPS_TEST_PATIENCE");
    return patience == NULL || strtod(patience, NULL) <= 1 ? ms : 3 * ms;
}

#endif
