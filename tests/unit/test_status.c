#include "dcps/status.h"

#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#include "base/exit_code.h"
#include "support/check_main.h"

START_TEST(names_and_texts_cover_the_map)
{
    ck_assert_str_eq(dcps_status_name(DCPS_OK), "OK");
    ck_assert_str_eq(dcps_status_name(DCPS_NOT_PULLED), "NOT_PULLED");
    ck_assert_str_eq(dcps_status_text(DCPS_NO_MEMORY), "out of memory");
    ck_assert_int_eq(DCPS_OK, 0);
    ck_assert_int_eq(DCPS_PROTOCOL, -6);
    ck_assert_int_eq(DCPS_SYSTEM, -15);
}
END_TEST

START_TEST(values_of_a_peer_outside_the_map_have_a_name)
{
    ck_assert_str_eq(dcps_status_name((dcps_status)77), "UNKNOWN");
    ck_assert_str_eq(dcps_status_text((dcps_status)-1000), "unknown status");
}
END_TEST

START_TEST(fail_keeps_the_latest_message)
{
    ck_assert_str_eq(dcps_error_message(), "");
    ck_assert_int_eq(dcps_fail(DCPS_IO, "disk %d", 3), DCPS_IO);
    ck_assert_str_eq(dcps_error_message(), "disk 3");
    ck_assert_int_eq(dcps_fail(DCPS_TIMEOUT, "%s", "shard"), DCPS_TIMEOUT);
    ck_assert_str_eq(dcps_error_message(), "shard");
}
END_TEST

START_TEST(fail_may_quote_the_message_it_replaces)
{
    (void)dcps_fail(DCPS_IO, "no space left");
    (void)dcps_fail(DCPS_IO, "checkpoint 7: %s", dcps_error_message());
    ck_assert_str_eq(dcps_error_message(), "checkpoint 7: no space left");
}
END_TEST

START_TEST(long_messages_are_cut_at_1023_bytes)
{
    char text[3000];
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    (void)dcps_fail(DCPS_IO, "%s", text);
    ck_assert_uint_eq(strlen(dcps_error_message()), 1023);
}
END_TEST

/* Only what may be over soon is worth another try; wherever a command line comes from, all but a lack of memory is a fault of it. */
START_TEST(exit_codes_tell_what_to_do)
{
    ck_assert_int_eq(dcps_exit_code(DCPS_OK), 0);
    ck_assert_int_eq(dcps_exit_code_of_usage(DCPS_OK), 0);
#define EXIT_CODE(name, value, text)                                                                                   \
    if (DCPS_##name != DCPS_OK) {                                                                                      \
        bool again = DCPS_##name == DCPS_AGAIN || DCPS_##name == DCPS_TIMEOUT;                                         \
        ck_assert_int_eq(dcps_exit_code(DCPS_##name), again ? 75 : 1);                                                 \
        ck_assert_int_eq(dcps_exit_code_of_usage(DCPS_##name), DCPS_##name == DCPS_NO_MEMORY ? 1 : 2);                 \
    }
    DCPS_STATUS_MAP(EXIT_CODE)
#undef EXIT_CODE
}
END_TEST

static void *fail_elsewhere(void *seen)
{
    *(int *)seen = dcps_error_message()[0] == '\0';
    (void)dcps_fail(DCPS_INVALID, "of the other thread");
    return NULL;
}

START_TEST(each_thread_has_its_own_message)
{
    (void)dcps_fail(DCPS_IO, "of this thread");
    pthread_t thread;
    int was_empty = 0;
    ck_assert_int_eq(pthread_create(&thread, NULL, fail_elsewhere, &was_empty), 0);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    ck_assert_int_eq(was_empty, 1);
    ck_assert_str_eq(dcps_error_message(), "of this thread");
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {names_and_texts_cover_the_map,       values_of_a_peer_outside_the_map_have_a_name,
                                  fail_keeps_the_latest_message,       fail_may_quote_the_message_it_replaces,
                                  long_messages_are_cut_at_1023_bytes, each_thread_has_its_own_message,
                                  exit_codes_tell_what_to_do};
    return CHECK_MAIN("status", tests);
}
