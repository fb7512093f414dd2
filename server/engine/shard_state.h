/* What a shard engine remembers. Only files of server/engine include this. */
#ifndef DCPS_ENGINE_SHARD_STATE_H
#define DCPS_ENGINE_SHARD_STATE_H

#include "server/engine/shard.h"
#include "server/engine/tickets.h"

/* Why a worker's latest request for a block has no answer yet. */
typedef enum dcps_wait {
    DCPS_WAIT_NOTHING = 0, /* answered */
    DCPS_WAIT_INIT,        /* pull: the block has no values yet */
    DCPS_WAIT_START,       /* pull: too few workers are there to begin */
    DCPS_WAIT_ROUND,       /* push: the synchronous round is open */
    DCPS_WAIT_OTHERS,      /* push applied: too far ahead of the slowest worker */
    DCPS_WAIT_TICKET,      /* push applied: no mini-batch is left, others are under way (block 0, asp) */
} dcps_wait;

/* One worker at one block. */
typedef struct dcps_slot {
    uint32_t incarnation; /* that last_seq belongs to */
    uint64_t last_seq;    /* latest request taken; 0: none */
    dcps_wait wait;
    dcps_peer peer;      /* where its answer goes */
    dcps_buffer *pulled; /* W_bak: the weights this worker was sent last; NULL: none in this session */
    uint64_t pulled_version;
    bool push_waits;       /* the latest request is a push without an answer yet */
    uint64_t asked_ns;     /* when the latest request came */
    uint64_t answered_ns;  /* when the latest answer left */
    uint64_t step;         /* of the latest request */
    uint64_t clock;        /* latest step done: pushed and answered, or skipped by joining later */
    dcps_buffer *gradient; /* WAIT_ROUND: the push; NULL: abstained */
    uint32_t samples;      /* of that push */
    float loss;
    dcps_ticket ticket;                                /* in the latest answer */
    float *worker_states[DCPS_RULE_MAX_WORKER_STATES]; /* one allocation, made for the first push; NULL: zero */
} dcps_slot;

/* Weights kept for evaluation. */
typedef struct dcps_mark {
    dcps_buffer *weights;
    uint64_t version;
    uint64_t samples;
    uint64_t training_ns;
    double train_loss;
} dcps_mark;

#define DCPS_MAX_SNAPSHOT_WAITERS 8u

/* An observer's request for a mark not reached yet. */
typedef struct dcps_snapshot_waiter {
    bool used;
    dcps_peer peer;
    uint32_t index;
    bool release;
} dcps_snapshot_waiter;

/* Parameters of a block that are averaged instead of trained, padding included: both multiples of 16. */
typedef struct dcps_average {
    uint32_t first;
    uint32_t count;
    float rate;
} dcps_average;

typedef struct dcps_block {
    uint32_t index;
    uint32_t length; /* parameters */
    bool initialised;
    bool started;              /* pulls are answered */
    bool restored;             /* from a checkpoint, and not yet compared with how far the run is */
    uint32_t initialiser;      /* worker asked for the values; DCPS_MAX_WORKERS: nobody */
    uint64_t waiting_since_ns; /* first pull held before the start; 0: none */
    dcps_rule_block arrays;    /* weights and states, one allocation */
    uint32_t average_count;
    dcps_average *averages; /* ascending; NULL: all parameters are trained */
    dcps_buffer *latest;    /* snapshot equal to the weights: what is evaluated and saved */
    dcps_buffer *shown;     /* what answers carry: the same one, unless the rule looks ahead */
    uint64_t closed_step;   /* latest round closed */
    uint64_t version;
    uint64_t samples;
    uint64_t samples_missed;    /* of gradients too late or refused as NOT_PULLED, in this life of the server */
    uint64_t started_ns;        /* first answer with weights */
    uint64_t trained_before_ns; /* training time a checkpoint brought along */
    uint64_t updated_ns;        /* latest update */
    double loss_sum;            /* Σ loss · samples since the previous mark */
    uint64_t loss_samples;
    double loss_mean; /* of the previous mark; NAN before the first */
    uint32_t marks_reached;
    uint32_t marks_released; /* an observer needs none before this one any more */
    dcps_mark *marks;        /* [mark_count of the shard] */
    dcps_snapshot_waiter waiters[DCPS_MAX_SNAPSHOT_WAITERS];
    uint32_t waiter_turn; /* whose place goes to another when none is free */
    dcps_slot *slots;     /* [slot_capacity of the shard], by worker id */
} dcps_block;

