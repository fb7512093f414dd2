/* The line that workers print at their end. */
#include "cli/worker_report.h"

#include <math.h>

#include "support/check_main.h"

#define GOOD_WAIT "\"wait\":{\"count\":10,\"mean\":0.025,\"p50\":0.02,\"p99\":0.1,\"max\":0.125}"

START_TEST(a_report_is_read)
{
    dcps_worker_report report;
    ck_assert_int_eq(
        dcps_worker_report_parse("{\"worker\":3,\"steps\":10,\"seconds\":2.5,\"wait_seconds\":0.25," GOOD_WAIT
                                 ",\"final_loss\":null,\"later\":[]}",
                                 &report),
        DCPS_OK);
    ck_assert_uint_eq(report.worker, 3);
    ck_assert_double_eq(report.seconds, 2.5);
    ck_assert_double_eq(report.wait_seconds, 0.25);
    ck_assert_uint_eq(report.wait_ns.count, 10);
    ck_assert_double_eq_tol(report.wait_ns.mean, 25e6, 1e-3);
    ck_assert_uint_eq(report.wait_ns.p50, 20000000);
    ck_assert_uint_eq(report.wait_ns.p99, 100000000);
    ck_assert_uint_eq(report.wait_ns.max, 125000000);
}
END_TEST

START_TEST(a_worker_may_never_have_waited)
{
    dcps_worker_report report;
    ck_assert_int_eq(dcps_worker_report_parse("{\"worker\":0,\"seconds\":0,\"wait_seconds\":0.0,\"wait\":{\"count\":0,"
                                              "\"mean\":null,\"p50\":0,\"p99\":0,\"max\":0}}",
                                              &report),
                     DCPS_OK);
    ck_assert_uint_eq(report.wait_ns.count, 0);
    ck_assert(isnan(report.wait_ns.mean));
}
END_TEST

#define LINE(worker, seconds, wait_seconds, wait)                                                                      \
    "{\"worker\":" worker ",\"seconds\":" seconds ",\"wait_seconds\":" wait_seconds "," wait "}"

START_TEST(anything_else_is_none)
{
    static const char *const lines[] = {
        "",
        "{",
        "[]",
        "null",
        "{}",
        "a worker speaks",
        LINE("1024", "1", "1", GOOD_WAIT),
        LINE("-1", "1", "1", GOOD_WAIT),
        LINE("0.5", "1", "1", GOOD_WAIT),
        LINE("\"0\"", "1", "1", GOOD_WAIT),
        LINE("0", "-1", "1", GOOD_WAIT),
        LINE("0", "1e10", "1", GOOD_WAIT),
        LINE("0", "1", "null", GOOD_WAIT),
        LINE("0", "1", "-0.5", GOOD_WAIT),
        LINE("0", "1", "1", "\"wait\":1"),
        LINE("0", "1", "1", "\"weight\":{}"),
        LINE("0", "1", "1", "\"wait\":{\"count\":-1,\"mean\":0,\"p50\":0,\"p99\":0,\"max\":0}"),
        LINE("0", "1", "1", "\"wait\":{\"count\":1,\"mean\":null,\"p50\":0,\"p99\":0,\"max\":0}"),
        LINE("0", "1", "1", "\"wait\":{\"count\":1,\"mean\":0,\"p50\":0,\"p99\":0}"),
        LINE("0", "1", "1", "\"wait\":{\"count\":1,\"mean\":0,\"p50\":-1,\"p99\":0,\"max\":0}"),
        LINE("0", "1", "1", GOOD_WAIT ",\"worker\":1"),
    };
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        dcps_worker_report report = {.worker = 77};
        ck_assert_msg(dcps_worker_report_parse(lines[i], &report) == DCPS_CORRUPT, "'%s' passes", lines[i]);
        ck_assert_uint_eq(report.worker, 77);
    }
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {a_report_is_read, a_worker_may_never_have_waited, anything_else_is_none};
    return CHECK_MAIN("cli worker report", tests);
}
