/* Bodies of the control plane: checked, then copied. */
#include <string.h>

#include "proto/layout_util.h"
#include "proto/wire_internal.h"

/* Returns from the calling function with the status of a check that failed. */
#define CHECK(check)                                                                                                   \
    do {                                                                                                               \
        dcps_status check_status = (check);                                                                            \
        if (check_status != DCPS_OK) {                                                                                 \
            return check_status;                                                                                       \
        }                                                                                                              \
    } while (0)

static dcps_status take_hello(const Dcps__Hello *from, dcps_hello *hello)
{
    dcps_message_type type = DCPS_MESSAGE_HELLO;
    CHECK(dcps_wire_check_range(type, "role", (uint64_t)from->role, DCPS_ROLE_WORKER, DCPS_ROLE_OBSERVER));
    CHECK(dcps_wire_check_below(type, "worker", from->worker, DCPS_MAX_WORKERS));
    CHECK(dcps_wire_check_server(type, from->server_index, from->server_count));
    CHECK(dcps_wire_check_text(type, "name", from->name, DCPS_MAX_NAME_BYTES));
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
        CHECK(dcps_wire_check_text(DCPS_MESSAGE_WELCOME, "endpoint", from->endpoints[i], DCPS_MAX_ENDPOINT_BYTES));
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
    CHECK(dcps_wire_check_server(type, from->server_index, from->server_count));
    CHECK(dcps_wire_check_range(type, "shards_per_server", from->shards_per_server, 1, DCPS_MAX_SHARDS));
    CHECK(dcps_wire_check_range(type, "lease_ms", from->lease_ms, 1, UINT32_MAX));
    CHECK(dcps_wire_check_range(type, "batch_size", from->batch_size, 1, UINT32_MAX));
    CHECK(dcps_wire_check_range(type, "epochs", from->epochs, 1, UINT32_MAX));
    CHECK(dcps_wire_check_range(type, "workers", from->workers, 1, DCPS_MAX_WORKERS));
    CHECK(dcps_wire_check_text(type, "algorithm", from->algorithm, DCPS_MAX_NAME_BYTES));
    CHECK(dcps_wire_check_text(type, "settings", from->settings, DCPS_MAX_TEXT_BYTES));
    return check_endpoints(from);
}

