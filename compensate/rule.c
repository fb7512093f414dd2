/* A rule is a short list of stages, made from its configuration. */
#include "compensate/rule.h"

#include <assert.h>
#include <math.h>

#include "base/alloc.h"
#include "compensate/rule_internal.h"

static const dcps_stage_ops *const compensations[] = {
    [DCPS_COMPENSATE_NONE] = NULL,
    [DCPS_COMPENSATE_DC_C] = &dcps_stage_dc_c,
    [DCPS_COMPENSATE_DC_A] = &dcps_stage_dc_a,
    [DCPS_COMPENSATE_DC_B] = &dcps_stage_dc_b,
    [DCPS_COMPENSATE_GAP_AWARE] = &dcps_stage_gap_aware,
    [DCPS_COMPENSATE_DC_I] = &dcps_stage_dc_i,
};

static const dcps_stage_ops *const step_sizes[] = {
    [DCPS_STEP_CONSTANT] = NULL,
    [DCPS_STEP_STALENESS] = &dcps_stage_staleness,
    [DCPS_STEP_ADADELAY] = &dcps_stage_adadelay,
};

static const dcps_stage_ops *const optimizers[] = {
    [DCPS_OPTIMIZER_SGD] = &dcps_stage_sgd,           [DCPS_OPTIMIZER_MOMENTUM] = &dcps_stage_momentum,
    [DCPS_OPTIMIZER_NESTEROV] = &dcps_stage_nesterov, [DCPS_OPTIMIZER_DANA] = &dcps_stage_dana,
    [DCPS_OPTIMIZER_ORMO] = &dcps_stage_ormo,
};

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* Compared as the float that the stages will use, so that a value just below the bound cannot round up to it. */
static dcps_status check_fraction(const char *what, double value)
{
    if ((float)value >= 0.0f && (float)value < 1.0f) {
        return DCPS_OK;
    }
    return dcps_fail(DCPS_INVALID, "%s must be at least 0 and below 1 in single precision, is %g", what, value);
}

static dcps_status check_amount(const char *what, double value)
{
    if (value >= 0.0 && isfinite((float)value)) {
        return DCPS_OK;
    }
    return dcps_fail(DCPS_INVALID, "%s must be at least 0 and finite in single precision, is %g", what, value);
}

static dcps_status check_choice(const char *what, uint32_t value, uint32_t least, size_t choice_end)
{
    if (value >= least && value < choice_end) {
        return DCPS_OK;
    }
    return dcps_fail(DCPS_INVALID, "%s %u is unknown: %u to %zu are known", what, value, least, choice_end - 1);
}

static bool corrects_drift(dcps_compensation compensation)
{
    return compensation == DCPS_COMPENSATE_DC_C || compensation == DCPS_COMPENSATE_DC_A ||
           compensation == DCPS_COMPENSATE_DC_B || compensation == DCPS_COMPENSATE_DC_I;
}

/* Two that do the same thing would do it twice. */
static dcps_status check_chain(const dcps_rule_config *config)
{
    dcps_status status = check_choice("compensation", (uint32_t)config->compensation, 1, COUNT_OF(compensations));
    if (status == DCPS_OK) {
        status = check_choice("second compensation", (uint32_t)config->then, 0, COUNT_OF(compensations));
    }
    if (status != DCPS_OK || config->then == 0 || compensations[config->then] == NULL) {
        return status;
    }
    if (config->compensation == config->then ||
        (corrects_drift(config->compensation) && corrects_drift(config->then))) {
        return dcps_fail(DCPS_INVALID,
                         "compensation %s after %s would correct the same drift twice: chain one of the dc-... with "
                         "gap-aware, in either order",
                         compensations[config->then]->name, compensations[config->compensation]->name);
    }
    return DCPS_OK;
}

static dcps_status check_choices(const dcps_rule_config *config)
{
    dcps_status status = check_chain(config);
    if (status == DCPS_OK) {
        status = check_choice("step size", (uint32_t)config->step_size, 0, COUNT_OF(step_sizes));
    }
    if (status == DCPS_OK) {
        status = check_choice("optimizer", (uint32_t)config->optimizer, 1, COUNT_OF(optimizers));
    }
    return status;
}

static dcps_status check_config(const dcps_rule_config *config)
{
    dcps_status status = check_choices(config);
    if (status == DCPS_OK) {
        status = check_amount("lambda", config->lambda);
    }
    if (status == DCPS_OK) {
        status = check_fraction("mean-square decay", config->mean_square_decay);
    }
    if (status == DCPS_OK) {
        status = check_amount("correction bound", config->correction_bound);
    }
    if (status == DCPS_OK) {
        status = check_fraction("momentum", config->momentum);
    }
    if (status == DCPS_OK) {
        status = check_amount("weight decay", config->weight_decay);
    }
    if (status == DCPS_OK && config->step_size == DCPS_STEP_ADADELAY) {
        status = check_amount("AdaDelay offset", config->adadelay_offset);
        if (status == DCPS_OK && !((float)config->adadelay_offset > 0.0f)) {
            status = dcps_fail(DCPS_INVALID, "AdaDelay offset must be above 0 in single precision, is %g",
                               config->adadelay_offset);
        }
    }
    return status;
}

