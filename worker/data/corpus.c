#include "dcps/corpus.h"

#include <limits.h>
#include <string.h>

#include "base/alloc.h"
#include "base/text.h"
#include "worker/data/file_reader.h"
#include "worker/data/find.h"
#include "worker/data/vocabulary.h"

#define MAX_TEXT_BYTES (UINT64_C(1) << 30)
#define SHOWN_WORD_BYTES ((size_t)80)

static const char end_of_line[] = "<eos>";
static const char unknown[] = "<unk>";

static const dcps_data_place known_corpora[] = {
    {.name = "ptb",
     .marker = "ptb.train.txt",
     .subfolders = {"ptb"},
     .advice = "name the folder with ptb.train.txt, ptb.valid.txt and ptb.test.txt with --data"},
};

/* The public struct is the first member, so that corpus_close finds the rest. */
typedef struct opened_corpus {
    dcps_corpus corpus;
    dcps_vocabulary vocabulary;
    const char **list;
    int32_t *words[3]; /* train, validation, test */
} opened_corpus;

typedef struct text_file {
    char path[PATH_MAX];
    uint8_t *bytes;
    size_t count;
} text_file;

static dcps_status read_text(const char *folder, const char *name, const char *part, text_file *text)
{
    char file[64];
    dcps_file_reader *reader = NULL;
    bool at_end = false;
    dcps_status status = dcps_format(file, sizeof(file), "%s.%s.txt", name, part);
    if (status == DCPS_OK) {
        status = dcps_data_find_file(folder, file, text->path);
    }
    if (status == DCPS_OK) {
        status = dcps_file_reader_open(text->path, &reader);
    }
    if (status == DCPS_OK) {
        status = dcps_file_reader_read_grown(reader, MAX_TEXT_BYTES, &text->bytes, &text->count);
    }
    if (status == DCPS_OK) {
        status = dcps_file_reader_at_end(reader, &at_end);
    }
    dcps_file_reader_close(&reader);
    if (status != DCPS_OK) {
        return status;
    }
    if (!at_end) {
        return dcps_fail(DCPS_LIMIT, "%s: more than the limit of %llu bytes of text", text->path,
                         (unsigned long long)MAX_TEXT_BYTES);
    }
    const uint8_t *zero = memchr(text->bytes, 0, text->count);
    if (zero != NULL) {
        return dcps_fail(DCPS_CORRUPT, "%s: byte %zu is zero: expected text", text->path, (size_t)(zero - text->bytes));
    }
    return DCPS_OK;
}

/* Where we are in a text. */
typedef struct scanner {
    const uint8_t *at;
    const uint8_t *end;
    uint64_t line;   /* of the word found last, from 1 */
    bool line_ended; /* after the word found last */
} scanner;

static scanner scan_from_start(const text_file *text)
{
    return (scanner){.at = text->bytes, .end = text->bytes + text->count, .line = 0, .line_ended = true};
}

static bool is_blank(uint8_t byte)
{
    return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\v' || byte == '\f';
}

/* The next word, or the end of a line as one; false at the end of the text, which also ends a line that has words. */
static bool next_word(scanner *scan, const char **word, size_t *bytes)
{
    while (scan->at < scan->end && is_blank(*scan->at)) {
        scan->at++;
    }
    if (scan->at == scan->end && scan->line_ended) {
        return false;
    }
    scan->line += scan->line_ended;
    scan->line_ended = scan->at == scan->end || *scan->at == '\n';
    if (scan->line_ended) {
        scan->at += scan->at < scan->end;
        *word = end_of_line;
        *bytes = sizeof(end_of_line) - 1;
        return true;
    }
    const uint8_t *first = scan->at;
    while (scan->at < scan->end && *scan->at != '\n' && !is_blank(*scan->at)) {
        scan->at++;
    }
    *word = (const char *)first;
    *bytes = (size_t)(scan->at - first);
    return true;
}

/* Memory for the words of a text, which must have some. */
static dcps_status words_alloc(const text_file *text, int32_t **words)
{
    const char *word;
    size_t bytes, count = 0;
    scanner at = scan_from_start(text);
    while (next_word(&at, &word, &bytes)) {
        count++;
    }
    if (count == 0) {
        return dcps_fail(DCPS_CORRUPT, "%s: expected text, seen no words", text->path);
    }
    *words = dcps_alloc(count, sizeof(**words));
    return *words != NULL ? DCPS_OK : dcps_fail(DCPS_NO_MEMORY, "%s: no memory for %zu words", text->path, count);
}

