#include <vector>

#include "support/cuda/cudnn.h"

struct cudnnContext {
    cudaStream_t stream;
};
/* [n, c, h, w] of images or of filters. */
struct cudnnTensorStruct {
    cudnnTensorFormat_t format;
    size_t n, c, h, w;
    size_t count() const
    {
        return n * c * h * w;
    }
    size_t at(size_t i, size_t j, size_t row, size_t column) const
    {
        return format == CUDNN_TENSOR_NHWC ? ((i * h + row) * w + column) * c + j
                                           : ((i * c + j) * h + row) * w + column;
    }
};
struct cudnnFilterStruct : cudnnTensorStruct {
};
struct cudnnConvolutionStruct {
    size_t padding_h, padding_w, stride_h, stride_w;
    cudnnMathType_t math;
};

namespace
{
/* An algorithm needs less with the math type that it is proposed for, which is not the descriptor's. */
constexpr cudnnMathType_t proposed_math = CUDNN_TENSOR_OP_MATH;

size_t workspace_wanted(cudnnMathType_t math)
{
    return math == proposed_math ? 4096 : 8192;
}

struct convolution {
    cudnnTensorStruct x, w, y;
    cudnnConvolutionStruct is;
};

size_t size(int n)
{
    return static_cast<size_t>(n);
}

bool fits(const convolution &of)
{
    const auto &[x, w, y, is] = of;
    return x.format == w.format && x.format == y.format && x.n == y.n && x.c == w.c && w.n == y.c &&
           y.h == (x.h + 2 * is.padding_h - w.h) / is.stride_h + 1 &&
           y.w == (x.w + 2 * is.padding_w - w.w) / is.stride_w + 1;
}

/* Calls `visit` with the indices (x, w, y) of every product. */
template <typename Visit> void each_product(const convolution &of, const Visit &visit)
{
    const auto &[x, w, y, is] = of;
    for (size_t n = 0; n < y.n; n++) {
        for (size_t h = 0; h < y.h; h++) {
            for (size_t v = 0; v < y.w; v++) {
                for (size_t i = 0; i < w.h; i++) {
                    for (size_t j = 0; j < w.w; j++) {
                        size_t row = h * is.stride_h + i - is.padding_h, column = v * is.stride_w + j - is.padding_w;
                        if (row >= x.h || column >= x.w) { /* also what wrapped below zero */
                            continue;
                        }
                        for (size_t f = 0; f < y.c; f++) {
                            for (size_t c = 0; c < x.c; c++) {
                                visit(x.at(n, c, row, column), w.at(f, c, i, j), y.at(n, f, h, v));
                            }
                        }
                    }
                }
            }
        }
    }
}

enum part { X, W, Y };

/* The part `to` of a convolution from its two others; they are known by their places in `parts`. */
cudnnStatus_t convolve(cudnnHandle_t handle, const convolution &of, part to, const void *const parts[3],
                       const void *workspace, size_t workspace_bytes, const void *alpha, const void *beta)
{
    const cudnnTensorStruct *shapes[3] = {&of.x, &of.w, &of.y};
    if (!fits(of) || workspace_bytes < workspace_wanted(of.is.math) ||
        reinterpret_cast<uintptr_t>(workspace) % 256 != 0) {
        return CUDNN_STATUS_BAD_PARAM;
    }
    for (int i = X; i <= Y; i++) {
        emulation::expect_device(parts[i], shapes[i]->count() * sizeof(float), "cudnnConvolution", "a tensor");
    }
    emulation::expect_device(workspace, workspace_bytes, "cudnnConvolution", "the workspace");
    const float *values[3] = {static_cast<const float *>(parts[X]), static_cast<const float *>(parts[W]),
                              static_cast<const float *>(parts[Y])};
    float *written = const_cast<float *>(values[to]);
    size_t count = shapes[to]->count();
    double factor = static_cast<double>(*static_cast<const float *>(alpha));
    double kept = static_cast<double>(*static_cast<const float *>(beta));
    emulation::enqueue(handle->stream, "cudnnConvolution", [=, x = values[X], w = values[W], y = values[Y]] {
        std::vector<double> sums(count);
        each_product(of, [&](size_t i, size_t j, size_t k) {
            if (to == X) {
                sums[i] += static_cast<double>(w[j]) * static_cast<double>(y[k]);
            } else if (to == W) {
                sums[j] += static_cast<double>(x[i]) * static_cast<double>(y[k]);
            } else {
                sums[k] += static_cast<double>(x[i]) * static_cast<double>(w[j]);
            }
        });
        for (size_t i = 0; i < count; i++) {
            written[i] =
                static_cast<float>(factor * sums[i] + (kept == 0.0 ? 0.0 : kept * static_cast<double>(written[i])));
        }
    });
    return CUDNN_STATUS_SUCCESS;
}

/* First one that is not deterministic, which is not to be taken. */
template <typename Algorithm>
cudnnStatus_t choose(const convolution &of, int requested, int *returned, emulated_algorithm<Algorithm> *results,
                     Algorithm wild, Algorithm tame)
{
    if (!fits(of) || requested < 2) {
        return CUDNN_STATUS_BAD_PARAM;
    }
    results[0] = {wild, CUDNN_STATUS_SUCCESS, 1.0f, 0, CUDNN_NON_DETERMINISTIC, CUDNN_DEFAULT_MATH};
    results[1] = {tame,         CUDNN_STATUS_SUCCESS, 2.0f, workspace_wanted(proposed_math), CUDNN_DETERMINISTIC,
                  proposed_math};
    *returned = 2;
    return CUDNN_STATUS_SUCCESS;
}

template <typename Algorithm>
cudnnStatus_t measure(const convolution &of, Algorithm seen, Algorithm tame, size_t *bytes)
{
    if (!fits(of) || seen != tame) {
        return CUDNN_STATUS_NOT_SUPPORTED;
    }
    *bytes = workspace_wanted(of.is.math);
    return CUDNN_STATUS_SUCCESS;
}

template <typename T> cudnnStatus_t create(T **descriptor)
{
    *descriptor = new T();
    return CUDNN_STATUS_SUCCESS;
}

template <typename T> cudnnStatus_t destroy(T *descriptor)
{
    delete descriptor;
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t set(cudnnTensorStruct *to, cudnnTensorFormat_t format, int n, int c, int h, int w)
{
    if (n < 1 || c < 1 || h < 1 || w < 1) {
        return CUDNN_STATUS_BAD_PARAM;
    }
    *to = {format, size(n), size(c), size(h), size(w)};
    return CUDNN_STATUS_SUCCESS;
}
} // namespace

const char *cudnnGetErrorString(cudnnStatus_t status)
{
    return status == CUDNN_STATUS_BAD_PARAM ? "CUDNN_STATUS_BAD_PARAM" : "status of the emulation";
}

cudnnStatus_t cudnnCreate(cudnnHandle_t *handle)
{
    return create(handle);
}

cudnnStatus_t cudnnDestroy(cudnnHandle_t handle)
{
    return destroy(handle);
}

cudnnStatus_t cudnnSetStream(cudnnHandle_t handle, cudaStream_t stream)
{
    handle->stream = stream;
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnCreateTensorDescriptor(cudnnTensorDescriptor_t *descriptor)
{
    return create(descriptor);
}

cudnnStatus_t cudnnDestroyTensorDescriptor(cudnnTensorDescriptor_t descriptor)
{
    return destroy(descriptor);
}

cudnnStatus_t cudnnSetTensor4dDescriptor(cudnnTensorDescriptor_t descriptor, cudnnTensorFormat_t format,
                                         cudnnDataType_t, int n, int c, int h, int w)
{
    return set(descriptor, format, n, c, h, w);
}

cudnnStatus_t cudnnCreateFilterDescriptor(cudnnFilterDescriptor_t *descriptor)
{
    return create(descriptor);
}

cudnnStatus_t cudnnDestroyFilterDescriptor(cudnnFilterDescriptor_t descriptor)
{
    return destroy(descriptor);
}

cudnnStatus_t cudnnSetFilter4dDescriptor(cudnnFilterDescriptor_t descriptor, cudnnDataType_t,
                                         cudnnTensorFormat_t format, int k, int c, int h, int w)
{
    return set(descriptor, format, k, c, h, w);
}

cudnnStatus_t cudnnCreateConvolutionDescriptor(cudnnConvolutionDescriptor_t *descriptor)
{
    return create(descriptor);
}

cudnnStatus_t cudnnDestroyConvolutionDescriptor(cudnnConvolutionDescriptor_t descriptor)
{
    return destroy(descriptor);
}

cudnnStatus_t cudnnSetConvolution2dDescriptor(cudnnConvolutionDescriptor_t descriptor, int pad_h, int pad_w,
                                              int stride_h, int stride_w, int dilation_h, int dilation_w,
                                              cudnnConvolutionMode_t mode, cudnnDataType_t)
{
    if (mode != CUDNN_CROSS_CORRELATION || dilation_h != 1 || dilation_w != 1 || stride_h < 1 || stride_w < 1) {
        return CUDNN_STATUS_NOT_SUPPORTED;
    }
    *descriptor = {size(pad_h), size(pad_w), size(stride_h), size(stride_w), CUDNN_DEFAULT_MATH};
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnSetConvolutionMathType(cudnnConvolutionDescriptor_t descriptor, cudnnMathType_t type)
{
    descriptor->math = type;
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnGetConvolutionForwardAlgorithm_v7(cudnnHandle_t, cudnnTensorDescriptor_t x,
                                                     cudnnFilterDescriptor_t w,
                                                     cudnnConvolutionDescriptor_t convolution,
                                                     cudnnTensorDescriptor_t y, int requested, int *returned,
                                                     cudnnConvolutionFwdAlgoPerf_t *results)
{
    return choose({*x, *w, *y, *convolution}, requested, returned, results, CUDNN_CONVOLUTION_FWD_ALGO_COUNT,
                  CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM);
}

cudnnStatus_t cudnnGetConvolutionBackwardDataAlgorithm_v7(cudnnHandle_t, cudnnFilterDescriptor_t w,
                                                          cudnnTensorDescriptor_t dy,
                                                          cudnnConvolutionDescriptor_t convolution,
                                                          cudnnTensorDescriptor_t dx, int requested, int *returned,
                                                          cudnnConvolutionBwdDataAlgoPerf_t *results)
{
    return choose({*dx, *w, *dy, *convolution}, requested, returned, results, CUDNN_CONVOLUTION_BWD_DATA_ALGO_0,
                  CUDNN_CONVOLUTION_BWD_DATA_ALGO_1);
}

cudnnStatus_t cudnnGetConvolutionBackwardFilterAlgorithm_v7(cudnnHandle_t, cudnnTensorDescriptor_t x,
                                                            cudnnTensorDescriptor_t dy,
                                                            cudnnConvolutionDescriptor_t convolution,
                                                            cudnnFilterDescriptor_t dw, int requested, int *returned,
                                                            cudnnConvolutionBwdFilterAlgoPerf_t *results)
{
    return choose({*x, *dw, *dy, *convolution}, requested, returned, results, CUDNN_CONVOLUTION_BWD_FILTER_ALGO_0,
                  CUDNN_CONVOLUTION_BWD_FILTER_ALGO_1);
}

cudnnStatus_t cudnnGetConvolutionForwardWorkspaceSize(cudnnHandle_t, cudnnTensorDescriptor_t x,
                                                      cudnnFilterDescriptor_t w,
                                                      cudnnConvolutionDescriptor_t convolution,
                                                      cudnnTensorDescriptor_t y, cudnnConvolutionFwdAlgo_t algorithm,
                                                      size_t *bytes)
{
    return measure({*x, *w, *y, *convolution}, algorithm, CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM, bytes);
}

cudnnStatus_t cudnnGetConvolutionBackwardDataWorkspaceSize(cudnnHandle_t, cudnnFilterDescriptor_t w,
                                                           cudnnTensorDescriptor_t dy,
                                                           cudnnConvolutionDescriptor_t convolution,
                                                           cudnnTensorDescriptor_t dx,
                                                           cudnnConvolutionBwdDataAlgo_t algorithm, size_t *bytes)
{
    return measure({*dx, *w, *dy, *convolution}, algorithm, CUDNN_CONVOLUTION_BWD_DATA_ALGO_1, bytes);
}

cudnnStatus_t cudnnGetConvolutionBackwardFilterWorkspaceSize(cudnnHandle_t, cudnnTensorDescriptor_t x,
                                                             cudnnTensorDescriptor_t dy,
                                                             cudnnConvolutionDescriptor_t convolution,
                                                             cudnnFilterDescriptor_t dw,
                                                             cudnnConvolutionBwdFilterAlgo_t algorithm, size_t *bytes)
{
    return measure({*x, *dw, *dy, *convolution}, algorithm, CUDNN_CONVOLUTION_BWD_FILTER_ALGO_1, bytes);
}

cudnnStatus_t cudnnConvolutionForward(cudnnHandle_t handle, const void *alpha, cudnnTensorDescriptor_t x_is,
                                      const void *x, cudnnFilterDescriptor_t w_is, const void *w,
                                      cudnnConvolutionDescriptor_t convolution, cudnnConvolutionFwdAlgo_t algorithm,
                                      void *workspace, size_t workspace_bytes, const void *beta,
                                      cudnnTensorDescriptor_t y_is, void *y)
{
    if (algorithm != CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM) {
        return CUDNN_STATUS_NOT_SUPPORTED;
    }
    const void *parts[3] = {x, w, y};
    return convolve(handle, {*x_is, *w_is, *y_is, *convolution}, Y, parts, workspace, workspace_bytes, alpha, beta);
}

cudnnStatus_t cudnnConvolutionBackwardData(cudnnHandle_t handle, const void *alpha, cudnnFilterDescriptor_t w_is,
                                           const void *w, cudnnTensorDescriptor_t dy_is, const void *dy,
                                           cudnnConvolutionDescriptor_t convolution,
                                           cudnnConvolutionBwdDataAlgo_t algorithm, void *workspace,
                                           size_t workspace_bytes, const void *beta, cudnnTensorDescriptor_t dx_is,
                                           void *dx)
{
    if (algorithm != CUDNN_CONVOLUTION_BWD_DATA_ALGO_1) {
        return CUDNN_STATUS_NOT_SUPPORTED;
    }
    const void *parts[3] = {dx, w, dy};
    return convolve(handle, {*dx_is, *w_is, *dy_is, *convolution}, X, parts, workspace, workspace_bytes, alpha, beta);
}

cudnnStatus_t cudnnConvolutionBackwardFilter(cudnnHandle_t handle, const void *alpha, cudnnTensorDescriptor_t x_is,
                                             const void *x, cudnnTensorDescriptor_t dy_is, const void *dy,
                                             cudnnConvolutionDescriptor_t convolution,
                                             cudnnConvolutionBwdFilterAlgo_t algorithm, void *workspace,
                                             size_t workspace_bytes, const void *beta, cudnnFilterDescriptor_t dw_is,
                                             void *dw)
{
    if (algorithm != CUDNN_CONVOLUTION_BWD_FILTER_ALGO_1) {
        return CUDNN_STATUS_NOT_SUPPORTED;
    }
    const void *parts[3] = {x, dw, dy};
    return convolve(handle, {*x_is, *dw_is, *dy_is, *convolution}, W, parts, workspace, workspace_bytes, alpha, beta);
}
