/* The state of a shard as data: a run goes on from it as if nothing had happened, on any number of shards, and nonsense is refused. */
#include <check.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "support/check_main.h"
#include "support/engine_harness.h"

#define N 40u /* blocks of 16, 16 and 8 */
#define BLOCK 16u
#define BLOCKS 3u
#define WORKERS 2u

static engine shards[2];
static const float zero[BLOCK];

static uint32_t block_length(uint32_t block)
{
    return block == 2 ? 8 : BLOCK;
}

/* What a rule keeps, in every form: of the block and of workers, counted and not, shown and not. */
static const dcps_rule_config rich_rules[] = {
    {.compensation = DCPS_COMPENSATE_DC_A,
     .lambda = 0.3,
     .mean_square_decay = 0.95,
     .optimizer = DCPS_OPTIMIZER_MOMENTUM,
     .momentum = 0.9,
     .weight_decay = 0.001},
    {.compensation = DCPS_COMPENSATE_DC_B,
     .then = DCPS_COMPENSATE_GAP_AWARE,
     .lambda = 8.0,
     .mean_square_decay = 0.95,
     .mean_square_each_worker = true,
     .correction_bound = 1.0,
     .optimizer = DCPS_OPTIMIZER_DANA,
     .momentum = 0.9},
    {.compensation = DCPS_COMPENSATE_GAP_AWARE,
     .step_size = DCPS_STEP_ADADELAY,
     .adadelay_offset = 1.0,
     .optimizer = DCPS_OPTIMIZER_ORMO,
     .momentum = 0.9},
    {.compensation = DCPS_COMPENSATE_DC_C,
     .lambda = 0.04,
     .step_size = DCPS_STEP_STALENESS,
     .optimizer = DCPS_OPTIMIZER_NESTEROV,
     .momentum = 0.5},
};
enum { RULES = sizeof(rich_rules) / sizeof(rich_rules[0]) };
static size_t rich_rule; /* which of them */

static dcps_shard_config rich_config(void)
{
    dcps_shard_config config = engine_config("dc-asgd-a");
    config.algorithm.rule = rich_rules[rich_rule];
    config.schedule = (dcps_schedule){
        .base = 0.05, .warmup_epochs = 2.0, .workers = 2, .decay_factor = 0.5, .decay_count = 1, .decay_epochs = {2.5}};
    return config;
}

/* A run that may change its shards half-way. */
typedef struct run {
    uint32_t shard_count;
    float weights[WORKERS][N];
    uint64_t tickets[64]; /* as they were handed out */
    uint32_t ticket_count;
} run;

static engine *shard_of(const run *self, uint32_t block)
{
    return &shards[dcps_partition_shard_of(&shards[0].partition, block) % self->shard_count];
}

static void take_weights(run *self, uint32_t worker, uint32_t block)
{
    engine_answer answer = engine_take(shard_of(self, block), worker, DCPS_MESSAGE_WEIGHTS);
    ck_assert_uint_eq(answer.payload->bytes, block_length(block) * sizeof(float));
    memcpy(self->weights[worker] + block * BLOCK, answer.payload->data, answer.payload->bytes);
    if (block == 0) {
        ck_assert_int_eq(answer.message.body.weights.ticket.kind, DCPS_TICKET_BATCH);
        self->tickets[self->ticket_count++] = answer.message.body.weights.ticket.number;
    }
    engine_drop(&answer);
}

static void step(run *self, uint32_t number)
{
    uint32_t worker = number % 5u % WORKERS; /* 0 1 0 1 0, 0 1 0 1 0, … */
    for (uint32_t block = 0; block < BLOCKS; block++) {
        float gradient[BLOCK];
        for (uint32_t i = 0; i < block_length(block); i++) {
            float weight = self->weights[worker][block * BLOCK + i];
            gradient[i] = 0.2F * weight + (float)((number * 7u + block * 5u + i * 3u) % 11u) - 5.0F;
        }
        engine *shard = shard_of(self, block);
        shard->now_ns += DCPS_NS_PER_MS;
        engine_push(shard, worker, block, gradient);
        take_weights(self, worker, block);
    }
}

static void begin(run *self)
{
    dcps_shard_config config = rich_config();
    *self = (run){.shard_count = 1};
    engine_open(&shards[0], &config, N, BLOCK, 1);
    for (uint32_t block = 0; block < BLOCKS; block++) {
        float initial[BLOCK];
        for (uint32_t i = 0; i < BLOCK; i++) {
            initial[i] = 0.1F * (float)i - 0.5F * (float)block;
        }
        engine_begin(&shards[0], WORKERS, block, initial);
        for (uint32_t worker = 0; worker < WORKERS; worker++) {
            memcpy(self->weights[worker] + block * BLOCK, initial, block_length(block) * sizeof(float));
        }
    }
}

