/* The parts of an algorithm by the names that people give them. */
#include <string.h>

#include "server/engine/algorithm.h"

#define DEFAULT_MOMENTUM 0.9
#define DEFAULT_SSP_BOUND 3u
#define DEFAULT_ADADELAY_OFFSET 1.0

#define CHOICE(name, value, about) {name, value, about},
static const dcps_algorithm_choice consistencies[] = {DCPS_CONSISTENCY_MAP(CHOICE, CHOICE){NULL, 0, NULL}};
static const dcps_algorithm_choice compensations[] = {DCPS_COMPENSATION_MAP(CHOICE, CHOICE){NULL, 0, NULL}};
static const dcps_algorithm_choice step_sizes[] = {DCPS_STEP_SIZE_MAP(CHOICE, CHOICE){NULL, 0, NULL}};
static const dcps_algorithm_choice optimizers[] = {DCPS_OPTIMIZER_MAP(CHOICE, CHOICE){NULL, 0, NULL}};

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static bool find(const dcps_algorithm_choice *choices, const char *text, size_t length, int *value)
{
    for (; choices->name != NULL; choices++) {
        if (strlen(choices->name) == length && memcmp(choices->name, text, length) == 0) {
            *value = choices->value;
            return true;
        }
    }
    return false;
}

static const char *name_of(const dcps_algorithm_choice *choices, int value)
{
    for (; choices->name != NULL; choices++) {
        if (choices->value == value) {
            return choices->name;
        }
    }
    return "none";
}

dcps_status dcps_algorithm_set_consistency(dcps_algorithm *algorithm, const char *name)
{
    int value;
    if (!find(consistencies, name, strlen(name), &value)) {
        return dcps_fail(DCPS_INVALID, "consistency \"%.64s\" is unknown: choose one of " DCPS_CONSISTENCY_NAMES, name);
    }
    if (value == DCPS_CONSISTENCY_SSP && algorithm->consistency != DCPS_CONSISTENCY_SSP) {
        algorithm->ssp_bound = DEFAULT_SSP_BOUND;
    }
    algorithm->consistency = (dcps_consistency)value;
    return DCPS_OK;
}

/* What the presets of the same compensation begin with. */
static void default_strength(dcps_rule_config *rule, dcps_compensation compensation)
{
    static const struct {
        dcps_compensation compensation;
        const char *preset;
    } models[] = {{DCPS_COMPENSATE_DC_C, "dc-asgd-c"},
                  {DCPS_COMPENSATE_DC_A, "dc-asgd-a"},
                  {DCPS_COMPENSATE_DC_B, "dc-asgd-b"},
                  {DCPS_COMPENSATE_DC_I, "dc-asgd-i"}};
    for (size_t i = 0; i < COUNT_OF(models); i++) {
        dcps_algorithm model;
        if (models[i].compensation == compensation && dcps_algorithm_preset(models[i].preset, &model) == DCPS_OK) {
            rule->lambda = model.rule.lambda;
            rule->mean_square_decay = model.rule.mean_square_decay;
            rule->correction_bound = model.rule.correction_bound;
        }
    }
}

dcps_status dcps_algorithm_set_compensation(dcps_algorithm *algorithm, const char *chain)
{
    const size_t first_length = strcspn(chain, ",");
    const char *rest = chain[first_length] == ',' ? chain + first_length + 1 : NULL;
    int first;
    int then = 0;
    if (!find(compensations, chain, first_length, &first) ||
        (rest != NULL && !find(compensations, rest, strlen(rest), &then))) {
        return dcps_fail(
            DCPS_INVALID,
            "compensation \"%.64s\" is unknown: choose one of " DCPS_COMPENSATION_NAMES
            ", or one of the dc-... and gap-aware with a comma between them, in the order in which they act",
            chain);
    }
    dcps_rule_config *rule = &algorithm->rule;
    const dcps_compensation wanted[] = {(dcps_compensation)first, (dcps_compensation)then};
    for (size_t i = 0; i < COUNT_OF(wanted); i++) {
        if (wanted[i] != rule->compensation && wanted[i] != rule->then) {
            default_strength(rule, wanted[i]);
        }
    }
    rule->compensation = wanted[0];
    rule->then = wanted[1];
    return DCPS_OK;
}

dcps_status dcps_algorithm_set_step_size(dcps_algorithm *algorithm, const char *name)
{
    int value;
    if (!find(step_sizes, name, strlen(name), &value)) {
        return dcps_fail(DCPS_INVALID, "step size \"%.64s\" is unknown: choose one of " DCPS_STEP_SIZE_NAMES, name);
    }
    if (value == DCPS_STEP_ADADELAY && algorithm->rule.step_size != DCPS_STEP_ADADELAY) {
        algorithm->rule.adadelay_offset = DEFAULT_ADADELAY_OFFSET;
    }
    algorithm->rule.step_size = (dcps_step_size)value;
    return DCPS_OK;
}

