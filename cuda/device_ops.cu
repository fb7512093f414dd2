/* Memory, copies, events and graphs of a GPU, for the tape: see tensor/device.h. */
#include "cuda/check.cuh"
#include "cuda/context.cuh"
#include "cuda/launch.cuh"

/* A failure that was dealt with must not be taken for that of a later launch. */
static dcps_status forget(dcps_status status)
{
    if (status != DCPS_OK) {
        (void)cudaGetLastError();
    }
    return status;
}

static void fail_memory(const dcps_device *device, size_t bytes, const char *kind)
{
    size_t free_bytes = 0, total_bytes = 0;
    (void)cudaGetLastError();
    (void)cudaMemGetInfo(&free_bytes, &total_bytes);
    (void)dcps_fail(
        DCPS_NO_MEMORY,
        "%s: no %s memory for %.1f MiB (of the device's %.0f MiB, %.1f are free): use a smaller batch or model, or "
        "fewer workers on this GPU",
        device->name, kind, (double)bytes / 1048576.0, (double)total_bytes / 1048576.0, (double)free_bytes / 1048576.0);
}

static void *take(dcps_device *device, size_t bytes)
{
    void *memory = NULL;
    if (cudaMalloc(&memory, bytes) == cudaSuccess) {
        return memory;
    }
    fail_memory(device, bytes, "device");
    return NULL;
}

static void release(dcps_device *, void *memory)
{
    (void)cudaFree(memory);
}

static void *take_pinned(dcps_device *device, size_t bytes)
{
    void *memory = NULL;
    if (cudaMallocHost(&memory, bytes) == cudaSuccess) {
        return memory;
    }
    fail_memory(device, bytes, "pinned host");
    return NULL;
}

static void release_pinned(dcps_device *, void *memory)
{
    (void)cudaFreeHost(memory);
}

/* Copies of memory that is not pinned are right, too: CUDA takes them through memory of its own. */
static void pin(dcps_device *device, void *memory, size_t bytes)
{
    cudaError_t error = cudaHostRegister(memory, bytes, cudaHostRegisterDefault);
    (void)cudaGetLastError();
    if (error != cudaSuccess && error != cudaErrorHostMemoryAlreadyRegistered) {
        dcps_warn("%s: copies to and from the host are slower: %.1f MiB could not be pinned (%s)", device->name,
                  (double)bytes / 1048576.0, cudaGetErrorString(error));
    }
}

static void unpin(dcps_device *, void *memory)
{
    (void)cudaHostUnregister(memory); /* fails where another tape has done it */
    (void)cudaGetLastError();
}

static dcps_status upload(dcps_device *device, void *to, const void *from, size_t bytes)
{
    return DCPS_CUDA_CHECK(device->name, cudaMemcpyAsync(to, from, bytes, cudaMemcpyHostToDevice, device->stream));
}

static __global__ void fill_values(float *to, size_t count, float value)
{
    size_t stride = size_t{blockDim.x} * gridDim.x;
    for (size_t i = size_t{blockIdx.x} * blockDim.x + threadIdx.x; i < count; i += stride) {
        to[i] = value;
    }
}

static dcps_status fill(dcps_device *device, float *to, size_t count, float value)
{
    const unsigned threads = 256, most_blocks = 1024;
    size_t blocks = (count + threads - 1) / threads;
    dim3 grid(blocks < most_blocks ? static_cast<unsigned>(blocks) : most_blocks);
    return DCPS_CUDA_CHECK(device->name,
                           DCPS_LAUNCH(fill_values, grid, dim3(threads), 0, device->stream, to, count, value));
}

static dcps_status copy(dcps_device *device, float *to, const float *from, size_t count)
{
    return DCPS_CUDA_CHECK(device->name,
                           cudaMemcpyAsync(to, from, count * sizeof(float), cudaMemcpyDeviceToDevice, device->stream));
}

static dcps_status follow(dcps_device *device)
{
    dcps_status status = DCPS_CUDA_CHECK(device->name, cudaEventRecord(device->computed, device->stream));
    return status == DCPS_OK ? DCPS_CUDA_CHECK(device->name, cudaStreamWaitEvent(device->copies, device->computed, 0))
                             : status;
}

static dcps_status download(dcps_device *device, void *to, const void *from, size_t bytes)
{
    return DCPS_CUDA_CHECK(device->name, cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToHost, device->copies));
}

