#include <math.h>

#include "tensor/ops.h"
#include "tensor/ref/ref.h"

enum { I, F, G, O };

/* All of a layer in double, step after step: what forward computes and backward needs. */
typedef struct states {
    double *gates; /* [steps, batch, 4, hidden], after σ and tanh */
    double *h, *c; /* [steps + 1, batch, hidden], the first before the first step */
} states;

static double sigmoid(double x)
{
    return 1.0 / (1.0 + exp(-x));
}

/* Input of gate column `column` for batch element b of step t. */
static double gate_input(const dcps_call *call, const states *of, size_t t, size_t b, size_t column)
{
    const dcps_lstm_attributes *is = call->attributes;
    size_t row = t * is->batch + b, width = 4 * is->hidden;
    double sum = (double)call->x[DCPS_LSTM_BIAS]->values[column];
    for (size_t k = 0; k < is->input; k++) {
        sum += (double)call->x[DCPS_LSTM_X]->values[row * is->input + k] *
               (double)call->x[DCPS_LSTM_W_INPUT]->values[k * width + column];
    }
    for (size_t k = 0; k < is->hidden; k++) {
        sum += of->h[row * is->hidden + k] * (double)call->x[DCPS_LSTM_W_HIDDEN]->values[k * width + column];
    }
    return sum;
}

static void step(const dcps_call *call, const states *of, size_t t)
{
    const dcps_lstm_attributes *is = call->attributes;
    size_t hidden = is->hidden, slab = is->batch * hidden;
    for (size_t b = 0; b < is->batch; b++) {
        for (size_t j = 0; j < hidden; j++) {
            double *gate = of->gates + ((t * is->batch + b) * 4) * hidden + j;
            size_t at = t * slab + b * hidden + j;
            gate[I * hidden] = sigmoid(gate_input(call, of, t, b, I * hidden + j));
            gate[F * hidden] = sigmoid(gate_input(call, of, t, b, F * hidden + j));
            gate[G * hidden] = tanh(gate_input(call, of, t, b, G * hidden + j));
            gate[O * hidden] = sigmoid(gate_input(call, of, t, b, O * hidden + j));
            of->c[at + slab] = gate[F * hidden] * of->c[at] + gate[I * hidden] * gate[G * hidden];
            of->h[at + slab] = gate[O * hidden] * tanh(of->c[at + slab]);
        }
    }
}

static dcps_status run(const dcps_call *call, states *of)
{
    const dcps_lstm_attributes *is = call->attributes;
    size_t slab = is->batch * is->hidden;
    of->gates = dcps_call_scratch(call, 4 * is->steps * slab, sizeof(*of->gates));
    of->h = dcps_call_scratch(call, (is->steps + 1) * slab, sizeof(*of->h));
    of->c = dcps_call_scratch(call, (is->steps + 1) * slab, sizeof(*of->c));
    if (of->gates == NULL || of->h == NULL || of->c == NULL) {
        return DCPS_NO_MEMORY;
    }
    for (size_t i = 0; i < slab; i++) {
        of->h[i] = (double)call->x[DCPS_LSTM_H]->values[i];
        of->c[i] = (double)call->x[DCPS_LSTM_C]->values[i];
    }
    for (size_t t = 0; t < is->steps; t++) {
        step(call, of, t);
    }
    return DCPS_OK;
}

static dcps_status forward(const dcps_call *call, float *y)
{
    const dcps_lstm_attributes *is = call->attributes;
    size_t slab = is->batch * is->hidden;
    states of;
    dcps_status status = run(call, &of);
    for (size_t i = 0; status == DCPS_OK && i < is->steps * slab; i++) {
        y[i] = (float)of.h[slab + i];
    }
    for (size_t i = 0; status == DCPS_OK && i < slab; i++) {
        y[is->steps * slab + i] = (float)of.c[is->steps * slab + i];
    }
    return status;
}

/* Turns dh and dc [batch, hidden] after step t into dgates [batch, 4, hidden], of what goes into σ and tanh, and dc before the step. */
static void step_back(const dcps_lstm_attributes *is, const states *of, size_t t, const double *dh, double *dc,
                      double *dgates)
{
    size_t hidden = is->hidden, slab = is->batch * hidden;
    for (size_t i = 0; i < slab; i++) {
        size_t b = i / hidden, at = b * 4 * hidden + i % hidden;
        const double *gate = of->gates + t * 4 * slab + at;
        double tanh_c = tanh(of->c[(t + 1) * slab + i]);
        double whole = dc[i] + dh[i] * gate[O * hidden] * (1.0 - tanh_c * tanh_c);
        double in = gate[I * hidden], forget = gate[F * hidden], fresh = gate[G * hidden], out = gate[O * hidden];
        dgates[at + I * hidden] = whole * fresh * in * (1.0 - in);
        dgates[at + F * hidden] = whole * of->c[t * slab + i] * forget * (1.0 - forget);
        dgates[at + G * hidden] = whole * in * (1.0 - fresh * fresh);
        dgates[at + O * hidden] = dh[i] * tanh_c * out * (1.0 - out);
        dc[i] = whole * forget;
    }
}

