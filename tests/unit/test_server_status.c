/* The answer to STATUS, from numbers written down here. */
#include "server/status.h"

#include <math.h>
#include <string.h>

#include "support/check_main.h"

static dcps_server_config config;
static dcps_shard_published shards[3];
static dcps_status_storage storage;

/* Server 1 of 2 with 3 shards; of 8 blocks it owns the last 3: one a shard. */
static dcps_status_sources sources_of(const dcps_partition *partition)
{
    memset(shards, 0, sizeof(shards));
    config = (dcps_server_config){
        .index = 1, .server_count = 2, .shards = 3, .workers = 4, .epochs = 5, .algorithm.name = "ssp"};
    for (uint32_t i = 0; i < 3; i++) {
        dcps_shard_stats *stats = &shards[i].stats;
        shards[i].malformed = 100;
        stats->state = DCPS_RUN_TRAINING;
        stats->samples = 640 + i;
        stats->updates = 10 + i;
        stats->training_ns = 7000 + i;
        stats->train_loss = 0.5 + i;
        stats->snapshots = 3 - i;
        stats->pushes_applied = 1000 + i;
        stats->duplicates_ignored = i;
        stats->pushes_dropped = 10 + i;
        stats->stale_ignored = 2 * i;
        stats->rejected = 10 + i;
        stats->payload_bytes_in = 1u << (20 + i);
        stats->payload_bytes_out = 5;
        stats->weights_final = true;
        stats->weights_digest = UINT64_C(0x8000000000000001) + i;
        stats->staleness.of[0] = 4;
        stats->staleness.of[i + 1] = 8;
        stats->staleness.sum = 8 * (i + 1);
        stats->staleness.max = i + 1;
        stats->dropped_round = 4 + i;
        dcps_histogram_add(&stats->held_ns, 10 * (i + 1));
        stats->queue_now = i;
        stats->queue_max = 3 + i;
        stats->queue_sum = 5;
        stats->queue_pushes = 2;
        shards[i].wakes = 4;
        shards[i].messages = 10 + i;
        shards[i].backlog_max = 6;
    }
    return (dcps_status_sources){.config = &config,
                                 .control = {.workers_live = 3, .workers_lost = 1, .rejected = 20000},
                                 .control_malformed = 3000,
                                 .partition = partition,
                                 .samples_per_epoch = 60000,
                                 .shards = shards};
}

static dcps_partition cut(uint64_t params)
{
    dcps_partition partition;
    ck_assert_int_eq(dcps_partition_init(&partition, params, 16, 2, 3), DCPS_OK);
    return partition;
}

START_TEST(counters_are_summed_and_progress_is_that_of_the_first_block)
{
    dcps_partition partition = cut(8 * 16);
    dcps_status_sources sources = sources_of(&partition);
    dcps_status_reply reply;
    memset(&storage, 0xff, sizeof(storage));
    dcps_status_build(&sources, &storage, &reply);
    ck_assert_uint_eq(reply.server_index, 1);
    ck_assert_uint_eq(reply.server_count, 2);
    ck_assert_int_eq(reply.state, DCPS_RUN_TRAINING);
    ck_assert_uint_eq(reply.samples, 640);
    ck_assert_uint_eq(reply.updates, 10);
    ck_assert_uint_eq(reply.training_ns, 7000);
    ck_assert(reply.train_loss == 0.5);
    ck_assert_uint_eq(reply.samples_per_epoch, 60000);
    ck_assert_uint_eq(reply.epochs, 5);
    ck_assert_uint_eq(reply.workers_live, 3);
    ck_assert_uint_eq(reply.workers_expected, 4);
    ck_assert_uint_eq(reply.workers_lost, 1);
    ck_assert_uint_eq(reply.snapshots, 1);
    ck_assert_uint_eq(reply.pushes_applied, 3003);
    ck_assert_uint_eq(reply.duplicates_ignored, 3);
    ck_assert_uint_eq(reply.pushes_dropped, 33);
    ck_assert_uint_eq(reply.stale_ignored, 6);
    ck_assert_uint_eq(reply.rejected_messages, 23333);
    ck_assert_uint_eq(reply.payload_bytes_in, 7u << 20);
    ck_assert_uint_eq(reply.payload_bytes_out, 15);
    ck_assert_str_eq(reply.algorithm, "ssp");
    ck_assert_uint_eq(dcps_counts_used(reply.staleness), 4);
    ck_assert_uint_eq(reply.staleness->of[0], 12);
    ck_assert_uint_eq(reply.staleness->of[3], 8);
    ck_assert_uint_eq(reply.staleness->sum, 8 + 16 + 24);
    ck_assert_uint_eq(reply.staleness->max, 3);
    ck_assert_uint_eq(reply.dropped_round, 4 + 5 + 6);
    ck_assert_uint_eq(reply.held_ns->count, 3);
    ck_assert_uint_eq(reply.held_ns->sum, 60);
    ck_assert(!reply.has_workers);
    ck_assert_uint_eq(reply.histogram_count, 0);
}
END_TEST

