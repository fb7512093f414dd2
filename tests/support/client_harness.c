#include "support/client_harness.h"

#include <check.h>
#include <string.h>

#include "base/clock.h"

static void on_emit(void *context, dcps_route route, const dcps_message *message, const void *payload, size_t bytes)
{
    client_room *self = context;
    ck_assert_uint_lt(self->sent_count, CLIENT_MAX_SENT);
    self->sent[self->sent_count++] =
        (client_sent){.route = route, .message = *message, .payload = payload, .bytes = bytes};
}

static void on_notice(void *context, const dcps_client_notice *notice)
{
    client_room *self = context;
    ck_assert_uint_lt(self->notice_count, CLIENT_MAX_NOTICES);
    self->notices[self->notice_count++] = *notice;
}

void client_open(client_room *self, uint32_t server_count, dcps_role role)
{
    const size_t dims[] = {CLIENT_PARAMS};
    memset(self, 0, sizeof(*self));
    self->server_count = server_count;
    self->shards_per_server = 2;
    self->now_ns = 500 * DCPS_NS_PER_S;
    ck_assert_int_eq(dcps_layout_create(&self->layout), DCPS_OK);
    ck_assert_int_eq(dcps_layout_add(self->layout, "w", DCPS_INIT_ZERO, 1, dims, NULL), DCPS_OK);
    dcps_client_core_config config = {.server_count = server_count,
                                      .role = role,
                                      .nonce = CLIENT_NONCE,
                                      .name = "host:1",
                                      .silence_ms = 3000,
                                      .emit = on_emit,
                                      .notice = on_notice,
                                      .context = self};
    ck_assert_int_eq(dcps_client_core_create(&config, &self->core), DCPS_OK);
}

void client_close(client_room *self)
{
    dcps_client_core_destroy(&self->core);
    dcps_layout_destroy(&self->layout);
    ck_assert_ptr_null(self->core);
}

static dcps_partition partition_of(const client_room *self)
{
    dcps_partition partition;
    ck_assert_int_eq(
        dcps_partition_init(&partition, CLIENT_PARAMS, CLIENT_BLOCK, self->server_count, self->shards_per_server),
        DCPS_OK);
    return partition;
}

dcps_route client_route(const client_room *self, uint32_t block)
{
    uint32_t per_shard = CLIENT_BLOCKS / (self->shards_per_server * self->server_count);
    uint32_t shard = block / per_shard;
    return (dcps_route){.server = shard / self->shards_per_server, .shard = shard % self->shards_per_server};
}

dcps_route client_control_route(uint32_t server)
{
    return (dcps_route){.server = server, .shard = DCPS_ROUTE_CONTROL};
}

client_sent client_take(client_room *self, dcps_route route, dcps_message_type type)
{
    uint32_t i = 0;
    while (i < self->sent_count &&
           (self->sent[i].route.server != route.server || self->sent[i].route.shard != route.shard)) {
        i++;
    }
    ck_assert_msg(i < self->sent_count, "nothing was sent to server %u, shard %u, expected %s", route.server,
                  route.shard, dcps_message_name(type));
    client_sent taken = self->sent[i];
    ck_assert_msg(taken.message.type == type, "sent %s, expected %s", dcps_message_name(taken.message.type),
                  dcps_message_name(type));
    self->sent_count--;
    memmove(&self->sent[i], &self->sent[i + 1], (self->sent_count - i) * sizeof(self->sent[0]));
    return taken;
}

client_sent client_take_control(client_room *self, uint32_t server, dcps_message_type type)
{
    return client_take(self, client_control_route(server), type);
}

dcps_request client_take_request(client_room *self, uint32_t block, dcps_message_type type)
{
    client_sent sent = client_take(self, client_route(self, block), type);
    bool push = type == DCPS_MESSAGE_PUSH_PULL;
    dcps_request request = push ? sent.message.body.push_pull.request : sent.message.body.request;
    ck_assert_uint_eq(request.block, block);
    bool gradient = push && sent.message.body.push_pull.samples > 0;
    const float *expected = gradient ? self->gradient : self->weights;
    bool carries = gradient || type == DCPS_MESSAGE_INIT;
    ck_assert_ptr_eq(sent.payload, carries ? expected + (size_t)block * CLIENT_BLOCK : NULL);
    ck_assert_uint_eq(sent.bytes, carries ? CLIENT_BLOCK * sizeof(float) : 0);
    return request;
}

