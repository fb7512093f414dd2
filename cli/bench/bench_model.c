/* Steps as a worker makes them, but for servers. After each comes a burst of matrix products as long as the step, so that whatever else runs on the machine
 * slows down both. */
#include "cli/bench/bench_model.h"

#include <inttypes.h>
#include <string.h>
#include <sys/resource.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/options.h"
#include "cli/bench/bench_model_result.h"
#include "cli/bench/bench_product.h"
#include "cli/bench/bench_stats.h"
#include "cli/common/command.h"
#include "worker/device.h"
#include "worker/loaded_model.h"
#include "worker/model_options.h"
#include "worker/shuffle.h"
#include "worker/trainer.h"

enum { MAX_STEPS = 10000, MAX_REPEATS = 100, WARMUP_STEPS = 3, SEED = 1 };

static const dcps_option flags[] = {
    DCPS_MODEL_OPTIONS("mlp"),
    {.name = "batch-size",
     .type = DCPS_OPTION_INTEGER,
     .default_text = "128",
     .value_name = "N",
     .minimum = 1,
     .maximum = 1048576,
     .help = "Samples of a mini-batch"},
    DCPS_THREADS_OPTION,
    {.name = "steps",
     .type = DCPS_OPTION_INTEGER,
     .default_text = "10",
     .value_name = "K",
     .minimum = 1,
     .maximum = MAX_STEPS,
     .help = "Measured steps of each repeat, after a few that are not"},
    {.name = "repeats",
     .type = DCPS_OPTION_INTEGER,
     .default_text = "3",
     .value_name = "N",
     .minimum = 1,
     .maximum = MAX_REPEATS,
     .help = "Repeats; the median is over the steps of all"},
    {.name = "profile", .type = DCPS_OPTION_FLAG, .default_text = "false", .help = "Show the time by op"},
    {.name = "json", .type = DCPS_OPTION_FLAG, .default_text = "false", .help = "Print the result as JSON"},
    {.name = NULL},
};

static const dcps_program program = {
    .name = "dcps bench model",
    .summary =
        "Runs training steps of a model without servers (load a batch, forward, backward, clip), and compares its "
        "arithmetic with that of\n"
        "matrix products between the steps. What counts as arithmetic are the multiplications and additions of "
        "matrix products,\n"
        "convolutions and LSTM layers, forward and backward.",
    .options = flags,
};

typedef struct model_bench {
    const dcps_options *options;
    dcps_compute compute;
    dcps_assignments model_options;
    dcps_loaded_model loaded;
    dcps_shuffle *shuffle;
    float *weights;
    float *gradient;
    dcps_tape *tape;
    dcps_product *product;
    double *seconds;  /* [steps · repeats] of the steps, */
    double *rates;    /* [steps · repeats] of the products after them */
    uint64_t batches; /* looked at so far, */
    uint64_t turns;   /* and loaded */
    uint64_t load_ns;
    uint64_t allocations;
    float loss;
    dcps_profile profile;
    dcps_model_result result;
} model_bench;

static dcps_status open_model(model_bench *bench)
{
    const char *name = dcps_options_text(bench->options, "model");
    dcps_model_result *result = &bench->result;
    dcps_status status = dcps_assignments_init(dcps_options_text(bench->options, "model-opt"), &bench->model_options);
    if (status == DCPS_OK) {
        status = dcps_loaded_model_open(name, bench->model_options.texts, bench->model_options.count,
                                        dcps_options_text(bench->options, "data"), &bench->loaded);
    }
    if (status != DCPS_OK) {
        return status;
    }
    if (bench->loaded.info.train_samples < result->batch_size) {
        return dcps_fail(DCPS_INVALID, "--batch-size %" PRIu32 ": model %s has only %" PRIu64 " training samples",
                         result->batch_size, bench->loaded.model->name, bench->loaded.info.train_samples);
    }
    result->model = bench->loaded.model->name;
    result->dataset = bench->loaded.info.dataset;
    result->model_options = &bench->model_options;
    result->parameters = dcps_layout_total_params(bench->loaded.layout);
    return dcps_shuffle_create(bench->loaded.info.train_samples, result->batch_size, SEED, &bench->shuffle);
}

