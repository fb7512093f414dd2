/* Rows of a table by number; and dropout. */
#include "cuda/kernel.cuh"

namespace
{
/* y [count, width] = rows of the table [rows, width] */
__global__ void gather(unsigned total, unsigned width, const int32_t *indices, const float *table, float *y)
{
    for (unsigned i = blockIdx.x * blockDim.x + threadIdx.x; i < total; i += gridDim.x * blockDim.x) {
        y[i] = table[(size_t)indices[i / width] * width + i % width];
    }
}

/* Whether `index` is among indices[0 … end − 1]; the whole block asks. */
__device__ inline bool was_shown(unsigned end, int32_t index, const int32_t *indices)
{
    float found = 0.0f;
    for (unsigned j = threadIdx.x; j < end; j += blockDim.x) {
        if (indices[j] == index) {
            found = 1.0f;
        }
    }
    return dcps_row_reduce<dcps_maximum>(found) > 0.0f;
}

/* dx [rows, width] += Σ of dy over the places that show the row, in their order. The block of a row's first place does all of them, the others nothing:
 * no two write to one row, and no order depends on chance. */
__global__ void scatter_add(unsigned count, unsigned width, const int32_t *indices, const float *dy, float *dx)
{
    __shared__ int32_t window[DCPS_BLOCK];
    for (unsigned i = blockIdx.x; i < count; i += gridDim.x) {
        int32_t index = indices[i];
        if (was_shown(i, index, indices)) {
            continue;
        }
        for (unsigned first = 0; first < width; first += blockDim.x) {
            unsigned column = first + threadIdx.x;
            float sum = 0.0f;
            for (unsigned begin = i; begin < count; begin += blockDim.x) {
                unsigned shown = min(blockDim.x, count - begin);
                __syncthreads();
                if (threadIdx.x < shown) {
                    window[threadIdx.x] = indices[begin + threadIdx.x];
                }
                __syncthreads();
                for (unsigned j = 0; j < shown && column < width; j++) {
                    if (window[j] == index) {
                        sum += dy[(size_t)(begin + j) * width + column];
                    }
                }
            }
            if (column < width) {
                dx[(size_t)index * width + column] += sum;
            }
        }
    }
}

dcps_status embedding_forward(const dcps_call *call, float *y)
{
    const auto *is = dcps_attributes<dcps_embedding_attributes>(call);
    dcps_status status = dcps_expect_32_bits(call);
    if (status != DCPS_OK) {
        return status;
    }
    unsigned width = (unsigned)call->x[0]->dims[1], total = (unsigned)call->y->count;
    return DCPS_CALL_LAUNCH(call, gather, dcps_grid(call, total, DCPS_BLOCK), DCPS_BLOCK, total, width, is->indices,
                            call->x[0]->values, y);
}

dcps_status embedding_backward(const dcps_call *call, const float *dy, const dcps_gradient_slot *dx)
{
    const auto *is = dcps_attributes<dcps_embedding_attributes>(call);
    dcps_status status = DCPS_OK;
    if (!dx[0].add) {
        status = DCPS_CUDA_CHECK(
            "embedding", cudaMemsetAsync(dx[0].values, 0, call->x[0]->count * sizeof(float), call->device->stream));
    }
    if (status != DCPS_OK) {
        return status;
    }
    return DCPS_CALL_LAUNCH(call, scatter_add, dcps_grid(call, is->count, 1), DCPS_BLOCK, (unsigned)is->count,
                            (unsigned)call->x[0]->dims[1], is->indices, dy, dx[0].values);
}

/* What a dropout of `rate` does to each element; the key is read when the kernel runs, so that a graph may be launched again for the next batch. */
struct dropping {
    uint32_t stream, threshold;
    float kept;
};

/* y (+)= x · (0 or 1 / (1 − rate)); a thread does the four elements of one block of random words */
__global__ void drop(size_t count, dropping how, const dcps_dropout_key *key, const float *x, float *y, bool add)
{
    size_t blocks = (count + 3) / 4, stride = (size_t)gridDim.x * blockDim.x;
    for (size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x; i < blocks; i += stride) {
        uint32_t words[4];
        dcps_philox_block(key->seed, key->number, how.stream, (uint32_t)i, words);
        for (size_t j = 0; j < 4 && 4 * i + j < count; j++) {
            dcps_put(&y[4 * i + j], add, words[j] < how.threshold ? 0.0f : x[4 * i + j] * how.kept);
        }
    }
}

dcps_status apply(const dcps_call *call, const float *x, float *y, bool add)
{
    const auto *is = dcps_attributes<dcps_dropout_attributes>(call);
    dropping how = {is->index, dcps_philox_threshold(is->rate), (float)(1.0 / (1.0 - (double)is->rate))};
    size_t count = call->y->count;
    return DCPS_CALL_LAUNCH(call, drop, dcps_grid(call, count, 4 * DCPS_BLOCK), DCPS_BLOCK, count, how, is->key, x, y,
                            add);
}

dcps_status dropout_forward(const dcps_call *call, float *y)
{
    return apply(call, call->x[0]->values, y, false);
}

dcps_status dropout_backward(const dcps_call *call, const float *dy, const dcps_gradient_slot *dx)
{
    return apply(call, dy, dx[0].values, dx[0].add);
}
} // namespace

const dcps_kernel dcps_cuda_embedding = {
    .takes = DCPS_TAKES_ROW_MAJOR, .forward = embedding_forward, .backward = embedding_backward};
const dcps_kernel dcps_cuda_dropout = {
    .takes = DCPS_TAKES_ROW_MAJOR, .forward = dropout_forward, .backward = dropout_backward};