void client_expect_silence(const client_room *self)
{
    ck_assert_msg(self->sent_count == 0, "unexpected %s", dcps_message_name(self->sent[0].message.type));
}

dcps_client_notice client_take_notice(client_room *self, dcps_client_notice_kind kind, uint32_t server)
{
    ck_assert_msg(self->notice_count > 0, "no notice, expected kind %d", (int)kind);
    dcps_client_notice notice = self->notices[0];
    ck_assert_int_eq(notice.kind, kind);
    ck_assert_uint_eq(notice.server, server);
    self->notice_count--;
    memmove(&self->notices[0], &self->notices[1], self->notice_count * sizeof(self->notices[0]));
    return notice;
}

void client_expect_no_notice(const client_room *self)
{
    ck_assert_msg(self->notice_count == 0, "unexpected notice of kind %d", (int)self->notices[0].kind);
}

void client_forget(client_room *self)
{
    self->sent_count = 0;
}

void client_deliver(client_room *self, dcps_route route, const dcps_message *message, const void *payload, size_t bytes)
{
    dcps_client_core_receive(self->core, route, message, payload, bytes, self->now_ns);
}

dcps_welcome client_welcome_of(const client_room *self, uint32_t server)
{
    static const char *const endpoints[] = {"tcp://a:1", "tcp://a:2", "tcp://a:3", "tcp://a:4"};
    return (dcps_welcome){.session = {.worker = 3, .incarnation = 2, .token = 100 + server},
                          .nonce = CLIENT_NONCE,
                          .server_index = server,
                          .server_count = self->server_count,
                          .shards_per_server = self->shards_per_server,
                          .lease_ms = 4000,
                          .seed = 42,
                          .batch_size = 8,
                          .epochs = 3,
                          .workers = 4,
                          .algorithm = "asgd",
                          .settings = "",
                          .endpoint_count = self->shards_per_server,
                          .endpoints = endpoints};
}

void client_welcome(client_room *self, const dcps_welcome *welcome)
{
    dcps_message message = {.type = DCPS_MESSAGE_WELCOME, .body.welcome = *welcome};
    client_deliver(self, client_control_route(welcome->server_index), &message, NULL, 0);
}

void client_layout_reply(client_room *self, uint32_t server)
{
    dcps_message message = {.type = DCPS_MESSAGE_LAYOUT_REPLY,
                            .body.layout_reply = {.nonce = CLIENT_NONCE, .partition = partition_of(self)}};
    client_deliver(self, client_control_route(server), &message, NULL, 0);
}

void client_error(client_room *self, dcps_route route, dcps_status status, const char *text)
{
    dcps_message message = {.type = DCPS_MESSAGE_ERROR, .body.error = {.status = status, .text = text}};
    client_deliver(self, route, &message, NULL, 0);
}

void client_refuse(client_room *self, uint32_t block, uint64_t seq, dcps_status status)
{
    dcps_message message = {
        .type = DCPS_MESSAGE_ERROR,
        .body.error = {.status = status, .has_block = true, .block = block, .seq = seq, .text = "no"}};
    client_deliver(self, client_route(self, block), &message, NULL, 0);
}

void client_notice_for(client_room *self, uint32_t block, uint64_t seq, dcps_message_type type)
{
    dcps_message message = {.type = type, .body.notice = {.worker = 3, .incarnation = 2, .block = block, .seq = seq}};
    client_deliver(self, client_route(self, block), &message, NULL, 0);
}

dcps_message client_weights_of(const client_room *self, uint32_t block, uint64_t seq)
{
    (void)self;
    dcps_ticket ticket = {.kind = block == 0 ? DCPS_TICKET_BATCH : DCPS_TICKET_NONE};
    return (dcps_message){
        .type = DCPS_MESSAGE_WEIGHTS,
        .body.weights = {.worker = 3, .incarnation = 2, .block = block, .seq = seq, .ticket = ticket}};
}

void client_answer(client_room *self, uint32_t block, uint64_t seq, float value)
{
    float weights[CLIENT_BLOCK];
    for (uint32_t i = 0; i < CLIENT_BLOCK; i++) {
        weights[i] = value;
    }
    dcps_message message = client_weights_of(self, block, seq);
    client_deliver(self, client_route(self, block), &message, weights, sizeof(weights));
}

