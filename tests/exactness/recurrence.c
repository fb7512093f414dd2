#include "exactness/recurrence.h"

#include <math.h>
#include <stdbool.h>

static uint64_t staleness_of(const recurrence *self, const recurrence_update *update)
{
    return self->mistake == STALENESS_UNUSED ? 0 : (uint64_t)(update - self->past) - update->issued;
}

/* m^k-weighted sum of the squares of the gradients that reached the compensation, this one included. */
static double mean_square(const recurrence *self, const recurrence_update *now, const double *squares)
{
    const double m = self->rule->mean_square_decay;
    bool each = self->rule->mean_square_each_worker;
    each = self->mistake == SQUARE_OF_ALL ? false : self->mistake == SQUARE_OF_EACH ? true : each;
    double sum = 0.0;
    for (const recurrence_update *u = self->past; u <= now; u++) {
        if (!each || u->worker == now->worker) {
            sum = m * sum + (1.0 - m) * squares[u - self->past];
        }
    }
    return sum;
}

static double drift_of(const recurrence *self, const recurrence_update *now)
{
    if (self->mistake == BAK_AT_PUSH) {
        return 0.0;
    }
    return self->weight - self->bak[self->mistake == BAK_SHARED ? 0 : now->worker];
}

/* dc-i: the correction is at most so many times the gradient, on either side. */
static double correct_evenly(const recurrence *self, double g, double wanted)
{
    const double bound = self->rule->correction_bound * (self->mistake == BOUND_ABSOLUTE ? 1.0 : fabs(g));
    return self->mistake == BOUND_MISSING || fabs(wanted) < bound ? g + wanted : g + copysign(bound, wanted);
}

/* Zheng et al. 2017, equations 10 and 14, and the bounded form of the latter. squares: of what came in, at each update. */
static double correct_drift(const recurrence *self, dcps_compensation compensation, const recurrence_update *now,
                            double g, const double *squares)
{
    const double lambda = self->mistake == LAMBDA_ONE ? 1.0 : self->rule->lambda;
    const double drift = drift_of(self, now);
    if (compensation == DCPS_COMPENSATE_DC_C) {
        return g + lambda * g * g * drift;
    }
    if (compensation == DCPS_COMPENSATE_DC_I) {
        return correct_evenly(self, g, lambda * drift);
    }
    const double spread = mean_square(self, now, squares) + 1e-7;
    const double scaled = lambda * g * drift / (self->mistake == ROOT_MISSING ? spread : sqrt(spread));
    const double bound = self->rule->correction_bound;
    if (compensation == DCPS_COMPENSATE_DC_A || self->mistake == BOUND_MISSING) {
        return g + g * scaled;
    }
    if (self->mistake == BOUND_ABSOLUTE) {
        return g + fmax(-bound, fmin(bound, g * scaled));
    }
    return g * (1.0 + fmax(-bound, fmin(bound, scaled)));
}

/* Barkai et al. 2020. The average of the squares of steps is a weighted mean: division by the sum of the weights is the correction of its start. */
static double divide_by_gap(const recurrence *self, const recurrence_update *now, double g)
{
    double sum = 0.0;
    double weights = 0.0;
    const recurrence_update *end = self->mistake == GAP_AFTER_STEP ? now + 1 : now;
    for (const recurrence_update *u = self->past; u < end; u++) {
        const double step = u == now ? g : self->mistake == GAP_OF_GRADIENT ? u->gradient : u->direction;
        sum = 0.999 * sum + 0.001 * step * step;
        weights = 0.999 * weights + 0.001;
    }
    if (weights == 0.0) {
        return g;
    }
    const double mean = self->mistake == GAP_UNCORRECTED ? sum : sum / weights;
    const double usual = (self->mistake == GAP_OF_RATE_NOW ? now->rate : self->rate_max) * (sqrt(mean) + 1e-8);
    const double gap = drift_of(self, now);
    return g / (1.0 + (self->mistake == GAP_SIGNED ? gap : fabs(gap)) / usual);
}

static double compensate(recurrence *self, const recurrence_update *now)
{
    const bool turned = self->mistake == CHAIN_TURNED;
    const dcps_compensation chain[] = {turned ? self->rule->then : self->rule->compensation,
                                       turned ? self->rule->compensation : self->rule->then};
    double g = now->gradient;
    for (int i = 0; i < 2; i++) {
        self->squares[i][now - self->past] = g * g;
        if (chain[i] == DCPS_COMPENSATE_GAP_AWARE) {
            g = divide_by_gap(self, now, g);
        } else if (chain[i] != 0 && chain[i] != DCPS_COMPENSATE_NONE) {
            g = correct_drift(self, chain[i], now, g, self->squares[i]);
        }
    }
    return g;
}

/* Zhang et al. 2016; Sra et al. 2016, with the sum over all updates. */
static double scale_step(const recurrence *self, const recurrence_update *now, double g)
{
    const double tau = (double)staleness_of(self, now);
    if (self->rule->step_size == DCPS_STEP_STALENESS) {
        return g / (self->mistake == STALENESS_PLUS_ONE ? tau + 1.0 : fmax(tau, 1.0));
    }
    if (self->rule->step_size != DCPS_STEP_ADADELAY) {
        return g;
    }
    double sum = 0.0;
    for (const recurrence_update *u = self->past; u <= now; u++) {
        const double s = (double)(u - self->past) + 1.0;
        const double late = (double)staleness_of(self, u);
        sum += (self->mistake == WEIGHTS_MISSING ? 1.0 : s / (s + late)) * u->gradient * u->gradient;
    }
    const double t = (double)(now - self->past) + 1.0;
    const double c = sqrt(self->mistake == SUM_NOT_MEAN ? sum : sum / t);
    return g / (self->rule->adadelay_offset + c * sqrt(t + tau));
}

