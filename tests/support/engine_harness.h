/* A shard engine on its own: the test plays its shell, its workers and its clock, and sees everything it emits. */
#ifndef DCPS_TESTS_SUPPORT_ENGINE_HARNESS_H
#define DCPS_TESTS_SUPPORT_ENGINE_HARNESS_H

#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "server/engine/replay_gate.h"
#include "server/engine/shard.h"

#define ENGINE_MAX_ANSWERS 128u
#define ENGINE_MAX_WORKERS 16u
#define ENGINE_MAX_BLOCKS 16u
#define ENGINE_MAX_TEXT_BYTES 256u
#define ENGINE_MAX_BLOCK_PARAMS 64u
#define ENGINE_BLOCK 16u /* parameters of a block, where the harness chooses */

/* One message that the engine emitted. Texts inside the message are gone; that of an ERROR is copied to `text`. */
typedef struct engine_answer {
    dcps_peer peer;
    dcps_message message;
    char text[ENGINE_MAX_TEXT_BYTES];
    dcps_buffer *payload; /* holds a reference, or NULL */
} engine_answer;

/* What a worker process would remember for one block. */
typedef struct engine_client {
    uint64_t seq;  /* of the latest request */
    uint64_t step; /* latest begun, or told by an answer */
} engine_client;

/* Zero-initialise; engine_open and engine_close. Large: keep it static. */
typedef struct engine {
    dcps_shard *shard;
    dcps_replay_gate *gate; /* of the test; NULL: none stands before the shard */
    dcps_shard_config config;
    dcps_partition partition;
    uint64_t now_ns;
    uint32_t incarnation[ENGINE_MAX_WORKERS]; /* 0 stands for 1 */
    uint64_t run_samples;                     /* that requests tell */
    engine_client clients[ENGINE_MAX_WORKERS][ENGINE_MAX_BLOCKS];
    uint32_t answer_count;
    engine_answer answers[ENGINE_MAX_ANSWERS]; /* not taken yet, earliest first */
} engine;

/* Rate 0.5 and nothing else: plain updates under the preset's consistency; 2 workers, batch size 8, 3 epochs. */
dcps_shard_config engine_config(const char *preset);

/* What an engine sends when it is the context; the harness keeps it. */
void engine_on_emit(void *context, const dcps_peer *peer, const dcps_message *message, dcps_buffer *payload);

/* An engine whose model of `params` parameters is cut into blocks of `block_params` over `shards` shards; epochs of 48 samples. */
void engine_open(engine *self, const dcps_shard_config *config, uint64_t params, uint32_t block_params,
                 uint32_t shards);
/* Without a partition yet. */
void engine_open_bare(engine *self, const dcps_shard_config *config);
/* This many blocks of ENGINE_BLOCK parameters on one shard, for this many workers. */
void engine_open_workers(engine *self, const char *preset, uint32_t workers, uint32_t blocks);
void engine_close(engine *self);

/* A vector of ENGINE_MAX_BLOCK_PARAMS equal values; four may be in use at once. */
const float *engine_all(float value);
/* Values of a block that differ; and what this many gradients of ones make of them, exactly. The latter until the next call. */
extern const float engine_initial[ENGINE_BLOCK];
const float *engine_after(uint32_t updates);

/* Worker w answers to peer_of(w), in session (w, incarnation, token 1000 · incarnation + w). */
dcps_peer engine_peer(uint32_t number);
dcps_session engine_session(const engine *self, uint32_t worker);
void engine_join(engine *self, uint32_t worker);
/* Is lost; says goodbye before the end; when all is done. */
void engine_leave(engine *self, uint32_t worker);
void engine_quit(engine *self, uint32_t worker);
void engine_finish(engine *self, uint32_t worker);

/* Any message with any payload (NULL: none), which is copied. */
void engine_deliver(engine *self, uint32_t peer, const dcps_message *message, const void *payload, size_t bytes);
/* A request of `worker` with exactly these numbers; PUSH_PULL with `samples`, loss = step. */
void engine_request(engine *self, uint32_t worker, dcps_message_type type, uint32_t block, uint64_t seq, uint64_t step,
                    uint32_t samples, const float *payload, size_t floats);

/* Requests with the next sequence number, pushes with the next step, as a well-behaved client sends them. */
void engine_pull(engine *self, uint32_t worker, uint32_t block);
void engine_init(engine *self, uint32_t worker, uint32_t block, const float *values);
void engine_push(engine *self, uint32_t worker, uint32_t block, const float *gradient);
void engine_abstain(engine *self, uint32_t worker, uint32_t block);
/* Asks about the latest request. */
void engine_query(engine *self, uint32_t worker, uint32_t block);
void engine_snapshot(engine *self, uint32_t peer, uint32_t block, uint32_t index, bool release);

/* Takes the earliest answer to a peer, which must be of this type. Give its payload back with engine_drop. */
engine_answer engine_take(engine *self, uint32_t peer, dcps_message_type type);
void engine_drop(engine_answer *answer);
/* Takes such an answer and forgets it. */
void engine_expect(engine *self, uint32_t peer, dcps_message_type type);
/* Takes an ERROR, which must have this status and name this request (seq 0: no request); returns the token it tells. */
uint64_t engine_expect_error(engine *self, uint32_t peer, dcps_status status, uint32_t block, uint64_t seq);
/* Takes WEIGHTS, whose payload must be these bits; returns its body. */
dcps_weights engine_expect_weights(engine *self, uint32_t peer, const float *expected, size_t count);
/* The same with ENGINE_BLOCK equal weights. */
dcps_weights engine_expect_all(engine *self, uint32_t peer, float value);
/* Takes PENDING, RESEND or NEED_INIT, which must be about this request. */
void engine_expect_notice(engine *self, uint32_t worker, dcps_message_type type, uint32_t block, uint64_t seq);
/* Nothing was emitted, and when asked about the latest request, the shard says that its answer has to wait. */
void engine_expect_held(engine *self, uint32_t worker, uint32_t block);
/* Nothing more was emitted to anybody. */
void engine_expect_quiet(const engine *self);

/* Workers 0 … count − 1 join and pull this block, one sends `values`; their answers are taken. */
void engine_begin(engine *self, uint32_t count, uint32_t block, const float *values);

/* The weights of a block as the engine holds them now. */
void engine_weights(const engine *self, uint32_t block, float *weights, size_t count);
/* Their bits must be these. */
void engine_expect_block(const engine *self, uint32_t block, const float *expected, size_t count);
dcps_shard_stats engine_stats(const engine *self);

#endif
