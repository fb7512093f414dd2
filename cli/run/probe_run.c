#include "cli/run/probe_run.h"

#include <stdio.h>

static bool compensates(const dcps_rule_config *rule)
{
    return rule->compensation != DCPS_COMPENSATE_NONE || (rule->then != 0 && rule->then != DCPS_COMPENSATE_NONE);
}

dcps_status dcps_probe_run_open(const dcps_options *options, dcps_gradients *gradients, dcps_world_config *world,
                                dcps_probe_run *run)
{
    const char *folder = dcps_options_text(options, "probe");
    uint32_t rule_count = 0;
    if (folder == NULL) {
        return DCPS_OK;
    }
    dcps_status status = dcps_probe_rules_parse(dcps_options_text(options, "probe-rules"), run->rules, &rule_count);
    if (status != DCPS_OK) {
        return status;
    }
    if (compensates(&world->algorithm.rule)) {
        dcps_probe_rule *own = &run->rules[rule_count++];
        (void)snprintf(own->name, sizeof(own->name), "running");
        own->config = world->algorithm.rule;
    }
    const dcps_probe_config config = {.layout = world->layout,
                                      .rules = run->rules,
                                      .rule_count = rule_count,
                                      .every = (uint64_t)dcps_options_integer(options, "probe-every"),
                                      .vectors = (uint32_t)dcps_options_integer(options, "probe-vectors"),
                                      .each_sample = dcps_options_flag(options, "probe-samples"),
                                      .seed = world->seed,
                                      .step_size_max = world->schedule.base,
                                      .gradient = dcps_gradients_again,
                                      .gradient_context = gradients,
                                      .found = dcps_probe_files_add,
                                      .found_context = &run->files};
    status = dcps_probe_create(&config, &run->probe);
    if (status == DCPS_OK) {
        status = dcps_probe_files_open(folder, &world->schedule, world->samples_per_epoch, &run->files);
    }
    world->watch = dcps_probe_watch;
    world->watch_context = run->probe;
    return status;
}

dcps_status dcps_probe_run_close(dcps_probe_run *run)
{
    dcps_probe_destroy(&run->probe);
    return dcps_probe_files_close(&run->files);
}
