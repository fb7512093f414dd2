/* Convolution by oneDNN, on images in blocks of channels where these come out even, and channels last where not. Weights come row-major and are put into the layout that the primitive likes best: a few
 * kilobytes against megabytes of images. */
#include "tensor/cpu/kernels.h"
#include "tensor/cpu/loops.h"
#include "tensor/cpu/order.h"
#include "tensor/cpu/primitive.h"
#include "tensor/ops.h"

/* What a key's numbers are. */
enum {
    BATCH,
    CHANNELS,
    HEIGHT,
    WIDTH,
    FILTERS,
    KERNEL_HEIGHT,
    KERNEL_WIDTH,
    Y_HEIGHT,
    Y_WIDTH,
    STRIDE,
    PADDING,
    WAY,
    X_ORDER,
    Y_ORDER
};
enum { FORWARD, BACKWARD_X, BACKWARD_W }; /* ways */

#define CACHED_BYTES ((size_t)512 << 10)
#define MIN_IMAGES 8u /* enough for several threads to share */

static dnnl_format_tag_t tag_of(int64_t order)
{
    if (order == DCPS_CHANNELS_BLOCKED) {
        return dcps_cpu_channel_block() == 16 ? dnnl_nChw16c : dnnl_nChw8c;
    }
    return order == DCPS_CHANNELS_LAST ? dnnl_nhwc : dnnl_nchw;
}

typedef struct layouts {
    dnnl_memory_desc_t x, w, any_w, y;
} layouts;

static dnnl_status_t layouts_init(const int64_t *is, layouts *of)
{
    dnnl_dims_t x = {is[BATCH], is[CHANNELS], is[HEIGHT], is[WIDTH]};
    dnnl_dims_t w = {is[FILTERS], is[CHANNELS], is[KERNEL_HEIGHT], is[KERNEL_WIDTH]};
    dnnl_dims_t y = {is[BATCH], is[FILTERS], is[Y_HEIGHT], is[Y_WIDTH]};
    dnnl_status_t result = dnnl_memory_desc_init_by_tag(&of->x, 4, x, dnnl_f32, tag_of(is[X_ORDER]));
    if (result == dnnl_success) {
        result = dnnl_memory_desc_init_by_tag(&of->w, 4, w, dnnl_f32, dnnl_oihw);
    }
    if (result == dnnl_success) {
        result = dnnl_memory_desc_init_by_tag(&of->any_w, 4, w, dnnl_f32, dnnl_format_tag_any);
    }
    if (result == dnnl_success) {
        result = dnnl_memory_desc_init_by_tag(&of->y, 4, y, dnnl_f32, tag_of(is[Y_ORDER]));
    }
    return result;
}

/* The zeros that the last window needs behind the image: fewer than in front of it, or even less than none, when the stride does not come out even. */
static int64_t padding_behind(const int64_t *is, int size, int kernel, int places)
{
    return (is[places] - 1) * is[STRIDE] + is[kernel] - is[size] - is[PADDING];
}

static dnnl_status_t make_by(dnnl_alg_kind_t algorithm, const dcps_primitive_key *key, dnnl_engine_t engine,
                             const_dnnl_primitive_attr_t attr, dnnl_primitive_desc_t *desc)
{
    const int64_t *is = key->numbers;
    layouts of;
    dnnl_status_t result = layouts_init(is, &of);
    if (result != dnnl_success) {
        return result;
    }
    dnnl_dims_t strides = {is[STRIDE], is[STRIDE]}, before = {is[PADDING], is[PADDING]};
    dnnl_dims_t behind = {padding_behind(is, HEIGHT, KERNEL_HEIGHT, Y_HEIGHT),
                          padding_behind(is, WIDTH, KERNEL_WIDTH, Y_WIDTH)};
    dnnl_convolution_desc_t forward_desc, backward_desc;
    dnnl_primitive_desc_t forward;
    result = dnnl_convolution_forward_desc_init(&forward_desc, dnnl_forward_training, algorithm, &of.x, &of.any_w, NULL,
                                                &of.y, strides, before, behind);
    if (result == dnnl_success) {
        result = dnnl_primitive_desc_create(&forward, &forward_desc, attr, engine, NULL);
    }
    if (result != dnnl_success) {
        return result;
    }
    if (is[WAY] == FORWARD) {
        *desc = forward;
        return dnnl_success;
    }
    if (is[WAY] == BACKWARD_X) {
        result = dnnl_convolution_backward_data_desc_init(&backward_desc, algorithm, &of.x, &of.any_w, &of.y, strides,
                                                          before, behind);
    } else {
        result = dnnl_convolution_backward_weights_desc_init(&backward_desc, algorithm, &of.x, &of.any_w, NULL, &of.y,
                                                             strides, before, behind);
    }
    if (result == dnnl_success) {
        result = dnnl_primitive_desc_create(desc, &backward_desc, attr, engine, forward);
    }
    dnnl_primitive_desc_destroy(forward);
    return result;
}

