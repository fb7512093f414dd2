/* Ops that move elements and compute nothing: backward moves gradients the other way. */
#include "cuda/kernel.cuh"

namespace
{
#define TILE 32u
#define TILE_LINES 8u

__global__ void put(size_t count, size_t quads, const float *from, float *to, bool add)
{
    size_t first = (size_t)blockIdx.x * blockDim.x + threadIdx.x, stride = (size_t)gridDim.x * blockDim.x;
    for (size_t i = first; i < quads; i += stride) {
        dcps_put(reinterpret_cast<float4 *>(to) + i, add, reinterpret_cast<const float4 *>(from)[i]);
    }
    for (size_t i = 4 * quads + first; i < count; i += stride) {
        dcps_put(&to[i], add, from[i]);
    }
}

/* to [b, a] (+)= from [a, b] for each of outer · middle matrices, of which those of one outer are interleaved: row i of the m-th begins at
 * (i · middle + m) · its width. Through tiles in shared memory, so that reads and writes are both of neighbours. */
__global__ void transpose_tiles(unsigned matrices, unsigned middle, unsigned a, unsigned b, const float *from,
                                float *to, bool add)
{
    __shared__ float tile[TILE][TILE + 1];
    for (unsigned i = blockIdx.z; i < matrices; i += gridDim.z) {
        size_t base = (size_t)(i / middle) * middle * a * b;
        unsigned m = i % middle, column = blockIdx.x * TILE + threadIdx.x;
        for (unsigned line = threadIdx.y; line < TILE; line += TILE_LINES) {
            unsigned row = blockIdx.y * TILE + line;
            if (row < a && column < b) {
                tile[line][threadIdx.x] = from[base + (size_t)(row * middle + m) * b + column];
            }
        }
        __syncthreads();
        unsigned column_to = blockIdx.y * TILE + threadIdx.x;
        for (unsigned line = threadIdx.y; line < TILE; line += TILE_LINES) {
            unsigned row_to = blockIdx.x * TILE + line;
            if (row_to < b && column_to < a) {
                dcps_put(&to[base + (size_t)(row_to * middle + m) * a + column_to], add, tile[threadIdx.x][line]);
            }
        }
        __syncthreads();
    }
}

/* to [outer, b, middle, a, inner] (+)= from [outer, a, middle, b, inner], in runs of `inner` */
__global__ void transpose_runs(unsigned count, unsigned a, unsigned middle, unsigned b, unsigned inner,
                               const float *from, float *to, bool add)
{
    for (unsigned i = blockIdx.x * blockDim.x + threadIdx.x; i < count; i += gridDim.x * blockDim.x) {
        unsigned k = i % inner, rest = i / inner, in_a = rest % a;
        rest /= a;
        unsigned in_middle = rest % middle;
        rest /= middle;
        unsigned in_b = rest % b, outer = rest / b;
        dcps_put(&to[i], add, from[(((outer * a + in_a) * middle + in_middle) * b + in_b) * inner + k]);
    }
}

/* to [outer, to_width] (+)= from [outer, from_width]: of each row, `width` elements from to_first and from from_first on */
__global__ void copy_pieces(unsigned count, unsigned width, unsigned from_width, unsigned from_first, unsigned to_width,
                            unsigned to_first, const float *from, float *to, bool add)
{
    for (unsigned i = blockIdx.x * blockDim.x + threadIdx.x; i < count; i += gridDim.x * blockDim.x) {
        unsigned o = i / width, j = i % width;
        dcps_put(&to[o * to_width + to_first + j], add, from[o * from_width + from_first + j]);
    }
}

/* dx [outer, whole] = dy [outer, width] from `first` on, 0 elsewhere */
__global__ void pad(unsigned count, unsigned whole, unsigned first, unsigned width, const float *dy, float *dx)
{
    for (unsigned i = blockIdx.x * blockDim.x + threadIdx.x; i < count; i += gridDim.x * blockDim.x) {
        unsigned o = i / whole, j = i % whole - first; /* wraps to something large before `first` */
        dx[i] = j < width ? dy[o * width + j] : 0.0f;
    }
}

dcps_status transpose(const dcps_call *call, const dcps_transpose_attributes *is, const float *from, float *to,
                      bool add)
{
    dcps_status status = dcps_expect_32_bits(call);
    if (status != DCPS_OK) {
        return status;
    }
    unsigned a = (unsigned)is->a, middle = (unsigned)is->middle, b = (unsigned)is->b;
    if (is->inner == 1) {
        size_t matrices = is->outer * is->middle;
        dim3 grid((unsigned)dcps_round_up_divide(b, TILE), (unsigned)dcps_round_up_divide(a, TILE),
                  matrices < 65535u ? (unsigned)matrices : 65535u);
        if (grid.y <= 65535u) {
            return DCPS_CALL_LAUNCH(call, transpose_tiles, grid, dim3(TILE, TILE_LINES), (unsigned)matrices, middle, a,
                                    b, from, to, add);
        }
    }
    unsigned count = (unsigned)(is->outer * is->a * is->middle * is->b * is->inner);
    return DCPS_CALL_LAUNCH(call, transpose_runs, dcps_grid(call, count, DCPS_BLOCK), DCPS_BLOCK, count, a, middle, b,
                            (unsigned)is->inner, from, to, add);
}
} // namespace

