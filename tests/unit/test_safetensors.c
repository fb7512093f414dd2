/* Safetensors files, good and bad. Bytes expected and bytes read are written down here, independently of the code. */
#include "server/safetensors.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "support/check_main.h"
#include "support/temp_folder.h"

static temp_folder folder;
static char path[TEMP_PATH_BYTES];

static void begin(void)
{
    temp_folder_create(&folder);
    temp_path(&folder, "file", path);
}

/* Writes length, header text and `data_bytes` bytes 0, 1, 2, …; a negative length is that of the text. */
static void write_raw(int64_t length, const char *header, size_t data_bytes)
{
    static unsigned char bytes[4096];
    uint64_t stated = length < 0 ? strlen(header) : (uint64_t)length;
    size_t used = 8;
    memcpy(bytes, &stated, 8);
    memcpy(bytes + used, header, strlen(header));
    used += strlen(header);
    for (size_t i = 0; i < data_bytes; i++) {
        bytes[used++] = (unsigned char)i;
    }
    temp_write(&folder, "file", bytes, used, false);
}

static size_t read_raw(const char *name, unsigned char *out, size_t capacity)
{
    FILE *file = fopen(name, "rb");
    ck_assert_ptr_nonnull(file);
    size_t count = fread(out, 1, capacity, file);
    fclose(file);
    return count;
}

static dcps_safetensors_header *small_header(void)
{
    dcps_safetensors_header *header;
    ck_assert_int_eq(dcps_safetensors_header_create(&header), DCPS_OK);
    ck_assert_int_eq(dcps_safetensors_header_set_metadata(header, "k", "v"), DCPS_OK);
    ck_assert_int_eq(dcps_safetensors_header_add(header, "w", 2, (uint64_t[]){2, 1}), DCPS_OK);
    ck_assert_int_eq(dcps_safetensors_header_add(header, "s", 0, NULL), DCPS_OK);
    return header;
}

START_TEST(a_file_is_written_byte_for_byte)
{
    begin();
    const char expected[] =
        "{\"__metadata__\":{\"k\":\"v\"},\"w\":{\"dtype\":\"F32\",\"shape\":[2,1],\"data_offsets\":[0,8]},"
        "\"s\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[8,12]}}";
    size_t padded = (strlen(expected) + 7) / 8 * 8;
    const float values[] = {1.0f, -2.0f, 0.5f};
    const unsigned char floats[] = {0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0, 0, 0, 0, 0x3f};
    unsigned char bytes[512];
    dcps_safetensors_header *header = small_header();
    dcps_safetensors_writer *writer;
    ck_assert_int_eq(dcps_safetensors_writer_create(header, path, &writer), DCPS_OK);
    ck_assert_int_eq(access(path, F_OK), -1);
    ck_assert_int_eq(dcps_safetensors_writer_append(writer, values, 4), DCPS_OK);
    ck_assert_int_eq(dcps_safetensors_writer_append(writer, values + 1, 8), DCPS_OK);
    ck_assert_int_eq(dcps_safetensors_writer_commit(&writer), DCPS_OK);
    ck_assert_ptr_null(writer);
    dcps_safetensors_header_destroy(&header);
    ck_assert_uint_eq(read_raw(path, bytes, sizeof(bytes)), 8 + padded + 12);
    ck_assert_uint_eq(bytes[0], padded);
    ck_assert_mem_eq(bytes + 1, "\0\0\0\0\0\0\0", 7);
    ck_assert_mem_eq(bytes + 8, expected, strlen(expected));
    for (size_t i = strlen(expected); i < padded; i++) {
        ck_assert_uint_eq(bytes[8 + i], ' ');
    }
    ck_assert_mem_eq(bytes + 8 + padded, floats, sizeof(floats));
    struct stat info;
    ck_assert_int_eq(stat(path, &info), 0);
    ck_assert_uint_eq(info.st_mode & 07777, 0644);
    temp_folder_delete(&folder);
}
END_TEST

