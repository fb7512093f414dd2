/* The limit of a model's arithmetic: matrix products of a good size by the library that the device's ops use. */
#ifndef DCPS_CLI_BENCH_PRODUCT_H
#define DCPS_CLI_BENCH_PRODUCT_H

#include "worker/device.h"

typedef struct dcps_product dcps_product;

/* Two square matrices, larger where a device computes. Errors: DCPS_NO_MEMORY, those of the backend. */
DCPS_MUST_CHECK dcps_status dcps_product_create(const dcps_compute *compute, dcps_product **product);
void dcps_product_destroy(dcps_product **product);

/* Multiplies them until `seconds` are over, once at least. Errors: those of the backend. */
DCPS_MUST_CHECK dcps_status dcps_product_run(dcps_product *product, double seconds, double *flops_per_second);

#endif