/* Whether the transforms of Winograd's algorithm cost less than the multiplications that they save (Lavin and Gray 2016, section 5.1): with 64 channels it took
 * 0.6 of the time of direct convolution here, with 32 as long. */
static bool worth_transforming(const int64_t *is)
{
    return is[X_ORDER] == DCPS_CHANNELS_BLOCKED && is[CHANNELS] >= 64 && is[FILTERS] >= 64 && is[STRIDE] == 1 &&
           is[KERNEL_HEIGHT] == 3 && is[KERNEL_WIDTH] == 3;
}

static dnnl_status_t make(const dcps_primitive_key *key, dnnl_engine_t engine, const_dnnl_primitive_attr_t attr,
                          dnnl_primitive_desc_t *desc)
{
    dnnl_status_t result = dnnl_unimplemented;
    if (worth_transforming(key->numbers)) {
        result = make_by(dnnl_convolution_winograd, key, engine, attr, desc);
    }
    if (result != dnnl_success) { /* a processor or a shape that oneDNN has no such kernel for */
        result = make_by(dnnl_convolution_direct, key, engine, attr, desc);
    }
    return result;
}

/* Between row-major weights and those of the convolution with the same numbers; for BACKWARD_W from these, else to them. */
static dnnl_status_t make_reorder(const dcps_primitive_key *key, dnnl_engine_t engine, const_dnnl_primitive_attr_t attr,
                                  dnnl_primitive_desc_t *desc)
{
    layouts of;
    dnnl_primitive_desc_t convolution;
    dnnl_status_t result = layouts_init(key->numbers, &of);
    if (result == dnnl_success) {
        result = make(key, engine, attr, &convolution);
    }
    if (result != dnnl_success) {
        return result;
    }
    bool from = key->numbers[WAY] == BACKWARD_W;
    const dnnl_memory_desc_t *liked = dnnl_primitive_desc_query_md(convolution, dnnl_query_exec_arg_md,
                                                                   from ? DNNL_ARG_DIFF_WEIGHTS : DNNL_ARG_WEIGHTS);
    result = dnnl_reorder_primitive_desc_create(desc, from ? liked : &of.w, engine, from ? &of.w : liked, engine, attr);
    dnnl_primitive_desc_destroy(convolution);
    return result;
}

static dcps_primitive_key key_of(const dcps_call *call, int way)
{
    const dcps_conv2d_attributes *attributes = call->attributes;
    const size_t *x = call->x[0]->dims, *w = call->x[1]->dims, *y = call->y->dims;
    const size_t numbers[] = {
        x[0], x[1], x[2], x[3], w[0], w[2], w[3], y[2], y[3], attributes->stride, attributes->padding};
    dcps_primitive_key key = {.make = make};
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        key.numbers[i] = (int64_t)numbers[i];
    }
    key.numbers[WAY] = way;
    key.numbers[X_ORDER] = call->x[0]->order;
    key.numbers[Y_ORDER] = call->y->order;
    return key;
}

/* Memory for weights as `convolution` likes them. */
static float *liked_weights(const dcps_call *call, const dcps_primitive *convolution, int which)
{
    return dcps_call_scratch(call, 1, dnnl_memory_desc_get_size(dcps_primitive_layout(convolution, which)));
}

/* The convolution's weights, in its own layout. */
static dcps_status weights_load(const dcps_call *call, dcps_primitive_key key, const dcps_primitive *convolution,
                                float **weights)
{
    *weights = liked_weights(call, convolution, DNNL_ARG_WEIGHTS);
    if (*weights == NULL) {
        return DCPS_NO_MEMORY;
    }
    key.make = make_reorder;
    return dcps_primitive_call(
        call, &key, 2, (dcps_primitive_argument[]){{DNNL_ARG_FROM, call->x[1]->values}, {DNNL_ARG_TO, *weights}});
}

static dcps_status forward(const dcps_call *call, float *y)
{
    dcps_primitive_key key = key_of(call, FORWARD);
    dcps_primitive *convolution;
    float *weights;
    dcps_status status = dcps_primitive_find(call, &key, &convolution);
    if (status == DCPS_OK) {
        status = weights_load(call, key, convolution, &weights);
    }
    if (status != DCPS_OK) {
        return status;
    }
    return dcps_primitive_run(call, convolution, 3,
                              (dcps_primitive_argument[]){
                                  {DNNL_ARG_SRC, call->x[0]->values}, {DNNL_ARG_WEIGHTS, weights}, {DNNL_ARG_DST, y}});
}

