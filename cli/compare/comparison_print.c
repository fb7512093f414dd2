/* The end of a comparison: tables, files, and what became of the plan. */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "cli/common/csv.h"
#include "cli/common/table.h"
#include "cli/compare/comparison_document.h"
#include "cli/settings/run_options.h"

static void cell_score(dcps_table *table, const dcps_plan *plan, const dcps_plan_entry *entry)
{
    dcps_trial_score score;
    if (!entry->tuned || dcps_plan_score(plan, entry, entry->point, &score) != DCPS_OK) {
        dcps_table_cell(table, "–");
    } else if (isfinite(score.error.standard_error)) {
        dcps_table_cell(table, "%.4g ± %.2g", score.error.mean, score.error.standard_error);
    } else {
        dcps_table_cell(table, "%.4g", score.error.mean);
    }
}

/* "learning-rate 0.2 is the largest tried". */
static void cell_edges(dcps_table *table, const dcps_plan_entry *entry)
{
    char text[256] = "";
    size_t used = 0;
    for (uint32_t i = 0; i < entry->sweep.count; i++) {
        int edge = dcps_sweep_edge(&entry->sweep, entry->points[entry->point], i);
        if (edge != 0 && used < sizeof(text)) {
            int wrote = snprintf(text + used, sizeof(text) - used, "%s%s: the %s tried", used > 0 ? ", " : "",
                                 entry->sweep.parameters[i].name, edge > 0 ? "largest" : "smallest");
            used += wrote > 0 ? (size_t)wrote : 0;
        }
    }
    dcps_table_cell(table, "%s", text);
}

static void add_choice(dcps_table *table, const dcps_plan *plan, const dcps_plan_entry *entry)
{
    char setting[256];
    dcps_table_cell(table, "%s", entry->spec.name);
    dcps_table_cell(table, "%" PRIu32, entry->spec.workers);
    if (entry->chosen) {
        dcps_table_cell(table, "%s",
                        dcps_sweep_describe(&entry->sweep, entry->points[entry->point], setting, sizeof(setting)));
        cell_score(table, plan, entry);
        dcps_table_cell(table, "%" PRIu32, entry->trials);
        cell_edges(table, entry);
    } else {
        dcps_table_cell(table, "–");
        dcps_table_cell(table, "–");
        dcps_table_cell(table, "%" PRIu32, entry->trials - entry->trials_left);
        dcps_table_cell(table, "%s", entry->refusal);
    }
}

/* What was chosen for each entry and why, in a table; entries without settings are left out. */
static dcps_status print_choices(const dcps_comparison *comparison, FILE *out)
{
    static const struct {
        const char *heading;
        dcps_align align;
    } columns[] = {{"chosen for", DCPS_ALIGN_LEFT}, {"workers", DCPS_ALIGN_RIGHT},
                   {"setting", DCPS_ALIGN_LEFT},    {"validation", DCPS_ALIGN_RIGHT},
                   {"trials", DCPS_ALIGN_RIGHT},    {"at the edge of the grid", DCPS_ALIGN_LEFT}};
    const dcps_plan *plan = comparison->plan;
    dcps_table *table = NULL;
    bool any = false;
    dcps_status status = dcps_table_create(&table);
    if (status != DCPS_OK) {
        return status;
    }
    for (size_t c = 0; c < sizeof(columns) / sizeof(columns[0]); c++) {
        dcps_table_column(table, columns[c].heading, columns[c].align);
    }
    for (uint32_t i = 0; i < plan->entry_count; i++) {
        if (plan->entries[i].sweep.count > 0) {
            any = true;
            add_choice(table, plan, &plan->entries[i]);
        }
    }
    if (any) {
        status = dcps_table_print(table, out);
        (void)fputc('\n', out);
    }
    dcps_table_destroy(&table);
    return status;
}

static void print_rest(const dcps_comparison *comparison, FILE *out)
{
    const dcps_plan *plan = comparison->plan;
    uint32_t done = dcps_plan_count(plan, DCPS_PLAN_DONE);
    if (comparison->virtual_time) {
        (void)fputs("Times are virtual: of the simulated cluster.\n", out);
    }
    if (comparison->recalled > 0) {
        (void)fprintf(out, "%" PRIu32 " of the %" PRIu32 " runs were kept from before (--fresh runs them again).\n",
                      comparison->recalled, plan->run_count);
    }
    if (done < plan->run_count) {
        (void)fprintf(out,
                      "%" PRIu32 " of %" PRIu32 " runs are done and kept; the same command goes on with the rest.\n",
                      done, plan->run_count);
    }
}

/* What describes the comparison beside the training settings. */
static json_t *settings_json(const dcps_comparison *comparison)
{
    static const char *const names[] = {"step-time", "stops", "split"};
    const dcps_options *options = comparison->job.options;
    json_t *array = dcps_run_settings_json(options);
    for (size_t i = 0; array != NULL && i < sizeof(names) / sizeof(names[0]); i++) {
        const char *value = dcps_options_text(options, names[i]);
        bool simulated = strcmp(names[i], "step-time") == 0 || strcmp(names[i], "stops") == 0;
        if (value != NULL && (comparison->virtual_time || !simulated)) {
            (void)json_array_append_new(array, json_pack("[s, s]", names[i], value));
        }
    }
    return array;
}

static dcps_status write_files(const dcps_comparison *comparison, json_t *document)
{
    json_t *settings = settings_json(comparison);
    dcps_status status = document != NULL ? dcps_csv_write(document, comparison->job.out)
                                          : dcps_fail(DCPS_NO_MEMORY, "no memory for results.json");
    if (status == DCPS_OK) {
        status = dcps_job_write(&comparison->job, document, settings);
    }
    json_decref(settings);
    return status;
}

static dcps_status print(const dcps_comparison *comparison, const dcps_overview *overview)
{
    dcps_status status = print_choices(comparison, stdout);
    if (status == DCPS_OK) {
        status = dcps_overview_print(overview, stdout);
    }
    print_rest(comparison, stdout);
    return status;
}

dcps_status dcps_comparison_conclude(dcps_comparison *comparison)
{
    dcps_results results = {.run_count = 0};
    json_t **documents = NULL;
    dcps_overview *overview = NULL;
    dcps_status status = dcps_comparison_results(comparison, &results, &documents);
    if (status != DCPS_OK) {
        return status;
    }
    status = dcps_overview_create(&results, comparison->has_target ? &comparison->target : NULL, &overview);
    if (status == DCPS_OK) {
        status = print(comparison, overview);
    }
    if (status == DCPS_OK) {
        json_t *document = dcps_comparison_json(comparison, overview, documents);
        status = write_files(comparison, document);
        json_decref(document);
    }
    if (status == DCPS_OK && fflush(stdout) != 0) {
        status = dcps_fail(DCPS_IO, "cannot write the table: %s", strerror(errno));
    }
    dcps_overview_destroy(&overview);
    dcps_free(documents);
    dcps_results_fini(&results);
    return status;
}
