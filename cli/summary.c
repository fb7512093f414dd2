/* The table at the end of a run or a comparison. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "cli/results.h"
#include "cli/stats.h"
#include "cli/table.h"

/* Larger ones are shown as powers of ten. */
#define DCPS_WIDEST 1e7

/* The values of one column over the seeds of one algorithm and number of workers. */
typedef double (*dcps_value_fn)(const dcps_result_run *run, const char *metric);

static double value_metric(const dcps_result_run *run, const char *metric)
{
    return dcps_result_metric(run, metric);
}

static double value_loss(const dcps_result_run *run, const char *metric)
{
    (void)metric;
    return dcps_result_train_loss(run);
}

static double value_seconds(const dcps_result_run *run, const char *metric)
{
    (void)metric;
    return run->seconds;
}

static double value_rate(const dcps_result_run *run, const char *metric)
{
    (void)metric;
    return run->samples_per_second;
}

static double value_speedup(const dcps_result_run *run, const char *metric)
{
    (void)metric;
    return run->speedup;
}

static double value_staleness(const dcps_result_run *run, const char *metric)
{
    (void)metric;
    return run->staleness.mean;
}

static double value_staleness_p99(const dcps_result_run *run, const char *metric)
{
    (void)metric;
    return run->staleness.count == 0 ? (double)NAN : (double)run->staleness.p99;
}

static bool same_kind(const dcps_result_run *a, const dcps_result_run *b)
{
    return a->workers == b->workers && strcmp(a->algorithm, b->algorithm) == 0;
}

/* Runs like `runs[first]` that succeeded. */
static uint32_t good_of(const dcps_results *results, uint32_t first)
{
    uint32_t count = 0;
    for (uint32_t i = first; i < results->run_count; i++) {
        count += same_kind(&results->runs[first], &results->runs[i]) && !results->runs[i].failed;
    }
    return count;
}

/* Mean and spread of a value over the runs like `runs[first]` that succeeded, or over all of them where none did. */
static double mean_of(const dcps_results *results, uint32_t first, dcps_value_fn value, const char *metric,
                      double *spread, double *scratch, size_t *count)
{
    bool any = good_of(results, first) == 0;
    *count = 0;
    for (uint32_t i = first; i < results->run_count; i++) {
        if (same_kind(&results->runs[first], &results->runs[i]) && (any || !results->runs[i].failed)) {
            scratch[(*count)++] = value(&results->runs[i], metric);
        }
    }
    *spread = dcps_stats_spread(scratch, *count);
    return dcps_stats_mean(scratch, *count);
}

static uint32_t seeds_of(const dcps_results *results, uint32_t first)
{
    uint32_t count = 0;
    for (uint32_t i = first; i < results->run_count; i++) {
        count += same_kind(&results->runs[first], &results->runs[i]);
    }
    return count;
}

static bool any_failed(const dcps_results *results)
{
    for (uint32_t i = 0; i < results->run_count; i++) {
        if (results->runs[i].failed) {
            return true;
        }
    }
    return false;
}

static bool any_diverged(const dcps_results *results, uint32_t first)
{
    for (uint32_t i = first; i < results->run_count; i++) {
        if (same_kind(&results->runs[first], &results->runs[i]) && dcps_result_diverged(&results->runs[i])) {
            return true;
        }
    }
    return false;
}

static bool is_share(const char *metric)
{
    size_t length = strlen(metric);
    return length > 6 && strcmp(metric + length - 6, "_error") == 0;
}

/* As many digits as tell two good runs apart: 0.3412, 114.83. */
static int digits_of(double value)
{
    return fabs(value) < 100.0 ? 4 : 2;
}

static void cell_number(dcps_table *table, double value, double spread, size_t count, int digits, const char *unit)
{
    if (!isfinite(value)) {
        dcps_table_cell(table, "–");
    } else if (fabs(value) >= DCPS_WIDEST) {
        dcps_table_cell(table, "%.2e%s", value, unit);
    } else if (count > 1 && isfinite(spread)) {
        dcps_table_cell(table, "%.*f ± %.*f%s", digits, value, digits, spread, unit);
    } else {
        dcps_table_cell(table, "%.*f%s", digits, value, unit);
    }
}

static void add_quality(dcps_table *table, const dcps_results *results, uint32_t first, const char *metric,
                        double *scratch)
{
    size_t count = 0;
    double spread = 0.0;
    if (metric != NULL) {
        double mean = mean_of(results, first, value_metric, metric, &spread, scratch, &count);
        double scale = is_share(metric) ? 100.0 : 1.0;
        cell_number(table, mean * scale, spread * scale, count, is_share(metric) ? 2 : digits_of(mean),
                    is_share(metric) ? " %" : "");
    }
    double loss = mean_of(results, first, value_loss, metric, &spread, scratch, &count);
    if (!isfinite(loss) && any_diverged(results, first)) {
        dcps_table_cell(table, "diverged");
    } else {
        cell_number(table, loss, spread, 1, digits_of(loss), "");
    }
}

