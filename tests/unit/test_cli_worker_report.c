/* The line that workers print at their end. */
#include "cli/run/worker_report.h"

#include <math.h>
#include <stdio.h>

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
    ck_assert_uint_eq(report.wait_histogram.count, 0);
}
END_TEST

#define TOLD_WAIT(histogram)                                                                                           \
    "\"wait\":{\"count\":3,\"mean\":0.5,\"p50\":0,\"p99\":1.5,\"max\":1.5,\"histogram\":" histogram "}"

START_TEST(a_histogram_is_read)
{
    dcps_worker_report report;
    ck_assert_int_eq(
        dcps_worker_report_parse(
            "{\"worker\":0,\"seconds\":1,\"wait_seconds\":1," TOLD_WAIT("[[0,2],[1.476395008,1]]") "}", &report),
        DCPS_OK);
    ck_assert_uint_eq(report.wait_histogram.count, 3);
    ck_assert_uint_eq(report.wait_histogram.buckets[0], 2);
    ck_assert_uint_eq(report.wait_histogram.buckets[dcps_histogram_bucket(1500000000)], 1);
}
END_TEST

/* What a worker prints of any bucket is the first value of that bucket. */
START_TEST(every_bucket_is_found_again)
{
    char line[512];
    for (uint32_t i = 0; i < DCPS_HISTOGRAM_BUCKETS; i++) {
        dcps_worker_report report;
        double first = (double)dcps_histogram_first(i) / 1e9;
        (void)snprintf(line, sizeof(line),
                       "{\"worker\":0,\"seconds\":1,\"wait_seconds\":1,\"wait\":{\"count\":7,\"mean\":0,\"p50\":0,"
                       "\"p99\":0,\"max\":%.15g,\"histogram\":[[%.15g,7]]}}",
                       first, first);
        ck_assert_int_eq(dcps_worker_report_parse(line, &report), DCPS_OK);
        ck_assert_uint_eq(report.wait_histogram.buckets[i], 7);
    }
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
        LINE("0", "1", "1", TOLD_WAIT("null")),
        LINE("0", "1", "1", TOLD_WAIT("{}")),
        LINE("0", "1", "1", TOLD_WAIT("[]")),                               /* of nothing */
        LINE("0", "1", "1", TOLD_WAIT("[[0,2]]")),                          /* of fewer */
        LINE("0", "1", "1", TOLD_WAIT("[[0,3],[1.476395008,1]]")),          /* of more */
        LINE("0", "1", "1", TOLD_WAIT("[[0,2],[1e-9,1]]")),                 /* the maximum is elsewhere */
        LINE("0", "1", "1", TOLD_WAIT("[[1.476395008,1],[0,2]]")),          /* falling */
        LINE("0", "1", "1", TOLD_WAIT("[[0,1],[0,1],[1.476395008,1]]")),    /* twice */
        LINE("0", "1", "1", TOLD_WAIT("[[0,2],[1.5,1]]")),                  /* no first value */
        LINE("0", "1", "1", TOLD_WAIT("[[0,3],[1e-9,0],[1.476395008,0]]")), /* none */
        LINE("0", "1", "1", TOLD_WAIT("[[0,4],[1.476395008,-1]]")),         /* negative */
        LINE("0", "1", "1", TOLD_WAIT("[[0,2.0],[1.476395008,1]]")),
        LINE("0", "1", "1", TOLD_WAIT("[[0,2,0],[1.476395008,1]]")),
        LINE("0", "1", "1", TOLD_WAIT("[[0],[1.476395008,1]]")),
        LINE("0", "1", "1", TOLD_WAIT("[[\"0\",2],[1.476395008,1]]")),
        LINE("0", "1", "1", TOLD_WAIT("[[-1,2],[1.476395008,1]]")),
        LINE("0", "1", "1", TOLD_WAIT("[0,2]")),
        LINE("0", "1", "1", TOLD_WAIT("[[0,9223372036854775807],[1e-9,9223372036854775807],[1.476395008,5]]")),
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
    const TTest *const tests[] = {a_report_is_read, a_histogram_is_read, every_bucket_is_found_again,
                                  a_worker_may_never_have_waited, anything_else_is_none};
    return CHECK_MAIN("cli worker report", tests);
}