/* Numbers the words of the training text, and by it the vocabulary. */
static dcps_status learn_words(const text_file *text, opened_corpus *opened)
{
    const char *word;
    size_t bytes, count = 0;
    dcps_vocabulary *vocabulary = &opened->vocabulary;
    dcps_status status = words_alloc(text, &opened->words[0]);
    if (status != DCPS_OK) {
        return status;
    }
    for (scanner at = scan_from_start(text); status == DCPS_OK && next_word(&at, &word, &bytes); count++) {
        status = dcps_vocabulary_add(vocabulary, word, bytes, &opened->words[0][count]);
    }
    if (status != DCPS_OK) {
        return status;
    }
    int32_t *renumbered = dcps_alloc(vocabulary->count, sizeof(*renumbered));
    opened->list = dcps_alloc(vocabulary->count, sizeof(*opened->list));
    if (renumbered == NULL || opened->list == NULL) {
        status = dcps_fail(DCPS_NO_MEMORY, "%s: no memory for %u words", text->path, vocabulary->count);
    } else {
        status = dcps_vocabulary_order(vocabulary, renumbered);
    }
    for (size_t i = 0; status == DCPS_OK && i < count; i++) {
        opened->words[0][i] = renumbered[opened->words[0][i]];
    }
    for (uint32_t i = 0; status == DCPS_OK && i < vocabulary->count; i++) {
        opened->list[i] = vocabulary->texts + vocabulary->words[i].text;
    }
    dcps_free(renumbered);
    opened->corpus.train = (dcps_tokens){.words = opened->words[0], .count = count};
    return status;
}

/* Numbers the words of another text. */
static dcps_status look_up_words(const text_file *text, const dcps_vocabulary *vocabulary, int32_t **words,
                                 dcps_tokens *tokens)
{
    const char *word;
    size_t bytes, count = 0;
    int32_t stand_in = dcps_vocabulary_find(vocabulary, unknown, sizeof(unknown) - 1);
    dcps_status status = words_alloc(text, words);
    if (status != DCPS_OK) {
        return status;
    }
    for (scanner at = scan_from_start(text); next_word(&at, &word, &bytes); count++) {
        int32_t number = dcps_vocabulary_find(vocabulary, word, bytes);
        if (number < 0) {
            number = stand_in;
        }
        if (number < 0) {
            return dcps_fail(DCPS_MISMATCH,
                             "%s: line %llu: the training text has neither the word \"%.*s\" nor %s to stand for it",
                             text->path, (unsigned long long)at.line,
                             (int)(bytes < SHOWN_WORD_BYTES ? bytes : SHOWN_WORD_BYTES), word, unknown);
        }
        (*words)[count] = number;
    }
    *tokens = (dcps_tokens){.words = *words, .count = count};
    return DCPS_OK;
}

static dcps_status read_part(const char *folder, const char *name, int part, opened_corpus *opened)
{
    static const char *const parts[] = {"train", "valid", "test"};
    text_file text = {.bytes = NULL};
    dcps_status status = read_text(folder, name, parts[part], &text);
    if (status == DCPS_OK && part == 0) {
        status = learn_words(&text, opened);
    } else if (status == DCPS_OK) {
        status = look_up_words(&text, &opened->vocabulary, &opened->words[part],
                               part == 1 ? &opened->corpus.validation : &opened->corpus.test);
    }
    dcps_free(text.bytes);
    return status;
}

dcps_status dcps_corpus_open(const char *name, const char *dir, dcps_corpus **corpus)
{
    const dcps_data_place *place = NULL;
    char folder[PATH_MAX];
    for (size_t i = 0; i < sizeof(known_corpora) / sizeof(known_corpora[0]); i++) {
        if (strcmp(known_corpora[i].name, name) == 0) {
            place = &known_corpora[i];
        }
    }
    if (place == NULL) {
        return dcps_fail(DCPS_INVALID, "corpus %s: expected ptb", name);
    }
    dcps_status status = dcps_data_find_folder(place, dir, folder);
    if (status != DCPS_OK) {
        return status;
    }
    opened_corpus *opened = dcps_alloc(1, sizeof(*opened));
    if (opened == NULL) {
        return dcps_fail(DCPS_NO_MEMORY, "corpus %s: no memory", name);
    }
    dcps_corpus *made = &opened->corpus;
    for (int part = 0; status == DCPS_OK && part < 3; part++) {
        status = read_part(folder, name, part, opened);
    }
    if (status != DCPS_OK) {
        dcps_corpus_close(&made);
        return status;
    }
    made->vocabulary = opened->list;
    made->vocabulary_count = opened->vocabulary.count;
    *corpus = made;
    return DCPS_OK;
}

void dcps_corpus_close(dcps_corpus **corpus)
{
    opened_corpus *opened = (opened_corpus *)*corpus;
    if (opened == NULL) {
        return;
    }
    for (int part = 0; part < 3; part++) {
        dcps_free(opened->words[part]);
    }
    dcps_vocabulary_release(&opened->vocabulary);
    dcps_free(opened->list);
    dcps_free(opened);
    *corpus = NULL;
}
