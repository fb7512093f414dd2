/* A word-level language model: embedding, layers of LSTM, softmax over the vocabulary, trained by truncated back-propagation through time as Zaremba, Sutskever and Vinyals (2014),
 * "Recurrent Neural Network Regularization". A sample is a sequence of `bptt` words; the batch size is the number of streams that are read side by side. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <dcps/corpus.h>
#include <dcps/model.h>

#define MAX_LAYERS 16
#define EVALUATION_STREAMS 10
#define EVALUATION_STEPS 35

static const dcps_option lstm_options[] = {
    {.name = "layers",
     .type = DCPS_OPTION_INTEGER,
     .default_text = "2",
     .value_name = "N",
     .minimum = 1,
     .maximum = MAX_LAYERS,
     .help = "Layers of LSTM"},
    {.name = "hidden",
     .type = DCPS_OPTION_INTEGER,
     .default_text = "200",
     .value_name = "N",
     .minimum = 1,
     .maximum = 65536,
     .help = "Units of each layer, and width of the embedding"},
    {.name = "bptt",
     .type = DCPS_OPTION_INTEGER,
     .default_text = "20",
     .value_name = "N",
     .minimum = 1,
     .maximum = 10000,
     .help = "Steps through which gradients go back"},
    {.name = "dropout",
     .type = DCPS_OPTION_REAL,
     .default_text = "0",
     .value_name = "X",
     .minimum = 0,
     .maximum = 0.99,
     .help = "Share of units dropped before, between and after the layers"},
    {.name = "tied",
     .type = DCPS_OPTION_FLAG,
     .default_text = "false",
     .help = "Use the embedding as the output's weights too"},
    {.name = "clip",
     .type = DCPS_OPTION_REAL,
     .default_text = "5",
     .value_name = "X",
     .minimum = 0,
     .maximum = 1e9,
     .help = "Largest norm of a gradient; 0: no limit"},
    {.name = "init-range",
     .type = DCPS_OPTION_REAL,
     .default_text = "0.1",
     .value_name = "X",
     .minimum = 1e-6,
     .maximum = 10,
     .help = "Initial values are uniform in ±X"},
    {.name = NULL},
};

/* Hidden and cell state of every layer, [layers, 2, streams, hidden]; grows with the number of streams. */
typedef struct memory {
    float *values;
    size_t capacity;
} memory;

typedef struct lstm {
    dcps_corpus *corpus;
    uint32_t layers;
    size_t hidden;
    uint32_t bptt;
    float dropout;
    bool tied;
    float init_range;
    double clip_norm;

    dcps_token_batch batch;
    uint64_t seed, number; /* of the batch, for dropout */
    uint64_t turn;         /* of the batch */
    bool begun;
    memory before, after; /* the batch; after it becomes before it */
} lstm;

static void lstm_close(void *state)
{
    lstm *self = state;
    dcps_token_batch_release(&self->batch);
    dcps_corpus_close(&self->corpus);
    free(self->before.values);
    free(self->after.values);
    free(self);
}

static void read_options(lstm *self, const dcps_options *options)
{
    self->layers = (uint32_t)dcps_options_integer(options, "layers");
    self->hidden = (size_t)dcps_options_integer(options, "hidden");
    self->bptt = (uint32_t)dcps_options_integer(options, "bptt");
    self->dropout = (float)dcps_options_real(options, "dropout");
    self->tied = dcps_options_flag(options, "tied");
    self->clip_norm = dcps_options_real(options, "clip");
    self->init_range = (float)dcps_options_real(options, "init-range");
}

static dcps_status lstm_open(const dcps_options *options, const char *data_dir, void **state)
{
    lstm *self = calloc(1, sizeof(*self));
    if (self == NULL) {
        return dcps_fail(DCPS_NO_MEMORY, "lstm: no memory");
    }
    read_options(self, options);
    dcps_status status = dcps_corpus_open("ptb", data_dir, &self->corpus);
    if (status == DCPS_OK && (self->corpus->train.count - 1) / self->bptt == 0) {
        status =
            dcps_fail(DCPS_INVALID, "model lstm, option bptt: the training text has %zu words, too few for %u steps",
                      self->corpus->train.count, self->bptt);
    }
    if (status != DCPS_OK) {
        lstm_close(self);
        return status;
    }
    *state = self;
    return DCPS_OK;
}

static dcps_status lstm_describe(void *state, dcps_model_info *info)
{
    const lstm *self = state;
    *info = (dcps_model_info){.train_samples = (self->corpus->train.count - 1) / self->bptt,
                              .dataset = "ptb",
                              .clip_norm = self->clip_norm,
                              .carries_state = true};
    return DCPS_OK;
}

static dcps_status add_uniform(const lstm *self, dcps_layout *layout, const char *name, uint32_t dim_count,
                               const size_t *dims)
{
    return dcps_layout_add_uniform(layout, name, self->init_range, dim_count, dims, NULL);
}

