/* Checkpoints written and read back onto any number of servers and shards. */
#include "server/checkpoint.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "server/safetensors.h"
#include "support/capture.h"
#include "support/check_main.h"
#include "support/checkpoint_fixture.h"
#include "support/temp_folder.h"

static temp_folder folder;

static void load_and_check(uint32_t index, uint32_t count, uint32_t shards, uint64_t generation)
{
    dcps_checkpoint loaded;
    dcps_status status = fixture_load(folder.path, index, count, shards, false, &loaded);
    ck_assert_msg(status == DCPS_OK, "server %u of %u with %u shards: %s", index, count, shards, dcps_error_message());
    ck_assert_uint_eq(loaded.generation, generation);
    fixture_check(&loaded, index, count, shards);
    dcps_checkpoint_fini(&loaded);
}

START_TEST(any_cluster_goes_on_from_any_other)
{
    const uint32_t shapes[][2] = {{1, 1}, {1, 3}, {2, 1}, {2, 2}, {3, 1}, {5, 1}, {12, 1}};
    const size_t count = sizeof(shapes) / sizeof(shapes[0]);
    for (size_t from = 0; from < count; from++) {
        temp_folder_create(&folder);
        fixture_write(folder.path, shapes[from][0], shapes[from][1], 100 + from);
        for (size_t to = 0; to < count; to++) {
            for (uint32_t index = 0; index < shapes[to][0]; index++) {
                load_and_check(index, shapes[to][0], shapes[to][1], 100 + from);
            }
        }
        temp_folder_delete(&folder);
    }
}
END_TEST

static void check_entry(const dcps_safetensors_reader *reader, const char *name, uint32_t dim_count, uint64_t first_dim,
                        uint32_t array, uint32_t position)
{
    for (uint32_t i = 0; i < dcps_safetensors_reader_count(reader); i++) {
        const dcps_safetensors_entry *entry = dcps_safetensors_reader_at(reader, i);
        float value;
        if (strcmp(entry->name, name) == 0) {
            ck_assert_uint_eq(entry->dim_count, dim_count);
            ck_assert(dim_count == 0 || entry->dims[0] == first_dim);
            ck_assert_int_eq(dcps_safetensors_reader_read(reader, entry->first_byte, &value, sizeof(value)), DCPS_OK);
            ck_assert(value == fixture_value(array, position));
            return;
        }
    }
    ck_abort_msg("no \"%s\" in %s", name, dcps_safetensors_reader_path(reader));
}

START_TEST(arrays_have_the_names_that_were_promised)
{
    char path[TEMP_PATH_BYTES];
    dcps_safetensors_reader *reader;
    temp_folder_create(&folder);
    fixture_write(folder.path, 1, 2, 7);
    ck_assert_int_eq(dcps_safetensors_reader_open(temp_path(&folder, "dcps-0-of-1.safetensors", path), &reader),
                     DCPS_OK);
    ck_assert_uint_eq(dcps_safetensors_reader_count(reader), 12);
    check_entry(reader, "fc1.weight", 2, 40, 0, 0);
    check_entry(reader, "../scale", 0, 0, 0, 304);
    check_entry(reader, "fc2/weight", 1, 300, 0, 320);
    check_entry(reader, "momentum/fc1.bias", 1, 7, 2, 288);
    check_entry(reader, "mean_square/fc2/weight", 1, 300, 1, 320);
    ck_assert_str_eq(dcps_safetensors_reader_metadata(reader, "format"), "dcps-checkpoint/1");
    dcps_safetensors_reader_close(&reader);
    /* Server 1 of 3 has blocks 4 to 6: parameters 256 to 447. */
    fixture_write(folder.path, 3, 1, 8);
    ck_assert_int_eq(dcps_safetensors_reader_open(temp_path(&folder, "dcps-1-of-3.safetensors", path), &reader),
                     DCPS_OK);
    check_entry(reader, "fc1.weight[256:280]", 1, 24, 0, 256);
    check_entry(reader, "fc1.bias", 1, 7, 0, 288);
    check_entry(reader, "momentum/fc2/weight[0:128]", 1, 128, 2, 320);
    dcps_safetensors_reader_close(&reader);
    temp_folder_delete(&folder);
}
END_TEST

