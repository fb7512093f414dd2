/* The table at the end of a run or a comparison. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "cli/common/table.h"
#include "cli/results/overview.h"

/* Larger ones are shown as powers of ten. */
#define DCPS_WIDEST 1e7

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

static void cell_number(dcps_table *table, double value, double error, int digits, const char *unit)
{
    if (!isfinite(value)) {
        dcps_table_cell(table, "–");
    } else if (fabs(value) >= DCPS_WIDEST) {
        dcps_table_cell(table, "%.2e%s", value, unit);
    } else if (isfinite(error)) {
        dcps_table_cell(table, "%.*f ± %.*f%s", digits, value, digits, error, unit);
    } else {
        dcps_table_cell(table, "%.*f%s", digits, value, unit);
    }
}

/* What columns a table has depends on what there is to say. */
typedef struct layout {
    bool gap;
    bool failures;
} layout;

static layout layout_of(const dcps_overview *overview)
{
    layout made = {.gap = false};
    for (uint32_t i = 0; i < overview->row_count; i++) {
        made.gap = made.gap || overview->rows[i].gap.kind != DCPS_RATIO_NONE;
        made.failures = made.failures || overview->rows[i].failed > 0;
    }
    return made;
}

static void add_metric(dcps_table *table, const dcps_overview *overview, const dcps_overview_row *row)
{
    const dcps_estimate *estimate = dcps_overview_main(overview, row);
    bool share = is_share(overview->metric);
    double scale = share ? 100.0 : 1.0;
    if (estimate == NULL) {
        dcps_table_cell(table, "–");
        return;
    }
    cell_number(table, estimate->mean * scale, estimate->standard_error * scale, share ? 2 : digits_of(estimate->mean),
                share ? " %" : "");
}

static void add_gap(dcps_table *table, const dcps_ratio *gap)
{
    switch (gap->kind) {
    case DCPS_RATIO_NO_BASE:
        dcps_table_cell(table, "no gap");
        return;
    case DCPS_RATIO_UNCLEAR:
        dcps_table_cell(table, "no clear gap");
        return;
    case DCPS_RATIO_POINT:
        dcps_table_cell(table, "%.0f %%", 100.0 * gap->value);
        return;
    case DCPS_RATIO_KNOWN:
        dcps_table_cell(table, "%.0f %% [%.0f, %.0f]", 100.0 * gap->value, 100.0 * gap->low, 100.0 * gap->high);
        return;
    case DCPS_RATIO_NONE:
    default:
        dcps_table_cell(table, "–");
    }
}

static void add_target(dcps_table *table, const dcps_overview_row *row)
{
    if (row->reached > 0 && row->reached < row->run_count) {
        dcps_table_cell(table, "%" PRIu32 " of %" PRIu32, row->reached, row->run_count);
    } else if (row->reached == 0 && isfinite(row->seconds_short_of_target)) {
        dcps_table_cell(table, "> %.1f", row->seconds_short_of_target);
    } else {
        cell_number(table, row->seconds_to_target.mean, row->seconds_to_target.standard_error, 1, "");
    }
}

static void add_figure(dcps_table *table, const dcps_overview_row *row, dcps_figure figure, int digits,
                       const char *unit)
{
    cell_number(table, row->figures[figure].mean, (double)NAN, digits, unit);
}

static void add_loss(dcps_table *table, const dcps_overview_row *row)
{
    double loss = row->figures[DCPS_FIGURE_TRAIN_LOSS].mean;
    if (row->diverged > 0) {
        dcps_table_cell(table, "diverged");
    } else {
        cell_number(table, loss, (double)NAN, digits_of(loss), "");
    }
}

static void add_failures(dcps_table *table, const dcps_overview_row *row)
{
    if (row->failed == 0) {
        dcps_table_cell(table, "complete");
    } else {
        dcps_table_cell(table, "%" PRIu32 " of %" PRIu32 " failed", row->failed, row->all);
    }
}

