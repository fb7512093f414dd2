/* Bodies of the control plane: checked, then copied. */
#include <string.h>

#include "proto/layout_util.h"
#include "proto/wire_internal.h"

static dcps_status take_hello(const Dcps__Hello *from, dcps_hello *hello)
{
    dcps_message_type type = DCPS_MESSAGE_HELLO;
    DCPS_WIRE_CHECK(dcps_wire_check_range(type, "role", (uint64_t)from->role, DCPS_ROLE_WORKER, DCPS_ROLE_OBSERVER));
    DCPS_WIRE_CHECK(dcps_wire_check_below(type, "worker", from->worker, DCPS_MAX_WORKERS));
    DCPS_WIRE_CHECK(dcps_wire_check_server(type, from->server_index, from->server_count));
    DCPS_WIRE_CHECK(dcps_wire_check_text(type, "name", from->name, DCPS_MAX_NAME_BYTES));
    *hello = (dcps_hello){.role = (dcps_role)from->role,
                          .nonce = from->nonce,
                          .has_identity = from->has_identity,
                          .worker = from->worker,
                          .incarnation = from->incarnation,
                          .server_index = from->server_index,
                          .server_count = from->server_count,
                          .name = from->name};
    return DCPS_OK;
}

static dcps_status check_endpoints(const Dcps__Welcome *from)
{
    if (from->n_endpoints != from->shards_per_server) {
        return dcps_fail(DCPS_PROTOCOL, "WELCOME: %zu endpoints for %u shards", from->n_endpoints,
                         from->shards_per_server);
    }
    for (size_t i = 0; i < from->n_endpoints; i++) {
        DCPS_WIRE_CHECK(
            dcps_wire_check_text(DCPS_MESSAGE_WELCOME, "endpoint", from->endpoints[i], DCPS_MAX_ENDPOINT_BYTES));
        if (strstr(from->endpoints[i], "://") == NULL) {
            return dcps_fail(DCPS_PROTOCOL, "WELCOME: endpoint %zu is \"%s\", expected tcp://host:port or ipc://path",
                             i, from->endpoints[i]);
        }
    }
    return DCPS_OK;
}

static dcps_status check_welcome(const Dcps__Welcome *from)
{
    dcps_message_type type = DCPS_MESSAGE_WELCOME;
    DCPS_WIRE_CHECK(dcps_wire_check_server(type, from->server_index, from->server_count));
    DCPS_WIRE_CHECK(dcps_wire_check_range(type, "shards_per_server", from->shards_per_server, 1, DCPS_MAX_SHARDS));
    DCPS_WIRE_CHECK(dcps_wire_check_range(type, "lease_ms", from->lease_ms, 1, UINT32_MAX));
    DCPS_WIRE_CHECK(dcps_wire_check_range(type, "batch_size", from->batch_size, 1, UINT32_MAX));
    DCPS_WIRE_CHECK(dcps_wire_check_range(type, "epochs", from->epochs, 1, UINT32_MAX));
    DCPS_WIRE_CHECK(dcps_wire_check_range(type, "workers", from->workers, 1, DCPS_MAX_WORKERS));
    DCPS_WIRE_CHECK(dcps_wire_check_text(type, "algorithm", from->algorithm, DCPS_MAX_NAME_BYTES));
    DCPS_WIRE_CHECK(dcps_wire_check_text(type, "settings", from->settings, DCPS_MAX_TEXT_BYTES));
    return check_endpoints(from);
}

static dcps_status take_welcome(const Dcps__Welcome *from, dcps_welcome *welcome)
{
    dcps_session session;
    DCPS_WIRE_CHECK(dcps_wire_take_session(DCPS_MESSAGE_WELCOME, from->session, &session));
    DCPS_WIRE_CHECK(check_welcome(from));
    *welcome = (dcps_welcome){.session = session,
                              .nonce = from->nonce,
                              .server_index = from->server_index,
                              .server_count = from->server_count,
                              .shards_per_server = from->shards_per_server,
                              .lease_ms = from->lease_ms,
                              .seed = from->seed,
                              .batch_size = from->batch_size,
                              .epochs = from->epochs,
                              .workers = from->workers,
                              .snapshot_every_samples = from->snapshot_every_samples,
                              .algorithm = from->algorithm,
                              .settings = from->settings,
                              .endpoint_count = (uint32_t)from->n_endpoints,
                              .endpoints = (const char *const *)from->endpoints};
    return DCPS_OK;
}

