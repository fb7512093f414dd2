#include "base/text.h"

#include <stdlib.h>
#include <string.h>

#include "support/check_main.h"

START_TEST(integers_parse)
{
    int64_t value = 0;
    ck_assert_int_eq(dcps_parse_integer("x", "0", &value), DCPS_OK);
    ck_assert_int_eq(value, 0);
    ck_assert_int_eq(dcps_parse_integer("x", "-17", &value), DCPS_OK);
    ck_assert_int_eq(value, -17);
    ck_assert_int_eq(dcps_parse_integer("x", "+007", &value), DCPS_OK);
    ck_assert_int_eq(value, 7);
    ck_assert_int_eq(dcps_parse_integer("x", "9223372036854775807", &value), DCPS_OK);
    ck_assert(value == INT64_MAX);
    ck_assert_int_eq(dcps_parse_integer("x", "-9223372036854775808", &value), DCPS_OK);
    ck_assert(value == INT64_MIN);
}
END_TEST

START_TEST(all_but_integers_are_refused)
{
    static const char *const bad[] = {"",
                                      " 1",
                                      "1 ",
                                      "1\n",
                                      "-",
                                      "+",
                                      "--1",
                                      "1.0",
                                      "1e3",
                                      "0x1",
                                      "1,2",
                                      "１",
                                      "nan",
                                      "1\t",
                                      "12abc",
                                      "9223372036854775808",
                                      "abc",
                                      "-+1",
                                      "1'0",
                                      "1_0",
                                      "1\x80",
                                      "\xff",
                                      "1;rm",
                                      "1\r\n",
                                      "-9223372036854775809"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        int64_t value = 99;
        ck_assert_msg(dcps_parse_integer("--count", bad[i], &value) == DCPS_INVALID, "\"%s\" was taken", bad[i]);
        ck_assert_int_eq(value, 99);
        ck_assert_ptr_nonnull(strstr(dcps_error_message(), "--count"));
        ck_assert_ptr_nonnull(strstr(dcps_error_message(), bad[i]));
    }
}
END_TEST

START_TEST(reals_parse)
{
    static const struct {
        const char *text;
        double value;
    } good[] = {{"0", 0},        {"-0.5", -0.5},   {".25", 0.25}, {"4.", 4},
                {"1e-3", 0.001}, {"+2.5E+2", 250}, {"0.1", 0.1},  {"1.7976931348623157e308", 1.7976931348623157e308}};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        double value = -1;
        ck_assert_int_eq(dcps_parse_real("x", good[i].text, &value), DCPS_OK);
        ck_assert(value == good[i].value);
    }
}
END_TEST

START_TEST(all_but_finite_reals_are_refused)
{
    static const char *const bad[] = {"",     ".",      "-",        "e5", "1e",    "1e+",   "1.2.3",  "0x1p3", "inf",
                                      "-inf", "nan",    "1,5",      " 1", "1 ",    "1e400", "1e-400", "--1",   "1f",
                                      "1e5.", "nan(1)", "infinity", "1-", "1e--1", "0x10",  "1d3",    "\xff"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        double value = 99;
        ck_assert_msg(dcps_parse_real("--rate", bad[i], &value) == DCPS_INVALID, "\"%s\" was taken", bad[i]);
        ck_assert(value == 99);
        ck_assert_ptr_nonnull(strstr(dcps_error_message(), "--rate"));
    }
}
END_TEST

START_TEST(hosts_and_ports_parse)
{
    static const struct {
        const char *text;
        const char *host;
        uint16_t port;
    } good[] = {{"localhost:7070", "localhost", 7070},
                {"10.0.0.7:1", "10.0.0.7", 1},
                {"0.0.0.0:0", "0.0.0.0", 0},
                {"node-3.cluster_a:65535", "node-3.cluster_a", 65535},
                {"[::1]:80", "::1", 80},
                {"[fe80::1%eth0]:7070", "fe80::1%eth0", 7070}};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        dcps_host_port value;
        ck_assert_int_eq(dcps_parse_host_port("--bind", good[i].text, &value), DCPS_OK);
        ck_assert_str_eq(value.host, good[i].host);
        ck_assert_uint_eq(value.port, good[i].port);
    }
}
END_TEST

