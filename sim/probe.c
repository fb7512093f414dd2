#include "sim/probe.h"

#include <assert.h>
#include <string.h>

#include "base/alloc.h"
#include "base/rng.h"

/* Of δ, each way, for the difference that gives Hδ. A shorter way would meet few of the kinks of a ReLU net, and count these few for much. */
#define ALONG 0.25F
/* Of every weight, each way, for that of a vector of signs. */
#define ACROSS 0.0009765625F

/* A rule, and the state it would have. */
typedef struct probe_shadow {
    dcps_rule *rule;
    dcps_rule_block block; /* its weights are 0 before an update, hence −g̃ after it */
    double bound;          /* of |g̃ − g|/|g|; 0: the rule sets none */
} probe_shadow;

struct dcps_probe {
    dcps_probe_config config;
    uint64_t params;
    uint64_t pushes;
    bool late; /* δ of the push at hand is not zero */
    probe_shadow *shadows;
    /* Scratch, [params] each. */
    float *drift;
    float *pulled; /* −δ: what rules see as pulled, with weights of zero */
    float *change;
    float *product;
    float *correction;
    float *point; /* weights to differentiate at */
    float *ahead; /* gradients there */
    float *behind;
    double *sums;    /* over samples or vectors */
    double *squares; /* … and of the squares */
};

/* ---- rules ---- */

/* Of the compensations alone: what follows them is plain SGD, and states are the block's. */
static dcps_rule_config compensation_of(const dcps_rule_config *config)
{
    return (dcps_rule_config){.compensation = config->compensation,
                              .then = config->then,
                              .lambda = config->lambda,
                              .mean_square_decay = config->mean_square_decay,
                              .correction_bound = config->correction_bound,
                              .optimizer = DCPS_OPTIMIZER_SGD};
}

static double bound_of(const dcps_rule_config *config)
{
    bool alone = config->then == 0 || config->then == DCPS_COMPENSATE_NONE;
    bool bounds = config->compensation == DCPS_COMPENSATE_DC_B || config->compensation == DCPS_COMPENSATE_DC_I;
    return alone && bounds ? config->correction_bound : 0.0;
}

static dcps_status make_shadow(const dcps_probe *probe, const dcps_rule_config *asked, probe_shadow *shadow)
{
    const dcps_rule_config config = compensation_of(asked);
    dcps_status status = dcps_rule_create(&config, &shadow->rule);
    if (status != DCPS_OK) {
        return status;
    }
    assert(dcps_rule_worker_state_count(shadow->rule) == 0);
    shadow->bound = bound_of(&config);
    shadow->block.count = probe->params;
    shadow->block.weights = dcps_alloc_aligned(probe->params, sizeof(float));
    bool complete = shadow->block.weights != NULL;
    for (uint32_t i = 0; i < dcps_rule_state_count(shadow->rule); i++) {
        shadow->block.states[i] = dcps_alloc_aligned(probe->params, sizeof(float));
        complete = complete && shadow->block.states[i] != NULL;
    }
    return complete ? DCPS_OK : dcps_fail(DCPS_NO_MEMORY, "no memory for a rule to probe");
}

/* Lets the rule see the push; −g̃ is then in its weights. */
static void advance(dcps_probe *probe, probe_shadow *shadow, const dcps_world_push *push)
{
    const dcps_rule_push update = {.gradient = push->gradient,
                                   .pulled = probe->pulled,
                                   .step_size = 1.0F,
                                   .step_size_next = 1.0F,
                                   .step_size_max = (float)probe->config.step_size_max,
                                   .staleness = push->staleness,
                                   .workers = 1};
    memset(shadow->block.weights, 0, probe->params * sizeof(float));
    dcps_rule_apply(shadow->rule, &shadow->block, &update, probe->correction);
    for (uint32_t i = 0; i < dcps_rule_state_count(shadow->rule); i++) {
        shadow->block.state_updates[i]++;
    }
}

static void advance_all(dcps_probe *probe, const dcps_world_push *push)
{
    probe->late = false;
    for (uint64_t i = 0; i < probe->params; i++) {
        probe->drift[i] = push->weights[i] - push->pulled[i];
        probe->pulled[i] = -probe->drift[i];
        probe->late = probe->late || probe->drift[i] != 0.0F;
    }
    for (uint32_t i = 0; i < probe->config.rule_count; i++) {
        advance(probe, &probe->shadows[i], push);
    }
}

