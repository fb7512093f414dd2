/* A place where threads meet, again and again, and which a failing thread can open for good. Thread-safe. */
#ifndef DCPS_CLI_BENCH_GATE_H
#define DCPS_CLI_BENCH_GATE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct dcps_gate {
    pthread_mutex_t mutex;
    pthread_cond_t opened;
    uint32_t expected;
    uint32_t arrived;
    uint64_t generation;
    bool broken;
} dcps_gate;

void dcps_gate_init(dcps_gate *gate, uint32_t expected);
/* Nobody may be waiting. */
void dcps_gate_fini(dcps_gate *gate);

/* Waits until all `expected` threads are here. False when the gate is broken. */
bool dcps_gate_pass(dcps_gate *gate);
/* Lets everybody go, now and later, with false. */
void dcps_gate_break(dcps_gate *gate);

#endif
