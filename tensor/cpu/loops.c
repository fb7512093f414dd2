#include "tensor/cpu/loops.h"

/* Of libgomp, which oneDNN runs on, by the names that GCC itself calls: only GCC ships <omp.h>, and only it and its like translate pragmas to these. */
extern int omp_get_max_threads(void);
extern int omp_get_num_threads(void);
extern int omp_get_thread_num(void);
extern void GOMP_parallel(void (*body)(void *), void *data, unsigned threads, unsigned flags);

/* Fewer are done before another thread has begun. */
#define WORTH_SHARING ((size_t)32768)

typedef struct shared_work {
    size_t count;
    dcps_cpu_work_fn work;
    void *context;
} shared_work;

static void run_share(void *data)
{
    const shared_work *self = data;
    size_t threads = (size_t)omp_get_num_threads(), thread = (size_t)omp_get_thread_num();
    size_t first = self->count * thread / threads, end = self->count * (thread + 1) / threads;
    if (first < end) {
        self->work(self->context, first, end);
    }
}

void dcps_cpu_parallel(size_t count, size_t elements, dcps_cpu_work_fn work, void *context)
{
    if (count <= 1 || elements < WORTH_SHARING || omp_get_max_threads() == 1) {
        if (count > 0) {
            work(context, 0, count);
        }
        return;
    }
    shared_work data = {.count = count, .work = work, .context = context};
    GOMP_parallel(run_share, &data, 0, 0);
}

/* Elements that a thread takes at a time. */
#define PIECE ((size_t)4096)

typedef struct shared_elements {
    dcps_cpu_loop_fn loop;
    size_t count;
    bool add;
    float factor;
    const float *a, *b;
    float *to;
} shared_elements;

static void run_pieces(void *context, size_t begin, size_t end)
{
    const shared_elements *self = context;
    size_t first = begin * PIECE, count = (end * PIECE < self->count ? end * PIECE : self->count) - first;
    self->loop(count, self->add, self->factor, self->a + first, self->b == NULL ? NULL : self->b + first,
               self->to + first);
}

void dcps_cpu_elements(dcps_cpu_loop_fn loop, size_t count, bool add, float factor, const float *a, const float *b,
                       float *to)
{
    shared_elements data = {.loop = loop, .count = count, .add = add, .factor = factor, .a = a, .b = b, .to = to};
    dcps_cpu_parallel((count + PIECE - 1) / PIECE, count, run_pieces, &data);
}

DCPS_CPU_LOOP void dcps_cpu_add_scaled(size_t count, float factor, const float *restrict from, float *restrict to)
{
    for (size_t i = 0; i < count; i++) {
        to[i] += factor * from[i];
    }
}

DCPS_CPU_LOOP void dcps_cpu_set_scaled(size_t count, float factor, const float *restrict from, float *restrict to)
{
    for (size_t i = 0; i < count; i++) {
        to[i] = factor * from[i];
    }
}

DCPS_CPU_LOOP void dcps_cpu_scale_in_place(size_t count, float factor, float *x)
{
    for (size_t i = 0; i < count; i++) {
        x[i] *= factor;
    }
}

static void put(size_t count, bool add, float factor, const float *from, const float *unused, float *to)
{
    (void)unused;
    if (add) {
        dcps_cpu_add_scaled(count, factor, from, to);
    } else {
        dcps_cpu_set_scaled(count, factor, from, to);
    }
}

void dcps_cpu_put(const dcps_gradient_slot *slot, size_t first, size_t count, float factor, const float *from)
{
    dcps_cpu_elements(put, count, slot->add, factor, from, NULL, slot->values + first);
}

/* In tiles that stay in the first-level cache. */
#define TILE 16u
void dcps_cpu_transpose_matrix(size_t rows, size_t columns, const float *from, size_t from_step, float *to,
                               size_t to_step, bool add)
{
    for (size_t i0 = 0; i0 < rows; i0 += TILE) {
        for (size_t j0 = 0; j0 < columns; j0 += TILE) {
            for (size_t j = j0; j < columns && j < j0 + TILE; j++) {
                for (size_t i = i0; i < rows && i < i0 + TILE; i++) {
                    to[j * to_step + i] = from[i * from_step + j] + (add ? to[j * to_step + i] : 0.0f);
                }
            }
        }
    }
}

#define LANES 16

/* Lanes of their own: one sum would have to wait for each addition. */
DCPS_CPU_LOOP double dcps_cpu_sum(size_t count, const float *restrict x)
{
    double lanes[LANES] = {0.0}, sum = 0.0;
    size_t whole = count / LANES * LANES;
    for (size_t i = 0; i < whole; i += LANES) {
        for (size_t j = 0; j < LANES; j++) {
            lanes[j] += (double)x[i + j];
        }
    }
    for (size_t j = 0; j < LANES; j++) {
        sum += lanes[j];
    }
    for (size_t i = whole; i < count; i++) {
        sum += (double)x[i];
    }
    return sum;
}

/* a and b may be the same. */
DCPS_CPU_LOOP double dcps_cpu_dot(size_t count, const float *a, const float *b)
{
    double lanes[LANES] = {0.0}, sum = 0.0;
    size_t whole = count / LANES * LANES;
    for (size_t i = 0; i < whole; i += LANES) {
        for (size_t j = 0; j < LANES; j++) {
            lanes[j] += (double)a[i + j] * (double)b[i + j];
        }
    }
    for (size_t j = 0; j < LANES; j++) {
        sum += lanes[j];
    }
    for (size_t i = whole; i < count; i++) {
        sum += (double)a[i] * (double)b[i];
    }
    return sum;
}
