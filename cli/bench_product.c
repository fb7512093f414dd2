#include "cli/bench_product.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "tensor/tape.h"

/* Large enough for a library to reach its best, small enough for tens of them to fit into one step. */
#define SIDE 1024u

struct dcps_product {
    dcps_layout *layout;
    float *matrices;
    dcps_tape *tape;
};

static dcps_status declare(dcps_product *self)
{
    const size_t dims[] = {SIDE, SIDE};
    dcps_status status = dcps_layout_create(&self->layout);
    if (status == DCPS_OK)
        status = dcps_layout_add(self->layout, "a", DCPS_INIT_HE_NORMAL, 2, dims, NULL);
    if (status == DCPS_OK)
        status = dcps_layout_add(self->layout, "b", DCPS_INIT_HE_NORMAL, 2, dims, NULL);
    return status;
}

static dcps_status prepare(dcps_product *self, const dcps_backend *backend)
{
    self->matrices = dcps_alloc_aligned(dcps_layout_total_params(self->layout), sizeof(float));
    if (self->matrices == NULL)
        return dcps_fail(DCPS_NO_MEMORY, "no memory for two matrices of %u rows", SIDE);
    dcps_layout_initialise(self->layout, 1, self->matrices);
    const dcps_tape_config config = {.layout = self->layout, .weights = self->matrices, .backend = backend};
    return dcps_tape_create(&config, &self->tape);
}

dcps_status dcps_product_create(const dcps_backend *backend, dcps_product **product)
{
    dcps_product *made = dcps_alloc(1, sizeof(*made));
    if (made == NULL)
        return dcps_fail(DCPS_NO_MEMORY, "no memory for the measurement of matrix products");
    dcps_status status = declare(made);
    if (status == DCPS_OK)
        status = prepare(made, backend);
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
    if (self == NULL)
        return;
    dcps_tape_destroy(&self->tape);
    dcps_layout_destroy(&self->layout);
    dcps_free(self->matrices);
    dcps_free(self);
    *product = NULL;
}

static dcps_status multiply(dcps_tape *tape)
{
    dcps_tape_reset(tape);
    dcps_tensor *y = dcps_tape_matmul(tape, dcps_tape_parameter(tape, 0), dcps_tape_parameter(tape, 1));
    (void)dcps_tensor_values(tape, y); /* waits for a device */
    return dcps_tape_status(tape);
}

dcps_status dcps_product_run(dcps_product *product, double seconds, double *flops_per_second)
{
    const uint64_t begin_ns = dcps_clock_ns();
    double elapsed = 0.0;
    double flops = 0.0;
    do {
        const dcps_status status = multiply(product->tape);
        if (status != DCPS_OK)
            return status;
        flops += 2.0 * SIDE * SIDE * SIDE;
        elapsed = (double)(dcps_clock_ns() - begin_ns) / (double)DCPS_NS_PER_S;
    } while (elapsed < seconds);
    *flops_per_second = flops / elapsed;
    return DCPS_OK;
}
