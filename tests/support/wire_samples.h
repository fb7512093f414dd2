/* One good message of every type, with values that differ from field to field; for tests of the codec and the seeds of its fuzzing. */
#ifndef DCPS_TESTS_SUPPORT_WIRE_SAMPLES_H
#define DCPS_TESTS_SUPPORT_WIRE_SAMPLES_H

#include <stddef.h>

#include "proto/message.h"

typedef struct wire_sample {
    dcps_message message;
    size_t payload_bytes;
} wire_sample;

#define WIRE_SAMPLE_COUNT 26u

/* `index` < WIRE_SAMPLE_COUNT. Texts and arrays are static. */
wire_sample wire_sample_at(size_t index);

#endif
