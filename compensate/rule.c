/* A rule is a short list of stages; applying it walks a block tile by tile and runs all of them on each. */
#include "compensate/rule.h"

#include <assert.h>
#include <math.h>

#include "base/alloc.h"
#include "compensate/stage.h"

enum { MAX_STAGES = 3 }; /* compensation, weight decay, optimizer */

/* A stage and which of the block's states are its own. */
typedef struct rule_stage {
    const dcps_stage_ops *ops;
    uint32_t state_count;
    uint32_t state_index[DCPS_STAGE_MAX_STATES];
} rule_stage;

struct dcps_rule {
    rule_stage stages[MAX_STAGES];
    uint32_t stage_count;
    const char *state_names[DCPS_RULE_MAX_STATES];
    uint32_t state_count;
    bool needs_pulled;
    dcps_coefficients coefficients; /* all but the step size */
};

static const dcps_stage_ops *const compensations[] = {
    [DCPS_COMPENSATE_NONE] = NULL,
    [DCPS_COMPENSATE_DC_C] = &dcps_stage_dc_c,
    [DCPS_COMPENSATE_DC_A] = &dcps_stage_dc_a,
};

static const dcps_stage_ops *const optimizers[] = {
    [DCPS_OPTIMIZER_SGD] = &dcps_stage_sgd,
    [DCPS_OPTIMIZER_MOMENTUM] = &dcps_stage_momentum,
};

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* Compared as the float that the stages will use, so that a value just below the bound cannot round up to it. */
static dcps_status check_fraction(const char *what, double value)
{
    if ((float)value >= 0.0f && (float)value < 1.0f)
        return DCPS_OK;
    return dcps_fail(DCPS_INVALID, "%s must be at least 0 and below 1 in single precision, is %g", what, value);
}

static dcps_status check_amount(const char *what, double value)
{
    if (value >= 0.0 && isfinite((float)value))
        return DCPS_OK;
    return dcps_fail(DCPS_INVALID, "%s must be at least 0 and finite in single precision, is %g", what, value);
}

static dcps_status check_choice(const char *what, uint32_t value, size_t choice_end)
{
    if (value >= 1 && value < choice_end)
        return DCPS_OK;
    return dcps_fail(DCPS_INVALID, "%s %u is unknown: 1 to %zu are known", what, value, choice_end - 1);
}

static dcps_status check_config(const dcps_rule_config *config)
{
    dcps_status status = check_choice("compensation", (uint32_t)config->compensation, COUNT_OF(compensations));
    if (status == DCPS_OK)
        status = check_choice("optimizer", (uint32_t)config->optimizer, COUNT_OF(optimizers));
    if (status == DCPS_OK)
        status = check_amount("lambda", config->lambda);
    if (status == DCPS_OK)
        status = check_fraction("mean-square decay", config->mean_square_decay);
    if (status == DCPS_OK)
        status = check_fraction("momentum", config->momentum);
    if (status == DCPS_OK)
        status = check_amount("weight decay", config->weight_decay);
    return status;
}

static void add_stage(dcps_rule *rule, const dcps_stage_ops *ops)
{
    assert(rule->stage_count < MAX_STAGES);
    rule_stage *stage = &rule->stages[rule->stage_count++];
    stage->ops = ops;
    rule->needs_pulled = rule->needs_pulled || ops->needs_pulled;
    for (uint32_t i = 0; ops->state_names[i] != NULL; i++) {
        assert(rule->state_count < DCPS_RULE_MAX_STATES);
        rule->state_names[rule->state_count] = ops->state_names[i];
        stage->state_index[i] = rule->state_count++;
        stage->state_count++;
    }
}

