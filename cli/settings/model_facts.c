#include "cli/settings/model_facts.h"

#include <string.h>

#include "cli/settings/run_options.h"
#include "worker/assignments.h"
#include "worker/data/file_reader.h"
#include "worker/loaded_model.h"

static bool has_option(const dcps_model *model, const char *name)
{
    for (const dcps_option *option = model->options; option != NULL && option->name != NULL; option++) {
        if (strcmp(option->name, name) == 0) {
            return true;
        }
    }
    return false;
}

dcps_status dcps_model_facts_read(const dcps_options *options, dcps_model_facts *facts)
{
    dcps_assignments assignments = {.count = 0};
    dcps_loaded_model loaded = {.plugin = NULL};
    const uint64_t before = dcps_file_reader_digest();
    dcps_status status = dcps_assignments_init(dcps_options_text(options, "model-opt"), &assignments);
    if (status == DCPS_OK) {
        status = dcps_loaded_model_open(dcps_options_text(options, "model"), assignments.texts, assignments.count,
                                        dcps_options_text(options, "data"), &loaded);
    }
    if (status == DCPS_OK) {
        const uint64_t digest = dcps_file_reader_digest() - before;
        *facts = (dcps_model_facts){.train_samples = loaded.info.train_samples,
                                    .holds_out = has_option(loaded.model, DCPS_HOLD_OUT_OPTION),
                                    .has_files = digest != 0,
                                    .files_digest = digest};
    }
    dcps_loaded_model_close(&loaded);
    dcps_assignments_fini(&assignments);
    return status;
}
