/* An algorithm is a consistency mode plus an update rule; names people know are presets. */
#ifndef DCPS_ENGINE_ALGORITHM_H
#define DCPS_ENGINE_ALGORITHM_H

#include <stdbool.h>
#include <stdint.h>

#include "compensate/rule.h"
#include "dcps/status.h"

typedef enum dcps_consistency { DCPS_CONSISTENCY_ASP = 1, DCPS_CONSISTENCY_SSP, DCPS_CONSISTENCY_BSP } dcps_consistency;

/* What each part of an algorithm may be: name, value and meaning of the first and of those after it. */
#define DCPS_CONSISTENCY_MAP(FIRST, NEXT)                                                                              \
    FIRST("bsp", DCPS_CONSISTENCY_BSP, "synchronous rounds, without the b slowest if so wanted (Chen et al. 2016)")    \
    NEXT("ssp", DCPS_CONSISTENCY_SSP, "asynchronous within a bound (Ho et al. 2013)")                                  \
    NEXT("asp", DCPS_CONSISTENCY_ASP, "each gradient is applied and answered at once")
#define DCPS_COMPENSATION_MAP(FIRST, NEXT)                                                                             \
    FIRST("none", DCPS_COMPENSATE_NONE, "gradients as they come")                                                      \
    NEXT("dc-c", DCPS_COMPENSATE_DC_C, "delay compensation with a constant factor (Zheng et al. 2017)")                \
    NEXT("dc-a", DCPS_COMPENSATE_DC_A, "the same with a factor adapted to the gradients (Zheng et al. 2017)")          \
    NEXT("dc-b", DCPS_COMPENSATE_DC_B, "dc-a with the relative correction bounded")                                    \
    NEXT("dc-i", DCPS_COMPENSATE_DC_I, "one curvature for all parameters; the correction bounded by the gradient")     \
    NEXT("gap-aware", DCPS_COMPENSATE_GAP_AWARE,                                                                       \
         "division by the usual steps that a parameter has moved meanwhile (Barkai et al. 2020)")
#define DCPS_STEP_SIZE_MAP(FIRST, NEXT)                                                                                \
    FIRST("constant", DCPS_STEP_CONSTANT, "whatever the delay")                                                        \
    NEXT("staleness", DCPS_STEP_STALENESS, "steps divided by the staleness (Zhang et al. 2016)")                       \
    NEXT("adadelay", DCPS_STEP_ADADELAY,                                                                               \
         "steps that fall with the gradients of each parameter and their delays (Sra et al. 2016)")
#define DCPS_OPTIMIZER_MAP(FIRST, NEXT)                                                                                \
    FIRST("sgd", DCPS_OPTIMIZER_SGD, "plain steps")                                                                    \
    NEXT("momentum", DCPS_OPTIMIZER_MOMENTUM, "heavy ball (Polyak 1964)")                                              \
    NEXT("nesterov", DCPS_OPTIMIZER_NESTEROV, "Nesterov's momentum as Sutskever et al. 2013 have it")                  \
    NEXT("dana", DCPS_OPTIMIZER_DANA,                                                                                  \
         "a velocity for each worker, which is sent where the weights will be "                                        \
         "(Hakimi et al. 2019)")                                                                                       \
    NEXT("ormo", DCPS_OPTIMIZER_ORMO, "momentum in the order in which gradients were issued (Shi et al. 2024)")

/* The names as literals, for option tables and messages: "bsp|ssp|asp". */
#define DCPS_FIRST_NAME(name, value, about) name
#define DCPS_NEXT_NAME(name, value, about) "|" name
#define DCPS_CONSISTENCY_NAMES DCPS_CONSISTENCY_MAP(DCPS_FIRST_NAME, DCPS_NEXT_NAME)
#define DCPS_COMPENSATION_NAMES DCPS_COMPENSATION_MAP(DCPS_FIRST_NAME, DCPS_NEXT_NAME)
#define DCPS_STEP_SIZE_NAMES DCPS_STEP_SIZE_MAP(DCPS_FIRST_NAME, DCPS_NEXT_NAME)
#define DCPS_OPTIMIZER_NAMES DCPS_OPTIMIZER_MAP(DCPS_FIRST_NAME, DCPS_NEXT_NAME)

