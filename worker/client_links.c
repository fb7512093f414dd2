/* The control plane of the client: sessions, the declaration, heartbeats and goodbyes. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "proto/layout_util.h"
#include "proto/limits.h"
#include "worker/client_state.h"

static void emit(dcps_client_core *core, uint32_t server, const dcps_message *message)
{
    core->config.emit(core->config.context, (dcps_route){.server = server, .shard = DCPS_ROUTE_CONTROL}, message, NULL,
                      0);
}

/* Sends a request that is repeated until its answer comes. */
static void send(dcps_client_core *core, uint32_t server, const dcps_message *message, uint64_t now_ns)
{
    core->links[server].sent_ns = now_ns;
    emit(core, server, message);
}

void dcps_link_hello(dcps_client_core *core, uint32_t server, uint64_t now_ns)
{
    dcps_message message = {
        .type = DCPS_MESSAGE_HELLO,
        .body.hello = {.role = core->config.role,
                       .nonce = core->config.nonce,
                       .has_identity = core->has_identity,
                       .worker = core->worker,
                       .incarnation = core->incarnation,
                       .server_index = server,
                       .server_count = core->config.server_count,
                       .name = core->name},
    };
    core->links[server].state = DCPS_LINK_HELLO;
    send(core, server, &message, now_ns);
}

void dcps_link_declare(dcps_client_core *core, uint32_t server, uint64_t now_ns)
{
    dcps_message message = {
        .type = DCPS_MESSAGE_LAYOUT,
        .body.layout = {.session = core->links[server].session,
                        .nonce = core->config.nonce,
                        .samples_per_epoch = core->samples_per_epoch,
                        .tensor_count = dcps_layout_tensor_count(core->layout),
                        .tensors = dcps_layout_tensors(core->layout)},
    };
    core->links[server].state = DCPS_LINK_LAYOUT;
    send(core, server, &message, now_ns);
}

/* Servers that are stopping also tell their workers to end. */
static bool is_done(const dcps_client_core *core)
{
    return core->ticket.kind == DCPS_TICKET_DONE && core->run_samples >= core->samples_per_epoch * core->welcome.epochs;
}

static void say_finish(dcps_client_core *core, uint32_t server, uint64_t now_ns)
{
    dcps_message message = {.type = DCPS_MESSAGE_FINISH,
                            .body.session = {.session = core->links[server].session, .done = is_done(core)}};
    send(core, server, &message, now_ns);
}

static void say_heartbeat(dcps_client_core *core, uint32_t server, uint64_t now_ns)
{
    dcps_message message = {.type = DCPS_MESSAGE_HEARTBEAT, .body.session = {.session = core->links[server].session}};
    core->links[server].heartbeat_ns = now_ns;
    emit(core, server, &message);
}

void dcps_link_finish(dcps_client_core *core, uint32_t server, uint64_t now_ns)
{
    dcps_link *link = &core->links[server];
    if (link->state == DCPS_LINK_HELLO && link->was_ready && core->config.role == DCPS_ROLE_WORKER) {
        return; /* joining again: the WELCOME is followed by the goodbye */
    }
    bool known =
        core->config.role == DCPS_ROLE_WORKER &&
        (link->state == DCPS_LINK_WELCOMED || link->state == DCPS_LINK_LAYOUT || link->state == DCPS_LINK_READY);
    link->state = known ? DCPS_LINK_FINISHING : DCPS_LINK_FINISHED;
    if (known) {
        say_finish(core, server, now_ns);
    }
}

/* Asks every server that waits for our identity, or knows us under another one. */
static void introduce(dcps_client_core *core, bool identity_changed, uint64_t now_ns)
{
    for (uint32_t server = 1; server < core->config.server_count; server++) {
        dcps_link *link = &core->links[server];
        bool waiting = link->state == DCPS_LINK_WAITING;
        if (core->finishing || !(waiting || identity_changed)) {
            continue;
        }
        link->heard_ns = waiting ? now_ns : link->heard_ns;
        dcps_link_hello(core, server, now_ns);
    }
}

