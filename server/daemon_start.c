/* Opening and closing what the daemon needs besides its loop. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/descriptors.h"
#include "base/folder.h"
#include "base/log.h"
#include "server/daemon_state.h"
#include "server/engine/memory.h"

#define OWN_DESCRIPTORS 64u /* besides a connection of each worker to each socket: sockets, queues, files, observers */
#define REPORT_CAPACITY (4u * DCPS_MAX_SHARDS) /* a shard has at most one export and one failure to tell */

/* "tcp://host:port". */
static dcps_status tcp_endpoint(const char *host, const char *port, char out[DCPS_MAX_ENDPOINT_BYTES])
{
    char bracketed[DCPS_MAX_BRACKETED_BYTES];
    return dcps_format(out, DCPS_MAX_ENDPOINT_BYTES, "tcp://%s:%s", dcps_host_bracketed(host, bracketed), port);
}

static dcps_status bind_control(dcps_daemon *daemon)
{
    char port[8];
    char endpoint[DCPS_MAX_ENDPOINT_BYTES];
    snprintf(port, sizeof(port), "%u", daemon->config->bind.port);
    dcps_status status = tcp_endpoint(daemon->config->bind.host, port, endpoint);
    return status == DCPS_OK ? dcps_socket_bind(daemon->transport, endpoint, &daemon->control_socket) : status;
}

/* A folder that only we can enter, so that nobody else can connect. */
static dcps_status make_ipc_dir(dcps_daemon *daemon)
{
    const char *parent = getenv("TMPDIR");
    char name[sizeof(daemon->ipc_dir)];
    dcps_status status =
        dcps_format(name, sizeof(name), "%s/dcps-XXXXXX", parent == NULL || parent[0] == '\0' ? "/tmp" : parent);
    if (status != DCPS_OK) {
        return status;
    }
    if (mkdtemp(name) == NULL) {
        return dcps_fail(DCPS_IO, "cannot make a folder for the sockets of shards, %s: %s", name, strerror(errno));
    }
    memcpy(daemon->ipc_dir, name, sizeof(name));
    return DCPS_OK;
}

static void remove_ipc_dir(dcps_daemon *daemon)
{
    if (daemon->ipc_dir[0] == '\0') {
        return;
    }
    for (uint32_t i = 0; i < daemon->config->shards; i++) {
        char path[sizeof(daemon->ipc_dir) + 32u];
        snprintf(path, sizeof(path), "%s/shard-%u", daemon->ipc_dir, i);
        unlink(path);
    }
    if (rmdir(daemon->ipc_dir) != 0) {
        dcps_warn("cannot remove %s: %s", daemon->ipc_dir, strerror(errno));
    }
}

static dcps_shard_config shard_config(const dcps_server_config *config, uint32_t shard)
{
    return (dcps_shard_config){.shard = config->index * config->shards + shard,
                               .algorithm = config->algorithm,
                               .schedule = config->schedule,
                               .workers = config->workers,
                               .start_grace_ns = config->start_grace_ns,
                               .epochs = config->epochs,
                               .batch_size = config->batch_size,
                               .snapshot_every_samples = config->snapshot_every_samples};
}

/* After a restart those who are still there must not wait long for those who left before. */
static void shorten_grace(const dcps_daemon *daemon, dcps_shard_config *shard)
{
    uint64_t two_leases_ns = 2u * (uint64_t)daemon->config->lease_ms * DCPS_NS_PER_MS;
    bool longer = shard->start_grace_ns == 0 || shard->start_grace_ns > two_leases_ns; /* 0: for ever */
    if (daemon->resumes && longer) {
        shard->start_grace_ns = two_leases_ns;
    }
}

static dcps_status open_shard(dcps_daemon *daemon, uint32_t index)
{
    const dcps_server_config *config = daemon->config;
    char endpoint[DCPS_MAX_ENDPOINT_BYTES];
    dcps_shard_config shard = shard_config(config, index);
    shorten_grace(daemon, &shard);
    if (config->replay_dir != NULL) {
        shard.start_grace_ns = 0; /* a trace is complete only where all workers were there */
    }
    dcps_status status = config->shards_on_ipc
                             ? dcps_format(endpoint, sizeof(endpoint), "ipc://%s/shard-%u", daemon->ipc_dir, index)
                             : tcp_endpoint(config->bind.host, "0", endpoint);
    if (status == DCPS_OK) {
        const dcps_shard_thread_config thread = {
            .endpoint = endpoint,
            .engine = shard,
            .shard = index,
            .reports = daemon->reports,
            .writer = daemon->traces.record.writers[index],
            .order = config->replay_dir == NULL ? NULL : &daemon->traces.replay.orders[index]};
        status = dcps_shard_thread_create(daemon->transport, &thread, &daemon->shards[index]);
    }
    if (status != DCPS_OK) {
        return status;
    }
    const char *bound = dcps_shard_thread_endpoint(daemon->shards[index]);
    return config->shards_on_ipc
               ? dcps_format(daemon->endpoints[index], DCPS_MAX_ENDPOINT_BYTES, "%s", bound)
               : tcp_endpoint(config->advertise.host, strrchr(bound, ':') + 1, daemon->endpoints[index]);
}

