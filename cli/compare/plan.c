#include "cli/compare/plan.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/text.h"
#include "cli/compare/plan_choice.h"
#include "cli/compare/plan_entries.h"
#include "cli/settings/run_check.h"
#include "cli/settings/run_options.h"
#include "dcps/data.h"

#define DCPS_MAX_SEED UINT64_C(9007199254740991)
/* Seeds of trials are apart from those of any comparison: of at most 1000 seeds, like the trials. */
#define DCPS_TUNE_SEED_OFFSET UINT64_C(1000000)

/* Whether one of `lines` is "name=value". */
static bool has_line(const char *lines, const char *name)
{
    size_t length = strlen(name);
    for (const char *line = lines; line != NULL && *line != '\0';) {
        if (strncmp(line, name, length) == 0 && line[length] == '=') {
            return true;
        }
        line = strchr(line, '\n');
        line = line != NULL ? line + 1 : NULL;
    }
    return false;
}

/* A tenth of the samples there are, at most what is usually held out. */
static uint32_t usual_hold_out(uint64_t train_samples)
{
    uint64_t tenth = train_samples < 10 ? 1 : train_samples / 10;
    return tenth < DCPS_HOLD_OUT_SAMPLES ? (uint32_t)tenth : DCPS_HOLD_OUT_SAMPLES;
}

dcps_status dcps_plan_hold_out(dcps_plan *plan, const dcps_model_facts *facts)
{
    const char *model_options = dcps_options_text(plan->options, "model-opt");
    bool asked = dcps_options_is_set(plan->options, "validation");
    if (asked && !facts->holds_out) {
        return dcps_fail(DCPS_INVALID, "--validation: model %s has no option " DCPS_HOLD_OUT_OPTION,
                         dcps_options_text(plan->options, "model"));
    }
    if (asked) {
        plan->hold_out = (uint32_t)dcps_options_integer(plan->options, "validation");
    } else if (facts->holds_out && !has_line(model_options, DCPS_HOLD_OUT_OPTION)) {
        plan->hold_out = usual_hold_out(facts->train_samples);
    }
    return DCPS_OK;
}

/* Of an option that servers check later; what they would not take counts as one. */
static double number_of(const char *text)
{
    double value = 1.0;
    bool good = text != NULL && dcps_parse_real("epochs", text, &value) == DCPS_OK && value > 0.0;
    return good ? value : 1.0;
}

static double epochs_of(const dcps_plan *plan, const dcps_plan_entry *entry, uint32_t point, dcps_phase phase)
{
    if (phase == DCPS_PHASE_TRIAL && dcps_options_is_set(plan->options, "tune-epochs")) {
        return (double)dcps_options_integer(plan->options, "tune-epochs");
    }
    for (uint32_t i = 0; i < entry->sweep.count; i++) {
        if (strcmp(entry->sweep.parameters[i].name, "epochs") == 0) {
            return number_of(dcps_sweep_value(&entry->sweep, entry->points[point], i));
        }
    }
    return number_of(dcps_run_setting(plan->options, &entry->spec.overrides, "epochs"));
}

static void add_run(dcps_plan *plan, uint32_t entry, uint32_t point, dcps_phase phase, uint64_t seed)
{
    bool known = phase == DCPS_PHASE_TRIAL || plan->entries[entry].chosen;
    plan->runs[plan->run_count++] = (dcps_plan_run){.entry = entry,
                                                    .point = point,
                                                    .phase = phase,
                                                    .seed = seed,
                                                    .epochs = epochs_of(plan, &plan->entries[entry], point, phase),
                                                    .state = known ? DCPS_PLAN_READY : DCPS_PLAN_BLOCKED};
}

static uint64_t count_runs(const dcps_plan *plan)
{
    uint64_t count = (uint64_t)plan->entry_count * plan->seeds;
    for (uint32_t i = 0; i < plan->entry_count; i++) {
        const dcps_plan_entry *entry = &plan->entries[i];
        count += entry->tuned ? (uint64_t)entry->point_count * plan->tune_seeds : 0;
    }
    return count;
}

