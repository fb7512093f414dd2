#include "support/wire_compare.h"

#include <check.h>
#include <math.h>

#define SAME(field) ck_assert_uint_eq((uint64_t)a->field, (uint64_t)b->field)
#define SAME_TEXT(field) ck_assert_str_eq(a->field, b->field)

static void same_session(const dcps_session *a, const dcps_session *b)
{
    SAME(worker);
    SAME(incarnation);
    SAME(token);
}

static void same_request(const dcps_request *a, const dcps_request *b)
{
    same_session(&a->session, &b->session);
    SAME(block);
    SAME(seq);
    SAME(step);
    SAME(run_samples);
}

static void same_hello(const dcps_hello *a, const dcps_hello *b)
{
    SAME(role);
    SAME(nonce);
    SAME(has_identity);
    SAME(worker);
    SAME(incarnation);
    SAME(server_index);
    SAME(server_count);
    SAME_TEXT(name);
}

static void same_welcome(const dcps_welcome *a, const dcps_welcome *b)
{
    same_session(&a->session, &b->session);
    SAME(nonce);
    SAME(server_index);
    SAME(server_count);
    SAME(shards_per_server);
    SAME(lease_ms);
    SAME(seed);
    SAME(batch_size);
    SAME(epochs);
    SAME(workers);
    SAME(snapshot_every_samples);
    SAME_TEXT(algorithm);
    SAME_TEXT(settings);
    SAME(endpoint_count);
    for (uint32_t i = 0; i < a->endpoint_count; i++) {
        SAME_TEXT(endpoints[i]);
    }
}

static void same_layout(const dcps_layout_message *left, const dcps_layout_message *right)
{
    same_session(&left->session, &right->session);
    ck_assert_uint_eq(left->nonce, right->nonce);
    ck_assert_uint_eq(left->samples_per_epoch, right->samples_per_epoch);
    ck_assert_uint_eq(left->tensor_count, right->tensor_count);
    for (uint32_t i = 0; i < left->tensor_count; i++) {
        const dcps_layout_tensor *a = &left->tensors[i];
        const dcps_layout_tensor *b = &right->tensors[i];
        SAME_TEXT(name);
        SAME(dim_count);
        SAME(init);
        SAME(offset_params);
        SAME(count_params);
        ck_assert(a->average_rate == b->average_rate);
        ck_assert(a->init_bound == b->init_bound);
        ck_assert_mem_eq(a->dims, b->dims, sizeof(a->dims));
    }
}

static void same_layout_reply(const dcps_layout_reply *a, const dcps_layout_reply *b)
{
    SAME(nonce);
    SAME(run);
    SAME(partition.total_params);
    SAME(partition.block_params);
    SAME(partition.block_count);
    SAME(partition.server_count);
    SAME(partition.shards_per_server);
}

static void same_pushes(const dcps_push_counts *a, const dcps_push_counts *b)
{
    SAME(applied);
    SAME(dropped_stale);
    SAME(dropped_round);
    SAME(duplicates);
}

/* NaN, which stands for nothing, is the same as NaN. */
static void same_mean(double a, double b)
{
    ck_assert(isnan(a) ? isnan(b) : a == b);
}

static void same_summary(const dcps_summary *a, const dcps_summary *b)
{
    same_mean(a->mean, b->mean);
    SAME(p50);
    SAME(p99);
    SAME(max);
    SAME(count);
}

static void same_histogram(const dcps_histogram *a, const dcps_histogram *b)
{
    SAME(count);
    SAME(sum);
    SAME(max);
    ck_assert_mem_eq(a->buckets, b->buckets, sizeof(a->buckets));
}

static void same_shard_statistics(const dcps_shard_statistics *a, const dcps_shard_statistics *b)
{
    SAME(shard);
    SAME(updates);
    same_pushes(&a->pushes, &b->pushes);
    same_summary(&a->staleness, &b->staleness);
    same_summary(&a->held_ns, &b->held_ns);
    SAME(queue_now);
    SAME(queue_max);
    same_mean(a->queue_mean, b->queue_mean);
    SAME(backlog_max);
    same_mean(a->backlog_mean, b->backlog_mean);
}

static void same_worker_statistics(const dcps_worker_statistics *a, const dcps_worker_statistics *b)
{
    SAME(worker);
    SAME_TEXT(name);
    SAME(steps);
    same_pushes(&a->pushes, &b->pushes);
    same_histogram(&a->staleness, &b->staleness);
    same_histogram(&a->held_ns, &b->held_ns);
}

static void same_status_reply(const dcps_status_reply *a, const dcps_status_reply *b)
{
    SAME(server_index);
    SAME(server_count);
    SAME(state);
    SAME(samples);
    SAME(samples_per_epoch);
    SAME(epochs);
    SAME(updates);
    SAME(training_ns);
    ck_assert_double_eq(a->train_loss, b->train_loss);
    SAME(workers_live);
    SAME(workers_expected);
    SAME(workers_lost);
    SAME(snapshots);
    SAME(pushes_applied);
    SAME(pushes_dropped);
    SAME(duplicates_ignored);
    SAME(stale_ignored);
    SAME(rejected_messages);
    SAME(payload_bytes_in);
    SAME(payload_bytes_out);
    ck_assert_mem_eq(a->staleness, b->staleness, sizeof(*a->staleness));
    SAME(weights_final);
    SAME(weights_digest);
    SAME_TEXT(algorithm);
    SAME(dropped_round);
    ck_assert_int_eq(a->held_ns == NULL, b->held_ns == NULL);
    if (a->held_ns != NULL) {
        same_histogram(a->held_ns, b->held_ns);
    }
    SAME(shard_count);
    for (uint32_t i = 0; i < a->shard_count; i++) {
        same_shard_statistics(&a->shards[i], &b->shards[i]);
    }
    SAME(has_workers);
    SAME(first_worker);
    SAME(next_worker);
    SAME(worker_count);
    for (uint32_t i = 0; i < a->worker_count; i++) {
        same_worker_statistics(&a->workers[i], &b->workers[i]);
    }
    SAME(first_shard);
    SAME(histogram_count);
    for (uint32_t i = 0; i < a->histogram_count; i++) {
        same_histogram(&a->histograms[i].staleness, &b->histograms[i].staleness);
        same_histogram(&a->histograms[i].held_ns, &b->histograms[i].held_ns);
    }
}

