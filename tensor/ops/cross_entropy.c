#include "tensor/ops.h"
#include "tensor/tape_state.h"

/* Labels come from data files: one out of range would read and write beyond the row. */
static dcps_status labels_check(const int32_t *labels, size_t rows, size_t classes)
{
    if (labels == NULL)
        return dcps_fail(DCPS_INVALID, "%s: labels are NULL", dcps_op_name(DCPS_OP_CROSS_ENTROPY));
    for (size_t i = 0; i < rows; i++)
        if ((size_t)labels[i] >= classes) /* a negative one is huge */
            return dcps_fail(DCPS_INVALID, "%s: the label of row %zu is %d, logits [%zu, %zu] allow 0 … %zu",
                             dcps_op_name(DCPS_OP_CROSS_ENTROPY), i, labels[i], rows, classes, classes - 1);
    return DCPS_OK;
}

/* logits [rows, classes], labels [rows] → [] */
dcps_tensor *dcps_tape_cross_entropy(dcps_tape *tape, dcps_tensor *logits, const int32_t *labels)
{
    dcps_call *call = dcps_tape_begin(tape, DCPS_OP_CROSS_ENTROPY, 1, &logits);
    if (call == NULL)
        return NULL;
    if (logits->dim_count != 2)
        return dcps_tape_refuse(tape, call, "logits [rows, classes]");
    dcps_status status = labels_check(labels, logits->dims[0], logits->dims[1]);
    if (status != DCPS_OK)
        return dcps_tape_fail(tape, status);
    if (!dcps_tape_attach(tape, call, &(dcps_cross_entropy_attributes){.labels = labels},
                          sizeof(dcps_cross_entropy_attributes)))
        return NULL;
    return dcps_tape_run(tape, call, 0, NULL);
}
