#include "server/lease_guard.h"

#include "base/clock.h"
#include "proto/limits.h"

/* A heartbeat leaves when the worker next looks at its clock, and takes a while to come. */
#define TICKS_ON_THE_WAY 2u

/* Late ticks, one in the wait that another began, that begin it anew. */
#define MAX_LATE_TICKS 3u

/* In which every living worker sends one that is read. */
static uint32_t ticks_of_a_heartbeat(const dcps_lease_guard *guard)
{
    uint32_t beat_ms = guard->lease_ms / DCPS_HEARTBEATS_PER_LEASE;
    return beat_ms / guard->tick_ms + (beat_ms % guard->tick_ms != 0 ? 1u : 0u) + TICKS_ON_THE_WAY;
}

static bool is_late(const dcps_lease_guard *guard, uint64_t now_ns)
{
    uint64_t beat_ns = guard->lease_ms * DCPS_NS_PER_MS / DCPS_HEARTBEATS_PER_LEASE;
    uint64_t two_ticks_ns = 2u * guard->tick_ms * DCPS_NS_PER_MS;
    uint64_t late_ns = beat_ns > two_ticks_ns ? beat_ns : two_ticks_ns;
    return guard->ticked_ns != 0 && now_ns - guard->ticked_ns >= late_ns;
}

bool dcps_lease_guard_waits(dcps_lease_guard *guard, bool left, uint64_t now_ns)
{
    bool waited = guard->ticks_left > 0;
    guard->ticks_left -= waited ? 1u : 0u;
    guard->missed_ns = 0;
    if (is_late(guard, now_ns)) {
        bool forgiven = guard->late_ticks < MAX_LATE_TICKS;
        guard->ticks_left = forgiven ? ticks_of_a_heartbeat(guard) : 0;
        guard->missed_ns = forgiven ? now_ns - guard->ticked_ns : 0;
        guard->late_ticks++;
    } else if (left && !waited) {
        guard->ticks_left = 1;
    }
    guard->ticked_ns = now_ns;
    bool waits = guard->ticks_left > 0;
    guard->late_ticks = waits ? guard->late_ticks : 0;
    return waits;
}
