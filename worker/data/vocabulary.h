/* Numbers for the words of a text. */
#ifndef DCPS_WORKER_DATA_VOCABULARY_H
#define DCPS_WORKER_DATA_VOCABULARY_H

#include <stddef.h>
#include <stdint.h>

#include "dcps/status.h"

typedef struct dcps_vocabulary_word {
    size_t text; /* where it begins in `texts`; it ends with a zero byte */
    size_t bytes;
    uint64_t occurrences;
} dcps_vocabulary_word;

/* Starts zeroed. A word's number is its place in `words`. */
typedef struct dcps_vocabulary {
    dcps_vocabulary_word *words; /* [count] */
    uint32_t count;
    uint32_t capacity;
    uint32_t *
        slots; /* hash table [slot_count] of numbers + 1, 0: free; slot_count is a power of two, at least half of it free */
    size_t slot_count;
    char *texts;
    size_t text_bytes;
    size_t text_capacity;
} dcps_vocabulary;

/* Counts one occurrence; a new word gets the next number. Errors: DCPS_NO_MEMORY, DCPS_LIMIT (too many words). */
DCPS_MUST_CHECK dcps_status dcps_vocabulary_add(dcps_vocabulary *vocabulary, const char *word, size_t bytes,
                                                int32_t *number);
/* −1: it has not that word. */
int32_t dcps_vocabulary_find(const dcps_vocabulary *vocabulary, const char *word, size_t bytes);
/* Numbers the words by falling occurrences, those with equally many by their present numbers. renumbered[count] gets the new number of each. Errors: DCPS_NO_MEMORY. */
DCPS_MUST_CHECK dcps_status dcps_vocabulary_order(dcps_vocabulary *vocabulary, int32_t *renumbered);
void dcps_vocabulary_release(dcps_vocabulary *vocabulary);

#endif
