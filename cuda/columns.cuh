/* Two sums over the rows of a matrix for each of its columns, in a fixed order: what normalisations need, forward and backward.
 *
 * A block is (lanes, lines): a lane has one group of V columns, its lines share the rows. First every chunk of rows gives a part, then whoever needs the
 * sums adds up the parts. */
#ifndef DCPS_CUDA_COLUMNS_CUH
#define DCPS_CUDA_COLUMNS_CUH

#include "cuda/kernel.cuh"

/* Each block that needs a sum reads all parts of it. */
#define DCPS_PARTS_MAX 64u

/* How a matrix is shared among blocks. */
struct dcps_columns {
    dim3 block;
    unsigned tiles;        /* of columns */
    unsigned parts, chunk; /* of rows, and rows in each */
};

/* Depends on the shape alone. */
static inline dcps_columns dcps_columns_of(size_t rows, size_t columns, unsigned width)
{
    dcps_columns is;
    size_t groups = columns / width;
    unsigned lanes = 1;
    while (lanes < DCPS_WARP && lanes < groups) {
        lanes *= 2;
    }
    is.block = dim3(lanes, DCPS_BLOCK / lanes);
    is.tiles = (unsigned)dcps_round_up_divide(groups, lanes);
    size_t parts = dcps_round_up_divide(rows, 4 * is.block.y);
    is.parts = parts < DCPS_PARTS_MAX ? (unsigned)parts : DCPS_PARTS_MAX;
    is.chunk = (unsigned)dcps_round_up_divide(rows, is.parts);
    is.parts = (unsigned)dcps_round_up_divide(rows, is.chunk); /* none is empty */
    return is;
}

template <int V> struct dcps_vector {
    float of[V];
};

template <int V> static __device__ inline dcps_vector<V> dcps_load(const float *from)
{
    dcps_vector<V> found;
    if constexpr (V == 4) {
        float4 v = *reinterpret_cast<const float4 *>(from);
        found.of[0] = v.x;
        found.of[1] = v.y;
        found.of[2] = v.z;
        found.of[3] = v.w;
    } else {
        found.of[0] = *from;
    }
    return found;
}

template <int V> static __device__ inline void dcps_store(float *to, bool add, const dcps_vector<V> &value)
{
    if constexpr (V == 4) {
        dcps_put(reinterpret_cast<float4 *>(to), add, make_float4(value.of[0], value.of[1], value.of[2], value.of[3]));
    } else {
        dcps_put(to, add, value.of[0]);
    }
}

/* The sums of a lane's columns: over the rows in a thread's hands, then over the lines, and every line knows them. */
template <int V> struct dcps_sums {
    dcps_vector<V> a, b;
};

template <int V> static __device__ inline void dcps_combine_lines(dcps_sums<V> *sums)
{
    __shared__ float shared[2 * V][DCPS_BLOCK];
    unsigned self = threadIdx.y * blockDim.x + threadIdx.x;
    for (int i = 0; i < V; i++) {
        shared[i][self] = sums->a.of[i];
        shared[V + i][self] = sums->b.of[i];
    }
    for (unsigned half = blockDim.y / 2; half > 0; half /= 2) {
        __syncthreads();
        for (int i = 0; i < 2 * V && threadIdx.y < half; i++) {
            shared[i][self] += shared[i][self + half * blockDim.x];
        }
    }
    __syncthreads();
    for (int i = 0; i < V; i++) {
        sums->a.of[i] = shared[i][threadIdx.x];
        sums->b.of[i] = shared[V + i][threadIdx.x];
    }
}

/* dy at `at`, or 0 where the gate is not above 0. */
template <int V> static __device__ inline dcps_vector<V> dcps_gated(const float *dy, const float *gate, size_t at)
{
    dcps_vector<V> d = dcps_load<V>(dy + at);
    if (gate == NULL) {
        return d;
    }
    dcps_vector<V> open = dcps_load<V>(gate + at);
    for (int i = 0; i < V; i++) {
        d.of[i] = open.of[i] > 0.0f ? d.of[i] : 0.0f;
    }
    return d;
}

/* Where a block leaves its part. */
template <int V>
static __device__ inline void dcps_parts_store(unsigned columns, unsigned column, const dcps_sums<V> &sums,
                                               float *parts)
{
    dcps_store(&parts[(size_t)(2 * blockIdx.y) * columns + column], false, sums.a);
    dcps_store(&parts[(size_t)(2 * blockIdx.y + 1) * columns + column], false, sums.b);
}

/* parts [parts, 2, columns] of Σ dy and Σ dy · x̂, the gradients of shift and scale, with x̂ = (x − mean) · inverse over x and dy [rows, columns]; mean and
 * inverse are [rows] if ByRow, else [columns]. Where `gate` [rows, columns] is not above 0, dy counts as 0; NULL: it counts everywhere. */
template <int V, bool ByRow>
static __device__ inline void dcps_normal_parts(unsigned rows, unsigned columns, unsigned chunk, const float *x,
                                                const float *dy, const float *mean, const float *inverse,
                                                const float *gate, float *parts)
{
    unsigned column = (blockIdx.x * blockDim.x + threadIdx.x) * V, begin = blockIdx.y * chunk;
    unsigned end = min(begin + chunk, rows);
    bool inside = column < columns;
    dcps_sums<V> sums = {};
    dcps_vector<V> m = {}, inv = {};
    if (inside && !ByRow) {
        m = dcps_load<V>(mean + column);
        inv = dcps_load<V>(inverse + column);
    }
    for (unsigned row = begin + threadIdx.y; row < end && inside; row += blockDim.y) {
        size_t at = (size_t)row * columns + column;
        dcps_vector<V> p = dcps_load<V>(x + at), d = dcps_gated<V>(dy, gate, at);
        for (int i = 0; i < V; i++) {
            float normal = (p.of[i] - (ByRow ? mean[row] : m.of[i])) * (ByRow ? inverse[row] : inv.of[i]);
            sums.a.of[i] += d.of[i];
            sums.b.of[i] += d.of[i] * normal;
        }
    }
    dcps_combine_lines(&sums);
    if (threadIdx.y == 0 && inside) {
        dcps_parts_store(columns, column, sums, parts);
    }
}

/* All parts of a lane's columns together. The whole block calls it. */
template <int V>
static __device__ inline dcps_sums<V> dcps_column_sums(unsigned count, unsigned columns, unsigned column,
                                                       const float *parts)
{
    dcps_sums<V> sums = {};
    for (unsigned part = threadIdx.y; part < count && column < columns; part += blockDim.y) {
        dcps_vector<V> a = dcps_load<V>(&parts[(size_t)(2 * part) * columns + column]);
        dcps_vector<V> b = dcps_load<V>(&parts[(size_t)(2 * part + 1) * columns + column]);
        for (int i = 0; i < V; i++) {
            sums.a.of[i] += a.of[i];
            sums.b.of[i] += b.of[i];
        }
    }
    dcps_combine_lines(&sums);
    return sums;
}

#endif
