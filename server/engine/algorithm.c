#include "server/engine/algorithm.h"

#include <string.h>

/* λ₀ and m of the dc-asgd presets are those of the paper's experiments (Zheng et al., ICML 2017, section 6). */
static const dcps_algorithm presets[] = {
    {.name = "sgd",
     .consistency = DCPS_CONSISTENCY_ASP,
     .rule = {.compensation = DCPS_COMPENSATE_NONE, .optimizer = DCPS_OPTIMIZER_SGD}},
    {.name = "ssgd",
     .consistency = DCPS_CONSISTENCY_BSP,
     .rule = {.compensation = DCPS_COMPENSATE_NONE, .optimizer = DCPS_OPTIMIZER_SGD}},
    {.name = "asgd",
     .consistency = DCPS_CONSISTENCY_ASP,
     .rule = {.compensation = DCPS_COMPENSATE_NONE, .optimizer = DCPS_OPTIMIZER_SGD}},
    {.name = "ssp",
     .consistency = DCPS_CONSISTENCY_SSP,
     .ssp_bound = 3,
     .rule = {.compensation = DCPS_COMPENSATE_NONE, .optimizer = DCPS_OPTIMIZER_SGD}},
    {.name = "dc-asgd-c",
     .consistency = DCPS_CONSISTENCY_ASP,
     .rule = {.compensation = DCPS_COMPENSATE_DC_C, .lambda = 0.04, .optimizer = DCPS_OPTIMIZER_SGD}},
    {.name = "dc-asgd-a",
     .consistency = DCPS_CONSISTENCY_ASP,
     .rule = {.compensation = DCPS_COMPENSATE_DC_A,
              .lambda = 2.0,
              .mean_square_decay = 0.95,
              .optimizer = DCPS_OPTIMIZER_SGD}},
};

const char *dcps_algorithm_names(void)
{
    return "sgd|ssgd|asgd|ssp|dc-asgd-c|dc-asgd-a";
}

dcps_status dcps_algorithm_preset(const char *name, dcps_algorithm *algorithm)
{
    for (size_t i = 0; i < sizeof(presets) / sizeof(presets[0]); i++) {
        if (strcmp(name, presets[i].name) == 0) {
            *algorithm = presets[i];
            return DCPS_OK;
        }
    }
    return dcps_fail(DCPS_NOT_FOUND, "algorithm \"%.64s\" is unknown: choose one of %s", name, dcps_algorithm_names());
}
