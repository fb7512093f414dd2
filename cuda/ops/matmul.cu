/* Products of matrices, by cuBLAS; and biases. */
#include "cuda/kernel.cuh"

/* cuBLAS is column-major, so it sees every matrix transposed, and cᵀ = op(b)ᵀ · op(a)ᵀ. */
dcps_status dcps_cuda_gemm(const dcps_call *call, size_t batch, bool transpose_a, bool transpose_b, size_t m, size_t n,
                           size_t k, const float *a, const float *b, float *c, bool add)
{
    if (batch > INT32_MAX || m > INT32_MAX || n > INT32_MAX || k > INT32_MAX) {
        return dcps_fail(DCPS_LIMIT, "%s: expected dims of at most %d, seen a product [%zu, %zu, %zu] · [%zu, %zu]",
                         dcps_op_name(call->op), INT32_MAX, batch, m, k, k, n);
    }
    const float one = 1.0f, beta = add ? 1.0f : 0.0f;
    int rows = (int)n, columns = (int)m, between = (int)k, lda = (int)(transpose_a ? m : k),
        ldb = (int)(transpose_b ? k : n);
    cublasOperation_t op_a = transpose_a ? CUBLAS_OP_T : CUBLAS_OP_N, op_b = transpose_b ? CUBLAS_OP_T : CUBLAS_OP_N;
    const char *who = dcps_op_name(call->op);
    cublasHandle_t blas = call->device->blas;
    if (batch == 1) {
        return DCPS_CUDA_CHECK(who, dcps_library.cublasSgemm(blas, op_b, op_a, rows, columns, between, &one, b, ldb, a,
                                                             lda, &beta, c, rows));
    }
    return DCPS_CUDA_CHECK(who, dcps_library.cublasSgemmStridedBatched(
                                    blas, op_b, op_a, rows, columns, between, &one, b, ldb, (long long)(k * n), a, lda,
                                    (long long)(m * k), &beta, c, rows, (long long)(m * n), (int)batch));
}

namespace
{
/* y [m, n] = op(a) · op(b) */
dcps_status forward(const dcps_call *call, float *y)
{
    const auto *is = dcps_attributes<dcps_matmul_attributes>(call);
    return dcps_cuda_gemm(call, is->batch, is->transpose_a, is->transpose_b, is->m, is->n, is->k, call->x[0]->values,
                          call->x[1]->values, y, false);
}

/* da [m, k] = dy · op(b)ᵀ, or, stored transposed, op(b) · dyᵀ */
dcps_status backward_a(const dcps_call *call, const float *dy, const dcps_gradient_slot *da)
{
    const auto *is = dcps_attributes<dcps_matmul_attributes>(call);
    const float *b = call->x[1]->values;
    if (is->transpose_a) {
        return dcps_cuda_gemm(call, is->batch, is->transpose_b, true, is->k, is->m, is->n, b, dy, da->values, da->add);
    }
    return dcps_cuda_gemm(call, is->batch, false, !is->transpose_b, is->m, is->k, is->n, dy, b, da->values, da->add);
}

/* db [k, n] = op(a)ᵀ · dy, or, stored transposed, dyᵀ · op(a) */
dcps_status backward_b(const dcps_call *call, const float *dy, const dcps_gradient_slot *db)
{
    const auto *is = dcps_attributes<dcps_matmul_attributes>(call);
    const float *a = call->x[0]->values;
    if (is->transpose_b) {
        return dcps_cuda_gemm(call, is->batch, true, is->transpose_a, is->n, is->k, is->m, dy, a, db->values, db->add);
    }
    return dcps_cuda_gemm(call, is->batch, !is->transpose_a, false, is->k, is->n, is->m, a, dy, db->values, db->add);
}

dcps_status backward(const dcps_call *call, const float *dy, const dcps_gradient_slot *dx)
{
    dcps_status status = DCPS_OK;
    if (dx[0].values != NULL) {
        status = backward_a(call, dy, &dx[0]);
    }
    if (status == DCPS_OK && dx[1].values != NULL) {
        status = backward_b(call, dy, &dx[1]);
    }
    return status;
}

__global__ void bias_add(unsigned count, unsigned columns, const float *x, const float *bias, float *y)
{
    for (unsigned i = blockIdx.x * blockDim.x + threadIdx.x; i < count; i += gridDim.x * blockDim.x) {
        y[i] = x[i] + bias[i % columns];
    }
}

/* The same with four columns at a time. */
__global__ void bias_add_quads(unsigned quads, unsigned columns, const float4 *x, const float4 *bias, float4 *y)
{
    for (unsigned i = blockIdx.x * blockDim.x + threadIdx.x; i < quads; i += gridDim.x * blockDim.x) {
        float4 v = x[i], b = bias[i % columns];
        y[i] = make_float4(v.x + b.x, v.y + b.y, v.z + b.z, v.w + b.w);
    }
}

/* y […, columns] = x + bias [columns] */
dcps_status bias_forward(const dcps_call *call, float *y)
{
    dcps_status status = dcps_expect_32_bits(call);
    if (status != DCPS_OK) {
        return status;
    }
    const float *x = call->x[0]->values, *bias = call->x[1]->values;
    unsigned count = (unsigned)call->y->count, columns = (unsigned)call->x[1]->count;
    if (columns % 4 != 0 || !dcps_is_aligned(x, bias, y)) {
        return DCPS_CALL_LAUNCH(call, bias_add, dcps_grid(call, count, DCPS_BLOCK), DCPS_BLOCK, count, columns, x, bias,
                                y);
    }
    return DCPS_CALL_LAUNCH(call, bias_add_quads, dcps_grid(call, count / 4, DCPS_BLOCK), DCPS_BLOCK, count / 4,
                            columns / 4, reinterpret_cast<const float4 *>(x), reinterpret_cast<const float4 *>(bias),
                            reinterpret_cast<float4 *>(y));
}

/* dx = dy; dbias [columns] = Σ over rows of dy */
dcps_status bias_backward(const dcps_call *call, const float *dy, const dcps_gradient_slot *dx)
{
    dcps_status status = DCPS_OK;
    size_t columns = call->x[1]->count;
    if (dx[0].values != NULL) {
        status = dcps_cuda_put(call, call->y->count, dy, &dx[0]);
    }
    if (status == DCPS_OK && dx[1].values != NULL) {
        status = dcps_cuda_reduce(call, 1, call->y->count / columns, columns, 1.0f, dy, dx[1].values, dx[1].add);
    }
    return status;
}
} // namespace

const dcps_kernel dcps_cuda_matmul = {.takes = DCPS_TAKES_ROW_MAJOR, .forward = forward, .backward = backward};
const dcps_kernel dcps_cuda_bias = {
    .takes = DCPS_TAKES_ROW_MAJOR, .passes = 1u << 0, .forward = bias_forward, .backward = bias_backward};
