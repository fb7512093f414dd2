#include "worker/data/vocabulary.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/hash.h"

#define FIRST_SLOTS ((size_t)1 << 12)
/* 2^26 words take some 3 GiB: more than any corpus has. */
#define MAX_WORDS (UINT32_C(1) << 26)

static dcps_status no_memory(const dcps_vocabulary *vocabulary)
{
    return dcps_fail(DCPS_NO_MEMORY, "vocabulary: no memory for more than %u words", vocabulary->count);
}

/* The slot of a word, or the free one where it would be. There is a table. */
static size_t slot_of(const dcps_vocabulary *vocabulary, const char *word, size_t bytes)
{
    size_t mask = vocabulary->slot_count - 1;
    uint64_t hash = dcps_hash_bytes(DCPS_HASH_START, word, bytes);
    size_t slot = (size_t)(hash ^ hash >> 32) & mask;
    for (; vocabulary->slots[slot] != 0; slot = (slot + 1) & mask) {
        const dcps_vocabulary_word *found = &vocabulary->words[vocabulary->slots[slot] - 1];
        if (found->bytes == bytes && memcmp(vocabulary->texts + found->text, word, bytes) == 0) {
            break;
        }
    }
    return slot;
}

static void enter_all(dcps_vocabulary *vocabulary)
{
    memset(vocabulary->slots, 0, vocabulary->slot_count * sizeof(*vocabulary->slots));
    for (uint32_t i = 0; i < vocabulary->count; i++) {
        const dcps_vocabulary_word *word = &vocabulary->words[i];
        vocabulary->slots[slot_of(vocabulary, vocabulary->texts + word->text, word->bytes)] = i + 1;
    }
}

static dcps_status reserve_word(dcps_vocabulary *vocabulary)
{
    if (vocabulary->count == MAX_WORDS) {
        return dcps_fail(DCPS_LIMIT, "vocabulary: more than the limit of %u words", MAX_WORDS);
    }
    if (vocabulary->count == vocabulary->capacity) {
        uint32_t capacity = vocabulary->capacity == 0 ? FIRST_SLOTS / 2 : 2 * vocabulary->capacity;
        dcps_vocabulary_word *words = dcps_realloc(vocabulary->words, capacity, sizeof(*words));
        if (words == NULL) {
            return no_memory(vocabulary);
        }
        vocabulary->words = words;
        vocabulary->capacity = capacity;
    }
    if (2 * ((size_t)vocabulary->count + 1) > vocabulary->slot_count) {
        size_t slot_count = vocabulary->slot_count == 0 ? FIRST_SLOTS : 2 * vocabulary->slot_count;
        uint32_t *slots = dcps_alloc(slot_count, sizeof(*slots));
        if (slots == NULL) {
            return no_memory(vocabulary);
        }
        dcps_free(vocabulary->slots);
        vocabulary->slots = slots;
        vocabulary->slot_count = slot_count;
        enter_all(vocabulary);
    }
    return DCPS_OK;
}

static dcps_status reserve_text(dcps_vocabulary *vocabulary, size_t bytes)
{
    size_t wanted = vocabulary->text_bytes + bytes;
    if (wanted <= vocabulary->text_capacity) {
        return DCPS_OK;
    }
    size_t capacity = 2 * wanted;
    char *texts = dcps_realloc(vocabulary->texts, capacity, 1);
    if (texts == NULL) {
        return no_memory(vocabulary);
    }
    vocabulary->texts = texts;
    vocabulary->text_capacity = capacity;
    return DCPS_OK;
}

dcps_status dcps_vocabulary_add(dcps_vocabulary *vocabulary, const char *word, size_t bytes, int32_t *number)
{
    int32_t known = dcps_vocabulary_find(vocabulary, word, bytes);
    if (known < 0) {
        dcps_status status = reserve_word(vocabulary);
        if (status == DCPS_OK) {
            status = reserve_text(vocabulary, bytes + 1);
        }
        if (status != DCPS_OK) {
            return status;
        }
        known = (int32_t)vocabulary->count++;
        vocabulary->words[known] = (dcps_vocabulary_word){.text = vocabulary->text_bytes, .bytes = bytes};
        vocabulary->slots[slot_of(vocabulary, word, bytes)] = (uint32_t)known + 1;
        memcpy(vocabulary->texts + vocabulary->text_bytes, word, bytes);
        vocabulary->texts[vocabulary->text_bytes + bytes] = '\0';
        vocabulary->text_bytes += bytes + 1;
    }
    vocabulary->words[known].occurrences++;
    *number = known;
    return DCPS_OK;
}

int32_t dcps_vocabulary_find(const dcps_vocabulary *vocabulary, const char *word, size_t bytes)
{
    return vocabulary->slot_count == 0 ? -1 : (int32_t)vocabulary->slots[slot_of(vocabulary, word, bytes)] - 1;
}

typedef struct ranked {
    dcps_vocabulary_word word;
    int32_t number;
} ranked;

static int compare(const void *left, const void *right)
{
    const ranked *a = left, *b = right;
    if (a->word.occurrences != b->word.occurrences) {
        return a->word.occurrences > b->word.occurrences ? -1 : 1;
    }
    return (a->number > b->number) - (a->number < b->number);
}

dcps_status dcps_vocabulary_order(dcps_vocabulary *vocabulary, int32_t *renumbered)
{
    ranked *order = dcps_alloc(vocabulary->count, sizeof(*order));
    if (order == NULL) {
        return no_memory(vocabulary);
    }
    for (uint32_t i = 0; i < vocabulary->count; i++) {
        order[i] = (ranked){.word = vocabulary->words[i], .number = (int32_t)i};
    }
    qsort(order, vocabulary->count, sizeof(*order), compare);
    for (uint32_t i = 0; i < vocabulary->count; i++) {
        vocabulary->words[i] = order[i].word;
        renumbered[order[i].number] = (int32_t)i;
    }
    dcps_free(order);
    if (vocabulary->count > 0) {
        enter_all(vocabulary);
    }
    return DCPS_OK;
}

void dcps_vocabulary_release(dcps_vocabulary *vocabulary)
{
    dcps_free(vocabulary->words);
    dcps_free(vocabulary->slots);
    dcps_free(vocabulary->texts);
    *vocabulary = (dcps_vocabulary){0};
}
