/* STATUS and its answer, both ways: histograms travel as their buckets that are not empty. */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "proto/wire.h"
#include "proto/wire_internal.h"
#include "proto/wire_text.h"

static const dcps_message_type type = DCPS_MESSAGE_STATUS_REPLY;

/* ---- plain structs for packing ---- */

typedef struct packed_histogram {
    Dcps__Histogram message;
    uint32_t buckets[DCPS_HISTOGRAM_BUCKETS];
    uint64_t counts[DCPS_HISTOGRAM_BUCKETS];
} packed_histogram;

typedef struct packed_shard {
    Dcps__ShardStatistics message;
    Dcps__PushCounts pushes;
    Dcps__Summary staleness;
    Dcps__Summary held_ns;
} packed_shard;

typedef struct packed_histograms {
    Dcps__ShardHistograms message;
    packed_histogram staleness;
    packed_histogram held_ns;
} packed_histograms;

typedef struct packed_worker {
    Dcps__WorkerStatistics message;
    Dcps__PushCounts pushes;
    packed_histogram staleness;
    packed_histogram held_ns;
    char name[DCPS_MAX_NAME_BYTES];
} packed_worker;

/* One of a list that a page holds. */
typedef union packed_item {
    packed_worker worker;
    packed_histograms histograms;
} packed_item;

/* All that the reply points to, with the lists of pointers that protobuf-c wants. */
typedef struct packed_status {
    Dcps__StatusReply message;
    packed_histogram held_ns;
    Dcps__ShardStatistics *shard_list[DCPS_MAX_SHARDS];
    Dcps__WorkerStatistics *worker_list[DCPS_MAX_STATUS_WORKERS];
    Dcps__ShardHistograms *histogram_list[DCPS_MAX_SHARDS];
    packed_shard shards[DCPS_MAX_SHARDS];
    packed_item items[]; /* workers, then histograms */
} packed_status;

/* NULL for an empty one, which is left out. */
static Dcps__Histogram *put_histogram(packed_histogram *to, const dcps_histogram *from)
{
    if (from->count == 0) {
        return NULL;
    }
    size_t used = 0;
    for (uint32_t i = 0; i < DCPS_HISTOGRAM_BUCKETS; i++) {
        if (from->buckets[i] > 0) {
            to->buckets[used] = i;
            to->counts[used++] = from->buckets[i];
        }
    }
    to->message = (Dcps__Histogram)DCPS__HISTOGRAM__INIT;
    to->message.n_buckets = to->message.n_counts = used;
    to->message.buckets = to->buckets;
    to->message.counts = to->counts;
    to->message.sum = from->sum;
    to->message.max = from->max;
    return &to->message;
}

static Dcps__Summary *put_summary(Dcps__Summary *to, const dcps_summary *from)
{
    if (from->count == 0) {
        return NULL;
    }
    *to = (Dcps__Summary)DCPS__SUMMARY__INIT;
    to->count = from->count;
    to->mean = from->mean;
    to->p50 = from->p50;
    to->p99 = from->p99;
    to->max = from->max;
    return to;
}

static Dcps__PushCounts *put_pushes(Dcps__PushCounts *to, const dcps_push_counts *from)
{
    *to = (Dcps__PushCounts)DCPS__PUSH_COUNTS__INIT;
    to->applied = from->applied;
    to->dropped_stale = from->dropped_stale;
    to->dropped_round = from->dropped_round;
    to->duplicates = from->duplicates;
    return to;
}

static Dcps__ShardStatistics *put_shard(packed_shard *to, const dcps_shard_statistics *from)
{
    Dcps__ShardStatistics *message = &to->message;
    *message = (Dcps__ShardStatistics)DCPS__SHARD_STATISTICS__INIT;
    message->shard = from->shard;
    message->updates = from->updates;
    message->pushes = put_pushes(&to->pushes, &from->pushes);
    message->staleness = put_summary(&to->staleness, &from->staleness);
    message->held_ns = put_summary(&to->held_ns, &from->held_ns);
    message->queue_now = from->queue_now;
    message->queue_max = from->queue_max;
    message->queue_mean = from->queue_mean;
    message->backlog_max = from->backlog_max;
    message->backlog_mean = from->backlog_mean;
    return message;
}

