/* The tables of workers and shards. A column that would say the same of all, or nothing, is left out. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "cli/common/table.h"
#include "cli/results/results.h"

#define DCPS_MOST_ROWS 32u /* results.json has all */

static void cell_real(dcps_table *table, double value, int digits)
{
    if (isfinite(value)) {
        dcps_table_cell(table, "%.*f", digits, value);
    } else {
        dcps_table_cell(table, "–");
    }
}

static void cell_count(dcps_table *table, bool known, uint64_t value)
{
    char text[48];
    dcps_table_cell(table, "%s", known ? dcps_format_count((double)value, text, sizeof(text)) : "–");
}

static void cell_ns(dcps_table *table, bool known, double ns)
{
    char text[32];
    dcps_table_cell(table, "%s", known ? dcps_format_span(ns / (double)DCPS_NS_PER_S, text, sizeof(text)) : "–");
}

static void right_columns(dcps_table *table, const char *const *headings, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        dcps_table_column(table, headings[i], DCPS_ALIGN_RIGHT);
    }
}

/* ---- workers ---- */

/* Which columns the workers need. */
typedef struct dcps_worker_columns {
    bool names; /* some are not "worker-" and the id, as a cluster has them */
    bool groups;
    bool wait;
    bool held;
    bool dropped;
} dcps_worker_columns;

static uint64_t dropped_of(const dcps_push_counts *pushes)
{
    return pushes->dropped_stale + pushes->dropped_round;
}

static bool has_own_name(const dcps_result_worker *worker)
{
    char usual[DCPS_MAX_NAME_BYTES];
    (void)snprintf(usual, sizeof(usual), "worker-%" PRIu32, worker->worker);
    return worker->name[0] != '\0' && strcmp(worker->name, usual) != 0;
}

static dcps_worker_columns columns_of(const dcps_result_worker *workers, uint32_t count)
{
    dcps_worker_columns columns = {.groups = false};
    for (uint32_t i = 0; i < count; i++) {
        columns.names = columns.names || has_own_name(&workers[i]);
        columns.groups = columns.groups || strcmp(workers[i].group, DCPS_GROUP_REST) != 0;
        columns.wait = columns.wait || workers[i].wait_ns.count > 0;
        columns.held = columns.held || workers[i].held_ns.p99 > 0;
        columns.dropped = columns.dropped || dropped_of(&workers[i].pushes) > 0;
    }
    return columns;
}

static void add_worker_columns(dcps_table *table, const dcps_worker_columns *columns)
{
    static const char *const always[] = {"steps", "staleness", "p99", "max"};
    static const char *const wait[] = {"waiting", "wait p50", "wait p99"};
    static const char *const held[] = {"held mean", "held p99"};
    dcps_table_column(table, "worker", DCPS_ALIGN_RIGHT);
    if (columns->names) {
        dcps_table_column(table, "name", DCPS_ALIGN_LEFT);
    }
    if (columns->groups) {
        dcps_table_column(table, "group", DCPS_ALIGN_LEFT);
    }
    right_columns(table, always, sizeof(always) / sizeof(always[0]));
    if (columns->wait) {
        right_columns(table, wait, sizeof(wait) / sizeof(wait[0]));
    }
    if (columns->held) {
        right_columns(table, held, sizeof(held) / sizeof(held[0]));
    }
    if (columns->dropped) {
        dcps_table_column(table, "dropped", DCPS_ALIGN_RIGHT);
    }
}

static void add_worker(dcps_table *table, const dcps_worker_columns *columns, const dcps_result_worker *worker)
{
    bool stale = worker->staleness.count > 0;
    bool waited = worker->wait_ns.count > 0;
    bool held = worker->held_ns.count > 0;
    dcps_table_cell(table, "%" PRIu32, worker->worker);
    if (columns->names) {
        dcps_table_cell(table, "%s", worker->name);
    }
    if (columns->groups) {
        dcps_table_cell(table, "%s", worker->group);
    }
    cell_count(table, true, worker->steps);
    cell_real(table, worker->staleness.mean, 2);
    cell_count(table, stale, worker->staleness.p99);
    cell_count(table, stale, worker->staleness.max);
    if (columns->wait) {
        dcps_table_cell(table, isfinite(worker->wait_share) ? "%.0f %%" : "–", 100.0 * worker->wait_share);
        cell_ns(table, waited, (double)worker->wait_ns.p50);
        cell_ns(table, waited, (double)worker->wait_ns.p99);
    }
    if (columns->held) {
        cell_ns(table, held, worker->held_ns.mean);
        cell_ns(table, held, (double)worker->held_ns.p99);
    }
    if (columns->dropped) {
        cell_count(table, true, dropped_of(&worker->pushes));
    }
}

