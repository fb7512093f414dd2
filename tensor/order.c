/* Orders of values in memory: kernels say which they take, and REORDER calls, differentiated like any other, do the rest. */
#include "tensor/tape_state.h"

/* Whether both orders of x are the same memory. */
static bool orders_coincide(const dcps_tensor *x)
{
    return x->dim_count != 4 || x->dims[1] == 1 || x->dims[2] * x->dims[3] == 1;
}

/* A call that cannot be refused, made by hand because its result is in another order than its input. */
dcps_tensor *dcps_tape_order(dcps_tape *tape, dcps_tensor *x, dcps_order order)
{
    if (x->order == order || x->dim_count != 4)
        return x;
    if (x->twin != NULL)
        return x->twin;
    dcps_call *call = dcps_tape_begin(tape, DCPS_OP_REORDER, 1, &x);
    if (call == NULL)
        return NULL;
    dcps_tensor *y = orders_coincide(x) ? dcps_tape_view(tape, call, 0, x->dim_count, x->dims)
                                        : dcps_tape_run(tape, call, x->dim_count, x->dims);
    if (y == NULL)
        return NULL;
    x->twin = y;
    y->twin = x;
    return y;
}

static bool any_channels_last(const dcps_call *call)
{
    for (uint32_t i = 0; i < call->input_count; i++)
        if (call->x[i]->order == DCPS_CHANNELS_LAST)
            return true;
    return false;
}

bool dcps_call_order(dcps_tape *tape, dcps_call *call, uint32_t dim_count, dcps_order *order)
{
    if (call->op == DCPS_OP_REORDER) {
        *order = call->x[0]->order == DCPS_ROW_MAJOR ? DCPS_CHANNELS_LAST : DCPS_ROW_MAJOR;
        return true;
    }
    dcps_takes takes = tape->config.backend->kernels[call->op]->takes;
    bool last = takes == DCPS_TAKES_CHANNELS_LAST || (takes == DCPS_TAKES_EITHER && any_channels_last(call));
    for (uint32_t i = 0; i < call->input_count; i++) {
        bool this_last = last && (i == 0 || takes == DCPS_TAKES_EITHER) && call->x[i]->dim_count == 4;
        call->x[i] = dcps_tape_order(tape, call->x[i], this_last ? DCPS_CHANNELS_LAST : DCPS_ROW_MAJOR);
        if (call->x[i] == NULL)
            return false;
    }
    *order = last && dim_count == 4 ? DCPS_CHANNELS_LAST : DCPS_ROW_MAJOR;
    return true;
}
