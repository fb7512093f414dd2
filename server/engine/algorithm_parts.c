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

static const part consistencies[] = {
    {"bsp", DCPS_CONSISTENCY_BSP}, {"ssp", DCPS_CONSISTENCY_SSP}, {"asp", DCPS_CONSISTENCY_ASP}};
static const part compensations[] = {{"none", DCPS_COMPENSATE_NONE}, {"dc-c", DCPS_COMPENSATE_DC_C},
                                     {"dc-a", DCPS_COMPENSATE_DC_A}, {"dc-b", DCPS_COMPENSATE_DC_B},
                                     {"dc-i", DCPS_COMPENSATE_DC_I}, {"gap-aware", DCPS_COMPENSATE_GAP_AWARE}};
static const part step_sizes[] = {
    {"constant", DCPS_STEP_CONSTANT}, {"staleness", DCPS_STEP_STALENESS}, {"adadelay", DCPS_STEP_ADADELAY}};
static const part optimizers[] = {{"sgd", DCPS_OPTIMIZER_SGD},
                                  {"momentum", DCPS_OPTIMIZER_MOMENTUM},
                                  {"nesterov", DCPS_OPTIMIZER_NESTEROV},
                                  {"dana", DCPS_OPTIMIZER_DANA},
                                  {"ormo", DCPS_OPTIMIZER_ORMO}};

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
        return dcps_fail(DCPS_INVALID, "consistency \"%.64s\" is unknown: choose bsp, ssp or asp", name);
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
            "compensation \"%.64s\" is unknown: choose none, dc-c, dc-a, dc-b, dc-i or gap-aware, or one of the "
            "dc-... and gap-aware with a comma between them, in the order in which they act",
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
        return dcps_fail(DCPS_INVALID, "step size \"%.64s\" is unknown: choose constant, staleness or adadelay", name);
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
        return dcps_fail(DCPS_INVALID, "optimizer \"%.64s\" is unknown: choose sgd, momentum, nesterov, dana or ormo",
                         name);
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

static bool has(const dcps_rule_config *rule, dcps_compensation compensation)
{
    return rule->compensation == compensation || rule->then == compensation;
}

bool dcps_algorithm_uses(const dcps_algorithm *algorithm, const char *parameter)
{
    const dcps_rule_config *rule = &algorithm->rule;
    const bool adapts = has(rule, DCPS_COMPENSATE_DC_A) || has(rule, DCPS_COMPENSATE_DC_B);
    const struct {
        const char *parameter;
        bool used;
    } uses[] = {
        {"lambda", adapts || has(rule, DCPS_COMPENSATE_DC_C) || has(rule, DCPS_COMPENSATE_DC_I)},
        {"mean-square-decay", adapts},
        {"mean-square", adapts},
        {"correction-bound", has(rule, DCPS_COMPENSATE_DC_B) || has(rule, DCPS_COMPENSATE_DC_I)},
        {"adadelay-offset", rule->step_size == DCPS_STEP_ADADELAY},
        {"momentum", rule->optimizer != DCPS_OPTIMIZER_SGD},
        {"ssp-bound", algorithm->consistency == DCPS_CONSISTENCY_SSP},
        {"backup-workers", algorithm->consistency == DCPS_CONSISTENCY_BSP},
        {"max-staleness", algorithm->consistency != DCPS_CONSISTENCY_BSP},
    };
    for (size_t i = 0; i < COUNT_OF(uses); i++) {
        if (strcmp(parameter, uses[i].parameter) == 0) {
            return uses[i].used;
        }
    }
    return false;
}

const dcps_algorithm_part dcps_algorithm_parts[] = {{"consistency", dcps_algorithm_set_consistency},
                                                    {"compensation", dcps_algorithm_set_compensation},
                                                    {"step-size", dcps_algorithm_set_step_size},
                                                    {"optimizer", dcps_algorithm_set_optimizer},
                                                    {NULL, NULL}};
