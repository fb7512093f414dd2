/* Headers between structs and bytes. */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/rng.h"
#include "proto/wire.h"
#include "support/check_main.h"
#include "support/wire_compare.h"
#include "support/wire_samples.h"

static dcps_arena arena;
static uint8_t bytes[DCPS_MAX_HEADER_BYTES + 1];

static void start(void)
{
    ck_assert_int_eq(dcps_arena_init(&arena, DCPS_WIRE_ARENA_BYTES), DCPS_OK);
}

static void stop(void)
{
    dcps_arena_fini(&arena);
}

static size_t encode(const dcps_message *message, uint8_t *out)
{
    size_t length = 0;
    ck_assert_msg(dcps_wire_encode(message, out, DCPS_MAX_HEADER_BYTES, &length) == DCPS_OK, "%s",
                  dcps_error_message());
    return length;
}

static dcps_status decode(const uint8_t *header, size_t length, size_t payload_bytes, dcps_message *message)
{
    dcps_arena_reset(&arena);
    return dcps_wire_decode(header, length, payload_bytes, &arena, message);
}

/* What the other side makes of this message. */
static dcps_status pass(const dcps_message *message, size_t payload_bytes, dcps_message *passed)
{
    return decode(bytes, encode(message, bytes), payload_bytes, passed);
}

START_TEST(test_every_message_passes)
{
    bool seen[64] = {false};
    size_t types = 0;
    start();
    for (size_t i = 0; i < WIRE_SAMPLE_COUNT; i++) {
        wire_sample sample = wire_sample_at(i);
        dcps_message passed;
        dcps_status status = pass(&sample.message, sample.payload_bytes, &passed);
        ck_assert_msg(status == DCPS_OK, "%s: %s", dcps_message_name(sample.message.type), dcps_error_message());
        wire_assert_same(&sample.message, &passed);
        types += seen[sample.message.type] ? 0 : 1;
        seen[sample.message.type] = true;
    }
#define COUNT_ONE(name, number, payload) +1
    ck_assert_uint_eq(types, 0 DCPS_MESSAGE_MAP(COUNT_ONE));
    stop();
}
END_TEST

/* The bytes, written down from the protobuf encoding rules: other languages depend on them. */
START_TEST(test_bytes_are_fixed)
{
    static const uint8_t push_pull[] = {
        0x08, 0x01,                                           /* version 1 */
        0x82, 0x02, 0x1a,                                     /* field 32, 26 bytes */
        0x0a, 0x11,                                           /* request, 17 bytes */
        0x0a, 0x0d,                                           /* session, 13 bytes */
        0x08, 0x03, 0x10, 0x02,                               /* worker 3, incarnation 2 */
        0x19, 0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11, /* token, little endian */
        0x10, 0x05,                                           /* block 5 */
        0x10, 0x20,                                           /* samples 32 */
        0x1d, 0x00, 0x00, 0xc0, 0x3f,                         /* loss 1.5 */
    };
    static const uint8_t error[] = {
        0x08, 0x01,                                           /* version 1 */
        0xb2, 0x01, 0x15,                                     /* field 22, 21 bytes */
        0x08, 0x11,                                           /* status -9, zigzag */
        0x10, 0x01, 0x18, 0xac, 0x02,                         /* has_block, block 300 */
        0x20, 0x04,                                           /* seq 4 */
        0x2a, 0x01, 'x',                                      /* text */
        0x31, 0x08, 0x07, 0x06, 0x05, 0x04, 0x03, 0x02, 0x01, /* token, little endian */
    };
    dcps_message message = {.type = DCPS_MESSAGE_PUSH_PULL};
    start();
    message.body.push_pull = (dcps_push_pull){
        .request = {.session = {.worker = 3, .incarnation = 2, .token = 0x1122334455667788}, .block = 5},
        .samples = 32,
        .loss = 1.5f};
    size_t length = encode(&message, bytes);
    ck_assert_uint_eq(length, sizeof(push_pull));
    ck_assert_mem_eq(bytes, push_pull, sizeof(push_pull));
    message = (dcps_message){.type = DCPS_MESSAGE_ERROR};
    message.body.error = (dcps_error_message_body){
        .status = DCPS_NOT_PULLED, .has_block = true, .block = 300, .seq = 4, .text = "x", .token = 0x0102030405060708};
    length = encode(&message, bytes);
    ck_assert_uint_eq(length, sizeof(error));
    ck_assert_mem_eq(bytes, error, sizeof(error));
    stop();
}
END_TEST

