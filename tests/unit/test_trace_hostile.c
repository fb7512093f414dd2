/* Traces that are damaged, lie or attack: each is refused with file, line and column, whatever is wrong with it. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/check_main.h"
#include "support/trace_fixture.h"

static temp_folder folder;

static void setup(void)
{
    temp_folder_create(&folder);
    trace_write(&folder);
}

static void teardown(void)
{
    temp_folder_delete(&folder);
}

static void expect_error(dcps_status seen, dcps_status expected, const char *part)
{
    ck_assert_msg(seen == expected, "%s, expected %s (%s)", dcps_status_name(seen), dcps_status_name(expected), part);
    ck_assert_msg(strstr(dcps_error_message(), part) != NULL, "\"%s\" does not say \"%s\"", dcps_error_message(), part);
}

static void refuse_order(const dcps_trace_run *run, const char *part)
{
    dcps_replay_order order = {.block_count = 77};
    expect_error(dcps_trace_read_order(folder.path, run, 0, &order), DCPS_CORRUPT, part);
    ck_assert_uint_eq(order.block_count, 77);
}

/* Lines that come after a good one, and what is said about each. */
static const struct {
    const char *line;
    const char *part;
} bad_lines[] = {
    {"", "shard-0.csv:3: column ns is \"\""},
    {"\n", "shard-0.csv:3: column ns is \"\""},
    {"x,0,1,1,1,0,pull,-,0,0,0", "column ns is \"x\", expected a number below 9223372036854775807"},
    {"-1,0,1,1,1,0,pull,-,0,0,0", "column ns is \"-1\""},
    {" 10,0,1,1,1,0,pull,-,0,0,0", "column ns is \" 10\""},
    {"+10,0,1,1,1,0,pull,-,0,0,0", "column ns is \"+10\""},
    {"99999999999999999999999,0,1,1,1,0,pull,-,0,0,0", "column ns is \"99999999999999999999999\""},
    {"18446744073709551616,0,1,1,1,0,pull,-,0,0,0", "column ns"},
    {"9,0,1,1,1,0,pull,-,0,0,0", "column ns falls from 10 to 9"},
    {"10,2,1,1,1,0,pull,-,0,0,0", "column block is 2, the shard has 2 blocks from 0"},
    {"10,4294967296,1,1,1,0,pull,-,0,0,0", "column block is \"4294967296\""},
    {"10,0,2,1,1,0,pull,-,0,0,0", "column worker is 2, the run had 2 workers"},
    {"10,0,1024,1,1,0,pull,-,0,0,0", "column worker is \"1024\", expected a number below 1024"},
    {"10,0,1,0,2,0,pull,-,0,0,0", "column incarnation is 0"},
    {"10,0,1,2,2,0,pull,-,0,0,0", "column incarnation is 2, 1 everywhere in a complete trace"},
    {"10,0,1,1,1,0,pull,-,0,0,0", "column seq is 1, after 1 of worker 1 at block 0 comes 2"},
    {"10,0,0,1,2,0,pull,-,0,0,0", "column seq is 2, after 0 of worker 0 at block 0 comes 1"},
    {"10,0,1,1,2,9223372036854775807,pull,-,0,0,0", "column step is"},
    {"10,0,1,1,2,0,Pull,-,0,0,0", "column kind is \"Pull\", expected pull, init, push or abstain"},
    {"10,0,1,1,2,0,,-,0,0,0", "column kind is \"\""},
    {"10,0,1,1,2,0,pull,lost,0,0,0", "column fate is \"lost\", expected -, applied or dropped"},
    {"10,0,1,1,2,0,push,-,0,8,0", "kind, fate and samples contradict each other"},
    {"10,0,1,1,2,0,push,applied,0,0,0", "kind, fate and samples contradict each other"},
    {"10,0,1,1,2,0,pull,applied,0,8,0", "kind, fate and samples contradict each other"},
    {"10,0,1,1,2,0,pull,-,1,0,0", "staleness of a request that is no push"},
    {"10,0,1,1,2,0,pull,-,0,0,5", "away_ns of a request that is no push"},
    {"10,0,1,1,2,0,pull,-,0,0", "column away_ns is \"\""},
    {"10,0,1,1,2,0,pull,-,0,0,0,", "something comes after column away_ns"},
    {"10,0,1,1,2,0,pull,-,0,0,0,1", "something comes after column away_ns"},
    {"10,0,1,1,2,0,pull,-,0,0,0\r", "column away_ns is"},
};

