#include "support/engine_harness.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

#include "proto/partition.h"

#define SAMPLES_PER_EPOCH 48u

void engine_on_emit(void *context, const dcps_peer *peer, const dcps_message *message, dcps_buffer *payload)
{
    engine *self = context;
    ck_assert_uint_lt(self->answer_count, ENGINE_MAX_ANSWERS);
    engine_answer *kept = &self->answers[self->answer_count++];
    *kept = (engine_answer){.peer = *peer, .message = *message};
    if (message->type == DCPS_MESSAGE_ERROR) {
        (void)snprintf(kept->text, sizeof(kept->text), "%s", message->body.error.text);
        kept->message.body.error.text = NULL;
    }
    kept->payload = payload == NULL ? NULL : dcps_buffer_ref(payload);
    if (message->type == DCPS_MESSAGE_WEIGHTS) {
        const dcps_weights *weights = &message->body.weights;
        engine_client *client = &self->clients[weights->worker][weights->block];
        client->step = weights->clock > client->step ? weights->clock : client->step;
    }
}

dcps_shard_config engine_config(const char *preset)
{
    dcps_shard_config config = {
        .schedule = {.base = 0.5, .workers = 1, .decay_factor = 1.0}, .workers = 2, .epochs = 3, .batch_size = 8};
    ck_assert_int_eq(dcps_algorithm_preset(preset, &config.algorithm), DCPS_OK);
    return config;
}

void engine_open_bare(engine *self, const dcps_shard_config *config)
{
    memset(self, 0, sizeof(*self));
    self->now_ns = 1000;
    self->config = *config;
    self->config.emit = engine_on_emit;
    self->config.emit_context = self;
    ck_assert_msg(dcps_shard_create(&self->config, &self->shard) == DCPS_OK, "%s", dcps_error_message());
}

void engine_open(engine *self, const dcps_shard_config *config, uint64_t params, uint32_t block_params, uint32_t shards)
{
    engine_open_bare(self, config);
    ck_assert_uint_le(block_params, ENGINE_MAX_BLOCK_PARAMS);
    ck_assert_int_eq(dcps_partition_init(&self->partition, params, block_params, 1, shards), DCPS_OK);
    ck_assert_uint_le(self->partition.block_count, ENGINE_MAX_BLOCKS);
    ck_assert_msg(dcps_shard_set_partition(self->shard, &self->partition, NULL, SAMPLES_PER_EPOCH) == DCPS_OK, "%s",
                  dcps_error_message());
}

void engine_open_workers(engine *self, const char *preset, uint32_t workers, uint32_t blocks)
{
    dcps_shard_config config = engine_config(preset);
    config.workers = workers;
    engine_open(self, &config, (uint64_t)ENGINE_BLOCK * blocks, ENGINE_BLOCK, 1);
}

void engine_close(engine *self)
{
    for (uint32_t i = 0; i < self->answer_count; i++) {
        engine_drop(&self->answers[i]);
    }
    dcps_shard_destroy(&self->shard);
    ck_assert_ptr_null(self->shard);
}

const float *engine_all(float value)
{
    static float vectors[4][ENGINE_MAX_BLOCK_PARAMS];
    static uint32_t next;
    float *vector = vectors[next++ % 4u];
    for (uint32_t i = 0; i < ENGINE_MAX_BLOCK_PARAMS; i++) {
        vector[i] = value;
    }
    return vector;
}

const float engine_initial[ENGINE_BLOCK] = {1, 2, 3, 4, 5, 6, 7, 8, -1, -2, -3, -4, -5, -6, -7, -8};

const float *engine_after(uint32_t updates)
{
    static float weights[ENGINE_BLOCK];
    for (uint32_t i = 0; i < ENGINE_BLOCK; i++) {
        weights[i] = engine_initial[i] - 0.5F * (float)updates;
    }
    return weights;
}

dcps_peer engine_peer(uint32_t number)
{
    dcps_peer peer = {.length = sizeof(number)};
    memcpy(peer.bytes, &number, sizeof(number));
    return peer;
}

dcps_session engine_session(const engine *self, uint32_t worker)
{
    uint32_t incarnation = self->incarnation[worker] == 0 ? 1 : self->incarnation[worker];
    return (dcps_session){.worker = worker, .incarnation = incarnation, .token = 1000u * incarnation + worker};
}

void engine_join(engine *self, uint32_t worker)
{
    dcps_session session = engine_session(self, worker);
    ck_assert_int_eq(dcps_shard_worker_join(self->shard, &session, self->now_ns), DCPS_OK);
}

