/* Commands as text. */
#include "base/alloc.h"
#include "cli/common/quote.h"
#include "support/check_main.h"

START_TEST(test_quoting)
{
    char *argv[] = {"run", "--out=runs/a", "it's", "", "a b", "$HOME", "''"};
    char *text = NULL;
    ck_assert_int_eq(dcps_quote_command("dcps", 7, argv, &text), DCPS_OK);
    ck_assert_str_eq(text, "dcps run --out=runs/a 'it'\\''s' '' 'a b' '$HOME' ''\\'''\\'''");
    dcps_free(text);
}
END_TEST

START_TEST(test_without_memory)
{
    char *argv[] = {"run"};
    char *text = NULL;
    dcps_alloc_fail_after(0);
    ck_assert_int_eq(dcps_quote_command("dcps", 1, argv, &text), DCPS_NO_MEMORY);
    ck_assert_ptr_null(text);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {test_quoting, test_without_memory};
    return CHECK_MAIN("cli quote", tests);
}
