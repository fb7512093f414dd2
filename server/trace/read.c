/* Traces read back, line by line. Whoever wrote them may have been wrong or hostile. */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/regular_file.h"
#include "base/text.h"
#include "server/trace/trace.h"
#include "server/trace/row.h"

#define FIRST_TURNS 64u

/* Takes one row; errors say what is wrong with it. */
typedef dcps_status (*take_row_fn)(void *context, const dcps_trace_row *row);

/* The text of the latest error with the place before it. */
static dcps_status fail_at(const char *path, uint64_t line, dcps_status status)
{
    char text[DCPS_TRACE_REASON_BYTES];
    (void)snprintf(text, sizeof(text), "%s", dcps_error_message());
    return dcps_fail(status, "%s:%" PRIu64 ": %s", path, line, text);
}

/* Reads a line and cuts its end off. *end: there is none. */
static dcps_status read_line(FILE *file, char line[DCPS_TRACE_ROW_BYTES], bool *end)
{
    *end = fgets(line, (int)DCPS_TRACE_ROW_BYTES, file) == NULL;
    if (*end) {
        return ferror(file) ? dcps_fail(DCPS_IO, "cannot read: %s", strerror(errno)) : DCPS_OK;
    }
    size_t length = strlen(line);
    if (length == 0 || line[length - 1u] != '\n') {
        return dcps_fail(DCPS_CORRUPT, "the line has a zero byte, no end, or more than %u bytes",
                         DCPS_TRACE_ROW_BYTES - 1u);
    }
    line[length - 1u] = '\0';
    return DCPS_OK;
}

static dcps_status read_rows(FILE *file, const char *path, take_row_fn take, void *context)
{
    char line[DCPS_TRACE_ROW_BYTES];
    bool end;
    uint64_t number = 1;
    uint64_t latest_ns = 0;
    dcps_status status = read_line(file, line, &end);
    if (status == DCPS_OK && (end || strcmp(line, DCPS_TRACE_HEADING) != 0)) {
        status = dcps_fail(DCPS_CORRUPT, "the heading is not " DCPS_TRACE_HEADING);
    }
    while (status == DCPS_OK && !end) {
        dcps_trace_row row;
        number++;
        status = read_line(file, line, &end);
        if (status == DCPS_OK && !end) {
            status = dcps_trace_row_parse(line, &row);
            if (status == DCPS_OK && row.ns < latest_ns) {
                status = dcps_fail(DCPS_CORRUPT, "column ns falls from %" PRIu64 " to %" PRIu64, latest_ns, row.ns);
            }
            status = status == DCPS_OK ? take(context, &row) : status;
            latest_ns = row.ns;
        }
    }
    return status == DCPS_OK ? DCPS_OK : fail_at(path, number, status);
}

/* Opens the file of a shard and tells its size. */
static dcps_status open_shard(const char *dir, uint32_t shard, char path[PATH_MAX], FILE **file, uint64_t *bytes)
{
    dcps_status status = dcps_format(path, PATH_MAX, "%s/shard-%" PRIu32 ".csv", dir, shard);
    if (status != DCPS_OK) {
        return status;
    }
    FILE *opened;
    status = dcps_regular_file_stream(path, &opened);
    if (status != DCPS_OK) {
        return dcps_fail(status, "cannot read the trace: %s", dcps_error_message());
    }
    long end = fseek(opened, 0, SEEK_END) == 0 ? ftell(opened) : -1;
    if (end < 0) {
        (void)fclose(opened);
        return dcps_fail(DCPS_IO, "cannot read the trace %s: it is no ordinary file", path);
    }
    rewind(opened);
    *file = opened;
    *bytes = (uint64_t)end;
    return DCPS_OK;
}

/* ---- the order of a shard ---- */

typedef struct order_reading {
    const dcps_trace_run *run;
    dcps_replay_order order;
    uint64_t *capacity; /* of the turns of each block */
    uint64_t *seq;      /* latest of each worker at each block, [block_count][workers] */
    uint64_t rows;
} order_reading;

/* Room for one more turn of a block, twice as much as before where there is none. */
static dcps_status reserve_turn(order_reading *reading, uint32_t index)
{
    dcps_replay_block *block = &reading->order.blocks[index];
    if (block->count < reading->capacity[index]) {
        return DCPS_OK;
    }
    uint64_t capacity = reading->capacity[index] == 0 ? FIRST_TURNS : reading->capacity[index] * 2u;
    dcps_replay_turn *turns = dcps_realloc(block->turns, capacity, sizeof(*turns));
    if (turns == NULL) {
        return dcps_fail(DCPS_NO_MEMORY, "no memory for %" PRIu64 " requests of a block", capacity);
    }
    block->turns = turns;
    reading->capacity[index] = capacity;
    return DCPS_OK;
}

