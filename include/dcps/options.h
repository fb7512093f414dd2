/* Typed options: one table describes the flags of a program or the options of a model. Part of the public interface. */
#ifndef DCPS_OPTIONS_H
#define DCPS_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dcps/status.h"

typedef enum dcps_option_type {
    DCPS_OPTION_FLAG = 1, /* true or false; on a command line also without value, meaning true */
    DCPS_OPTION_INTEGER,  /* int64 within [minimum, maximum] */
    DCPS_OPTION_REAL,     /* finite double within [minimum, maximum] */
    DCPS_OPTION_TEXT,     /* any text; one of `choices` where that is set */
    DCPS_OPTION_INTEGERS, /* comma-separated int64 list, each within [minimum, maximum], at most 64 entries; may be empty */
    DCPS_OPTION_REALS     /* comma-separated list of finite doubles, likewise */
} dcps_option_type;

/* One option. A table ends with an entry whose name is NULL. All texts are static. minimum == maximum == 0 means unbounded. */
typedef struct dcps_option {
    const char *name; /* long name with dashes: "learning-rate" */
    dcps_option_type type;
    const char *default_text; /* parsed like a user's value; NULL: no default, the option is unset unless given */
    const char *help;         /* one sentence, with the unit */
    const char *value_name;   /* shown in help: "N", "HOST:PORT"; NULL: none */
    double minimum;
    double maximum;
    const char *choices; /* "a|b|c" or NULL; DCPS_OPTION_TEXT only */
    bool repeatable;     /* DCPS_OPTION_TEXT only: given several times, values are joined by line feeds */
} dcps_option;

/* Resolved values of one table. Opaque; made by the program that hosts the table. */
typedef struct dcps_options dcps_options;

/* Values by option name. The option must be in the table with that type (asserted: a wrong name is a bug).
 * Text is NULL where unset and stays valid as long as the options do. */
DCPS_API bool dcps_options_is_set(const dcps_options *options, const char *name);
DCPS_API bool dcps_options_flag(const dcps_options *options, const char *name);
DCPS_API int64_t dcps_options_integer(const dcps_options *options, const char *name);
DCPS_API double dcps_options_real(const dcps_options *options, const char *name);
DCPS_API const char *dcps_options_text(const dcps_options *options, const char *name);
/* The list and its length in *count; NULL with *count 0 for an empty list. */
DCPS_API const int64_t *dcps_options_integers(const dcps_options *options, const char *name, size_t *count);
DCPS_API const double *dcps_options_reals(const dcps_options *options, const char *name, size_t *count);

#endif
