/* Layer normalisation of [rows, columns]: a row is one warp's, or, where it is long, one block's. */
#include "cuda/columns.cuh"

namespace
{
/* y = scale · (x − mean) · inverse + shift. Mean and inverse of every row stay in `means` and `inverses` [rows]. */
__global__ void normalise(unsigned rows, unsigned columns, float epsilon, const float *x, const float *scale,
                          const float *shift, float *means, float *inverses, float *y)
{
    for (unsigned i = blockIdx.x * blockDim.y + threadIdx.y; i < rows; i += gridDim.x * blockDim.y) {
        size_t row = (size_t)i * columns;
        float sum = 0.0f, squares = 0.0f;
        for (unsigned j = threadIdx.x; j < columns; j += blockDim.x) {
            sum += x[row + j];
        }
        float mean = dcps_row_reduce<dcps_sum>(sum) / (float)columns;
        for (unsigned j = threadIdx.x; j < columns; j += blockDim.x) {
            squares += (x[row + j] - mean) * (x[row + j] - mean);
        }
        float variance = dcps_row_reduce<dcps_sum>(squares) / (float)columns;
        float inverse = 1.0f / sqrtf(variance + epsilon);
        for (unsigned j = threadIdx.x; j < columns; j += blockDim.x) {
            y[row + j] = scale[j] * ((x[row + j] - mean) * inverse) + shift[j];
        }
        if (threadIdx.x == 0) {
            means[i] = mean;
            inverses[i] = inverse;
        }
    }
}

/* With g = scale · dy: dx (+)= (g − mean(g) − x̂ · mean(g x̂)) · inverse */
__global__ void normalise_back(unsigned rows, unsigned columns, const float *x, const float *dy, const float *scale,
                               const float *means, const float *inverses, float *dx, bool add)
{
    for (unsigned i = blockIdx.x * blockDim.y + threadIdx.y; i < rows; i += gridDim.x * blockDim.y) {
        size_t row = (size_t)i * columns;
        float mean = means[i], inverse = inverses[i], sum = 0.0f, product = 0.0f;
        for (unsigned j = threadIdx.x; j < columns; j += blockDim.x) {
            float g = scale[j] * dy[row + j];
            sum += g;
            product += g * ((x[row + j] - mean) * inverse);
        }
        sum = dcps_row_reduce<dcps_sum>(sum) / (float)columns;
        product = dcps_row_reduce<dcps_sum>(product) / (float)columns;
        for (unsigned j = threadIdx.x; j < columns; j += blockDim.x) {
            float normal = (x[row + j] - mean) * inverse;
            dcps_put(&dx[row + j], add, (scale[j] * dy[row + j] - sum - normal * product) * inverse);
        }
    }
}

__global__ void gradient_parts(unsigned rows, unsigned columns, unsigned chunk, const float *x, const float *dy,
                               const float *means, const float *inverses, float *parts)
{
    dcps_normal_parts<1, true>(rows, columns, chunk, x, dy, means, inverses, NULL, parts);
}

/* dscale and dshift [columns] from their parts; NULL: not wanted */
__global__ void column_slots(unsigned columns, unsigned parts_count, const float *parts, float *dscale, bool add_scale,
                             float *dshift, bool add_shift)
{
    unsigned column = blockIdx.x * blockDim.x + threadIdx.x;
    dcps_sums<1> sums = dcps_column_sums<1>(parts_count, columns, column, parts);
    if (threadIdx.y != 0 || column >= columns) {
        return;
    }
    if (dscale != NULL) {
        dcps_put(&dscale[column], add_scale, sums.b.of[0]);
    }
    if (dshift != NULL) {
        dcps_put(&dshift[column], add_shift, sums.a.of[0]);
    }
}

/* mean and inverse of every row [2, rows] */
size_t saved_count(const dcps_call *call)
{
    return 2 * dcps_attributes<dcps_layer_norm_attributes>(call)->rows;
}

dcps_status forward(const dcps_call *call, float *y)
{
    const auto *is = dcps_attributes<dcps_layer_norm_attributes>(call);
    dcps_status status = dcps_expect_32_bits(call);
    if (status != DCPS_OK) {
        return status;
    }
    float *saved = call->saved != NULL ? call->saved : dcps_scratch_floats(call, saved_count(call));
    if (saved == NULL) {
        return DCPS_NO_MEMORY;
    }
    dim3 block = dcps_row_block(is->columns);
    return DCPS_CALL_LAUNCH(call, normalise, dcps_grid(call, is->rows, block.y), block, (unsigned)is->rows,
                            (unsigned)is->columns, is->epsilon, call->x[0]->values, call->x[1]->values,
                            call->x[2]->values, saved, saved + is->rows, y);
}

/* dscale = Σ over rows of dy · x̂; dshift = Σ over rows of dy */
dcps_status parameters_back(const dcps_call *call, const float *dy, const dcps_gradient_slot *dx)
{
    const auto *is = dcps_attributes<dcps_layer_norm_attributes>(call);
    unsigned rows = (unsigned)is->rows, columns = (unsigned)is->columns;
    dcps_columns by = dcps_columns_of(rows, columns, 1);
    float *parts = dcps_scratch_floats(call, (size_t)2 * by.parts * columns);
    if (parts == NULL) {
        return DCPS_NO_MEMORY;
    }
    dcps_status status = DCPS_CALL_LAUNCH(call, gradient_parts, dim3(by.tiles, by.parts), by.block, rows, columns,
                                          by.chunk, call->x[0]->values, dy, call->saved, call->saved + rows, parts);
    if (status != DCPS_OK) {
        return status;
    }
    dim3 block(DCPS_WARP, DCPS_BLOCK / DCPS_WARP);
    return DCPS_CALL_LAUNCH(call, column_slots, (columns + DCPS_WARP - 1) / DCPS_WARP, block, columns, by.parts, parts,
                            dx[1].values, dx[1].add, dx[2].values, dx[2].add);
}

dcps_status backward(const dcps_call *call, const float *dy, const dcps_gradient_slot *dx)
{
    const auto *is = dcps_attributes<dcps_layer_norm_attributes>(call);
    dim3 block = dcps_row_block(is->columns);
    dcps_status status = DCPS_OK;
    if (dx[0].values != NULL) {
        status = DCPS_CALL_LAUNCH(call, normalise_back, dcps_grid(call, is->rows, block.y), block, (unsigned)is->rows,
                                  (unsigned)is->columns, call->x[0]->values, dy, call->x[1]->values, call->saved,
                                  call->saved + is->rows, dx[0].values, dx[0].add);
    }
    if (status == DCPS_OK && (dx[1].values != NULL || dx[2].values != NULL)) {
        status = parameters_back(call, dy, dx);
    }
    return status;
}
} // namespace

const dcps_kernel dcps_cuda_layer_norm = {
    .takes = DCPS_TAKES_ROW_MAJOR, .saved_count = saved_count, .forward = forward, .backward = backward};