static dcps_status declare_layer(const lstm *self, dcps_layout *layout, uint32_t layer)
{
    const size_t dims[] = {self->hidden, 4 * self->hidden};
    static const char *const names[] = {"w_input", "w_hidden", "bias"};
    dcps_status status = DCPS_OK;
    for (uint32_t i = 0; i < 3 && status == DCPS_OK; i++) {
        char name[32];
        snprintf(name, sizeof(name), "lstm%u.%s", layer + 1, names[i]);
        status = add_uniform(self, layout, name, i < 2 ? 2 : 1, i < 2 ? dims : &dims[1]);
    }
    return status;
}

/* The tensors are numbered: embedding 0, of layer l 1 + 3l …, then the output's bias, and its weights unless they are tied. */
static dcps_status lstm_declare(void *state, dcps_layout *layout)
{
    const lstm *self = state;
    const size_t words = self->corpus->vocabulary_count;
    dcps_status status = add_uniform(self, layout, "embedding", 2, (size_t[]){words, self->hidden});
    for (uint32_t layer = 0; layer < self->layers && status == DCPS_OK; layer++) {
        status = declare_layer(self, layout, layer);
    }
    if (status == DCPS_OK) {
        status = add_uniform(self, layout, "output.bias", 1, &words);
    }
    if (status == DCPS_OK && !self->tied) {
        status = add_uniform(self, layout, "output.weight", 2, (size_t[]){self->hidden, words});
    }
    return status;
}

static size_t memory_count(const lstm *self)
{
    return 2 * self->layers * self->batch.streams * self->hidden;
}

static dcps_status memory_reserve(const lstm *self, memory *state)
{
    size_t count = memory_count(self);
    if (count <= state->capacity) {
        return DCPS_OK;
    }
    float *values = realloc(state->values, count * sizeof(*values));
    if (values == NULL) {
        return dcps_fail(DCPS_NO_MEMORY, "lstm: no memory for the state of %zu streams", self->batch.streams);
    }
    *state = (memory){.values = values, .capacity = count};
    return DCPS_OK;
}

/* What the latest batch left becomes the state before the next one, or zeros where that does not follow it. */
static dcps_status carry_on(lstm *self, bool anew)
{
    const memory left = self->after;
    self->after = self->before;
    self->before = left;
    dcps_status status = memory_reserve(self, &self->before);
    if (status == DCPS_OK) {
        status = memory_reserve(self, &self->after);
    }
    if (status == DCPS_OK && anew) {
        memset(self->before.values, 0, memory_count(self) * sizeof(*self->before.values));
    }
    return status;
}

static dcps_status lstm_load(void *state, const dcps_batch *batch)
{
    lstm *self = state;
    const dcps_tokens part = dcps_tokens_part(&self->corpus->train, batch->worker, batch->workers);
    dcps_status status = dcps_token_batch_load(&self->batch, &part, batch->size, self->bptt, batch->turn);
    if (status == DCPS_OK) {
        status = carry_on(self, !self->begun || self->batch.anew || batch->turn != self->turn + 1);
    }
    if (status != DCPS_OK) {
        return status;
    }
    self->begun = true;
    self->turn = batch->turn;
    self->seed = batch->seed;
    self->number = batch->number;
    return DCPS_OK;
}

static float *state_of(const lstm *self, const memory *state, uint32_t layer, uint32_t which)
{
    return state->values + (2 * layer + which) * self->batch.streams * self->hidden;
}

static dcps_lstm_layer layer_of(const lstm *self, dcps_tape *tape, uint32_t layer)
{
    const size_t dims[] = {self->batch.streams, self->hidden};
    return (dcps_lstm_layer){.w_input = dcps_tape_parameter(tape, 1 + 3 * layer),
                             .w_hidden = dcps_tape_parameter(tape, 2 + 3 * layer),
                             .bias = dcps_tape_parameter(tape, 3 + 3 * layer),
                             .h = dcps_tape_input(tape, state_of(self, &self->before, layer, 0), 2, dims),
                             .c = dcps_tape_input(tape, state_of(self, &self->before, layer, 1), 2, dims)};
}

static dcps_tensor *drop(const lstm *self, dcps_tape *tape, dcps_tensor *x)
{
    return self->dropout > 0.0f ? dcps_tape_dropout(tape, x, self->dropout, self->seed, self->number) : x;
}

/* Has the states copied into `after`: the tape forgets them, and the ones before the batch are still needed. */
static void keep_states(lstm *self, dcps_tape *tape, const dcps_lstm_state *states)
{
    for (uint32_t layer = 0; layer < self->layers; layer++) {
        dcps_tape_fetch(tape, states[layer].h, state_of(self, &self->after, layer, 0));
        dcps_tape_fetch(tape, states[layer].c, state_of(self, &self->after, layer, 1));
    }
}

