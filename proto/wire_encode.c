/* Plain structs to bytes. The generated structs live on the stack and point into the message; only LAYOUT and STATUS_REPLY, which are rare, take memory. */
#include "proto/wire.h"

#include <string.h>

#include "base/alloc.h"
#include "dcps.pb-c.h"
#include "proto/wire_internal.h"
#include "proto/wire_text.h"

/* Everything that a header under construction points to. */
typedef struct encoding {
    Dcps__Header header;
    Dcps__Session session;
    Dcps__Request request;
    union {
        Dcps__Hello hello;
        Dcps__Welcome welcome;
        Dcps__Layout layout;
        Dcps__LayoutReply layout_reply;
        Dcps__SessionOnly session_only;
        Dcps__Empty empty;
        Dcps__StatusRequest status;
        Dcps__CheckpointReply checkpoint_reply;
        Dcps__Error error;
        Dcps__PushPull push_pull;
        Dcps__Weights weights;
        Dcps__Notice notice;
        Dcps__Snapshot snapshot;
        Dcps__SnapshotReply snapshot_reply;
    } body;
    char text[DCPS_MAX_TEXT_BYTES];
    char name[DCPS_MAX_NAME_BYTES];
    void *memory; /* freed after packing */
} encoding;

static Dcps__Session *put_session(encoding *to, const dcps_session *session)
{
    to->session = (Dcps__Session)DCPS__SESSION__INIT;
    to->session.worker = session->worker;
    to->session.incarnation = session->incarnation;
    to->session.token = session->token;
    return &to->session;
}

static Dcps__Request *put_request(encoding *to, const dcps_request *request)
{
    to->request = (Dcps__Request)DCPS__REQUEST__INIT;
    to->request.session = put_session(to, &request->session);
    to->request.block = request->block;
    to->request.seq = request->seq;
    to->request.step = request->step;
    to->request.run_samples = request->run_samples;
    return &to->request;
}

static Dcps__Hello *put_hello(encoding *to, const dcps_hello *from)
{
    Dcps__Hello *hello = &to->body.hello;
    *hello = (Dcps__Hello)DCPS__HELLO__INIT;
    hello->role = (Dcps__Role)from->role;
    hello->nonce = from->nonce;
    hello->has_identity = from->has_identity;
    hello->worker = from->has_identity ? from->worker : 0;
    hello->incarnation = from->has_identity ? from->incarnation : 0;
    hello->server_index = from->server_index;
    hello->server_count = from->server_count;
    hello->name = dcps_text_clean(from->name, to->name, sizeof(to->name));
    return hello;
}

static Dcps__Welcome *put_welcome(encoding *to, const dcps_welcome *from)
{
    Dcps__Welcome *welcome = &to->body.welcome;
    *welcome = (Dcps__Welcome)DCPS__WELCOME__INIT;
    welcome->session = put_session(to, &from->session);
    welcome->nonce = from->nonce;
    welcome->server_index = from->server_index;
    welcome->server_count = from->server_count;
    welcome->shards_per_server = from->shards_per_server;
    welcome->lease_ms = from->lease_ms;
    welcome->seed = from->seed;
    welcome->batch_size = from->batch_size;
    welcome->epochs = from->epochs;
    welcome->workers = from->workers;
    welcome->snapshot_every_samples = from->snapshot_every_samples;
    welcome->algorithm = dcps_text_clean(from->algorithm, to->name, sizeof(to->name));
    welcome->settings = dcps_text_clean(from->settings, to->text, sizeof(to->text));
    welcome->n_endpoints = from->endpoint_count;
    welcome->endpoints = (char **)from->endpoints; /* packing only reads */
    return welcome;
}

