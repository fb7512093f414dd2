#include "server/engine/algorithm.h"

#include <string.h>

typedef struct preset {
    const char *about;
    dcps_algorithm algorithm;
} preset;

#define PLAIN                                                                                                          \
    {                                                                                                                  \
        .compensation = DCPS_COMPENSATE_NONE, .optimizer = DCPS_OPTIMIZER_SGD                                          \
    }

/* λ₀ and m of dc-asgd-c and dc-asgd-a are those of the paper's experiments (section 6), λ and γ of dana-* those of its authors' simulator. λ₀ and c of dc-asgd-b and dc-asgd-i
 * are the ones that did best in small trials. */
static const preset presets[] = {
    {"gradients are applied at once, one after the other: serial SGD with its one worker",
     {.name = "sgd", .consistency = DCPS_CONSISTENCY_ASP, .rule = PLAIN}},
    {"rounds of the mean of one gradient of every worker; with --backup-workers N (Chen et al. 2016) the N slowest are "
     "dropped",
     {.name = "ssgd", .consistency = DCPS_CONSISTENCY_BSP, .rule = PLAIN}},
    {"gradients are applied at once, however late they are",
     {.name = "asgd", .consistency = DCPS_CONSISTENCY_ASP, .rule = PLAIN}},
    {"as asgd, but nobody gets more than --ssp-bound steps ahead of the slowest (Ho et al. 2013)",
     {.name = "ssp", .consistency = DCPS_CONSISTENCY_SSP, .ssp_bound = 3, .rule = PLAIN}},
    {"as asgd, with steps divided by the staleness (Zhang et al. 2016)",
     {.name = "sa-asgd",
      .consistency = DCPS_CONSISTENCY_ASP,
      .rule = {.compensation = DCPS_COMPENSATE_NONE,
               .step_size = DCPS_STEP_STALENESS,
               .optimizer = DCPS_OPTIMIZER_SGD}}},
    {"as asgd, each parameter with a step that falls with its gradients and their delays (Sra et al. 2016); "
     "--learning-rate 1 is the paper's",
     {.name = "adadelay",
      .consistency = DCPS_CONSISTENCY_ASP,
      .rule = {.compensation = DCPS_COMPENSATE_NONE,
               .step_size = DCPS_STEP_ADADELAY,
               .adadelay_offset = 1.0,
               .optimizer = DCPS_OPTIMIZER_SGD}}},
    {"delay compensation with a constant factor (Zheng et al. 2017)",
     {.name = "dc-asgd-c",
      .consistency = DCPS_CONSISTENCY_ASP,
      .rule = {.compensation = DCPS_COMPENSATE_DC_C, .lambda = 0.04, .optimizer = DCPS_OPTIMIZER_SGD}}},
    {"delay compensation with a factor adapted to the gradients (Zheng et al. 2017)",
     {.name = "dc-asgd-a",
      .consistency = DCPS_CONSISTENCY_ASP,
      .rule = {.compensation = DCPS_COMPENSATE_DC_A,
               .lambda = 2.0,
               .mean_square_decay = 0.95,
               .optimizer = DCPS_OPTIMIZER_SGD}}},
    {"as dc-asgd-a, with the relative correction bounded, so that its factor may be large",
     {.name = "dc-asgd-b",
      .consistency = DCPS_CONSISTENCY_ASP,
      .rule = {.compensation = DCPS_COMPENSATE_DC_B,
               .lambda = 128.0,
               .mean_square_decay = 0.95,
               .correction_bound = 1.0,
               .optimizer = DCPS_OPTIMIZER_SGD}}},
    {"one curvature for all parameters in the place of an estimate for each, with the correction bounded by the "
     "gradient",
     {.name = "dc-asgd-i",
      .consistency = DCPS_CONSISTENCY_ASP,
      .rule = {.compensation = DCPS_COMPENSATE_DC_I,
               .lambda = 4.0,
               .correction_bound = 1.0,
               .optimizer = DCPS_OPTIMIZER_SGD}}},
    {"gradients are divided by how many usual steps their parameter has moved meanwhile (Barkai et al. 2020)",
     {.name = "gap-aware",
      .consistency = DCPS_CONSISTENCY_ASP,
      .rule = {.compensation = DCPS_COMPENSATE_GAP_AWARE, .optimizer = DCPS_OPTIMIZER_SGD}}},
    {"a velocity for each worker, which is sent where the weights will be when its gradient comes (Hakimi et al. 2019)",
     {.name = "dana-zero",
      .consistency = DCPS_CONSISTENCY_ASP,
      .rule = {.compensation = DCPS_COMPENSATE_NONE, .optimizer = DCPS_OPTIMIZER_DANA, .momentum = 0.9}}},
    {"dana-zero after dc-c against what the worker was sent (Hakimi et al. 2019)",
     {.name = "dana-dc",
      .consistency = DCPS_CONSISTENCY_ASP,
      .rule =
          {.compensation = DCPS_COMPENSATE_DC_C, .lambda = 2.0, .optimizer = DCPS_OPTIMIZER_DANA, .momentum = 0.9}}},
    {"momentum in the order in which gradients were issued (Shi et al. 2024)",
     {.name = "ormo",
      .consistency = DCPS_CONSISTENCY_ASP,
      .rule = {.compensation = DCPS_COMPENSATE_NONE, .optimizer = DCPS_OPTIMIZER_ORMO, .momentum = 0.9}}},
    {"as asgd, but each block drops gradients that are --max-staleness of its updates late or more (Maranjyan et al. "
     "2025: all of a gradient or nothing)",
     {.name = "ringmaster", .consistency = DCPS_CONSISTENCY_ASP, .cuts_off = true, .rule = PLAIN}},
};
enum { PRESETS = sizeof(presets) / sizeof(presets[0]) };

