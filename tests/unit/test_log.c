#include "base/log.h"

#include <errno.h>
#include <jansson.h>
#include <pthread.h>

#include "base/clock.h"
#include "support/capture.h"
#include "support/check_main.h"

static char captured[1 << 20];

/* Logs one message at INFO and captures the line. */
static void log_one(const char *message)
{
    capture output;
    capture_start(&output, STDERR_FILENO);
    dcps_info("%s", message);
    capture_end(&output, captured, sizeof(captured));
}

static json_t *parse_captured(void)
{
    json_error_t error;
    json_t *line = json_loads(captured, JSON_REJECT_DUPLICATES, &error);
    ck_assert_msg(line != NULL, "%s in %s", error.text, captured);
    return line;
}

static const char *text_of(const json_t *line, const char *key)
{
    return json_string_value(json_object_get(line, key));
}

START_TEST(text_lines_hold_time_program_level_and_message)
{
    dcps_log_setup("dcps-server 0", DCPS_LOG_INFO, false);
    capture output;
    capture_start(&output, STDERR_FILENO);
    dcps_warn("worker %d is silent", 3);
    capture_end(&output, captured, sizeof(captured));
    int year;
    int month;
    int day;
    int end = 0;
    ck_assert_int_eq(sscanf(captured, "%4d-%2d-%2dT%*2d:%*2d:%*2d.%*3dZ%n", &year, &month, &day, &end), 3);
    ck_assert_int_ge(year, 2024);
    ck_assert_str_eq(captured + end, " dcps-server 0 warn: worker 3 is silent\n");
}
END_TEST

START_TEST(lines_below_the_level_are_dropped)
{
    dcps_log_setup("p", DCPS_LOG_WARN, false);
    capture output;
    capture_start(&output, STDERR_FILENO);
    dcps_debug("1");
    dcps_info("2");
    dcps_error("3");
    capture_end(&output, captured, sizeof(captured));
    ck_assert_ptr_nonnull(strstr(captured, "error: 3\n"));
    ck_assert_ptr_eq(strchr(captured, '\n'), captured + strlen(captured) - 1);
}
END_TEST

START_TEST(json_lines_survive_any_text)
{
    dcps_log_setup("pro\"gram", DCPS_LOG_INFO, true);
    log_one("quote \" backslash \\ feed \n tab \t bell \a delete \x7f umlaut ä snow ☃ face 😀");
    json_t *line = parse_captured();
    ck_assert_str_eq(text_of(line, "message"),
                     "quote \" backslash \\ feed \n tab \t bell \a delete \x7f umlaut ä snow ☃ face 😀");
    ck_assert_str_eq(text_of(line, "program"), "pro\"gram");
    ck_assert_str_eq(text_of(line, "level"), "info");
    ck_assert_uint_eq(strlen(text_of(line, "time")), strlen("2024-05-31T08:15:00.123Z"));
    json_decref(line);
}
END_TEST

START_TEST(bytes_that_are_not_utf8_are_replaced)
{
    static const char *const bad[] = {
        "\xff",     "\x80", "\xc0\xaf", "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xf8\x88\x80\x80\x80",
        "\xe2\x82", "\xc3"};
    dcps_log_setup("p", DCPS_LOG_INFO, true);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        log_one(bad[i]);
        json_t *line = parse_captured();
        ck_assert_int_eq(strncmp(text_of(line, "message"), "\xef\xbf\xbd", 3), 0);
        json_decref(line);
    }
}
END_TEST

START_TEST(peers_cannot_forge_lines_or_reach_the_terminal)
{
    dcps_log_setup("p", DCPS_LOG_INFO, false);
    log_one("a\nb\x1b[2Jc\xc2\x9b"
            "d\x7f");
    ck_assert_ptr_nonnull(strstr(captured, "info: a\\u000ab\\u001b[2Jc\\u009bd\\u007f\n"));
    ck_assert_ptr_eq(strchr(captured, '\n'), captured + strlen(captured) - 1);
    ck_assert_ptr_null(strchr(captured, '\x1b'));
}
END_TEST

START_TEST(long_messages_are_cut_and_say_so)
{
    static char message[10000];
    memset(message, '"', sizeof(message) - 1);
    dcps_log_setup("p", DCPS_LOG_INFO, true);
    log_one(message);
    json_t *line = parse_captured();
    const char *kept = text_of(line, "message");
    ck_assert_uint_gt(strlen(kept), 1000);
    ck_assert_str_eq(kept + strlen(kept) - 3, "...");
    json_decref(line);
    memset(message, '\x01', sizeof(message) - 1); /* escapes at their longest */
    log_one(message);
    json_decref(parse_captured());
}
END_TEST

