#include "cli/results/overview.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/text.h"

dcps_status dcps_target_parse(const char *text, dcps_target *target)
{
    dcps_target parsed = {.value = 0.0};
    const char *equals = strchr(text, '=');
    const char *number = equals == NULL ? text : equals + 1;
    size_t length = equals == NULL ? 0 : (size_t)(equals - text);
    if (length < sizeof(parsed.metric) && (equals == NULL || length > 0) &&
        dcps_parse_real("--target", number, &parsed.value) == DCPS_OK) {
        memcpy(parsed.metric, text, length);
        *target = parsed;
        return DCPS_OK;
    }
    return dcps_fail(DCPS_INVALID, "--target '%.200s': expected a number or METRIC=NUMBER, for example test_error=0.12",
                     text);
}

static double value_loss(const dcps_result_run *run)
{
    return dcps_result_train_loss(run);
}

static double value_seconds(const dcps_result_run *run)
{
    return run->seconds;
}

static double value_rate(const dcps_result_run *run)
{
    return run->samples_per_second;
}

static double value_speedup(const dcps_result_run *run)
{
    return run->speedup;
}

static double value_staleness(const dcps_result_run *run)
{
    return run->staleness.mean;
}

static double value_staleness_p99(const dcps_result_run *run)
{
    return run->staleness.count == 0 ? (double)NAN : (double)run->staleness.p99;
}

static const struct {
    const char *name;
    double (*value)(const dcps_result_run *run);
} figures[DCPS_FIGURE_COUNT] = {[DCPS_FIGURE_TRAIN_LOSS] = {"train_loss", value_loss},
                                [DCPS_FIGURE_SECONDS] = {"seconds", value_seconds},
                                [DCPS_FIGURE_SAMPLES_PER_SECOND] = {"samples_per_second", value_rate},
                                [DCPS_FIGURE_SPEEDUP] = {"speedup", value_speedup},
                                [DCPS_FIGURE_STALENESS] = {"staleness_mean", value_staleness},
                                [DCPS_FIGURE_STALENESS_P99] = {"staleness_p99", value_staleness_p99}};

const char *dcps_figure_name(dcps_figure figure)
{
    return figures[figure].name;
}

static bool is_named(const dcps_overview_row *row, const char *name, uint32_t workers)
{
    return row->runs[0]->workers == workers && strcmp(dcps_result_name(row->runs[0]), name) == 0;
}

static dcps_overview_row *find_row(const dcps_overview *overview, const char *name, uint32_t workers)
{
    for (uint32_t i = 0; i < overview->row_count; i++) {
        if (is_named(&overview->rows[i], name, workers)) {
            return &overview->rows[i];
        }
    }
    return NULL;
}

const dcps_overview_row *dcps_overview_find(const dcps_overview *overview, const char *name, uint32_t workers)
{
    return find_row(overview, name, workers);
}

const dcps_estimate *dcps_overview_main(const dcps_overview *overview, const dcps_overview_row *row)
{
    for (uint32_t m = 0; m < row->metric_count; m++) {
        if (strcmp(row->metric_names[m], overview->metric) == 0) {
            return &row->metrics[m];
        }
    }
    return NULL;
}

/* Every run into its row; rows share one array of pointers, each with a part of its own. */
static dcps_status fill_rows(dcps_overview *overview)
{
    const dcps_results *results = overview->results;
    for (uint32_t i = 0; i < results->run_count; i++) {
        const dcps_result_run *run = &results->runs[i];
        dcps_overview_row *row = find_row(overview, dcps_result_name(run), run->workers);
        if (row == NULL) {
            row = &overview->rows[overview->row_count];
            row->runs = dcps_alloc(results->run_count, sizeof(*row->runs));
            if (row->runs == NULL) {
                return dcps_fail(DCPS_NO_MEMORY, "no memory for the overview");
            }
            overview->row_count++;
        }
        row->runs[row->run_count++] = run;
    }
    return DCPS_OK;
}