/* The holder of the lower ticket first: open ones are handed out again from the lowest. */
static void pull_all(run *self)
{
    for (uint32_t worker = WORKERS; worker-- > 0;) {
        for (uint32_t block = 0; block < BLOCKS; block++) {
            engine_pull(shard_of(self, block), worker, block);
            take_weights(self, worker, block);
        }
    }
}

/* From one shard to two, through an image. */
static void change_shards(run *self)
{
    dcps_shard_image image;
    engine old = shards[0];
    ck_assert_int_eq(dcps_shard_export(old.shard, &image), DCPS_OK);
    for (uint32_t k = 0; k < 2; k++) {
        dcps_shard_config config = rich_config();
        config.shard = k;
        engine_open(&shards[k], &config, N, BLOCK, 2);
        ck_assert_int_eq(dcps_shard_import(shards[k].shard, &image), DCPS_OK);
        memcpy(shards[k].clients, old.clients, sizeof(old.clients));
        shards[k].now_ns = 999 * DCPS_NS_PER_S; /* another machine, another clock */
        for (uint32_t worker = 0; worker < WORKERS; worker++) {
            engine_join(&shards[k], worker);
        }
    }
    self->shard_count = 2;
    dcps_shard_image_fini(&image);
    engine_close(&old);
}

static void close_shards(const run *self)
{
    for (uint32_t k = 0; k < self->shard_count; k++) {
        engine_expect_quiet(&shards[k]);
        engine_close(&shards[k]);
    }
}

typedef struct result {
    float weights[N];
    dcps_shard_stats stats;
    run trace;
} result;

static void play(bool through_image, result *out)
{
    run self;
    begin(&self);
    for (uint32_t number = 0; number < 10; number++) {
        step(&self, number);
    }
    if (through_image) {
        change_shards(&self);
    }
    pull_all(&self);
    for (uint32_t number = 10; number < 14; number++) {
        step(&self, number);
    }
    for (uint32_t block = 0; block < BLOCKS; block++) {
        engine_weights(shard_of(&self, block), block, out->weights + block * BLOCK, block_length(block));
    }
    out->stats = engine_stats(&shards[0]);
    out->trace = self;
    close_shards(&self);
}

static void expect_to_go_on(void)
{
    static result straight;
    static result restored;
    play(false, &straight);
    play(true, &restored);
    ck_assert_mem_eq(straight.weights, restored.weights, sizeof(straight.weights));
    ck_assert_mem_eq(straight.trace.weights, restored.trace.weights, sizeof(straight.trace.weights));
    ck_assert_uint_eq(straight.stats.updates, 14);
    ck_assert_uint_eq(restored.stats.updates, 14);
    ck_assert_uint_eq(restored.stats.samples, 14 * 8);
    ck_assert_uint_eq(straight.trace.ticket_count, 16);
    ck_assert_mem_eq(straight.trace.tickets, restored.trace.tickets, 16 * sizeof(uint64_t));
    ck_assert_uint_eq(restored.stats.pushes_applied, 4 * 2); /* counters of this life; blocks 0 and 1 */
}

START_TEST(test_run_goes_on_from_an_image)
{
    for (rich_rule = 0; rich_rule < RULES; rich_rule++) {
        expect_to_go_on();
    }
}
END_TEST

/* Who may never come back is not looked ahead to; and a state that the image lacks begins anew, with its count. */
START_TEST(test_worker_beyond_those_expected_and_missing_states)
{
    run self;
    dcps_shard_image image;
    rich_rule = 1;
    begin(&self);
    for (uint32_t number = 0; number < 5; number++) {
        step(&self, number);
    }
    ck_assert_int_eq(dcps_shard_export(shards[0].shard, &image), DCPS_OK);
    ck_assert_uint_eq(image.blocks[0].worker_states_count, WORKERS);
    ck_assert_uint_eq(image.blocks[0].state_updates[0], 5);
    dcps_buffer_unref(&image.blocks[0].states[0]); /* gap-aware's average */
    dcps_shard_config config = rich_config();
    config.workers = 1;
    engine_open(&shards[1], &config, N, BLOCK, 1);
    ck_assert_int_eq(dcps_shard_import(shards[1].shard, &image), DCPS_OK);
    dcps_shard_image again;
    ck_assert_int_eq(dcps_shard_export(shards[1].shard, &again), DCPS_OK);
    ck_assert_uint_eq(again.blocks[0].state_updates[0], 0);
    ck_assert_uint_eq(again.blocks[1].state_updates[0], 5);
    ck_assert_uint_eq(again.blocks[0].state_updates[1], 5);
    for (uint32_t i = 0; i < BLOCK; i++) { /* the sum is now the velocity of worker 0 alone */
        const float *sum = again.blocks[0].states[1]->data;
        const float *velocity = again.blocks[0].worker_states[0].values[1]->data;
        ck_assert_double_eq_tol((double)sum[i], (double)velocity[i], 1e-5);
        ck_assert_double_eq((double)((const float *)again.blocks[0].worker_states[1].values[1]->data)[i], 0.0);
    }
    dcps_shard_image_fini(&again);
    dcps_shard_image_fini(&image);
    close_shards(&self);
    engine_close(&shards[1]);
}
END_TEST