void client_advance(client_room *self, uint64_t ms)
{
    self->now_ns += ms * DCPS_NS_PER_MS;
    uint64_t next_ns = dcps_client_core_tick(self->core, self->now_ns);
    ck_assert_uint_gt(next_ns, self->now_ns);
}

void client_wait(client_room *self, uint64_t ms)
{
    for (uint64_t passed = 0; passed < ms; passed += 50) {
        client_advance(self, 50);
    }
}

void client_connect(client_room *self, uint32_t server_count)
{
    client_open(self, server_count, DCPS_ROLE_WORKER);
    dcps_client_core_start(self->core, self->now_ns);
    ck_assert_int_eq(
        dcps_client_core_declare(self->core, self->layout, CLIENT_SAMPLES, self->weights, self->gradient, self->now_ns),
        DCPS_OK);
    for (uint32_t server = 0; server < server_count; server++) {
        dcps_welcome welcome = client_welcome_of(self, server);
        (void)client_take_control(self, server, DCPS_MESSAGE_HELLO);
        client_welcome(self, &welcome);
        (void)client_take_notice(self, DCPS_CLIENT_CONNECTED, server);
        (void)client_take_control(self, server, DCPS_MESSAGE_LAYOUT);
        client_layout_reply(self, server);
    }
    for (uint32_t block = 0; block < CLIENT_BLOCKS; block++) {
        dcps_request request = client_take_request(self, block, DCPS_MESSAGE_PULL);
        ck_assert_uint_eq(request.seq, 1);
        ck_assert_uint_eq(request.step, 0);
        ck_assert_uint_eq(request.session.token, 100 + client_route(self, block).server);
        client_answer(self, block, 1, 0.0F);
    }
    client_expect_silence(self);
    client_expect_no_notice(self);
    ck_assert(client_ready(self));
}

bool client_ready(const client_room *self)
{
    dcps_ticket ticket;
    return dcps_client_core_ready(self->core, &ticket);
}

void client_expect_failure(const client_room *self, dcps_status status, const char *text)
{
    const char *seen = NULL;
    dcps_status failure = dcps_client_core_failure(self->core, &seen);
    ck_assert_msg(failure == status, "failure %s (%s), expected %s", dcps_status_name(failure), seen,
                  dcps_status_name(status));
    ck_assert_msg(strstr(seen, text) != NULL, "\"%s\" does not say %s", seen, text);
}

void client_expect_ignored(client_room *self, dcps_route route, const dcps_message *message, size_t bytes)
{
    static const float values[2 * CLIENT_BLOCK] = {9, 9, 9};
    client_deliver(self, route, message, bytes == 0 ? NULL : values, bytes);
    ck_assert(!client_ready(self));
    for (uint32_t i = 0; i < CLIENT_PARAMS; i++) {
        ck_assert(self->weights[i] == 0.0F);
    }
    client_expect_silence(self);
    client_expect_failure(self, DCPS_OK, "");
}

dcps_hello client_take_hello(client_room *self, uint32_t server)
{
    dcps_hello hello = client_take_control(self, server, DCPS_MESSAGE_HELLO).message.body.hello;
    ck_assert_uint_eq(hello.nonce, CLIENT_NONCE);
    ck_assert_uint_eq(hello.server_index, server);
    ck_assert_uint_eq(hello.server_count, self->server_count);
    ck_assert_str_eq(hello.name, "host:1");
    return hello;
}

void client_expect_hello(client_room *self, uint32_t server, bool has_identity, uint32_t worker, uint32_t incarnation)
{
    dcps_hello hello = client_take_hello(self, server);
    ck_assert_int_eq(hello.has_identity, has_identity);
    if (has_identity) {
        ck_assert_uint_eq(hello.worker, worker);
        ck_assert_uint_eq(hello.incarnation, incarnation);
    }
}

void client_start(client_room *self, uint32_t server_count, dcps_role role)
{
    client_open(self, server_count, role);
    dcps_client_core_start(self->core, self->now_ns);
}

dcps_status client_declare(client_room *self)
{
    return dcps_client_core_declare(self->core, self->layout, CLIENT_SAMPLES, self->weights, self->gradient,
                                    self->now_ns);
}

void client_greet(client_room *self, uint32_t server)
{
    dcps_welcome body = client_welcome_of(self, server);
    client_welcome(self, &body);
}
