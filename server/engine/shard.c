#include "server/engine/shard.h"

#include <assert.h>
#include <string.h>

#include "base/alloc.h"
#include "server/engine/digest.h"
#include "server/engine/memory.h"
#include "server/engine/shard_state.h"

dcps_status dcps_shard_create(const dcps_shard_config *config, dcps_shard **shard)
{
    dcps_shard *made = dcps_alloc(1, sizeof(*made));
    if (made == NULL) {
        return dcps_fail(DCPS_NO_MEMORY, "no memory for shard %u", config->shard);
    }
    made->config = *config;
    dcps_status status = dcps_algorithm_check(&config->algorithm, config->workers);
    if (status == DCPS_OK) {
        status = dcps_rule_create(&config->algorithm.rule, &made->rule);
    }
    if (status != DCPS_OK) {
        dcps_free(made);
        return status;
    }
    *shard = made;
    return DCPS_OK;
}

/* Everything that set_partition made, whether it succeeded or not. */
static void release_blocks(dcps_shard *shard)
{
    for (uint32_t i = 0; shard->blocks != NULL && i < shard->block_count; i++) {
        dcps_block_fini(shard, &shard->blocks[i]);
    }
    dcps_free(shard->blocks);
    dcps_free(shard->mean);
    dcps_free(shard->round);
    dcps_free(shard->workers);
    shard->blocks = NULL;
    shard->mean = NULL;
    shard->round = NULL;
    shard->workers = NULL;
    shard->block_count = 0;
    shard->slot_capacity = 0;
    dcps_pool_destroy(&shard->pool);
    if (shard->tickets != NULL) {
        dcps_tickets_destroy(&shard->tickets);
    }
}

void dcps_shard_destroy(dcps_shard **shard)
{
    dcps_shard *old = *shard;
    if (old == NULL) {
        return;
    }
    release_blocks(old);
    dcps_rule_destroy(&old->rule);
    dcps_free(old);
    *shard = NULL;
}

static dcps_status make_tickets(dcps_shard *shard)
{
    uint64_t batches = (shard->samples_per_epoch + shard->config.batch_size - 1u) / shard->config.batch_size;
    return dcps_tickets_create(batches * shard->config.epochs, &shard->tickets);
}

/* Those expected, and whoever joined before the model was declared. */
static uint32_t slots_at_start(const dcps_shard *shard)
{
    uint32_t count = shard->config.workers;
    for (uint32_t worker = count; worker < DCPS_MAX_WORKERS; worker++) {
        count = shard->members[worker].live ? worker + 1u : count;
    }
    return count;
}

static void number_workers(dcps_shard *shard, uint32_t first, uint32_t end)
{
    for (uint32_t worker = first; worker < end; worker++) {
        shard->workers[worker] = (dcps_worker_statistics){.worker = worker};
    }
}

static dcps_status make_blocks(dcps_shard *shard, const dcps_layout *layout)
{
    shard->slot_capacity = slots_at_start(shard);
    shard->round = dcps_alloc(shard->slot_capacity, sizeof(*shard->round));
    shard->mean = dcps_alloc_aligned(shard->partition.block_params, sizeof(float));
    shard->blocks = dcps_alloc(shard->block_count, sizeof(*shard->blocks));
    shard->workers = dcps_alloc(shard->slot_capacity, sizeof(*shard->workers));
    if (shard->round == NULL || shard->mean == NULL || shard->blocks == NULL || shard->workers == NULL) {
        return dcps_fail(DCPS_NO_MEMORY, "no memory for %u blocks of shard %u", shard->block_count,
                         shard->config.shard);
    }
    size_t steady = (size_t)shard->block_count *
                    (size_t)dcps_memory_snapshots(&shard->config.algorithm, shard->rule, shard->config.workers);
    size_t limit = (size_t)shard->block_count * ((size_t)DCPS_MAX_WORKERS + shard->mark_count + 16u);
    number_workers(shard, 0, shard->slot_capacity);
    dcps_status status = dcps_pool_create("snapshots", (size_t)shard->partition.block_params * sizeof(float), steady,
                                          limit, &shard->pool);
    for (uint32_t i = 0; status == DCPS_OK && i < shard->block_count; i++) {
        status = dcps_block_init(shard, &shard->blocks[i], layout, shard->first_block + i);
    }
    return status;
}

