/* What happened at a block: its requests in the order in which they were taken. Given that order, everything else follows from it and from the settings of the run: weights
 * that a worker had are the answers to its own requests, mini-batches come from block 0, initial values from the seed. */
#ifndef DCPS_ENGINE_TAKEN_H
#define DCPS_ENGINE_TAKEN_H

#include <stdint.h>

typedef enum dcps_taken_kind {
    DCPS_TAKEN_PULL = 1,
    DCPS_TAKEN_INIT,
    DCPS_TAKEN_PUSH,    /* with a gradient */
    DCPS_TAKEN_ABSTAIN, /* a push without */
} dcps_taken_kind;

typedef enum dcps_taken_fate {
    DCPS_FATE_NONE = 1, /* there is no gradient */
    DCPS_FATE_APPLIED,  /* at once, or with its round */
    DCPS_FATE_DROPPED,  /* too late */
} dcps_taken_fate;

/* One request that a block took. */
typedef struct dcps_taken {
    dcps_taken_kind kind;
    dcps_taken_fate fate;
    uint32_t block;
    uint32_t worker;
    uint32_t incarnation;
    uint32_t samples; /* of the gradient; 0 without one */
    uint64_t seq;
    uint64_t step;
    uint64_t staleness; /* of a gradient outside synchronous rounds */
    uint64_t away_ns;   /* of a push: since this worker's latest answer from this block left */
} dcps_taken;

/* Called for each request taken, before its answer leaves; repeats are none. */
typedef void (*dcps_taken_fn)(void *context, const dcps_taken *taken, uint64_t now_ns);

#endif
