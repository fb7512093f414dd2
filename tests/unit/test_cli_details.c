/* What a run was like inside: kept, as JSON and as tables, against literal expectations. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "cli/results/results.h"
#include "support/check_main.h"

#define MS 1000000u

static dcps_worker_statistics worker_of(uint32_t id, const char *name, uint64_t staleness, uint64_t held_ms)
{
    dcps_worker_statistics worker = {.worker = id, .steps = 100 + id, .pushes = {.applied = 4}};
    (void)snprintf(worker.name, sizeof(worker.name), "%s", name);
    for (uint32_t i = 0; i < 4; i++) {
        dcps_histogram_add(&worker.staleness, i == 0 ? 0 : staleness);
        dcps_histogram_add(&worker.held_ns, held_ms * MS);
    }
    return worker;
}

/* Workers 0 and 1, of which worker 0 is the second process and slow, and one shard. */
static void keep(dcps_result_details *details, const char *first, const char *second, uint64_t held_ms)
{
    static const dcps_counts staleness = {.sum = 12, .max = 2, .of = {2, 0, 6}};
    dcps_groups groups;
    dcps_run_statistics statistics = {.shard_count = 0};
    const dcps_worker_statistics workers[] = {worker_of(0, second, 2, 0), worker_of(1, first, 2, held_ms)};
    const dcps_shard_statistics shard = {
        .shard = 3,
        .updates = 8,
        .pushes = {.applied = 8, .dropped_stale = 1, .dropped_round = 2, .duplicates = 5},
        .staleness = {.mean = 1.5, .p50 = 2, .p99 = 2, .max = 2, .count = 8},
        .held_ns = {.mean = (double)NAN},
        .queue_now = 1,
        .queue_max = 1234,
        .queue_mean = 0.25,
        .backlog_max = 64,
        .backlog_mean = 1.75};
    const dcps_shard_histograms histograms = {
        .staleness = {.count = 8, .sum = 12, .max = 2, .buckets = {[0] = 2, [2] = 6}}};
    ck_assert_int_eq(dcps_groups_parse("slow:1:4", &groups), DCPS_OK);
    ck_assert_int_eq(dcps_worker_table_add(&statistics.workers, &workers[0]), DCPS_OK);
    ck_assert_int_eq(dcps_worker_table_add(&statistics.workers, &workers[1]), DCPS_OK);
    ck_assert_int_eq(dcps_run_statistics_add_shard(&statistics, &shard, &histograms), DCPS_OK);
    *details = (dcps_result_details){.worker_count = 0};
    ck_assert_int_eq(dcps_result_details_keep(details, &statistics, &staleness, &groups, 2), DCPS_OK);
    dcps_run_statistics_fini(&statistics);
}

static void check_json(json_t *json, const char *expected)
{
    char *text = json_dumps(json, JSON_COMPACT | JSON_REAL_PRECISION(12));
    ck_assert_str_eq(text, expected);
    free(text);
    json_decref(json);
}

START_TEST(groups_go_by_the_names_of_processes)
{
    dcps_result_details details;
    keep(&details, "worker-0", "worker-1", 1);
    ck_assert_str_eq(details.workers[0].group, "slow");
    ck_assert_str_eq(details.workers[1].group, "rest");
    dcps_result_details_fini(&details);
    keep(&details, "host:4711", "worker-x", 1); /* else by id */
    ck_assert_str_eq(details.workers[0].group, "rest");
    ck_assert_str_eq(details.workers[1].group, "slow");
    dcps_result_details_fini(&details);
}
END_TEST

#define STALENESS(histogram) "{\"mean\":1.5,\"p50\":2,\"p99\":2,\"max\":2,\"histogram\":" histogram "}"
#define NOTHING "{\"mean\":null,\"p50\":null,\"p99\":null,\"max\":null}"

static const dcps_histogram no_histogram;

