/* Instants of virtual time, in nanoseconds since it began. */
#ifndef DCPS_SIM_INSTANT_H
#define DCPS_SIM_INSTANT_H

#include <stdint.h>

/* Later than any world lasts, and early enough that one more delay does not make it wrap. */
#define DCPS_SIM_LAST_NS (UINT64_MAX / 2u)

/* `ns` >= 0 after `start_ns`, or the last instant, where that is earlier: links may be as slow as anybody likes. */
static inline uint64_t dcps_sim_after(uint64_t start_ns, double ns)
{
    double room_ns = start_ns < DCPS_SIM_LAST_NS ? (double)(DCPS_SIM_LAST_NS - start_ns) : 0.0;
    return ns < room_ns ? start_ns + (uint64_t)ns : DCPS_SIM_LAST_NS;
}

#endif
