/* The shard engine: owns a run of blocks and is a pure state machine over messages. No socket, file, clock, thread or randomness.
 *
 * Its shell decodes what arrives, calls dcps_shard_receive with the time, and sends what the engine emits. All calls for one shard come from one thread. */
#ifndef DCPS_ENGINE_SHARD_H
#define DCPS_ENGINE_SHARD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "proto/message.h"
#include "proto/transport.h"
#include "server/engine/algorithm.h"
#include "server/engine/taken.h"

typedef struct dcps_shard dcps_shard;

/* Takes a message to be sent to `peer`. The callee takes its own reference to `payload` (NULL: none) if it keeps it. */
typedef void (*dcps_emit_fn)(void *context, const dcps_peer *peer, const dcps_message *message, dcps_buffer *payload);

/* What every shard of a server is told at start. */
typedef struct dcps_shard_config {
    uint32_t shard; /* global index */
    dcps_algorithm algorithm;
    dcps_schedule schedule;
    uint32_t workers;        /* bsp and ssp begin when this many have pulled */
    uint64_t start_grace_ns; /* … or when the first of them has waited this long; 0: wait for ever */
    uint32_t epochs;
    uint32_t batch_size;             /* samples; of the ticket book */
    uint64_t snapshot_every_samples; /* 0: keep none; DCPS_SNAPSHOT_EVERY_EPOCH */
    dcps_emit_fn emit;
    void *emit_context;
    dcps_taken_fn taken; /* NULL: nobody wants to know */
    void *taken_context;
} dcps_shard_config;

DCPS_MUST_CHECK dcps_status dcps_shard_create(const dcps_shard_config *config, dcps_shard **shard);
void dcps_shard_destroy(dcps_shard **shard);

/* How often evaluation weights are kept over a run (0: never; DCPS_SNAPSHOT_EVERY_EPOCH), and how many times. `mark_every_samples` is an epoch where none are
 * kept: the loss is averaged over it. DCPS_LIMIT: too many. */
DCPS_MUST_CHECK dcps_status dcps_plan_marks(uint64_t every_samples, uint64_t samples_per_epoch, uint32_t epochs,
                                            uint64_t *mark_every_samples, uint32_t *mark_count);

/* Allocates the blocks of this shard. Once, before the first message about a block. `layout` tells which parameters are averaged instead of trained (NULL: none);
 * it is read during the call only. */
DCPS_MUST_CHECK dcps_status dcps_shard_set_partition(dcps_shard *shard, const dcps_partition *partition,
                                                     const dcps_layout *layout, uint64_t samples_per_epoch);

/* A worker has (again) a session on this server: requests that carry exactly this session are served from now on. A larger incarnation or another token replaces the
 * old session. What the table of last sequence numbers knows of the same incarnation stays. */
DCPS_MUST_CHECK dcps_status dcps_shard_worker_join(dcps_shard *shard, const dcps_session *session, uint64_t now_ns);
typedef enum dcps_departure {
    DCPS_DEPARTURE_DONE = 1, /* goodbye, because all is done */
    DCPS_DEPARTURE_EARLY,    /* goodbye before that */
    DCPS_DEPARTURE_LOST,     /* its lease ran out, it was expelled, or replaced by itself */
} dcps_departure;

/* Its unanswered pushes are dropped, its batch goes back, nobody waits for it any longer. */
void dcps_shard_worker_leave(dcps_shard *shard, uint32_t worker, dcps_departure departure, uint64_t now_ns);

/* One message of the data plane. `payload` is borrowed; the engine takes a reference if it keeps it. Answers, if any, come through emit before this
 * returns or during a later call. Never fails: what cannot be served is answered with ERROR and counted. */
void dcps_shard_receive(dcps_shard *shard, const dcps_peer *peer, const dcps_message *message, dcps_buffer *payload,
                        uint64_t now_ns);

/* Lets time pass: opens a start that has waited long enough. Call a few times a second. */
void dcps_shard_tick(dcps_shard *shard, uint64_t now_ns);

/* This process stood still for `missed_ns` until now: nobody could join meanwhile, so that it counts in no wait for a start. Before the next message or tick. */
void dcps_shard_forgive(dcps_shard *shard, uint64_t missed_ns, uint64_t now_ns);

/* Stop handing out batches (SIGTERM, Ctrl-C): workers get DONE with their next answer. */
void dcps_shard_drain(dcps_shard *shard, uint64_t now_ns);

/* ---- whom others wait for ---- */

#define DCPS_MAX_AWAITED 16u

/* A worker that has had its answer from a block and has sent nothing new to the shard for a while, while others wait for it at that block. */
typedef struct dcps_awaited {
    dcps_session session;
    uint32_t block;     /* where they have waited longest */
    uint64_t waited_ns; /* … for so long */
} dcps_awaited;

typedef struct dcps_awaited_list {
    uint32_t count;
    dcps_awaited items[DCPS_MAX_AWAITED];
} dcps_awaited_list;

/* Adds one: a session is listed once, with its longest wait; when the list is full, whoever is waited for the shortest time gives way. */
void dcps_awaited_add(dcps_awaited_list *list, const dcps_awaited *awaited);
/* Adds all whom a round, the bound of ssp or, at the end of an asp run, a mini-batch waits for. No wait counts from before `woke_ns`, when this process last went on after it had stood still. */
void dcps_shard_awaited(const dcps_shard *shard, uint64_t woke_ns, uint64_t now_ns, dcps_awaited_list *list);

