/* Whatever the order in which requests arrive, a shard behind a gate does what was recorded. */
#include <string.h>

#include "base/alloc.h"
#include "base/rng.h"
#include "support/check_main.h"
#include "support/engine_harness.h"

#define WORKERS 4u
#define BLOCKS 3u
#define LENGTH 16u
#define PARAMS (BLOCKS * LENGTH)
#define EPOCHS 8u
#define MAX_TURNS 2048u

/* ---- a run of workers whose gradients depend on all weights that they have, so that any other order shows ---- */

typedef struct random_worker {
    float weights[PARAMS];
    float gradient[PARAMS];
    dcps_ticket ticket;
    bool unsent[BLOCKS];     /* a request of the step at hand */
    bool unanswered[BLOCKS]; /* sent or not */
    bool pulls;              /* what the requests of the step are */
    bool abstains;
} random_worker;

static struct random_run {
    engine shard;
    random_worker workers[WORKERS];
    dcps_replay_turn turns[BLOCKS][MAX_TURNS]; /* taken */
    uint64_t counts[BLOCKS];
} run;

static void on_taken(void *context, const dcps_taken *taken, uint64_t now_ns)
{
    struct random_run *self = context;
    (void)now_ns;
    ck_assert_uint_lt(self->counts[taken->block], MAX_TURNS);
    self->turns[taken->block][self->counts[taken->block]++] = (dcps_replay_turn){
        .worker = (uint16_t)taken->worker, .kind = (uint8_t)taken->kind, .fate = (uint8_t)taken->fate};
    if (self->shard.gate != NULL) {
        dcps_replay_gate_taken(self->shard.gate, taken);
    }
}

/* A step has one number at all blocks, larger than every one before it. */
static void number_step(uint32_t index)
{
    engine_client *clients = run.shard.clients[index];
    uint64_t latest = 0;
    for (uint32_t block = 0; block < BLOCKS; block++) {
        latest = clients[block].step > latest ? clients[block].step : latest;
    }
    for (uint32_t block = 0; block < BLOCKS; block++) {
        clients[block].step = latest;
    }
}

static void begin_step(uint32_t index)
{
    random_worker *worker = &run.workers[index];
    number_step(index);
    for (uint32_t i = 0; i < PARAMS; i++) {
        float noise = (float)((worker->ticket.number * 7u + i * 3u) % 11u) / 11.0F - 0.5F;
        worker->gradient[i] = worker->weights[(i * 5u + 1u) % PARAMS] * 0.25F + noise;
    }
    worker->abstains = worker->ticket.kind == DCPS_TICKET_ABSTAIN;
    memset(worker->unsent, 1, sizeof(worker->unsent));
    memset(worker->unanswered, 1, sizeof(worker->unanswered));
}

static bool step_is_over(const random_worker *worker)
{
    bool over = true;
    for (uint32_t block = 0; block < BLOCKS; block++) {
        over = over && !worker->unanswered[block];
    }
    return over;
}

static void take_weights(const engine_answer *answer)
{
    const dcps_weights *weights = &answer->message.body.weights;
    random_worker *worker = &run.workers[weights->worker];
    memcpy(worker->weights + weights->block * LENGTH, answer->payload->data, LENGTH * sizeof(float));
    worker->unanswered[weights->block] = false;
    if (weights->block == 0) {
        worker->ticket = weights->ticket;
    }
    if (step_is_over(worker) && worker->ticket.kind != DCPS_TICKET_DONE) {
        worker->pulls = false;
        begin_step(weights->worker);
    } else if (step_is_over(worker)) {
        engine_finish(&run.shard, weights->worker);
        if (run.shard.gate != NULL) {
            dcps_replay_gate_leave(run.shard.gate, weights->worker);
        }
    }
}

static void take_answers(void)
{
    static const float initial[LENGTH] = {1.0F, -1.0F, 0.5F};
    while (run.shard.answer_count > 0) {
        engine_answer answer = run.shard.answers[0];
        run.shard.answer_count--;
        memmove(&run.shard.answers[0], &run.shard.answers[1], run.shard.answer_count * sizeof(answer));
        const dcps_notice *notice = &answer.message.body.notice;
        if (answer.message.type == DCPS_MESSAGE_NEED_INIT) {
            if (run.shard.clients[notice->worker][notice->block].seq == notice->seq) { /* else a repeat */
                engine_init(&run.shard, notice->worker, notice->block, initial);
            }
        } else if (answer.message.type == DCPS_MESSAGE_WEIGHTS) {
            take_weights(&answer);
        } else {
            ck_assert_int_eq(answer.message.type, DCPS_MESSAGE_PENDING);
        }
        engine_drop(&answer);
    }
}

