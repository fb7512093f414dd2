/* A small complete trace in a folder of the test's own: one server of two shards, two workers, two blocks of 16 parameters each on a shard. */
#ifndef DCPS_TESTS_SUPPORT_TRACE_FIXTURE_H
#define DCPS_TESTS_SUPPORT_TRACE_FIXTURE_H

#include "server/trace/trace.h"
#include "support/temp_folder.h"

#define TRACE_HEADING "ns,block,worker,incarnation,seq,step,kind,fate,staleness,samples,away_ns\n"

/* What the server was recorded under. */
dcps_trace_run trace_run(void);
/* Writes all of its files. */
void trace_write(const temp_folder *folder);
/* Writes shard 0 anew, the heading and then `rows`. */
void trace_write_rows(const temp_folder *folder, const char *rows);
/* The rows of shard 0: six requests. */
extern const char trace_rows[];

#endif
