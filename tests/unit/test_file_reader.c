/* Plain, gzip and xz files: whole, cut, flipped, lying about themselves, and where memory or disks fail. */
#include <check.h>
#include <fcntl.h>
#include <lzma.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/rng.h"
#include "support/check_main.h"
#include "support/coded_file.h"
#include "worker/data/file_reader.h"

static temp_folder folder;
static char path[TEMP_PATH_BYTES];
static const char text[] = "It reads what was written, all of it, and nothing else. It reads what was written.";

static void folder_up(void)
{
    temp_folder_create(&folder);
}

static void folder_down(void)
{
    temp_folder_delete(&folder);
}

/* Bytes that no compression makes shorter, so that long files are long in every form. */
static uint8_t *noise(size_t count)
{
    dcps_rng rng;
    dcps_rng_seed(&rng, count);
    uint8_t *bytes = malloc(count + 1);
    ck_assert_ptr_nonnull(bytes);
    for (size_t i = 0; i < count; i++) {
        bytes[i] = (uint8_t)dcps_rng_next(&rng);
    }
    return bytes;
}

/* Reads the file at `path` to its end, in pieces of `piece` bytes. */
static dcps_status read_all(size_t piece, uint8_t *out, size_t capacity, size_t *count)
{
    dcps_file_reader *reader = NULL;
    dcps_status status = dcps_file_reader_open(path, &reader);
    size_t got = piece;
    *count = 0;
    while (status == DCPS_OK && got == piece) {
        ck_assert_uint_le(*count + piece, capacity);
        status = dcps_file_reader_read(reader, out + *count, piece, &got);
        if (status == DCPS_OK) {
            *count += got;
        }
    }
    bool at_end = false;
    if (status == DCPS_OK) {
        ck_assert_int_eq(dcps_file_reader_at_end(reader, &at_end), DCPS_OK);
        ck_assert(at_end);
    }
    dcps_file_reader_close(&reader);
    ck_assert_ptr_null(reader);
    return status;
}

static void assert_refused(dcps_status expected, const char *word)
{
    uint8_t out[4096];
    size_t count;
    dcps_status status = read_all(100, out, sizeof(out), &count);
    ck_assert_msg(status == expected, "%s instead of %s", dcps_status_name(status), dcps_status_name(expected));
    ck_assert_ptr_nonnull(strstr(dcps_error_message(), path));
    ck_assert_msg(strstr(dcps_error_message(), word) != NULL, "no \"%s\" in: %s", word, dcps_error_message());
}

static void write_raw(const char *name, const uint8_t *bytes, size_t count)
{
    temp_write(&folder, name, bytes, count, false);
    temp_path(&folder, name, path);
}

static const char *name_of(coded_form form)
{
    return form == CODED_GZIP ? "file.gz" : "file.xz";
}

START_TEST(every_form_and_length_is_read)
{
    static const size_t lengths[] = {0, 1, 65535, 65536, 65537, 300000};
    size_t length = lengths[_i / CODED_FORMS], count;
    uint8_t *bytes = noise(length), *out = malloc(2 * length + 200000);
    coded_write(&folder, "file", (coded_form)(_i % CODED_FORMS), bytes, length, path);
    const size_t pieces[] = {997, 65536, length + 1};
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(read_all(pieces[i], out, 2 * length + 200000, &count), DCPS_OK);
        ck_assert_uint_eq(count, length);
        ck_assert_int_eq(memcmp(out, bytes, length), 0);
    }
    free(bytes);
    free(out);
}
END_TEST

/* By how much the digest grows when the file at `path` is opened. */
static uint64_t digest_of(void)
{
    dcps_file_reader *reader = NULL;
    uint64_t before = dcps_file_reader_digest();
    ck_assert_int_eq(dcps_file_reader_open(path, &reader), DCPS_OK);
    dcps_file_reader_close(&reader);
    return dcps_file_reader_digest() - before;
}

