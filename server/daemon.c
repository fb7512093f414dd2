#include "server/daemon.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/stop_signal.h"
#include "server/daemon_state.h"

#define TICK_MS 100

void dcps_daemon_stop(dcps_daemon *daemon, dcps_status result)
{
    daemon->phase = DCPS_PHASE_STOPPED;
    daemon->result = daemon->result != DCPS_OK ? daemon->result : result;
    uv_stop(&daemon->loop);
}

/* Its being active keeps the loop from sleeping once. */
static void on_idle(uv_idle_t *handle)
{
    uv_idle_stop(handle);
}

/* Before every sleep: the control socket's descriptor tells of changes only, so nothing may be left inside. */
static void on_prepare(uv_prepare_t *handle)
{
    dcps_daemon *daemon = handle->data;
    if (dcps_daemon_serve_control(daemon)) {
        uv_idle_start(&daemon->idle, on_idle);
    }
}

/* The wake-up is all that is wanted: on_prepare follows. */
static void on_control_readable(uv_poll_t *handle, int status, int events)
{
    (void)handle;
    (void)status;
    (void)events;
}

static void on_reports(uv_poll_t *handle, int status, int events)
{
    dcps_daemon *daemon = handle->data;
    dcps_shard_report report;
    (void)status;
    (void)events;
    while (dcps_queue_pop(daemon->reports, &report)) {
        if (report.kind == DCPS_SHARD_EXPORTED) {
            dcps_daemon_take_export(daemon, &report);
        } else {
            dcps_error("shard %u cannot go on: %s", report.shard, report.text);
            dcps_daemon_stop(daemon, report.status);
        }
    }
}

static void on_signal(uv_signal_t *handle, int number)
{
    dcps_daemon *daemon = handle->data;
    const char *name = dcps_stop_signal_name(number);
    if (!dcps_stop_signal_counts(&daemon->signalled_ns, dcps_clock_ns())) {
        return;
    }
    if (daemon->phase == DCPS_PHASE_SERVING) {
        dcps_daemon_drain(daemon, name);
    } else if (number != SIGHUP) { /* a hangup is no impatience, and may bring several */
        dcps_warn("%s again: leaving at once", name);
        dcps_daemon_stop(daemon, DCPS_CANCELLED);
    }
}

static void on_tick(uv_timer_t *handle)
{
    dcps_daemon *daemon = handle->data;
    uint64_t begun_ns = dcps_clock_ns();
    bool left = dcps_daemon_serve_control(
        daemon); /* timers run before the socket is read: heartbeats that lie there count first */
    if (!dcps_lease_guard_waits(&daemon->lease_guard, left, begun_ns)) {
        dcps_control_tick(daemon->control, dcps_clock_ns());
    }
    daemon->drain_deadline_ns += daemon->lease_guard.missed_ns;
    uint64_t now_ns = dcps_clock_ns();
    dcps_daemon_tell_progress(daemon, now_ns); /* takes what the shards have published */
    dcps_daemon_watch_awaited(daemon, now_ns);
    dcps_daemon_save_first(daemon, now_ns);
    dcps_daemon_advance(daemon, now_ns);
}

static void on_checkpoint_timer(uv_timer_t *handle)
{
    dcps_daemon_save_again(handle->data);
}

static dcps_status check_uv(const char *what, int result)
{
    return result == 0 ? DCPS_OK : dcps_fail(DCPS_SYSTEM, "cannot %s: %s", what, uv_strerror(result));
}

static int start_signals(dcps_daemon *daemon)
{
    const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    size_t count = dcps_hangup_is_ignored() ? 2 : 3;
    int result = 0;
    for (size_t i = 0; result == 0 && i < count; i++) {
        result = uv_signal_init(&daemon->loop, &daemon->signals[i]);
        daemon->signals[i].data = daemon;
        if (result == 0) {
            result = uv_signal_start(&daemon->signals[i], on_signal, numbers[i]);
        }
    }
    return result;
}

static int start_polls(dcps_daemon *daemon)
{
    int result = uv_poll_init(&daemon->loop, &daemon->control_poll, dcps_socket_fd(daemon->control_socket));
    if (result == 0) {
        result = uv_poll_init(&daemon->loop, &daemon->reports_poll, dcps_queue_fd(daemon->reports));
    }
    daemon->control_poll.data = daemon;
    daemon->reports_poll.data = daemon;
    if (result == 0) {
        result = uv_poll_start(&daemon->control_poll, UV_READABLE, on_control_readable);
    }
    return result == 0 ? uv_poll_start(&daemon->reports_poll, UV_READABLE, on_reports) : result;
}