static dcps_status add_runs(dcps_plan *plan)
{
    uint64_t seed = (uint64_t)dcps_options_integer(plan->options, "seed");
    uint64_t count = count_runs(plan);
    if (count > DCPS_PLAN_MAX_RUNS) {
        return dcps_fail(DCPS_LIMIT, "these are %" PRIu64 " runs, at most %u are possible: fewer values or seeds",
                         count, DCPS_PLAN_MAX_RUNS);
    }
    if (seed > DCPS_MAX_SEED - DCPS_TUNE_SEED_OFFSET - plan->tune_seeds) {
        return dcps_fail(DCPS_INVALID, "--seed %" PRIu64 " leaves no room for more seeds: at most %" PRIu64, seed,
                         DCPS_MAX_SEED - DCPS_TUNE_SEED_OFFSET - plan->tune_seeds);
    }
    plan->runs = dcps_alloc(count, sizeof(*plan->runs));
    if (plan->runs == NULL) {
        return dcps_fail(DCPS_NO_MEMORY, "no memory for a plan of %" PRIu64 " runs", count);
    }
    for (uint32_t i = 0; i < plan->entry_count; i++) {
        dcps_plan_entry *entry = &plan->entries[i];
        entry->first_trial = plan->run_count;
        for (uint32_t p = 0; entry->tuned && p < entry->point_count; p++) {
            for (uint32_t k = 0; k < plan->tune_seeds; k++) {
                add_run(plan, i, p, DCPS_PHASE_TRIAL, seed + DCPS_TUNE_SEED_OFFSET + k);
            }
        }
        entry->trials = entry->trials_left = plan->run_count - entry->first_trial;
    }
    for (uint32_t k = 0; k < plan->seeds; k++) {
        for (uint32_t i = 0; i < plan->entry_count; i++) {
            add_run(plan, i, 0, DCPS_PHASE_FINAL, seed + k);
        }
    }
    return DCPS_OK;
}

/* Every combination as its servers would see it; runs that differ by their seeds alone are one. */
static dcps_status check_runs(const dcps_plan *plan)
{
    uint64_t seed = (uint64_t)dcps_options_integer(plan->options, "seed");
    dcps_status status = DCPS_OK;
    for (uint32_t i = 0; status == DCPS_OK && i < plan->run_count; i++) {
        dcps_run_spec spec;
        if (plan->runs[i].seed != seed && plan->runs[i].seed != seed + DCPS_TUNE_SEED_OFFSET) {
            continue;
        }
        status = dcps_plan_spec(plan, i, &spec);
        if (status == DCPS_OK) {
            status = dcps_run_check(plan->options, &spec, plan->runs[i].seed);
        }
        if (status == DCPS_OK && !plan->entries[plan->runs[i].entry].tuned) {
            dcps_run_warn_of_momentum(plan->options, &spec);
        }
    }
    return status;
}

static dcps_status check_sweep_options(const dcps_plan *plan)
{
    static const char *const names[] = {"validation", "tune-epochs", "tune-decay-epochs"};
    bool swept = dcps_options_is_set(plan->options, "sweep");
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        bool useful = swept || (i == 0 && plan->validation);
        if (!useful && dcps_options_is_set(plan->options, names[i])) {
            return dcps_fail(DCPS_INVALID, "--%s is for --sweep%s", names[i], i == 0 ? " and --split validation" : "");
        }
    }
    if (swept && dcps_options_flag(plan->options, "no-gradients")) {
        return dcps_fail(DCPS_INVALID, "--sweep chooses by errors, which there are none of with --no-gradients");
    }
    return DCPS_OK;
}

static dcps_status fill(dcps_plan *plan)
{
    const dcps_options *options = plan->options;
    plan->seeds = (uint32_t)dcps_options_integer(options, "seeds");
    plan->tune_seeds = (uint32_t)dcps_options_integer(options, "tune-seeds");
    plan->validation = strcmp(dcps_options_text(options, "split"), "validation") == 0;
    dcps_status status = check_sweep_options(plan);
    status = status == DCPS_OK ? dcps_plan_entries_read(plan) : status;
    status = status == DCPS_OK ? add_runs(plan) : status;
    return status == DCPS_OK ? check_runs(plan) : status;
}

dcps_status dcps_plan_create(const dcps_options *options, dcps_plan **plan)
{
    dcps_plan *made = dcps_alloc(1, sizeof(*made));
    if (made == NULL) {
        return dcps_fail(DCPS_NO_MEMORY, "no memory for the plan");
    }
    made->options = options;
    dcps_status status = fill(made);
    if (status != DCPS_OK) {
        dcps_plan_destroy(&made);
        return status;
    }
    *plan = made;
    return DCPS_OK;
}

void dcps_plan_destroy(dcps_plan **plan)
{
    dcps_plan *gone = *plan;
    if (gone == NULL) {
        return;
    }
    for (uint32_t i = 0; i < gone->run_count; i++) {
        json_decref(gone->runs[i].result);
    }
    dcps_free(gone->runs);
    dcps_plan_entries_free(gone);
    dcps_free(gone);
    *plan = NULL;
}

/* What trials have instead of a training setting. */
static const struct {
    const char *option;
    const char *setting;
} of_trials[] = {{"tune-epochs", "epochs"}, {"tune-decay-epochs", "decay-epochs"}};