static Dcps__ShardHistograms *put_histograms(packed_histograms *to, const dcps_shard_histograms *from)
{
    to->message = (Dcps__ShardHistograms)DCPS__SHARD_HISTOGRAMS__INIT;
    to->message.staleness = put_histogram(&to->staleness, &from->staleness);
    to->message.held_ns = put_histogram(&to->held_ns, &from->held_ns);
    return &to->message;
}

static Dcps__WorkerStatistics *put_worker(packed_worker *to, const dcps_worker_statistics *from)
{
    Dcps__WorkerStatistics *message = &to->message;
    *message = (Dcps__WorkerStatistics)DCPS__WORKER_STATISTICS__INIT;
    message->worker = from->worker;
    message->name = dcps_text_clean(from->name, to->name, sizeof(to->name));
    message->steps = from->steps;
    message->pushes = put_pushes(&to->pushes, &from->pushes);
    message->staleness = put_histogram(&to->staleness, &from->staleness);
    message->held_ns = put_histogram(&to->held_ns, &from->held_ns);
    return message;
}

static void put_counters(Dcps__StatusReply *reply, const dcps_status_reply *from)
{
    reply->server_index = from->server_index;
    reply->server_count = from->server_count;
    reply->state = (Dcps__RunState)from->state;
    reply->samples = from->samples;
    reply->samples_per_epoch = from->samples_per_epoch;
    reply->epochs = from->epochs;
    reply->updates = from->updates;
    reply->training_ns = from->training_ns;
    reply->train_loss = from->train_loss;
    reply->workers_live = from->workers_live;
    reply->workers_expected = from->workers_expected;
    reply->workers_lost = from->workers_lost;
    reply->snapshots = from->snapshots;
    reply->pushes_applied = from->pushes_applied;
    reply->pushes_dropped = from->pushes_dropped;
    reply->dropped_round = from->dropped_round;
    reply->duplicates_ignored = from->duplicates_ignored;
    reply->stale_ignored = from->stale_ignored;
    reply->rejected_messages = from->rejected_messages;
    reply->payload_bytes_in = from->payload_bytes_in;
    reply->payload_bytes_out = from->payload_bytes_out;
    if (from->staleness != NULL) {
        reply->n_staleness = dcps_counts_used(from->staleness);
        reply->staleness = (uint64_t *)from->staleness->of; /* packing only reads */
        reply->staleness_sum = from->staleness->sum;
        reply->staleness_max = from->staleness->max;
    }
    reply->weights_final = from->weights_final;
    reply->weights_digest = from->weights_digest;
}

/* Most bytes of a number below 2^64 with its tag, and of a bucket with its count. */
#define NUMBER_BYTES 12u
#define BUCKET_BYTES 12u
/* Tags and lengths of a histogram and its two lists, its sum and its maximum. */
#define HISTOGRAM_BYTES (15u + 2u * NUMBER_BYTES)

static size_t histogram_bytes(const dcps_histogram *histogram)
{
    size_t used = 0;
    for (uint32_t i = 0; i < DCPS_HISTOGRAM_BUCKETS; i++) {
        used += histogram->buckets[i] > 0 ? 1u : 0u;
    }
    return HISTOGRAM_BYTES + used * BUCKET_BYTES;
}

size_t dcps_wire_worker_bytes(const dcps_worker_statistics *worker)
{
    return 8u * NUMBER_BYTES + DCPS_MAX_NAME_BYTES + histogram_bytes(&worker->staleness) +
           histogram_bytes(&worker->held_ns);
}

size_t dcps_wire_histograms_bytes(const dcps_shard_histograms *histograms)
{
    return NUMBER_BYTES + histogram_bytes(&histograms->staleness) + histogram_bytes(&histograms->held_ns);
}

static dcps_status check_counts(const dcps_status_reply *from)
{
    if (from->shard_count > DCPS_MAX_SHARDS || from->histogram_count > DCPS_MAX_SHARDS ||
        from->worker_count > DCPS_MAX_STATUS_WORKERS) {
        return dcps_fail(DCPS_LIMIT,
                         "STATUS_REPLY: %u shards, histograms of %u and %u workers, at most %u, %u and %u fit",
                         from->shard_count, from->histogram_count, from->worker_count, DCPS_MAX_SHARDS, DCPS_MAX_SHARDS,
                         DCPS_MAX_STATUS_WORKERS);
    }
    return DCPS_OK;
}