static void set_time(time_t seconds, long nanoseconds)
{
    const struct timespec times[] = {{.tv_sec = 1}, {.tv_sec = seconds, .tv_nsec = nanoseconds}};
    ck_assert_int_eq(utimensat(AT_FDCWD, path, times, 0), 0);
}

/* Another name, another size or another time: each is another file. */
START_TEST(the_digest_tells_files_apart)
{
    uint64_t seen[5];
    coded_write(&folder, "file", CODED_PLAIN, (const uint8_t *)text, sizeof(text), path);
    set_time(1000, 0);
    seen[0] = digest_of();
    ck_assert_uint_eq(digest_of(), seen[0]);
    set_time(1000, 1);
    seen[1] = digest_of();
    set_time(1001, 0);
    seen[2] = digest_of();
    coded_write(&folder, "file", CODED_PLAIN, (const uint8_t *)text, sizeof(text) - 1, path);
    set_time(1000, 0);
    seen[3] = digest_of();
    coded_write(&folder, "other", CODED_PLAIN, (const uint8_t *)text, sizeof(text), path);
    set_time(1000, 0);
    seen[4] = digest_of();
    for (int i = 0; i < 5; i++) {
        for (int j = 0; j < i; j++) {
            ck_assert_uint_ne(seen[i], seen[j]);
        }
    }
}
END_TEST

START_TEST(several_streams_are_one_file)
{
    coded_form form = _i == 0 ? CODED_GZIP : CODED_XZ;
    uint8_t *bytes = noise(200000), *out = malloc(500000), *file = malloc(300000);
    for (size_t first = 65300; first < 65600; first += 23) { /* the seam passes the end of the reader's buffer */
        size_t count, counts[2];
        uint8_t *streams[2] = {coded_make(form, bytes, first, &counts[0]),
                               coded_make(form, bytes + first, 100000, &counts[1])};
        memcpy(file, streams[0], counts[0]);
        memcpy(file + counts[0], streams[1], counts[1]);
        write_raw(name_of(form), file, counts[0] + counts[1]);
        ck_assert_int_eq(read_all(4096, out, 500000, &count), DCPS_OK);
        ck_assert_uint_eq(count, first + 100000);
        ck_assert_mem_eq(out, bytes, count);
        free(streams[0]);
        free(streams[1]);
    }
    free(bytes);
    free(out);
    free(file);
}
END_TEST

START_TEST(every_cut_is_refused)
{
    coded_form form = _i == 0 ? CODED_GZIP : CODED_XZ;
    size_t count;
    uint8_t *coded = coded_make(form, text, sizeof(text), &count);
    for (size_t kept = 0; kept < count; kept++) {
        size_t magic = form == CODED_GZIP ? 2 : 6;
        write_raw(name_of(form), coded, kept);
        assert_refused(DCPS_CORRUPT, kept < magic ? "as its name says" : "cut short");
    }
    free(coded);
}
END_TEST

/* xz guards every bit; gzip has fields in its head that say nothing of the contents. */
START_TEST(every_flipped_bit_is_refused_or_harmless)
{
    coded_form form = _i == 0 ? CODED_GZIP : CODED_XZ;
    size_t count, harmless = 0;
    uint8_t *coded = coded_make(form, text, sizeof(text), &count);
    for (size_t bit = 0; bit < 8 * count; bit++) {
        uint8_t out[4096];
        size_t got;
        coded[bit / 8] ^= (uint8_t)(1u << bit % 8);
        write_raw(name_of(form), coded, count);
        dcps_status status = read_all(100, out, sizeof(out), &got);
        coded[bit / 8] ^= (uint8_t)(1u << bit % 8);
        if (status == DCPS_OK) {
            ck_assert_uint_eq(got, sizeof(text));
            ck_assert_mem_eq(out, text, sizeof(text));
            ck_assert_uint_lt(bit / 8, 10); /* the head of gzip */
            harmless++;
        } else {
            ck_assert_msg(status == DCPS_CORRUPT || status == DCPS_UNSUPPORTED, "%s", dcps_error_message());
            ck_assert_ptr_nonnull(strstr(dcps_error_message(), path));
        }
    }
    if (form == CODED_XZ) {
        ck_assert_uint_eq(harmless, 0);
    }
    free(coded);
}
END_TEST

