/* Watching the processes of a cluster: what they say, whether they live, whether the run moves. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/exit_code.h"
#include "cli/results/evaluation.h"
#include "cli/run/cluster_state.h"

#define DCPS_SILENCE_REPEAT_NS (5 * DCPS_NS_PER_S)
#define DCPS_MAX_BACKOFF_SHIFT 6u
#define DCPS_STOOD_STILL_NS DCPS_NS_PER_S /* between two turns, which wait a tenth of that */
#define DCPS_LISTENING_LINE "dcps-server listening "

static void take_evaluation(dcps_cluster *cluster, const char *line)
{
    dcps_evaluation evaluation;
    if (line[0] != '{') {
        dcps_screen_print(cluster->config->screen, "evaluator | %s", line);
        return;
    }
    dcps_status status = dcps_evaluation_parse(line, &evaluation);
    if (status == DCPS_OK) {
        status = dcps_result_add_point(cluster->run, &evaluation.point);
    }
    if (status != DCPS_OK) {
        (void)dcps_cluster_fail(cluster, status, "%s", dcps_error_message());
        return;
    }
    cluster->evaluated = evaluation.snapshot + 1; /* one snapshot an epoch */
    if (evaluation.dataset[0] != '\0') {
        (void)snprintf(cluster->dataset, DCPS_RESULT_NAME_BYTES, "%s", evaluation.dataset);
    }
    cluster->moved_ns = dcps_clock_ns();
}

void dcps_cluster_take_line(void *context, dcps_process *process, dcps_stream stream, const char *line)
{
    dcps_member *member = context;
    dcps_cluster *cluster = member->cluster;
    (void)process;
    if (stream == DCPS_STREAM_OUT && member->kind == DCPS_MEMBER_SERVER &&
        strncmp(line, DCPS_LISTENING_LINE, strlen(DCPS_LISTENING_LINE)) == 0) {
        member->listening = true;
        member->listening_ns = dcps_clock_ns();
        return;
    }
    if (stream == DCPS_STREAM_OUT && member->kind == DCPS_MEMBER_EVALUATOR) {
        take_evaluation(cluster, line);
        return;
    }
    if (member->kind == DCPS_MEMBER_SERVER && !member->listening && strstr(line, "in use") != NULL) {
        cluster->port_taken = true;
    }
    /* What a worker prints there at its end is for programs: for us where it is a report. */
    bool summary = stream == DCPS_STREAM_OUT && member->kind == DCPS_MEMBER_WORKER && line[0] == '{';
    if (summary) {
        member->reported = dcps_worker_report_parse(line, &member->report) == DCPS_OK;
    } else {
        dcps_screen_print(cluster->config->screen, "%s | %s", member->name, line);
    }
}

/* Plans the next life of a member that died: `ending` says how. False when it has had enough of them. */
static bool plan_restart(dcps_cluster *cluster, dcps_member *member, const char *ending)
{
    const dcps_cluster_config *config = cluster->config;
    if (member->restarts >= config->max_restarts) {
        return false;
    }
    uint32_t shift = member->restarts < DCPS_MAX_BACKOFF_SHIFT ? member->restarts : DCPS_MAX_BACKOFF_SHIFT;
    uint64_t pause_ms = (uint64_t)config->limits.backoff_ms << shift;
    member->restarts++;
    member->restart_at_ns = dcps_clock_ns() + pause_ms * DCPS_NS_PER_MS;
    dcps_screen_print(config->screen, "%s %s: starting it again in %" PRIu64 " ms (restart %" PRIu32 " of %" PRIu32 ")",
                      member->name, ending, pause_ms, member->restarts, config->max_restarts);
    return true;
}

static bool refused_flags(const dcps_member *member)
{
    int status = dcps_process_exit_status(member->process);
    return WIFEXITED(status) && WEXITSTATUS(status) == DCPS_EXIT_BAD_USAGE;
}

static void server_ended(dcps_cluster *cluster, dcps_member *member, const char *ending)
{
    bool started = member->listening || member->restarts > 0;
    if (refused_flags(member)) {
        (void)dcps_cluster_fail(cluster, DCPS_INVALID, "%s %s: it refused its flags, see its message", member->name,
                                ending);
    } else if (!started) {
        (void)dcps_cluster_fail(cluster, DCPS_SYSTEM, "%s %s before it listened at 127.0.0.1:%u", member->name, ending,
                                cluster->addresses[member->index].port);
    } else if (cluster->config->replays) {
        (void)dcps_cluster_fail(cluster, DCPS_SYSTEM, "%s %s in the replay: see its message", member->name, ending);
    } else if (!cluster->config->can_resume) {
        (void)dcps_cluster_fail(
            cluster, DCPS_SYSTEM,
            "%s at 127.0.0.1:%u %s and its parameters are lost: with --checkpoint-dir it would resume", member->name,
            cluster->addresses[member->index].port, ending);
    } else if (!plan_restart(cluster, member, ending)) {
        (void)dcps_cluster_fail(cluster, DCPS_SYSTEM, "%s %s: it died %" PRIu32 " times, see --max-restarts",
                                member->name, ending, member->restarts + 1);
    }
}

