/* The cache of oneDNN primitives: more shapes than it holds, threads, failed allocations. */
#include <check.h>
#include <math.h>
#include <pthread.h>

#include "base/alloc.h"
#include "support/check_main.h"
#include "support/tape_fixture.h"
#include "tensor/cpu/cpu.h"

#define MAX_COUNT 1200u

/* exp of `count` numbers on a tape of its own, against libm. */
static void check_exp(tape_fixture *fixture, size_t count)
{
    dcps_tape_reset(fixture->evaluation);
    dcps_tensor *x = dcps_tape_input(fixture->evaluation, fixture->weights, 1, &count);
    const float *y = dcps_tensor_values(fixture->evaluation, dcps_tape_exp(fixture->evaluation, x));
    ck_assert_ptr_nonnull(y);
    for (size_t i = 0; i < count; i += 1 + count / 7) {
        double expected = exp((double)fixture->weights[i]);
        ck_assert_double_eq_tol((double)y[i], expected, 2e-6 * expected);
    }
}

START_TEST(more_shapes_than_fit)
{
    tape_fixture fixture;
    tape_fixture_init(&fixture, "1200", dcps_cpu_backend());
    for (size_t count = 1; count <= MAX_COUNT; count++) {
        check_exp(&fixture, count);
        check_exp(&fixture, 1); /* used all the time: stays */
    }
    uint64_t before = dcps_alloc_count();
    for (size_t count = MAX_COUNT; count > MAX_COUNT - 100; count--) {
        check_exp(&fixture, count);
    }
    check_exp(&fixture, 1);
    ck_assert_uint_eq(dcps_alloc_count(), before);
    check_exp(&fixture, 2); /* used longest ago: made again */
    ck_assert_uint_eq(dcps_alloc_count(), before + 1);
    tape_fixture_fini(&fixture);
}
END_TEST

static void *thread_main(void *argument)
{
    tape_fixture fixture;
    (void)argument;
    tape_fixture_init(&fixture, "64", dcps_cpu_backend());
    for (size_t count = 1; count <= 64; count++) {
        check_exp(&fixture, count);
    }
    tape_fixture_fini(&fixture);
    return NULL;
}

START_TEST(each_thread_has_its_own)
{
    pthread_t threads[2];
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(pthread_create(&threads[i], NULL, thread_main, NULL), 0);
    }
    thread_main(NULL);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    }
}
END_TEST

/* Every allocation of the first step, the cache's own among them, fails in turn: an error each time, and the next step works. */
START_TEST(failed_allocations_are_survived)
{
    static const float x[2 * 3 * 6 * 6] = {1.0f, 2.0f, 3.0f};
    tape_fixture fixture;
    tape_fixture_init(&fixture, "4,3,3,3", dcps_cpu_backend());
    dcps_tape *tape = fixture.tape;
    dcps_status status = DCPS_NO_MEMORY;
    uint64_t n = 0;
    for (; status != DCPS_OK; n++) {
        ck_assert_int_eq(status, DCPS_NO_MEMORY);
        dcps_tape_reset(tape);
        dcps_alloc_fail_after(n);
        dcps_tensor *image = dcps_tape_input(tape, x, 4, (size_t[]){2, 3, 6, 6});
        dcps_tensor *y = dcps_tape_gelu(tape, dcps_tape_conv2d(tape, image, dcps_tape_parameter(tape, 0), 1, 1));
        status = dcps_tape_backward(tape, dcps_tape_sum(tape, y));
        dcps_alloc_fail_after(UINT64_MAX);
    }
    ck_assert_uint_gt(n, 5);
    ck_assert(isfinite((double)fixture.gradient[0]));
    tape_fixture_fini(&fixture);
}
END_TEST

int main(void)
{
    const TTest *tests[] = {more_shapes_than_fit, each_thread_has_its_own, failed_allocations_are_survived};
    return CHECK_MAIN("primitive", tests);
}
