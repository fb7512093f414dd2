/* What rules keep beside the weights, through files and onto other numbers of servers: of blocks, of workers, and how many updates each has seen. */
#include <check.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "server/checkpoint_parts.h"
#include "support/check_main.h"
#include "support/checkpoint_fixture.h"
#include "support/temp_folder.h"

static temp_folder folder;

static const dcps_rule_config dana = {.compensation = DCPS_COMPENSATE_DC_A,
                                      .lambda = 2,
                                      .mean_square_decay = 0.95,
                                      .optimizer = DCPS_OPTIMIZER_DANA,
                                      .momentum = 0.9};

static dcps_rule *make_rule(const dcps_rule_config *config)
{
    dcps_rule *rule;
    ck_assert_int_eq(dcps_rule_create(config, &rule), DCPS_OK);
    return rule;
}

/* Outside of tensors parameters are zero, as in all arrays. */
static float worker_value(uint32_t worker, uint32_t position)
{
    float value = fixture_value(1, position);
    return value == 0.0F ? 0.0F : value + 100000.0F * (float)(worker + 1u);
}

/* Worker 0 has pushed to every block, worker 7 to those from 6 on only. */
static void add_workers(dcps_image_block *block)
{
    static const uint32_t workers[] = {0, 7};
    float values[FIXTURE_BLOCK_PARAMS];
    block->state_updates[0] = block->version;
    block->state_updates[1] = block->version - 3u;
    block->worker_states = dcps_alloc(2, sizeof(*block->worker_states));
    ck_assert_ptr_nonnull(block->worker_states);
    for (uint32_t k = 0; k < (block->block >= 6 ? 2u : 1u); k++) {
        dcps_image_worker_states *entry = &block->worker_states[block->worker_states_count++];
        entry->worker = workers[k];
        size_t bytes = block->weights->bytes;
        for (uint32_t i = 0; i < bytes / sizeof(float); i++) {
            values[i] = worker_value(workers[k], block->block * FIXTURE_BLOCK_PARAMS + i);
        }
        ck_assert_int_eq(dcps_buffer_copy(values, bytes, &entry->values[0]), DCPS_OK);
    }
}

static void make(uint32_t index, uint32_t count, uint32_t shards, dcps_checkpoint *checkpoint)
{
    dcps_rule *rule = make_rule(&dana);
    fixture_make(index, count, shards, 100, checkpoint);
    dcps_checkpoint_set_states(checkpoint, rule);
    dcps_rule_destroy(&rule);
    for (uint32_t i = 0; i < checkpoint->shard.block_count; i++) {
        add_workers(&checkpoint->shard.blocks[i]);
    }
    dcps_free(checkpoint->state_workers);
    ck_assert_int_eq(dcps_checkpoint_note_workers(checkpoint), DCPS_OK);
}

static void write_files(uint32_t count, uint32_t shards)
{
    for (uint32_t index = 0; index < count; index++) {
        dcps_checkpoint checkpoint;
        char path[PATH_MAX];
        make(index, count, shards, &checkpoint);
        ck_assert_msg(dcps_checkpoint_write(&checkpoint, folder.path, path) == DCPS_OK, "%s", dcps_error_message());
        dcps_checkpoint_fini(&checkpoint);
    }
}

static void load(const dcps_rule_config *config, uint32_t index, uint32_t count, uint32_t shards,
                 dcps_checkpoint *loaded)
{
    dcps_rule *rule = make_rule(config);
    dcps_checkpoint_target target = {
        .server_index = index, .server_count = count, .shards_per_server = shards, .rule = rule};
    ck_assert_msg(dcps_checkpoint_load(folder.path, &target, loaded) == DCPS_OK, "%s", dcps_error_message());
    dcps_rule_destroy(&rule);
}