/* Counters and progress. `staleness` is a histogram over all blocks: index τ, the last entry for that many or more. */
typedef struct dcps_shard_stats {
    dcps_run_state state; /* of the shard that holds block 0; WAITING or TRAINING elsewhere */
    uint64_t samples;     /* of the shard's first block, as are updates, training_ns and train_loss */
    uint64_t updates;
    uint64_t training_ns;
    double
        train_loss; /* mean over the samples since the previous evaluation mark, or epoch where none are kept; NAN before the first */
    uint32_t snapshots; /* complete on every block of this shard */
    uint64_t pushes_applied;
    uint64_t pushes_dropped; /* late: beyond the staleness limit, or after their round had closed without them */
    uint64_t dropped_round;  /* of these, the latter */
    uint64_t duplicates_ignored;
    uint64_t stale_ignored;
    uint64_t rejected;
    uint64_t payload_bytes_in;
    uint64_t payload_bytes_out;
    uint64_t early_starts; /* blocks that began before all expected workers had pulled (bsp, ssp) */
    uint64_t blocks_moved; /* times that a block set back by a checkpoint followed the run to where it is */
    bool complete;         /* the model is known and every block has values */
    bool counts_batches;   /* it holds block 0, and with it the book of mini-batches */
    bool weights_final;    /* every worker has left, one of them because all is done, or since the server is stopping */
    uint64_t weights_digest; /* then: of the parameters of this shard (digest.h) */
    dcps_counts staleness;
    dcps_histogram held_ns; /* of pushes, abstaining ones too: from their arrival to the departure of the answer */
    uint64_t queue_now;     /* requests that wait for others */
    uint64_t queue_max;     /* most of them, looked at after each message */
    uint64_t queue_sum;     /* that pushes found when they came, … */
    uint64_t queue_pushes;  /* … and the number of these pushes */
} dcps_shard_stats;

void dcps_shard_stats_get(const dcps_shard *shard, dcps_shard_stats *stats);
/* The same as the statistics of shard `shard`. Its backlog is the shell's to fill in: none. */
void dcps_shard_stats_describe(const dcps_shard_stats *stats, uint32_t shard, dcps_shard_statistics *statistics);
void dcps_shard_stats_histograms(const dcps_shard_stats *stats, dcps_shard_histograms *histograms);

/* What this shard counted of workers: ids below the first, each borrowed until the next call that takes a time. They have no names here. Counting costs no memory
 * beyond sizeof(dcps_worker_statistics) a worker. */
uint32_t dcps_shard_worker_capacity(const dcps_shard *shard);
const dcps_worker_statistics *dcps_shard_worker(const dcps_shard *shard, uint32_t worker);

/* One block as it is, for those who look on. */
typedef struct dcps_block_view {
    const float *weights;    /* [length of the block]; good until the next call */
    uint64_t version;        /* updates applied */
    uint64_t samples;        /* that they were learnt from */
    uint64_t pulled_version; /* of the weights that the worker was sent last */
} dcps_block_view;

/* Shows a block, and where `worker` is with it. False, and nothing shown, where the block is not of this shard, has no values yet, or the worker has not been sent any in this session. */
bool dcps_shard_view(const dcps_shard *shard, uint32_t block, uint32_t worker, dcps_block_view *view);

/* ---- checkpoints: the state of a shard as data ---- */

/* Last request answered for one worker by one block. */
typedef struct dcps_image_seq {
    uint32_t worker;
    uint32_t incarnation;
    uint64_t seq;
} dcps_image_seq;

/* What one worker has at one block. */
typedef struct dcps_image_worker_states {
    uint32_t worker;
    dcps_buffer *values[DCPS_RULE_MAX_WORKER_STATES]; /* copies */
} dcps_image_worker_states;

/* One block. Buffers hold float32[length]; each holds a reference. */
typedef struct dcps_image_block {
    uint32_t block;
    uint64_t version;
    uint64_t samples;
    dcps_buffer *weights;                         /* shared with the engine, not copied */
    dcps_buffer *states[DCPS_RULE_MAX_STATES];    /* copies */
    uint64_t state_updates[DCPS_RULE_MAX_STATES]; /* that each has seen */
    uint32_t worker_states_count;
    dcps_image_worker_states *worker_states; /* of workers that have any, ascending */
    uint32_t seq_count;
    dcps_image_seq *seqs;
} dcps_image_block;

/* One shard. */
typedef struct dcps_shard_image {
    uint32_t block_count;
    dcps_image_block *blocks; /* initialised blocks only, ascending */
    bool has_tickets;         /* true on the shard of block 0 */
    uint64_t ticket_next;
    uint32_t ticket_open_count;
    uint64_t *ticket_open;
    uint64_t training_ns;
    bool done; /* the last worker had left because all was done */
} dcps_shard_image;

/* The state now. On success the image belongs to the caller. */
DCPS_MUST_CHECK dcps_status dcps_shard_export(const dcps_shard *shard, dcps_shard_image *image);
void dcps_shard_image_fini(dcps_shard_image *image);

/* Restores those blocks of the image that this shard owns, after set_partition and before the first message. State arrays that are NULL start at zero; those of workers
 * beyond the expected number are taken out, because nobody may come for them.
 * DCPS_MISMATCH (block length), DCPS_CORRUPT (tickets). */
DCPS_MUST_CHECK dcps_status dcps_shard_import(dcps_shard *shard, const dcps_shard_image *image);

#endif