/* One tensor and the pointer to it that protobuf-c wants beside the others. */
static dcps_status put_tensors(encoding *to, Dcps__Layout *layout, const dcps_layout_message *from)
{
    _Static_assert(sizeof(size_t) == sizeof(uint64_t), "dims are packed in place");
    size_t bytes_each = sizeof(Dcps__Tensor) + sizeof(Dcps__Tensor *);
    to->memory = dcps_alloc(from->tensor_count == 0 ? 1 : from->tensor_count, bytes_each);
    if (to->memory == NULL) {
        return dcps_fail(DCPS_NO_MEMORY, "no memory to encode a layout of %u tensors", from->tensor_count);
    }
    Dcps__Tensor *tensors = to->memory;
    layout->tensors = (Dcps__Tensor **)(tensors + from->tensor_count);
    layout->n_tensors = from->tensor_count;
    for (uint32_t i = 0; i < from->tensor_count; i++) {
        const dcps_layout_tensor *tensor = &from->tensors[i];
        tensors[i] = (Dcps__Tensor)DCPS__TENSOR__INIT;
        tensors[i].name = (char *)tensor->name;
        tensors[i].n_dims = tensor->dim_count;
        tensors[i].dims = (uint64_t *)tensor->dims;
        tensors[i].init = (Dcps__Init)tensor->init;
        tensors[i].average_rate = tensor->average_rate;
        tensors[i].init_bound = tensor->init_bound;
        layout->tensors[i] = &tensors[i];
    }
    return DCPS_OK;
}

static dcps_status put_layout(encoding *to, const dcps_layout_message *from)
{
    Dcps__Layout *layout = &to->body.layout;
    *layout = (Dcps__Layout)DCPS__LAYOUT__INIT;
    layout->session = put_session(to, &from->session);
    layout->nonce = from->nonce;
    layout->samples_per_epoch = from->samples_per_epoch;
    to->header.layout = layout;
    return put_tensors(to, layout, from);
}

static Dcps__LayoutReply *put_layout_reply(encoding *to, const dcps_layout_reply *from)
{
    Dcps__LayoutReply *reply = &to->body.layout_reply;
    *reply = (Dcps__LayoutReply)DCPS__LAYOUT_REPLY__INIT;
    reply->nonce = from->nonce;
    reply->run = from->run;
    reply->total_params = from->partition.total_params;
    reply->block_params = from->partition.block_params;
    reply->block_count = from->partition.block_count;
    reply->server_count = from->partition.server_count;
    reply->shards_per_server = from->partition.shards_per_server;
    return reply;
}

static Dcps__SessionOnly *put_session_only(encoding *to, const dcps_session *session)
{
    to->body.session_only = (Dcps__SessionOnly)DCPS__SESSION_ONLY__INIT;
    to->body.session_only.session = put_session(to, session);
    return &to->body.session_only;
}

static Dcps__Empty *put_empty(encoding *to)
{
    to->body.empty = (Dcps__Empty)DCPS__EMPTY__INIT;
    return &to->body.empty;
}

static Dcps__StatusRequest *put_status_request(encoding *to, const dcps_status_request *from)
{
    to->body.status = (Dcps__StatusRequest)DCPS__STATUS_REQUEST__INIT;
    to->body.status.workers = from->workers;
    to->body.status.first_worker = from->workers ? from->first_worker : 0;
    to->body.status.histograms = from->histograms;
    to->body.status.first_shard = from->histograms ? from->first_shard : 0;
    return &to->body.status;
}

static Dcps__CheckpointReply *put_checkpoint_reply(encoding *to, const dcps_checkpoint_reply *from)
{
    to->body.checkpoint_reply = (Dcps__CheckpointReply)DCPS__CHECKPOINT_REPLY__INIT;
    to->body.checkpoint_reply.status = from->status;
    to->body.checkpoint_reply.text = dcps_text_clean(from->text, to->text, sizeof(to->text));
    return &to->body.checkpoint_reply;
}

static Dcps__Error *put_error(encoding *to, const dcps_error_message_body *from)
{
    Dcps__Error *error = &to->body.error;
    *error = (Dcps__Error)DCPS__ERROR__INIT;
    error->status = from->status;
    error->has_block = from->has_block;
    error->block = from->has_block ? from->block : 0;
    error->seq = from->has_block ? from->seq : 0;
    error->text = dcps_text_clean(from->text, to->text, sizeof(to->text));
    error->token = from->token;
    return error;
}

