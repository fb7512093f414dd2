#include "sim/probe_sums.h"

#include <math.h>

#define ROUNDING 1e-6 /* of single precision, in g + c */

static void count(dcps_probe_sums *sums, double g, double drift, double c, double bound)
{
    sums->params++;
    sums->active += g != 0.0 ? 1 : 0;
    sums->against += g * drift < 0.0 ? 1 : 0;
    sums->flipped += (g + c) * g < 0.0 ? 1 : 0;
    if (bound > 0.0 && g != 0.0 && fabs(c) >= bound * fabs(g) * (1.0 - ROUNDING)) {
        sums->bounded++;
        sums->bounded_square += g * g;
    }
}

void dcps_probe_sums_add(dcps_probe_sums *sums, const dcps_probe_target *target,
                         const dcps_probe_correction *correction, size_t first, size_t length)
{
    for (size_t i = first; i < first + length; i++) {
        const double g = (double)target->gradient[i];
        const double drift = (double)target->drift[i];
        const double change = (double)target->change[i];
        const double product = (double)target->product[i];
        const double c = (double)correction->values[i];
        count(sums, g, drift, c, correction->bound);
        sums->gradient_square += g * g;
        sums->drift_square += drift * drift;
        sums->change_square += change * change;
        sums->product_square += product * product;
        sums->gradient_drift += g * drift;
        sums->gradient_change += g * change;
        sums->gradient_product += g * product;
        sums->change_product += change * product;
        sums->correction_square += correction->squares == NULL ? c * c : correction->squares[i];
        sums->correction_gradient += c * g;
        sums->correction_change += c * change;
        sums->correction_product += c * product;
    }
}

void dcps_probe_sums_join(dcps_probe_sums *sums, const dcps_probe_sums *more)
{
    sums->params += more->params;
    sums->active += more->active;
    sums->against += more->against;
    sums->bounded += more->bounded;
    sums->flipped += more->flipped;
    sums->gradient_square += more->gradient_square;
    sums->drift_square += more->drift_square;
    sums->change_square += more->change_square;
    sums->product_square += more->product_square;
    sums->gradient_drift += more->gradient_drift;
    sums->gradient_change += more->gradient_change;
    sums->gradient_product += more->gradient_product;
    sums->change_product += more->change_product;
    sums->correction_square += more->correction_square;
    sums->correction_gradient += more->correction_gradient;
    sums->correction_change += more->correction_change;
    sums->correction_product += more->correction_product;
    sums->bounded_square += more->bounded_square;
}

dcps_probe_fit dcps_probe_fit_of(double correction_square, double correction_target, double target_square)
{
    dcps_probe_fit fit = {
        .cosine = (double)NAN, .share = (double)NAN, .best_scale = (double)NAN, .best_share = (double)NAN};
    if (target_square > 0.0) {
        fit.share = (2.0 * correction_target - correction_square) / target_square;
    }
    if (target_square > 0.0 && correction_square > 0.0) {
        fit.cosine = correction_target / sqrt(correction_square * target_square);
        fit.best_scale = correction_target / correction_square;
        fit.best_share = correction_target * fit.best_scale / target_square;
    }
    return fit;
}
