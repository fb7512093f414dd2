#include "worker/trainer.h"

#include <inttypes.h>
#include <math.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "worker/client.h"
#include "worker/json.h"
#include "worker/model_call.h"
#include "worker/pace.h"
#include "worker/shuffle.h"

#define PROGRESS_NS (10u * DCPS_NS_PER_S)
#define GOODBYE_MS 5000u
#define DCPS_ERROR_BYTES 1024u /* of dcps_error_message */
#define STOP_GRACE_MS 2000u    /* for the answers of the step at hand */

typedef struct trainer {
    const dcps_trainer_config *config;
    dcps_client *client;
    dcps_trainer_report *report;
    float *weights;
    float *gradient;
    dcps_tape *tape;
    dcps_shuffle *shuffle;
    dcps_pace pace;
    dcps_batch_cursor cursor;
    dcps_batch batch;
    float loss;
    dcps_status push_status; /* first failure to push in this step */
    bool diverged;
    uint64_t began_ns;
    uint64_t told_ns;      /* latest progress line */
    uint64_t told_samples; /* counted by then */
} trainer;

dcps_status dcps_trainer_load(const dcps_model *model, void *state, const dcps_batch *batch)
{
    dcps_model_call_begin();
    return dcps_model_call_end(model, "load", model->load(state, batch));
}

dcps_status dcps_trainer_step(const dcps_model *model, void *state, dcps_tape *tape, const dcps_batch *batch,
                              float *loss)
{
    dcps_tape_reset(tape);
    dcps_status status = dcps_trainer_load(model, state, batch);
    return status == DCPS_OK ? dcps_trainer_compute(model, state, tape, loss) : status;
}

dcps_status dcps_trainer_compute(const dcps_model *model, void *state, dcps_tape *tape, float *loss)
{
    dcps_model_call_begin();
    /* Says what is wrong with a loss that is NULL or no scalar. */
    dcps_status status = dcps_model_call_end(model, "loss", dcps_tape_backward(tape, model->loss(state, tape)));
    if (status == DCPS_OK) {
        *loss = dcps_tape_loss(tape);
    }
    return status;
}

static void gradient_final(void *context, uint64_t first_param, uint64_t count)
{
    trainer *self = context;
    if (self->push_status == DCPS_OK) {
        dcps_pace_hold(&self->pace);
        self->push_status =
            dcps_client_push(self->client, first_param, count, self->batch.count, dcps_tape_loss(self->tape));
    }
}

static dcps_status prepare(trainer *self)
{
    const dcps_loaded_model *loaded = self->config->loaded;
    const dcps_run_info *run = dcps_client_run_info(self->client);
    uint64_t params = dcps_layout_total_params(loaded->layout);
    self->weights = dcps_alloc_aligned(params, sizeof(float));
    self->gradient = dcps_alloc_aligned(params, sizeof(float));
    if (self->weights == NULL || self->gradient == NULL) {
        return dcps_fail(DCPS_NO_MEMORY, "no memory for weights and gradients of %" PRIu64 " parameters", params);
    }
    self->cursor = (dcps_batch_cursor){.worker = run->worker % run->workers, .workers = run->workers};
    dcps_layout_initialise(loaded->layout, run->seed, self->weights);
    dcps_tape_config tape = {
        .layout = loaded->layout,
        .weights = self->weights,
        .gradient = self->gradient,
        .backend = self->config->backend,
        .device = self->config->device,
        .gradient_final = gradient_final,
        .context = self,
        .clip_norm = loaded->info.clip_norm,
    };
    dcps_status status = dcps_tape_create(&tape, &self->tape);
    return status != DCPS_OK
               ? status
               : dcps_shuffle_create(loaded->info.train_samples, run->batch_size, run->seed, &self->shuffle);
}

static double seconds_since(uint64_t then_ns)
{
    return (double)(dcps_clock_ns() - then_ns) / 1e9;
}

static void tell_divergence(trainer *self)
{
    if (!self->diverged && !isfinite(self->loss)) {
        self->diverged = true;
        dcps_warn("batch %" PRIu64 " has the loss %g: the run has diverged, lower --learning-rate", self->batch.number,
                  (double)self->loss);
    }
}

static void tell_progress(trainer *self)
{
    const dcps_trainer_report *report = self->report;
    double seconds = seconds_since(self->told_ns);
    if (seconds * 1e9 < (double)PROGRESS_NS) {
        return;
    }
    double batches = (double)dcps_shuffle_batches_per_epoch(self->shuffle);
    dcps_info("batch %" PRIu64 " (epoch %.2f): loss %.4f, %.0f samples/s, staleness %" PRIu64
              ", %.0f %% of the time waiting",
              self->batch.number, (double)(self->batch.number + 1) / batches, (double)self->loss,
              (double)(report->samples - self->told_samples) / seconds, dcps_client_staleness(self->client),
              100.0 * report->wait_seconds / seconds_since(self->began_ns));
    self->told_ns = dcps_clock_ns();
    self->told_samples = report->samples;
}

static void count_wait(dcps_trainer_report *report, uint64_t since_ns)
{
    uint64_t waited_ns = dcps_clock_ns() - since_ns;
    report->wait_seconds += (double)waited_ns / (double)DCPS_NS_PER_S;
    dcps_histogram_add(&report->wait_ns, waited_ns);
}

