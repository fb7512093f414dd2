/* Opening and closing a GPU. */
#include <stdio.h>

#include "cuda/check.cuh"
#include "cuda/context.cuh"

/* What cuBLAS may use between its calls: enough for its fastest products, and, being given, nothing that it allocates while a graph is captured. */
#define BLAS_WORKSPACE_BYTES (size_t{32} << 20)
#define OLDEST_MAJOR 8 /* compute capability 8.0 */

dcps_status dcps_cuda_count(uint32_t *count)
{
    int seen = 0, driver = 0;
    cudaError_t error = cudaGetDeviceCount(&seen);
    (void)cudaGetLastError();
    /* CUDA takes a driver that is not there for one that is too old. */
    if (error != cudaSuccess && cudaDriverGetVersion(&driver) == cudaSuccess && driver == 0) {
        return dcps_fail(DCPS_NOT_FOUND, "no GPU: there is no NVIDIA driver on this machine: use --device cpu");
    }
    if (error != cudaSuccess || seen == 0) {
        return dcps_fail(DCPS_NOT_FOUND, "no GPU: %s: is there one, and does nvidia-smi show it? Or use --device cpu",
                         error != cudaSuccess ? cudaGetErrorString(error) : "the driver sees none");
    }
    *count = (uint32_t)seen;
    return DCPS_OK;
}

static dcps_status find(uint32_t index, const char *who, int *multiprocessors)
{
    uint32_t count = 0;
    int major = 0, minor = 0;
    dcps_status seen = dcps_cuda_count(&count);
    if (seen != DCPS_OK) {
        char why[512];
        snprintf(why, sizeof(why), "%s", dcps_error_message());
        return dcps_fail(seen, "%s: %s", who, why);
    }
    if (index >= count) {
        return dcps_fail(DCPS_NOT_FOUND, "%s: expected a GPU of 0 … %u, as many as this process sees", who, count - 1);
    }
    int device = (int)index;
    dcps_status status =
        DCPS_CUDA_CHECK(who, cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device));
    if (status == DCPS_OK) {
        status = DCPS_CUDA_CHECK(who, cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, device));
    }
    if (status == DCPS_OK) {
        status = DCPS_CUDA_CHECK(who, cudaDeviceGetAttribute(multiprocessors, cudaDevAttrMultiProcessorCount, device));
    }
    if (status == DCPS_OK && major < OLDEST_MAJOR) {
        return dcps_fail(DCPS_NOT_FOUND, "%s: expected compute capability %d.0 or later, seen %d.%d: use --device cpu",
                         who, OLDEST_MAJOR, major, minor);
    }
    return status;
}

static dcps_status open_libraries(dcps_device *device, const char *who)
{
    dcps_status status = dcps_cuda_load(who);
    if (status == DCPS_OK) {
        status = DCPS_CUDA_CHECK(who, cudaSetDevice((int)device->index));
    }
    /* Processors are for others; a driver that refuses, the device being in use, lets its waits spin. */
    if (status == DCPS_OK && cudaSetDeviceFlags(cudaDeviceScheduleBlockingSync) != cudaSuccess) {
        (void)cudaGetLastError();
    }
    if (status == DCPS_OK) {
        status = DCPS_CUDA_CHECK(who, cudaStreamCreateWithFlags(&device->stream, cudaStreamNonBlocking));
    }
    if (status == DCPS_OK) {
        status = DCPS_CUDA_CHECK(who, cudaStreamCreateWithFlags(&device->copies, cudaStreamNonBlocking));
    }
    if (status == DCPS_OK) {
        status = DCPS_CUDA_CHECK(who, cudaEventCreateWithFlags(&device->computed, cudaEventDisableTiming));
    }
    if (status == DCPS_OK) {
        status = DCPS_CUDA_CHECK(who, dcps_library.cublasCreate(&device->blas));
    }
    if (status == DCPS_OK) {
        status = DCPS_CUDA_CHECK(who, dcps_library.cublasSetStream(device->blas, device->stream));
    }
    if (status == DCPS_OK) {
        status = DCPS_CUDA_CHECK(who, cudaMalloc(&device->blas_workspace, BLAS_WORKSPACE_BYTES));
    }
    if (status == DCPS_OK) {
        status = DCPS_CUDA_CHECK(
            who, dcps_library.cublasSetWorkspace(device->blas, device->blas_workspace, BLAS_WORKSPACE_BYTES));
    }
    if (status == DCPS_OK) {
        status = DCPS_CUDA_CHECK(who, dcps_library.cudnnCreate(&device->dnn));
    }
    if (status == DCPS_OK) {
        status = DCPS_CUDA_CHECK(who, dcps_library.cudnnSetStream(device->dnn, device->stream));
    }
    if (status == DCPS_OK) {
        dcps_cuda_set_tf32(device, true);
    }
    return status;
}