static void add_row(dcps_table *table, const dcps_overview *overview, const dcps_overview_row *row, layout shown)
{
    char text[64];
    dcps_table_cell(table, "%s", dcps_result_name(row->runs[0]));
    dcps_table_cell(table, "%" PRIu32, row->runs[0]->workers);
    if (overview->metric != NULL) {
        add_metric(table, overview, row);
    }
    if (shown.gap) {
        add_gap(table, &row->gap);
    }
    add_loss(table, row);
    if (overview->has_target) {
        add_target(table, row);
    }
    add_figure(table, row, DCPS_FIGURE_SECONDS, 1, "");
    dcps_table_cell(table, "%s",
                    dcps_format_count(row->figures[DCPS_FIGURE_SAMPLES_PER_SECOND].mean, text, sizeof(text)));
    add_figure(table, row, DCPS_FIGURE_SPEEDUP, 2, "x");
    add_figure(table, row, DCPS_FIGURE_STALENESS, 2, "");
    add_figure(table, row, DCPS_FIGURE_STALENESS_P99, 0, "");
    if (shown.failures) {
        add_failures(table, row);
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

static void add_columns(dcps_table *table, const dcps_overview *overview, layout shown)
{
    char heading[DCPS_RESULT_NAME_BYTES];
    dcps_table_column(table, "algorithm", DCPS_ALIGN_LEFT);
    dcps_table_column(table, "workers", DCPS_ALIGN_RIGHT);
    if (overview->metric != NULL) {
        heading_of(overview->metric, heading, sizeof(heading));
        dcps_table_column(table, heading, DCPS_ALIGN_RIGHT);
    }
    if (shown.gap) {
        dcps_table_column(table, "gap recovered", DCPS_ALIGN_RIGHT);
    }
    dcps_table_column(table, "train loss", DCPS_ALIGN_RIGHT);
    if (overview->has_target) {
        dcps_table_column(table, "s to target", DCPS_ALIGN_RIGHT);
    }
    const char *const rest[] = {"seconds", "samples/s", "speed-up", "staleness", "p99"};
    for (size_t i = 0; i < sizeof(rest) / sizeof(rest[0]); i++) {
        dcps_table_column(table, rest[i], DCPS_ALIGN_RIGHT);
    }
    if (shown.failures) {
        dcps_table_column(table, "runs", DCPS_ALIGN_LEFT);
    }
}

/* "asgd@4", with the seed where there are several. */
static void name_run(const dcps_overview *overview, const dcps_result_run *run, char *out, size_t capacity)
{
    const dcps_overview_row *row = dcps_overview_find(overview, dcps_result_name(run), run->workers);
    bool alone = row == NULL || row->all == 1;
    int length = snprintf(out, capacity, "%s@%" PRIu32, dcps_result_name(run), run->workers);
    if (!alone && length > 0 && (size_t)length < capacity) {
        (void)snprintf(out + length, capacity - (size_t)length, " seed %" PRIu64, run->seed);
    }
}

/* Processes that died in a run, which cost it time or more. */
static void print_deaths(const char *name, const dcps_result_run *run, FILE *out)
{
    if (run->restarts > 0) {
        (void)fprintf(out, "%s: processes that died were started again %" PRIu32 " time%s\n", name, run->restarts,
                      run->restarts == 1 ? "" : "s");
    }
    if (run->workers_lost > 0 && !run->failed) {
        (void)fprintf(out, "%s lost %" PRIu32 " of its workers, which died too often, and went on without\n", name,
                      run->workers_lost);
    }
}

/* Which runs failed or diverged or lost processes, what to make of it, and which weights a single one ended with. */
static void print_remarks(const dcps_overview *overview, FILE *out)
{
    char name[DCPS_RUN_LABEL_BYTES + 64];
    for (uint32_t i = 0; i < overview->results->run_count; i++) {
        const dcps_result_run *run = &overview->results->runs[i];
        name_run(overview, run, name, sizeof(name));
        if (run->failed) {
            (void)fprintf(out, "%s failed: %s\n", name, run->failure);
        }
        print_deaths(name, run, out);
        if (run->weights_final && overview->results->run_count == 1) {
            (void)fprintf(out, "digest of the final weights: %016" PRIx64 "\n", run->weights_digest);
        }
        if (dcps_result_diverged(run)) {
            (void)fprintf(out, "%s diverged: its last figures are not numbers; try a smaller --learning-rate\n", name);
        }
    }
}

/* Rows of which a mean and its error say little, as where a seed has collapsed without diverging. */
static void print_far_apart(const dcps_overview *overview, FILE *out)
{
    char heading[DCPS_RESULT_NAME_BYTES];
    for (uint32_t i = 0; i < overview->row_count; i++) {
        const dcps_overview_row *row = &overview->rows[i];
        const dcps_estimate *estimate = dcps_overview_main(overview, row);
        if (estimate == NULL || !dcps_stats_far_apart(estimate)) {
            continue;
        }
        bool share = is_share(overview->metric);
        double scale = share ? 100.0 : 1.0;
        int digits = share ? 2 : digits_of(estimate->most);
        const char *unit = share ? " %" : "";
        heading_of(overview->metric, heading, sizeof(heading));
        (void)fprintf(out, "%s@%" PRIu32 ": its seeds ended far apart, with a %s from %.*f to %.*f%s, median %.*f%s\n",
                      dcps_result_name(row->runs[0]), row->runs[0]->workers, heading, digits, estimate->least * scale,
                      digits, estimate->most * scale, unit, digits, estimate->median * scale, unit);
    }
}

static bool is_measured(const dcps_overview *overview, const char *metric)
{
    for (uint32_t i = 0; i < overview->row_count; i++) {
        for (uint32_t m = 0; m < overview->rows[i].metric_count; m++) {
            if (strcmp(overview->rows[i].metric_names[m], metric) == 0) {
                return true;
            }
        }
    }
    return false;
}

/* What the signs in the table mean, where they are there. */
static void print_legend(const dcps_overview *overview, layout shown, FILE *out)
{
    uint32_t most = 0;
    for (uint32_t i = 0; i < overview->row_count; i++) {
        most = overview->rows[i].run_count > most ? overview->rows[i].run_count : most;
    }
    if (most > 1) {
        (void)fprintf(out, "Means over %" PRIu32 " seeds, ± standard error.\n", most);
    }
    if (shown.gap) {
        (void)fprintf(out, "Gap recovered: (asgd - this) / (asgd - sgd@1), pairs of the same seed%s.\n",
                      most > 1 ? ", with the 95 % interval of Fieller" : "; one seed gives no interval");
    }
    if (overview->has_target) {
        (void)fprintf(out, "Target: %s %g%s.\n", overview->target.metric, overview->target.value,
                      is_measured(overview, overview->target.metric) ? "" : ", which no run measures");
    }
}

dcps_status dcps_overview_print(const dcps_overview *overview, FILE *out)
{
    dcps_table *table = NULL;
    layout shown = layout_of(overview);
    dcps_status status = dcps_table_create(&table);
    if (status != DCPS_OK) {
        return status;
    }
    add_columns(table, overview, shown);
    for (uint32_t i = 0; i < overview->row_count; i++) {
        add_row(table, overview, &overview->rows[i], shown);
    }
    status = dcps_table_print(table, out);
    dcps_table_destroy(&table);
    if (status == DCPS_OK) {
        print_legend(overview, shown, out);
        print_far_apart(overview, out);
        print_remarks(overview, out);
        status =
            ferror(out) ? dcps_fail(DCPS_IO, "cannot write a table: is the disk full or the pipe closed?") : DCPS_OK;
    }
    return status;
}
