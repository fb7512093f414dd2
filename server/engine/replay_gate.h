/* Holds requests back until it is their turn in a recorded order, so that a shard does once more what it did. Stands before dcps_shard_receive. Pure, as the shard is.
 *
 * Requests of one worker for one block are numbered without gaps, so an order need not name numbers: the n-th turn of a worker at a block is its request n. */
#ifndef DCPS_ENGINE_REPLAY_GATE_H
#define DCPS_ENGINE_REPLAY_GATE_H

#include <stdint.h>

#include "server/engine/shard.h"
#include "server/engine/taken.h"

/* One request that was taken. */
typedef struct dcps_replay_turn {
    uint16_t worker;
    uint8_t kind; /* dcps_taken_kind */
    uint8_t fate; /* dcps_taken_fate */
} dcps_replay_turn;

typedef struct dcps_replay_block {
    uint64_t count;
    dcps_replay_turn *turns; /* [count] */
} dcps_replay_block;

/* What a shard did: the turns of each of its blocks. */
typedef struct dcps_replay_order {
    uint32_t workers; /* ids are below */
    uint32_t first_block;
    uint32_t block_count;
    dcps_replay_block *blocks; /* [block_count] */
} dcps_replay_order;

void dcps_replay_order_fini(dcps_replay_order *order);

typedef struct dcps_replay_gate dcps_replay_gate;

/* Sends notices about requests that are held as the shard sends its answers. Borrows `order`. Errors: DCPS_NO_MEMORY. */
DCPS_MUST_CHECK dcps_status dcps_replay_gate_create(const dcps_replay_order *order, dcps_emit_fn emit,
                                                    void *emit_context, dcps_replay_gate **gate);
void dcps_replay_gate_destroy(dcps_replay_gate **gate);

/* In the place of dcps_shard_receive. A request whose turn has come goes on, and those that waited for it follow; another is held, at most one of each worker for each
 * block. Repeats, and what belongs to no order, go on at once. */
void dcps_replay_gate_receive(dcps_replay_gate *gate, dcps_shard *shard, const dcps_peer *peer,
                              const dcps_message *message, dcps_buffer *payload, uint64_t now_ns);
/* What the shard tells through its `taken` callback must come here: only what was taken counts as a turn. */
void dcps_replay_gate_taken(dcps_replay_gate *gate, const dcps_taken *taken);
/* A worker has left. One whose turns are not over makes the replay fail. */
void dcps_replay_gate_leave(dcps_replay_gate *gate, uint32_t worker);

/* DCPS_OK, or DCPS_MISMATCH: the run does not follow the order. Final: nothing goes on any more. *text says what was expected and what was seen. */
dcps_status dcps_replay_gate_failure(const dcps_replay_gate *gate, const char **text);
/* Turns still to come. */
uint64_t dcps_replay_gate_left(const dcps_replay_gate *gate);

#endif
