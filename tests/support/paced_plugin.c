/* A small model whose steps take a given time for as long as a file exists, so that a test decides when a run ends, on any machine. */
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <dcps/model.h>

#define MAX_BATCH 64u
#define FEATURES 512u
#define CLASSES 10u

typedef struct paced {
    struct timespec pause;
    char *pace_file; /* NULL: every step takes its time */
    size_t samples;
    float x[MAX_BATCH * FEATURES];
    int32_t y[MAX_BATCH];
    size_t count;
} paced;

static const dcps_option paced_options[] = {
    {.name = "step-ms",
     .type = DCPS_OPTION_REAL,
     .default_text = "2",
     .minimum = 0,
     .maximum = 999,
     .help = "milliseconds that loading a batch takes"},
    {.name = "pace-file", .type = DCPS_OPTION_TEXT, .default_text = "", .help = "without this file steps take no time"},
    {.name = "samples",
     .type = DCPS_OPTION_INTEGER,
     .default_text = "16000",
     .minimum = 1,
     .maximum = 1000000,
     .help = "samples an epoch"},
    {.name = NULL}};

static void paced_close(void *state)
{
    paced *self = state;
    free(self->pace_file);
    free(self);
}

static dcps_status paced_open(const dcps_options *options, const char *data_dir, void **state)
{
    (void)data_dir;
    paced *self = calloc(1, sizeof(*self));
    if (self == NULL) {
        return dcps_fail(DCPS_NO_MEMORY, "paced: no memory");
    }
    self->pause.tv_nsec = (long)(dcps_options_real(options, "step-ms") * 1e6);
    self->samples = (size_t)dcps_options_integer(options, "samples");
    const char *pace_file = dcps_options_text(options, "pace-file");
    if (pace_file[0] != '\0' && (self->pace_file = strdup(pace_file)) == NULL) {
        paced_close(self);
        return dcps_fail(DCPS_NO_MEMORY, "paced: no memory");
    }
    *state = self;
    return DCPS_OK;
}

static dcps_status paced_describe(void *state, dcps_model_info *info)
{
    const paced *self = state;
    *info = (dcps_model_info){.train_samples = self->samples, .dataset = "made up"};
    return DCPS_OK;
}

static dcps_status paced_declare(void *state, dcps_layout *layout)
{
    (void)state;
    return dcps_layout_add(layout, "weight", DCPS_INIT_HE_NORMAL, 2, (size_t[]){FEATURES, CLASSES}, NULL);
}

static dcps_status paced_load(void *state, const dcps_batch *batch)
{
    paced *self = state;
    if (batch->count > MAX_BATCH) {
        return dcps_fail(DCPS_LIMIT, "paced: %u samples in a batch, at most %u", batch->count, MAX_BATCH);
    }
    if (self->pace_file == NULL || access(self->pace_file, F_OK) == 0) {
        (void)nanosleep(&self->pause, NULL);
    }
    for (uint32_t i = 0; i < batch->count; i++) {
        for (uint32_t k = 0; k < FEATURES; k++) {
            self->x[i * FEATURES + k] = (float)(batch->samples[i] % (k + 2)) / (float)(k + 2);
        }
        self->y[i] = (int32_t)(batch->samples[i] % CLASSES);
    }
    self->count = batch->count;
    return DCPS_OK;
}

static dcps_tensor *paced_loss(void *state, dcps_tape *tape)
{
    paced *self = state;
    dcps_tensor *x = dcps_tape_input(tape, self->x, 2, (size_t[]){self->count, FEATURES});
    return dcps_tape_cross_entropy(tape, dcps_tape_matmul(tape, x, dcps_tape_parameter(tape, 0)), self->y);
}

static dcps_status paced_evaluate(void *state, dcps_tape *tape, dcps_split split, dcps_metrics *metrics)
{
    (void)state;
    (void)split;
    dcps_metrics_set(metrics, "first", (double)dcps_tensor_values(tape, dcps_tape_parameter(tape, 0))[0]);
    return DCPS_OK;
}

DCPS_MODEL_EXPORT = {
    DCPS_MODEL_HEAD,
    .name = "paced",
    .summary = "Takes a given time for each step.",
    .options = paced_options,
    .open = paced_open,
    .describe = paced_describe,
    .declare = paced_declare,
    .load = paced_load,
    .loss = paced_loss,
    .evaluate = paced_evaluate,
    .close = paced_close,
};