static dcps_status prepare(model_bench *bench)
{
    const size_t params = bench->result.parameters;
    const size_t samples = (size_t)bench->result.steps * bench->result.repeats;
    bench->weights = dcps_alloc_aligned(params, sizeof(float));
    bench->gradient = dcps_alloc_aligned(params, sizeof(float));
    bench->seconds = dcps_alloc(samples, sizeof(double));
    bench->rates = dcps_alloc(samples, sizeof(double));
    if (bench->weights == NULL || bench->gradient == NULL || bench->seconds == NULL || bench->rates == NULL) {
        return dcps_fail(DCPS_NO_MEMORY, "no memory for weights and gradients of %zu parameters", params);
    }
    dcps_layout_initialise(bench->loaded.layout, SEED, bench->weights);
    const dcps_tape_config config = {.layout = bench->loaded.layout,
                                     .weights = bench->weights,
                                     .gradient = bench->gradient,
                                     .backend = bench->compute.backend,
                                     .device = bench->compute.device,
                                     .clip_norm = bench->loaded.info.clip_norm};
    const dcps_status status = dcps_tape_create(&config, &bench->tape);
    return status == DCPS_OK ? dcps_product_create(&bench->compute, &bench->product) : status;
}

static dcps_status setup(model_bench *bench)
{
    const dcps_options *options = bench->options;
    dcps_model_result *result = &bench->result;
    result->device = dcps_options_text(options, "device");
    result->threads = (uint32_t)dcps_options_integer(options, "threads");
    result->batch_size = (uint32_t)dcps_options_integer(options, "batch-size");
    result->steps = (uint32_t)dcps_options_integer(options, "steps");
    result->repeats = (uint32_t)dcps_options_integer(options, "repeats");
    dcps_status status = dcps_compute_open(result->device, result->threads, &bench->compute);
    if (status == DCPS_OK) {
        status = open_model(bench);
    }
    return status == DCPS_OK ? prepare(bench) : status;
}

static double seconds_since(uint64_t then_ns)
{
    return (double)(dcps_clock_ns() - then_ns) / (double)DCPS_NS_PER_S;
}

/* Batches in the order of training of one worker, without the shorter ones that may end an epoch. */
static dcps_batch next_batch(model_bench *bench)
{
    dcps_batch batch;
    do {
        batch = dcps_shuffle_batch(bench->shuffle, bench->batches++);
    } while (batch.count != bench->result.batch_size);
    batch.worker = 0;
    batch.workers = 1;
    batch.turn = bench->turns++;
    return batch;
}

static dcps_status step(model_bench *bench, double *seconds)
{
    const dcps_loaded_model *loaded = &bench->loaded;
    const dcps_batch batch = next_batch(bench);
    const uint64_t allocations = dcps_alloc_count();
    const uint64_t begin_ns = dcps_clock_ns();
    dcps_tape_reset(bench->tape);
    dcps_status status = dcps_trainer_load(loaded->model, loaded->state, &batch);
    bench->load_ns += dcps_clock_ns() - begin_ns;
    if (status == DCPS_OK) {
        status = dcps_trainer_compute(loaded->model, loaded->state, bench->tape, &bench->loss);
    }
    *seconds = seconds_since(begin_ns);
    bench->allocations += dcps_alloc_count() - allocations;
    return status;
}

