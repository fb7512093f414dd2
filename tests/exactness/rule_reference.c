#include "exactness/rule_reference.h"

#include <math.h>
#include <stdbool.h>

/* Half a unit in the last place of single precision, relative. */
static const double unit = 1.0 / 16777216.0;
/* Roundings on the longest path of one update (conversions of constants included), with room for those that s gathers: its
 * relative error stays below 4 units / (1 − m), and a square root halves that. */
static const double path_units = 16.0;
static const double mean_square_units = 2.0;
/* Products below the normal range lose their low bits; far below anything a weight notices. */
static const double underflow = 1e-43;

#define RULE(c, l, m, o, mu, wd)                                                                                       \
    {                                                                                                                  \
        .compensation = (c), .lambda = (l), .mean_square_decay = (m), .optimizer = (o), .momentum = (mu),              \
        .weight_decay = (wd)                                                                                           \
    }

const named_rule reference_rules[] = {
    {"none, sgd", RULE(DCPS_COMPENSATE_NONE, 0.0, 0.0, DCPS_OPTIMIZER_SGD, 0.0, 0.0)},
    {"none, decay, sgd", RULE(DCPS_COMPENSATE_NONE, 0.0, 0.0, DCPS_OPTIMIZER_SGD, 0.0, 0.25)},
    {"none, momentum", RULE(DCPS_COMPENSATE_NONE, 0.0, 0.0, DCPS_OPTIMIZER_MOMENTUM, 0.9, 0.0)},
    {"none, decay, momentum", RULE(DCPS_COMPENSATE_NONE, 0.0, 0.0, DCPS_OPTIMIZER_MOMENTUM, 0.9, 0.25)},
    {"dc-c, sgd", RULE(DCPS_COMPENSATE_DC_C, 0.04, 0.0, DCPS_OPTIMIZER_SGD, 0.0, 0.0)},
    {"dc-c, decay, sgd", RULE(DCPS_COMPENSATE_DC_C, 0.04, 0.0, DCPS_OPTIMIZER_SGD, 0.0, 0.25)},
    {"dc-c, momentum", RULE(DCPS_COMPENSATE_DC_C, 0.04, 0.0, DCPS_OPTIMIZER_MOMENTUM, 0.9, 0.0)},
    {"dc-c, decay, momentum", RULE(DCPS_COMPENSATE_DC_C, 0.04, 0.0, DCPS_OPTIMIZER_MOMENTUM, 0.9, 0.25)},
    {"dc-a, sgd", RULE(DCPS_COMPENSATE_DC_A, 2.0, 0.95, DCPS_OPTIMIZER_SGD, 0.0, 0.0)},
    {"dc-a, decay, sgd", RULE(DCPS_COMPENSATE_DC_A, 2.0, 0.95, DCPS_OPTIMIZER_SGD, 0.0, 0.25)},
    {"dc-a, momentum", RULE(DCPS_COMPENSATE_DC_A, 2.0, 0.95, DCPS_OPTIMIZER_MOMENTUM, 0.9, 0.0)},
    {"dc-a, decay, momentum", RULE(DCPS_COMPENSATE_DC_A, 2.0, 0.95, DCPS_OPTIMIZER_MOMENTUM, 0.9, 0.25)},
};
const size_t reference_rule_count = sizeof(reference_rules) / sizeof(reference_rules[0]);

/* λ of this update; advances the mean square. */
static double reference_lambda(const dcps_rule_config *config, rule_mistake mistake, reference_parameter *parameter,
                               double g)
{
    const double lambda = mistake == MISTAKE_LAMBDA_ONE ? 1.0 : config->lambda;
    if (config->compensation == DCPS_COMPENSATE_NONE) {
        return 0.0;
    }
    if (config->compensation == DCPS_COMPENSATE_DC_C) {
        return lambda;
    }
    const double m = config->mean_square_decay;
    const double before = parameter->mean_square;
    parameter->mean_square = m * before + (1.0 - m) * g * g;
    const double s = mistake == MISTAKE_STATE_AFTER_USE ? before : parameter->mean_square;
    return mistake == MISTAKE_NO_ROOT ? lambda / (s + 1e-7) : lambda / sqrt(s + 1e-7);
}

/* What the optimizer takes from the compensated gradient; *kept is the part that the velocity carries over. */
static double reference_direction(const dcps_rule_config *config, rule_mistake mistake, reference_parameter *parameter,
                                  double raw, double compensated, double decay, double *kept)
{
    *kept = 0.0;
    if (config->optimizer != DCPS_OPTIMIZER_MOMENTUM) {
        return compensated + decay;
    }
    *kept = config->momentum * parameter->velocity;
    const double gain = mistake == MISTAKE_RAW_VELOCITY ? raw : compensated;
    const bool outside = mistake == MISTAKE_DECAY_OUTSIDE_VELOCITY;
    parameter->velocity = *kept + gain + (outside ? 0.0 : decay);
    return parameter->velocity + (outside ? decay : 0.0);
}

void reference_update(const dcps_rule_config *config, rule_mistake mistake, reference_parameter *parameter,
                      double gradient, double pulled, double step_size)
{
    const double w = parameter->weight;
    const double decay = config->weight_decay * (mistake == MISTAKE_DECAY_AT_PULLED ? pulled : w);
    const double g = mistake == MISTAKE_DECAY_IN_SQUARE ? gradient + decay : gradient;
    double drift = mistake == MISTAKE_SIGN ? pulled - w : w - pulled;
    if (mistake == MISTAKE_NO_COMPENSATION) {
        drift = 0.0;
    }
    const double before = parameter->mean_square;
    const double lambda = reference_lambda(config, mistake, parameter, g);
    const double correction = lambda * g * g * drift;
    if (mistake == MISTAKE_COMPENSATED_SQUARE && config->compensation == DCPS_COMPENSATE_DC_A) {
        const double m = config->mean_square_decay;
        parameter->mean_square = m * before + (1.0 - m) * (g + correction) * (g + correction);
    }
    double kept;
    const double direction = reference_direction(config, mistake, parameter, gradient, g + correction,
                                                 mistake == MISTAKE_DECAY_IN_SQUARE ? 0.0 : decay, &kept);
    parameter->weight = w - step_size * direction;

    /* Running error analysis: what came in, through the derivatives of this update, plus the roundings of this one. */
    const double s_units = mean_square_units / (1.0 - config->mean_square_decay);
    const double rounded =
        path_units * (fabs(g) + fabs(decay) + fabs(kept)) + (path_units + s_units) * fabs(correction);
    const double slope = 2.0 * lambda * g * g + config->weight_decay;
    const double momentum = config->optimizer == DCPS_OPTIMIZER_MOMENTUM ? config->momentum : 0.0;
    parameter->error_velocity =
        momentum * parameter->error_velocity + slope * parameter->error_weight + unit * rounded + underflow;
    parameter->error_weight += step_size * parameter->error_velocity +
                               4.0 * unit * (fabs(parameter->weight) + step_size * fabs(direction)) + underflow;
}

void reference_restart(reference_parameter *parameter, double weight, double velocity, double mean_square)
{
    *parameter = (reference_parameter){.weight = weight, .velocity = velocity, .mean_square = mean_square};
}
