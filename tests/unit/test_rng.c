#include "base/rng.h"

#include <math.h>
#include <string.h>

#include "support/check_main.h"

START_TEST(seeding_is_splitmix64)
{
    dcps_rng rng;
    dcps_rng_seed(&rng, 1234567); /* its published first outputs for this seed */
    ck_assert_uint_eq(rng.state[0], UINT64_C(6457827717110365317));
    ck_assert_uint_eq(rng.state[1], UINT64_C(3203168211198807973));
    ck_assert_uint_eq(rng.state[2], UINT64_C(9817491932198370423));
    ck_assert_uint_eq(rng.state[3], UINT64_C(4593380528125082431));
}
END_TEST

START_TEST(numbers_are_xoshiro256starstar)
{
    dcps_rng rng = {{1, 2, 3, 4}};
    const uint64_t expected[] = {11520, 0, 1509978240, UINT64_C(1215971899390074240)};
    for (int i = 0; i < 4; i++) {
        ck_assert_uint_eq(dcps_rng_next(&rng), expected[i]);
    }
}
END_TEST

START_TEST(streams_depend_on_all_three_keys)
{
    /* From an independent implementation in Python. Weights of all runs depend on these numbers: they must never change. */
    const uint64_t expected[] = {UINT64_C(12000188118886066932), UINT64_C(17777134014320191254),
                                 UINT64_C(16802536481237236672)};
    dcps_rng rng;
    dcps_rng_seed_stream(&rng, 42, "fc1.weight", 7);
    for (int i = 0; i < 3; i++) {
        ck_assert_uint_eq(dcps_rng_next(&rng), expected[i]);
    }
    dcps_rng others[3];
    dcps_rng_seed_stream(&others[0], 43, "fc1.weight", 7);
    dcps_rng_seed_stream(&others[1], 42, "fc2.weight", 7);
    dcps_rng_seed_stream(&others[2], 42, "fc1.weight", 8);
    for (int i = 0; i < 3; i++) {
        ck_assert_uint_ne(dcps_rng_next(&others[i]), expected[0]);
    }
}
END_TEST

START_TEST(bounded_numbers_are_unbiased)
{
    /* Taking the remainder alone would give the lowest third twice its share. */
    const uint64_t bound = UINT64_C(3) << 62;
    dcps_rng rng;
    dcps_rng_seed(&rng, 5);
    int low = 0;
    for (int i = 0; i < 30000; i++) {
        uint64_t drawn = dcps_rng_below(&rng, bound);
        ck_assert_uint_lt(drawn, bound);
        low += drawn < bound / 3;
    }
    ck_assert_int_gt(low, 9600); /* 10000 +- 5 standard deviations */
    ck_assert_int_lt(low, 10400);
    ck_assert_uint_eq(dcps_rng_below(&rng, 1), 0);
}
END_TEST

START_TEST(small_bounds_are_uniform)
{
    dcps_rng rng;
    dcps_rng_seed(&rng, 6);
    int counts[7] = {0};
    for (int i = 0; i < 70000; i++) {
        counts[dcps_rng_below(&rng, 7)]++;
    }
    double chi2 = 0;
    for (int i = 0; i < 7; i++) {
        chi2 += (counts[i] - 10000.0) * (counts[i] - 10000.0) / 10000.0;
    }
    ck_assert_double_lt(chi2, 22.5); /* 6 degrees of freedom: exceeded once in 1000 */
}
END_TEST

START_TEST(uniform_numbers_fill_the_unit_interval)
{
    dcps_rng rng;
    dcps_rng_seed(&rng, 7);
    double sum = 0;
    double lowest = 1;
    double highest = 0;
    for (int i = 0; i < 100000; i++) {
        double u = dcps_rng_uniform(&rng);
        ck_assert(u >= 0 && u < 1);
        sum += u;
        lowest = fmin(lowest, u);
        highest = fmax(highest, u);
    }
    ck_assert_double_eq_tol(sum / 100000, 0.5, 0.005);
    ck_assert_double_lt(lowest, 0.001);
    ck_assert_double_gt(highest, 0.999);
}
END_TEST

START_TEST(normal_numbers_follow_box_and_muller)
{
    dcps_rng rng;
    dcps_rng_seed(&rng, 8);
    dcps_rng twin = rng;
    for (int i = 0; i < 100000; i++) {
        double u1 = 1 - dcps_rng_uniform(&twin);
        double u2 = dcps_rng_uniform(&twin);
        double expected = sqrt(-2 * log(u1)) * cos(2 * M_PI * u2);
        ck_assert_double_eq_tol(dcps_rng_normal(&rng), expected, 1e-14);
    }
    ck_assert_mem_eq(&rng, &twin, sizeof(rng)); /* two numbers a call, always */
}
END_TEST

START_TEST(normal_numbers_have_the_moments)
{
    dcps_rng rng;
    dcps_rng_seed(&rng, 9);
    const int count = 200000;
    double sum = 0;
    double squares = 0;
    double fourths = 0;
    for (int i = 0; i < count; i++) {
        double x = dcps_rng_normal(&rng);
        sum += x;
        squares += x * x;
        fourths += x * x * x * x;
    }
    ck_assert_double_eq_tol(sum / count, 0, 0.012);
    ck_assert_double_eq_tol(squares / count, 1, 0.016);
    ck_assert_double_eq_tol(fourths / count, 3, 0.12);
}
END_TEST

START_TEST(permutations_hold_each_number_once)
{
    uint32_t order[1000];
    char seen[1000] = {0};
    dcps_rng rng;
    dcps_rng_seed(&rng, 10);
    dcps_rng_permutation(&rng, order, 1000);
    int fixed = 0;
    for (uint32_t i = 0; i < 1000; i++) {
        ck_assert_uint_lt(order[i], 1000);
        ck_assert_int_eq(seen[order[i]]++, 0);
        fixed += order[i] == i;
    }
    ck_assert_int_lt(fixed, 10); /* one is expected */
    dcps_rng_permutation(&rng, order, 1);
    ck_assert_uint_eq(order[0], 0);
    dcps_rng_permutation(&rng, NULL, 0);
}
END_TEST

START_TEST(permutations_are_uniform)
{
    dcps_rng rng;
    dcps_rng_seed(&rng, 11);
    int counts[27] = {0};
    for (int i = 0; i < 60000; i++) {
        uint32_t order[3];
        dcps_rng_permutation(&rng, order, 3);
        counts[order[0] * 9 + order[1] * 3 + order[2]]++;
    }
    int kinds = 0;
    for (int i = 0; i < 27; i++) {
        if (counts[i] == 0) {
            continue;
        }
        kinds++;
        ck_assert_int_gt(counts[i], 9500);
        ck_assert_int_lt(counts[i], 10500);
    }
    ck_assert_int_eq(kinds, 6);
}
END_TEST

START_TEST(tokens_differ_and_are_not_zero)
{
    uint64_t first = dcps_random_token();
    uint64_t second = dcps_random_token();
    ck_assert_uint_ne(first, 0);
    ck_assert_uint_ne(second, 0);
    ck_assert_uint_ne(first, second);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {seeding_is_splitmix64,
                                  numbers_are_xoshiro256starstar,
                                  streams_depend_on_all_three_keys,
                                  bounded_numbers_are_unbiased,
                                  small_bounds_are_uniform,
                                  uniform_numbers_fill_the_unit_interval,
                                  normal_numbers_follow_box_and_muller,
                                  normal_numbers_have_the_moments,
                                  permutations_hold_each_number_once,
                                  permutations_are_uniform,
                                  tokens_differ_and_are_not_zero};
    return CHECK_MAIN("rng", tests);
}