START_TEST(a_file_from_elsewhere_is_read)
{
    begin();
    write_raw(-1,
              "{\"b\":{\"data_offsets\":[8,20],\"shape\":[3],\"dtype\":\"F32\"},\"__metadata__\":{\"format\":\"pt\"},"
              "\"a\":{\"dtype\":\"F32\",\"shape\":[1,2],\"data_offsets\":[0,8]}}   ",
              20);
    dcps_safetensors_reader *reader;
    dcps_status status = dcps_safetensors_reader_open(path, &reader);
    ck_assert_msg(status == DCPS_OK, "%s", dcps_error_message());
    ck_assert_uint_eq(dcps_safetensors_reader_count(reader), 2);
    const dcps_safetensors_entry *a = dcps_safetensors_reader_at(reader, 0);
    const dcps_safetensors_entry *b = dcps_safetensors_reader_at(reader, 1);
    ck_assert_str_eq(a->name, "a");
    ck_assert_uint_eq(a->dim_count, 2);
    ck_assert_uint_eq(a->dims[1], 2);
    ck_assert_uint_eq(a->bytes, 8);
    ck_assert_str_eq(b->name, "b");
    ck_assert_uint_eq(b->first_byte, 8);
    ck_assert_uint_eq(b->bytes, 12);
    ck_assert_str_eq(dcps_safetensors_reader_metadata(reader, "format"), "pt");
    ck_assert_ptr_null(dcps_safetensors_reader_metadata(reader, "other"));
    unsigned char bytes[5];
    ck_assert_int_eq(dcps_safetensors_reader_read(reader, 9, bytes, 5), DCPS_OK);
    ck_assert_mem_eq(bytes, "\x09\x0a\x0b\x0c\x0d", 5);
    dcps_safetensors_reader_close(&reader);
    ck_assert_ptr_null(reader);
    temp_folder_delete(&folder);
}
END_TEST

typedef struct bad_file {
    int64_t length; /* -1: that of the text */
    const char *header;
    size_t data_bytes;
    dcps_status status;
    const char *word;
} bad_file;

