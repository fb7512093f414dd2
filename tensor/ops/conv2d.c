#include "tensor/ops.h"
#include "tensor/ops/window.h"
#include "tensor/tape_state.h"

/* x [batch, channels, height, width], w [filters, channels, kernel_height, kernel_width] → [batch, filters, …, …] */
dcps_tensor *dcps_tape_conv2d(dcps_tape *tape, dcps_tensor *x, dcps_tensor *w, size_t stride, size_t padding)
{
    dcps_call *call = dcps_tape_begin(tape, DCPS_OP_CONV2D, 2, (dcps_tensor *[]){x, w});
    if (call == NULL) {
        return NULL;
    }
    size_t height, width;
    if (x->dim_count != 4 || w->dim_count != 4 || x->dims[1] != w->dims[1]) {
        return dcps_tape_refuse(
            tape, call, "x [batch, channels, height, width] and w [filters, channels, kernel_height, kernel_width]");
    }
    if (!dcps_window_places(x->dims[2], w->dims[2], stride, padding, &height) ||
        !dcps_window_places(x->dims[3], w->dims[3], stride, padding, &width)) {
        return dcps_tape_refuse(tape, call, "a stride of at least 1 and an x that, padded, holds the kernel");
    }
    dcps_conv2d_attributes attributes = {.stride = stride, .padding = padding};
    if (!dcps_tape_attach(tape, call, &attributes, sizeof(attributes))) {
        return NULL;
    }
    return dcps_tape_run(tape, call, 4, (size_t[]){x->dims[0], w->dims[0], height, width});
}
