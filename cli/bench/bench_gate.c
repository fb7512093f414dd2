#include "cli/bench/bench_gate.h"

/* Mutexes and conditions of the default kind cannot fail where they are used correctly, so their results are not looked at. */

void dcps_gate_init(dcps_gate *gate, uint32_t expected)
{
    *gate = (dcps_gate){.expected = expected};
    (void)pthread_mutex_init(&gate->mutex, NULL);
    (void)pthread_cond_init(&gate->opened, NULL);
}

void dcps_gate_fini(dcps_gate *gate)
{
    (void)pthread_cond_destroy(&gate->opened);
    (void)pthread_mutex_destroy(&gate->mutex);
}

bool dcps_gate_pass(dcps_gate *gate)
{
    (void)pthread_mutex_lock(&gate->mutex);
    const uint64_t generation = gate->generation;
    if (++gate->arrived == gate->expected) {
        gate->arrived = 0;
        gate->generation++;
        (void)pthread_cond_broadcast(&gate->opened);
    }
    while (gate->generation == generation && !gate->broken) {
        (void)pthread_cond_wait(&gate->opened, &gate->mutex);
    }
    const bool good = !gate->broken;
    (void)pthread_mutex_unlock(&gate->mutex);
    return good;
}

void dcps_gate_break(dcps_gate *gate)
{
    (void)pthread_mutex_lock(&gate->mutex);
    gate->broken = true;
    (void)pthread_cond_broadcast(&gate->opened);
    (void)pthread_mutex_unlock(&gate->mutex);
}
