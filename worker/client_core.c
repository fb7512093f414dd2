#include "worker/client_core.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "proto/layout_util.h"
#include "proto/wire.h"
#include "worker/client_state.h"

#define DCPS_TICK_NS (50u * DCPS_NS_PER_MS)

dcps_status dcps_client_core_create(const dcps_client_core_config *config, dcps_client_core **core)
{
    if (config->server_count == 0 || config->server_count > DCPS_MAX_SERVERS) {
        return dcps_fail(DCPS_INVALID, "%u servers named, expected 1 to %u", config->server_count, DCPS_MAX_SERVERS);
    }
    dcps_client_core *made = dcps_alloc(1, sizeof(*made));
    if (made == NULL) {
        return dcps_fail(DCPS_NO_MEMORY, "no memory for the client");
    }
    made->config = *config;
    made->config.silence_ms = config->silence_ms == 0 ? DCPS_CLIENT_SILENCE_MS : config->silence_ms;
    snprintf(made->name, sizeof(made->name), "%s", config->name == NULL ? "" : config->name);
    *core = made;
    return DCPS_OK;
}

void dcps_client_core_destroy(dcps_client_core **core)
{
    dcps_client_core *old = *core;
    if (old == NULL) {
        return;
    }
    dcps_layout_destroy(&old->layout);
    dcps_free(old->blocks);
    dcps_free(old->watches);
    dcps_free(old);
    *core = NULL;
}

void dcps_client_core_fail(dcps_client_core *core, dcps_status status, const char *format, ...)
{
    if (core->failure != DCPS_OK) {
        return;
    }
    core->failure = status;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(core->failure_text, sizeof(core->failure_text), format, arguments);
    va_end(arguments);
}

void dcps_client_core_start(dcps_client_core *core, uint64_t now_ns)
{
    for (uint32_t server = 0; server < core->config.server_count; server++) {
        core->links[server].heard_ns = now_ns;
        if (server == 0 || core->config.role == DCPS_ROLE_OBSERVER) {
            dcps_link_hello(core, server, now_ns);
        }
    }
}

const dcps_welcome *dcps_client_core_welcome(const dcps_client_core *core)
{
    return core->has_welcome ? &core->welcome : NULL;
}

dcps_status dcps_client_core_declare(dcps_client_core *core, const dcps_layout *layout, uint64_t samples_per_epoch,
                                     float *weights, const float *gradient, uint64_t now_ns)
{
    if (core->layout != NULL) {
        return dcps_fail(DCPS_INVALID, "a client declares one layout, this one has declared its layout already");
    }
    if (gradient == NULL && core->config.role == DCPS_ROLE_WORKER) {
        return dcps_fail(DCPS_INVALID, "a worker needs a gradient vector");
    }
    dcps_status status = dcps_wire_check_layout(dcps_layout_tensors(layout), dcps_layout_tensor_count(layout));
    if (status == DCPS_OK) {
        status = dcps_layout_copy(layout, &core->layout);
    }
    if (status != DCPS_OK) {
        return status;
    }
    core->samples_per_epoch = samples_per_epoch;
    core->weights = weights;
    core->gradient = gradient;
    for (uint32_t server = 0; server < core->config.server_count; server++) {
        if (core->links[server].state == DCPS_LINK_WELCOMED) {
            dcps_link_declare(core, server, now_ns);
        }
    }
    return DCPS_OK;
}

const dcps_partition *dcps_client_core_partition(const dcps_client_core *core)
{
    return core->has_partition ? &core->partition : NULL;
}

bool dcps_client_core_ready(const dcps_client_core *core, dcps_ticket *ticket)
{
    if (!core->has_partition || core->pending_count > 0) {
        return false;
    }
    for (uint32_t server = 0; server < core->config.server_count; server++) {
        if (!core->links[server].was_ready) {
            return false;
        }
    }
    *ticket = core->ticket;
    return true;
}

void dcps_client_core_push(dcps_client_core *core, uint32_t block, uint32_t samples, float loss, uint64_t now_ns)
{
    assert(core->has_partition && block < core->partition.block_count && core->blocks[block].kind == DCPS_PENDING_NONE);
    if (core->pushed_count == 0) {
        core->step = (core->latest_clock > core->step ? core->latest_clock : core->step) + 1u;
    }
    core->pushed_count = (core->pushed_count + 1u) % core->partition.block_count;
    core->blocks[block].samples = samples;
    core->blocks[block].loss = loss;
    dcps_blocks_request(core, block, DCPS_PENDING_PUSH, now_ns);
}

static void request_all(dcps_client_core *core, dcps_pending_kind kind, uint64_t now_ns)
{
    assert(core->has_partition && core->pending_count == 0);
    for (uint32_t block = 0; block < core->partition.block_count; block++) {
        dcps_blocks_request(core, block, kind, now_ns);
    }
}

void dcps_client_core_pull(dcps_client_core *core, uint64_t now_ns)
{
    request_all(core, DCPS_PENDING_PULL, now_ns);
}

void dcps_client_core_snapshot(dcps_client_core *core, uint32_t index, bool release, uint64_t now_ns)
{
    core->snapshot_index = index;
    core->snapshot_release = release;
    core->snapshot_complete = true;
    request_all(core, DCPS_PENDING_SNAPSHOT, now_ns);
}

const dcps_snapshot_reply *dcps_client_core_snapshot_info(const dcps_client_core *core)
{
    return &core->snapshot;
}

void dcps_client_core_finish(dcps_client_core *core, uint64_t now_ns)
{
    core->finishing = true;
    for (uint32_t server = 0; server < core->config.server_count; server++) {
        dcps_link_finish(core, server, now_ns);
    }
}

bool dcps_client_core_finished(const dcps_client_core *core)
{
    for (uint32_t server = 0; server < core->config.server_count; server++) {
        if (core->links[server].state != DCPS_LINK_FINISHED) {
            return false;
        }
    }
    return true;
}

void dcps_client_core_receive(dcps_client_core *core, dcps_route route, const dcps_message *message,
                              const void *payload, size_t payload_bytes, uint64_t now_ns)
{
    assert(route.server < core->config.server_count);
    dcps_silence_heard(core, route, now_ns);
    bool control = route.shard == DCPS_ROUTE_CONTROL;
    if (message->type == DCPS_MESSAGE_ERROR && message->body.error.status == DCPS_SESSION) {
        dcps_link_lost(core, route.server, message->body.error.token, now_ns);
    } else if (control) {
        dcps_link_receive(core, route.server, message, now_ns);
    } else if (core->has_partition) {
        dcps_blocks_receive(core, route, message, payload, payload_bytes, now_ns);
    }
}

uint64_t dcps_client_core_tick(dcps_client_core *core, uint64_t now_ns)
{
    for (uint32_t server = 0; server < core->config.server_count; server++) {
        dcps_link_tick(core, server, now_ns);
        dcps_silence_tick(core, server, now_ns);
    }
    dcps_blocks_tick(core, now_ns);
    return now_ns + DCPS_TICK_NS;
}

dcps_status dcps_client_core_failure(const dcps_client_core *core, const char **text)
{
    *text = core->failure_text;
    return core->failure;
}

uint64_t dcps_client_core_staleness(const dcps_client_core *core)
{
    return core->staleness;
}
