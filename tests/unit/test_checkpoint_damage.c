/* Checkpoint files that were cut, flipped, swapped or made up: an error that names the file, or a sound checkpoint, and nothing else. */
#include "server/checkpoint.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "base/rng.h"
#include "server/safetensors.h"
#include "support/check_main.h"
#include "support/checkpoint_fixture.h"
#include "support/temp_folder.h"

#define FILE_NAME "dcps-0-of-1.safetensors"
#define MAX_FILE_BYTES 65536

static temp_folder folder;
static unsigned char good[MAX_FILE_BYTES];
static size_t good_bytes;

/* The files of `servers` servers, and the content of one of them in `good`. */
static void begin_with(uint32_t servers, const char *name)
{
    char path[TEMP_PATH_BYTES];
    temp_folder_create(&folder);
    fixture_write(folder.path, servers, 1, 100);
    FILE *file = fopen(temp_path(&folder, name, path), "rb");
    ck_assert_ptr_nonnull(file);
    good_bytes = fread(good, 1, sizeof(good), file);
    fclose(file);
}

static void begin(void)
{
    begin_with(1, FILE_NAME);
    ck_assert_uint_gt(good_bytes, 3u * 4u * 588u); /* three arrays of 588 values */
    ck_assert_uint_lt(good_bytes, sizeof(good));
}

/* Loads what lies in the folder; true if it was accepted. */
static bool attempt(void)
{
    dcps_checkpoint loaded;
    if (fixture_load(folder.path, 0, 1, 2, false, &loaded) != DCPS_OK) {
        ck_assert_msg(strstr(dcps_error_message(), folder.path) != NULL, "the place is not named: %s",
                      dcps_error_message());
        return false;
    }
    ck_assert_ptr_nonnull(loaded.control.layout);
    for (uint32_t i = 0; i < loaded.shard.block_count; i++) {
        ck_assert_uint_eq(loaded.shard.blocks[i].block, i);
        ck_assert_ptr_nonnull(loaded.shard.blocks[i].weights);
    }
    dcps_checkpoint_fini(&loaded);
    return true;
}

START_TEST(every_cut_is_refused)
{
    begin();
    for (size_t cut = 0; cut < good_bytes; cut += cut < 400 ? 1 : 37) {
        temp_write(&folder, FILE_NAME, good, cut, false);
        ck_assert(!attempt());
    }
    temp_write(&folder, FILE_NAME, good, good_bytes, false);
    ck_assert(attempt());
    temp_folder_delete(&folder);
}
END_TEST

/* Loads what lies in the folder; true if it was refused, and what was accepted is the whole truth. */
static bool refused_or_same(const char *word)
{
    dcps_checkpoint loaded;
    if (fixture_load(folder.path, 0, 1, 2, false, &loaded) != DCPS_OK) {
        ck_assert_msg(strstr(dcps_error_message(), word) != NULL, "no \"%s\" in: %s", word, dcps_error_message());
        return true;
    }
    ck_assert_uint_eq(loaded.generation, 100);
    fixture_check(&loaded, 0, 1, 2);
    dcps_checkpoint_fini(&loaded);
    return false;
}

static void flip(const char *name, size_t byte, unsigned bit)
{
    static unsigned char damaged[MAX_FILE_BYTES];
    memcpy(damaged, good, good_bytes);
    damaged[byte] ^= (unsigned char)(1u << bit);
    temp_write(&folder, name, damaged, good_bytes, false);
}

/* Every bit of every name, number and sum, and every bit of some of the values. */
static void flip_everywhere(uint32_t servers, const char *name, unsigned bits)
{
    begin_with(servers, name);
    ck_assert(!refused_or_same(""));
    uint64_t data_start;
    memcpy(&data_start, good, sizeof(data_start));
    data_start += sizeof(data_start);
    for (size_t byte = 0; byte < good_bytes; byte += byte < data_start ? 1 : 97) {
        for (unsigned bit = 0; bit < bits; bit++) {
            flip(name, byte, bit);
            bool refused = refused_or_same(byte < data_start ? folder.path : "is damaged");
            ck_assert_msg(refused || byte < data_start, "bit %u of byte %zu of the data was accepted", bit, byte);
        }
    }
    flip(name, good_bytes - 1, 7);
    ck_assert(refused_or_same("is damaged"));
    temp_folder_delete(&folder);
}

