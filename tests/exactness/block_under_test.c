#include "exactness/block_under_test.h"

#include <check.h>
#include <string.h>

#include "base/alloc.h"

/* One cache line behind each array holds a pattern. */
#define GUARD_PARAMS 16u
static const unsigned char guard_byte = 0xa5;

static float *guarded_alloc(size_t count)
{
    float *values = dcps_alloc_aligned(count + GUARD_PARAMS, sizeof(float));
    ck_assert_ptr_nonnull(values);
    memset(values + count, guard_byte, GUARD_PARAMS * sizeof(float));
    return values;
}

static void guarded_free(float *values, size_t count)
{
    if (values == NULL) {
        return;
    }
    const unsigned char *guard = (const unsigned char *)(values + count);
    for (size_t i = 0; i < GUARD_PARAMS * sizeof(float); i++) {
        ck_assert_msg(guard[i] == guard_byte, "byte %zu behind an array of %zu parameters was written", i, count);
    }
    dcps_free(values);
}

void block_open(block_under_test *under_test, const dcps_rule_config *config, size_t count)
{
    *under_test = (block_under_test){.block = {.count = count}, .workers = 1};
    ck_assert_int_eq(dcps_rule_create(config, &under_test->rule), DCPS_OK);
    under_test->block.weights = guarded_alloc(count);
    for (uint32_t i = 0; i < dcps_rule_state_count(under_test->rule); i++) {
        under_test->block.states[i] = guarded_alloc(count);
    }
    for (uint32_t worker = 0; worker < BLOCK_WORKERS; worker++) {
        for (uint32_t i = 0; i < dcps_rule_worker_state_count(under_test->rule); i++) {
            under_test->worker_states[worker][i] = guarded_alloc(count);
        }
    }
    under_test->gradient = guarded_alloc(count);
    under_test->pulled = guarded_alloc(count);
    under_test->snapshot = guarded_alloc(count);
}

void block_close(block_under_test *under_test)
{
    const size_t count = under_test->block.count;
    guarded_free(under_test->block.weights, count);
    for (uint32_t i = 0; i < DCPS_RULE_MAX_STATES; i++) {
        guarded_free(under_test->block.states[i], count);
    }
    for (uint32_t worker = 0; worker < BLOCK_WORKERS; worker++) {
        for (uint32_t i = 0; i < DCPS_RULE_MAX_WORKER_STATES; i++) {
            guarded_free(under_test->worker_states[worker][i], count);
        }
    }
    guarded_free(under_test->gradient, count);
    guarded_free(under_test->pulled, count);
    guarded_free(under_test->snapshot, count);
    dcps_rule_destroy(&under_test->rule);
}

void block_apply(block_under_test *under_test, double step_size)
{
    dcps_rule_push push = {.gradient = under_test->gradient,
                           .pulled = under_test->pulled,
                           .step_size = (float)step_size,
                           .step_size_next = (float)(under_test->step_next > 0.0 ? under_test->step_next : step_size),
                           .step_size_max = (float)(under_test->step_max > 0.0 ? under_test->step_max : step_size),
                           .staleness = under_test->staleness,
                           .workers = under_test->workers};
    for (uint32_t i = 0; i < dcps_rule_worker_state_count(under_test->rule); i++) {
        push.worker_states[i] = under_test->worker_states[under_test->worker][i];
    }
    dcps_rule_apply(under_test->rule, &under_test->block, &push, under_test->snapshot);
    for (uint32_t i = 0; i < dcps_rule_state_count(under_test->rule); i++) {
        under_test->block.state_updates[i]++;
    }
    if (!dcps_rule_looks_ahead(under_test->rule)) {
        ck_assert_msg(
            memcmp(under_test->snapshot, under_test->block.weights, under_test->block.count * sizeof(float)) == 0,
            "the snapshot differs from the new weights");
    }
}

double block_state(const block_under_test *under_test, const char *name, size_t index)
{
    for (uint32_t i = 0; i < dcps_rule_state_count(under_test->rule); i++) {
        if (strcmp(dcps_rule_state_name(under_test->rule, i), name) == 0) {
            return (double)under_test->block.states[i][index];
        }
    }
    for (uint32_t i = 0; i < dcps_rule_worker_state_count(under_test->rule); i++) {
        if (strcmp(dcps_rule_worker_state_name(under_test->rule, i), name) == 0) {
            return (double)under_test->worker_states[under_test->worker][i][index];
        }
    }
    return 0.0;
}

void fill_normal(dcps_rng *rng, float *values, size_t count, double scale)
{
    for (size_t i = 0; i < count; i++) {
        values[i] = (float)(scale * dcps_rng_normal(rng));
    }
}
