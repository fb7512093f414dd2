#include "cli/bench/bench_product.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "tensor/tape.h"

/* Large enough for a library to reach its best, small enough for some to fit into one step. */
#define SIDE_ON_HOST 1024u
#define SIDE_ON_DEVICE 4096u
/* So many that what surrounds a launch does not count. */
#define TOGETHER_ON_DEVICE 8u

struct dcps_product {
    size_t side;
    uint32_t together; /* products between two waits */
    dcps_layout *layout;
    float *matrices;
    dcps_tape *tape;
};

static dcps_status declare(dcps_product *self)
{
    const size_t dims[] = {self->side, self->side};
    dcps_status status = dcps_layout_create(&self->layout);
    if (status == DCPS_OK) {
        status = dcps_layout_add(self->layout, "a", DCPS_INIT_HE_NORMAL, 2, dims, NULL);
    }
    if (status == DCPS_OK) {
        status = dcps_layout_add(self->layout, "b", DCPS_INIT_HE_NORMAL, 2, dims, NULL);
    }
    return status;
}

static dcps_status prepare(dcps_product *self, const dcps_compute *compute)
{
    self->matrices = dcps_alloc_aligned(dcps_layout_total_params(self->layout), sizeof(float));
    if (self->matrices == NULL) {
        return dcps_fail(DCPS_NO_MEMORY, "no memory for two matrices of %zu rows", self->side);
    }
    dcps_layout_initialise(self->layout, 1, self->matrices);
    const dcps_tape_config config = {
        .layout = self->layout, .weights = self->matrices, .backend = compute->backend, .device = compute->device};
    return dcps_tape_create(&config, &self->tape);
}

dcps_status dcps_product_create(const dcps_compute *compute, dcps_product **product)
{
    dcps_product *made = dcps_alloc(1, sizeof(*made));
    if (made == NULL) {
        return dcps_fail(DCPS_NO_MEMORY, "no memory for the measurement of matrix products");
    }
    made->side = compute->device == NULL ? SIDE_ON_HOST : SIDE_ON_DEVICE;
    made->together = compute->device == NULL ? 1 : TOGETHER_ON_DEVICE;
    dcps_status status = declare(made);
    if (status == DCPS_OK) {
        status = prepare(made, compute);
    }
    if (status != DCPS_OK) {
        dcps_product_destroy(&made);
        return status;
    }
    *product = made;
    return DCPS_OK;
}

void dcps_product_destroy(dcps_product **product)
{
    dcps_product *self = *product;
    if (self == NULL) {
        return;
    }
    dcps_tape_destroy(&self->tape);
    dcps_layout_destroy(&self->layout);
    dcps_free(self->matrices);
    dcps_free(self);
    *product = NULL;
}

static dcps_status multiply(dcps_tape *tape, uint32_t count)
{
    dcps_tensor *y = NULL;
    dcps_tape_reset(tape);
    for (uint32_t i = 0; i < count; i++) {
        y = dcps_tape_matmul(tape, dcps_tape_parameter(tape, 0), dcps_tape_parameter(tape, 1));
    }
    (void)dcps_tensor_values(tape, dcps_tape_slice(tape, y, 0, 0, 1)); /* waits for a device */
    return dcps_tape_status(tape);
}

dcps_status dcps_product_run(dcps_product *product, double seconds, double *flops_per_second)
{
    const uint64_t begin_ns = dcps_clock_ns();
    const double side = (double)product->side;
    double elapsed = 0.0;
    double flops = 0.0;
    do {
        const dcps_status status = multiply(product->tape, product->together);
        if (status != DCPS_OK) {
            return status;
        }
        flops += 2.0 * side * side * side * product->together;
        elapsed = (double)(dcps_clock_ns() - begin_ns) / (double)DCPS_NS_PER_S;
    } while (elapsed < seconds);
    *flops_per_second = flops / elapsed;
    return DCPS_OK;
}
