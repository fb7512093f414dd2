#include "tensor/ops.h"
#include "tensor/tape_state.h"

/* Labels come from data files: one out of range would read and write beyond the row. Counts the rows that are not ignored. */
static dcps_status labels_check(const dcps_cross_entropy_attributes *is, size_t rows, size_t classes, uint64_t *counted)
{
    if (is->labels == NULL) {
        return dcps_fail(DCPS_INVALID, "%s: labels are NULL", dcps_op_name(DCPS_OP_CROSS_ENTROPY));
    }
    for (size_t i = 0; i < rows; i++) {
        if (!dcps_cross_entropy_counts(is, i)) {
            continue;
        }
        if ((size_t)is->labels[i] >= classes) { /* a negative one is huge */
            return dcps_fail(DCPS_INVALID, "%s: the label of row %zu is %d, logits [%zu, %zu] allow 0 … %zu",
                             dcps_op_name(DCPS_OP_CROSS_ENTROPY), i, is->labels[i], rows, classes, classes - 1);
        }
        ++*counted;
    }
    return DCPS_OK;
}

/* logits [rows, classes], labels [rows] → [] */
dcps_tensor *dcps_tape_cross_entropy_with(dcps_tape *tape, dcps_tensor *logits, const int32_t *labels,
                                          const dcps_cross_entropy_options *options)
{
    dcps_call *call = dcps_tape_begin(tape, DCPS_OP_CROSS_ENTROPY, 1, &logits);
    if (call == NULL) {
        return NULL;
    }
    if (logits->dim_count != 2) {
        return dcps_tape_refuse(tape, call, "logits [rows, classes]");
    }
    if (options == NULL || !(options->label_smoothing >= 0.0f && options->label_smoothing < 1.0f)) {
        return dcps_tape_refuse(tape, call, "options with a label smoothing of at least 0 and below 1");
    }
    dcps_cross_entropy_attributes attributes = {.labels = labels,
                                                .ignore = options->ignore,
                                                .ignored_label = options->ignored_label,
                                                .smoothing = options->label_smoothing};
    uint64_t counted = 0;
    dcps_status status = labels_check(&attributes, logits->dims[0], logits->dims[1], &counted);
    if (status != DCPS_OK) {
        return dcps_tape_fail(tape, status);
    }
    attributes.labels = dcps_tape_upload(tape, labels, logits->dims[0] * sizeof(*labels));
    attributes.counted = dcps_tape_keep(tape, &counted, sizeof(counted));
    if (attributes.labels == NULL || attributes.counted == NULL ||
        !dcps_tape_attach(tape, call, &attributes, sizeof(attributes))) {
        return NULL;
    }
    return dcps_tape_run(tape, call, 0, NULL);
}

dcps_tensor *dcps_tape_cross_entropy(dcps_tape *tape, dcps_tensor *logits, const int32_t *labels)
{
    return dcps_tape_cross_entropy_with(tape, logits, labels, &(dcps_cross_entropy_options){.ignore = false});
}