static bool welcome_is_consistent(dcps_client_core *core, uint32_t server, const dcps_welcome *welcome)
{
    const dcps_welcome *first = &core->welcome;
    if (welcome->server_index != server || welcome->server_count != core->config.server_count) {
        dcps_client_core_fail(core, DCPS_MISMATCH,
                              "server %u of %u answers as server %u of %u: compare --servers on both sides", server,
                              core->config.server_count, welcome->server_index, welcome->server_count);
        return false;
    }
    if (core->has_welcome && server != 0 &&
        (welcome->shards_per_server != first->shards_per_server || welcome->seed != first->seed ||
         welcome->batch_size != first->batch_size || welcome->epochs != first->epochs ||
         welcome->workers != first->workers)) {
        dcps_client_core_fail(
            core, DCPS_MISMATCH,
            "server %u runs with %u shards, seed %llu, batch size %u, %u epochs, %u workers, server 0 "
            "with %u, %llu, %u, %u, %u",
            server, welcome->shards_per_server, (unsigned long long)welcome->seed, welcome->batch_size, welcome->epochs,
            welcome->workers, first->shards_per_server, (unsigned long long)first->seed, first->batch_size,
            first->epochs, first->workers);
        return false;
    }
    if (core->has_welcome && server != 0 && welcome->snapshot_every_samples != first->snapshot_every_samples) {
        dcps_client_core_fail(core, DCPS_MISMATCH,
                              "server %u keeps other snapshots for evaluation than server 0: start both with the same "
                              "--snapshot-every-samples",
                              server);
        return false;
    }
    return true;
}

/* Two servers with different settings would each train their part of the model differently. */
static bool settings_agree(dcps_client_core *core, uint32_t server, const dcps_welcome *welcome)
{
    if (server == 0) {
        (void)snprintf(core->settings, sizeof(core->settings), "%s", welcome->settings);
    } else if (core->has_welcome && strcmp(core->settings, welcome->settings) != 0) {
        dcps_client_core_fail(core, DCPS_MISMATCH, "server %u runs with %.400s; server 0 with %.400s: start both alike",
                              server, welcome->settings, core->settings);
        return false;
    }
    return true;
}

static void adopt_identity(dcps_client_core *core, const dcps_session *session, uint64_t now_ns)
{
    bool changed = core->has_identity && (session->worker != core->worker || session->incarnation != core->incarnation);
    core->has_identity = true;
    core->worker = session->worker;
    core->incarnation = session->incarnation;
    introduce(core, changed, now_ns);
}

static void keep_welcome(dcps_client_core *core, const dcps_welcome *welcome)
{
    core->welcome = *welcome;
    core->welcome.algorithm = NULL;
    core->welcome.settings = NULL;
    core->welcome.endpoints = NULL;
    core->has_welcome = true;
}

/* An observer has no session to lose: that a server was started again with other shards shows only in what answers its repeated HELLO. */
static bool shards_changed(const dcps_client_core *core, const dcps_link *link, const dcps_welcome *welcome)
{
    return core->config.role == DCPS_ROLE_OBSERVER && link->state == DCPS_LINK_READY &&
           welcome->shards_per_server != link->shard_count;
}

static void on_welcome(dcps_client_core *core, uint32_t server, const dcps_welcome *welcome, uint64_t now_ns)
{
    dcps_link *link = &core->links[server];
    bool expected = link->state == DCPS_LINK_HELLO || shards_changed(core, link, welcome);
    if (!expected || welcome->nonce != core->config.nonce || !welcome_is_consistent(core, server, welcome) ||
        !settings_agree(core, server, welcome)) {
        return;
    }
    bool worker = core->config.role == DCPS_ROLE_WORKER;
    if (worker && server != 0 &&
        (welcome->session.worker != core->worker || welcome->session.incarnation != core->incarnation)) {
        return; /* answers a HELLO under an older identity */
    }
    link->session = welcome->session;
    link->lease_ms = welcome->lease_ms;
    link->shard_count = welcome->shards_per_server;
    link->heartbeat_ns = now_ns;
    link->state = DCPS_LINK_WELCOMED;
    if (server == 0) {
        keep_welcome(core, welcome);
    }
    dcps_client_notice notice = {.kind = DCPS_CLIENT_CONNECTED, .server = server, .welcome = welcome};
    core->config.notice(core->config.context, &notice);
    if (core->finishing) {
        dcps_link_finish(core, server, now_ns);
    } else if (core->layout != NULL) {
        dcps_link_declare(core, server, now_ns);
    }
    if (server == 0 && worker) {
        adopt_identity(core, &welcome->session, now_ns);
    }
}

