#include "tensor/ref/ref.h"

/* y [m, n] = a [m, k] · b [k, n] */
static dcps_status forward(const dcps_call *call, float *y)
{
    size_t m = call->x[0]->dims[0], k = call->x[0]->dims[1], n = call->x[1]->dims[1];
    const float *a = call->x[0]->values, *b = call->x[1]->values;
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++) {
            double sum = 0.0;
            for (size_t l = 0; l < k; l++)
                sum += (double)a[i * k + l] * (double)b[l * n + j];
            y[i * n + j] = (float)sum;
        }
    return DCPS_OK;
}

/* da [m, k] = dy [m, n] · bᵀ [n, k]; db [k, n] = aᵀ [k, m] · dy [m, n] */
static dcps_status backward(const dcps_call *call, const float *dy, const dcps_gradient_slot *dx)
{
    size_t m = call->x[0]->dims[0], k = call->x[0]->dims[1], n = call->x[1]->dims[1];
    const float *a = call->x[0]->values, *b = call->x[1]->values;
    for (size_t i = 0; dx[0].values != NULL && i < m; i++)
        for (size_t l = 0; l < k; l++) {
            double sum = 0.0;
            for (size_t j = 0; j < n; j++)
                sum += (double)dy[i * n + j] * (double)b[l * n + j];
            dcps_ref_put(&dx[0], i * k + l, sum);
        }
    for (size_t l = 0; dx[1].values != NULL && l < k; l++)
        for (size_t j = 0; j < n; j++) {
            double sum = 0.0;
            for (size_t i = 0; i < m; i++)
                sum += (double)a[i * k + l] * (double)dy[i * n + j];
            dcps_ref_put(&dx[1], l * n + j, sum);
        }
    return DCPS_OK;
}

const dcps_kernel dcps_ref_matmul = {.forward = forward, .backward = backward};
