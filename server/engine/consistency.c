/* The consistency modes: may this push be applied now, and may this answer leave now? Each block answers for itself. */
#include <assert.h>

#include "server/engine/shard_state.h"

bool dcps_consistency_is_member(const dcps_shard *shard, const dcps_block *block, uint32_t worker)
{
    return worker < shard->slot_capacity && shard->members[worker].live && block->slots[worker].pulled != NULL;
}

uint64_t dcps_consistency_latest_step(const dcps_shard *shard, const dcps_block *block)
{
    uint64_t latest = 0;
    for (uint32_t worker = 0; worker < shard->slot_capacity; worker++) {
        const dcps_slot *slot = &block->slots[worker];
        if (dcps_consistency_is_member(shard, block, worker)) {
            uint64_t reached = slot->wait == DCPS_WAIT_ROUND ? slot->step : slot->clock;
            latest = reached > latest ? reached : latest;
        }
    }
    return latest;
}

uint64_t dcps_consistency_slowest_clock(const dcps_shard *shard, const dcps_block *block)
{
    uint64_t slowest = UINT64_MAX;
    for (uint32_t worker = 0; worker < shard->slot_capacity; worker++) {
        if (dcps_consistency_is_member(shard, block, worker) && block->slots[worker].clock < slowest) {
            slowest = block->slots[worker].clock;
        }
    }
    return slowest;
}

static void complete_ticket(dcps_shard *shard, const dcps_block *block, uint32_t worker)
{
    if (block->index == 0) {
        dcps_tickets_complete(shard->tickets, worker);
    }
}

/* A late gradient is not applied. Its worker is answered as if it had been. Where that is so at block 0, the mini-batch goes back into the book: block 0 learns from each once an epoch.
 * Other blocks decide by their own versions: they may miss one that block 0 had, and have one twice that it dropped.
 * `round`: it is late because its round had closed. */
static void drop_push(dcps_shard *shard, dcps_block *block, uint32_t worker, uint32_t samples, bool round,
                      dcps_taken *taken)
{
    taken->fate = DCPS_FATE_DROPPED;
    block->samples_missed += samples;
    dcps_count_dropped(shard, worker, round);
    if (block->index == 0) {
        dcps_tickets_return(shard->tickets, worker);
    }
}

static bool is_too_late(const dcps_shard *shard, uint64_t staleness)
{
    const dcps_algorithm *algorithm = &shard->config.algorithm;
    uint64_t limit = algorithm->max_staleness > 0 ? algorithm->max_staleness : 2u * (uint64_t)shard->config.workers;
    return algorithm->cuts_off && staleness >= limit;
}

/* asp and ssp: apply at once, or drop what is too late. */
static dcps_status apply_push(dcps_shard *shard, dcps_block *block, uint32_t worker, const dcps_push_pull *push,
                              const dcps_buffer *payload, dcps_taken *taken, uint64_t now_ns)
{
    dcps_slot *slot = &block->slots[worker];
    uint64_t staleness = block->version - slot->pulled_version;
    taken->staleness = payload != NULL ? staleness : 0;
    if (payload != NULL && is_too_late(shard, staleness)) {
        drop_push(shard, block, worker, push->samples, false, taken);
    } else if (payload != NULL) {
        dcps_block_push update = {.gradient = payload->data,
                                  .pulled = slot->pulled->data,
                                  .slot = slot,
                                  .staleness = staleness,
                                  .samples = push->samples,
                                  .loss_sum = (double)push->loss * push->samples};
        dcps_status status = dcps_block_update(shard, block, &update, now_ns);
        if (status != DCPS_OK) {
            return status;
        }
        dcps_count_applied(shard, block, worker, staleness);
        complete_ticket(shard, block, worker);
    }
    slot->step = push->request.step;
    slot->clock = slot->step;
    dcps_slot_set_wait(shard, slot, DCPS_WAIT_OTHERS);
    return DCPS_OK;
}

/* bsp with backup workers: the round of this push has closed without it. Its worker goes on with the next one. */
static void miss_round(dcps_shard *shard, dcps_block *block, uint32_t worker, const dcps_push_pull *push, bool gradient,
                       dcps_taken *taken)
{
    dcps_slot *slot = &block->slots[worker];
    if (gradient) {
        drop_push(shard, block, worker, push->samples, true, taken);
    }
    slot->step = push->request.step;
    slot->clock = block->closed_step;
    dcps_slot_set_wait(shard, slot, DCPS_WAIT_OTHERS);
}

