#include "proto/run_statistics.h"

#include <assert.h>
#include <string.h>

#include "base/alloc.h"

/* Room for one more of `count` items: doubled when it is full. NULL when out of memory; the old array stays. */
static void *grown(void *items, uint32_t count, uint32_t *capacity, size_t bytes)
{
    if (count < *capacity) {
        return items;
    }
    uint32_t larger = *capacity == 0 ? 4u : 2u * *capacity;
    void *moved = dcps_realloc(items, larger, bytes);
    *capacity = moved == NULL ? *capacity : larger;
    return moved;
}

/* The first place whose worker is not below `worker`. */
static uint32_t place_of(const dcps_worker_table *table, uint32_t worker)
{
    uint32_t first = 0;
    uint32_t end = table->count;
    while (first < end) {
        uint32_t middle = first + (end - first) / 2u;
        if (table->items[middle].worker < worker) {
            first = middle + 1u;
        } else {
            end = middle;
        }
    }
    return first;
}

/* The entry of a worker, made empty where there was none. */
static dcps_status entry_of(dcps_worker_table *table, uint32_t worker, dcps_worker_statistics **entry)
{
    uint32_t place = place_of(table, worker);
    if (place == table->count || table->items[place].worker != worker) {
        dcps_worker_statistics *items = grown(table->items, table->count, &table->capacity, sizeof(*items));
        if (items == NULL) {
            return dcps_fail(DCPS_NO_MEMORY, "no memory for the statistics of worker %u", worker);
        }
        table->items = items;
        memmove(&items[place + 1u], &items[place], (table->count - place) * sizeof(*items));
        items[place] = (dcps_worker_statistics){.worker = worker};
        table->count++;
    }
    *entry = &table->items[place];
    return DCPS_OK;
}

void dcps_push_counts_merge(dcps_push_counts *into, const dcps_push_counts *from)
{
    into->applied += from->applied;
    into->dropped_stale += from->dropped_stale;
    into->dropped_round += from->dropped_round;
    into->duplicates += from->duplicates;
}

void dcps_worker_statistics_merge(dcps_worker_statistics *into, const dcps_worker_statistics *from)
{
    assert(into->worker == from->worker);
    if (into->name[0] == '\0') {
        memcpy(into->name, from->name, sizeof(into->name));
    }
    into->steps = from->steps > into->steps ? from->steps : into->steps;
    dcps_push_counts_merge(&into->pushes, &from->pushes);
    dcps_histogram_merge(&into->staleness, &from->staleness);
    dcps_histogram_merge(&into->held_ns, &from->held_ns);
}

dcps_status dcps_worker_table_add(dcps_worker_table *table, const dcps_worker_statistics *worker)
{
    dcps_worker_statistics *entry;
    dcps_status status = entry_of(table, worker->worker, &entry);
    if (status == DCPS_OK) {
        dcps_worker_statistics_merge(entry, worker);
    }
    return status;
}

dcps_status dcps_worker_table_set(dcps_worker_table *table, const dcps_worker_statistics *worker)
{
    dcps_worker_statistics *entry;
    dcps_status status = entry_of(table, worker->worker, &entry);
    if (status == DCPS_OK) {
        *entry = *worker;
    }
    return status;
}

void dcps_worker_table_fini(dcps_worker_table *table)
{
    dcps_free(table->items);
    *table = (dcps_worker_table){.count = 0};
}

dcps_status dcps_run_statistics_add_shard(dcps_run_statistics *run, const dcps_shard_statistics *shard,
                                          const dcps_shard_histograms *histograms)
{
    dcps_shard_statistics *shards = grown(run->shards, run->shard_count, &run->shard_capacity, sizeof(*shards));
    run->shards = shards == NULL ? run->shards : shards;
    dcps_shard_histograms *kept =
        shards == NULL ? NULL : grown(run->histograms, run->shard_count, &run->histograms_capacity, sizeof(*kept));
    if (kept == NULL) {
        return dcps_fail(DCPS_NO_MEMORY, "no memory for the statistics of shard %u", shard->shard);
    }
    run->histograms = kept;
    kept[run->shard_count] = *histograms;
    shards[run->shard_count++] = *shard;
    dcps_push_counts_merge(&run->pushes, &shard->pushes);
    return DCPS_OK;
}

void dcps_run_statistics_fini(dcps_run_statistics *run)
{
    dcps_worker_table_fini(&run->workers);
    dcps_free(run->shards);
    dcps_free(run->histograms);
    *run = (dcps_run_statistics){.shard_count = 0};
}