START_TEST(wrong_addresses_are_refused)
{
    static const char *const bad[] = {"",        ":",        "host",      ":70",        "host:",        "host:65536",
                                      "host:-1", "host:+1",  "host: 70",  "host:70 ",   "::1:70",       "[::1]",
                                      "[::1]70", "[::1:70",  "[host]:70", "a b:70",     "a/b:70",       "[]:70",
                                      "h:0x50",  "h:000070", "-h:70",     "[::1]:70:2", "h@x:70",       "h:70,i:71",
                                      "[1.2]:3", "[::%]:70", "]:70",      "[:70",       "[::1%a b]:70", "tcp://h:70"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        dcps_host_port value = {.port = 99};
        ck_assert_msg(dcps_parse_host_port("--bind", bad[i], &value) == DCPS_INVALID, "\"%s\" was taken", bad[i]);
        ck_assert_uint_eq(value.port, 99);
        ck_assert_ptr_nonnull(strstr(dcps_error_message(), "--bind"));
    }
}
END_TEST

START_TEST(host_names_have_a_limit)
{
    char text[400];
    memset(text, 'a', sizeof(text));
    strncpy(text + 255, ":70", 4);
    dcps_host_port value;
    ck_assert_int_eq(dcps_parse_host_port("x", text, &value), DCPS_OK);
    ck_assert_uint_eq(strlen(value.host), 255);
    memset(text, 'a', sizeof(text));
    strncpy(text + 256, ":70", 4);
    ck_assert_int_eq(dcps_parse_host_port("x", text, &value), DCPS_INVALID);
}
END_TEST

START_TEST(lists_of_addresses_parse)
{
    dcps_host_port values[3];
    size_t count = 0;
    ck_assert_int_eq(dcps_parse_host_ports("--servers", "a:1,[::1]:2,c:3", values, 3, &count), DCPS_OK);
    ck_assert_uint_eq(count, 3);
    ck_assert_str_eq(values[1].host, "::1");
    ck_assert_uint_eq(values[2].port, 3);
    ck_assert_int_eq(dcps_parse_host_ports("--servers", "b:9", values, 3, &count), DCPS_OK);
    ck_assert_uint_eq(count, 1);
}
END_TEST

START_TEST(wrong_lists_are_refused)
{
    dcps_host_port values[2];
    size_t count = 7;
    ck_assert_int_eq(dcps_parse_host_ports("s", "a:1,b:2,c:3", values, 2, &count), DCPS_LIMIT);
    ck_assert_int_eq(dcps_parse_host_ports("s", "", values, 2, &count), DCPS_INVALID);
    ck_assert_int_eq(dcps_parse_host_ports("s", "a:1,", values, 2, &count), DCPS_INVALID);
    ck_assert_int_eq(dcps_parse_host_ports("s", ",a:1", values, 2, &count), DCPS_INVALID);
    ck_assert_int_eq(dcps_parse_host_ports("s", "a:1, b:2", values, 2, &count), DCPS_INVALID);
    char text[5000];
    memset(text, 'a', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    ck_assert_int_eq(dcps_parse_host_ports("s", text, values, 2, &count), DCPS_INVALID);
    ck_assert_uint_eq(count, 7);
}
END_TEST

START_TEST(loopback_is_told_from_the_world)
{
    static const char *const loopback[] = {"127.0.0.1", "127.255.0.9", "::1", "localhost", "LocalHost"};
    static const char *const others[] = {
        "0.0.0.0",     "128.0.0.1", "::",         "::2", "localhost.example.org", "127.0.0.1.example.org",
        "example.org", "",          "10.127.0.1", "127"};
    for (size_t i = 0; i < sizeof(loopback) / sizeof(loopback[0]); i++) {
        ck_assert_msg(dcps_host_is_loopback(loopback[i]), "%s", loopback[i]);
    }
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        ck_assert_msg(!dcps_host_is_loopback(others[i]), "%s", others[i]);
    }
}
END_TEST

/* The borders of RFC 3629, section 4. */
START_TEST(utf8_is_told_from_other_bytes)
{
    static const char *const good[] = {"",
                                       "plain",
                                       "\u00e9 \u20ac",
                                       "\xc2\x80",
                                       "\xdf\xbf",
                                       "\xe0\xa0\x80",
                                       "\xed\x9f\xbf",
                                       "\xee\x80\x80",
                                       "\xf0\x90\x80\x80",
                                       "\xf4\x8f\xbf\xbf"};
    static const char *const bad[] = {"\xff",
                                      "/tmp/x\xff",
                                      "\x80",
                                      "\xc1\xbf",
                                      "\xe0\x9f\xbf",
                                      "\xed\xa0\x80",
                                      "\xf0\x8f\xbf\xbf",
                                      "\xf4\x90\x80\x80",
                                      "\xc3",
                                      "a\xe2\x82",
                                      "\xe2\x82 b"};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        ck_assert_msg(dcps_text_is_utf8(good[i]), "good text %zu", i);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        ck_assert_msg(!dcps_text_is_utf8(bad[i]), "bad text %zu", i);
    }
    ck_assert_uint_eq(dcps_utf8_length("\u20ac"), 3);
    ck_assert_uint_eq(dcps_printable_length("\u20ac"), 3);
    static const char *const none[] = {"", "\n", "\x7f", "\xc2\x85", "\xff"};
    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
        ck_assert_uint_eq(dcps_printable_length(none[i]), 0);
    }
}
END_TEST

