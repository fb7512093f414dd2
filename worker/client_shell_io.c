/* The I/O thread of a client: commands, messages and time into the core, answers out. */
#include <assert.h>
#include <poll.h>
#include <stdio.h>

#include "base/clock.h"
#include "worker/client_shell.h"

/* After a failure to wait, so that the loop does not spin. */
#define PAUSE_MS 20
/* We look at the clock every 50 ms; after so long without, somebody had stopped us: SIGSTOP, a frozen container, a suspended machine. */
#define STOPPED_NS DCPS_NS_PER_S

void dcps_shell_fail(dcps_client *client, dcps_status status, const char *text)
{
    if (client->failure == DCPS_OK) {
        client->failure = status;
        (void)snprintf(client->failure_text, sizeof(client->failure_text), "%s", text);
    }
}

static void answer(dcps_client *client, dcps_answer *answer)
{
    answer->id = client->active.id;
    client->active.kind = DCPS_COMMAND_NONE;
    /* There is room: at most one answer of a cancelled call lies in the queue. Closed only when nobody listens any more. */
    dcps_status status = dcps_queue_push(client->answers, answer);
    (void)status;
}

static void answer_failure(dcps_client *client, dcps_status status, const char *text)
{
    dcps_answer failed = {.status = status};
    (void)snprintf(failed.text, sizeof(failed.text), "%s", text);
    answer(client, &failed);
}

static void begin_declare(dcps_client *client, uint64_t now_ns)
{
    dcps_status status = dcps_client_core_declare(client->core, client->layout, client->samples_per_epoch,
                                                  client->weights, client->gradient, now_ns);
    if (status != DCPS_OK) {
        answer_failure(client, status, dcps_error_message());
    }
}

static void push(dcps_client *client, uint32_t first_block, uint32_t block_count, uint32_t samples, float loss)
{
    uint64_t now_ns = dcps_clock_ns();
    for (uint32_t i = 0; i < block_count; i++) {
        dcps_client_core_push(client->core, first_block + i, samples, loss, now_ns);
    }
}

static void begin(dcps_client *client, const dcps_command *command, uint64_t now_ns)
{
    switch (command->kind) {
    case DCPS_COMMAND_PUSH:
        push(client, command->first_block, command->block_count, command->samples, command->loss);
        return;
    case DCPS_COMMAND_STOP:
        client->stopping = true;
        return;
    default:
        break;
    }
    client->active = *command;
    client->active_since_ns = client->patient_since_ns = now_ns;
    client->patience_told_ns = 0;
    switch (command->kind) {
    case DCPS_COMMAND_DECLARE:
        begin_declare(client, now_ns);
        break;
    case DCPS_COMMAND_ABSTAIN:
        push(client, 0, client->partition.block_count, 0, 0.0f);
        break;
    case DCPS_COMMAND_PULL:
        dcps_client_core_pull(client->core, now_ns);
        break;
    case DCPS_COMMAND_SNAPSHOT:
        dcps_client_core_snapshot(client->core, command->index, command->release, now_ns);
        break;
    case DCPS_COMMAND_FINISH:
        dcps_client_core_finish(client->core, now_ns);
        break;
    default:
        break; /* JOIN and WAIT only wait */
    }
}

static bool all_connected(const dcps_client *client)
{
    for (uint32_t server = 0; server < client->server_count; server++) {
        if (!client->links[server].connected) {
            return false;
        }
    }
    return true;
}

static void settle_join(dcps_client *client)
{
    if (!all_connected(client)) {
        return;
    }
    const dcps_welcome *welcome = dcps_client_core_welcome(client->core);
    client->info.worker = welcome->session.worker;
    client->info.workers = welcome->workers;
    client->info.seed = welcome->seed;
    client->info.batch_size = welcome->batch_size;
    client->info.epochs = welcome->epochs;
    client->info.snapshot_every_samples = welcome->snapshot_every_samples;
    answer(client, &(dcps_answer){.status = DCPS_OK});
}

static void settle_finish(dcps_client *client, uint64_t now_ns)
{
    char text[128];
    if (dcps_client_core_finished(client->core)) {
        answer(client, &(dcps_answer){.status = DCPS_OK});
    } else if (now_ns - client->active_since_ns >= client->active.timeout_ms * DCPS_NS_PER_MS) {
        (void)snprintf(text, sizeof(text), "goodbye: no answer from every server within %u ms",
                       client->active.timeout_ms);
        answer_failure(client, DCPS_TIMEOUT, text);
    }
}

static bool take_ticket(const dcps_ticket *ticket, dcps_work *work)
{
    switch (ticket->kind) {
    case DCPS_TICKET_BATCH:
        *work = (dcps_work){.kind = DCPS_WORK_BATCH, .batch = ticket->number};
        return true;
    case DCPS_TICKET_ABSTAIN:
        *work = (dcps_work){.kind = DCPS_WORK_ABSTAIN};
        return true;
    case DCPS_TICKET_DONE:
        *work = (dcps_work){.kind = DCPS_WORK_DONE};
        return true;
    case DCPS_TICKET_NONE:
        break;
    }
    return false;
}