static const bad_file bad_files[] = {
    {1000, "{}", 0, DCPS_CORRUPT, "1000"},
    {INT64_MAX, "{}", 0, DCPS_CORRUPT, "header of"},
    {0, "{}", 0, DCPS_CORRUPT, "JSON"},
    {-1, "", 0, DCPS_CORRUPT, "JSON"},
    {-1, "[]", 0, DCPS_CORRUPT, "not a JSON object"},
    {-1, "{\"a\":", 0, DCPS_CORRUPT, "JSON"},
    {-1, "{} x", 0, DCPS_CORRUPT, "JSON"},
    {-1, "{\"a\":NaN}", 4, DCPS_CORRUPT, "JSON"},
    {-1, "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},\"a\":{}}", 4, DCPS_CORRUPT, "JSON"},
    {-1, "{\"a\":3}", 0, DCPS_CORRUPT, "dtype"},
    {-1, "{\"a\":{\"dtype\":\"F64\",\"shape\":[1],\"data_offsets\":[0,8]}}", 8, DCPS_UNSUPPORTED, "F64"},
    {-1, "{\"a\":{\"dtype\":\"F32\",\"shape\":7,\"data_offsets\":[0,4]}}", 4, DCPS_CORRUPT, "shape"},
    {-1, "{\"a\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1,1,1,1,1],\"data_offsets\":[0,4]}}", 4, DCPS_CORRUPT, "shape"},
    {-1, "{\"a\":{\"dtype\":\"F32\",\"shape\":[-1],\"data_offsets\":[0,4]}}", 4, DCPS_CORRUPT, "dimension 0"},
    {-1, "{\"a\":{\"dtype\":\"F32\",\"shape\":[1.0],\"data_offsets\":[0,4]}}", 4, DCPS_CORRUPT, "dimension 0"},
    {-1, "{\"a\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,0]}}", 0, DCPS_CORRUPT,
     "dimension 1"},
    {-1, "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,8]}}", 8, DCPS_CORRUPT, "needs 4"},
    {-1, "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}", 4, DCPS_CORRUPT, "data_offsets"},
    {-1, "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,0]}}", 4, DCPS_CORRUPT, "data_offsets"},
    {-1, "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4,8]}}", 4, DCPS_CORRUPT, "data_offsets"},
    {-1, "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 8, DCPS_CORRUPT, "holds 8"},
    {-1, "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}", 8, DCPS_CORRUPT, "hole"},
    {-1,
     "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},\"b\":{\"dtype\":\"F32\",\"shape\":[2],\"data_"
     "offsets\":[4,12]}}",
     12, DCPS_CORRUPT, "overlap"},
    {-1, "{\"__metadata__\":[]}", 0, DCPS_CORRUPT, "__metadata__"},
    {-1, "{\"__metadata__\":{\"k\":1}}", 0, DCPS_CORRUPT, "metadata \"k\""},
};

START_TEST(lying_headers_are_refused_with_the_reason)
{
    begin();
    for (size_t i = 0; i < sizeof(bad_files) / sizeof(bad_files[0]); i++) {
        const bad_file *bad = &bad_files[i];
        dcps_safetensors_reader *reader = NULL;
        write_raw(bad->length, bad->header, bad->data_bytes);
        dcps_status status = dcps_safetensors_reader_open(path, &reader);
        ck_assert_msg(status == bad->status, "%s gave %s", bad->header, dcps_status_name(status));
        ck_assert_msg(strstr(dcps_error_message(), bad->word) != NULL, "%s gave: %s", bad->header,
                      dcps_error_message());
        ck_assert_msg(strstr(dcps_error_message(), path) != NULL, "the file is not named: %s", dcps_error_message());
        ck_assert_ptr_null(reader);
    }
    temp_folder_delete(&folder);
}
END_TEST

START_TEST(what_is_no_file_is_refused)
{
    begin();
    dcps_safetensors_reader *reader;
    ck_assert_int_eq(dcps_safetensors_reader_open(path, &reader), DCPS_NOT_FOUND);
    ck_assert_ptr_nonnull(strstr(dcps_error_message(), path));
    ck_assert_int_eq(dcps_safetensors_reader_open(folder.path, &reader), DCPS_CORRUPT);
    ck_assert_ptr_nonnull(strstr(dcps_error_message(), "expected a regular file"));
    temp_write(&folder, "file", "1234567", 7, false);
    ck_assert_int_eq(dcps_safetensors_reader_open(path, &reader), DCPS_CORRUPT);
    ck_assert_int_eq(mkfifo(temp_path(&folder, "pipe", path), 0600), 0);
    ck_assert_int_eq(dcps_safetensors_reader_open(path, &reader), DCPS_CORRUPT);
    temp_folder_delete(&folder);
}
END_TEST

/* A reader that opens must hold what it says. */
static void open_and_read_all(void)
{
    dcps_safetensors_reader *reader;
    if (dcps_safetensors_reader_open(path, &reader) != DCPS_OK) {
        ck_assert_ptr_nonnull(strstr(dcps_error_message(), path));
        return;
    }
    unsigned char bytes[4096];
    for (uint32_t i = 0; i < dcps_safetensors_reader_count(reader); i++) {
        const dcps_safetensors_entry *entry = dcps_safetensors_reader_at(reader, i);
        ck_assert_uint_le(entry->bytes, sizeof(bytes));
        ck_assert_int_eq(dcps_safetensors_reader_read(reader, entry->first_byte, bytes, (size_t)entry->bytes), DCPS_OK);
    }
    dcps_safetensors_reader_close(&reader);
}

START_TEST(any_cut_or_flipped_byte_is_survived)
{
    begin();
    unsigned char bytes[512];
    unsigned char damaged[512];
    write_raw(-1,
              "{\"__metadata__\":{\"k\":\"v\"},\"a\":{\"dtype\":\"F32\",\"shape\":[1,2],\"data_offsets\":[0,8]},"
              "\"b\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[8,20]}}",
              20);
    size_t count = read_raw(path, bytes, sizeof(bytes));
    for (size_t cut = 0; cut < count; cut++) {
        dcps_safetensors_reader *reader;
        temp_write(&folder, "file", bytes, cut, false);
        ck_assert_int_eq(dcps_safetensors_reader_open(path, &reader), DCPS_CORRUPT);
    }
    const unsigned char masks[] = {0x01, 0x80, 0xff, 0x10};
    for (size_t at = 0; at < count; at++) {
        for (size_t i = 0; i < sizeof(masks); i++) {
            memcpy(damaged, bytes, count);
            damaged[at] ^= masks[i];
            temp_write(&folder, "file", damaged, count, false);
            open_and_read_all();
        }
    }
    temp_folder_delete(&folder);
}
END_TEST

START_TEST(names_that_clash_are_refused)
{
    dcps_safetensors_header *header = small_header();
    ck_assert_int_eq(dcps_safetensors_header_add(header, "w", 0, NULL), DCPS_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(dcps_error_message(), "\"w\""));
    ck_assert_int_eq(dcps_safetensors_header_add(header, "__metadata__", 0, NULL), DCPS_UNSUPPORTED);
    ck_assert_int_eq(dcps_safetensors_header_add(header, "x", 2, (uint64_t[]){UINT64_C(1) << 40, UINT64_C(1) << 40}),
                     DCPS_LIMIT);
    dcps_safetensors_header_destroy(&header);
}
END_TEST

START_TEST(an_older_file_survives_until_the_new_one_is_complete)
{
    begin();
    char temporary[TEMP_PATH_BYTES];
    unsigned char bytes[64];
    dcps_safetensors_header *header = small_header();
    dcps_safetensors_writer *writer;
    temp_path(&folder, "file.tmp", temporary);
    temp_write(&folder, "file", "older", 5, false);
    temp_write(&folder, "file.tmp", "left by a crash", 15, false);
    ck_assert_int_eq(dcps_safetensors_writer_create(header, path, &writer), DCPS_OK);
    ck_assert_int_eq(dcps_safetensors_writer_append(writer, "1234", 4), DCPS_OK);
    dcps_safetensors_writer_abandon(&writer);
    dcps_safetensors_header_destroy(&header);
    ck_assert_int_eq(access(temporary, F_OK), -1);
    ck_assert_uint_eq(read_raw(path, bytes, sizeof(bytes)), 5);
    ck_assert_mem_eq(bytes, "older", 5);
    temp_folder_delete(&folder);
}
END_TEST

START_TEST(a_full_disk_is_told_and_leaves_the_older_file)
{
    begin();
    static const float zeros[4096];
    char temporary[TEMP_PATH_BYTES];
    dcps_safetensors_header *header;
    dcps_safetensors_writer *writer;
    temp_path(&folder, "file.tmp", temporary);
    temp_write(&folder, "file", "older", 5, false);
    ck_assert_int_eq(dcps_safetensors_header_create(&header), DCPS_OK);
    ck_assert_int_eq(dcps_safetensors_header_add(header, "w", 1, (uint64_t[]){4096}), DCPS_OK);
    signal(SIGXFSZ, SIG_IGN); /* a limit on file sizes makes write fail as a full disk does */
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &(struct rlimit){.rlim_cur = 5000, .rlim_max = RLIM_INFINITY}), 0);
    ck_assert_int_eq(dcps_safetensors_writer_create(header, path, &writer), DCPS_OK);
    ck_assert_int_eq(dcps_safetensors_writer_append(writer, zeros, sizeof(zeros)), DCPS_IO);
    ck_assert_ptr_nonnull(strstr(dcps_error_message(), temporary));
    ck_assert_ptr_nonnull(strstr(dcps_error_message(), "File too large"));
    dcps_safetensors_writer_abandon(&writer);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &(struct rlimit){.rlim_cur = RLIM_INFINITY, .rlim_max = RLIM_INFINITY}),
                     0);
    ck_assert_int_eq(access(temporary, F_OK), -1);
    ck_assert_int_eq(access(path, F_OK), 0);
    dcps_safetensors_header_destroy(&header);
    temp_folder_delete(&folder);
}
END_TEST