START_TEST(test_training_time_goes_on)
{
    run self;
    begin(&self);
    step(&self, 0);
    uint64_t before_ns = engine_stats(&shards[0]).training_ns;
    ck_assert_uint_gt(before_ns, 0);
    change_shards(&self);
    ck_assert_uint_eq(engine_stats(&shards[0]).training_ns, before_ns);
    pull_all(&self);
    step(&self, 1);
    ck_assert_uint_eq(engine_stats(&shards[0]).training_ns, before_ns + DCPS_NS_PER_MS);
    close_shards(&self);
}
END_TEST

START_TEST(test_contents)
{
    run self;
    begin(&self);
    for (uint32_t number = 0; number < 4; number++) { /* steps of worker 0: 0 and 2 */
        step(&self, number);
    }
    shards[0].incarnation[7] = 5;
    engine_join(&shards[0], 7);
    engine_pull(&shards[0], 7, 1);
    engine_expect(&shards[0], 7, DCPS_MESSAGE_WEIGHTS);
    dcps_shard_image image;
    ck_assert_int_eq(dcps_shard_export(shards[0].shard, &image), DCPS_OK);
    step(&self, 4); /* must not show in the image */
    ck_assert_uint_eq(image.block_count, BLOCKS);
    for (uint32_t block = 0; block < BLOCKS; block++) {
        const dcps_image_block *kept = &image.blocks[block];
        ck_assert_uint_eq(kept->block, block);
        ck_assert_uint_eq(kept->version, 4);
        ck_assert_uint_eq(kept->samples, 32);
        ck_assert_mem_eq(kept->weights->data, self.weights[1] + block * BLOCK, block_length(block) * sizeof(float));
        for (uint32_t k = 0; k < 2; k++) {
            ck_assert_uint_eq(kept->states[k]->bytes, block_length(block) * sizeof(float));
        }
        ck_assert_uint_eq(kept->seq_count, block == 1 ? 3 : 2);
        for (uint32_t worker = 0; worker < WORKERS; worker++) {
            ck_assert_uint_eq(kept->seqs[worker].worker, worker);
            ck_assert_uint_eq(kept->seqs[worker].incarnation, 1);
            ck_assert_uint_eq(kept->seqs[worker].seq,
                              worker == 0 ? 4 : 3); /* pull, init and two pushes; pull and two */
        }
    }
    ck_assert_uint_eq(image.blocks[1].seqs[2].worker, 7);
    ck_assert_uint_eq(image.blocks[1].seqs[2].incarnation, 5);
    ck_assert_uint_eq(image.blocks[1].seqs[2].seq, 1);
    ck_assert(image.has_tickets);
    ck_assert_uint_eq(image.ticket_next, 6);
    ck_assert_uint_eq(image.ticket_open_count, 2);
    ck_assert_uint_eq(image.ticket_open[0], 4);
    ck_assert_uint_eq(image.ticket_open[1], 5);
    dcps_shard_image_fini(&image);
    ck_assert_uint_eq(image.block_count, 0);
    dcps_shard_image_fini(&image); /* an empty one too */
    close_shards(&self);
}
END_TEST

static void open_plain(engine *self, const char *preset)
{
    dcps_shard_config config = engine_config(preset);
    config.algorithm.ssp_bound = 0;
    engine_open(self, &config, BLOCK * 2, BLOCK, 1);
}