START_TEST(the_description_is_json_with_every_field)
{
    char path[TEMP_PATH_BYTES];
    dcps_safetensors_reader *reader;
    temp_folder_create(&folder);
    fixture_write(folder.path, 1, 1, 7);
    ck_assert_int_eq(dcps_safetensors_reader_open(temp_path(&folder, "dcps-0-of-1.safetensors", path), &reader),
                     DCPS_OK);
    json_t *root = json_loads(dcps_safetensors_reader_metadata(reader, "dcps"), 0, NULL);
    ck_assert_ptr_nonnull(root);
    ck_assert_str_eq(json_string_value(json_object_get(root, "algorithm")), "dc-asgd-a");
    ck_assert_str_eq(json_string_value(json_object_get(root, "seed")), "18446744073709551615");
    ck_assert_int_eq(json_integer_value(json_object_get(root, "generation")), 7);
    const json_t *worker = json_array_get(json_object_get(root, "workers"), 0);
    ck_assert_str_eq(json_string_value(json_array_get(worker, 2)), "18364758544493064720");
    const json_t *tensor = json_array_get(json_object_get(root, "layout"), 0);
    ck_assert_str_eq(json_string_value(json_object_get(tensor, "name")), "fc1.weight");
    ck_assert_int_eq(json_integer_value(json_array_get(json_object_get(tensor, "dims"), 1)), 7);
    ck_assert_uint_eq(json_array_size(json_object_get(root, "blocks")), FIXTURE_BLOCKS);
    json_decref(root);
    dcps_safetensors_reader_close(&reader);
    temp_folder_delete(&folder);
}
END_TEST

START_TEST(the_newest_complete_set_is_taken)
{
    char path[TEMP_PATH_BYTES];
    temp_folder_create(&folder);
    fixture_write(folder.path, 1, 1, 100);
    fixture_write(folder.path, 2, 1, 200);
    load_and_check(0, 1, 2, 200);
    fixture_write(folder.path, 3, 1, 50);
    load_and_check(0, 1, 2, 200);
    /* A set is as old as its oldest file: one new file beside an old one does not win. */
    dcps_checkpoint newer;
    char written[PATH_MAX];
    fixture_make(0, 3, 1, 900, &newer);
    ck_assert_int_eq(dcps_checkpoint_write(&newer, folder.path, written), DCPS_OK);
    dcps_checkpoint_fini(&newer);
    load_and_check(0, 1, 2, 200);
    /* An incomplete set is passed over while there is a complete one. */
    ck_assert_int_eq(unlink(temp_path(&folder, "dcps-1-of-2.safetensors", path)), 0);
    ck_assert_int_eq(unlink(temp_path(&folder, "dcps-0-of-3.safetensors", path)), 0);
    load_and_check(0, 1, 2, 100);
    temp_folder_delete(&folder);
}
END_TEST

/* Two servers saved (100), one went on with all and saved (200), then two again, of which server 0 alone has saved (300): what it knows is not lost for the old file of the other. */
START_TEST(a_set_is_as_old_as_the_files_that_are_needed)
{
    dcps_checkpoint newer;
    char written[PATH_MAX];
    temp_folder_create(&folder);
    fixture_write(folder.path, 2, 1, 100);
    fixture_write(folder.path, 1, 1, 200);
    fixture_make(0, 2, 1, 300, &newer);
    newer.shard.ticket_next = 88;
    ck_assert_int_eq(dcps_checkpoint_write(&newer, folder.path, written), DCPS_OK);
    dcps_checkpoint_fini(&newer);
    dcps_checkpoint loaded;
    ck_assert_int_eq(fixture_load(folder.path, 0, 2, 1, false, &loaded), DCPS_OK);
    ck_assert_uint_eq(loaded.generation, 300);
    ck_assert_uint_eq(loaded.shard.ticket_next, 88);
    dcps_checkpoint_fini(&loaded);
    load_and_check(1, 2, 1, 200);
    temp_folder_delete(&folder);
}
END_TEST

/* In the same folder one server alone needs both files of the two: what is new in one of them is left behind, and told. */
START_TEST(newer_values_that_are_left_behind_are_told)
{
    char told[2048];
    char written[PATH_MAX];
    capture log;
    dcps_checkpoint newer;
    temp_folder_create(&folder);
    fixture_write(folder.path, 1, 1, 200);
    fixture_make(0, 2, 1, 300, &newer);
    ck_assert_int_eq(dcps_checkpoint_write(&newer, folder.path, written), DCPS_OK);
    dcps_checkpoint_fini(&newer);
    for (int complete = 0; complete < 2; complete++) {
        capture_start(&log, STDERR_FILENO);
        load_and_check(0, 1, 1, 200);
        capture_end(&log, told, sizeof(told));
        ck_assert_msg(strstr(told, written) != NULL && strstr(told, "start 2 servers") != NULL, "told: %s", told);
        fixture_make(1, 2, 1, 100, &newer);
        char older[PATH_MAX];
        ck_assert_int_eq(dcps_checkpoint_write(&newer, folder.path, older), DCPS_OK);
        dcps_checkpoint_fini(&newer);
    }
    capture_start(&log, STDERR_FILENO);
    load_and_check(1, 2, 1, 200); /* nothing newer of these blocks */
    capture_end(&log, told, sizeof(told));
    ck_assert_str_eq(told, "");
    temp_folder_delete(&folder);
}
END_TEST