static bool same_blocks(const dcps_partition *a, const dcps_partition *b)
{
    return a->total_params == b->total_params && a->block_params == b->block_params && a->block_count == b->block_count;
}

/* A server that restarts may have another number of shards; where there are several, all must have the same. */
static bool agree_on_partition(dcps_client_core *core, uint32_t server, const dcps_partition *partition)
{
    if (!same_blocks(&core->partition, partition)) {
        dcps_client_core_fail(
            core, DCPS_MISMATCH,
            "server %u cuts the model into %u blocks of %u parameters, it was cut into %u of %u: compare "
            "--block-params",
            server, partition->block_count, partition->block_params, core->partition.block_count,
            core->partition.block_params);
        return false;
    }
    if (partition->server_count != core->partition.server_count ||
        (partition->shards_per_server != core->partition.shards_per_server && core->config.server_count > 1)) {
        dcps_client_core_fail(core, DCPS_MISMATCH, "server %u has %u shards, the others have %u: compare --shards",
                              server, partition->shards_per_server, core->partition.shards_per_server);
        return false;
    }
    core->partition.shards_per_server = partition->shards_per_server;
    return true;
}

static bool take_partition(dcps_client_core *core, uint32_t server, const dcps_partition *partition)
{
    if (partition->shards_per_server != core->links[server].shard_count) {
        dcps_client_core_fail(core, DCPS_PROTOCOL, "server %u cuts the model for %u shards a server, but has named %u",
                              server, partition->shards_per_server, core->links[server].shard_count);
        return false;
    }
    if (core->has_partition) {
        return agree_on_partition(core, server, partition);
    }
    if (partition->total_params != dcps_layout_total_params(core->layout) ||
        partition->server_count != core->config.server_count) {
        dcps_client_core_fail(core, DCPS_MISMATCH,
                              "server %u cuts %llu parameters over %u servers, expected %llu over %u", server,
                              (unsigned long long)partition->total_params, partition->server_count,
                              (unsigned long long)dcps_layout_total_params(core->layout), core->config.server_count);
        return false;
    }
    core->partition = *partition;
    dcps_status status = dcps_blocks_create(core);
    if (status != DCPS_OK) {
        dcps_client_core_fail(core, status, "%s", dcps_error_message());
        return false;
    }
    core->has_partition = true;
    return true;
}

/* A server that was started again without its checkpoint would go on with other parameters than everybody has trained. */
static bool keeps_parameters(dcps_client_core *core, uint32_t server, uint64_t run)
{
    dcps_link *link = &core->links[server];
    if (link->run != 0 && link->run != run) {
        dcps_client_core_fail(
            core, DCPS_MISMATCH,
            "server %u was started again without the parameters it held: start it with --resume where it "
            "has a checkpoint, else begin a new run",
            server);
        return false;
    }
    link->run = run;
    return true;
}

static void on_layout_reply(dcps_client_core *core, uint32_t server, const dcps_layout_reply *reply, uint64_t now_ns)
{
    dcps_link *link = &core->links[server];
    if (link->state != DCPS_LINK_LAYOUT || reply->nonce != core->config.nonce) {
        return;
    }
    if (core->config.role == DCPS_ROLE_OBSERVER && reply->partition.shards_per_server != link->shard_count) {
        link->state = DCPS_LINK_HELLO; /* started again since its WELCOME: asked anew when a repeat is due */
        link->sent_ns = now_ns;
        return;
    }
    if (!keeps_parameters(core, server, reply->run) || !take_partition(core, server, &reply->partition)) {
        return;
    }
    bool first = !link->was_ready;
    link->state = DCPS_LINK_READY;
    link->was_ready = true;
    if (!first) {
        dcps_client_notice notice = {.kind = DCPS_CLIENT_REJOINED, .server = server};
        core->config.notice(core->config.context, &notice);
    }
    dcps_blocks_server_ready(core, server, first, now_ns);
}

