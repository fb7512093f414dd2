/* STATUS and its answer: every field that a peer may get wrong, and the largest answers. */
#include "proto/wire.h"

#include <math.h>
#include <string.h>

#include "support/check_main.h"
#include "support/wire_compare.h"
#include "support/wire_samples.h"

static dcps_arena arena;
static uint8_t bytes[DCPS_MAX_HEADER_BYTES];

static void start(void)
{
    ck_assert_int_eq(dcps_arena_init(&arena, DCPS_WIRE_ARENA_BYTES), DCPS_OK);
}

static dcps_status decode(size_t length, dcps_message *passed)
{
    dcps_arena_reset(&arena);
    return dcps_wire_decode(bytes, length, 0, &arena, passed);
}

static dcps_status pass(const dcps_message *message, dcps_message *passed)
{
    size_t length = 0;
    dcps_status status = dcps_wire_encode(message, bytes, sizeof(bytes), &length);
    return status == DCPS_OK ? decode(length, passed) : status;
}

/* A sample of the answer with copies of its lists, to be changed. */
typedef struct answer {
    dcps_message message;
    dcps_histogram held;
    dcps_shard_statistics shards[DCPS_MAX_SHARDS + 1];
    dcps_worker_statistics workers[DCPS_MAX_STATUS_WORKERS + 1];
    dcps_shard_histograms histograms[DCPS_MAX_SHARDS + 1];
} answer;

typedef enum page { WORKERS, HISTOGRAMS } page;

/* Of nothing there may be no address. */
static void copy(void *to, const void *from, size_t size)
{
    if (size > 0) {
        memcpy(to, from, size);
    }
}

/* The one that holds such a page. */
static answer *sample(page wanted)
{
    static answer made;
    for (size_t i = 0; i < WIRE_SAMPLE_COUNT; i++) {
        const dcps_message message = wire_sample_at(i).message;
        if (message.type == DCPS_MESSAGE_STATUS_REPLY && message.body.status_reply.has_workers == (wanted == WORKERS)) {
            made.message = message;
        }
    }
    dcps_status_reply *reply = &made.message.body.status_reply;
    copy(made.shards, reply->shards, reply->shard_count * sizeof(*reply->shards));
    copy(made.workers, reply->workers, reply->worker_count * sizeof(*reply->workers));
    copy(made.histograms, reply->histograms, reply->histogram_count * sizeof(*reply->histograms));
    made.held = *reply->held_ns;
    reply->held_ns = &made.held;
    reply->shards = made.shards;
    reply->workers = made.workers;
    reply->histograms = made.histograms;
    return &made;
}