static void settle_snapshot(dcps_client *client)
{
    const dcps_snapshot_reply *reply = dcps_client_core_snapshot_info(client->core);
    if (!reply->available) {
        answer_failure(client, DCPS_NOT_FOUND, "the run ended before this snapshot, or it was released");
        return;
    }
    dcps_answer found = {.snapshot = {.samples = reply->samples,
                                      .seconds = (double)reply->training_ns / 1e9,
                                      .train_loss = reply->train_loss}};
    answer(client, &found);
}

static void settle_weights(dcps_client *client)
{
    dcps_ticket ticket;
    if (!dcps_client_core_ready(client->core, &ticket)) {
        return;
    }
    dcps_answer complete = {.staleness = dcps_client_core_staleness(client->core)};
    if (client->active.kind == DCPS_COMMAND_SNAPSHOT) {
        settle_snapshot(client);
        return;
    }
    if (!client->observer && !take_ticket(&ticket, &complete.work)) {
        answer_failure(client, DCPS_PROTOCOL, "server 0 answered block 0 without saying which batch is next");
        return;
    }
    if (client->active.kind == DCPS_COMMAND_DECLARE) {
        client->partition = *dcps_client_core_partition(client->core);
    }
    answer(client, &complete);
}

/* Reads the clock. The time in which this process stood still is no time in which others were silent or late. */
static uint64_t read_clock(dcps_client *client)
{
    uint64_t now_ns = dcps_clock_ns();
    uint64_t gap_ns = client->awake_ns == 0 ? 0 : now_ns - client->awake_ns;
    client->awake_ns = now_ns;
    if (gap_ns >= STOPPED_NS) {
        dcps_debug("this process stood still for %.1f s", (double)gap_ns / 1e9);
        dcps_client_core_paused(client->core, gap_ns, now_ns);
        client->active_since_ns += gap_ns;
        client->patient_since_ns += gap_ns;
        client->patience_told_ns += client->patience_told_ns == 0 ? 0 : gap_ns;
    }
    return now_ns;
}

/* Answers the command that somebody waits for, if there is something to say. */
static void settle(dcps_client *client)
{
    uint64_t now_ns = read_clock(client);
    const char *core_text = NULL;
    char text[DCPS_MAX_TEXT_BYTES];
    if (client->active.kind == DCPS_COMMAND_NONE) {
        return;
    }
    if (client->active.kind == DCPS_COMMAND_FINISH) {
        settle_finish(client, now_ns);
        return;
    }
    dcps_status refused = dcps_client_core_failure(client->core, &core_text);
    dcps_status silent = dcps_shell_check_silence(client, now_ns, text);
    if (client->failure != DCPS_OK || refused != DCPS_OK) {
        answer_failure(client, client->failure != DCPS_OK ? client->failure : refused,
                       client->failure != DCPS_OK ? client->failure_text : core_text);
    } else if (client->active.kind == DCPS_COMMAND_JOIN) {
        settle_join(client);
    } else {
        settle_weights(client);
    }
    if (client->active.kind != DCPS_COMMAND_NONE && silent != DCPS_OK) {
        answer_failure(client, silent, text);
    }
    dcps_shell_tell_patience(client, now_ns);
}

static void take_commands(dcps_client *client, uint64_t now_ns)
{
    dcps_command command;
    while (!client->stopping && dcps_queue_pop(client->commands, &command)) {
        begin(client, &command, now_ns);
    }
}

static void wait_until(dcps_client *client, uint64_t until_ns)
{
    uint64_t now_ns = dcps_clock_ns();
    int timeout_ms = until_ns <= now_ns ? 0 : (int)((until_ns - now_ns + DCPS_NS_PER_MS - 1) / DCPS_NS_PER_MS);
    int wake_fd = dcps_queue_fd(client->commands);
    dcps_status status = dcps_socket_wait(client->sockets, client->socket_count, wake_fd, timeout_ms, NULL);
    if (status != DCPS_OK) {
        dcps_shell_fail(client, status, dcps_error_message());
        struct pollfd wake = {.fd = wake_fd, .events = POLLIN};
        (void)poll(&wake, 1, PAUSE_MS);
    }
}

void *dcps_shell_main(void *context)
{
    dcps_client *client = context;
    dcps_client_core_start(client->core, dcps_clock_ns());
    for (;;) {
        uint64_t now_ns = read_clock(client);
        uint64_t next_ns = dcps_client_core_tick(client->core, now_ns);
        dcps_shell_probe(client, now_ns);
        dcps_shell_watch_sending(client, now_ns);
        take_commands(client, now_ns);
        if (client->stopping) {
            return NULL;
        }
        dcps_shell_receive(client);
        settle(client);
        wait_until(client, next_ns);
    }
}