dcps_status dcps_cuda_describe(uint32_t index, char *text, size_t capacity)
{
    char who[sizeof(dcps_device::name)];
    snprintf(who, sizeof(who), "device cuda:%u", index);
    int multiprocessors = 0;
    size_t free_bytes = 0, total_bytes = 0;
    cudaDeviceProp properties = {};
    dcps_status status = find(index, who, &multiprocessors);
    if (status == DCPS_OK) {
        status = DCPS_CUDA_CHECK(who, cudaGetDeviceProperties(&properties, (int)index));
    }
    if (status == DCPS_OK) {
        status = DCPS_CUDA_CHECK(who, cudaSetDevice((int)index));
    }
    if (status == DCPS_OK) {
        status = DCPS_CUDA_CHECK(who, cudaMemGetInfo(&free_bytes, &total_bytes));
    }
    if (status == DCPS_OK) {
        snprintf(text, capacity, "%s, compute capability %d.%d, %zu MiB free of %zu", properties.name, properties.major,
                 properties.minor, free_bytes >> 20, total_bytes >> 20);
    }
    return status;
}

dcps_status dcps_cuda_open(uint32_t index, dcps_device **opened)
{
    char who[sizeof(dcps_device::name)];
    snprintf(who, sizeof(who), "device cuda:%u", index);
    int multiprocessors = 0;
    dcps_status status = find(index, who, &multiprocessors);
    if (status != DCPS_OK) {
        return status;
    }
    dcps_device *device = static_cast<dcps_device *>(dcps_alloc(1, sizeof(*device)));
    if (device == NULL) {
        return dcps_fail(DCPS_NO_MEMORY, "%s: no memory for its description", who);
    }
    memcpy(device->name, who, sizeof(who));
    device->index = index;
    device->multiprocessors = multiprocessors;
    status = open_libraries(device, who);
    if (status != DCPS_OK) {
        dcps_cuda_close(&device);
    } else {
        *opened = device;
    }
    return status;
}

void dcps_cuda_close(dcps_device **closed)
{
    dcps_device *device = *closed;
    if (device == NULL) {
        return;
    }
    *closed = NULL;
    /* Nobody can act on a failure here: the memory is given up all the same. */
    if (device->stream != NULL) {
        (void)cudaStreamSynchronize(device->stream);
    }
    if (device->copies != NULL) {
        (void)cudaStreamSynchronize(device->copies);
    }
    dcps_cuda_plans_free(device);
    if (device->dnn != NULL) {
        (void)dcps_library.cudnnDestroy(device->dnn);
    }
    if (device->blas != NULL) {
        (void)dcps_library.cublasDestroy(device->blas);
    }
    (void)cudaFree(device->blas_workspace);
    if (device->stream != NULL) {
        (void)cudaStreamDestroy(device->stream);
    }
    if (device->copies != NULL) {
        (void)cudaStreamDestroy(device->copies);
    }
    if (device->computed != NULL) {
        (void)cudaEventDestroy(device->computed);
    }
    dcps_free(device);
}

void dcps_cuda_set_tf32(dcps_device *device, bool allowed)
{
    device->tf32 = allowed;
    (void)dcps_library.cublasSetMathMode(device->blas, allowed ? CUBLAS_TF32_TENSOR_OP_MATH : CUBLAS_DEFAULT_MATH);
}
