/* Ops of language models. */
#include <stdbool.h>

#include "parity/parity.h"

static dcps_tensor *softmax(dcps_tape *tape, dcps_tensor *const *x, const size_t *arguments)
{
    (void)arguments;
    return dcps_tape_softmax(tape, x[0]);
}

static dcps_tensor *log_softmax(dcps_tape *tape, dcps_tensor *const *x, const size_t *arguments)
{
    (void)arguments;
    return dcps_tape_log_softmax(tape, x[0]);
}

/* Of batch element i the first i + 1 columns are shown, and then every third. */
static dcps_tensor *masked_softmax(dcps_tape *tape, dcps_tensor *const *x, const size_t *arguments)
{
    static uint8_t mask[32 * 64];
    (void)arguments;
    size_t batch = dcps_tensor_dim(x[0], 0), columns = dcps_tensor_dim(x[0], dcps_tensor_dim_count(x[0]) - 1);
    for (size_t i = 0; i < batch; i++) {
        for (size_t j = 0; j < columns; j++) {
            mask[i * columns + j] = j <= i || j % 3 == 0;
        }
    }
    return dcps_tape_masked_softmax(tape, x[0], mask);
}

/* Arguments: label smoothing in hundredths; whether labels equal to arguments[2] are ignored. */
static dcps_tensor *cross_entropy_with(dcps_tape *tape, dcps_tensor *const *x, const size_t *arguments)
{
    static int32_t labels[256];
    size_t rows = dcps_tensor_dim(x[0], 0), classes = dcps_tensor_dim(x[0], 1);
    for (size_t i = 0; i < rows; i++) {
        labels[i] = (int32_t)(i * 7 % classes);
    }
    dcps_cross_entropy_options options = {.label_smoothing = (float)arguments[0] / 100.0f,
                                          .ignore = arguments[1] != 0,
                                          .ignored_label = (int32_t)arguments[2]};
    return dcps_tape_cross_entropy_with(tape, x[0], labels, &options);
}

/* Arguments: shape of the indices, of which some rows of the table are shown often and some never. */
static dcps_tensor *embedding(dcps_tape *tape, dcps_tensor *const *x, const size_t *arguments)
{
    static int32_t indices[1024];
    size_t rows = dcps_tensor_dim(x[0], 0), dim_count = 0;
    for (size_t i = 0; i < 1024; i++) {
        indices[i] = (int32_t)(i * i % rows);
    }
    while (arguments[dim_count] != 0) {
        dim_count++;
    }
    return dcps_tape_embedding(tape, x[0], indices, (uint32_t)dim_count, arguments);
}

/* Arguments: rate in hundredths, seed, number. */
static dcps_tensor *dropout(dcps_tape *tape, dcps_tensor *const *x, const size_t *arguments)
{
    return dcps_tape_dropout(tape, x[0], (float)arguments[0] / 100.0f, arguments[1], arguments[2]);
}

static dcps_tensor *layer_norm(dcps_tape *tape, dcps_tensor *const *x, const size_t *arguments)
{
    (void)arguments;
    return dcps_tape_layer_norm(tape, x[0], x[1], x[2], 1e-5f);
}

/* Argument: what weights are divided by. Large ones make a chaotic system, in which rounding errors grow from step to step. */
static dcps_tensor *lstm(dcps_tape *tape, dcps_tensor *const *x, const size_t *arguments)
{
    dcps_tensor *w[2] = {x[1], x[2]};
    for (int i = 0; i < 2 && arguments[0] != 0; i++) {
        w[i] = dcps_tape_scale(tape, w[i], 1.0f / (float)arguments[0]);
    }
    dcps_lstm_layer layer = {.w_input = w[0], .w_hidden = w[1], .bias = x[3], .h = x[4], .c = x[5]};
    return dcps_tape_lstm(tape, x[0], 1, &layer, NULL);
}

