/* What a program of parity tests holds to `ref`: each links one of the files that define it. */
#ifndef DCPS_TESTS_PARITY_SUBJECT_H
#define DCPS_TESTS_PARITY_SUBJECT_H

#include <stdbool.h>

#include "tensor/backend.h"

typedef struct parity_subject {
    const dcps_backend *backend;
    dcps_device *device;  /* NULL: the host */
    uint32_t max_threads; /* tried, from one on */
    bool one_process;     /* a device that was opened does not survive a fork */
} parity_subject;

#define DCPS_TEST_SKIPPED 77

/* False, having said why: it cannot be had here. */
bool parity_subject_open(parity_subject *subject);

#endif
