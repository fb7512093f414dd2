/* When leases may be judged: not while heartbeats may still be unread. Pure. */
#ifndef DCPS_SERVER_LEASE_GUARD_H
#define DCPS_SERVER_LEASE_GUARD_H

#include <stdbool.h>
#include <stdint.h>

/* Zero but for lease_ms and tick_ms at first. */
typedef struct dcps_lease_guard {
    uint32_t lease_ms;
    uint32_t tick_ms;    /* from one tick to the next, if all goes well */
    uint32_t ticks_left; /* of a wait, this one included: in ticks, because time also passes while nothing is read */
    uint32_t late_ticks; /* since leases were judged last */
    uint64_t ticked_ns;
    uint64_t missed_ns; /* before the latest tick, if it came late and began a wait: in no deadline of others */
} dcps_lease_guard;

/* On each tick: whether leases have to wait. `left`: messages are left on the socket, which puts them off by one tick. After a tick that comes late, because the process or the machine stood
 * still, heartbeats may lie in the kernel or with the I/O thread, which stood still, too: every living worker gets the ticks in which it sends one, and gets them anew when it happens again
 * meanwhile. Both have their bounds, so that leases end at last on a machine that is always late or flooded. */
bool dcps_lease_guard_waits(dcps_lease_guard *guard, bool left, uint64_t now_ns);

#endif
