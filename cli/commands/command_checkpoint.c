/* dcps checkpoint: makes running servers write one. */
#include <stdio.h>

#include "base/log.h"
#include "cli/commands/ask.h"
#include "cli/commands/commands.h"
#include "cli/common/command.h"

static const dcps_option checkpoint_options[] = {{.name = "timeout",
                                                  .type = DCPS_OPTION_INTEGER,
                                                  .default_text = "60",
                                                  .value_name = "SECONDS",
                                                  .help = "How long to wait for the checkpoint",
                                                  .minimum = 1,
                                                  .maximum = 86400},
                                                 {.name = NULL}};

static const dcps_program checkpoint_program = {.name = "dcps checkpoint",
                                                .summary = "Makes servers write a checkpoint now.",
                                                .arguments = "HOST:PORT[,HOST:PORT…]",
                                                .options = checkpoint_options};

static bool checkpoint_known(const dcps_server_view *view)
{
    return view->checkpoint_known;
}

/* Says what each server answered; the exit code. */
static int tell_checkpoints(dcps_monitor *monitor)
{
    int code = DCPS_EXIT_GOOD;
    for (uint32_t i = 0; i < dcps_monitor_server_count(monitor); i++) {
        const dcps_server_view *view = dcps_monitor_server(monitor, i);
        const char *address = dcps_monitor_address(monitor, i);
        if (!view->checkpoint_known) {
            code = DCPS_EXIT_FAILED;
        } else if (view->checkpoint_status == DCPS_OK) {
            (void)printf("%s  %s\n", address, view->checkpoint_text);
        } else {
            dcps_error("server at %s: %s", address, view->checkpoint_text);
            code = view->checkpoint_status == DCPS_AGAIN ? DCPS_EXIT_TRY_AGAIN : DCPS_EXIT_FAILED;
        }
    }
    return code;
}

int dcps_command_checkpoint(int argc, char **argv)
{
    dcps_options *options = NULL;
    dcps_monitor *monitor = NULL;
    int code = 0;
    if (!dcps_ask_open(&checkpoint_program, argc, argv, &options, &monitor, &code)) {
        return code;
    }
    int64_t timeout_s = dcps_options_integer(options, "timeout");
    dcps_status status = dcps_monitor_ask_checkpoint(monitor);
    if (status == DCPS_OK) {
        (void)dcps_ask_await(monitor, checkpoint_known, timeout_s);
        code = tell_checkpoints(monitor);
    } else {
        code = dcps_command_code(status, false);
    }
    dcps_monitor_destroy(&monitor);
    dcps_options_destroy(&options);
    return code;
}