/* Keeps the runs that succeeded, or all where none did. */
static void keep_good(dcps_overview_row *row)
{
    uint32_t good = 0;
    row->all = row->run_count;
    for (uint32_t i = 0; i < row->run_count; i++) {
        row->failed += row->runs[i]->failed;
        row->diverged += dcps_result_diverged(row->runs[i]);
    }
    if (row->failed == row->all) {
        return;
    }
    for (uint32_t i = 0; i < row->run_count; i++) {
        if (!row->runs[i]->failed) {
            row->runs[good++] = row->runs[i];
        }
    }
    row->run_count = good;
}

/* What its metrics are called: a run that diverged may have none. NULL: no run has any. */
static const dcps_curve_point *last_point(const dcps_overview_row *row)
{
    for (uint32_t i = 0; i < row->run_count; i++) {
        if (row->runs[i]->point_count > 0) {
            return &row->runs[i]->points[row->runs[i]->point_count - 1];
        }
    }
    return NULL;
}

static void estimate_row(dcps_overview_row *row, double *scratch)
{
    for (uint32_t f = 0; f < DCPS_FIGURE_COUNT; f++) {
        for (uint32_t i = 0; i < row->run_count; i++) {
            scratch[i] = figures[f].value(row->runs[i]);
        }
        row->figures[f] = dcps_stats_estimate(scratch, row->run_count);
    }
    const dcps_curve_point *last = last_point(row);
    row->metric_count = last != NULL ? last->metric_count : 0;
    for (uint32_t m = 0; m < row->metric_count; m++) {
        row->metric_names[m] = last->metrics[m].name;
        for (uint32_t i = 0; i < row->run_count; i++) {
            scratch[i] = dcps_result_metric(row->runs[i], row->metric_names[m]);
        }
        row->metrics[m] = dcps_stats_estimate(scratch, row->run_count);
    }
}

static void time_row(const dcps_overview *overview, dcps_overview_row *row, double *scratch)
{
    row->seconds_short_of_target = (double)NAN;
    for (uint32_t i = 0; overview->has_target && i < row->run_count; i++) {
        const dcps_result_run *run = row->runs[i];
        double seconds = dcps_result_seconds_to(run, overview->target.metric, overview->target.value);
        if (isfinite(seconds)) {
            scratch[row->reached++] = seconds;
        } else {
            row->seconds_short_of_target = fmax(row->seconds_short_of_target, run->seconds);
        }
    }
    row->seconds_to_target = dcps_stats_estimate(scratch, row->reached == row->run_count ? row->reached : 0);
}

/* The runs of `algorithm` that a rule is held against; NULL: there are none. */
static const dcps_overview_row *base_of(const dcps_overview *overview, const dcps_overview_row *row,
                                        const char *algorithm, uint32_t workers)
{
    char name[2 * DCPS_RUN_LABEL_BYTES];
    bool alike = dcps_run_base_name(dcps_result_name(row->runs[0]), algorithm, name, sizeof(name)) == DCPS_OK;
    const dcps_overview_row *base = alike ? find_row(overview, name, workers) : NULL;
    return base != NULL ? base : find_row(overview, algorithm, workers);
}

/* The run with that seed, which did not fail; NULL: there is none. */
static const dcps_result_run *find_run(const dcps_overview_row *row, uint64_t seed)
{
    for (uint32_t i = 0; row != NULL && i < row->run_count; i++) {
        if (row->runs[i]->seed == seed && !row->runs[i]->failed) {
            return row->runs[i];
        }
    }
    return NULL;
}

/* Differences to `base` over the seeds that both have. One that diverged has no metric and leaves none: to pass over it would flatter its rule. */
static dcps_estimate difference(const dcps_overview *overview, const dcps_overview_row *row,
                                const dcps_overview_row *base, double *scratch)
{
    size_t count = 0;
    for (uint32_t i = 0; base != NULL && base != row && i < row->run_count; i++) {
        const dcps_result_run *here = find_run(row, row->runs[i]->seed);
        const dcps_result_run *there = find_run(base, row->runs[i]->seed);
        if (here != NULL && there != NULL) {
            scratch[count++] = dcps_result_metric(here, overview->metric) - dcps_result_metric(there, overview->metric);
        }
    }
    return dcps_stats_estimate(scratch, count);
}

