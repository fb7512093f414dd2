/* Every message of the protocol as a plain struct. PROTOCOL.md says who sends what when; wire.h turns these into bytes and back. */
#ifndef DCPS_PROTO_MESSAGE_H
#define DCPS_PROTO_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/histogram.h"
#include "dcps/layout.h"
#include "dcps/status.h"
#include "proto/limits.h"
#include "proto/partition.h"

/* name, protobuf field number in Header.body, may carry a payload. Append, never renumber. */
#define DCPS_MESSAGE_MAP(X)                                                                                            \
    /* control plane */                                                                                                \
    X(HELLO, 10, false)                                                                                                \
    X(WELCOME, 11, false)                                                                                              \
    X(LAYOUT, 12, false)                                                                                               \
    X(LAYOUT_REPLY, 13, false)                                                                                         \
    X(HEARTBEAT, 14, false)                                                                                            \
    X(HEARTBEAT_REPLY, 15, false)                                                                                      \
    X(FINISH, 16, false)                                                                                               \
    X(FINISH_REPLY, 17, false)                                                                                         \
    X(STATUS, 18, false)                                                                                               \
    X(STATUS_REPLY, 19, false)                                                                                         \
    X(CHECKPOINT, 20, false)                                                                                           \
    X(CHECKPOINT_REPLY, 21, false)                                                                                     \
    X(ERROR, 22, false)                                                                                                \
    /* data plane */                                                                                                   \
    X(PULL, 30, false)                                                                                                 \
    X(INIT, 31, true)                                                                                                  \
    X(PUSH_PULL, 32, true)                                                                                             \
    X(WEIGHTS, 33, true)                                                                                               \
    X(NEED_INIT, 34, false)                                                                                            \
    X(QUERY, 35, false)                                                                                                \
    X(PENDING, 36, false)                                                                                              \
    X(RESEND, 37, false)                                                                                               \
    X(SNAPSHOT, 38, false)                                                                                             \
    X(SNAPSHOT_REPLY, 39, true)

typedef enum dcps_message_type {
#define DCPS_MESSAGE_ENUM(name, number, payload) DCPS_MESSAGE_##name = (number),
    DCPS_MESSAGE_MAP(DCPS_MESSAGE_ENUM)
#undef DCPS_MESSAGE_ENUM
} dcps_message_type;

/* "PUSH_PULL"; "UNKNOWN" outside the map. */
const char *dcps_message_name(dcps_message_type type);
bool dcps_message_may_carry_payload(dcps_message_type type);

/* Who a worker is: id given by server 0, incarnation raised when another process takes the id over, token drawn by each server
 * for each of its lives. */
typedef struct dcps_session {
    uint32_t worker; /* < DCPS_MAX_WORKERS */
    uint32_t incarnation;
    uint64_t token;
} dcps_session;

typedef enum dcps_role { DCPS_ROLE_WORKER = 1, DCPS_ROLE_OBSERVER = 2 } dcps_role;

/* Worker or observer introduces itself to a server. Repeats with the same nonce get the same session. */
typedef struct dcps_hello {
    dcps_role role;
    uint64_t nonce;    /* drawn once by the process; names it for its whole life */
    bool has_identity; /* worker and incarnation below were given by server 0 earlier */
    uint32_t worker;
    uint32_t incarnation;
    uint32_t server_index; /* position of this server in the sender's list */
    uint32_t server_count; /* length of that list */
    const char *name;      /* "host:pid", for people */
} dcps_hello;

typedef struct dcps_welcome {
    dcps_session session; /* token 0 for an observer */
    uint64_t nonce;       /* that of the HELLO answered */
    uint32_t server_index;
    uint32_t server_count;
    uint32_t shards_per_server;
    uint32_t lease_ms;   /* silence after which the worker counts as dead */
    uint64_t seed;       /* of initial values and sample order */
    uint32_t batch_size; /* samples */
    uint32_t epochs;
    uint32_t workers;                /* the number that the servers expect */
    uint64_t snapshot_every_samples; /* 0: the server keeps no snapshots for evaluation; DCPS_SNAPSHOT_EVERY_EPOCH */
    const char *algorithm;           /* preset name, for people */
    const char *settings;            /* all that updates depend on, in words: equal on all servers of a run */
    uint32_t endpoint_count;         /* == shards_per_server */
    const char *const *endpoints;    /* of this server's shards, ZeroMQ form */
} dcps_welcome;

/* The model as one worker declares it. The first declaration fixes it; later ones must be equal. */
typedef struct dcps_layout_message {
    dcps_session session; /* token 0 for an observer */
    uint64_t nonce;
    uint64_t samples_per_epoch;
    uint32_t tensor_count;
    const dcps_layout_tensor *tensors;
} dcps_layout_message;

typedef struct dcps_layout_reply {
    uint64_t nonce;
    uint64_t
        run; /* drawn when the model was declared first and kept in checkpoints: another one means that the parameters were lost */
    dcps_partition partition;
} dcps_layout_reply;

