/* What who looks on a shard sees: a block as it is, and where a worker is with it. */
#include <check.h>

#include "support/check_main.h"
#include "support/engine_harness.h"

#define N 16u

static engine shard;

START_TEST(test_view_follows_the_updates)
{
    const dcps_shard_config config = engine_config("asgd");
    float values[N], gradient[N];
    dcps_block_view view = {.weights = NULL};
    for (uint32_t i = 0; i < N; i++) {
        values[i] = (float)i;
        gradient[i] = 1.0F;
    }
    engine_open(&shard, &config, N, N, 1);
    engine_begin(&shard, 2, 0, values);
    ck_assert(dcps_shard_view(shard.shard, 0, 1, &view));
    ck_assert_uint_eq(view.version, view.pulled_version);
    ck_assert(view.weights[3] == 3.0F);
    const uint64_t pulled = view.version;
    engine_push(&shard, 0, 0, gradient);
    engine_push(&shard, 0, 0, gradient);
    ck_assert(dcps_shard_view(shard.shard, 0, 1, &view));
    ck_assert_uint_eq(view.version, pulled + 2);
    ck_assert_uint_eq(view.pulled_version, pulled);
    ck_assert_uint_eq(view.samples, 2 * 8);
    ck_assert(view.weights[3] == 2.0F); /* at the rate of 0.5 */
    ck_assert(dcps_shard_view(shard.shard, 0, 0, &view));
    ck_assert_uint_eq(view.pulled_version, pulled + 2);
    engine_close(&shard);
}
END_TEST

START_TEST(test_nothing_to_see)
{
    const dcps_shard_config config = engine_config("asgd");
    float values[N] = {0};
    dcps_block_view view = {.weights = values, .version = 77};
    engine_open_bare(&shard, &config);
    ck_assert(!dcps_shard_view(shard.shard, 0, 0, &view)); /* there is no model */
    engine_close(&shard);
    engine_open(&shard, &config, 4 * (uint64_t)N, N, 2);
    ck_assert(!dcps_shard_view(shard.shard, 0, 0, &view)); /* no values */
    engine_begin(&shard, 1, 0, values);
    ck_assert(!dcps_shard_view(shard.shard, 0, 1, &view));          /* never pulled */
    ck_assert(!dcps_shard_view(shard.shard, 0, UINT32_MAX, &view)); /* no such worker */
    ck_assert(!dcps_shard_view(shard.shard, 1, 0, &view));          /* no values */
    ck_assert(!dcps_shard_view(shard.shard, 3, 0, &view));          /* of the other shard */
    ck_assert(!dcps_shard_view(shard.shard, UINT32_MAX, 0, &view));
    ck_assert(view.weights == values && view.version == 77);
    ck_assert(dcps_shard_view(shard.shard, 0, 0, &view));
    engine_close(&shard);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {test_view_follows_the_updates, test_nothing_to_see};
    return CHECK_MAIN("shard view", tests);
}
