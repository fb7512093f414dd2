#include "tensor/cpu/cpu.h"

#include "tensor/cpu/kernels.h"
#include "tensor/cpu/order.h"

/* Of OpenMP, which oneDNN runs on. Declared here because only GCC ships <omp.h>. */
extern void omp_set_num_threads(int count);
extern int omp_get_thread_limit(void);

const dcps_backend *dcps_cpu_backend(void)
{
    static const dcps_backend backend = {
        .name = "cpu",
        .channel_block = dcps_cpu_channel_block,
        .kernels = {[DCPS_OP_MATMUL] = &dcps_cpu_matmul,
                    [DCPS_OP_BIAS] = &dcps_cpu_bias,
                    [DCPS_OP_RELU] = &dcps_cpu_relu,
                    [DCPS_OP_ADD] = &dcps_cpu_add,
                    [DCPS_OP_SUB] = &dcps_cpu_sub,
                    [DCPS_OP_MUL] = &dcps_cpu_mul,
                    [DCPS_OP_SCALE] = &dcps_cpu_scale,
                    [DCPS_OP_TANH] = &dcps_cpu_tanh,
                    [DCPS_OP_SIGMOID] = &dcps_cpu_sigmoid,
                    [DCPS_OP_GELU] = &dcps_cpu_gelu,
                    [DCPS_OP_EXP] = &dcps_cpu_exp,
                    [DCPS_OP_LOG] = &dcps_cpu_log,
                    [DCPS_OP_RESHAPE] = &dcps_cpu_reshape,
                    [DCPS_OP_TRANSPOSE] = &dcps_cpu_transpose,
                    [DCPS_OP_CONCAT] = &dcps_cpu_concat,
                    [DCPS_OP_SLICE] = &dcps_cpu_slice,
                    [DCPS_OP_SUM] = &dcps_cpu_reduce,
                    [DCPS_OP_MEAN] = &dcps_cpu_reduce,
                    [DCPS_OP_SOFTMAX] = &dcps_cpu_softmax,
                    [DCPS_OP_LOG_SOFTMAX] = &dcps_cpu_log_softmax,
                    [DCPS_OP_EMBEDDING] = &dcps_cpu_embedding,
                    [DCPS_OP_DROPOUT] = &dcps_cpu_dropout,
                    [DCPS_OP_LAYER_NORM] = &dcps_cpu_layer_norm,
                    [DCPS_OP_LSTM] = &dcps_cpu_lstm,
                    [DCPS_OP_REORDER] = &dcps_cpu_reorder,
                    [DCPS_OP_CONV2D] = &dcps_cpu_conv2d,
                    [DCPS_OP_BATCH_NORM] = &dcps_cpu_batch_norm,
                    [DCPS_OP_BATCH_NORM_RELU] = &dcps_cpu_batch_norm, /* the call says which */
                    [DCPS_OP_MAX_POOL] = &dcps_cpu_max_pool,
                    [DCPS_OP_AVG_POOL] = &dcps_cpu_avg_pool,
                    [DCPS_OP_GLOBAL_AVG_POOL] = &dcps_cpu_global_avg_pool,
                    [DCPS_OP_CROSS_ENTROPY] = &dcps_cpu_cross_entropy},
    };
    return &backend;
}

void dcps_cpu_set_threads(uint32_t threads)
{
    /* oneDNN counts on as many threads as it asks for: ask for no more than OMP_THREAD_LIMIT lets it have. */
    uint32_t limit = (uint32_t)omp_get_thread_limit();
    uint32_t most = limit < 1024 ? limit : 1024;
    omp_set_num_threads(threads == 0 ? 1 : threads > most ? (int)most : (int)threads);
}