START_TEST(test_bytes_of_weights_are_fixed)
{
    static const uint8_t weights[] = {
        0x08, 0x01,                                           /* version 1 */
        0x8a, 0x02, 0x1c,                                     /* field 33, 28 bytes */
        0x08, 0x03, 0x10, 0x02,                               /* worker 3, incarnation 2 */
        0x18, 0x05, 0x20, 0x09,                               /* block 5, seq 9 */
        0x28, 0x07,                                           /* version 7 */
        0x30, 0x02, 0x38, 0x06,                               /* ticket: batch 6 */
        0x40, 0x08,                                           /* clock 8 */
        0x48, 0xac, 0x02,                                     /* samples 300 */
        0x51, 0x08, 0x07, 0x06, 0x05, 0x04, 0x03, 0x02, 0x01, /* token, little endian */
    };
    dcps_message message = {.type = DCPS_MESSAGE_WEIGHTS,
                            .body.weights = {.worker = 3,
                                             .incarnation = 2,
                                             .block = 5,
                                             .seq = 9,
                                             .version = 7,
                                             .samples = 300,
                                             .clock = 8,
                                             .ticket = {.kind = DCPS_TICKET_BATCH, .number = 6},
                                             .token = 0x0102030405060708}};
    start();
    ck_assert_uint_eq(encode(&message, bytes), sizeof(weights));
    ck_assert_mem_eq(bytes, weights, sizeof(weights));
    stop();
}
END_TEST

/* A sample of that type, to be changed. */
static dcps_message change(dcps_message_type type)
{
    for (size_t i = 0; i < WIRE_SAMPLE_COUNT; i++) {
        if (wire_sample_at(i).message.type == type) {
            return wire_sample_at(i).message;
        }
    }
    ck_abort_msg("no sample of type %d", (int)type);
}

static size_t payload_of(dcps_message_type type)
{
    return dcps_message_may_carry_payload(type) ? 64 : 0;
}

