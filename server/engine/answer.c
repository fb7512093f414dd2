#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#include "server/engine/shard_state.h"

static void emit_weights(dcps_shard *shard, const dcps_block *block, uint32_t worker, const dcps_slot *slot)
{
    dcps_message message = {
        .type = DCPS_MESSAGE_WEIGHTS,
        .body.weights = {.worker = worker,
                         .incarnation = slot->incarnation,
                         .block = block->index,
                         .seq = slot->last_seq,
                         .version = slot->pulled_version,
                         .samples = block->samples,
                         .clock = slot->clock,
                         .ticket = slot->ticket,
                         .token = shard->members[worker].session.token},
    };
    shard->stats.payload_bytes_out += slot->pulled->bytes;
    shard->config.emit(shard->config.emit_context, &slot->peer, &message, slot->pulled);
}

void dcps_answer_grant(dcps_shard *shard, dcps_block *block, uint32_t worker, uint64_t now_ns)
{
    dcps_slot *slot = &block->slots[worker];
    dcps_ticket ticket = {.kind = DCPS_TICKET_NONE};
    if (block->index == 0) {
        ticket = dcps_tickets_issue(shard->tickets, worker);
        /* Under asp nobody would make an abstaining worker wait, so it waits here for the last batches of the others. */
        if (ticket.kind == DCPS_TICKET_ABSTAIN && shard->config.algorithm.consistency == DCPS_CONSISTENCY_ASP) {
            dcps_slot_set_wait(shard, slot, DCPS_WAIT_TICKET);
            return;
        }
    }
    if (block->started_ns == 0) {
        block->started_ns = now_ns;
    }
    if (slot->pulled == NULL) {
        uint64_t latest = dcps_consistency_latest_step(shard, block);
        slot->clock = slot->step > latest ? slot->step : latest;
    }
    dcps_buffer_unref(&slot->pulled);
    slot->pulled = dcps_buffer_ref(block->shown);
    slot->pulled_version = block->version;
    slot->ticket = ticket;
    dcps_slot_set_wait(shard, slot, DCPS_WAIT_NOTHING);
    slot->answered_ns = now_ns;
    dcps_count_answer(shard, worker, slot, now_ns);
    emit_weights(shard, block, worker, slot);
}

void dcps_answer_again(dcps_shard *shard, dcps_block *block, uint32_t worker)
{
    const dcps_slot *slot = &block->slots[worker];
    assert(slot->wait == DCPS_WAIT_NOTHING && slot->pulled != NULL);
    emit_weights(shard, block, worker, slot);
}

void dcps_answer_notice(dcps_shard *shard, const dcps_peer *peer, dcps_message_type type, const dcps_request *request)
{
    dcps_message message = {
        .type = type,
        .body.notice = {.worker = request->session.worker,
                        .incarnation = request->session.incarnation,
                        .block = request->block,
                        .seq = request->seq},
    };
    shard->config.emit(shard->config.emit_context, peer, &message, NULL);
}

void dcps_answer_error(dcps_shard *shard, const dcps_peer *peer, dcps_status status, const dcps_request *request,
                       const char *format, ...)
{
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    dcps_message message = {.type = DCPS_MESSAGE_ERROR, .body.error = {.status = status, .text = text}};
    if (request != NULL) {
        message.body.error.has_block = true;
        message.body.error.block = request->block;
        message.body.error.seq = request->seq;
        message.body.error.token = status == DCPS_SESSION ? request->session.token : 0;
    }
    shard->stats.rejected++;
    shard->config.emit(shard->config.emit_context, peer, &message, NULL);
}
