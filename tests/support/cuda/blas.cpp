#include "support/cuda/cublas_v2.h"

struct cublasContext {
    cudaStream_t stream;
};

namespace
{
/* A column-major matrix, or its transpose. */
struct matrix {
    const float *values;
    size_t leading;
    bool transposed;
    double at(size_t i, size_t j) const
    {
        return static_cast<double>(transposed ? values[i * leading + j] : values[j * leading + i]);
    }
};

struct product {
    matrix a, b;
    float *c;
    size_t ldc, m, n, k;
    double alpha, beta;
};

/* What is not to be read (beta 0) is not read, even where it is NaN. */
void multiply(const product &of)
{
    for (size_t j = 0; j < of.n; j++) {
        for (size_t i = 0; i < of.m; i++) {
            double sum = 0.0;
            for (size_t l = 0; l < of.k; l++) {
                sum += of.a.at(i, l) * of.b.at(l, j);
            }
            float *to = &of.c[j * of.ldc + i];
            *to = static_cast<float>(of.alpha * sum + (of.beta == 0.0 ? 0.0 : of.beta * static_cast<double>(*to)));
        }
    }
}

/* Bytes from the first to the last element of a batch of matrices with `rows` rows and `columns` columns. */
size_t extent(int rows, int columns, int leading, long long stride, int batch)
{
    return (static_cast<size_t>(stride) * static_cast<size_t>(batch - 1) +
            static_cast<size_t>(leading) * static_cast<size_t>(columns - 1) + static_cast<size_t>(rows)) *
           sizeof(float);
}
} // namespace

const char *cublasGetStatusString(cublasStatus_t status)
{
    return status == CUBLAS_STATUS_INVALID_VALUE ? "CUBLAS_STATUS_INVALID_VALUE" : "status of the emulation";
}

cublasStatus_t cublasCreate(cublasHandle_t *handle)
{
    *handle = new cublasContext{nullptr};
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasDestroy(cublasHandle_t handle)
{
    delete handle;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasSetStream(cublasHandle_t handle, cudaStream_t stream)
{
    handle->stream = stream;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasSetWorkspace(cublasHandle_t, void *workspace, size_t bytes)
{
    emulation::expect_device(workspace, bytes, "cublasSetWorkspace", "the workspace");
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasSetMathMode(cublasHandle_t, cublasMath_t)
{
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasSgemmStridedBatched(cublasHandle_t handle, cublasOperation_t op_a, cublasOperation_t op_b, int m,
                                         int n, int k, const float *alpha, const float *a, int lda, long long stride_a,
                                         const float *b, int ldb, long long stride_b, const float *beta, float *c,
                                         int ldc, long long stride_c, int batch)
{
    bool turn_a = op_a == CUBLAS_OP_T, turn_b = op_b == CUBLAS_OP_T;
    int rows_a = turn_a ? k : m, columns_a = turn_a ? m : k, rows_b = turn_b ? n : k, columns_b = turn_b ? k : n;
    if (m < 1 || n < 1 || k < 1 || batch < 1 || lda < rows_a || ldb < rows_b || ldc < m) {
        return CUBLAS_STATUS_INVALID_VALUE;
    }
    emulation::expect_device(a, extent(rows_a, columns_a, lda, stride_a, batch), "cublasSgemm", "a");
    emulation::expect_device(b, extent(rows_b, columns_b, ldb, stride_b, batch), "cublasSgemm", "b");
    emulation::expect_device(c, extent(m, n, ldc, stride_c, batch), "cublasSgemm", "c");
    product first = {{a, static_cast<size_t>(lda), turn_a},
                     {b, static_cast<size_t>(ldb), turn_b},
                     c,
                     static_cast<size_t>(ldc),
                     static_cast<size_t>(m),
                     static_cast<size_t>(n),
                     static_cast<size_t>(k),
                     static_cast<double>(*alpha),
                     static_cast<double>(*beta)};
    emulation::enqueue(handle->stream, "cublasSgemm", [=] {
        product next = first;
        for (int i = 0; i < batch; i++) {
            multiply(next);
            next.a.values += stride_a;
            next.b.values += stride_b;
            next.c += stride_c;
        }
    });
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasSgemm(cublasHandle_t handle, cublasOperation_t op_a, cublasOperation_t op_b, int m, int n, int k,
                           const float *alpha, const float *a, int lda, const float *b, int ldb, const float *beta,
                           float *c, int ldc)
{
    return cublasSgemmStridedBatched(handle, op_a, op_b, m, n, k, alpha, a, lda, 0, b, ldb, 0, beta, c, ldc, 0, 1);
}
