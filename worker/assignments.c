#include "worker/assignments.h"

#include <string.h>

#include "base/alloc.h"

dcps_status dcps_assignments_init(const char *lines, dcps_assignments *assignments)
{
    dcps_assignments made = {.count = 0};
    if (lines != NULL) {
        made.memory = dcps_strdup(lines);
        if (made.memory == NULL) {
            return dcps_fail(DCPS_NO_MEMORY, "no memory for the model's options");
        }
    }
    char *rest = made.memory;
    while (rest != NULL && made.count < DCPS_MAX_ASSIGNMENTS) {
        made.texts[made.count++] = strsep(&rest, "\n");
    }
    if (rest != NULL) {
        dcps_assignments_fini(&made);
        return dcps_fail(DCPS_INVALID, "--model-opt is given more than %u times", DCPS_MAX_ASSIGNMENTS);
    }
    *assignments = made;
    return DCPS_OK;
}

void dcps_assignments_fini(dcps_assignments *assignments)
{
    dcps_free(assignments->memory);
    *assignments = (dcps_assignments){.count = 0};
}
