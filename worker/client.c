/* The client as its caller sees it: every function checks, hands a command to the I/O thread and, mostly, waits for the answer. */
#include "worker/client.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/rng.h"
#include "proto/layout_util.h"
#include "worker/client_shell.h"

#define DEFAULT_TIMEOUT_MS 60000u
#define COMMAND_CAPACITY 256u
#define ANSWER_CAPACITY 8u
#define HOST_SHOWN 40

static void name_client(dcps_client *client, const char *name)
{
    char host[HOST_NAME_MAX + 1] = "";
    if (name != NULL) {
        (void)snprintf(client->name, sizeof(client->name), "%s", name);
        return;
    }
    if (gethostname(host, sizeof(host) - 1) != 0) {
        (void)snprintf(host, sizeof(host), "worker");
    }
    (void)snprintf(client->name, sizeof(client->name), "%.*s:%ld", HOST_SHOWN, host, (long)getpid());
}

static dcps_status create_core(dcps_client *client)
{
    dcps_client_core_config config = {
        .server_count = client->server_count,
        .role = client->observer ? DCPS_ROLE_OBSERVER : DCPS_ROLE_WORKER,
        .nonce = client->nonce,
        .name = client->name,
        .silence_ms = client->timeout_ms < DCPS_CLIENT_SILENCE_MS ? client->timeout_ms : DCPS_CLIENT_SILENCE_MS,
        .emit = dcps_shell_emit,
        .notice = dcps_shell_notice,
        .context = client,
    };
    return dcps_client_core_create(&config, &client->core);
}

/* The thread takes no signal: those are for the program's own threads. */
static dcps_status start_thread(dcps_client *client)
{
    sigset_t all;
    sigset_t before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&client->thread, NULL, dcps_shell_main, client);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error != 0) {
        return dcps_fail(DCPS_SYSTEM, "cannot start the client's thread: %s", strerror(error));
    }
    client->thread_started = true;
    return DCPS_OK;
}

static dcps_status create_parts(dcps_client *client, const dcps_host_port *servers)
{
    client->cancel_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (client->cancel_fd < 0) {
        return dcps_fail(DCPS_SYSTEM, "cannot make an event descriptor for the client: %s", strerror(errno));
    }
    dcps_status status = dcps_queue_create(sizeof(dcps_command), COMMAND_CAPACITY, &client->commands);
    if (status == DCPS_OK) {
        status = dcps_queue_create(sizeof(dcps_answer), ANSWER_CAPACITY, &client->answers);
    }
    if (status == DCPS_OK) {
        status = create_core(client);
    }
    if (status == DCPS_OK) {
        status = dcps_transport_create(1, &client->transport);
    }
    if (status == DCPS_OK) {
        status = dcps_shell_open_sockets(client, servers);
    }
    return status == DCPS_OK ? start_thread(client) : status;
}

dcps_status dcps_client_create(const dcps_client_config *config, dcps_client **client)
{
    dcps_host_port servers[DCPS_MAX_SERVERS];
    size_t count = 0;
    if (config->servers == NULL) {
        return dcps_fail(DCPS_INVALID, "servers: none named, expected HOST:PORT[,HOST:PORT…]");
    }
    dcps_status status = dcps_parse_host_ports("servers", config->servers, servers, DCPS_MAX_SERVERS, &count);
    if (status != DCPS_OK) {
        return status == DCPS_LIMIT ? dcps_fail(DCPS_INVALID, "servers: more than %u named", DCPS_MAX_SERVERS) : status;
    }
    dcps_client *made = dcps_alloc(1, sizeof(*made));
    if (made == NULL) {
        return dcps_fail(DCPS_NO_MEMORY, "no memory for the client");
    }
    made->server_count = (uint32_t)count;
    made->observer = config->observer;
    made->timeout_ms = config->timeout_ms == 0 ? DEFAULT_TIMEOUT_MS : config->timeout_ms;
    made->nonce = dcps_random_token();
    made->cancel_fd = -1;
    made->lost_limit = (dcps_rate_limit){.interval_ns = DCPS_NS_PER_S, .burst = 1};
    name_client(made, config->name);
    status = create_parts(made, servers);
    if (status != DCPS_OK) {
        dcps_client_destroy(&made);
        return status;
    }
    *client = made;
    return DCPS_OK;
}

