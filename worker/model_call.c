#include "worker/model_call.h"

void dcps_model_call_begin(void)
{
    (void)dcps_fail(DCPS_OK, "%s", "");
}

dcps_status dcps_model_call_end(const dcps_model *model, const char *function, dcps_status status)
{
    if (status == DCPS_OK) {
        return DCPS_OK;
    }
    const char *reason = dcps_error_message();
    return reason[0] != '\0' ? dcps_fail(status, "model %s, %s: %s", model->name, function, reason)
                             : dcps_fail(status, "model %s, %s: failed without a reason (%s, status %d)", model->name,
                                         function, dcps_status_text(status), (int)status);
}
