#include <inttypes.h>
#include <stdio.h>

#include <jansson.h>

#include "cli/bench/bench_model_result.h"
#include "cli/common/table.h"

enum { MAX_ROWS = DCPS_OP_COUNT * DCPS_PASS_COUNT };

static const char *pass_name(dcps_pass pass)
{
    return pass == DCPS_PASS_FORWARD ? "forward" : "backward";
}

static double measured_steps(const dcps_model_result *result)
{
    return (double)result->steps * result->repeats;
}

static double flops_per_second(const dcps_model_result *result)
{
    return result->flops_per_step / result->median;
}

static double share_of_limit(const dcps_model_result *result)
{
    return flops_per_second(result) / result->product_flops_per_second;
}

static json_t *options_json(const dcps_model_result *result)
{
    json_t *array = json_array();
    for (size_t i = 0; i < result->model_options->count; i++) {
        (void)json_array_append_new(array, json_string(result->model_options->texts[i]));
    }
    return array;
}

/* Per step. */
static json_t *profile_json(const dcps_model_result *result)
{
    dcps_profile_row rows[MAX_ROWS];
    const size_t count = dcps_profile_sort(result->profile, rows);
    const double steps = measured_steps(result);
    json_t *array = json_array();
    for (size_t i = 0; i < count; i++) {
        json_t *row =
            json_pack("{s:s, s:s, s:f, s:f, s:f, s:f}", "op", dcps_op_name(rows[i].op), "pass", pass_name(rows[i].pass),
                      "calls", (double)rows[i].calls / steps, "seconds", rows[i].seconds / steps, "share",
                      rows[i].seconds / steps / result->mean, "flops_per_second", rows[i].flops / rows[i].seconds);
        (void)json_array_append_new(array, row);
    }
    return array;
}

static json_t *settings_json(const dcps_model_result *result)
{
    return json_pack("{s:s, s:s, s:s, s:o, s:s, s:s, s:i, s:i, s:i, s:i, s:I}", "schema", "dcps-bench/1", "benchmark",
                     "model", "model", result->model, "model_options", options_json(result), "dataset", result->dataset,
                     "device", result->device, "threads", (int)result->threads, "batch_size", (int)result->batch_size,
                     "steps", (int)result->steps, "repeats", (int)result->repeats, "parameters",
                     (json_int_t)result->parameters);
}

static json_t *figures_json(const dcps_model_result *result)
{
    const json_int_t vector_bytes = (json_int_t)(result->parameters * sizeof(float));
    return json_pack("{s:{s:f, s:f, s:f, s:f}, s:f, s:f, s:f, s:f, s:f, s:{s:I, s:I, s:I, s:I}, s:{s:f, s:f}, s:f}",
                     "seconds", "median", result->median, "p99", result->p99, "mean", result->mean, "load",
                     result->load, "loss", result->loss, "samples_per_second", result->samples_per_second,
                     "flops_per_step", result->flops_per_step, "flops_per_second", flops_per_second(result),
                     "allocations_per_step", result->allocations_per_step, "memory", "step_bytes",
                     (json_int_t)result->step_bytes, "weights_bytes", vector_bytes, "gradient_bytes", vector_bytes,
                     "process_peak_bytes", (json_int_t)result->process_bytes, "limits", "matmul_flops_per_second",
                     result->product_flops_per_second, "matmul_flops_per_second_best", result->product_best,
                     "share_of_limit", share_of_limit(result));
}

dcps_status dcps_model_result_print_json(const dcps_model_result *result)
{
    json_t *all = settings_json(result);
    json_t *figures = figures_json(result);
    bool good = all != NULL && figures != NULL && json_object_update(all, figures) == 0;
    if (good && result->profile != NULL) {
        good = json_object_set_new(all, "profile", profile_json(result)) == 0;
    }
    bool written = false;
    if (good) {
        written = json_dumpf(all, stdout, JSON_INDENT(2)) == 0 && fputc('\n', stdout) != EOF && fflush(stdout) == 0;
    }
    json_decref(figures);
    json_decref(all);
    if (!good) {
        return dcps_fail(DCPS_NO_MEMORY, "no memory for the result, or a figure of it is not finite");
    }
    return written ? DCPS_OK : dcps_fail(DCPS_IO, "cannot write the result to standard output");
}