/* Workers that run, will run again, or have done their part. */
static uint32_t workers_left(dcps_cluster *cluster)
{
    uint32_t left = 0;
    for (uint32_t i = 0; i < cluster->config->workers; i++) {
        left += !dcps_cluster_worker(cluster, i)->abandoned;
    }
    return left;
}

/* It died once more than it is started again. */
static void abandon_worker(dcps_cluster *cluster, dcps_member *member, const char *ending)
{
    uint32_t deaths = member->restarts + 1;
    member->abandoned = true;
    if (cluster->config->needs_all) {
        (void)dcps_cluster_fail(cluster, DCPS_SYSTEM,
                                "%s %s: it died %" PRIu32 " times, and with fewer workers it would be another run (see "
                                "--max-restarts)",
                                member->name, ending, deaths);
        return;
    }
    dcps_screen_print(cluster->config->screen, "%s %s: it died %" PRIu32 " times, going on without it", member->name,
                      ending, deaths);
    if (workers_left(cluster) == 0) {
        (void)dcps_cluster_fail(cluster, DCPS_SYSTEM, "all %" PRIu32 " workers died %" PRIu32 " times, the last one %s",
                                cluster->config->workers, deaths, ending);
    }
}

static void worker_ended(dcps_cluster *cluster, dcps_member *member, const char *ending)
{
    int status = dcps_process_exit_status(member->process);
    bool at_start = cluster->progress.samples == 0 && WIFEXITED(status);
    if (refused_flags(member) || at_start) {
        (void)dcps_cluster_fail(cluster, refused_flags(member) ? DCPS_INVALID : DCPS_SYSTEM,
                                "%s %s before any training: see its message", member->name, ending);
        return;
    }
    if (cluster->config->replays) {
        (void)dcps_cluster_fail(cluster, DCPS_SYSTEM, "%s %s: a replay needs every worker", member->name, ending);
        return;
    }
    if (!plan_restart(cluster, member, ending)) {
        abandon_worker(cluster, member, ending);
    }
}

/* Called once for each end of a member's process. */
static void member_ended(dcps_cluster *cluster, dcps_member *member)
{
    char ending[96];
    (void)dcps_process_ending(member->process, ending, sizeof(ending));
    bool good = dcps_process_exit_status(member->process) == 0;
    if (good && member->kind != DCPS_MEMBER_SERVER) {
        member->finished = true;
    } else if (member->kind == DCPS_MEMBER_SERVER) {
        server_ended(cluster, member, ending);
    } else if (member->kind == DCPS_MEMBER_EVALUATOR) {
        (void)dcps_cluster_fail(cluster, refused_flags(member) ? DCPS_INVALID : DCPS_SYSTEM,
                                "the evaluation failed: dcps-worker --evaluate %s", ending);
    } else if (cluster->stopping) {
        dcps_screen_print(cluster->config->screen, "%s %s after the training", member->name, ending);
    } else {
        worker_ended(cluster, member, ending);
    }
    dcps_supervisor_forget(cluster->config->supervisor, &member->process);
}

static void look_after(dcps_cluster *cluster, dcps_member *member, uint64_t now_ns)
{
    if (member->process != NULL && !dcps_process_running(member->process)) {
        member_ended(cluster, member);
    } else if (member->restart_at_ns != 0 && now_ns >= member->restart_at_ns && cluster->failed == DCPS_OK) {
        (void)dcps_cluster_start_member(cluster, member);
    }
}

static void note_pause(dcps_cluster *cluster)
{
    uint64_t now_ns = dcps_clock_ns();
    if (cluster->turned_ns != 0 && now_ns - cluster->turned_ns >= DCPS_STOOD_STILL_NS) {
        cluster->woke_ns = now_ns;
    }
    cluster->turned_ns = now_ns;
}

uint64_t dcps_cluster_waited_ns(const dcps_cluster *cluster, uint64_t since_ns)
{
    uint64_t now_ns = dcps_clock_ns();
    uint64_t began_ns = since_ns > cluster->woke_ns ? since_ns : cluster->woke_ns;
    return now_ns > began_ns ? now_ns - began_ns : 0;
}