START_TEST(bytes_after_the_end_are_refused)
{
    coded_form form = _i % 2 == 0 ? CODED_GZIP : CODED_XZ;
    static const char *const tails[] = {"x", "more than a head of any kind", "\0\0\0\0"};
    static const size_t tail_counts[] = {1, 28, 4};
    size_t count;
    uint8_t *coded = coded_make(form, text, sizeof(text), &count);
    uint8_t longer[4096];
    memcpy(longer, coded, count);
    memcpy(longer + count, tails[_i / 2], tail_counts[_i / 2]);
    write_raw(name_of(form), longer, count + tail_counts[_i / 2]);
    assert_refused(DCPS_CORRUPT, "goes on after its end");
    /* Something that begins like another stream, and is none. */
    longer[count] = coded[0];
    write_raw(name_of(form), longer, count + tail_counts[_i / 2]);
    assert_refused(DCPS_CORRUPT, "damaged");
    free(coded);
}
END_TEST

START_TEST(names_must_keep_their_word)
{
    size_t count, got;
    uint8_t *coded = coded_make(CODED_XZ, text, sizeof(text), &count);
    uint8_t out[4096];
    write_raw("file.gz", coded, count);
    assert_refused(DCPS_CORRUPT, "expected a gzip file");
    write_raw("file.xz", (const uint8_t *)text, sizeof(text));
    assert_refused(DCPS_CORRUPT, "expected a xz file");
    write_raw("file", coded, count); /* promises nothing */
    ck_assert_int_eq(read_all(100, out, sizeof(out), &got), DCPS_OK);
    ck_assert_uint_eq(got, sizeof(text));
    free(coded);
}
END_TEST

/* A file that asks for 128 MiB of dictionary: the head of its block says so, with a good checksum. */
START_TEST(xz_that_takes_too_much_memory_is_refused)
{
    size_t count;
    uint8_t *coded = coded_make(CODED_XZ, text, sizeof(text), &count);
    uint8_t *head = coded + 12;
    size_t head_bytes = ((size_t)head[0] + 1) * 4;
    uint8_t *filter = memmem(head, head_bytes, "\x21\x01", 2); /* LZMA2, with one byte of properties */
    ck_assert_ptr_nonnull(filter);
    filter[2] = 30;
    uint32_t sum = lzma_crc32(head, head_bytes - 4, 0);
    for (int i = 0; i < 4; i++) {
        head[head_bytes - 4 + (size_t)i] = (uint8_t)(sum >> 8 * i);
    }
    write_raw("file.xz", coded, count);
    assert_refused(DCPS_LIMIT, "96 MiB");
    free(coded);
}
END_TEST

START_TEST(unknown_checks_of_xz_are_refused)
{
    size_t count;
    uint8_t *coded = coded_make(CODED_XZ, text, sizeof(text), &count);
    coded[7] = 2; /* a number that no check has */
    uint32_t sum = lzma_crc32(coded + 6, 2, 0);
    for (int i = 0; i < 4; i++) {
        coded[8 + i] = (uint8_t)(sum >> 8 * i);
    }
    write_raw("file.xz", coded, count);
    assert_refused(DCPS_UNSUPPORTED, "not known");
    free(coded);
}
END_TEST

START_TEST(files_that_cannot_be_read_are_named)
{
    assert_refused(DCPS_NOT_FOUND, "cannot be opened");
    ck_assert_ptr_nonnull(temp_path(&folder, "pipe", path));
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    assert_refused(DCPS_CORRUPT, "regular file");
    temp_path(&folder, ".", path);
    assert_refused(DCPS_CORRUPT, "regular file");
    memcpy(path, "/proc/self/mem", 15); /* a regular file; nothing is at its beginning */
    assert_refused(DCPS_IO, "reading failed");
}
END_TEST

