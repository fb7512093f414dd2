#include "cli/settings/run_check.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/options.h"
#include "base/text.h"
#include "cli/settings/run_options.h"
#include "server/engine/algorithm.h"

/* "--name value" pairs become "name=value". */
static dcps_status assignments_of(const dcps_args *args, dcps_args *assignments)
{
    for (size_t i = 0; i + 1 < args->count; i += 2) {
        dcps_args_add(assignments, "%s=%s", args->items[i] + strlen("--"), args->items[i + 1]);
    }
    dcps_status status = dcps_args_check(args);
    return status == DCPS_OK ? dcps_args_check(assignments) : status;
}

/* The last error as one of this run. */
static dcps_status name_error(dcps_status status, const dcps_run_spec *spec)
{
    char what[600];
    (void)snprintf(what, sizeof(what), "%s", dcps_error_message());
    return dcps_fail(status == DCPS_NO_MEMORY ? status : DCPS_INVALID, "run %s@%u: %s", spec->name, spec->workers,
                     what);
}

dcps_status dcps_run_server_config(const dcps_options *options, const dcps_run_spec *spec, uint64_t seed,
                                   dcps_options **server_options, dcps_server_config *config)
{
    dcps_args args = {0};
    dcps_args assignments = {0};
    dcps_server_args_add(&args, options, spec, seed, false);
    dcps_status status = assignments_of(&args, &assignments);
    if (status == DCPS_OK) {
        status =
            dcps_options_from_assignments("dcps-server", dcps_server_program.options,
                                          (const char *const *)assignments.items, assignments.count, server_options);
    }
    if (status == DCPS_OK) {
        status = dcps_server_config_read(*server_options, config);
    }
    dcps_args_fini(&assignments);
    dcps_args_fini(&args);
    return status;
}

dcps_status dcps_run_check(const dcps_options *options, const dcps_run_spec *spec, uint64_t seed)
{
    dcps_options *server_options = NULL;
    dcps_server_config config;
    dcps_status status = dcps_run_server_config(options, spec, seed, &server_options, &config);
    dcps_options_destroy(&server_options);
    return status == DCPS_OK ? DCPS_OK : name_error(status, spec);
}

void dcps_run_warn_of_momentum(const dcps_options *options, const dcps_run_spec *spec)
{
    const char *recommender = dcps_options_recommender(options, "learning-rate");
    dcps_options *server_options = NULL;
    dcps_server_config config;
    if (recommender == NULL || dcps_options_recommender(options, "optimizer") != NULL ||
        dcps_overrides_find(&spec->overrides, "learning-rate") != NULL ||
        dcps_run_server_config(options, spec, 1, &server_options, &config) != DCPS_OK) {
        dcps_options_destroy(&server_options);
        return;
    }
    const dcps_rule_config *rule = &config.algorithm.rule;
    if (rule->optimizer != DCPS_OPTIMIZER_SGD && rule->momentum > 0.0) {
        double rate = config.schedule.base;
        dcps_warn("%s@%" PRIu32 ": %s recommends a learning rate of %g for SGD without momentum; with a momentum of %g "
                  "and late gradients that may diverge, and --learning-rate %g makes steps as long",
                  spec->name[0] == '\0' ? spec->algorithm : spec->name, spec->workers, recommender, rate,
                  rule->momentum, rate * (1.0 - rule->momentum));
    }
    dcps_options_destroy(&server_options);
}

/* The parts a run is made of: its preset's, or those that settings name. */
static dcps_status algorithm_of(const dcps_options *options, const dcps_run_spec *spec, dcps_algorithm *algorithm)
{
    dcps_status status = dcps_algorithm_preset(spec->algorithm, algorithm);
    for (const dcps_algorithm_part *part = dcps_algorithm_parts; status == DCPS_OK && part->flag != NULL; part++) {
        const char *name = dcps_run_setting(options, &spec->overrides, part->flag);
        status = name == NULL ? DCPS_OK : part->set(algorithm, name);
    }
    return status == DCPS_OK ? DCPS_OK : name_error(status, spec);
}

/* Whether only some algorithms know the option. */
static bool is_special(const char *name)
{
    const char *about;
    const dcps_algorithm *preset;
    for (uint32_t i = 0; (preset = dcps_algorithm_at(i, &about)) != NULL; i++) {
        if (dcps_algorithm_uses(preset, name)) {
            return true;
        }
    }
    return false;
}

dcps_status dcps_run_uses(const dcps_options *options, const dcps_run_spec *spec, const char *name, bool *used)
{
    dcps_algorithm algorithm;
    dcps_status status = algorithm_of(options, spec, &algorithm);
    if (status == DCPS_OK) {
        *used = !is_special(name) || dcps_algorithm_uses(&algorithm, name);
    }
    return status;
}

dcps_status dcps_run_leave_out_unused(const dcps_options *options, dcps_run_spec *spec)
{
    dcps_status status = DCPS_OK;
    for (size_t i = 0; status == DCPS_OK && dcps_training_options[i] != NULL; i++) {
        const char *name = dcps_training_options[i];
        bool used = true;
        if (dcps_overrides_find(&spec->overrides, name) == NULL && dcps_options_is_set(options, name)) {
            status = dcps_run_uses(options, spec, name, &used);
        }
        if (status == DCPS_OK && !used) {
            status = dcps_overrides_leave_out(&spec->overrides, name);
        }
    }
    return status;
}