const char *dcps_algorithm_names(void)
{
    return "sgd|ssgd|asgd|ssp|sa-asgd|adadelay|dc-asgd-c|dc-asgd-a|dc-asgd-b|dc-asgd-i|gap-aware|dana-zero|dana-dc|"
           "ormo|"
           "ringmaster";
}

const dcps_algorithm *dcps_algorithm_at(uint32_t index, const char **about)
{
    if (index >= PRESETS) {
        return NULL;
    }
    *about = presets[index].about;
    return &presets[index].algorithm;
}

dcps_status dcps_algorithm_preset(const char *name, dcps_algorithm *algorithm)
{
    for (size_t i = 0; i < PRESETS; i++) {
        if (strcmp(name, presets[i].algorithm.name) == 0) {
            *algorithm = presets[i].algorithm;
            return DCPS_OK;
        }
    }
    return dcps_fail(DCPS_NOT_FOUND, "algorithm \"%.64s\" is unknown: choose one of %s", name, dcps_algorithm_names());
}

dcps_status dcps_algorithm_check(const dcps_algorithm *algorithm, uint32_t workers)
{
    dcps_rule *rule;
    bool rounds = algorithm->consistency == DCPS_CONSISTENCY_BSP;
    dcps_status status = dcps_rule_create(&algorithm->rule, &rule);
    if (status != DCPS_OK) {
        return status;
    }
    if (rounds && dcps_rule_worker_state_count(rule) > 0) {
        status = dcps_fail(
            DCPS_INVALID, "%s of each worker needs asp or ssp: the mean gradient of a synchronous round is no worker's",
            dcps_rule_worker_state_name(rule, 0));
    } else if (rounds && algorithm->cuts_off) {
        status = dcps_fail(DCPS_INVALID, "a largest staleness needs asp or ssp: in synchronous rounds nothing is late");
    } else if (!rounds && algorithm->backup_workers > 0) {
        status = dcps_fail(DCPS_INVALID, "backup workers need bsp: nobody waits for anybody's gradient otherwise");
    } else if (algorithm->backup_workers > 0 && algorithm->backup_workers >= workers) {
        status = dcps_fail(DCPS_INVALID, "%u backup workers of %u workers leave nobody to wait for: at most %u",
                           algorithm->backup_workers, workers, workers - 1u);
    }
    dcps_rule_destroy(&rule);
    return status;
}
