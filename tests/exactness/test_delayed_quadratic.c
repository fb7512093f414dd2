/* Descent on h·w²/2 with gradients that are τ updates old is stable exactly for η·h < 2·sin(π / (2·(2τ + 1))): an analytic
 * result that owes nothing to any implementation. */
#include <check.h>
#include <math.h>

#include "exactness/block_under_test.h"
#include "support/check_main.h"

enum { MAX_DELAY = 16, UPDATES = 60000 };

static const double curvature = 2.5;
static const unsigned delays[] = {0, 1, 2, 3, 7, 15};
enum { DELAYS = sizeof(delays) / sizeof(delays[0]) };

/* Largest |w| over the last updates, from a start at 1; stops early once it has plainly diverged. */
static double late_amplitude(unsigned delay, double step_size)
{
    const dcps_rule_config config = {.compensation = DCPS_COMPENSATE_NONE, .optimizer = DCPS_OPTIMIZER_SGD};
    block_under_test b;
    block_open(&b, &config, 1);
    float history[MAX_DELAY];
    for (size_t i = 0; i < MAX_DELAY; i++) {
        history[i] = 1.0f;
    }
    b.block.weights[0] = 1.0f;
    double largest = 0.0;
    for (unsigned t = 0; t < UPDATES && largest < 1e6; t++) {
        history[t % MAX_DELAY] = b.block.weights[0];
        const float stale = t < delay ? 1.0f : history[(t - delay) % MAX_DELAY];
        b.gradient[0] = (float)curvature * stale;
        block_apply(&b, step_size);
        const double amplitude = fabs((double)b.block.weights[0]);
        if ((t >= UPDATES - 200 || amplitude >= 1e6) && amplitude > largest) {
            largest = amplitude;
        }
    }
    block_close(&b);
    return largest;
}

START_TEST(test_border_of_stability)
{
    const unsigned delay = delays[_i];
    const double border = 2.0 * sin(acos(-1.0) / (2.0 * (2.0 * delay + 1.0))) / curvature;
    const double below = late_amplitude(delay, 0.99 * border);
    const double above = late_amplitude(delay, 1.01 * border);
    ck_assert_msg(below < 1e-3, "delay %u, just below the border: |w| is still %g", delay, below);
    ck_assert_msg(above >= 1e6, "delay %u, just above the border: |w| is only %g", delay, above);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("delayed quadratic");
    TCase *tests = tcase_create("stability");
    tcase_set_timeout(tests, 100);
    tcase_add_loop_test(tests, test_border_of_stability, 0, DELAYS);
    suite_add_tcase(suite, tests);
    return check_run(suite);
}
