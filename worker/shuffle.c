#include "worker/shuffle.h"

#include <inttypes.h>

#include "base/alloc.h"
#include "base/rng.h"

#define KEPT_EPOCHS 2u

typedef struct epoch_order {
    bool known;
    uint64_t epoch;
    uint64_t used; /* when, for replacing the one not used longest */
    uint32_t *samples;
} epoch_order;

struct dcps_shuffle {
    uint32_t samples;
    uint32_t batch_size;
    uint64_t seed;
    uint64_t batches_per_epoch;
    uint64_t uses;
    epoch_order orders[KEPT_EPOCHS];
};

dcps_status dcps_shuffle_create(uint64_t samples, uint32_t batch_size, uint64_t seed, dcps_shuffle **shuffle)
{
    if (samples == 0 || samples > UINT32_MAX || batch_size == 0) {
        return dcps_fail(DCPS_INVALID,
                         "%" PRIu64
                         " samples in batches of %u: expected 1 to %u samples and a batch size of at least 1",
                         samples, batch_size, UINT32_MAX);
    }
    dcps_shuffle *made = dcps_alloc(1, sizeof(*made));
    if (made == NULL) {
        return dcps_fail(DCPS_NO_MEMORY, "no memory for the order of samples");
    }
    made->samples = (uint32_t)samples;
    made->batch_size = batch_size;
    made->seed = seed;
    made->batches_per_epoch = (samples + batch_size - 1) / batch_size;
    for (uint32_t i = 0; i < KEPT_EPOCHS; i++) {
        made->orders[i].samples = dcps_alloc(samples, sizeof(uint32_t));
        if (made->orders[i].samples == NULL) {
            dcps_shuffle_destroy(&made);
            return dcps_fail(DCPS_NO_MEMORY, "no memory for the order of %" PRIu64 " samples", samples);
        }
    }
    *shuffle = made;
    return DCPS_OK;
}

void dcps_shuffle_destroy(dcps_shuffle **shuffle)
{
    dcps_shuffle *old = *shuffle;
    *shuffle = NULL;
    if (old == NULL) {
        return;
    }
    for (uint32_t i = 0; i < KEPT_EPOCHS; i++) {
        dcps_free(old->orders[i].samples);
    }
    dcps_free(old);
}

static const uint32_t *order_of(dcps_shuffle *shuffle, uint64_t epoch)
{
    epoch_order *oldest = &shuffle->orders[0];
    for (uint32_t i = 0; i < KEPT_EPOCHS; i++) {
        epoch_order *order = &shuffle->orders[i];
        if (order->known && order->epoch == epoch) {
            order->used = ++shuffle->uses;
            return order->samples;
        }
        oldest = order->used < oldest->used ? order : oldest;
    }
    dcps_rng rng;
    dcps_rng_seed_stream(&rng, shuffle->seed, "epoch", epoch);
    dcps_rng_permutation(&rng, oldest->samples, shuffle->samples);
    oldest->known = true;
    oldest->epoch = epoch;
    oldest->used = ++shuffle->uses;
    return oldest->samples;
}

dcps_batch dcps_shuffle_batch(dcps_shuffle *shuffle, uint64_t number)
{
    uint64_t epoch = number / shuffle->batches_per_epoch;
    uint64_t first = number % shuffle->batches_per_epoch * shuffle->batch_size;
    uint64_t left = shuffle->samples - first;
    return (dcps_batch){
        .number = number,
        .epoch = epoch,
        .seed = shuffle->seed,
        .samples = order_of(shuffle, epoch) + first,
        .count = left < shuffle->batch_size ? (uint32_t)left : shuffle->batch_size,
        .size = shuffle->batch_size,
        .workers = 1,
        .turn = number,
    };
}

dcps_batch dcps_shuffle_next(dcps_shuffle *shuffle, dcps_batch_cursor *cursor, uint64_t number)
{
    dcps_batch batch = dcps_shuffle_batch(shuffle, number);
    cursor->turn = cursor->begun && cursor->workers > 1 ? cursor->turn + 1 : number / cursor->workers;
    cursor->begun = true;
    batch.worker = cursor->worker;
    batch.workers = cursor->workers;
    batch.turn = cursor->turn;
    return batch;
}

uint64_t dcps_shuffle_batches_per_epoch(const dcps_shuffle *shuffle)
{
    return shuffle->batches_per_epoch;
}
