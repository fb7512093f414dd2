#include "tensor/ops.h"
#include "tensor/tape_state.h"

static bool is_shape(const dcps_tensor *x, size_t rows, size_t columns)
{
    return x->dim_count == 2 && x->dims[0] == rows && x->dims[1] == columns;
}

/* x [steps, batch, input] → [steps + 1, batch, hidden]: h of every step, c of the last */
static dcps_tensor *one_layer(dcps_tape *tape, dcps_tensor *x, const dcps_lstm_layer *layer)
{
    dcps_call *call =
        dcps_tape_begin(tape, DCPS_OP_LSTM, DCPS_LSTM_INPUTS,
                        (dcps_tensor *[]){x, layer->w_input, layer->w_hidden, layer->bias, layer->h, layer->c});
    if (call == NULL) {
        return NULL;
    }
    size_t hidden = layer->w_hidden->dim_count == 2 ? layer->w_hidden->dims[0] : 0;
    if (x->dim_count != 3 || hidden == 0 || hidden > SIZE_MAX / 4 || !is_shape(layer->w_hidden, hidden, 4 * hidden) ||
        !is_shape(layer->w_input, x->dims[2], 4 * hidden) || layer->bias->dim_count != 1 ||
        layer->bias->dims[0] != 4 * hidden || !is_shape(layer->h, x->dims[1], hidden) ||
        !is_shape(layer->c, x->dims[1], hidden)) {
        return dcps_tape_refuse(tape, call,
                                "x [steps, batch, input], w_input [input, 4 hidden], w_hidden [hidden, 4 hidden], bias "
                                "[4 hidden], h and c [batch, hidden]");
    }
    dcps_lstm_attributes attributes = {.steps = x->dims[0], .batch = x->dims[1], .input = x->dims[2], .hidden = hidden};
    if (!dcps_tape_attach(tape, call, &attributes, sizeof(attributes))) {
        return NULL;
    }
    return dcps_tape_run(tape, call, 3, (size_t[]){attributes.steps + 1, attributes.batch, hidden});
}

/* Index `first` of the first dim of states [steps + 1, batch, hidden] → [batch, hidden] */
static dcps_tensor *state_at(dcps_tape *tape, dcps_tensor *states, size_t first)
{
    dcps_tensor *slice = dcps_tape_slice(tape, states, 0, first, 1);
    return slice == NULL ? NULL : dcps_tape_reshape(tape, slice, 2, slice->dims + 1);
}

dcps_tensor *dcps_tape_lstm(dcps_tape *tape, dcps_tensor *x, uint32_t layer_count, const dcps_lstm_layer *layers,
                            dcps_lstm_state *after)
{
    if (dcps_tape_status(tape) != DCPS_OK) {
        return NULL;
    }
    if (layer_count == 0 || layers == NULL) {
        return dcps_tape_fail(tape, dcps_fail(DCPS_INVALID, "lstm: expected at least one layer, seen none (backend %s)",
                                              tape->config.backend->name));
    }
    for (uint32_t i = 0; i < layer_count; i++) {
        dcps_tensor *states = one_layer(tape, x, &layers[i]);
        if (states == NULL) {
            return NULL;
        }
        size_t steps = states->dims[0] - 1;
        if (after != NULL) {
            dcps_lstm_state state = {.h = state_at(tape, states, steps - 1), .c = state_at(tape, states, steps)};
            if (state.h == NULL || state.c == NULL) {
                return NULL;
            }
            after[i] = state;
        }
        x = dcps_tape_slice(tape, states, 0, 0, steps);
        if (x == NULL) {
            return NULL;
        }
    }
    return x;
}