START_TEST(no_flipped_bit_changes_what_is_loaded)
{
    flip_everywhere(1, FILE_NAME, 8);
    flip_everywhere(3, "dcps-1-of-3.safetensors", 2); /* where arrays are cut */
}
END_TEST

/* Replaces a part of names in the header by another of the same length; returns how often. */
static uint32_t rename_arrays(const char *name, const char *from, const char *to)
{
    uint32_t found = 0;
    ck_assert_uint_eq(strlen(from), strlen(to));
    for (unsigned char *at = memmem(good, good_bytes, from, strlen(from)); at != NULL;
         at = memmem(good, good_bytes, from, strlen(from))) {
        memcpy(at, to, strlen(to));
        found++;
    }
    temp_write(&folder, name, good, good_bytes, false);
    return found;
}

/* Momentum that is not found under its name must not begin at zero. */
START_TEST(arrays_of_unknown_names_are_refused)
{
    begin();
    ck_assert_uint_eq(rename_arrays(FILE_NAME, "\"momentum/", "\"momentun/"), 4);
    ck_assert(refused_or_same("\"momentun/fc1.weight\" is no array of its run"));
    temp_folder_delete(&folder);
}
END_TEST

/* Server 1 of 3 has parameters 256 to 447: what calls itself another part must not take the place of the right one. */
START_TEST(arrays_of_other_servers_are_refused)
{
    const char *const name = "dcps-1-of-3.safetensors";
    begin_with(3, name);
    ck_assert_uint_eq(rename_arrays(name, "[256:280]", "[128:152]"), 3);
    ck_assert(refused_or_same("\"fc1.weight[128:152]\" does not lie in the blocks of this file"));
    temp_folder_delete(&folder);
}
END_TEST

START_TEST(the_error_names_both_sums)
{
    char words[64];
    begin();
    uint64_t length;
    memcpy(&length, good, sizeof(length));
    json_t *header = json_loadb((const char *)good + sizeof(length), (size_t)length, 0, NULL);
    json_t *metadata = json_object_get(header, "__metadata__");
    const char *text = json_string_value(json_object_get(metadata, "dcps"));
    ck_assert_ptr_nonnull(text);
    flip(FILE_NAME, good_bytes - 1, 0);
    good[good_bytes - 1] ^= 1;
    const unsigned char *data = good + sizeof(length) + length;
    uLong damaged = crc32(crc32(0, (const Bytef *)text, (uInt)strlen(text)), data, (uInt)(good + good_bytes - data));
    snprintf(words, sizeof(words), "sum %08lx, \"crc32\" inside says %s", damaged,
             json_string_value(json_object_get(metadata, "crc32")));
    ck_assert(refused_or_same(words));
    json_decref(header);
    temp_folder_delete(&folder);
}
END_TEST

START_TEST(flipped_bytes_are_survived)
{
    static unsigned char damaged[MAX_FILE_BYTES];
    const uint64_t seed = dcps_random_token();
    printf("seed %llu\n", (unsigned long long)seed);
    dcps_rng rng;
    dcps_rng_seed(&rng, seed);
    begin();
    uint64_t header_bytes;
    memcpy(&header_bytes, good, sizeof(header_bytes));
    for (uint32_t round = 0; round < 3000; round++) {
        memcpy(damaged, good, good_bytes);
        uint64_t flips = 1 + dcps_rng_below(&rng, 3);
        for (uint64_t i = 0; i < flips; i++) {
            damaged[dcps_rng_below(&rng, 8 + header_bytes)] ^= (unsigned char)(1 + dcps_rng_below(&rng, 255));
        }
        temp_write(&folder, FILE_NAME, damaged, good_bytes, false);
        (void)attempt();
    }
    temp_folder_delete(&folder);
}
END_TEST

