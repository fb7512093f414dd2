/* Calls of a model's functions. A model says by dcps_fail why one failed; whether it did or not, the message names model and function. */
#ifndef DCPS_WORKER_MODEL_CALL_H
#define DCPS_WORKER_MODEL_CALL_H

#include "dcps/model.h"

/* Before the call: what failed earlier is no reason for what may fail now. */
void dcps_model_call_begin(void);
/* After it: returns `status`, of a failure with the message put into context. */
DCPS_MUST_CHECK dcps_status dcps_model_call_end(const dcps_model *model, const char *function, dcps_status status);

#endif
