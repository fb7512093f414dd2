#include "support/checkpoint_fixture.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"

dcps_layout *fixture_layout(void)
{
    dcps_layout *layout;
    ck_assert_int_eq(dcps_layout_create(&layout), DCPS_OK);
    ck_assert_int_eq(dcps_layout_add(layout, "fc1.weight", DCPS_INIT_HE_NORMAL, 2, (size_t[]){40, 7}, NULL), DCPS_OK);
    ck_assert_int_eq(dcps_layout_add(layout, "fc1.bias", DCPS_INIT_ZERO, 1, (size_t[]){7}, NULL), DCPS_OK);
    ck_assert_int_eq(dcps_layout_add_average(layout, "../scale", DCPS_INIT_ONE, 0.1F, 0, NULL, NULL), DCPS_OK);
    ck_assert_int_eq(dcps_layout_add_uniform(layout, "fc2/weight", 0.1F, 1, (size_t[]){300}, NULL), DCPS_OK);
    ck_assert_uint_eq(dcps_layout_total_params(layout), FIXTURE_TOTAL_PARAMS);
    return layout;
}

dcps_rule *fixture_rule(bool plain)
{
    dcps_rule_config config = {.compensation = DCPS_COMPENSATE_NONE, .optimizer = DCPS_OPTIMIZER_SGD};
    if (!plain) {
        config = (dcps_rule_config){.compensation = DCPS_COMPENSATE_DC_A,
                                    .lambda = 2,
                                    .mean_square_decay = 0.95,
                                    .optimizer = DCPS_OPTIMIZER_MOMENTUM,
                                    .momentum = 0.9};
    }
    dcps_rule *rule;
    ck_assert_int_eq(dcps_rule_create(&config, &rule), DCPS_OK);
    ck_assert_uint_eq(dcps_rule_state_count(rule), plain ? 0 : 2);
    return rule;
}

float fixture_value(uint32_t array, uint32_t position)
{
    /* Tensors lie at 0, 288, 304 and 320: each starts at a multiple of 16. */
    bool inside =
        position < 280 || (position >= 288 && position < 295) || position == 304 || (position >= 320 && position < 620);
    return inside ? (float)array * 1000.0f + (float)position + 0.25f : 0.0f;
}

static uint32_t block_length(uint32_t block)
{
    return block == FIXTURE_BLOCKS - 1 ? FIXTURE_TOTAL_PARAMS - block * FIXTURE_BLOCK_PARAMS : FIXTURE_BLOCK_PARAMS;
}

static uint64_t seq_of(uint32_t block, uint32_t worker)
{
    return block == 5 ? UINT64_MAX - worker : block * 10u + worker;
}

static void make_block(uint32_t block, dcps_image_block *made)
{
    float values[FIXTURE_BLOCK_PARAMS];
    *made = (dcps_image_block){.block = block, .version = 1000u + block, .samples = 16000u + block, .seq_count = 2};
    made->seqs = dcps_alloc(2, sizeof(*made->seqs));
    ck_assert_ptr_nonnull(made->seqs);
    made->seqs[0] = (dcps_image_seq){.worker = 0, .incarnation = 2, .seq = seq_of(block, 0)};
    made->seqs[1] = (dcps_image_seq){.worker = 3, .incarnation = 5, .seq = seq_of(block, 3)};
    for (uint32_t array = 0; array < 3; array++) {
        for (uint32_t i = 0; i < block_length(block); i++) {
            values[i] = fixture_value(array, block * FIXTURE_BLOCK_PARAMS + i);
        }
        dcps_buffer **buffer = array == 0 ? &made->weights : &made->states[array - 1];
        ck_assert_int_eq(dcps_buffer_copy(values, block_length(block) * sizeof(float), buffer), DCPS_OK);
    }
}

