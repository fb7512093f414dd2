#include <stdio.h>

#include "cuda/cuda.h"
#include "parity/subject.h"

/* In float32 throughout, which is what the bounds are for. */
bool parity_subject_open(parity_subject *subject)
{
    *subject = (parity_subject){.backend = dcps_cuda_backend(), .max_threads = 1, .one_process = true};
    if (dcps_cuda_open(0, &subject->device) != DCPS_OK) {
        printf("skipped: %s\n", dcps_error_message());
        return false;
    }
    dcps_cuda_set_tf32(subject->device, false);
    return true;
}
