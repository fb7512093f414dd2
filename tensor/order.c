/* Orders of values in memory: kernels say which they take, and REORDER calls, differentiated like any other, do the rest. */
#include "tensor/ops.h"
#include "tensor/tape_state.h"

static size_t block_of(const dcps_tape *tape)
{
    return tape->config.backend->channel_block == NULL ? 0 : tape->config.backend->channel_block();
}

/* Channels that lie side by side; 1: row-major. */
static size_t lanes_of(const dcps_tape *tape, const dcps_tensor *x, dcps_order order)
{
    if (order == DCPS_ROW_MAJOR) {
        return 1;
    }
    return order == DCPS_CHANNELS_LAST ? x->dims[1] : block_of(tape);
}

/* Whether both orders of x are the same memory. */
static bool orders_coincide(const dcps_tape *tape, const dcps_tensor *x, dcps_order order)
{
    return x->dims[2] * x->dims[3] == 1 || lanes_of(tape, x, x->order) == lanes_of(tape, x, order);
}

static dcps_tensor *find_twin(const dcps_tensor *x, dcps_order order)
{
    for (dcps_tensor *twin = x->twin; twin != NULL && twin != x; twin = twin->twin) {
        if (twin->order == order) {
            return twin;
        }
    }
    return NULL;
}

/* A call that cannot be refused, made by hand because its result is in another order than its input. */
static dcps_tensor *reorder(dcps_tape *tape, dcps_tensor *x, dcps_order order)
{
    dcps_call *call = dcps_tape_begin(tape, DCPS_OP_REORDER, 1, &x);
    dcps_reorder_attributes attributes = {.to = order, .channel_block = block_of(tape)};
    if (call == NULL || !dcps_tape_attach(tape, call, &attributes, sizeof(attributes))) {
        return NULL;
    }
    return orders_coincide(tape, x, order) ? dcps_tape_view(tape, call, 0, x->dim_count, x->dims)
                                           : dcps_tape_run(tape, call, x->dim_count, x->dims);
}

dcps_tensor *dcps_tape_order(dcps_tape *tape, dcps_tensor *x, dcps_order order)
{
    if (x->order == order || x->dim_count != 4) {
        return x;
    }
    dcps_tensor *y = find_twin(x, order);
    if (y != NULL) {
        return y;
    }
    y = reorder(tape, x, order);
    if (y == NULL) {
        return NULL;
    }
    y->twin = x->twin == NULL ? x : x->twin;
    x->twin = y;
    return y;
}

/* Of the first input that is not row-major. */
static dcps_order common_order(const dcps_call *call)
{
    for (uint32_t i = 0; i < call->input_count; i++) {
        if (call->x[i]->order != DCPS_ROW_MAJOR) {
            return call->x[i]->order;
        }
    }
    return DCPS_ROW_MAJOR;
}

/* What the kernel wants of input `input`, or of the result. */
static dcps_order wanted(const dcps_kernel *kernel, const dcps_call *call, const size_t *y_dims, dcps_order common,
                         uint32_t input)
{
    switch (kernel->takes) {
    case DCPS_TAKES_CHANNELS_LAST:
        return input == 0 || input == call->input_count ? DCPS_CHANNELS_LAST : DCPS_ROW_MAJOR;
    case DCPS_TAKES_EITHER:
        return common;
    case DCPS_TAKES_CHOSEN:
        return kernel->choose(call, y_dims, input);
    default:
        return DCPS_ROW_MAJOR;
    }
}

bool dcps_call_order(dcps_tape *tape, dcps_call *call, uint32_t dim_count, const size_t *dims, dcps_order *order)
{
    if (call->op == DCPS_OP_REORDER) {
        const dcps_reorder_attributes *attributes = call->attributes;
        *order = attributes->to;
        return true;
    }
    const dcps_kernel *kernel = tape->config.backend->kernels[call->op];
    dcps_order common = common_order(call), orders[DCPS_OP_MAX_INPUTS + 1];
    for (uint32_t i = 0; i <= call->input_count; i++) {
        orders[i] = wanted(kernel, call, dims, common, i);
    }
    for (uint32_t i = 0; i < call->input_count; i++) {
        call->x[i] = dcps_tape_order(tape, call->x[i], orders[i]);
        if (call->x[i] == NULL) {
            return false;
        }
    }
    *order = dim_count == 4 ? orders[call->input_count] : DCPS_ROW_MAJOR;
    return true;
}
