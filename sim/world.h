/* A cluster in one thread under a virtual clock: the real engines, clients and codec, workers whose steps take the time they are told, a network that has latency and bandwidth and may lose,
 * reorder and duplicate, processes that crash, stall and come back. Everything follows from the seed. */
#ifndef DCPS_SIM_WORLD_H
#define DCPS_SIM_WORLD_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/limits.h"
#include "proto/message.h"
#include "proto/run_statistics.h"
#include "server/engine/shard.h"
#include "sim/step_times.h"

/* One mini-batch that a client process is to learn from. */
typedef struct dcps_world_step {
    uint32_t process; /* client processes are counted from 0, those that take over included */
    uint32_t worker;  /* its id */
    uint64_t batch;   /* number of the mini-batch over the run */
} dcps_world_step;

/* What is trained; zeroed: nothing is computed, gradients are zero. The calls come from the thread that runs the world; a failure ends the run. */
typedef struct dcps_world_model {
    /* The step begins at `weights` [total params], which are good during the call only. */
    dcps_status (*begin)(void *context, const dcps_world_step *step, const float *weights);
    /* The gradient [total params], the loss and the batch size of the step that the process began last. Not called for a process that crashed meanwhile. */
    dcps_status (*finish)(void *context, uint32_t process, float *gradient, float *loss, uint32_t *samples);
    /* The servers' weights at a mark; NULL: nothing is evaluated. `info` and `weights` are good during the call only. */
    dcps_status (*evaluate)(void *context, const dcps_snapshot_reply *info, const float *weights);
    void *context;
} dcps_world_model;

/* A gradient that is about to be pushed. Vectors are [total params], good during the call only. */
typedef struct dcps_world_push {
    uint32_t process;
    uint32_t worker;
    uint64_t batch;     /* number of the mini-batch over the run */
    uint32_t samples;   /* of it */
    uint64_t seen;      /* samples that block 0 has learnt from */
    uint64_t staleness; /* updates of block 0 since the worker pulled */
    const float *gradient;
    const float *pulled;  /* weights that it was computed at */
    const float *weights; /* of the servers, now */
} dcps_world_push;

/* Each worker and each server has one link, which carries a message at a time in each direction. */
typedef struct dcps_network_config {
    double loss;             /* probability that a message vanishes */
    double duplication;      /* … that it arrives twice */
    uint64_t latency_ns;     /* one way */
    uint64_t jitter_ns;      /* uniform from 0 on top of it, so that messages overtake each other */
    double bytes_per_second; /* of a link; 0: no limit */
    double payload_scale;    /* payloads count as so many times their bytes; 0: 1 */
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
    uint64_t snapshot_every_samples; /* as in dcps_shard_config */
    const dcps_layout *layout;       /* the caller's */
    uint32_t block_params;           /* 0: chosen */
    uint32_t lease_ms;
    uint64_t start_grace_ns;
    uint64_t round_timeout_ns;  /* that others wait for a worker before it is left out; 0: for ever */
    uint64_t start_spread_ns;   /* workers start at random within it; 0: all at once */
    dcps_step_times step_times; /* of a gradient */
    uint32_t
        cores; /* that workers, while they compute, and shards, while they update, share; 0: each has one of its own */
    const double *slowdowns;      /* [workers]: factors of step times, by worker id; NULL: 1. The caller's */
    double params_per_second;     /* that a shard updates; 0: updates take no time */
    uint64_t stop_every_ns;       /* mean time between a worker's stops; 0: none */
    uint64_t stop_ns;             /* length of a stop */
    uint32_t client_crashes;      /* a new process takes over after a while */
    uint32_t client_stalls;       /* no process runs for up to three leases, then goes on */
    uint32_t server_crashes;      /* restart from the latest checkpoint, if any */
    uint64_t checkpoint_every_ns; /* 0: none */
    uint64_t trouble_ns;          /* crashes and stalls fall into [0, trouble_ns) */
    uint64_t deadline_ns;         /* a run that lasts longer hangs */
    const char *settings;         /* all that updates depend on, in words, as dcps-server says it; NULL: not known */
    const char *record_dir;       /* where the run is recorded as a trace; NULL: nowhere. The caller's, like the next */
    const char *replay_dir;       /* a trace to be followed; NULL: none */
    dcps_world_model model;
    /* Shown every gradient before it is pushed, unless a server is down. It must change nothing. NULL: nobody looks. A failure ends the run. */
    dcps_status (*watch)(void *context, const dcps_world_push *push);
    void *watch_context;
    bool stop_diverged; /* end when weights are no numbers any more */
    /* Told of the samples that workers know to have been learnt from, whenever there are more, and now and then. NULL: nobody is told. Returns false to end the run. */
    bool (*progress)(void *context, uint64_t samples, uint64_t now_ns);
    void *progress_context;
} dcps_world_config;

/* What one client process knows of its own pushes to one block. */
typedef struct dcps_push_count {
    uint64_t sent;
    uint64_t acknowledged;
} dcps_push_count;

/* How long one client process waited for answers, as a worker reports it. */
typedef struct dcps_world_wait {
    uint32_t worker;        /* its id */
    uint64_t trained_ns;    /* from the first weights to its end, or that of the run; 0: it never had any */
    dcps_histogram wait_ns; /* of each step, from the end of its computation to the last answer */
} dcps_world_wait;

/* What is left when all clients have finished. Owned by the world. */
typedef struct dcps_world_outcome {
    bool finished; /* every client process ended by DONE, crash or takeover before the deadline */
    bool diverged; /* ended because weights were no numbers any more */
    bool stopped;  /* … because `progress` said so */
    uint64_t ended_ns;
    uint32_t processes;
    uint32_t block_count;
    uint64_t total_params;
    const float *weights;          /* [total params], of the servers */
    const uint64_t *versions;      /* [block_count] */
    const uint64_t *samples;       /* [block_count] */
    const dcps_push_count *pushes; /* [processes][block_count] */
    uint64_t training_ns;          /* of block 0: first weights to latest update */
    double train_loss;             /* as in dcps_shard_stats, of block 0 */
    uint64_t pushes_applied;
    uint64_t pushes_dropped;
    uint64_t duplicates_ignored;
    uint64_t stale_ignored;
    uint64_t rejected;
    dcps_counts staleness;                 /* over all blocks */
    const dcps_run_statistics *statistics; /* shards in the last lives of their servers, workers over all lives */
    const dcps_world_wait *waits;          /* [processes] */
    uint64_t messages;
    uint64_t gradients_lost;
    uint64_t rejoins;
    uint64_t leases_expired; /* and workers left out because others had waited for them */
    uint64_t server_crashes;
    bool weights_final;      /* every worker has left, one of them because all was done */
    uint64_t weights_digest; /* then: of the model, as in dcps_shard_stats */
    bool recorded;           /* a trace, completely */
} dcps_world_outcome;

typedef struct dcps_world dcps_world;

DCPS_MUST_CHECK dcps_status dcps_world_create(const dcps_world_config *config, dcps_world **world);
/* Runs until all clients have finished or the deadline. DCPS_MISMATCH: it does not follow the trace, or came to other weights; DCPS_IO: the trace cannot be written. */
DCPS_MUST_CHECK dcps_status dcps_world_run(dcps_world *world, dcps_world_outcome *outcome);
void dcps_world_destroy(dcps_world **world);

#endif