static dcps_status check_row(const order_reading *reading, const dcps_taken *taken)
{
    const dcps_replay_order *order = &reading->order;
    if (taken->block < order->first_block || taken->block - order->first_block >= order->block_count) {
        return dcps_fail(DCPS_CORRUPT, "column block is %" PRIu32 ", the shard has %" PRIu32 " blocks from %" PRIu32,
                         taken->block, order->block_count, order->first_block);
    }
    if (taken->worker >= order->workers) {
        return dcps_fail(DCPS_CORRUPT, "column worker is %" PRIu32 ", the run had %" PRIu32 " workers", taken->worker,
                         order->workers);
    }
    if (taken->incarnation != 1) {
        return dcps_fail(DCPS_CORRUPT, "column incarnation is %" PRIu32 ", 1 everywhere in a complete trace",
                         taken->incarnation);
    }
    uint64_t latest = reading->seq[(size_t)(taken->block - order->first_block) * order->workers + taken->worker];
    if (taken->seq != latest + 1u) {
        return dcps_fail(DCPS_CORRUPT,
                         "column seq is %" PRIu64 ", after %" PRIu64 " of worker %" PRIu32 " at block %" PRIu32
                         " comes %" PRIu64,
                         taken->seq, latest, taken->worker, taken->block, latest + 1u);
    }
    return DCPS_OK;
}

static dcps_status take_turn(void *context, const dcps_trace_row *row)
{
    order_reading *reading = context;
    const dcps_taken *taken = &row->taken;
    dcps_status status = check_row(reading, taken);
    if (status != DCPS_OK) {
        return status;
    }
    uint32_t index = taken->block - reading->order.first_block;
    status = reserve_turn(reading, index);
    if (status != DCPS_OK) {
        return status;
    }
    dcps_replay_block *block = &reading->order.blocks[index];
    block->turns[block->count++] = (dcps_replay_turn){
        .worker = (uint16_t)taken->worker, .kind = (uint8_t)taken->kind, .fate = (uint8_t)taken->fate};
    reading->seq[(size_t)index * reading->order.workers + taken->worker]++;
    reading->rows++;
    return DCPS_OK;
}

/* Tables of the size that the description asks for, if the file can be what it describes: in a complete trace each worker has asked for each block. */
static dcps_status begin_order(order_reading *reading, uint32_t shard, uint64_t file_bytes)
{
    const dcps_trace_run *run = reading->run;
    dcps_replay_order *order = &reading->order;
    dcps_partition partition;
    dcps_status status = dcps_partition_init(&partition, run->total_params, run->block_params, run->server_count,
                                             run->shards_per_server);
    if (status != DCPS_OK) {
        return dcps_fail(DCPS_CORRUPT, "the trace describes an impossible model: %s", dcps_error_message());
    }
    order->workers = run->workers;
    order->first_block = dcps_partition_first_block(&partition, shard);
    uint32_t count = dcps_partition_first_block(&partition, shard + 1u) - order->first_block;
    uint64_t least = (uint64_t)count * run->workers;
    if (file_bytes / DCPS_TRACE_LEAST_ROW_BYTES < least) {
        return dcps_fail(DCPS_CORRUPT,
                         "shard %" PRIu32 ": %" PRIu64 " bytes cannot tell of %" PRIu32 " blocks and %" PRIu32
                         " workers",
                         shard, file_bytes, count, run->workers);
    }
    order->blocks = dcps_alloc((size_t)count + 1u, sizeof(*order->blocks));
    reading->capacity = dcps_alloc((size_t)count + 1u, sizeof(*reading->capacity));
    reading->seq = dcps_alloc((size_t)least + 1u, sizeof(*reading->seq));
    if (order->blocks == NULL || reading->capacity == NULL || reading->seq == NULL) {
        return dcps_fail(DCPS_NO_MEMORY, "no memory for the trace of %" PRIu32 " blocks", count);
    }
    order->block_count = count;
    return DCPS_OK;
}

