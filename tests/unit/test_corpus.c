/* Texts as numbers of words, and batches of them. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "dcps/corpus.h"
#include "support/check_main.h"
#include "support/coded_file.h"

static temp_folder folder;

static void folder_up(void)
{
    temp_folder_create(&folder);
}

static void folder_down(void)
{
    temp_folder_delete(&folder);
}

static void write_text(const char *name, coded_form form, const char *text)
{
    char path[TEMP_PATH_BYTES];
    coded_write(&folder, name, form, text, strlen(text), path);
}

static void write_texts(coded_form form, const char *train, const char *valid, const char *test)
{
    write_text("ptb.train.txt", form, train);
    write_text("ptb.valid.txt", form, valid);
    write_text("ptb.test.txt", form, test);
}

/* The words of `tokens` with one blank after each must be `expected`. */
static void assert_words(const dcps_corpus *corpus, const dcps_tokens *tokens, const char *expected)
{
    char text[1024];
    size_t length = 0;
    for (size_t i = 0; i < tokens->count; i++) {
        ck_assert_int_ge(tokens->words[i], 0);
        ck_assert_uint_lt((uint32_t)tokens->words[i], corpus->vocabulary_count);
        length += (size_t)snprintf(text + length, sizeof(text) - length, "%s ", corpus->vocabulary[tokens->words[i]]);
    }
    text[length] = '\0';
    ck_assert_str_eq(text, expected);
}

START_TEST(words_are_numbered_by_frequency)
{
    dcps_corpus *corpus = NULL;
    write_texts((coded_form)_i, " the cat sat\n on the <unk> mat\n", "the dog sat\n", "cat on mat\n\n");
    ck_assert_int_eq(dcps_corpus_open("ptb", folder.path, &corpus), DCPS_OK);
    assert_words(corpus, &corpus->train, "the cat sat <eos> on the <unk> mat <eos> ");
    assert_words(corpus, &corpus->validation, "the <unk> sat <eos> ");
    assert_words(corpus, &corpus->test, "cat on mat <eos> <eos> ");
    static const char *const order[] = {"the", "<eos>", "cat", "sat", "on", "<unk>", "mat"};
    ck_assert_uint_eq(corpus->vocabulary_count, 7);
    for (int i = 0; i < 7; i++) {
        ck_assert_str_eq(corpus->vocabulary[i], order[i]);
    }
    dcps_corpus_close(&corpus);
    ck_assert_ptr_null(corpus);
}
END_TEST

START_TEST(blanks_and_line_ends_of_all_kinds_are_known)
{
    dcps_corpus *corpus = NULL;
    temp_folder_add(&folder, "ptb");
    write_text("ptb/ptb.train.txt", CODED_PLAIN, "a\tb  c\r\n\n \v\f\nlast");
    write_text("ptb/ptb.valid.txt", CODED_PLAIN, "a\n  ");
    write_text("ptb/ptb.test.txt", CODED_PLAIN, "\n");
    ck_assert_int_eq(dcps_corpus_open("ptb", folder.path, &corpus), DCPS_OK);
    assert_words(corpus, &corpus->train, "a b c <eos> <eos> <eos> last <eos> ");
    assert_words(corpus, &corpus->validation, "a <eos> ");
    assert_words(corpus, &corpus->test, "<eos> ");
    dcps_corpus_close(&corpus);
}
END_TEST

