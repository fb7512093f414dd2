#include "tensor/ops.h"
#include "tensor/tape_state.h"

/* x […, columns], scale [columns], shift [columns] → the shape of x */
dcps_tensor *dcps_tape_layer_norm(dcps_tape *tape, dcps_tensor *x, dcps_tensor *scale, dcps_tensor *shift,
                                  float epsilon)
{
    dcps_call *call = dcps_tape_begin(tape, DCPS_OP_LAYER_NORM, 3, (dcps_tensor *[]){x, scale, shift});
    if (call == NULL) {
        return NULL;
    }
    if (x->dim_count < 1 || scale->dim_count != 1 || shift->dim_count != 1 ||
        scale->dims[0] != x->dims[x->dim_count - 1] || shift->dims[0] != scale->dims[0]) {
        return dcps_tape_refuse(tape, call, "x […, columns], scale [columns] and shift [columns]");
    }
    if (!(epsilon > 0.0f)) {
        return dcps_tape_refuse(tape, call, "an epsilon above 0");
    }
    dcps_layer_norm_attributes attributes = {
        .rows = x->count / scale->count, .columns = scale->count, .epsilon = epsilon};
    if (!dcps_tape_attach(tape, call, &attributes, sizeof(attributes))) {
        return NULL;
    }
    return dcps_tape_run(tape, call, x->dim_count, x->dims);
}
