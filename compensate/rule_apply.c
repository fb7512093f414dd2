/* Applying a rule: a block is walked tile by tile, and all stages run on each. */
#include <assert.h>

#include "compensate/rule_internal.h"

/* What one call of dcps_rule_apply works on. */
typedef struct rule_update {
    const dcps_rule *rule;
    const dcps_rule_block *block;
    const dcps_rule_push *push;
    float *snapshot;
    dcps_coefficients coefficients;
} rule_update;

/* The states of a stage from parameter `first` on. */
static void set_states(const dcps_rule_stage *stage, const dcps_rule_block *block, float *const *worker_states,
                       size_t first, dcps_tile *tile)
{
    for (uint32_t k = 0; k < stage->state_count; k++) {
        const dcps_state_place *place = &stage->states[k];
        tile->states[k] = (place->of_worker ? worker_states[place->index] : block->states[place->index]) + first;
    }
}

static const float *step_direction(const dcps_rule_stage *optimizer, const dcps_tile *tile, const float *gradient)
{
    switch (optimizer->ops->direction) {
    case DCPS_DIRECTION_GRADIENT:
        return gradient;
    case DCPS_DIRECTION_STATE:
        return tile->states[optimizer->state_count - 1u];
    default:
        return tile->result;
    }
}

/* Shows the step that the optimizer took to the stages that keep an average of it. */
static void observe_step(const rule_update *update, size_t first, const float *direction, dcps_tile *tile)
{
    tile->gradient = direction;
    for (uint32_t i = 0; i < update->rule->stage_count; i++) {
        const dcps_rule_stage *stage = &update->rule->stages[i];
        if (stage->ops->observe != NULL) {
            set_states(stage, update->block, update->push->worker_states, first, tile);
            stage->ops->observe(&update->coefficients, tile);
        }
    }
}

/* Runs every stage on parameters [first, first + count). Gradients pass between stages through two buffers in turn. */
static void apply_tile(const rule_update *update, size_t first, size_t count)
{
    _Alignas(DCPS_TILE_ALIGN_BYTES) float results[2][DCPS_TILE_PARAMS];
    _Alignas(DCPS_TILE_ALIGN_BYTES) float aligned[DCPS_TILE_PARAMS];
    const dcps_rule *rule = update->rule;
    const float *before = NULL;
    dcps_tile tile;
    tile.pushed = dcps_tile_align(update->push->gradient + first, count, aligned);
    tile.gradient = tile.pushed;
    tile.weights = update->block->weights + first;
    tile.pulled = rule->needs_pulled ? update->push->pulled + first : NULL;
    tile.snapshot = update->snapshot + first;
    tile.count = count;
    for (uint32_t i = 0; i < rule->stage_count; i++) {
        const dcps_rule_stage *stage = &rule->stages[i];
        set_states(stage, update->block, update->push->worker_states, first, &tile);
        tile.result = results[i % 2];
        stage->ops->run(&update->coefficients, &tile);
        before = tile.gradient;
        tile.gradient = tile.result;
    }
    if (rule->observer_count > 0) {
        observe_step(update, first, step_direction(&rule->stages[rule->stage_count - 1u], &tile, before), &tile);
    }
}

static void prefetch(const float *values, size_t count)
{
    for (size_t i = 0; i < count; i += DCPS_CACHE_LINE_PARAMS) {
        __builtin_prefetch(values + i);
    }
}

/* Starts to load what the stages will need of parameters [first, first + count), so that it is there when their turn comes. The snapshot is only
 * written, but its cache lines are fetched too: that it is written through the cache is wanted, because it is sent next. */
static void prefetch_tile(const rule_update *update, size_t first, size_t count)
{
    const dcps_rule *rule = update->rule;
    prefetch(update->push->gradient + first, count);
    prefetch(update->block->weights + first, count);
    prefetch(update->snapshot + first, count);
    if (rule->needs_pulled) {
        prefetch(update->push->pulled + first, count);
    }
    for (uint32_t i = 0; i < rule->state_count; i++) {
        prefetch(update->block->states[i] + first, count);
    }
    for (uint32_t i = 0; i < rule->worker_state_count; i++) {
        prefetch(update->push->worker_states[i] + first, count);
    }
}

static size_t tile_count(size_t left)
{
    return left < DCPS_TILE_PARAMS ? left : DCPS_TILE_PARAMS;
}

/* Sets the coefficients of this update. */
static void begin_stages(rule_update *update)
{
    const dcps_rule *rule = update->rule;
    dcps_stage_call call = {.momentum = rule->momentum,
                            .step_size = (double)update->push->step_size,
                            .step_size_max = (double)update->push->step_size_max,
                            .staleness = update->push->staleness,
                            .workers = update->push->workers};
    update->coefficients.step_size = update->push->step_size;
    update->coefficients.step_size_next = update->push->step_size_next;
    for (uint32_t i = 0; i < rule->stage_count; i++) {
        const dcps_rule_stage *stage = &rule->stages[i];
        const bool counted = stage->state_count > 0 && !stage->states[0].of_worker;
        call.updates = counted ? update->block->state_updates[stage->states[0].index] : 0;
        if (stage->ops->begin != NULL) {
            stage->ops->begin(&call, &update->coefficients);
        }
    }
}

void dcps_rule_apply(const dcps_rule *rule, const dcps_rule_block *block, const dcps_rule_push *push, float *snapshot)
{
    assert(push->pulled != NULL || !rule->needs_pulled);
    assert(push->workers > 0);
    rule_update update = {
        .rule = rule, .block = block, .push = push, .snapshot = snapshot, .coefficients = rule->coefficients};
    begin_stages(&update);
    for (size_t first = 0, next; first < block->count; first = next) {
        const size_t count = tile_count(block->count - first);
        next = first + count;
        prefetch_tile(&update, next, tile_count(block->count - next));
        apply_tile(&update, first, count);
    }
}

void dcps_rule_show(const dcps_rule *rule, const dcps_rule_block *block, float step_size, float *snapshot)
{
    const dcps_rule_stage *optimizer = &rule->stages[rule->stage_count - 1u];
    dcps_coefficients coefficients = rule->coefficients;
    coefficients.step_size_next = step_size;
    if (optimizer->ops->show == NULL) {
        memcpy(snapshot, block->weights, block->count * sizeof(float));
        return;
    }
    for (size_t first = 0; first < block->count; first += DCPS_TILE_PARAMS) {
        dcps_tile tile = {.weights = block->weights + first,
                          .states = {block->states[optimizer->states[0].index] + first},
                          .snapshot = snapshot + first,
                          .count = tile_count(block->count - first)};
        optimizer->ops->show(&coefficients, &tile);
    }
}

void dcps_rule_forget_worker(const dcps_rule *rule, const dcps_rule_block *block,
                             float *const worker_states[DCPS_RULE_MAX_WORKER_STATES])
{
    for (uint32_t i = 0; i < rule->stage_count; i++) {
        const dcps_rule_stage *stage = &rule->stages[i];
        for (size_t first = 0; stage->ops->forget != NULL && first < block->count; first += DCPS_TILE_PARAMS) {
            dcps_tile tile = {.weights = block->weights + first, .count = tile_count(block->count - first)};
            set_states(stage, block, worker_states, first, &tile);
            stage->ops->forget(&tile);
        }
    }
    for (uint32_t i = 0; i < rule->worker_state_count; i++) {
        memset(worker_states[i], 0, block->count * sizeof(float));
    }
}
