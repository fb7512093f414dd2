/* Which samples a mini-batch is made of: a function of (seed, number of the batch) alone, the same for every worker and algorithm. */
#ifndef DCPS_WORKER_SHUFFLE_H
#define DCPS_WORKER_SHUFFLE_H

#include <stdint.h>

#include "dcps/model.h"

typedef struct dcps_shuffle dcps_shuffle;

/* An epoch has ceil(samples / batch_size) batches, the last of which may be shorter. Errors: DCPS_INVALID (no samples or more than UINT32_MAX, no batch size),
 * DCPS_NO_MEMORY. */
DCPS_MUST_CHECK dcps_status dcps_shuffle_create(uint64_t samples, uint32_t batch_size, uint64_t seed,
                                                dcps_shuffle **shuffle);
void dcps_shuffle_destroy(dcps_shuffle **shuffle);

/* Batch `number` of the run: a slice of the permutation drawn from (seed, epoch), as a single worker gets it. Its samples stay valid while no batches of two other epochs are asked for. Allocates nothing;
 * the orders of two epochs are kept, since batches handed out around the end of an epoch come from both. */
dcps_batch dcps_shuffle_batch(dcps_shuffle *shuffle, uint64_t number);

/* One worker's way through its batches. Set `worker` (id modulo workers) and `workers`; the rest starts zeroed. */
typedef struct dcps_batch_cursor {
    uint32_t worker;
    uint32_t workers;
    bool begun;
    uint64_t turn; /* of the latest batch */
} dcps_batch_cursor;

/* Batch `number` as this worker gets it. A worker that comes into a run begins where the others are likely to be. */
dcps_batch dcps_shuffle_next(dcps_shuffle *shuffle, dcps_batch_cursor *cursor, uint64_t number);

uint64_t dcps_shuffle_batches_per_epoch(const dcps_shuffle *shuffle);

#endif