START_TEST(every_column_is_checked)
{
    const dcps_trace_run run = trace_run();
    char rows[512];
    (void)snprintf(rows, sizeof(rows), "10,0,1,1,1,0,pull,-,0,0,0\n%s\n", bad_lines[_i].line);
    trace_write_rows(&folder, rows);
    refuse_order(&run, bad_lines[_i].part);
}
END_TEST

START_TEST(lines_are_of_a_certain_length_and_end)
{
    const dcps_trace_run run = trace_run();
    char rows[2048];
    memset(rows, '1', sizeof(rows));
    rows[sizeof(rows) - 1] = '\0';
    trace_write_rows(&folder, rows);
    refuse_order(&run, "shard-0.csv:2: the line has a zero byte, no end, or more than 255 bytes");
    char cut[sizeof(TRACE_HEADING) + 512];
    int length = snprintf(cut, sizeof(cut), "%s%s", TRACE_HEADING, trace_rows);
    temp_write(&folder, "shard-0.csv", cut, (size_t)length - 1, false);
    refuse_order(&run, "shard-0.csv:7: the line has");
    cut[length / 2] = '\0';
    temp_write(&folder, "shard-0.csv", cut, (size_t)length, false);
    refuse_order(&run, "the line has a zero byte");
}
END_TEST

START_TEST(the_heading_is_checked)
{
    const dcps_trace_run run = trace_run();
    static const char other[] = "ns,block,worker\n10,0,1,1,1,0,pull,-,0,0,0\n10,0,1,1,1,0,pull,-,0,0,0\n"
                                "10,0,1,1,1,0,pull,-,0,0,0\n10,0,1,1,1,0,pull,-,0,0,0\n";
    temp_write(&folder, "shard-0.csv", other, sizeof(other) - 1, false);
    refuse_order(&run, "shard-0.csv:1: the heading is not");
}
END_TEST

START_TEST(lines_that_are_missing_are_missed)
{
    dcps_trace_run run = trace_run();
    run.rows[0] = 7;
    refuse_order(&run, "has 6 requests, the server has recorded 7");
    run.rows[0] = 5;
    refuse_order(&run, "has 6 requests, the server has recorded 5");
}
END_TEST

/* A description asks for no more memory than the file can fill. */
START_TEST(impossible_descriptions_are_refused)
{
    dcps_trace_run run = trace_run();
    run.total_params = 0;
    refuse_order(&run, "impossible model");
    run = trace_run();
    run.block_params = 17;
    refuse_order(&run, "impossible model");
    run = trace_run();
    run.workers = DCPS_MAX_WORKERS;
    refuse_order(&run, "cannot tell of 2 blocks and 1024 workers");
    run = trace_run();
    run.total_params = UINT64_C(16) << 19;
    refuse_order(&run, "cannot tell of");
}
END_TEST

/* Nobody writes into these pipes. */
START_TEST(pipes_are_no_traces)
{
    char path[TEMP_PATH_BYTES];
    const dcps_trace_run run = trace_run();
    dcps_replay_order order;
    dcps_trace_run back;
    ck_assert_int_eq(unlink(temp_path(&folder, "shard-0.csv", path)), 0);
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    expect_error(dcps_trace_read_order(folder.path, &run, 0, &order), DCPS_CORRUPT,
                 "shard-0.csv: expected a regular file");
    ck_assert_int_eq(unlink(temp_path(&folder, "server-0.json", path)), 0);
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    expect_error(dcps_trace_run_read(folder.path, 0, &back), DCPS_CORRUPT, "server-0.json: expected a regular file");
}
END_TEST

START_TEST(files_that_are_not_there_are_named)
{
    const dcps_trace_run run = trace_run();
    dcps_replay_order order;
    dcps_trace_run back;
    dcps_trace_settings settings;
    expect_error(dcps_trace_read_order("/nowhere", &run, 0, &order), DCPS_NOT_FOUND, "/nowhere/shard-0.csv");
    expect_error(dcps_trace_run_read(folder.path, 1, &back), DCPS_NOT_FOUND, "server-1.json");
    expect_error(dcps_trace_settings_read(folder.path, &settings), DCPS_NOT_FOUND, "run.json");
}
END_TEST