START_TEST(shards_are_described_one_by_one)
{
    dcps_partition partition = cut(8 * 16);
    dcps_status_sources sources = sources_of(&partition);
    dcps_status_reply reply;
    shards[2].wakes = 0;
    shards[2].stats.queue_pushes = 0;
    dcps_status_build(&sources, &storage, &reply);
    ck_assert_uint_eq(reply.shard_count, 3);
    const dcps_shard_statistics *shard = &reply.shards[1];
    ck_assert_uint_eq(shard->shard, 4); /* over both servers */
    ck_assert_uint_eq(shard->updates, 11);
    ck_assert_uint_eq(shard->pushes.applied, 1001);
    ck_assert_uint_eq(shard->pushes.dropped_stale, 11 - 5);
    ck_assert_uint_eq(shard->pushes.dropped_round, 5);
    ck_assert_uint_eq(shard->pushes.duplicates, 1);
    ck_assert_uint_eq(shard->staleness.count, 12); /* 4 of 0, 8 of 2 */
    ck_assert_double_eq_tol(shard->staleness.mean, 16.0 / 12.0, 1e-12);
    ck_assert_uint_eq(shard->held_ns.max, 20);
    ck_assert_uint_eq(shard->queue_now, 1);
    ck_assert_uint_eq(shard->queue_max, 4);
    ck_assert_double_eq(shard->queue_mean, 2.5);
    ck_assert_uint_eq(shard->backlog_max, 6);
    ck_assert_double_eq(shard->backlog_mean, 2.75);
    ck_assert(isnan(reply.shards[2].queue_mean));
    ck_assert(isnan(reply.shards[2].backlog_mean));
}
END_TEST

/* Of ids that are a multiple of three; with `context` full histograms. */
static bool every_third(void *context, dcps_worker_statistics *worker)
{
    const bool *full = context;
    if (worker->worker % 3 != 0) {
        return false;
    }
    worker->steps = worker->worker + 1000;
    for (uint32_t i = 0; *full && i < DCPS_HISTOGRAM_BUCKETS; i++) {
        dcps_histogram_add(&worker->staleness, dcps_histogram_first(i));
        dcps_histogram_add(&worker->held_ns, dcps_histogram_first(i));
    }
    return true;
}

/* Asks again and again, each time from where the last answer ended; returns the number of answers. */
static uint32_t page_through(bool full)
{
    uint32_t answers = 0;
    uint32_t expected = 0;
    uint32_t next = 0;
    do {
        dcps_status_reply reply = {.worker_count = 0};
        dcps_status_add_workers(every_third, &full, next, &storage, &reply);
        ck_assert(reply.has_workers);
        ck_assert_uint_eq(reply.first_worker, next);
        ck_assert_uint_gt(reply.worker_count, 0);
        for (uint32_t i = 0; i < reply.worker_count; i++, expected += 3) {
            ck_assert_uint_eq(reply.workers[i].worker, expected);
            ck_assert_uint_eq(reply.workers[i].steps, expected + 1000);
        }
        ck_assert(reply.next_worker == 0 || reply.next_worker > next);
        next = reply.next_worker;
        answers++;
    } while (next != 0);
    ck_assert_uint_eq(expected, 1026); /* past the last, 1023 */
    return answers;
}

