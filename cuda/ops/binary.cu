/* Sum, difference and product, element by element. */
#include "cuda/kernel.cuh"

namespace
{
struct addition {
    static __device__ inline float of(float a, float b)
    {
        return a + b;
    }
    static __device__ inline float slope_a(float dy, float)
    {
        return dy;
    }
    static __device__ inline float slope_b(float dy, float)
    {
        return dy;
    }
};

struct subtraction : addition {
    static __device__ inline float of(float a, float b)
    {
        return a - b;
    }
    static __device__ inline float slope_b(float dy, float)
    {
        return -dy;
    }
};

struct multiplication {
    static __device__ inline float of(float a, float b)
    {
        return a * b;
    }
    static __device__ inline float slope_a(float dy, float b)
    {
        return dy * b;
    }
    static __device__ inline float slope_b(float dy, float a)
    {
        return dy * a;
    }
};

template <typename F>
__global__ void binary_forward(size_t count, size_t quads, const float *a, const float *b, float *y)
{
    size_t first = (size_t)blockIdx.x * blockDim.x + threadIdx.x, stride = (size_t)gridDim.x * blockDim.x;
    const float4 *a4 = reinterpret_cast<const float4 *>(a), *b4 = reinterpret_cast<const float4 *>(b);
    float4 *y4 = reinterpret_cast<float4 *>(y);
    for (size_t i = first; i < quads; i += stride) {
        float4 p = a4[i], q = b4[i];
        y4[i] = make_float4(F::of(p.x, q.x), F::of(p.y, q.y), F::of(p.z, q.z), F::of(p.w, q.w));
    }
    for (size_t i = 4 * quads + first; i < count; i += stride) {
        y[i] = F::of(a[i], b[i]);
    }
}

/* da (+)= ∂/∂a, then db (+)= ∂/∂b: both may be the same memory, when a thing is added to itself. NULL: not wanted. */
template <typename F>
__global__ void binary_backward(size_t count, size_t quads, const float *dy, const float *a, const float *b, float *da,
                                bool add_a, float *db, bool add_b)
{
    size_t first = (size_t)blockIdx.x * blockDim.x + threadIdx.x, stride = (size_t)gridDim.x * blockDim.x;
    const float4 *dy4 = reinterpret_cast<const float4 *>(dy);
    const float4 *a4 = reinterpret_cast<const float4 *>(a), *b4 = reinterpret_cast<const float4 *>(b);
    for (size_t i = first; i < quads; i += stride) {
        float4 d = dy4[i], p = a4[i], q = b4[i];
        if (da != NULL) {
            dcps_put(
                reinterpret_cast<float4 *>(da) + i, add_a,
                make_float4(F::slope_a(d.x, q.x), F::slope_a(d.y, q.y), F::slope_a(d.z, q.z), F::slope_a(d.w, q.w)));
        }
        if (db != NULL) {
            dcps_put(
                reinterpret_cast<float4 *>(db) + i, add_b,
                make_float4(F::slope_b(d.x, p.x), F::slope_b(d.y, p.y), F::slope_b(d.z, p.z), F::slope_b(d.w, p.w)));
        }
    }
    for (size_t i = 4 * quads + first; i < count; i += stride) {
        if (da != NULL) {
            dcps_put(&da[i], add_a, F::slope_a(dy[i], b[i]));
        }
        if (db != NULL) {
            dcps_put(&db[i], add_b, F::slope_b(dy[i], a[i]));
        }
    }
}

template <typename F> dcps_status forward(const dcps_call *call, float *y)
{
    const float *a = call->x[0]->values, *b = call->x[1]->values;
    size_t count = call->y->count, quads = dcps_is_aligned(a, b, y) ? count / 4 : 0;
    return DCPS_CALL_LAUNCH(call, binary_forward<F>, dcps_grid(call, count, 4 * DCPS_BLOCK), DCPS_BLOCK, count, quads,
                            a, b, y);
}

template <typename F> dcps_status backward(const dcps_call *call, const float *dy, const dcps_gradient_slot *dx)
{
    if (dx[0].values == NULL && dx[1].values == NULL) {
        return DCPS_OK;
    }
    const float *a = call->x[0]->values, *b = call->x[1]->values;
    bool aligned = dcps_is_aligned(a, b, dy) && dcps_is_aligned(dx[0].values, dx[1].values, NULL);
    size_t count = call->y->count, quads = aligned ? count / 4 : 0;
    return DCPS_CALL_LAUNCH(call, binary_backward<F>, dcps_grid(call, count, 4 * DCPS_BLOCK), DCPS_BLOCK, count, quads,
                            dy, a, b, dx[0].values, dx[0].add, dx[1].values, dx[1].add);
}
} // namespace

const dcps_kernel dcps_cuda_add = {.takes = DCPS_TAKES_EITHER,
                                   .passes = 1u << 0 | 1u << 1,
                                   .forward = forward<addition>,
                                   .backward = backward<addition>};
const dcps_kernel dcps_cuda_sub = {
    .takes = DCPS_TAKES_EITHER, .forward = forward<subtraction>, .backward = backward<subtraction>};
const dcps_kernel dcps_cuda_mul = {
    .takes = DCPS_TAKES_EITHER, .forward = forward<multiplication>, .backward = backward<multiplication>};
