/* Several workers push to one block in an arbitrary order, each against the weights it pulled. The pipeline must follow the reference the whole
 * way, and each mistake that others shipped must leave it by more than the bound on the same inputs: so these inputs would expose it. */
#include <check.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "exactness/block_under_test.h"
#include "exactness/rule_reference.h"
#include "support/check_main.h"

enum { WORKERS = 4, PARAMS = 1500, UPDATES = 14 };

static const uint64_t seed = 4181;
static const double step_size = 1.0 / 128.0;

/* What a server does with the weights a worker pulled. */
typedef enum pull_mistake {
    PULL_RIGHT,
    PULL_SHARED,     /* one w_bak for all workers: the latest pull of anybody */
    PULL_ZERO,       /* w_bak starts at zero instead of the first pull */
    PULL_AT_PUSH,    /* w_bak taken when the push arrives */
    PULL_FIRST_ONLY, /* never taken again after the first pull */
} pull_mistake;

/* The inputs of the whole run. */
typedef struct push_sequence {
    uint32_t worker[UPDATES];
    float initial[PARAMS];
    float gradient[UPDATES][PARAMS];
} push_sequence;

static push_sequence *sequence_create(void)
{
    push_sequence *sequence = dcps_alloc(1, sizeof(*sequence));
    ck_assert_ptr_nonnull(sequence);
    dcps_rng rng;
    dcps_rng_seed(&rng, seed);
    printf("seed %llu\n", (unsigned long long)seed);
    fill_normal(&rng, sequence->initial, PARAMS, 0.3);
    for (size_t update = 0; update < UPDATES; update++) {
        sequence->worker[update] = (uint32_t)dcps_rng_below(&rng, WORKERS);
        fill_normal(&rng, sequence->gradient[update], PARAMS, 2.0);
    }
    return sequence;
}

/* A parameter server in double precision, with the mistakes asked for. */
typedef struct reference_server {
    reference_parameter parameters[PARAMS];
    double pulled[WORKERS][PARAMS];
} reference_server;

static double pulled_by(const reference_server *server, pull_mistake mistake, uint32_t worker, size_t i)
{
    if (mistake == PULL_AT_PUSH) {
        return server->parameters[i].weight;
    }
    return server->pulled[mistake == PULL_SHARED ? 0 : worker][i];
}

static reference_server *reference_run(const push_sequence *sequence, const dcps_rule_config *config,
                                       rule_mistake mistake, pull_mistake pull)
{
    reference_server *server = dcps_alloc(1, sizeof(*server));
    ck_assert_ptr_nonnull(server);
    for (size_t i = 0; i < PARAMS; i++) {
        reference_restart(&server->parameters[i], (double)sequence->initial[i], 0.0, 0.0);
        for (size_t worker = 0; worker < WORKERS; worker++) {
            server->pulled[worker][i] = pull == PULL_ZERO ? 0.0 : (double)sequence->initial[i];
        }
    }
    for (size_t update = 0; update < UPDATES; update++) {
        const uint32_t worker = sequence->worker[update];
        for (size_t i = 0; i < PARAMS; i++) {
            reference_update(config, mistake, &server->parameters[i], (double)sequence->gradient[update][i],
                             pulled_by(server, pull, worker, i), step_size);
            if (pull != PULL_FIRST_ONLY) {
                server->pulled[pull == PULL_SHARED ? 0 : worker][i] = server->parameters[i].weight;
            }
        }
    }
    return server;
}

/* Weights of the pipeline as a server uses it: the snapshot of a push is what that worker has pulled next. */
static void pipeline_run(const push_sequence *sequence, const dcps_rule_config *config, float *weights)
{
    float(*pulled)[PARAMS] = dcps_alloc(WORKERS, sizeof(*pulled));
    ck_assert_ptr_nonnull(pulled);
    block_under_test b;
    block_open(&b, config, PARAMS);
    memcpy(b.block.weights, sequence->initial, sizeof(sequence->initial));
    for (size_t worker = 0; worker < WORKERS; worker++) {
        memcpy(pulled[worker], sequence->initial, sizeof(sequence->initial));
    }
    for (size_t update = 0; update < UPDATES; update++) {
        const uint32_t worker = sequence->worker[update];
        memcpy(b.gradient, sequence->gradient[update], sizeof(sequence->gradient[update]));
        memcpy(b.pulled, pulled[worker], sizeof(pulled[worker]));
        block_apply(&b, step_size);
        memcpy(pulled[worker], b.snapshot, sizeof(pulled[worker]));
    }
    memcpy(weights, b.block.weights, PARAMS * sizeof(*weights));
    block_close(&b);
    dcps_free(pulled);
}