static dcps_state_place place_state(dcps_rule *rule, const dcps_stage_state *state)
{
    const bool of_worker =
        state->owner == DCPS_STATE_WORKER || (state->owner == DCPS_STATE_MEAN_SQUARE && rule->mean_square_each_worker);
    if (of_worker) {
        assert(rule->worker_state_count < DCPS_RULE_MAX_WORKER_STATES);
        rule->worker_state_names[rule->worker_state_count] = state->name;
        return (dcps_state_place){.of_worker = true, .index = rule->worker_state_count++};
    }
    assert(rule->state_count < DCPS_RULE_MAX_STATES);
    rule->state_names[rule->state_count] = state->name;
    return (dcps_state_place){.index = rule->state_count++};
}

static void add_stage(dcps_rule *rule, const dcps_stage_ops *ops)
{
    assert(rule->stage_count < DCPS_RULE_MAX_STAGES);
    dcps_rule_stage *stage = &rule->stages[rule->stage_count++];
    stage->ops = ops;
    rule->needs_pulled = rule->needs_pulled || ops->needs_pulled;
    rule->observer_count += ops->observe != NULL ? 1u : 0u;
    for (; ops->states[stage->state_count].name != NULL; stage->state_count++) {
        stage->states[stage->state_count] = place_state(rule, &ops->states[stage->state_count]);
    }
}

/* A stage with a factor of zero is left out, so that it costs nothing and the result is that of the rule without it to the bit. */
static void add_compensation(dcps_rule *rule, dcps_compensation compensation)
{
    const dcps_coefficients *c = &rule->coefficients;
    const bool bounded = compensation == DCPS_COMPENSATE_DC_B || compensation == DCPS_COMPENSATE_DC_I;
    const bool idle =
        (corrects_drift(compensation) && !(c->lambda > 0.0f)) || (bounded && !(c->correction_bound > 0.0f));
    if (compensation != 0 && compensations[compensation] != NULL && !idle) {
        add_stage(rule, compensations[compensation]);
    }
}

dcps_status dcps_rule_create(const dcps_rule_config *config, dcps_rule **rule)
{
    dcps_status status = check_config(config);
    if (status != DCPS_OK) {
        return status;
    }
    dcps_rule *made = dcps_alloc(1, sizeof(*made));
    if (made == NULL) {
        return dcps_fail(DCPS_NO_MEMORY, "no memory for an update rule of %zu bytes", sizeof(*made));
    }
    made->mean_square_each_worker = config->mean_square_each_worker;
    made->momentum = config->momentum;
    made->coefficients = (dcps_coefficients){
        .lambda = (float)config->lambda,
        .mean_square_decay = (float)config->mean_square_decay,
        .mean_square_gain = (float)(1.0 - config->mean_square_decay),
        .correction_bound = (float)config->correction_bound,
        .momentum = (float)config->momentum,
        .weight_decay = (float)config->weight_decay,
        .adadelay_offset = (float)config->adadelay_offset,
    };
    add_compensation(made, config->compensation);
    add_compensation(made, config->then);
    if (made->coefficients.weight_decay > 0.0f) {
        add_stage(made, &dcps_stage_weight_decay);
    }
    if (step_sizes[config->step_size] != NULL) {
        add_stage(made, step_sizes[config->step_size]);
    }
    add_stage(made, optimizers[config->optimizer]);
    *rule = made;
    return DCPS_OK;
}

void dcps_rule_destroy(dcps_rule **rule)
{
    if (rule == NULL) {
        return;
    }
    dcps_free(*rule);
    *rule = NULL;
}

uint32_t dcps_rule_state_count(const dcps_rule *rule)
{
    return rule->state_count;
}

const char *dcps_rule_state_name(const dcps_rule *rule, uint32_t index)
{
    assert(index < rule->state_count);
    return rule->state_names[index];
}

int dcps_rule_needs_pulled_weights(const dcps_rule *rule)
{
    return rule->needs_pulled;
}

uint32_t dcps_rule_worker_state_count(const dcps_rule *rule)
{
    return rule->worker_state_count;
}

const char *dcps_rule_worker_state_name(const dcps_rule *rule, uint32_t index)
{
    assert(index < rule->worker_state_count);
    return rule->worker_state_names[index];
}

int dcps_rule_looks_ahead(const dcps_rule *rule)
{
    return rule->stages[rule->stage_count - 1u].ops->show != NULL;
}

const char *dcps_rule_stage_formula(const dcps_rule *rule, uint32_t index)
{
    return index < rule->stage_count ? rule->stages[index].ops->formula : NULL;
}