/* Enough words for the tables to grow several times; what must hold of their numbers is checked word by word. */
START_TEST(large_vocabularies_are_in_order)
{
    enum { WORDS = 30000, TEXT_BYTES = 4000000 };
    char *text = malloc(TEXT_BYTES), path[TEMP_PATH_BYTES];
    size_t bytes = 0, count = 0;
    for (uint32_t round = 0; round < 5; round++) {
        for (uint32_t i = 0; i < WORDS; i++) {
            uint32_t word = i * 7919u % WORDS; /* each once a round, in a strange order */
            if (word % 5 < round) {            /* 1 to 5 times in all */
                continue;
            }
            bytes += (size_t)snprintf(text + bytes, TEXT_BYTES - bytes, "w%u ", word);
            count++;
        }
    }
    coded_write(&folder, "ptb.train.txt", CODED_PLAIN, text, bytes, path);
    write_text("ptb.valid.txt", CODED_PLAIN, "w1\n");
    write_text("ptb.test.txt", CODED_PLAIN, "w29999\n");
    dcps_corpus *corpus = NULL;
    ck_assert_int_eq(dcps_corpus_open("ptb", folder.path, &corpus), DCPS_OK);
    ck_assert_uint_eq(corpus->vocabulary_count, WORDS + 1);
    ck_assert_uint_eq(corpus->train.count, count + 1);
    size_t *first = calloc(WORDS + 1, sizeof(*first)), *occurrences = calloc(WORDS + 1, sizeof(*occurrences));
    size_t at = 0, wrong = 0;
    for (size_t i = 0; i < count; i++) {
        const char *word = corpus->vocabulary[corpus->train.words[i]];
        size_t length = strlen(word);
        wrong += memcmp(text + at, word, length) != 0 || text[at + length] != ' ';
        at += length + 1;
    }
    ck_assert_uint_eq(wrong, 0);
    for (size_t i = count + 1; i-- > 0;) {
        occurrences[corpus->train.words[i]]++;
        first[corpus->train.words[i]] = i;
    }
    for (size_t i = 1; i <= WORDS; i++) {
        wrong +=
            occurrences[i - 1] < occurrences[i] || (occurrences[i - 1] == occurrences[i] && first[i - 1] > first[i]);
    }
    ck_assert_uint_eq(wrong, 0);
    ck_assert_str_eq(corpus->vocabulary[corpus->test.words[0]], "w29999");
    dcps_corpus_close(&corpus);
    free(first);
    free(occurrences);
    free(text);
}
END_TEST

static void assert_refused(dcps_status status, const char *word)
{
    dcps_corpus *corpus = NULL;
    ck_assert_int_eq(dcps_corpus_open("ptb", folder.path, &corpus), status);
    ck_assert_ptr_null(corpus);
    ck_assert_msg(strstr(dcps_error_message(), word) != NULL, "no \"%s\" in: %s", word, dcps_error_message());
    ck_assert_ptr_nonnull(strstr(dcps_error_message(), folder.path));
}

START_TEST(unknown_words_need_a_stand_in)
{
    write_texts(CODED_PLAIN, "a b\n", "a\n\nb a zebra b\n", "a\n");
    assert_refused(DCPS_MISMATCH, "ptb.valid.txt: line 3");
    ck_assert_ptr_nonnull(strstr(dcps_error_message(), "\"zebra\""));
    write_texts(CODED_PLAIN, "a b\n", "b\n", "a\nbb\n");
    assert_refused(DCPS_MISMATCH, "ptb.test.txt: line 2");
    ck_assert_ptr_nonnull(strstr(dcps_error_message(), "\"bb\""));
    char endless[5001];
    memset(endless, 'x', sizeof(endless) - 1);
    endless[sizeof(endless) - 1] = '\0';
    write_text("ptb.test.txt", CODED_PLAIN, endless);
    assert_refused(DCPS_MISMATCH, "<unk>"); /* not pushed out of the message by the word */
}
END_TEST

START_TEST(unusable_texts_are_refused)
{
    dcps_corpus *corpus = NULL;
    ck_assert_int_eq(dcps_corpus_open("bible", folder.path, &corpus), DCPS_INVALID);
    ck_assert_ptr_nonnull(strstr(dcps_error_message(), "bible"));
    ck_assert_int_eq(dcps_corpus_open("ptb", NULL, &corpus), DCPS_NOT_FOUND);
    assert_refused(DCPS_NOT_FOUND, "no ptb.train.txt[.gz|.xz] in");
    write_text("ptb.train.txt", CODED_PLAIN, "a b <unk>\n");
    assert_refused(DCPS_NOT_FOUND, "ptb.valid.txt[.gz|.xz] is missing");
    write_text("ptb.valid.txt", CODED_PLAIN, "a\n");
    assert_refused(DCPS_NOT_FOUND, "ptb.test.txt[.gz|.xz] is missing");
    write_text("ptb.test.txt", CODED_GZIP, " \t ");
    assert_refused(DCPS_CORRUPT, "ptb.test.txt.gz: expected text, seen no words");
    write_text("ptb.test.txt", CODED_GZIP, "");
    assert_refused(DCPS_CORRUPT, "ptb.test.txt.gz: expected text, seen no words");
    temp_write(&folder, "ptb.test.txt.gz", "a b\n", 4, false);
    assert_refused(DCPS_CORRUPT, "expected a gzip file");
    temp_write(&folder, "ptb.valid.txt", "a b\0a\n", 6, false);
    assert_refused(DCPS_CORRUPT, "ptb.valid.txt: byte 3 is zero");
}
END_TEST