void engine_leave(engine *self, uint32_t worker)
{
    dcps_shard_worker_leave(self->shard, worker, DCPS_DEPARTURE_LOST, self->now_ns);
}

void engine_quit(engine *self, uint32_t worker)
{
    dcps_shard_worker_leave(self->shard, worker, DCPS_DEPARTURE_EARLY, self->now_ns);
}

void engine_finish(engine *self, uint32_t worker)
{
    dcps_shard_worker_leave(self->shard, worker, DCPS_DEPARTURE_DONE, self->now_ns);
}

void engine_deliver(engine *self, uint32_t peer, const dcps_message *message, const void *payload, size_t bytes)
{
    dcps_peer from = engine_peer(peer);
    dcps_buffer *buffer = NULL;
    if (payload != NULL) {
        ck_assert_int_eq(dcps_buffer_copy(payload, bytes, &buffer), DCPS_OK);
    }
    if (self->gate != NULL) {
        dcps_replay_gate_receive(self->gate, self->shard, &from, message, buffer, self->now_ns);
    } else {
        dcps_shard_receive(self->shard, &from, message, buffer, self->now_ns);
    }
    dcps_buffer_unref(&buffer);
}

void engine_request(engine *self, uint32_t worker, dcps_message_type type, uint32_t block, uint64_t seq, uint64_t step,
                    uint32_t samples, const float *payload, size_t floats)
{
    dcps_request request = {.session = engine_session(self, worker),
                            .block = block,
                            .seq = seq,
                            .step = step,
                            .run_samples = self->run_samples};
    dcps_message message = {.type = type, .body.request = request};
    if (type == DCPS_MESSAGE_PUSH_PULL) {
        message.body.push_pull = (dcps_push_pull){.request = request, .samples = samples, .loss = (float)step};
    }
    engine_deliver(self, worker, &message, payload, floats * sizeof(float));
}

static size_t length_of(const engine *self, uint32_t block)
{
    return dcps_partition_block_length(&self->partition, block);
}

void engine_pull(engine *self, uint32_t worker, uint32_t block)
{
    engine_client *client = &self->clients[worker][block];
    engine_request(self, worker, DCPS_MESSAGE_PULL, block, ++client->seq, client->step, 0, NULL, 0);
}

void engine_init(engine *self, uint32_t worker, uint32_t block, const float *values)
{
    engine_client *client = &self->clients[worker][block];
    engine_request(self, worker, DCPS_MESSAGE_INIT, block, ++client->seq, client->step, 0, values,
                   length_of(self, block));
}

void engine_push(engine *self, uint32_t worker, uint32_t block, const float *gradient)
{
    engine_client *client = &self->clients[worker][block];
    engine_request(self, worker, DCPS_MESSAGE_PUSH_PULL, block, ++client->seq, ++client->step, self->config.batch_size,
                   gradient, length_of(self, block));
}

void engine_abstain(engine *self, uint32_t worker, uint32_t block)
{
    engine_client *client = &self->clients[worker][block];
    engine_request(self, worker, DCPS_MESSAGE_PUSH_PULL, block, ++client->seq, ++client->step, 0, NULL, 0);
}

void engine_query(engine *self, uint32_t worker, uint32_t block)
{
    engine_client *client = &self->clients[worker][block];
    engine_request(self, worker, DCPS_MESSAGE_QUERY, block, client->seq, client->step, 0, NULL, 0);
}

void engine_snapshot(engine *self, uint32_t peer, uint32_t block, uint32_t index, bool release)
{
    dcps_message message = {.type = DCPS_MESSAGE_SNAPSHOT,
                            .body.snapshot = {.block = block, .index = index, .release = release}};
    engine_deliver(self, peer, &message, NULL, 0);
}

engine_answer engine_take(engine *self, uint32_t peer, dcps_message_type type)
{
    dcps_peer wanted = engine_peer(peer);
    uint32_t i = 0;
    while (i < self->answer_count && memcmp(&self->answers[i].peer, &wanted, sizeof(wanted)) != 0) {
        i++;
    }
    ck_assert_msg(i < self->answer_count, "peer %u was not answered, expected %s", peer, dcps_message_name(type));
    engine_answer taken = self->answers[i];
    ck_assert_msg(taken.message.type == type, "peer %u was answered %s %s, expected %s", peer,
                  dcps_message_name(taken.message.type), taken.text, dcps_message_name(type));
    self->answer_count--;
    memmove(&self->answers[i], &self->answers[i + 1], (self->answer_count - i) * sizeof(self->answers[0]));
    return taken;
}

void engine_drop(engine_answer *answer)
{
    dcps_buffer_unref(&answer->payload);
}

