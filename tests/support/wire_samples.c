#include "support/wire_samples.h"

#include <math.h>
#include <stdlib.h>

#define SESSION                                                                                                        \
    {                                                                                                                  \
        .worker = 1023, .incarnation = 7, .token = 0x1122334455667788                                                  \
    }
#define REQUEST                                                                                                        \
    {                                                                                                                  \
        .session = SESSION, .block = 1048575, .seq = 0xffffffffffffffff, .step = 17                                    \
    }

static const char *const endpoints[] = {"tcp://10.0.0.7:7071", "ipc:///run/dcps/shard-1"};

static const dcps_layout_tensor tensors[] = {
    {.name = "fc1.weight", .dims = {3, 5}, .dim_count = 2, .init = DCPS_INIT_HE_NORMAL, .count_params = 15},
    {.name = "fc1/bias-0",
     .dims = {17},
     .dim_count = 1,
     .init = DCPS_INIT_ZERO,
     .offset_params = 16,
     .count_params = 17},
    {.name = "scale", .init = DCPS_INIT_ONE, .offset_params = 48, .count_params = 1, .average_rate = 0.25F},
    {.name = "T",
     .dims = {1, 2, 1, 2, 1, 2, 1, 2},
     .dim_count = 8,
     .init = DCPS_INIT_GLOROT_UNIFORM,
     .offset_params = 64,
     .count_params = 16},
};

static const uint64_t staleness[] = {5, 0, UINT64_MAX};

static const wire_sample samples[WIRE_SAMPLE_COUNT] = {
    {.message = {.type = DCPS_MESSAGE_HELLO,
                 .body.hello = {.role = DCPS_ROLE_OBSERVER,
                                .nonce = 0x0102030405060708,
                                .has_identity = true,
                                .worker = 9,
                                .incarnation = 4000000000u,
                                .server_index = 63,
                                .server_count = 64,
                                .name = "h\xc3\xb6st:4711"}}},
    {.message = {.type = DCPS_MESSAGE_WELCOME,
                 .body.welcome = {.session = SESSION,
                                  .nonce = 2,
                                  .server_index = 3,
                                  .server_count = 4,
                                  .shards_per_server = 2,
                                  .lease_ms = 3000,
                                  .seed = UINT64_MAX,
                                  .batch_size = 128,
                                  .epochs = 10,
                                  .workers = 5,
                                  .snapshot_every_samples = DCPS_SNAPSHOT_EVERY_EPOCH,
                                  .algorithm = "dc-asgd-a",
                                  .endpoint_count = 2,
                                  .endpoints = endpoints}}},
    {.message = {.type = DCPS_MESSAGE_LAYOUT,
                 .body.layout = {.session = SESSION,
                                 .nonce = 11,
                                 .samples_per_epoch = 60000,
                                 .tensor_count = 4,
                                 .tensors = tensors}}},
    {.message = {.type = DCPS_MESSAGE_LAYOUT_REPLY,
                 .body.layout_reply = {.nonce = 12,
                                       .partition = {.total_params = 1120,
                                                     .block_params = 112,
                                                     .block_count = 10,
                                                     .server_count = 2,
                                                     .shards_per_server = 3}}}},
    {.message = {.type = DCPS_MESSAGE_HEARTBEAT, .body.session.session = SESSION}},
    {.message = {.type = DCPS_MESSAGE_HEARTBEAT_REPLY, .body.session_reply.session = SESSION}},
    {.message = {.type = DCPS_MESSAGE_FINISH, .body.session.session = SESSION}},
    {.message = {.type = DCPS_MESSAGE_FINISH_REPLY, .body.session_reply.session = SESSION}},
    {.message = {.type = DCPS_MESSAGE_STATUS}},
    {.message = {.type = DCPS_MESSAGE_STATUS_REPLY,
                 .body.status_reply = {.server_index = 1,
                                       .server_count = 2,
                                       .state = DCPS_RUN_DRAINING,
                                       .samples = 101,
                                       .samples_per_epoch = 102,
                                       .epochs = 103,
                                       .updates = 104,
                                       .training_ns = 105,
                                       .train_loss = 0.25,
                                       .workers_live = 106,
                                       .workers_expected = 107,
                                       .workers_lost = 108,
                                       .snapshots = 109,
                                       .pushes_applied = 110,
                                       .duplicates_ignored = 111,
                                       .stale_ignored = 112,
                                       .rejected_messages = 113,
                                       .payload_bytes_in = 114,
                                       .payload_bytes_out = 115,
                                       .staleness_count = 3,
                                       .staleness = staleness,
                                       .algorithm = "asgd"}}},
    {.message = {.type = DCPS_MESSAGE_CHECKPOINT}},
    {.message = {.type = DCPS_MESSAGE_CHECKPOINT_REPLY,
                 .body.checkpoint_reply = {.status = DCPS_OK, .text = "/var/lib/dcps/epoch-3"}}},
    {.message = {.type = DCPS_MESSAGE_ERROR,
                 .body.error = {.status = DCPS_NOT_PULLED,
                                .has_block = true,
                                .block = 6,
                                .seq = 13,
                                .text = "pull block 6 first"}}},
    {.message = {.type = DCPS_MESSAGE_PULL, .body.request = REQUEST}},
    {.message = {.type = DCPS_MESSAGE_INIT, .body.request = REQUEST}, .payload_bytes = 64},
    {.message = {.type = DCPS_MESSAGE_PUSH_PULL, .body.push_pull = {.request = REQUEST, .samples = 128, .loss = 1.5f}},
     .payload_bytes = DCPS_MAX_PAYLOAD_BYTES},
    {.message = {.type = DCPS_MESSAGE_PUSH_PULL, .body.push_pull = {.request = REQUEST, .samples = 0, .loss = NAN}}},
    {.message = {.type = DCPS_MESSAGE_WEIGHTS,
                 .body.weights = {.worker = 1,
                                  .incarnation = 2,
                                  .block = 3,
                                  .seq = 4,
                                  .version = 5,
                                  .clock = 14,
                                  .ticket = {.kind = DCPS_TICKET_BATCH, .number = 6}}},
     .payload_bytes = 4},
    {.message = {.type = DCPS_MESSAGE_NEED_INIT, .body.notice = {.worker = 1, .incarnation = 2, .block = 3, .seq = 4}}},
    {.message = {.type = DCPS_MESSAGE_QUERY, .body.request = REQUEST}},
    {.message = {.type = DCPS_MESSAGE_PENDING, .body.notice = {.worker = 5, .incarnation = 6, .block = 7, .seq = 8}}},
    {.message = {.type = DCPS_MESSAGE_RESEND, .body.notice = {.worker = 9, .incarnation = 10, .block = 11, .seq = 12}}},
    {.message = {.type = DCPS_MESSAGE_SNAPSHOT, .body.snapshot = {.block = 2, .index = 4000000000u, .release = true}}},
    {.message = {.type = DCPS_MESSAGE_SNAPSHOT_REPLY,
                 .body.snapshot_reply = {.block = 3,
                                         .index = 4,
                                         .available = true,
                                         .version = 5,
                                         .samples = 6,
                                         .training_ns = 7,
                                         .train_loss = -(double)INFINITY}},
     .payload_bytes = 1024},
};

wire_sample wire_sample_at(size_t index)
{
    return samples[index];
}