static void add_row(dcps_table *table, const dcps_results *results, uint32_t first, const char *metric, double *scratch)
{
    const dcps_result_run *run = &results->runs[first];
    size_t count = 0;
    double spread = 0.0;
    char text[64];
    dcps_table_cell(table, "%s", run->algorithm);
    dcps_table_cell(table, "%" PRIu32, run->workers);
    add_quality(table, results, first, metric, scratch);
    cell_number(table, mean_of(results, first, value_seconds, NULL, &spread, scratch, &count), 0.0, 1, 1, "");
    dcps_table_cell(
        table, "%s",
        dcps_format_count(mean_of(results, first, value_rate, NULL, &spread, scratch, &count), text, sizeof(text)));
    cell_number(table, mean_of(results, first, value_speedup, NULL, &spread, scratch, &count), 0.0, 1, 2, "x");
    cell_number(table, mean_of(results, first, value_staleness, NULL, &spread, scratch, &count), 0.0, 1, 2, "");
    cell_number(table, mean_of(results, first, value_staleness_p99, NULL, &spread, scratch, &count), 0.0, 1, 0, "");
    if (any_failed(results)) {
        uint32_t all = seeds_of(results, first);
        uint32_t good = good_of(results, first);
        if (good == all) {
            dcps_table_cell(table, "complete");
        } else {
            dcps_table_cell(table, "%" PRIu32 " of %" PRIu32 " failed", all - good, all);
        }
    }
}

static void heading_of(const char *metric, char *out, size_t capacity)
{
    size_t i = 0;
    for (; metric[i] != '\0' && i + 1 < capacity; i++) {
        out[i] = metric[i] == '_' ? ' ' : metric[i];
    }
    out[i] = '\0';
}

static void add_columns(dcps_table *table, const dcps_results *results, const char *metric)
{
    char heading[DCPS_RESULT_NAME_BYTES];
    dcps_table_column(table, "algorithm", DCPS_ALIGN_LEFT);
    dcps_table_column(table, "workers", DCPS_ALIGN_RIGHT);
    if (metric != NULL) {
        heading_of(metric, heading, sizeof(heading));
        dcps_table_column(table, heading, DCPS_ALIGN_RIGHT);
    }
    const char *const rest[] = {"train loss", "seconds", "samples/s", "speed-up", "staleness", "p99"};
    for (size_t i = 0; i < sizeof(rest) / sizeof(rest[0]); i++) {
        dcps_table_column(table, rest[i], DCPS_ALIGN_RIGHT);
    }
    if (any_failed(results)) {
        dcps_table_column(table, "runs", DCPS_ALIGN_LEFT);
    }
}

static bool seen_before(const dcps_results *results, uint32_t index)
{
    for (uint32_t i = 0; i < index; i++) {
        if (same_kind(&results->runs[i], &results->runs[index])) {
            return true;
        }
    }
    return false;
}

/* "asgd@4", with the seed where there are several. */
static void name_run(const dcps_results *results, const dcps_result_run *run, char *out, size_t capacity)
{
    bool alone = true;
    for (uint32_t i = 0; i < results->run_count; i++) {
        alone = alone && (&results->runs[i] == run || !same_kind(&results->runs[i], run));
    }
    int length = snprintf(out, capacity, "%s@%" PRIu32, run->algorithm, run->workers);
    if (!alone && length > 0 && (size_t)length < capacity) {
        (void)snprintf(out + length, capacity - (size_t)length, " seed %" PRIu64, run->seed);
    }
}

/* What the table cannot say: which runs failed or diverged, what to make of it, and which weights a single one ended with. */
static dcps_status print_remarks(const dcps_results *results, FILE *out)
{
    char name[DCPS_RESULT_NAME_BYTES + 64];
    for (uint32_t i = 0; i < results->run_count; i++) {
        const dcps_result_run *run = &results->runs[i];
        name_run(results, run, name, sizeof(name));
        if (run->failed) {
            (void)fprintf(out, "%s failed: %s\n", name, run->failure);
        }
        if (run->weights_final && results->run_count == 1) {
            (void)fprintf(out, "digest of the final weights: %016" PRIx64 "\n", run->weights_digest);
        }
        if (dcps_result_diverged(run)) {
            (void)fprintf(out, "%s diverged: its training loss is not a number; try a smaller --learning-rate\n", name);
        }
    }
    return ferror(out) ? dcps_fail(DCPS_IO, "cannot write a table: is the disk full or the pipe closed?") : DCPS_OK;
}

dcps_status dcps_results_print(const dcps_results *results, FILE *out)
{
    const char *metric = dcps_results_main_metric(results);
    dcps_table *table = NULL;
    double *scratch = dcps_alloc(results->run_count + 1u, sizeof(double));
    if (scratch == NULL) {
        return dcps_fail(DCPS_NO_MEMORY, "no memory for the summary");
    }
    dcps_status status = dcps_table_create(&table);
    if (status == DCPS_OK) {
        add_columns(table, results, metric);
        for (uint32_t i = 0; i < results->run_count; i++) {
            if (!seen_before(results, i)) {
                add_row(table, results, i, metric, scratch);
            }
        }
        status = dcps_table_print(table, out);
        dcps_table_destroy(&table);
    }
    if (status == DCPS_OK) {
        status = print_remarks(results, out);
    }
    dcps_free(scratch);
    return status;
}
