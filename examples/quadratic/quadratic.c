/* A quadratic bowl, for experiments whose result is known beforehand: ½ Σ h_i (w_i − minimum)², from weights that all start at one. No data. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#include <dcps/model.h>

static const dcps_option quadratic_options[] = {
    {.name = "curvatures",
     .type = DCPS_OPTION_REALS,
     .default_text = "1",
     .value_name = "H,…",
     .minimum = 1e-12,
     .maximum = 1e12,
     .help = "Second derivative of each weight; with dims the smallest and the largest"},
    {.name = "dims",
     .type = DCPS_OPTION_INTEGER,
     .default_text = "0",
     .value_name = "N",
     .minimum = 0,
     .maximum = 16777216,
     .help = "Weights, with curvatures from the smallest to the largest in equal ratios; 0: one for each curvature"},
    {.name = "minimum",
     .type = DCPS_OPTION_REAL,
     .default_text = "0",
     .value_name = "X",
     .minimum = -1e12,
     .maximum = 1e12,
     .help = "Where the loss is 0; every weight starts at 1"},
    {.name = "noise",
     .type = DCPS_OPTION_REAL,
     .default_text = "0",
     .value_name = "X",
     .minimum = 0,
     .maximum = 1e12,
     .help = "Standard deviation of the noise in a sample's gradient, drawn from the run's seed"},
    {.name = "samples",
     .type = DCPS_OPTION_INTEGER,
     .default_text = "1000",
     .value_name = "N",
     .minimum = 1,
     .maximum = 100000000,
     .help = "Samples of an epoch"},
    {.name = NULL},
};

typedef struct quadratic {
    uint64_t samples;
    size_t dims;
    double deviation;                    /* of a sample's gradient */
    float *curvatures, *minimum, *noise; /* [dims] */
} quadratic;

static void quadratic_close(void *state)
{
    quadratic *self = state;
    free(self->curvatures);
    free(self->minimum);
    free(self->noise);
    free(self);
}

static dcps_status count_dims(quadratic *self, const dcps_options *options, size_t given)
{
    const size_t dims = (size_t)dcps_options_integer(options, "dims");
    if (dims == 0 && given == 0) {
        return dcps_fail(DCPS_INVALID, "model quadratic, option curvatures: expected at least one, got none");
    }
    if (dims > 0 && given != 2) {
        return dcps_fail(DCPS_INVALID,
                         "model quadratic, option curvatures: expected two of them with dims, the smallest and the "
                         "largest, got %zu",
                         given);
    }
    self->dims = dims > 0 ? dims : given;
    return DCPS_OK;
}

static dcps_status make_vectors(quadratic *self)
{
    self->curvatures = calloc(self->dims, sizeof(*self->curvatures));
    self->minimum = calloc(self->dims, sizeof(*self->minimum));
    self->noise = calloc(self->dims, sizeof(*self->noise));
    return self->curvatures != NULL && self->minimum != NULL && self->noise != NULL
               ? DCPS_OK
               : dcps_fail(DCPS_NO_MEMORY, "quadratic: no memory for %zu weights", self->dims);
}

static void fill_vectors(quadratic *self, const dcps_options *options, const double *given)
{
    const bool spread = dcps_options_integer(options, "dims") > 0;
    for (size_t i = 0; i < self->dims; i++) {
        const double place = self->dims > 1 ? (double)i / (double)(self->dims - 1) : 0.0;
        self->curvatures[i] = (float)(spread ? given[0] * pow(given[1] / given[0], place) : given[i]);
        self->minimum[i] = (float)dcps_options_real(options, "minimum");
    }
}

static dcps_status quadratic_open(const dcps_options *options, const char *data_dir, void **state)
{
    (void)data_dir;
    quadratic *self = calloc(1, sizeof(*self));
    if (self == NULL) {
        return dcps_fail(DCPS_NO_MEMORY, "quadratic: no memory");
    }
    size_t given;
    const double *curvatures = dcps_options_reals(options, "curvatures", &given);
    self->samples = (uint64_t)dcps_options_integer(options, "samples");
    self->deviation = dcps_options_real(options, "noise");
    dcps_status status = count_dims(self, options, given);
    if (status == DCPS_OK) {
        status = make_vectors(self);
    }
    if (status != DCPS_OK) {
        quadratic_close(self);
        return status;
    }
    fill_vectors(self, options, curvatures);
    *state = self;
    return DCPS_OK;
}