/* ---- what is true ---- */

static dcps_status gradient_at(dcps_probe *probe, const dcps_world_push *push, const float *weights, float *gradient)
{
    const dcps_probe_config *config = &probe->config;
    return config->gradient(config->gradient_context, push->process, 0, push->samples, weights, gradient);
}

/* product = H(w_b)·v by the central difference of gradients at w_b ± step·v. */
static dcps_status differentiate_along(dcps_probe *probe, const dcps_world_push *push, const float *v, float step,
                                       float *product)
{
    dcps_status status = DCPS_OK;
    float *const sides[] = {probe->ahead, probe->behind};
    for (int side = 0; status == DCPS_OK && side < 2; side++) {
        const float signed_step = side == 0 ? step : -step;
        for (uint64_t i = 0; i < probe->params; i++) {
            probe->point[i] = push->pulled[i] + signed_step * v[i];
        }
        status = gradient_at(probe, push, probe->point, sides[side]);
    }
    for (uint64_t i = 0; status == DCPS_OK && i < probe->params; i++) {
        product[i] = (probe->ahead[i] - probe->behind[i]) / (2.0F * step);
    }
    return status;
}

static dcps_status find_target(dcps_probe *probe, const dcps_world_push *push)
{
    dcps_status status = gradient_at(probe, push, push->weights, probe->change);
    for (uint64_t i = 0; i < probe->params; i++) {
        probe->change[i] -= push->gradient[i];
    }
    return status == DCPS_OK ? differentiate_along(probe, push, probe->drift, ALONG, probe->product) : status;
}

/* ---- findings ---- */

static void found(const dcps_probe *probe, const dcps_world_push *push, const char *candidate, const char *tensor,
                  const dcps_probe_sums *sums)
{
    const dcps_probe_row row = {.push = push, .candidate = candidate, .tensor = tensor, .sums = sums};
    probe->config.found(probe->config.found_context, &row);
}

/* Holds what is in `correction` against the target, over each trained tensor and over all. */
static void hold(const dcps_probe *probe, const dcps_world_push *push, const char *candidate, const double *squares,
                 double bound)
{
    const dcps_probe_target target = {
        .gradient = push->gradient, .drift = probe->drift, .change = probe->change, .product = probe->product};
    const dcps_probe_correction correction = {.values = probe->correction, .squares = squares, .bound = bound};
    dcps_probe_sums all = {.params = 0};
    for (uint32_t i = 0; i < dcps_layout_tensor_count(probe->config.layout); i++) {
        const dcps_layout_tensor *tensor = dcps_layout_tensor_at(probe->config.layout, i);
        dcps_probe_sums sums = {.params = 0};
        if (tensor->average_rate > 0.0F) {
            continue;
        }
        dcps_probe_sums_add(&sums, &target, &correction, tensor->offset_params, tensor->count_params);
        dcps_probe_sums_join(&all, &sums);
        found(probe, push, candidate, tensor->name, &sums);
    }
    found(probe, push, candidate, NULL, &all);
}

static void hold_rules(dcps_probe *probe, const dcps_world_push *push)
{
    for (uint32_t rule = 0; rule < probe->config.rule_count; rule++) {
        const probe_shadow *shadow = &probe->shadows[rule];
        for (uint64_t i = 0; i < probe->params; i++) {
            probe->correction[i] = -shadow->block.weights[i] - push->gradient[i];
        }
        hold(probe, push, probe->config.rules[rule].name, NULL, shadow->bound);
    }
}

static float sign_of(float value)
{
    return (float)((value > 0.0F) - (value < 0.0F));
}

/* References that cost nothing: of each, what matters is how it does at its best scale. */
typedef struct probe_reference {
    const char *name;
    float (*correct)(float gradient, float drift);
} probe_reference;

/* The gradient itself: longer or shorter, in the same direction. */
static float correct_scale(float gradient, float drift)
{
    (void)drift;
    return gradient;
}

/* One curvature for all parameters. */
static float correct_drift(float gradient, float drift)
{
    (void)gradient;
    return drift;
}

/* dc-b as λ → ∞ with a bound of 1: a gradient is doubled or dropped. */
static float correct_sign(float gradient, float drift)
{
    return gradient * sign_of(gradient * drift);
}

/* dc-c with λ = 1. */
static float correct_square(float gradient, float drift)
{
    return gradient * (gradient * drift);
}

