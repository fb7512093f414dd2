/* Text for language models: words as numbers, and batches of them for truncated back-propagation through time. Part of the public interface. */
#ifndef DCPS_CORPUS_H
#define DCPS_CORPUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dcps/status.h"

/* Running text. */
typedef struct dcps_tokens {
    const int32_t *words; /* [count], numbers of the vocabulary */
    size_t count;
} dcps_tokens;

/* A text to learn from and two to measure on, in the vocabulary of the first. */
typedef struct dcps_corpus {
    dcps_tokens train;
    dcps_tokens validation;
    dcps_tokens test;
    const char *const *
        vocabulary; /* [vocabulary_count]; the most frequent word first, of equally frequent ones the one that came first */
    uint32_t vocabulary_count;
} dcps_corpus;

/* Opens "ptb": ptb.train.txt, ptb.valid.txt and ptb.test.txt, plain, .gz or .xz, in DIR/ptb or DIR. Words are what stands between blanks; "<eos>" is one more at the end of each
 * line. A word that the training text lacks is read as "<unk>". Errors name the file: DCPS_INVALID (no such corpus), DCPS_NOT_FOUND, DCPS_CORRUPT (damaged, no words, a zero byte),
 * DCPS_MISMATCH (an unknown word, named with its line, and no "<unk>" in the training text), DCPS_LIMIT, DCPS_IO, DCPS_NO_MEMORY. */
DCPS_API DCPS_MUST_CHECK dcps_status dcps_corpus_open(const char *name, const char *dir, dcps_corpus **corpus);
DCPS_API void dcps_corpus_close(dcps_corpus **corpus);

/* Part `index` of `count` equal, contiguous ones: parts overlap by the word that one predicts last and the next begins with. Of a text too short for that, a part may have no words. */
DCPS_API dcps_tokens dcps_tokens_part(const dcps_tokens *tokens, uint32_t index, uint32_t count);

/* A batch of text in memory of its own that grows to the largest batch seen. Starts zeroed: dcps_token_batch batch = {0}. */
typedef struct dcps_token_batch {
    int32_t *inputs;   /* [steps, streams] */
    int32_t *targets;  /* [steps, streams], the word that follows each input */
    size_t steps;      /* fewer in the last batch of an epoch */
    size_t streams;    /* read side by side */
    uint64_t position; /* of the batch in its epoch: state carried over fits if it comes from position − 1 */
    bool anew;         /* position 0: the streams begin, state starts from nothing */
    size_t capacity_words;
} dcps_token_batch;

/* Batches of `steps` in an epoch. The text is cut into `streams` parts of (count − 1) / streams inputs each, and up to streams − 1 words at its end are left out; the last batch has
 * the steps that remain. 0 when the text is too short for one step, or streams or steps is 0. */
DCPS_API uint64_t dcps_token_batch_count(const dcps_tokens *tokens, uint32_t streams, uint32_t steps);
/* Batch `number` of the run; numbers go on from epoch to epoch. On failure the batch is as before. Errors: DCPS_INVALID (no batch can be had: see above), DCPS_NO_MEMORY, DCPS_LIMIT. */
DCPS_API DCPS_MUST_CHECK dcps_status dcps_token_batch_load(dcps_token_batch *batch, const dcps_tokens *tokens,
                                                           uint32_t streams, uint32_t steps, uint64_t number);
/* Frees its memory; the batch is zeroed. */
DCPS_API void dcps_token_batch_release(dcps_token_batch *batch);

#endif