static dcps_status quadratic_describe(void *state, dcps_model_info *info)
{
    const quadratic *self = state;
    *info = (dcps_model_info){.train_samples = self->samples, .dataset = "none"};
    return DCPS_OK;
}

static dcps_status quadratic_declare(void *state, dcps_layout *layout)
{
    const quadratic *self = state;
    return dcps_layout_add(layout, "w", DCPS_INIT_ONE, 1, &self->dims, NULL);
}

/* A number that looks random for every input: the finaliser of SplitMix64 (Steele, Lea and Flood 2014). */
static uint64_t mix(uint64_t x)
{
    x += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

/* The noise is uniform, and a function of the run's seed, the batch and the weight: the same whoever computes the batch. The mean over a batch has a smaller one than a sample. */
static dcps_status quadratic_load(void *state, const dcps_batch *batch)
{
    quadratic *self = state;
    const double width = sqrt(12.0 / batch->count) * self->deviation; /* that of variance 1 is √12 wide */
    const uint64_t base = mix(mix(batch->seed) ^ batch->number);
    for (size_t i = 0; i < self->dims && width > 0.0; i++) {
        self->noise[i] = (float)(width * (ldexp((double)(mix(base ^ i) >> 11), -53) - 0.5));
    }
    return DCPS_OK;
}

/* w − minimum, [dims] */
static dcps_tensor *offset(const quadratic *self, dcps_tape *tape)
{
    return dcps_tape_sub(tape, dcps_tape_parameter(tape, 0), dcps_tape_input(tape, self->minimum, 1, &self->dims));
}

static dcps_tensor *quadratic_loss(void *state, dcps_tape *tape)
{
    const quadratic *self = state;
    dcps_tensor *d = offset(self, tape);
    dcps_tensor *slope = dcps_tape_mul(tape, d, dcps_tape_input(tape, self->curvatures, 1, &self->dims));
    slope = dcps_tape_scale(tape, slope, 0.5f);
    if (self->deviation > 0.0) {
        slope = dcps_tape_add(tape, slope, dcps_tape_input(tape, self->noise, 1, &self->dims));
    }
    return dcps_tape_sum(tape, dcps_tape_mul(tape, d, slope));
}

/* There is but one function to evaluate, without noise, whatever the split. */
static dcps_status quadratic_evaluate(void *state, dcps_tape *tape, dcps_split split, dcps_metrics *metrics)
{
    static const char *const names[] = {[DCPS_SPLIT_TRAIN] = "train_loss",
                                        [DCPS_SPLIT_VALIDATION] = "validation_loss",
                                        [DCPS_SPLIT_TEST] = "test_loss"};
    const quadratic *self = state;
    const float *d = dcps_tensor_values(tape, offset(self, tape));
    double loss = 0.0, square = 0.0;
    if (d == NULL) {
        return dcps_tape_status(tape);
    }
    for (size_t i = 0; i < self->dims; i++) {
        square += (double)d[i] * (double)d[i];
        loss += 0.5 * (double)self->curvatures[i] * (double)d[i] * (double)d[i];
    }
    dcps_metrics_set(metrics, names[split], loss);
    dcps_metrics_set(metrics, "norm", sqrt(square));
    return DCPS_OK;
}

static const dcps_setting quadratic_settings[] = {
    {"epochs", "10"},
    {"batch-size", "1"},
    {"learning-rate", "0.1"},
    {NULL, NULL},
};

DCPS_MODEL_EXPORT = {
    DCPS_MODEL_HEAD,
    .name = "quadratic",
    .summary = "Quadratic bowl of given curvatures, without data: experiments with a known result.",
    .options = quadratic_options,
    .settings = quadratic_settings,
    .open = quadratic_open,
    .describe = quadratic_describe,
    .declare = quadratic_declare,
    .load = quadratic_load,
    .loss = quadratic_loss,
    .evaluate = quadratic_evaluate,
    .close = quadratic_close,
};
