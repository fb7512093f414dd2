/* Traces as they are written, and read back. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "base/alloc.h"
#include "support/check_main.h"
#include "support/trace_fixture.h"

static temp_folder folder;

static void setup(void)
{
    temp_folder_create(&folder);
}

static void teardown(void)
{
    temp_folder_delete(&folder);
}

static void read_text(const char *name, char *text, size_t capacity)
{
    char path[TEMP_PATH_BYTES];
    FILE *file = fopen(temp_path(&folder, name, path), "r");
    ck_assert_ptr_nonnull(file);
    size_t length = fread(text, 1, capacity - 1, file);
    text[length] = '\0';
    (void)fclose(file);
}

START_TEST(requests_are_written_as_they_come)
{
    const dcps_taken pull = {.kind = DCPS_TAKEN_PULL, .fate = DCPS_FATE_NONE, .block = 3, .incarnation = 1, .seq = 1};
    const dcps_taken push = {.kind = DCPS_TAKEN_PUSH,
                             .fate = DCPS_FATE_DROPPED,
                             .block = 4,
                             .worker = 2,
                             .incarnation = 1,
                             .samples = 128,
                             .seq = 9,
                             .step = 5,
                             .staleness = 6,
                             .away_ns = 1000};
    dcps_trace_writer *writer = NULL;
    char text[512];
    char reason[DCPS_TRACE_REASON_BYTES];
    uint64_t rows = 0;
    ck_assert_int_eq(dcps_trace_writer_create(folder.path, 3, 500, &writer), DCPS_OK);
    dcps_trace_writer_add(writer, &pull, 510);
    dcps_trace_writer_add(writer, &push, 1500);
    dcps_trace_writer_close(&writer, &rows, reason);
    ck_assert_ptr_null(writer);
    ck_assert_uint_eq(rows, 2);
    ck_assert_str_eq(reason, "");
    read_text("shard-3.csv", text, sizeof(text));
    ck_assert_str_eq(text, TRACE_HEADING "10,3,0,1,1,0,pull,-,0,0,0\n"
                                         "1000,4,2,1,9,5,push,dropped,6,128,1000\n");
}
END_TEST

START_TEST(what_is_there_is_not_overwritten)
{
    dcps_trace_writer *writer = NULL;
    trace_write(&folder);
    ck_assert_int_eq(dcps_trace_writer_create(folder.path, 0, 0, &writer), DCPS_IO);
    ck_assert_ptr_nonnull(strstr(dcps_error_message(), "shard-0.csv"));
    ck_assert_ptr_null(writer);
    ck_assert(dcps_trace_run_exists(folder.path, 0));
    ck_assert(!dcps_trace_run_exists(folder.path, 1));
}
END_TEST

START_TEST(a_spoilt_trace_keeps_its_first_reason)
{
    dcps_trace_writer *writer = NULL;
    char reason[DCPS_TRACE_REASON_BYTES];
    uint64_t rows;
    ck_assert_int_eq(dcps_trace_writer_create(folder.path, 0, 0, &writer), DCPS_OK);
    dcps_trace_writer_spoil(writer, "worker %u was lost", 3u);
    dcps_trace_writer_spoil(writer, "worker %u was lost", 4u);
    dcps_trace_writer_close(&writer, &rows, reason);
    ck_assert_str_eq(reason, "worker 3 was lost");
}
END_TEST

/* Which would be refused when it is read: two processes, one after the other, cannot be told apart in a replay. */
START_TEST(a_place_taken_twice_spoils_a_trace)
{
    dcps_taken pull = {.kind = DCPS_TAKEN_PULL, .fate = DCPS_FATE_NONE, .worker = 3, .incarnation = 1, .seq = 1};
    for (uint32_t lives = 1; lives <= 2; lives++) {
        char reason[DCPS_TRACE_REASON_BYTES];
        uint64_t rows = 0;
        dcps_trace_writer *writer = NULL;
        pull.incarnation = lives;
        ck_assert_int_eq(dcps_trace_writer_create(folder.path, lives, 0, &writer), DCPS_OK);
        dcps_trace_writer_add(writer, &pull, 1);
        dcps_trace_writer_close(&writer, &rows, reason);
        ck_assert_uint_eq(rows, 1);
        ck_assert_str_eq(reason, lives == 1 ? "" : "worker 3 was two processes, one after the other");
    }
}
END_TEST