/* x [steps, streams, hidden] → the same, of the uppermost layer */
static dcps_tensor *run_layers(lstm *self, dcps_tape *tape, dcps_tensor *x)
{
    dcps_lstm_layer layers[MAX_LAYERS];
    dcps_lstm_state states[MAX_LAYERS] = {{NULL, NULL}};
    for (uint32_t layer = 0; layer < self->layers; layer++) {
        layers[layer] = layer_of(self, tape, layer);
    }
    if (self->dropout > 0.0f) {
        for (uint32_t layer = 0; layer < self->layers; layer++) {
            x = dcps_tape_lstm(tape, drop(self, tape, x), 1, &layers[layer], &states[layer]);
        }
    } else {
        x = dcps_tape_lstm(tape, x, self->layers, layers, states);
    }
    keep_states(self, tape, states);
    return x;
}

/* Mean of −log P(target) over the words of the batch, in nats */
static dcps_tensor *word_loss(lstm *self, dcps_tape *tape)
{
    const dcps_token_batch *batch = &self->batch;
    const size_t dims[] = {batch->steps, batch->streams}, flat[] = {batch->steps * batch->streams, self->hidden};
    uint32_t output = 1 + 3 * self->layers;
    dcps_tensor *table = dcps_tape_parameter(tape, 0);
    dcps_tensor *h = run_layers(self, tape, dcps_tape_embedding(tape, table, batch->inputs, 2, dims));
    h = dcps_tape_reshape(tape, drop(self, tape, h), 2, flat);
    dcps_tensor *logits = self->tied ? dcps_tape_matmul_transposed(tape, h, false, table, true)
                                     : dcps_tape_matmul(tape, h, dcps_tape_parameter(tape, output + 1));
    logits = dcps_tape_bias(tape, logits, dcps_tape_parameter(tape, output));
    return dcps_tape_cross_entropy(tape, logits, batch->targets);
}

/* Of a sequence: the sum over its steps, for which learning rates and limits of the norm are published. */
static dcps_tensor *lstm_loss(void *state, dcps_tape *tape)
{
    lstm *self = state;
    return dcps_tape_scale(tape, word_loss(self, tape), (float)self->batch.steps);
}

static dcps_status evaluate_text(lstm *self, dcps_tape *tape, const dcps_tokens *text, double *loss)
{
    uint64_t batches = dcps_token_batch_count(text, EVALUATION_STREAMS, EVALUATION_STEPS);
    double sum = 0.0, words = 0.0;
    if (batches == 0) {
        return dcps_fail(DCPS_INVALID, "lstm: a text of %zu words is too short to be evaluated", text->count);
    }
    for (uint64_t i = 0; i < batches; i++) {
        dcps_status status = dcps_token_batch_load(&self->batch, text, EVALUATION_STREAMS, EVALUATION_STEPS, i);
        if (status == DCPS_OK) {
            status = carry_on(self, i == 0);
        }
        if (status != DCPS_OK) {
            return status;
        }
        dcps_tape_reset(tape);
        const float *mean = dcps_tensor_values(tape, word_loss(self, tape));
        if (mean == NULL) {
            return dcps_tape_status(tape);
        }
        double count = (double)(self->batch.steps * self->batch.streams);
        sum += (double)*mean * count;
        words += count;
    }
    *loss = sum / words;
    return DCPS_OK;
}

static dcps_status lstm_evaluate(void *state, dcps_tape *tape, dcps_split split, dcps_metrics *metrics)
{
    lstm *self = state;
    const struct {
        const char *perplexity, *loss;
        const dcps_tokens *text;
    } of[] = {[DCPS_SPLIT_TRAIN] = {"train_perplexity", "train_loss", &self->corpus->train},
              [DCPS_SPLIT_VALIDATION] = {"validation_perplexity", "validation_loss", &self->corpus->validation},
              [DCPS_SPLIT_TEST] = {"test_perplexity", "test_loss", &self->corpus->test}};
    double loss = 0.0;
    dcps_status status = evaluate_text(self, tape, of[split].text, &loss);
    self->begun = false; /* the state is that of another text now */
    if (status != DCPS_OK) {
        return status;
    }
    dcps_metrics_set(metrics, of[split].perplexity, exp(loss));
    dcps_metrics_set(metrics, of[split].loss, loss);
    return DCPS_OK;
}

static const dcps_setting lstm_settings[] = {
    {"epochs", "13"},        {"batch-size", "20"}, {"learning-rate", "1"}, {"decay-epochs", "4,5,6,7,8,9,10,11,12"},
    {"decay-factor", "0.5"}, {NULL, NULL},
};

DCPS_MODEL_EXPORT = {
    DCPS_MODEL_HEAD,
    .name = "lstm",
    .summary = "Word-level LSTM language model for the Penn Treebank.",
    .options = lstm_options,
    .settings = lstm_settings,
    .open = lstm_open,
    .describe = lstm_describe,
    .declare = lstm_declare,
    .load = lstm_load,
    .loss = lstm_loss,
    .evaluate = lstm_evaluate,
    .close = lstm_close,
};
