/* The book of mini-batches. */
#include <check.h>
#include <stdbool.h>
#include <string.h>

#include "base/alloc.h"
#include "proto/limits.h"
#include "server/engine/tickets.h"
#include "support/check_main.h"

static dcps_tickets *make(uint64_t total)
{
    dcps_tickets *tickets = NULL;
    ck_assert_int_eq(dcps_tickets_create(total, &tickets), DCPS_OK);
    return tickets;
}

static void expect_batch(dcps_tickets *tickets, uint32_t worker, uint64_t number)
{
    dcps_ticket ticket = dcps_tickets_issue(tickets, worker);
    ck_assert_int_eq(ticket.kind, DCPS_TICKET_BATCH);
    ck_assert_uint_eq(ticket.number, number);
}

static void expect_kind(dcps_tickets *tickets, uint32_t worker, dcps_ticket_kind kind)
{
    ck_assert_int_eq(dcps_tickets_issue(tickets, worker).kind, kind);
}

static void expect_open(const dcps_tickets *tickets, uint32_t count, const uint64_t *expected)
{
    uint64_t numbers[8];
    ck_assert_uint_eq(dcps_tickets_open_count(tickets), count);
    dcps_tickets_open(tickets, numbers);
    ck_assert_mem_eq(numbers, expected, count * sizeof(numbers[0]));
}

/* Workers of very different speeds: every number exactly once, and only then DONE. */
START_TEST(test_each_batch_once)
{
    enum { TOTAL = 100, WORKERS = 7 };
    bool seen[TOTAL] = {false};
    uint64_t held[WORKERS];
    dcps_tickets *tickets = make(TOTAL);
    uint32_t complete = 0;
    for (uint32_t w = 0; w < WORKERS; w++) {
        held[w] = dcps_tickets_issue(tickets, w).number;
    }
    for (uint32_t turn = 1; complete < TOTAL; turn++) {
        for (uint32_t w = 0; w < WORKERS; w++) {
            if (turn % (w + 1u) != 0 || held[w] == TOTAL) {
                continue;
            }
            ck_assert_msg(!seen[held[w]], "batch %u was handed out twice", (unsigned)held[w]);
            ck_assert(!dcps_tickets_done(tickets));
            seen[held[w]] = true;
            complete++;
            dcps_tickets_complete(tickets, w);
            dcps_ticket next = dcps_tickets_issue(tickets, w);
            held[w] = next.kind == DCPS_TICKET_BATCH ? next.number : TOTAL;
            ck_assert_int_eq(next.kind == DCPS_TICKET_DONE, complete == TOTAL);
        }
    }
    ck_assert(dcps_tickets_done(tickets));
    ck_assert_uint_eq(dcps_tickets_open_count(tickets), 0);
    dcps_tickets_destroy(&tickets);
    ck_assert_ptr_null(tickets);
}
END_TEST

START_TEST(test_issue_is_idempotent)
{
    dcps_tickets *tickets = make(10);
    expect_batch(tickets, 3, 0);
    expect_batch(tickets, 3, 0);
    expect_batch(tickets, 5, 1);
    expect_batch(tickets, 3, 0);
    ck_assert_uint_eq(dcps_tickets_next(tickets), 2);
    dcps_tickets_complete(tickets, 3);
    dcps_tickets_complete(tickets, 3); /* holds none: nothing happens */
    dcps_tickets_complete(tickets, 900);
    ck_assert_uint_eq(dcps_tickets_open_count(tickets), 1);
    expect_batch(tickets, 3, 2);
    expect_batch(tickets, 5, 1);
    dcps_tickets_destroy(&tickets);
}
END_TEST

START_TEST(test_returned_batches_come_first_lowest_first)
{
    dcps_tickets *tickets = make(10);
    for (uint32_t w = 0; w < 4; w++) {
        expect_batch(tickets, w, w);
    }
    dcps_tickets_return(tickets, 2);
    dcps_tickets_return(tickets, 1);
    dcps_tickets_return(tickets, 1); /* holds none any more */
    dcps_tickets_return(tickets, 77);
    expect_open(tickets, 4, (const uint64_t[]){0, 1, 2, 3});
    expect_batch(tickets, 3, 3); /* keeps its own */
    expect_batch(tickets, 8, 1);
    expect_batch(tickets, 9, 2);
    expect_batch(tickets, 7, 4);
    dcps_tickets_complete(tickets, 8);
    expect_open(tickets, 4, (const uint64_t[]){0, 2, 3, 4});
    dcps_tickets_destroy(&tickets);
}
END_TEST

START_TEST(test_abstain_then_done)
{
    dcps_tickets *tickets = make(2);
    ck_assert(!dcps_tickets_all_issued(tickets));
    expect_batch(tickets, 0, 0);
    ck_assert(!dcps_tickets_all_issued(tickets));
    expect_batch(tickets, 1, 1);
    ck_assert(dcps_tickets_all_issued(tickets));
    dcps_tickets_complete(tickets, 0);
    expect_kind(tickets, 0, DCPS_TICKET_ABSTAIN);
    ck_assert(!dcps_tickets_done(tickets));
    dcps_tickets_return(tickets, 1); /* worker 1 dies: its batch is there again */
    ck_assert(!dcps_tickets_all_issued(tickets));
    expect_batch(tickets, 0, 1);
    ck_assert(dcps_tickets_all_issued(tickets));
    dcps_tickets_complete(tickets, 0);
    ck_assert(dcps_tickets_done(tickets));
    expect_kind(tickets, 0, DCPS_TICKET_DONE);
    expect_kind(tickets, 1, DCPS_TICKET_DONE);
    dcps_tickets_destroy(&tickets);
}
END_TEST