static Dcps__PushPull *put_push_pull(encoding *to, const dcps_push_pull *from)
{
    to->body.push_pull = (Dcps__PushPull)DCPS__PUSH_PULL__INIT;
    to->body.push_pull.request = put_request(to, &from->request);
    to->body.push_pull.samples = from->samples;
    to->body.push_pull.loss = from->loss;
    return &to->body.push_pull;
}

static Dcps__Weights *put_weights(encoding *to, const dcps_weights *from)
{
    Dcps__Weights *weights = &to->body.weights;
    *weights = (Dcps__Weights)DCPS__WEIGHTS__INIT;
    weights->worker = from->worker;
    weights->incarnation = from->incarnation;
    weights->block = from->block;
    weights->seq = from->seq;
    weights->version = from->version;
    weights->samples = from->samples;
    weights->ticket = (Dcps__TicketKind)from->ticket.kind;
    weights->ticket_number = from->ticket.number;
    weights->clock = from->clock;
    weights->token = from->token;
    return weights;
}

static Dcps__Notice *put_notice(encoding *to, const dcps_notice *from)
{
    Dcps__Notice *notice = &to->body.notice;
    *notice = (Dcps__Notice)DCPS__NOTICE__INIT;
    notice->worker = from->worker;
    notice->incarnation = from->incarnation;
    notice->block = from->block;
    notice->seq = from->seq;
    return notice;
}

static Dcps__Snapshot *put_snapshot(encoding *to, const dcps_snapshot_request *from)
{
    to->body.snapshot = (Dcps__Snapshot)DCPS__SNAPSHOT__INIT;
    to->body.snapshot.block = from->block;
    to->body.snapshot.index = from->index;
    to->body.snapshot.release = from->release;
    return &to->body.snapshot;
}

static Dcps__SnapshotReply *put_snapshot_reply(encoding *to, const dcps_snapshot_reply *from)
{
    Dcps__SnapshotReply *reply = &to->body.snapshot_reply;
    *reply = (Dcps__SnapshotReply)DCPS__SNAPSHOT_REPLY__INIT;
    reply->block = from->block;
    reply->index = from->index;
    reply->available = from->available;
    reply->version = from->version;
    reply->samples = from->samples;
    reply->training_ns = from->training_ns;
    reply->train_loss = from->train_loss;
    return reply;
}