/* ⌈index/M⌉ */
static uint64_t bucket_of(const recurrence *self, uint64_t index)
{
    const uint64_t size = self->mistake == BUCKET_OF_ONE ? 1 : RECURRENCE_WORKERS;
    return (index + size - 1) / size;
}

/* Shi et al. 2024: heavy ball over the buckets, from the list of all gradients: one that is `lag` buckets old has moved the weights by 1 + β + … + β^lag times itself. */
static double ordered_weight(const recurrence *self, const recurrence_update *now)
{
    const double beta = self->rule->momentum;
    const uint64_t index = (uint64_t)(now - self->past) + (self->mistake == BUCKET_AT_REPLY ? 1u : 0u);
    double weight = self->initial;
    for (const recurrence_update *u = self->past; u <= now; u++) {
        const uint64_t issued = self->mistake == LAG_IGNORED ? (uint64_t)(u - self->past) : u->issued;
        double moved = 0.0;
        for (uint64_t bucket = bucket_of(self, issued); bucket <= bucket_of(self, index); bucket++) {
            moved = beta * moved + 1.0;
        }
        weight -= u->rate * u->scaled * moved;
    }
    return weight;
}

/* The weights after this update. */
static double optimize(recurrence *self, const recurrence_update *now)
{
    const double mu = self->rule->momentum;
    const double g = now->scaled;
    const bool own = self->rule->optimizer == DCPS_OPTIMIZER_DANA && self->mistake != VELOCITY_SHARED;
    double *v = &self->velocity[own ? now->worker : 0];
    if (self->rule->optimizer == DCPS_OPTIMIZER_SGD) {
        return self->weight - now->rate * g;
    }
    if (self->rule->optimizer == DCPS_OPTIMIZER_ORMO && self->mistake != HEAVY_BALL) {
        return ordered_weight(self, now);
    }
    if (self->rule->optimizer == DCPS_OPTIMIZER_NESTEROV && self->mistake != HEAVY_BALL) {
        /* Sutskever et al. 2013, with η constant: v ← μ·v − η·g, θ ← θ + v, and gradients are taken at θ + μ·v. */
        const double theta = self->weight - mu * *v;
        *v = mu * *v - now->rate * g;
        return theta + *v + mu * *v;
    }
    *v = mu * *v + g;
    self->sum += *v;
    return self->weight - now->rate * *v;
}

/* Hakimi et al. 2019: what a worker is sent. */
static double show(const recurrence *self, uint32_t receiver, double next_rate)
{
    const bool late = self->mistake == LOOKAHEAD_OF_NOW && self->count > 0;
    const double ahead = (late ? self->past[self->count - 1].rate : next_rate) * self->rule->momentum;
    double sum = 0.0;
    if (self->rule->optimizer != DCPS_OPTIMIZER_DANA || self->mistake == LOOKAHEAD_MISSING) {
        return self->weight;
    }
    for (uint32_t worker = 0; worker < RECURRENCE_WORKERS; worker++) {
        sum += self->mistake != LOOKAHEAD_OWN || worker == receiver ? self->velocity[worker] : 0.0;
    }
    return self->weight - ahead * (self->mistake == SUM_OF_PUSHES ? self->sum : sum);
}

void recurrence_begin(recurrence *self, const dcps_rule_config *rule, recurrence_mistake mistake, double weight,
                      double rate_max)
{
    *self = (recurrence){.rule = rule, .mistake = mistake, .rate_max = rate_max, .initial = weight, .weight = weight};
    for (uint32_t worker = 0; worker < RECURRENCE_WORKERS; worker++) {
        self->shown[worker] = weight;
        self->bak[worker] = mistake == BAK_ZERO ? 0.0 : weight;
    }
}

void recurrence_pull(recurrence *self, uint32_t worker, double next_rate)
{
    self->shown[worker] = show(self, worker, next_rate);
    if (self->mistake == DROP_WITHOUT_PULL && self->dropped[worker]) {
        return;
    }
    self->pulled[worker] = self->count;
    self->bak[worker] = self->mistake == BAK_IS_WEIGHTS ? self->weight : self->shown[worker];
    if (self->mistake == BAK_SHARED) {
        self->bak[0] = self->shown[worker];
    }
}

/* Maranjyan et al. 2025 */
static bool is_too_late(const recurrence *self, uint32_t worker)
{
    return self->cut_off > 0 && self->count - self->pulled[worker] >= self->cut_off && self->mistake != DROP_IGNORED;
}

void recurrence_apply(recurrence *self, uint32_t worker, double gradient, double rate)
{
    self->dropped[worker] = is_too_late(self, worker);
    if (self->dropped[worker]) {
        return;
    }
    recurrence_update *now = &self->past[self->count];
    *now = (recurrence_update){.worker = worker, .issued = self->pulled[worker], .gradient = gradient, .rate = rate};
    double g = compensate(self, now);
    g += self->rule->weight_decay * self->weight;
    now->scaled = scale_step(self, now, g);
    const double before = self->weight;
    self->weight = optimize(self, now);
    now->direction = (before - self->weight) / rate;
    self->count++;
}

void recurrence_push(recurrence *self, uint32_t worker, double gradient, double rate, double next_rate)
{
    recurrence_apply(self, worker, gradient, rate);
    recurrence_pull(self, worker, next_rate);
}
