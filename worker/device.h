/* What computes: the processors of this machine, or a GPU. */
#ifndef DCPS_WORKER_DEVICE_H
#define DCPS_WORKER_DEVICE_H

#include <stdint.h>

#include "tensor/backend.h"

/* Zeroed: nothing is open. */
typedef struct dcps_compute {
    const dcps_backend *backend;
    dcps_device *device; /* NULL: computes in host memory */
} dcps_compute;

/* For --help. */
#define DCPS_DEVICE_VALUE_NAME "cpu|cuda[:N]"

/* Whether `name` is a device that there could be: "cpu", "cuda" (the first GPU) or "cuda:N". DCPS_INVALID: what is expected. */
DCPS_MUST_CHECK dcps_status dcps_device_check(const char *name);

/* Opens the device; on processors `threads` compute. Errors: DCPS_INVALID (see above), DCPS_UNSUPPORTED (this build has no CUDA), DCPS_NOT_FOUND (no driver, no such GPU,
 * one that is too old), DCPS_NO_MEMORY, DCPS_SYSTEM. */
DCPS_MUST_CHECK dcps_status dcps_compute_open(const char *name, uint32_t threads, dcps_compute *compute);
/* After the tapes that use it. */
void dcps_compute_close(dcps_compute *compute);

#endif
