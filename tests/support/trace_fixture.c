#include "support/trace_fixture.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

const char trace_rows[] = "10,0,1,1,1,0,pull,-,0,0,0\n"
                          "11,1,1,1,1,0,pull,-,0,0,0\n"
                          "12,0,0,1,1,0,pull,-,0,0,0\n"
                          "12,1,0,1,1,0,pull,-,0,0,0\n"
                          "40,0,0,1,2,1,push,applied,0,8,28\n"
                          "41,1,0,1,2,1,abstain,-,0,0,29\n";

dcps_trace_run trace_run(void)
{
    return (dcps_trace_run){.server_count = 1,
                            .shards_per_server = 2,
                            .workers = 2,
                            .seed = 7,
                            .batch_size = 8,
                            .epochs = 3,
                            .settings = "algorithm asgd, learning rate 0.1",
                            .total_params = 64,
                            .block_params = 16,
                            .samples_per_epoch = 48,
                            .rows = {6, 4},
                            .complete = true,
                            .weights_digest = UINT64_C(0xfedcba9876543210)};
}

void trace_write_rows(const temp_folder *folder, const char *rows)
{
    char text[4096];
    int length = snprintf(text, sizeof(text), "%s%s", TRACE_HEADING, rows);
    ck_assert(length > 0 && (size_t)length < sizeof(text));
    temp_write(folder, "shard-0.csv", text, (size_t)length, false);
}

void trace_write(const temp_folder *folder)
{
    static const char second[] = TRACE_HEADING "10,2,1,1,1,0,pull,-,0,0,0\n"
                                               "11,3,1,1,1,0,pull,-,0,0,0\n"
                                               "12,2,0,1,1,0,pull,-,0,0,0\n"
                                               "12,3,0,1,1,0,pull,-,0,0,0\n";
    dcps_trace_run run = trace_run();
    ck_assert_msg(dcps_trace_run_write(&run, folder->path) == DCPS_OK, "%s", dcps_error_message());
    trace_write_rows(folder, trace_rows);
    temp_write(folder, "shard-1.csv", second, sizeof(second) - 1, false);
}
