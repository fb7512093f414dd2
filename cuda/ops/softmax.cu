/* Softmax, its logarithm and cross entropy: a row is one warp's, or, where it is long, one block's. */
#include "cuda/kernel.cuh"

namespace
{
/* The rows of this thread's group: for (first_row(); row < rows; row += row_stride()). */
__device__ inline unsigned first_row()
{
    return blockIdx.x * blockDim.y + threadIdx.y;
}

__device__ inline unsigned row_stride()
{
    return gridDim.x * blockDim.y;
}

/* log Σ exp(x) over the columns that the mask shows, shifted by their maximum */
__device__ inline float log_sum_exp(unsigned columns, const float *x, const uint8_t *mask)
{
    float maximum = -INFINITY, sum = 0.0f;
    for (unsigned j = threadIdx.x; j < columns; j += blockDim.x) {
        if (mask == NULL || mask[j] != 0) {
            maximum = fmaxf(maximum, x[j]);
        }
    }
    maximum = dcps_row_reduce<dcps_maximum>(maximum);
    for (unsigned j = threadIdx.x; j < columns; j += blockDim.x) {
        if (mask == NULL || mask[j] != 0) {
            sum += expf(x[j] - maximum);
        }
    }
    return maximum + logf(dcps_row_reduce<dcps_sum>(sum));
}

/* y = exp(x − log Σ exp(x)), 0 where the mask hides it; or without exp */
__global__ void softmax_forward(unsigned rows, unsigned columns, unsigned rows_a_mask, const uint8_t *mask,
                                bool logarithm, const float *x, float *y)
{
    for (unsigned i = first_row(); i < rows; i += row_stride()) {
        const float *from = x + (size_t)i * columns;
        const uint8_t *shown = mask == NULL ? NULL : mask + (size_t)(i / rows_a_mask) * columns;
        float whole = log_sum_exp(columns, from, shown);
        for (unsigned j = threadIdx.x; j < columns; j += blockDim.x) {
            float value = from[j] - whole;
            bool hidden = shown != NULL && shown[j] == 0;
            y[(size_t)i * columns + j] = hidden ? 0.0f : logarithm ? value : expf(value);
        }
    }
}

/* dx = y · (dy − Σ dy · y) */
__global__ void softmax_backward(unsigned rows, unsigned columns, const float *y, const float *dy, float *dx, bool add)
{
    for (unsigned i = first_row(); i < rows; i += row_stride()) {
        size_t row = (size_t)i * columns;
        float sum = 0.0f;
        for (unsigned j = threadIdx.x; j < columns; j += blockDim.x) {
            sum += dy[row + j] * y[row + j];
        }
        sum = dcps_row_reduce<dcps_sum>(sum);
        for (unsigned j = threadIdx.x; j < columns; j += blockDim.x) {
            dcps_put(&dx[row + j], add, y[row + j] * (dy[row + j] - sum));
        }
    }
}

/* dx = dy − exp(y) · Σ dy */
__global__ void log_softmax_backward(unsigned rows, unsigned columns, const float *y, const float *dy, float *dx,
                                     bool add)
{
    for (unsigned i = first_row(); i < rows; i += row_stride()) {
        size_t row = (size_t)i * columns;
        float sum = 0.0f;
        for (unsigned j = threadIdx.x; j < columns; j += blockDim.x) {
            sum += dy[row + j];
        }
        sum = dcps_row_reduce<dcps_sum>(sum);
        for (unsigned j = threadIdx.x; j < columns; j += blockDim.x) {
            dcps_put(&dx[row + j], add, dy[row + j] - expf(y[row + j]) * sum);
        }
    }
}

/* What cross entropy knows beside the logits; pointers go as arguments of their own. */
struct targets {
    unsigned rows, classes;
    float smoothing;
    bool ignore;
    int32_t ignored_label;
    __device__ inline bool counts(int32_t label) const
    {
        return !ignore || label != ignored_label;
    }
};

/* Of each row that counts: log Σ exp(x) − Σ_j target_j x_j, where target = smoothing / classes + (1 − smoothing) · onehot; 0 of others. `wholes` [rows]
 * gets log Σ exp(x). */
__global__ void cross_entropy_rows(targets are, const int32_t *labels, const float *x, float *wholes, float *losses)
{
    for (unsigned i = first_row(); i < are.rows; i += row_stride()) {
        const float *row = x + (size_t)i * are.classes;
        float whole = log_sum_exp(are.classes, row, NULL), sum = 0.0f;
        /* Without smoothing the others do not enter, not even where they are infinite. */
        for (unsigned j = threadIdx.x; j < are.classes && are.smoothing > 0.0f; j += blockDim.x) {
            sum += whole - row[j];
        }
        sum = dcps_row_reduce<dcps_sum>(sum);
        if (threadIdx.x != 0) {
            continue;
        }
        bool counts = are.counts(labels[i]);
        wholes[i] = whole;
        losses[i] = !counts
                        ? 0.0f
                        : (1.0f - are.smoothing) * (whole - row[labels[i]]) + are.smoothing / (float)are.classes * sum;
    }
}

/* y [] = Σ losses / counted, by one block */
__global__ void cross_entropy_mean(unsigned rows, const float *losses, const uint64_t *counted, float *y)
{
    float sum = 0.0f;
    for (unsigned i = threadIdx.x; i < rows; i += blockDim.x) {
        sum += losses[i];
    }
    sum = dcps_row_reduce<dcps_sum>(sum);
    if (threadIdx.x == 0) {
        y[0] = counted[0] == 0 ? 0.0f : sum / (float)counted[0];
    }
}

/* dx [rows, classes] = dy · (softmax(x) − target) / counted, 0 in rows that do not count */
__global__ void cross_entropy_backward(targets are, const int32_t *labels, const uint64_t *counted, const float *x,
                                       const float *wholes, const float *dy, float *dx, bool add)
{
    float factor = counted[0] == 0 ? 0.0f : dy[0] / (float)counted[0], spread = are.smoothing / (float)are.classes;
    unsigned count = are.rows * are.classes;
    for (unsigned i = blockIdx.x * blockDim.x + threadIdx.x; i < count; i += gridDim.x * blockDim.x) {
        unsigned row = i / are.classes, column = i % are.classes;
        int32_t label = labels[row];
        float target = spread + (label == (int32_t)column ? 1.0f - are.smoothing : 0.0f);
        dcps_put(&dx[i], add, are.counts(label) ? factor * (expf(x[i] - wholes[row]) - target) : 0.0f);
    }
}

unsigned rows_grid(const dcps_call *call, size_t rows, dim3 block)
{
    return dcps_grid(call, rows, block.y);
}

dcps_status forward(const dcps_call *call, float *y)
{
    const auto *is = dcps_attributes<dcps_softmax_attributes>(call);
    dcps_status status = dcps_expect_32_bits(call);
    if (status != DCPS_OK) {
        return status;
    }
    dim3 block = dcps_row_block(is->columns);
    bool logarithm = call->op == DCPS_OP_LOG_SOFTMAX;
    const uint8_t *mask = logarithm ? NULL : is->mask;
    return DCPS_CALL_LAUNCH(call, softmax_forward, rows_grid(call, is->rows, block), block, (unsigned)is->rows,
                            (unsigned)is->columns, mask == NULL ? 1u : (unsigned)is->rows_a_mask, mask, logarithm,
                            call->x[0]->values, y);
}

dcps_status backward(const dcps_call *call, const float *dy, const dcps_gradient_slot *dx)
{
    const auto *is = dcps_attributes<dcps_softmax_attributes>(call);
    dim3 block = dcps_row_block(is->columns);
    unsigned grid = rows_grid(call, is->rows, block), rows = (unsigned)is->rows, columns = (unsigned)is->columns;
    if (call->op == DCPS_OP_LOG_SOFTMAX) {
        return DCPS_CALL_LAUNCH(call, log_softmax_backward, grid, block, rows, columns, call->y->values, dy,
                                dx[0].values, dx[0].add);
    }
    return DCPS_CALL_LAUNCH(call, softmax_backward, grid, block, rows, columns, call->y->values, dy, dx[0].values,
                            dx[0].add);
}

targets targets_of(const dcps_call *call)
{
    const auto *is = dcps_attributes<dcps_cross_entropy_attributes>(call);
    return {(unsigned)call->x[0]->dims[0], (unsigned)call->x[0]->dims[1], is->smoothing, is->ignore != 0,
            is->ignored_label};
}

/* log Σ exp(x) of each row [rows] */
size_t cross_entropy_saved(const dcps_call *call)
{
    return call->x[0]->dims[0];
}

dcps_status cross_entropy_forward(const dcps_call *call, float *y)
{
    const auto *is = dcps_attributes<dcps_cross_entropy_attributes>(call);
    targets are = targets_of(call);
    dcps_status status = dcps_expect_32_bits(call);
    if (status != DCPS_OK) {
        return status;
    }
    float *losses = dcps_scratch_floats(call, are.rows);
    float *wholes = call->saved != NULL ? call->saved : dcps_scratch_floats(call, are.rows);
    if (losses == NULL || wholes == NULL) {
        return DCPS_NO_MEMORY;
    }
    dim3 block = dcps_row_block(are.classes);
    status = DCPS_CALL_LAUNCH(call, cross_entropy_rows, rows_grid(call, are.rows, block), block, are, is->labels,
                              call->x[0]->values, wholes, losses);
    if (status != DCPS_OK) {
        return status;
    }
    return DCPS_CALL_LAUNCH(call, cross_entropy_mean, 1, DCPS_BLOCK, are.rows, losses, is->counted, y);
}

dcps_status cross_entropy_back(const dcps_call *call, const float *dy, const dcps_gradient_slot *dx)
{
    const auto *is = dcps_attributes<dcps_cross_entropy_attributes>(call);
    return DCPS_CALL_LAUNCH(call, cross_entropy_backward, dcps_grid(call, call->x[0]->count, DCPS_BLOCK), DCPS_BLOCK,
                            targets_of(call), is->labels, is->counted, call->x[0]->values, call->saved, dy,
                            dx[0].values, dx[0].add);
}
} // namespace

const dcps_kernel dcps_cuda_softmax = {.takes = DCPS_TAKES_ROW_MAJOR, .forward = forward, .backward = backward};
const dcps_kernel dcps_cuda_cross_entropy = {.takes = DCPS_TAKES_ROW_MAJOR,
                                             .saved_count = cross_entropy_saved,
                                             .forward = cross_entropy_forward,
                                             .backward = cross_entropy_back};