static void same_error(const dcps_error_message_body *a, const dcps_error_message_body *b)
{
    ck_assert_int_eq(a->status, b->status);
    SAME(has_block);
    SAME(block);
    SAME(seq);
    SAME_TEXT(text);
    SAME(token);
}

static void same_push_pull(const dcps_push_pull *a, const dcps_push_pull *b)
{
    same_request(&a->request, &b->request);
    SAME(samples);
    ck_assert(a->loss == b->loss || (isnan(a->loss) && isnan(b->loss)));
}

static void same_weights(const dcps_weights *a, const dcps_weights *b)
{
    SAME(worker);
    SAME(incarnation);
    SAME(block);
    SAME(seq);
    SAME(version);
    SAME(clock);
    SAME(samples);
    SAME(ticket.kind);
    SAME(ticket.number);
    SAME(token);
}

static void same_notice(const dcps_notice *a, const dcps_notice *b)
{
    SAME(worker);
    SAME(incarnation);
    SAME(block);
    SAME(seq);
}

static void same_snapshot(const dcps_snapshot_request *a, const dcps_snapshot_request *b)
{
    SAME(block);
    SAME(index);
    SAME(release);
}

static void same_snapshot_reply(const dcps_snapshot_reply *a, const dcps_snapshot_reply *b)
{
    SAME(block);
    SAME(index);
    SAME(available);
    SAME(version);
    SAME(samples);
    SAME(training_ns);
    ck_assert(a->train_loss == b->train_loss);
}

void wire_assert_same(const dcps_message *a, const dcps_message *b)
{
    SAME(type);
    switch (a->type) {
    case DCPS_MESSAGE_HELLO:
        same_hello(&a->body.hello, &b->body.hello);
        return;
    case DCPS_MESSAGE_WELCOME:
        same_welcome(&a->body.welcome, &b->body.welcome);
        return;
    case DCPS_MESSAGE_LAYOUT:
        same_layout(&a->body.layout, &b->body.layout);
        return;
    case DCPS_MESSAGE_LAYOUT_REPLY:
        same_layout_reply(&a->body.layout_reply, &b->body.layout_reply);
        return;
    case DCPS_MESSAGE_FINISH:
        SAME(body.session.done);
        same_session(&a->body.session.session, &b->body.session.session);
        return;
    case DCPS_MESSAGE_HEARTBEAT:
        same_session(&a->body.session.session, &b->body.session.session);
        return;
    case DCPS_MESSAGE_HEARTBEAT_REPLY:
    case DCPS_MESSAGE_FINISH_REPLY:
        same_session(&a->body.session_reply.session, &b->body.session_reply.session);
        return;
    case DCPS_MESSAGE_STATUS:
        SAME(body.status.workers);
        SAME(body.status.first_worker);
        SAME(body.status.histograms);
        SAME(body.status.first_shard);
        return;
    case DCPS_MESSAGE_CHECKPOINT:
        return;
    case DCPS_MESSAGE_STATUS_REPLY:
        same_status_reply(&a->body.status_reply, &b->body.status_reply);
        return;
    case DCPS_MESSAGE_CHECKPOINT_REPLY:
        ck_assert_int_eq(a->body.checkpoint_reply.status, b->body.checkpoint_reply.status);
        SAME_TEXT(body.checkpoint_reply.text);
        return;
    case DCPS_MESSAGE_ERROR:
        same_error(&a->body.error, &b->body.error);
        return;
    case DCPS_MESSAGE_PULL:
    case DCPS_MESSAGE_INIT:
    case DCPS_MESSAGE_QUERY:
        same_request(&a->body.request, &b->body.request);
        return;
    case DCPS_MESSAGE_PUSH_PULL:
        same_push_pull(&a->body.push_pull, &b->body.push_pull);
        return;
    case DCPS_MESSAGE_WEIGHTS:
        same_weights(&a->body.weights, &b->body.weights);
        return;
    case DCPS_MESSAGE_NEED_INIT:
    case DCPS_MESSAGE_PENDING:
    case DCPS_MESSAGE_RESEND:
        same_notice(&a->body.notice, &b->body.notice);
        return;
    case DCPS_MESSAGE_SNAPSHOT:
        same_snapshot(&a->body.snapshot, &b->body.snapshot);
        return;
    case DCPS_MESSAGE_SNAPSHOT_REPLY:
        same_snapshot_reply(&a->body.snapshot_reply, &b->body.snapshot_reply);
        return;
    }
    ck_abort_msg("a message of type %d", (int)a->type);
}