START_TEST(cut_texts_are_refused)
{
    static const char train[] = "one two three <unk> four five six seven\neight nine ten\n";
    char path[TEMP_PATH_BYTES], name[64];
    write_texts(CODED_PLAIN, train, "one\n", "two\n");
    ck_assert_int_eq(remove(temp_path(&folder, "ptb.train.txt", path)), 0);
    size_t count;
    uint8_t *coded = coded_make(_i == 0 ? CODED_GZIP : CODED_XZ, train, sizeof(train) - 1, &count);
    snprintf(name, sizeof(name), "ptb.train.txt%s", _i == 0 ? ".gz" : ".xz");
    for (size_t kept = 0; kept < count; kept++) {
        temp_write(&folder, name, coded, kept, false);
        assert_refused(DCPS_CORRUPT, "ptb.train.txt");
    }
    temp_write(&folder, name, coded, count, false);
    dcps_corpus *corpus = NULL;
    ck_assert_int_eq(dcps_corpus_open("ptb", folder.path, &corpus), DCPS_OK);
    dcps_corpus_close(&corpus);
    free(coded);
}
END_TEST

START_TEST(failed_allocations_are_survived)
{
    write_texts(CODED_XZ, "a b c <unk>\n", "a d\n", "b\n");
    for (uint64_t n = 0;; n++) {
        dcps_corpus *corpus = NULL;
        dcps_alloc_fail_after(n);
        dcps_status status = dcps_corpus_open("ptb", folder.path, &corpus);
        dcps_alloc_fail_after(UINT64_MAX);
        if (status == DCPS_OK) {
            ck_assert_uint_gt(n, 16); /* three readers, texts and arrays of words, the vocabulary's six, the corpus */
            dcps_corpus_close(&corpus);
            break;
        }
        ck_assert_int_eq(status, DCPS_NO_MEMORY);
        ck_assert_ptr_null(corpus);
    }
}
END_TEST

/* Every input is read once, in order within its stream, with the word after it. */
static void check_epoch(const dcps_tokens *tokens, uint32_t streams, uint32_t steps)
{
    dcps_token_batch batch = {0};
    size_t words = (tokens->count - 1) / streams, done = 0;
    uint64_t batches = dcps_token_batch_count(tokens, streams, steps), number = 0;
    ck_assert_uint_eq(batches, (words + steps - 1) / steps);
    for (; done < words; number++) {
        /* Also the same batch of the fourth epoch. */
        ck_assert_int_eq(dcps_token_batch_load(&batch, tokens, streams, steps, number + (number % 2) * 3 * batches),
                         DCPS_OK);
        ck_assert_uint_eq(batch.position, number);
        ck_assert_int_eq(batch.anew, number == 0);
        ck_assert_uint_eq(batch.streams, streams);
        ck_assert_uint_eq(batch.steps, words - done < steps ? words - done : steps);
        size_t wrong = 0;
        for (size_t t = 0; t < batch.steps; t++) {
            for (size_t s = 0; s < streams; s++) {
                int32_t expected = (int32_t)(s * words + done + t);
                wrong += batch.inputs[t * streams + s] != expected || batch.targets[t * streams + s] != expected + 1;
            }
        }
        ck_assert_uint_eq(wrong, 0);
        done += batch.steps;
    }
    ck_assert_uint_eq(number, batches);
    dcps_token_batch_release(&batch);
}

START_TEST(batches_cover_the_text)
{
    int32_t words[40];
    for (int32_t i = 0; i < 40; i++) {
        words[i] = i;
    }
    for (size_t count = 2; count <= 40; count++) {
        dcps_tokens tokens = {.words = words, .count = count};
        for (uint32_t streams = 1; streams < count; streams++) {
            for (uint32_t steps = 1; steps <= count + 1; steps++) {
                check_epoch(&tokens, streams, steps);
            }
        }
    }
}
END_TEST