dcps_status dcps_rule_create(const dcps_rule_config *config, dcps_rule **rule)
{
    dcps_status status = check_config(config);
    if (status != DCPS_OK)
        return status;
    dcps_rule *made = dcps_alloc(1, sizeof(*made));
    if (made == NULL)
        return dcps_fail(DCPS_NO_MEMORY, "no memory for an update rule of %zu bytes", sizeof(*made));
    made->coefficients = (dcps_coefficients){
        .lambda = (float)config->lambda,
        .mean_square_decay = (float)config->mean_square_decay,
        .mean_square_gain = (float)(1.0 - config->mean_square_decay),
        .momentum = (float)config->momentum,
        .weight_decay = (float)config->weight_decay,
    };
    /* A stage with a factor of zero is left out, so that it costs nothing and the result is that of the rule without it to the bit. */
    if (compensations[config->compensation] != NULL && made->coefficients.lambda > 0.0f)
        add_stage(made, compensations[config->compensation]);
    if (made->coefficients.weight_decay > 0.0f)
        add_stage(made, &dcps_stage_weight_decay);
    add_stage(made, optimizers[config->optimizer]);
    *rule = made;
    return DCPS_OK;
}

void dcps_rule_destroy(dcps_rule **rule)
{
    if (rule == NULL)
        return;
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

/* What one call of dcps_rule_apply works on. */
typedef struct rule_update {
    const dcps_rule *rule;
    const dcps_rule_block *block;
    const float *gradient;
    const float *pulled;
    float *snapshot;
    dcps_coefficients coefficients;
} rule_update;

/* Runs every stage on parameters [first, first + count). Gradients pass between stages through two buffers in turn. */
static void apply_tile(const rule_update *update, size_t first, size_t count)
{
    _Alignas(DCPS_TILE_ALIGN_BYTES) float results[2][DCPS_TILE_PARAMS];
    const dcps_rule *rule = update->rule;
    dcps_tile tile;
    tile.gradient =
        dcps_tile_align(update->gradient + first, count, results[1]); /* the first stage writes results[0] */
    tile.weights = update->block->weights + first;
    tile.pulled = rule->needs_pulled ? update->pulled + first : NULL;
    tile.snapshot = update->snapshot + first;
    tile.count = count;
    for (uint32_t i = 0; i < rule->stage_count; i++) {
        const rule_stage *stage = &rule->stages[i];
        for (uint32_t k = 0; k < stage->state_count; k++)
            tile.states[k] = update->block->states[stage->state_index[k]] + first;
        tile.result = results[i % 2];
        stage->ops->run(&update->coefficients, &tile);
        tile.gradient = tile.result;
    }
}

static void prefetch(const float *values, size_t count)
{
    for (size_t i = 0; i < count; i += DCPS_CACHE_LINE_PARAMS)
        __builtin_prefetch(values + i);
}

/* Starts to load what the stages will need of parameters [first, first + count), so that it is there when their turn comes. The snapshot is only
 * written, but its cache lines are fetched too: that it is written through the cache is wanted, because it is sent next. */
static void prefetch_tile(const rule_update *update, size_t first, size_t count)
{
    const dcps_rule *rule = update->rule;
    prefetch(update->gradient + first, count);
    prefetch(update->block->weights + first, count);
    prefetch(update->snapshot + first, count);
    if (rule->needs_pulled)
        prefetch(update->pulled + first, count);
    for (uint32_t i = 0; i < rule->state_count; i++)
        prefetch(update->block->states[i] + first, count);
}

static size_t tile_count(size_t left)
{
    return left < DCPS_TILE_PARAMS ? left : DCPS_TILE_PARAMS;
}

void dcps_rule_apply(const dcps_rule *rule, const dcps_rule_block *block, const float *gradient, const float *pulled,
                     float step_size, float *snapshot)
{
    assert(pulled != NULL || !rule->needs_pulled);
    rule_update update = {.rule = rule,
                          .block = block,
                          .gradient = gradient,
                          .pulled = pulled,
                          .snapshot = snapshot,
                          .coefficients = rule->coefficients};
    update.coefficients.step_size = step_size;
    for (size_t first = 0, next; first < block->count; first = next) {
        const size_t count = tile_count(block->count - first);
        next = first + count;
        prefetch_tile(&update, next, tile_count(block->count - next));
        apply_tile(&update, first, count);
    }
}