static dcps_status take_tensor(const Dcps__Tensor *from, dcps_layout_tensor *tensor)
{
    if (from->n_dims > DCPS_MAX_DIMS) {
        return dcps_fail(DCPS_PROTOCOL, "LAYOUT: a tensor of %zu dims, at most %u are possible", from->n_dims,
                         DCPS_MAX_DIMS);
    }
    *tensor = (dcps_layout_tensor){.name = from->name,
                                   .dim_count = (uint32_t)from->n_dims,
                                   .init = (dcps_init)from->init,
                                   .average_rate = from->average_rate,
                                   .init_bound = from->init_bound};
    for (size_t d = 0; d < from->n_dims; d++) {
        tensor->dims[d] = from->dims[d];
    }
    return DCPS_OK;
}

static dcps_status take_tensors(const Dcps__Layout *from, dcps_arena *arena, const dcps_layout_tensor **tensors)
{
    DCPS_WIRE_CHECK(
        dcps_wire_check_range(DCPS_MESSAGE_LAYOUT, "number of tensors", from->n_tensors, 1, DCPS_MAX_TENSORS));
    dcps_layout_tensor *taken = dcps_arena_take(arena, from->n_tensors, sizeof(*taken));
    if (taken == NULL) {
        return dcps_fail(DCPS_LIMIT, "LAYOUT: too large to decode");
    }
    for (size_t i = 0; i < from->n_tensors; i++) {
        DCPS_WIRE_CHECK(take_tensor(from->tensors[i], &taken[i]));
    }
    dcps_status status = dcps_layout_place_tensors(taken, (uint32_t)from->n_tensors);
    if (status != DCPS_OK) {
        return status == DCPS_INVALID ? DCPS_PROTOCOL : status; /* the text stays */
    }
    *tensors = taken;
    return DCPS_OK;
}

static dcps_status take_layout(const Dcps__Layout *from, dcps_arena *arena, dcps_layout_message *layout)
{
    dcps_session session;
    const dcps_layout_tensor *tensors = NULL;
    DCPS_WIRE_CHECK(dcps_wire_take_session(DCPS_MESSAGE_LAYOUT, from->session, &session));
    DCPS_WIRE_CHECK(dcps_wire_check_range(DCPS_MESSAGE_LAYOUT, "samples_per_epoch", from->samples_per_epoch,
                                          session.token == 0 ? 0 : 1, UINT32_MAX));
    DCPS_WIRE_CHECK(take_tensors(from, arena, &tensors));
    *layout = (dcps_layout_message){.session = session,
                                    .nonce = from->nonce,
                                    .samples_per_epoch = from->samples_per_epoch,
                                    .tensor_count = (uint32_t)from->n_tensors,
                                    .tensors = tensors};
    return DCPS_OK;
}

static dcps_status take_layout_reply(const Dcps__LayoutReply *from, dcps_layout_reply *reply)
{
    dcps_partition partition;
    DCPS_WIRE_CHECK(
        dcps_wire_check_range(DCPS_MESSAGE_LAYOUT_REPLY, "block_params", from->block_params, 1, DCPS_MAX_BLOCK_PARAMS));
    dcps_status status = dcps_partition_init(&partition, from->total_params, from->block_params, from->server_count,
                                             from->shards_per_server);
    if (status != DCPS_OK) {
        return status == DCPS_INVALID ? DCPS_PROTOCOL : status; /* the text stays */
    }
    if (partition.block_count != from->block_count) {
        return dcps_fail(DCPS_PROTOCOL, "LAYOUT_REPLY: %u blocks, but its sizes make %u", from->block_count,
                         partition.block_count);
    }
    *reply = (dcps_layout_reply){.nonce = from->nonce, .run = from->run, .partition = partition};
    return DCPS_OK;
}

