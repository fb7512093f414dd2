#include "server/lease_guard.h"

#include "base/clock.h"

/* Workers send a heartbeat so often within a lease. */
#define HEARTBEATS_PER_LEASE 4u

bool dcps_lease_guard_waits(dcps_lease_guard *guard, bool left, uint64_t now_ns)
{
    uint64_t beat_ns = guard->lease_ms * DCPS_NS_PER_MS / HEARTBEATS_PER_LEASE;
    uint64_t tick_ns = guard->tick_ms * DCPS_NS_PER_MS;
    uint64_t late_ns = beat_ns > 2u * tick_ns ? beat_ns : 2u * tick_ns;
    bool late = guard->ticked_ns != 0 && now_ns - guard->ticked_ns >= late_ns;
    guard->ticked_ns = now_ns;
    if (now_ns < guard->until_ns) {
        return true;
    }
    guard->waited = (late || left) && !guard->waited;
    guard->until_ns = guard->waited && late ? now_ns + beat_ns : 0;
    return guard->waited;
}