/* Zeros where a worker has nothing but its file knows it; nothing where not even that. */
static void check_worker(const dcps_image_block *block, uint32_t worker, bool pushed)
{
    const dcps_image_worker_states *entry = NULL;
    for (uint32_t i = 0; i < block->worker_states_count; i++) {
        entry = block->worker_states[i].worker == worker ? &block->worker_states[i] : entry;
    }
    ck_assert(entry != NULL || !pushed);
    if (entry == NULL || entry->values[0] == NULL) {
        ck_assert(!pushed);
        return;
    }
    const float *values = entry->values[0]->data;
    for (uint32_t i = 0; i < entry->values[0]->bytes / sizeof(float); i++) {
        float expected = pushed ? worker_value(worker, block->block * FIXTURE_BLOCK_PARAMS + i) : 0.0F;
        ck_assert_msg(values[i] == expected, "worker %u, block %u, parameter %u: %g, expected %g", worker, block->block,
                      i, (double)values[i], (double)expected);
    }
}

static void check_all(uint32_t count, uint32_t shards)
{
    for (uint32_t index = 0; index < count; index++) {
        dcps_checkpoint loaded;
        load(&dana, index, count, shards, &loaded);
        ck_assert_str_eq(loaded.state_names[1], "momentum_sum");
        ck_assert_str_eq(loaded.worker_state_names[0], "worker_momentum");
        ck_assert_uint_eq(loaded.state_worker_count, 2);
        fixture_check(&loaded, index, count, shards);
        for (uint32_t i = 0; i < loaded.shard.block_count; i++) {
            const dcps_image_block *block = &loaded.shard.blocks[i];
            ck_assert_uint_eq(block->state_updates[0], block->version);
            ck_assert_uint_eq(block->state_updates[1], block->version - 3u);
            check_worker(block, 0, true);
            check_worker(block, 7, block->block >= 6);
        }
        dcps_checkpoint_fini(&loaded);
    }
}

START_TEST(test_onto_other_numbers_of_servers)
{
    static const uint32_t counts[][2] = {{1, 1}, {1, 3}, {2, 1}, {3, 2}};
    for (uint32_t from = 0; from < 4; from++) {
        temp_folder_create(&folder);
        write_files(counts[from][0], counts[from][1]);
        for (uint32_t to = 0; to < 4; to++) {
            check_all(counts[to][0], counts[to][1]);
        }
        temp_folder_delete(&folder);
    }
}
END_TEST

START_TEST(test_names_in_the_file)
{
    char path[TEMP_PATH_BYTES];
    dcps_safetensors_reader *reader;
    bool found = false;
    temp_folder_create(&folder);
    write_files(1, 1);
    ck_assert_int_eq(dcps_safetensors_reader_open(temp_path(&folder, "dcps-0-of-1.safetensors", path), &reader),
                     DCPS_OK);
    for (uint32_t i = 0; i < dcps_safetensors_reader_count(reader); i++) {
        found = found || strcmp(dcps_safetensors_reader_at(reader, i)->name, "worker_momentum.7/fc2/weight") == 0;
    }
    ck_assert(found);
    dcps_safetensors_reader_close(&reader);
    temp_folder_delete(&folder);
}
END_TEST

/* Another rule takes what it knows; the rest begins at zero, counts included. */
START_TEST(test_another_rule)
{
    const dcps_rule_config other = {.compensation = DCPS_COMPENSATE_GAP_AWARE,
                                    .then = DCPS_COMPENSATE_DC_B,
                                    .lambda = 2,
                                    .mean_square_decay = 0.95,
                                    .correction_bound = 1,
                                    .optimizer = DCPS_OPTIMIZER_MOMENTUM};
    dcps_checkpoint loaded;
    temp_folder_create(&folder);
    write_files(2, 1);
    load(&other, 0, 1, 1, &loaded);
    ck_assert_uint_eq(loaded.state_count, 3);
    ck_assert_str_eq(loaded.state_names[1], "mean_square");
    const dcps_image_block *block = &loaded.shard.blocks[8];
    ck_assert_ptr_null(block->states[0]);
    ck_assert_uint_eq(block->state_updates[0], 0);
    ck_assert_ptr_nonnull(block->states[1]);
    ck_assert_uint_eq(block->state_updates[1], block->version);
    ck_assert_ptr_null(block->states[2]);
    ck_assert_uint_eq(block->worker_states_count, 0);
    dcps_checkpoint_fini(&loaded);
    temp_folder_delete(&folder);
}
END_TEST

