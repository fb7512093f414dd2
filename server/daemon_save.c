/* Checkpoints of a running server. Each shard hands out references to its weights and copies of its states, and serves nobody while it copies; a pool thread writes them, and for
 * the disk nobody waits. */
#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "server/daemon_state.h"

/* Between attempts at the first one: a full disk may have room later, but each attempt costs the shards a copy of their states, and a line in the log. */
#define FIRST_RETRY_NS (10u * DCPS_NS_PER_S)
#define STOPPING "this server is stopping, and writes its last checkpoint then"

static void start(dcps_daemon *daemon);

static void tell_waiters(dcps_daemon *daemon, dcps_save_waiters *waiters)
{
    dcps_message reply = {.type = DCPS_MESSAGE_CHECKPOINT_REPLY,
                          .body.checkpoint_reply = {.status = daemon->save.status, .text = daemon->save.text}};
    for (uint32_t i = 0; i < waiters->count; i++) {
        dcps_daemon_emit(daemon, &waiters->peers[i], &reply, NULL);
    }
    waiters->count = 0;
}

static void refuse(dcps_daemon *daemon, const dcps_peer *peer, dcps_status status, const char *text)
{
    dcps_message refusal = {.type = DCPS_MESSAGE_CHECKPOINT_REPLY,
                            .body.checkpoint_reply = {.status = status, .text = text}};
    dcps_daemon_emit(daemon, peer, &refusal, NULL);
}

/* A server that stops makes one more checkpoint, when everybody has left: those that are asked for must not put that off. */
static void refuse_next(dcps_daemon *daemon)
{
    dcps_save *save = &daemon->save;
    for (uint32_t i = 0; i < save->next.count; i++) {
        refuse(daemon, &save->next.peers[i], DCPS_AGAIN, STOPPING);
    }
    save->next.count = 0;
    save->again = false;
}

/* "Nothing to save yet" is no failure. */
static void note_outcome(dcps_save *save)
{
    if (save->status == DCPS_OK) {
        save->written = true;
        save->changes_written = save->changes;
        dcps_info("checkpoint written: %s", save->text);
    } else if (save->status == DCPS_AGAIN) {
        dcps_info("no checkpoint: %s", save->text);
    } else {
        save->failed_ns = dcps_clock_ns();
        dcps_error("checkpoint failed, an older one stays as it is: %s", save->text);
    }
}

/* The one under way is over, with `text` where status is a failure. */
static void finish(dcps_daemon *daemon, dcps_status status, const char *text)
{
    dcps_save *save = &daemon->save;
    save->status = status;
    snprintf(save->text, sizeof(save->text), "%s", text);
    dcps_save_fini(save);
    save->active = false;
    note_outcome(save);
    tell_waiters(daemon, &save->waiters);
    if (save->again && daemon->phase == DCPS_PHASE_SERVING) {
        save->again = false;
        save->waiters = save->next;
        save->next.count = 0;
        start(daemon);
    } else {
        refuse_next(daemon);
        dcps_daemon_advance(daemon, dcps_clock_ns());
    }
}

void dcps_save_fini(dcps_save *save)
{
    for (uint32_t i = 0; i < DCPS_MAX_SHARDS; i++) {
        dcps_shard_image_fini(&save->images[i]);
    }
    dcps_checkpoint_fini(&save->checkpoint);
}

/* On a pool thread. Images are dropped as soon as they are written: they hold memory of the size of the model. */
static void on_work(uv_work_t *work)
{
    dcps_daemon *daemon = work->data;
    dcps_save *save = &daemon->save;
    save->status = dcps_checkpoint_write(&save->checkpoint, daemon->config->checkpoint_dir, save->path);
    if (save->status != DCPS_OK) {
        snprintf(save->text, sizeof(save->text), "%s", dcps_error_message());
    }
    dcps_checkpoint_fini(&save->checkpoint);
}

static void on_work_done(uv_work_t *work, int result)
{
    dcps_daemon *daemon = work->data;
    dcps_save *save = &daemon->save;
    char text[sizeof(save->text)];
    (void)result; /* never cancelled */
    snprintf(text, sizeof(text), "%.*s", (int)sizeof(text) - 1, save->status == DCPS_OK ? save->path : save->text);
    finish(daemon, save->status, text);
}

/* Wall clock, so that files of several servers can be compared; never falling, whatever the clock does. */
static uint64_t next_generation(const dcps_save *save)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    uint64_t generation = (uint64_t)now.tv_sec * DCPS_NS_PER_S + (uint64_t)now.tv_nsec;
    return generation > save->generation ? generation : save->generation + 1u;
}

static dcps_status describe(dcps_daemon *daemon)
{
    const dcps_server_config *config = daemon->config;
    dcps_checkpoint *checkpoint = &daemon->save.checkpoint;
    *checkpoint = (dcps_checkpoint){.generation = next_generation(&daemon->save),
                                    .server_index = config->index,
                                    .server_count = config->server_count,
                                    .seed = config->seed,
                                    .batch_size = config->batch_size,
                                    .epochs = config->epochs};
    snprintf(checkpoint->algorithm, sizeof(checkpoint->algorithm), "%s", config->algorithm.name);
    snprintf(checkpoint->settings, sizeof(checkpoint->settings), "%s", config->settings);
    dcps_checkpoint_set_states(checkpoint, daemon->rule);
    return dcps_control_export(daemon->control, &checkpoint->control);
}

