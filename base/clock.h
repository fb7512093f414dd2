/* The monotonic clock, for the shells round the cores; cores are handed the time. */
#ifndef DCPS_BASE_CLOCK_H
#define DCPS_BASE_CLOCK_H

#include <stdint.h>

#define DCPS_NS_PER_MS UINT64_C(1000000)
#define DCPS_NS_PER_S UINT64_C(1000000000)

/* CLOCK_MONOTONIC in nanoseconds. */
uint64_t dcps_clock_ns(void);

#endif
