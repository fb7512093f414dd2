#include "sim/events.h"

#include "base/alloc.h"

static bool is_before(const dcps_event *a, const dcps_event *b)
{
    return a->at_ns < b->at_ns || (a->at_ns == b->at_ns && a->order < b->order);
}

static void swap(dcps_event *a, dcps_event *b)
{
    dcps_event saved = *a;
    *a = *b;
    *b = saved;
}

dcps_status dcps_events_add(dcps_events *events, uint64_t at_ns, dcps_event_fn run, void *context)
{
    if (events->count == events->capacity) {
        size_t capacity = events->capacity == 0 ? 64 : events->capacity * 2;
        dcps_event *heap = dcps_realloc(events->heap, capacity, sizeof(*heap));
        if (heap == NULL) {
            return dcps_fail(DCPS_NO_MEMORY, "no memory for %zu events", capacity);
        }
        events->heap = heap;
        events->capacity = capacity;
    }
    size_t i = events->count++;
    events->heap[i] = (dcps_event){.at_ns = at_ns, .order = events->next_order++, .run = run, .context = context};
    while (i > 0 && is_before(&events->heap[i], &events->heap[(i - 1) / 2])) {
        swap(&events->heap[i], &events->heap[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
    return DCPS_OK;
}

static void sink(dcps_events *events)
{
    size_t i = 0;
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= events->count) {
            return;
        }
        if (child + 1 < events->count && is_before(&events->heap[child + 1], &events->heap[child])) {
            child++;
        }
        if (!is_before(&events->heap[child], &events->heap[i])) {
            return;
        }
        swap(&events->heap[child], &events->heap[i]);
        i = child;
    }
}

bool dcps_events_next(dcps_events *events, dcps_event *event)
{
    if (events->count == 0) {
        return false;
    }
    *event = events->heap[0];
    events->heap[0] = events->heap[--events->count];
    sink(events);
    return true;
}

void dcps_events_fini(dcps_events *events)
{
    dcps_free(events->heap);
    *events = (dcps_events){0};
}
