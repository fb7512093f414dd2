/* A cluster in one thread under a virtual clock: the real engines, clients and codec, a network that loses, delays, reorders and duplicates, processes that
 * crash, stall and come back. Everything follows from the seed. */
#ifndef DCPS_SIM_WORLD_H
#define DCPS_SIM_WORLD_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/limits.h"
#include "server/engine/shard.h"

#define DCPS_WORLD_MAX_PROCESSES 64u /* client processes over a whole run, restarts counted */

/* Computes the gradient of mini-batch `batch` at `weights`, both [total params]; returns the loss. `process` counts client processes from 0. */
typedef float (*dcps_gradient_fn)(void *context, uint32_t process, uint64_t batch, const float *weights,
                                  float *gradient);

typedef struct dcps_network_config {
    double loss;        /* probability that a message vanishes */
    double duplication; /* … that it arrives twice */
    uint64_t delay_min_ns;
    uint64_t delay_max_ns; /* uniform in between, so messages overtake each other */
} dcps_network_config;

typedef struct dcps_world_config {
    uint64_t seed;
    dcps_algorithm algorithm;
    dcps_schedule schedule;
    dcps_network_config network;
    uint32_t servers;
    uint32_t shards_per_server;
    uint32_t workers;
    uint32_t epochs;
    uint32_t batch_size;
    uint64_t samples_per_epoch;
    uint32_t params; /* one tensor; initial values are zero */
    uint32_t block_params;
    uint32_t lease_ms;
    uint64_t step_min_ns; /* time to compute a gradient, uniform */
    uint64_t step_max_ns;
    uint32_t client_crashes;      /* a new process takes over after a while */
    uint32_t client_stalls;       /* no process runs for up to three leases, then goes on */
    uint32_t server_crashes;      /* restart from the latest checkpoint, if any */
    uint64_t checkpoint_every_ns; /* 0: none */
    uint64_t trouble_ns;          /* crashes and stalls fall into [0, trouble_ns) */
    uint64_t deadline_ns;         /* a run that lasts longer hangs */
    dcps_gradient_fn gradient;
    void *gradient_context;
} dcps_world_config;

/* What one client process knows of its own pushes to one block. */
typedef struct dcps_push_count {
    uint64_t sent;
    uint64_t acknowledged;
} dcps_push_count;

/* What is left when all clients have finished. Owned by the world. */
typedef struct dcps_world_outcome {
    bool finished; /* every client process ended by DONE, crash or takeover before the deadline */
    uint64_t ended_ns;
    uint32_t processes;
    uint32_t block_count;
    const float *weights;          /* [params padded], of the servers */
    const uint64_t *versions;      /* [block_count] */
    const uint64_t *samples;       /* [block_count] */
    const dcps_push_count *pushes; /* [processes][block_count] */
    uint64_t pushes_applied;
    uint64_t pushes_dropped;
    uint64_t duplicates_ignored;
    uint64_t stale_ignored;
    uint64_t rejected;
    uint64_t messages;
    uint64_t gradients_lost;
    uint64_t rejoins;
    uint64_t leases_expired;
    uint64_t server_crashes;
} dcps_world_outcome;

typedef struct dcps_world dcps_world;

DCPS_MUST_CHECK dcps_status dcps_world_create(const dcps_world_config *config, dcps_world **world);
/* Runs until all clients have finished or the deadline. */
DCPS_MUST_CHECK dcps_status dcps_world_run(dcps_world *world, dcps_world_outcome *outcome);
void dcps_world_destroy(dcps_world **world);

#endif