/* The temporary file is somebody else's, who lets us write it: its mode is not ours to change. */
START_TEST(a_mode_that_cannot_be_set_is_named)
{
    char temporary[TEMP_PATH_BYTES];
    dcps_safetensors_writer *writer;
    const float zero[3] = {0};
    if (geteuid() != 0) {
        printf("skipped: only root can make a file of somebody else's\n");
        return;
    }
    begin();
    temp_write(&folder, "file.tmp", "", 0, false);
    temp_path(&folder, "file.tmp", temporary);
    ck_assert_int_eq(chmod(temporary, 0666), 0);
    ck_assert_int_eq(chmod(folder.path, 0777), 0);
    dcps_safetensors_header *header = small_header();
    ck_assert_int_eq(seteuid(65534), 0);
    ck_assert_int_eq(dcps_safetensors_writer_create(header, path, &writer), DCPS_OK);
    ck_assert_int_eq(dcps_safetensors_writer_append(writer, zero, sizeof(zero)), DCPS_OK);
    ck_assert_int_eq(dcps_safetensors_writer_commit(&writer), DCPS_IO);
    ck_assert_int_eq(seteuid(0), 0);
    ck_assert_ptr_nonnull(strstr(dcps_error_message(), "the mode 644"));
    ck_assert_ptr_nonnull(strstr(dcps_error_message(), temporary));
    ck_assert_int_ne(access(path, F_OK), 0);
    dcps_safetensors_header_destroy(&header);
    temp_folder_delete(&folder);
}
END_TEST

