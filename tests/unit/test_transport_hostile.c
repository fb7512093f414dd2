/* A listening socket against peers that do not mean well: each mistake is refused by name, and the next message is served. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/rng.h"
#include "proto/limits.h"
#include "proto/transport.h"
#include "proto/wire.h"
#include "support/check_main.h"
#include "unit/zmtp_peer.h"

#define PATIENCE_MS 30000

static dcps_transport *transport;
static dcps_socket *server;
static dcps_arena arena;
static uint8_t big[2 * DCPS_MAX_PAYLOAD_BYTES];

static void start(void)
{
    ck_assert_int_eq(dcps_transport_create(1, &transport), DCPS_OK);
    ck_assert_int_eq(dcps_socket_bind(transport, "tcp://127.0.0.1:0", &server), DCPS_OK);
    ck_assert_int_eq(dcps_arena_init(&arena, DCPS_WIRE_ARENA_BYTES), DCPS_OK);
}

static void stop(void)
{
    dcps_arena_fini(&arena);
    dcps_socket_close(&server);
    dcps_transport_destroy(&transport);
}

/* Lets the server take messages until one is valid (true) or none came for `patience_ms`. */
static bool serve(int patience_ms, dcps_delivery *delivery)
{
    uint64_t deadline_ns = dcps_clock_ns() + (uint64_t)patience_ms * DCPS_NS_PER_MS;
    dcps_status status = dcps_socket_receive(server, delivery);
    while ((status == DCPS_AGAIN || status == DCPS_PROTOCOL) && dcps_clock_ns() < deadline_ns) {
        ck_assert_int_eq(dcps_socket_wait(&server, 1, -1, 10, NULL), DCPS_OK);
        status = dcps_socket_receive(server, delivery);
    }
    ck_assert_msg(status == DCPS_OK || status == DCPS_AGAIN || status == DCPS_PROTOCOL, "%s", dcps_error_message());
    return status == DCPS_OK;
}

static void serve_until_rejected(uint64_t count)
{
    dcps_delivery delivery;
    for (int i = 0; i < PATIENCE_MS / 10 && dcps_socket_rejected(server) < count; i++) {
        ck_assert(!serve(10, &delivery));
    }
    ck_assert_uint_eq(dcps_socket_rejected(server), count);
}

static size_t encode(const dcps_message *message, uint8_t out[DCPS_MAX_HEADER_BYTES])
{
    size_t length = 0;
    ck_assert_int_eq(dcps_wire_encode(message, out, DCPS_MAX_HEADER_BYTES, &length), DCPS_OK);
    return length;
}

/* A good message over this connection arrives. */
static void check_alive(int fd)
{
    uint8_t header[DCPS_MAX_HEADER_BYTES];
    dcps_message status = {.type = DCPS_MESSAGE_STATUS};
    dcps_delivery delivery;
    size_t length = encode(&status, header);
    ck_assert(zmtp_write_frame(fd, 0, header, length));
    ck_assert(serve(PATIENCE_MS, &delivery));
    ck_assert_int_eq(delivery.message.type, DCPS_MESSAGE_STATUS);
}

static void check_answer(int fd, const char *name, dcps_status status)
{
    uint8_t header[DCPS_MAX_HEADER_BYTES];
    size_t length = 0;
    unsigned flags = 0;
    dcps_message message;
    ck_assert_msg(zmtp_read_frame(fd, header, sizeof(header), &length, &flags), "%s: no answer", name);
    dcps_arena_reset(&arena);
    ck_assert_msg(dcps_wire_decode(header, length, 0, &arena, &message) == DCPS_OK, "%s: %s", name,
                  dcps_error_message());
    ck_assert_int_eq(message.type, DCPS_MESSAGE_ERROR);
    ck_assert_msg(message.body.error.status == status, "%s: answered %s (%s)", name,
                  dcps_status_name(message.body.error.status), message.body.error.text);
    ck_assert_uint_gt(strlen(message.body.error.text), 5);
}

typedef struct frame {
    const void *bytes;
    size_t count;
} frame;

typedef struct mistake {
    const char *name;
    dcps_status status;
    frame frames[5];
    size_t frame_count;
} mistake;

/* STATUS is [08 01] version 1, [92 01 00] field 18 of length 0. */
#define STATUS_HEADER                                                                                                  \
    {                                                                                                                  \
        "\x08\x01\x92\x01\x00", 5                                                                                      \
    }
/* PULL of block 0, seq 1: field 30 { session {} block 0 seq 1 }. */
#define PULL_HEADER                                                                                                    \
    {                                                                                                                  \
        "\x08\x01\xf2\x01\x04\x0a\x00\x18\x01", 9                                                                      \
    }
#define GRADIENT                                                                                                       \
    {                                                                                                                  \
        big, 64                                                                                                        \
    }

