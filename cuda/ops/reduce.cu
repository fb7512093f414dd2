/* Sums. Each has a fixed order: a result depends on the values and the shape alone, to the bit. */
#include "cuda/kernel.cuh"

namespace
{
#define CHUNKS_MAX 64u
#define LANES DCPS_WARP
#define LINES (DCPS_BLOCK / LANES)

/* to [outer, chunks] (+)= factor · Σ over a chunk of from [outer, count]; a block for each */
__global__ void sum_rows(unsigned outer, unsigned count, unsigned chunk, float factor, const float *from, float *to,
                         bool add)
{
    for (unsigned o = blockIdx.y; o < outer; o += gridDim.y) {
        unsigned begin = blockIdx.x * chunk, end = min(begin + chunk, count);
        float sum = 0.0f;
        for (unsigned i = begin + threadIdx.x; i < end; i += blockDim.x) {
            sum += from[(size_t)o * count + i];
        }
        sum = dcps_row_reduce<dcps_sum>(sum);
        if (threadIdx.x == 0) {
            dcps_put(&to[(size_t)o * gridDim.x + blockIdx.x], add, factor * sum);
        }
    }
}

/* to [outer, chunks, inner] (+)= factor · Σ over a chunk of the middle of from [outer, count, inner]; a block for 32 of the inner */
__global__ void sum_columns(unsigned outer, unsigned count, unsigned inner, unsigned chunk, float factor,
                            const float *from, float *to, bool add)
{
    __shared__ float sums[LINES][LANES];
    unsigned at = blockIdx.x * LANES + threadIdx.x;
    for (unsigned o = blockIdx.z; o < outer; o += gridDim.z) {
        unsigned begin = blockIdx.y * chunk, end = min(begin + chunk, count);
        float sum = 0.0f;
        for (unsigned j = begin + threadIdx.y; j < end && at < inner; j += LINES) {
            sum += from[((size_t)o * count + j) * inner + at];
        }
        __syncthreads();
        sums[threadIdx.y][threadIdx.x] = sum;
        __syncthreads();
        for (unsigned line = 1; line < LINES && threadIdx.y == 0; line++) {
            sum += sums[line][threadIdx.x];
        }
        if (threadIdx.y == 0 && at < inner) {
            dcps_put(&to[((size_t)o * gridDim.y + blockIdx.y) * inner + at], add, factor * sum);
        }
    }
}

/* dx [outer, count, inner] (+)= factor · dy [outer, inner] */
__global__ void spread(unsigned total, unsigned count, unsigned inner, float factor, const float *dy, float *dx,
                       bool add)
{
    for (unsigned i = blockIdx.x * blockDim.x + threadIdx.x; i < total; i += gridDim.x * blockDim.x) {
        dcps_put(&dx[i], add, factor * dy[i / (count * inner) * inner + i % inner]);
    }
}

unsigned at_most(size_t count, unsigned limit)
{
    return count < limit ? (unsigned)count : limit;
}

/* One pass: of chunks, of which there are `chunks`. */
dcps_status pass(const dcps_call *call, size_t outer, size_t count, size_t inner, size_t chunks, float factor,
                 const float *from, float *to, bool add)
{
    unsigned chunk = (unsigned)dcps_round_up_divide(count, chunks);
    if (inner == 1) {
        return DCPS_CALL_LAUNCH(call, sum_rows, dim3((unsigned)chunks, at_most(outer, 65535u)),
                                count <= DCPS_WARP ? DCPS_WARP : DCPS_BLOCK, (unsigned)outer, (unsigned)count, chunk,
                                factor, from, to, add);
    }
    dim3 grid((unsigned)dcps_round_up_divide(inner, LANES), (unsigned)chunks, at_most(outer, 65535u));
    return DCPS_CALL_LAUNCH(call, sum_columns, grid, dim3(LANES, LINES), (unsigned)outer, (unsigned)count,
                            (unsigned)inner, chunk, factor, from, to, add);
}

/* How many blocks share the sum of `count`, where without sharing there would be `blocks`: as many as fill a large GPU, each with enough to do. Not a
 * matter of this GPU's size, so that results are the same on another. */
size_t chunks_for(size_t count, size_t blocks, size_t enough)
{
    size_t chunks = dcps_round_up_divide(count, enough);
    size_t room = dcps_round_up_divide(2 * CHUNKS_MAX, blocks);
    chunks = chunks < room ? chunks : room;
    if (chunks > CHUNKS_MAX) {
        chunks = CHUNKS_MAX;
    }
    return dcps_round_up_divide(count, dcps_round_up_divide(count, chunks)); /* none is empty */
}
} // namespace