/* Writes a file whose description was changed by `edit`, and with `sum` the sum that belongs to it: a lie, not damage. */
static void write_edited(void (*edit)(json_t *root), bool sum)
{
    uint64_t data_start;
    memcpy(&data_start, good, sizeof(data_start));
    data_start += sizeof(data_start);
    char path[TEMP_PATH_BYTES];
    dcps_safetensors_reader *reader;
    static float values[3 * FIXTURE_TOTAL_PARAMS];
    temp_write(&folder, FILE_NAME, good, good_bytes, false);
    ck_assert_int_eq(dcps_safetensors_reader_open(temp_path(&folder, FILE_NAME, path), &reader), DCPS_OK);
    json_t *root = json_loads(dcps_safetensors_reader_metadata(reader, "dcps"), 0, NULL);
    ck_assert_ptr_nonnull(root);
    edit(root);
    static char text[MAX_FILE_BYTES];
    size_t length = json_dumpb(root, text, sizeof(text) - 1, JSON_COMPACT);
    text[length] = '\0';
    json_decref(root);
    dcps_safetensors_header *header;
    dcps_safetensors_writer *writer;
    size_t bytes = 0;
    ck_assert_int_eq(dcps_safetensors_header_create(&header), DCPS_OK);
    ck_assert_int_eq(dcps_safetensors_header_set_metadata(header, "format", "dcps-checkpoint/1"), DCPS_OK);
    ck_assert_int_eq(dcps_safetensors_header_set_metadata(header, "dcps", text), DCPS_OK);
    if (sum) {
        char digits[9];
        uLong crc =
            crc32(crc32(0, (const Bytef *)text, (uInt)length), good + data_start, (uInt)(good_bytes - data_start));
        snprintf(digits, sizeof(digits), "%08lx", crc);
        ck_assert_int_eq(dcps_safetensors_header_set_metadata(header, "crc32", digits), DCPS_OK);
    }
    for (uint32_t i = 0; i < dcps_safetensors_reader_count(reader); i++) {
        const dcps_safetensors_entry *entry = dcps_safetensors_reader_at(reader, i);
        ck_assert_int_eq(dcps_safetensors_header_add(header, entry->name, entry->dim_count, entry->dims), DCPS_OK);
        bytes += entry->bytes;
    }
    ck_assert_int_eq(dcps_safetensors_reader_read(reader, 0, values, bytes), DCPS_OK);
    dcps_safetensors_reader_close(&reader);
    ck_assert_int_eq(dcps_safetensors_writer_create(header, path, &writer), DCPS_OK);
    ck_assert_int_eq(dcps_safetensors_writer_append(writer, values, bytes), DCPS_OK);
    ck_assert_int_eq(dcps_safetensors_writer_commit(&writer), DCPS_OK);
    dcps_safetensors_header_destroy(&header);
}

static void set(json_t *object, const char *field, json_t *value)
{
    ck_assert_int_eq(json_object_set_new(object, field, value), 0);
}

static json_t *item(json_t *root, const char *list, size_t index)
{
    json_t *found = json_array_get(json_object_get(root, list), index);
    ck_assert_ptr_nonnull(found);
    return found;
}

