#include "server/engine/tickets.h"

#include <assert.h>

#include "base/alloc.h"
#include "proto/limits.h"

/* Batches under way are at most one a worker, so a small sorted array holds every number that was issued and is not complete. */
typedef struct dcps_open_ticket {
    uint64_t number;
    uint32_t worker; /* DCPS_NOBODY: returned, to be handed out again */
} dcps_open_ticket;

#define DCPS_NOBODY UINT32_MAX

struct dcps_tickets {
    uint64_t total;
    uint64_t next;
    bool stopped;
    uint32_t open_count;
    dcps_open_ticket open[DCPS_MAX_WORKERS]; /* ascending by number */
};

dcps_status dcps_tickets_create(uint64_t total, dcps_tickets **tickets)
{
    dcps_tickets *made = dcps_alloc(1, sizeof(*made));
    if (made == NULL) {
        return dcps_fail(DCPS_NO_MEMORY, "no memory for the book of mini-batches");
    }
    made->total = total;
    *tickets = made;
    return DCPS_OK;
}

void dcps_tickets_destroy(dcps_tickets **tickets)
{
    dcps_free(*tickets);
    *tickets = NULL;
}

static dcps_open_ticket *find_holder(dcps_tickets *tickets, uint32_t worker)
{
    for (uint32_t i = 0; i < tickets->open_count; i++) {
        if (tickets->open[i].worker == worker) {
            return &tickets->open[i];
        }
    }
    return NULL;
}

static bool nobody_holds_one(const dcps_tickets *tickets)
{
    for (uint32_t i = 0; i < tickets->open_count; i++) {
        if (tickets->open[i].worker != DCPS_NOBODY) {
            return false;
        }
    }
    return true;
}

dcps_ticket dcps_tickets_issue(dcps_tickets *tickets, uint32_t worker)
{
    dcps_open_ticket *held = find_holder(tickets, worker);
    if (held == NULL && !tickets->stopped) {
        held = find_holder(tickets, DCPS_NOBODY);
    }
    if (held != NULL) {
        held->worker = worker;
        return (dcps_ticket){.kind = DCPS_TICKET_BATCH, .number = held->number};
    }
    if (!tickets->stopped && tickets->next < tickets->total && tickets->open_count < DCPS_MAX_WORKERS) {
        uint64_t number = tickets->next++;
        tickets->open[tickets->open_count++] = (dcps_open_ticket){.number = number, .worker = worker};
        return (dcps_ticket){.kind = DCPS_TICKET_BATCH, .number = number};
    }
    return (dcps_ticket){.kind = dcps_tickets_done(tickets) ? DCPS_TICKET_DONE : DCPS_TICKET_ABSTAIN};
}

void dcps_tickets_complete(dcps_tickets *tickets, uint32_t worker)
{
    dcps_open_ticket *held = find_holder(tickets, worker);
    if (held == NULL) {
        return;
    }
    uint32_t index = (uint32_t)(held - tickets->open);
    for (uint32_t i = index + 1; i < tickets->open_count; i++) {
        tickets->open[i - 1] = tickets->open[i];
    }
    tickets->open_count--;
}

void dcps_tickets_return(dcps_tickets *tickets, uint32_t worker)
{
    dcps_open_ticket *held = find_holder(tickets, worker);
    if (held != NULL) {
        held->worker = DCPS_NOBODY;
    }
}

void dcps_tickets_stop(dcps_tickets *tickets)
{
    tickets->stopped = true;
}

bool dcps_tickets_all_issued(const dcps_tickets *tickets)
{
    if (tickets->stopped) {
        return true;
    }
    for (uint32_t i = 0; i < tickets->open_count; i++) {
        if (tickets->open[i].worker == DCPS_NOBODY) {
            return false;
        }
    }
    return tickets->next >= tickets->total;
}

bool dcps_tickets_done(const dcps_tickets *tickets)
{
    if (tickets->stopped) {
        return nobody_holds_one(tickets);
    }
    return tickets->next >= tickets->total && tickets->open_count == 0;
}

uint64_t dcps_tickets_next(const dcps_tickets *tickets)
{
    return tickets->next;
}

uint32_t dcps_tickets_open_count(const dcps_tickets *tickets)
{
    return tickets->open_count;
}

void dcps_tickets_open(const dcps_tickets *tickets, uint64_t *numbers)
{
    for (uint32_t i = 0; i < tickets->open_count; i++) {
        numbers[i] = tickets->open[i].number;
    }
}

dcps_status dcps_tickets_restore(dcps_tickets *tickets, uint64_t next, const uint64_t *open, uint32_t open_count)
{
    assert(tickets->next == 0);
    if (next > tickets->total) {
        return dcps_fail(DCPS_CORRUPT,
                         "checkpoint has handed out %llu mini-batches, the run has only %llu: raise --epochs",
                         (unsigned long long)next, (unsigned long long)tickets->total);
    }
    if (open_count > DCPS_MAX_WORKERS) {
        return dcps_fail(DCPS_CORRUPT, "checkpoint names %u open mini-batches, the limit is %u", open_count,
                         DCPS_MAX_WORKERS);
    }
    for (uint32_t i = 0; i < open_count; i++) {
        if (open[i] >= next || (i > 0 && open[i] <= open[i - 1])) {
            return dcps_fail(DCPS_CORRUPT, "checkpoint's open mini-batches are not ascending numbers below %llu",
                             (unsigned long long)next);
        }
    }
    for (uint32_t i = 0; i < open_count; i++) {
        tickets->open[i] = (dcps_open_ticket){.number = open[i], .worker = DCPS_NOBODY};
    }
    tickets->next = next;
    tickets->open_count = open_count;
    return DCPS_OK;
}