START_TEST(all_workers_are_told_whatever_fits_into_an_answer)
{
    ck_assert_uint_eq(page_through(false), 6); /* 342 workers, 64 an answer */
    ck_assert_uint_ge(page_through(true), 342 / 5);
}
END_TEST

START_TEST(after_the_last_worker_there_is_no_more)
{
    bool full = false;
    dcps_status_reply reply = {.worker_count = 0};
    dcps_status_add_workers(every_third, &full, 1023, &storage, &reply);
    ck_assert_uint_eq(reply.worker_count, 1);
    ck_assert_uint_eq(reply.next_worker, 0);
}
END_TEST

/* As many shards as can be, each with one staleness more than the one before; with `full` every bucket of every histogram holds something. */
static void fill_histograms(dcps_shard_published *many, bool full)
{
    for (uint32_t shard = 0; shard < DCPS_MAX_SHARDS; shard++) {
        dcps_shard_stats *stats = &many[shard].stats;
        for (uint32_t value = 0; value <= (full ? 1024u : shard); value++) {
            dcps_counts_add(&stats->staleness, value);
        }
        for (uint32_t i = 0; full && i < DCPS_HISTOGRAM_BUCKETS; i++) {
            dcps_histogram_add(&stats->held_ns, dcps_histogram_first(i) + (i == DCPS_HISTOGRAM_BUCKETS - 1u) * shard);
        }
    }
}

/* Asks again and again, as a client does; returns the number of answers. */
static uint32_t page_through_shards(const dcps_shard_published *many, bool full)
{
    uint32_t answers = 0;
    uint32_t told = 0;
    while (told < DCPS_MAX_SHARDS) {
        dcps_status_reply reply = {.worker_count = 0};
        dcps_status_add_histograms(many, DCPS_MAX_SHARDS, told, &storage, &reply);
        ck_assert_uint_eq(reply.first_shard, told);
        ck_assert_uint_gt(reply.histogram_count, 0);
        for (uint32_t i = 0; i < reply.histogram_count; i++, told++) {
            ck_assert_uint_eq(reply.histograms[i].staleness.count, full ? 1025 : told + 1);
            ck_assert_uint_eq(reply.histograms[i].held_ns.count, full ? DCPS_HISTOGRAM_BUCKETS : 0);
            ck_assert_uint_eq(reply.histograms[i].held_ns.max, full ? (UINT64_C(15) << 37) + told : 0);
        }
        answers++;
    }
    ck_assert_uint_eq(told, DCPS_MAX_SHARDS);
    return answers;
}

START_TEST(all_histograms_are_told_whatever_fits_into_an_answer)
{
    static dcps_shard_published many[DCPS_MAX_SHARDS];
    dcps_status_reply reply = {.worker_count = 0};
    fill_histograms(many, false);
    ck_assert_uint_eq(page_through_shards(many, false), 1);
    memset(many, 0, sizeof(many));
    fill_histograms(many, true);
    ck_assert_uint_ge(page_through_shards(many, true), DCPS_MAX_SHARDS / 8);
    dcps_status_add_histograms(many, 3, 3, &storage, &reply); /* there are fewer */
    ck_assert_uint_eq(reply.first_shard + reply.histogram_count, 0);
}
END_TEST

START_TEST(shards_without_blocks_do_not_hold_snapshots_back)
{
    dcps_partition partition = cut(5 * 16); /* shards 0 to 4 of all own one block each: the last of this server none */
    dcps_status_sources sources = sources_of(&partition);
    dcps_status_reply reply;
    shards[2].stats.snapshots = 0;
    dcps_status_build(&sources, &storage, &reply);
    ck_assert_uint_eq(reply.snapshots, 2);
    ck_assert_uint_eq(dcps_status_first_shard(&partition, 1, 3), 0);
}
END_TEST

