#include "worker/pace.h"

#include "base/clock.h"

void dcps_pace_begin(dcps_pace *pace)
{
    if (pace->factor > 1.0) {
        pace->began_ns = dcps_clock_ns();
        pace->slept_ns = 0;
    }
}

void dcps_pace_hold(dcps_pace *pace)
{
    if (!(pace->factor > 1.0)) {
        return;
    }
    uint64_t now_ns = dcps_clock_ns();
    double computed_ns = (double)(now_ns - pace->began_ns - pace->slept_ns);
    double due_ns = (pace->factor - 1.0) * computed_ns - (double)pace->slept_ns;
    if (due_ns >= 1.0) {
        dcps_stop_sleep(pace->stop, due_ns < (double)INT64_MAX ? (uint64_t)due_ns : (uint64_t)INT64_MAX);
        pace->slept_ns += dcps_clock_ns() - now_ns;
    }
}
