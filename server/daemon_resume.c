/* Going on from a checkpoint, before the first message is served. */
#include <inttypes.h>
#include <string.h>

#include "base/log.h"
#include "server/daemon_state.h"

/* Sample order and ticket numbers depend on seed and batch size, so they cannot change within a run. */
static dcps_status check_settings(const dcps_server_config *config, const dcps_checkpoint *saved)
{
    if (saved->seed != config->seed) {
        return dcps_fail(DCPS_MISMATCH,
                         "the checkpoint in %s was made with --seed %" PRIu64 ", this server has %" PRIu64
                         ": use the same",
                         config->checkpoint_dir, saved->seed, config->seed);
    }
    if (saved->batch_size != config->batch_size) {
        return dcps_fail(DCPS_MISMATCH,
                         "the checkpoint in %s was made with --batch-size %u, this server has %u: use the same",
                         config->checkpoint_dir, saved->batch_size, config->batch_size);
    }
    if (saved->epochs > config->epochs) {
        return dcps_fail(
            DCPS_MISMATCH,
            "the checkpoint in %s was made with --epochs %u, this server has %u: a run can only get longer",
            config->checkpoint_dir, saved->epochs, config->epochs);
    }
    return DCPS_OK;
}

static bool any_worker_has(const dcps_image_block *block, uint32_t state)
{
    bool found = false;
    for (uint32_t i = 0; i < block->worker_states_count; i++) {
        found = found || block->worker_states[i].values[state] != NULL;
    }
    return found;
}

/* What may differ, but should not surprise anybody. */
static void warn_of_differences(const dcps_server_config *config, const dcps_checkpoint *saved)
{
    if (saved->settings[0] != '\0' && strcmp(saved->settings, config->settings) != 0) {
        dcps_warn("the checkpoint was made with %s; going on with %s", saved->settings, config->settings);
    } else if (strcmp(saved->algorithm, config->algorithm.name) != 0) {
        dcps_warn("the checkpoint was made with --algorithm %s, going on with %s", saved->algorithm,
                  config->algorithm.name);
    }
    if (config->block_params != 0 && config->block_params != saved->control.block_params) {
        dcps_warn("--block-params %u is ignored: the checkpoint has blocks of %u parameters", config->block_params,
                  saved->control.block_params);
    }
    for (uint32_t i = 0; i < saved->state_count && saved->shard.block_count > 0; i++) {
        if (saved->shard.blocks[0].states[i] == NULL) {
            dcps_warn("the checkpoint has no \"%s\": it starts at zero", saved->state_names[i]);
        }
    }
    for (uint32_t i = 0; i < saved->worker_state_count && saved->shard.block_count > 0; i++) {
        if (!any_worker_has(&saved->shard.blocks[0], i)) {
            dcps_warn("the checkpoint has no \"%s\" of any worker: they start at zero", saved->worker_state_names[i]);
        }
    }
}

static void tell(const dcps_daemon *daemon, const dcps_checkpoint *saved)
{
    uint64_t samples = saved->shard.block_count > 0 ? saved->shard.blocks[0].samples : 0;
    dcps_info("resumed from %s: %" PRIu64 " samples (epoch %.2f of %u), %u blocks on this server, %u workers known",
              daemon->config->checkpoint_dir, samples, (double)samples / (double)saved->control.samples_per_epoch,
              daemon->config->epochs, saved->shard.block_count, saved->control.worker_count);
}

dcps_status dcps_daemon_load(dcps_daemon *daemon)
{
    const dcps_server_config *config = daemon->config;
    if (config->resume == DCPS_RESUME_NO) {
        return DCPS_OK;
    }
    dcps_checkpoint_target target = {.server_index = config->index,
                                     .server_count = config->server_count,
                                     .shards_per_server = config->shards,
                                     .rule = daemon->rule};
    dcps_status status = dcps_checkpoint_load(config->checkpoint_dir, &target, &daemon->saved);
    if (status == DCPS_NOT_FOUND && config->resume == DCPS_RESUME_AUTO) {
        dcps_info("nothing to resume in %s: beginning anew", config->checkpoint_dir);
        return DCPS_OK;
    }
    if (status == DCPS_OK) {
        status = check_settings(config, &daemon->saved);
    }
    if (status == DCPS_OK) {
        warn_of_differences(config, &daemon->saved);
        daemon->saved.shard.done = daemon->saved.shard.done && daemon->saved.epochs == config->epochs;
        daemon->resumes = true;
    }
    return status;
}

dcps_status dcps_daemon_restore(dcps_daemon *daemon)
{
    const dcps_checkpoint *saved = &daemon->saved;
    if (!daemon->resumes) {
        return DCPS_OK;
    }
    daemon->restoring = true;
    dcps_status status = dcps_control_import(daemon->control, &saved->control);
    daemon->restoring = false;
    for (uint32_t i = 0; status == DCPS_OK && i < daemon->config->shards; i++) {
        status = dcps_shard_thread_restore(daemon->shards[i], dcps_control_partition(daemon->control),
                                           dcps_control_layout(daemon->control),
                                           dcps_control_samples_per_epoch(daemon->control), &saved->shard);
    }
    if (status == DCPS_OK) {
        daemon->save.generation = saved->generation;
        daemon->save.written = true;
        tell(daemon, saved);
    }
    dcps_checkpoint_fini(&daemon->saved);
    return status;
}