/* Of this machine; 0: not known. */
static uint64_t memory_bytes(void)
{
    long pages = sysconf(_SC_PHYS_PAGES);
    long page_bytes = sysconf(_SC_PAGESIZE);
    return pages > 0 && page_bytes > 0 ? (uint64_t)pages * (uint64_t)page_bytes : 0;
}

/* The largest model that this machine can hold and train. */
static uint64_t params_that_fit(const dcps_daemon *daemon)
{
    uint64_t copies = dcps_memory_copies(&daemon->config->algorithm, daemon->rule, daemon->config->workers);
    return memory_bytes() / (copies * sizeof(float)) * daemon->config->server_count;
}

void dcps_daemon_check_snapshots(const dcps_daemon *daemon, uint64_t own_params, uint64_t samples_per_epoch)
{
    const dcps_server_config *config = daemon->config;
    dcps_memory_use use = {.params = own_params,
                           .copies = dcps_memory_copies(&config->algorithm, daemon->rule, config->workers)};
    uint64_t every_samples;
    char text[DCPS_MAX_TEXT_BYTES];
    dcps_status status = dcps_plan_marks(config->snapshot_every_samples, samples_per_epoch, config->epochs,
                                         &every_samples, &use.snapshots);
    if (status == DCPS_OK && use.snapshots > 0 && memory_bytes() > 0 &&
        !dcps_memory_holds(&use, memory_bytes(), text)) {
        dcps_warn("%s", text);
    }
}

static dcps_status open_control(dcps_daemon *daemon)
{
    const dcps_server_config *config = daemon->config;
    const char *endpoints[DCPS_MAX_SHARDS];
    for (uint32_t i = 0; i < config->shards; i++) {
        endpoints[i] = daemon->endpoints[i];
    }
    dcps_control_config control = {.server_index = config->index,
                                   .server_count = config->server_count,
                                   .shards_per_server = config->shards,
                                   .endpoints = endpoints,
                                   .lease_ms = config->lease_ms,
                                   .workers = config->workers,
                                   .seed = config->seed,
                                   .batch_size = config->batch_size,
                                   .epochs = config->epochs,
                                   .snapshot_every_samples = config->snapshot_every_samples,
                                   .block_params = config->block_params,
                                   .max_params = params_that_fit(daemon),
                                   .algorithm = config->algorithm.name,
                                   .settings = config->settings,
                                   .emit = dcps_daemon_emit,
                                   .event = dcps_daemon_event,
                                   .token = dcps_daemon_token,
                                   .context = daemon};
    return dcps_control_create(&control, &daemon->control);
}

/* Found out now rather than after hours of training. */
static dcps_status check_checkpoint_dir(const dcps_server_config *config)
{
    const char *dir = config->checkpoint_dir;
    if (dir == NULL) {
        return DCPS_OK;
    }
    if (config->resume != DCPS_RESUME_YES) {
        dcps_status status = dcps_folder_make(dir);
        if (status != DCPS_OK) {
            return status;
        }
    }
    struct stat info;
    if (stat(dir, &info) != 0 || !S_ISDIR(info.st_mode)) {
        return dcps_fail(DCPS_IO, "--checkpoint-dir %s is not a folder", dir);
    }
    if (access(dir, W_OK | X_OK) != 0) {
        return dcps_fail(DCPS_IO, "cannot write checkpoints into %s: %s", dir, strerror(errno));
    }
    return DCPS_OK;
}