static void profile_line(dcps_table *table, const char *op, const char *pass, double calls, double seconds, double mean,
                         double flops)
{
    dcps_table_cell(table, "%s", op);
    dcps_table_cell(table, "%s", pass);
    dcps_table_cell(table, "%.0f", calls);
    dcps_table_cell(table, "%.3f", seconds * 1e3);
    dcps_table_cell(table, "%.1f", 100.0 * seconds / mean);
    if (flops > 0.0) {
        dcps_table_cell(table, "%.1f", flops / seconds * 1e-9);
    } else {
        dcps_table_cell(table, "%s", "");
    }
}

static void profile_fill(const dcps_model_result *result, dcps_table *table)
{
    dcps_profile_row rows[MAX_ROWS];
    const size_t count = dcps_profile_sort(result->profile, rows);
    const double steps = measured_steps(result);
    dcps_table_column(table, "op", DCPS_ALIGN_LEFT);
    dcps_table_column(table, "pass", DCPS_ALIGN_LEFT);
    dcps_table_column(table, "calls", DCPS_ALIGN_RIGHT);
    dcps_table_column(table, "ms a step", DCPS_ALIGN_RIGHT);
    dcps_table_column(table, "% of it", DCPS_ALIGN_RIGHT);
    dcps_table_column(table, "GFLOP/s", DCPS_ALIGN_RIGHT);
    for (size_t i = 0; i < count; i++) {
        profile_line(table, dcps_op_name(rows[i].op), pass_name(rows[i].pass), (double)rows[i].calls / steps,
                     rows[i].seconds / steps, result->mean, rows[i].flops / steps);
    }
    const double rest = result->mean - result->load - dcps_profile_seconds(result->profile) / steps;
    profile_line(table, "(load)", "", 1.0, result->load, result->mean, 0.0);
    profile_line(table, "(rest)", "", 1.0, rest, result->mean, 0.0);
}

static dcps_status print_profile(const dcps_model_result *result)
{
    dcps_table *table;
    dcps_status status = dcps_table_create(&table);
    if (status != DCPS_OK) {
        return status;
    }
    profile_fill(result, table);
    status = fputc('\n', stdout) == EOF ? dcps_fail(DCPS_IO, "cannot write the profile to standard output")
                                        : dcps_table_print(table, stdout);
    dcps_table_destroy(&table);
    return status;
}

dcps_status dcps_model_result_print_text(const dcps_model_result *result)
{
    char parameters[32];
    const double mib = 1.0 / (1024.0 * 1024.0);
    const int written = printf(
        "%s on %s: %s parameters, batch size %" PRIu32 ", %s, %" PRIu32 " thread%s, %" PRIu32 " × %" PRIu32 " steps\n"
        "  one step         median %.6f s, p99 %.6f s, of which %.6f s to load the batch\n"
        "  rate             %.1f samples/s, %.1f GFLOP/s (products, convolutions and LSTM layers: %.3f GFLOP a step)\n"
        "  product limit    %.1f GFLOP/s (matrix products between the steps, median; best %.1f)\n"
        "  share of limit   %.1f %%\n"
        "  memory           step %.1f MiB, weights and gradient %.1f MiB, whole process %.1f MiB at most\n"
        "  allocations      %.2f a step\n",
        result->model, result->dataset, dcps_format_count((double)result->parameters, parameters, sizeof(parameters)),
        result->batch_size, result->device, result->threads, result->threads == 1 ? "" : "s", result->repeats,
        result->steps, result->median, result->p99, result->load, result->samples_per_second,
        flops_per_second(result) * 1e-9, result->flops_per_step * 1e-9, result->product_flops_per_second * 1e-9,
        result->product_best * 1e-9, 100.0 * share_of_limit(result), (double)result->step_bytes * mib,
        2.0 * (double)result->parameters * sizeof(float) * mib, (double)result->process_bytes * mib,
        result->allocations_per_step);
    dcps_status status = written < 0 ? dcps_fail(DCPS_IO, "cannot write the result to standard output") : DCPS_OK;
    if (status == DCPS_OK && result->profile != NULL) {
        status = print_profile(result);
    }
    if (status == DCPS_OK && fflush(stdout) != 0) {
        status = dcps_fail(DCPS_IO, "cannot write the result to standard output");
    }
    return status;
}
