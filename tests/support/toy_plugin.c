/* A model plugin that learns a line through made-up points, with one option; for tests of the programs that load it. */
#include <stdlib.h>

#include <dcps/model.h>

#define SAMPLES 50u
#define MAX_BATCH 64u

typedef struct toy {
    float scale;
    float x[MAX_BATCH * 2];
    int32_t y[MAX_BATCH];
    size_t count;
} toy;

static const dcps_option toy_options[] = {{.name = "scale",
                                           .type = DCPS_OPTION_REAL,
                                           .default_text = "1",
                                           .minimum = 0.1,
                                           .maximum = 10,
                                           .help = "factor of the points"},
                                          {.name = NULL}};

static dcps_status toy_open(const dcps_options *options, const char *data_dir, void **state)
{
    (void)data_dir;
    toy *self = calloc(1, sizeof(*self));
    if (self == NULL) {
        return dcps_fail(DCPS_NO_MEMORY, "toy: no memory");
    }
    self->scale = (float)dcps_options_real(options, "scale");
    *state = self;
    return DCPS_OK;
}

static dcps_status toy_describe(void *state, dcps_model_info *info)
{
    (void)state;
    *info = (dcps_model_info){.train_samples = SAMPLES, .dataset = "toys"};
    return DCPS_OK;
}

static dcps_status toy_declare(void *state, dcps_layout *layout)
{
    (void)state;
    return dcps_layout_add(layout, "weight", DCPS_INIT_HE_NORMAL, 2, (size_t[]){2, 2}, NULL);
}

static dcps_status toy_load(void *state, const dcps_batch *batch)
{
    toy *self = state;
    if (batch->count > MAX_BATCH) {
        return dcps_fail(DCPS_LIMIT, "toy: %u samples in a batch, at most %u", batch->count, MAX_BATCH);
    }
    for (uint32_t i = 0; i < batch->count; i++) {
        uint32_t number = batch->samples[i];
        self->x[2 * i] = self->scale * (float)(number % 7);
        self->x[2 * i + 1] = self->scale * (float)(number % 5);
        self->y[i] = number % 7 > number % 5;
    }
    self->count = batch->count;
    return DCPS_OK;
}

static dcps_tensor *toy_loss(void *state, dcps_tape *tape)
{
    toy *self = state;
    dcps_tensor *x = dcps_tape_input(tape, self->x, 2, (size_t[]){self->count, 2});
    return dcps_tape_cross_entropy(tape, dcps_tape_matmul(tape, x, dcps_tape_parameter(tape, 0)), self->y);
}

static dcps_status toy_evaluate(void *state, dcps_tape *tape, dcps_split split, dcps_metrics *metrics)
{
    (void)state;
    (void)split;
    dcps_metrics_set(metrics, "first", (double)dcps_tensor_values(tape, dcps_tape_parameter(tape, 0))[0]);
    return DCPS_OK;
}

DCPS_MODEL_EXPORT = {
    DCPS_MODEL_HEAD,          .name = "toy",    .summary = "Learns which of two numbers is larger.",
    .options = toy_options,   .open = toy_open, .describe = toy_describe,
    .declare = toy_declare,   .load = toy_load, .loss = toy_loss,
    .evaluate = toy_evaluate, .close = free,
};
