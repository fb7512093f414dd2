#include "cli/compare/plan_entries.h"

#include <string.h>

#include "base/alloc.h"
#include "cli/settings/run_check.h"

static dcps_status read_entries(dcps_plan *plan)
{
    dcps_run_spec *specs = dcps_alloc(DCPS_MAX_RUN_SPECS, sizeof(*specs));
    size_t count = 0;
    if (specs == NULL) {
        return dcps_fail(DCPS_NO_MEMORY, "no memory for the list of runs");
    }
    const char *sweeps = dcps_options_text(plan->options, "sweep");
    dcps_status status =
        dcps_run_specs_parse(dcps_options_text(plan->options, "runs"), specs, DCPS_MAX_RUN_SPECS, &count);
    if (status == DCPS_OK) {
        status = dcps_sweeps_check(sweeps, specs, count);
    }
    plan->entries = status == DCPS_OK ? dcps_alloc(count, sizeof(*plan->entries)) : NULL;
    if (status == DCPS_OK && plan->entries == NULL) {
        status = dcps_fail(DCPS_NO_MEMORY, "no memory for the plan");
    }
    for (size_t i = 0; status == DCPS_OK && i < count; i++) {
        plan->entries[i].spec = specs[i];
        status = dcps_sweep_find(sweeps, specs, count, &specs[i], &plan->entries[i].sweep);
        plan->entry_count++;
    }
    dcps_free(specs);
    return status;
}

/* Point `number`: what has an effect depends on the parts that the algorithm has there, which may be swept themselves. */
static dcps_status look_at(const dcps_plan *plan, const dcps_plan_entry *entry, uint32_t number,
                           dcps_sweep_point *point)
{
    dcps_sweep_point seen = {.number = number};
    dcps_run_spec spec = entry->spec;
    dcps_status status = dcps_sweep_apply(&entry->sweep, seen, &spec.overrides);
    for (uint32_t i = 0; status == DCPS_OK && i < entry->sweep.count; i++) {
        bool used = true;
        status = dcps_run_uses(plan->options, &spec, entry->sweep.parameters[i].name, &used);
        seen.unused |= used ? 0u : 1u << i;
    }
    if (status == DCPS_OK) {
        *point = seen;
    }
    return status;
}

/* Drops from the sweep what the entry sets itself, and what has no effect at any point. */
static dcps_status drop_idle(const dcps_plan *plan, dcps_plan_entry *entry)
{
    const dcps_sweep asked = entry->sweep;
    uint32_t idle = UINT32_MAX;
    dcps_status status = DCPS_OK;
    for (uint32_t p = 0; status == DCPS_OK && p < dcps_sweep_points(&asked); p++) {
        dcps_sweep_point point = {.unused = 0};
        status = look_at(plan, entry, p, &point);
        idle &= point.unused;
    }
    for (uint32_t i = 0; i < asked.count; i++) {
        if ((idle >> i & 1u) != 0) {
            dcps_sweep_drop(&entry->sweep, asked.parameters[i].name);
        }
    }
    return status;
}

static void drop_own(dcps_plan_entry *entry)
{
    const dcps_sweep asked = entry->sweep;
    for (uint32_t i = 0; i < asked.count; i++) {
        if (dcps_overrides_find(&entry->spec.overrides, asked.parameters[i].name) != NULL) {
            dcps_sweep_drop(&entry->sweep, asked.parameters[i].name);
        }
    }
}

static bool is_known(const dcps_plan_entry *entry, dcps_sweep_point point)
{
    /* Points at which everything has an effect differ. */
    bool known = false;
    for (uint32_t i = 0; point.unused != 0 && !known && i < entry->point_count; i++) {
        known = dcps_sweep_same(&entry->sweep, entry->points[i], point);
    }
    return known;
}