START_TEST(test_pipeline_follows_reference)
{
    const named_rule *rule = &reference_rules[_i];
    push_sequence *sequence = sequence_create();
    reference_server *server = reference_run(sequence, &rule->config, MISTAKE_NONE, PULL_RIGHT);
    float weights[PARAMS];
    pipeline_run(sequence, &rule->config, weights);
    for (size_t i = 0; i < PARAMS; i++) {
        const reference_parameter *p = &server->parameters[i];
        ck_assert_msg(fabs((double)weights[i] - p->weight) <= p->error_weight,
                      "%s: weight %zu is %.9g, should be %.9g within %.3g", rule->name, i, (double)weights[i],
                      p->weight, p->error_weight);
    }
    dcps_free(server);
    dcps_free(sequence);
}
END_TEST

typedef struct mistake_case {
    const char *name;
    rule_mistake rule;
    pull_mistake pull;
    bool needs_dc_a;
    bool needs_momentum;
    bool needs_decay;
    bool needs_compensation;
} mistake_case;

static const mistake_case mistakes[] = {
    {.name = "w - w_bak always zero", .rule = MISTAKE_NO_COMPENSATION, .needs_compensation = true},
    {.name = "lambda fixed at 1", .rule = MISTAKE_LAMBDA_ONE, .needs_compensation = true},
    {.name = "square root forgotten", .rule = MISTAKE_NO_ROOT, .needs_dc_a = true},
    {.name = "mean square updated after use", .rule = MISTAKE_STATE_AFTER_USE, .needs_dc_a = true},
    {.name = "mean square of the compensated gradient", .rule = MISTAKE_COMPENSATED_SQUARE, .needs_dc_a = true},
    {.name = "weight decay inside the square",
     .rule = MISTAKE_DECAY_IN_SQUARE,
     .needs_decay = true,
     .needs_compensation = true},
    {.name = "weight decay at the pulled weights", .rule = MISTAKE_DECAY_AT_PULLED, .needs_decay = true},
    {.name = "w_bak - w", .rule = MISTAKE_SIGN, .needs_compensation = true},
    {.name = "weight decay outside the velocity",
     .rule = MISTAKE_DECAY_OUTSIDE_VELOCITY,
     .needs_decay = true,
     .needs_momentum = true},
    {.name = "velocity of the raw gradient",
     .rule = MISTAKE_RAW_VELOCITY,
     .needs_momentum = true,
     .needs_compensation = true},
    {.name = "one w_bak for all workers", .pull = PULL_SHARED, .needs_compensation = true},
    {.name = "w_bak started at zero", .pull = PULL_ZERO, .needs_compensation = true},
    {.name = "w_bak taken at push", .pull = PULL_AT_PUSH, .needs_compensation = true},
    {.name = "w_bak never renewed", .pull = PULL_FIRST_ONLY, .needs_compensation = true},
};
enum { MISTAKES = sizeof(mistakes) / sizeof(mistakes[0]) };

/* Whether a mistake can show under a rule at all. */
static bool applies(const mistake_case *mistake, const dcps_rule_config *config)
{
    return (!mistake->needs_dc_a || config->compensation == DCPS_COMPENSATE_DC_A) &&
           (!mistake->needs_compensation || config->compensation != DCPS_COMPENSATE_NONE) &&
           (!mistake->needs_momentum || config->optimizer == DCPS_OPTIMIZER_MOMENTUM) &&
           (!mistake->needs_decay || config->weight_decay > 0.0);
}

START_TEST(test_mistake_shows)
{
    const mistake_case *mistake = &mistakes[_i];
    push_sequence *sequence = sequence_create();
    unsigned rules = 0;
    for (size_t r = 0; r < reference_rule_count; r++) {
        const dcps_rule_config *config = &reference_rules[r].config;
        if (!applies(mistake, config)) {
            continue;
        }
        rules++;
        reference_server *wrong = reference_run(sequence, config, mistake->rule, mistake->pull);
        float weights[PARAMS];
        pipeline_run(sequence, config, weights);
        size_t exposed = 0;
        for (size_t i = 0; i < PARAMS; i++) {
            const reference_parameter *p = &wrong->parameters[i];
            exposed += fabs((double)weights[i] - p->weight) > 2.0 * p->error_weight;
        }
        ck_assert_msg(exposed > PARAMS / 2, "%s, %s: only %zu of %d parameters expose it", mistake->name,
                      reference_rules[r].name, exposed, PARAMS);
        dcps_free(wrong);
    }
    ck_assert_uint_gt(rules, 0);
    dcps_free(sequence);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("mistakes in update rules");
    TCase *tests = tcase_create("mistakes");
    tcase_set_timeout(tests, 100);
    tcase_add_loop_test(tests, test_pipeline_follows_reference, 0, (int)reference_rule_count);
    tcase_add_loop_test(tests, test_mistake_shows, 0, MISTAKES);
    suite_add_tcase(suite, tests);
    return check_run(suite);
}