START_TEST(the_digest_is_that_of_all_shards_once_all_are_at_the_end)
{
    dcps_partition partition = cut(8 * 16);
    dcps_status_sources sources = sources_of(&partition);
    dcps_status_reply reply;
    dcps_status_build(&sources, &storage, &reply);
    ck_assert(reply.weights_final);
    ck_assert_uint_eq(reply.weights_digest, UINT64_C(0x8000000000000006)); /* modulo 2^64 */
    shards[1].stats.weights_final = false;
    dcps_status_build(&sources, &storage, &reply);
    ck_assert(!reply.weights_final);
    ck_assert_uint_eq(reply.weights_digest, 0);
}
END_TEST

START_TEST(before_a_layout_the_server_waits)
{
    dcps_status_sources sources = sources_of(NULL);
    dcps_status_reply reply;
    memset(shards, 0, sizeof(shards));
    dcps_status_build(&sources, &storage, &reply);
    ck_assert_int_eq(reply.state, DCPS_RUN_WAITING);
    ck_assert_uint_eq(dcps_counts_used(reply.staleness), 0);
    ck_assert_uint_eq(reply.snapshots, 0);
}
END_TEST

START_TEST(a_stopping_server_drains_until_it_is_done)
{
    dcps_partition partition = cut(8 * 16);
    dcps_status_sources sources = sources_of(&partition);
    dcps_status_reply reply;
    sources.stopping = true;
    dcps_status_build(&sources, &storage, &reply);
    ck_assert_int_eq(reply.state, DCPS_RUN_DRAINING);
    shards[0].stats.state = DCPS_RUN_DONE;
    dcps_status_build(&sources, &storage, &reply);
    ck_assert_int_eq(reply.state, DCPS_RUN_DONE);
}
END_TEST

/* Server 0 counts the mini-batches; any other has only its workers' goodbyes to tell the end by. */
START_TEST(another_server_than_the_first_is_done_when_the_last_worker_has_left)
{
    static const struct {
        uint32_t index;
        uint32_t finished;
        uint32_t live;
        dcps_run_state state;
    } cases[] = {
        {1, 0, 3, DCPS_RUN_TRAINING}, {1, 0, 0, DCPS_RUN_TRAINING}, /* lost or stopped, not finished */
        {1, 2, 1, DCPS_RUN_TRAINING}, {1, 3, 0, DCPS_RUN_DONE},     {1, 1, 0, DCPS_RUN_DONE}, /* the others were lost */
        {0, 3, 0, DCPS_RUN_TRAINING},                                                         /* a batch is still out */
    };
    dcps_partition partition = cut(8 * 16);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        dcps_status_sources sources = sources_of(&partition);
        dcps_status_reply reply;
        config.index = cases[i].index;
        config.batch_size = 16;
        sources.control.workers_finished = cases[i].finished;
        sources.control.workers_live = cases[i].live;
        dcps_status_build(&sources, &storage, &reply);
        ck_assert_msg(reply.state == cases[i].state, "case %zu: state %d", i, (int)reply.state);
        sources.stopping = true;
        dcps_status_build(&sources, &storage, &reply);
        dcps_run_state expected = cases[i].state == DCPS_RUN_DONE ? DCPS_RUN_DONE : DCPS_RUN_DRAINING;
        ck_assert_msg(reply.state == expected, "case %zu: state %d while it stops", i, (int)reply.state);
    }
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {counters_are_summed_and_progress_is_that_of_the_first_block,
                                  shards_are_described_one_by_one,
                                  all_workers_are_told_whatever_fits_into_an_answer,
                                  after_the_last_worker_there_is_no_more,
                                  all_histograms_are_told_whatever_fits_into_an_answer,
                                  shards_without_blocks_do_not_hold_snapshots_back,
                                  the_digest_is_that_of_all_shards_once_all_are_at_the_end,
                                  before_a_layout_the_server_waits,
                                  a_stopping_server_drains_until_it_is_done,
                                  another_server_than_the_first_is_done_when_the_last_worker_has_left};
    return CHECK_MAIN("server status", tests);
}
