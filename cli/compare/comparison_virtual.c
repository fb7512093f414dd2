/* Simulations, several at once. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "cli/common/programs.h"
#include "cli/compare/comparison.h"
#include "cli/run/sim_child.h"

#define DCPS_TURN_MS 200
#define DCPS_SHOW_EVERY_NS (200 * DCPS_NS_PER_MS)
/* For children that are asked to stop; they have nothing to save. */
#define DCPS_STOP_MS 3000

/* A place for one simulation. */
typedef struct sim_slot {
    bool busy;
    uint32_t index; /* of the run */
    dcps_sim_child child;
} sim_slot;

typedef struct pool {
    dcps_comparison *comparison;
    char program[PATH_MAX];
    sim_slot *slots; /* [comparison->jobs] */
    uint64_t shown_ns;
    bool progressed; /* some simulation got somewhere */
} pool;

static dcps_status start(pool *self, sim_slot *slot, uint32_t index)
{
    dcps_comparison *comparison = self->comparison;
    dcps_args args;
    char title[DCPS_TITLE_BYTES];
    dcps_status status = dcps_comparison_arguments(comparison, index, &args);
    if (status != DCPS_OK) {
        return status;
    }
    status = dcps_sim_child_start(&slot->child, comparison->job.supervisor, &comparison->job.screen,
                                  dcps_plan_title(comparison->plan, index, title, sizeof(title)), self->program, &args);
    dcps_args_fini(&args);
    if (status == DCPS_OK) {
        slot->busy = true;
        slot->index = index;
        dcps_plan_start(comparison->plan, index, dcps_clock_ns());
    }
    return status;
}

static dcps_status start_ready(pool *self)
{
    dcps_status status = dcps_comparison_recall(self->comparison);
    for (uint32_t i = 0; status == DCPS_OK && i < self->comparison->jobs; i++) {
        uint32_t next = dcps_plan_next(self->comparison->plan);
        if (next == self->comparison->plan->run_count) {
            break;
        }
        if (!self->slots[i].busy) {
            status = start(self, &self->slots[i], next);
        }
    }
    return status;
}

/* A result that is none of ours would spoil the comparison. */
static dcps_status check_answer(const dcps_comparison *comparison, uint32_t index, json_t *answer)
{
    const dcps_plan_run *run = &comparison->plan->runs[index];
    const dcps_run_spec *spec = &comparison->plan->entries[run->entry].spec;
    json_t *dataset = json_object_get(answer, "dataset");
    dcps_result_run parsed;
    dcps_status status = dcps_result_parse(json_object_get(answer, "run"), &parsed);
    if (status != DCPS_OK) {
        return status;
    }
    bool same = strcmp(parsed.algorithm, spec->algorithm) == 0 && parsed.workers == spec->workers &&
                parsed.seed == run->seed && !parsed.failed;
    dcps_result_fini(&parsed);
    if (!same) {
        return dcps_fail(DCPS_CORRUPT, "the simulation printed the result of another run");
    }
    if (!json_is_string(json_object_get(answer, "model")) || !(json_is_string(dataset) || json_is_null(dataset))) {
        return dcps_fail(DCPS_CORRUPT, "the simulation names no model or data");
    }
    return DCPS_OK;
}

static void finish(dcps_comparison *comparison, uint32_t index, json_t *answer)
{
    dcps_stored_run stored = {.run = json_incref(json_object_get(answer, "run")),
                              .model = json_incref(json_object_get(answer, "model")),
                              .dataset = json_incref(json_object_get(answer, "dataset"))};
    double seconds = (double)(dcps_clock_ns() - comparison->plan->runs[index].started_ns) / (double)DCPS_NS_PER_S;
    dcps_comparison_finish(comparison, index, &stored, seconds);
}