void dcps_client_destroy(dcps_client **client)
{
    dcps_client *old = *client;
    *client = NULL;
    if (old == NULL) {
        return;
    }
    if (old->thread_started) {
        /* Taken even when the queue is full: the I/O thread never waits for the caller. */
        dcps_status status = dcps_queue_push(old->commands, &(dcps_command){.kind = DCPS_COMMAND_STOP});
        (void)status;
        (void)pthread_join(old->thread, NULL);
    }
    dcps_shell_close_sockets(old);
    dcps_transport_destroy(&old->transport); /* no payload is referred to after this */
    dcps_client_core_destroy(&old->core);
    dcps_queue_destroy(&old->answers);
    dcps_queue_destroy(&old->commands);
    if (old->cancel_fd >= 0) {
        (void)close(old->cancel_fd);
    }
    dcps_layout_destroy(&old->layout);
    dcps_free(old->buffers);
    dcps_free(old->pushed);
    dcps_free(old->missing);
    dcps_free(old);
}

void dcps_client_cancel(dcps_client *client)
{
    int saved = errno;
    uint64_t one = 1;
    ssize_t written = write(client->cancel_fd, &one, sizeof(one)); /* fails only where it is set already */
    (void)written;
    errno = saved;
}

/* True if a cancellation was due; it is not any more. */
static bool take_cancellation(dcps_client *client)
{
    uint64_t count = 0;
    return read(client->cancel_fd, &count, sizeof(count)) == (ssize_t)sizeof(count);
}

static dcps_status await(dcps_client *client, uint64_t id, dcps_answer *answer)
{
    struct pollfd events[] = {{.fd = dcps_queue_fd(client->answers), .events = POLLIN},
                              {.fd = client->cancel_fd, .events = POLLIN}};
    for (;;) {
        while (dcps_queue_pop(client->answers, answer)) {
            if (answer->id == id) {
                return DCPS_OK;
            }
        }
        if (poll(events, 2, -1) < 0 && errno != EINTR) {
            return dcps_fail(DCPS_SYSTEM, "cannot wait for the client's thread: %s", strerror(errno));
        }
        if (events[0].revents == 0 && events[1].revents != 0 && take_cancellation(client)) {
            return dcps_fail(DCPS_CANCELLED, "stopped waiting for the servers on request");
        }
        events[0].revents = events[1].revents = 0;
    }
}

/* Hands over a command and waits for its answer. */
static dcps_status ask(dcps_client *client, dcps_command command, dcps_answer *answer)
{
    command.id = ++client->last_id;
    dcps_status status = dcps_queue_push(client->commands, &command);
    if (status == DCPS_OK) {
        status = await(client, command.id, answer);
    }
    if (status == DCPS_OK && answer->status != DCPS_OK) {
        status = dcps_fail(answer->status, "%s", answer->text);
    }
    return status;
}

dcps_status dcps_client_join(dcps_client *client)
{
    dcps_answer answer;
    dcps_status status = ask(client, (dcps_command){.kind = DCPS_COMMAND_JOIN}, &answer);
    if (status == DCPS_OK) {
        client->phase = DCPS_CLIENT_PHASE_JOINED;
    }
    return status;
}

dcps_status dcps_client_connect(const dcps_client_config *config, dcps_client **client)
{
    dcps_client *made = NULL;
    dcps_status status = dcps_client_create(config, &made);
    if (status == DCPS_OK) {
        status = dcps_client_join(made);
    }
    if (status != DCPS_OK) {
        dcps_client_destroy(&made);
        return status;
    }
    *client = made;
    return DCPS_OK;
}

const dcps_run_info *dcps_client_run_info(const dcps_client *client)
{
    return &client->info;
}

uint64_t dcps_client_staleness(const dcps_client *client)
{
    return client->staleness;
}

/* Waits for complete weights, by whatever command. */
static dcps_status ask_weights(dcps_client *client, dcps_command_kind kind, dcps_work *work)
{
    dcps_answer answer;
    client->phase = DCPS_CLIENT_PHASE_WAITING;
    dcps_status status = ask(client, (dcps_command){.kind = kind}, &answer);
    if (status == DCPS_OK) {
        dcps_shell_reset_coverage(client);
        client->phase = DCPS_CLIENT_PHASE_READY;
        client->staleness = answer.staleness;
        *work = answer.work;
    }
    return status;
}

static dcps_status check_declaration(const dcps_client *client, const dcps_layout *layout, uint64_t samples_per_epoch,
                                     const float *weights, const float *gradient)
{
    if (client->phase != DCPS_CLIENT_PHASE_JOINED) {
        return dcps_fail(DCPS_INVALID, "a client declares one layout, once, after it has connected");
    }
    if (dcps_layout_total_params(layout) == 0 || samples_per_epoch == 0) {
        return dcps_fail(DCPS_INVALID,
                         "declaration of %" PRIu64 " parameters and %" PRIu64 " samples an epoch: neither may be 0",
                         dcps_layout_total_params(layout), samples_per_epoch);
    }
    if (weights == NULL || (gradient == NULL && !client->observer)) {
        return dcps_fail(DCPS_INVALID, "declaration without %s", weights == NULL ? "weights" : "a gradient vector");
    }
    return DCPS_OK;
}

