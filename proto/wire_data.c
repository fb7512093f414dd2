/* Bodies of the data plane: checked, then copied. */
#include "proto/wire_internal.h"

static dcps_status take_request(dcps_message_type type, const Dcps__Request *from, dcps_request *request)
{
    if (from == NULL) {
        return dcps_fail(DCPS_PROTOCOL, "%s: request is missing", dcps_message_name(type));
    }
    dcps_request taken = {.block = from->block, .seq = from->seq, .step = from->step, .run_samples = from->run_samples};
    dcps_status status = dcps_wire_take_session(type, from->session, &taken.session);
    if (status == DCPS_OK) {
        status = dcps_wire_check_below(type, "block", from->block, DCPS_MAX_BLOCKS);
    }
    if (status == DCPS_OK) {
        status = dcps_wire_check_below(type, "step", from->step, DCPS_MAX_STEP);
    }
    if (status == DCPS_OK) {
        *request = taken;
    }
    return status;
}

/* The loss may be infinite or no number: training may diverge. */
static dcps_status take_push_pull(const Dcps__PushPull *from, dcps_push_pull *push)
{
    push->samples = from->samples;
    push->loss = from->loss;
    return take_request(DCPS_MESSAGE_PUSH_PULL, from->request, &push->request);
}

static dcps_status take_weights(const Dcps__Weights *from, dcps_weights *weights)
{
    dcps_message_type type = DCPS_MESSAGE_WEIGHTS;
    dcps_status status = dcps_wire_check_place(type, from->worker, from->block);
    if (status == DCPS_OK) {
        status = dcps_wire_check_range(type, "ticket", (uint64_t)from->ticket, DCPS_TICKET_NONE, DCPS_TICKET_DONE);
    }
    if (status == DCPS_OK) {
        status = dcps_wire_check_below(type, "clock", from->clock, DCPS_MAX_STEP);
    }
    if (status != DCPS_OK) {
        return status;
    }
    *weights = (dcps_weights){.worker = from->worker,
                              .incarnation = from->incarnation,
                              .block = from->block,
                              .seq = from->seq,
                              .version = from->version,
                              .samples = from->samples,
                              .clock = from->clock,
                              .ticket = {.kind = (dcps_ticket_kind)from->ticket, .number = from->ticket_number},
                              .token = from->token};
    return DCPS_OK;
}

static dcps_status take_notice(dcps_message_type type, const Dcps__Notice *from, dcps_notice *notice)
{
    dcps_status status = dcps_wire_check_place(type, from->worker, from->block);
    if (status != DCPS_OK) {
        return status;
    }
    *notice =
        (dcps_notice){.worker = from->worker, .incarnation = from->incarnation, .block = from->block, .seq = from->seq};
    return DCPS_OK;
}

static dcps_status take_snapshot(const Dcps__Snapshot *from, dcps_snapshot_request *snapshot)
{
    *snapshot = (dcps_snapshot_request){.block = from->block, .index = from->index, .release = from->release};
    return dcps_wire_check_below(DCPS_MESSAGE_SNAPSHOT, "block", from->block, DCPS_MAX_BLOCKS);
}

static dcps_status take_snapshot_reply(const Dcps__SnapshotReply *from, dcps_snapshot_reply *reply)
{
    *reply = (dcps_snapshot_reply){.block = from->block,
                                   .index = from->index,
                                   .available = from->available,
                                   .version = from->version,
                                   .samples = from->samples,
                                   .training_ns = from->training_ns,
                                   .train_loss = from->train_loss};
    return dcps_wire_check_below(DCPS_MESSAGE_SNAPSHOT_REPLY, "block", from->block, DCPS_MAX_BLOCKS);
}

dcps_status dcps_wire_take_data(const Dcps__Header *header, dcps_message *message)
{
    switch (message->type) {
    case DCPS_MESSAGE_PULL:
    case DCPS_MESSAGE_INIT:
    case DCPS_MESSAGE_QUERY:
        return take_request(message->type, header->pull, &message->body.request);
    case DCPS_MESSAGE_PUSH_PULL:
        return take_push_pull(header->push_pull, &message->body.push_pull);
    case DCPS_MESSAGE_WEIGHTS:
        return take_weights(header->weights, &message->body.weights);
    case DCPS_MESSAGE_NEED_INIT:
    case DCPS_MESSAGE_PENDING:
    case DCPS_MESSAGE_RESEND:
        return take_notice(message->type, header->need_init, &message->body.notice);
    case DCPS_MESSAGE_SNAPSHOT:
        return take_snapshot(header->snapshot, &message->body.snapshot);
    case DCPS_MESSAGE_SNAPSHOT_REPLY:
        return take_snapshot_reply(header->snapshot_reply, &message->body.snapshot_reply);
    default:
        return dcps_fail(DCPS_PROTOCOL, "%s is no message of the data plane", dcps_message_name(message->type));
    }
}
