#include "tensor/cpu/order.h"

#include <oneapi/dnnl/dnnl.h>

size_t dcps_cpu_channel_block(void)
{
    return (dnnl_get_effective_cpu_isa() & dnnl_cpu_isa_avx512_core) == dnnl_cpu_isa_avx512_core ? 16 : 8;
}

dcps_order dcps_cpu_image_order(const dcps_tensor *x, const size_t *dims)
{
    if (x->dim_count != 4) {
        return DCPS_ROW_MAJOR;
    }
    if (x->order != DCPS_ROW_MAJOR) {
        return x->order;
    }
    return dims[1] % dcps_cpu_channel_block() == 0 ? DCPS_CHANNELS_BLOCKED : DCPS_CHANNELS_LAST;
}

size_t dcps_cpu_lanes(const dcps_tensor *x)
{
    return x->order == DCPS_CHANNELS_BLOCKED ? dcps_cpu_channel_block() : x->dims[1];
}

dcps_order dcps_cpu_choose_image(const dcps_call *call, const size_t *y_dims, uint32_t input)
{
    (void)y_dims;
    (void)input;
    return dcps_cpu_image_order(call->x[0], call->x[0]->dims);
}