/* Starting these cannot fail: they use no system resources. */
static void start_timers(dcps_daemon *daemon)
{
    uv_loop_t *loop = &daemon->loop;
    (void)uv_prepare_init(loop, &daemon->prepare);
    (void)uv_idle_init(loop, &daemon->idle);
    (void)uv_timer_init(loop, &daemon->tick);
    (void)uv_timer_init(loop, &daemon->checkpoint_timer);
    daemon->prepare.data = daemon;
    daemon->tick.data = daemon;
    daemon->checkpoint_timer.data = daemon;
    (void)uv_prepare_start(&daemon->prepare, on_prepare);
    (void)uv_timer_start(&daemon->tick, on_tick, TICK_MS, TICK_MS);
    uint64_t every_ms = (uint64_t)(daemon->config->checkpoint_every_s * 1000.0);
    if (daemon->config->checkpoint_dir != NULL && daemon->config->checkpoint_every_s > 0) {
        every_ms = every_ms > 0 ? every_ms : 1u;
        (void)uv_timer_start(&daemon->checkpoint_timer, on_checkpoint_timer, every_ms, every_ms);
    }
}

static dcps_status open_loop(dcps_daemon *daemon)
{
    dcps_status status = check_uv("make an event loop", uv_loop_init(&daemon->loop));
    if (status != DCPS_OK) {
        return status;
    }
    daemon->loop_made = true;
    start_timers(daemon);
    status = check_uv("watch for signals", start_signals(daemon));
    return status == DCPS_OK ? check_uv("watch the control socket", start_polls(daemon)) : status;
}

static void close_handle(uv_handle_t *handle, void *context)
{
    (void)context;
    if (!uv_is_closing(handle)) {
        uv_close(handle, NULL);
    }
}

/* A checkpoint being written keeps the loop alive until it is on disk. */
static void close_loop(dcps_daemon *daemon)
{
    if (!daemon->loop_made) {
        return;
    }
    uv_walk(&daemon->loop, close_handle, NULL);
    (void)uv_run(&daemon->loop, UV_RUN_DEFAULT);
    (void)uv_loop_close(&daemon->loop);
}

static dcps_status announce(const dcps_daemon *daemon)
{
    const dcps_server_config *config = daemon->config;
    const dcps_host_port *at = &config->advertise;
    const char *socket_port = strrchr(dcps_socket_endpoint(daemon->control_socket), ':') + 1;
    char host[DCPS_MAX_BRACKETED_BYTES];
    char port[8];
    snprintf(port, sizeof(port), "%u", at->port);
    printf("dcps-server listening control=%s:%s index=%u shards=%u\n", dcps_host_bracketed(at->host, host),
           at->port == 0 ? socket_port : port, config->index, config->shards);
    if (fflush(stdout) != 0) {
        return dcps_fail(DCPS_IO, "cannot tell on standard output where this server listens: %s", strerror(errno));
    }
    return DCPS_OK;
}

dcps_status dcps_daemon_run(const dcps_server_config *config)
{
    dcps_daemon *daemon = dcps_alloc(1, sizeof(*daemon));
    if (daemon == NULL) {
        return dcps_fail(DCPS_NO_MEMORY, "no memory for the server");
    }
    daemon->config = config;
    daemon->phase = DCPS_PHASE_SERVING;
    daemon->lease_guard = (dcps_lease_guard){.lease_ms = config->lease_ms, .tick_ms = TICK_MS};
    dcps_status status = dcps_daemon_open(daemon);
    if (status == DCPS_OK) {
        status = open_loop(daemon);
    }
    if (status == DCPS_OK) {
        status = announce(daemon);
    }
    if (status == DCPS_OK) {
        daemon->progress.started_ns = dcps_clock_ns();
        (void)uv_run(&daemon->loop, UV_RUN_DEFAULT);
    } else {
        dcps_error("%s", dcps_error_message());
        daemon->result = status;
    }
    daemon->phase = DCPS_PHASE_STOPPED;
    close_loop(daemon);
    dcps_daemon_close(daemon);
    status = daemon->result;
    dcps_free(daemon);
    return status;
}