dcps_status dcps_cuda_reduce(const dcps_call *call, size_t outer, size_t count, size_t inner, float factor,
                             const float *from, float *to, bool add)
{
    size_t blocks = outer * dcps_round_up_divide(inner, inner == 1 ? 1 : LANES);
    size_t chunks = chunks_for(count, blocks, inner == 1 ? 8 * DCPS_BLOCK : 8 * LINES);
    if (chunks == 1) {
        return pass(call, outer, count, inner, 1, factor, from, to, add);
    }
    float *parts = dcps_scratch_floats(call, outer * chunks * inner);
    if (parts == NULL) {
        return DCPS_NO_MEMORY;
    }
    dcps_status status = pass(call, outer, count, inner, chunks, 1.0f, from, parts, false);
    return status != DCPS_OK ? status : pass(call, outer, chunks, inner, 1, factor, parts, to, add);
}

namespace
{
/* y [outer, inner] = factor · Σ over the middle of x [outer, count, inner] */
dcps_status forward(const dcps_call *call, float *y)
{
    const auto *is = dcps_attributes<dcps_reduce_attributes>(call);
    dcps_status status = dcps_expect_32_bits(call);
    if (status != DCPS_OK) {
        return status;
    }
    return dcps_cuda_reduce(call, is->outer, is->count, is->inner, is->factor, call->x[0]->values, y, false);
}

dcps_status spread_back(const dcps_call *call, size_t count, size_t inner, float factor, const float *dy,
                        const dcps_gradient_slot *dx)
{
    size_t total = call->x[0]->count;
    return DCPS_CALL_LAUNCH(call, spread, dcps_grid(call, total, DCPS_BLOCK), DCPS_BLOCK, (unsigned)total,
                            (unsigned)count, (unsigned)inner, factor, dy, dx->values, dx->add);
}

dcps_status backward(const dcps_call *call, const float *dy, const dcps_gradient_slot *dx)
{
    const auto *is = dcps_attributes<dcps_reduce_attributes>(call);
    return spread_back(call, is->count, is->inner, is->factor, dy, &dx[0]);
}

/* y [batch, channels] = mean over pixels of x [batch, pixels, channels] */
dcps_status global_forward(const dcps_call *call, float *y)
{
    const size_t *dims = call->x[0]->dims;
    size_t pixels = dims[2] * dims[3];
    dcps_status status = dcps_expect_32_bits(call);
    if (status != DCPS_OK) {
        return status;
    }
    return dcps_cuda_reduce(call, dims[0], pixels, dims[1], 1.0f / (float)pixels, call->x[0]->values, y, false);
}

dcps_status global_backward(const dcps_call *call, const float *dy, const dcps_gradient_slot *dx)
{
    const size_t *dims = call->x[0]->dims;
    size_t pixels = dims[2] * dims[3];
    return spread_back(call, pixels, dims[1], 1.0f / (float)pixels, dy, &dx[0]);
}
} // namespace

const dcps_kernel dcps_cuda_reduce_op = {.takes = DCPS_TAKES_ROW_MAJOR, .forward = forward, .backward = backward};
const dcps_kernel dcps_cuda_global_avg_pool = {
    .takes = DCPS_TAKES_CHANNELS_LAST, .forward = global_forward, .backward = global_backward};
