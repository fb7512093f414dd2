/* dcps status: asks running servers how their run goes. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include <jansson.h>

#include "base/clock.h"
#include "base/histogram.h"
#include "cli/commands/ask.h"
#include "cli/commands/commands.h"
#include "cli/common/command.h"
#include "cli/common/table.h"
#include "cli/results/results_details.h"

static const dcps_option status_options[] = {
    {.name = "json", .type = DCPS_OPTION_FLAG, .default_text = "false", .help = "Print JSON instead of a table"},
    {.name = "timeout",
     .type = DCPS_OPTION_INTEGER,
     .default_text = "3",
     .value_name = "SECONDS",
     .help = "How long to wait for answers",
     .minimum = 1,
     .maximum = 3600},
    {.name = NULL}};

static const dcps_program status_program = {.name = "dcps status",
                                            .summary = "Asks servers how their run goes.",
                                            .arguments = "HOST:PORT[,HOST:PORT…]",
                                            .options = status_options};

static bool status_known(const dcps_server_view *view)
{
    return view->known && view->rounds > 0;
}

static const char *state_name(dcps_run_state state)
{
    static const char *const names[] = {"?", "waiting", "training", "draining", "done"};
    return state >= DCPS_RUN_WAITING && state <= DCPS_RUN_DONE ? names[state] : names[0];
}

static json_t *server_json(const char *address, const dcps_server_view *view)
{
    const dcps_status_reply *reply = &view->status;
    dcps_summary staleness;
    dcps_counts_summarise(&view->staleness, &staleness);
    json_t *object = json_pack(
        "{s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:f, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "address",
        address, "state", state_name(reply->state), "algorithm", view->algorithm, "samples", (json_int_t)reply->samples,
        "samples_per_epoch", (json_int_t)reply->samples_per_epoch, "epochs", (json_int_t)reply->epochs, "updates",
        (json_int_t)reply->updates, "seconds", (double)reply->training_ns / (double)DCPS_NS_PER_S, "workers_live",
        (json_int_t)reply->workers_live, "workers_expected", (json_int_t)reply->workers_expected, "workers_lost",
        (json_int_t)reply->workers_lost, "pushes_applied", (json_int_t)reply->pushes_applied, "pushes_dropped",
        (json_int_t)reply->pushes_dropped, "duplicates_ignored", (json_int_t)reply->duplicates_ignored, "stale_ignored",
        (json_int_t)reply->stale_ignored, "rejected_messages", (json_int_t)reply->rejected_messages, "payload_bytes_in",
        (json_int_t)reply->payload_bytes_in, "payload_bytes_out", (json_int_t)reply->payload_bytes_out);
    json_t *loss = isfinite(reply->train_loss) ? json_real(reply->train_loss) : json_null();
    json_t *mean = isfinite(staleness.mean) ? json_real(staleness.mean) : json_null();
    if (object != NULL && reply->weights_final) {
        (void)json_object_set_new(object, "weights_digest", json_sprintf("%016" PRIx64, reply->weights_digest));
    }
    if (object != NULL) {
        (void)json_object_set_new(object, "train_loss", loss);
        (void)json_object_set_new(object, "dropped_round", json_integer((json_int_t)reply->dropped_round));
        (void)json_object_set_new(object, "shards",
                                  dcps_details_shards_json(view->shards, view->histograms, reply->shard_count));
        (void)json_object_set_new(object, "staleness",
                                  json_pack("{s:o, s:I, s:I, s:I}", "mean", mean, "p50", (json_int_t)staleness.p50,
                                            "p99", (json_int_t)staleness.p99, "max", (json_int_t)staleness.max));
    }
    return object;
}

static dcps_status print_json(dcps_monitor *monitor, const dcps_result_details *details)
{
    json_t *array = json_array();
    for (uint32_t i = 0; i < dcps_monitor_server_count(monitor); i++) {
        const dcps_server_view *view = dcps_monitor_server(monitor, i);
        json_t *object = view->known
                             ? server_json(dcps_monitor_address(monitor, i), view)
                             : json_pack("{s:s, s:s}", "address", dcps_monitor_address(monitor, i), "state", "silent");
        (void)json_array_append_new(array, object);
    }
    json_t *document = json_pack("{s:s, s:o, s:o}", "schema", "dcps-status/1", "servers", array, "workers",
                                 dcps_details_workers_json(details->workers, details->worker_count));
    (void)json_dumpf(document, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(12));
    (void)fputc('\n', stdout);
    json_decref(document);
    return DCPS_OK;
}

static void add_row(dcps_table *table, const char *address, const dcps_server_view *view)
{
    const dcps_status_reply *reply = &view->status;
    dcps_summary staleness;
    char text[48];
    dcps_table_cell(table, "%s", address);
    if (!view->known) {
        dcps_table_cell(table, "silent");
        for (int i = 0; i < 10; i++) {
            dcps_table_cell(table, "–");
        }
        return;
    }
    dcps_counts_summarise(&view->staleness, &staleness);
    dcps_table_cell(table, "%s", state_name(reply->state));
    dcps_table_cell(table, "%s", view->algorithm);
    dcps_table_cell(table, "%" PRIu32 "/%" PRIu32, reply->workers_live, reply->workers_expected);
    dcps_table_cell(table, "%.2f/%" PRIu32,
                    reply->samples_per_epoch == 0 ? 0.0 : (double)reply->samples / (double)reply->samples_per_epoch,
                    reply->epochs);
    dcps_table_cell(table, "%s", dcps_format_count((double)reply->updates, text, sizeof(text)));
    dcps_table_cell(table, isfinite(reply->train_loss) ? "%.4f" : "–", reply->train_loss);
    dcps_table_cell(table, isfinite(staleness.mean) ? "%.2f" : "–", staleness.mean);
    dcps_table_cell(table, "%" PRIu32, reply->workers_lost);
    dcps_table_cell(table, "%s", dcps_format_count((double)reply->pushes_dropped, text, sizeof(text)));
    dcps_table_cell(table, "%s", dcps_format_count((double)reply->duplicates_ignored, text, sizeof(text)));
    dcps_table_cell(table, "%s", dcps_format_count((double)reply->rejected_messages, text, sizeof(text)));
}

static dcps_status print_servers(dcps_monitor *monitor)
{
    static const char *const headings[] = {"server", "state",     "algorithm", "workers", "epoch",      "updates",
                                           "loss",   "staleness", "lost",      "dropped", "duplicates", "rejected"};
    dcps_table *table = NULL;
    dcps_status status = dcps_table_create(&table);
    if (status != DCPS_OK) {
        return status;
    }
    for (size_t i = 0; i < sizeof(headings) / sizeof(headings[0]); i++) {
        dcps_table_column(table, headings[i], i < 3 ? DCPS_ALIGN_LEFT : DCPS_ALIGN_RIGHT);
    }
    for (uint32_t i = 0; i < dcps_monitor_server_count(monitor); i++) {
        add_row(table, dcps_monitor_address(monitor, i), dcps_monitor_server(monitor, i));
    }
    status = dcps_table_print(table, stdout);
    dcps_table_destroy(&table);
    return status;
}

static dcps_status print_tables(dcps_monitor *monitor, const dcps_result_details *details)
{
    dcps_status status = print_servers(monitor);
    if (status == DCPS_OK && details->worker_count > 0) {
        (void)fputc('\n', stdout);
        status = dcps_details_print_workers(details->workers, details->worker_count, stdout);
    }
    if (status == DCPS_OK && details->shard_count > 0) {
        (void)fputc('\n', stdout);
        status = dcps_details_print_shards(details->shards, details->shard_count, stdout);
    }
    return status;
}

static dcps_status print(dcps_monitor *monitor, bool json)
{
    static const dcps_counts none; /* each server's is shown by itself */
    const dcps_groups groups = {.count = 0};
    dcps_run_statistics statistics = {.shard_count = 0};
    dcps_result_details details = {.worker_count = 0};
    dcps_status status = dcps_monitor_statistics(monitor, &statistics);
    if (status == DCPS_OK) {
        status = dcps_result_details_keep(&details, &statistics, &none, &groups, 0);
    }
    if (status == DCPS_OK) {
        status = json ? print_json(monitor, &details) : print_tables(monitor, &details);
    }
    dcps_result_details_fini(&details);
    dcps_run_statistics_fini(&statistics);
    return status;
}

int dcps_command_status(int argc, char **argv)
{
    dcps_options *options = NULL;
    dcps_monitor *monitor = NULL;
    int code = 0;
    if (!dcps_ask_open(&status_program, argc, argv, &options, &monitor, &code)) {
        return code;
    }
    int64_t timeout_s = dcps_options_integer(options, "timeout");
    uint32_t silent = dcps_ask_await(monitor, status_known, timeout_s);
    code = dcps_command_code(print(monitor, dcps_options_flag(options, "json")), false);
    code = code == DCPS_EXIT_GOOD && silent > 0 ? DCPS_EXIT_FAILED : code;
    dcps_monitor_destroy(&monitor);
    dcps_options_destroy(&options);
    return code;
}
