/* The live line. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cli/common/screen.h"
#include "support/check_main.h"

START_TEST(test_terminal_redraws_in_place)
{
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    dcps_screen screen;
    dcps_screen_init(&screen, out, true);
    dcps_screen_live(&screen, "epoch 1", 1);
    dcps_screen_print(&screen, "worker %d | hello", 2);
    dcps_screen_live(&screen, "epoch 2", 2);
    dcps_screen_clear(&screen);
    dcps_screen_print(&screen, "end");
    (void)fclose(out);
    ck_assert_str_eq(text, "\r\033[Kepoch 1"
                           "\r\033[Kworker 2 | hello\n\r\033[Kepoch 1"
                           "\r\033[Kepoch 2"
                           "\r\033[Kend\n");
    free(text);
}
END_TEST

START_TEST(test_plain_lines_now_and_then)
{
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    dcps_screen screen;
    dcps_screen_init(&screen, out, false);
    uint64_t start_ns = 100 * DCPS_NS_PER_S;
    for (uint64_t ms = 0; ms < 11000; ms += 250) {
        char line[32];
        (void)snprintf(line, sizeof(line), "at %d", (int)ms);
        dcps_screen_live(&screen, line, start_ns + ms * DCPS_NS_PER_MS);
    }
    dcps_screen_print(&screen, "news");
    (void)fclose(out);
    ck_assert_str_eq(text, "at 0\nat 5000\nat 10000\nnews\n");
    free(text);
}
END_TEST

START_TEST(test_long_lines_are_cut)
{
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    char line[1000];
    memset(line, 'x', sizeof(line));
    line[sizeof(line) - 1] = '\0';
    dcps_screen screen;
    dcps_screen_init(&screen, out, true);
    dcps_screen_live(&screen, line, 1);
    (void)fclose(out);
    ck_assert_uint_eq(length, strlen("\r\033[K") + 79);
    free(text);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {test_terminal_redraws_in_place, test_plain_lines_now_and_then,
                                  test_long_lines_are_cut};
    return CHECK_MAIN("cli screen", tests);
}