static void put_shards(packed_status *packed, const dcps_status_reply *from)
{
    Dcps__StatusReply *message = &packed->message;
    message->n_shards = from->shard_count;
    message->shards = packed->shard_list;
    for (uint32_t i = 0; i < from->shard_count; i++) {
        packed->shard_list[i] = put_shard(&packed->shards[i], &from->shards[i]);
    }
    message->first_shard = from->first_shard;
    message->n_histograms = from->histogram_count;
    message->histograms = packed->histogram_list;
    for (uint32_t i = 0; i < from->histogram_count; i++) {
        packed->histogram_list[i] =
            put_histograms(&packed->items[from->worker_count + i].histograms, &from->histograms[i]);
    }
}

static void put_workers(packed_status *packed, const dcps_status_reply *from)
{
    Dcps__StatusReply *message = &packed->message;
    message->has_workers = from->has_workers;
    message->first_worker = from->first_worker;
    message->next_worker = from->next_worker;
    message->n_workers = from->worker_count;
    message->workers = packed->worker_list;
    for (uint32_t i = 0; i < from->worker_count; i++) {
        packed->worker_list[i] = put_worker(&packed->items[i].worker, &from->workers[i]);
    }
}

dcps_status dcps_wire_put_status_reply(const dcps_status_reply *from, char *algorithm, Dcps__StatusReply **reply,
                                       void **memory)
{
    DCPS_WIRE_CHECK(check_counts(from));
    size_t items = (size_t)from->worker_count + from->histogram_count;
    packed_status *packed = dcps_alloc(1, sizeof(*packed) + items * sizeof(packed->items[0]));
    if (packed == NULL) {
        return dcps_fail(DCPS_NO_MEMORY, "no memory to encode the statistics of %u workers and %u shards",
                         from->worker_count, from->histogram_count);
    }
    packed->message = (Dcps__StatusReply)DCPS__STATUS_REPLY__INIT;
    put_counters(&packed->message, from);
    packed->message.algorithm = algorithm;
    packed->message.held_ns = from->held_ns == NULL ? NULL : put_histogram(&packed->held_ns, from->held_ns);
    put_shards(packed, from);
    put_workers(packed, from);
    *reply = &packed->message;
    *memory = packed;
    return DCPS_OK;
}

/* ---- what was unpacked, checked ---- */

dcps_status dcps_wire_take_status_request(const Dcps__StatusRequest *from, dcps_status_request *request)
{
    DCPS_WIRE_CHECK(dcps_wire_check_below(DCPS_MESSAGE_STATUS, "first_worker", from->first_worker,
                                          from->workers ? DCPS_MAX_WORKERS : 1u));
    DCPS_WIRE_CHECK(dcps_wire_check_below(DCPS_MESSAGE_STATUS, "first_shard", from->first_shard,
                                          from->histograms ? DCPS_MAX_SHARDS : 1u));
    if (from->workers && from->histograms) {
        return dcps_fail(DCPS_PROTOCOL, "STATUS: workers and histograms at once, ask for one after the other");
    }
    *request = (dcps_status_request){.workers = from->workers,
                                     .first_worker = from->first_worker,
                                     .histograms = from->histograms,
                                     .first_shard = from->first_shard};
    return DCPS_OK;
}

/* Of a list: each number above the one before it, and below `bound`. */
static dcps_status check_next(const char *what, bool is_first, uint32_t before, uint32_t value, uint32_t bound)
{
    DCPS_WIRE_CHECK(dcps_wire_check_below(type, what, value, bound));
    return is_first ? DCPS_OK : dcps_wire_check_range(type, what, value, (uint64_t)before + 1u, bound);
}

static dcps_status take_buckets(const char *what, const Dcps__Histogram *from, dcps_histogram *histogram)
{
    for (size_t i = 0; i < from->n_buckets; i++) {
        uint32_t bucket = from->buckets[i];
        DCPS_WIRE_CHECK(
            check_next("bucket", i == 0, i == 0 ? 0 : from->buckets[i - 1], bucket, DCPS_HISTOGRAM_BUCKETS));
        if (from->counts[i] == 0 || __builtin_add_overflow(histogram->count, from->counts[i], &histogram->count)) {
            return dcps_fail(DCPS_PROTOCOL, "%s: %s: a count is zero, or there are more than 2^64",
                             dcps_message_name(type), what);
        }
        histogram->buckets[bucket] = from->counts[i];
    }
    return DCPS_OK;
}