START_TEST(a_server_needs_only_the_files_of_its_blocks)
{
    char path[TEMP_PATH_BYTES];
    dcps_checkpoint loaded;
    temp_folder_create(&folder);
    fixture_write(folder.path, 2, 1, 100);
    ck_assert_int_eq(unlink(temp_path(&folder, "dcps-0-of-2.safetensors", path)), 0);
    load_and_check(1, 2, 1, 100);
    ck_assert_int_eq(fixture_load(folder.path, 0, 2, 1, false, &loaded), DCPS_CORRUPT);
    ck_assert_ptr_nonnull(strstr(dcps_error_message(), "block 0 of 10"));
    temp_folder_delete(&folder);
}
END_TEST

static void expect_exists(uint32_t index, uint32_t count, bool expected)
{
    ck_assert_msg(dcps_checkpoint_exists(folder.path, index, count) == expected, "server %u of %u", index, count);
}

START_TEST(an_earlier_run_is_seen_whatever_its_shape)
{
    char path[TEMP_PATH_BYTES];
    temp_folder_create(&folder);
    temp_write(&folder, "dcps-0-of-1.safetensors.tmp", "half", 4, false);
    temp_write(&folder, "model.safetensors", "another's", 9, false);
    expect_exists(0, 1, false);
    fixture_write(folder.path, 2, 1, 100);
    ck_assert_int_eq(unlink(temp_path(&folder, "dcps-1-of-2.safetensors", path)), 0);
    expect_exists(0, 2, true);
    expect_exists(1, 2, false); /* its companion began before it */
    expect_exists(0, 1, true);
    expect_exists(2, 3, true);
    temp_write(&folder, "dcps-1-of-2.safetensors", "damaged", 7, false);
    expect_exists(1, 2, true);
    temp_folder_delete(&folder);
}
END_TEST

START_TEST(states_follow_the_rule)
{
    dcps_checkpoint loaded;
    temp_folder_create(&folder);
    fixture_write(folder.path, 1, 1, 100);
    ck_assert_int_eq(fixture_load(folder.path, 0, 1, 1, true, &loaded), DCPS_OK);
    ck_assert_uint_eq(loaded.state_count, 0);
    ck_assert_ptr_null(loaded.shard.blocks[0].states[0]);
    dcps_checkpoint_fini(&loaded);
    /* A file without states, for a rule that keeps two: they start at zero. */
    char path[PATH_MAX];
    dcps_checkpoint plain;
    fixture_make(0, 1, 1, 200, &plain);
    plain.state_count = 0;
    ck_assert_int_eq(dcps_checkpoint_write(&plain, folder.path, path), DCPS_OK);
    dcps_checkpoint_fini(&plain);
    ck_assert_int_eq(fixture_load(folder.path, 0, 1, 1, false, &loaded), DCPS_OK);
    ck_assert_uint_eq(loaded.state_count, 2);
    ck_assert_ptr_null(loaded.shard.blocks[0].states[0]);
    ck_assert_ptr_null(loaded.shard.blocks[9].states[1]);
    dcps_checkpoint_fini(&loaded);
    temp_folder_delete(&folder);
}
END_TEST

START_TEST(an_empty_or_missing_folder_is_told_apart_from_damage)
{
    dcps_checkpoint loaded;
    temp_folder_create(&folder);
    ck_assert_int_eq(fixture_load(folder.path, 0, 1, 1, false, &loaded), DCPS_NOT_FOUND);
    ck_assert_ptr_nonnull(strstr(dcps_error_message(), folder.path));
    temp_write(&folder, "dcps-0-of-1.safetensors.tmp", "half", 4, false);
    temp_write(&folder, "dcps-1-of-1.safetensors", "index beyond count", 18, false);
    temp_write(&folder, "dcps-0-of-99.safetensors", "too many servers", 16, false);
    ck_assert_int_eq(fixture_load(folder.path, 0, 1, 1, false, &loaded), DCPS_NOT_FOUND);
    ck_assert_int_eq(fixture_load("/nowhere/at/all", 0, 1, 1, false, &loaded), DCPS_NOT_FOUND);
    ck_assert_ptr_nonnull(strstr(dcps_error_message(), "/nowhere/at/all"));
    temp_folder_delete(&folder);
}
END_TEST