START_TEST(test_empty_book)
{
    dcps_tickets *tickets = make(0);
    ck_assert(dcps_tickets_done(tickets));
    expect_kind(tickets, 0, DCPS_TICKET_DONE);
    dcps_tickets_destroy(&tickets);
}
END_TEST

START_TEST(test_stop)
{
    dcps_tickets *tickets = make(10);
    expect_batch(tickets, 0, 0);
    expect_batch(tickets, 1, 1);
    expect_batch(tickets, 2, 2);
    dcps_tickets_return(tickets, 2);
    dcps_tickets_stop(tickets);
    ck_assert(dcps_tickets_all_issued(tickets));
    ck_assert(!dcps_tickets_done(tickets));
    expect_batch(tickets, 0, 0); /* the one it holds, and no other */
    expect_kind(tickets, 2, DCPS_TICKET_ABSTAIN);
    dcps_tickets_complete(tickets, 0);
    expect_kind(tickets, 0, DCPS_TICKET_ABSTAIN);
    dcps_tickets_return(tickets, 1);
    ck_assert(dcps_tickets_done(tickets));
    expect_kind(tickets, 0, DCPS_TICKET_DONE);
    expect_kind(tickets, 2, DCPS_TICKET_DONE);
    expect_open(tickets, 2, (const uint64_t[]){1, 2}); /* kept for a checkpoint */
    ck_assert_uint_eq(dcps_tickets_next(tickets), 3);
    dcps_tickets_destroy(&tickets);
}
END_TEST

START_TEST(test_restore)
{
    dcps_tickets *tickets = make(8);
    ck_assert_int_eq(dcps_tickets_restore(tickets, 6, (const uint64_t[]){1, 4}, 2), DCPS_OK);
    ck_assert_uint_eq(dcps_tickets_next(tickets), 6);
    expect_open(tickets, 2, (const uint64_t[]){1, 4});
    dcps_tickets_complete(tickets, 1); /* nobody holds one */
    expect_batch(tickets, 5, 1);
    expect_batch(tickets, 6, 4);
    expect_batch(tickets, 7, 6);
    expect_batch(tickets, 8, 7);
    expect_kind(tickets, 9, DCPS_TICKET_ABSTAIN);
    dcps_tickets_destroy(&tickets);

    tickets = make(8);
    ck_assert_int_eq(dcps_tickets_restore(tickets, 8, NULL, 0), DCPS_OK);
    ck_assert(dcps_tickets_done(tickets));
    dcps_tickets_destroy(&tickets);
}
END_TEST

/* A refused checkpoint leaves the book as it was. */
static void expect_refused(uint64_t next, const uint64_t *open, uint32_t count)
{
    dcps_tickets *tickets = make(8);
    ck_assert_int_eq(dcps_tickets_restore(tickets, next, open, count), DCPS_CORRUPT);
    ck_assert_uint_eq(dcps_tickets_next(tickets), 0);
    ck_assert_uint_eq(dcps_tickets_open_count(tickets), 0);
    expect_batch(tickets, 0, 0);
    dcps_tickets_destroy(&tickets);
}

START_TEST(test_restore_refuses_nonsense)
{
    static uint64_t many[DCPS_MAX_WORKERS + 1u];
    for (uint32_t i = 0; i <= DCPS_MAX_WORKERS; i++) {
        many[i] = i;
    }
    expect_refused(9, NULL, 0); /* more than the run has */
    expect_refused(UINT64_MAX, NULL, 0);
    expect_refused(4, (const uint64_t[]){4}, 1);    /* open but never issued */
    expect_refused(6, (const uint64_t[]){3, 3}, 2); /* twice */
    expect_refused(6, (const uint64_t[]){4, 1}, 2); /* descending */
    expect_refused(6, (const uint64_t[]){1, UINT64_MAX}, 2);
    expect_refused(8, many, DCPS_MAX_WORKERS + 1u);
    expect_refused(8, many, UINT32_MAX);
}
END_TEST

START_TEST(test_more_workers_than_the_limit)
{
    dcps_tickets *tickets = make(DCPS_MAX_WORKERS + 10u);
    for (uint32_t w = 0; w < DCPS_MAX_WORKERS; w++) {
        expect_batch(tickets, w, w);
    }
    expect_kind(tickets, DCPS_MAX_WORKERS, DCPS_TICKET_ABSTAIN);
    dcps_tickets_complete(tickets, 0);
    expect_batch(tickets, DCPS_MAX_WORKERS, DCPS_MAX_WORKERS);
    dcps_tickets_destroy(&tickets);
}
END_TEST

START_TEST(test_no_memory)
{
    dcps_tickets *tickets = NULL;
    dcps_alloc_fail_after(0);
    ck_assert_int_eq(dcps_tickets_create(5, &tickets), DCPS_NO_MEMORY);
    dcps_alloc_fail_after(UINT64_MAX);
    ck_assert_ptr_null(tickets);
    dcps_tickets_destroy(&tickets);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {test_each_batch_once,
                                  test_issue_is_idempotent,
                                  test_returned_batches_come_first_lowest_first,
                                  test_abstain_then_done,
                                  test_empty_book,
                                  test_stop,
                                  test_restore,
                                  test_restore_refuses_nonsense,
                                  test_more_workers_than_the_limit,
                                  test_no_memory};
    return CHECK_MAIN("tickets", tests);
}