static void hold_references(dcps_probe *probe, const dcps_world_push *push)
{
    static const probe_reference references[] = {
        {"scale", correct_scale}, {"drift", correct_drift}, {"sign", correct_sign}, {"square", correct_square}};
    for (size_t k = 0; k < sizeof(references) / sizeof(references[0]); k++) {
        for (uint64_t i = 0; i < probe->params; i++) {
            probe->correction[i] = references[k].correct(push->gradient[i], probe->drift[i]);
        }
        hold(probe, push, references[k].name, NULL, 0.0);
    }
}

/* ⟨gradient, δ⟩ over trained tensors. */
static double along_drift(const dcps_probe *probe, const float *gradient)
{
    double sum = 0.0;
    for (uint32_t k = 0; k < dcps_layout_tensor_count(probe->config.layout); k++) {
        const dcps_layout_tensor *tensor = dcps_layout_tensor_at(probe->config.layout, k);
        const uint64_t end = tensor->average_rate > 0.0F ? 0 : tensor->offset_params + tensor->count_params;
        for (uint64_t i = tensor->offset_params; i < end; i++) {
            sum += (double)gradient[i] * (double)probe->drift[i];
        }
    }
    return sum;
}

/* g·⟨g, δ⟩: the whole of the outer product, of which dc-c takes the diagonal. */
static void hold_outer(dcps_probe *probe, const dcps_world_push *push)
{
    const double along = along_drift(probe, push->gradient);
    for (uint64_t i = 0; i < probe->params; i++) {
        probe->correction[i] = (float)((double)push->gradient[i] * along);
    }
    hold(probe, push, "outer", NULL, 0.0);
}

/* Adds g_i⊙g_i⊙δ and g_i·⟨g_i, δ⟩ of a sample. */
static dcps_status add_sample(dcps_probe *probe, const dcps_world_push *push, uint32_t sample)
{
    const dcps_probe_config *config = &probe->config;
    dcps_status status =
        config->gradient(config->gradient_context, push->process, sample, 1, push->pulled, probe->ahead);
    if (status != DCPS_OK) {
        return status;
    }
    const double along = along_drift(probe, probe->ahead);
    for (uint64_t i = 0; i < probe->params; i++) {
        const double g = (double)probe->ahead[i];
        probe->squares[i] += g * g * (double)probe->drift[i];
        probe->sums[i] += g * along;
    }
    return DCPS_OK;
}

static void hold_mean(dcps_probe *probe, const dcps_world_push *push, const char *candidate, const double *sums)
{
    for (uint64_t i = 0; i < probe->params; i++) {
        probe->correction[i] = (float)(sums[i] / push->samples);
    }
    hold(probe, push, candidate, NULL, 0.0);
}

/* The same two with the mean over samples, which is what the expectation in the theory of dc-c is taken over, in the place of the gradient of the mini-batch: the diagonal of the empirical Fisher matrix, and
 * the whole of it. */
static dcps_status hold_samples(dcps_probe *probe, const dcps_world_push *push)
{
    memset(probe->sums, 0, probe->params * sizeof(double));
    memset(probe->squares, 0, probe->params * sizeof(double));
    for (uint32_t sample = 0; sample < push->samples; sample++) {
        dcps_status status = add_sample(probe, push, sample);
        if (status != DCPS_OK) {
            return status;
        }
    }
    hold_mean(probe, push, "sample-squares", probe->squares);
    hold_mean(probe, push, "sample-outer", probe->sums);
    return DCPS_OK;
}

/* Adds z⊙Hz⊙δ for one vector z of random signs, whose expectation is diag(H)⊙δ (Hutchinson 1990; Bekas et al. 2007). */
static dcps_status add_vector(dcps_probe *probe, const dcps_world_push *push, dcps_rng *rng)
{
    float *const signs = probe->correction;
    for (uint64_t i = 0; i < probe->params; i++) {
        signs[i] = dcps_rng_next(rng) >> 63 != 0 ? 1.0F : -1.0F;
    }
    dcps_status status = differentiate_along(probe, push, signs, ACROSS, probe->ahead);
    for (uint64_t i = 0; status == DCPS_OK && i < probe->params; i++) {
        const double value = (double)signs[i] * (double)probe->ahead[i] * (double)probe->drift[i];
        probe->sums[i] += value;
        probe->squares[i] += value * value;
    }
    return status;
}