dcps_status dcps_algorithm_set_optimizer(dcps_algorithm *algorithm, const char *name)
{
    int value;
    if (!find(optimizers, name, strlen(name), &value)) {
        return dcps_fail(DCPS_INVALID, "optimizer \"%.64s\" is unknown: choose one of " DCPS_OPTIMIZER_NAMES, name);
    }
    if (value != DCPS_OPTIMIZER_SGD && algorithm->rule.optimizer == DCPS_OPTIMIZER_SGD) {
        algorithm->rule.momentum = DEFAULT_MOMENTUM;
    }
    algorithm->rule.optimizer = (dcps_optimizer)value;
    return DCPS_OK;
}

const char *dcps_consistency_name(dcps_consistency consistency)
{
    return name_of(consistencies, (int)consistency);
}

const char *dcps_compensation_name(dcps_compensation compensation)
{
    return name_of(compensations, (int)compensation);
}

const char *dcps_step_size_name(dcps_step_size step_size)
{
    return name_of(step_sizes, (int)step_size);
}

const char *dcps_optimizer_name(dcps_optimizer optimizer)
{
    return name_of(optimizers, (int)optimizer);
}

const dcps_algorithm_parameter dcps_algorithm_parameters[] = {
    {"lambda", "lambda", "compensation", "dc-c|dc-a|dc-b|dc-i"},
    {"mean-square-decay", "m", "compensation", "dc-a|dc-b"},
    {"mean-square", NULL, "compensation", "dc-a|dc-b"},
    {"correction-bound", "c", "compensation", "dc-b|dc-i"},
    {"adadelay-offset", "L", "step-size", "adadelay"},
    {"momentum", "mu", "optimizer", "momentum|nesterov|dana|ormo"},
    {"ssp-bound", "B", "consistency", "ssp"},
    {"backup-workers", "b", "consistency", "bsp"},
    {"max-staleness", "R", "consistency", "ssp|asp"},
    {NULL, NULL, NULL, NULL}};

const char *dcps_algorithm_formula(const dcps_algorithm *algorithm, uint32_t index)
{
    const char *lines[2] = {NULL, NULL};
    uint32_t count = 0;
    if (algorithm->consistency == DCPS_CONSISTENCY_BSP) {
        lines[count++] =
            "round: g <- mean of the gradients of its workers, in their order; it closes when at most b of "
            "the live workers are missing, and theirs are dropped";
    }
    if (algorithm->consistency == DCPS_CONSISTENCY_SSP) {
        lines[count++] = "hold: the answer waits while its worker is more than B steps ahead of the slowest";
    }
    if (algorithm->cuts_off) {
        lines[count++] = "drop: where tau >= R nothing is done, and the mini-batch is computed again";
    }
    return index < count ? lines[index] : NULL;
}

static bool is_among(const char *choices, const char *name)
{
    const size_t length = strlen(name);
    for (const char *choice = choices; choice != NULL; choice = strchr(choice, '|')) {
        choice += *choice == '|' ? 1 : 0;
        if (strcspn(choice, "|") == length && memcmp(choice, name, length) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_chosen(const dcps_algorithm *algorithm, const dcps_algorithm_parameter *parameter)
{
    const dcps_rule_config *rule = &algorithm->rule;
    const struct {
        const char *part;
        const char *choice;
    } chosen[] = {
        {"consistency", dcps_consistency_name(algorithm->consistency)},
        {"compensation", dcps_compensation_name(rule->compensation)},
        {"compensation", dcps_compensation_name(rule->then)},
        {"step-size", dcps_step_size_name(rule->step_size)},
        {"optimizer", dcps_optimizer_name(rule->optimizer)},
    };
    for (size_t i = 0; i < COUNT_OF(chosen); i++) {
        if (strcmp(parameter->part, chosen[i].part) == 0 && is_among(parameter->choices, chosen[i].choice)) {
            return true;
        }
    }
    return false;
}

bool dcps_algorithm_uses(const dcps_algorithm *algorithm, const char *parameter)
{
    for (const dcps_algorithm_parameter *known = dcps_algorithm_parameters; known->flag != NULL; known++) {
        if (strcmp(parameter, known->flag) == 0) {
            return is_chosen(algorithm, known);
        }
    }
    return false;
}

const dcps_algorithm_part dcps_algorithm_parts[] = {{"consistency", consistencies, dcps_algorithm_set_consistency},
                                                    {"compensation", compensations, dcps_algorithm_set_compensation},
                                                    {"step-size", step_sizes, dcps_algorithm_set_step_size},
                                                    {"optimizer", optimizers, dcps_algorithm_set_optimizer},
                                                    {NULL, NULL, NULL}};