/* A limit on the size of files is as good as a full disk. */
START_TEST(what_cannot_be_written_is_told_when_the_writer_is_closed)
{
    const dcps_taken pull = {.kind = DCPS_TAKEN_PULL, .fate = DCPS_FATE_NONE, .incarnation = 1, .seq = 1};
    const struct rlimit limit = {.rlim_cur = 1000, .rlim_max = 1000};
    dcps_trace_writer *writer = NULL;
    char reason[DCPS_TRACE_REASON_BYTES];
    uint64_t rows = 0;
    (void)signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(dcps_trace_writer_create(folder.path, 0, 0, &writer), DCPS_OK);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    for (uint32_t i = 0; i < 100; i++) {
        dcps_trace_writer_add(writer, &pull, i);
    }
    dcps_trace_writer_close(&writer, &rows, reason);
    ck_assert_ptr_nonnull(strstr(reason, "cannot write"));
    ck_assert_ptr_nonnull(strstr(reason, "shard-0.csv"));
}
END_TEST

START_TEST(a_server_is_described_and_read_back)
{
    dcps_trace_run run = trace_run();
    dcps_trace_run back;
    run.seed = UINT64_C(1) << 53;
    run.complete = false;
    (void)snprintf(run.reason, sizeof(run.reason), "worker 2 was lost \"suddenly\"");
    ck_assert_int_eq(dcps_trace_run_write(&run, folder.path), DCPS_OK);
    ck_assert_msg(dcps_trace_run_read(folder.path, 0, &back) == DCPS_OK, "%s", dcps_error_message());
    ck_assert_mem_eq(&back, &run, sizeof(run));
}
END_TEST

/* What keeps a record from being complete, and what is said of it. */
static const struct {
    dcps_trace_ending ending;
    const char *reason;
} endings[] = {
    {{.run_over = true, .joins = 2, .finished = 2, .weights_digest = 77}, ""},
    {{.joins = 2, .finished = 2}, "the run was stopped before its end"},
    {{.run_over = true, .joins = 2, .finished = 2, .early_starts = 1},
     "the run began without all workers, see --start-grace-ms"},
    {{.run_over = true, .joins = 2, .finished = 2, .resumed = true}, "the run went on from a checkpoint"},
    {{.run_over = true, .joins = 3, .finished = 3}, "of 2 workers expected 3 joined, 3 finished and 0 were lost"},
    {{.run_over = true, .joins = 1, .finished = 1}, "of 2 workers expected 1 joined, 1 finished and 0 were lost"},
    {{.run_over = true, .joins = 2, .finished = 1, .lost = 1},
     "of 2 workers expected 2 joined, 1 finished and 1 were lost"},
};

START_TEST(a_record_is_complete_or_says_why_not)
{
    dcps_trace_record record;
    dcps_trace_run run = trace_run();
    dcps_trace_run back;
    dcps_partition partition;
    run.total_params = 0; /* not known yet */
    ck_assert_int_eq(dcps_trace_record_begin(&record, &run, folder.path, 0), DCPS_OK);
    ck_assert_int_eq(dcps_trace_run_read(folder.path, 0, &back), DCPS_OK);
    ck_assert(!back.complete);
    ck_assert_str_eq(back.reason, "the run has not ended");
    ck_assert_int_eq(dcps_partition_init(&partition, 64, 16, 1, 2), DCPS_OK);
    dcps_trace_record_model(&record, &partition, 48);
    const dcps_taken pull = {.kind = DCPS_TAKEN_PULL, .fate = DCPS_FATE_NONE, .incarnation = 1, .seq = 1};
    dcps_trace_writer_add(record.writers[1], &pull, 5);
    ck_assert_int_eq(dcps_trace_record_end(&record, &endings[_i].ending), DCPS_OK);
    ck_assert_int_eq(dcps_trace_run_read(folder.path, 0, &back), DCPS_OK);
    ck_assert_str_eq(back.reason, endings[_i].reason);
    ck_assert_int_eq(back.complete, endings[_i].reason[0] == '\0');
    ck_assert_uint_eq(back.weights_digest, back.complete ? 77 : 0);
    ck_assert_uint_eq(back.rows[0], 0);
    ck_assert_uint_eq(back.rows[1], 1);
    ck_assert_uint_eq(back.samples_per_epoch, 48);
    ck_assert_int_eq(dcps_trace_record_begin(&record, &run, folder.path, 0), DCPS_INVALID);
    ck_assert_ptr_nonnull(strstr(dcps_error_message(), "holds a trace already"));
}
END_TEST

