#include "server/engine/replay_gate.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/alloc.h"
#include "server/engine/shard_state.h"

/* One worker at one block. */
typedef struct held_place {
    uint64_t turns; /* it has in all */
    uint64_t taken; /* of them, which is the number of its latest request taken */
    bool held;      /* the request below waits for its turn */
    dcps_peer peer;
    dcps_message message; /* a request: owns no texts */
    dcps_buffer *payload; /* one reference, or NULL */
} held_place;

struct dcps_replay_gate {
    const dcps_replay_order *order;
    dcps_emit_fn emit;
    void *emit_context;
    uint64_t left;
    uint64_t *position; /* next turn of each block */
    held_place *places; /* [block_count][workers] */
    dcps_status failure;
    char text[256];
};

void dcps_replay_order_fini(dcps_replay_order *order)
{
    for (uint32_t i = 0; order->blocks != NULL && i < order->block_count; i++) {
        dcps_free(order->blocks[i].turns);
    }
    dcps_free(order->blocks);
    *order = (dcps_replay_order){0};
}

static held_place *place_of(const dcps_replay_gate *gate, uint32_t block, uint32_t worker)
{
    return &gate->places[(size_t)(block - gate->order->first_block) * gate->order->workers + worker];
}

static void count_turns(dcps_replay_gate *gate)
{
    const dcps_replay_order *order = gate->order;
    for (uint32_t i = 0; i < order->block_count; i++) {
        for (uint64_t turn = 0; turn < order->blocks[i].count; turn++) {
            place_of(gate, order->first_block + i, order->blocks[i].turns[turn].worker)->turns++;
        }
        gate->left += order->blocks[i].count;
    }
}

dcps_status dcps_replay_gate_create(const dcps_replay_order *order, dcps_emit_fn emit, void *emit_context,
                                    dcps_replay_gate **gate)
{
    dcps_replay_gate *made = dcps_alloc(1, sizeof(*made));
    if (made == NULL) {
        return dcps_fail(DCPS_NO_MEMORY, "no memory to replay %u blocks", order->block_count);
    }
    *made = (dcps_replay_gate){.order = order, .emit = emit, .emit_context = emit_context, .failure = DCPS_OK};
    made->position = dcps_alloc((size_t)order->block_count + 1u, sizeof(*made->position));
    made->places = dcps_alloc((size_t)order->block_count * order->workers + 1u, sizeof(*made->places));
    if (made->position == NULL || made->places == NULL) {
        dcps_replay_gate_destroy(&made);
        return dcps_fail(DCPS_NO_MEMORY, "no memory to replay %u blocks of %u workers", order->block_count,
                         order->workers);
    }
    count_turns(made);
    *gate = made;
    return DCPS_OK;
}

void dcps_replay_gate_destroy(dcps_replay_gate **gate)
{
    dcps_replay_gate *old = *gate;
    if (old == NULL) {
        return;
    }
    size_t count = (size_t)old->order->block_count * old->order->workers;
    for (size_t i = 0; old->places != NULL && i < count; i++) {
        dcps_buffer_unref(&old->places[i].payload);
    }
    dcps_free(old->places);
    dcps_free(old->position);
    dcps_free(old);
    *gate = NULL;
}

