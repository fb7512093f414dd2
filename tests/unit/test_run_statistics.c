/* What shards and servers counted, put together. */
#include "proto/run_statistics.h"

#include <stdio.h>

#include "base/alloc.h"
#include "support/check_main.h"

static dcps_worker_statistics worker_of(uint32_t id, uint64_t steps, uint64_t staleness)
{
    dcps_worker_statistics worker = {
        .worker = id,
        .steps = steps,
        .pushes = {.applied = 10, .dropped_stale = 1, .dropped_round = 2, .duplicates = 3}};
    dcps_histogram_add(&worker.staleness, staleness);
    dcps_histogram_add(&worker.held_ns, 1000 * staleness);
    return worker;
}

/* Worker 5 on two shards: a step is one step wherever it was applied, pushes are counted by block. */
START_TEST(shards_of_a_worker_are_summed)
{
    dcps_worker_table table = {.count = 0};
    dcps_worker_statistics first = worker_of(5, 7, 2);
    dcps_worker_statistics second = worker_of(5, 8, 4);
    (void)snprintf(second.name, sizeof(second.name), "five");
    ck_assert_int_eq(dcps_worker_table_add(&table, &first), DCPS_OK);
    ck_assert_int_eq(dcps_worker_table_add(&table, &second), DCPS_OK);
    ck_assert_uint_eq(table.count, 1);
    const dcps_worker_statistics *sum = &table.items[0];
    ck_assert_uint_eq(sum->worker, 5);
    ck_assert_str_eq(sum->name, "five");
    ck_assert_uint_eq(sum->steps, 8);
    ck_assert_uint_eq(sum->pushes.applied, 20);
    ck_assert_uint_eq(sum->pushes.dropped_stale, 2);
    ck_assert_uint_eq(sum->pushes.dropped_round, 4);
    ck_assert_uint_eq(sum->pushes.duplicates, 6);
    ck_assert_uint_eq(sum->staleness.count, 2);
    ck_assert_uint_eq(sum->staleness.sum, 6);
    ck_assert_uint_eq(sum->held_ns.max, 4000);
    dcps_worker_table_fini(&table);
    ck_assert_uint_eq(table.count, 0);
}
END_TEST

START_TEST(workers_are_in_order_and_set_replaces)
{
    static const uint32_t ids[] = {9, 0, 1023, 4, 5, 2};
    dcps_worker_table table = {.count = 0};
    for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
        dcps_worker_statistics worker = worker_of(ids[i], ids[i], 1);
        ck_assert_int_eq(dcps_worker_table_add(&table, &worker), DCPS_OK);
    }
    static const uint32_t ascending[] = {0, 2, 4, 5, 9, 1023};
    ck_assert_uint_eq(table.count, 6);
    for (uint32_t i = 0; i < table.count; i++) {
        ck_assert_uint_eq(table.items[i].worker, ascending[i]);
        ck_assert_uint_eq(table.items[i].steps, ascending[i]);
    }
    dcps_worker_statistics newer = worker_of(4, 100, 1);
    ck_assert_int_eq(dcps_worker_table_set(&table, &newer), DCPS_OK);
    ck_assert_uint_eq(table.count, 6);
    ck_assert_uint_eq(table.items[2].steps, 100);
    ck_assert_uint_eq(table.items[2].worker, 4);
    dcps_worker_table_fini(&table);
}
END_TEST

START_TEST(shards_are_kept_and_their_pushes_summed)
{
    dcps_run_statistics run = {.shard_count = 0};
    for (uint32_t i = 0; i < 9; i++) {
        const dcps_shard_statistics shard = {.shard = i, .updates = 100 + i, .pushes = {.applied = i, .duplicates = 1}};
        const dcps_shard_histograms histograms = {.held_ns.count = 200 + i};
        ck_assert_int_eq(dcps_run_statistics_add_shard(&run, &shard, &histograms), DCPS_OK);
    }
    ck_assert_uint_eq(run.shard_count, 9);
    ck_assert_uint_eq(run.shards[8].updates, 108);
    ck_assert_uint_eq(run.histograms[0].held_ns.count, 200);
    ck_assert_uint_eq(run.histograms[8].held_ns.count, 208);
    ck_assert_uint_eq(run.pushes.applied, 36);
    ck_assert_uint_eq(run.pushes.duplicates, 9);
    dcps_run_statistics_fini(&run);
    ck_assert_ptr_null(run.shards);
}
END_TEST

START_TEST(without_memory_nothing_changes)
{
    dcps_run_statistics run = {.shard_count = 0};
    dcps_worker_statistics worker = worker_of(1, 2, 3);
    const dcps_shard_statistics shard = {.shard = 1};
    const dcps_shard_histograms histograms = {.held_ns.count = 0};
    dcps_alloc_fail_after(0);
    ck_assert_int_eq(dcps_worker_table_add(&run.workers, &worker), DCPS_NO_MEMORY);
    for (uint64_t n = 0; n < 2; n++) {
        dcps_alloc_fail_after(n);
        ck_assert_int_eq(dcps_run_statistics_add_shard(&run, &shard, &histograms), DCPS_NO_MEMORY);
    }
    ck_assert_uint_eq(run.workers.count + run.shard_count, 0);
    ck_assert_int_eq(dcps_run_statistics_add_shard(&run, &shard, &histograms), DCPS_OK);
    ck_assert_int_eq(dcps_worker_table_add(&run.workers, &worker), DCPS_OK);
    dcps_run_statistics_fini(&run);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {shards_of_a_worker_are_summed, workers_are_in_order_and_set_replaces,
                                  shards_are_kept_and_their_pushes_summed, without_memory_nothing_changes};
    return CHECK_MAIN("run statistics", tests);
}
