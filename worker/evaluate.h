/* Evaluates the servers' weights at every snapshot of a run, beside training or after it. */
#ifndef DCPS_WORKER_EVALUATE_H
#define DCPS_WORKER_EVALUATE_H

#include <stdio.h>

#include "dcps/client.h"
#include "tensor/backend.h"
#include "worker/loaded_model.h"
#include "worker/metrics.h"
#include "worker/stop.h"

/* "test", "validation" or "train" (asserted), as options have it. */
dcps_split dcps_split_named(const char *name);

typedef struct dcps_evaluate_config {
    const dcps_loaded_model *loaded;
    const dcps_backend *backend;
    dcps_device *device; /* of the backend; NULL: the backend computes in host memory */
    dcps_split split;
    FILE *out;       /* one JSON object a snapshot, flushed */
    dcps_stop *stop; /* watching the client; NULL: nothing ends evaluation early */
} dcps_evaluate_config;

/* The model's metrics of the weights that the tape has now. Errors: those of the model and of the tape. */
DCPS_MUST_CHECK dcps_status dcps_evaluate_model(const dcps_loaded_model *loaded, dcps_tape *tape, dcps_split split,
                                                dcps_metrics *metrics);

/* Loads snapshot after snapshot, letting the servers drop it, and prints the model's metrics. Those that are not there (the run ended before, a server was restarted) are passed over. `client` is a joined
 * observer and is destroyed in any case. Errors: DCPS_NOT_FOUND (the servers keep no snapshots), DCPS_UNSUPPORTED (the model lacks that split), DCPS_IO (out), those of the
 * client, the model and the tape; DCPS_CANCELLED when stopped. */
DCPS_MUST_CHECK dcps_status dcps_evaluate_run(const dcps_evaluate_config *config, dcps_client **client);

/* The line of one snapshot. */
void dcps_evaluate_print(FILE *out, uint64_t index, const dcps_snapshot_info *snapshot, const dcps_model_info *model,
                         const dcps_metrics *metrics);

#endif