/* A server other than 0 knows a later holder of our id: ask server 0 for the next incarnation. */
static void raise_identity(dcps_client_core *core, uint32_t server, uint64_t now_ns)
{
    core->incarnation++;
    core->links[server].state = DCPS_LINK_WAITING;
    dcps_link_hello(core, 0, now_ns);
}

static void on_error(dcps_client_core *core, uint32_t server, const dcps_error_message_body *error, uint64_t now_ns)
{
    bool retry = error->status == DCPS_AGAIN || error->status == DCPS_NO_MEMORY;
    bool joining = core->links[server].state == DCPS_LINK_HELLO || core->links[server].state == DCPS_LINK_LAYOUT;
    if (error->status == DCPS_NOT_FOUND) {
        /* Answers a HELLO; one that arrives after the WELCOME answers an older one. */
        if (core->links[server].state == DCPS_LINK_HELLO && server != 0) {
            raise_identity(core, server, now_ns);
        }
    } else if (joining && !retry) {
        dcps_client_core_fail(core, error->status, "server %u refuses this client: %s", server, error->text);
    }
}

void dcps_link_receive(dcps_client_core *core, uint32_t server, const dcps_message *message, uint64_t now_ns)
{
    switch (message->type) {
    case DCPS_MESSAGE_WELCOME:
        on_welcome(core, server, &message->body.welcome, now_ns);
        break;
    case DCPS_MESSAGE_LAYOUT_REPLY:
        on_layout_reply(core, server, &message->body.layout_reply, now_ns);
        break;
    case DCPS_MESSAGE_FINISH_REPLY:
        if (core->links[server].state == DCPS_LINK_FINISHING) {
            core->links[server].state = DCPS_LINK_FINISHED;
        }
        break;
    case DCPS_MESSAGE_ERROR:
        on_error(core, server, &message->body.error, now_ns);
        break;
    default:
        break;
    }
}

bool dcps_link_has_replaced(const dcps_client_core *core, uint32_t server, uint64_t token)
{
    return token != 0 && token != core->links[server].session.token;
}

void dcps_link_lost(dcps_client_core *core, uint32_t server, uint64_t token, uint64_t now_ns)
{
    dcps_link *link = &core->links[server];
    if (dcps_link_has_replaced(core, server, token)) {
        return;
    }
    if (link->state == DCPS_LINK_FINISHING) {
        link->state = DCPS_LINK_FINISHED; /* it does not count on us any more: all that we wanted */
    } else if (link->state == DCPS_LINK_LAYOUT || link->state == DCPS_LINK_READY || link->state == DCPS_LINK_WELCOMED) {
        dcps_link_hello(core, server, now_ns);
    }
}

void dcps_link_tick(dcps_client_core *core, uint32_t server, uint64_t now_ns)
{
    dcps_link *link = &core->links[server];
    bool retry = now_ns - link->sent_ns >= DCPS_CLIENT_RETRY_MS * DCPS_NS_PER_MS;
    bool worker = core->config.role == DCPS_ROLE_WORKER;
    uint64_t heartbeat_ns = link->lease_ms * DCPS_NS_PER_MS / DCPS_HEARTBEATS_PER_LEASE;
    if (link->state == DCPS_LINK_HELLO && retry) {
        dcps_link_hello(core, server, now_ns);
    } else if (link->state == DCPS_LINK_LAYOUT && retry) {
        dcps_link_declare(core, server, now_ns);
    } else if (link->state == DCPS_LINK_FINISHING && retry) {
        say_finish(core, server, now_ns);
    }
    bool has_session =
        link->state == DCPS_LINK_WELCOMED || link->state == DCPS_LINK_LAYOUT || link->state == DCPS_LINK_READY;
    if (worker && has_session && now_ns - link->heartbeat_ns >= heartbeat_ns) {
        say_heartbeat(core, server, now_ns);
    }
}
