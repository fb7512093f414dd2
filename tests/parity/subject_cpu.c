#include "parity/subject.h"
#include "tensor/cpu/cpu.h"

bool parity_subject_open(parity_subject *subject)
{
    *subject = (parity_subject){.backend = dcps_cpu_backend(), .max_threads = 2};
    return true;
}