dcps_status dcps_plan_spec(const dcps_plan *plan, uint32_t index, dcps_run_spec *spec)
{
    const dcps_plan_run *run = &plan->runs[index];
    const dcps_plan_entry *entry = &plan->entries[run->entry];
    bool trial = run->phase == DCPS_PHASE_TRIAL;
    dcps_run_spec made;
    dcps_status status = dcps_plan_entry_spec(plan, entry, entry->points[run->point], &made);
    if (status == DCPS_OK) {
        made.validation = trial || plan->validation;
        made.hold_out = made.validation ? plan->hold_out : 0;
    }
    for (size_t i = 0; status == DCPS_OK && trial && i < sizeof(of_trials) / sizeof(of_trials[0]); i++) {
        const char *value = dcps_options_given(plan->options, of_trials[i].option);
        status = value == NULL ? DCPS_OK : dcps_overrides_set(&made.overrides, of_trials[i].setting, value);
    }
    if (status == DCPS_OK) {
        *spec = made;
    }
    return status;
}

const char *dcps_plan_title(const dcps_plan *plan, uint32_t index, char *out, size_t capacity)
{
    const dcps_plan_run *run = &plan->runs[index];
    const dcps_plan_entry *entry = &plan->entries[run->entry];
    bool trial = run->phase == DCPS_PHASE_TRIAL;
    char setting[192] = "";
    char seed[32] = "";
    if (trial) {
        (void)dcps_sweep_describe(&entry->sweep, entry->points[run->point], setting, sizeof(setting));
    }
    if ((trial ? plan->tune_seeds : plan->seeds) > 1) {
        (void)snprintf(seed, sizeof(seed), " seed %" PRIu64, run->seed);
    }
    (void)snprintf(out, capacity, "%s@%" PRIu32 "%s%s%s", entry->spec.name, entry->spec.workers, trial ? " " : "",
                   setting, seed);
    return out;
}

const char *dcps_plan_label(const dcps_plan *plan, uint32_t index, char *out, size_t capacity)
{
    const dcps_plan_run *run = &plan->runs[index];
    const dcps_run_spec *spec = &plan->entries[run->entry].spec;
    (void)snprintf(out, capacity, "%s@%" PRIu32 "-seed%" PRIu64 "%s", spec->name, spec->workers, run->seed,
                   run->phase == DCPS_PHASE_TRIAL ? "-trial" : "");
    return out;
}

uint32_t dcps_plan_next(const dcps_plan *plan)
{
    uint32_t i = 0;
    while (i < plan->run_count && plan->runs[i].state != DCPS_PLAN_READY) {
        i++;
    }
    return i;
}

void dcps_plan_start(dcps_plan *plan, uint32_t index, uint64_t now_ns)
{
    plan->runs[index].state = DCPS_PLAN_RUNNING;
    plan->runs[index].started_ns = now_ns;
    plan->runs[index].share = 0.0;
}

void dcps_plan_stop(dcps_plan *plan)
{
    for (uint32_t i = 0; i < plan->run_count; i++) {
        if (plan->runs[i].state == DCPS_PLAN_RUNNING) {
            plan->runs[i].state = DCPS_PLAN_READY;
        }
    }
}

uint32_t dcps_plan_count(const dcps_plan *plan, dcps_plan_state state)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < plan->run_count; i++) {
        count += plan->runs[i].state == state;
    }
    return count;
}

uint32_t dcps_plan_ended(const dcps_plan *plan)
{
    return dcps_plan_count(plan, DCPS_PLAN_DONE) + dcps_plan_count(plan, DCPS_PLAN_FAILED) +
           dcps_plan_count(plan, DCPS_PLAN_SKIPPED);
}

/* Final runs of an entry whose trials are over. */
static void unblock(dcps_plan *plan, uint32_t entry_index)
{
    dcps_plan_entry *entry = &plan->entries[entry_index];
    dcps_plan_choose(plan, entry);
    for (uint32_t i = 0; i < plan->run_count; i++) {
        dcps_plan_run *run = &plan->runs[i];
        if (run->entry == entry_index && run->state == DCPS_PLAN_BLOCKED) {
            run->state = entry->chosen ? DCPS_PLAN_READY : DCPS_PLAN_SKIPPED;
            run->point = entry->point;
        }
    }
}

static void end_run(dcps_plan *plan, uint32_t index, json_t *result, dcps_plan_state state)
{
    dcps_plan_run *run = &plan->runs[index];
    dcps_plan_entry *entry = &plan->entries[run->entry];
    json_decref(run->result);
    run->result = result;
    run->state = state;
    if (run->phase == DCPS_PHASE_TRIAL && --entry->trials_left == 0) {
        unblock(plan, run->entry);
    }
}

void dcps_plan_finish(dcps_plan *plan, uint32_t index, json_t *result)
{
    end_run(plan, index, result, DCPS_PLAN_DONE);
}

void dcps_plan_fail(dcps_plan *plan, uint32_t index, json_t *result)
{
    end_run(plan, index, result, DCPS_PLAN_FAILED);
}