static dcps_ratio gap_recovered(const dcps_overview *overview, const dcps_overview_row *row,
                                const dcps_overview_row *asgd, const dcps_overview_row *sgd, double *scratch)
{
    double *recovered = scratch;
    double *lost = scratch + row->run_count;
    size_t count = 0;
    bool apart = asgd != NULL && sgd != NULL && row != asgd && row != sgd;
    for (uint32_t i = 0; apart && i < row->run_count; i++) {
        const dcps_result_run *here = find_run(row, row->runs[i]->seed);
        const dcps_result_run *late = find_run(asgd, row->runs[i]->seed);
        const dcps_result_run *serial = find_run(sgd, row->runs[i]->seed);
        if (here != NULL && late != NULL && serial != NULL) {
            double late_error = dcps_result_metric(late, overview->metric);
            recovered[count] = late_error - dcps_result_metric(here, overview->metric);
            lost[count++] = late_error - dcps_result_metric(serial, overview->metric);
        }
    }
    return dcps_stats_ratio(recovered, lost, count);
}

static void compare_rows(dcps_overview *overview, double *scratch)
{
    for (uint32_t i = 0; i < overview->row_count; i++) {
        dcps_overview_row *row = &overview->rows[i];
        const dcps_overview_row *asgd = base_of(overview, row, "asgd", row->runs[0]->workers);
        const dcps_overview_row *sgd = base_of(overview, row, "sgd", 1);
        bool known = overview->metric != NULL;
        row->over_asgd = difference(overview, row, known ? asgd : NULL, scratch);
        row->over_sgd = difference(overview, row, known ? sgd : NULL, scratch);
        row->gap = gap_recovered(overview, row, known ? asgd : NULL, sgd, scratch);
    }
}

static dcps_status fill(dcps_overview *overview)
{
    uint32_t runs = overview->results->run_count;
    double *scratch = dcps_alloc(2u * runs + 1u, sizeof(double));
    dcps_status status =
        scratch != NULL ? fill_rows(overview) : dcps_fail(DCPS_NO_MEMORY, "no memory for the overview");
    for (uint32_t i = 0; status == DCPS_OK && i < overview->row_count; i++) {
        keep_good(&overview->rows[i]);
        estimate_row(&overview->rows[i], scratch);
        time_row(overview, &overview->rows[i], scratch);
    }
    if (status == DCPS_OK) {
        compare_rows(overview, scratch);
    }
    dcps_free(scratch);
    return status;
}

dcps_status dcps_overview_create(const dcps_results *results, const dcps_target *target, dcps_overview **overview)
{
    dcps_overview *made = dcps_alloc(1, sizeof(*made));
    dcps_overview_row *rows = dcps_alloc(results->run_count + 1u, sizeof(*rows));
    if (made == NULL || rows == NULL) {
        dcps_free(made);
        dcps_free(rows);
        return dcps_fail(DCPS_NO_MEMORY, "no memory for the overview");
    }
    *made = (dcps_overview){.results = results, .metric = dcps_results_main_metric(results), .rows = rows};
    if (target != NULL) {
        made->target = *target;
        made->has_target = target->metric[0] != '\0' || made->metric != NULL;
        if (target->metric[0] == '\0' && made->metric != NULL) {
            (void)snprintf(made->target.metric, sizeof(made->target.metric), "%s", made->metric);
        }
    }
    dcps_status status = fill(made);
    if (status != DCPS_OK) {
        dcps_overview_destroy(&made);
        return status;
    }
    *overview = made;
    return DCPS_OK;
}

void dcps_overview_destroy(dcps_overview **overview)
{
    if (*overview == NULL) {
        return;
    }
    for (uint32_t i = 0; i < (*overview)->row_count; i++) {
        dcps_free((*overview)->rows[i].runs);
    }
    dcps_free((*overview)->rows);
    dcps_free(*overview);
    *overview = NULL;
}