dcps_status dcps_client_declare(dcps_client *client, const dcps_layout *layout, uint64_t samples_per_epoch,
                                float *weights, float *gradient, dcps_work *work)
{
    dcps_answer answer;
    dcps_status status = check_declaration(client, layout, samples_per_epoch, weights, gradient);
    if (status == DCPS_OK) {
        status = dcps_layout_copy(
            layout, &client->layout); /* the caller's may go while a cancelled command lies in the queue */
    }
    if (status != DCPS_OK) {
        return status;
    }
    client->samples_per_epoch = samples_per_epoch;
    client->weights = weights;
    client->gradient = gradient;
    client->phase = DCPS_CLIENT_PHASE_DECLARING;
    status = ask(client, (dcps_command){.kind = DCPS_COMMAND_DECLARE}, &answer);
    if (status == DCPS_OK && !client->observer) {
        status = dcps_shell_create_coverage(client);
    }
    if (status == DCPS_OK) {
        client->phase = DCPS_CLIENT_PHASE_READY;
        *work = answer.work;
    }
    return status;
}

dcps_status dcps_client_wait(dcps_client *client, dcps_work *work)
{
    if (client->phase == DCPS_CLIENT_PHASE_PUSHING && client->step_params < client->partition.total_params) {
        return dcps_fail(DCPS_INVALID,
                         "wait after a push of %" PRIu64 " of %" PRIu64 " parameters: push the others first",
                         client->step_params, client->partition.total_params);
    }
    if (client->phase != DCPS_CLIENT_PHASE_PUSHING && client->phase != DCPS_CLIENT_PHASE_WAITING) {
        return dcps_fail(DCPS_INVALID, "nothing to wait for: nothing was pushed");
    }
    return ask_weights(client, DCPS_COMMAND_WAIT, work);
}

/* A request for all blocks at once needs complete weights and a step not yet begun. */
static dcps_status check_ready(const dcps_client *client, const char *what)
{
    if (client->phase == DCPS_CLIENT_PHASE_READY) {
        return DCPS_OK;
    }
    return dcps_fail(DCPS_INVALID, "%s: %s", what,
                     client->phase < DCPS_CLIENT_PHASE_READY ? "declare a layout first"
                                                             : "call dcps_client_wait first");
}

dcps_status dcps_client_abstain(dcps_client *client, dcps_work *work)
{
    dcps_status status = check_ready(client, "abstain");
    if (status == DCPS_OK && client->observer) {
        status = dcps_fail(DCPS_INVALID, "an observer takes part in no round");
    }
    return status == DCPS_OK ? ask_weights(client, DCPS_COMMAND_ABSTAIN, work) : status;
}

dcps_status dcps_client_pull(dcps_client *client, dcps_work *work)
{
    dcps_status status = check_ready(client, "pull");
    if (status == DCPS_OK && client->observer) {
        status = dcps_fail(DCPS_INVALID, "an observer reads snapshots: use dcps_client_snapshot");
    }
    return status == DCPS_OK ? ask_weights(client, DCPS_COMMAND_PULL, work) : status;
}

dcps_status dcps_client_snapshot(dcps_client *client, uint32_t index, bool release, dcps_snapshot_info *info)
{
    dcps_answer answer;
    dcps_status status = check_ready(client, "snapshot");
    if (status == DCPS_OK && !client->observer) {
        status = dcps_fail(DCPS_INVALID, "snapshots are for observers: set observer in dcps_client_config");
    }
    if (status != DCPS_OK) {
        return status;
    }
    client->phase = DCPS_CLIENT_PHASE_SNAPSHOT;
    status = ask(client, (dcps_command){.kind = DCPS_COMMAND_SNAPSHOT, .index = index, .release = release}, &answer);
    if (status == DCPS_OK || status == DCPS_NOT_FOUND) {
        client->phase = DCPS_CLIENT_PHASE_READY;
    }
    if (status == DCPS_OK) {
        *info = answer.snapshot;
    }
    return status;
}

dcps_status dcps_client_finish(dcps_client *client, uint32_t timeout_ms)
{
    dcps_answer answer;
    if (client->phase == DCPS_CLIENT_PHASE_FINISHED) {
        return DCPS_OK;
    }
    client->phase = DCPS_CLIENT_PHASE_FINISHED;
    (void)take_cancellation(client); /* meant for what this call ends */
    return ask(client, (dcps_command){.kind = DCPS_COMMAND_FINISH, .timeout_ms = timeout_ms}, &answer);
}