/* Two runs must not share a file, neither at the same time nor one after the other by mistake. */
static dcps_status claim_checkpoints(dcps_daemon *daemon)
{
    const dcps_server_config *config = daemon->config;
    const char *dir = config->checkpoint_dir;
    dcps_status status = check_checkpoint_dir(config);
    if (status != DCPS_OK || dir == NULL) {
        return status;
    }
    status = dcps_checkpoint_lock(dir, config->index, config->server_count, &daemon->checkpoint_lock);
    if (status != DCPS_OK) {
        return status;
    }
    if (config->resume == DCPS_RESUME_NO && dcps_checkpoint_exists(dir, config->index, config->server_count)) {
        return dcps_fail(
            DCPS_INVALID,
            "%s holds a checkpoint of an earlier run: continue that run with --resume yes, or choose another folder",
            dir);
    }
    return DCPS_OK;
}

static dcps_status open_shards(dcps_daemon *daemon)
{
    dcps_status status = daemon->config->shards_on_ipc ? make_ipc_dir(daemon) : DCPS_OK;
    for (uint32_t i = 0; status == DCPS_OK && i < daemon->config->shards; i++) {
        status = open_shard(daemon, i);
    }
    return status;
}

/* Beyond the limit nobody can connect, and nothing would say why. */
static void check_descriptors(const dcps_server_config *config)
{
    uint64_t allowed = dcps_descriptors_allowed();
    uint64_t needed = (uint64_t)config->workers * (config->shards + 1u) + OWN_DESCRIPTORS;
    if (needed > allowed) {
        dcps_warn(
            "%u workers and %u shards need %llu open files at once, %llu are allowed: workers will find no place; "
            "raise the limit (ulimit -Hn, LimitNOFILE=) or use fewer shards",
            config->workers, config->shards, (unsigned long long)needed, (unsigned long long)allowed);
    }
}

dcps_status dcps_daemon_open(dcps_daemon *daemon)
{
    const dcps_server_config *config = daemon->config;
    daemon->checkpoint_lock = -1;
    check_descriptors(config);
    dcps_status status = claim_checkpoints(daemon);
    if (status == DCPS_OK) {
        status = dcps_rule_create(&config->algorithm.rule, &daemon->rule);
    }
    if (status == DCPS_OK) {
        status = dcps_queue_create(sizeof(dcps_shard_report), REPORT_CAPACITY, &daemon->reports);
    }
    if (status == DCPS_OK) {
        status = dcps_transport_create(config->io_threads, &daemon->transport);
    }
    if (status == DCPS_OK) {
        status = bind_control(daemon);
    }
    if (status == DCPS_OK) {
        status = dcps_daemon_load(daemon);
    }
    if (status == DCPS_OK) {
        status = dcps_daemon_open_traces(daemon);
    }
    if (status == DCPS_OK) {
        status = open_shards(daemon);
    }
    if (status == DCPS_OK) {
        status = open_control(daemon);
    }
    if (status == DCPS_OK) {
        status = dcps_daemon_restore(daemon);
    }
    for (uint32_t i = 0; status == DCPS_OK && i < config->shards; i++) {
        status = dcps_shard_thread_start(daemon->shards[i]);
    }
    return status;
}

/* Reports that nobody will read any more still own memory. */
static void drop_reports(dcps_daemon *daemon)
{
    dcps_shard_report report;
    while (daemon->reports != NULL && dcps_queue_pop(daemon->reports, &report)) {
        dcps_shard_image_fini(&report.image);
    }
}

void dcps_daemon_close(dcps_daemon *daemon)
{
    for (uint32_t i = 0; i < daemon->config->shards; i++) {
        if (daemon->shards[i] != NULL) {
            dcps_shard_thread_stop(daemon->shards[i]); /* all end at the same time */
        }
    }
    for (uint32_t i = 0; i < daemon->config->shards; i++) {
        if (daemon->shards[i] != NULL) {
            dcps_shard_thread_join(daemon->shards[i]);
        }
    }
    dcps_daemon_close_traces(daemon);
    for (uint32_t i = 0; i < daemon->config->shards; i++) {
        dcps_shard_thread_destroy(&daemon->shards[i]);
    }
    dcps_trace_replay_fini(&daemon->traces.replay); /* shards borrow it */
    drop_reports(daemon);
    dcps_save_fini(&daemon->save);
    dcps_checkpoint_fini(&daemon->saved);
    dcps_control_destroy(&daemon->control);
    dcps_socket_close(&daemon->control_socket);
    dcps_transport_destroy(&daemon->transport);
    remove_ipc_dir(daemon);
    dcps_queue_destroy(&daemon->reports);
    dcps_rule_destroy(&daemon->rule);
    if (daemon->checkpoint_lock >= 0) {
        (void)close(daemon->checkpoint_lock);
    }
}
