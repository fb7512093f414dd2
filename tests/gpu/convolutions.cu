/* Times every algorithm that cuDNN's older interface proposes for the convolutions of ResNet-20 at batch 128, in float32 with TF32, both orders of memory, as replayed graphs of twenty calls:
 *     nvcc -arch=native -o convolutions tests/gpu/convolutions.cu -lcudnn && ./convolutions */
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <cuda_runtime.h>
#include <cudnn.h>
#include <vector>

#define CHECK(call)                                                                                                    \
    do {                                                                                                               \
        int error = static_cast<int>(call);                                                                            \
        if (error != 0) {                                                                                              \
            printf("line %d: error %d\n", __LINE__, error);                                                            \
            exit(1);                                                                                                   \
        }                                                                                                              \
    } while (0)

namespace
{
constexpr int calls = 20, proposals = 16, batch = 128;
constexpr size_t most_workspace = size_t{256} << 20;

/* 3 × 3, padded by one. */
struct shape {
    int channels, size, filters, stride;
};
const shape shapes[] = {{3, 32, 16, 1},  {16, 32, 16, 1}, {16, 32, 32, 2},
                        {32, 16, 32, 1}, {32, 16, 64, 2}, {64, 8, 64, 1}};

cudnnHandle_t handle;
cudaStream_t stream;
void *workspace;

/* Microseconds a call; negative: it cannot be captured. */
template <typename Run> float time_of(const Run &run)
{
    cudaGraph_t graph = nullptr;
    cudaGraphExec_t launchable = nullptr;
    cudaEvent_t begin, end;
    std::vector<float> seen;
    run();
    CHECK(cudaStreamSynchronize(stream));
    CHECK(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
    for (int i = 0; i < calls; i++) {
        run();
    }
    if (cudaStreamEndCapture(stream, &graph) != cudaSuccess) {
        (void)cudaGetLastError();
        return -1.0f;
    }
    CHECK(cudaGraphInstantiate(&launchable, graph, 0));
    CHECK(cudaEventCreate(&begin));
    CHECK(cudaEventCreate(&end));
    for (int i = 0; i < 5; i++) {
        float ms = 0.0f;
        CHECK(cudaEventRecord(begin, stream));
        CHECK(cudaGraphLaunch(launchable, stream));
        CHECK(cudaEventRecord(end, stream));
        CHECK(cudaStreamSynchronize(stream));
        CHECK(cudaEventElapsedTime(&ms, begin, end));
        seen.push_back(ms * 1000.0f / calls);
    }
    CHECK(cudaGraphExecDestroy(launchable));
    CHECK(cudaGraphDestroy(graph));
    std::sort(seen.begin(), seen.end());
    return seen[seen.size() / 2];
}

template <typename Proposal, typename Bytes, typename Run>
void measure(const char *title, cudnnConvolutionDescriptor_t convolution, const Proposal *proposed, int count,
             const Bytes &bytes_of, const Run &run)
{
    for (int i = 0; i < count; i++) {
        const Proposal &p = proposed[i];
        size_t bytes = 0;
        if (p.status != CUDNN_STATUS_SUCCESS) {
            continue;
        }
        CHECK(cudnnSetConvolutionMathType(convolution, p.mathType));
        if (bytes_of(p.algo, &bytes) != CUDNN_STATUS_SUCCESS || bytes > most_workspace) {
            continue;
        }
        float us = time_of([&] { CHECK(run(p.algo, bytes)); });
        printf("%s, algorithm %d, math type %d, %s: %.1f µs, workspace %zu KiB\n", title, static_cast<int>(p.algo),
               static_cast<int>(p.mathType),
               p.determinism == CUDNN_DETERMINISTIC ? "deterministic" : "not deterministic", static_cast<double>(us),
               bytes >> 10);
    }
}

float *values(size_t count)
{
    float *made;
    CHECK(cudaMalloc(&made, count * sizeof(float)));
    CHECK(cudaMemset(made, 1, count * sizeof(float)));
    return made;
}

void measure_shape(const shape &is, cudnnTensorFormat_t format)
{
    int y_size = (is.size - 1) / is.stride + 1, count = 0;
    char title[128];
    cudnnTensorDescriptor_t x, y;
    cudnnFilterDescriptor_t w;
    cudnnConvolutionDescriptor_t convolution;
    float *px = values(size_t{batch} * is.channels * is.size * is.size),
          *py = values(size_t{batch} * is.filters * y_size * y_size),
          *pw = values(size_t{9} * is.channels * is.filters);
    const float one = 1.0f, zero = 0.0f;
    CHECK(cudnnCreateTensorDescriptor(&x));
    CHECK(cudnnCreateTensorDescriptor(&y));
    CHECK(cudnnCreateFilterDescriptor(&w));
    CHECK(cudnnCreateConvolutionDescriptor(&convolution));
    CHECK(cudnnSetTensor4dDescriptor(x, format, CUDNN_DATA_FLOAT, batch, is.channels, is.size, is.size));
    CHECK(cudnnSetTensor4dDescriptor(y, format, CUDNN_DATA_FLOAT, batch, is.filters, y_size, y_size));
    CHECK(cudnnSetFilter4dDescriptor(w, CUDNN_DATA_FLOAT, format, is.filters, is.channels, 3, 3));
    CHECK(cudnnSetConvolution2dDescriptor(convolution, 1, 1, is.stride, is.stride, 1, 1, CUDNN_CROSS_CORRELATION,
                                          CUDNN_DATA_FLOAT));

    const char *order = format == CUDNN_TENSOR_NHWC ? "NHWC" : "NCHW";
    snprintf(title, sizeof(title), "%s, %d × %d, %d → %d, stride %d, ", order, is.size, is.size, is.channels,
             is.filters, is.stride);
    char *pass = title + strlen(title);
    size_t left = sizeof(title) - strlen(title);

    cudnnConvolutionFwdAlgoPerf_t forward[proposals];
    CHECK(cudnnGetConvolutionForwardAlgorithm_v7(handle, x, w, convolution, y, proposals, &count, forward));
    snprintf(pass, left, "result");
    measure(
        title, convolution, forward, count,
        [&](cudnnConvolutionFwdAlgo_t a, size_t *bytes) {
            return cudnnGetConvolutionForwardWorkspaceSize(handle, x, w, convolution, y, a, bytes);
        },
        [&](cudnnConvolutionFwdAlgo_t a, size_t bytes) {
            return cudnnConvolutionForward(handle, &one, x, px, w, pw, convolution, a, workspace, bytes, &zero, y, py);
        });

    cudnnConvolutionBwdDataAlgoPerf_t data[proposals];
    CHECK(cudnnGetConvolutionBackwardDataAlgorithm_v7(handle, w, y, convolution, x, proposals, &count, data));
    snprintf(pass, left, "gradient of the images");
    measure(
        title, convolution, data, count,
        [&](cudnnConvolutionBwdDataAlgo_t a, size_t *bytes) {
            return cudnnGetConvolutionBackwardDataWorkspaceSize(handle, w, y, convolution, x, a, bytes);
        },
        [&](cudnnConvolutionBwdDataAlgo_t a, size_t bytes) {
            return cudnnConvolutionBackwardData(handle, &one, w, pw, y, py, convolution, a, workspace, bytes, &zero, x,
                                                px);
        });

    cudnnConvolutionBwdFilterAlgoPerf_t filter[proposals];
    CHECK(cudnnGetConvolutionBackwardFilterAlgorithm_v7(handle, x, y, convolution, w, proposals, &count, filter));
    snprintf(pass, left, "gradient of the filters");
    measure(
        title, convolution, filter, count,
        [&](cudnnConvolutionBwdFilterAlgo_t a, size_t *bytes) {
            return cudnnGetConvolutionBackwardFilterWorkspaceSize(handle, x, y, convolution, w, a, bytes);
        },
        [&](cudnnConvolutionBwdFilterAlgo_t a, size_t bytes) {
            return cudnnConvolutionBackwardFilter(handle, &one, x, px, y, py, convolution, a, workspace, bytes, &zero,
                                                  w, pw);
        });
    CHECK(cudaFree(px));
    CHECK(cudaFree(py));
    CHECK(cudaFree(pw));
}
} // namespace

int main()
{
    CHECK(cudnnCreate(&handle));
    CHECK(cudaStreamCreate(&stream));
    CHECK(cudnnSetStream(handle, stream));
    CHECK(cudaMalloc(&workspace, most_workspace));
    for (cudnnTensorFormat_t format : {CUDNN_TENSOR_NHWC, CUDNN_TENSOR_NCHW}) {
        for (const shape &is : shapes) {
            measure_shape(is, format);
        }
    }
    return 0;
}
