/* Inside of dcps_options: one value for each option of a table, with where it came from. Of base alone. */
#ifndef DCPS_BASE_OPTIONS_TABLE_H
#define DCPS_BASE_OPTIONS_TABLE_H

#include "base/options.h"

/* Where a value came from, in rising precedence. */
typedef enum dcps_option_origin {
    DCPS_ORIGIN_NONE,
    DCPS_ORIGIN_DEFAULT,
    DCPS_ORIGIN_RECOMMENDED,
    DCPS_ORIGIN_FILE,
    DCPS_ORIGIN_ENVIRONMENT,
    DCPS_ORIGIN_FLAG /* or assignment */
} dcps_option_origin;

typedef struct dcps_option_value {
    dcps_option_origin origin;
    unsigned line; /* in the configuration file */
    char *text;    /* as given; NULL while unset */
    int64_t integer;
    double real;
    bool flag;
    void *list; /* int64_t or double [list_count] */
    size_t list_count;
} dcps_option_value;

struct dcps_options {
    const dcps_option *table;
    size_t count;
    dcps_option_value *values; /* [count] */
    const char *owner;         /* of the table, for errors; NULL: a program's flags. Not owned */
    char *config_path;         /* NULL: none */
    char *recommender;         /* source of what is recommended; NULL: nothing is */
};

#define DCPS_OPTIONS_MAX_ENTRIES 64u     /* of a list */
#define DCPS_OPTIONS_MAX_TEXT_BYTES 256u /* of the texts that name an origin or a variable */

/* All options unset. Errors: DCPS_NO_MEMORY. */
DCPS_MUST_CHECK dcps_status dcps_options_create(const dcps_option *table, const char *owner, dcps_options **options);

/* Index of the option named name[length]; count when there is none. */
size_t dcps_options_find(const dcps_options *options, const char *name, size_t length);

/* Takes a copy of `text` unless a value of higher precedence is there; joins it to a repeatable one of the same origin. */
DCPS_MUST_CHECK dcps_status dcps_options_offer(dcps_options *options, size_t index, dcps_option_origin origin,
                                               unsigned line, const char *text);

/* Fills in defaults and turns all texts into values. DCPS_INVALID names option, value, what was expected, and origin. */
DCPS_MUST_CHECK dcps_status dcps_options_resolve(dcps_options *options);

/* What a value of this option must be: "an integer from 1 to 64". */
void dcps_option_describe(const dcps_option *option, char *out, size_t bytes);

/* "DCPS_BATCH_SIZE" of "batch-size"; at most DCPS_OPTIONS_MAX_TEXT_BYTES with the final zero. */
void dcps_options_variable(const char *name, char *out);
/* "environment DCPS_BATCH_SIZE", "file run.conf:12", …: likewise. */
void dcps_options_origin_text(const dcps_options *options, size_t index, char *out);

/* Reads a configuration file into unset options. DCPS_NOT_FOUND, DCPS_IO, DCPS_CORRUPT (with line number). */
DCPS_MUST_CHECK dcps_status dcps_options_read_file(dcps_options *options, const char *path);

/* All values as a configuration file, each with its origin in a comment. */
void dcps_options_print(const dcps_options *options, FILE *out);

#endif