/* A server that lives but does not answer is named, again and again, and given up in the end. */
static void check_silence(dcps_cluster *cluster, uint32_t index, uint64_t now_ns)
{
    const dcps_cluster_limits *limits = &cluster->config->limits;
    dcps_member *server = dcps_cluster_server(cluster, index);
    uint64_t heard_ns = dcps_monitor_server(cluster->monitor, index)->heard_ns;
    uint64_t silent_ns =
        dcps_cluster_waited_ns(cluster, heard_ns > server->listening_ns ? heard_ns : server->listening_ns);
    if (silent_ns < limits->silence_ms * DCPS_NS_PER_MS) {
        server->warned_ns = 0;
        return;
    }
    const char *address = dcps_monitor_address(cluster->monitor, index);
    uint64_t patience_ms = (uint64_t)limits->lost_ms + (server->listening ? 0 : limits->load_ms);
    if (silent_ns >= patience_ms * DCPS_NS_PER_MS) {
        (void)dcps_cluster_fail(cluster, DCPS_TIMEOUT, "%s at %s has not answered for %" PRIu64 " s", server->name,
                                address, silent_ns / DCPS_NS_PER_S);
    } else if (server->warned_ns == 0 || now_ns - server->warned_ns >= DCPS_SILENCE_REPEAT_NS) {
        server->warned_ns = now_ns;
        dcps_screen_print(cluster->config->screen, "%s at %s does not answer (%" PRIu64 " s)", server->name, address,
                          silent_ns / DCPS_NS_PER_S);
    }
}

/* Workers end by themselves only when told that the training is over: then server 0 must say so, too. */
static void check_workers_left(dcps_cluster *cluster, uint64_t now_ns)
{
    const dcps_run_progress *progress = &cluster->progress;
    bool working = progress->known && progress->state == DCPS_RUN_DONE;
    for (uint32_t i = 0; i < cluster->config->workers && !working; i++) {
        const dcps_member *worker = dcps_cluster_worker(cluster, i);
        working = !worker->finished && !worker->abandoned;
    }
    if (working) {
        cluster->worked_ns = now_ns;
    } else if (dcps_cluster_waited_ns(cluster, cluster->worked_ns) > cluster->config->limits.stop_ms * DCPS_NS_PER_MS) {
        (void)dcps_cluster_fail(cluster, DCPS_SYSTEM,
                                "all workers have ended, but the training has not: %" PRIu64 " of %" PRIu64
                                " samples applied",
                                progress->samples, progress->samples_per_epoch * progress->epochs);
    }
}

static void check_motion(dcps_cluster *cluster, uint64_t now_ns)
{
    bool loading = false;
    for (uint32_t i = 0; i < cluster->config->servers; i++) {
        loading = loading || !dcps_cluster_server(cluster, i)->listening;
    }
    if (loading || cluster->progress.samples != cluster->moved_samples) {
        cluster->moved_samples = cluster->progress.samples;
        cluster->moved_ns = now_ns;
    }
    uint64_t still_ns = dcps_cluster_waited_ns(cluster, cluster->moved_ns);
    if (still_ns > cluster->config->limits.stall_ms * DCPS_NS_PER_MS) {
        (void)dcps_cluster_fail(cluster, DCPS_TIMEOUT,
                                "nothing has moved for %" PRIu64 " s (%" PRIu64 " samples applied, %" PRIu32
                                " workers live): see --stall-timeout",
                                still_ns / DCPS_NS_PER_S, cluster->progress.samples, cluster->progress.workers_live);
    }
}

static void watch_servers(dcps_cluster *cluster)
{
    uint64_t now_ns = dcps_clock_ns();
    dcps_monitor_progress(cluster->monitor, &cluster->progress);
    for (uint32_t i = 0; i < cluster->config->servers; i++) {
        check_silence(cluster, i, now_ns);
    }
    check_motion(cluster, now_ns);
    check_workers_left(cluster, now_ns);
    dcps_cluster_show(cluster);
}

dcps_status dcps_cluster_turn(dcps_cluster *cluster, int timeout_ms)
{
    dcps_supervisor *supervisor = cluster->config->supervisor;
    if (cluster->monitor == NULL) {
        dcps_supervisor_wait(supervisor, timeout_ms);
        note_pause(cluster);
    } else {
        dcps_status status = dcps_monitor_turn(cluster->monitor, dcps_supervisor_fd(supervisor), timeout_ms);
        if (status != DCPS_OK) {
            (void)dcps_cluster_fail(cluster, status, "%s", dcps_error_message());
        }
        dcps_supervisor_step(supervisor);
        note_pause(cluster);
        watch_servers(cluster);
    }
    uint64_t now_ns = dcps_clock_ns();
    for (uint32_t i = 0; i < cluster->member_count; i++) {
        look_after(cluster, &cluster->members[i], now_ns);
    }
    if (dcps_supervisor_interrupts(supervisor) > 0) {
        (void)dcps_cluster_fail(cluster, DCPS_CANCELLED, "stopped on request");
    }
    return cluster->failed;
}
