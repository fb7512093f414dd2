/* What launchers and kernels share. */
#ifndef DCPS_CUDA_KERNEL_CUH
#define DCPS_CUDA_KERNEL_CUH

#include "cuda/check.cuh"
#include "cuda/context.cuh"
#include "cuda/launch.cuh"

#define DCPS_WARP 32u
#define DCPS_ALL_LANES 0xFFFFFFFFu
#define DCPS_BLOCK 256u
/* Blocks of a grid-stride kernel for each multiprocessor: enough to hide latency, few enough to amortise their start. */
#define DCPS_BLOCKS_A_MULTIPROCESSOR 8u

/* Launches on the device of `call`; a dcps_status. */
#define DCPS_CALL_LAUNCH(call, kernel, grid, block, ...)                                                               \
    dcps_cuda_check(DCPS_LAUNCH(kernel, (grid), (block), 0, (call)->device->stream, __VA_ARGS__),                      \
                    dcps_op_name((call)->op), #kernel)

template <typename A> static inline const A *dcps_attributes(const dcps_call *call)
{
    return static_cast<const A *>(call->attributes);
}

static inline float *dcps_scratch_floats(const dcps_call *call, size_t count)
{
    return static_cast<float *>(dcps_call_scratch(call, count, sizeof(float)));
}

static inline size_t dcps_round_up_divide(size_t count, size_t by)
{
    return (count + by - 1) / by;
}

/* Blocks for `count` pieces of work, `per_block` of which one block does at a time. */
static inline unsigned dcps_grid(const dcps_call *call, size_t count, size_t per_block)
{
    size_t most = (size_t)call->device->multiprocessors * DCPS_BLOCKS_A_MULTIPROCESSOR;
    size_t wanted = dcps_round_up_divide(count, per_block);
    return (unsigned)(wanted < most ? wanted : most);
}

/* Kernels that divide indices, and libraries, count in 32 bits. */
static inline dcps_status dcps_expect_32_bits(const dcps_call *call)
{
    size_t largest = call->y->count;
    for (uint32_t i = 0; i < call->input_count; i++) {
        if (call->x[i]->count > largest) {
            largest = call->x[i]->count;
        }
    }
    if (largest <= INT32_MAX) {
        return DCPS_OK;
    }
    return dcps_fail(DCPS_LIMIT,
                     "%s: expected tensors of at most %d elements, seen %zu (backend cuda): use a smaller batch",
                     dcps_op_name(call->op), INT32_MAX, largest);
}

static inline bool dcps_is_aligned(const void *a, const void *b, const void *c)
{
    return ((uintptr_t)a | (uintptr_t)b | (uintptr_t)c) % sizeof(float4) == 0;
}

static __device__ inline void dcps_put(float *to, bool add, float value)
{
    *to = add ? *to + value : value;
}

static __device__ inline void dcps_put(float4 *to, bool add, float4 value)
{
    if (add) {
        float4 before = *to;
        value = make_float4(before.x + value.x, before.y + value.y, before.z + value.z, before.w + value.w);
    }
    *to = value;
}

struct dcps_sum {
    static __device__ inline float of(float a, float b)
    {
        return a + b;
    }
};

struct dcps_maximum {
    static __device__ inline float of(float a, float b)
    {
        return fmaxf(a, b);
    }
};

/* Over the blockDim.x threads (32, or a multiple with blockDim.y = 1) that share a row, all of which call it; each gets the same bits. */
template <typename F> static __device__ inline float dcps_row_reduce(float value)
{
    __shared__ float of_warps[DCPS_BLOCK / DCPS_WARP];
    for (int other = DCPS_WARP / 2; other > 0; other /= 2) {
        value = F::of(value, __shfl_xor_sync(DCPS_ALL_LANES, value, other));
    }
    if (blockDim.x == DCPS_WARP) {
        return value;
    }
    __syncthreads();
    if (threadIdx.x % DCPS_WARP == 0) {
        of_warps[threadIdx.x / DCPS_WARP] = value;
    }
    __syncthreads();
    value = of_warps[0];
    for (unsigned i = 1; i < blockDim.x / DCPS_WARP; i++) {
        value = F::of(value, of_warps[i]);
    }
    return value;
}

/* The block for kernels that give each row of `columns` one warp, or, where rows are long, all threads. */
static inline dim3 dcps_row_block(size_t columns)
{
    return columns <= 512 ? dim3(DCPS_WARP, 4) : dim3(DCPS_BLOCK);
}

/* to [outer, inner] (+)= factor · Σ over the middle of from [outer, count, inner], in an order that depends on the shape alone. See ops/reduce.cu. */
dcps_status dcps_cuda_reduce(const dcps_call *call, size_t outer, size_t count, size_t inner, float factor,
                             const float *from, float *to, bool add);
/* to [batch, b, a] (+)= from [batch, a, b]. See ops/rearrange.cu. */
dcps_status dcps_cuda_transpose(const dcps_call *call, size_t batch, size_t a, size_t b, const float *from, float *to,
                                bool add);
/* to [count] (+)= from [count] */
dcps_status dcps_cuda_put(const dcps_call *call, size_t count, const float *from, const dcps_gradient_slot *to);
/* For each of a batch, row-major: c [m, n] (+)= op(a) [m, k] · op(b) [k, n], where op exchanges the dims of what is stored if told to. See ops/matmul.cu. */
dcps_status dcps_cuda_gemm(const dcps_call *call, size_t batch, bool transpose_a, bool transpose_b, size_t m, size_t n,
                           size_t k, const float *a, const float *b, float *c, bool add);

#endif
