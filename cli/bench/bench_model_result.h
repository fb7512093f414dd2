/* What `dcps bench model` has measured, and how it is shown. */
#ifndef DCPS_CLI_BENCH_MODEL_RESULT_H
#define DCPS_CLI_BENCH_MODEL_RESULT_H

#include "cli/bench/bench_profile.h"
#include "worker/assignments.h"

typedef struct dcps_model_result {
    const char *model;
    const char *dataset;
    const char *device;
    const dcps_assignments *model_options;
    uint32_t threads;
    uint32_t batch_size;
    uint32_t steps;
    uint32_t repeats;
    uint64_t parameters;
    double median; /* seconds of a step */
    double p99;
    double mean;
    double load; /* of which the model needed so many to load its batch, on the mean */
    double loss; /* of the last step */
    double samples_per_second;
    double flops_per_step;
    double product_flops_per_second; /* median of the products between the steps */
    double product_best;
    double allocations_per_step;
    uint64_t step_bytes;
    uint64_t process_bytes;      /* the most memory that the process has had */
    const dcps_profile *profile; /* of all measured steps; NULL: not wanted */
} dcps_model_result;

/* Errors: DCPS_NO_MEMORY, DCPS_IO. */
DCPS_MUST_CHECK dcps_status dcps_model_result_print_json(const dcps_model_result *result);
DCPS_MUST_CHECK dcps_status dcps_model_result_print_text(const dcps_model_result *result);

#endif
