/* The C rooms as CUDA C++ sees them. */
#ifndef DCPS_CUDA_ROOM_CUH
#define DCPS_CUDA_ROOM_CUH

/* Before the others, so that C++ headers are not read as C. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

extern "C" {
#include "base/alloc.h"
#include "base/log.h"
#include "cuda/cuda.h"
#include "cuda/kernels.h"
#include "tensor/backend.h"
#include "tensor/ops.h"
#include "tensor/philox.h"
}

#endif