/* Prints and frees a table that shows `shown` of `count` rows. */
static dcps_status finish(dcps_table *table, uint32_t shown, uint32_t count, FILE *out)
{
    dcps_status status = dcps_table_print(table, out);
    if (status == DCPS_OK && shown < count) {
        (void)fprintf(out, "and %" PRIu32 " more\n", count - shown);
    }
    dcps_table_destroy(&table);
    return status;
}

dcps_status dcps_details_print_workers(const dcps_result_worker *workers, uint32_t count, FILE *out)
{
    dcps_table *table = NULL;
    dcps_status status = dcps_table_create(&table);
    if (status != DCPS_OK) {
        return status;
    }
    uint32_t shown = count < DCPS_MOST_ROWS ? count : DCPS_MOST_ROWS;
    dcps_worker_columns columns = columns_of(workers, count);
    add_worker_columns(table, &columns);
    for (uint32_t i = 0; i < shown; i++) {
        add_worker(table, &columns, &workers[i]);
    }
    return finish(table, shown, count, out);
}

/* ---- shards ---- */

/* Which columns the shards need. */
typedef struct dcps_shard_columns {
    bool backlog; /* they have sockets */
    bool dropped;
} dcps_shard_columns;

static void add_shard(dcps_table *table, const dcps_shard_columns *columns, const dcps_shard_statistics *shard)
{
    bool stale = shard->staleness.count > 0;
    bool held = shard->held_ns.count > 0;
    bool backlog = isfinite(shard->backlog_mean);
    dcps_table_cell(table, "%" PRIu32, shard->shard);
    cell_count(table, true, shard->updates);
    cell_real(table, shard->staleness.mean, 2);
    cell_count(table, stale, shard->staleness.p99);
    cell_ns(table, held, shard->held_ns.mean);
    cell_ns(table, held, (double)shard->held_ns.p99);
    cell_real(table, shard->queue_mean, 1);
    cell_count(table, true, shard->queue_max);
    if (columns->backlog) {
        cell_real(table, shard->backlog_mean, 1);
        cell_count(table, backlog, shard->backlog_max);
    }
    if (columns->dropped) {
        cell_count(table, true, dropped_of(&shard->pushes));
    }
}

dcps_status dcps_details_print_shards(const dcps_shard_statistics *shards, uint32_t count, FILE *out)
{
    static const char *const always[] = {"shard",     "updates",  "staleness", "p99",
                                         "held mean", "held p99", "queue",     "queue max"};
    static const char *const backlog[] = {"backlog", "backlog max"};
    dcps_table *table = NULL;
    dcps_status status = dcps_table_create(&table);
    if (status != DCPS_OK) {
        return status;
    }
    dcps_shard_columns columns = {.backlog = false};
    for (uint32_t i = 0; i < count; i++) {
        columns.backlog = columns.backlog || isfinite(shards[i].backlog_mean);
        columns.dropped = columns.dropped || dropped_of(&shards[i].pushes) > 0;
    }
    right_columns(table, always, sizeof(always) / sizeof(always[0]));
    if (columns.backlog) {
        right_columns(table, backlog, sizeof(backlog) / sizeof(backlog[0]));
    }
    if (columns.dropped) {
        dcps_table_column(table, "dropped", DCPS_ALIGN_RIGHT);
    }
    uint32_t shown = count < DCPS_MOST_ROWS ? count : DCPS_MOST_ROWS;
    for (uint32_t i = 0; i < shown; i++) {
        add_shard(table, &columns, &shards[i]);
    }
    return finish(table, shown, count, out);
}

dcps_status dcps_results_print_details(const dcps_results *results, FILE *out)
{
    const dcps_result_run *run = results->run_count == 0 ? NULL : &results->runs[results->run_count - 1];
    if (run == NULL || !run->details_known) {
        return DCPS_OK;
    }
    dcps_status status = DCPS_OK;
    if (run->details.worker_count > 0) {
        (void)fputc('\n', out);
        status = dcps_details_print_workers(run->details.workers, run->details.worker_count, out);
    }
    if (status == DCPS_OK && run->details.shard_count > 0) {
        (void)fputc('\n', out);
        status = dcps_details_print_shards(run->details.shards, run->details.shard_count, out);
    }
    return status;
}
