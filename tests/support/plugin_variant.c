/* Model plugins for the tests of the plugin host, one for each VARIANT: a usable one and three that must be refused. */
#include <dcps/model.h>

#define VARIANT_GOOD 0
#define VARIANT_OLD_ABI 1
#define VARIANT_NO_SYMBOL 2
#define VARIANT_NULL_FUNCTION 3

#if VARIANT != VARIANT_NO_SYMBOL
static dcps_status variant_open(const dcps_options *options, const char *data_dir, void **state)
{
    (void)options, (void)data_dir;
    *state = NULL;
    return DCPS_OK;
}

static dcps_status variant_describe(void *state, dcps_model_info *info)
{
    (void)state;
    *info = (dcps_model_info){.train_samples = 1, .dataset = "none"};
    return DCPS_OK;
}

static dcps_status variant_declare(void *state, dcps_layout *layout)
{
    (void)state, (void)layout;
    return DCPS_OK;
}

static dcps_status variant_load(void *state, const dcps_batch *batch)
{
    (void)state, (void)batch;
    return DCPS_OK;
}

#if VARIANT != VARIANT_NULL_FUNCTION
static dcps_tensor *variant_loss(void *state, dcps_tape *tape)
{
    (void)state, (void)tape;
    return NULL;
}
#endif

static dcps_status variant_evaluate(void *state, dcps_tape *tape, dcps_split split, dcps_metrics *metrics)
{
    (void)state, (void)tape, (void)split, (void)metrics;
    return DCPS_OK;
}

static void variant_close(void *state)
{
    (void)state;
}

DCPS_MODEL_EXPORT = {
#if VARIANT == VARIANT_OLD_ABI
    .abi = DCPS_MODEL_ABI + 41,
    .struct_bytes = sizeof(dcps_model),
#else
    DCPS_MODEL_HEAD,
#endif
    .name = "variant",
    .summary = "For tests.",
    .open = variant_open,
    .describe = variant_describe,
    .declare = variant_declare,
    .load = variant_load,
#if VARIANT != VARIANT_NULL_FUNCTION
    .loss = variant_loss,
#endif
    .evaluate = variant_evaluate,
    .close = variant_close,
};
#else
int not_a_model;
#endif
