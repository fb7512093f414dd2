/* dcps-server. */
#include <stdio.h>

#include "base/descriptors.h"
#include "base/exit_code.h"
#include "base/streams.h"
#include "server/daemon.h"

static int complain(dcps_status status)
{
    fprintf(stderr, "dcps-server: %s\n", dcps_error_message());
    return dcps_exit_code_of_usage(status);
}

static int run(const dcps_options *options)
{
    dcps_server_config config;
    char program[32];
    dcps_status status = dcps_server_config_read(options, &config);
    if (status != DCPS_OK) {
        return complain(status);
    }
    snprintf(program, sizeof(program), config.server_count > 1 ? "dcps-server %u" : "dcps-server", config.index);
    dcps_log_setup(program, config.log_level, config.log_json);
    return dcps_exit_code(dcps_daemon_run(&config));
}

int main(int argc, char **argv)
{
    dcps_options *options;
    int first;
    dcps_parse_outcome outcome;
    dcps_open_standard_streams();
    dcps_ignore_write_signals();
    dcps_allow_descriptors();
    dcps_status status = dcps_options_parse(&dcps_server_program, argc, argv, &options, &first, &outcome);
    if (status != DCPS_OK) {
        return complain(status);
    }
    int code = outcome == DCPS_PARSE_RUN ? run(options) : 0;
    dcps_options_destroy(&options);
    return code;
}