/* Decodes a sample with FIELD = VALUE and expects that to be refused. */
#define REFUSED(TYPE, FIELD, VALUE)                                                                                    \
    do {                                                                                                               \
        dcps_message changed = change(DCPS_MESSAGE_##TYPE);                                                            \
        dcps_message passed = {.type = DCPS_MESSAGE_STATUS};                                                           \
        changed.body.FIELD = (VALUE);                                                                                  \
        dcps_status status = pass(&changed, payload_of(changed.type), &passed);                                        \
        ck_assert_msg(status == DCPS_PROTOCOL || status == DCPS_LIMIT, #TYPE ": " #FIELD " = " #VALUE);                \
        ck_assert_msg(passed.type == DCPS_MESSAGE_STATUS, "a refused message must not be written");                    \
    } while (0)

START_TEST(test_control_fields_are_checked)
{
    start();
    REFUSED(HELLO, hello.role, (dcps_role)0);
    REFUSED(HELLO, hello.role, (dcps_role)3);
    REFUSED(HELLO, hello.role, (dcps_role)-1);
    REFUSED(HELLO, hello.worker, 1024);
    REFUSED(HELLO, hello.server_count, 0);
    REFUSED(HELLO, hello.server_count, 65);
    REFUSED(HELLO, hello.server_index, 64);
    REFUSED(WELCOME, welcome.session.worker, 1024);
    REFUSED(WELCOME, welcome.server_index, 4);
    REFUSED(WELCOME, welcome.shards_per_server, 3);
    REFUSED(WELCOME, welcome.endpoint_count, 1);
    REFUSED(WELCOME, welcome.lease_ms, 0);
    REFUSED(WELCOME, welcome.batch_size, 0);
    REFUSED(WELCOME, welcome.epochs, 0);
    REFUSED(WELCOME, welcome.workers, 0);
    REFUSED(WELCOME, welcome.workers, 1025);
    REFUSED(LAYOUT, layout.session.worker, UINT32_MAX);
    REFUSED(LAYOUT, layout.samples_per_epoch, 0);
    REFUSED(LAYOUT, layout.samples_per_epoch, UINT64_C(1) << 32);
    REFUSED(LAYOUT, layout.tensor_count, 0);
    REFUSED(LAYOUT_REPLY, layout_reply.partition.total_params, 0);
    REFUSED(LAYOUT_REPLY, layout_reply.partition.total_params, DCPS_MAX_PARAMS + 1);
    REFUSED(LAYOUT_REPLY, layout_reply.partition.block_params, 0);
    REFUSED(LAYOUT_REPLY, layout_reply.partition.block_params, 113);
    REFUSED(LAYOUT_REPLY, layout_reply.partition.block_params, DCPS_MAX_BLOCK_PARAMS + 16);
    REFUSED(LAYOUT_REPLY, layout_reply.partition.block_count, 9);
    REFUSED(LAYOUT_REPLY, layout_reply.partition.server_count, 0);
    REFUSED(LAYOUT_REPLY, layout_reply.partition.shards_per_server, 65);
    REFUSED(HEARTBEAT, session.session.worker, 1024);
    REFUSED(FINISH_REPLY, session_reply.session.worker, 1024);
    REFUSED(STATUS_REPLY, status_reply.state, (dcps_run_state)0);
    REFUSED(STATUS_REPLY, status_reply.state, (dcps_run_state)5);
    REFUSED(STATUS_REPLY, status_reply.server_index, 2);
    REFUSED(STATUS_REPLY, status_reply.workers_live, 1025);
    REFUSED(CHECKPOINT_REPLY, checkpoint_reply.status, (dcps_status)1);
    REFUSED(CHECKPOINT_REPLY, checkpoint_reply.status, (dcps_status)-99);
    REFUSED(ERROR, error.status, DCPS_OK);
    REFUSED(ERROR, error.status, (dcps_status)-17);
    REFUSED(ERROR, error.block, DCPS_MAX_BLOCKS);
    stop();
}
END_TEST

START_TEST(test_data_fields_are_checked)
{
    start();
    REFUSED(PULL, request.session.worker, 1024);
    REFUSED(PULL, request.block, DCPS_MAX_BLOCKS);
    REFUSED(INIT, request.block, UINT32_MAX);
    REFUSED(QUERY, request.session.worker, UINT32_MAX);
    REFUSED(PUSH_PULL, push_pull.request.block, DCPS_MAX_BLOCKS);
    REFUSED(PUSH_PULL, push_pull.samples, 0); /* with a payload */
    REFUSED(PUSH_PULL, push_pull.request.step, DCPS_MAX_STEP);
    REFUSED(WEIGHTS, weights.clock, UINT64_MAX);
    REFUSED(WEIGHTS, weights.worker, 1024);
    REFUSED(WEIGHTS, weights.block, DCPS_MAX_BLOCKS);
    REFUSED(WEIGHTS, weights.ticket.kind, (dcps_ticket_kind)0);
    REFUSED(WEIGHTS, weights.ticket.kind, (dcps_ticket_kind)5);
    REFUSED(NEED_INIT, notice.block, DCPS_MAX_BLOCKS);
    REFUSED(RESEND, notice.worker, 1024);
    REFUSED(SNAPSHOT, snapshot.block, DCPS_MAX_BLOCKS);
    REFUSED(SNAPSHOT_REPLY, snapshot_reply.block, DCPS_MAX_BLOCKS);
    REFUSED(SNAPSHOT_REPLY, snapshot_reply.available, false); /* with a payload */
    stop();
}
END_TEST

static void tensor_refused(dcps_layout_tensor tensor, dcps_status wanted)
{
    dcps_layout_tensor pair[2] = {{.name = "first", .dims = {1}, .dim_count = 1, .init = DCPS_INIT_ZERO}, tensor};
    dcps_message message = change(DCPS_MESSAGE_LAYOUT);
    message.body.layout.tensors = pair;
    message.body.layout.tensor_count = 2;
    dcps_message passed;
    dcps_status status = pass(&message, 0, &passed);
    ck_assert_msg(status == wanted, "tensor %s: %s %s", tensor.name, dcps_status_name(status), dcps_error_message());
}

START_TEST(test_tensors_are_checked)
{
    char name[DCPS_MAX_NAME_BYTES + 1];
    memset(name, 'n', sizeof(name));
    name[sizeof(name) - 1] = '\0';
    start();
    tensor_refused((dcps_layout_tensor){.name = "ok", .dims = {2}, .dim_count = 1, .init = DCPS_INIT_ONE}, DCPS_OK);
    tensor_refused((dcps_layout_tensor){.name = "first", .init = DCPS_INIT_ONE}, DCPS_PROTOCOL);
    tensor_refused((dcps_layout_tensor){.name = "", .init = DCPS_INIT_ONE}, DCPS_PROTOCOL);
    tensor_refused((dcps_layout_tensor){.name = "a b", .init = DCPS_INIT_ONE}, DCPS_PROTOCOL);
    tensor_refused((dcps_layout_tensor){.name = "\xff", .init = DCPS_INIT_ONE}, DCPS_PROTOCOL);
    tensor_refused((dcps_layout_tensor){.name = name, .init = DCPS_INIT_ONE}, DCPS_PROTOCOL);
    tensor_refused((dcps_layout_tensor){.name = "x", .init = (dcps_init)0}, DCPS_PROTOCOL);
    tensor_refused((dcps_layout_tensor){.name = "x", .init = (dcps_init)7}, DCPS_PROTOCOL);
    tensor_refused((dcps_layout_tensor){.name = "x", .init = DCPS_INIT_UNIFORM}, DCPS_PROTOCOL);
    tensor_refused((dcps_layout_tensor){.name = "x", .init = DCPS_INIT_ONE, .init_bound = 0.1F}, DCPS_PROTOCOL);
    tensor_refused((dcps_layout_tensor){.name = "x", .dims = {0}, .dim_count = 1, .init = DCPS_INIT_ONE},
                   DCPS_PROTOCOL);
    tensor_refused((dcps_layout_tensor){.name = "x", .dims = {SIZE_MAX, 2}, .dim_count = 2, .init = DCPS_INIT_ONE},
                   DCPS_LIMIT);
    tensor_refused((dcps_layout_tensor){.name = "x", .dims = {DCPS_MAX_PARAMS}, .dim_count = 1, .init = DCPS_INIT_ONE},
                   DCPS_LIMIT);
    stop();
}
END_TEST

/* Nine dims: a struct cannot hold them, bytes can. */
START_TEST(test_too_many_dims)
{
    static const uint8_t header[] = {
        0x08, 0x01,                                  /* version 1 */
        0x62, 0x18,                                  /* LAYOUT, 24 bytes */
        0x0a, 0x02, 0x08, 0x01,                      /* session of worker 1 */
        0x18, 0x05,                                  /* 5 samples an epoch */
        0x22, 0x10,                                  /* tensor, 16 bytes */
        0x0a, 0x01, 'x',                             /* its name */
        0x12, 0x09, 1,    1,    1, 1, 1, 1, 1, 1, 1, /* dims */
        0x18, 0x01,                                  /* init */
    };
    dcps_message passed;
    start();
    ck_assert_int_eq(decode(header, sizeof(header), 0, &passed), DCPS_PROTOCOL);
    ck_assert_msg(strstr(dcps_error_message(), "9 dims") != NULL, "%s", dcps_error_message());
    stop();
}
END_TEST

START_TEST(test_texts_are_checked)
{
    static const char *const bad[] = {"line\nfeed",   "\x1b[31m",         "del\x7f", "\xc3",    "\xc0\x80",
                                      "\xed\xa0\x80", "\xf4\x90\x80\x80", "\x80",    "\xc2\x85"};
    uint8_t header[64];
    dcps_message passed;
    start();
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        size_t length = strlen(bad[i]);
        uint8_t head[] = {0x08, 0x01, 0xb2, 0x01, (uint8_t)(4 + length), 0x08, 0x01, 0x2a, (uint8_t)length};
        memcpy(header, head, sizeof(head));
        memcpy(header + sizeof(head), bad[i], length);
        ck_assert_msg(decode(header, sizeof(head) + length, 0, &passed) == DCPS_PROTOCOL, "text %zu", i);
        dcps_message message = {.type = DCPS_MESSAGE_ERROR, .body.error = {.status = DCPS_INVALID, .text = bad[i]}};
        ck_assert_int_eq(pass(&message, 0, &passed), DCPS_OK); /* we clean what we say */
        ck_assert_msg(strchr(passed.body.error.text, '?') != NULL, "%s", passed.body.error.text);
    }
    dcps_message message = {.type = DCPS_MESSAGE_ERROR,
                            .body.error = {.status = DCPS_INVALID, .text = "gr\xc3\xbc\xc3\x9f \xe2\x82\xac"}};
    ck_assert_int_eq(pass(&message, 0, &passed), DCPS_OK);
    ck_assert_str_eq(passed.body.error.text, "gr\xc3\xbc\xc3\x9f \xe2\x82\xac");
    stop();
}
END_TEST

START_TEST(test_long_texts_are_cut)
{
    char text[3000];
    dcps_message passed;
    memset(text, 'e', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    dcps_message message = {.type = DCPS_MESSAGE_ERROR, .body.error = {.status = DCPS_INVALID, .text = text}};
    start();
    ck_assert_int_eq(pass(&message, 0, &passed), DCPS_OK);
    ck_assert_uint_eq(strlen(passed.body.error.text), DCPS_MAX_TEXT_BYTES - 1);
    message.body.error.text = NULL;
    ck_assert_int_eq(pass(&message, 0, &passed), DCPS_OK);
    ck_assert_str_eq(passed.body.error.text, "");
    stop();
}
END_TEST

START_TEST(test_payload_rules)
{
    start();
    for (size_t i = 0; i < WIRE_SAMPLE_COUNT; i++) {
        wire_sample sample = wire_sample_at(i);
        dcps_message passed;
        const char *name = dcps_message_name(sample.message.type);
        ck_assert_msg(pass(&sample.message, sample.payload_bytes == 0 ? 64 : 0, &passed) == DCPS_PROTOCOL, "%s", name);
        if (sample.payload_bytes != 0) {
            ck_assert_msg(pass(&sample.message, 6, &passed) == DCPS_PROTOCOL, "%s", name);
            ck_assert_msg(pass(&sample.message, DCPS_MAX_PAYLOAD_BYTES + 4, &passed) == DCPS_LIMIT, "%s", name);
        }
    }
    stop();
}
END_TEST

/* Every header but those without a body's content fails when it is cut anywhere. */
START_TEST(test_cut_headers_are_refused)
{
    start();
    for (size_t i = 0; i < WIRE_SAMPLE_COUNT; i++) {
        wire_sample sample = wire_sample_at(i);
        dcps_message passed;
        size_t length = encode(&sample.message, bytes);
        for (size_t cut = 0; cut < length; cut++) {
            uint8_t *exact = dcps_alloc(1, cut); /* so that a sanitizer sees reads beyond */
            memcpy(exact, bytes, cut);
            ck_assert_msg(decode(exact, cut, sample.payload_bytes, &passed) != DCPS_OK, "%s cut to %zu of %zu bytes",
                          dcps_message_name(sample.message.type), cut, length);
            dcps_free(exact);
        }
    }
    stop();
}
END_TEST

START_TEST(test_flipped_bits_never_hurt)
{
    uint64_t seed = dcps_random_token();
    dcps_rng rng;
    (void)printf("seed %llu\n", (unsigned long long)seed);
    dcps_rng_seed(&rng, seed);
    start();
    for (int i = 0; i < 20000; i++) {
        wire_sample sample = wire_sample_at((size_t)dcps_rng_below(&rng, WIRE_SAMPLE_COUNT));
        dcps_message passed;
        uint8_t again[DCPS_MAX_HEADER_BYTES];
        size_t length = encode(&sample.message, bytes);
        for (uint64_t flips = 1 + dcps_rng_below(&rng, 4); flips > 0; flips--) {
            uint64_t bit = dcps_rng_below(&rng, 8 * length);
            bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        if (decode(bytes, length, sample.payload_bytes, &passed) == DCPS_OK) {
            size_t again_length = 0; /* what was let in can be said again */
            ck_assert_int_eq(dcps_wire_encode(&passed, again, sizeof(again), &again_length), DCPS_OK);
        }
    }
    stop();
}
END_TEST

/* Fields of a later release are skipped. */
START_TEST(test_unknown_fields_are_ignored)
{
    static const uint8_t header[] = {0x08, 0x01, 0x92, 0x01, 0x02, 0x50, 0x07, 0xa2,
                                     0x06, 0x03, 'n',  'e',  'w',  0xb8, 0x06, 0x2a};
    dcps_message passed;
    start();
    ck_assert_int_eq(decode(header, sizeof(header), 0, &passed), DCPS_OK);
    ck_assert_int_eq(passed.type, DCPS_MESSAGE_STATUS);
    stop();
}
END_TEST

/* As many elements as a header can count: refused within the arena, without a byte of heap. */
START_TEST(test_hostile_counts)
{
    static const uint8_t fields[] = {0x22 /* tensors */, 0x0a /* session */, 0x7a /* unknown */};
    dcps_message passed;
    start();
    for (size_t f = 0; f < sizeof(fields); f++) {
        const size_t body = DCPS_MAX_HEADER_BYTES - 6;
        const uint8_t head[] = {
            0x08, 0x01, 0x62, (uint8_t)(body | 0x80), (uint8_t)(body >> 7 | 0x80), (uint8_t)(body >> 14)};
        memcpy(bytes, head, sizeof(head));
        for (size_t i = 0; i < body; i += 2) {
            bytes[sizeof(head) + i] = fields[f];
            bytes[sizeof(head) + i + 1] = 0;
        }
        uint64_t before = dcps_alloc_count();
        dcps_status status = decode(bytes, DCPS_MAX_HEADER_BYTES, 0, &passed);
        ck_assert_msg(status == DCPS_PROTOCOL || status == DCPS_LIMIT, "%s", dcps_status_name(status));
        ck_assert_uint_eq(dcps_alloc_count(), before);
    }
    ck_assert_int_eq(decode(bytes, DCPS_MAX_HEADER_BYTES + 1, 0, &passed), DCPS_LIMIT);
    stop();
}
END_TEST

/* The largest of each message that our own code may send fits the arena and the header. */
START_TEST(test_largest_messages)
{
    static dcps_layout_tensor tensors[DCPS_MAX_TENSORS];
    static char names[DCPS_MAX_TENSORS][40];
    dcps_message passed;
    start();
    for (uint32_t i = 0; i < DCPS_MAX_TENSORS; i++) {
        (void)snprintf(names[i], sizeof(names[i]), "encoder.layers.%04u.attention.weight", i);
        tensors[i] =
            (dcps_layout_tensor){.name = names[i], .dims = {1024, 4096}, .dim_count = 2, .init = DCPS_INIT_HE_NORMAL};
    }
    dcps_message message = change(DCPS_MESSAGE_LAYOUT);
    message.body.layout.tensors = tensors;
    message.body.layout.tensor_count = DCPS_MAX_TENSORS;
    ck_assert_msg(pass(&message, 0, &passed) == DCPS_OK, "%s", dcps_error_message());
    ck_assert_uint_eq(passed.body.layout.tensors[1023].offset_params, UINT64_C(1023) * 1024 * 4096);
    stop();
}
END_TEST

START_TEST(test_what_does_not_fit_is_not_sent)
{
    static dcps_layout_tensor tensors[DCPS_MAX_TENSORS];
    char name[DCPS_MAX_NAME_BYTES];
    size_t length = 77;
    memset(name, 'n', sizeof(name));
    name[sizeof(name) - 1] = '\0';
    for (uint32_t i = 0; i < DCPS_MAX_TENSORS; i++) {
        tensors[i] = (dcps_layout_tensor){.name = name, .init = DCPS_INIT_HE_NORMAL};
    }
    dcps_message message = change(DCPS_MESSAGE_LAYOUT);
    message.body.layout.tensors = tensors;
    message.body.layout.tensor_count = DCPS_MAX_TENSORS;
    static uint8_t large[4 * DCPS_MAX_HEADER_BYTES];
    ck_assert_int_eq(dcps_wire_encode(&message, large, sizeof(large), &length), DCPS_LIMIT);
    message = change(DCPS_MESSAGE_PULL);
    ck_assert_int_eq(dcps_wire_encode(&message, large, 10, &length), DCPS_LIMIT);
    message.type = (dcps_message_type)99;
    ck_assert_int_eq(dcps_wire_encode(&message, large, sizeof(large), &length), DCPS_INVALID);
    ck_assert_uint_eq(length, 77);
}
END_TEST

/* A layout that passes the check can be declared by everybody; the first that does not could not be by the last worker. */
START_TEST(test_layouts_that_can_be_declared)
{
    static dcps_layout_tensor tensors[DCPS_MAX_TENSORS];
    static uint8_t header[DCPS_MAX_HEADER_BYTES];
    uint32_t fit = 0;
    size_t length = 0;
    for (uint32_t i = 0; i < DCPS_MAX_TENSORS; i++) {
        tensors[i] =
            (dcps_layout_tensor){.name = "a name as long as those of layers in deep models are, about a hundred "
                                         "bytes, so that a thousand do not fit",
                                 .init = DCPS_INIT_ZERO};
    }
    while (fit < DCPS_MAX_TENSORS && dcps_wire_check_layout(tensors, fit + 1) == DCPS_OK) {
        fit++;
    }
    ck_assert(fit > 300 && fit < DCPS_MAX_TENSORS);
    ck_assert_int_eq(dcps_wire_check_layout(tensors, fit + 1), DCPS_LIMIT);
    dcps_message message = {.type = DCPS_MESSAGE_LAYOUT};
    message.body.layout = (dcps_layout_message){.session = {UINT32_MAX, UINT32_MAX, UINT64_MAX},
                                                .nonce = UINT64_MAX,
                                                .samples_per_epoch = UINT64_MAX,
                                                .tensors = tensors,
                                                .tensor_count = fit};
    ck_assert_int_eq(dcps_wire_encode(&message, header, sizeof(header), &length), DCPS_OK);
    message.body.layout.tensor_count = fit + 1;
    ck_assert_int_eq(dcps_wire_encode(&message, header, sizeof(header), &length), DCPS_LIMIT);
}
END_TEST

START_TEST(test_only_layout_and_status_allocate)
{
    start();
    for (size_t i = 0; i < WIRE_SAMPLE_COUNT; i++) {
        wire_sample sample = wire_sample_at(i);
        dcps_message passed;
        uint64_t before = dcps_alloc_count();
        ck_assert_int_eq(pass(&sample.message, sample.payload_bytes, &passed), DCPS_OK);
        dcps_message_type type = sample.message.type;
        bool large = type == DCPS_MESSAGE_LAYOUT || type == DCPS_MESSAGE_STATUS_REPLY;
        ck_assert_uint_eq(dcps_alloc_count() - before, large ? 1 : 0);
    }
    const dcps_message large[] = {change(DCPS_MESSAGE_LAYOUT), change(DCPS_MESSAGE_STATUS_REPLY)};
    for (size_t i = 0; i < 2; i++) {
        size_t length = 0;
        dcps_alloc_fail_after(0);
        ck_assert_int_eq(dcps_wire_encode(&large[i], bytes, sizeof(bytes), &length), DCPS_NO_MEMORY);
    }
    stop();
}
END_TEST

START_TEST(test_small_arena)
{
    dcps_message message = change(DCPS_MESSAGE_LAYOUT);
    dcps_message passed;
    size_t length = encode(&message, bytes);
    dcps_status status = DCPS_LIMIT;
    size_t capacity = 64;
    for (; status != DCPS_OK && capacity < DCPS_WIRE_ARENA_BYTES; capacity += 64) {
        ck_assert_int_eq(dcps_arena_init(&arena, capacity), DCPS_OK);
        status = decode(bytes, length, 0, &passed);
        ck_assert(status == DCPS_OK || status == DCPS_LIMIT || status == DCPS_PROTOCOL);
        dcps_arena_fini(&arena);
    }
    ck_assert_int_eq(status, DCPS_OK);
    ck_assert_uint_gt(capacity, 512);
}
END_TEST

START_TEST(test_names)
{
    ck_assert_str_eq(dcps_message_name(DCPS_MESSAGE_PUSH_PULL), "PUSH_PULL");
    ck_assert_str_eq(dcps_message_name((dcps_message_type)0), "UNKNOWN");
    ck_assert(dcps_message_may_carry_payload(DCPS_MESSAGE_WEIGHTS));
    ck_assert(!dcps_message_may_carry_payload(DCPS_MESSAGE_PULL));
    ck_assert(!dcps_message_may_carry_payload((dcps_message_type)99));
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        test_every_message_passes,
        test_bytes_are_fixed,
        test_bytes_of_weights_are_fixed,
        test_control_fields_are_checked,
        test_data_fields_are_checked,
        test_tensors_are_checked,
        test_too_many_dims,
        test_texts_are_checked,
        test_long_texts_are_cut,
        test_payload_rules,
        test_cut_headers_are_refused,
        test_flipped_bits_never_hurt,
        test_unknown_fields_are_ignored,
        test_hostile_counts,
        test_largest_messages,
        test_layouts_that_can_be_declared,
        test_what_does_not_fit_is_not_sent,
        test_only_layout_and_status_allocate,
        test_small_arena,
        test_names,
    };
    return CHECK_MAIN("wire", tests);
}
