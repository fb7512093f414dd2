#include "cli/run/cluster.h"

#include <inttypes.h>
#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/wait.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "cli/run/cluster_state.h"

#define DCPS_CLUSTER_TURN_MS 100
#define DCPS_STATUS_INTERVAL_MS 250u

const dcps_cluster_limits dcps_cluster_default_limits = {
    .start_ms = 20000, .silence_ms = 3000, .lost_ms = 60000, .stall_ms = 300000, .stop_ms = 15000, .backoff_ms = 500};

dcps_member *dcps_cluster_server(dcps_cluster *cluster, uint32_t index)
{
    return &cluster->members[index];
}

dcps_member *dcps_cluster_worker(dcps_cluster *cluster, uint32_t index)
{
    return &cluster->members[cluster->config->servers + index];
}

dcps_member *dcps_cluster_evaluator(dcps_cluster *cluster)
{
    return cluster->config->evaluate_args == NULL ? NULL : &cluster->members[cluster->member_count - 1];
}

dcps_status dcps_cluster_fail(dcps_cluster *cluster, dcps_status status, const char *format, ...)
{
    if (cluster->failed == DCPS_OK) {
        va_list list;
        va_start(list, format);
        (void)vsnprintf(cluster->failure, sizeof(cluster->failure), format, list);
        va_end(list);
        cluster->failed = status;
    }
    return status;
}

static void name_member(dcps_cluster *cluster, uint32_t i)
{
    const dcps_cluster_config *config = cluster->config;
    dcps_member *member = &cluster->members[i];
    member->cluster = cluster;
    if (i < config->servers) {
        member->kind = DCPS_MEMBER_SERVER;
        member->index = i;
        (void)snprintf(member->name, sizeof(member->name), "server %" PRIu32, member->index);
    } else if (i < config->servers + config->workers) {
        member->kind = DCPS_MEMBER_WORKER;
        member->index = i - config->servers;
        (void)snprintf(member->name, sizeof(member->name), "worker %" PRIu32, member->index);
    } else {
        member->kind = DCPS_MEMBER_EVALUATOR;
        (void)snprintf(member->name, sizeof(member->name), "evaluator");
    }
}

static dcps_status cluster_init(dcps_cluster *cluster, const dcps_cluster_config *config, dcps_result_run *run,
                                char *dataset)
{
    *cluster = (dcps_cluster){.config = config, .run = run, .dataset = dataset};
    cluster->member_count = config->servers + config->workers + (config->evaluate_args != NULL);
    cluster->members = dcps_alloc(cluster->member_count, sizeof(*cluster->members));
    if (cluster->members == NULL) {
        cluster->member_count = 0;
        return dcps_cluster_fail(cluster, DCPS_NO_MEMORY, "no memory for a cluster of %" PRIu32 " processes",
                                 config->servers + config->workers);
    }
    for (uint32_t i = 0; i < cluster->member_count; i++) {
        name_member(cluster, i);
    }
    return DCPS_OK;
}

static void cluster_fini(dcps_cluster *cluster)
{
    for (uint32_t i = 0; i < cluster->member_count; i++) {
        cluster->run->restarts += cluster->members[i].restarts;
        cluster->run->workers_lost += cluster->members[i].abandoned;
        dcps_supervisor_forget(cluster->config->supervisor, &cluster->members[i].process);
        dcps_args_fini(&cluster->members[i].args);
    }
    dcps_monitor_destroy(&cluster->monitor);
    dcps_free(cluster->members);
    dcps_free(cluster->servers_text);
}

static dcps_status start_workers(dcps_cluster *cluster)
{
    dcps_status status =
        dcps_monitor_create(cluster->addresses, cluster->config->servers, DCPS_STATUS_INTERVAL_MS, &cluster->monitor);
    if (status != DCPS_OK) {
        return dcps_cluster_fail(cluster, status, "%s", dcps_error_message());
    }
    for (uint32_t i = 0; status == DCPS_OK && i < cluster->config->workers; i++) {
        status = dcps_cluster_start_member(cluster, dcps_cluster_worker(cluster, i));
    }
    if (status == DCPS_OK && cluster->config->evaluate_beside && dcps_cluster_evaluator(cluster) != NULL) {
        status = dcps_cluster_start_member(cluster, dcps_cluster_evaluator(cluster));
    }
    cluster->moved_ns = dcps_clock_ns();
    cluster->worked_ns = cluster->moved_ns;
    cluster->rate_ns = cluster->moved_ns;
    return status;
}

static bool training_over(const dcps_cluster *cluster)
{
    return cluster->progress.known && cluster->progress.state == DCPS_RUN_DONE;
}

static dcps_status train(dcps_cluster *cluster)
{
    dcps_status status = DCPS_OK;
    while (status == DCPS_OK && !training_over(cluster)) {
        status = dcps_cluster_turn(cluster, DCPS_CLUSTER_TURN_MS);
    }
    return status;
}