dcps_status dcps_consistency_push(dcps_shard *shard, dcps_block *block, uint32_t worker, const dcps_push_pull *push,
                                  dcps_buffer *payload, dcps_taken *taken, uint64_t now_ns)
{
    taken->fate = payload != NULL ? DCPS_FATE_APPLIED : DCPS_FATE_NONE;
    if (shard->config.algorithm.consistency != DCPS_CONSISTENCY_BSP) {
        return apply_push(shard, block, worker, push, payload, taken, now_ns);
    }
    if (shard->config.algorithm.backup_workers > 0 && push->request.step <= block->closed_step) {
        miss_round(shard, block, worker, push, payload != NULL, taken);
        return DCPS_OK;
    }
    dcps_slot *slot = &block->slots[worker];
    slot->gradient = payload == NULL ? NULL : dcps_buffer_ref(payload);
    slot->step = push->request.step;
    slot->samples = push->samples;
    slot->loss = push->loss;
    dcps_slot_set_wait(shard, slot, DCPS_WAIT_ROUND);
    return DCPS_OK;
}

/* Members whose push the round of `step` has yet to see, and whether it has seen a gradient. */
static uint32_t count_missing(const dcps_shard *shard, const dcps_block *block, uint64_t step, bool *any_gradient)
{
    uint32_t missing = 0;
    *any_gradient = false;
    for (uint32_t worker = 0; worker < shard->slot_capacity; worker++) {
        const dcps_slot *slot = &block->slots[worker];
        bool waits = slot->wait == DCPS_WAIT_ROUND;
        bool member = dcps_consistency_is_member(shard, block, worker);
        missing += member && !waits && slot->clock < step ? 1 : 0;
        *any_gradient = *any_gradient || (waits && slot->step == step && slot->gradient != NULL);
    }
    return missing;
}

/* The earliest step that pushes wait for. It is complete when every member has pushed or abstained in it, or is past it; or, where the round has a gradient, when no more than the
 * backup workers are missing. One in which all abstain waits for the last: else they would run on while it computes, and its gradient would always be late.
 *
 * Rounds go by the workers' step numbers, not by counting pushes at the block: after a restart one worker may have had its answer from one block and another
 * from another, and counted rounds would then wait for each other in a circle. By number, the worker at the earliest step never waits for anyone. */
static bool find_complete_round(const dcps_shard *shard, const dcps_block *block, uint64_t *step)
{
    uint64_t earliest = UINT64_MAX;
    for (uint32_t worker = 0; worker < shard->slot_capacity; worker++) {
        const dcps_slot *slot = &block->slots[worker];
        if (slot->wait == DCPS_WAIT_ROUND && slot->step < earliest) {
            earliest = slot->step;
        }
    }
    if (earliest == UINT64_MAX) {
        return false;
    }
    bool any_gradient;
    uint32_t missing = count_missing(shard, block, earliest, &any_gradient);
    if (missing > (any_gradient ? shard->config.algorithm.backup_workers : 0u)) {
        return false;
    }
    *step = earliest;
    return true;
}

static bool is_in_round(const dcps_slot *slot, uint64_t step)
{
    return slot->wait == DCPS_WAIT_ROUND && slot->step == step;
}

/* Applies the mean of the round's gradients, summed in worker order so that the order of arrival does not show. */
static dcps_status apply_round(dcps_shard *shard, dcps_block *block, uint64_t step, uint64_t now_ns)
{
    uint32_t count = 0;
    uint64_t samples = 0;
    double loss_sum = 0.0;
    for (uint32_t worker = 0; worker < shard->slot_capacity; worker++) {
        const dcps_slot *slot = &block->slots[worker];
        if (is_in_round(slot, step) && slot->gradient != NULL) {
            shard->round[count++] = slot->gradient->data;
            samples += slot->samples;
            loss_sum += (double)slot->loss * slot->samples;
        }
    }
    if (count == 0) {
        return DCPS_OK;
    }
    const float *mean = shard->round[0];
    if (count > 1) {
        dcps_rule_mean(shard->round, count, block->length, shard->mean);
        mean = shard->mean;
    }
    dcps_block_push update = {.gradient = mean, .pulled = block->shown->data, .samples = samples, .loss_sum = loss_sum};
    return dcps_block_update(shard, block, &update, now_ns);
}