static dcps_status check_rows(const order_reading *reading, const char *path, uint64_t expected)
{
    return reading->rows == expected
               ? DCPS_OK
               : dcps_fail(DCPS_CORRUPT, "%s has %" PRIu64 " requests, the server has recorded %" PRIu64, path,
                           reading->rows, expected);
}

dcps_status dcps_trace_read_order(const char *dir, const dcps_trace_run *run, uint32_t shard, dcps_replay_order *order)
{
    char path[PATH_MAX];
    FILE *file;
    uint64_t bytes;
    order_reading reading = {.run = run};
    dcps_status status = open_shard(dir, shard, path, &file, &bytes);
    if (status != DCPS_OK) {
        return status;
    }
    status = begin_order(&reading, shard, bytes);
    if (status == DCPS_OK) {
        status = read_rows(file, path, take_turn, &reading);
    }
    if (status == DCPS_OK) {
        status = check_rows(&reading, path, run->rows[shard - run->server_index * run->shards_per_server]);
    }
    (void)fclose(file);
    dcps_free(reading.capacity);
    dcps_free(reading.seq);
    if (status != DCPS_OK) {
        dcps_replay_order_fini(&reading.order);
        return status;
    }
    *order = reading.order;
    return DCPS_OK;
}

/* ---- how long steps took ---- */

typedef struct times_reading {
    struct dcps_trace_steps steps[DCPS_MAX_WORKERS];
    uint64_t capacity[DCPS_MAX_WORKERS];
} times_reading;

static dcps_status take_time(void *context, const dcps_trace_row *row)
{
    times_reading *reading = context;
    const dcps_taken *taken = &row->taken;
    struct dcps_trace_steps *steps = &reading->steps[taken->worker];
    uint64_t *capacity = &reading->capacity[taken->worker];
    if (taken->block != 0 || taken->kind != DCPS_TAKEN_PUSH) {
        return DCPS_OK;
    }
    if (steps->count == *capacity) {
        uint64_t larger = *capacity == 0 ? FIRST_TURNS : *capacity * 2u;
        uint64_t *moved = dcps_realloc(steps->step_ns, larger, sizeof(*moved));
        if (moved == NULL) {
            return dcps_fail(DCPS_NO_MEMORY, "no memory for %" PRIu64 " steps of a worker", larger);
        }
        steps->step_ns = moved;
        *capacity = larger;
    }
    steps->step_ns[steps->count++] = taken->away_ns;
    return DCPS_OK;
}

/* Moves those of workers that pushed to the front of *times. */
static dcps_status gather_times(times_reading *reading, const char *path, dcps_trace_times *times)
{
    dcps_trace_times made = {.steps = dcps_alloc(DCPS_MAX_WORKERS, sizeof(*made.steps))};
    if (made.steps == NULL) {
        return dcps_fail(DCPS_NO_MEMORY, "no memory for the times of workers");
    }
    for (uint32_t worker = 0; worker < DCPS_MAX_WORKERS; worker++) {
        if (reading->steps[worker].count > 0) {
            made.steps[made.workers++] = reading->steps[worker];
            reading->steps[worker] = (struct dcps_trace_steps){0};
        }
    }
    if (made.workers == 0) {
        dcps_trace_times_fini(&made);
        return dcps_fail(DCPS_CORRUPT, "%s tells of no gradient of block 0: no step time is known", path);
    }
    *times = made;
    return DCPS_OK;
}

dcps_status dcps_trace_read_times(const char *dir, dcps_trace_times *times)
{
    char path[PATH_MAX];
    FILE *file;
    uint64_t bytes;
    times_reading *reading = dcps_alloc(1, sizeof(*reading));
    if (reading == NULL) {
        return dcps_fail(DCPS_NO_MEMORY, "no memory for the times of workers");
    }
    dcps_status status = open_shard(dir, 0, path, &file, &bytes);
    if (status == DCPS_OK) {
        status = read_rows(file, path, take_time, reading);
        (void)fclose(file);
    }
    if (status == DCPS_OK) {
        status = gather_times(reading, path, times);
    }
    for (uint32_t worker = 0; worker < DCPS_MAX_WORKERS; worker++) {
        dcps_free(reading->steps[worker].step_ns);
    }
    dcps_free(reading);
    return status;
}

void dcps_trace_times_fini(dcps_trace_times *times)
{
    for (uint32_t i = 0; i < times->workers; i++) {
        dcps_free(times->steps[i].step_ns);
    }
    dcps_free(times->steps);
    *times = (dcps_trace_times){0};
}
