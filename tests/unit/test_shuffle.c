/* Which samples a batch is made of. */
#include <check.h>
#include <string.h>

#include "base/alloc.h"
#include "base/rng.h"
#include "support/check_main.h"
#include "worker/shuffle.h"

static dcps_shuffle *make(uint64_t samples, uint32_t batch_size, uint64_t seed)
{
    dcps_shuffle *shuffle = NULL;
    ck_assert_int_eq(dcps_shuffle_create(samples, batch_size, seed, &shuffle), DCPS_OK);
    return shuffle;
}

START_TEST(each_sample_once_an_epoch)
{
    const uint64_t samples[] = {1, 7, 100, 100, 101, 128};
    const uint32_t sizes[] = {5, 7, 1, 100, 100, 32};
    const uint64_t batches[] = {1, 1, 100, 1, 2, 4};
    for (size_t i = 0; i < 6; i++) {
        dcps_shuffle *shuffle = make(samples[i], sizes[i], 42);
        ck_assert_uint_eq(dcps_shuffle_batches_per_epoch(shuffle), batches[i]);
        for (uint64_t epoch = 0; epoch < 3; epoch++) {
            uint8_t seen[128] = {0};
            uint64_t taken = 0;
            for (uint64_t b = 0; b < batches[i]; b++) {
                dcps_batch batch = dcps_shuffle_batch(shuffle, epoch * batches[i] + b);
                ck_assert_uint_eq(batch.number, epoch * batches[i] + b);
                ck_assert_uint_eq(batch.epoch, epoch);
                ck_assert_uint_eq(batch.seed, 42);
                ck_assert_uint_eq(batch.size, sizes[i]);
                ck_assert_uint_eq(batch.turn, batch.number);
                ck_assert(batch.worker == 0 && batch.workers == 1);
                ck_assert(batch.count == sizes[i] || (b == batches[i] - 1 && batch.count < sizes[i]));
                for (uint32_t k = 0; k < batch.count; k++) {
                    ck_assert_uint_lt(batch.samples[k], samples[i]);
                    ck_assert_uint_eq(seen[batch.samples[k]]++, 0);
                }
                taken += batch.count;
            }
            ck_assert_uint_eq(taken, samples[i]);
        }
        dcps_shuffle_destroy(&shuffle);
    }
}
END_TEST

START_TEST(order_is_that_of_seed_and_epoch)
{
    uint32_t order[100];
    dcps_rng rng;
    dcps_shuffle *shuffle = make(100, 30, 9);
    for (uint64_t epoch = 0; epoch < 5; epoch++) {
        dcps_rng_seed_stream(&rng, 9, "epoch", epoch);
        dcps_rng_permutation(&rng, order, 100);
        for (uint64_t b = 0; b < 4; b++) {
            dcps_batch batch = dcps_shuffle_batch(shuffle, epoch * 4 + b);
            ck_assert_uint_eq(batch.count, b == 3 ? 10 : 30);
            ck_assert_mem_eq(batch.samples, order + b * 30, batch.count * sizeof(uint32_t));
        }
    }
    dcps_shuffle_destroy(&shuffle);
}
END_TEST

START_TEST(epochs_and_seeds_differ)
{
    dcps_shuffle *one = make(1000, 1000, 1);
    dcps_shuffle *two = make(1000, 1000, 2);
    dcps_batch first = dcps_shuffle_batch(one, 0);
    dcps_batch second = dcps_shuffle_batch(one, 1);
    ck_assert_mem_ne(first.samples, second.samples, 1000 * sizeof(uint32_t));
    ck_assert_mem_ne(first.samples, dcps_shuffle_batch(two, 0).samples, 1000 * sizeof(uint32_t));
    dcps_shuffle_destroy(&one);
    dcps_shuffle_destroy(&two);
}
END_TEST

/* Tickets around the end of an epoch come from both sides of it, in any order. */
START_TEST(two_epochs_alternate)
{
    dcps_shuffle *shuffle = make(64, 16, 5);
    dcps_shuffle *fresh = make(64, 16, 5);
    static const uint64_t numbers[] = {3, 4, 2, 5, 3, 6, 7, 8, 6, 9, 0};
    uint64_t allocations = dcps_alloc_count();
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        dcps_batch batch = dcps_shuffle_batch(shuffle, numbers[i]);
        dcps_batch expected = dcps_shuffle_batch(fresh, numbers[i]);
        ck_assert_mem_eq(batch.samples, expected.samples, 16 * sizeof(uint32_t));
    }
    ck_assert_uint_eq(dcps_alloc_count(), allocations);
    dcps_batch held = dcps_shuffle_batch(shuffle, 3);
    uint32_t copy[16];
    memcpy(copy, held.samples, sizeof(copy));
    for (uint32_t i = 0; i < 10; i++) {
        (void)dcps_shuffle_batch(shuffle, 4 + i % 4);
        ck_assert_ptr_eq(dcps_shuffle_batch(shuffle, 3).samples, held.samples);
        ck_assert_mem_eq(copy, held.samples, sizeof(copy));
    }
    dcps_shuffle_destroy(&shuffle);
    dcps_shuffle_destroy(&fresh);
}
END_TEST

START_TEST(far_batches_and_wrong_sizes)
{
    dcps_shuffle *shuffle = make(10, 3, 1);
    dcps_batch batch = dcps_shuffle_batch(shuffle, UINT64_MAX);
    ck_assert_uint_eq(batch.epoch, UINT64_MAX / 4);
    ck_assert_uint_eq(batch.count, 1); /* the last of its epoch */
    dcps_shuffle_destroy(&shuffle);
    ck_assert_int_eq(dcps_shuffle_create(0, 3, 1, &shuffle), DCPS_INVALID);
    ck_assert_int_eq(dcps_shuffle_create(10, 0, 1, &shuffle), DCPS_INVALID);
    ck_assert_int_eq(dcps_shuffle_create(UINT64_C(1) << 32, 3, 1, &shuffle), DCPS_INVALID);
    for (uint64_t n = 0; n < 3; n++) {
        dcps_alloc_fail_after(n);
        ck_assert_int_eq(dcps_shuffle_create(10, 3, 1, &shuffle), DCPS_NO_MEMORY);
    }
    dcps_alloc_fail_after(UINT64_MAX);
    ck_assert_ptr_null(shuffle);
    dcps_shuffle_destroy(&shuffle);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {each_sample_once_an_epoch, order_is_that_of_seed_and_epoch, epochs_and_seeds_differ,
                                  two_epochs_alternate, far_batches_and_wrong_sizes};
    return CHECK_MAIN("shuffle", tests);
}