/* HEARTBEAT, FINISH. */
typedef struct dcps_session_message {
    dcps_session session;
    bool done; /* FINISH: all samples were learnt from; false: the worker leaves before */
} dcps_session_message;

/* HEARTBEAT_REPLY, FINISH_REPLY. */
typedef struct dcps_session_reply {
    dcps_session session;
} dcps_session_reply;

typedef enum dcps_run_state {
    DCPS_RUN_WAITING = 1, /* for workers or for a layout */
    DCPS_RUN_TRAINING,
    DCPS_RUN_DRAINING, /* no batch is left to hand out, some are under way */
    DCPS_RUN_DONE,     /* every batch applied, or the run was stopped */
} dcps_run_state;

/* Gradients of blocks, counted by what became of them. */
typedef struct dcps_push_counts {
    uint64_t applied;
    uint64_t dropped_stale; /* late by the largest staleness or more */
    uint64_t dropped_round; /* their round had closed without them */
    uint64_t duplicates;    /* repeated requests, answered without applying */
} dcps_push_counts;

/* What shards counted of one worker. Waiting is counted of all pushes, also those that abstain. */
typedef struct dcps_worker_statistics {
    uint32_t worker;
    char name[DCPS_MAX_NAME_BYTES]; /* as it introduced itself; "" where only a shard speaks */
    uint64_t steps;                 /* gradients applied to the first block of the shard that saw most of them */
    dcps_push_counts pushes;
    dcps_histogram staleness; /* of the gradients applied */
    dcps_histogram held_ns;   /* from the arrival of a push to the departure of its answer */
} dcps_worker_statistics;

/* What one shard counted. A request is held while its answer has to wait for others: for a round, a bound, a mini-batch, the start. */
typedef struct dcps_shard_statistics {
    uint32_t shard;   /* over all servers */
    uint64_t updates; /* of its first block */
    dcps_push_counts pushes;
    dcps_summary staleness;
    dcps_summary held_ns;
    uint64_t queue_now; /* requests held */
    uint64_t queue_max; /* most at a time */
    double queue_mean;  /* that a push found when it came; NaN before the first */
    uint64_t
        backlog_max; /* messages that the shard took from its socket before it ran dry, once it had woken: the most, … */
    double backlog_mean; /* … and the mean over all wake-ups; NaN before the first, and where there is no socket */
} dcps_shard_statistics;

/* The same in full. Of staleness 1024 stands for more, too. */
typedef struct dcps_shard_histograms {
    dcps_histogram staleness;
    dcps_histogram held_ns;
} dcps_shard_histograms;

/* STATUS: what is asked for beyond the counters of the server: workers, histograms of shards, or neither. */
typedef struct dcps_status_request {
    bool workers;          /* the statistics of workers from this one on, as many as fit */
    uint32_t first_worker; /* 0 unless `workers` */
    bool histograms;       /* those of shards from this one of the server on, as many as fit */
    uint32_t first_shard;  /* 0 unless `histograms` */
} dcps_status_request;

/* Counters of one server, sums over its shards. */
typedef struct dcps_status_reply {
    uint32_t server_index;
    uint32_t server_count;
    dcps_run_state state;
    uint64_t samples; /* applied to block 0 (server 0), else to the server's first block */
    uint64_t samples_per_epoch;
    uint32_t epochs;
    uint64_t updates;     /* of that same block: its version */
    uint64_t training_ns; /* from the first batch handed out to the latest update of that block */
    double
        train_loss; /* mean over the samples since the previous evaluation mark, or epoch where none are kept; NAN before the first */
    uint32_t workers_live;
    uint32_t workers_expected;
    uint32_t workers_lost;       /* leases expired so far */
    uint32_t snapshots;          /* evaluation snapshots complete on this server */
    uint64_t pushes_applied;     /* over all blocks */
    uint64_t pushes_dropped;     /* too late: by the largest staleness, or after their round had closed */
    uint64_t duplicates_ignored; /* repeated requests answered without applying */
    uint64_t stale_ignored;      /* requests older than the last one answered */
    uint64_t rejected_messages;  /* malformed, oversized, unknown session, … */
    uint64_t payload_bytes_in;
    uint64_t payload_bytes_out;
    const dcps_counts *staleness; /* over all blocks of the server; NULL: nothing was counted */
    bool weights_final; /* every worker has left, one of them because all is done, or since the server is stopping */
    uint64_t
        weights_digest; /* then: of this server's parameters; those of all servers sum up, modulo 2^64, to that of the model. Else 0 */
    const char *algorithm;
    uint64_t dropped_round;        /* of the pushes dropped, those after their round had closed */
    const dcps_histogram *held_ns; /* over all shards of the server; NULL: nothing was counted */
    uint32_t shard_count;          /* of the server, ascending; 0: it does not tell */
    const dcps_shard_statistics *shards;
    bool has_workers; /* asked for; the four below are 0 otherwise */
    uint32_t first_worker;
    uint32_t next_worker;  /* ask from here for the rest; 0: there is no more */
    uint32_t worker_count; /* ascending, all between first_worker and next_worker that the server knows */
    const dcps_worker_statistics *workers;
    uint32_t first_shard;     /* place in `shards` of the first with histograms */
    uint32_t histogram_count; /* of it and those after it; 0: not asked for, or there is no such shard */
    const dcps_shard_histograms *histograms;
} dcps_status_reply;

