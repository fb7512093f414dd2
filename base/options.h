/* Resolves a table of typed options from flags, environment, configuration file and defaults (in that precedence). */
#ifndef DCPS_BASE_OPTIONS_H
#define DCPS_BASE_OPTIONS_H

#include <stdio.h>

#include "dcps/options.h"

/* What a program tells about itself in --help and --version. */
typedef struct dcps_program {
    const char *name;           /* "dcps-server" */
    const char *summary;        /* one paragraph for --help */
    const char *arguments;      /* usage of positional arguments, NULL: none accepted */
    const dcps_option *options; /* table, ended by a NULL name */
} dcps_program;

typedef enum dcps_parse_outcome {
    DCPS_PARSE_RUN,  /* go on with the resolved values */
    DCPS_PARSE_EXIT, /* --help, --version or --print-config was answered on stdout: leave with code 0 */
} dcps_parse_outcome;

/* Resolves `program->options` with glibc argp: flags of argv, then DCPS_<NAME> environment variables (dashes become
 * underscores, upper case), then `--config FILE` (lines `name = value`, # comments), then defaults. Adds --help, --version,
 * --config and --print-config (every value and where it came from) itself. On success *options belongs to the caller
 * (dcps_options_destroy) and *positional_index is the argv index of the first positional argument (argc if none).
 * Errors: DCPS_INVALID (unknown flag, unparsable or out-of-range value, named with its source), DCPS_NOT_FOUND and
 * DCPS_CORRUPT (configuration file, with line number), DCPS_NO_MEMORY. Never exits. */
DCPS_MUST_CHECK dcps_status dcps_options_parse(const dcps_program *program, int argc, char **argv,
                                               dcps_options **options, int *positional_index,
                                               dcps_parse_outcome *outcome);

/* Resolves a table from `assignments`, `count` texts "name=value", and defaults; used for model options. `owner` names the table
 * in errors ("model mlp"). Errors as above; an unknown name lists the known ones. */
DCPS_MUST_CHECK dcps_status dcps_options_from_assignments(const char *owner, const dcps_option *table,
                                                          const char *const *assignments, size_t count,
                                                          dcps_options **options);

/* Prints name, type, default and help of each option of a table. */
void dcps_options_print_help(const dcps_option *table, FILE *out);

void dcps_options_destroy(dcps_options **options);

#endif