static dcps_status train_batch(trainer *self, dcps_work *work)
{
    const dcps_loaded_model *loaded = self->config->loaded;
    uint64_t compute_ns = dcps_clock_ns();
    dcps_pace_begin(&self->pace);
    self->batch = dcps_shuffle_next(self->shuffle, &self->cursor, work->batch);
    self->push_status = DCPS_OK;
    dcps_status status = dcps_trainer_step(loaded->model, loaded->state, self->tape, &self->batch, &self->loss);
    if (status == DCPS_OK) {
        status = self->push_status;
    }
    self->report->compute_seconds += seconds_since(compute_ns);
    if (status != DCPS_OK) {
        return status;
    }
    tell_divergence(self);
    uint64_t wait_ns = dcps_clock_ns();
    status = dcps_client_wait(self->client, work);
    count_wait(self->report, wait_ns);
    if (status == DCPS_OK) {
        self->report->steps++;
        self->report->samples += self->batch.count;
        self->report->final_loss = (double)self->loss;
        tell_progress(self);
    }
    return status;
}

static dcps_status abstain(trainer *self, dcps_work *work)
{
    uint64_t wait_ns = dcps_clock_ns();
    dcps_status status = dcps_client_abstain(self->client, work);
    count_wait(self->report, wait_ns);
    return status;
}

static bool stop_requested(const trainer *self)
{
    return self->config->stop != NULL && dcps_stop_requested(self->config->stop);
}

static dcps_status train(trainer *self)
{
    const dcps_loaded_model *loaded = self->config->loaded;
    dcps_work work;
    dcps_status status = dcps_client_declare(self->client, loaded->layout, loaded->info.train_samples, self->weights,
                                             self->gradient, &work);
    self->began_ns = self->told_ns = dcps_clock_ns();
    while (status == DCPS_OK && work.kind != DCPS_WORK_DONE && !stop_requested(self)) {
        status = work.kind == DCPS_WORK_BATCH ? train_batch(self, &work) : abstain(self, &work);
    }
    self->report->seconds = seconds_since(self->began_ns);
    self->report->stopped =
        stop_requested(self) && (status == DCPS_CANCELLED || (status == DCPS_OK && work.kind != DCPS_WORK_DONE));
    return self->report->stopped ? DCPS_OK : status;
}

static void watch_for_stop(const trainer *self, dcps_client *client)
{
    if (self->config->stop != NULL) {
        dcps_stop_watch(self->config->stop, client, STOP_GRACE_MS);
    }
}

/* Keeps the reason why training ended from what the goodbye may fail with. */
static dcps_status leave(trainer *self, dcps_status status)
{
    char text[DCPS_ERROR_BYTES];
    (void)snprintf(text, sizeof(text), "%s", dcps_error_message());
    watch_for_stop(self, NULL);
    if (dcps_client_finish(self->client, GOODBYE_MS) != DCPS_OK) {
        dcps_warn("%s; this worker's lease will end by itself", dcps_error_message());
    }
    return status == DCPS_OK ? DCPS_OK : dcps_fail(status, "%s", text);
}

dcps_status dcps_trainer_run(const dcps_trainer_config *config, dcps_client **client, dcps_trainer_report *report)
{
    trainer self = {.config = config,
                    .client = *client,
                    .report = report,
                    .pace = {.factor = config->slowdown, .stop = config->stop}};
    *client = NULL;
    *report = (dcps_trainer_report){.worker = dcps_client_run_info(self.client)->worker, .final_loss = (double)NAN};
    dcps_status status = prepare(&self);
    if (status == DCPS_OK) {
        watch_for_stop(&self, self.client);
        status = train(&self);
    }
    status = leave(&self, status);
    dcps_client_destroy(&self.client); /* before the vectors that it refers to */
    dcps_shuffle_destroy(&self.shuffle);
    dcps_tape_destroy(&self.tape);
    dcps_free(self.gradient);
    dcps_free(self.weights);
    return status;
}

static void print_seconds(FILE *out, const char *name, double ns)
{
    (void)fprintf(out, ",\"%s\":", name);
    dcps_json_real(out, ns / (double)DCPS_NS_PER_S);
}

/* [first value of a bucket in seconds, count] of those that are not empty. */
static void print_histogram(const dcps_histogram *histogram, FILE *out)
{
    const char *before = ",\"histogram\":[";
    for (uint32_t i = 0; i < DCPS_HISTOGRAM_BUCKETS; i++) {
        if (histogram->buckets[i] > 0) {
            (void)fprintf(out, "%s[", before);
            dcps_json_real(out, (double)dcps_histogram_first(i) / (double)DCPS_NS_PER_S);
            (void)fprintf(out, ",%" PRIu64 "]", histogram->buckets[i]);
            before = ",";
        }
    }
    (void)fputs(histogram->count > 0 ? "]" : "", out);
}

static void print_wait(const dcps_histogram *wait_ns, FILE *out)
{
    dcps_summary wait;
    dcps_histogram_summarise(wait_ns, &wait);
    (void)fprintf(out, ",\"wait\":{\"count\":%" PRIu64, wait.count);
    print_seconds(out, "mean", wait.mean);
    print_seconds(out, "p50", (double)wait.p50);
    print_seconds(out, "p99", (double)wait.p99);
    print_seconds(out, "max", (double)wait.max);
    print_histogram(wait_ns, out);
    (void)fputs("}", out);
}

void dcps_trainer_report_print(const dcps_trainer_report *report, FILE *out)
{
    (void)fprintf(out, "{\"worker\":%u,\"steps\":%" PRIu64 ",\"samples\":%" PRIu64 ",\"seconds\":", report->worker,
                  report->steps, report->samples);
    dcps_json_real(out, report->seconds);
    (void)fputs(",\"compute_seconds\":", out);
    dcps_json_real(out, report->compute_seconds);
    (void)fputs(",\"wait_seconds\":", out);
    dcps_json_real(out, report->wait_seconds);
    print_wait(&report->wait_ns, out);
    (void)fputs(",\"final_loss\":", out);
    dcps_json_real(out, report->final_loss);
    (void)fputs("}\n", out);
    (void)fflush(out);
}