/* Parts are equal, follow each other, and share the word at which one ends and the next begins. */
START_TEST(texts_are_divided)
{
    static const int32_t words[30] = {0};
    for (size_t count = 0; count <= 30; count++) {
        for (uint32_t parts = 1; parts <= 31; parts++) {
            dcps_tokens tokens = {.words = words, .count = count};
            size_t inputs = count == 0 ? 0 : (count - 1) / parts;
            for (uint32_t i = 0; i < parts; i++) {
                dcps_tokens part = dcps_tokens_part(&tokens, i, parts);
                ck_assert_uint_eq(part.count, inputs == 0 ? 0 : inputs + 1);
                ck_assert_ptr_eq(part.words, words + i * inputs);
            }
            ck_assert_uint_eq(dcps_tokens_part(&tokens, parts, parts).count, 0);
        }
    }
}
END_TEST

START_TEST(batches_that_cannot_be_had_are_refused)
{
    static const int32_t words[10] = {0};
    static const struct {
        size_t count;
        uint32_t streams;
        uint32_t steps;
    } bad[] = {{0, 1, 1}, {1, 1, 1}, {10, 10, 1}, {10, 0, 1}, {10, 1, 0}};
    dcps_token_batch batch = {0};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        dcps_tokens tokens = {.words = words, .count = bad[i].count};
        ck_assert_uint_eq(dcps_token_batch_count(&tokens, bad[i].streams, bad[i].steps), 0);
        ck_assert_int_eq(dcps_token_batch_load(&batch, &tokens, bad[i].streams, bad[i].steps, 0), DCPS_INVALID);
        ck_assert_ptr_null(batch.inputs);
    }
}
END_TEST

START_TEST(batches_reuse_their_memory)
{
    static const int32_t words[10] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
    dcps_tokens tokens = {.words = words, .count = 10};
    dcps_token_batch batch = {0};
    for (uint64_t n = 0; n < 2; n++) {
        dcps_alloc_fail_after(n);
        ck_assert_int_eq(dcps_token_batch_load(&batch, &tokens, 2, 3, 0), DCPS_NO_MEMORY);
        ck_assert_ptr_null(batch.inputs);
    }
    ck_assert_int_eq(dcps_token_batch_load(&batch, &tokens, 2, 3, 1), DCPS_OK); /* the shorter one comes first */
    ck_assert_uint_eq(batch.steps, 1);
    uint64_t before = dcps_alloc_count();
    for (uint64_t number = 0; number < 20; number++) {
        ck_assert_int_eq(dcps_token_batch_load(&batch, &tokens, 2, 3, number), DCPS_OK);
    }
    ck_assert_uint_eq(dcps_alloc_count(), before);
    for (uint64_t n = 0; n < 2; n++) {
        dcps_alloc_fail_after(n);
        ck_assert_int_eq(dcps_token_batch_load(&batch, &tokens, 4, 2, 0), DCPS_NO_MEMORY);
    }
    ck_assert_uint_eq(batch.position, 1); /* as before */
    ck_assert_int_eq(batch.inputs[1], 7);
    dcps_token_batch_release(&batch);
    ck_assert_ptr_null(batch.targets);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("corpus");
    TCase *tests = tcase_create("corpus");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, folder_up, folder_down);
    tcase_add_loop_test(tests, words_are_numbered_by_frequency, 0, CODED_FORMS);
    tcase_add_test(tests, blanks_and_line_ends_of_all_kinds_are_known);
    tcase_add_test(tests, large_vocabularies_are_in_order);
    tcase_add_test(tests, unknown_words_need_a_stand_in);
    tcase_add_test(tests, unusable_texts_are_refused);
    tcase_add_loop_test(tests, cut_texts_are_refused, 0, 2);
    tcase_add_test(tests, failed_allocations_are_survived);
    tcase_add_test(tests, batches_cover_the_text);
    tcase_add_test(tests, texts_are_divided);
    tcase_add_test(tests, batches_that_cannot_be_had_are_refused);
    tcase_add_test(tests, batches_reuse_their_memory);
    suite_add_tcase(suite, tests);
    return check_run(suite);
}