/* Moves what shards[0] is to shards[1], whose workers know what those of shards[0] knew. */
static void restore_plain(const char *preset)
{
    dcps_shard_image image;
    open_plain(&shards[1], preset);
    ck_assert_int_eq(dcps_shard_export(shards[0].shard, &image), DCPS_OK);
    ck_assert_msg(dcps_shard_import(shards[1].shard, &image) == DCPS_OK, "%s", dcps_error_message());
    dcps_shard_image_fini(&image);
    memcpy(shards[1].clients, shards[0].clients, sizeof(shards[0].clients));
    engine_close(&shards[0]);
    for (uint32_t worker = 0; worker < WORKERS; worker++) {
        engine_join(&shards[1], worker);
    }
}

/* A push that waits for its round is not applied, so it is not in the image, and its number is new afterwards. */
START_TEST(test_waiting_push_is_not_kept)
{
    open_plain(&shards[0], "ssgd");
    engine_begin(&shards[0], WORKERS, 0, zero);
    engine_push(&shards[0], 0, 0, zero);
    restore_plain("ssgd");
    engine_query(&shards[1], 0, 0);
    engine_expect(&shards[1], 0, DCPS_MESSAGE_RESEND);
    engine_query(&shards[1], 1, 0); /* its last request, a pull, was answered */
    engine_expect_quiet(&shards[1]);
    engine_pull(&shards[1], 0, 0);
    (void)engine_expect_weights(&shards[1], 0, zero, BLOCK);
    (void)engine_expect_weights(&shards[1], 1, zero, BLOCK);
    engine_expect_quiet(&shards[1]);
    engine_close(&shards[1]);
}
END_TEST

/* A push that is applied but not answered yet is in the image, and is not applied again. */
START_TEST(test_held_push_is_kept)
{
    float ones[BLOCK];
    float expected[BLOCK];
    for (uint32_t i = 0; i < BLOCK; i++) {
        ones[i] = 1.0F;
        expected[i] = -0.5F;
    }
    open_plain(&shards[0], "ssp");
    engine_begin(&shards[0], WORKERS, 0, zero);
    engine_push(&shards[0], 0, 0, ones);
    engine_expect_quiet(&shards[0]);
    restore_plain("ssp");
    engine_request(&shards[1], 0, DCPS_MESSAGE_PUSH_PULL, 0, shards[1].clients[0][0].seq, 1, 8, ones, BLOCK);
    engine_pull(&shards[1], 1, 0);
    (void)engine_expect_weights(&shards[1], 0, expected, BLOCK);
    (void)engine_expect_weights(&shards[1], 1, expected, BLOCK);
    ck_assert_uint_eq(engine_stats(&shards[1]).pushes_applied, 0);
    ck_assert_uint_eq(engine_stats(&shards[1]).samples, 8);
    engine_close(&shards[1]);
}
END_TEST

/* A block without values is not in the image and asks for them afterwards. */
START_TEST(test_block_without_values)
{
    open_plain(&shards[0], "asgd");
    engine_begin(&shards[0], 1, 1, zero);
    dcps_shard_image image;
    ck_assert_int_eq(dcps_shard_export(shards[0].shard, &image), DCPS_OK);
    ck_assert_uint_eq(image.block_count, 1);
    ck_assert_uint_eq(image.blocks[0].block, 1);
    dcps_shard_image_fini(&image);
    restore_plain("asgd");
    engine_pull(&shards[1], 0, 0);
    engine_expect(&shards[1], 0, DCPS_MESSAGE_NEED_INIT);
    engine_pull(&shards[1], 0, 1);
    engine_expect(&shards[1], 0, DCPS_MESSAGE_WEIGHTS);
    engine_close(&shards[1]);
}
END_TEST