static dcps_status take_histogram(const char *what, const Dcps__Histogram *from, dcps_histogram *histogram)
{
    *histogram = (dcps_histogram){.count = 0};
    if (from == NULL) {
        return DCPS_OK;
    }
    size_t used = from->n_buckets;
    if (used == 0 || from->n_counts != used) {
        return dcps_fail(DCPS_PROTOCOL, "%s: %s: a histogram of %zu buckets and %zu counts", dcps_message_name(type),
                         what, used, from->n_counts);
    }
    DCPS_WIRE_CHECK(take_buckets(what, from, histogram));
    if (dcps_histogram_bucket(from->max) != from->buckets[used - 1]) {
        return dcps_fail(DCPS_PROTOCOL, "%s: %s: the maximum does not lie in the last bucket", dcps_message_name(type),
                         what);
    }
    histogram->sum = from->sum;
    histogram->max = from->max;
    return DCPS_OK;
}

static dcps_status take_summary(const char *what, const Dcps__Summary *from, dcps_summary *summary)
{
    *summary = (dcps_summary){.mean = (double)NAN};
    if (from == NULL) {
        return DCPS_OK;
    }
    if (from->count == 0 || !isfinite(from->mean) || from->mean < 0.0 || from->p50 > from->p99 ||
        from->p99 > from->max) {
        return dcps_fail(DCPS_PROTOCOL, "%s: %s: no summary of counts", dcps_message_name(type), what);
    }
    *summary =
        (dcps_summary){.count = from->count, .mean = from->mean, .p50 = from->p50, .p99 = from->p99, .max = from->max};
    return DCPS_OK;
}

static dcps_status take_pushes(const Dcps__PushCounts *from, dcps_push_counts *pushes)
{
    if (from == NULL) {
        return dcps_fail(DCPS_PROTOCOL, "%s: pushes are missing", dcps_message_name(type));
    }
    *pushes = (dcps_push_counts){.applied = from->applied,
                                 .dropped_stale = from->dropped_stale,
                                 .dropped_round = from->dropped_round,
                                 .duplicates = from->duplicates};
    return DCPS_OK;
}

/* NaN stands for a mean of nothing. */
static dcps_status check_mean(const char *what, double mean)
{
    if (mean < 0.0 || isinf(mean)) {
        return dcps_fail(DCPS_PROTOCOL, "%s: %s is %g", dcps_message_name(type), what, mean);
    }
    return DCPS_OK;
}

static dcps_status take_shard(const Dcps__ShardStatistics *from, dcps_shard_statistics *shard)
{
    *shard = (dcps_shard_statistics){.shard = from->shard,
                                     .updates = from->updates,
                                     .queue_now = from->queue_now,
                                     .queue_max = from->queue_max,
                                     .queue_mean = from->queue_mean,
                                     .backlog_max = from->backlog_max,
                                     .backlog_mean = from->backlog_mean};
    DCPS_WIRE_CHECK(check_mean("queue_mean", from->queue_mean));
    DCPS_WIRE_CHECK(check_mean("backlog_mean", from->backlog_mean));
    DCPS_WIRE_CHECK(take_pushes(from->pushes, &shard->pushes));
    DCPS_WIRE_CHECK(take_summary("staleness of a shard", from->staleness, &shard->staleness));
    return take_summary("held_ns of a shard", from->held_ns, &shard->held_ns);
}

static dcps_status take_shards(const Dcps__StatusReply *from, dcps_arena *arena, dcps_status_reply *reply)
{
    DCPS_WIRE_CHECK(dcps_wire_check_range(type, "number of shards", from->n_shards, 0, DCPS_MAX_SHARDS));
    dcps_shard_statistics *shards = dcps_arena_take(arena, from->n_shards, sizeof(*shards));
    if (shards == NULL) {
        return dcps_fail(DCPS_LIMIT, "STATUS_REPLY: too large to decode");
    }
    for (size_t i = 0; i < from->n_shards; i++) {
        DCPS_WIRE_CHECK(check_next("shard", i == 0, i == 0 ? 0 : from->shards[i - 1]->shard, from->shards[i]->shard,
                                   DCPS_MAX_SERVERS * DCPS_MAX_SHARDS));
        DCPS_WIRE_CHECK(take_shard(from->shards[i], &shards[i]));
    }
    reply->shard_count = (uint32_t)from->n_shards;
    reply->shards = shards;
    return DCPS_OK;
}