static dcps_status take_welcome(const Dcps__Welcome *from, dcps_welcome *welcome)
{
    dcps_session session;
    CHECK(dcps_wire_take_session(DCPS_MESSAGE_WELCOME, from->session, &session));
    CHECK(check_welcome(from));
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
    CHECK(dcps_wire_check_range(DCPS_MESSAGE_LAYOUT, "number of tensors", from->n_tensors, 1, DCPS_MAX_TENSORS));
    dcps_layout_tensor *taken = dcps_arena_take(arena, from->n_tensors, sizeof *taken);
    if (taken == NULL) {
        return dcps_fail(DCPS_LIMIT, "LAYOUT: too large to decode");
    }
    for (size_t i = 0; i < from->n_tensors; i++) {
        CHECK(take_tensor(from->tensors[i], &taken[i]));
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
    CHECK(dcps_wire_take_session(DCPS_MESSAGE_LAYOUT, from->session, &session));
    CHECK(dcps_wire_check_range(DCPS_MESSAGE_LAYOUT, "samples_per_epoch", from->samples_per_epoch,
                                session.token == 0 ? 0 : 1, UINT32_MAX));
    CHECK(take_tensors(from, arena, &tensors));
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
    CHECK(
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

static dcps_status check_status_reply(const Dcps__StatusReply *from)
{
    dcps_message_type type = DCPS_MESSAGE_STATUS_REPLY;
    CHECK(dcps_wire_check_server(type, from->server_index, from->server_count));
    CHECK(dcps_wire_check_range(type, "state", (uint64_t)from->state, DCPS_RUN_WAITING, DCPS_RUN_DONE));
    CHECK(dcps_wire_check_range(type, "workers_live", from->workers_live, 0, DCPS_MAX_WORKERS));
    CHECK(dcps_wire_check_range(type, "workers_expected", from->workers_expected, 0, DCPS_MAX_WORKERS));
    CHECK(dcps_wire_check_range(type, "length of staleness", from->n_staleness, 0, DCPS_STALENESS_BUCKETS));
    return dcps_wire_check_text(type, "algorithm", from->algorithm, DCPS_MAX_NAME_BYTES);
}

static dcps_status take_status_reply(const Dcps__StatusReply *from, dcps_status_reply *reply)
{
    CHECK(check_status_reply(from));
    *reply = (dcps_status_reply){.server_index = from->server_index,
                                 .server_count = from->server_count,
                                 .state = (dcps_run_state)from->state,
                                 .samples = from->samples,
                                 .samples_per_epoch = from->samples_per_epoch,
                                 .epochs = from->epochs,
                                 .updates = from->updates,
                                 .training_ns = from->training_ns,
                                 .train_loss = from->train_loss,
                                 .workers_live = from->workers_live,
                                 .workers_expected = from->workers_expected,
                                 .workers_lost = from->workers_lost,
                                 .snapshots = from->snapshots,
                                 .pushes_applied = from->pushes_applied,
                                 .pushes_dropped = from->pushes_dropped,
                                 .duplicates_ignored = from->duplicates_ignored,
                                 .stale_ignored = from->stale_ignored,
                                 .rejected_messages = from->rejected_messages,
                                 .payload_bytes_in = from->payload_bytes_in,
                                 .payload_bytes_out = from->payload_bytes_out,
                                 .staleness_count = (uint32_t)from->n_staleness,
                                 .staleness = from->staleness,
                                 .algorithm = from->algorithm};
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
    CHECK(dcps_wire_check_text(DCPS_MESSAGE_CHECKPOINT_REPLY, "text", from->text, DCPS_MAX_TEXT_BYTES));
    *reply = (dcps_checkpoint_reply){.status = (dcps_status)from->status, .text = from->text};
    return DCPS_OK;
}

static dcps_status take_error(const Dcps__Error *from, dcps_error_message_body *error)
{
    if (from->status == DCPS_OK || !status_is_known(from->status)) {
        return dcps_fail(DCPS_PROTOCOL, "ERROR: status %d is no failure", from->status);
    }
    CHECK(dcps_wire_check_below(DCPS_MESSAGE_ERROR, "block", from->block, DCPS_MAX_BLOCKS));
    CHECK(dcps_wire_check_text(DCPS_MESSAGE_ERROR, "text", from->text, DCPS_MAX_TEXT_BYTES));
    *error = (dcps_error_message_body){.status = (dcps_status)from->status,
                                       .has_block = from->has_block,
                                       .block = from->block,
                                       .seq = from->seq,
                                       .text = from->text};
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
    case DCPS_MESSAGE_HEARTBEAT:
    case DCPS_MESSAGE_FINISH:
        return dcps_wire_take_session(message->type, header->heartbeat->session, &message->body.session.session);
    case DCPS_MESSAGE_HEARTBEAT_REPLY:
    case DCPS_MESSAGE_FINISH_REPLY:
        return dcps_wire_take_session(message->type, header->heartbeat->session, &message->body.session_reply.session);
    case DCPS_MESSAGE_STATUS:
    case DCPS_MESSAGE_CHECKPOINT:
        return DCPS_OK;
    case DCPS_MESSAGE_STATUS_REPLY:
        return take_status_reply(header->status_reply, &message->body.status_reply);
    case DCPS_MESSAGE_CHECKPOINT_REPLY:
        return take_checkpoint_reply(header->checkpoint_reply, &message->body.checkpoint_reply);
    case DCPS_MESSAGE_ERROR:
        return take_error(header->error, &message->body.error);
    default:
        return dcps_fail(DCPS_PROTOCOL, "%s is no message of the control plane", dcps_message_name(message->type));
    }
}