typedef struct dcps_checkpoint_reply {
    dcps_status status;
    const char *text; /* path written, or what went wrong */
} dcps_checkpoint_reply;

/* Answer to anything that cannot be served. Names the request it answers where that could be read. */
typedef struct dcps_error_message_body {
    dcps_status status;
    bool has_block;
    uint32_t block;
    uint64_t seq;
    const char *text;
    uint64_t token; /* SESSION: of the session that is unknown or has ended; 0: not told */
} dcps_error_message_body;

/* PULL, QUERY, INIT, and the head of PUSH_PULL. seq counts a worker's requests for one block, across PULL, INIT and PUSH_PULL: a repeat carries
 * the same number, a new request a larger one. step counts the worker's steps, the same number for all blocks of a step; by it rounds and staleness
 * bounds are kept. A new step is larger than every step and clock seen before. */
typedef struct dcps_request {
    dcps_session session;
    uint32_t block;
    uint64_t seq;
    uint64_t step;        /* PUSH_PULL: that of the gradient; else the latest begun, 0 before the first */
    uint64_t run_samples; /* of block 0 in its latest answer to this worker: how far the run is; 0: not known */
} dcps_request;

/* Payload: float32[block length], or none when samples == 0 ("abstain": takes part in the round, contributes nothing). */
typedef struct dcps_push_pull {
    dcps_request request;
    uint32_t samples; /* batch size of this gradient */
    float loss;       /* mean over the batch */
} dcps_push_pull;

typedef enum dcps_ticket_kind {
    DCPS_TICKET_NONE = 1, /* this block hands out no tickets (all but block 0) */
    DCPS_TICKET_BATCH,    /* train on batch `number` */
    DCPS_TICKET_ABSTAIN,  /* no batch is left, others are under way: abstain in this round and ask again */
    DCPS_TICKET_DONE,     /* every batch is applied */
} dcps_ticket_kind;

/* Number of a mini-batch over the whole run: epoch = number / batches per epoch. */
typedef struct dcps_ticket {
    dcps_ticket_kind kind;
    uint64_t number;
} dcps_ticket;

/* Answer to PULL, INIT and PUSH_PULL. Payload: float32[block length]. */
typedef struct dcps_weights {
    uint32_t worker;
    uint32_t incarnation;
    uint32_t block;
    uint64_t seq;
    uint64_t version; /* updates of the block that these weights show */
    uint64_t samples; /* applied to the block so far */
    uint64_t clock;   /* the worker's latest step done at this block; of one that just joined, that of the others */
    dcps_ticket ticket;
    uint64_t token; /* of the session that has these weights; 0: not told */
} dcps_weights;

/* NEED_INIT (send INIT with a larger seq), PENDING (received, answer will come), RESEND (not received, send again). */
typedef struct dcps_notice {
    uint32_t worker;
    uint32_t incarnation;
    uint32_t block;
    uint64_t seq;
} dcps_notice;

/* Weights of a block as they were when its count of samples first reached (index + 1) * snapshot_every_samples. Needs no session.
 * Held until there; answered with the final weights when the run is done short of it. */
typedef struct dcps_snapshot_request {
    uint32_t block;
    uint32_t index;
    bool release; /* the server may drop the snapshots before this one */
} dcps_snapshot_request;

typedef struct dcps_snapshot_reply {
    uint32_t block;
    uint32_t index;
    bool available; /* false: the run ended before, or it was released; then no payload */
    uint64_t version;
    uint64_t samples;
    uint64_t training_ns;
    double train_loss; /* mean over the samples since the previous snapshot */
} dcps_snapshot_reply;

/* One message. Texts and arrays belong to whoever made it: after decoding, to the arena. */
typedef struct dcps_message {
    dcps_message_type type;
    union {
        dcps_hello hello;
        dcps_welcome welcome;
        dcps_layout_message layout;
        dcps_layout_reply layout_reply;
        dcps_session_message session;     /* HEARTBEAT, FINISH */
        dcps_session_reply session_reply; /* HEARTBEAT_REPLY, FINISH_REPLY */
        dcps_status_request status;
        dcps_status_reply status_reply;
        dcps_checkpoint_reply checkpoint_reply; /* CHECKPOINT has no body */
        dcps_error_message_body error;
        dcps_request request; /* PULL, INIT, QUERY */
        dcps_push_pull push_pull;
        dcps_weights weights;
        dcps_notice notice; /* NEED_INIT, PENDING, RESEND */
        dcps_snapshot_request snapshot;
        dcps_snapshot_reply snapshot_reply;
    } body;
} dcps_message;

#endif