/* They are of shards that the answer has, and in place of workers. */
static dcps_status check_histograms(const Dcps__StatusReply *from)
{
    size_t most = from->has_workers ? 0 : from->n_shards;
    DCPS_WIRE_CHECK(dcps_wire_check_range(type, "number of histograms", from->n_histograms, 0, most));
    return dcps_wire_check_range(type, "first_shard", from->first_shard, 0,
                                 from->n_histograms == 0 ? 0 : most - from->n_histograms);
}

static dcps_status take_histograms(const Dcps__StatusReply *from, dcps_arena *arena, dcps_status_reply *reply)
{
    DCPS_WIRE_CHECK(check_histograms(from));
    dcps_shard_histograms *histograms = dcps_arena_take(arena, from->n_histograms, sizeof(*histograms));
    if (histograms == NULL) {
        return dcps_fail(DCPS_LIMIT, "STATUS_REPLY: too large to decode");
    }
    for (size_t i = 0; i < from->n_histograms; i++) {
        const Dcps__ShardHistograms *shard = from->histograms[i];
        DCPS_WIRE_CHECK(take_histogram("staleness of a shard", shard->staleness, &histograms[i].staleness));
        DCPS_WIRE_CHECK(take_histogram("held_ns of a shard", shard->held_ns, &histograms[i].held_ns));
    }
    reply->first_shard = from->first_shard;
    reply->histogram_count = (uint32_t)from->n_histograms;
    reply->histograms = histograms;
    return DCPS_OK;
}

static dcps_status take_worker(const Dcps__WorkerStatistics *from, dcps_worker_statistics *worker)
{
    DCPS_WIRE_CHECK(dcps_wire_check_text(type, "name of a worker", from->name, DCPS_MAX_NAME_BYTES));
    DCPS_WIRE_CHECK(take_pushes(from->pushes, &worker->pushes));
    DCPS_WIRE_CHECK(take_histogram("staleness of a worker", from->staleness, &worker->staleness));
    DCPS_WIRE_CHECK(take_histogram("held_ns of a worker", from->held_ns, &worker->held_ns));
    worker->worker = from->worker;
    worker->steps = from->steps;
    memset(worker->name, 0, sizeof(worker->name));
    memcpy(worker->name, from->name, strlen(from->name));
    return DCPS_OK;
}

/* Workers lie between the first that was asked for and the next to ask for. */
static dcps_status check_workers(const Dcps__StatusReply *from)
{
    uint32_t limit = from->has_workers ? DCPS_MAX_WORKERS : 1u;
    DCPS_WIRE_CHECK(dcps_wire_check_range(type, "number of workers", from->n_workers, 0,
                                          from->has_workers ? DCPS_MAX_STATUS_WORKERS : 0u));
    DCPS_WIRE_CHECK(dcps_wire_check_below(type, "first_worker", from->first_worker, limit));
    DCPS_WIRE_CHECK(dcps_wire_check_below(type, "next_worker", from->next_worker, limit));
    if (from->next_worker != 0 && from->next_worker <= from->first_worker) {
        return dcps_fail(DCPS_PROTOCOL, "STATUS_REPLY: next_worker is %u after first_worker %u", from->next_worker,
                         from->first_worker);
    }
    uint32_t bound = from->next_worker != 0 ? from->next_worker : DCPS_MAX_WORKERS;
    for (size_t i = 0; i < from->n_workers; i++) {
        uint32_t worker = from->workers[i]->worker;
        DCPS_WIRE_CHECK(dcps_wire_check_range(type, "worker", worker, from->first_worker, bound - 1u));
        DCPS_WIRE_CHECK(check_next("worker", i == 0, i == 0 ? 0 : from->workers[i - 1]->worker, worker, bound));
    }
    return DCPS_OK;
}

static dcps_status take_workers(const Dcps__StatusReply *from, dcps_arena *arena, dcps_status_reply *reply)
{
    DCPS_WIRE_CHECK(check_workers(from));
    dcps_worker_statistics *workers = dcps_arena_take(arena, from->n_workers, sizeof(*workers));
    if (workers == NULL) {
        return dcps_fail(DCPS_LIMIT, "STATUS_REPLY: too large to decode");
    }
    for (size_t i = 0; i < from->n_workers; i++) {
        DCPS_WIRE_CHECK(take_worker(from->workers[i], &workers[i]));
    }
    reply->has_workers = from->has_workers;
    reply->first_worker = from->first_worker;
    reply->next_worker = from->next_worker;
    reply->worker_count = (uint32_t)from->n_workers;
    reply->workers = workers;
    return DCPS_OK;
}

