/* Gradients of a model plugin for a simulated world: computed by a few threads while the world's clock stands still only where it needs one. Each gradient is computed by one thread from the weights
 * that its step began with, so results do not depend on the number of threads. */
#ifndef DCPS_SIM_GRADIENTS_H
#define DCPS_SIM_GRADIENTS_H

#include <stdint.h>

#include "dcps/model.h"
#include "sim/world.h"
#include "worker/metrics.h"

typedef struct dcps_gradients dcps_gradients;

/* Texts are borrowed for the life of the object. */
typedef struct dcps_gradients_config {
    const char *model;              /* as for dcps_plugin_open */
    const char *const *assignments; /* [assignment_count] model options "key=value" */
    size_t assignment_count;
    const char *data_dir;
    const char *device;    /* "cpu", "cuda[:N]" */
    uint32_t threads;      /* that compute gradients at the same time; a GPU is used by one */
    uint32_t each_threads; /* of one gradient: its bits may depend on it. 0: 1 */
    uint32_t workers;
    uint32_t processes; /* of clients over the whole run */
    uint64_t seed;
    uint32_t batch_size;
    dcps_split split; /* to evaluate on */
    bool again;       /* dcps_gradients_again will be called */
    /* Told of each evaluation. */
    void (*evaluated)(void *context, const dcps_snapshot_reply *info, const dcps_metrics *metrics);
    void *evaluated_context;
} dcps_gradients_config;

/* Opens the model as often as threads, or workers where it carries state, need one. Errors: those of dcps_loaded_model_open, dcps_device_check and dcps_shuffle_create;
 * DCPS_INVALID where gradients cannot be computed again without changing the run, because the model carries state; DCPS_NO_MEMORY, DCPS_SYSTEM (threads). */
DCPS_MUST_CHECK dcps_status dcps_gradients_create(const dcps_gradients_config *config, dcps_gradients **gradients);
/* Waits for what is being computed. */
void dcps_gradients_destroy(dcps_gradients **gradients);

const dcps_layout *dcps_gradients_layout(const dcps_gradients *gradients);
const dcps_model_info *dcps_gradients_info(const dcps_gradients *gradients);
/* For dcps_world_config. Failures are those of the model and the tape. */
dcps_world_model dcps_gradients_model(dcps_gradients *gradients);

/* The gradient [total params] of samples [first, first + count) of the mini-batch that `process` (of the context, a dcps_gradients) began last, at other weights, clipped as the model wants it. Changes nothing
 * of the run. From the thread that runs the world, between the finish of that step and the begin of the next; needs `again`. Errors as of `finish`. */
DCPS_MUST_CHECK dcps_status dcps_gradients_again(void *context, uint32_t process, uint32_t first, uint32_t count,
                                                 const float *weights, float *gradient);

#endif
