/* One layer of an LSTM: products of matrices, one for all steps where there is no dependence, and vectorised loops over the gates between them. */
#include <string.h>

#include "tensor/cpu/gemm.h"
#include "tensor/cpu/kernels.h"
#include "tensor/cpu/loops.h"
#include "tensor/cpu/vector_math.h"
#include "tensor/ops.h"

#define EXPONENTIALS 16u /* what an element of a step costs, in elements of simpler loops */

/* saved: gates [steps, batch, 4 hidden] after σ and tanh, then c and tanh(c) [steps, batch, hidden] */
static size_t saved_count(const dcps_call *call)
{
    const dcps_lstm_attributes *is = call->attributes;
    return 6 * is->steps * is->batch * is->hidden;
}

/* One row of gates [4, n] in place, c and tanh(c) and h [n] from c before. */
DCPS_CPU_LOOP static void gates_forward(size_t n, const float *restrict bias, float *restrict gates,
                                        const float *restrict c_before, float *restrict c, float *restrict tanh_c,
                                        float *restrict h)
{
    for (size_t j = 0; j < n; j++) {
        float in = dcps_lane_sigmoid(gates[j] + bias[j]);
        float forget = dcps_lane_sigmoid(gates[n + j] + bias[n + j]);
        float fresh = dcps_lane_tanh(gates[2 * n + j] + bias[2 * n + j]);
        float out = dcps_lane_sigmoid(gates[3 * n + j] + bias[3 * n + j]);
        gates[j] = in;
        gates[n + j] = forget;
        gates[2 * n + j] = fresh;
        gates[3 * n + j] = out;
        c[j] = forget * c_before[j] + in * fresh;
        tanh_c[j] = dcps_lane_tanh(c[j]);
        h[j] = out * tanh_c[j];
    }
}

/* What the rows of one step are shared out for, forward and backward: [batch, 4 hidden] or [batch, hidden] of it. */
typedef struct step_rows {
    size_t n;
    const float *bias, *c_before, *dh;
    float *gates, *c, *tanh_c, *h, *dc, *dgates;
} step_rows;

static void rows_forward(void *context, size_t begin, size_t end)
{
    const step_rows *is = context;
    for (size_t at = begin * is->n; at < end * is->n; at += is->n) {
        gates_forward(is->n, is->bias, is->gates + 4 * at, is->c_before + at, is->c + at, is->tanh_c + at, is->h + at);
    }
}

static dcps_status forward(const dcps_call *call, float *y)
{
    const dcps_lstm_attributes *is = call->attributes;
    size_t batch = is->batch, n = is->hidden, slab = batch * n;
    float *gates = call->saved != NULL ? call->saved : dcps_call_scratch(call, saved_count(call), sizeof(*gates));
    if (gates == NULL) {
        return DCPS_NO_MEMORY;
    }
    float *c = gates + 4 * is->steps * slab, *tanh_c = c + is->steps * slab;
    dcps_status status = dcps_cpu_gemm(call, 'N', 'N', is->steps * batch, 4 * n, is->input,
                                       call->x[DCPS_LSTM_X]->values, call->x[DCPS_LSTM_W_INPUT]->values, gates, false);
    for (size_t t = 0; t < is->steps && status == DCPS_OK; t++) {
        const float *h_before = t == 0 ? call->x[DCPS_LSTM_H]->values : y + (t - 1) * slab;
        const float *c_before = t == 0 ? call->x[DCPS_LSTM_C]->values : c + (t - 1) * slab;
        status = dcps_cpu_gemm(call, 'N', 'N', batch, 4 * n, n, h_before, call->x[DCPS_LSTM_W_HIDDEN]->values,
                               gates + 4 * t * slab, true);
        step_rows rows = {.n = n,
                          .bias = call->x[DCPS_LSTM_BIAS]->values,
                          .c_before = c_before,
                          .gates = gates + 4 * t * slab,
                          .c = c + t * slab,
                          .tanh_c = tanh_c + t * slab,
                          .h = y + t * slab};
        dcps_cpu_parallel(batch, EXPONENTIALS * slab, rows_forward, &rows);
    }
    memcpy(y + is->steps * slab, c + (is->steps - 1) * slab, slab * sizeof(*y));
    return status;
}

/* One row back: from dh [n] and dc [n] after the step to dgates [4, n] and, in dc, before it. */
DCPS_CPU_LOOP static void gates_backward(size_t n, const float *restrict gates, const float *restrict c_before,
                                         const float *restrict tanh_c, const float *restrict dh, float *restrict dc,
                                         float *restrict dgates)
{
    for (size_t j = 0; j < n; j++) {
        float in = gates[j], forget = gates[n + j], fresh = gates[2 * n + j], out = gates[3 * n + j];
        float whole = dc[j] + dh[j] * out * (1.0f - tanh_c[j] * tanh_c[j]);
        dgates[j] = whole * fresh * in * (1.0f - in);
        dgates[n + j] = whole * c_before[j] * forget * (1.0f - forget);
        dgates[2 * n + j] = whole * in * (1.0f - fresh * fresh);
        dgates[3 * n + j] = dh[j] * tanh_c[j] * out * (1.0f - out);
        dc[j] = whole * forget;
    }
}