static const mistake mistakes[] = {
    {"empty header", DCPS_PROTOCOL, {{"", 0}}, 1},
    {"garbage header", DCPS_PROTOCOL, {{"hello, server", 13}}, 1},
    {"four bytes", DCPS_PROTOCOL, {{"\xff\xff\xff\xff", 4}}, 1},
    {"no body", DCPS_PROTOCOL, {{"\x08\x01", 2}}, 1},
    {"unknown body", DCPS_PROTOCOL, {{"\x08\x01\xfa\x07\x00", 5}}, 1},
    {"two bodies", DCPS_PROTOCOL, {{"\x08\x01\x92\x01\x00\x92\x01\x00", 8}}, 1},
    {"other version", DCPS_UNSUPPORTED, {{"\x08\x63\x92\x01\x00", 5}}, 1},
    {"no version", DCPS_UNSUPPORTED, {{"\x92\x01\x00", 3}}, 1},
    {"cut short", DCPS_PROTOCOL, {{"\x08\x01\xf2\x01\x04\x0a\x00", 7}}, 1},
    {"length that lies", DCPS_PROTOCOL, {{"\x08\x01\xf2\x01\xff\xff\xff\xff\x0f\x0a\x00", 11}}, 1},
    {"header above the limit", DCPS_LIMIT, {{big, DCPS_MAX_HEADER_BYTES + 1}}, 1},
    {"delimiter as of a REQ socket", DCPS_PROTOCOL, {{"", 0}, STATUS_HEADER}, 2},
    {"delimiter and payload", DCPS_PROTOCOL, {{"", 0}, PULL_HEADER, GRADIENT}, 3},
    {"frame too many", DCPS_PROTOCOL, {STATUS_HEADER, {"", 0}, {"", 0}}, 3},
    {"five frames", DCPS_PROTOCOL, {STATUS_HEADER, GRADIENT, GRADIENT, GRADIENT, GRADIENT}, 5},
    {"payload nobody asked for", DCPS_PROTOCOL, {PULL_HEADER, GRADIENT}, 2},
    {"payload without end of float", DCPS_PROTOCOL, {{"\x08\x01\xfa\x01\x04\x0a\x00\x18\x01", 9}, {big, 63}}, 2},
    {"payload above the limit",
     DCPS_LIMIT,
     {{"\x08\x01\xfa\x01\x04\x0a\x00\x18\x01", 9}, {big, DCPS_MAX_PAYLOAD_BYTES + 4}},
     2},
    {"INIT without payload", DCPS_PROTOCOL, {{"\x08\x01\xfa\x01\x04\x0a\x00\x18\x01", 9}}, 1},
};

START_TEST(test_mistakes_are_answered)
{
    start();
    int fd = zmtp_connect(dcps_socket_endpoint(server));
    for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
        const mistake *made = &mistakes[i];
        for (size_t f = 0; f < made->frame_count; f++) {
            unsigned more = f + 1 < made->frame_count ? ZMTP_MORE : 0;
            ck_assert(zmtp_write_frame(fd, more, made->frames[f].bytes, made->frames[f].count));
        }
        serve_until_rejected(i + 1);
        check_answer(fd, made->name, made->status);
        check_alive(fd);
    }
    (void)close(fd);
    stop();
}
END_TEST

/* An empty second frame is as good as none. */
START_TEST(test_empty_payload_frame)
{
    static const mistake good = {"", DCPS_OK, {STATUS_HEADER}, 1};
    dcps_delivery delivery;
    start();
    int fd = zmtp_connect(dcps_socket_endpoint(server));
    ck_assert(zmtp_write_frame(fd, ZMTP_MORE, good.frames[0].bytes, good.frames[0].count));
    ck_assert(zmtp_write_frame(fd, 0, "", 0));
    ck_assert(serve(PATIENCE_MS, &delivery));
    ck_assert_ptr_null(delivery.payload);
    (void)close(fd);
    stop();
}
END_TEST

START_TEST(test_frame_above_the_limit_costs_the_connection)
{
    static const uint8_t endless[] = {ZMTP_LONG, 0x10, 0, 0, 0, 0, 0, 0, 0};
    uint8_t byte = 0;
    start();
    int good = zmtp_connect(dcps_socket_endpoint(server));
    int fd = zmtp_connect(dcps_socket_endpoint(server));
    (void)zmtp_write_frame(fd, 0, big, sizeof(big)); /* may fail half way */
    ck_assert(!tcp_read(fd, &byte, 1));
    (void)close(fd);
    fd = zmtp_connect(dcps_socket_endpoint(server));
    ck_assert(tcp_write(fd, endless, sizeof(endless)));
    ck_assert(!tcp_read(fd, &byte, 1));
    (void)close(fd);
    check_alive(good);
    (void)close(good);
    stop();
}
END_TEST

START_TEST(test_message_cut_by_the_end_of_the_connection)
{
    static const uint8_t begun[] = {ZMTP_MORE, 9, 0x08, 0x01};
    dcps_delivery delivery;
    start();
    for (size_t count = 0; count <= sizeof(begun); count++) {
        int fd = zmtp_connect(dcps_socket_endpoint(server));
        ck_assert(tcp_write(fd, begun, count));
        (void)close(fd);
    }
    int fd = zmtp_connect(dcps_socket_endpoint(server));
    ck_assert(zmtp_write_frame(fd, ZMTP_MORE, big, 64)); /* a whole frame, but not the last of its message */
    (void)close(fd);
    ck_assert(!serve(200, &delivery));
    ck_assert_uint_eq(dcps_socket_rejected(server), 0);
    int good = zmtp_connect(dcps_socket_endpoint(server));
    check_alive(good);
    (void)close(good);
    stop();
}
END_TEST

