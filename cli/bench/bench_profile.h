/* Where the time of a step goes, by op and pass. */
#ifndef DCPS_CLI_BENCH_PROFILE_H
#define DCPS_CLI_BENCH_PROFILE_H

#include "tensor/tape.h"

typedef struct dcps_profile_row {
    dcps_op op;
    dcps_pass pass;
    uint64_t calls;
    double seconds;
    double flops;
} dcps_profile_row;

/* A row for each op and pass, in the order of the ops; those with no calls count for nothing. A zeroed struct is empty. */
typedef struct dcps_profile {
    dcps_profile_row rows[DCPS_OP_COUNT * DCPS_PASS_COUNT];
} dcps_profile;

/* Of type dcps_tape_watch_fn; the context is a dcps_profile. */
void dcps_profile_watch(void *profile, const dcps_call *call, dcps_pass pass, uint64_t duration_ns);

/* Rows that were called, longest first, into `sorted`; returns how many. */
size_t dcps_profile_sort(const dcps_profile *profile, dcps_profile_row sorted[DCPS_OP_COUNT * DCPS_PASS_COUNT]);

double dcps_profile_flops(const dcps_profile *profile);
double dcps_profile_seconds(const dcps_profile *profile);

#endif
