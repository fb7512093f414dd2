/* Tensors that are averaged instead of trained. */
#include "compensate/rule.h"
#include "compensate/stage.h"

void dcps_rule_average(float *weights, const float *values, float rate, size_t count, float *snapshot)
{
    for (size_t i = 0; i < count; i++) {
        const float weight = weights[i] + rate * (values[i] - weights[i]);
        weights[i] = weight;
        snapshot[i] = weight;
    }
}
