/* A block with its arrays, set up for a test of the update rules. */
#ifndef DCPS_TESTS_BLOCK_UNDER_TEST_H
#define DCPS_TESTS_BLOCK_UNDER_TEST_H

#include <stddef.h>

#include "base/rng.h"
#include "compensate/rule.h"

/* A block under test, with room behind each array whose bytes no update may touch. */
typedef struct block_under_test {
    dcps_rule *rule;
    dcps_rule_block block;
    float *gradient;
    float *pulled;
    float *snapshot;
} block_under_test;

void block_open(block_under_test *under_test, const dcps_rule_config *config, size_t count);
/* Checks the bytes behind the arrays, then frees. */
void block_close(block_under_test *under_test);
void block_apply(block_under_test *under_test, double step_size);
/* The state called `name` of parameter `index`, 0 where the rule has none. */
double block_state(const block_under_test *under_test, const char *name, size_t index);

/* Normal numbers times `scale`. */
void fill_normal(dcps_rng *rng, float *values, size_t count, double scale);

#endif