static void close_round(dcps_shard *shard, dcps_block *block, uint64_t step, uint64_t now_ns)
{
    dcps_status status = apply_round(shard, block, step, now_ns);
    for (uint32_t worker = 0; worker < shard->slot_capacity; worker++) {
        dcps_slot *slot = &block->slots[worker];
        if (!is_in_round(slot, step)) {
            continue;
        }
        bool contributed = slot->gradient != NULL;
        dcps_buffer_unref(&slot->gradient);
        if (status != DCPS_OK) {
            dcps_slot_drop_request(shard, slot);
            dcps_request request = {
                .session = shard->members[worker].session, .block = block->index, .seq = slot->last_seq};
            slot->last_seq--; /* not applied: the repeat must count as new */
            dcps_answer_error(shard, &slot->peer, status, &request, "block %u: %s", block->index, dcps_error_message());
            continue;
        }
        if (contributed) {
            dcps_count_applied(shard, block, worker, 0);
            complete_ticket(shard, block, worker);
        }
        slot->clock = step;
        dcps_slot_set_wait(shard, slot, DCPS_WAIT_OTHERS);
    }
    if (status == DCPS_OK && step > block->closed_step) { /* else the repeats would come too late */
        block->closed_step = step;
    }
}

/* bsp and ssp begin when enough workers wait, so that no round starts with one of them alone; or when the first has waited too long. */
static void open_start(dcps_shard *shard, dcps_block *block, uint64_t now_ns)
{
    if (block->started || !block->initialised) {
        return;
    }
    uint32_t waiting = 0;
    for (uint32_t worker = 0; worker < shard->slot_capacity; worker++) {
        waiting += block->slots[worker].wait == DCPS_WAIT_START ? 1 : 0;
    }
    if (waiting == 0) {
        block->waiting_since_ns = 0; /* who waited is gone: the next one waits as long */
    } else if (block->waiting_since_ns == 0) {
        block->waiting_since_ns = now_ns;
    }
    bool late = waiting > 0 && shard->config.start_grace_ns > 0 &&
                now_ns - block->waiting_since_ns >= shard->config.start_grace_ns;
    block->started = waiting >= shard->config.workers || late || shard->draining;
    shard->stats.early_starts += block->started && waiting < shard->config.workers ? 1 : 0;
}

/* `slowest`: clock of the slowest member, ssp only. */
static bool may_answer(const dcps_shard *shard, const dcps_block *block, const dcps_slot *slot, uint64_t slowest)
{
    switch (slot->wait) {
    case DCPS_WAIT_START:
        return block->started;
    case DCPS_WAIT_OTHERS:
        return shard->config.algorithm.consistency != DCPS_CONSISTENCY_SSP ||
               slot->clock <= slowest + shard->config.algorithm.ssp_bound;
    case DCPS_WAIT_TICKET:
        return true; /* grant asks the book again */
    default:
        return false;
    }
}

void dcps_consistency_settle_push(dcps_shard *shard, dcps_block *block, uint32_t worker, uint64_t now_ns)
{
    if (shard->config.algorithm.consistency == DCPS_CONSISTENCY_ASP && block->index != 0) {
        dcps_answer_grant(shard, block, worker, now_ns);
    } else {
        dcps_consistency_settle(shard, block, now_ns);
    }
}

void dcps_consistency_settle(dcps_shard *shard, dcps_block *block, uint64_t now_ns)
{
    if (!block->initialised) {
        return;
    }
    open_start(shard, block, now_ns);
    uint64_t step;
    while (find_complete_round(shard, block, &step)) {
        close_round(shard, block, step, now_ns);
    }
    bool bounded = shard->config.algorithm.consistency == DCPS_CONSISTENCY_SSP;
    uint64_t slowest = bounded ? dcps_consistency_slowest_clock(shard, block) : 0;
    for (uint32_t worker = 0; worker < shard->slot_capacity; worker++) {
        if (may_answer(shard, block, &block->slots[worker], slowest)) {
            dcps_answer_grant(shard, block, worker, now_ns);
        }
    }
}