START_TEST(a_folder_that_is_not_there_is_named)
{
    dcps_safetensors_header *header = small_header();
    dcps_safetensors_writer *writer;
    ck_assert_int_eq(dcps_safetensors_writer_create(header, "/nowhere/at/all/file", &writer), DCPS_IO);
    ck_assert_ptr_nonnull(strstr(dcps_error_message(), "/nowhere/at/all/file.tmp"));
    dcps_safetensors_header_destroy(&header);
}
END_TEST

START_TEST(lack_of_memory_at_any_point_is_survived)
{
    begin();
    write_raw(-1, "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4);
    dcps_status status = DCPS_NO_MEMORY;
    for (uint64_t n = 0; n < 100 && status == DCPS_NO_MEMORY; n++) {
        dcps_safetensors_reader *reader = NULL;
        dcps_alloc_fail_after(n);
        status = dcps_safetensors_reader_open(path, &reader);
        dcps_alloc_fail_after(UINT64_MAX);
        ck_assert(status == DCPS_OK || reader == NULL);
        dcps_safetensors_reader_close(&reader);
    }
    ck_assert_int_eq(status, DCPS_OK);
    temp_folder_delete(&folder);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {a_file_is_written_byte_for_byte,
                                  a_file_from_elsewhere_is_read,
                                  lying_headers_are_refused_with_the_reason,
                                  what_is_no_file_is_refused,
                                  any_cut_or_flipped_byte_is_survived,
                                  names_that_clash_are_refused,
                                  an_older_file_survives_until_the_new_one_is_complete,
                                  a_full_disk_is_told_and_leaves_the_older_file,
                                  a_mode_that_cannot_be_set_is_named,
                                  a_folder_that_is_not_there_is_named,
                                  lack_of_memory_at_any_point_is_survived};
    return CHECK_MAIN("safetensors", tests);
}