static dcps_status add_points(const dcps_plan *plan, dcps_plan_entry *entry)
{
    uint32_t count = dcps_sweep_points(&entry->sweep);
    dcps_status status = DCPS_OK;
    entry->points = dcps_alloc(count, sizeof(*entry->points));
    if (entry->points == NULL) {
        return dcps_fail(DCPS_NO_MEMORY, "no memory for the points of a sweep");
    }
    for (uint32_t p = 0; status == DCPS_OK && p < count; p++) {
        dcps_sweep_point point;
        status = look_at(plan, entry, p, &point);
        if (status == DCPS_OK && !is_known(entry, point)) {
            entry->points[entry->point_count++] = point;
        }
    }
    return status;
}

static dcps_status fit_entry(const dcps_plan *plan, dcps_plan_entry *entry)
{
    drop_own(entry);
    dcps_status status = drop_idle(plan, entry);
    status = status == DCPS_OK ? add_points(plan, entry) : status;
    entry->tuned = entry->point_count > 1;
    entry->chosen = !entry->tuned;
    return status;
}

dcps_status dcps_plan_entry_spec(const dcps_plan *plan, const dcps_plan_entry *entry, dcps_sweep_point point,
                                 dcps_run_spec *spec)
{
    dcps_run_spec made = entry->spec;
    dcps_status status = dcps_sweep_apply(&entry->sweep, point, &made.overrides);
    status = status == DCPS_OK ? dcps_run_leave_out_unused(plan->options, &made) : status;
    if (status == DCPS_OK) {
        *spec = made;
    }
    return status;
}

/* Notes in idle[option] whether a training option of the command line has no effect so far: it is left out at every point. */
static dcps_status note_effects(const dcps_plan *plan, const dcps_plan_entry *entry, bool *idle)
{
    dcps_status status = DCPS_OK;
    for (uint32_t p = 0; status == DCPS_OK && p < entry->point_count; p++) {
        dcps_run_spec spec;
        status = dcps_plan_entry_spec(plan, entry, entry->points[p], &spec);
        for (size_t o = 0; status == DCPS_OK && dcps_training_options[o] != NULL; o++) {
            const dcps_override *own = dcps_overrides_find(&spec.overrides, dcps_training_options[o]);
            idle[o] = idle[o] && own != NULL && own->left_out;
        }
    }
    return status;
}

/* An option that has no effect anywhere is a mistake. */
static dcps_status check_effects(const dcps_plan *plan)
{
    bool idle[DCPS_MAX_OVERRIDES]; /* of each training option */
    bool swept = false;
    dcps_status status = DCPS_OK;
    memset(idle, true, sizeof(idle));
    for (uint32_t i = 0; status == DCPS_OK && i < plan->entry_count; i++) {
        swept = swept || plan->entries[i].sweep.count > 0;
        status = note_effects(plan, &plan->entries[i], idle);
    }
    if (status == DCPS_OK && dcps_options_is_set(plan->options, "sweep") && !swept) {
        return dcps_fail(DCPS_INVALID, "--sweep: none of these options has an effect on any of --runs");
    }
    for (size_t o = 0; status == DCPS_OK && dcps_training_options[o] != NULL; o++) {
        if (idle[o]) {
            return dcps_fail(DCPS_INVALID, "--%s has no effect on any of --runs", dcps_training_options[o]);
        }
    }
    return status;
}

dcps_status dcps_plan_entries_read(dcps_plan *plan)
{
    dcps_status status = read_entries(plan);
    for (uint32_t i = 0; status == DCPS_OK && i < plan->entry_count; i++) {
        status = fit_entry(plan, &plan->entries[i]);
    }
    return status == DCPS_OK ? check_effects(plan) : status;
}

void dcps_plan_entries_free(dcps_plan *plan)
{
    for (uint32_t i = 0; i < plan->entry_count; i++) {
        dcps_free(plan->entries[i].points);
    }
    dcps_free(plan->entries);
    plan->entries = NULL;
    plan->entry_count = 0;
}
