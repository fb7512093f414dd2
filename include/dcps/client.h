/* Push and pull from any program: the client of dcps servers. Part of the public interface.
 *
 * A client owns an I/O thread; all functions below are for one caller thread at a time. Vectors are the caller's: `weights` and `gradient` must stay valid until
 * dcps_client_destroy. Weights are complete, and may be read, whenever dcps_client_pull or dcps_client_wait has returned DCPS_OK. */
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
    uint32_t timeout_ms; /* give up with DCPS_TIMEOUT after a server was silent this long; 0: 60,000 */
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

/* Connects to all servers, waiting for them in any order of start, and says whom it waits for. Errors: DCPS_INVALID (address), DCPS_TIMEOUT (server named), DCPS_MISMATCH
 * (servers disagree on the cluster), DCPS_CANCELLED, DCPS_NO_MEMORY, DCPS_SYSTEM. */
DCPS_API DCPS_MUST_CHECK dcps_status dcps_client_connect(const dcps_client_config *config, dcps_client **client);
DCPS_API const dcps_run_info *dcps_client_run_info(const dcps_client *client);

/* Declares the model and pulls the first weights. `weights` [total params] holds the initial values (used if this is the first client). Blocks until the weights are
 * in (a synchronous run: until all workers are there). `gradient` may be NULL for an observer. Errors: DCPS_MISMATCH (the servers train another layout: difference named), as above. */
DCPS_API DCPS_MUST_CHECK dcps_status dcps_client_declare(dcps_client *client, const dcps_layout *layout,
                                                         uint64_t samples_per_epoch, float *weights, float *gradient,
                                                         dcps_work *work);

/* The gradient of parameters [first, first + count) is final: every block that is complete by now leaves. Does not wait. Until the next dcps_client_wait has returned the
 * range must not change. `first` is a multiple of 16; `count` extends to the next one. samples: batch size; loss: mean over the batch. */
DCPS_API DCPS_MUST_CHECK dcps_status dcps_client_push(dcps_client *client, uint64_t first, uint64_t count,
                                                      uint32_t samples, float loss);
/* Waits until every block pushed has been answered with new weights. All parameters must have been pushed. */
DCPS_API DCPS_MUST_CHECK dcps_status dcps_client_wait(dcps_client *client, dcps_work *work);
/* Takes part in the round without a gradient, and waits. */
DCPS_API DCPS_MUST_CHECK dcps_status dcps_client_abstain(dcps_client *client, dcps_work *work);
/* Pulls the current weights. */
DCPS_API DCPS_MUST_CHECK dcps_status dcps_client_pull(dcps_client *client, dcps_work *work);

typedef struct dcps_snapshot_info {
    uint64_t samples;
    double seconds;    /* of training */
    double train_loss; /* mean since the previous snapshot; NaN when diverged */
} dcps_snapshot_info;

/* Observer: waits for the evaluation snapshot `index` and loads it into the weights. DCPS_NOT_FOUND when the run ended before it. `release`: the servers may drop it. */
DCPS_API DCPS_MUST_CHECK dcps_status dcps_client_snapshot(dcps_client *client, uint32_t index, bool release,
                                                          dcps_snapshot_info *info);

/* Says goodbye: the servers no longer count on this worker. Waits at most `timeout_ms` for their answers. */
DCPS_API DCPS_MUST_CHECK dcps_status dcps_client_finish(dcps_client *client, uint32_t timeout_ms);

/* Makes a waiting call of another thread return DCPS_CANCELLED, or the next one where none is waiting; dcps_client_finish forgets what came before it. Async-signal-safe. After a
 * cancelled dcps_client_wait, abstain or pull, dcps_client_wait goes on waiting. */
DCPS_API void dcps_client_cancel(dcps_client *client);

/* Closes everything at once. Accepts NULL inside. */
DCPS_API void dcps_client_destroy(dcps_client **client);

#endif
