#include "tensor/ref/ref.h"

const dcps_backend *dcps_ref_backend(void)
{
    static const dcps_backend backend = {
        .name = "ref",
        .kernels = {[DCPS_OP_MATMUL] = &dcps_ref_matmul,
                    [DCPS_OP_BIAS] = &dcps_ref_bias,
                    [DCPS_OP_RELU] = &dcps_ref_relu,
                    [DCPS_OP_ADD] = &dcps_ref_add,
                    [DCPS_OP_SUB] = &dcps_ref_sub,
                    [DCPS_OP_MUL] = &dcps_ref_mul,
                    [DCPS_OP_SCALE] = &dcps_ref_scale,
                    [DCPS_OP_TANH] = &dcps_ref_tanh,
                    [DCPS_OP_SIGMOID] = &dcps_ref_sigmoid,
                    [DCPS_OP_GELU] = &dcps_ref_gelu,
                    [DCPS_OP_EXP] = &dcps_ref_exp,
                    [DCPS_OP_LOG] = &dcps_ref_log,
                    [DCPS_OP_RESHAPE] = &dcps_ref_reshape,
                    [DCPS_OP_TRANSPOSE] = &dcps_ref_transpose,
                    [DCPS_OP_CONCAT] = &dcps_ref_concat,
                    [DCPS_OP_SLICE] = &dcps_ref_slice,
                    [DCPS_OP_SUM] = &dcps_ref_reduce,
                    [DCPS_OP_MEAN] = &dcps_ref_reduce,
                    [DCPS_OP_SOFTMAX] = &dcps_ref_softmax,
                    [DCPS_OP_LOG_SOFTMAX] = &dcps_ref_log_softmax,
                    [DCPS_OP_EMBEDDING] = &dcps_ref_embedding,
                    [DCPS_OP_DROPOUT] = &dcps_ref_dropout,
                    [DCPS_OP_LAYER_NORM] = &dcps_ref_layer_norm,
                    [DCPS_OP_LSTM] = &dcps_ref_lstm,
                    [DCPS_OP_CONV2D] = &dcps_ref_conv2d,
                    [DCPS_OP_BATCH_NORM] = &dcps_ref_batch_norm,
                    [DCPS_OP_BATCH_NORM_RELU] = &dcps_ref_batch_norm_relu,
                    [DCPS_OP_MAX_POOL] = &dcps_ref_max_pool,
                    [DCPS_OP_AVG_POOL] = &dcps_ref_avg_pool,
                    [DCPS_OP_GLOBAL_AVG_POOL] = &dcps_ref_global_avg_pool,
                    [DCPS_OP_CROSS_ENTROPY] = &dcps_ref_cross_entropy},
    };
    return &backend;
}
