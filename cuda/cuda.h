/* The CUDA backend as C sees it. In a build without the toolkit everything here is there too, and opening a device fails with the reason. */
#ifndef DCPS_CUDA_CUDA_H
#define DCPS_CUDA_CUDA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tensor/backend.h"

/* One GPU as one tape uses it: a stream and library handles. One thread uses it at a time. */
typedef struct dcps_device dcps_device;

/* How many GPUs this process sees, at least one. Errors: DCPS_UNSUPPORTED (this build has no CUDA), DCPS_NOT_FOUND (no driver or no GPU). */
DCPS_MUST_CHECK dcps_status dcps_cuda_count(uint32_t *count);
/* "NVIDIA H100 80GB HBM3, compute capability 9.0, 80300 MiB free of 81089", cut to `capacity`. Errors as of dcps_cuda_open. */
DCPS_MUST_CHECK dcps_status dcps_cuda_describe(uint32_t index, char *text, size_t capacity);

/* Opens GPU `index` of those the process sees; close it with dcps_cuda_close. Errors: DCPS_UNSUPPORTED (this build has no CUDA), DCPS_NOT_FOUND (no
 * driver, no such GPU, or one that is too old), DCPS_SYSTEM. */
DCPS_MUST_CHECK dcps_status dcps_cuda_open(uint32_t index, dcps_device **device);
/* Waits for the work that is under way. Accepts NULL. */
void dcps_cuda_close(dcps_device **device);

/* Whether convolutions, matrix products and the LSTM may round their factors to TF32 (10 bits of mantissa, sums in float32) on tensor cores: on after
 * dcps_cuda_open. Off, they are float32 throughout. */
void dcps_cuda_set_tf32(dcps_device *device, bool allowed);

/* Kernels of every op. All pointers of a call are to memory of call->device. */
const dcps_backend *dcps_cuda_backend(void);

#endif
