/* Whom others wait for. A lease tells that a process lives, not that it still computes: its heartbeats come from a thread of their own. */
#include "server/engine/shard_state.h"

/* What requests at one block wait for. */
typedef struct dcps_hold {
    bool tickets; /* members that hold a mini-batch; else those whose clock is below: */
    uint64_t below_clock;
    uint64_t since_ns; /* when the first of those that wait for them asked */
} dcps_hold;

static bool waits_longer(const dcps_slot *slot, dcps_wait wait, uint64_t since_ns)
{
    return slot->wait == wait && slot->asked_ns < since_ns;
}

/* bsp: the round of the earliest step. */
static void find_round(const dcps_shard *shard, const dcps_block *block, dcps_hold *hold)
{
    uint64_t earliest = UINT64_MAX;
    for (uint32_t worker = 0; worker < shard->slot_capacity; worker++) {
        const dcps_slot *slot = &block->slots[worker];
        earliest = slot->wait == DCPS_WAIT_ROUND && slot->step < earliest ? slot->step : earliest;
    }
    hold->below_clock = earliest;
    for (uint32_t worker = 0; worker < shard->slot_capacity; worker++) {
        const dcps_slot *slot = &block->slots[worker];
        bool longer = slot->step == earliest && waits_longer(slot, DCPS_WAIT_ROUND, hold->since_ns);
        hold->since_ns = longer ? slot->asked_ns : hold->since_ns;
    }
}

/* ssp: the slowest, where somebody is too far ahead of them; asp: mini-batches, where somebody waits for one. */
static void find_others(const dcps_shard *shard, const dcps_block *block, dcps_hold *hold)
{
    hold->tickets = shard->config.algorithm.consistency == DCPS_CONSISTENCY_ASP;
    hold->below_clock = hold->tickets ? 0 : dcps_consistency_slowest_clock(shard, block) + 1u;
    for (uint32_t worker = 0; worker < shard->slot_capacity; worker++) {
        const dcps_slot *slot = &block->slots[worker];
        bool longer = waits_longer(slot, hold->tickets ? DCPS_WAIT_TICKET : DCPS_WAIT_OTHERS, hold->since_ns);
        hold->since_ns = longer ? slot->asked_ns : hold->since_ns;
    }
}

static bool is_awaited(const dcps_shard *shard, const dcps_block *block, uint32_t worker, const dcps_hold *hold)
{
    const dcps_slot *slot = &block->slots[worker];
    if (!dcps_consistency_is_member(shard, block, worker) || slot->wait != DCPS_WAIT_NOTHING) {
        return false;
    }
    return hold->tickets ? slot->ticket.kind == DCPS_TICKET_BATCH : slot->clock < hold->below_clock;
}

static uint64_t later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* Whoever is sending block after block does not stand still, so the time counts from the latest that was taken. */
static void look_at_block(const dcps_shard *shard, const dcps_block *block, uint64_t woke_ns, uint64_t now_ns,
                          dcps_awaited_list *list)
{
    dcps_hold hold = {.since_ns = UINT64_MAX};
    if (shard->config.algorithm.consistency == DCPS_CONSISTENCY_BSP) {
        find_round(shard, block, &hold);
    } else {
        find_others(shard, block, &hold);
    }
    for (uint32_t worker = 0; hold.since_ns != UINT64_MAX && worker < shard->slot_capacity; worker++) {
        const dcps_slot *slot = &block->slots[worker];
        if (is_awaited(shard, block, worker, &hold)) {
            uint64_t since_ns = later(hold.since_ns, later(slot->answered_ns, shard->members[worker].took_ns));
            since_ns = later(since_ns, woke_ns);
            dcps_awaited awaited = {.session = shard->members[worker].session,
                                    .block = block->index,
                                    .waited_ns = now_ns > since_ns ? now_ns - since_ns : 0};
            dcps_awaited_add(list, &awaited);
        }
    }
}

void dcps_shard_awaited(const dcps_shard *shard, uint64_t woke_ns, uint64_t now_ns, dcps_awaited_list *list)
{
    bool asp = shard->config.algorithm.consistency == DCPS_CONSISTENCY_ASP;
    uint32_t count = !asp                     ? shard->block_count
                     : shard->tickets != NULL ? 1u
                                              : 0u; /* asp: block 0 alone holds anybody */
    for (uint32_t i = 0; shard->stats.queue_now > 0 && i < count; i++) {
        look_at_block(shard, &shard->blocks[i], woke_ns, now_ns, list);
    }
}

static bool same_session(const dcps_session *a, const dcps_session *b)
{
    return a->worker == b->worker && a->incarnation == b->incarnation && a->token == b->token;
}

void dcps_awaited_add(dcps_awaited_list *list, const dcps_awaited *awaited)
{
    dcps_awaited *place = NULL;
    dcps_awaited *shortest = &list->items[0];
    for (uint32_t i = 0; i < list->count; i++) {
        dcps_awaited *item = &list->items[i];
        place = same_session(&item->session, &awaited->session) ? item : place;
        shortest = item->waited_ns < shortest->waited_ns ? item : shortest;
    }
    if (place == NULL && list->count < DCPS_MAX_AWAITED) {
        list->items[list->count++] = *awaited;
        return;
    }
    place = place != NULL ? place : shortest;
    if (awaited->waited_ns > place->waited_ns) {
        *place = *awaited;
    }
}