static dcps_status put_body(encoding *to, const dcps_message *message)
{
    Dcps__Header *header = &to->header;
    switch (message->type) {
    case DCPS_MESSAGE_HELLO:
        header->hello = put_hello(to, &message->body.hello);
        return DCPS_OK;
    case DCPS_MESSAGE_WELCOME:
        header->welcome = put_welcome(to, &message->body.welcome);
        return DCPS_OK;
    case DCPS_MESSAGE_LAYOUT:
        return put_layout(to, &message->body.layout);
    case DCPS_MESSAGE_LAYOUT_REPLY:
        header->layout_reply = put_layout_reply(to, &message->body.layout_reply);
        return DCPS_OK;
    case DCPS_MESSAGE_FINISH:
        header->heartbeat = put_session_only(to, &message->body.session.session);
        header->heartbeat->done = message->body.session.done;
        return DCPS_OK;
    case DCPS_MESSAGE_HEARTBEAT:
        header->heartbeat = put_session_only(to, &message->body.session.session);
        return DCPS_OK;
    case DCPS_MESSAGE_HEARTBEAT_REPLY:
    case DCPS_MESSAGE_FINISH_REPLY:
        header->heartbeat = put_session_only(to, &message->body.session_reply.session);
        return DCPS_OK;
    case DCPS_MESSAGE_STATUS:
        header->status = put_status_request(to, &message->body.status);
        return DCPS_OK;
    case DCPS_MESSAGE_STATUS_REPLY:
        return dcps_wire_put_status_reply(
            &message->body.status_reply,
            dcps_text_clean(message->body.status_reply.algorithm, to->name, sizeof(to->name)), &header->status_reply,
            &to->memory);
    case DCPS_MESSAGE_CHECKPOINT:
        header->checkpoint = put_empty(to);
        return DCPS_OK;
    case DCPS_MESSAGE_CHECKPOINT_REPLY:
        header->checkpoint_reply = put_checkpoint_reply(to, &message->body.checkpoint_reply);
        return DCPS_OK;
    case DCPS_MESSAGE_ERROR:
        header->error = put_error(to, &message->body.error);
        return DCPS_OK;
    case DCPS_MESSAGE_PULL:
    case DCPS_MESSAGE_INIT:
    case DCPS_MESSAGE_QUERY:
        header->pull = put_request(to, &message->body.request);
        return DCPS_OK;
    case DCPS_MESSAGE_PUSH_PULL:
        header->push_pull = put_push_pull(to, &message->body.push_pull);
        return DCPS_OK;
    case DCPS_MESSAGE_WEIGHTS:
        header->weights = put_weights(to, &message->body.weights);
        return DCPS_OK;
    case DCPS_MESSAGE_NEED_INIT:
    case DCPS_MESSAGE_PENDING:
    case DCPS_MESSAGE_RESEND:
        header->need_init = put_notice(to, &message->body.notice);
        return DCPS_OK;
    case DCPS_MESSAGE_SNAPSHOT:
        header->snapshot = put_snapshot(to, &message->body.snapshot);
        return DCPS_OK;
    case DCPS_MESSAGE_SNAPSHOT_REPLY:
        header->snapshot_reply = put_snapshot_reply(to, &message->body.snapshot_reply);
        return DCPS_OK;
    }
    return dcps_fail(DCPS_INVALID, "no message of type %d exists", (int)message->type);
}

static dcps_status put_header(encoding *to, const dcps_message *message)
{
    to->header = (Dcps__Header)DCPS__HEADER__INIT;
    to->header.version = DCPS_PROTOCOL_VERSION;
    to->header.body_case = (Dcps__Header__BodyCase)message->type;
    to->memory = NULL;
    return put_body(to, message);
}

dcps_status dcps_wire_encode(const dcps_message *message, uint8_t *out, size_t capacity, size_t *length)
{
    encoding to;
    dcps_status status = put_header(&to, message);
    if (status != DCPS_OK) {
        return status;
    }
    size_t needed = dcps__header__get_packed_size(&to.header);
    if (needed > capacity || needed > DCPS_MAX_HEADER_BYTES) {
        status =
            dcps_fail(DCPS_LIMIT, "%s: its header takes %zu bytes, at most %zu fit", dcps_message_name(message->type),
                      needed, capacity < DCPS_MAX_HEADER_BYTES ? capacity : (size_t)DCPS_MAX_HEADER_BYTES);
    } else {
        *length = dcps__header__pack(&to.header, out);
    }
    dcps_free(to.memory);
    return status;
}

dcps_status dcps_wire_check_layout(const dcps_layout_tensor *tensors, uint32_t tensor_count)
{
    encoding to;
    /* Numbers take the more bytes the larger they are. */
    dcps_message largest = {
        .type = DCPS_MESSAGE_LAYOUT,
        .body.layout = {.session = {.worker = UINT32_MAX, .incarnation = UINT32_MAX, .token = UINT64_MAX},
                        .nonce = UINT64_MAX,
                        .samples_per_epoch = UINT64_MAX,
                        .tensor_count = tensor_count,
                        .tensors = tensors}};
    dcps_status status = put_header(&to, &largest);
    if (status != DCPS_OK) {
        return status;
    }
    size_t needed = dcps__header__get_packed_size(&to.header);
    dcps_free(to.memory);
    return needed <= DCPS_MAX_HEADER_BYTES
               ? DCPS_OK
               : dcps_fail(DCPS_LIMIT,
                           "names and shapes of %u tensors take %zu bytes to declare, at most %u are possible: shorten "
                           "the names, or join tensors",
                           tensor_count, needed, DCPS_MAX_HEADER_BYTES);
}
