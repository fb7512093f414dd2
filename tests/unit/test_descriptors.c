/* The limit of open files is raised as far as it goes. */
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/descriptors.h"
#include "support/check_main.h"

START_TEST(raises_the_limit_to_what_is_possible)
{
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &(struct rlimit){.rlim_cur = 100, .rlim_max = 200}), 0);
    ck_assert_uint_eq(dcps_descriptors_allowed(), 100);
    ck_assert_int_eq(fcntl(STDIN_FILENO, F_DUPFD, 150), -1);
    dcps_allow_descriptors();
    ck_assert_uint_eq(dcps_descriptors_allowed(), 200);
    ck_assert_int_eq(fcntl(STDIN_FILENO, F_DUPFD, 150), 150);
    dcps_allow_descriptors(); /* once more changes nothing */
    ck_assert_uint_eq(dcps_descriptors_allowed(), 200);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {raises_the_limit_to_what_is_possible};
    return CHECK_MAIN("descriptors", tests);
}