/* Opaque pointers of CUDA, under names that C knows. */
static cudaEvent_t cuda_event(dcps_device_event *event)
{
    return reinterpret_cast<cudaEvent_t>(event);
}

static cudaGraphExec_t cuda_graph(dcps_device_graph *graph)
{
    return reinterpret_cast<cudaGraphExec_t>(graph);
}

static dcps_status event_create(dcps_device *device, dcps_device_event **made)
{
    cudaEvent_t event;
    dcps_status status =
        DCPS_CUDA_CHECK(device->name, cudaEventCreateWithFlags(&event, cudaEventBlockingSync | cudaEventDisableTiming));
    if (status == DCPS_OK) {
        *made = reinterpret_cast<dcps_device_event *>(event);
    }
    return status;
}

static void event_destroy(dcps_device *, dcps_device_event **event)
{
    if (*event != NULL) {
        (void)cudaEventDestroy(cuda_event(*event));
    }
    *event = NULL;
}

static dcps_status mark(dcps_device *device, dcps_device_event *event)
{
    return DCPS_CUDA_CHECK(device->name, cudaEventRecord(cuda_event(event), device->copies));
}

static dcps_status wait(dcps_device *device, dcps_device_event *event)
{
    return DCPS_CUDA_CHECK(device->name, cudaEventSynchronize(cuda_event(event)));
}

static dcps_status finish(dcps_device *device)
{
    dcps_status computed = DCPS_CUDA_CHECK(device->name, cudaStreamSynchronize(device->stream));
    dcps_status copied = DCPS_CUDA_CHECK(device->name, cudaStreamSynchronize(device->copies));
    return computed == DCPS_OK ? copied : computed;
}

static dcps_status capture_begin(dcps_device *device)
{
    return forget(
        DCPS_CUDA_CHECK(device->name, cudaStreamBeginCapture(device->stream, cudaStreamCaptureModeThreadLocal)));
}

static dcps_status capture_check(dcps_device *device)
{
    cudaStreamCaptureStatus seen = cudaStreamCaptureStatusNone;
    dcps_status status = forget(DCPS_CUDA_CHECK(device->name, cudaStreamIsCapturing(device->stream, &seen)));
    if (status == DCPS_OK && seen != cudaStreamCaptureStatusActive) {
        return dcps_fail(DCPS_SYSTEM, "%s: does what no graph can hold", device->name);
    }
    return status;
}

static dcps_status capture_end(dcps_device *device, dcps_device_graph **made)
{
    cudaGraph_t graph = NULL;
    cudaGraphExec_t exec = NULL;
    dcps_status status = DCPS_CUDA_CHECK(device->name, cudaStreamEndCapture(device->stream, &graph));
    if (status == DCPS_OK && made != NULL) {
        status = DCPS_CUDA_CHECK(device->name, cudaGraphInstantiate(&exec, graph, 0));
    }
    if (graph != NULL) {
        (void)cudaGraphDestroy(graph);
    }
    if (status == DCPS_OK && made != NULL) {
        *made = reinterpret_cast<dcps_device_graph *>(exec);
    }
    return forget(status);
}

static dcps_status launch(dcps_device *device, dcps_device_graph *graph)
{
    return DCPS_CUDA_CHECK(device->name, cudaGraphLaunch(cuda_graph(graph), device->stream));
}

static void graph_destroy(dcps_device *, dcps_device_graph **graph)
{
    if (*graph != NULL) {
        (void)cudaGraphExecDestroy(cuda_graph(*graph));
    }
    *graph = NULL;
}

extern "C" const dcps_device_ops dcps_cuda_device_ops = {
    .take = take,
    .release = release,
    .take_pinned = take_pinned,
    .release_pinned = release_pinned,
    .pin = pin,
    .unpin = unpin,
    .upload = upload,
    .fill = fill,
    .copy = copy,
    .clip = dcps_cuda_clip,
    .follow = follow,
    .download = download,
    .event_create = event_create,
    .event_destroy = event_destroy,
    .mark = mark,
    .wait = wait,
    .finish = finish,
    .capture_begin = capture_begin,
    .capture_check = capture_check,
    .capture_end = capture_end,
    .launch = launch,
    .graph_destroy = graph_destroy,
};
