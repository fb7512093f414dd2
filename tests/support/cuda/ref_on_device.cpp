#include <memory>
#include <utility>
#include <vector>

#include "cuda/context.cuh"
#include "support/cuda/emulation.h"

extern "C" {
#include "cuda/kernels.h"
#include "support/cuda/ref_on_device.h"
#include "tensor/ref/ref.h"
#include "tensor/step_memory.h"
}

namespace
{
unsigned long calls, fail_after = ~0ul;

/* A call that stays as it was when the step's memory is used for something else. Scratch is the host's, whose kernel it is. */
struct kept_call {
    dcps_call call;
    std::vector<dcps_tensor> tensors;
    std::vector<dcps_tensor *> x;
    std::vector<uint8_t> attributes;
    dcps_step_memory scratch = {};

    explicit kept_call(const dcps_call *from) : call(*from), tensors(from->input_count + 1)
    {
        for (uint32_t i = 0; i < from->input_count; i++) {
            tensors[i] = *from->x[i];
            x.push_back(&tensors[i]);
        }
        tensors[from->input_count] = *from->y;
        const uint8_t *bytes = static_cast<const uint8_t *>(from->attributes);
        attributes.assign(bytes, bytes + from->attribute_bytes);
        call.x = x.data();
        call.y = &tensors[from->input_count];
        call.attributes = attributes.data();
        call.memory = &scratch;
        call.device = nullptr;
    }
    ~kept_call()
    {
        dcps_step_memory_fini(&scratch);
    }
};

const dcps_kernel *reference(const dcps_call *call)
{
    return dcps_ref_backend()->kernels[call->op];
}

dcps_status begin()
{
    calls++;
    if (fail_after-- == 0) {
        return dcps_fail(DCPS_SYSTEM, "the device is on fire");
    }
    return DCPS_OK;
}

void expect_success(dcps_status status)
{
    if (status != DCPS_OK) {
        emulation::fatal("a reference kernel failed: %s", dcps_error_message());
    }
}

dcps_status forward(const dcps_call *call, float *y)
{
    auto kept = std::make_shared<kept_call>(call);
    emulation::enqueue(call->device->stream, "forward",
                       [=] { expect_success(reference(&kept->call)->forward(&kept->call, y)); });
    return begin();
}

dcps_status backward(const dcps_call *call, const float *dy, const dcps_gradient_slot *dx)
{
    auto kept = std::make_shared<kept_call>(call);
    std::vector<dcps_gradient_slot> slots(dx, dx + call->input_count);
    emulation::enqueue(call->device->stream, "backward",
                       [=] { expect_success(reference(&kept->call)->backward(&kept->call, dy, slots.data())); });
    return begin();
}
} // namespace

const dcps_backend *ref_on_device_backend(void)
{
    static dcps_backend backend = {};
    static dcps_kernel kernels[DCPS_OP_COUNT];
    backend.name = "ref on a device";
    backend.device_ops = &dcps_cuda_device_ops;
    for (int op = 0; op < DCPS_OP_COUNT; op++) {
        const dcps_kernel *kernel = dcps_ref_backend()->kernels[op];
        if (kernel == nullptr) {
            continue;
        }
        kernels[op] = *kernel;
        kernels[op].forward = kernel->forward == nullptr ? nullptr : forward;
        kernels[op].backward = backward;
        backend.kernels[op] = &kernels[op];
    }
    return &backend;
}

unsigned long ref_on_device_calls(void)
{
    return calls;
}

void ref_on_device_fail_after(unsigned long n)
{
    fail_after = n;
}