/* The description of the fixture with one piece of it exchanged. */
static const struct {
    const char *piece;
    const char *other;
    const char *part;
} bad_pieces[] = {
    {"dcps-trace/1", "dcps-trace/9", "\"schema\" is not dcps-trace/1"},
    {"\"workers\": 2", "\"workers\": 0", "field \"workers\""},
    {"\"workers\": 2", "\"workers\": 1025", "field \"workers\""},
    {"\"workers\": 2", "\"workers\": -1", "field \"workers\""},
    {"\"workers\": 2", "\"workers\": 2.0", "field \"workers\""},
    {"\"workers\": 2", "\"workers\": \"2\"", "field \"workers\""},
    {"\"workers\": 2", "\"workers\": 2, \"workers\": 2", "server-0.json:"},
    {"\"shards_per_server\": 2", "\"shards_per_server\": 65", "field \"shards_per_server\""},
    {"\"shards_per_server\": 2", "\"shards_per_server\": 3", "field \"rows\""},
    {"\"server_index\": 0", "\"server_index\": 1", "it is of server 1"},
    {"\"complete\": true", "\"complete\": 1", "field \"complete\""},
    {"fedcba9876543210", "fedcba987654321", "field \"weights_digest\""},
    {"fedcba9876543210", "0xdcba9876543210", "field \"weights_digest\""},
    {"\"reason\": \"\"", "\"reason\": null", "field \"reason\""},
    {"\"settings\"", "\"sittings\"", "field \"settings\""},
    {"    6,", "    -6,", "field \"rows\""},
    {"{", "[", "server-0.json:"},
};

START_TEST(every_field_is_checked)
{
    char path[TEMP_PATH_BYTES];
    char text[4096];
    char damaged[4096];
    dcps_trace_run back = {.workers = 77};
    FILE *file = fopen(temp_path(&folder, "server-0.json", path), "r");
    text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
    (void)fclose(file);
    const char *place = strstr(text, bad_pieces[_i].piece);
    ck_assert_ptr_nonnull(place);
    int length = snprintf(damaged, sizeof(damaged), "%.*s%s%s", (int)(place - text), text, bad_pieces[_i].other,
                          place + strlen(bad_pieces[_i].piece));
    temp_write(&folder, "server-0.json", damaged, (size_t)length, false);
    expect_error(dcps_trace_run_read(folder.path, 0, &back), DCPS_CORRUPT, bad_pieces[_i].part);
    ck_assert_uint_eq(back.workers, 77);
}
END_TEST

START_TEST(long_texts_and_files_are_refused)
{
    static char text[2u << 20];
    dcps_trace_run back;
    memset(text, ' ', sizeof(text));
    temp_write(&folder, "server-0.json", text, sizeof(text), false);
    expect_error(dcps_trace_run_read(folder.path, 0, &back), DCPS_LIMIT, "at most 1048576 bytes");
    dcps_trace_settings settings;
    temp_write(&folder, "run.json", text, sizeof(text), false);
    expect_error(dcps_trace_settings_read(folder.path, &settings), DCPS_LIMIT, "run.json");
}
END_TEST

START_TEST(settings_of_the_start_are_texts)
{
    static const char *const texts[] = {
        "{\"schema\": \"dcps-trace/1\"}", "{\"schema\": \"dcps-trace/1\", \"options\": []}",
        "{\"schema\": \"dcps-trace/1\", \"options\": {\"epochs\": 3}}", "{\"options\": {}}", ""};
    dcps_trace_settings settings;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        temp_write(&folder, "run.json", texts[i], strlen(texts[i]), false);
        expect_error(dcps_trace_settings_read(folder.path, &settings), DCPS_CORRUPT, "run.json");
    }
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {lines_are_of_a_certain_length_and_end, the_heading_is_checked,
                                  lines_that_are_missing_are_missed,     impossible_descriptions_are_refused,
                                  files_that_are_not_there_are_named,    pipes_are_no_traces,
                                  long_texts_and_files_are_refused,      settings_of_the_start_are_texts};
    Suite *suite = suite_create("hostile traces");
    TCase *group = tcase_create("files");
    tcase_add_checked_fixture(group, setup, teardown);
    for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
        tcase_add_test(group, tests[i]);
    }
    tcase_add_loop_test(group, every_column_is_checked, 0, sizeof(bad_lines) / sizeof(bad_lines[0]));
    tcase_add_loop_test(group, every_field_is_checked, 0, sizeof(bad_pieces) / sizeof(bad_pieces[0]));
    suite_add_tcase(suite, group);
    return check_run(suite);
}