START_TEST(documents)
{
    dcps_result_details details;
    const dcps_summary wait = {.mean = 2.5 * MS, .p50 = 2 * MS, .p99 = 4 * MS, .max = 5 * MS, .count = 9};
    const dcps_histogram waits = {.count = 9, .buckets = {[0] = 1, [17] = 2, [DCPS_HISTOGRAM_BUCKETS - 1u] = 6}};
    keep(&details, "worker-0", "worker-1", 8);
    dcps_result_details_set_wait(&details, 1, &wait, &waits, 0.25);
    dcps_result_details_set_wait(&details, 7, &wait, &waits, 0.75); /* nobody */
    check_json(dcps_details_staleness_json(&details), "[[0,2],[2,6]]");
    check_json(dcps_details_pushes_json(&details.pushes),
               "{\"applied\":8,\"dropped\":3,\"dropped_stale\":1,\"dropped_round\":2,\"duplicates\":5}");
    check_json(
        dcps_details_workers_json(details.workers, details.worker_count),
        "[{\"worker\":0,\"name\":\"worker-1\",\"group\":\"slow\",\"steps\":100,"
        "\"staleness\":" STALENESS(
            "[[0,1],[2,3]]") ",\"wait_seconds\":" NOTHING
                             ",\"wait_share\":null,\"held_seconds\":{\"mean\":0.0,\"p50\":0.0,\"p99\":0.0,\"max\":0.0,"
                             "\"histogram\":[[0.0,4]]},\"dropped\":0,"
                             "\"pushes\":{\"applied\":4,\"dropped\":0,\"dropped_stale\":0,\"dropped_round\":0,"
                             "\"duplicates\":0}},"
                             "{\"worker\":1,\"name\":\"worker-0\",\"group\":\"rest\",\"steps\":101,"
                             "\"staleness\":" STALENESS(
                                 "[[0,1],[2,3]]") ","
                                                  "\"wait_seconds\":{\"mean\":0.0025,\"p50\":0.002,\"p99\":0.004,"
                                                  "\"max\":0.005,"
                                                  "\"histogram\":[[0.0,1],[1.8e-8,2],[2061.58430208,6]]},\"wait_"
                                                  "share\":0.25,"
                                                  "\"held_seconds\":{\"mean\":0.008,\"p50\":0.008,\"p99\":0.008,"
                                                  "\"max\":0.008,"
                                                  "\"histogram\":[[0.00786432,4]]},\"dropped\":0,"
                                                  "\"pushes\":{\"applied\":4,\"dropped\":0,\"dropped_stale\":0,"
                                                  "\"dropped_round\":0,\"duplicates\":0}}]");
    check_json(dcps_details_shards_json(details.shards, details.histograms, details.shard_count),
               "[{\"shard\":3,\"updates\":8,\"staleness\":" STALENESS(
                   "[[0,2],[2,6]]") ","
                                    "\"held_seconds\":" NOTHING ",\"queue\":{\"now\":1,\"mean\":0.25,\"max\":1234},"
                                    "\"backlog\":{\"mean\":1.75,\"max\":64},"
                                    "\"pushes\":{\"applied\":8,\"dropped\":3,\"dropped_stale\":1,\"dropped_round\":2,"
                                    "\"duplicates\":5}}]");
    dcps_result_details_fini(&details);
}
END_TEST

/* In a run: at their places, and only where they are known. */
START_TEST(runs_have_them)
{
    dcps_results results = {.model = "m"};
    dcps_result_run *run = NULL;
    ck_assert_int_eq(dcps_results_add(&results, &run), DCPS_OK);
    keep(&run->details, "worker-0", "worker-1", 8);
    for (int known = 0; known < 2; known++) {
        run->details_known = known == 1;
        json_t *document = dcps_results_json(&results);
        json_t *told = json_array_get(json_object_get(document, "runs"), 0);
        json_t *histogram = json_object_get(json_object_get(told, "staleness"), "histogram");
        ck_assert_uint_eq(json_array_size(histogram), known == 1 ? 2 : 0);
        ck_assert_uint_eq(json_array_size(json_object_get(told, "per_worker")), known == 1 ? 2 : 0);
        ck_assert_uint_eq(json_array_size(json_object_get(told, "per_shard")), known == 1 ? 1 : 0);
        ck_assert_uint_eq(json_object_size(json_object_get(told, "pushes")), known == 1 ? 5 : 0);
        ck_assert_str_eq(json_string_value(json_object_get(told, "algorithm")), "");
        json_decref(document);
    }
    dcps_results_fini(&results);
}
END_TEST

