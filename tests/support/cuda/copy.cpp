/* Copies, and what little there is to say about the device. */
#include <vector>

#include "support/cuda/cuda_runtime.h"

namespace
{
constexpr int multiprocessors = 4, major = 9, minor = 0;

void expect(const void *memory, size_t bytes, bool device, const char *what)
{
    if (device) {
        emulation::expect_device(memory, bytes, "cudaMemcpy", what);
    } else {
        emulation::expect_host(memory, bytes, "cudaMemcpy", what);
    }
}

/* Pageable memory is read before the call returns, except while a graph is captured. */
bool is_staged(const void *from, size_t bytes, cudaMemcpyKind kind, cudaStream_t stream)
{
    return kind == cudaMemcpyHostToDevice && !emulation::is_pinned(from, bytes) && !emulation::is_capturing(stream);
}
} // namespace

const char *cudaGetErrorString(cudaError_t error)
{
    switch (error) {
    case cudaSuccess:
        return "no error";
    case cudaErrorMemoryAllocation:
        return "out of memory";
    case cudaErrorInvalidConfiguration:
        return "invalid configuration argument";
    case cudaErrorInvalidDevice:
        return "invalid device ordinal";
    case cudaErrorStreamCaptureUnsupported:
        return "operation not permitted when stream is capturing";
    default:
        return "error of the emulation";
    }
}

cudaError_t cudaGetLastError()
{
    return cudaSuccess;
}

cudaError_t cudaGetDeviceCount(int *count)
{
    *count = 1;
    return cudaSuccess;
}

cudaError_t cudaSetDevice(int device)
{
    return device == 0 ? cudaSuccess : cudaErrorInvalidDevice;
}

cudaError_t cudaSetDeviceFlags(unsigned)
{
    return cudaSuccess;
}

cudaError_t cudaDriverGetVersion(int *version)
{
    *version = 13000;
    return cudaSuccess;
}

cudaError_t cudaDeviceGetAttribute(int *value, cudaDeviceAttr attribute, int)
{
    *value = attribute == cudaDevAttrMultiProcessorCount      ? multiprocessors
             : attribute == cudaDevAttrComputeCapabilityMajor ? major
                                                              : minor;
    return cudaSuccess;
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp *properties, int device)
{
    if (device != 0) {
        return cudaErrorInvalidDevice;
    }
    *properties = {"Emulated GPU", major, minor};
    return cudaSuccess;
}

cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, cudaMemcpyKind kind, cudaStream_t stream)
{
    expect(to, bytes, kind != cudaMemcpyDeviceToHost, "the target");
    expect(from, bytes, kind != cudaMemcpyHostToDevice, "the source");
    if (is_staged(from, bytes, kind, stream)) {
        const uint8_t *begin = static_cast<const uint8_t *>(from);
        emulation::enqueue(stream, "cudaMemcpyAsync", [=, staged = std::vector<uint8_t>(begin, begin + bytes)] {
            memcpy(to, staged.data(), bytes);
        });
        return cudaSuccess;
    }
    emulation::enqueue(stream, "cudaMemcpyAsync", [=] { memcpy(to, from, bytes); });
    if (kind == cudaMemcpyDeviceToHost && !emulation::is_pinned(to, bytes) && !emulation::is_capturing(stream)) {
        emulation::drain(stream);
    }
    return cudaSuccess;
}

cudaError_t cudaMemsetAsync(void *memory, int value, size_t bytes, cudaStream_t stream)
{
    emulation::expect_device(memory, bytes, "cudaMemsetAsync", "the target");
    emulation::enqueue(stream, "cudaMemsetAsync", [=] { memset(memory, value, bytes); });
    return cudaSuccess;
}
