/* Batch normalisation of [rows, channels], alone or with what is added to it and ReLU: images channels last, every pixel a row. Two launches each way: sums in parts, and what is made of them. */
#include "cuda/columns.cuh"

namespace
{
/* parts [parts, 2, channels] of Σ (x − k) and Σ (x − k)², where k is the channel's first value: near enough to the mean that little cancels. */
template <int V>
__global__ void moment_parts(unsigned rows, unsigned channels, unsigned chunk, const float *x, float *parts)
{
    unsigned channel = (blockIdx.x * blockDim.x + threadIdx.x) * V, begin = blockIdx.y * chunk;
    unsigned end = min(begin + chunk, rows);
    bool inside = channel < channels;
    dcps_sums<V> sums = {};
    dcps_vector<V> near = {};
    if (inside) {
        near = dcps_load<V>(x + channel);
    }
    for (unsigned row = begin + threadIdx.y; row < end && inside; row += blockDim.y) {
        dcps_vector<V> p = dcps_load<V>(x + (size_t)row * channels + channel);
        for (int i = 0; i < V; i++) {
            float off = p.of[i] - near.of[i];
            sums.a.of[i] += off;
            sums.b.of[i] += off * off;
        }
    }
    dcps_combine_lines(&sums);
    if (threadIdx.y == 0 && inside) {
        dcps_parts_store(channels, channel, sums, parts);
    }
}

template <int V>
__global__ void gradient_parts(unsigned rows, unsigned channels, unsigned chunk, const float *x, const float *dy,
                               const float *mean, const float *inverse, const float *gate, float *parts)
{
    dcps_normal_parts<V, false>(rows, channels, chunk, x, dy, mean, inverse, gate, parts);
}

/* Of a lane's channels. */
template <int V> struct statistics {
    dcps_vector<V> mean, inverse,
        unbiased; /* inverse: 1 / √(variance + epsilon); unbiased: variance with the divisor n − 1 */
};

template <int V>
__device__ inline statistics<V> of_batch(unsigned rows, unsigned channels, unsigned channel, unsigned parts_count,
                                         float epsilon, const float *x, const float *parts)
{
    dcps_sums<V> sums = dcps_column_sums<V>(parts_count, channels, channel, parts);
    statistics<V> found = {};
    if (channel >= channels) {
        return found;
    }
    dcps_vector<V> near = dcps_load<V>(x + channel);
    double n = (double)rows;
    for (int i = 0; i < V; i++) {
        double off = (double)sums.a.of[i] / n, variance = (double)sums.b.of[i] / n - off * off;
        variance = variance > 0.0 ? variance : variance * 0.0; /* a NaN stays one */
        found.mean.of[i] = (float)((double)near.of[i] + off);
        found.inverse.of[i] = (float)(1.0 / sqrt(variance + (double)epsilon));
        found.unbiased.of[i] = (float)(variance * n / (n - 1.0));
    }
    return found;
}

template <int V> __device__ inline statistics<V> of_running(float epsilon, const float *mean, const float *variance)
{
    statistics<V> found = {};
    found.mean = dcps_load<V>(mean);
    dcps_vector<V> v = dcps_load<V>(variance);
    for (int i = 0; i < V; i++) {
        found.inverse.of[i] = (float)(1.0 / sqrt((double)v.of[i] + (double)epsilon));
    }
    return found;
}

/* y = scale · (x − mean) · inverse + shift, + residual (NULL: none), and if told to max(y, 0), where a NaN stays one; by the batch where there are parts, else by the running statistics. The first block of each tile leaves
 * mean, inverse and unbiased variance in saved [3, channels]. */
template <int V>
__global__ void normalise(unsigned rows, unsigned channels, unsigned chunk, unsigned parts_count, float epsilon,
                          const float *x, const float *scale, const float *shift, const float *mean,
                          const float *variance, const float *residual, bool relu, const float *parts, float *saved,
                          float *y)
{
    unsigned channel = (blockIdx.x * blockDim.x + threadIdx.x) * V, begin = blockIdx.y * chunk;
    unsigned end = min(begin + chunk, rows);
    statistics<V> are = {};
    if (parts_count > 0) {
        are = of_batch<V>(rows, channels, channel, parts_count, epsilon, x, parts);
    }
    if (channel >= channels) {
        return;
    }
    if (parts_count == 0) {
        are = of_running<V>(epsilon, mean + channel, variance + channel);
    }
    if (saved != NULL && blockIdx.y == 0 && threadIdx.y == 0) {
        dcps_store(saved + channel, false, are.mean);
        dcps_store(saved + channels + channel, false, are.inverse);
        dcps_store(saved + 2 * channels + channel, false, are.unbiased);
    }
    dcps_vector<V> s = dcps_load<V>(scale + channel), b = dcps_load<V>(shift + channel);
    for (unsigned row = begin + threadIdx.y; row < end; row += blockDim.y) {
        dcps_vector<V> p = dcps_load<V>(x + (size_t)row * channels + channel);
        dcps_vector<V> added = {};
        if (residual != NULL) {
            added = dcps_load<V>(residual + (size_t)row * channels + channel);
        }
        for (int i = 0; i < V; i++) {
            p.of[i] = (p.of[i] - are.mean.of[i]) * (s.of[i] * are.inverse.of[i]) + b.of[i] + added.of[i];
            if (relu && p.of[i] < 0.0f) {
                p.of[i] = 0.0f;
            }
        }
        dcps_store(y + (size_t)row * channels + channel, false, p);
    }
}

/* dx (+)= scale · inverse · (dy − dshift / rows − x̂ · dscale / rows), then dresidual (+)= dy; NULL: not wanted. dy is 0 where the gate (NULL: there is
 * none) is not above 0. */
template <int V>
__global__ void normalise_back(unsigned rows, unsigned channels, unsigned chunk, unsigned parts_count, const float *x,
                               const float *dy, const float *gate, const float *scale, const float *saved,
                               const float *parts, float *dx, bool add, float *dresidual, bool add_residual)
{
    unsigned channel = (blockIdx.x * blockDim.x + threadIdx.x) * V, begin = blockIdx.y * chunk;
    unsigned end = min(begin + chunk, rows);
    dcps_sums<V> sums = dcps_column_sums<V>(parts_count, channels, channel, parts);
    if (channel >= channels) {
        return;
    }
    dcps_vector<V> mean = dcps_load<V>(saved + channel), inverse = dcps_load<V>(saved + channels + channel);
    dcps_vector<V> s = dcps_load<V>(scale + channel);
    float share = 1.0f / (float)rows;
    for (unsigned row = begin + threadIdx.y; row < end; row += blockDim.y) {
        size_t at = (size_t)row * channels + channel;
        dcps_vector<V> p = dcps_load<V>(x + at), d = dcps_gated<V>(dy, gate, at);
        for (int i = 0; i < V; i++) {
            float normal = (p.of[i] - mean.of[i]) * inverse.of[i];
            p.of[i] = s.of[i] * inverse.of[i] * (d.of[i] - sums.a.of[i] * share - normal * (sums.b.of[i] * share));
        }
        if (dx != NULL) {
            dcps_store(dx + at, add, p);
        }
        if (dresidual != NULL) {
            dcps_store(dresidual + at, add_residual, d);
        }
    }
}

/* One number a channel to each slot that is wanted: dshift and dscale, and mean and unbiased variance of the batch for the servers. */
__global__ void channel_slots(unsigned channels, unsigned parts_count, const float *parts, const float *saved,
                              float *dscale, bool add_scale, float *dshift, bool add_shift, float *mean, bool add_mean,
                              float *variance, bool add_variance)
{
    unsigned channel = blockIdx.x * blockDim.x + threadIdx.x;
    dcps_sums<1> sums = dcps_column_sums<1>(parts_count, channels, channel, parts);
    if (threadIdx.y != 0 || channel >= channels) {
        return;
    }
    if (dscale != NULL) {
        dcps_put(&dscale[channel], add_scale, sums.b.of[0]);
    }
    if (dshift != NULL) {
        dcps_put(&dshift[channel], add_shift, sums.a.of[0]);
    }
    if (mean != NULL) {
        dcps_put(&mean[channel], add_mean, saved[channel]);
    }
    if (variance != NULL) {
        dcps_put(&variance[channel], add_variance, saved[2 * channels + channel]);
    }
}

/* mean, inverse and unbiased variance [3, channels] */
size_t saved_count(const dcps_call *call)
{
    return 3 * dcps_attributes<dcps_batch_norm_attributes>(call)->channels;
}

/* What is added before ReLU; NULL: nothing. */
const float *residual_of(const dcps_call *call)
{
    return call->input_count > DCPS_BATCH_NORM_INPUTS ? call->x[DCPS_BATCH_NORM_RESIDUAL]->values : NULL;
}

/* Rows of one block of the second launch: enough to make up for reading the parts, and for a grid that may be. */
unsigned apply_chunk(const dcps_columns &by, unsigned rows)
{
    const unsigned rows_a_line = 8, most_blocks = 65535;
    unsigned least = (unsigned)dcps_round_up_divide(rows, most_blocks), usual = by.block.y * rows_a_line;
    return least > usual ? least : usual;
}

/* Whether what lies by channels can be read in fours. */
bool channels_are_wide(const dcps_call *call)
{
    return dcps_attributes<dcps_batch_norm_attributes>(call)->channels % 4 == 0 &&
           dcps_is_aligned(call->x[DCPS_BATCH_NORM_SCALE]->values, call->x[DCPS_BATCH_NORM_SHIFT]->values,
                           call->saved) &&
           dcps_is_aligned(call->x[DCPS_BATCH_NORM_MEAN]->values, call->x[DCPS_BATCH_NORM_VARIANCE]->values, NULL);
}

template <int V> dcps_status forward_by(const dcps_call *call, float *y)
{
    const auto *is = dcps_attributes<dcps_batch_norm_attributes>(call);
    unsigned channels = (unsigned)is->channels, rows = (unsigned)(is->batch * is->pixels);
    const float *x = call->x[DCPS_BATCH_NORM_X]->values;
    dcps_columns by = dcps_columns_of(rows, channels, V);
    float *parts = NULL;
    dcps_status status = DCPS_OK;
    if (is->training) {
        parts = dcps_scratch_floats(call, (size_t)2 * by.parts * channels);
        if (parts == NULL) {
            return DCPS_NO_MEMORY;
        }
        status = DCPS_CALL_LAUNCH(call, moment_parts<V>, dim3(by.tiles, by.parts), by.block, rows, channels, by.chunk,
                                  x, parts);
    }
    if (status != DCPS_OK) {
        return status;
    }
    unsigned chunk = apply_chunk(by, rows);
    return DCPS_CALL_LAUNCH(call, normalise<V>, dim3(by.tiles, (rows + chunk - 1) / chunk), by.block, rows, channels,
                            chunk, is->training ? by.parts : 0u, is->epsilon, x, call->x[DCPS_BATCH_NORM_SCALE]->values,
                            call->x[DCPS_BATCH_NORM_SHIFT]->values, call->x[DCPS_BATCH_NORM_MEAN]->values,
                            call->x[DCPS_BATCH_NORM_VARIANCE]->values, residual_of(call),
                            call->op == DCPS_OP_BATCH_NORM_RELU, parts, call->saved, y);
}

dcps_status forward(const dcps_call *call, float *y)
{
    dcps_status status = dcps_expect_32_bits(call);
    if (status != DCPS_OK) {
        return status;
    }
    bool wide = channels_are_wide(call) && dcps_is_aligned(call->x[DCPS_BATCH_NORM_X]->values, y, residual_of(call));
    return wide ? forward_by<4>(call, y) : forward_by<1>(call, y);
}

template <int V> dcps_status backward_by(const dcps_call *call, const float *dy, const dcps_gradient_slot *dx)
{
    const auto *is = dcps_attributes<dcps_batch_norm_attributes>(call);
    unsigned channels = (unsigned)is->channels, rows = (unsigned)(is->batch * is->pixels);
    const float *x = call->x[DCPS_BATCH_NORM_X]->values, *scale = call->x[DCPS_BATCH_NORM_SCALE]->values;
    const float *gate = call->op == DCPS_OP_BATCH_NORM_RELU ? call->y->values : NULL;
    dcps_gradient_slot to_residual = {NULL, false};
    if (residual_of(call) != NULL) {
        to_residual = dx[DCPS_BATCH_NORM_RESIDUAL];
    }
    dcps_columns by = dcps_columns_of(rows, channels, V);
    float *parts = dcps_scratch_floats(call, (size_t)2 * by.parts * channels);
    if (parts == NULL) {
        return DCPS_NO_MEMORY;
    }
    dcps_status status = DCPS_CALL_LAUNCH(call, gradient_parts<V>, dim3(by.tiles, by.parts), by.block, rows, channels,
                                          by.chunk, x, dy, call->saved, call->saved + channels, gate, parts);
    unsigned chunk = apply_chunk(by, rows);
    if (status == DCPS_OK && (dx[DCPS_BATCH_NORM_X].values != NULL || to_residual.values != NULL)) {
        status = DCPS_CALL_LAUNCH(call, normalise_back<V>, dim3(by.tiles, (rows + chunk - 1) / chunk), by.block, rows,
                                  channels, chunk, by.parts, x, dy, gate, scale, call->saved, parts,
                                  dx[DCPS_BATCH_NORM_X].values, dx[DCPS_BATCH_NORM_X].add, to_residual.values,
                                  to_residual.add);
    }
    if (status != DCPS_OK) {
        return status;
    }
    const dcps_gradient_slot *to_scale = &dx[DCPS_BATCH_NORM_SCALE], *to_shift = &dx[DCPS_BATCH_NORM_SHIFT];
    const dcps_gradient_slot *to_mean = &dx[DCPS_BATCH_NORM_MEAN], *to_variance = &dx[DCPS_BATCH_NORM_VARIANCE];
    dim3 block(DCPS_WARP, DCPS_BLOCK / DCPS_WARP);
    return DCPS_CALL_LAUNCH(call, channel_slots, (channels + DCPS_WARP - 1) / DCPS_WARP, block, channels, by.parts,
                            parts, call->saved, to_scale->values, to_scale->add, to_shift->values, to_shift->add,
                            to_mean->values, to_mean->add, to_variance->values, to_variance->add);
}

dcps_status backward(const dcps_call *call, const float *dy, const dcps_gradient_slot *dx)
{
    const float *to_residual = residual_of(call) != NULL ? dx[DCPS_BATCH_NORM_RESIDUAL].values : NULL;
    bool wide = channels_are_wide(call) &&
                dcps_is_aligned(call->x[DCPS_BATCH_NORM_X]->values, dy, dx[DCPS_BATCH_NORM_X].values) &&
                dcps_is_aligned(to_residual, call->y->values, NULL);
    return wide ? backward_by<4>(call, dy, dx) : backward_by<1>(call, dy, dx);
}

/* Images and what is like them channels last. */
dcps_order choose(const dcps_call *, const size_t *, uint32_t input)
{
    return input >= DCPS_BATCH_NORM_SCALE && input <= DCPS_BATCH_NORM_VARIANCE ? DCPS_ROW_MAJOR : DCPS_CHANNELS_LAST;
}
} // namespace

const dcps_kernel dcps_cuda_batch_norm = {
    .takes = DCPS_TAKES_CHOSEN, .choose = choose, .saved_count = saved_count, .forward = forward, .backward = backward};
