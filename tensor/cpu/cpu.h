/* The CPU backend: matrix products, convolutions and transcendental functions by oneDNN, everything else in loops that compilers turn into vector code.
 * Images lie in blocks of channels between its ops. The same inputs and number of threads give the same bits. */
#ifndef DCPS_TENSOR_CPU_CPU_H
#define DCPS_TENSOR_CPU_CPU_H

#include <stdint.h>

#include "tensor/backend.h"

const dcps_backend *dcps_cpu_backend(void);

/* How many threads the ops of the calling thread use, at least 1 and at most OMP_THREAD_LIMIT. Without this call: as many as OpenMP sees fit (OMP_NUM_THREADS, or all cores). */
void dcps_cpu_set_threads(uint32_t threads);

#endif