START_TEST(test_bytes_that_are_no_zmtp)
{
    uint64_t seed = dcps_random_token();
    uint8_t bytes[4096];
    dcps_rng rng;
    dcps_delivery delivery;
    (void)printf("seed %llu\n", (unsigned long long)seed);
    dcps_rng_seed(&rng, seed);
    start();
    for (int i = 0; i < 100; i++) {
        size_t count = (size_t)dcps_rng_below(&rng, sizeof(bytes) + 1);
        for (size_t k = 0; k < count; k++) {
            bytes[k] = (uint8_t)dcps_rng_next(&rng);
        }
        if (i % 2 == 0 && count > 12) { /* a greeting that begins well */
            memcpy(bytes, "\xff\0\0\0\0\0\0\0\x01\x7f\x03\0", 12);
        }
        int fd = tcp_connect(dcps_socket_endpoint(server));
        (void)tcp_write(fd, bytes, count);
        (void)close(fd);
    }
    ck_assert(!serve(100, &delivery));
    int good = zmtp_connect(dcps_socket_endpoint(server));
    check_alive(good);
    (void)close(good);
    stop();
}
END_TEST

/* Random frames behind a proper handshake: all refused, but for one that may be understood by chance; the connection lives. */
START_TEST(test_random_frames)
{
    uint64_t seed = dcps_random_token();
    uint8_t bytes[512];
    dcps_rng rng;
    dcps_delivery delivery;
    (void)printf("seed %llu\n", (unsigned long long)seed);
    dcps_rng_seed(&rng, seed);
    start();
    int fd = zmtp_connect(dcps_socket_endpoint(server));
    uint64_t messages = 0;
    for (int i = 0; i < 1000; i++) {
        size_t count = (size_t)dcps_rng_below(&rng, sizeof(bytes) + 1);
        for (size_t k = 0; k < count; k++) {
            bytes[k] = (uint8_t)dcps_rng_next(&rng);
        }
        bool more = i < 999 && dcps_rng_below(&rng, 3) == 0;
        ck_assert(zmtp_write_frame(fd, more ? ZMTP_MORE : 0, bytes, count));
        messages += more ? 0 : 1;
    }
    uint64_t understood = 0;
    for (int i = 0; i < PATIENCE_MS / 10 && dcps_socket_rejected(server) + understood < messages; i++) {
        if (serve(10, &delivery)) {
            understood++;
            dcps_buffer_unref(&delivery.payload);
        }
    }
    ck_assert_uint_eq(dcps_socket_rejected(server) + understood, messages);
    ck_assert_uint_le(understood, 1);
    check_alive(fd);
    (void)close(fd);
    stop();
}
END_TEST

START_TEST(test_answers_to_a_flood_are_bounded)
{
    uint8_t header[1024];
    size_t length = 0;
    unsigned flags = 0;
    const uint64_t sent = 5000;
    start();
    int fd = zmtp_connect(dcps_socket_endpoint(server));
    uint64_t start_ns = dcps_clock_ns();
    for (uint64_t i = 0; i < sent; i++) {
        ck_assert(zmtp_write_frame(fd, 0, "bad", 3));
    }
    serve_until_rejected(sent);
    uint64_t windows = 2 + (dcps_clock_ns() - start_ns) / DCPS_NS_PER_S;
    dcps_socket_close(&server); /* ends the stream behind the last answer */
    uint64_t answers = 0;
    while (zmtp_read_frame(fd, header, sizeof(header), &length, &flags)) {
        answers++;
    }
    ck_assert_uint_le(answers, 100 * windows);
    ck_assert_uint_lt(answers, sent / 2);
    (void)close(fd);
    stop();
}
END_TEST

START_TEST(test_errors_are_not_answered_with_errors)
{
    static const uint8_t bad_error[] = {0x08, 0x01, 0xb2, 0x01, 0x02, 0x08, 0x7f}; /* ERROR with status -64 */
    start();
    int fd = zmtp_connect(dcps_socket_endpoint(server));
    ck_assert(zmtp_write_frame(fd, 0, bad_error, sizeof(bad_error)));
    serve_until_rejected(1);
    ck_assert(zmtp_write_frame(fd, 0, "\x08\x63\x92\x01\x00", 5));
    serve_until_rejected(2);
    check_answer(fd, "the second, of another version", DCPS_UNSUPPORTED);
    (void)close(fd);
    stop();
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        test_mistakes_are_answered,
        test_empty_payload_frame,
        test_frame_above_the_limit_costs_the_connection,
        test_message_cut_by_the_end_of_the_connection,
        test_bytes_that_are_no_zmtp,
        test_random_frames,
        test_answers_to_a_flood_are_bounded,
        test_errors_are_not_answered_with_errors,
    };
    return CHECK_MAIN("transport against hostile peers", tests);
}