/* Remembers the first failure. */
static void fail(dcps_replay_gate *gate, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void fail(dcps_replay_gate *gate, const char *format, ...)
{
    if (gate->failure != DCPS_OK) {
        return;
    }
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(gate->text, sizeof(gate->text), format, arguments);
    va_end(arguments);
    gate->failure = DCPS_MISMATCH;
}

static const dcps_replay_turn *next_turn(const dcps_replay_gate *gate, uint32_t block)
{
    uint32_t index = block - gate->order->first_block;
    const dcps_replay_block *turns = &gate->order->blocks[index];
    return gate->position[index] < turns->count ? &turns->turns[gate->position[index]] : NULL;
}

static dcps_taken_kind kind_of(const dcps_message *message)
{
    switch (message->type) {
    case DCPS_MESSAGE_PULL:
        return DCPS_TAKEN_PULL;
    case DCPS_MESSAGE_INIT:
        return DCPS_TAKEN_INIT;
    default:
        return message->body.push_pull.samples > 0 ? DCPS_TAKEN_PUSH : DCPS_TAKEN_ABSTAIN;
    }
}

static const char *kind_text(dcps_taken_kind kind)
{
    static const char *const texts[] = {"a pull", "initial values", "a gradient", "an abstention"};
    return texts[kind - DCPS_TAKEN_PULL];
}

/* PULL, INIT, PUSH_PULL and QUERY begin alike. NULL: the message is no request. */
static const dcps_request *request_in(const dcps_message *message)
{
    switch (message->type) {
    case DCPS_MESSAGE_PULL:
    case DCPS_MESSAGE_INIT:
    case DCPS_MESSAGE_QUERY:
        return &message->body.request;
    case DCPS_MESSAGE_PUSH_PULL:
        return &message->body.push_pull.request;
    default:
        return NULL;
    }
}

/* The request if it is one that the shard would serve: whoever has no session is refused there and disturbs nothing here. */
static const dcps_request *find_request(const dcps_replay_gate *gate, const dcps_shard *shard,
                                        const dcps_message *message)
{
    const dcps_request *request = request_in(message);
    if (request == NULL || !shard->has_partition || request->session.worker >= DCPS_MAX_WORKERS ||
        !dcps_session_is_live(shard, &request->session) || request->block < gate->order->first_block ||
        request->block - gate->order->first_block >= gate->order->block_count) {
        return NULL;
    }
    return request;
}

/* The request of `place` has its turn. */
static void pass(dcps_shard *shard, held_place *place, uint64_t now_ns)
{
    dcps_buffer *payload = place->payload;
    place->payload = NULL;
    place->held = false;
    dcps_shard_receive(shard, &place->peer, &place->message, payload, now_ns);
    dcps_buffer_unref(&payload);
}

/* Lets those go whose turn has come. One that the shard refuses keeps its turn, until its worker sends it again. */
static void release(dcps_replay_gate *gate, dcps_shard *shard, uint32_t block, uint64_t now_ns)
{
    const dcps_replay_turn *turn = next_turn(gate, block);
    while (gate->failure == DCPS_OK && turn != NULL && place_of(gate, block, turn->worker)->held) {
        held_place *place = place_of(gate, block, turn->worker);
        dcps_taken_kind kind = kind_of(&place->message);
        if (kind != (dcps_taken_kind)turn->kind) {
            fail(gate, "block %u: request %llu of worker %u was %s, now it is %s", block,
                 (unsigned long long)place->taken + 1u, turn->worker, kind_text((dcps_taken_kind)turn->kind),
                 kind_text(kind));
            return;
        }
        pass(shard, place, now_ns);
        turn = next_turn(gate, block);
    }
}

static void tell_pending(const dcps_replay_gate *gate, const dcps_peer *peer, const dcps_request *request)
{
    dcps_message message = {.type = DCPS_MESSAGE_PENDING,
                            .body.notice = {.worker = request->session.worker,
                                            .incarnation = request->session.incarnation,
                                            .block = request->block,
                                            .seq = request->seq}};
    gate->emit(gate->emit_context, peer, &message, NULL);
}

/* A request that the shard has not taken. */
static void hold(dcps_replay_gate *gate, held_place *place, const dcps_peer *peer, const dcps_message *message,
                 const dcps_request *request, dcps_buffer *payload)
{
    place->peer = *peer;
    if (place->held) {
        tell_pending(gate, peer, request); /* it came again */
        return;
    }
    place->message = *message;
    place->payload = payload == NULL ? NULL : dcps_buffer_ref(payload);
    place->held = true;
}

void dcps_replay_gate_receive(dcps_replay_gate *gate, dcps_shard *shard, const dcps_peer *peer,
                              const dcps_message *message, dcps_buffer *payload, uint64_t now_ns)
{
    const dcps_request *request = find_request(gate, shard, message);
    if (gate->failure != DCPS_OK) {
        return;
    }
    if (request == NULL) {
        dcps_shard_receive(shard, peer, message, payload, now_ns);
        return;
    }
    uint32_t worker = request->session.worker;
    if (worker >= gate->order->workers) {
        fail(gate, "worker %u asks for block %u, but the run had %u workers", worker, request->block,
             gate->order->workers);
        return;
    }
    held_place *place = place_of(gate, request->block, worker);
    bool waits = place->held && request->seq == place->taken + 1u;
    if (request->seq <= place->taken || (message->type == DCPS_MESSAGE_QUERY && !waits)) {
        dcps_shard_receive(shard, peer, message, payload, now_ns);
    } else if (request->seq != place->taken + 1u || place->taken == place->turns) {
        fail(gate, "block %u: worker %u sends request %llu, after %llu of the %llu that it made in the run",
             request->block, worker, (unsigned long long)request->seq, (unsigned long long)place->taken,
             (unsigned long long)place->turns);
    } else {
        hold(gate, place, peer, message, request, payload);
        release(gate, shard, request->block, now_ns);
    }
}

void dcps_replay_gate_taken(dcps_replay_gate *gate, const dcps_taken *taken)
{
    const dcps_replay_turn *turn = next_turn(gate, taken->block);
    if (turn == NULL || turn->worker != taken->worker || taken->incarnation != 1) {
        fail(gate, "block %u took a request of worker %u in its life %u out of turn", taken->block, taken->worker,
             taken->incarnation);
        return;
    }
    if (taken->fate != (dcps_taken_fate)turn->fate) {
        fail(gate, "block %u: the gradient of worker %u in step %llu was %s, now it is not", taken->block,
             taken->worker, (unsigned long long)taken->step, turn->fate == DCPS_FATE_DROPPED ? "dropped" : "applied");
        return;
    }
    gate->position[taken->block - gate->order->first_block]++;
    place_of(gate, taken->block, taken->worker)->taken++;
    gate->left--;
}

void dcps_replay_gate_leave(dcps_replay_gate *gate, uint32_t worker)
{
    for (uint32_t i = 0; worker < gate->order->workers && i < gate->order->block_count; i++) {
        uint32_t block = gate->order->first_block + i;
        const held_place *place = place_of(gate, block, worker);
        if (place->taken < place->turns) {
            fail(gate, "worker %u has left after %llu of the %llu requests that it made for block %u in the run",
                 worker, (unsigned long long)place->taken, (unsigned long long)place->turns, block);
            return;
        }
    }
}

dcps_status dcps_replay_gate_failure(const dcps_replay_gate *gate, const char **text)
{
    *text = gate->text;
    return gate->failure;
}

uint64_t dcps_replay_gate_left(const dcps_replay_gate *gate)
{
    return gate->left;
}
