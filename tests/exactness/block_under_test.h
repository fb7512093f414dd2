/* A block with its arrays, set up for a test of the update rules. */
#ifndef DCPS_TESTS_BLOCK_UNDER_TEST_H
#define DCPS_TESTS_BLOCK_UNDER_TEST_H

#include <stddef.h>

#include "base/rng.h"
#include "compensate/rule.h"

enum { BLOCK_WORKERS = 4 };

/* A block under test, with room behind each array whose bytes no update may touch. */
typedef struct block_under_test {
    dcps_rule *rule;
    dcps_rule_block block;
    float *gradient;
    float *pulled;
    float *snapshot;
    float *worker_states[BLOCK_WORKERS][DCPS_RULE_MAX_WORKER_STATES];
    uint32_t worker;    /* who pushes next */
    uint32_t workers;   /* how many push in turn; 1 unless set */
    uint64_t staleness; /* of the next push */
    double step_next;   /* step size of the push after the next; 0: that of each call */
    double step_max;    /* largest step size of the schedule; 0: that of each call */
} block_under_test;

void block_open(block_under_test *under_test, const dcps_rule_config *config, size_t count);
/* Checks the bytes behind the arrays, then frees. */
void block_close(block_under_test *under_test);
void block_apply(block_under_test *under_test, double step_size);
/* The state called `name` of parameter `index`, of the block or of the worker that pushes next; 0 where the rule has none. */
double block_state(const block_under_test *under_test, const char *name, size_t index);

/* Normal numbers times `scale`. */
void fill_normal(dcps_rng *rng, float *values, size_t count, double scale);

#endif