/* Where oneDNN, which overwrites, shall write: the slot itself, or scratch memory when the slot is to be added to. */
static float *target(const dcps_call *call, const dcps_gradient_slot *slot, size_t count)
{
    return slot->add ? dcps_call_scratch(call, count, sizeof(float)) : slot->values;
}

/* Images whose gradients are computed at a time: all, unless these are to be added to what is there. Then as many as leave them in the second-level cache,
 * where the sum finds them. */
static size_t images_at_a_time(const dcps_call *call, const dcps_gradient_slot *dx)
{
    size_t images = call->x[0]->dims[0], image = call->x[0]->count / images;
    while (dx->add && images % 2 == 0 && images > MIN_IMAGES && images * image * sizeof(float) > CACHED_BYTES) {
        images /= 2;
    }
    return images;
}

static dcps_status backward_x(const dcps_call *call, const float *dy, const dcps_gradient_slot *dx)
{
    dcps_primitive_key key = key_of(call, BACKWARD_X);
    dcps_primitive *convolution;
    size_t images = images_at_a_time(call, dx), batch = call->x[0]->dims[0];
    size_t piece = call->x[0]->count / batch * images, dy_piece = call->y->count / batch * images;
    float *weights, *to = target(call, dx, piece);
    if (to == NULL) {
        return DCPS_NO_MEMORY;
    }
    key.numbers[BATCH] = (int64_t)images;
    dcps_status status = dcps_primitive_find(call, &key, &convolution);
    if (status == DCPS_OK) {
        status = weights_load(call, key, convolution, &weights);
    }
    for (size_t i = 0; i < batch / images && status == DCPS_OK; i++) {
        status = dcps_primitive_run(call, convolution, 3,
                                    (dcps_primitive_argument[]){{DNNL_ARG_DIFF_DST, dy + i * dy_piece},
                                                                {DNNL_ARG_WEIGHTS, weights},
                                                                {DNNL_ARG_DIFF_SRC, to}});
        if (status == DCPS_OK && dx->add) {
            dcps_cpu_put(dx, i * piece, piece, 1.0f, to);
        }
    }
    return status;
}

static dcps_status backward_w(const dcps_call *call, const float *dy, const dcps_gradient_slot *dw)
{
    dcps_primitive_key key = key_of(call, BACKWARD_W);
    dcps_primitive *convolution;
    dcps_status status = dcps_primitive_find(call, &key, &convolution);
    if (status != DCPS_OK) {
        return status;
    }
    float *liked = liked_weights(call, convolution, DNNL_ARG_DIFF_WEIGHTS), *to = target(call, dw, call->x[1]->count);
    if (liked == NULL || to == NULL) {
        return DCPS_NO_MEMORY;
    }
    status = dcps_primitive_run(call, convolution, 3,
                                (dcps_primitive_argument[]){{DNNL_ARG_SRC, call->x[0]->values},
                                                            {DNNL_ARG_DIFF_DST, dy},
                                                            {DNNL_ARG_DIFF_WEIGHTS, liked}});
    key.make = make_reorder;
    if (status == DCPS_OK) {
        status =
            dcps_primitive_call(call, &key, 2, (dcps_primitive_argument[]){{DNNL_ARG_FROM, liked}, {DNNL_ARG_TO, to}});
    }
    if (status == DCPS_OK && dw->add) {
        dcps_cpu_put(dw, 0, call->x[1]->count, 1.0f, to);
    }
    return status;
}

static dcps_status backward(const dcps_call *call, const float *dy, const dcps_gradient_slot *dx)
{
    dcps_status status = DCPS_OK;
    if (dx[0].values != NULL) {
        status = backward_x(call, dy, &dx[0]);
    }
    if (status == DCPS_OK && dx[1].values != NULL) {
        status = backward_w(call, dy, &dx[1]);
    }
    return status;
}

/* Both x and y in blocks, or both channels last. Only an image of few channels, whose gradient nobody wants, is read row-major as it comes: oneDNN has
 * a kernel of its own for the first layer of a net. */
static dcps_order choose(const dcps_call *call, const size_t *y_dims, uint32_t input)
{
    const dcps_tensor *x = call->x[0];
    size_t block = dcps_cpu_channel_block();
    bool first_layer = x->dims[1] <= 3 && x->order == DCPS_ROW_MAJOR && !x->differentiable;
    if (input == 1) {
        return DCPS_ROW_MAJOR;
    }
    if (y_dims[1] % block != 0 || (x->dims[1] % block != 0 && !first_layer)) {
        return DCPS_CHANNELS_LAST;
    }
    return input == 0 && first_layer ? DCPS_ROW_MAJOR : DCPS_CHANNELS_BLOCKED;
}

const dcps_kernel dcps_cpu_conv2d = {
    .takes = DCPS_TAKES_CHOSEN, .choose = choose, .forward = forward, .backward = backward};
