/* Tables and the numbers in them, against literal text. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "cli/common/table.h"
#include "support/check_main.h"

static void check_print(const dcps_table *table, const char *expected)
{
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    ck_assert_ptr_nonnull(out);
    ck_assert_int_eq(dcps_table_print(table, out), DCPS_OK);
    (void)fclose(out);
    ck_assert_str_eq(text, expected);
    free(text);
}

START_TEST(test_columns_are_aligned)
{
    dcps_table *table = NULL;
    ck_assert_int_eq(dcps_table_create(&table), DCPS_OK);
    dcps_table_column(table, "name", DCPS_ALIGN_LEFT);
    dcps_table_column(table, "error", DCPS_ALIGN_RIGHT);
    dcps_table_column(table, "note", DCPS_ALIGN_LEFT);
    dcps_table_cell(table, "sgd");
    dcps_table_cell(table, "%.2f ± %.2f", 12.345, 0.1);
    dcps_table_cell(table, "%s", "");
    dcps_table_cell(table, "dc-asgd-a");
    dcps_table_cell(table, "–");
    dcps_table_cell(table, "failed");
    check_print(table, "name              error  note\n"
                       "───────────────────────────────\n"
                       "sgd        12.35 ± 0.10  \n"
                       "dc-asgd-a             –  failed\n");
    dcps_table_destroy(&table);
    ck_assert_ptr_null(table);
    dcps_table_destroy(&table);
}
END_TEST

START_TEST(test_lost_cell_is_an_error)
{
    dcps_table *table = NULL;
    ck_assert_int_eq(dcps_table_create(&table), DCPS_OK);
    dcps_table_column(table, "a", DCPS_ALIGN_LEFT);
    dcps_alloc_fail_after(0);
    dcps_table_cell(table, "lost");
    dcps_alloc_fail_after(UINT64_MAX);
    ck_assert_int_eq(dcps_table_print(table, stderr), DCPS_NO_MEMORY);
    dcps_table_destroy(&table);
}
END_TEST

START_TEST(test_unwritable_output_is_an_error)
{
    dcps_table *table = NULL;
    ck_assert_int_eq(dcps_table_create(&table), DCPS_OK);
    dcps_table_column(table, "a", DCPS_ALIGN_LEFT);
    FILE *full = fopen("/dev/full", "w");
    ck_assert_ptr_nonnull(full);
    (void)setvbuf(full, NULL, _IONBF, 0);
    ck_assert_int_eq(dcps_table_print(table, full), DCPS_IO);
    (void)fclose(full);
    dcps_table_destroy(&table);
}
END_TEST

START_TEST(test_counts)
{
    static const struct {
        double value;
        const char *text;
    } cases[] = {
        {0.0, "0"},          {7.4, "7"},  {999.6, "1,000"},   {41230.2, "41,230"},     {1234567.0, "1,234,567"},
        {-1234.0, "-1,234"}, {-0.2, "0"}, {(double)NAN, "–"}, {(double)INFINITY, "–"}, {1e300, "–"}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char out[32];
        ck_assert_str_eq(dcps_format_count(cases[i].value, out, sizeof(out)), cases[i].text);
    }
    char small[4];
    ck_assert_uint_lt(strlen(dcps_format_count(123456789.0, small, sizeof(small))), sizeof(small));
}
END_TEST

START_TEST(test_durations)
{
    static const struct {
        double seconds;
        const char *text;
    } cases[] = {{0.0, "0.0 s"}, {7.34, "7.3 s"},    {9.97, "10 s"},          {59.4, "59 s"},
                 {59.6, "1:00"}, {125.0, "2:05"},    {3599.6, "1:00:00"},     {3725.0, "1:02:05"},
                 {-1.0, "–"},    {(double)NAN, "–"}, {360000.0, "100:00:00"}, {1e300, "–"}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char out[32];
        ck_assert_str_eq(dcps_format_duration(cases[i].seconds, out, sizeof(out)), cases[i].text);
    }
}
END_TEST

START_TEST(test_spans)
{
    static const struct {
        double seconds;
        const char *text;
    } cases[] = {{0.0, "0"},           {4e-7, "0"},           {6e-7, "1 µs"},      {3.5e-4, "350 µs"},
                 {9.994e-4, "999 µs"}, {9.996e-4, "1.00 ms"}, {0.0123, "12.3 ms"}, {0.4567, "457 ms"},
                 {0.9996, "1.00 s"},   {2.05, "2.05 s"},      {59.4, "59.4 s"},    {60.0, "1:00"},
                 {3725.0, "1:02:05"},  {-1.0, "–"},           {(double)NAN, "–"},  {(double)INFINITY, "–"}};
    char text[32];
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        ck_assert_str_eq(dcps_format_span(cases[i].seconds, text, sizeof(text)), cases[i].text);
    }
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {test_spans,
                                  test_columns_are_aligned,
                                  test_lost_cell_is_an_error,
                                  test_unwritable_output_is_an_error,
                                  test_counts,
                                  test_durations};
    return CHECK_MAIN("cli table", tests);
}