/* Takes what a simulation that has ended came to. Errors end the comparison: flags that are refused, and a first run that came to nothing. */
static dcps_status collect(pool *self, sim_slot *slot)
{
    dcps_comparison *comparison = self->comparison;
    json_t *answer = NULL;
    char why[DCPS_RESULT_FAILURE_BYTES];
    char title[DCPS_TITLE_BYTES];
    dcps_status status = dcps_sim_child_take(&slot->child, &answer);
    status = status == DCPS_OK ? check_answer(comparison, slot->index, answer) : status;
    if (status == DCPS_OK) {
        finish(comparison, slot->index, answer);
    } else {
        (void)snprintf(why, sizeof(why), "%s", dcps_error_message());
        dcps_screen_clear(&comparison->job.screen);
        dcps_error("%s failed: %s", dcps_plan_title(comparison->plan, slot->index, title, sizeof(title)), why);
        dcps_comparison_fail(comparison, slot->index, NULL, why);
    }
    json_decref(answer);
    dcps_sim_child_fini(&slot->child, comparison->job.supervisor);
    slot->busy = false;
    bool hopeless = status == DCPS_INVALID || !(self->progressed || dcps_comparison_has_results(comparison));
    return hopeless ? status : DCPS_OK;
}

static dcps_status collect_ended(pool *self)
{
    dcps_status status = DCPS_OK;
    for (uint32_t i = 0; status == DCPS_OK && i < self->comparison->jobs; i++) {
        sim_slot *slot = &self->slots[i];
        if (slot->busy) {
            self->comparison->plan->runs[slot->index].share = slot->child.share;
            self->progressed = self->progressed || slot->child.share > 0.0;
        }
        if (slot->busy && dcps_sim_child_ended(&slot->child)) {
            status = collect(self, slot);
        }
    }
    return status;
}

static void show(pool *self)
{
    uint64_t now_ns = dcps_clock_ns();
    if (now_ns - self->shown_ns >= DCPS_SHOW_EVERY_NS) {
        self->shown_ns = now_ns;
        dcps_comparison_show(self->comparison);
    }
}

static bool is_working(const pool *self)
{
    return dcps_plan_count(self->comparison->plan, DCPS_PLAN_RUNNING) > 0;
}

static dcps_status work(pool *self)
{
    dcps_supervisor *supervisor = self->comparison->job.supervisor;
    dcps_status status = start_ready(self);
    while (status == DCPS_OK && is_working(self)) {
        show(self);
        dcps_supervisor_wait(supervisor, DCPS_TURN_MS);
        if (dcps_supervisor_interrupts(supervisor) > 0) {
            return dcps_fail(DCPS_CANCELLED, "stopped on request");
        }
        status = collect_ended(self);
        status = status == DCPS_OK ? start_ready(self) : status;
    }
    return status;
}

dcps_status dcps_comparison_run_virtual(dcps_comparison *comparison)
{
    pool self = {.comparison = comparison};
    dcps_status status = dcps_program_find(comparison->job.program_dir, "dcps", self.program, sizeof(self.program));
    if (status != DCPS_OK) {
        return status;
    }
    /* Each simulation has a processor to itself; this program computes nothing. */
    if (setenv("OMP_NUM_THREADS", "1", 1) != 0) {
        return dcps_fail(DCPS_NO_MEMORY, "no memory for the environment of simulations");
    }
    self.slots = dcps_alloc(comparison->jobs, sizeof(*self.slots));
    if (self.slots == NULL) {
        return dcps_fail(DCPS_NO_MEMORY, "no memory for %u simulations", comparison->jobs);
    }
    status = work(&self);
    if (status != DCPS_OK && is_working(&self)) {
        (void)dcps_supervisor_stop_all(comparison->job.supervisor, DCPS_STOP_MS);
        dcps_plan_stop(comparison->plan);
    }
    for (uint32_t i = 0; i < comparison->jobs; i++) {
        dcps_sim_child_fini(&self.slots[i].child, comparison->job.supervisor);
    }
    dcps_free(self.slots);
    dcps_screen_clear(&comparison->job.screen);
    return status;
}