static uint32_t workers_running(dcps_cluster *cluster)
{
    uint32_t running = 0;
    for (uint32_t i = 0; i < cluster->config->workers; i++) {
        const dcps_member *worker = dcps_cluster_worker(cluster, i);
        running += worker->process != NULL && dcps_process_running(worker->process);
    }
    return running;
}

/* Signals the workers that have not ended by themselves, then waits for their end at most `timeout_ms`. */
static dcps_status await_workers(dcps_cluster *cluster, int signal_number, uint32_t timeout_ms)
{
    dcps_status status = DCPS_OK;
    uint64_t began_ns = dcps_clock_ns();
    for (uint32_t i = 0; signal_number != 0 && i < cluster->config->workers; i++) {
        dcps_member *worker = dcps_cluster_worker(cluster, i);
        if (worker->process != NULL && dcps_process_running(worker->process)) {
            dcps_screen_print(cluster->config->screen, "%s has not ended although the training is over: stopping it",
                              worker->name);
            dcps_process_signal(worker->process, signal_number);
        }
    }
    while (status == DCPS_OK && workers_running(cluster) > 0 &&
           dcps_cluster_waited_ns(cluster, began_ns) < timeout_ms * DCPS_NS_PER_MS) {
        status = dcps_cluster_turn(cluster, DCPS_CLUSTER_TURN_MS);
    }
    return status;
}

/* A worker that does not end in time costs a message, not the result: every batch has been applied. */
static dcps_status end_workers(dcps_cluster *cluster)
{
    cluster->stopping = true;
    dcps_status status = await_workers(cluster, 0, cluster->config->limits.stop_ms);
    if (status == DCPS_OK && workers_running(cluster) > 0) {
        status = await_workers(cluster, SIGKILL, cluster->config->limits.stop_ms);
    }
    return status;
}

/* Snapshots for evaluation are no part of checkpoints. */
static bool servers_began_anew(dcps_cluster *cluster)
{
    for (uint32_t i = 0; i < cluster->config->servers; i++) {
        if (dcps_cluster_server(cluster, i)->restarts > 0) {
            return true;
        }
    }
    return false;
}

/* The figures of a run are those of its final weights: without them it is not complete. A gap before only lacks in the curve. */
static dcps_status check_evaluated(dcps_cluster *cluster)
{
    uint32_t epochs = cluster->progress.epochs;
    uint32_t points = cluster->run->point_count;
    if (points == 0) {
        return dcps_cluster_fail(cluster, DCPS_SYSTEM, "the evaluation ended without a single figure%s",
                                 servers_began_anew(cluster) ? ": no snapshot is left from before the restart" : "");
    }
    if (cluster->evaluated < epochs) {
        return dcps_cluster_fail(cluster, DCPS_SYSTEM, "evaluated up to epoch %" PRIu64 " of %" PRIu32,
                                 cluster->evaluated, epochs);
    }
    if (points < epochs) {
        dcps_screen_print(cluster->config->screen,
                          "%s: %" PRIu32 " of %" PRIu32
                          " epochs have no figure: servers keep snapshots in memory, and none from before a restart",
                          cluster->config->title, epochs - points, epochs);
    }
    return DCPS_OK;
}

static dcps_status evaluate(dcps_cluster *cluster)
{
    dcps_member *evaluator = dcps_cluster_evaluator(cluster);
    dcps_status status = DCPS_OK;
    if (evaluator == NULL) {
        return DCPS_OK;
    }
    cluster->moved_ns = dcps_clock_ns();
    if (!cluster->config->evaluate_beside) {
        status = dcps_cluster_start_member(cluster, evaluator);
    }
    while (status == DCPS_OK && !evaluator->finished) {
        status = dcps_cluster_turn(cluster, DCPS_CLUSTER_TURN_MS);
    }
    return status == DCPS_OK ? check_evaluated(cluster) : status;
}

/* One more answer from every server, asked for after the last worker has gone: the figures of the table. */
static dcps_status take_final_status(dcps_cluster *cluster)
{
    uint64_t patience_ns = cluster->config->limits.lost_ms * DCPS_NS_PER_MS;
    uint64_t began_ns = dcps_clock_ns();
    dcps_status status = DCPS_OK;
    dcps_monitor_want_rounds(cluster->monitor);
    for (uint32_t i = 0; i < cluster->config->servers && status == DCPS_OK; i++) {
        const dcps_server_view *view = dcps_monitor_server(cluster->monitor, i);
        uint64_t rounds = view->rounds + 1; /* one may be under way, older than our question */
        while (status == DCPS_OK && view->rounds <= rounds && dcps_cluster_waited_ns(cluster, began_ns) < patience_ns) {
            status = dcps_cluster_turn(cluster, DCPS_CLUSTER_TURN_MS);
        }
    }
    return status;
}

