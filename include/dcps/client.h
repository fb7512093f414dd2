/* Push and pull from any program: the client of dcps servers. Part of the public interface.
 *
 * A client owns an I/O thread; all functions below are for one caller thread at a time. Vectors are the caller's: `weights` and `gradient` must stay valid until
 * dcps_client_destroy. Weights are complete, and may be read, once declare, wait, abstain, pull or snapshot has returned DCPS_OK. Those of a range that is pushed are overwritten at any
 * time until the next of these returns.
 *
 * Errors. Every function: DCPS_INVALID where it is not due or is given what it cannot take; nothing has changed then. Those that wait for servers also:
 *   DCPS_TIMEOUT    one was silent for `timeout_ms`; it is named. After a wait, abstain or pull, dcps_client_wait goes on waiting, and fails at once while the server stays silent
 *   DCPS_CANCELLED  on request: see dcps_client_cancel
 *   others          final: DCPS_MISMATCH (the servers disagree, or one has lost its parameters), DCPS_PROTOCOL, DCPS_NO_MEMORY, DCPS_SYSTEM, or what a server refuses us with, such as DCPS_LIMIT
 * After a final one, and after any failed declaration or snapshot but DCPS_INVALID and DCPS_NOT_FOUND, finish and destroy are all that is left. */
#ifndef DCPS_CLIENT_H
#define DCPS_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "dcps/layout.h"
#include "dcps/status.h"

typedef struct dcps_client dcps_client;

typedef struct dcps_client_config {
    const char *servers; /* "host:port[,host:port…]", all servers of the run, server 0 first */
    const char *name;    /* shown to people; NULL: "host:pid" */
    bool observer;       /* reads weights and snapshots only; takes no batches, is no member */
    uint32_t
        timeout_ms; /* give up with DCPS_TIMEOUT after a server, or a shard of it, was silent this long; 0: 60,000 */
} dcps_client_config;

/* Settings of the run, as the servers state them. */
typedef struct dcps_run_info {
    uint32_t worker;  /* this worker's id */
    uint32_t workers; /* expected by the servers */
    uint64_t seed;
    uint32_t batch_size;
    uint32_t epochs;
    uint64_t snapshot_every_samples; /* 0: none are kept; UINT64_MAX: once an epoch */
    char algorithm[64];
} dcps_run_info;

/* What to do next. */
typedef enum dcps_work_kind {
    DCPS_WORK_BATCH = 1, /* compute the gradient of mini-batch `batch` and push it */
    DCPS_WORK_ABSTAIN,   /* call dcps_client_abstain: no batch is left now, others are still at work */
    DCPS_WORK_DONE       /* training is over */
} dcps_work_kind;

typedef struct dcps_work {
    dcps_work_kind kind;
    uint64_t batch; /* number over the whole run */
} dcps_work;

/* Connects to all servers, waiting for them in any order of start, and says whom it waits for. Errors: as above, but never DCPS_CANCELLED; DCPS_INVALID for an address that is none. */
DCPS_API DCPS_MUST_CHECK dcps_status dcps_client_connect(const dcps_client_config *config, dcps_client **client);
DCPS_API const dcps_run_info *dcps_client_run_info(const dcps_client *client);

/* Declares the model and pulls the first weights. `weights` [total params] holds the initial values (used if this is the first client). Blocks until the weights are
 * in (a synchronous run: until all workers are there). `gradient` may be NULL for an observer. Errors: as above; DCPS_MISMATCH also where the servers train another layout or on another
 * number of samples (difference named), DCPS_LIMIT where the model is too large for a server, or its names and shapes for a message. */
DCPS_API DCPS_MUST_CHECK dcps_status dcps_client_declare(dcps_client *client, const dcps_layout *layout,
                                                         uint64_t samples_per_epoch, float *weights, float *gradient,
                                                         dcps_work *work);

/* The gradient of parameters [first, first + count) is final: every block that is complete by now leaves. Waits for no server; only, while 256 pushes lie before it, until the I/O thread has
 * taken one. Until the next dcps_client_wait has returned the range must not change. `first` is a multiple of 16; `count` extends to the next one. samples: batch size, the same in all pushes of
 * a step; loss: mean over the batch, likewise. Errors: DCPS_INVALID alone, also for a parameter pushed twice in a step. */
DCPS_API DCPS_MUST_CHECK dcps_status dcps_client_push(dcps_client *client, uint64_t first, uint64_t count,
                                                      uint32_t samples, float loss);
/* Waits until every block pushed has been answered with new weights. All parameters must have been pushed. Errors: as above; call it again after DCPS_TIMEOUT and DCPS_CANCELLED. A gradient
 * that comes too late, or whose server was restarted since, may be dropped, which is no error. */
DCPS_API DCPS_MUST_CHECK dcps_status dcps_client_wait(dcps_client *client, dcps_work *work);
/* Takes part in the round without a gradient, and waits. Between steps only. Errors: as of dcps_client_wait, which goes on waiting. */
DCPS_API DCPS_MUST_CHECK dcps_status dcps_client_abstain(dcps_client *client, dcps_work *work);
/* Pulls the current weights, and waits. Between steps only; not for an observer. Errors: as of dcps_client_wait, which goes on waiting. */
DCPS_API DCPS_MUST_CHECK dcps_status dcps_client_pull(dcps_client *client, dcps_work *work);

typedef struct dcps_snapshot_info {
    uint64_t samples;
    double seconds;    /* of training */
    double train_loss; /* mean since the previous snapshot; NaN when diverged */
} dcps_snapshot_info;

/* Observer: waits for the evaluation snapshot `index` and loads it into the weights. `release`: the servers may drop those before it. Errors: as above; DCPS_NOT_FOUND
 * when the run ended before it or it was released: the next may be asked for, but the weights are of no use. */
DCPS_API DCPS_MUST_CHECK dcps_status dcps_client_snapshot(dcps_client *client, uint32_t index, bool release,
                                                          dcps_snapshot_info *info);

/* Says goodbye: the servers no longer count on this worker. Before DCPS_WORK_DONE that leaves the rest to others: a run without workers waits for one. Due at any time, also after a failure; destroy is all that may follow. Waits at most `timeout_ms` for their answers. Errors:
 * DCPS_TIMEOUT, DCPS_CANCELLED (its lease then ends by itself), DCPS_SYSTEM. */
DCPS_API DCPS_MUST_CHECK dcps_status dcps_client_finish(dcps_client *client, uint32_t timeout_ms);

/* Makes a waiting call of another thread return DCPS_CANCELLED, or the next one where none is waiting; dcps_client_finish forgets what came before it. Async-signal-safe. After a
 * cancelled dcps_client_wait, abstain or pull, dcps_client_wait goes on waiting. */
DCPS_API void dcps_client_cancel(dcps_client *client);

/* Closes everything at once. Accepts NULL inside. */
DCPS_API void dcps_client_destroy(dcps_client **client);

#endif