dcps_status dcps_shard_set_partition(dcps_shard *shard, const dcps_partition *partition, const dcps_layout *layout,
                                     uint64_t samples_per_epoch)
{
    assert(!shard->has_partition && samples_per_epoch > 0);
    shard->partition = *partition;
    shard->samples_per_epoch = samples_per_epoch;
    shard->first_block = dcps_partition_first_block(partition, shard->config.shard);
    shard->block_count = dcps_partition_first_block(partition, shard->config.shard + 1u) - shard->first_block;
    dcps_status status = dcps_plan_marks(shard->config.snapshot_every_samples, samples_per_epoch, shard->config.epochs,
                                         &shard->mark_every_samples, &shard->mark_count);
    if (status == DCPS_OK && shard->block_count > 0) {
        status = make_blocks(shard, layout);
        if (status == DCPS_OK && shard->first_block == 0) {
            status = make_tickets(shard);
        }
    }
    if (status != DCPS_OK) {
        release_blocks(shard);
        return status;
    }
    shard->has_partition = true;
    return DCPS_OK;
}

dcps_status dcps_shard_reserve_slot(dcps_shard *shard, uint32_t worker)
{
    if (worker < shard->slot_capacity || shard->block_count == 0) {
        return DCPS_OK;
    }
    uint32_t capacity = worker + 1u;
    const float **round = dcps_realloc(shard->round, capacity, sizeof(*round));
    if (round == NULL) {
        return dcps_fail(DCPS_NO_MEMORY, "no memory for %u workers", capacity);
    }
    shard->round = round;
    dcps_worker_statistics *workers = dcps_realloc(shard->workers, capacity, sizeof(*workers));
    if (workers == NULL) {
        return dcps_fail(DCPS_NO_MEMORY, "no memory for %u workers", capacity);
    }
    shard->workers = workers;
    number_workers(shard, shard->slot_capacity, capacity);
    for (uint32_t i = 0; i < shard->block_count; i++) {
        dcps_slot *slots = dcps_alloc(capacity, sizeof(*slots));
        if (slots == NULL) {
            return dcps_fail(DCPS_NO_MEMORY, "no memory for %u workers", capacity);
        }
        memcpy(slots, shard->blocks[i].slots, shard->slot_capacity * sizeof(*slots));
        dcps_free(shard->blocks[i].slots);
        shard->blocks[i].slots = slots;
    }
    shard->slot_capacity = capacity;
    return DCPS_OK;
}

dcps_status dcps_shard_worker_join(dcps_shard *shard, const dcps_session *session, uint64_t now_ns)
{
    assert(session->worker < DCPS_MAX_WORKERS);
    dcps_member *member = &shard->members[session->worker];
    if (member->live) {
        if (member->session.incarnation == session->incarnation && member->session.token == session->token) {
            return DCPS_OK;
        }
        dcps_shard_worker_leave(shard, session->worker, DCPS_DEPARTURE_LOST, now_ns);
    }
    dcps_status status = dcps_shard_reserve_slot(shard, session->worker);
    if (status != DCPS_OK) {
        return status;
    }
    *member = (dcps_member){.live = true, .came_after_end = shard->any_done, .session = *session};
    shard->live_count++;
    shard->stats.weights_final = false;
    return DCPS_OK;
}

/* Asks the next waiting worker for the initial values if the one asked before is gone. */
static void choose_initialiser(dcps_shard *shard, dcps_block *block)
{
    for (uint32_t worker = 0; worker < shard->slot_capacity && block->initialiser == DCPS_MAX_WORKERS; worker++) {
        const dcps_slot *slot = &block->slots[worker];
        if (slot->wait == DCPS_WAIT_INIT) {
            dcps_request request = {
                .session = shard->members[worker].session, .block = block->index, .seq = slot->last_seq};
            block->initialiser = worker;
            dcps_answer_notice(shard, &slot->peer, DCPS_MESSAGE_NEED_INIT, &request);
        }
    }
}

bool dcps_shard_is_over(const dcps_shard *shard)
{
    return (shard->any_done || shard->draining) && shard->live_count == 0;
}

/* Nothing changes the weights any more. */
static void seal_weights(dcps_shard *shard)
{
    shard->stats.weights_final = shard->has_partition;
    shard->stats.weights_digest = 0;
    for (uint32_t i = 0; i < shard->block_count; i++) {
        const dcps_block *block = &shard->blocks[i];
        shard->stats.weights_final = shard->stats.weights_final && block->initialised;
        shard->stats.weights_digest += dcps_digest(dcps_partition_block_offset(&shard->partition, block->index),
                                                   block->arrays.weights, block->length);
    }
}