static dcps_status check_counters(const Dcps__StatusReply *from)
{
    DCPS_WIRE_CHECK(dcps_wire_check_server(type, from->server_index, from->server_count));
    DCPS_WIRE_CHECK(dcps_wire_check_range(type, "state", (uint64_t)from->state, DCPS_RUN_WAITING, DCPS_RUN_DONE));
    DCPS_WIRE_CHECK(dcps_wire_check_range(type, "workers_live", from->workers_live, 0, DCPS_MAX_WORKERS));
    DCPS_WIRE_CHECK(dcps_wire_check_range(type, "workers_expected", from->workers_expected, 0, DCPS_MAX_WORKERS));
    DCPS_WIRE_CHECK(dcps_wire_check_range(type, "length of staleness", from->n_staleness, 0, DCPS_COUNTS_BUCKETS));
    DCPS_WIRE_CHECK(dcps_wire_check_range(type, "dropped_round", from->dropped_round, 0, from->pushes_dropped));
    return dcps_wire_check_text(type, "algorithm", from->algorithm, DCPS_MAX_NAME_BYTES);
}

static void take_counters(const Dcps__StatusReply *from, dcps_status_reply *reply)
{
    *reply = (dcps_status_reply){.server_index = from->server_index,
                                 .server_count = from->server_count,
                                 .state = (dcps_run_state)from->state,
                                 .samples = from->samples,
                                 .samples_per_epoch = from->samples_per_epoch,
                                 .epochs = from->epochs,
                                 .updates = from->updates,
                                 .training_ns = from->training_ns,
                                 .train_loss = from->train_loss,
                                 .workers_live = from->workers_live,
                                 .workers_expected = from->workers_expected,
                                 .workers_lost = from->workers_lost,
                                 .snapshots = from->snapshots,
                                 .pushes_applied = from->pushes_applied,
                                 .pushes_dropped = from->pushes_dropped,
                                 .dropped_round = from->dropped_round,
                                 .duplicates_ignored = from->duplicates_ignored,
                                 .stale_ignored = from->stale_ignored,
                                 .rejected_messages = from->rejected_messages,
                                 .payload_bytes_in = from->payload_bytes_in,
                                 .payload_bytes_out = from->payload_bytes_out,
                                 .weights_final = from->weights_final != 0,
                                 .weights_digest = from->weights_digest,
                                 .algorithm = from->algorithm};
}

static dcps_status take_staleness(const Dcps__StatusReply *from, dcps_arena *arena, dcps_status_reply *reply)
{
    dcps_counts *counts = dcps_arena_take(arena, 1, sizeof(*counts));
    if (counts == NULL) {
        return dcps_fail(DCPS_LIMIT, "STATUS_REPLY: too large to decode");
    }
    *counts = (dcps_counts){.sum = from->staleness_sum, .max = from->staleness_max};
    bool summed = from->staleness_sum > 0 || from->staleness_max > 0; /* an older server does not tell */
    for (size_t i = 0; i < from->n_staleness; i++) {
        counts->of[i] = from->staleness[i];
        counts->sum += summed ? 0 : i * from->staleness[i];
        counts->max = !summed && from->staleness[i] > 0 ? i : counts->max;
    }
    reply->staleness = counts;
    return DCPS_OK;
}

static dcps_status take_held(const Dcps__StatusReply *from, dcps_arena *arena, dcps_status_reply *reply)
{
    dcps_histogram *held = from->held_ns == NULL ? NULL : dcps_arena_take(arena, 1, sizeof(*held));
    if (from->held_ns != NULL && held == NULL) {
        return dcps_fail(DCPS_LIMIT, "STATUS_REPLY: too large to decode");
    }
    reply->held_ns = held;
    return held == NULL ? DCPS_OK : take_histogram("held_ns", from->held_ns, held);
}

dcps_status dcps_wire_take_status_reply(const Dcps__StatusReply *from, dcps_arena *arena, dcps_status_reply *reply)
{
    DCPS_WIRE_CHECK(check_counters(from));
    take_counters(from, reply);
    DCPS_WIRE_CHECK(take_staleness(from, arena, reply));
    DCPS_WIRE_CHECK(take_held(from, arena, reply));
    DCPS_WIRE_CHECK(take_shards(from, arena, reply));
    DCPS_WIRE_CHECK(take_histograms(from, arena, reply));
    return take_workers(from, arena, reply);
}
