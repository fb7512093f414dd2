#include "tensor/ops.h"
#include "tensor/ops/window.h"
#include "tensor/tape_state.h"

/* x [batch, channels, height, width] → [batch, channels, …, …] */
static dcps_tensor *pool(dcps_tape *tape, dcps_op op, dcps_tensor *x, size_t kernel, size_t stride, size_t padding)
{
    dcps_call *call = dcps_tape_begin(tape, op, 1, &x);
    if (call == NULL) {
        return NULL;
    }
    size_t height, width;
    if (x->dim_count != 4 || padding >= kernel || !dcps_window_places(x->dims[2], kernel, stride, padding, &height) ||
        !dcps_window_places(x->dims[3], kernel, stride, padding, &width)) {
        return dcps_tape_refuse(tape, call,
                                "x [batch, channels, height, width] that, padded, holds the window, a stride of at "
                                "least 1 and less padding than window");
    }
    dcps_pool_attributes attributes = {.kernel = kernel, .stride = stride, .padding = padding};
    if (!dcps_tape_attach(tape, call, &attributes, sizeof(attributes))) {
        return NULL;
    }
    return dcps_tape_run(tape, call, 4, (size_t[]){x->dims[0], x->dims[1], height, width});
}

dcps_tensor *dcps_tape_max_pool(dcps_tape *tape, dcps_tensor *x, size_t kernel, size_t stride, size_t padding)
{
    return pool(tape, DCPS_OP_MAX_POOL, x, kernel, stride, padding);
}

dcps_tensor *dcps_tape_avg_pool(dcps_tape *tape, dcps_tensor *x, size_t kernel, size_t stride, size_t padding)
{
    return pool(tape, DCPS_OP_AVG_POOL, x, kernel, stride, padding);
}

dcps_tensor *dcps_tape_global_avg_pool(dcps_tape *tape, dcps_tensor *x)
{
    dcps_call *call = dcps_tape_begin(tape, DCPS_OP_GLOBAL_AVG_POOL, 1, &x);
    if (call == NULL) {
        return NULL;
    }
    if (x->dim_count != 4) {
        return dcps_tape_refuse(tape, call, "x [batch, channels, height, width]");
    }
    return dcps_tape_run(tape, call, 2, x->dims);
}