/* Gradients taken, as far as the shards have told, sessions opened and goodbyes. */
static uint64_t count_changes(const dcps_daemon *daemon)
{
    dcps_control_stats control;
    dcps_control_stats_get(daemon->control, &control);
    uint64_t changes = (uint64_t)daemon->traces.joins + control.workers_finished;
    for (uint32_t i = 0; i < daemon->config->shards; i++) {
        const dcps_shard_stats *stats = &daemon->published[i].stats;
        changes += stats->pushes_applied + stats->pushes_dropped;
    }
    return changes;
}

static void start(dcps_daemon *daemon)
{
    dcps_save *save = &daemon->save;
    save->active = true;
    save->changes = count_changes(daemon);
    dcps_status status = describe(daemon);
    if (status != DCPS_OK) {
        char text[sizeof(save->text)];
        snprintf(text, sizeof(text), "%s", dcps_error_message());
        finish(daemon, status, text);
        return;
    }
    save->generation = save->checkpoint.generation;
    save->status = DCPS_OK;
    save->missing = daemon->config->shards;
    for (uint32_t i = 0; i < daemon->config->shards; i++) {
        dcps_shard_thread_export(daemon->shards[i]);
    }
}

void dcps_daemon_save(dcps_daemon *daemon)
{
    if (daemon->save.active) {
        daemon->save.again = true;
    } else {
        start(daemon);
    }
}

void dcps_daemon_save_asked(dcps_daemon *daemon, const dcps_peer *peer)
{
    dcps_save_waiters *waiters = daemon->save.active ? &daemon->save.next : &daemon->save.waiters;
    if (daemon->config->checkpoint_dir == NULL) {
        refuse(daemon, peer, DCPS_UNSUPPORTED, "this server runs without --checkpoint-dir and cannot save");
    } else if (daemon->phase != DCPS_PHASE_SERVING) {
        refuse(daemon, peer, DCPS_AGAIN, STOPPING);
    } else if (waiters->count == DCPS_MAX_SAVE_WAITERS) {
        refuse(daemon, peer, DCPS_AGAIN, "too many wait for a checkpoint already");
    } else {
        waiters->peers[waiters->count++] = *peer;
        dcps_daemon_save(daemon);
    }
}

void dcps_daemon_save_run(dcps_daemon *daemon)
{
    if (daemon->config->checkpoint_dir != NULL) {
        dcps_daemon_save(daemon);
    }
}

void dcps_daemon_save_again(dcps_daemon *daemon)
{
    const dcps_save *save = &daemon->save;
    if (daemon->phase == DCPS_PHASE_SERVING && save->written && !save->active &&
        count_changes(daemon) != save->changes_written) {
        dcps_daemon_save(daemon);
    }
}

void dcps_daemon_save_first(dcps_daemon *daemon, uint64_t now_ns)
{
    const dcps_save *save = &daemon->save;
    bool wanted = daemon->config->checkpoint_dir != NULL && !save->written && !save->active;
    bool due = save->failed_ns == 0 || now_ns - save->failed_ns >= FIRST_RETRY_NS;
    if (!wanted || !due || daemon->phase != DCPS_PHASE_SERVING) {
        return;
    }
    for (uint32_t i = 0; i < daemon->config->shards; i++) {
        if (!daemon->published[i].stats.complete) {
            return;
        }
    }
    dcps_daemon_save(daemon);
}

/* A file must hold the whole server: some blocks may have no values yet. */
static dcps_status check_complete(const dcps_daemon *daemon, const dcps_shard_image *shard)
{
    const dcps_partition *partition = dcps_control_partition(daemon->control);
    const dcps_server_config *config = daemon->config;
    uint32_t owned = dcps_partition_first_block(partition, (config->index + 1u) * config->shards) -
                     dcps_partition_first_block(partition, config->index * config->shards);
    if (shard->block_count < owned) {
        return dcps_fail(DCPS_AGAIN, "nothing to save yet: %u of %u blocks have values", shard->block_count, owned);
    }
    return DCPS_OK;
}

static void write_file(dcps_daemon *daemon)
{
    dcps_save *save = &daemon->save;
    dcps_status status = save->status;
    if (status == DCPS_OK) {
        status = dcps_checkpoint_take_shards(&save->checkpoint, save->images, daemon->config->shards);
        if (status == DCPS_OK) {
            status = check_complete(daemon, &save->checkpoint.shard);
        }
        if (status != DCPS_OK) {
            snprintf(save->text, sizeof(save->text), "%s", dcps_error_message());
        }
    }
    if (status == DCPS_OK) {
        save->work.data = daemon;
        int result = uv_queue_work(&daemon->loop, &save->work, on_work, on_work_done);
        if (result == 0) {
            return;
        }
        status = DCPS_SYSTEM;
        snprintf(save->text, sizeof(save->text), "cannot start writing: %s", uv_strerror(result));
    }
    char text[sizeof(save->text)];
    snprintf(text, sizeof(text), "%s", save->text);
    finish(daemon, status, text);
}

void dcps_daemon_take_export(dcps_daemon *daemon, dcps_shard_report *report)
{
    dcps_save *save = &daemon->save;
    if (report->status == DCPS_OK) {
        save->images[report->shard] = report->image;
    } else {
        save->status = report->status;
        snprintf(save->text, sizeof(save->text), "%s", report->text);
    }
    if (--save->missing == 0) {
        write_file(daemon);
    }
}