static void send_request(uint32_t index, uint32_t block)
{
    random_worker *worker = &run.workers[index];
    worker->unsent[block] = false;
    run.shard.now_ns += 1000;
    if (worker->pulls) {
        engine_pull(&run.shard, index, block);
    } else if (worker->abstains) {
        engine_abstain(&run.shard, index, block);
    } else {
        engine_push(&run.shard, index, block, worker->gradient + block * LENGTH);
    }
}

/* Sends one of the requests that may be sent, or asks after one that was; false when there are none left. */
static bool send_any(dcps_rng *rng)
{
    uint32_t choices[WORKERS * BLOCKS];
    uint32_t count = 0;
    for (uint32_t i = 0; i < WORKERS * BLOCKS; i++) {
        const random_worker *worker = &run.workers[i / BLOCKS];
        if (worker->unanswered[i % BLOCKS]) {
            choices[count++] = i;
        }
    }
    if (count == 0) {
        return false;
    }
    uint32_t chosen = choices[dcps_rng_below(rng, count)];
    if (run.workers[chosen / BLOCKS].unsent[chosen % BLOCKS]) {
        send_request(chosen / BLOCKS, chosen % BLOCKS);
    } else {
        engine_query(&run.shard, chosen / BLOCKS, chosen % BLOCKS);
    }
    return true;
}

/* What the gate has against the run. */
static const char *failure_text(void)
{
    const char *found = "";
    return run.shard.gate != NULL && dcps_replay_gate_failure(run.shard.gate, &found) != DCPS_OK ? found : "";
}

/* Some algorithm to its end; the weights in the order of the parameters. `order` NULL: requests are taken as they come. */
static void train(const dcps_shard_config *base, uint64_t seed, const dcps_replay_order *order, float weights[PARAMS])
{
    dcps_shard_config config = *base;
    dcps_rng rng;
    memset(&run, 0, sizeof(run));
    dcps_rng_seed(&rng, seed);
    config.workers = WORKERS;
    config.epochs = EPOCHS;
    config.schedule.base = 0.0625;
    config.taken = on_taken;
    config.taken_context = &run;
    engine_open(&run.shard, &config, PARAMS, LENGTH, 1);
    if (order != NULL) {
        ck_assert_int_eq(dcps_replay_gate_create(order, engine_on_emit, &run.shard, &run.shard.gate), DCPS_OK);
    }
    for (uint32_t worker = 0; worker < WORKERS; worker++) {
        engine_join(&run.shard, worker);
        run.workers[worker].pulls = true;
        begin_step(worker);
    }
    for (uint32_t sent = 0; send_any(&rng); sent++) {
        ck_assert_msg(sent < 1000000, "seed %llu: the run does not end: %s", (unsigned long long)seed, failure_text());
        take_answers();
    }
    for (uint32_t block = 0; block < BLOCKS; block++) {
        engine_weights(&run.shard, block, weights + block * LENGTH, LENGTH);
    }
    if (order != NULL) {
        ck_assert_str_eq(failure_text(), "");
        ck_assert_uint_eq(dcps_replay_gate_left(run.shard.gate), 0);
        dcps_replay_gate_destroy(&run.shard.gate);
    }
    engine_close(&run.shard);
}

/* The order of the run just made, in memory of its own. */
static dcps_replay_order keep_order(void)
{
    dcps_replay_order order = {.workers = WORKERS, .block_count = BLOCKS};
    order.blocks = dcps_alloc(BLOCKS, sizeof(*order.blocks));
    for (uint32_t block = 0; block < BLOCKS; block++) {
        dcps_replay_block *kept = &order.blocks[block];
        kept->count = run.counts[block];
        kept->turns = dcps_alloc(MAX_TURNS, sizeof(*kept->turns));
        memcpy(kept->turns, run.turns[block], sizeof(run.turns[block]));
    }
    return order;
}

static const struct {
    const char *preset;
    uint32_t backup_workers;
    bool order_matters;
} cases[] = {{"asgd", 0, true},      {"dc-asgd-a", 0, true}, {"dana-dc", 0, true}, {"ormo", 0, true},
             {"gap-aware", 0, true}, {"adadelay", 0, true},  {"ssp", 0, true},     {"ringmaster", 0, true},
             {"ssgd", 0, false},     {"ssgd", 1, true}};