static bool status_is_known(int32_t value)
{
    switch (value) {
#define DCPS_STATUS_CASE(name, number, text) case number:
        DCPS_STATUS_MAP(DCPS_STATUS_CASE)
#undef DCPS_STATUS_CASE
        return true;
    default:
        return false;
    }
}

static dcps_status take_checkpoint_reply(const Dcps__CheckpointReply *from, dcps_checkpoint_reply *reply)
{
    if (!status_is_known(from->status)) {
        return dcps_fail(DCPS_PROTOCOL, "CHECKPOINT_REPLY: unknown status %d", from->status);
    }
    DCPS_WIRE_CHECK(dcps_wire_check_text(DCPS_MESSAGE_CHECKPOINT_REPLY, "text", from->text, DCPS_MAX_TEXT_BYTES));
    *reply = (dcps_checkpoint_reply){.status = (dcps_status)from->status, .text = from->text};
    return DCPS_OK;
}

static dcps_status take_error(const Dcps__Error *from, dcps_error_message_body *error)
{
    if (from->status == DCPS_OK || !status_is_known(from->status)) {
        return dcps_fail(DCPS_PROTOCOL, "ERROR: status %d is no failure", from->status);
    }
    DCPS_WIRE_CHECK(dcps_wire_check_below(DCPS_MESSAGE_ERROR, "block", from->block, DCPS_MAX_BLOCKS));
    DCPS_WIRE_CHECK(dcps_wire_check_text(DCPS_MESSAGE_ERROR, "text", from->text, DCPS_MAX_TEXT_BYTES));
    *error = (dcps_error_message_body){.status = (dcps_status)from->status,
                                       .has_block = from->has_block,
                                       .block = from->block,
                                       .seq = from->seq,
                                       .text = from->text,
                                       .token = from->token};
    return DCPS_OK;
}

dcps_status dcps_wire_take_control(const Dcps__Header *header, dcps_arena *arena, dcps_message *message)
{
    switch (message->type) {
    case DCPS_MESSAGE_HELLO:
        return take_hello(header->hello, &message->body.hello);
    case DCPS_MESSAGE_WELCOME:
        return take_welcome(header->welcome, &message->body.welcome);
    case DCPS_MESSAGE_LAYOUT:
        return take_layout(header->layout, arena, &message->body.layout);
    case DCPS_MESSAGE_LAYOUT_REPLY:
        return take_layout_reply(header->layout_reply, &message->body.layout_reply);
    case DCPS_MESSAGE_FINISH:
        message->body.session.done = header->heartbeat->done;
        return dcps_wire_take_session(message->type, header->heartbeat->session, &message->body.session.session);
    case DCPS_MESSAGE_HEARTBEAT:
        return dcps_wire_take_session(message->type, header->heartbeat->session, &message->body.session.session);
    case DCPS_MESSAGE_HEARTBEAT_REPLY:
    case DCPS_MESSAGE_FINISH_REPLY:
        return dcps_wire_take_session(message->type, header->heartbeat->session, &message->body.session_reply.session);
    case DCPS_MESSAGE_CHECKPOINT:
        return DCPS_OK;
    case DCPS_MESSAGE_STATUS:
        return dcps_wire_take_status_request(header->status, &message->body.status);
    case DCPS_MESSAGE_STATUS_REPLY:
        return dcps_wire_take_status_reply(header->status_reply, arena, &message->body.status_reply);
    case DCPS_MESSAGE_CHECKPOINT_REPLY:
        return take_checkpoint_reply(header->checkpoint_reply, &message->body.checkpoint_reply);
    case DCPS_MESSAGE_ERROR:
        return take_error(header->error, &message->body.error);
    default:
        return dcps_fail(DCPS_PROTOCOL, "%s is no message of the control plane", dcps_message_name(message->type));
    }
}