START_TEST(failed_allocations_are_survived)
{
    uint8_t out[4096];
    size_t count;
    coded_write(&folder, "file", (coded_form)_i, text, sizeof(text), path);
    for (uint64_t n = 0;; n++) {
        dcps_alloc_fail_after(n);
        dcps_status status = read_all(100, out, sizeof(out), &count);
        dcps_alloc_fail_after(UINT64_MAX);
        if (status == DCPS_OK) {
            ck_assert_uint_ge(n, _i == CODED_PLAIN ? 1 : 2); /* a decoder's memory is counted, too */
            break;
        }
        ck_assert_int_eq(status, DCPS_NO_MEMORY);
        ck_assert_ptr_nonnull(strstr(dcps_error_message(), path));
    }
}
END_TEST

START_TEST(growing_stops_at_the_end_or_the_limit)
{
    enum { LENGTH = 5000000 }; /* grows twice */
    uint8_t *bytes = noise(LENGTH);
    const uint64_t limits[] = {0, 100, (1u << 20) - 1, 1u << 20, (1u << 20) + 1, LENGTH - 1, LENGTH, LENGTH + 1};
    coded_write(&folder, "file", (coded_form)_i, bytes, LENGTH, path);
    for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
        dcps_file_reader *reader = NULL;
        uint8_t *out = NULL;
        size_t got = 1;
        bool at_end = false;
        ck_assert_int_eq(dcps_file_reader_open(path, &reader), DCPS_OK);
        ck_assert_int_eq(dcps_file_reader_read_grown(reader, limits[i], &out, &got), DCPS_OK);
        ck_assert_uint_eq(got, limits[i] < LENGTH ? limits[i] : LENGTH);
        ck_assert_int_eq(got == 0 ? 0 : memcmp(out, bytes, got), 0);
        ck_assert_int_eq(dcps_file_reader_at_end(reader, &at_end), DCPS_OK);
        ck_assert_int_eq(at_end, limits[i] >= LENGTH);
        dcps_free(out);
        dcps_file_reader_close(&reader);
    }
    free(bytes);
}
END_TEST

START_TEST(absurd_limits_take_no_memory)
{
    enum { LENGTH = 1500000 }; /* grows once */
    dcps_file_reader *reader = NULL;
    uint8_t *out = NULL, *bytes = noise(LENGTH);
    size_t got = 0;
    coded_write(&folder, "file", (coded_form)_i, bytes, LENGTH, path);
    free(bytes);
    ck_assert_int_eq(dcps_file_reader_open(path, &reader), DCPS_OK);
    limit_memory((size_t)256 << 20);
    ck_assert_int_eq(dcps_file_reader_read_grown(reader, UINT64_C(1) << 40, &out, &got), DCPS_OK);
    ck_assert_uint_eq(got, LENGTH);
    dcps_free(out);
    dcps_file_reader_close(&reader);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("file_reader");
    TCase *tests = tcase_create("file_reader");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, folder_up, folder_down);
    tcase_add_loop_test(tests, every_form_and_length_is_read, 0, 6 * CODED_FORMS);
    tcase_add_loop_test(tests, several_streams_are_one_file, 0, 2);
    tcase_add_loop_test(tests, every_cut_is_refused, 0, 2);
    tcase_add_loop_test(tests, every_flipped_bit_is_refused_or_harmless, 0, 2);
    tcase_add_loop_test(tests, bytes_after_the_end_are_refused, 0, 6);
    tcase_add_test(tests, the_digest_tells_files_apart);
    tcase_add_test(tests, names_must_keep_their_word);
    tcase_add_test(tests, xz_that_takes_too_much_memory_is_refused);
    tcase_add_test(tests, unknown_checks_of_xz_are_refused);
    tcase_add_test(tests, files_that_cannot_be_read_are_named);
    tcase_add_loop_test(tests, failed_allocations_are_survived, 0, CODED_FORMS);
    tcase_add_loop_test(tests, growing_stops_at_the_end_or_the_limit, 0, CODED_FORMS);
    tcase_add_loop_test(tests, absurd_limits_take_no_memory, 0, CODED_FORMS);
    suite_add_tcase(suite, tests);
    return check_run(suite);
}