typedef struct dcps_member {
    bool live;
    bool came_after_end; /* others had left at the end when it joined, and it has pushed nothing yet */
    dcps_session session;
    uint64_t took_ns; /* when the latest of its requests was taken, at whichever block */
} dcps_member;

struct dcps_shard {
    dcps_shard_config config;
    dcps_rule *rule;
    bool has_partition;
    dcps_partition partition;
    uint64_t samples_per_epoch;
    uint64_t mark_every_samples; /* epoch resolved; an epoch also where no weights are kept, for the loss */
    uint32_t mark_count;         /* weights kept a block */
    uint32_t first_block;
    uint32_t block_count;
    dcps_block *blocks;
    dcps_pool *pool;     /* snapshots */
    float *mean;         /* scratch of a synchronous round, one block long */
    const float **round; /* scratch: gradients of a round, [slot_capacity] */
    uint32_t slot_capacity;
    dcps_member members[DCPS_MAX_WORKERS];
    uint32_t live_count;
    bool any_done; /* a worker left because all is done, and nobody who came later has pushed since */
    bool draining;
    dcps_tickets *tickets;           /* shard of block 0 only */
    dcps_shard_stats stats;          /* counters; progress is read from the blocks */
    dcps_worker_statistics *workers; /* [slot_capacity] */
};

/* ---- requests.c ---- */
/* Whether requests that carry this session are served. session->worker < DCPS_MAX_WORKERS. */
bool dcps_session_is_live(const dcps_shard *shard, const dcps_session *session);

/* ---- shard.c ---- */
/* Whether nobody will change the weights any more: all have left, and all is done or the server is stopping. */
bool dcps_shard_is_over(const dcps_shard *shard);
/* Makes room for a worker id beyond those expected. */
dcps_status dcps_shard_reserve_slot(dcps_shard *shard, uint32_t worker);

/* ---- block.c ---- */
dcps_status dcps_block_init(dcps_shard *shard, dcps_block *block, const dcps_layout *layout, uint32_t index);
void dcps_block_fini(dcps_shard *shard, dcps_block *block);
/* Sets the weights for the first time, the states being what they are. `values` [length]. */
dcps_status dcps_block_set_weights(dcps_shard *shard, dcps_block *block, const float *values);
/* What one update is made from. */
typedef struct dcps_block_push {
    const float *gradient; /* [length] */
    const float *pulled;   /* [length], as in dcps_rule_push */
    dcps_slot *slot;       /* whose push it is; NULL: the mean of a round */
    uint64_t staleness;
    uint64_t samples;
    double loss_sum;
} dcps_block_push;

/* One update. Nothing changed unless DCPS_OK. */
dcps_status dcps_block_update(dcps_shard *shard, dcps_block *block, const dcps_block_push *push, uint64_t now_ns);
/* Room for what a worker has at a block, zero at first; there already: nothing happens. */
dcps_status dcps_block_reserve_worker(const dcps_shard *shard, const dcps_block *block, dcps_slot *slot);
/* A worker is lost: what it has is taken out of the states of the block. */
void dcps_block_forget_worker(const dcps_shard *shard, const dcps_block *block, dcps_slot *slot);
/* Begins a slot anew for an incarnation; what the worker has at the block stays. */
void dcps_slot_reset(dcps_slot *slot, uint32_t incarnation, uint64_t last_seq);
uint64_t dcps_block_training_ns(const dcps_block *block);
/* A worker knows that the run is at `run_samples` samples (0: it does not know). A block that a checkpoint has set back follows, so that schedule, evaluation and end are
 * the same on all servers. Block 0, where the mini-batches are counted, leads. */
void dcps_block_follow(dcps_shard *shard, dcps_block *block, uint64_t run_samples);
/* Forgets what a slot waits for: an unanswered push is dropped. */
void dcps_slot_drop_request(dcps_shard *shard, dcps_slot *slot);
/* The worker is gone. A push that was waiting for its round was never applied, so its number counts as new when it comes again. */
void dcps_slot_leave(dcps_shard *shard, dcps_slot *slot);