START_TEST(errno_is_kept)
{
    dcps_log_setup("p", DCPS_LOG_INFO, false);
    errno = ENOSPC;
    log_one("x");
    errno = ENOSPC;
    capture output;
    capture_start(&output, STDERR_FILENO);
    (void)close(STDERR_FILENO);
    errno = ENOSPC;
    dcps_error("nobody can read this");
    int kept = errno;
    (void)dup2(output.saved, STDERR_FILENO);
    ck_assert_int_eq(kept, ENOSPC);
}
END_TEST

static void *log_many(void *name)
{
    for (int i = 0; i < 500; i++) {
        dcps_info("%s %d end", (const char *)name, i);
    }
    return NULL;
}

START_TEST(lines_of_threads_do_not_mix)
{
    dcps_log_setup("p", DCPS_LOG_INFO, false);
    capture output;
    capture_start(&output, STDERR_FILENO);
    pthread_t threads[4];
    char names[4][2] = {"a", "b", "c", "d"};
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(pthread_create(&threads[i], NULL, log_many, names[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    }
    capture_end(&output, captured, sizeof(captured));
    int next[4] = {0};
    int lines = 0;
    for (char *line = strtok(captured, "\n"); line != NULL; line = strtok(NULL, "\n"), lines++) {
        char name;
        int number;
        int end = 0;
        ck_assert_int_eq(sscanf(line, "%*s p info: %c %d end%n", &name, &number, &end), 2);
        ck_assert_uint_eq(strlen(line), (size_t)end);
        ck_assert_int_eq(number, next[name - 'a']++);
    }
    ck_assert_int_eq(lines, 2000);
}
END_TEST

START_TEST(rate_limit_counts_what_it_drops)
{
    dcps_rate_limit limit = {.interval_ns = 1000, .burst = 2};
    uint64_t suppressed = 99;
    ck_assert(dcps_rate_limit_pass(&limit, 10, &suppressed));
    ck_assert_uint_eq(suppressed, 0);
    ck_assert(dcps_rate_limit_pass(&limit, 20, &suppressed));
    for (uint64_t t = 30; t < 37; t++) {
        ck_assert(!dcps_rate_limit_pass(&limit, t, &suppressed));
    }
    ck_assert_uint_eq(suppressed, 0);
    ck_assert(dcps_rate_limit_pass(&limit, 1500, &suppressed));
    ck_assert_uint_eq(suppressed, 7);
    ck_assert(dcps_rate_limit_pass(&limit, 1501, &suppressed));
    ck_assert_uint_eq(suppressed, 0);
    ck_assert(!dcps_rate_limit_pass(&limit, 2499, &suppressed));
    ck_assert(dcps_rate_limit_pass(&limit, 2500, &suppressed));
}
END_TEST

START_TEST(levels_have_names)
{
    static const char *const names[] = {
        [DCPS_LOG_DEBUG] = "debug", [DCPS_LOG_INFO] = "info", [DCPS_LOG_WARN] = "warn", [DCPS_LOG_ERROR] = "error"};
    char listed[64] = "";
    for (int level = DCPS_LOG_DEBUG; level <= DCPS_LOG_ERROR; level++) {
        ck_assert_int_eq(dcps_log_level_named(names[level]), level);
        const size_t used = strlen(listed);
        (void)snprintf(listed + used, sizeof(listed) - used, "%s%s", used > 0 ? "|" : "", names[level]);
    }
    ck_assert_str_eq(listed, DCPS_LOG_LEVEL_NAMES);
}
END_TEST

START_TEST(the_clock_runs_forward)
{
    uint64_t last = dcps_clock_ns();
    uint64_t first = last;
    while (last - first < DCPS_NS_PER_MS) {
        uint64_t now = dcps_clock_ns();
        ck_assert(now >= last);
        last = now;
    }
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {text_lines_hold_time_program_level_and_message,
                                  lines_below_the_level_are_dropped,
                                  json_lines_survive_any_text,
                                  bytes_that_are_not_utf8_are_replaced,
                                  peers_cannot_forge_lines_or_reach_the_terminal,
                                  long_messages_are_cut_and_say_so,
                                  errno_is_kept,
                                  lines_of_threads_do_not_mix,
                                  levels_have_names,
                                  rate_limit_counts_what_it_drops,
                                  the_clock_runs_forward};
    return CHECK_MAIN("log", tests);
}
