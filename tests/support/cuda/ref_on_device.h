/* The reference kernels as work on a stream of the emulated GPU: for tests of what surrounds kernels. */
#ifndef DCPS_TESTS_SUPPORT_CUDA_REF_ON_DEVICE_H
#define DCPS_TESTS_SUPPORT_CUDA_REF_ON_DEVICE_H

#include "tensor/backend.h"

/* For devices opened by dcps_cuda_open of the emulation. */
const dcps_backend *ref_on_device_backend(void);
/* How often a kernel has been called so far; launches of graphs do not count. */
unsigned long ref_on_device_calls(void);
/* Makes the n-th call of a kernel from now (0: the next) fail once, with DCPS_SYSTEM. */
void ref_on_device_fail_after(unsigned long n);

#endif