START_TEST(texts_are_fitted_by_the_character)
{
    char out[6];
    dcps_text_fit(out, sizeof(out), "plain");
    ck_assert_str_eq(out, "plain");
    dcps_text_fit(out, sizeof(out), "plainer");
    ck_assert_str_eq(out, "plain");
    dcps_text_fit(out, sizeof(out), "abc\u20ac"); /* would end within the last one */
    ck_assert_str_eq(out, "abc");
    dcps_text_fit(out, sizeof(out), "ab\u20ac");
    ck_assert_str_eq(out, "ab\u20ac");
    dcps_text_fit(out, sizeof(out), "\xe2\x82|\xff\xc3");
    ck_assert_str_eq(out, "??|??");
    dcps_text_fit(out, sizeof(out), "\x1b\n \x7f\x01"); /* would move a terminal's cursor, or worse */
    ck_assert_str_eq(out, "?? ??");
    dcps_text_fit(out, sizeof(out), "\xc2\x9b\xc2\xa0"); /* control characters beyond ASCII */
    ck_assert_str_eq(out, "??\u00a0");
    dcps_text_fit(out, 1, "x");
    ck_assert_str_eq(out, "");
}
END_TEST

START_TEST(format_fails_instead_of_cutting)
{
    char out[6];
    ck_assert_int_eq(dcps_format(out, sizeof(out), "%d-%d", 12, 34), DCPS_OK);
    ck_assert_str_eq(out, "12-34");
    ck_assert_int_eq(dcps_format(out, sizeof(out), "%d-%d", 12, 345), DCPS_LIMIT);
    ck_assert_str_eq(out, "");
    ck_assert_int_eq(dcps_format(NULL, 0, "x"), DCPS_LIMIT);
}
END_TEST

/* What is written is read back as the same host, even the longest. */
START_TEST(hosts_are_written_as_they_are_read)
{
    char longest[DCPS_MAX_HOST_BYTES];
    memset(longest, 'a', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    const char *const hosts[] = {"localhost", "127.0.0.1", "::1", "fe80::1", longest};
    for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
        char bracketed[DCPS_MAX_BRACKETED_BYTES];
        char address[DCPS_MAX_BRACKETED_BYTES + 8];
        dcps_host_port back;
        (void)snprintf(address, sizeof(address), "%s:7070", dcps_host_bracketed(hosts[i], bracketed));
        ck_assert_int_eq(dcps_parse_host_port("x", address, &back), DCPS_OK);
        ck_assert_str_eq(back.host, hosts[i]);
        ck_assert_int_eq(address[0] == '[', i == 2 || i == 3);
    }
}
END_TEST

/* No line is longer than 100 columns but for a word that is, and no word is lost. */
START_TEST(text_is_wrapped)
{
    static const struct {
        const char *head;
        const char *text;
        const char *lines;
    } cases[] = {
        {"  a", "b  c", "  a   b c\n"},
        {"too long: ", "b", "too long: b\n"},
        {"", "", "      \n"},
        {"x",
         "123456789 123456789 123456789 123456789 123456789 123456789 123456789 123456789 123456789 1234 "
         "6 89",
         "x     123456789 123456789 123456789 123456789 123456789 123456789 123456789 123456789 123456789 1234\n"
         "      6 89\n"}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *made = NULL;
        size_t bytes = 0;
        FILE *out = open_memstream(&made, &bytes);
        ck_assert_ptr_nonnull(out);
        dcps_print_wrapped(out, 6, cases[i].head, cases[i].text);
        ck_assert_int_eq(fclose(out), 0);
        ck_assert_str_eq(made, cases[i].lines);
        free(made);
    }
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {integers_parse,
                                  all_but_integers_are_refused,
                                  reals_parse,
                                  all_but_finite_reals_are_refused,
                                  hosts_and_ports_parse,
                                  wrong_addresses_are_refused,
                                  host_names_have_a_limit,
                                  lists_of_addresses_parse,
                                  wrong_lists_are_refused,
                                  loopback_is_told_from_the_world,
                                  utf8_is_told_from_other_bytes,
                                  texts_are_fitted_by_the_character,
                                  format_fails_instead_of_cutting,
                                  hosts_are_written_as_they_are_read,
                                  text_is_wrapped};
    return CHECK_MAIN("text", tests);
}
