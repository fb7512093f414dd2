/* Windows over images, channels last. Backward gathers: each element of x asks the windows that hold it, so that nothing is written twice. */
#include "cuda/kernel.cuh"

namespace
{
struct window_sizes {
    unsigned channels, height, width, y_height, y_width; /* of x, and of y */
    unsigned kernel, stride, padding;
};

/* [from, to) of one dim. */
struct range {
    unsigned from, to;
};

/* What the window at `place` of y covers of a dim of x. */
__device__ inline range covered(const window_sizes &is, unsigned place, unsigned size)
{
    unsigned begin = place * is.stride, end = begin + is.kernel - is.padding; /* padding < kernel */
    return {begin < is.padding ? 0 : begin - is.padding, min(end, size)};
}

/* The windows that cover `place` of x, in a dim of y. */
__device__ inline range covering(const window_sizes &is, unsigned place, unsigned y_size)
{
    unsigned at = place + is.padding;
    unsigned first = at < is.kernel ? 0 : (at - is.kernel) / is.stride + 1;
    return {first, min(at / is.stride + 1, y_size)};
}

/* Places of element i of [batch, height, width, channels]. */
struct place {
    unsigned image, row, column, channel;
};

__device__ inline place place_of(unsigned i, unsigned height, unsigned width, unsigned channels)
{
    unsigned pixel = i / channels;
    return {pixel / (height * width), pixel / width % height, pixel % width, i % channels};
}

/* y = the maximum; chosen = its place in the image, for backward (NULL: not wanted). The first that is largest; a NaN is larger than anything. */
__global__ void max_forward(unsigned count, window_sizes is, const float *x, float *y, float *chosen)
{
    for (unsigned i = blockIdx.x * blockDim.x + threadIdx.x; i < count; i += gridDim.x * blockDim.x) {
        place at = place_of(i, is.y_height, is.y_width, is.channels);
        const float *image = x + (size_t)at.image * is.height * is.width * is.channels + at.channel;
        range rows = covered(is, at.row, is.height), columns = covered(is, at.column, is.width);
        unsigned best = rows.from * is.width + columns.from;
        float largest = image[(size_t)best * is.channels];
        for (unsigned r = rows.from; r < rows.to; r++) {
            for (unsigned c = columns.from; c < columns.to; c++) {
                float seen = image[(size_t)(r * is.width + c) * is.channels];
                if (seen > largest || (seen != seen && largest == largest)) {
                    best = r * is.width + c;
                    largest = seen;
                }
            }
        }
        y[i] = largest;
        if (chosen != NULL) {
            memcpy(&chosen[i], &best, sizeof(best));
        }
    }
}

/* dx (+)= Σ dy over the windows that chose the element */
__global__ void max_backward(unsigned count, window_sizes is, const float *chosen, const float *dy, float *dx, bool add)
{
    for (unsigned i = blockIdx.x * blockDim.x + threadIdx.x; i < count; i += gridDim.x * blockDim.x) {
        place at = place_of(i, is.height, is.width, is.channels);
        range rows = covering(is, at.row, is.y_height), columns = covering(is, at.column, is.y_width);
        unsigned self = at.row * is.width + at.column;
        float sum = 0.0f;
        for (unsigned r = rows.from; r < rows.to; r++) {
            for (unsigned c = columns.from; c < columns.to; c++) {
                size_t window = (((size_t)at.image * is.y_height + r) * is.y_width + c) * is.channels + at.channel;
                unsigned best;
                memcpy(&best, &chosen[window], sizeof(best));
                if (best == self) {
                    sum += dy[window];
                }
            }
        }
        dcps_put(&dx[i], add, sum);
    }
}

__device__ inline float area(range rows, range columns)
{
    return (float)((rows.to - rows.from) * (columns.to - columns.from));
}

/* y = the mean of what lies inside the image */
__global__ void avg_forward(unsigned count, window_sizes is, const float *x, float *y)
{
    for (unsigned i = blockIdx.x * blockDim.x + threadIdx.x; i < count; i += gridDim.x * blockDim.x) {
        place at = place_of(i, is.y_height, is.y_width, is.channels);
        const float *image = x + (size_t)at.image * is.height * is.width * is.channels + at.channel;
        range rows = covered(is, at.row, is.height), columns = covered(is, at.column, is.width);
        float sum = 0.0f;
        for (unsigned r = rows.from; r < rows.to; r++) {
            for (unsigned c = columns.from; c < columns.to; c++) {
                sum += image[(size_t)(r * is.width + c) * is.channels];
            }
        }
        y[i] = sum / area(rows, columns);
    }
}

/* dx (+)= Σ dy / elements in the window, over the windows that hold the element */
__global__ void avg_backward(unsigned count, window_sizes is, const float *dy, float *dx, bool add)
{
    for (unsigned i = blockIdx.x * blockDim.x + threadIdx.x; i < count; i += gridDim.x * blockDim.x) {
        place at = place_of(i, is.height, is.width, is.channels);
        range rows = covering(is, at.row, is.y_height), columns = covering(is, at.column, is.y_width);
        float sum = 0.0f;
        for (unsigned r = rows.from; r < rows.to; r++) {
            for (unsigned c = columns.from; c < columns.to; c++) {
                size_t window = (((size_t)at.image * is.y_height + r) * is.y_width + c) * is.channels + at.channel;
                sum += dy[window] / area(covered(is, r, is.height), covered(is, c, is.width));
            }
        }
        dcps_put(&dx[i], add, sum);
    }
}

window_sizes sizes_of(const dcps_call *call)
{
    const auto *is = dcps_attributes<dcps_pool_attributes>(call);
    const size_t *x = call->x[0]->dims, *y = call->y->dims;
    return {(unsigned)x[1], (unsigned)x[2],       (unsigned)x[3],       (unsigned)y[2],
            (unsigned)y[3], (unsigned)is->kernel, (unsigned)is->stride, (unsigned)is->padding};
}

/* For each element of y, the place of its maximum. */
size_t max_saved(const dcps_call *call)
{
    return call->y->count;
}

dcps_status forward(const dcps_call *call, float *y)
{
    dcps_status status = dcps_expect_32_bits(call);
    if (status != DCPS_OK) {
        return status;
    }
    unsigned count = (unsigned)call->y->count, grid = dcps_grid(call, count, DCPS_BLOCK);
    const float *x = call->x[0]->values;
    if (call->op == DCPS_OP_MAX_POOL) {
        return DCPS_CALL_LAUNCH(call, max_forward, grid, DCPS_BLOCK, count, sizes_of(call), x, y, call->saved);
    }
    return DCPS_CALL_LAUNCH(call, avg_forward, grid, DCPS_BLOCK, count, sizes_of(call), x, y);
}

dcps_status backward(const dcps_call *call, const float *dy, const dcps_gradient_slot *dx)
{
    unsigned count = (unsigned)call->x[0]->count, grid = dcps_grid(call, count, DCPS_BLOCK);
    if (call->op == DCPS_OP_MAX_POOL) {
        return DCPS_CALL_LAUNCH(call, max_backward, grid, DCPS_BLOCK, count, sizes_of(call), call->saved, dy,
                                dx[0].values, dx[0].add);
    }
    return DCPS_CALL_LAUNCH(call, avg_backward, grid, DCPS_BLOCK, count, sizes_of(call), dy, dx[0].values, dx[0].add);
}
} // namespace

const dcps_kernel dcps_cuda_max_pool = {
    .takes = DCPS_TAKES_CHANNELS_LAST, .saved_count = max_saved, .forward = forward, .backward = backward};
const dcps_kernel dcps_cuda_avg_pool = {.takes = DCPS_TAKES_CHANNELS_LAST, .forward = forward, .backward = backward};