static void edit_nothing(json_t *root)
{
    (void)root;
}
static void edit_index(json_t *root)
{
    set(root, "server_index", json_integer(1));
}
static void edit_count(json_t *root)
{
    set(root, "server_count", json_integer(0));
}
static void edit_batch(json_t *root)
{
    set(root, "batch_size", json_real(16.0));
}
static void edit_seed(json_t *root)
{
    set(root, "seed", json_string("18446744073709551616"));
}
static void edit_block_params(json_t *root)
{
    set(root, "block_params", json_integer(1 << 30));
}
static void edit_odd_block_params(json_t *root)
{
    set(root, "block_params", json_integer(65));
}
static void edit_other_block_params(json_t *root)
{
    set(root, "block_params", json_integer(32));
}
static void edit_layout_gone(json_t *root)
{
    json_object_del(root, "layout");
}
static void edit_layout_name(json_t *root)
{
    set(item(root, "layout", 0), "name", json_string("a b"));
}
static void edit_layout_twice(json_t *root)
{
    set(item(root, "layout", 0), "name", json_string("fc1.bias"));
}
static void edit_layout_dims(json_t *root)
{
    set(item(root, "layout", 3), "dims", json_pack("[I, I]", (json_int_t)1 << 35, (json_int_t)1 << 35));
}
static void edit_layout_shape(json_t *root)
{
    set(item(root, "layout", 0), "dims", json_pack("[i, i]", 7, 40));
}
static void edit_layout_longer(json_t *root)
{
    set(item(root, "layout", 3), "dims", json_pack("[i]", 301));
}
static void edit_init(json_t *root)
{
    set(item(root, "layout", 0), "init", json_integer(9));
}
static void edit_worker(json_t *root)
{
    ck_assert_int_eq(json_array_set_new(item(root, "workers", 0), 0, json_integer(1024)), 0);
}
static void edit_incarnation(json_t *root)
{
    ck_assert_int_eq(json_array_set_new(item(root, "workers", 0), 1, json_integer(0)), 0);
}
static void edit_block_twice(json_t *root)
{
    set(item(root, "blocks", 4), "block", json_integer(3));
}
static void edit_block_beyond(json_t *root)
{
    set(item(root, "blocks", 9), "block", json_integer(10));
}
static void edit_block_gone(json_t *root)
{
    ck_assert_int_eq(json_array_remove(json_object_get(root, "blocks"), 4), 0);
}
static void edit_version(json_t *root)
{
    set(item(root, "blocks", 0), "version", json_integer(-1));
}
static void edit_requests(json_t *root)
{
    set(item(root, "blocks", 0), "last_requests", json_pack("[[i, i]]", 0, 1));
}
static void edit_tickets(json_t *root)
{
    set(root, "tickets", json_null());
}
static void edit_open_tickets(json_t *root)
{
    set(root, "tickets", json_pack("{s:i, s:[s]}", "next", 3, "open", "x"));
}
static void edit_states(json_t *root)
{
    set(root, "states", json_pack("[s, s, s, s, s]", "a", "b", "c", "d", "e"));
}

static void edit_settings(json_t *root)
{
    set(root, "settings", json_sprintf("%01024d", 0));
}
static void edit_done(json_t *root)
{
    set(root, "done", json_integer(1));
}

typedef struct bad_edit {
    void (*edit)(json_t *root);
    const char *word;
} bad_edit;

static const bad_edit bad_edits[] = {
    {edit_index, "renamed"},
    {edit_count, "server_count"},
    {edit_batch, "batch_size"},
    {edit_seed, "seed"},
    {edit_block_params, "block_params"},
    {edit_odd_block_params, "block_params"},
    {edit_other_block_params, "block 10"}, /* then there would be 20 */
    {edit_layout_gone, "layout"},
    {edit_layout_name, "a b"},
    {edit_layout_twice, "fc1.bias"},
    {edit_layout_dims, "fc2/weight"},
    {edit_layout_shape, "shape of \"fc1.weight\""},
    {edit_layout_longer, "shape of \"fc2/weight\""},
    {edit_init, "init"},
    {edit_worker, "workers"},
    {edit_incarnation, "workers"},
    {edit_block_twice, "block"},
    {edit_block_beyond, "block"},
    {edit_block_gone, "block 4"},
    {edit_version, "version"},
    {edit_requests, "last_requests"},
    {edit_tickets, "mini-batches"},
    {edit_open_tickets, "tickets"},
    {edit_states, "states"},
    {edit_settings, "settings"},
    {edit_done, "done"},
};

START_TEST(lying_descriptions_are_refused_with_the_reason)
{
    begin();
    write_edited(edit_nothing, true);
    ck_assert(attempt());
    for (size_t i = 0; i < sizeof(bad_edits) / sizeof(bad_edits[0]); i++) {
        write_edited(bad_edits[i].edit, true);
        ck_assert_msg(!attempt(), "edit %zu was accepted", i);
        ck_assert_msg(strstr(dcps_error_message(), bad_edits[i].word) != NULL, "edit %zu: no \"%s\" in: %s", i,
                      bad_edits[i].word, dcps_error_message());
    }
    temp_folder_delete(&folder);
}
END_TEST

static void edit_additions_gone(json_t *root)
{
    ck_assert_int_eq(json_object_del(root, "settings"), 0);
    ck_assert_int_eq(json_object_del(root, "done"), 0);
}