/* Everything that decides what a server does with pushes. */
typedef struct dcps_algorithm {
    const char *name; /* of the preset; static */
    dcps_consistency consistency;
    uint32_t ssp_bound;      /* steps a worker may be ahead of the slowest; SSP only */
    uint32_t backup_workers; /* a round closes without this many of the live workers; BSP only */
    bool cuts_off;           /* a gradient that is too late is dropped (Ringmaster); ASP and SSP */
    uint64_t max_staleness;  /* R: dropped from τ ≥ R on; 0: twice the number of workers */
    dcps_rule_config rule;
} dcps_algorithm;

/* Fills *algorithm from the preset called `name`. DCPS_NOT_FOUND lists the known names. */
DCPS_MUST_CHECK dcps_status dcps_algorithm_preset(const char *name, dcps_algorithm *algorithm);

/* The presets one by one, NULL beyond the last; `about` says in a line what each is and where it comes from. */
const dcps_algorithm *dcps_algorithm_at(uint32_t index, const char **about);

/* Whether the parts go together, with this many workers. DCPS_INVALID naming what does not, DCPS_NO_MEMORY. */
DCPS_MUST_CHECK dcps_status dcps_algorithm_check(const dcps_algorithm *algorithm, uint32_t workers);

/* Exchange one part of an algorithm for the one called so; what it needs to know gets the defaults of its preset. `chain` is one compensation or two with a comma between
 * them. DCPS_INVALID lists the choices. */
DCPS_MUST_CHECK dcps_status dcps_algorithm_set_consistency(dcps_algorithm *algorithm, const char *name);
DCPS_MUST_CHECK dcps_status dcps_algorithm_set_compensation(dcps_algorithm *algorithm, const char *chain);
DCPS_MUST_CHECK dcps_status dcps_algorithm_set_step_size(dcps_algorithm *algorithm, const char *name);
DCPS_MUST_CHECK dcps_status dcps_algorithm_set_optimizer(dcps_algorithm *algorithm, const char *name);

/* What a part may be; ended by a NULL name. */
typedef struct dcps_algorithm_choice {
    const char *name;
    int value;
    const char *about; /* in a line */
} dcps_algorithm_choice;

/* Those functions by the names of their flags; ended by a NULL flag. */
typedef struct dcps_algorithm_part {
    const char *flag; /* "consistency" */
    const dcps_algorithm_choice *choices;
    dcps_status (*set)(dcps_algorithm *algorithm, const char *name);
} dcps_algorithm_part;

extern const dcps_algorithm_part dcps_algorithm_parts[];

const char *dcps_consistency_name(dcps_consistency consistency);
const char *dcps_compensation_name(dcps_compensation compensation);
const char *dcps_step_size_name(dcps_step_size step_size);
const char *dcps_optimizer_name(dcps_optimizer optimizer);

/* A parameter that only some parts know. */
typedef struct dcps_algorithm_parameter {
    const char *flag;    /* "momentum" */
    const char *symbol;  /* in formulas: "mu"; NULL: in none */
    const char *part;    /* "optimizer": of which one of */
    const char *choices; /* "momentum|nesterov|…" must be chosen */
} dcps_algorithm_parameter;

/* Ended by a NULL flag. */
extern const dcps_algorithm_parameter dcps_algorithm_parameters[];

/* What consistency and cut-off do, as stages have a formula (dcps_rule_stage_formula): line `index`, NULL beyond the last. Of plain asp there is none. */
const char *dcps_algorithm_formula(const dcps_algorithm *algorithm, uint32_t index);

/* Whether a parameter, by the name of its flag, has an effect with these parts. */
bool dcps_algorithm_uses(const dcps_algorithm *algorithm, const char *parameter);

/* "sgd|ssgd|…" for help texts. */
const char *dcps_algorithm_names(void);

#define DCPS_SCHEDULE_MAX_STEPS 64u

/* Learning rate as a function of samples seen, so that it means the same under every mode and number of workers:
 * linear from `base / workers` to `base` over the warm-up, times decay_factor for each mark passed. */
typedef struct dcps_schedule {
    double base;          /* η > 0 */
    double warmup_epochs; /* 0: none */
    uint32_t workers;     /* divisor of the first step of the warm-up */
    double decay_factor;  /* 0 < f ≤ 1 */
    uint32_t decay_count;
    double decay_epochs[DCPS_SCHEDULE_MAX_STEPS]; /* ascending */
} dcps_schedule;

/* η for the next update of a block that has seen `samples` samples; samples_per_epoch > 0. */
double dcps_schedule_rate(const dcps_schedule *schedule, uint64_t samples, uint64_t samples_per_epoch);

#endif