static json_t *description(void)
{
    dcps_checkpoint checkpoint;
    char *text;
    make(0, 1, 1, &checkpoint);
    ck_assert_int_eq(dcps_checkpoint_encode(&checkpoint, &text), DCPS_OK);
    dcps_checkpoint_fini(&checkpoint);
    json_t *root = json_loads(text, 0, NULL);
    ck_assert_ptr_nonnull(root);
    dcps_free(text);
    return root;
}

/* Consumes `root`. */
static dcps_status decode(json_t *root, dcps_checkpoint *checkpoint)
{
    char *text = json_dumps(root, JSON_COMPACT);
    ck_assert_ptr_nonnull(text);
    dcps_status status = dcps_checkpoint_decode(text, checkpoint);
    free(text);
    json_decref(root);
    return status;
}

/* One from before workers had states and updates were counted: its states saw every update. */
START_TEST(test_older_description)
{
    dcps_checkpoint checkpoint;
    json_t *root = description();
    ck_assert_int_eq(json_object_del(root, "worker_states"), 0);
    ck_assert_int_eq(json_object_del(root, "state_workers"), 0);
    for (size_t i = 0; i < FIXTURE_BLOCKS; i++) {
        ck_assert_int_eq(json_object_del(json_array_get(json_object_get(root, "blocks"), i), "state_updates"), 0);
    }
    ck_assert_msg(decode(root, &checkpoint) == DCPS_OK, "%s", dcps_error_message());
    ck_assert_uint_eq(checkpoint.worker_state_count, 0);
    ck_assert_uint_eq(checkpoint.state_worker_count, 0);
    ck_assert_uint_eq(checkpoint.shard.blocks[4].state_updates[0], 1004);
    ck_assert_uint_eq(checkpoint.shard.blocks[4].state_updates[1], 1004);
    dcps_checkpoint_fini(&checkpoint);
}
END_TEST

static void refuse(json_t *root, const char *field)
{
    dcps_checkpoint checkpoint;
    ck_assert_int_eq(decode(root, &checkpoint), DCPS_CORRUPT);
    ck_assert_msg(strstr(dcps_error_message(), field) != NULL, "no %s in: %s", field, dcps_error_message());
}

static json_t *with(const char *field, json_t *value)
{
    json_t *root = description();
    ck_assert_int_eq(json_object_set_new(root, field, value), 0);
    return root;
}

static json_t *with_updates(json_t *value)
{
    json_t *root = description();
    ck_assert_int_eq(json_object_set_new(json_array_get(json_object_get(root, "blocks"), 2), "state_updates", value),
                     0);
    return root;
}

START_TEST(test_nonsense_is_refused)
{
    refuse(with("worker_states", json_pack("[s, s, s]", "a", "b", "c")), "worker_states");
    refuse(with("worker_states", json_pack("[i]", 3)), "worker_states");
    refuse(with("state_workers", json_pack("[i, i]", 7, 0)), "state_workers");
    refuse(with("state_workers", json_pack("[i, i]", 0, 0)), "state_workers");
    refuse(with("state_workers", json_pack("[i]", 1024)), "state_workers");
    refuse(with("state_workers", json_null()), "state_workers");
    refuse(with_updates(json_pack("[i]", 3)), "state_updates");
    refuse(with_updates(json_pack("[i, i]", 3, 1003)), "state_updates"); /* the block has seen 1002 */
    refuse(with_updates(json_pack("[i, i]", 3, -1)), "state_updates");
    refuse(with_updates(json_null()), "state_updates");
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {test_onto_other_numbers_of_servers, test_names_in_the_file, test_another_rule,
                                  test_older_description, test_nonsense_is_refused};
    return CHECK_MAIN("checkpoint states", tests);
}
