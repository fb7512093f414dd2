/* One layer of LSTM: products by cuBLAS, one for all steps where there is no dependence, and one kernel a step for everything between them.
 *
 * Not cuDNN's: its weights lie otherwise, so that each step would repack 8 · hidden · (input + hidden) floats there and back. Its lead would be layers that
 * overlap in time, which pays where a step's product is too small to fill the GPU; at 1500 hidden units the product streams 36 MB of weights, and
 * going through one layer after the other keeps them in the second-level cache. */
#include "cuda/kernel.cuh"

namespace
{
__device__ inline float sigmoid(float x)
{
    return 1.0f / (1.0f + expf(-x));
}

/* Of one step: gates [batch, 4, hidden] in place, from what goes into σ and tanh, without bias, to what comes out; c and tanh(c) and h [batch, hidden] from
 * c before. c_last: where c goes too (NULL: not the last step). */
__global__ void gates_forward(unsigned count, unsigned hidden, const float *bias, const float *c_before, float *gates,
                              float *c, float *tanh_c, float *h, float *c_last)
{
    for (unsigned i = blockIdx.x * blockDim.x + threadIdx.x; i < count; i += gridDim.x * blockDim.x) {
        unsigned j = i % hidden;
        float *gate = gates + (size_t)(i / hidden) * 4 * hidden + j;
        float in = sigmoid(gate[0] + bias[j]), forget = sigmoid(gate[hidden] + bias[hidden + j]);
        float fresh = tanhf(gate[2 * hidden] + bias[2 * hidden + j]);
        float out = sigmoid(gate[3 * hidden] + bias[3 * hidden + j]);
        float cell = forget * c_before[i] + in * fresh, bent = tanhf(cell);
        gate[0] = in;
        gate[hidden] = forget;
        gate[2 * hidden] = fresh;
        gate[3 * hidden] = out;
        c[i] = cell;
        tanh_c[i] = bent;
        h[i] = out * bent;
        if (c_last != NULL) {
            c_last[i] = cell;
        }
    }
}

/* Of one step: from dh (dy, and what the next step sends; NULL: there is none) and dc after it to dgates, of what goes into σ and tanh, and dc before it. */
__global__ void gates_backward(unsigned count, unsigned hidden, const float *gates, const float *c_before,
                               const float *tanh_c, const float *dy, const float *dh, const float *dc_after,
                               float *dgates, float *dc)
{
    for (unsigned i = blockIdx.x * blockDim.x + threadIdx.x; i < count; i += gridDim.x * blockDim.x) {
        size_t at = (size_t)(i / hidden) * 4 * hidden + i % hidden;
        const float *gate = gates + at;
        float *dgate = dgates + at;
        float in = gate[0], forget = gate[hidden], fresh = gate[2 * hidden], out = gate[3 * hidden];
        float slope = dy[i] + (dh != NULL ? dh[i] : 0.0f);
        float whole = dc_after[i] + slope * out * (1.0f - tanh_c[i] * tanh_c[i]);
        dgate[0] = whole * fresh * in * (1.0f - in);
        dgate[hidden] = whole * c_before[i] * forget * (1.0f - forget);
        dgate[2 * hidden] = whole * in * (1.0f - fresh * fresh);
        dgate[3 * hidden] = slope * tanh_c[i] * out * (1.0f - out);
        dc[i] = whole * forget;
    }
}

/* gates [steps, batch, 4 hidden] after σ and tanh, then c and tanh(c) [steps, batch, hidden] */
size_t saved_count(const dcps_call *call)
{
    const auto *is = dcps_attributes<dcps_lstm_attributes>(call);
    return 6 * is->steps * is->batch * is->hidden;
}

/* Where a layer's states lie. */
struct states {
    size_t steps, batch, hidden, slab; /* slab: batch · hidden */
    float *gates, *c, *tanh_c;
    const float *c_first;
    const float *c_before(size_t t) const
    {
        return t == 0 ? c_first : c + (t - 1) * slab;
    }
};

states states_of(const dcps_call *call, float *saved)
{
    const auto *is = dcps_attributes<dcps_lstm_attributes>(call);
    size_t slab = is->batch * is->hidden;
    float *c = saved + 4 * is->steps * slab;
    return {is->steps, is->batch, is->hidden, slab, saved, c, c + is->steps * slab, call->x[DCPS_LSTM_C]->values};
}

dcps_status step_forward(const dcps_call *call, const states &of, size_t t, float *y)
{
    const float *h_before = t == 0 ? call->x[DCPS_LSTM_H]->values : y + (t - 1) * of.slab;
    float *gates = of.gates + 4 * t * of.slab;
    dcps_status status = dcps_cuda_gemm(call, 1, false, false, of.batch, 4 * of.hidden, of.hidden, h_before,
                                        call->x[DCPS_LSTM_W_HIDDEN]->values, gates, true);
    if (status != DCPS_OK) {
        return status;
    }
    float *c_last = t + 1 == of.steps ? y + of.steps * of.slab : NULL;
    return DCPS_CALL_LAUNCH(call, gates_forward, dcps_grid(call, of.slab, DCPS_BLOCK), DCPS_BLOCK, (unsigned)of.slab,
                            (unsigned)of.hidden, call->x[DCPS_LSTM_BIAS]->values, of.c_before(t), gates,
                            of.c + t * of.slab, of.tanh_c + t * of.slab, y + t * of.slab, c_last);
}

dcps_status forward(const dcps_call *call, float *y)
{
    const auto *is = dcps_attributes<dcps_lstm_attributes>(call);
    dcps_status status = dcps_expect_32_bits(call);
    if (status != DCPS_OK) {
        return status;
    }
    float *saved = call->saved != NULL ? call->saved : dcps_scratch_floats(call, saved_count(call));
    if (saved == NULL) {
        return DCPS_NO_MEMORY;
    }
    states of = states_of(call, saved);
    status = dcps_cuda_gemm(call, 1, false, false, of.steps * of.batch, 4 * of.hidden, is->input,
                            call->x[DCPS_LSTM_X]->values, call->x[DCPS_LSTM_W_INPUT]->values, of.gates, false);
    for (size_t t = 0; t < of.steps && status == DCPS_OK; t++) {
        status = step_forward(call, of, t, y);
    }
    return status;
}

/* dgates [steps, batch, 4 hidden]; dc [batch, hidden] before the first step. dh [batch, hidden] is what goes from step to step. */
dcps_status steps_backward(const dcps_call *call, const states &of, const float *dy, float *dgates, float *dh,
                           float *dc)
{
    dcps_status status = DCPS_OK;
    for (size_t t = of.steps; t-- > 0 && status == DCPS_OK;) {
        bool last = t + 1 == of.steps;
        status = DCPS_CALL_LAUNCH(call, gates_backward, dcps_grid(call, of.slab, DCPS_BLOCK), DCPS_BLOCK,
                                  (unsigned)of.slab, (unsigned)of.hidden, of.gates + 4 * t * of.slab, of.c_before(t),
                                  of.tanh_c + t * of.slab, dy + t * of.slab, last ? NULL : dh,
                                  last ? dy + of.steps * of.slab : dc, dgates + 4 * t * of.slab, dc);
        if (status == DCPS_OK && t > 0) {
            status = dcps_cuda_gemm(call, 1, false, true, of.batch, of.hidden, 4 * of.hidden, dgates + 4 * t * of.slab,
                                    call->x[DCPS_LSTM_W_HIDDEN]->values, dh, false);
        }
    }
    return status;
}

/* dw_hidden [hidden, 4 hidden] = Σ over steps of (h before)ᵀ · dgates: the first step's, then all others' at once */
dcps_status w_hidden_backward(const dcps_call *call, const states &of, const float *dgates,
                              const dcps_gradient_slot *dw)
{
    dcps_status status = dcps_cuda_gemm(call, 1, true, false, of.hidden, 4 * of.hidden, of.batch,
                                        call->x[DCPS_LSTM_H]->values, dgates, dw->values, dw->add);
    if (status != DCPS_OK || of.steps == 1) {
        return status;
    }
    return dcps_cuda_gemm(call, 1, true, false, of.hidden, 4 * of.hidden, (of.steps - 1) * of.batch, call->y->values,
                          dgates + 4 * of.slab, dw->values, true);
}

/* What no step waits for: gradients of x, weights, bias and the first h. */
dcps_status inputs_backward(const dcps_call *call, const states &of, const float *dgates, const dcps_gradient_slot *dx)
{
    size_t rows = of.steps * of.batch, width = 4 * of.hidden;
    size_t input = dcps_attributes<dcps_lstm_attributes>(call)->input;
    const dcps_gradient_slot *x = &dx[DCPS_LSTM_X], *w_input = &dx[DCPS_LSTM_W_INPUT], *bias = &dx[DCPS_LSTM_BIAS];
    const dcps_gradient_slot *w_hidden = &dx[DCPS_LSTM_W_HIDDEN], *h = &dx[DCPS_LSTM_H];
    dcps_status status = DCPS_OK;
    if (x->values != NULL) {
        status = dcps_cuda_gemm(call, 1, false, true, rows, input, width, dgates, call->x[DCPS_LSTM_W_INPUT]->values,
                                x->values, x->add);
    }
    if (status == DCPS_OK && w_input->values != NULL) {
        status = dcps_cuda_gemm(call, 1, true, false, input, width, rows, call->x[DCPS_LSTM_X]->values, dgates,
                                w_input->values, w_input->add);
    }
    if (status == DCPS_OK && w_hidden->values != NULL) {
        status = w_hidden_backward(call, of, dgates, w_hidden);
    }
    if (status == DCPS_OK && bias->values != NULL) {
        status = dcps_cuda_reduce(call, 1, rows, width, 1.0f, dgates, bias->values, bias->add);
    }
    if (status == DCPS_OK && h->values != NULL) {
        status = dcps_cuda_gemm(call, 1, false, true, of.batch, of.hidden, width, dgates,
                                call->x[DCPS_LSTM_W_HIDDEN]->values, h->values, h->add);
    }
    return status;
}

dcps_status backward(const dcps_call *call, const float *dy, const dcps_gradient_slot *dx)
{
    states of = states_of(call, call->saved);
    float *dgates = dcps_scratch_floats(call, 4 * of.steps * of.slab);
    float *dh = dcps_scratch_floats(call, of.slab), *dc = dcps_scratch_floats(call, of.slab);
    if (dgates == NULL || dh == NULL || dc == NULL) {
        return DCPS_NO_MEMORY;
    }
    dcps_status status = steps_backward(call, of, dy, dgates, dh, dc);
    if (status == DCPS_OK) {
        status = inputs_backward(call, of, dgates, dx);
    }
    if (status == DCPS_OK && dx[DCPS_LSTM_C].values != NULL) {
        status = dcps_cuda_put(call, of.slab, dc, &dx[DCPS_LSTM_C]);
    }
    return status;
}
} // namespace

const dcps_kernel dcps_cuda_lstm = {
    .takes = DCPS_TAKES_ROW_MAJOR, .saved_count = saved_count, .forward = forward, .backward = backward};
