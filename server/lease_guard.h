/* When leases may be judged: not while heartbeats may still be unread. Pure. */
#ifndef DCPS_SERVER_LEASE_GUARD_H
#define DCPS_SERVER_LEASE_GUARD_H

#include <stdbool.h>
#include <stdint.h>

/* Zero but for lease_ms and tick_ms at first. */
typedef struct dcps_lease_guard {
    uint32_t lease_ms;
    uint32_t tick_ms; /* from one tick to the next, if all goes well */
    bool waited;      /* so the latest tick was told */
    uint64_t ticked_ns;
    uint64_t until_ns; /* of a wait that outlasts the tick; 0: none */
} dcps_lease_guard;

/* On each tick: whether leases have to wait. `left`: messages are left on the socket. After a tick that comes late, because the process or the machine stood still, heartbeats
 * may lie in the kernel or with the I/O thread, which stood still, too: every living worker gets the time in which it sends one. What makes leases wait has no say on the tick after a wait, so that they end
 * at last on a machine that is always late or flooded. */
bool dcps_lease_guard_waits(dcps_lease_guard *guard, bool left, uint64_t now_ns);

#endif
