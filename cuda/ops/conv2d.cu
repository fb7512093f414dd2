/* Convolutions by cuDNN, channels last. What cuDNN needs to know of a shape is found out at its first call and kept with the device: of the algorithms it
 * proposes, its favourite among those that give the same bits every time. */
#include "cuda/kernel.cuh"

/* Larger proposals are passed over. */
#define WORKSPACE_MAX_BYTES (size_t{256} << 20)
#define WORKSPACE_ALIGN_BYTES 256u
#define PROPOSALS 16 /* every algorithm, each with either of two math types */

namespace
{
/* What a plan is for; compared byte by byte. */
struct shape {
    int batch, channels, height, width, filters, kernel_height, kernel_width, y_height, y_width, stride, padding, tf32;
};

/* The math type is part of it: cuDNN proposes others than the descriptor's, and what an algorithm needs depends on it. */
template <typename Algorithm> struct choice {
    bool made;
    Algorithm algorithm;
    cudnnMathType_t math;
    size_t workspace_bytes;
};
} // namespace

struct dcps_conv_plan {
    shape is;
    cudnnTensorDescriptor_t x, y;
    cudnnFilterDescriptor_t w;
    cudnnConvolutionDescriptor_t convolution;
    choice<cudnnConvolutionFwdAlgo_t> forward;
    choice<cudnnConvolutionBwdDataAlgo_t> data;
    choice<cudnnConvolutionBwdFilterAlgo_t> filter;
    dcps_conv_plan *next;
};