static void check_details(const dcps_results *results, const char *expected)
{
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    ck_assert_int_eq(dcps_results_print_details(results, out), DCPS_OK);
    (void)fclose(out);
    ck_assert_str_eq(text, expected);
    free(text);
}

#define SHARD_TABLE                                                                                                                                                                                                                                                                                                  \
    "\n"                                                                                                                                                                                                                                                                                                             \
    "shard  updates  staleness  p99  held mean  held p99  queue  queue max  backlog  backlog max  dropped\n"                                                                                                                                                                                                         \
    "────────────────────────────────────────────────────────────────────────────────────────────────────\n" \
    "    3        8       1.50    2          –         –    0.2      1,234      1.8           64        3\n"

START_TEST(tables_have_what_is_known)
{
    dcps_results results = {.model = "m"};
    dcps_result_run *run = NULL;
    const dcps_summary wait = {.mean = 2.5 * MS, .p50 = 2 * MS, .p99 = 4 * MS, .max = 5 * MS, .count = 9};
    check_details(&results, "");
    ck_assert_int_eq(dcps_results_add(&results, &run), DCPS_OK);
    keep(&run->details, "worker-1", "worker-0", 8);
    check_details(&results, "");
    run->details_known = true;
    run->details.workers[0].pushes.dropped_round = 12;
    dcps_result_details_set_wait(&run->details, 1, &wait, &no_histogram, 0.25);
    check_details(
        &results,
        "\n"
        "worker  group  steps  staleness  p99  max  waiting  wait p50  wait p99  held mean  held p99  dropped\n"
        "────────────────────────────────────────────────────────────────────────────────────────────────────\n"
        "     0  rest     100       1.50    2    2        –         –         –          0         0       12\n"
        "     1  slow     101       1.50    2    2     25 %   2.00 ms   4.00 ms    8.00 ms   8.00 ms        "
        "0\n" SHARD_TABLE);
    dcps_results_fini(&results);
}
END_TEST

START_TEST(columns_that_say_nothing_are_left_out)
{
    dcps_results results = {.model = "m"};
    dcps_result_run *run = NULL;
    ck_assert_int_eq(dcps_results_add(&results, &run), DCPS_OK);
    keep(&run->details, "", "host:4711", 0);
    run->details_known = true;
    (void)snprintf(run->details.workers[1].group, sizeof(run->details.workers[1].group), "rest");
    check_details(&results, "\n"
                            "worker  name       steps  staleness  p99  max\n"
                            "─────────────────────────────────────────────\n"
                            "     0  host:4711    100       1.50    2    2\n"
                            "     1               101       1.50    2    2\n" SHARD_TABLE);
    dcps_results_fini(&results);
}
END_TEST

START_TEST(long_tables_are_cut)
{
    static dcps_result_worker workers[100];
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    ck_assert_int_eq(dcps_details_print_workers(workers, 100, out), DCPS_OK);
    (void)fclose(out);
    size_t lines = 0;
    for (const char *at = text; (at = strchr(at, '\n')) != NULL; at++) {
        lines++;
    }
    ck_assert_uint_eq(lines, 2 + 32 + 1);
    ck_assert_ptr_nonnull(strstr(text, "and 68 more\n"));
    free(text);
}
END_TEST

START_TEST(without_memory_nothing_is_kept)
{
    static const dcps_counts staleness = {.of = {1}};
    const dcps_groups groups = {.count = 0};
    const dcps_run_statistics statistics = {.shard_count = 0};
    for (uint64_t n = 0; n < 4; n++) {
        dcps_result_details details = {.worker_count = 0};
        dcps_alloc_fail_after(n);
        ck_assert_int_eq(dcps_result_details_keep(&details, &statistics, &staleness, &groups, 1), DCPS_NO_MEMORY);
        dcps_alloc_fail_after(UINT64_MAX);
        ck_assert_ptr_null(details.workers);
    }
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {groups_go_by_the_names_of_processes,
                                  documents,
                                  runs_have_them,
                                  tables_have_what_is_known,
                                  columns_that_say_nothing_are_left_out,
                                  long_tables_are_cut,
                                  without_memory_nothing_is_kept};
    return CHECK_MAIN("cli details", tests);
}