static void make_shard(const dcps_partition *partition, uint32_t shard, dcps_shard_image *image)
{
    uint32_t first = dcps_partition_first_block(partition, shard);
    uint32_t end = dcps_partition_first_block(partition, shard + 1);
    *image = (dcps_shard_image){.training_ns = 5000 + shard, .done = true};
    image->blocks = dcps_alloc(end - first + 1, sizeof(*image->blocks));
    ck_assert_ptr_nonnull(image->blocks);
    for (uint32_t block = first; block < end; block++) {
        make_block(block, &image->blocks[image->block_count++]);
    }
    if (first == 0 && end > 0) {
        image->has_tickets = true;
        image->ticket_next = 77;
        image->ticket_open_count = 2;
        image->ticket_open = dcps_alloc(2, sizeof(*image->ticket_open));
        ck_assert_ptr_nonnull(image->ticket_open);
        image->ticket_open[0] = 5;
        image->ticket_open[1] = 70;
    }
}

void fixture_make(uint32_t index, uint32_t count, uint32_t shards, uint64_t generation, dcps_checkpoint *checkpoint)
{
    dcps_shard_image images[DCPS_MAX_SHARDS];
    dcps_partition partition;
    ck_assert_int_eq(dcps_partition_init(&partition, FIXTURE_TOTAL_PARAMS, FIXTURE_BLOCK_PARAMS, count, shards),
                     DCPS_OK);
    ck_assert_uint_eq(partition.block_count, FIXTURE_BLOCKS);
    *checkpoint = (dcps_checkpoint){.generation = generation,
                                    .server_index = index,
                                    .server_count = count,
                                    .algorithm = "dc-asgd-a",
                                    .settings = "learning rate 0.5",
                                    .seed = FIXTURE_SEED,
                                    .batch_size = FIXTURE_BATCH,
                                    .epochs = FIXTURE_EPOCHS};
    dcps_rule *rule = fixture_rule(false);
    dcps_checkpoint_set_states(checkpoint, rule);
    dcps_rule_destroy(&rule);
    dcps_control_image *control = &checkpoint->control;
    *control = (dcps_control_image){.layout = fixture_layout(),
                                    .samples_per_epoch = 12345,
                                    .block_params = FIXTURE_BLOCK_PARAMS,
                                    .run = FIXTURE_RUN + index,
                                    .worker_count = 2,
                                    .workers = dcps_alloc(2, sizeof(*control->workers))};
    ck_assert_ptr_nonnull(control->workers);
    control->workers[0] = (dcps_image_worker){.worker = 0, .incarnation = 2, .nonce = UINT64_C(0xfedcba9876543210)};
    control->workers[1] = (dcps_image_worker){.worker = 3, .incarnation = 5, .nonce = 42};
    for (uint32_t i = 0; i < shards; i++) {
        make_shard(&partition, index * shards + i, &images[i]);
    }
    ck_assert_int_eq(dcps_checkpoint_take_shards(checkpoint, images, shards), DCPS_OK);
}

void fixture_write(const char *dir, uint32_t count, uint32_t shards, uint64_t generation)
{
    for (uint32_t index = 0; index < count; index++) {
        dcps_checkpoint checkpoint;
        char path[PATH_MAX];
        char expected[PATH_MAX];
        fixture_make(index, count, shards, generation, &checkpoint);
        dcps_status status = dcps_checkpoint_write(&checkpoint, dir, path);
        ck_assert_msg(status == DCPS_OK, "%s", dcps_error_message());
        ck_assert_int_lt(snprintf(expected, sizeof(expected), "%s/dcps-%u-of-%u.safetensors", dir, index, count),
                         PATH_MAX);
        ck_assert_str_eq(path, expected);
        dcps_checkpoint_fini(&checkpoint);
    }
}

dcps_status fixture_load(const char *dir, uint32_t index, uint32_t count, uint32_t shards, bool plain,
                         dcps_checkpoint *checkpoint)
{
    dcps_rule *rule = fixture_rule(plain);
    dcps_checkpoint_target target = {
        .server_index = index, .server_count = count, .shards_per_server = shards, .rule = rule};
    dcps_status status = dcps_checkpoint_load(dir, &target, checkpoint);
    dcps_rule_destroy(&rule);
    return status;
}

