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
    /* Called by dcps_options_parse before defaults are filled in: may call dcps_options_recommend. NULL: nothing is recommended. Errors are those of the parse. */
    dcps_status (*recommend)(dcps_options *options);
} dcps_program;

typedef enum dcps_parse_outcome {
    DCPS_PARSE_RUN,  /* go on with the resolved values */
    DCPS_PARSE_EXIT, /* --help, --version or --print-config was answered on stdout: leave with code 0 */
} dcps_parse_outcome;

/* Resolves `program->options` with glibc argp: flags of argv, then DCPS_<NAME> environment variables (dashes become
 * underscores, upper case), then `--config FILE` (lines `name = value`, # comments), then what the program recommends, then defaults. Adds --help, --version,
 * --config and --print-config (every value and where it came from) itself. On success *options belongs to the caller
 * (dcps_options_destroy) and *positional_index is the argv index of the first positional argument (argc if none).
 * Errors: DCPS_INVALID (unknown flag, unparsable or out-of-range value, named with its source), DCPS_NOT_FOUND and
 * DCPS_CORRUPT (configuration file, with line number), DCPS_NO_MEMORY. Never exits. */
DCPS_MUST_CHECK dcps_status dcps_options_parse(const dcps_program *program, int argc, char **argv,
                                               dcps_options **options, int *positional_index,
                                               dcps_parse_outcome *outcome);

/* For dcps_program.recommend. The text of an option as it was given, or its default; NULL: neither. The name must be in the table (asserted). */
const char *dcps_options_given(const dcps_options *options, const char *name);
/* Who recommended the value that counts ("model resnet"); NULL: it comes from elsewhere. The text is that of the options. */
const char *dcps_options_recommender(const dcps_options *options, const char *name);
/* Recommends a value, which counts where none was given; `source` ("model resnet") is named as its origin and is the same in every call. Errors: DCPS_INVALID (no option of
 * that name), DCPS_NO_MEMORY. */
DCPS_MUST_CHECK dcps_status dcps_options_recommend(dcps_options *options, const char *source, const char *name,
                                                   const char *text);

/* Resolves a table from `assignments`, `count` texts "name=value", and defaults; used for model options. `owner` names the table
 * in errors ("model mlp"). Errors as above; an unknown name lists the known ones. */
DCPS_MUST_CHECK dcps_status dcps_options_from_assignments(const char *owner, const dcps_option *table,
                                                          const char *const *assignments, size_t count,
                                                          dcps_options **options);

/* Prints name, type, default and help of each option of a table. */
void dcps_options_print_help(const dcps_option *table, FILE *out);

void dcps_options_destroy(dcps_options **options);

#endif