void engine_expect(engine *self, uint32_t peer, dcps_message_type type)
{
    engine_answer answer = engine_take(self, peer, type);
    engine_drop(&answer);
}

uint64_t engine_expect_error(engine *self, uint32_t peer, dcps_status status, uint32_t block, uint64_t seq)
{
    engine_answer answer = engine_take(self, peer, DCPS_MESSAGE_ERROR);
    const dcps_error_message_body *error = &answer.message.body.error;
    ck_assert_msg(error->status == status, "ERROR %s (%s), expected %s", dcps_status_name(error->status), answer.text,
                  dcps_status_name(status));
    ck_assert_int_eq(error->has_block, seq != 0);
    ck_assert_uint_eq(error->seq, seq);
    ck_assert_uint_eq(error->block, seq != 0 ? block : 0);
    ck_assert_uint_gt(strlen(answer.text), 0);
    ck_assert_ptr_null(answer.payload);
    return error->token;
}

dcps_weights engine_expect_weights(engine *self, uint32_t peer, const float *expected, size_t count)
{
    engine_answer answer = engine_take(self, peer, DCPS_MESSAGE_WEIGHTS);
    ck_assert_ptr_nonnull(answer.payload);
    ck_assert_uint_eq(answer.payload->bytes, count * sizeof(float));
    const float *seen = answer.payload->data;
    for (size_t i = 0; i < count; i++) {
        ck_assert_msg(memcmp(&seen[i], &expected[i], sizeof(float)) == 0, "weight %zu is %.9g, expected %.9g", i,
                      (double)seen[i], (double)expected[i]);
    }
    engine_drop(&answer);
    return answer.message.body.weights;
}

dcps_weights engine_expect_all(engine *self, uint32_t peer, float value)
{
    return engine_expect_weights(self, peer, engine_all(value), ENGINE_BLOCK);
}

void engine_expect_notice(engine *self, uint32_t worker, dcps_message_type type, uint32_t block, uint64_t seq)
{
    dcps_notice notice = engine_take(self, worker, type).message.body.notice;
    ck_assert_uint_eq(notice.worker, worker);
    ck_assert_uint_eq(notice.incarnation, engine_session(self, worker).incarnation);
    ck_assert_uint_eq(notice.block, block);
    ck_assert_uint_eq(notice.seq, seq);
}

void engine_expect_held(engine *self, uint32_t worker, uint32_t block)
{
    engine_expect_quiet(self);
    engine_query(self, worker, block);
    engine_expect(self, worker, DCPS_MESSAGE_PENDING);
}

void engine_expect_quiet(const engine *self)
{
    ck_assert_msg(self->answer_count == 0, "unexpected %s to a peer (%s)",
                  dcps_message_name(self->answers[0].message.type), self->answers[0].text);
}

void engine_begin(engine *self, uint32_t count, uint32_t block, const float *values)
{
    for (uint32_t worker = 0; worker < count; worker++) {
        engine_join(self, worker);
        engine_pull(self, worker, block);
    }
    engine_expect(self, 0, DCPS_MESSAGE_NEED_INIT);
    engine_init(self, 0, block, values);
    for (uint32_t worker = 0; worker < count; worker++) {
        (void)engine_expect_weights(self, worker, values, length_of(self, block));
    }
    engine_expect_quiet(self);
}

void engine_weights(const engine *self, uint32_t block, float *weights, size_t count)
{
    dcps_shard_image image;
    ck_assert_int_eq(dcps_shard_export(self->shard, &image), DCPS_OK);
    bool found = false;
    for (uint32_t i = 0; i < image.block_count; i++) {
        if (image.blocks[i].block == block) {
            ck_assert_uint_eq(image.blocks[i].weights->bytes, count * sizeof(float));
            memcpy(weights, image.blocks[i].weights->data, count * sizeof(float));
            found = true;
        }
    }
    dcps_shard_image_fini(&image);
    ck_assert_msg(found, "block %u has no weights", block);
}

void engine_expect_block(const engine *self, uint32_t block, const float *expected, size_t count)
{
    float seen[ENGINE_MAX_BLOCK_PARAMS];
    engine_weights(self, block, seen, count);
    for (size_t i = 0; i < count; i++) {
        ck_assert_msg(memcmp(&seen[i], &expected[i], sizeof(float)) == 0, "block %u: weight %zu is %.9g, expected %.9g",
                      block, i, (double)seen[i], (double)expected[i]);
    }
}

dcps_shard_stats engine_stats(const engine *self)
{
    dcps_shard_stats stats;
    dcps_shard_stats_get(self->shard, &stats);
    return stats;
}