START_TEST(a_replay_is_proved_by_its_weights)
{
    dcps_trace_replay replay;
    const dcps_trace_run now = trace_run();
    trace_write(&folder);
    ck_assert_msg(dcps_trace_replay_open(&replay, &now, folder.path) == DCPS_OK, "%s", dcps_error_message());
    ck_assert_uint_eq(replay.orders[0].block_count, 2);
    ck_assert_uint_eq(replay.orders[1].first_block, 2);
    ck_assert_int_eq(dcps_trace_replay_check(&replay, 0, now.weights_digest), DCPS_OK);
    ck_assert_int_eq(dcps_trace_replay_check(&replay, 0, now.weights_digest + 1u), DCPS_MISMATCH);
    ck_assert_ptr_nonnull(strstr(dcps_error_message(), "digest fedcba9876543211, recorded fedcba9876543210"));
    ck_assert_int_eq(dcps_trace_replay_check(&replay, 3, now.weights_digest), DCPS_MISMATCH);
    ck_assert_ptr_nonnull(strstr(dcps_error_message(), "3 requests"));
    dcps_trace_replay_fini(&replay);
}
END_TEST

START_TEST(settings_that_differ_are_named)
{
    const dcps_trace_run recorded = trace_run();
    dcps_trace_run now = trace_run();
    ck_assert_int_eq(dcps_trace_run_check(&recorded, &now), DCPS_OK);
#define DIFFERS(member, value, part)                                                                                   \
    do {                                                                                                               \
        now = trace_run();                                                                                             \
        now.member = (value);                                                                                          \
        ck_assert_int_eq(dcps_trace_run_check(&recorded, &now), DCPS_MISMATCH);                                        \
        ck_assert_msg(strstr(dcps_error_message(), (part)) != NULL, "%s", dcps_error_message());                       \
    } while (0)
    DIFFERS(seed, 8, "--seed");
    DIFFERS(workers, 3, "2 as workers, this run has 3");
    DIFFERS(batch_size, 9, "--batch-size");
    DIFFERS(epochs, 4, "--epochs");
    DIFFERS(shards_per_server, 1, "--shards");
    DIFFERS(server_count, 2, "--servers");
    DIFFERS(settings[0], 'A', "there \"algorithm asgd\", here \"Algorithm asgd\"");
    DIFFERS(settings[strlen(recorded.settings) - 1], '2', "there \"learning rate 0.1\", here \"learning rate 0.2\"");
    DIFFERS(settings[strlen("algorithm asgd")], '\0', "there \"learning rate 0.1\", here \"\"");
    dcps_trace_run partial = trace_run();
    now = trace_run();
    partial.complete = false;
    (void)snprintf(partial.reason, sizeof(partial.reason), "worker 1 was lost");
    ck_assert_int_eq(dcps_trace_run_check(&partial, &now), DCPS_MISMATCH);
    ck_assert_ptr_nonnull(strstr(dcps_error_message(), "worker 1 was lost"));
}
END_TEST

