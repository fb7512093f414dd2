/* The parts of an algorithm by the names that people give them. */
#include <string.h>

#include "server/engine/algorithm.h"

#define DEFAULT_MOMENTUM 0.9
#define DEFAULT_SSP_BOUND 3u
#define DEFAULT_ADADELAY_OFFSET 1.0

typedef struct part {
    const char *name;
    int value;
} part;

#define PART(name, value) {name, value},
static const part consistencies[] = {DCPS_CONSISTENCY_MAP(PART, PART)};
static const part compensations[] = {DCPS_COMPENSATION_MAP(PART, PART)};
static const part step_sizes[] = {DCPS_STEP_SIZE_MAP(PART, PART)};
static const part optimizers[] = {DCPS_OPTIMIZER_MAP(PART, PART)};

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static bool find(const part *parts, size_t count, const char *text, size_t length, int *value)
{
    for (size_t i = 0; i < count; i++) {
        if (strlen(parts[i].name) == length && memcmp(parts[i].name, text, length) == 0) {
            *value = parts[i].value;
            return true;
        }
    }
    return false;
}

static const char *name_of(const part *parts, size_t count, int value)
{
    for (size_t i = 0; i < count; i++) {
        if (parts[i].value == value) {
            return parts[i].name;
        }
    }
    return "none";
}

dcps_status dcps_algorithm_set_consistency(dcps_algorithm *algorithm, const char *name)
{
    int value;
    if (!find(consistencies, COUNT_OF(consistencies), name, strlen(name), &value)) {
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
    if (!find(compensations, COUNT_OF(compensations), chain, first_length, &first) ||
        (rest != NULL && !find(compensations, COUNT_OF(compensations), rest, strlen(rest), &then))) {
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
    if (!find(step_sizes, COUNT_OF(step_sizes), name, strlen(name), &value)) {
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
    if (!find(optimizers, COUNT_OF(optimizers), name, strlen(name), &value)) {
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
    return name_of(consistencies, COUNT_OF(consistencies), (int)consistency);
}

const char *dcps_compensation_name(dcps_compensation compensation)
{
    return name_of(compensations, COUNT_OF(compensations), (int)compensation);
}

const char *dcps_step_size_name(dcps_step_size step_size)
{
    return name_of(step_sizes, COUNT_OF(step_sizes), (int)step_size);
}

const char *dcps_optimizer_name(dcps_optimizer optimizer)
{
    return name_of(optimizers, COUNT_OF(optimizers), (int)optimizer);
}

const dcps_algorithm_parameter dcps_algorithm_parameters[] = {{"lambda", "compensation", "dc-c|dc-a|dc-b|dc-i"},
                                                              {"mean-square-decay", "compensation", "dc-a|dc-b"},
                                                              {"mean-square", "compensation", "dc-a|dc-b"},
                                                              {"correction-bound", "compensation", "dc-b|dc-i"},
                                                              {"adadelay-offset", "step-size", "adadelay"},
                                                              {"momentum", "optimizer", "momentum|nesterov|dana|ormo"},
                                                              {"ssp-bound", "consistency", "ssp"},
                                                              {"backup-workers", "consistency", "bsp"},
                                                              {"max-staleness", "consistency", "ssp|asp"},
                                                              {NULL, NULL, NULL}};

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

const dcps_algorithm_part dcps_algorithm_parts[] = {{"consistency", dcps_algorithm_set_consistency},
                                                    {"compensation", dcps_algorithm_set_compensation},
                                                    {"step-size", dcps_algorithm_set_step_size},
                                                    {"optimizer", dcps_algorithm_set_optimizer},
                                                    {NULL, NULL}};