void dcps_shard_worker_leave(dcps_shard *shard, uint32_t worker, dcps_departure departure, uint64_t now_ns)
{
    assert(worker < DCPS_MAX_WORKERS);
    const bool returns = departure == DCPS_DEPARTURE_EARLY && shard->draining; /* in the next life of the servers */
    const bool forget = departure != DCPS_DEPARTURE_DONE && !returns;
    shard->any_done = shard->any_done || departure == DCPS_DEPARTURE_DONE;
    if (!shard->members[worker].live) {
        return;
    }
    shard->members[worker].live = false;
    shard->live_count--;
    if (shard->tickets != NULL) {
        dcps_tickets_return(shard->tickets, worker);
    }
    for (uint32_t i = 0; i < shard->block_count; i++) {
        dcps_block *block = &shard->blocks[i];
        dcps_slot_leave(shard, &block->slots[worker]);
        if (forget) {
            dcps_block_forget_worker(shard, block, &block->slots[worker]);
        }
        if (block->initialiser == worker) {
            block->initialiser = DCPS_MAX_WORKERS;
            choose_initialiser(shard, block);
        }
        dcps_consistency_settle(shard, block, now_ns);
        dcps_snapshots_settle(shard, block);
    }
    if (dcps_shard_is_over(shard)) {
        seal_weights(shard);
    }
}

void dcps_shard_tick(dcps_shard *shard, uint64_t now_ns)
{
    for (uint32_t i = 0; i < shard->block_count; i++) {
        if (!shard->blocks[i].started) {
            dcps_consistency_settle(shard, &shard->blocks[i], now_ns);
        }
    }
}

void dcps_shard_forgive(dcps_shard *shard, uint64_t missed_ns, uint64_t now_ns)
{
    for (uint32_t i = 0; i < shard->block_count; i++) {
        dcps_block *block = &shard->blocks[i];
        if (block->waiting_since_ns != 0) {
            uint64_t since_ns = block->waiting_since_ns + missed_ns;
            block->waiting_since_ns = since_ns < now_ns ? since_ns : now_ns;
        }
    }
}

void dcps_shard_drain(dcps_shard *shard, uint64_t now_ns)
{
    shard->draining = true;
    if (shard->tickets != NULL) {
        dcps_tickets_stop(shard->tickets);
    }
    for (uint32_t i = 0; i < shard->block_count; i++) {
        dcps_consistency_settle(shard, &shard->blocks[i], now_ns);
    }
    if (dcps_shard_is_over(shard)) { /* all had left before */
        for (uint32_t i = 0; i < shard->block_count; i++) {
            dcps_snapshots_settle(shard, &shard->blocks[i]);
        }
        seal_weights(shard);
    }
}

static dcps_run_state run_state(const dcps_shard *shard, const dcps_block *first)
{
    if (shard->tickets != NULL && dcps_tickets_done(shard->tickets)) {
        return DCPS_RUN_DONE;
    }
    if (first->started_ns == 0) {
        return DCPS_RUN_WAITING;
    }
    bool none_left = shard->tickets != NULL && dcps_tickets_all_issued(shard->tickets);
    return none_left ? DCPS_RUN_DRAINING : DCPS_RUN_TRAINING;
}

/* Evaluation weights that every block has kept. */
static uint32_t complete_marks(const dcps_shard *shard)
{
    uint32_t complete = shard->mark_count;
    for (uint32_t i = 0; i < shard->block_count; i++) {
        complete = shard->blocks[i].marks_reached < complete ? shard->blocks[i].marks_reached : complete;
    }
    return complete;
}

void dcps_shard_stats_get(const dcps_shard *shard, dcps_shard_stats *stats)
{
    *stats = shard->stats;
    stats->state = DCPS_RUN_WAITING;
    stats->complete = shard->has_partition;
    stats->counts_batches = shard->tickets != NULL;
    for (uint32_t i = 0; i < shard->block_count; i++) {
        stats->complete = stats->complete && shard->blocks[i].initialised;
    }
    if (shard->block_count == 0) {
        return;
    }
    const dcps_block *first = &shard->blocks[0];
    stats->state = run_state(shard, first);
    stats->samples = first->samples;
    stats->updates = first->version;
    stats->training_ns = dcps_block_training_ns(first);
    stats->train_loss = dcps_snapshots_recent_loss(first);
    stats->snapshots = complete_marks(shard);
}

bool dcps_shard_view(const dcps_shard *shard, uint32_t block, uint32_t worker, dcps_block_view *view)
{
    if (block < shard->first_block || block - shard->first_block >= shard->block_count ||
        worker >= shard->slot_capacity) {
        return false;
    }
    const dcps_block *seen = &shard->blocks[block - shard->first_block];
    if (!seen->initialised || seen->slots[worker].pulled == NULL) {
        return false;
    }
    *view = (dcps_block_view){.weights = seen->arrays.weights,
                              .version = seen->version,
                              .samples = seen->samples,
                              .pulled_version = seen->slots[worker].pulled_version};
    return true;
}