/* Changes the sample with such a page by STATEMENT, in which `self` is the answer and `reply` its body, and expects that to be refused. */
#define REFUSED(PAGE, STATEMENT)                                                                                       \
    do {                                                                                                               \
        answer *self = sample(PAGE);                                                                                   \
        dcps_status_reply *reply = &self->message.body.status_reply;                                                   \
        dcps_message passed = {.type = DCPS_MESSAGE_PULL};                                                             \
        ck_assert_int_eq(pass(&self->message, &passed), DCPS_OK);                                                      \
        passed.type = DCPS_MESSAGE_PULL;                                                                               \
        (void)reply;                                                                                                   \
        STATEMENT;                                                                                                     \
        dcps_status status = pass(&self->message, &passed);                                                            \
        ck_assert_msg(status == DCPS_PROTOCOL || status == DCPS_LIMIT, #STATEMENT);                                    \
        ck_assert_msg(passed.type == DCPS_MESSAGE_PULL, "a refused message must not be written");                      \
    } while (0)

START_TEST(requests_are_checked)
{
    dcps_message message = {.type = DCPS_MESSAGE_STATUS, .body.status = {.workers = true, .first_worker = 1024}};
    dcps_message passed;
    start();
    ck_assert_int_eq(pass(&message, &passed), DCPS_PROTOCOL);
    message.body.status = (dcps_status_request){.histograms = true, .first_shard = 64};
    ck_assert_int_eq(pass(&message, &passed), DCPS_PROTOCOL);
    message.body.status = (dcps_status_request){.histograms = true, .workers = true};
    ck_assert_int_eq(pass(&message, &passed), DCPS_PROTOCOL);
    message.body.status = (dcps_status_request){.workers = false};
    ck_assert_int_eq(pass(&message, &passed), DCPS_OK);
    ck_assert(!passed.body.status.workers && !passed.body.status.histograms);
    /* The first worker or shard without wanting any: no struct can say so, bytes can. */
    static const uint8_t odd[][7] = {{0x08, 0x01, 0x92, 0x01, 0x02, 0x10, 0x05},
                                     {0x08, 0x01, 0x92, 0x01, 0x02, 0x20, 0x05}};
    for (size_t i = 0; i < 2; i++) {
        memcpy(bytes, odd[i], sizeof(odd[i]));
        ck_assert_int_eq(decode(sizeof(odd[i]), &passed), DCPS_PROTOCOL);
    }
    dcps_arena_fini(&arena);
}
END_TEST

/* Who knows nothing of it asks with an empty body, and is answered without. */
START_TEST(programs_of_before_are_understood)
{
    static const uint8_t question[] = {0x08, 0x01, 0x92, 0x01, 0x00};
    static const uint8_t answered[] = {0x08, 0x01, 0x9a, 0x01, 0x04, 0x10, 0x01, 0x18, 0x01}; /* 1 server, waiting */
    dcps_message passed;
    start();
    memcpy(bytes, question, sizeof(question));
    ck_assert_int_eq(decode(sizeof(question), &passed), DCPS_OK);
    ck_assert(!passed.body.status.workers);
    memcpy(bytes, answered, sizeof(answered));
    ck_assert_int_eq(decode(sizeof(answered), &passed), DCPS_OK);
    ck_assert_uint_eq(passed.body.status_reply.shard_count, 0);
    ck_assert_ptr_null(passed.body.status_reply.held_ns);
    ck_assert(!passed.body.status_reply.has_workers);
    ck_assert_uint_eq(passed.body.status_reply.histogram_count, 0);
    dcps_arena_fini(&arena);
}
END_TEST

START_TEST(shards_are_checked)
{
    start();
    REFUSED(WORKERS, reply->dropped_round = reply->pushes_dropped + 1);
    REFUSED(WORKERS, reply->shard_count = DCPS_MAX_SHARDS + 1);
    REFUSED(WORKERS, self->shards[1].shard = DCPS_MAX_SERVERS * DCPS_MAX_SHARDS);
    REFUSED(WORKERS, self->shards[1].shard = 3); /* twice */
    REFUSED(WORKERS, self->shards[1].shard = 2); /* falling */
    REFUSED(WORKERS, self->shards[0].queue_mean = -1.0);
    REFUSED(WORKERS, self->shards[0].queue_mean = (double)INFINITY);
    REFUSED(WORKERS, self->shards[0].backlog_mean = -(double)INFINITY);
    REFUSED(WORKERS, self->shards[0].staleness.mean = (double)NAN);
    REFUSED(WORKERS, self->shards[0].staleness.mean = -0.5);
    REFUSED(WORKERS, self->shards[0].staleness.p50 = 5);
    REFUSED(WORKERS, self->shards[0].held_ns.p99 = 11);
    dcps_arena_fini(&arena);
}
END_TEST

START_TEST(workers_are_checked)
{
    start();
    REFUSED(WORKERS, reply->worker_count = DCPS_MAX_STATUS_WORKERS + 1);
    REFUSED(WORKERS, reply->has_workers = false);
    REFUSED(WORKERS, reply->next_worker = 1022); /* the second is 1022 */
    REFUSED(WORKERS, reply->next_worker = 7);
    REFUSED(WORKERS, reply->next_worker = 1024);
    REFUSED(WORKERS, reply->first_worker = 8);
    REFUSED(WORKERS, self->workers[1].worker = 1024);
    REFUSED(WORKERS, self->workers[1].worker = 7);
    REFUSED(WORKERS, self->workers[0].worker = 6);
    dcps_arena_fini(&arena);
}
END_TEST

START_TEST(histograms_are_checked)
{
    start();
    REFUSED(WORKERS, self->workers[0].staleness.max = 18);              /* in the next bucket */
    REFUSED(WORKERS, self->workers[0].staleness.max = 15);              /* in the one before */
    REFUSED(WORKERS, self->workers[0].held_ns.buckets[0] = UINT64_MAX); /* more than can be counted */
    REFUSED(WORKERS, self->held.buckets[5] = 1);                        /* the maximum is 4 */
    dcps_arena_fini(&arena);
}
END_TEST

START_TEST(histograms_of_shards_are_checked)
{
    start();
    REFUSED(HISTOGRAMS, reply->first_shard = 2); /* there are two */
    REFUSED(HISTOGRAMS, reply->first_shard = UINT32_MAX);
    REFUSED(HISTOGRAMS, reply->histogram_count = 2);
    REFUSED(HISTOGRAMS, reply->histogram_count = 0); /* but a first one */
    REFUSED(HISTOGRAMS, reply->histogram_count = DCPS_MAX_SHARDS + 1);
    REFUSED(HISTOGRAMS, reply->shard_count = 1);
    REFUSED(HISTOGRAMS, reply->has_workers = true);
    REFUSED(HISTOGRAMS, self->histograms[0].held_ns.max = 320); /* in the next bucket */
    REFUSED(HISTOGRAMS, self->histograms[0].staleness = (dcps_histogram){.count = 1});
    dcps_arena_fini(&arena);
}
END_TEST

/* A header that holds these bytes as the held_ns of an otherwise good answer. */
static dcps_status decode_histogram(const uint8_t *histogram, size_t length)
{
    static const uint8_t head[] = {0x10, 0x01, 0x18, 0x01, 0xc2, 0x01}; /* 1 server, waiting, field 24 */
    dcps_message passed;
    size_t used = 0;
    bytes[used++] = 0x08;
    bytes[used++] = 0x01;
    bytes[used++] = 0x9a;
    bytes[used++] = 0x01;
    bytes[used++] = (uint8_t)(sizeof(head) + 1 + length);
    memcpy(bytes + used, head, sizeof(head));
    used += sizeof(head);
    bytes[used++] = (uint8_t)length;
    memcpy(bytes + used, histogram, length);
    return decode(used + length, &passed);
}

#define HISTOGRAM(...) decode_histogram((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

START_TEST(odd_histograms_are_refused)
{
    start();
    /* Buckets 2 and 3 with 1 and 2 counts, sum 8, maximum 3. */
    ck_assert_int_eq(HISTOGRAM(0x0a, 2, 2, 3, 0x12, 2, 1, 2, 0x18, 8, 0x20, 3), DCPS_OK);
    ck_assert_int_eq(HISTOGRAM(0x0a, 2, 3, 2, 0x12, 2, 1, 2, 0x18, 8, 0x20, 2), DCPS_PROTOCOL); /* falling */
    ck_assert_int_eq(HISTOGRAM(0x0a, 2, 3, 3, 0x12, 2, 1, 2, 0x18, 8, 0x20, 3), DCPS_PROTOCOL); /* twice */
    ck_assert_int_eq(HISTOGRAM(0x0a, 2, 2, 3, 0x12, 1, 1, 0x18, 8, 0x20, 3), DCPS_PROTOCOL);    /* one count */
    ck_assert_int_eq(HISTOGRAM(0x0a, 1, 3, 0x12, 2, 1, 1, 0x18, 8, 0x20, 3), DCPS_PROTOCOL);    /* one bucket */
    ck_assert_int_eq(HISTOGRAM(0x0a, 2, 2, 3, 0x12, 2, 0, 2, 0x18, 8, 0x20, 3), DCPS_PROTOCOL); /* a count of 0 */
    ck_assert_int_eq(HISTOGRAM(0x0a, 2, 0xb8, 0x02, 0x12, 1, 1, 0x20, 3), DCPS_PROTOCOL);       /* bucket 312 */
    ck_assert_int_eq(HISTOGRAM(0x18, 8, 0x20, 3), DCPS_PROTOCOL);                               /* of nothing */
    dcps_arena_fini(&arena);
}
END_TEST

static void flip_bits(page wanted)
{
    dcps_message passed;
    size_t length = 0;
    ck_assert_int_eq(dcps_wire_encode(&sample(wanted)->message, bytes, sizeof(bytes), &length), DCPS_OK);
    for (size_t bit = 0; bit < 8 * length; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        dcps_status status = decode(length, &passed);
        ck_assert(status == DCPS_OK || status == DCPS_PROTOCOL || status == DCPS_LIMIT || status == DCPS_UNSUPPORTED);
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    ck_assert_int_eq(decode(length, &passed), DCPS_OK);
    wire_assert_same(&sample(wanted)->message, &passed);
}

START_TEST(flipped_bits_never_hurt)
{
    start();
    flip_bits(WORKERS);
    flip_bits(HISTOGRAMS);
    dcps_arena_fini(&arena);
}
END_TEST

/* Counts of ten bytes each whose sum fits 64 bits: as large as a histogram gets. */
static void fill(dcps_histogram *histogram)
{
    *histogram = (dcps_histogram){.sum = UINT64_MAX, .max = UINT64_MAX};
    for (uint32_t i = 0; i < DCPS_HISTOGRAM_BUCKETS; i++) {
        histogram->buckets[i] = UINT64_C(1) << 55;
        histogram->count += histogram->buckets[i];
    }
}

static void fill_shards(answer *self)
{
    const dcps_summary most = {
        .mean = 1e300, .p50 = UINT64_MAX, .p99 = UINT64_MAX, .max = UINT64_MAX, .count = UINT64_MAX};
    for (uint32_t i = 0; i < DCPS_MAX_SHARDS; i++) {
        self->shards[i] = (dcps_shard_statistics){.shard = 4000 + i,
                                                  .updates = UINT64_MAX,
                                                  .pushes = {UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX},
                                                  .staleness = most,
                                                  .held_ns = most,
                                                  .queue_now = UINT64_MAX,
                                                  .queue_max = UINT64_MAX,
                                                  .queue_mean = 1e300,
                                                  .backlog_max = UINT64_MAX,
                                                  .backlog_mean = 1e300};
    }
    self->message.body.status_reply.shard_count = DCPS_MAX_SHARDS;
}

/* An answer that holds as much as can be, but for its page. */
static answer *largest(page wanted)
{
    static dcps_counts staleness;
    answer *self = sample(wanted);
    dcps_status_reply *reply = &self->message.body.status_reply;
    memset(&staleness, 0xff, sizeof(staleness));
    memset(&reply->samples, 0xff, offsetof(dcps_status_reply, train_loss) - offsetof(dcps_status_reply, samples));
    reply->staleness = &staleness;
    fill(&self->held);
    fill_shards(self);
    return self;
}

/* A server from before the sum was told of. */
START_TEST(sum_and_maximum_of_an_older_server)
{
    static const dcps_counts counts = {.of = {4, 0, 3, 2}};
    answer *self = sample(WORKERS);
    dcps_message passed;
    start();
    self->message.body.status_reply.staleness = &counts;
    ck_assert_msg(pass(&self->message, &passed) == DCPS_OK, "%s", dcps_error_message());
    ck_assert_uint_eq(passed.body.status_reply.staleness->sum, 3 * 2 + 2 * 3);
    ck_assert_uint_eq(passed.body.status_reply.staleness->max, 3);
    ck_assert_uint_eq(passed.body.status_reply.staleness->of[2], 3);
    dcps_arena_fini(&arena);
}
END_TEST

/* Whatever is counted, an answer with as many workers as have room, and never fewer than four, can be sent and read. */
START_TEST(largest_answers_fit)
{
    answer *self = largest(WORKERS);
    dcps_status_reply *reply = &self->message.body.status_reply;
    dcps_message passed;
    size_t used = 0;
    start();
    reply->first_worker = 900;
    reply->worker_count = 0;
    for (uint32_t i = 0; i < DCPS_MAX_STATUS_WORKERS; i++) {
        dcps_worker_statistics *worker = &self->workers[i];
        *worker = (dcps_worker_statistics){
            .worker = 900 + i, .steps = UINT64_MAX, .pushes = {UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX}};
        memset(worker->name, 'n', sizeof(worker->name) - 1);
        fill(&worker->staleness);
        fill(&worker->held_ns);
        used += dcps_wire_worker_bytes(worker);
        reply->worker_count = used <= DCPS_WIRE_PAGE_BYTES ? i + 1 : reply->worker_count;
    }
    ck_assert_uint_ge(reply->worker_count, 4);
    ck_assert_msg(pass(&self->message, &passed) == DCPS_OK, "%s", dcps_error_message());
    wire_assert_same(&self->message, &passed);
    dcps_arena_fini(&arena);
}
END_TEST

/* The same for histograms of the last shards. */
START_TEST(largest_histograms_fit)
{
    answer *self = largest(HISTOGRAMS);
    dcps_status_reply *reply = &self->message.body.status_reply;
    dcps_message passed;
    size_t used = 0;
    start();
    reply->histogram_count = 0;
    for (uint32_t i = 0; i < DCPS_MAX_SHARDS; i++) {
        fill(&self->histograms[i].staleness);
        fill(&self->histograms[i].held_ns);
        used += dcps_wire_histograms_bytes(&self->histograms[i]);
        reply->histogram_count = used <= DCPS_WIRE_PAGE_BYTES ? i + 1 : reply->histogram_count;
    }
    ck_assert_uint_ge(reply->histogram_count, 4);
    reply->first_shard = DCPS_MAX_SHARDS - reply->histogram_count;
    ck_assert_msg(pass(&self->message, &passed) == DCPS_OK, "%s", dcps_error_message());
    wire_assert_same(&self->message, &passed);
    dcps_arena_fini(&arena);
}
END_TEST

/* Of as many shards as can be in one answer, each with little to tell. */
START_TEST(many_histograms_fit)
{
    answer *self = largest(HISTOGRAMS);
    dcps_status_reply *reply = &self->message.body.status_reply;
    dcps_message passed;
    size_t used = 0;
    start();
    reply->first_shard = 0;
    reply->histogram_count = DCPS_MAX_SHARDS;
    for (uint32_t i = 0; i < DCPS_MAX_SHARDS; i++) {
        self->histograms[i] = (dcps_shard_histograms){.staleness.count = 0};
        dcps_histogram_add(&self->histograms[i].held_ns, i);
        used += dcps_wire_histograms_bytes(&self->histograms[i]);
    }
    ck_assert_uint_le(used, DCPS_WIRE_PAGE_BYTES);
    ck_assert_msg(pass(&self->message, &passed) == DCPS_OK, "%s", dcps_error_message());
    wire_assert_same(&self->message, &passed);
    dcps_arena_fini(&arena);
}
END_TEST

/* As many as may be, each with little to tell. */
START_TEST(many_workers_fit)
{
    answer *self = sample(WORKERS);
    dcps_status_reply *reply = &self->message.body.status_reply;
    dcps_message passed;
    size_t used = 0;
    start();
    reply->first_worker = 0;
    reply->worker_count = DCPS_MAX_STATUS_WORKERS;
    for (uint32_t i = 0; i < DCPS_MAX_STATUS_WORKERS; i++) {
        self->workers[i] = (dcps_worker_statistics){.worker = i};
        dcps_histogram_add(&self->workers[i].staleness, i);
        used += dcps_wire_worker_bytes(&self->workers[i]);
    }
    ck_assert_uint_le(used, DCPS_WIRE_PAGE_BYTES);
    ck_assert_msg(pass(&self->message, &passed) == DCPS_OK, "%s", dcps_error_message());
    wire_assert_same(&self->message, &passed);
    dcps_arena_fini(&arena);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {requests_are_checked,
                                  programs_of_before_are_understood,
                                  shards_are_checked,
                                  workers_are_checked,
                                  histograms_are_checked,
                                  histograms_of_shards_are_checked,
                                  odd_histograms_are_refused,
                                  flipped_bits_never_hurt,
                                  sum_and_maximum_of_an_older_server,
                                  largest_answers_fit,
                                  largest_histograms_fit,
                                  many_histograms_fit,
                                  many_workers_fit};
    return CHECK_MAIN("wire status", tests);
}