START_TEST(models_that_differ_are_named)
{
    const dcps_trace_run recorded = trace_run();
    dcps_partition partition;
    ck_assert_int_eq(dcps_partition_init(&partition, 64, 16, 1, 2), DCPS_OK);
    ck_assert_int_eq(dcps_trace_run_check_model(&recorded, &partition, 48), DCPS_OK);
    ck_assert_int_eq(dcps_trace_run_check_model(&recorded, &partition, 49), DCPS_MISMATCH);
    ck_assert_ptr_nonnull(strstr(dcps_error_message(), "48 samples an epoch, this one has 49"));
    ck_assert_int_eq(dcps_partition_init(&partition, 64, 32, 1, 2), DCPS_OK);
    ck_assert_int_eq(dcps_trace_run_check_model(&recorded, &partition, 48), DCPS_MISMATCH);
    ck_assert_ptr_nonnull(strstr(dcps_error_message(), "--block-params"));
    ck_assert_int_eq(dcps_partition_init(&partition, 80, 16, 1, 2), DCPS_OK);
    ck_assert_int_eq(dcps_trace_run_check_model(&recorded, &partition, 48), DCPS_MISMATCH);
}
END_TEST

static void expect_turn(const dcps_replay_order *order, uint32_t block, uint64_t turn, uint16_t worker,
                        dcps_taken_kind kind, dcps_taken_fate fate)
{
    ck_assert_uint_lt(turn, order->blocks[block].count);
    const dcps_replay_turn *found = &order->blocks[block].turns[turn];
    ck_assert_uint_eq(found->worker, worker);
    ck_assert_uint_eq(found->kind, kind);
    ck_assert_uint_eq(found->fate, fate);
}

START_TEST(the_order_of_each_block_is_read)
{
    const dcps_trace_run run = trace_run();
    dcps_replay_order order;
    trace_write(&folder);
    ck_assert_msg(dcps_trace_read_order(folder.path, &run, 0, &order) == DCPS_OK, "%s", dcps_error_message());
    ck_assert_uint_eq(order.workers, 2);
    ck_assert_uint_eq(order.first_block, 0);
    ck_assert_uint_eq(order.block_count, 2);
    ck_assert_uint_eq(order.blocks[0].count, 3);
    expect_turn(&order, 0, 0, 1, DCPS_TAKEN_PULL, DCPS_FATE_NONE);
    expect_turn(&order, 0, 1, 0, DCPS_TAKEN_PULL, DCPS_FATE_NONE);
    expect_turn(&order, 0, 2, 0, DCPS_TAKEN_PUSH, DCPS_FATE_APPLIED);
    expect_turn(&order, 1, 2, 0, DCPS_TAKEN_ABSTAIN, DCPS_FATE_NONE);
    dcps_replay_order_fini(&order);
    ck_assert_int_eq(dcps_trace_read_order(folder.path, &run, 1, &order), DCPS_OK);
    ck_assert_uint_eq(order.first_block, 2);
    ck_assert_uint_eq(order.blocks[1].count, 2);
    dcps_replay_order_fini(&order);
}
END_TEST

START_TEST(times_of_steps_are_those_of_block_0)
{
    dcps_trace_times times;
    trace_write_rows(&folder, "1,0,5,1,1,0,pull,-,0,0,0\n"
                              "2,0,5,1,2,1,push,applied,0,8,100\n"
                              "2,1,5,1,2,1,push,applied,0,8,999\n"
                              "3,0,9,4,17,1,push,dropped,3,8,300\n"
                              "4,0,5,1,3,2,push,applied,0,8,200\n"
                              "5,0,7,1,3,2,abstain,-,0,0,200\n");
    ck_assert_msg(dcps_trace_read_times(folder.path, &times) == DCPS_OK, "%s", dcps_error_message());
    ck_assert_uint_eq(times.workers, 2);
    ck_assert_uint_eq(times.steps[0].count, 2);
    ck_assert_uint_eq(times.steps[0].step_ns[0], 100);
    ck_assert_uint_eq(times.steps[0].step_ns[1], 200);
    ck_assert_uint_eq(times.steps[1].count, 1);
    ck_assert_uint_eq(times.steps[1].step_ns[0], 300);
    dcps_trace_times_fini(&times);
    ck_assert_ptr_null(times.steps);
    trace_write_rows(&folder, "1,0,5,1,1,0,pull,-,0,0,0\n");
    ck_assert_int_eq(dcps_trace_read_times(folder.path, &times), DCPS_CORRUPT);
    ck_assert_int_eq(dcps_trace_read_times("/nowhere", &times), DCPS_NOT_FOUND);
}
END_TEST