START_TEST(a_file_of_before_is_read)
{
    dcps_checkpoint loaded;
    begin();
    write_edited(edit_additions_gone, true);
    ck_assert_int_eq(fixture_load(folder.path, 0, 1, 2, false, &loaded), DCPS_OK);
    ck_assert_str_eq(loaded.settings, "");
    ck_assert(!loaded.shard.done);
    dcps_checkpoint_fini(&loaded);
    temp_folder_delete(&folder);
}
END_TEST

START_TEST(a_file_without_a_sum_is_refused)
{
    begin();
    write_edited(edit_nothing, false);
    ck_assert(!attempt());
    ck_assert_ptr_nonnull(strstr(dcps_error_message(), "without a \"crc32\""));
    temp_folder_delete(&folder);
}
END_TEST

START_TEST(a_file_of_another_format_is_refused)
{
    char path[TEMP_PATH_BYTES];
    dcps_safetensors_header *header;
    dcps_safetensors_writer *writer;
    temp_folder_create(&folder);
    ck_assert_int_eq(dcps_safetensors_header_create(&header), DCPS_OK);
    ck_assert_int_eq(dcps_safetensors_header_set_metadata(header, "format", "pt"), DCPS_OK);
    ck_assert_int_eq(dcps_safetensors_writer_create(header, temp_path(&folder, FILE_NAME, path), &writer), DCPS_OK);
    ck_assert_int_eq(dcps_safetensors_writer_commit(&writer), DCPS_OK);
    dcps_safetensors_header_destroy(&header);
    ck_assert(!attempt());
    ck_assert_ptr_nonnull(strstr(dcps_error_message(), "\"pt\""));
    temp_folder_delete(&folder);
}
END_TEST

START_TEST(files_of_different_runs_are_not_mixed)
{
    char path[PATH_MAX];
    dcps_checkpoint other;
    temp_folder_create(&folder);
    fixture_write(folder.path, 2, 1, 100);
    fixture_make(1, 2, 1, 101, &other);
    other.seed = 9;
    ck_assert_int_eq(dcps_checkpoint_write(&other, folder.path, path), DCPS_OK);
    dcps_checkpoint_fini(&other);
    ck_assert(!attempt());
    ck_assert_ptr_nonnull(strstr(dcps_error_message(), "differ in seed"));
    ck_assert_ptr_nonnull(strstr(dcps_error_message(), "dcps-1-of-2"));
    temp_folder_delete(&folder);
}
END_TEST

/* Which of two sets is the newer cannot be told when one is damaged: the way out is named, and works. */
START_TEST(beside_another_set_the_way_out_is_told)
{
    char path[TEMP_PATH_BYTES];
    begin();
    temp_write(&folder, FILE_NAME, good, good_bytes - 1, false);
    ck_assert(!attempt());
    ck_assert_ptr_null(strstr(dcps_error_message(), "move this file away")); /* nothing else to go on from */
    fixture_write(folder.path, 2, 1, 50);
    ck_assert(!attempt());
    ck_assert_ptr_nonnull(strstr(dcps_error_message(), FILE_NAME));
    ck_assert_ptr_nonnull(strstr(dcps_error_message(), "move this file away"));
    ck_assert_int_eq(unlink(temp_path(&folder, FILE_NAME, path)), 0);
    ck_assert(attempt());
    temp_folder_delete(&folder);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {every_cut_is_refused,
                                  no_flipped_bit_changes_what_is_loaded,
                                  arrays_of_unknown_names_are_refused,
                                  arrays_of_other_servers_are_refused,
                                  the_error_names_both_sums,
                                  flipped_bytes_are_survived,
                                  lying_descriptions_are_refused_with_the_reason,
                                  a_file_of_before_is_read,
                                  a_file_without_a_sum_is_refused,
                                  a_file_of_another_format_is_refused,
                                  files_of_different_runs_are_not_mixed,
                                  beside_another_set_the_way_out_is_told};
    /* Files are written ten thousands of times, which no disk needs to see. */
    if (access("/dev/shm", W_OK) == 0) {
        (void)setenv("TMPDIR", "/dev/shm", 0);
    }
    return CHECK_MAIN("damaged checkpoints", tests);
}