/* ---- counts.c: what workers and requests went through ---- */
/* Whether and for what a slot waits from now on. All changes go through here: the shard counts those that wait. */
void dcps_slot_set_wait(dcps_shard *shard, dcps_slot *slot, dcps_wait wait);
/* A push was taken and waits, for a moment or longer. */
void dcps_count_arrival(dcps_shard *shard, dcps_slot *slot, uint64_t now_ns);
/* The answer of a slot leaves; counts if it is that of a push. */
void dcps_count_answer(dcps_shard *shard, uint32_t worker, dcps_slot *slot, uint64_t now_ns);
void dcps_count_applied(dcps_shard *shard, const dcps_block *block, uint32_t worker, uint64_t staleness);
/* `round`: it had closed; else by the largest staleness. */
void dcps_count_dropped(dcps_shard *shard, uint32_t worker, bool round);
void dcps_count_duplicate(dcps_shard *shard, uint32_t worker);
/* A message has been served. */
void dcps_count_queue(dcps_shard *shard);

/* ---- answer.c ---- */
/* Sends the current weights (they become W_bak) and, from block 0, a ticket; or leaves the slot waiting for one. */
void dcps_answer_grant(dcps_shard *shard, dcps_block *block, uint32_t worker, uint64_t now_ns);
/* Sends the latest answer once more. */
void dcps_answer_again(dcps_shard *shard, dcps_block *block, uint32_t worker);
void dcps_answer_notice(dcps_shard *shard, const dcps_peer *peer, dcps_message_type type, const dcps_request *request);
/* Counts and answers a request that cannot be served. */
void dcps_answer_error(dcps_shard *shard, const dcps_peer *peer, dcps_status status, const dcps_request *request,
                       const char *format, ...) __attribute__((format(printf, 5, 6)));

/* ---- consistency.c ---- */
/* Takes a push that was found in order: applies it now or keeps it for the round. `payload` NULL: abstained. Writes fate and staleness into *taken. Nothing changed unless
 * DCPS_OK. */
dcps_status dcps_consistency_push(dcps_shard *shard, dcps_block *block, uint32_t worker, const dcps_push_pull *push,
                                  dcps_buffer *payload, dcps_taken *taken, uint64_t now_ns);
/* Answers whatever may be answered now: after a push, a pull, a leave, a drain, or time. */
void dcps_consistency_settle(dcps_shard *shard, dcps_block *block, uint64_t now_ns);
/* The same after a push of one worker, which under asp concerns nobody else, except where mini-batches are handed out: a thousand workers cost no more than one. */
void dcps_consistency_settle_push(dcps_shard *shard, dcps_block *block, uint32_t worker, uint64_t now_ns);
/* Whether a worker counts in the rounds and clocks of a block. */
bool dcps_consistency_is_member(const dcps_shard *shard, const dcps_block *block, uint32_t worker);
/* Clock of the slowest member; UINT64_MAX without one. */
uint64_t dcps_consistency_slowest_clock(const dcps_shard *shard, const dcps_block *block);
/* Latest step that a member has reached: a newcomer counts from there, so that nobody waits for steps it never took part in. */
uint64_t dcps_consistency_latest_step(const dcps_shard *shard, const dcps_block *block);

/* ---- snapshots.c ---- */
/* Mean loss over the samples since the previous mark; NAN before the first update. */
double dcps_snapshots_recent_loss(const dcps_block *block);
/* Marks that lie within the first `samples` samples. */
uint32_t dcps_snapshots_passed(const dcps_shard *shard, uint64_t samples);
/* Goes on at `samples` samples, forwards or back: marks in between are kept by nobody, marks to come are still to be reached. */
void dcps_snapshots_move(dcps_shard *shard, dcps_block *block, uint64_t samples);
/* After an update: keeps the weights if a mark was reached, and answers who waits for it. */
void dcps_snapshots_update(dcps_shard *shard, dcps_block *block);
void dcps_snapshots_request(dcps_shard *shard, dcps_block *block, const dcps_peer *peer,
                            const dcps_snapshot_request *request);
/* The last worker is gone: who waits for marks that will not come is answered. */
void dcps_snapshots_settle(dcps_shard *shard, dcps_block *block);

#endif