static void rows_backward(void *context, size_t begin, size_t end)
{
    const step_rows *is = context;
    for (size_t at = begin * is->n; at < end * is->n; at += is->n) {
        gates_backward(is->n, is->gates + 4 * at, is->c_before + at, is->tanh_c + at, is->dh + at, is->dc + at,
                       is->dgates + 4 * at);
    }
}

/* dgates [steps, batch, 4 hidden], and dh and dc [batch, hidden] of what was before the first step */
static dcps_status steps_backward(const dcps_call *call, const float *dy, float *dgates, float *dh, float *dc)
{
    const dcps_lstm_attributes *is = call->attributes;
    size_t batch = is->batch, n = is->hidden, slab = batch * n;
    float *gates = call->saved, *c = gates + 4 * is->steps * slab, *tanh_c = c + is->steps * slab;
    memset(dh, 0, slab * sizeof(*dh));
    memcpy(dc, dy + is->steps * slab, slab * sizeof(*dc));
    dcps_status status = DCPS_OK;
    for (size_t t = is->steps; t-- > 0 && status == DCPS_OK;) {
        const float *c_before = t == 0 ? call->x[DCPS_LSTM_C]->values : c + (t - 1) * slab;
        dcps_cpu_add_scaled(slab, 1.0f, dy + t * slab, dh);
        step_rows rows = {.n = n,
                          .c_before = c_before,
                          .dh = dh,
                          .gates = gates + 4 * t * slab,
                          .tanh_c = tanh_c + t * slab,
                          .dc = dc,
                          .dgates = dgates + 4 * t * slab};
        dcps_cpu_parallel(batch, EXPONENTIALS * slab, rows_backward, &rows);
        status = dcps_cpu_gemm(call, 'N', 'T', batch, n, 4 * n, dgates + 4 * t * slab,
                               call->x[DCPS_LSTM_W_HIDDEN]->values, dh, false);
    }
    return status;
}

/* dw_hidden [hidden, 4 hidden] = Σ over steps of (h before)ᵀ · dgates: the first step's, then all others' at once */
static dcps_status w_hidden_backward(const dcps_call *call, const float *dgates, const dcps_gradient_slot *slot)
{
    const dcps_lstm_attributes *is = call->attributes;
    size_t n = is->hidden, slab = is->batch * n;
    dcps_status status = dcps_cpu_gemm(call, 'T', 'N', n, 4 * n, is->batch, call->x[DCPS_LSTM_H]->values, dgates,
                                       slot->values, slot->add);
    if (status != DCPS_OK || is->steps == 1) {
        return status;
    }
    return dcps_cpu_gemm(call, 'T', 'N', n, 4 * n, (is->steps - 1) * is->batch, call->y->values, dgates + 4 * slab,
                         slot->values, true);
}

static dcps_status parameters_backward(const dcps_call *call, const float *dgates, const dcps_gradient_slot *dx)
{
    const dcps_lstm_attributes *is = call->attributes;
    size_t width = 4 * is->hidden, rows = is->steps * is->batch;
    const dcps_gradient_slot *bias = &dx[DCPS_LSTM_BIAS];
    dcps_status status = DCPS_OK;
    if (dx[DCPS_LSTM_X].values != NULL) {
        status = dcps_cpu_gemm(call, 'N', 'T', rows, is->input, width, dgates, call->x[DCPS_LSTM_W_INPUT]->values,
                               dx[DCPS_LSTM_X].values, dx[DCPS_LSTM_X].add);
    }
    if (status == DCPS_OK && dx[DCPS_LSTM_W_INPUT].values != NULL) {
        status = dcps_cpu_gemm(call, 'T', 'N', is->input, width, rows, call->x[DCPS_LSTM_X]->values, dgates,
                               dx[DCPS_LSTM_W_INPUT].values, dx[DCPS_LSTM_W_INPUT].add);
    }
    if (status == DCPS_OK && dx[DCPS_LSTM_W_HIDDEN].values != NULL) {
        status = w_hidden_backward(call, dgates, &dx[DCPS_LSTM_W_HIDDEN]);
    }
    if (bias->values != NULL && !bias->add) {
        memset(bias->values, 0, width * sizeof(*dgates));
    }
    for (size_t i = 0; bias->values != NULL && i < rows; i++) {
        dcps_cpu_add_scaled(width, 1.0f, dgates + i * width, bias->values);
    }
    return status;
}

static dcps_status backward(const dcps_call *call, const float *dy, const dcps_gradient_slot *dx)
{
    const dcps_lstm_attributes *is = call->attributes;
    size_t slab = is->batch * is->hidden;
    float *dgates = dcps_call_scratch(call, (4 * is->steps + 2) * slab, sizeof(*dgates));
    if (dgates == NULL) {
        return DCPS_NO_MEMORY;
    }
    float *dh = dgates + 4 * is->steps * slab, *dc = dh + slab;
    dcps_status status = steps_backward(call, dy, dgates, dh, dc);
    if (status == DCPS_OK) {
        status = parameters_backward(call, dgates, dx);
    }
    if (dx[DCPS_LSTM_H].values != NULL) {
        dcps_cpu_put(&dx[DCPS_LSTM_H], 0, slab, 1.0f, dh);
    }
    if (dx[DCPS_LSTM_C].values != NULL) {
        dcps_cpu_put(&dx[DCPS_LSTM_C], 0, slab, 1.0f, dc);
    }
    return status;
}

const dcps_kernel dcps_cpu_lstm = {.saved_count = saved_count, .forward = forward, .backward = backward};