static const parity_row rows[] = {
    {"softmax one number", softmax, "1", {0}, PARITY_SIGNED, 0, 0, 1e-4},
    {"softmax row", softmax, "1,10", {0}, PARITY_SIGNED, 1e-6, 3e-6, 2e-4},
    {"softmax odd", softmax, "3,5,7", {0}, PARITY_WIDE, 1e-6, 3e-6, 5e-4},
    {"softmax large", softmax, "64,1001", {0}, PARITY_WIDE, 2e-6, 5e-6, 0},
    {"masked softmax one", masked_softmax, "1,1", {0}, PARITY_SIGNED, 0, 0, 1e-4},
    {"masked softmax matrix", masked_softmax, "5,7", {0}, PARITY_SIGNED, 1e-6, 3e-6, 2e-4},
    {"masked softmax three dims", masked_softmax, "3,4,5", {0}, PARITY_WIDE, 1e-6, 3e-6, 5e-4},
    {"masked softmax large", masked_softmax, "20,31,50", {0}, PARITY_WIDE, 1e-6, 3e-6, 0},
    {"log_softmax one number", log_softmax, "1", {0}, PARITY_SIGNED, 0, 0, 1e-4},
    {"log_softmax odd", log_softmax, "3,5,7", {0}, PARITY_WIDE, 1e-6, 3e-6, 5e-4},
    {"log_softmax large", log_softmax, "64,1001", {0}, PARITY_WIDE, 2e-6, 5e-6, 0},
    {"cross_entropy smoothed", cross_entropy_with, "7,5", {10}, PARITY_SIGNED, 2e-6, 5e-6, 2e-4},
    {"cross_entropy ignoring", cross_entropy_with, "9,4", {0, 1, 3}, PARITY_SIGNED, 2e-6, 5e-6, 2e-4},
    {"cross_entropy ignoring all", cross_entropy_with, "3,1", {0, 1, 0}, PARITY_SIGNED, 0, 0, 1e-4},
    {"cross_entropy smoothed, ignoring", cross_entropy_with, "100,257", {10, 1, 7}, PARITY_WIDE, 2e-6, 5e-6, 0},
    {"embedding one", embedding, "1,1", {1}, PARITY_SIGNED, 0, 0, 1e-4},
    {"embedding scalar index", embedding, "5,3", {0}, PARITY_SIGNED, 0, 0, 1e-4},
    {"embedding odd", embedding, "7,3", {5, 3}, PARITY_SIGNED, 0, 1e-6, 1e-4},
    {"embedding large", embedding, "1000,200", {20, 35}, PARITY_SIGNED, 0, 2e-6, 0},
    {"dropout of nothing", dropout, "5,3", {0, 1, 2}, PARITY_SIGNED, 0, 0, 1e-4},
    {"dropout odd", dropout, "7,11", {30, 1, 2}, PARITY_SIGNED, 1e-6, 1e-6, 1e-4},
    {"dropout large", dropout, "63,257", {65, 1, UINT64_MAX}, PARITY_SIGNED, 1e-6, 1e-6, 0},
    {"layer_norm three columns", layer_norm, "2,3;3;3", {0}, PARITY_WIDE, 5e-6, 1e-5, 5e-4},
    {"layer_norm odd", layer_norm, "3,5,7;7;7", {0}, PARITY_WIDE, 5e-6, 1e-5, 5e-4},
    {"layer_norm large", layer_norm, "40,513;513;513", {0}, PARITY_SIGNED, 5e-6, 1e-5, 0},
    {"lstm one number", lstm, "1,1,1;1,4;1,4;4;1,1;1,1", {0}, PARITY_SIGNED, 1e-6, 3e-6, 2e-4},
    {"lstm odd", lstm, "4,3,5;5,28;7,28;28;3,7;3,7", {0}, PARITY_SIGNED, 2e-6, 5e-6, 2e-4},
    {"lstm 200", lstm, "20,20,200;200,800;200,800;800;20,200;20,200", {10}, PARITY_SIGNED, 3e-6, 5e-6, 0},
};
const parity_table parity_sequence = {rows, sizeof(rows) / sizeof(rows[0])};