/* dh [batch, hidden] = dgates [batch, 4 hidden] · w_hiddenᵀ */
static void hidden_back(const dcps_call *call, const double *dgates, double *dh)
{
    const dcps_lstm_attributes *is = call->attributes;
    size_t width = 4 * is->hidden;
    for (size_t b = 0; b < is->batch; b++) {
        for (size_t k = 0; k < is->hidden; k++) {
            double sum = 0.0;
            for (size_t j = 0; j < width; j++) {
                sum += dgates[b * width + j] * (double)call->x[DCPS_LSTM_W_HIDDEN]->values[k * width + j];
            }
            dh[b * is->hidden + k] = sum;
        }
    }
}

/* slot [rows, 4 hidden] = left [steps · batch, rows]ᵀ · dgates; the elements of `left` are floats or doubles */
static void weights_back(const dcps_lstm_attributes *is, size_t rows, const float *floats, const double *doubles,
                         const double *dgates, const dcps_gradient_slot *slot)
{
    size_t width = 4 * is->hidden;
    for (size_t k = 0; slot->values != NULL && k < rows; k++) {
        for (size_t j = 0; j < width; j++) {
            double sum = 0.0;
            for (size_t i = 0; i < is->steps * is->batch; i++) {
                sum += (floats != NULL ? (double)floats[i * rows + k] : doubles[i * rows + k]) * dgates[i * width + j];
            }
            dcps_ref_put(slot, k * width + j, sum);
        }
    }
}

static void inputs_back(const dcps_call *call, const states *of, const double *dgates, const dcps_gradient_slot *dx)
{
    const dcps_lstm_attributes *is = call->attributes;
    size_t width = 4 * is->hidden, rows = is->steps * is->batch;
    for (size_t i = 0; dx[DCPS_LSTM_X].values != NULL && i < rows * is->input; i++) {
        double sum = 0.0;
        for (size_t j = 0; j < width; j++) {
            sum += dgates[i / is->input * width + j] *
                   (double)call->x[DCPS_LSTM_W_INPUT]->values[i % is->input * width + j];
        }
        dcps_ref_put(&dx[DCPS_LSTM_X], i, sum);
    }
    weights_back(is, is->input, call->x[DCPS_LSTM_X]->values, NULL, dgates, &dx[DCPS_LSTM_W_INPUT]);
    weights_back(is, is->hidden, NULL, of->h, dgates, &dx[DCPS_LSTM_W_HIDDEN]);
    for (size_t j = 0; dx[DCPS_LSTM_BIAS].values != NULL && j < width; j++) {
        double sum = 0.0;
        for (size_t i = 0; i < rows; i++) {
            sum += dgates[i * width + j];
        }
        dcps_ref_put(&dx[DCPS_LSTM_BIAS], j, sum);
    }
}

static dcps_status backward(const dcps_call *call, const float *dy, const dcps_gradient_slot *dx)
{
    const dcps_lstm_attributes *is = call->attributes;
    size_t slab = is->batch * is->hidden;
    states of;
    double *dgates = dcps_call_scratch(call, 4 * is->steps * slab, sizeof(*dgates));
    double *dh = dcps_call_scratch(call, slab, sizeof(*dh)), *dc = dcps_call_scratch(call, slab, sizeof(*dc));
    if (dgates == NULL || dh == NULL || dc == NULL || run(call, &of) != DCPS_OK) {
        return DCPS_NO_MEMORY;
    }
    for (size_t i = 0; i < slab; i++) {
        dh[i] = 0.0;
        dc[i] = (double)dy[is->steps * slab + i];
    }
    for (size_t t = is->steps; t-- > 0;) {
        for (size_t i = 0; i < slab; i++) {
            dh[i] += (double)dy[t * slab + i];
        }
        step_back(is, &of, t, dh, dc, dgates + 4 * t * slab);
        hidden_back(call, dgates + 4 * t * slab, dh);
    }
    inputs_back(call, &of, dgates, dx);
    for (size_t i = 0; i < slab; i++) {
        if (dx[DCPS_LSTM_H].values != NULL) {
            dcps_ref_put(&dx[DCPS_LSTM_H], i, dh[i]);
        }
        if (dx[DCPS_LSTM_C].values != NULL) {
            dcps_ref_put(&dx[DCPS_LSTM_C], i, dc[i]);
        }
    }
    return DCPS_OK;
}

const dcps_kernel dcps_ref_lstm = {.forward = forward, .backward = backward};
