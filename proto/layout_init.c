/* Initial values of a model. */
#include <math.h>
#include <string.h>

#include "base/rng.h"
#include "dcps/layout.h"

static void fill_he_normal(const dcps_layout_tensor *tensor, double fan_in, dcps_rng *rng, float *out)
{
    double deviation = sqrt(2.0 / fan_in);
    for (uint64_t i = 0; i < tensor->count_params; i++) {
        out[i] = (float)(deviation * dcps_rng_normal(rng));
    }
}

static void fill_uniform(const dcps_layout_tensor *tensor, double bound, dcps_rng *rng, float *out)
{
    for (uint64_t i = 0; i < tensor->count_params; i++) {
        out[i] = (float)(bound * (2.0 * dcps_rng_uniform(rng) - 1.0));
    }
}

static void initialise_tensor(const dcps_layout_tensor *tensor, uint64_t seed, float *out)
{
    double count = (double)tensor->count_params;
    double first = tensor->dim_count == 0 ? 1.0 : (double)tensor->dims[0];
    double last = tensor->dim_count == 0 ? 1.0 : (double)tensor->dims[tensor->dim_count - 1];
    dcps_rng rng;
    dcps_rng_seed_stream(&rng, seed, tensor->name, 0);
    switch (tensor->init) {
    case DCPS_INIT_ZERO:
        return; /* the whole vector is zero already */
    case DCPS_INIT_ONE:
        for (uint64_t i = 0; i < tensor->count_params; i++) {
            out[i] = 1.0f;
        }
        return;
    case DCPS_INIT_HE_NORMAL:
        fill_he_normal(tensor, count / last, &rng, out);
        return;
    case DCPS_INIT_HE_NORMAL_FILTERS:
        fill_he_normal(tensor, count / first, &rng, out);
        return;
    case DCPS_INIT_GLOROT_UNIFORM:
        fill_uniform(tensor, sqrt(6.0 / (count / last + last)), &rng, out);
        return;
    case DCPS_INIT_UNIFORM:
        fill_uniform(tensor, (double)tensor->init_bound, &rng, out);
        return;
    }
}

void dcps_layout_initialise(const dcps_layout *layout, uint64_t seed, float *weights)
{
    memset(weights, 0, dcps_layout_total_params(layout) * sizeof(*weights));
    for (uint32_t i = 0; i < dcps_layout_tensor_count(layout); i++) {
        const dcps_layout_tensor *tensor = dcps_layout_tensor_at(layout, i);
        initialise_tensor(tensor, seed, weights + tensor->offset_params);
    }
}
