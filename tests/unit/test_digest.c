/* The digest of weights, against figures made with exact integers in Python. */
#include <math.h>
#include <string.h>

#include "server/engine/digest.h"
#include "support/check_main.h"
#include "support/engine_harness.h"

#define N 40u

START_TEST(it_is_the_same_everywhere)
{
    const float values[] = {1.0F, -2.5F, INFINITY};
    ck_assert_uint_eq(dcps_digest(0, values, 3), UINT64_C(0x7133f67e61faf442));
    ck_assert_uint_eq(dcps_digest((UINT64_C(1) << 35) + 3u, values, 2), UINT64_C(0xf9b676ad5ee86ddc));
    ck_assert_uint_eq(dcps_digest(0, values, 0), 0);
}
END_TEST

START_TEST(parts_sum_up_however_the_vector_is_cut)
{
    float values[N];
    for (uint32_t i = 0; i < N; i++) {
        values[i] = (float)i * 0.37F - 3.0F;
    }
    uint64_t whole = dcps_digest(100, values, N);
    for (uint32_t cut = 0; cut <= N; cut++) {
        ck_assert_uint_eq(dcps_digest(100, values, cut) + dcps_digest(100 + cut, values + cut, N - cut), whole);
    }
}
END_TEST

START_TEST(every_bit_and_every_place_counts)
{
    float values[N] = {0};
    uint64_t before = dcps_digest(0, values, N);
    for (uint32_t bit = 0; bit < 32; bit++) {
        uint32_t bits = UINT32_C(1) << bit;
        memcpy(&values[7], &bits, sizeof(bits));
        uint64_t here = dcps_digest(0, values, N);
        ck_assert_uint_ne(here, before);
        values[8] = values[7];
        values[7] = 0.0F;
        ck_assert_uint_ne(dcps_digest(0, values, N), here);
        values[8] = 0.0F;
    }
    values[0] = -0.0F; /* other bits, equal in value */
    ck_assert_uint_ne(dcps_digest(0, values, N), before);
}
END_TEST

/* A shard tells it when the last worker has said goodbye, and not when the last one was lost. */
START_TEST(a_shard_tells_it_at_the_end)
{
    static engine shard;
    static const float values[32] = {1.0F, -2.5F, 3.0F};
    dcps_shard_config config = engine_config("asgd");
    for (int lost = 0; lost < 2; lost++) {
        engine_open(&shard, &config, 32, 16, 1);
        engine_begin(&shard, 2, 0, values);
        engine_pull(&shard, 0, 1);
        engine_expect(&shard, 0, DCPS_MESSAGE_NEED_INIT);
        engine_init(&shard, 0, 1, values + 16);
        engine_expect(&shard, 0, DCPS_MESSAGE_WEIGHTS);
        if (lost == 1) {
            engine_leave(&shard, 0);
            engine_leave(&shard, 1);
            ck_assert(!engine_stats(&shard).weights_final);
        } else {
            engine_finish(&shard, 0);
            ck_assert(!engine_stats(&shard).weights_final);
            engine_finish(&shard, 1);
            ck_assert(engine_stats(&shard).weights_final);
            ck_assert_uint_eq(engine_stats(&shard).weights_digest, dcps_digest(0, values, 32));
            shard.incarnation[1] = 2;
            engine_join(&shard, 1); /* somebody trains on */
            ck_assert(!engine_stats(&shard).weights_final);
        }
        engine_close(&shard);
    }
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {it_is_the_same_everywhere, parts_sum_up_however_the_vector_is_cut,
                                  every_bit_and_every_place_counts, a_shard_tells_it_at_the_end};
    return CHECK_MAIN("digest of weights", tests);
}