START_TEST(any_order_of_arrival_gives_what_was_recorded)
{
    float recorded[PARAMS];
    float again[PARAMS];
    dcps_shard_config config = engine_config(cases[_i].preset);
    config.algorithm.backup_workers = cases[_i].backup_workers;
    for (uint64_t seed = 1; seed <= 5; seed++) {
        train(&config, seed, NULL, recorded);
        dcps_replay_order order = keep_order();
        for (uint64_t other = 100 * seed; other < 100 * seed + 5; other++) {
            train(&config, other, &order, again);
            ck_assert_msg(memcmp(again, recorded, sizeof(again)) == 0,
                          "%s, recorded with seed %llu, arrived as in %llu", cases[_i].preset, (unsigned long long)seed,
                          (unsigned long long)other);
            for (uint32_t block = 0; block < BLOCKS; block++) {
                ck_assert_uint_eq(run.counts[block], order.blocks[block].count);
                ck_assert_mem_eq(run.turns[block], order.blocks[block].turns,
                                 order.blocks[block].count * sizeof(dcps_replay_turn));
            }
            train(&config, other, NULL, again);
            ck_assert_msg(!cases[_i].order_matters || memcmp(again, recorded, sizeof(again)) != 0,
                          "%s: another order gives the same, so this shows nothing", cases[_i].preset);
        }
        dcps_replay_order_fini(&order);
    }
}
END_TEST

/* ---- one block, by hand ---- */

static engine shard;
static const char *text; /* of a failure */
static const float zero[LENGTH];
static const float one[LENGTH] = {1.0F};

static void on_taken_by_hand(void *context, const dcps_taken *taken, uint64_t now_ns)
{
    (void)now_ns;
    dcps_replay_gate_taken(((engine *)context)->gate, taken);
}

/* Worker 0 pulls and initialises, 1 pulls; then `turns` follow. */
static dcps_replay_order order_of(const dcps_replay_turn *turns, size_t count)
{
    static dcps_replay_turn all[32];
    static dcps_replay_block block;
    const dcps_replay_turn begin[] = {{0, DCPS_TAKEN_PULL, DCPS_FATE_NONE},
                                      {1, DCPS_TAKEN_PULL, DCPS_FATE_NONE},
                                      {0, DCPS_TAKEN_INIT, DCPS_FATE_NONE}};
    memcpy(all, begin, sizeof(begin));
    memcpy(all + 3, turns, count * sizeof(*turns));
    block = (dcps_replay_block){.count = 3 + count, .turns = all};
    return (dcps_replay_order){.workers = 2, .block_count = 1, .blocks = &block};
}

static void open_gate(const dcps_replay_order *order)
{
    dcps_shard_config config = engine_config("asgd");
    config.taken = on_taken_by_hand;
    config.taken_context = &shard;
    engine_open(&shard, &config, LENGTH, LENGTH, 1);
    ck_assert_int_eq(dcps_replay_gate_create(order, engine_on_emit, &shard, &shard.gate), DCPS_OK);
    engine_begin(&shard, 2, 0, zero);
    ck_assert_int_eq(dcps_replay_gate_failure(shard.gate, &text), DCPS_OK);
}

static void close_gate(void)
{
    dcps_replay_gate_destroy(&shard.gate);
    ck_assert_ptr_null(shard.gate);
    engine_close(&shard);
}

static void expect_failure(const char *part)
{
    ck_assert_int_eq(dcps_replay_gate_failure(shard.gate, &text), DCPS_MISMATCH);
    ck_assert_msg(strstr(text, part) != NULL, "\"%s\" does not say \"%s\"", text, part);
    engine_pull(&shard, 1, 0); /* nothing goes on any more */
    engine_expect_quiet(&shard);
}

static const dcps_replay_turn one_then_zero[] = {{1, DCPS_TAKEN_PUSH, DCPS_FATE_APPLIED},
                                                 {0, DCPS_TAKEN_PUSH, DCPS_FATE_APPLIED}};

START_TEST(a_request_waits_for_its_turn_and_is_told_so)
{
    dcps_replay_order order = order_of(one_then_zero, 2);
    open_gate(&order);
    ck_assert_uint_eq(dcps_replay_gate_left(shard.gate), 2);
    engine_push(&shard, 0, 0, one);
    engine_expect_quiet(&shard);
    engine_query(&shard, 0, 0);
    engine_expect(&shard, 0, DCPS_MESSAGE_PENDING);
    engine_push(&shard, 1, 0, zero);
    (void)engine_expect_weights(&shard, 1, zero, LENGTH);
    engine_expect(&shard, 0, DCPS_MESSAGE_WEIGHTS);
    engine_query(&shard, 0, 0); /* of one that is answered: once more */
    engine_expect(&shard, 0, DCPS_MESSAGE_WEIGHTS);
    ck_assert_uint_eq(dcps_replay_gate_left(shard.gate), 0);
    ck_assert_uint_eq(engine_stats(&shard).pushes_applied, 2);
    close_gate();
}
END_TEST

