/* The report page. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/results/report.h"
#include "cli/results/results.h"
#include "support/check_main.h"

START_TEST(test_json_cannot_end_its_element)
{
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    dcps_report_put_json("{\"a\":\"</script><!-- <script>\"}", out);
    (void)fclose(out);
    ck_assert_str_eq(text, "{\"a\":\"\\u003c/script>\\u003c!-- \\u003cscript>\"}");
    free(text);
}
END_TEST

/* Reads a whole page into text[capacity]. */
static void read_page(const char *path, char *text, size_t capacity)
{
    FILE *file = fopen(path, "r");
    ck_assert_ptr_nonnull(file);
    size_t length = fread(text, 1, capacity - 1, file);
    ck_assert_uint_gt(length, 0);
    ck_assert_uint_lt(length, capacity - 1);
    text[length] = '\0';
    (void)fclose(file);
}

/* The text between two marks; the caller frees it. */
static char *between(const char *page, const char *before, const char *after)
{
    const char *start = strstr(page, before);
    ck_assert_ptr_nonnull(start);
    start += strlen(before);
    const char *end = strstr(start, after);
    ck_assert_ptr_nonnull(end);
    return strndup(start, (size_t)(end - start));
}

START_TEST(test_page)
{
    char path[] = "/tmp/dcps-report-XXXXXX";
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    (void)close(fd);
    dcps_results results = {.model = "</script><b>", .dataset = "d"};
    dcps_result_run *run = NULL;
    ck_assert_int_eq(dcps_results_add(&results, &run), DCPS_OK);
    json_t *settings = json_pack("[[ss]]", "epochs", "10");
    const dcps_report_page page = {.command = "dcps compare --out '</script>'", .created = "now", .settings = settings};
    json_t *document = dcps_results_json(&results);
    ck_assert_int_eq(dcps_report_write(document, &page, path), DCPS_OK);
    json_decref(document);
    static char text[1 << 20];
    read_page(path, text, sizeof(text));
    char *data = between(text, "<script type=\"application/json\" id=\"data\">", "</script>");
    json_t *read = json_loads(data, 0, NULL);
    ck_assert_ptr_nonnull(read);
    ck_assert_str_eq(json_string_value(json_object_get(read, "command")), page.command);
    ck_assert_str_eq(json_string_value(json_object_get(json_object_get(read, "results"), "model")), "</script><b>");
    ck_assert_uint_eq(json_array_size(json_object_get(read, "settings")), 1);
    json_decref(read);
    /* Self-contained: nothing is fetched from anywhere. */
    int addresses = 0;
    for (const char *at = strstr(text, "://"); at != NULL; at = strstr(at + 1, "://")) {
        ck_assert_int_eq(strncmp(at - 4, "http://www.w3.org/2000/svg'", 27), 0); /* the name of a namespace */
        addresses++;
    }
    ck_assert_int_gt(addresses, 0);
    ck_assert_ptr_null(strstr(text, "src="));
    ck_assert_ptr_null(strstr(text, "href="));
    ck_assert_ptr_null(strstr(text, "@import"));
    ck_assert_ptr_nonnull(strstr(text, "prefers-color-scheme"));
    ck_assert_ptr_nonnull(strstr(text, "drawCharts"));
    ck_assert_ptr_null(strstr(text, "<!-- style -->"));
    ck_assert_ptr_null(strstr(text, "<!-- script -->"));
    ck_assert_ptr_null(strstr(text, "<!-- details -->"));
    ck_assert_ptr_nonnull(strstr(text, "drawStaleness"));
    ck_assert_str_eq(text + strlen(text) - 8, "</html>\n");
    free(data);
    json_decref(settings);
    dcps_results_fini(&results);
    (void)unlink(path);
}
END_TEST

START_TEST(test_unwritable)
{
    json_t *document = json_object();
    json_t *settings = json_array();
    const dcps_report_page page = {.command = "c", .created = "now", .settings = settings};
    ck_assert_int_eq(dcps_report_write(document, &page, "/nonexistent/report.html"), DCPS_IO);
    json_decref(document);
    json_decref(settings);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {test_json_cannot_end_its_element, test_page, test_unwritable};
    return CHECK_MAIN("cli report", tests);
}