static void check_block(const dcps_image_block *block, uint32_t index, uint32_t state_count)
{
    ck_assert_uint_eq(block->block, index);
    ck_assert_uint_eq(block->version, 1000u + index);
    ck_assert_uint_eq(block->samples, 16000u + index);
    ck_assert_uint_eq(block->seq_count, 2);
    ck_assert_uint_eq(block->seqs[0].seq, seq_of(index, 0));
    ck_assert_uint_eq(block->seqs[1].worker, 3);
    ck_assert_uint_eq(block->seqs[1].incarnation, 5);
    ck_assert_uint_eq(block->seqs[1].seq, seq_of(index, 3));
    for (uint32_t array = 0; array <= state_count; array++) {
        const dcps_buffer *buffer = array == 0 ? block->weights : block->states[array - 1];
        ck_assert_ptr_nonnull(buffer);
        ck_assert_uint_eq(buffer->bytes, block_length(index) * sizeof(float));
        for (uint32_t i = 0; i < block_length(index); i++) {
            float expected = fixture_value(array, index * FIXTURE_BLOCK_PARAMS + i);
            float seen = ((const float *)buffer->data)[i];
            ck_assert_msg(memcmp(&seen, &expected, sizeof(seen)) == 0,
                          "array %u, block %u, parameter %u: %g, expected %g", array, index, i, (double)seen,
                          (double)expected);
        }
    }
}

static void check_control(const dcps_control_image *control)
{
    dcps_layout *layout = fixture_layout();
    ck_assert_int_eq(dcps_layout_compare(control->layout, layout), DCPS_OK);
    dcps_layout_destroy(&layout);
    ck_assert_uint_eq(control->samples_per_epoch, 12345);
    ck_assert_uint_eq(control->block_params, FIXTURE_BLOCK_PARAMS);
    ck_assert_uint_eq(control->worker_count, 2);
    ck_assert_uint_eq(control->workers[0].nonce, UINT64_C(0xfedcba9876543210));
    ck_assert_uint_eq(control->workers[1].worker, 3);
    ck_assert_uint_eq(control->workers[1].incarnation, 5);
    ck_assert_uint_eq(control->workers[1].nonce, 42);
}

void fixture_check(const dcps_checkpoint *checkpoint, uint32_t index, uint32_t count, uint32_t shards)
{
    dcps_partition partition;
    ck_assert_int_eq(dcps_partition_init(&partition, FIXTURE_TOTAL_PARAMS, FIXTURE_BLOCK_PARAMS, count, shards),
                     DCPS_OK);
    uint32_t first = dcps_partition_first_block(&partition, index * shards);
    uint32_t end = dcps_partition_first_block(&partition, (index + 1) * shards);
    check_control(&checkpoint->control);
    ck_assert_uint_eq(checkpoint->seed, FIXTURE_SEED);
    ck_assert_uint_eq(checkpoint->batch_size, FIXTURE_BATCH);
    ck_assert_uint_eq(checkpoint->epochs, FIXTURE_EPOCHS);
    ck_assert_str_eq(checkpoint->algorithm, "dc-asgd-a");
    ck_assert_str_eq(checkpoint->settings, "learning rate 0.5");
    ck_assert_uint_eq(checkpoint->shard.block_count, end - first);
    ck_assert(checkpoint->shard.done);
    for (uint32_t i = 0; i < end - first; i++) {
        check_block(&checkpoint->shard.blocks[i], first + i, checkpoint->state_count);
    }
    if (first == 0) {
        ck_assert(checkpoint->shard.has_tickets);
        ck_assert_uint_eq(checkpoint->shard.ticket_next, 77);
        ck_assert_uint_eq(checkpoint->shard.ticket_open_count, 2);
        ck_assert_uint_eq(checkpoint->shard.ticket_open[0], 5);
        ck_assert_uint_eq(checkpoint->shard.ticket_open[1], 70);
    }
}
