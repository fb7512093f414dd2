/* The book of mini-batches: each is handed out once an epoch, a lost one again. Lives beside block 0. Pure. */
#ifndef DCPS_ENGINE_TICKETS_H
#define DCPS_ENGINE_TICKETS_H

#include <stdbool.h>
#include <stdint.h>

#include "dcps/status.h"
#include "proto/message.h"

typedef struct dcps_tickets dcps_tickets;

/* `total` mini-batches over the whole run. */
DCPS_MUST_CHECK dcps_status dcps_tickets_create(uint64_t total, dcps_tickets **tickets);
void dcps_tickets_destroy(dcps_tickets **tickets);

/* The batch for this worker: the one it holds already, else a returned one (lowest number first), else the next. ABSTAIN when none is left but others
 * hold some, DONE when all are complete. */
dcps_ticket dcps_tickets_issue(dcps_tickets *tickets, uint32_t worker);
/* The batch this worker holds is applied; without one nothing happens. */
void dcps_tickets_complete(dcps_tickets *tickets, uint32_t worker);
/* The worker is gone: its batch goes back. */
void dcps_tickets_return(dcps_tickets *tickets, uint32_t worker);

/* Hands out no further batch; done then means that nobody holds one. What is open stays open for a checkpoint. */
void dcps_tickets_stop(dcps_tickets *tickets);

bool dcps_tickets_all_issued(const dcps_tickets *tickets); /* none left to hand out now */
bool dcps_tickets_done(const dcps_tickets *tickets);       /* all complete, or stopped and none held */

/* For checkpoints: `next` (numbers below it were issued) and the numbers among them not complete, ascending. */
uint64_t dcps_tickets_next(const dcps_tickets *tickets);
uint32_t dcps_tickets_open_count(const dcps_tickets *tickets);
/* Writes dcps_tickets_open_count numbers. */
void dcps_tickets_open(const dcps_tickets *tickets, uint64_t *numbers);
/* Sets a fresh book to a checkpoint's state; nobody holds a ticket afterwards. DCPS_CORRUPT when the numbers contradict each other. */
DCPS_MUST_CHECK dcps_status dcps_tickets_restore(dcps_tickets *tickets, uint64_t next, const uint64_t *open,
                                                 uint32_t open_count);

#endif
