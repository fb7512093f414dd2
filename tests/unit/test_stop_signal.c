/* When a signal is a request to stop of its own. */
#include "base/stop_signal.h"

#include "support/check_main.h"

START_TEST(signals_that_come_together_are_one)
{
    const uint64_t first_ns = 5 * DCPS_NS_PER_S;
    uint64_t counted_ns = 0;
    ck_assert(dcps_stop_signal_counts(&counted_ns, first_ns));
    ck_assert(!dcps_stop_signal_counts(&counted_ns, first_ns));
    ck_assert(!dcps_stop_signal_counts(&counted_ns, first_ns + DCPS_ONE_REQUEST_NS - 1));
    ck_assert(dcps_stop_signal_counts(&counted_ns, first_ns + DCPS_ONE_REQUEST_NS));
    ck_assert(!dcps_stop_signal_counts(&counted_ns, first_ns + DCPS_ONE_REQUEST_NS + 1));
    ck_assert(dcps_stop_signal_counts(&counted_ns, first_ns + 10 * DCPS_ONE_REQUEST_NS));
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {signals_that_come_together_are_one};
    return CHECK_MAIN("stop signal", tests);
}
