/* Streams, events and graphs: queues of work that run when somebody waits for them. */
#include <deque>
#include <memory>
#include <mutex>
#include <set>
#include <vector>

#include "support/cuda/cuda_runtime.h"

namespace
{
struct piece {
    const char *name;
    emulation::work run;
};
using pieces = std::vector<piece>;

/* What a stream is to events that outlive it. */
struct queue {
    std::deque<piece> waiting;
    uint64_t enqueued = 0, executed = 0;
};

std::recursive_mutex lock;
std::set<CUstream_st *> streams;
} // namespace

struct CUgraph_st {
    std::shared_ptr<pieces> content = std::make_shared<pieces>();
};
struct CUgraphExec_st {
    std::shared_ptr<pieces> content;
};
struct CUstream_st {
    std::shared_ptr<queue> work = std::make_shared<queue>();
    CUgraph_st *capture = nullptr;
    CUstream_st()
    {
        streams.insert(this);
    }
    ~CUstream_st()
    {
        streams.erase(this);
    }
};
struct CUevent_st {
    std::shared_ptr<queue> recorded_in; /* empty: never recorded */
    uint64_t position = 0;
    CUgraph_st *capture = nullptr;
};

namespace
{
CUstream_st *stream_of(CUstream_st *stream)
{
    static CUstream_st usual;
    return stream == nullptr ? &usual : stream;
}

void run(const piece &next)
{
    next.run();
    emulation::check_red_zones(next.name);
}

/* Runs the queue until `position` pieces of it have been run. */
void run_until(queue &from, uint64_t position)
{
    if (from.executed >= position) {
        return;
    }
    emulation::device_enter();
    while (from.executed < position) {
        piece next = std::move(from.waiting.front());
        from.waiting.pop_front();
        from.executed++;
        run(next);
    }
    emulation::device_leave();
}
} // namespace

namespace emulation
{
void enqueue(CUstream_st *on, const char *name, work run)
{
    std::lock_guard<std::recursive_mutex> hold(lock);
    CUstream_st *stream = stream_of(on);
    if (stream->capture != nullptr) {
        stream->capture->content->push_back({name, std::move(run)});
        return;
    }
    stream->work->waiting.push_back({name, std::move(run)});
    stream->work->enqueued++;
}

bool is_capturing(const CUstream_st *stream)
{
    std::lock_guard<std::recursive_mutex> hold(lock);
    return stream != nullptr && stream->capture != nullptr;
}

void drain(CUstream_st *on)
{
    std::lock_guard<std::recursive_mutex> hold(lock);
    CUstream_st *stream = stream_of(on);
    run_until(*stream->work, stream->work->enqueued);
}

void drain_all()
{
    std::lock_guard<std::recursive_mutex> hold(lock);
    for (CUstream_st *stream : std::set<CUstream_st *>(streams)) {
        run_until(*stream->work, stream->work->enqueued);
    }
}
} // namespace emulation

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *stream, unsigned)
{
    std::lock_guard<std::recursive_mutex> hold(lock);
    *stream = new CUstream_st();
    return cudaSuccess;
}

cudaError_t cudaStreamDestroy(cudaStream_t stream)
{
    std::lock_guard<std::recursive_mutex> hold(lock);
    emulation::drain(stream);
    delete stream;
    return cudaSuccess;
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream)
{
    if (emulation::is_capturing(stream)) {
        return cudaErrorStreamCaptureUnsupported;
    }
    emulation::drain(stream);
    return cudaSuccess;
}

cudaError_t cudaStreamWaitEvent(cudaStream_t on, cudaEvent_t event, unsigned)
{
    std::lock_guard<std::recursive_mutex> hold(lock);
    CUstream_st *stream = stream_of(on);
    if (event->capture != nullptr) { /* the stream joins the capture */
        if (stream->capture != nullptr && stream->capture != event->capture) {
            return cudaErrorStreamCaptureIsolation;
        }
        stream->capture = event->capture;
        return cudaSuccess;
    }
    if (event->recorded_in == nullptr) {
        return cudaSuccess;
    }
    if (stream->capture != nullptr) {
        return cudaErrorStreamCaptureIsolation;
    }
    emulation::enqueue(on, "cudaStreamWaitEvent",
                       [from = event->recorded_in, position = event->position] { run_until(*from, position); });
    return cudaSuccess;
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t *event, unsigned)
{
    *event = new CUevent_st();
    return cudaSuccess;
}

cudaError_t cudaEventDestroy(cudaEvent_t event)
{
    delete event;
    return cudaSuccess;
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t on)
{
    std::lock_guard<std::recursive_mutex> hold(lock);
    CUstream_st *stream = stream_of(on);
    event->capture = stream->capture;
    if (event->capture != nullptr) {
        return cudaSuccess;
    }
    event->recorded_in = stream->work;
    event->position = stream->work->enqueued;
    return cudaSuccess;
}

cudaError_t cudaEventSynchronize(cudaEvent_t event)
{
    std::lock_guard<std::recursive_mutex> hold(lock);
    if (event->capture != nullptr) {
        return cudaErrorStreamCaptureUnsupported;
    }
    if (event->recorded_in != nullptr) {
        run_until(*event->recorded_in, event->position);
    }
    return cudaSuccess;
}

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode)
{
    std::lock_guard<std::recursive_mutex> hold(lock);
    if (stream == nullptr || stream->capture != nullptr) {
        return cudaErrorStreamCaptureUnsupported;
    }
    stream->capture = new CUgraph_st();
    return cudaSuccess;
}

cudaError_t cudaStreamIsCapturing(cudaStream_t stream, cudaStreamCaptureStatus *status)
{
    *status = emulation::is_capturing(stream) ? cudaStreamCaptureStatusActive : cudaStreamCaptureStatusNone;
    return cudaSuccess;
}

cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t *graph)
{
    std::lock_guard<std::recursive_mutex> hold(lock);
    if (stream->capture == nullptr) {
        return cudaErrorInvalidValue;
    }
    *graph = stream->capture;
    for (CUstream_st *joined : streams) {
        if (joined->capture == *graph) {
            joined->capture = nullptr;
        }
    }
    return cudaSuccess;
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t *exec, cudaGraph_t graph, unsigned long long)
{
    *exec = new CUgraphExec_st{graph->content};
    return cudaSuccess;
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t stream)
{
    emulation::enqueue(stream, "cudaGraphLaunch", [content = exec->content] {
        for (const piece &next : *content) {
            run(next);
        }
    });
    return cudaSuccess;
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec)
{
    delete exec;
    return cudaSuccess;
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph)
{
    delete graph;
    return cudaSuccess;
}
