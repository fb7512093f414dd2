/* The training loop of one worker: mini-batches by ticket, gradients on their way while back-propagation goes on. */
#ifndef DCPS_WORKER_TRAINER_H
#define DCPS_WORKER_TRAINER_H

#include <stdio.h>

#include "base/histogram.h"
#include "dcps/client.h"
#include "tensor/tape.h"
#include "worker/loaded_model.h"
#include "worker/stop.h"

/* One step without servers: loads the batch, runs the model forward and backward. The tape's gradient vector then holds what dcps_tape_backward says, and *loss what
 * dcps_tape_loss says from the first report of a gradient on. After the first steps nothing is allocated. Errors: those of the model and of the tape. */
DCPS_MUST_CHECK dcps_status dcps_trainer_step(const dcps_model *model, void *state, dcps_tape *tape,
                                              const dcps_batch *batch, float *loss);

/* The load of such a step. */
DCPS_MUST_CHECK dcps_status dcps_trainer_load(const dcps_model *model, void *state, const dcps_batch *batch);
/* The part of a step that comes after dcps_tape_reset and load. */
DCPS_MUST_CHECK dcps_status dcps_trainer_compute(const dcps_model *model, void *state, dcps_tape *tape, float *loss);

typedef struct dcps_trainer_config {
    const dcps_loaded_model *loaded;
    const dcps_backend *backend;
    dcps_device *device; /* of the backend; NULL: the backend computes in host memory */
    dcps_stop *stop;     /* NULL: nothing ends training early */
    double slowdown;     /* of this worker's steps, see worker/pace.h; 0: none */
} dcps_trainer_config;

typedef struct dcps_trainer_report {
    uint32_t worker;
    uint64_t steps; /* gradients pushed and answered */
    uint64_t samples;
    double seconds;         /* since the first weights were in */
    double compute_seconds; /* pauses of a slowed-down worker included */
    double wait_seconds;
    dcps_histogram wait_ns; /* of each step: for answers, on the network and at the servers */
    double final_loss;      /* of the latest step; NaN: none was made, or training diverged */
    bool stopped;           /* on request, before training was over */
} dcps_trainer_report;

/* Trains until the servers say that training is over, or until stopped. `client` is joined and no observer; whatever the end, it says goodbye and is destroyed. The report is
 * written in any case. Errors: those of the client, the model and the tape. */
DCPS_MUST_CHECK dcps_status dcps_trainer_run(const dcps_trainer_config *config, dcps_client **client,
                                             dcps_trainer_report *report);

/* One JSON object on a line of its own. */
void dcps_trainer_report_print(const dcps_trainer_report *report, FILE *out);

#endif