START_TEST(settings_of_the_start_are_read_back)
{
    dcps_trace_settings settings = {0};
    dcps_trace_settings back;
    ck_assert_int_eq(dcps_trace_settings_add(&settings, "model-opt", "a=1\nb=\"2\""), DCPS_OK);
    ck_assert_int_eq(dcps_trace_settings_add(&settings, "epochs", "3"), DCPS_OK);
    ck_assert_int_eq(dcps_trace_settings_write(&settings, folder.path), DCPS_OK);
    ck_assert_int_eq(dcps_trace_settings_read(folder.path, &back), DCPS_OK);
    ck_assert_uint_eq(back.count, 2);
    ck_assert_str_eq(dcps_trace_settings_find(&back, "model-opt"), "a=1\nb=\"2\"");
    ck_assert_str_eq(dcps_trace_settings_find(&back, "epochs"), "3");
    ck_assert_ptr_null(dcps_trace_settings_find(&back, "seed"));
    dcps_trace_settings_fini(&back);
    ck_assert_int_eq(dcps_trace_settings_add(&settings, "model", "\xff\xfe"), DCPS_OK);
    ck_assert_int_eq(dcps_trace_settings_write(&settings, folder.path), DCPS_INVALID);
    dcps_trace_settings_fini(&settings);
}
END_TEST

START_TEST(lack_of_memory_is_told_wherever_it_shows)
{
    const dcps_trace_run run = trace_run();
    dcps_replay_order order;
    dcps_trace_times times;
    trace_write(&folder);
    dcps_status status = DCPS_NO_MEMORY;
    for (uint64_t n = 0; status != DCPS_OK; n++) {
        dcps_alloc_fail_after(n);
        status = dcps_trace_read_order(folder.path, &run, 0, &order);
        ck_assert(status == DCPS_OK || status == DCPS_NO_MEMORY);
        ck_assert_uint_lt(n, 100);
    }
    dcps_replay_order_fini(&order);
    status = DCPS_NO_MEMORY;
    for (uint64_t n = 0; status != DCPS_OK; n++) {
        dcps_alloc_fail_after(n);
        status = dcps_trace_read_times(folder.path, &times);
        ck_assert(status == DCPS_OK || status == DCPS_NO_MEMORY);
        ck_assert_uint_lt(n, 100);
    }
    dcps_alloc_fail_after(UINT64_MAX);
    dcps_trace_times_fini(&times);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {requests_are_written_as_they_come,
                                  what_is_there_is_not_overwritten,
                                  a_spoilt_trace_keeps_its_first_reason,
                                  what_cannot_be_written_is_told_when_the_writer_is_closed,
                                  a_place_taken_twice_spoils_a_trace,
                                  a_server_is_described_and_read_back,
                                  a_replay_is_proved_by_its_weights,
                                  settings_that_differ_are_named,
                                  models_that_differ_are_named,
                                  the_order_of_each_block_is_read,
                                  times_of_steps_are_those_of_block_0,
                                  settings_of_the_start_are_read_back,
                                  lack_of_memory_is_told_wherever_it_shows};
    Suite *suite = suite_create("traces");
    TCase *group = tcase_create("files");
    tcase_add_checked_fixture(group, setup, teardown);
    for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
        tcase_add_test(group, tests[i]);
    }
    tcase_add_loop_test(group, a_record_is_complete_or_says_why_not, 0, sizeof(endings) / sizeof(endings[0]));
    suite_add_tcase(suite, group);
    return check_run(suite);
}