/* The diagonal of the Hessian from K vectors: its mean X̄ has noise, which would count as a part of ‖c‖²; the mean of X_k·X_l over pairs k ≠ l has none on average. */
static dcps_status hold_diagonal(dcps_probe *probe, const dcps_world_push *push)
{
    const double count = probe->config.vectors;
    dcps_rng rng;
    dcps_rng_seed_stream(&rng, probe->config.seed, "probe", push->batch);
    memset(probe->sums, 0, probe->params * sizeof(double));
    memset(probe->squares, 0, probe->params * sizeof(double));
    for (uint32_t k = 0; k < probe->config.vectors; k++) {
        dcps_status status = add_vector(probe, push, &rng);
        if (status != DCPS_OK) {
            return status;
        }
    }
    for (uint64_t i = 0; i < probe->params; i++) {
        probe->correction[i] = (float)(probe->sums[i] / count);
        probe->squares[i] = (probe->sums[i] * probe->sums[i] - probe->squares[i]) / (count * (count - 1.0));
    }
    hold(probe, push, "hessian-diagonal", probe->squares, 0.0);
    return DCPS_OK;
}

dcps_status dcps_probe_watch(void *context, const dcps_world_push *push)
{
    dcps_probe *probe = context;
    advance_all(probe, push);
    if (probe->pushes++ % probe->config.every != 0 || !probe->late) {
        return DCPS_OK;
    }
    dcps_status status = find_target(probe, push);
    if (status == DCPS_OK) {
        hold_rules(probe, push);
        hold_references(probe, push);
        hold_outer(probe, push);
    }
    if (status == DCPS_OK && probe->config.each_sample) {
        status = hold_samples(probe, push);
    }
    return status == DCPS_OK && probe->config.vectors > 1 ? hold_diagonal(probe, push) : status;
}

/* ---- making it ---- */

static dcps_status make_scratch(dcps_probe *probe)
{
    float **const vectors[] = {&probe->drift,      &probe->pulled, &probe->change, &probe->product,
                               &probe->correction, &probe->point,  &probe->ahead,  &probe->behind};
    bool complete = true;
    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        *vectors[i] = dcps_alloc_aligned(probe->params, sizeof(float));
        complete = complete && *vectors[i] != NULL;
    }
    probe->sums = dcps_alloc(probe->params, sizeof(double));
    probe->squares = dcps_alloc(probe->params, sizeof(double));
    probe->shadows = dcps_alloc(probe->config.rule_count + 1, sizeof(*probe->shadows));
    complete = complete && probe->sums != NULL && probe->squares != NULL && probe->shadows != NULL;
    return complete ? DCPS_OK : dcps_fail(DCPS_NO_MEMORY, "no memory for a probe");
}

dcps_status dcps_probe_create(const dcps_probe_config *config, dcps_probe **probe)
{
    assert(config->every > 0);
    dcps_probe *made = dcps_alloc(1, sizeof(*made));
    if (made == NULL) {
        return dcps_fail(DCPS_NO_MEMORY, "no memory for a probe");
    }
    made->config = *config;
    made->params = dcps_layout_total_params(config->layout);
    dcps_status status = make_scratch(made);
    for (uint32_t i = 0; status == DCPS_OK && i < config->rule_count; i++) {
        status = make_shadow(made, &config->rules[i].config, &made->shadows[i]);
    }
    if (status != DCPS_OK) {
        dcps_probe_destroy(&made);
        return status;
    }
    *probe = made;
    return DCPS_OK;
}

static void destroy_shadow(probe_shadow *shadow)
{
    dcps_rule_destroy(&shadow->rule);
    dcps_free(shadow->block.weights);
    for (uint32_t i = 0; i < DCPS_RULE_MAX_STATES; i++) {
        dcps_free(shadow->block.states[i]);
    }
}

void dcps_probe_destroy(dcps_probe **probe)
{
    dcps_probe *old = *probe;
    if (old == NULL) {
        return;
    }
    for (uint32_t i = 0; old->shadows != NULL && i < old->config.rule_count; i++) {
        destroy_shadow(&old->shadows[i]);
    }
    dcps_free(old->shadows);
    dcps_free(old->drift);
    dcps_free(old->pulled);
    dcps_free(old->change);
    dcps_free(old->product);
    dcps_free(old->correction);
    dcps_free(old->point);
    dcps_free(old->ahead);
    dcps_free(old->behind);
    dcps_free(old->sums);
    dcps_free(old->squares);
    dcps_free(old);
    *probe = NULL;
}