START_TEST(an_older_checkpoint_survives_a_failing_one)
{
    char path[PATH_MAX];
    char tensor[TEMP_PATH_BYTES];
    dcps_checkpoint clash;
    temp_folder_create(&folder);
    fixture_write(folder.path, 1, 1, 100);
    fixture_make(0, 1, 1, 200, &clash);
    ck_assert_int_eq(dcps_layout_add(clash.control.layout, "momentum/fc1.bias", DCPS_INIT_ZERO, 1, (size_t[]){3}, NULL),
                     DCPS_OK);
    ck_assert_int_eq(dcps_checkpoint_write(&clash, folder.path, path), DCPS_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(dcps_error_message(), "momentum/fc1.bias"));
    dcps_checkpoint_fini(&clash);
    load_and_check(0, 1, 1, 100);
    ck_assert_int_eq(access(temp_path(&folder, "dcps-0-of-1.safetensors.tmp", tensor), F_OK), -1);
    fixture_make(0, 1, 1, 300, &clash);
    ck_assert_int_eq(dcps_checkpoint_write(&clash, "/nowhere/at/all", path), DCPS_IO);
    ck_assert_ptr_nonnull(strstr(dcps_error_message(), "/nowhere/at/all"));
    dcps_checkpoint_fini(&clash);
    temp_folder_delete(&folder);
}
END_TEST

START_TEST(lack_of_memory_at_any_point_is_survived)
{
    temp_folder_create(&folder);
    fixture_write(folder.path, 2, 1, 100);
    dcps_rule *rule = fixture_rule(false);
    dcps_checkpoint_target target = {.server_index = 0, .server_count = 1, .shards_per_server = 1, .rule = rule};
    dcps_status status = DCPS_NO_MEMORY;
    uint64_t failures = 0;
    for (; failures < 10000 && status == DCPS_NO_MEMORY; failures++) {
        dcps_checkpoint loaded = {.seed = 5};
        dcps_alloc_fail_after(failures);
        status = dcps_checkpoint_load(folder.path, &target, &loaded);
        dcps_alloc_fail_after(UINT64_MAX);
        if (status == DCPS_OK) {
            fixture_check(&loaded, 0, 1, 1);
            dcps_checkpoint_fini(&loaded);
        } else {
            ck_assert_uint_eq(loaded.seed, 5);
        }
    }
    ck_assert_int_eq(status, DCPS_OK);
    ck_assert_uint_gt(failures, 50);
    dcps_rule_destroy(&rule);
    temp_folder_delete(&folder);
}
END_TEST

/* The token by which workers know that a server has its parameters still. */
START_TEST(a_run_is_done_where_all_servers_say_so)
{
    for (uint32_t undone = 0; undone < 2; undone++) {
        temp_folder_create(&folder);
        for (uint32_t index = 0; index < 2; index++) {
            dcps_checkpoint made;
            char path[PATH_MAX];
            fixture_make(index, 2, 1, 7, &made);
            made.shard.done = index != undone;
            ck_assert_int_eq(dcps_checkpoint_write(&made, folder.path, path), DCPS_OK);
            dcps_checkpoint_fini(&made);
        }
        dcps_checkpoint loaded;
        ck_assert_int_eq(fixture_load(folder.path, 0, 1, 1, false, &loaded), DCPS_OK);
        ck_assert(!loaded.shard.done);
        dcps_checkpoint_fini(&loaded);
        temp_folder_delete(&folder);
    }
}
END_TEST

START_TEST(each_server_keeps_its_run)
{
    temp_folder_create(&folder);
    fixture_write(folder.path, 2, 1, 7);
    for (uint32_t index = 0; index < 2; index++) {
        dcps_checkpoint loaded;
        ck_assert_int_eq(fixture_load(folder.path, index, 2, 3, false, &loaded), DCPS_OK);
        ck_assert_uint_eq(loaded.control.run, FIXTURE_RUN + index);
        dcps_checkpoint_fini(&loaded);
    }
    temp_folder_delete(&folder);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {any_cluster_goes_on_from_any_other,
                                  a_run_is_done_where_all_servers_say_so,
                                  each_server_keeps_its_run,
                                  arrays_have_the_names_that_were_promised,
                                  the_description_is_json_with_every_field,
                                  the_newest_complete_set_is_taken,
                                  a_set_is_as_old_as_the_files_that_are_needed,
                                  newer_values_that_are_left_behind_are_told,
                                  a_server_needs_only_the_files_of_its_blocks,
                                  an_earlier_run_is_seen_whatever_its_shape,
                                  states_follow_the_rule,
                                  an_empty_or_missing_folder_is_told_apart_from_damage,
                                  an_older_checkpoint_survives_a_failing_one,
                                  lack_of_memory_at_any_point_is_survived};
    return CHECK_MAIN("checkpoints", tests);
}