/* A worker whose answer was lost sends the same push again: it is answered once more, and counts for no turn. */
START_TEST(a_repeat_of_what_was_taken_is_answered)
{
    dcps_replay_order order = order_of(one_then_zero, 2);
    open_gate(&order);
    engine_push(&shard, 1, 0, zero);
    engine_expect(&shard, 1, DCPS_MESSAGE_WEIGHTS);
    const engine_client *client = &shard.clients[1][0];
    engine_request(&shard, 1, DCPS_MESSAGE_PUSH_PULL, 0, client->seq, client->step, shard.config.batch_size, one,
                   LENGTH);
    (void)engine_expect_weights(&shard, 1, zero, LENGTH);
    ck_assert_int_eq(dcps_replay_gate_failure(shard.gate, &text), DCPS_OK);
    ck_assert_uint_eq(dcps_replay_gate_left(shard.gate), 1);
    ck_assert_uint_eq(engine_stats(&shard).pushes_applied, 1);
    close_gate();
}
END_TEST

/* After a new connection a worker is reached elsewhere. */
START_TEST(the_answer_goes_where_the_request_came_from_last)
{
    dcps_replay_order order = order_of(one_then_zero, 2);
    open_gate(&order);
    engine_push(&shard, 0, 0, one);
    dcps_message repeat = {.type = DCPS_MESSAGE_QUERY,
                           .body.request = {.session = engine_session(&shard, 0), .seq = shard.clients[0][0].seq}};
    engine_deliver(&shard, 7, &repeat, NULL, 0);
    engine_expect(&shard, 7, DCPS_MESSAGE_PENDING);
    engine_push(&shard, 1, 0, zero);
    engine_expect(&shard, 1, DCPS_MESSAGE_WEIGHTS);
    engine_expect(&shard, 7, DCPS_MESSAGE_WEIGHTS);
    close_gate();
}
END_TEST

START_TEST(what_was_never_received_is_asked_for)
{
    dcps_replay_order order = order_of(one_then_zero, 2);
    open_gate(&order);
    engine_request(&shard, 0, DCPS_MESSAGE_QUERY, 0, shard.clients[0][0].seq + 1u, 1, 0, NULL, 0);
    engine_expect(&shard, 0, DCPS_MESSAGE_RESEND);
    close_gate();
}
END_TEST

START_TEST(a_refused_request_keeps_its_turn)
{
    dcps_replay_order order = order_of(one_then_zero, 2);
    open_gate(&order);
    uint64_t seq = ++shard.clients[1][0].seq;
    engine_request(&shard, 1, DCPS_MESSAGE_PUSH_PULL, 0, seq, 1, 8, one, LENGTH - 1);
    engine_expect_error(&shard, 1, DCPS_PROTOCOL, 0, seq);
    ck_assert_uint_eq(dcps_replay_gate_left(shard.gate), 2);
    engine_request(&shard, 1, DCPS_MESSAGE_PUSH_PULL, 0, seq, 1, 8, one, LENGTH);
    engine_expect(&shard, 1, DCPS_MESSAGE_WEIGHTS);
    ck_assert_uint_eq(dcps_replay_gate_left(shard.gate), 1);
    close_gate();
}
END_TEST

START_TEST(strangers_are_refused_and_disturb_nothing)
{
    dcps_replay_order order = order_of(one_then_zero, 2);
    open_gate(&order);
    shard.incarnation[1] = 2; /* no such session */
    engine_push(&shard, 1, 0, one);
    engine_expect_error(&shard, 1, DCPS_SESSION, 0, shard.clients[1][0].seq);
    shard.incarnation[1] = 1;
    engine_request(&shard, 1, DCPS_MESSAGE_PUSH_PULL, 5, 1, 1, 8, one, LENGTH);
    engine_expect_error(&shard, 1, DCPS_INVALID, 5, 1);
    engine_snapshot(&shard, 9, 0, 0, false);
    engine_expect(&shard, 9, DCPS_MESSAGE_SNAPSHOT_REPLY);
    ck_assert_int_eq(dcps_replay_gate_failure(shard.gate, &text), DCPS_OK);
    close_gate();
}
END_TEST

