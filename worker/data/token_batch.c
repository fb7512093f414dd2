#include "base/alloc.h"
#include "dcps/corpus.h"

dcps_tokens dcps_tokens_part(const dcps_tokens *tokens, uint32_t index, uint32_t count)
{
    size_t inputs = tokens->count < 2 || count == 0 || index >= count ? 0 : (tokens->count - 1) / count;
    return (dcps_tokens){.words = tokens->words + index * inputs, .count = inputs == 0 ? 0 : inputs + 1};
}

/* Inputs of each stream. */
static size_t stream_words(const dcps_tokens *tokens, uint32_t streams)
{
    return streams == 0 || tokens->count == 0 ? 0 : (tokens->count - 1) / streams;
}

uint64_t dcps_token_batch_count(const dcps_tokens *tokens, uint32_t streams, uint32_t steps)
{
    size_t words = stream_words(tokens, streams);
    return steps == 0 ? 0 : words / steps + (words % steps != 0);
}

static dcps_status reserve(dcps_token_batch *batch, size_t steps, size_t streams)
{
    size_t words;
    if (__builtin_mul_overflow(steps, streams, &words)) {
        return dcps_fail(DCPS_LIMIT, "token batch: %zu × %zu words are too many", steps, streams);
    }
    if (words <= batch->capacity_words) {
        return DCPS_OK;
    }
    int32_t *inputs = dcps_alloc_aligned(words, sizeof(*inputs));
    int32_t *targets = dcps_alloc_aligned(words, sizeof(*targets));
    if (inputs == NULL || targets == NULL) {
        dcps_free(inputs);
        dcps_free(targets);
        return dcps_fail(DCPS_NO_MEMORY, "token batch: no memory for %zu × %zu words", steps, streams);
    }
    dcps_token_batch_release(batch);
    *batch = (dcps_token_batch){.inputs = inputs, .targets = targets, .capacity_words = words};
    return DCPS_OK;
}

dcps_status dcps_token_batch_load(dcps_token_batch *batch, const dcps_tokens *tokens, uint32_t streams, uint32_t steps,
                                  uint64_t number)
{
    uint64_t batches = dcps_token_batch_count(tokens, streams, steps);
    if (batches == 0) {
        return dcps_fail(DCPS_INVALID,
                         "token batch: a text of %zu words cannot be read as %u streams in batches of %u steps",
                         tokens->count, streams, steps);
    }
    size_t words = stream_words(tokens, streams);
    uint64_t position = number % batches;
    size_t first = (size_t)position * steps;
    size_t count = words - first < steps ? words - first : steps;
    dcps_status status = reserve(batch, words < steps ? words : steps, streams);
    if (status != DCPS_OK) {
        return status;
    }
    for (size_t t = 0; t < count; t++) {
        for (size_t s = 0; s < streams; s++) {
            const int32_t *word = tokens->words + s * words + first + t;
            batch->inputs[t * streams + s] = word[0];
            batch->targets[t * streams + s] = word[1];
        }
    }
    batch->steps = count;
    batch->streams = streams;
    batch->position = position;
    batch->anew = position == 0;
    return DCPS_OK;
}

void dcps_token_batch_release(dcps_token_batch *batch)
{
    dcps_free(batch->inputs);
    dcps_free(batch->targets);
    *batch = (dcps_token_batch){0};
}