/* Lets the step's memory find its size, the processor its speed and a device its graphs, and counts the arithmetic of a step. */
static dcps_status warm_up(model_bench *bench)
{
    dcps_status status = DCPS_OK;
    double seconds = 0.0;
    double rate;
    dcps_tape_watch(bench->tape, dcps_profile_watch, &bench->profile);
    for (int i = 0; i < WARMUP_STEPS && status == DCPS_OK; i++) {
        status = step(bench, &seconds);
        if (i == 0) {
            bench->result.flops_per_step = dcps_profile_flops(&bench->profile);
            if (!dcps_options_flag(bench->options, "profile")) {
                dcps_tape_watch(bench->tape, NULL, NULL);
            }
        }
        if (status == DCPS_OK) {
            status = dcps_product_run(bench->product, seconds, &rate);
        }
    }
    bench->profile = (dcps_profile){0};
    bench->load_ns = bench->allocations = 0;
    return status;
}

static void evaluate(model_bench *bench)
{
    dcps_model_result *result = &bench->result;
    const size_t count = (size_t)result->steps * result->repeats;
    struct rusage usage;
    double sum = 0.0;
    for (size_t i = 0; i < count; i++) {
        sum += bench->seconds[i];
    }
    dcps_samples_sort(bench->seconds, count);
    dcps_samples_sort(bench->rates, count);
    result->median = dcps_samples_median(bench->seconds, count);
    result->p99 = dcps_samples_percentile(bench->seconds, count, 0.99);
    result->mean = sum / (double)count;
    result->load = (double)bench->load_ns / (double)DCPS_NS_PER_S / (double)count;
    result->loss = (double)bench->loss;
    result->samples_per_second = result->batch_size / result->median;
    result->product_flops_per_second = dcps_samples_median(bench->rates, count);
    result->product_best = bench->rates[count - 1];
    result->allocations_per_step = (double)bench->allocations / (double)count;
    result->step_bytes = dcps_tape_step_bytes(bench->tape);
    if (getrusage(RUSAGE_SELF, &usage) == 0) {
        result->process_bytes = (uint64_t)usage.ru_maxrss * 1024;
    }
    result->profile = dcps_options_flag(bench->options, "profile") ? &bench->profile : NULL;
}

static dcps_status measure(model_bench *bench)
{
    const size_t count = (size_t)bench->result.steps * bench->result.repeats;
    dcps_status status = warm_up(bench);
    for (size_t i = 0; i < count && status == DCPS_OK; i++) {
        status = step(bench, &bench->seconds[i]);
        if (status == DCPS_OK) {
            status = dcps_product_run(bench->product, bench->seconds[i], &bench->rates[i]);
        }
    }
    if (status == DCPS_OK) {
        evaluate(bench);
    }
    return status;
}

static void release(model_bench *bench)
{
    dcps_product_destroy(&bench->product);
    dcps_tape_destroy(&bench->tape);
    dcps_shuffle_destroy(&bench->shuffle);
    dcps_loaded_model_close(&bench->loaded);
    dcps_assignments_fini(&bench->model_options);
    dcps_free(bench->rates);
    dcps_free(bench->seconds);
    dcps_free(bench->gradient);
    dcps_free(bench->weights);
    dcps_compute_close(&bench->compute);
    dcps_free(bench);
}

static dcps_status bench_run(const dcps_options *options)
{
    model_bench *bench = dcps_alloc(1, sizeof(*bench));
    if (bench == NULL) {
        return dcps_fail(DCPS_NO_MEMORY, "no memory for the benchmark");
    }
    bench->options = options;
    dcps_status status = setup(bench);
    if (status == DCPS_OK) {
        status = measure(bench);
    }
    if (status == DCPS_OK) {
        status = dcps_options_flag(options, "json") ? dcps_model_result_print_json(&bench->result)
                                                    : dcps_model_result_print_text(&bench->result);
    }
    release(bench);
    return status;
}

int dcps_bench_model(int argc, char **argv)
{
    dcps_options *options = NULL;
    int positional = 0;
    int code = DCPS_EXIT_GOOD;
    if (!dcps_command_parse(&program, argc, argv, &options, &positional, &code)) {
        return code;
    }
    const dcps_status status = bench_run(options);
    dcps_options_destroy(&options);
    return dcps_command_code(status, false);
}
