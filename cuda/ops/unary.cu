/* Functions of one element and their derivatives. */
#include "cuda/kernel.cuh"

namespace
{
/* Each: y = of(x), and the derivative as slope(y) if from_result, else as slope(x). */
struct relu {
    static constexpr bool from_result = false;
    static __device__ inline float of(float x, float)
    {
        return x < 0.0f ? 0.0f : x; /* a NaN stays one */
    }
    static __device__ inline float slope(float x, float)
    {
        return x > 0.0f ? 1.0f : 0.0f;
    }
};

struct scale {
    static constexpr bool from_result = false;
    static __device__ inline float of(float x, float factor)
    {
        return factor * x;
    }
    static __device__ inline float slope(float, float factor)
    {
        return factor;
    }
};

struct hyperbolic_tangent {
    static constexpr bool from_result = true;
    static __device__ inline float of(float x, float)
    {
        return tanhf(x);
    }
    static __device__ inline float slope(float y, float)
    {
        return 1.0f - y * y;
    }
};

struct sigmoid {
    static constexpr bool from_result = true;
    static __device__ inline float of(float x, float)
    {
        return 1.0f / (1.0f + expf(-x));
    }
    static __device__ inline float slope(float y, float)
    {
        return y * (1.0f - y);
    }
};

struct gelu {
    static constexpr bool from_result = false;
    static constexpr float outer = 0.79788456f, cubic = 0.044715f; /* √(2/π) */
    static __device__ inline float of(float x, float)
    {
        return 0.5f * x * (1.0f + tanhf(outer * (x + cubic * x * x * x)));
    }
    static __device__ inline float slope(float x, float)
    {
        float t = tanhf(outer * (x + cubic * x * x * x));
        return 0.5f * (1.0f + t) + 0.5f * x * (1.0f - t * t) * outer * (1.0f + 3.0f * cubic * x * x);
    }
};

struct exponential {
    static constexpr bool from_result = true;
    static __device__ inline float of(float x, float)
    {
        return expf(x);
    }
    static __device__ inline float slope(float y, float)
    {
        return y;
    }
};

struct logarithm {
    static constexpr bool from_result = false;
    static __device__ inline float of(float x, float)
    {
        return logf(x);
    }
    static __device__ inline float slope(float x, float)
    {
        return 1.0f / x;
    }
};

template <typename F> __global__ void unary_forward(size_t count, size_t quads, float factor, const float *x, float *y)
{
    size_t first = (size_t)blockIdx.x * blockDim.x + threadIdx.x, stride = (size_t)gridDim.x * blockDim.x;
    const float4 *x4 = reinterpret_cast<const float4 *>(x);
    float4 *y4 = reinterpret_cast<float4 *>(y);
    for (size_t i = first; i < quads; i += stride) {
        float4 v = x4[i];
        y4[i] = make_float4(F::of(v.x, factor), F::of(v.y, factor), F::of(v.z, factor), F::of(v.w, factor));
    }
    for (size_t i = 4 * quads + first; i < count; i += stride) {
        y[i] = F::of(x[i], factor);
    }
}

/* dx (+)= dy · slope(v) */
template <typename F>
__global__ void unary_backward(size_t count, size_t quads, float factor, const float *dy, const float *v, float *dx,
                               bool add)
{
    size_t first = (size_t)blockIdx.x * blockDim.x + threadIdx.x, stride = (size_t)gridDim.x * blockDim.x;
    const float4 *dy4 = reinterpret_cast<const float4 *>(dy), *v4 = reinterpret_cast<const float4 *>(v);
    float4 *dx4 = reinterpret_cast<float4 *>(dx);
    for (size_t i = first; i < quads; i += stride) {
        float4 d = dy4[i], a = v4[i];
        dcps_put(&dx4[i], add,
                 make_float4(d.x * F::slope(a.x, factor), d.y * F::slope(a.y, factor), d.z * F::slope(a.z, factor),
                             d.w * F::slope(a.w, factor)));
    }
    for (size_t i = 4 * quads + first; i < count; i += stride) {
        dcps_put(&dx[i], add, dy[i] * F::slope(v[i], factor));
    }
}

float factor_of(const dcps_call *call)
{
    return call->op == DCPS_OP_SCALE ? dcps_attributes<dcps_scale_attributes>(call)->factor : 0.0f;
}

template <typename F> dcps_status forward(const dcps_call *call, float *y)
{
    size_t count = call->y->count, quads = dcps_is_aligned(call->x[0]->values, y, NULL) ? count / 4 : 0;
    return DCPS_CALL_LAUNCH(call, unary_forward<F>, dcps_grid(call, count, 4 * DCPS_BLOCK), DCPS_BLOCK, count, quads,
                            factor_of(call), call->x[0]->values, y);
}

template <typename F> dcps_status backward(const dcps_call *call, const float *dy, const dcps_gradient_slot *dx)
{
    const float *v = F::from_result ? call->y->values : call->x[0]->values;
    size_t count = call->y->count, quads = dcps_is_aligned(dy, v, dx[0].values) ? count / 4 : 0;
    return DCPS_CALL_LAUNCH(call, unary_backward<F>, dcps_grid(call, count, 4 * DCPS_BLOCK), DCPS_BLOCK, count, quads,
                            factor_of(call), dy, v, dx[0].values, dx[0].add);
}
} // namespace

const dcps_kernel dcps_cuda_relu = {.takes = DCPS_TAKES_EITHER, .forward = forward<relu>, .backward = backward<relu>};
const dcps_kernel dcps_cuda_scale = {
    .takes = DCPS_TAKES_EITHER, .forward = forward<scale>, .backward = backward<scale>};
const dcps_kernel dcps_cuda_tanh = {
    .takes = DCPS_TAKES_EITHER, .forward = forward<hyperbolic_tangent>, .backward = backward<hyperbolic_tangent>};
const dcps_kernel dcps_cuda_sigmoid = {
    .takes = DCPS_TAKES_EITHER, .forward = forward<sigmoid>, .backward = backward<sigmoid>};
const dcps_kernel dcps_cuda_gelu = {.takes = DCPS_TAKES_EITHER, .forward = forward<gelu>, .backward = backward<gelu>};
const dcps_kernel dcps_cuda_exp = {
    .takes = DCPS_TAKES_EITHER, .forward = forward<exponential>, .backward = backward<exponential>};
const dcps_kernel dcps_cuda_log = {
    .takes = DCPS_TAKES_EITHER, .forward = forward<logarithm>, .backward = backward<logarithm>};