dcps_status dcps_cuda_put(const dcps_call *call, size_t count, const float *from, const dcps_gradient_slot *to)
{
    size_t quads = dcps_is_aligned(from, to->values, NULL) ? count / 4 : 0;
    return DCPS_CALL_LAUNCH(call, put, dcps_grid(call, count, 4 * DCPS_BLOCK), DCPS_BLOCK, count, quads, from,
                            to->values, to->add);
}

dcps_status dcps_cuda_transpose(const dcps_call *call, size_t batch, size_t a, size_t b, const float *from, float *to,
                                bool add)
{
    dcps_transpose_attributes is = {.outer = batch, .a = a, .middle = 1, .b = b, .inner = 1};
    return transpose(call, &is, from, to, add);
}

namespace
{
dcps_status reshape_backward(const dcps_call *call, const float *dy, const dcps_gradient_slot *dx)
{
    return dx[0].values == NULL ? DCPS_OK : dcps_cuda_put(call, call->y->count, dy, &dx[0]);
}

dcps_status transpose_forward(const dcps_call *call, float *y)
{
    return transpose(call, dcps_attributes<dcps_transpose_attributes>(call), call->x[0]->values, y, false);
}

/* The same exchange with the roles of a and b swapped. */
dcps_status transpose_backward(const dcps_call *call, const float *dy, const dcps_gradient_slot *dx)
{
    dcps_transpose_attributes is = *dcps_attributes<dcps_transpose_attributes>(call);
    size_t a = is.a;
    is.a = is.b;
    is.b = a;
    return transpose(call, &is, dy, dx[0].values, dx[0].add);
}

/* Each image [channels, pixels] ↔ [pixels, channels]. */
dcps_status reorder(const dcps_call *call, bool to_channels_last, const float *from, float *to, bool add)
{
    const size_t *dims = call->y->dims;
    size_t channels = dims[1], pixels = dims[2] * dims[3];
    return dcps_cuda_transpose(call, dims[0], to_channels_last ? channels : pixels,
                               to_channels_last ? pixels : channels, from, to, add);
}

dcps_status reorder_forward(const dcps_call *call, float *y)
{
    return reorder(call, call->y->order == DCPS_CHANNELS_LAST, call->x[0]->values, y, false);
}

dcps_status reorder_backward(const dcps_call *call, const float *dy, const dcps_gradient_slot *dx)
{
    return reorder(call, call->y->order == DCPS_ROW_MAJOR, dy, dx[0].values, dx[0].add);
}

/* Rows of two matrices, and which columns of them correspond. */
struct pieces {
    size_t outer, width, from_width, from_first, to_width, to_first;
};

dcps_status copy(const dcps_call *call, const pieces &of, const float *from, float *to, bool add)
{
    unsigned count = (unsigned)(of.outer * of.width);
    return DCPS_CALL_LAUNCH(call, copy_pieces, dcps_grid(call, count, DCPS_BLOCK), DCPS_BLOCK, count,
                            (unsigned)of.width, (unsigned)of.from_width, (unsigned)of.from_first, (unsigned)of.to_width,
                            (unsigned)of.to_first, from, to, add);
}

/* y [outer, Σ n, inner]: the inputs [outer, n, inner] back to back */
dcps_status concat_forward(const dcps_call *call, float *y)
{
    const auto *is = dcps_attributes<dcps_concat_attributes>(call);
    dcps_status status = dcps_expect_32_bits(call);
    size_t whole = call->y->count / is->outer, at = 0;
    for (uint32_t i = 0; i < call->input_count && status == DCPS_OK; i++) {
        size_t piece = call->x[i]->dims[is->dim] * is->inner;
        status = copy(call, {is->outer, piece, piece, 0, whole, at}, call->x[i]->values, y, false);
        at += piece;
    }
    return status;
}

dcps_status concat_backward(const dcps_call *call, const float *dy, const dcps_gradient_slot *dx)
{
    const auto *is = dcps_attributes<dcps_concat_attributes>(call);
    dcps_status status = DCPS_OK;
    size_t whole = call->y->count / is->outer, at = 0;
    for (uint32_t i = 0; i < call->input_count && status == DCPS_OK; i++) {
        size_t piece = call->x[i]->dims[is->dim] * is->inner;
        if (dx[i].values != NULL) {
            status = copy(call, {is->outer, piece, whole, at, piece, 0}, dy, dx[i].values, dx[i].add);
        }
        at += piece;
    }
    return status;
}

/* y [outer, count, inner] = x [outer, whole, inner] from `first` on */
dcps_status slice_forward(const dcps_call *call, float *y)
{
    const auto *is = dcps_attributes<dcps_slice_attributes>(call);
    dcps_status status = dcps_expect_32_bits(call);
    if (status != DCPS_OK) {
        return status;
    }
    size_t width = is->count * is->inner;
    return copy(call, {is->outer, width, is->whole * is->inner, is->first * is->inner, width, 0}, call->x[0]->values, y,
                false);
}

/* dx = dy within the range and 0 outside */
dcps_status slice_backward(const dcps_call *call, const float *dy, const dcps_gradient_slot *dx)
{
    const auto *is = dcps_attributes<dcps_slice_attributes>(call);
    dcps_status status = dcps_expect_32_bits(call);
    if (status != DCPS_OK) {
        return status;
    }
    size_t width = is->count * is->inner, whole = is->whole * is->inner, first = is->first * is->inner;
    if (dx[0].add) {
        return copy(call, {is->outer, width, width, 0, whole, first}, dy, dx[0].values, true);
    }
    unsigned count = (unsigned)call->x[0]->count;
    return DCPS_CALL_LAUNCH(call, pad, dcps_grid(call, count, DCPS_BLOCK), DCPS_BLOCK, count, (unsigned)whole,
                            (unsigned)first, (unsigned)width, dy, dx[0].values);
}
} // namespace

const dcps_kernel dcps_cuda_reshape = {.takes = DCPS_TAKES_ROW_MAJOR, .passes = 1u << 0, .backward = reshape_backward};
const dcps_kernel dcps_cuda_transpose_op = {
    .takes = DCPS_TAKES_ROW_MAJOR, .forward = transpose_forward, .backward = transpose_backward};
const dcps_kernel dcps_cuda_reorder = {
    .takes = DCPS_TAKES_ROW_MAJOR, .forward = reorder_forward, .backward = reorder_backward};
const dcps_kernel dcps_cuda_concat = {
    .takes = DCPS_TAKES_ROW_MAJOR, .forward = concat_forward, .backward = concat_backward};
const dcps_kernel dcps_cuda_slice = {
    .takes = DCPS_TAKES_ROW_MAJOR, .forward = slice_forward, .backward = slice_backward};