namespace
{
shape shape_of(const dcps_call *call)
{
    const auto *is = dcps_attributes<dcps_conv2d_attributes>(call);
    const size_t *x = call->x[0]->dims, *w = call->x[1]->dims, *y = call->y->dims;
    return {(int)x[0], (int)x[1], (int)x[2], (int)x[3],       (int)w[0],        (int)w[2],
            (int)w[3], (int)y[2], (int)y[3], (int)is->stride, (int)is->padding, call->device->tf32 ? 1 : 0};
}

void plan_destroy(dcps_conv_plan *plan)
{
    if (plan->x != NULL) {
        (void)dcps_library.cudnnDestroyTensorDescriptor(plan->x);
    }
    if (plan->y != NULL) {
        (void)dcps_library.cudnnDestroyTensorDescriptor(plan->y);
    }
    if (plan->w != NULL) {
        (void)dcps_library.cudnnDestroyFilterDescriptor(plan->w);
    }
    if (plan->convolution != NULL) {
        (void)dcps_library.cudnnDestroyConvolutionDescriptor(plan->convolution);
    }
    dcps_free(plan);
}

dcps_status set_math(const dcps_conv_plan *plan, cudnnMathType_t math)
{
    return DCPS_CUDA_CHECK("conv2d", dcps_library.cudnnSetConvolutionMathType(plan->convolution, math));
}

dcps_status plan_describe(dcps_conv_plan *plan)
{
    const shape &is = plan->is;
    dcps_status status = DCPS_CUDA_CHECK("conv2d", dcps_library.cudnnCreateTensorDescriptor(&plan->x));
    if (status == DCPS_OK) {
        status = DCPS_CUDA_CHECK("conv2d", dcps_library.cudnnCreateTensorDescriptor(&plan->y));
    }
    if (status == DCPS_OK) {
        status = DCPS_CUDA_CHECK("conv2d", dcps_library.cudnnCreateFilterDescriptor(&plan->w));
    }
    if (status == DCPS_OK) {
        status = DCPS_CUDA_CHECK("conv2d", dcps_library.cudnnCreateConvolutionDescriptor(&plan->convolution));
    }
    if (status == DCPS_OK) {
        status = DCPS_CUDA_CHECK("conv2d",
                                 dcps_library.cudnnSetTensor4dDescriptor(plan->x, CUDNN_TENSOR_NHWC, CUDNN_DATA_FLOAT,
                                                                         is.batch, is.channels, is.height, is.width));
    }
    if (status == DCPS_OK) {
        status = DCPS_CUDA_CHECK(
            "conv2d", dcps_library.cudnnSetTensor4dDescriptor(plan->y, CUDNN_TENSOR_NHWC, CUDNN_DATA_FLOAT, is.batch,
                                                              is.filters, is.y_height, is.y_width));
    }
    if (status == DCPS_OK) {
        status = DCPS_CUDA_CHECK(
            "conv2d", dcps_library.cudnnSetFilter4dDescriptor(plan->w, CUDNN_DATA_FLOAT, CUDNN_TENSOR_NHWC, is.filters,
                                                              is.channels, is.kernel_height, is.kernel_width));
    }
    if (status == DCPS_OK) {
        status = DCPS_CUDA_CHECK("conv2d", dcps_library.cudnnSetConvolution2dDescriptor(
                                               plan->convolution, is.padding, is.padding, is.stride, is.stride, 1, 1,
                                               CUDNN_CROSS_CORRELATION, CUDNN_DATA_FLOAT));
    }
    if (status == DCPS_OK) { /* the default permits TF32 */
        status = set_math(plan, is.tf32 != 0 ? CUDNN_DEFAULT_MATH : CUDNN_FMA_MATH);
    }
    return status;
}

/* The plan of the call's shape, made where there is none. NULL, with the failure recorded: there cannot be one. */
dcps_conv_plan *plan_of(const dcps_call *call)
{
    shape is = shape_of(call);
    for (dcps_conv_plan *plan = call->device->plans; plan != NULL; plan = plan->next) {
        if (memcmp(&plan->is, &is, sizeof(is)) == 0) {
            return plan;
        }
    }
    dcps_conv_plan *plan = static_cast<dcps_conv_plan *>(dcps_alloc(1, sizeof(*plan)));
    if (plan == NULL) {
        (void)dcps_fail(DCPS_NO_MEMORY, "conv2d: no memory for the plan of a shape");
        return NULL;
    }
    plan->is = is;
    if (plan_describe(plan) != DCPS_OK) {
        plan_destroy(plan);
        return NULL;
    }
    plan->next = call->device->plans;
    call->device->plans = plan;
    return plan;
}

/* The first proposal that is to be had, gives the same bits every time, and needs no more memory than we grant. `measure` tells how much an algorithm needs
 * with the math type that is set, or that it cannot be had so. */
template <typename Proposal, typename Algorithm, typename Measure>
dcps_status choose(const dcps_conv_plan *plan, const char *what, const Proposal *proposals, int count,
                   choice<Algorithm> *chosen, const Measure &measure)
{
    const shape &is = plan->is;
    for (int i = 0; i < count; i++) {
        if (proposals[i].status != CUDNN_STATUS_SUCCESS || proposals[i].determinism != CUDNN_DETERMINISTIC) {
            continue;
        }
        choice<Algorithm> seen = {true, proposals[i].algo, is.tf32 != 0 ? proposals[i].mathType : CUDNN_FMA_MATH, 0};
        dcps_status status = set_math(plan, seen.math);
        if (status != DCPS_OK) {
            return status;
        }
        if (measure(seen.algorithm, &seen.workspace_bytes) == CUDNN_STATUS_SUCCESS &&
            seen.workspace_bytes <= WORKSPACE_MAX_BYTES) {
            *chosen = seen;
            dcps_debug("conv2d: the %s of [%d, %d, %d, %d] and [%d, %d, %d, %d], stride %d: algorithm %d, math type "
                       "%d, %.1f MiB",
                       what, is.batch, is.channels, is.height, is.width, is.filters, is.channels, is.kernel_height,
                       is.kernel_width, is.stride, (int)seen.algorithm, (int)seen.math,
                       (double)seen.workspace_bytes / 1048576.0);
            return DCPS_OK;
        }
    }
    return dcps_fail(DCPS_UNSUPPORTED,
                     "conv2d: of %d proposals of cuDNN none is deterministic and needs at most %zu bytes for the %s of "
                     "[%d, %d, %d, %d] and [%d, %d, %d, %d], stride %d, padding %d",
                     count, WORKSPACE_MAX_BYTES, what, is.batch, is.channels, is.height, is.width, is.filters,
                     is.channels, is.kernel_height, is.kernel_width, is.stride, is.padding);
}

/* Each of the three makes its choice at the first call and sets its math type at every call. */
dcps_status choose_forward(const dcps_call *call, dcps_conv_plan *plan)
{
    cudnnConvolutionFwdAlgoPerf_t proposals[PROPOSALS];
    cudnnHandle_t dnn = call->device->dnn;
    int count = 0;
    if (plan->forward.made) {
        return set_math(plan, plan->forward.math);
    }
    dcps_status status =
        DCPS_CUDA_CHECK("conv2d", dcps_library.cudnnGetConvolutionForwardAlgorithm_v7(
                                      dnn, plan->x, plan->w, plan->convolution, plan->y, PROPOSALS, &count, proposals));
    if (status != DCPS_OK) {
        return status;
    }
    return choose(plan, "result", proposals, count, &plan->forward,
                  [=](cudnnConvolutionFwdAlgo_t algorithm, size_t *bytes) {
                      return dcps_library.cudnnGetConvolutionForwardWorkspaceSize(
                          dnn, plan->x, plan->w, plan->convolution, plan->y, algorithm, bytes);
                  });
}

dcps_status choose_data(const dcps_call *call, dcps_conv_plan *plan)
{
    cudnnConvolutionBwdDataAlgoPerf_t proposals[PROPOSALS];
    cudnnHandle_t dnn = call->device->dnn;
    int count = 0;
    if (plan->data.made) {
        return set_math(plan, plan->data.math);
    }
    dcps_status status =
        DCPS_CUDA_CHECK("conv2d", dcps_library.cudnnGetConvolutionBackwardDataAlgorithm_v7(
                                      dnn, plan->w, plan->y, plan->convolution, plan->x, PROPOSALS, &count, proposals));
    if (status != DCPS_OK) {
        return status;
    }
    return choose(plan, "gradient of the images", proposals, count, &plan->data,
                  [=](cudnnConvolutionBwdDataAlgo_t algorithm, size_t *bytes) {
                      return dcps_library.cudnnGetConvolutionBackwardDataWorkspaceSize(
                          dnn, plan->w, plan->y, plan->convolution, plan->x, algorithm, bytes);
                  });
}

dcps_status choose_filter(const dcps_call *call, dcps_conv_plan *plan)
{
    cudnnConvolutionBwdFilterAlgoPerf_t proposals[PROPOSALS];
    cudnnHandle_t dnn = call->device->dnn;
    int count = 0;
    if (plan->filter.made) {
        return set_math(plan, plan->filter.math);
    }
    dcps_status status =
        DCPS_CUDA_CHECK("conv2d", dcps_library.cudnnGetConvolutionBackwardFilterAlgorithm_v7(
                                      dnn, plan->x, plan->y, plan->convolution, plan->w, PROPOSALS, &count, proposals));
    if (status != DCPS_OK) {
        return status;
    }
    return choose(plan, "gradient of the filters", proposals, count, &plan->filter,
                  [=](cudnnConvolutionBwdFilterAlgo_t algorithm, size_t *bytes) {
                      return dcps_library.cudnnGetConvolutionBackwardFilterWorkspaceSize(
                          dnn, plan->x, plan->y, plan->convolution, plan->w, algorithm, bytes);
                  });
}

/* Whether filters [filters, channels, height, width] and [filters, height, width, channels] are the same memory. */
bool filters_coincide(const dcps_call *call)
{
    const size_t *w = call->x[1]->dims;
    return w[1] == 1 || w[2] * w[3] == 1;
}

/* The filters channels last; saved for backward. */
size_t saved_count(const dcps_call *call)
{
    return filters_coincide(call) ? 0 : call->x[1]->count;
}

/* Workspace for an algorithm. False: no memory, and that is recorded. */
bool workspace_take(const dcps_call *call, size_t bytes, void **workspace)
{
    *workspace = NULL;
    if (bytes == 0) {
        return true;
    }
    uint8_t *taken = static_cast<uint8_t *>(dcps_call_scratch(call, 1, bytes + WORKSPACE_ALIGN_BYTES - 1));
    if (taken != NULL) { /* scratch is aligned to less */
        *workspace = taken + (WORKSPACE_ALIGN_BYTES - (uintptr_t)taken % WORKSPACE_ALIGN_BYTES) % WORKSPACE_ALIGN_BYTES;
    }
    return taken != NULL;
}

dcps_status forward(const dcps_call *call, float *y)
{
    dcps_status status = dcps_expect_32_bits(call);
    if (status != DCPS_OK) {
        return status;
    }
    dcps_conv_plan *plan = plan_of(call);
    if (plan == NULL || (status = choose_forward(call, plan)) != DCPS_OK) {
        return plan == NULL ? DCPS_SYSTEM : status;
    }
    const float *w = call->x[1]->values;
    const size_t *dims = call->x[1]->dims;
    if (!filters_coincide(call)) {
        float *last = call->saved != NULL ? call->saved : dcps_scratch_floats(call, call->x[1]->count);
        if (last == NULL) {
            return DCPS_NO_MEMORY;
        }
        status = dcps_cuda_transpose(call, dims[0], dims[1], dims[2] * dims[3], w, last, false);
        w = last;
    }
    void *workspace;
    if (!workspace_take(call, plan->forward.workspace_bytes, &workspace)) {
        return DCPS_NO_MEMORY;
    }
    const float one = 1.0f, zero = 0.0f;
    if (status == DCPS_OK) {
        status = DCPS_CUDA_CHECK("conv2d", dcps_library.cudnnConvolutionForward(
                                               call->device->dnn, &one, plan->x, call->x[0]->values, plan->w, w,
                                               plan->convolution, plan->forward.algorithm, workspace,
                                               plan->forward.workspace_bytes, &zero, plan->y, y));
    }
    return status;
}

dcps_status backward_x(const dcps_call *call, dcps_conv_plan *plan, const float *dy, const dcps_gradient_slot *dx)
{
    void *workspace;
    dcps_status status = choose_data(call, plan);
    if (status != DCPS_OK) {
        return status;
    }
    if (!workspace_take(call, plan->data.workspace_bytes, &workspace)) {
        return DCPS_NO_MEMORY;
    }
    const float one = 1.0f, beta = dx->add ? 1.0f : 0.0f;
    const float *w = filters_coincide(call) ? call->x[1]->values : call->saved;
    return DCPS_CUDA_CHECK(
        "conv2d", dcps_library.cudnnConvolutionBackwardData(call->device->dnn, &one, plan->w, w, plan->y, dy,
                                                            plan->convolution, plan->data.algorithm, workspace,
                                                            plan->data.workspace_bytes, &beta, plan->x, dx->values));
}

dcps_status backward_w(const dcps_call *call, dcps_conv_plan *plan, const float *dy, const dcps_gradient_slot *dw)
{
    void *workspace;
    dcps_status status = choose_filter(call, plan);
    if (status != DCPS_OK) {
        return status;
    }
    bool direct = filters_coincide(call);
    float *last = direct ? dw->values : dcps_scratch_floats(call, call->x[1]->count);
    if (last == NULL || !workspace_take(call, plan->filter.workspace_bytes, &workspace)) {
        return DCPS_NO_MEMORY;
    }
    const float one = 1.0f, beta = direct && dw->add ? 1.0f : 0.0f;
    const size_t *dims = call->x[1]->dims;
    status = DCPS_CUDA_CHECK("conv2d", dcps_library.cudnnConvolutionBackwardFilter(
                                           call->device->dnn, &one, plan->x, call->x[0]->values, plan->y, dy,
                                           plan->convolution, plan->filter.algorithm, workspace,
                                           plan->filter.workspace_bytes, &beta, plan->w, last));
    if (status != DCPS_OK || direct) {
        return status;
    }
    return dcps_cuda_transpose(call, dims[0], dims[2] * dims[3], dims[1], last, dw->values, dw->add);
}

dcps_status backward(const dcps_call *call, const float *dy, const dcps_gradient_slot *dx)
{
    dcps_conv_plan *plan = plan_of(call);
    if (plan == NULL) {
        return DCPS_SYSTEM;
    }
    dcps_status status = DCPS_OK;
    if (dx[0].values != NULL) {
        status = backward_x(call, plan, dy, &dx[0]);
    }
    if (status == DCPS_OK && dx[1].values != NULL) {
        status = backward_w(call, plan, dy, &dx[1]);
    }
    return status;
}
} // namespace

void dcps_cuda_plans_free(dcps_device *device)
{
    while (device->plans != NULL) {
        dcps_conv_plan *plan = device->plans;
        device->plans = plan->next;
        plan_destroy(plan);
    }
}

const dcps_kernel dcps_cuda_conv2d = {
    .takes = DCPS_TAKES_CHANNELS_LAST, .saved_count = saved_count, .forward = forward, .backward = backward};