/* Marks that an earlier life passed are not passed again; their weights are gone with it, but for the last, for which the restored ones stand. */
START_TEST(test_marks_passed_before)
{
    dcps_shard_config config = engine_config("asgd");
    config.snapshot_every_samples = 8;
    engine_open(&shards[0], &config, BLOCK, BLOCK, 1);
    engine_begin(&shards[0], 1, 0, zero);
    for (uint32_t k = 0; k < 2; k++) {
        engine_push(&shards[0], 0, 0, zero);
        engine_expect(&shards[0], 0, DCPS_MESSAGE_WEIGHTS);
    }
    dcps_shard_image image;
    ck_assert_int_eq(dcps_shard_export(shards[0].shard, &image), DCPS_OK);
    engine_open(&shards[1], &config, BLOCK, BLOCK, 1);
    ck_assert_int_eq(dcps_shard_import(shards[1].shard, &image), DCPS_OK);
    dcps_shard_image_fini(&image);
    for (uint32_t index = 0; index < 3; index++) {
        engine_snapshot(&shards[1], 500, 0, index, false);
    }
    ck_assert(!engine_take(&shards[1], 500, DCPS_MESSAGE_SNAPSHOT_REPLY).message.body.snapshot_reply.available);
    engine_answer second = engine_take(&shards[1], 500, DCPS_MESSAGE_SNAPSHOT_REPLY);
    ck_assert(second.message.body.snapshot_reply.available);
    ck_assert_uint_eq(second.message.body.snapshot_reply.samples, 16);
    engine_drop(&second);
    engine_expect_quiet(&shards[1]);
    engine_join(&shards[1], 0);
    engine_pull(&shards[1], 0, 0); /* numbers of the first life: 1 is a stale one */
    shards[1].clients[0][0].seq = 10;
    engine_pull(&shards[1], 0, 0);
    engine_expect(&shards[1], 0, DCPS_MESSAGE_WEIGHTS);
    engine_push(&shards[1], 0, 0, zero);
    engine_expect(&shards[1], 0, DCPS_MESSAGE_WEIGHTS);
    engine_answer third = engine_take(&shards[1], 500, DCPS_MESSAGE_SNAPSHOT_REPLY);
    ck_assert(third.message.body.snapshot_reply.available);
    ck_assert_uint_eq(third.message.body.snapshot_reply.samples, 24);
    engine_drop(&third);
    engine_close(&shards[0]);
    engine_close(&shards[1]);
}
END_TEST

/* A block that missed some of the last gradients has not come to the last mark, and never will: nobody is left to say so again. */
static void evaluate_after(void (*leave)(engine *self, uint32_t worker), bool answered)
{
    dcps_shard_config config = engine_config("asgd");
    dcps_shard_image image;
    config.snapshot_every_samples = 48;
    config.epochs = 3;
    engine_open(&shards[0], &config, BLOCK, BLOCK, 1);
    engine_begin(&shards[0], 1, 0, zero);
    for (uint32_t k = 0; k < 17; k++) { /* of 18 */
        engine_push(&shards[0], 0, 0, zero);
        engine_expect(&shards[0], 0, DCPS_MESSAGE_WEIGHTS);
    }
    dcps_shard_drain(shards[0].shard, shards[0].now_ns);
    leave(&shards[0], 0);
    ck_assert_int_eq(dcps_shard_export(shards[0].shard, &image), DCPS_OK);
    engine_open(&shards[1], &config, BLOCK, BLOCK, 1);
    ck_assert_int_eq(dcps_shard_import(shards[1].shard, &image), DCPS_OK);
    dcps_shard_image_fini(&image);
    engine_snapshot(&shards[1], 500, 0, 2, false);
    if (answered) {
        engine_answer answer = engine_take(&shards[1], 500, DCPS_MESSAGE_SNAPSHOT_REPLY);
        ck_assert(answer.message.body.snapshot_reply.available);
        ck_assert_uint_eq(answer.message.body.snapshot_reply.samples, 17 * 8);
        engine_drop(&answer);
    }
    engine_expect_quiet(&shards[1]);
    engine_close(&shards[0]);
    engine_close(&shards[1]);
}

START_TEST(test_end_short_of_a_mark)
{
    evaluate_after(engine_finish, true);
    evaluate_after(engine_quit, false);
    evaluate_after(engine_leave, false);
}
END_TEST

START_TEST(test_export_without_memory)
{
    run self;
    begin(&self);
    step(&self, 0);
    dcps_status status = DCPS_NO_MEMORY;
    uint64_t n = 0;
    for (; status != DCPS_OK; n++) {
        dcps_shard_image image;
        memset(&image, 0x5a, sizeof(image));
        dcps_alloc_fail_after(n);
        status = dcps_shard_export(shards[0].shard, &image);
        dcps_alloc_fail_after(UINT64_MAX);
        ck_assert(status == DCPS_OK || (status == DCPS_NO_MEMORY && image.block_count == 0x5a5a5a5a));
        if (status == DCPS_OK) {
            dcps_shard_image_fini(&image);
        }
    }
    ck_assert_uint_gt(n, BLOCKS * 3);
    close_shards(&self);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {test_run_goes_on_from_an_image, test_worker_beyond_those_expected_and_missing_states,
                                  test_training_time_goes_on,     test_contents,
                                  test_waiting_push_is_not_kept,  test_held_push_is_kept,
                                  test_block_without_values,      test_marks_passed_before,
                                  test_end_short_of_a_mark,       test_export_without_memory};
    return CHECK_MAIN("shard image", tests);
}
