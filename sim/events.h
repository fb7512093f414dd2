/* Virtual time: what happens next. Events of the same time come out in the order they went in. */
#ifndef DCPS_SIM_EVENTS_H
#define DCPS_SIM_EVENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dcps/status.h"

typedef void (*dcps_event_fn)(void *context, uint64_t now_ns);

typedef struct dcps_event {
    uint64_t at_ns;
    uint64_t order;
    dcps_event_fn run;
    void *context;
} dcps_event;

/* A binary heap, earliest first. Zero-initialise. */
typedef struct dcps_events {
    dcps_event *heap;
    size_t count;
    size_t capacity;
    uint64_t next_order;
} dcps_events;

DCPS_MUST_CHECK dcps_status dcps_events_add(dcps_events *events, uint64_t at_ns, dcps_event_fn run, void *context);
/* Takes out the earliest event; false when there is none. */
bool dcps_events_next(dcps_events *events, dcps_event *event);
void dcps_events_fini(dcps_events *events);

#endif