/* What the servers said of shards and workers, and workers of themselves. Without memory for it the run has its figures all the same. */
static void keep_details(dcps_cluster *cluster)
{
    const dcps_cluster_config *config = cluster->config;
    dcps_result_run *run = cluster->run;
    dcps_run_statistics statistics = {.shard_count = 0};
    dcps_status status = dcps_monitor_statistics(cluster->monitor, &statistics);
    if (status == DCPS_OK) {
        status = dcps_result_details_keep(&run->details, &statistics, &cluster->progress.staleness, config->groups,
                                          config->workers);
    }
    run->details_known = status == DCPS_OK && statistics.shard_count > 0;
    for (uint32_t i = 0; i < config->workers; i++) {
        const dcps_member *member = dcps_cluster_worker(cluster, i);
        const dcps_worker_report *report = &member->report;
        if (member->reported && report->seconds > 0.0) {
            dcps_result_details_set_wait(&run->details, report->worker, &report->wait_ns, &report->wait_histogram,
                                         report->wait_seconds / report->seconds);
        }
    }
    if (status != DCPS_OK) {
        dcps_screen_print(config->screen, "%s: %s", config->title, dcps_error_message());
    }
    dcps_run_statistics_fini(&statistics);
}

/* What the servers said last; of a run that failed, too. */
static void keep_results(dcps_cluster *cluster)
{
    const dcps_run_progress *progress = &cluster->progress;
    dcps_result_run *run = cluster->run;
    if (!progress->known) {
        return;
    }
    run->measured = true;
    run->loss_known = progress->samples > 0;
    run->train_loss = run->loss_known ? progress->train_loss : (double)NAN;
    run->epochs = progress->epochs;
    run->updates = progress->updates;
    run->samples = progress->samples;
    run->seconds = progress->seconds;
    run->samples_per_second = progress->seconds > 0.0 ? (double)progress->samples / progress->seconds : (double)NAN;
    dcps_counts_summarise(&progress->staleness, &run->staleness);
    run->weights_final = progress->weights_final;
    run->weights_digest = progress->weights_digest;
    keep_details(cluster);
}

static dcps_status end_servers(dcps_cluster *cluster)
{
    const dcps_cluster_config *config = cluster->config;
    uint32_t killed = dcps_supervisor_stop_all(config->supervisor, config->limits.stop_ms);
    for (uint32_t i = 0; i < config->servers; i++) {
        const dcps_member *server = dcps_cluster_server(cluster, i);
        char ending[96];
        if (server->process != NULL && !dcps_process_running(server->process) &&
            dcps_process_exit_status(server->process) != 0) {
            return dcps_cluster_fail(cluster, DCPS_SYSTEM, "%s %s while it was stopping%s", server->name,
                                     dcps_process_ending(server->process, ending, sizeof(ending)),
                                     killed > 0 ? ": it did not end in time after SIGTERM, see --stop-timeout" : "");
        }
    }
    return DCPS_OK;
}

/* Every process still there gets SIGTERM, time to drain and to write a checkpoint, then SIGKILL. */
static void stop_everything(dcps_cluster *cluster)
{
    const dcps_cluster_config *config = cluster->config;
    cluster->stopping = true;
    if (dcps_supervisor_running(config->supervisor) == 0) {
        return;
    }
    dcps_screen_clear(config->screen);
    if (dcps_supervisor_interrupts(config->supervisor) > 0) {
        dcps_screen_print(config->screen, "%s: stopping (once more: at once)", config->title);
    }
    uint32_t killed = dcps_supervisor_stop_all(config->supervisor, config->limits.stop_ms);
    if (killed > 0) {
        dcps_screen_print(config->screen,
                          "%s: %" PRIu32 " processes did not end in time and were killed: see --stop-timeout",
                          config->title, killed);
    }
}

dcps_status dcps_cluster_run(const dcps_cluster_config *config, dcps_result_run *run, char *dataset)
{
    dcps_status (*const phases[])(dcps_cluster *) = {dcps_cluster_start_servers, start_workers, train, end_workers,
                                                     take_final_status,          evaluate};
    dcps_cluster cluster;
    dcps_status status = cluster_init(&cluster, config, run, dataset);
    for (size_t i = 0; status == DCPS_OK && i < sizeof(phases) / sizeof(phases[0]); i++) {
        status = phases[i](&cluster);
    }
    keep_results(&cluster);
    if (status == DCPS_OK) {
        status = end_servers(&cluster);
    }
    if (status != DCPS_OK) {
        dcps_screen_clear(config->screen);
        dcps_screen_print(config->screen, "%s failed: %s", config->title, cluster.failure);
    }
    stop_everything(&cluster);
    dcps_screen_clear(config->screen);
    cluster_fini(&cluster);
    return status == DCPS_OK ? DCPS_OK : dcps_fail(status, "%s", cluster.failure);
}
