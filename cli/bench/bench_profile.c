#include "cli/bench/bench_profile.h"

#include <stdlib.h>

#include "base/clock.h"

enum { ROWS = DCPS_OP_COUNT * DCPS_PASS_COUNT };

void dcps_profile_watch(void *profile, const dcps_call *call, dcps_pass pass, uint64_t duration_ns)
{
    dcps_profile *self = profile;
    dcps_profile_row *row = &self->rows[(size_t)call->op * DCPS_PASS_COUNT + pass];
    row->op = call->op;
    row->pass = pass;
    row->calls++;
    row->seconds += (double)duration_ns / (double)DCPS_NS_PER_S;
    row->flops += dcps_call_flops(call, pass);
}

static int longest_first(const void *left, const void *right)
{
    const double a = ((const dcps_profile_row *)left)->seconds;
    const double b = ((const dcps_profile_row *)right)->seconds;
    return (a < b) - (a > b);
}

size_t dcps_profile_sort(const dcps_profile *profile, dcps_profile_row sorted[ROWS])
{
    size_t count = 0;
    for (size_t i = 0; i < ROWS; i++) {
        if (profile->rows[i].calls > 0) {
            sorted[count++] = profile->rows[i];
        }
    }
    qsort(sorted, count, sizeof(*sorted), longest_first);
    return count;
}

double dcps_profile_flops(const dcps_profile *profile)
{
    double sum = 0.0;
    for (size_t i = 0; i < ROWS; i++) {
        sum += profile->rows[i].flops;
    }
    return sum;
}

double dcps_profile_seconds(const dcps_profile *profile)
{
    double sum = 0.0;
    for (size_t i = 0; i < ROWS; i++) {
        sum += profile->rows[i].seconds;
    }
    return sum;
}