START_TEST(another_kind_of_request_fails)
{
    dcps_replay_order order = order_of(one_then_zero, 2);
    open_gate(&order);
    engine_abstain(&shard, 1, 0);
    expect_failure("request 2 of worker 1 was a gradient, now it is an abstention");
    close_gate();
}
END_TEST

START_TEST(another_fate_fails)
{
    const dcps_replay_turn dropped[] = {{1, DCPS_TAKEN_PUSH, DCPS_FATE_DROPPED}};
    dcps_replay_order order = order_of(dropped, 1);
    open_gate(&order);
    engine_push(&shard, 1, 0, one);
    engine_expect(&shard, 1, DCPS_MESSAGE_WEIGHTS);
    expect_failure("of worker 1 in step 1 was dropped");
    close_gate();
}
END_TEST

START_TEST(one_request_too_many_fails)
{
    dcps_replay_order order = order_of(one_then_zero, 1);
    open_gate(&order);
    engine_push(&shard, 1, 0, one);
    engine_expect(&shard, 1, DCPS_MESSAGE_WEIGHTS);
    engine_push(&shard, 1, 0, one);
    expect_failure("worker 1 sends request 3, after 2 of the 2");
    close_gate();
}
END_TEST

START_TEST(a_worker_too_many_fails)
{
    dcps_replay_order order = order_of(one_then_zero, 2);
    open_gate(&order);
    engine_join(&shard, 2);
    engine_pull(&shard, 2, 0);
    expect_failure("worker 2 asks for block 0, but the run had 2 workers");
    close_gate();
}
END_TEST

START_TEST(a_skipped_request_fails)
{
    dcps_replay_order order = order_of(one_then_zero, 2);
    open_gate(&order);
    engine_request(&shard, 1, DCPS_MESSAGE_PUSH_PULL, 0, shard.clients[1][0].seq + 2u, 1, 8, one, LENGTH);
    expect_failure("worker 1 sends request 3, after 1 of the 2");
    close_gate();
}
END_TEST

START_TEST(leaving_before_the_end_fails)
{
    dcps_replay_order order = order_of(one_then_zero, 2);
    open_gate(&order);
    engine_push(&shard, 1, 0, one);
    engine_expect(&shard, 1, DCPS_MESSAGE_WEIGHTS);
    dcps_replay_gate_leave(shard.gate, 1);
    ck_assert_int_eq(dcps_replay_gate_failure(shard.gate, &text), DCPS_OK);
    dcps_replay_gate_leave(shard.gate, 0);
    expect_failure("worker 0 has left after 2 of the 3 requests");
    close_gate();
}
END_TEST

/* What is held when a gate is destroyed is given back: sanitizers see to that. */
START_TEST(a_gate_may_go_while_it_holds_something)
{
    dcps_replay_order order = order_of(one_then_zero, 2);
    open_gate(&order);
    engine_push(&shard, 0, 0, one);
    close_gate();
}
END_TEST

START_TEST(lack_of_memory_is_told)
{
    dcps_replay_order order = order_of(one_then_zero, 2);
    for (uint64_t n = 0; n < 3; n++) {
        dcps_replay_gate *gate = NULL;
        dcps_alloc_fail_after(n);
        ck_assert_int_eq(dcps_replay_gate_create(&order, engine_on_emit, &shard, &gate), DCPS_NO_MEMORY);
        ck_assert_ptr_null(gate);
    }
    dcps_alloc_fail_after(UINT64_MAX);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("replay gate");
    TCase *group = tcase_create("gate");
    const TTest *const tests[] = {a_request_waits_for_its_turn_and_is_told_so,
                                  a_repeat_of_what_was_taken_is_answered,
                                  the_answer_goes_where_the_request_came_from_last,
                                  what_was_never_received_is_asked_for,
                                  a_refused_request_keeps_its_turn,
                                  strangers_are_refused_and_disturb_nothing,
                                  another_kind_of_request_fails,
                                  another_fate_fails,
                                  one_request_too_many_fails,
                                  a_worker_too_many_fails,
                                  a_skipped_request_fails,
                                  leaving_before_the_end_fails,
                                  a_gate_may_go_while_it_holds_something,
                                  lack_of_memory_is_told};
    for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
        tcase_add_test(group, tests[i]);
    }
    tcase_add_loop_test(group, any_order_of_arrival_gives_what_was_recorded, 0, sizeof(cases) / sizeof(cases[0]));
    tcase_set_timeout(group, 60);
    suite_add_tcase(suite, group);
    return check_run(suite);
}
