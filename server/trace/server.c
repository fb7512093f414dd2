/* All shards of one server, recorded or replayed. */
#include <stdio.h>
#include <string.h>

#include "base/folder.h"
#include "server/trace/trace.h"

dcps_status dcps_trace_record_begin(dcps_trace_record *record, const dcps_trace_run *run, const char *dir,
                                    uint64_t origin_ns)
{
    dcps_trace_record made = {.dir = dir, .run = *run};
    if (dcps_trace_run_exists(dir, run->server_index)) {
        return dcps_fail(DCPS_INVALID, "%s holds a trace already: choose another folder", dir);
    }
    made.run.complete = false;
    made.run.weights_digest = 0;
    (void)snprintf(made.run.reason, sizeof(made.run.reason), "the run has not ended");
    dcps_status status = dcps_folder_make(dir);
    if (status == DCPS_OK) {
        status = dcps_trace_run_write(&made.run, dir);
    }
    for (uint32_t i = 0; status == DCPS_OK && i < run->shards_per_server; i++) {
        status =
            dcps_trace_writer_create(dir, run->server_index * run->shards_per_server + i, origin_ns, &made.writers[i]);
    }
    if (status != DCPS_OK) {
        dcps_trace_record_fini(&made);
        return status;
    }
    *record = made;
    return DCPS_OK;
}

void dcps_trace_record_model(dcps_trace_record *record, const dcps_partition *partition, uint64_t samples_per_epoch)
{
    record->run.total_params = partition->total_params;
    record->run.block_params = partition->block_params;
    record->run.samples_per_epoch = samples_per_epoch;
}

void dcps_trace_record_leave(dcps_trace_writer *writer, const dcps_shard *shard, uint32_t worker,
                             dcps_departure departure)
{
    dcps_shard_stats stats;
    dcps_shard_stats_get(shard, &stats);
    if (departure == DCPS_DEPARTURE_LOST) {
        dcps_trace_writer_spoil(writer, "worker %u was lost", worker);
    } else if (stats.counts_batches && stats.state != DCPS_RUN_DONE) {
        dcps_trace_writer_spoil(writer, "worker %u left before every batch was done", worker);
    }
}

/* Why the record is not complete, as far as no writer was spoilt; "" if it is. */
static void find_reason(const dcps_trace_run *run, const dcps_trace_ending *ending,
                        char reason[DCPS_TRACE_REASON_BYTES])
{
    bool all = ending->joins == run->workers && ending->finished == run->workers && ending->lost == 0;
    reason[0] = '\0';
    if (ending->early_starts > 0) {
        (void)snprintf(reason, DCPS_TRACE_REASON_BYTES, "the run began without all workers, see --start-grace-ms");
    } else if (ending->resumed) {
        (void)snprintf(reason, DCPS_TRACE_REASON_BYTES, "the run went on from a checkpoint");
    } else if (!ending->run_over) {
        (void)snprintf(reason, DCPS_TRACE_REASON_BYTES, "the run was stopped before its end");
    } else if (!all) {
        (void)snprintf(reason, DCPS_TRACE_REASON_BYTES,
                       "of %u workers expected %u joined, %u finished and %u were lost", run->workers, ending->joins,
                       ending->finished, ending->lost);
    }
}

dcps_status dcps_trace_record_end(dcps_trace_record *record, const dcps_trace_ending *ending)
{
    dcps_trace_run *run = &record->run;
    run->reason[0] = '\0';
    for (uint32_t i = 0; i < run->shards_per_server; i++) {
        char told[DCPS_TRACE_REASON_BYTES];
        dcps_trace_writer_close(&record->writers[i], &run->rows[i], told);
        if (run->reason[0] == '\0') {
            memcpy(run->reason, told, sizeof(run->reason));
        }
    }
    if (run->reason[0] == '\0') {
        find_reason(run, ending, run->reason);
    }
    run->complete = run->reason[0] == '\0';
    run->weights_digest = run->complete ? ending->weights_digest : 0;
    return dcps_trace_run_write(run, record->dir);
}

void dcps_trace_record_fini(dcps_trace_record *record)
{
    for (uint32_t i = 0; i < DCPS_MAX_SHARDS; i++) {
        char reason[DCPS_TRACE_REASON_BYTES];
        uint64_t rows;
        dcps_trace_writer_close(&record->writers[i], &rows, reason);
    }
}

dcps_status dcps_trace_replay_open(dcps_trace_replay *replay, const dcps_trace_run *now, const char *dir)
{
    dcps_trace_replay made = {.dir = dir};
    dcps_status status = dcps_trace_run_read(dir, now->server_index, &made.run);
    if (status == DCPS_OK) {
        status = dcps_trace_run_check(&made.run, now);
    }
    for (uint32_t i = 0; status == DCPS_OK && i < now->shards_per_server; i++) {
        status = dcps_trace_read_order(dir, &made.run, now->server_index * now->shards_per_server + i, &made.orders[i]);
    }
    if (status != DCPS_OK) {
        dcps_trace_replay_fini(&made);
        return status;
    }
    *replay = made;
    return DCPS_OK;
}

dcps_status dcps_trace_replay_check(const dcps_trace_replay *replay, uint64_t left, uint64_t weights_digest)
{
    if (left > 0) {
        return dcps_fail(DCPS_MISMATCH, "%llu requests of the trace in %s were not replayed", (unsigned long long)left,
                         replay->dir);
    }
    if (weights_digest != replay->run.weights_digest) {
        return dcps_fail(
            DCPS_MISMATCH,
            "the replay of %s ended with other weights than the run: digest %016llx, recorded %016llx. Were "
            "workers run with the same model, data, number of threads, build and kind of processor?",
            replay->dir, (unsigned long long)weights_digest, (unsigned long long)replay->run.weights_digest);
    }
    return DCPS_OK;
}

void dcps_trace_replay_fini(dcps_trace_replay *replay)
{
    for (uint32_t i = 0; i < DCPS_MAX_SHARDS; i++) {
        dcps_replay_order_fini(&replay->orders[i]);
    }
}
